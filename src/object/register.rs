//! The read/write register: a read returns the value of the last write before it.
//!
//! The oldest of the shared objects (Lamport, "On Interprocess Communication", 1986). Values are
//! compared and never computed with, and nothing tells one writer of a value from another.

use serde::{Deserialize, Serialize};

use super::{Deed, Kind, Object};
use crate::protocol::Value;

/// A register that first holds `initial`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Register<V> {
    /// The value before the first write.
    pub initial: V,
}

/// What may be asked of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Op<V> {
    /// What does it hold?
    Read,
    /// Hold this from now on.
    Write(V),
}

/// What a register answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ret<V> {
    /// To a read: what it holds.
    Value(V),
    /// To a write.
    Done,
}

impl<V: Value> Object for Register<V> {
    type State = V;
    type Op = Op<V>;
    type Ret = Ret<V>;
    type Held = V;

    fn init(&self) -> V {
        self.initial.clone()
    }

    fn apply(&self, state: &mut V, op: &Op<V>) -> Ret<V> {
        match op {
            Op::Read => Ret::Value(state.clone()),
            Op::Write(value) => {
                state.clone_from(value);
                Ret::Done
            }
        }
    }

    fn reads(&self, op: &Op<V>) -> bool {
        matches!(op, Op::Read)
    }

    /// Between a write of another value and the next, nothing is about this value: so without its
    /// writes and its reads every remaining read still follows its own write.
    fn about(&self, op: &Op<V>, ret: Option<&Ret<V>>) -> Option<String> {
        match (op, ret) {
            (Op::Write(value), _) | (Op::Read, Some(Ret::Value(value))) => {
                Some(format!("{value:?}"))
            }
            _ => None,
        }
    }

    fn kind(&self) -> Kind {
        Kind::Memory
    }

    fn initial(&self) -> Option<V> {
        Some(self.initial.clone())
    }

    fn deed(&self, op: &Op<V>, ret: Option<&Ret<V>>) -> Option<Deed<V>> {
        match (op, ret) {
            (Op::Read, None) => Some(Deed::Read(None)),
            (Op::Read, Some(Ret::Value(value))) => Some(Deed::Read(Some(value.clone()))),
            (Op::Write(value), None | Some(Ret::Done)) => Some(Deed::Write(value.clone())),
            _ => None,
        }
    }
}
