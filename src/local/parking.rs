//! The queue of sleepers under every lock whose waiters sleep.
//!
//! It is what Franke, Russell and Kirkwood's futex (Ottawa Linux Symposium 2002) is in a kernel,
//! and WebKit's and `parking_lot`'s "parking lot" in a program: one looks at a condition and joins
//! the queue *in one step*, and who changes the condition wakes sleepers after that. So no wake-up
//! falls between the look and the sleep. The queue is behind a test-and-set lock, which is held for
//! a few instructions only.
//!
//! Guarantees: a thread that found its condition true sleeps until it is woken by name; sleepers
//! are woken first come, first served, and see what was done before they were woken. Assumes that
//! who makes the condition false does so before it wakes. Broken variants: looking before joining
//! the queue sleeps through the wake-up; waking who came last.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::sync::Ordering::{Acquire, Release};
use crate::sync::thread::{self, Thread};
use crate::sync::{AtomicBool, SpinLock, broken, mark};

/// A queue of sleeping threads.
///
/// It sleeps by [`thread::park`], so who sleeps here may take an `unpark` for its own that was
/// meant for another wait of the same thread, as the standard library's channels do.
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
///
/// use seedbed::local::parking::Parking;
///
/// let (closed, sleepers) = (AtomicBool::new(true), Parking::default());
/// std::thread::scope(|scope| {
///     scope.spawn(|| sleepers.sleep_if(|| closed.load(SeqCst)));
///     closed.store(false, SeqCst);
///     sleepers.wake_all();
/// });
/// ```
#[derive(Debug)]
pub struct Parking {
    sleepers: SpinLock<VecDeque<Arc<Sleeper>>>,
}

#[derive(Debug)]
struct Sleeper {
    thread: Thread,
    woken: AtomicBool,
}

impl Default for Parking {
    fn default() -> Self {
        Parking { sleepers: SpinLock::new(VecDeque::new()) }
    }
}

impl Parking {
    /// Sleeps if the condition holds, until woken. Tells whether it slept.
    ///
    /// The condition is looked at while the queue is locked, so it must not touch this queue.
    pub fn sleep_if(&self, condition: impl FnOnce() -> bool) -> bool {
        let sleeper =
            Arc::new(Sleeper { thread: thread::current(), woken: AtomicBool::new(false) });
        if broken("parking/looks-first") {
            if !condition() {
                return false;
            }
            self.sleepers.lock().push_back(Arc::clone(&sleeper));
        } else {
            let mut sleepers = self.sleepers.lock();
            if !condition() {
                return false;
            }
            sleepers.push_back(Arc::clone(&sleeper));
        }
        mark("a thread slept");
        // A thread may be unparked by others than us, so it asks whether it was meant.
        while !sleeper.woken.load(Acquire) {
            thread::park();
        }
        true
    }

    /// Wakes the one that sleeps longest, if any.
    pub fn wake_one(&self) -> bool {
        let first = match broken("parking/last-first") {
            true => self.sleepers.lock().pop_back(),
            false => self.sleepers.lock().pop_front(),
        };
        first.is_some_and(|sleeper| {
            sleeper.wake();
            true
        })
    }

    /// Wakes all that sleep now.
    pub fn wake_all(&self) {
        let all = std::mem::take(&mut *self.sleepers.lock());
        for sleeper in all {
            sleeper.wake();
        }
    }
}

impl Sleeper {
    fn wake(&self) {
        // The thread may be gone as soon as the flag is set; its handle stays good.
        self.woken.store(true, Release);
        self.thread.unpark();
    }
}
