//! Lamport's bakery (CACM 1974): mutual exclusion for any number of threads, first come, first
//! served, from reads and writes alone.
//!
//! Take a number higher than all that you see; wait for whoever is still taking one; then for
//! everybody with a lower number, or with the same and a lower seat. Each thread writes only what
//! is its own. Guarantees mutual exclusion, and that a thread with a number is overtaken only by
//! those that were already choosing. The proof assumes that a thread's writes are seen before its
//! later reads are done, hence two fences, as in [`peterson`](super::peterson).
//!
//! Broken variants: without `choosing`, a thread that has looked but not yet written its number is
//! overlooked, and gets in beside its elder; without fences nobody's number is seen in time;
//! without the order of seats two threads with one number wait for nobody.

use super::guarded::{Exclusion, Guarded, Seat};
use crate::sync::Ordering::{Acquire, Relaxed, Release, SeqCst};
use crate::sync::{AtomicBool, AtomicUsize, broken, fence, mark, spin_until};

/// The lock itself.
#[derive(Debug)]
pub struct Bakery {
    choosing: Vec<AtomicBool>,
    /// Zero means: does not want to enter.
    number: Vec<AtomicUsize>,
}

impl Bakery {
    /// Puts a value behind a lock for this many threads.
    ///
    /// ```
    /// use seedbed::local::bakery::Bakery;
    ///
    /// let mut seats = Bakery::guard(3, 0);
    /// std::thread::scope(|scope| {
    ///     for seat in &mut seats {
    ///         scope.spawn(|| *seat.lock() += 1);
    ///     }
    /// });
    /// assert_eq!(*seats[0].lock(), 3);
    /// ```
    pub fn guard<T>(seats: usize, value: T) -> Vec<Seat<Bakery, T>> {
        let choosing = (0..seats).map(|_| AtomicBool::new(false)).collect();
        let number = (0..seats).map(|_| AtomicUsize::new(0)).collect();
        Guarded::seats(Bakery { choosing, number }, value)
    }

    fn take_number(&self, me: usize) -> usize {
        let chooses = !broken("bakery/no-choosing");
        if chooses {
            self.choosing[me].store(true, Relaxed);
        }
        let fences = !broken("bakery/no-fence");
        if fences {
            fence(SeqCst);
        }
        let highest = self.number.iter().map(|number| number.load(Relaxed)).max();
        let mine = highest.unwrap_or(0) + 1;
        self.number[me].store(mine, Release);
        if chooses {
            self.choosing[me].store(false, Release);
        }
        if fences {
            fence(SeqCst);
        }
        mine
    }

    /// Is it this other one's turn before mine?
    fn precedes(&self, other: usize, me: usize, mine: usize) -> bool {
        let theirs = self.number[other].load(Acquire);
        if theirs == mine {
            mark("two threads drew one number");
            return other < me && !broken("bakery/no-order-of-seats");
        }
        theirs != 0 && theirs < mine
    }
}

// SAFETY: Lamport's proof, with the fences named above. Whatever a thread reads of another's number
// to get past it was written with release, after whatever that one did under the lock.
unsafe impl Exclusion for Bakery {
    fn seats(&self) -> usize {
        self.number.len()
    }

    fn acquire(&self, me: usize) {
        let mine = self.take_number(me);
        for other in (0..self.seats()).filter(|other| *other != me) {
            spin_until(|| !self.choosing[other].load(Acquire));
            spin_until(|| !self.precedes(other, me, mine));
        }
    }

    fn release(&self, me: usize) {
        self.number[me].store(0, Release);
    }
}
