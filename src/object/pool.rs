//! What stacks, queues and priority queues have in common: values are put in, and taken out one by
//! one. They differ in whose turn it is, and in nothing else.

use serde::{Deserialize, Serialize};

use super::Deed;

/// What may be asked of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Op<V> {
    /// Enqueue, push, insert.
    Put(V),
    /// Dequeue, pop, delete the least.
    Take,
}

/// What a pool answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ret<V> {
    /// To what was put in.
    Done,
    /// What was taken out; nothing if it was empty.
    Taken(Option<V>),
}

/// True if such an answer changed nothing.
pub(super) fn silent<V>(op: &Op<V>, ret: &Ret<V>) -> bool {
    matches!((op, ret), (Op::Take, Ret::Taken(None)))
}

/// The value that is put in or taken out. Without any of them, the others' turns stay in order.
pub(super) fn about<V: std::fmt::Debug>(op: &Op<V>, ret: Option<&Ret<V>>) -> Option<String> {
    match (op, ret) {
        (Op::Put(value), _) | (Op::Take, Some(Ret::Taken(Some(value)))) => {
            Some(format!("{value:?}"))
        }
        _ => None,
    }
}

pub(super) fn deed<V: Clone>(op: &Op<V>, ret: Option<&Ret<V>>) -> Option<Deed<V>> {
    match (op, ret) {
        (Op::Put(value), None | Some(Ret::Done)) => Some(Deed::Put(value.clone())),
        (Op::Take, None) => Some(Deed::Take(None)),
        (Op::Take, Some(Ret::Taken(value))) => Some(Deed::Take(Some(value.clone()))),
        _ => None,
    }
}
