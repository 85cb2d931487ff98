//! The priority queue: the least value is first out.
//!
//! Values are their own priorities, and may be in it several times.

use std::collections::BTreeMap;

use super::Kind;
use super::pool::{Pool, Turn};
use crate::protocol::Value;

/// A priority queue that is empty at first.
pub type PriorityQueue<V> = Pool<Least, V>;

/// The least value is first out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Least;

impl<V: Value> Turn<V> for Least {
    type Inside = BTreeMap<V, u32>;
    const KIND: Kind = Kind::PriorityQueue;

    fn put(inside: &mut Self::Inside, value: V) {
        *inside.entry(value).or_default() += 1;
    }

    fn take(inside: &mut Self::Inside) -> Option<V> {
        let mut least = inside.first_entry()?;
        *least.get_mut() -= 1;
        if *least.get() > 0 {
            return Some(least.key().clone());
        }
        Some(least.remove_entry().0)
    }
}
