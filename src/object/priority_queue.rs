//! The priority queue: the least value is first out.
//!
//! Values are their own priorities, and may be in it several times.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use super::pool::{self, Op, Ret};
use super::{Deed, Kind, Object};
use crate::protocol::Value;

/// A priority queue that is empty at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PriorityQueue<V>(PhantomData<V>);

impl<V: Value> Object for PriorityQueue<V> {
    type State = BTreeMap<V, u32>;
    type Op = Op<V>;
    type Ret = Ret<V>;
    type Held = V;

    fn init(&self) -> Self::State {
        BTreeMap::new()
    }

    fn apply(&self, state: &mut Self::State, op: &Op<V>) -> Ret<V> {
        match op {
            Op::Put(value) => {
                *state.entry(value.clone()).or_default() += 1;
                Ret::Done
            }
            Op::Take => {
                let Some(mut least) = state.first_entry() else { return Ret::Taken(None) };
                let value = least.key().clone();
                *least.get_mut() -= 1;
                if *least.get() == 0 {
                    least.remove();
                }
                Ret::Taken(Some(value))
            }
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
        Kind::PriorityQueue
    }

    fn deed(&self, op: &Op<V>, ret: Option<&Ret<V>>) -> Option<Deed<V>> {
        pool::deed(op, ret)
    }
}
