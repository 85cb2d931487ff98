//! The queue lock of Mellor-Crummey and Scott (TOCS 1991): each waiter spins on a flag of its own.
//!
//! Waiters form a list; `tail` names the last. Who comes links itself behind the one that it finds
//! there, and waits for its flag; who leaves clears its successor's. Guarantees mutual exclusion
//! and first come, first served, with one remote write for each hand-over. Nodes belong to seats,
//! as in the paper, where each processor has its own.
//!
//! Who leaves and sees no successor takes itself off the tail; if that fails, somebody stands
//! behind it who has not linked itself yet, and must be waited for. The broken variant does not
//! wait, and the successor's flag is never cleared.

use super::guarded::{Exclusion, Guarded, Seat};
use crate::sync::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::sync::{AtomicBool, AtomicUsize, broken, mark, spin_until};

const NOBODY: usize = usize::MAX;

/// The lock itself.
#[derive(Debug)]
pub struct Mcs {
    tail: AtomicUsize,
    nodes: Vec<Node>,
}

/// A seat's place in the queue.
#[derive(Debug)]
struct Node {
    next: AtomicUsize,
    waiting: AtomicBool,
}

impl Mcs {
    /// Puts a value behind a lock for this many threads.
    ///
    /// ```
    /// use seedbed::local::mcs::Mcs;
    ///
    /// let mut seats = Mcs::guard(3, 0);
    /// std::thread::scope(|scope| {
    ///     for seat in &mut seats {
    ///         scope.spawn(|| *seat.lock() += 1);
    ///     }
    /// });
    /// assert_eq!(*seats[0].lock(), 3);
    /// ```
    pub fn guard<T>(seats: usize, value: T) -> Vec<Seat<Mcs, T>> {
        Guarded::seats(Mcs::new(seats), value)
    }

    fn new(seats: usize) -> Self {
        let node = |_| Node { next: AtomicUsize::new(NOBODY), waiting: AtomicBool::new(false) };
        Mcs { tail: AtomicUsize::new(NOBODY), nodes: (0..seats).map(node).collect() }
    }
}

// SAFETY: the tail hands out each predecessor once; a thread gets in if it has none, or when that
// one clears its flag, which it does once, on leaving. Either way a release (of the tail, or of the
// flag) is acquired.
unsafe impl Exclusion for Mcs {
    fn seats(&self) -> usize {
        self.nodes.len()
    }

    fn acquire(&self, seat: usize) {
        let node = &self.nodes[seat];
        node.next.store(NOBODY, Relaxed);
        node.waiting.store(true, Relaxed);
        let before = self.tail.swap(seat, AcqRel);
        if before != NOBODY {
            self.nodes[before].next.store(seat, Release);
            spin_until(|| !node.waiting.load(Acquire));
        }
    }

    fn release(&self, seat: usize) {
        let node = &self.nodes[seat];
        if node.next.load(Acquire) == NOBODY {
            if self.tail.compare_exchange(seat, NOBODY, Release, Relaxed).is_ok() {
                return;
            }
            mark("the successor was not linked yet");
            if broken("mcs/leaves-early") {
                return;
            }
            spin_until(|| node.next.load(Acquire) != NOBODY);
        }
        let next = node.next.load(Acquire);
        self.nodes[next].waiting.store(false, Release);
    }
}
