//! The stack: last in, first out.
//!
//! The lock-free one is Treiber's (IBM, 1986). In a legal order puts and takes are nested as
//! brackets are, which is what its judge looks for.

use std::marker::PhantomData;

use super::pool::{self, Op, Ret};
use super::{Deed, Kind, Object};
use crate::protocol::Value;

/// A stack that is empty at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stack<V>(PhantomData<V>);

impl<V: Value> Object for Stack<V> {
    type State = Vec<V>;
    type Op = Op<V>;
    type Ret = Ret<V>;
    type Held = V;

    fn init(&self) -> Self::State {
        Vec::new()
    }

    fn apply(&self, state: &mut Self::State, op: &Op<V>) -> Ret<V> {
        match op {
            Op::Put(value) => {
                state.push(value.clone());
                Ret::Done
            }
            Op::Take => Ret::Taken(state.pop()),
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
        Kind::Stack
    }

    fn deed(&self, op: &Op<V>, ret: Option<&Ret<V>>) -> Option<Deed<V>> {
        pool::deed(op, ret)
    }
}
