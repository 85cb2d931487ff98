//! The condition variable (Hoare, "Monitors", CACM 1974; with Mesa's semantics, Lampson and Redell,
//! CACM 1980): waits, with a lock let go meanwhile, until told that something has changed.
//!
//! Who is woken competes for the lock like everybody else, and may find that another one was
//! faster. So one waits in a loop that looks again: [`Condvar::wait_while`] is that loop.
//! Guarantees that who waits is in the queue before the lock is let go, so no notification falls in
//! between; that `notify_one` wakes one, if anybody waits.
//!
//! The broken variant lets the lock go first, and sleeps through a notification. How a condition
//! variable is used wrongly is shown in [`buffer`](super::buffer).

use std::sync::LockResult;

use super::mutex::{Mutex, MutexGuard};
use super::parking::Parking;
use crate::sync::broken;

/// A queue of threads that wait for something to change.
///
/// ```
/// use seedbed::local::{condvar::Condvar, mutex::Mutex};
///
/// let (ready, changed) = (Mutex::new(false), Condvar::new());
/// std::thread::scope(|scope| {
///     scope.spawn(|| {
///         *ready.lock().unwrap() = true;
///         changed.notify_all();
///     });
///     let guard = changed.wait_while(ready.lock().unwrap(), |ready| !*ready).unwrap();
///     assert!(*guard);
/// });
/// ```
#[derive(Debug, Default)]
pub struct Condvar {
    waiting: Parking,
}

impl Condvar {
    /// A condition variable for which nobody waits.
    pub fn new() -> Self {
        Condvar::default()
    }

    /// Lets the lock go, waits for a notification, and takes the lock again.
    ///
    /// # Errors
    /// If the lock is poisoned by then; it is held all the same, by the error's guard.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        let mutex: &'a Mutex<T> = guard.mutex();
        if broken("condvar/lets-go-first") {
            drop(guard);
            self.waiting.sleep_if(|| true);
            return mutex.lock();
        }
        self.waiting.sleep_if(|| {
            // The queue is locked, and whoever notifies must lock it: this one is not overlooked.
            drop(guard);
            true
        });
        mutex.lock()
    }

    /// Waits as long as the condition holds.
    ///
    /// # Errors
    /// If the lock is poisoned.
    pub fn wait_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<MutexGuard<'a, T>> {
        while condition(&mut guard) {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// Wakes the one that waits longest, if any.
    pub fn notify_one(&self) {
        self.waiting.wake_one();
    }

    /// Wakes all that wait.
    pub fn notify_all(&self) {
        self.waiting.wake_all();
    }
}
