//! The queue lock of Craig (1993) and of Landin and Hagersten (IPPS 1994): each waiter spins on its
//! predecessor's flag.
//!
//! The list of waiters is nowhere linked: a newcomer swaps its node into `tail` and remembers the
//! one that it found there. Who leaves clears its own flag and takes over its predecessor's node,
//! which nobody looks at any more. Guarantees mutual exclusion and first come, first served.
//!
//! The broken variant keeps its own node instead. If it comes back soon, it finds that node at the
//! tail, and waits for itself; if it comes back a little later, its flag goes up again before its
//! successor saw it down, and the two wait for each other.

use super::guarded::{Exclusion, Guarded, Seat};
use crate::sync::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::sync::{AtomicBool, AtomicUsize, broken, spin_until};

/// The lock itself: one node more than seats, as one always lies at the tail.
#[derive(Debug)]
pub struct Clh {
    tail: AtomicUsize,
    busy: Vec<AtomicBool>,
    /// For each seat its node, and the node before it in the queue; only its thread looks there.
    places: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    mine: AtomicUsize,
    before: AtomicUsize,
}

impl Clh {
    /// Puts a value behind a lock for this many threads.
    ///
    /// ```
    /// use seedbed::local::clh::Clh;
    ///
    /// let mut seats = Clh::guard(3, 0);
    /// std::thread::scope(|scope| {
    ///     for seat in &mut seats {
    ///         scope.spawn(|| *seat.lock() += 1);
    ///     }
    /// });
    /// assert_eq!(*seats[0].lock(), 3);
    /// ```
    pub fn guard<T>(seats: usize, value: T) -> Vec<Seat<Clh, T>> {
        Guarded::seats(Clh::new(seats), value)
    }

    fn new(seats: usize) -> Self {
        let place = |seat| Place { mine: AtomicUsize::new(seat), before: AtomicUsize::new(seats) };
        Clh {
            tail: AtomicUsize::new(seats),
            busy: (0..=seats).map(|_| AtomicBool::new(false)).collect(),
            places: (0..seats).map(place).collect(),
        }
    }
}

// SAFETY: the tail hands out each node to one newcomer, who gets in when its flag is cleared; a
// flag is cleared once, on leaving, and its node is not reused before the one behind it got in.
unsafe impl Exclusion for Clh {
    fn seats(&self) -> usize {
        self.places.len()
    }

    fn acquire(&self, seat: usize) {
        let place = &self.places[seat];
        let mine = place.mine.load(Relaxed);
        self.busy[mine].store(true, Relaxed);
        let before = self.tail.swap(mine, AcqRel);
        place.before.store(before, Relaxed);
        spin_until(|| !self.busy[before].load(Acquire));
    }

    fn release(&self, seat: usize) {
        let place = &self.places[seat];
        let mine = place.mine.load(Relaxed);
        if !broken("clh/keeps-its-node") {
            place.mine.store(place.before.load(Relaxed), Relaxed);
        }
        self.busy[mine].store(false, Release);
    }
}
