//! What stacks, queues and priority queues have in common: values are put in, and taken out one by
//! one. They differ in whose turn it is, and in nothing else: that is their [`Turn`].

use std::fmt::Debug;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use super::{Deed, Kind, Object};
use crate::protocol::Value;

/// A pool that is empty at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pool<T, V>(PhantomData<(T, V)>);

/// Whose turn it is to be taken out.
pub trait Turn<V>: Clone + Debug + Send + Sync + 'static {
    /// What is in the pool.
    type Inside: Value + Default;
    /// What such a pool is called.
    const KIND: Kind;

    /// Puts a value in.
    fn put(inside: &mut Self::Inside, value: V);

    /// Takes out the value whose turn it is; nothing if the pool is empty.
    fn take(inside: &mut Self::Inside) -> Option<V>;
}

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

impl<T: Turn<V>, V: Value> Object for Pool<T, V> {
    type State = T::Inside;
    type Op = Op<V>;
    type Ret = Ret<V>;
    type Held = V;

    fn init(&self) -> T::Inside {
        T::Inside::default()
    }

    fn apply(&self, inside: &mut T::Inside, op: &Op<V>) -> Ret<V> {
        match op {
            Op::Put(value) => {
                T::put(inside, value.clone());
                Ret::Done
            }
            Op::Take => Ret::Taken(T::take(inside)),
        }
    }

    fn reads(&self, _op: &Op<V>) -> bool {
        false
    }

    fn silent(&self, op: &Op<V>, ret: &Ret<V>) -> bool {
        matches!((op, ret), (Op::Take, Ret::Taken(None)))
    }

    /// The value that is put in or taken out. Without any of them, the others' turns stay in order.
    fn about(&self, op: &Op<V>, ret: Option<&Ret<V>>) -> Option<String> {
        match (op, ret) {
            (Op::Put(value), _) | (Op::Take, Some(Ret::Taken(Some(value)))) => {
                Some(format!("{value:?}"))
            }
            _ => None,
        }
    }

    fn owes(&self, op: &Op<V>, ret: Option<&Ret<V>>) -> bool {
        *op == Op::Take && ret.is_none()
    }

    fn kind(&self) -> Kind {
        T::KIND
    }

    fn deed(&self, op: &Op<V>, ret: Option<&Ret<V>>) -> Option<Deed<V>> {
        match (op, ret) {
            (Op::Put(value), None | Some(Ret::Done)) => Some(Deed::Put(value.clone())),
            (Op::Take, None) => Some(Deed::Take(None)),
            (Op::Take, Some(Ret::Taken(value))) => Some(Deed::Take(Some(value.clone()))),
            _ => None,
        }
    }
}
