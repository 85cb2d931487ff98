//! Peterson's algorithm for two threads (IPL 1981): mutual exclusion from reads and writes alone.
//!
//! I want to enter; but you first. I wait while you want to and it is your turn. The proof needs
//! the three steps of each thread to be seen in their order, which no machine of today promises: a
//! store may wait in a buffer while the next load is done. Hence a sequentially consistent fence
//! before and after the write of `turn`. Fences rather than sequentially consistent accesses,
//! because loom treats such accesses as acquire and release only, and would report mistakes that
//! are none.
//!
//! Guarantees mutual exclusion, and that a thread which wants to enter waits for one visit of the
//! other at most.
//!
//! Broken variants: without the second fence both read the other's flag before their own is seen;
//! without the first, `turn` may be seen before the flag; giving way before wanting to lets both in
//! on any machine. The variant with sequentially consistent accesses is *correct*, and shows what
//! loom can't see.

use super::guarded::{Exclusion, Guarded, Seat};
use crate::sync::Ordering::{Acquire, Relaxed, Release, SeqCst};
use crate::sync::{AtomicBool, AtomicUsize, broken, fence, spin_until};

/// The lock itself.
#[derive(Debug)]
pub struct Peterson {
    wants: [AtomicBool; 2],
    turn: AtomicUsize,
}

impl Peterson {
    /// Puts a value behind a lock for two threads.
    ///
    /// ```
    /// use seedbed::local::peterson::Peterson;
    ///
    /// let mut seats = Peterson::guard(0);
    /// std::thread::scope(|scope| {
    ///     for seat in &mut seats {
    ///         scope.spawn(|| *seat.lock() += 1);
    ///     }
    /// });
    /// assert_eq!(*seats[0].lock(), 2);
    /// ```
    pub fn guard<T>(value: T) -> Vec<Seat<Peterson, T>> {
        let wants = [(); 2].map(|()| AtomicBool::new(false));
        Guarded::seats(Peterson { wants, turn: AtomicUsize::new(0) }, value)
    }

    fn ask(&self, me: usize, you: usize) {
        if broken("peterson/turn-first") {
            self.turn.store(you, Release);
            fence(SeqCst);
            self.wants[me].store(true, Relaxed);
            return;
        }
        if broken("peterson/seqcst-accesses") {
            self.wants[me].store(true, SeqCst);
            self.turn.store(you, SeqCst);
            return;
        }
        self.wants[me].store(true, Relaxed);
        if !broken("peterson/no-first-fence") {
            fence(SeqCst);
        }
        self.turn.store(you, Release);
    }

    fn waits(&self, me: usize, you: usize) -> bool {
        if broken("peterson/seqcst-accesses") {
            return self.wants[you].load(SeqCst) && self.turn.load(SeqCst) == you;
        }
        self.wants[you].load(Acquire) && self.turn.load(Acquire) != me
    }
}

// SAFETY: Peterson's proof, with the fences named above. A thread gets in because the other does
// not want to, or has given way; both are read with acquire and were written with release, after
// whatever the other did under the lock.
unsafe impl Exclusion for Peterson {
    fn seats(&self) -> usize {
        2
    }

    fn acquire(&self, me: usize) {
        let you = 1 - me;
        self.ask(me, you);
        if !broken("peterson/no-fence") && !broken("peterson/seqcst-accesses") {
            fence(SeqCst);
        }
        spin_until(|| !self.waits(me, you));
    }

    fn release(&self, me: usize) {
        self.wants[me].store(false, Release);
    }
}
