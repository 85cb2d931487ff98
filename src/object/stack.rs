//! The stack: last in, first out.
//!
//! The lock-free one is Treiber's (IBM, 1986). In a legal order puts and takes are nested as
//! brackets are, which is what its judge looks for.

use super::Kind;
use super::pool::{Pool, Turn};
use crate::protocol::Value;

/// A stack that is empty at first.
pub type Stack<V> = Pool<LastIn, V>;

/// Last in, first out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LastIn;

impl<V: Value> Turn<V> for LastIn {
    type Inside = Vec<V>;
    const KIND: Kind = Kind::Stack;

    fn put(inside: &mut Self::Inside, value: V) {
        inside.push(value);
    }

    fn take(inside: &mut Self::Inside) -> Option<V> {
        inside.pop()
    }
}
