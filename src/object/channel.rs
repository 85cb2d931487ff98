//! The bounded channel: first in, first out, with room for a number of items, until it is closed.
//!
//! As with the [mutex](super::mutex), a call that waits is judged by its answer: a `send` that
//! waits for room never returns [`Ret::Full`], and a `receive` that waits for an item never
//! [`Ret::Empty`].

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Object;
use crate::protocol::Value;

/// A channel that is empty and open at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel<V> {
    /// How many items it has room for.
    pub capacity: usize,
    items: std::marker::PhantomData<V>,
}

impl<V> Channel<V> {
    /// A channel with room for so many items.
    pub fn new(capacity: usize) -> Self {
        Channel { capacity, items: std::marker::PhantomData }
    }
}

/// What is in it, and whether it is closed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Contents<V> {
    items: VecDeque<V>,
    closed: bool,
}

/// What may be asked of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Op<V> {
    /// Take this item.
    Send(V),
    /// Give me the item that came first.
    Receive,
    /// No more items will come.
    Close,
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ret<V> {
    /// It is done.
    Done,
    /// There is no room.
    Full,
    /// It is closed.
    Closed,
    /// Here is an item.
    Item(V),
    /// There is none.
    Empty,
    /// There is none, and none will come.
    End,
}

impl<V: Value> Object for Channel<V> {
    type State = Contents<V>;
    type Op = Op<V>;
    type Ret = Ret<V>;
    type Held = V;

    fn init(&self) -> Contents<V> {
        Contents { items: VecDeque::new(), closed: false }
    }

    fn apply(&self, contents: &mut Contents<V>, op: &Op<V>) -> Ret<V> {
        match op {
            Op::Send(_) if contents.closed => return Ret::Closed,
            Op::Send(_) if contents.items.len() >= self.capacity => return Ret::Full,
            Op::Send(item) => contents.items.push_back(item.clone()),
            Op::Receive => match contents.items.pop_front() {
                Some(item) => return Ret::Item(item),
                None if contents.closed => return Ret::End,
                None => return Ret::Empty,
            },
            Op::Close => contents.closed = true,
        }
        Ret::Done
    }

    fn reads(&self, _op: &Op<V>) -> bool {
        false
    }

    fn silent(&self, _op: &Op<V>, ret: &Ret<V>) -> bool {
        matches!(ret, Ret::Full | Ret::Closed | Ret::Empty | Ret::End)
    }

    fn about(&self, op: &Op<V>, ret: Option<&Ret<V>>) -> Option<String> {
        match (op, ret) {
            (Op::Send(item), None | Some(Ret::Done)) => Some(format!("{item:?}")),
            (Op::Receive, Some(Ret::Item(item))) => Some(format!("{item:?}")),
            _ => None,
        }
    }

    fn owes(&self, op: &Op<V>, ret: Option<&Ret<V>>) -> bool {
        ret.map_or(*op != Op::Close, |ret| *ret == Ret::Full)
    }
}
