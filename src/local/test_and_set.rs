//! The test-and-set lock: one bit, and an instruction that sets it if it is clear.
//!
//! The oldest lock of all; the form that looks before it sets ("test and test-and-set") is due to
//! Rudolph and Segall (ISCA 1984) and spares the bus: waiters read their cached copy until the bit
//! is cleared. Guarantees mutual exclusion, and that some waiter gets in; nobody's turn is
//! promised.
//!
//! Broken variants: looking and setting in two steps lets two threads in; leaving with a relaxed
//! store excludes, but what the holder wrote is not seen by the next one.

use super::guarded::{Exclusion, Guarded, Seatless};
use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{AtomicBool, broken, spin_until};

/// A value behind a test-and-set lock.
///
/// ```
/// use seedbed::local::test_and_set::SpinLock;
///
/// let count = SpinLock::new(0);
/// std::thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| *count.lock() += 1);
///     }
/// });
/// assert_eq!(*count.lock(), 4);
/// ```
pub type SpinLock<T> = Guarded<TestAndSet, T>;

/// The lock itself.
#[derive(Debug)]
pub struct TestAndSet {
    locked: AtomicBool,
}

impl Default for TestAndSet {
    fn default() -> Self {
        TestAndSet { locked: AtomicBool::new(false) }
    }
}

impl TestAndSet {
    fn try_acquire(&self) -> bool {
        if broken("test-and-set/two-steps") {
            let free = !self.locked.load(Acquire);
            if free {
                self.locked.store(true, Relaxed);
            }
            return free;
        }
        self.locked.compare_exchange(false, true, Acquire, Relaxed).is_ok()
    }
}

// SAFETY: of all that put `true` for `false`, only one finds `false` until that one stores it
// again; its store is a release and the next one's exchange an acquire.
unsafe impl Exclusion for TestAndSet {
    fn seats(&self) -> usize {
        1
    }

    fn acquire(&self, _seat: usize) {
        while !self.try_acquire() {
            spin_until(|| !self.locked.load(Relaxed));
        }
    }

    fn release(&self, _seat: usize) {
        let order = if broken("test-and-set/relaxed") { Relaxed } else { Release };
        self.locked.store(false, order);
    }
}

// SAFETY: seats are not looked at.
unsafe impl Seatless for TestAndSet {}
