//! The register with compare-and-set, which replaces its value only if it is the expected one.
//!
//! Its consensus number is unbounded (Herlihy, "Wait-free Synchronization", 1991): this is what
//! locks, elections and coordination services are made of. A refused attempt is an answer, not a
//! failed call: it says that the value was another one.

use serde::{Deserialize, Serialize};

use super::{Deed, Kind, Object};
use crate::protocol::Value;

/// A register that first holds `initial`; with an optional value, `default()` holds none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CasRegister<V> {
    /// The value before the first write.
    pub initial: V,
}

/// What may be asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Op<V> {
    /// What does it hold?
    Read,
    /// Hold this from now on.
    Write(V),
    /// If it holds `from`, hold `to` from now on.
    Cas {
        /// What is expected.
        from: V,
        /// What replaces it.
        to: V,
    },
}

impl<V> Op<V> {
    /// A compare-and-set.
    pub fn cas(from: V, to: V) -> Self {
        Op::Cas { from, to }
    }
}

/// What it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ret<V> {
    /// To a read: what it holds.
    Value(V),
    /// To a write.
    Done,
    /// To a compare-and-set: did it hold what was expected?
    Swapped(bool),
}

impl<V: Value> Object for CasRegister<V> {
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
            Op::Cas { from, to } => {
                let as_expected = state == from;
                if as_expected {
                    state.clone_from(to);
                }
                Ret::Swapped(as_expected)
            }
        }
    }

    fn reads(&self, op: &Op<V>) -> bool {
        match op {
            Op::Read => true,
            Op::Write(_) => false,
            Op::Cas { from, to } => from == to,
        }
    }

    fn silent(&self, op: &Op<V>, ret: &Ret<V>) -> bool {
        self.reads(op) || *ret == Ret::Swapped(false)
    }

    fn kind(&self) -> Kind {
        Kind::Memory
    }

    fn initial(&self) -> Option<V> {
        Some(self.initial.clone())
    }

    fn deed(&self, op: &Op<V>, ret: Option<&Ret<V>>) -> Option<Deed<V>> {
        let swap = |done| {
            let Op::Cas { from, to } = op else { return None };
            Some(Deed::Swap { from: from.clone(), to: to.clone(), done })
        };
        match (op, ret) {
            (Op::Read, None) => Some(Deed::Read(None)),
            (Op::Read, Some(Ret::Value(value))) => Some(Deed::Read(Some(value.clone()))),
            (Op::Write(value), None | Some(Ret::Done)) => Some(Deed::Write(value.clone())),
            (Op::Cas { .. }, None) => swap(None),
            (Op::Cas { .. }, Some(Ret::Swapped(done))) => swap(Some(*done)),
            _ => None,
        }
    }
}
