//! The queue: first in, first out.
//!
//! The object of Herlihy and Wing's first examples (TOPLAS 1990). Its order is decided when values
//! are put in, and seen only when they are taken out: that is why queues are hard to judge by
//! search.

use std::collections::VecDeque;

use super::Kind;
use super::pool::{Pool, Turn};
use crate::protocol::Value;

/// A queue that is empty at first.
pub type Queue<V> = Pool<FirstIn, V>;

/// First in, first out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FirstIn;

impl<V: Value> Turn<V> for FirstIn {
    type Inside = VecDeque<V>;
    const KIND: Kind = Kind::Queue;

    fn put(inside: &mut Self::Inside, value: V) {
        inside.push_back(value);
    }

    fn take(inside: &mut Self::Inside) -> Option<V> {
        inside.pop_front()
    }
}
