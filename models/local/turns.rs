//! Whose turn it is: a thread that is seen to wait must not be overtaken by one that comes later.
//!
//! A thread *comes* when it calls `lock`; it *waits* once it has looked in vain, which it does
//! after it took its place in the queue, if the lock has one; and then it *enters*. Loom sees none
//! of this, so it adds no interleavings.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::explore::always;
use super::trace::me;

/// What a lock that serves first come, first served promises.
pub const IN_TURN: &str = "who waits is not overtaken";

thread_local! {
    static QUEUE: RefCell<Queue> = RefCell::default();
}

#[derive(Default)]
struct Queue {
    /// Of each thread that has come and not entered: who waited already when it came.
    ahead: BTreeMap<usize, BTreeSet<usize>>,
    waiting: BTreeSet<usize>,
}

/// An execution begins.
pub fn begin() {
    QUEUE.take();
}

/// The thread that runs comes.
pub fn comes() {
    QUEUE.with_borrow_mut(|queue| {
        let ahead = queue.waiting.clone();
        queue.ahead.insert(me(), ahead);
    });
}

/// The thread that runs has looked in vain.
pub fn waits() {
    QUEUE.with_borrow_mut(|queue| {
        if queue.ahead.contains_key(&me()) {
            queue.waiting.insert(me());
        }
    });
}

/// The thread that runs enters, and must be the first of those that it knows of.
pub fn enters() {
    let ahead = QUEUE.with_borrow_mut(|queue| {
        queue.waiting.remove(&me());
        let ahead = queue.ahead.remove(&me()).unwrap_or_default();
        queue.ahead.values_mut().for_each(|others| _ = others.remove(&me()));
        ahead
    });
    always(IN_TURN, ahead.is_empty());
}
