//! The queue: first in, first out.
//!
//! The object of Herlihy and Wing's first examples (TOPLAS 1990). Its order is decided when values
//! are put in, and seen only when they are taken out: that is why queues are hard to judge by
//! search.

use std::collections::VecDeque;
use std::marker::PhantomData;

use super::pool::{self, Op, Ret};
use super::{Deed, Kind, Object};
use crate::protocol::Value;

/// A queue that is empty at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Queue<V>(PhantomData<V>);

impl<V: Value> Object for Queue<V> {
    type State = VecDeque<V>;
    type Op = Op<V>;
    type Ret = Ret<V>;
    type Held = V;

    fn init(&self) -> Self::State {
        VecDeque::new()
    }

    fn apply(&self, state: &mut Self::State, op: &Op<V>) -> Ret<V> {
        match op {
            Op::Put(value) => {
                state.push_back(value.clone());
                Ret::Done
            }
            Op::Take => Ret::Taken(state.pop_front()),
        }
    }

    fn reads(&self, _op: &Op<V>) -> bool {
        false
    }

    fn silent(&self, op: &Op<V>, ret: &Ret<V>) -> bool {
        pool::silent(op, ret)
    }

    fn about(&self, op: &Op<V>, ret: Option<&Ret<V>>) -> Option<String> {
        pool::about(op, ret)
    }

    fn kind(&self) -> Kind {
        Kind::Queue
    }

    fn deed(&self, op: &Op<V>, ret: Option<&Ret<V>>) -> Option<Deed<V>> {
        pool::deed(op, ret)
    }
}
