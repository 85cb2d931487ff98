//! The set: what is in it, told value by value.
//!
//! Values are independent of one another, so a history can be judged value by value. An answer
//! says whether the call found the value there, which is all that there is to know.

use std::collections::BTreeSet;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use super::{Deed, Kind, Object};
use crate::protocol::Value;

/// A set that is empty at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Set<V>(PhantomData<V>);

/// What may be asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Op<V> {
    /// Let this be in it; true if it was not.
    Add(V),
    /// Let this not be in it; true if it was.
    Remove(V),
    /// Is this in it?
    Has(V),
}

/// What it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ret(pub bool);

impl<V> Op<V> {
    fn value(&self) -> &V {
        match self {
            Op::Add(value) | Op::Remove(value) | Op::Has(value) => value,
        }
    }
}

impl<V: Value> Object for Set<V> {
    type State = BTreeSet<V>;
    type Op = Op<V>;
    type Ret = Ret;
    type Held = V;

    fn init(&self) -> BTreeSet<V> {
        BTreeSet::new()
    }

    fn apply(&self, state: &mut BTreeSet<V>, op: &Op<V>) -> Ret {
        Ret(match op {
            Op::Add(value) => state.insert(value.clone()),
            Op::Remove(value) => state.remove(value),
            Op::Has(value) => state.contains(value),
        })
    }

    fn reads(&self, op: &Op<V>) -> bool {
        matches!(op, Op::Has(_))
    }

    fn silent(&self, op: &Op<V>, ret: &Ret) -> bool {
        self.reads(op) || !ret.0
    }

    fn part(&self, op: &Op<V>) -> Option<String> {
        Some(format!("{:?}", op.value()))
    }

    fn kind(&self) -> Kind {
        Kind::Set
    }

    fn deed(&self, op: &Op<V>, ret: Option<&Ret>) -> Option<Deed<V>> {
        let answer = ret.map(|ret| ret.0);
        Some(match op {
            Op::Add(value) => Deed::Add(value.clone(), answer),
            Op::Remove(value) => Deed::Remove(value.clone(), answer),
            Op::Has(value) => Deed::Has(value.clone(), answer),
        })
    }
}
