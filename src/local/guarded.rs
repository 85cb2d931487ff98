//! A value behind a lock: what every spinning lock of this folder has in common.
//!
//! A lock is an [`Exclusion`]: two moves, `acquire` and `release`. [`Guarded`] puts a value behind
//! one, and gives it out by guards, as the standard library does. Some algorithms must tell their
//! threads apart: each thread has a *seat*, a number of its own, which in Peterson's and Lamport's
//! algorithms is the place of its flag, and in queue locks that of its queue node. Such a lock is
//! reached through a [`Seat`], which one thread owns and can't copy, so that no two threads can
//! claim to be the same one.
//!
//! Guarantees: mutual exclusion, and what was written under the lock is seen by the next holder.
//! Assumes of its holders that they end: a guard that is leaked keeps the lock for ever.
//! There is no poisoning here; [`mutex`](super::mutex) has it.

use std::fmt::{self, Debug};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::sync::UnsafeCell;

/// How threads exclude each other.
///
/// # Safety
/// From the return of an `acquire` until the next call of `release` no other `acquire` returns, and
/// all that happened before the `release` happens before the return of the next `acquire`; provided
/// that each `release` follows an `acquire` of the same seat, and that no seat is used twice at a
/// time unless the lock is [`Seatless`].
pub unsafe trait Exclusion: Send + Sync {
    /// How many threads may compete.
    fn seats(&self) -> usize;

    /// Waits until the lock is this seat's.
    fn acquire(&self, seat: usize);

    /// Gives the lock back.
    fn release(&self, seat: usize);
}

/// A lock that does not ask who comes.
///
/// # Safety
/// What [`Exclusion`] promises holds although all threads use seat 0.
pub unsafe trait Seatless: Exclusion + Default {}

/// A value behind a lock. It may be shared by threads if its value may go from one to the other:
///
/// ```compile_fail
/// fn shared<T: Sync>(_: &T) {}
/// shared(&seedbed::local::ticket::TicketLock::new(std::rc::Rc::new(0)));
/// ```
#[derive(Debug)]
pub struct Guarded<L, T> {
    exclusion: L,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by one thread at a time, which may differ from the one that made it.
unsafe impl<L: Exclusion, T: Send> Sync for Guarded<L, T> {}

impl<L: Seatless, T> Guarded<L, T> {
    /// Puts a value behind a lock.
    pub fn new(value: T) -> Self {
        Guarded { exclusion: L::default(), value: UnsafeCell::new(value) }
    }

    /// Waits for the lock.
    pub fn lock(&self) -> Guard<'_, L, T> {
        self.acquire(0)
    }
}

impl<L: Exclusion, T> Guarded<L, T> {
    /// Puts a value behind this lock, and gives each of its competitors a seat.
    pub fn seats(exclusion: L, value: T) -> Vec<Seat<L, T>> {
        let seats = exclusion.seats();
        let guarded = Arc::new(Guarded { exclusion, value: UnsafeCell::new(value) });
        (0..seats).map(|number| Seat { guarded: Arc::clone(&guarded), number }).collect()
    }

    /// Puts a value behind this very lock.
    pub fn over(exclusion: L, value: T) -> Self
    where
        L: Seatless,
    {
        Guarded { exclusion, value: UnsafeCell::new(value) }
    }

    fn acquire(&self, seat: usize) -> Guard<'_, L, T> {
        self.exclusion.acquire(seat);
        Guard { guarded: self, seat, owns: PhantomData }
    }
}

/// One thread's place at a lock that tells its threads apart. It can't be copied:
///
/// ```compile_fail
/// let seats = seedbed::local::mcs::Mcs::guard(2, 0);
/// let same_seat_twice = seats[0].clone();
/// ```
#[derive(Debug)]
pub struct Seat<L, T> {
    guarded: Arc<Guarded<L, T>>,
    number: usize,
}

impl<L: Exclusion, T> Seat<L, T> {
    /// Waits for the lock. A seat takes the lock once at a time, so this borrows it wholly.
    pub fn lock(&mut self) -> Guard<'_, L, T> {
        self.guarded.acquire(self.number)
    }
}

/// The lock is held; dropping this gives it back.
///
/// A guard may go to another thread if its value may, and may be shared if its value may:
///
/// ```compile_fail
/// use seedbed::local::test_and_set::SpinLock;
/// fn shared<T: Sync>(_: &T) {}
/// let lock = SpinLock::new(std::cell::Cell::new(0));
/// shared(&lock.lock()); // A `Cell` may not be shared.
/// ```
#[must_use = "the lock is given back at once if nobody holds its guard"]
pub struct Guard<'a, L: Exclusion, T> {
    guarded: &'a Guarded<L, T>,
    seat: usize,
    owns: PhantomData<&'a mut T>,
}

impl<L: Exclusion, T: Debug> Debug for Guard<'_, L, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<L: Exclusion, T> Deref for Guard<'_, L, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: while the guard lives no other thread has acquired the lock, and of this guard
        // there are only shared borrows.
        self.guarded.value.with(|value| unsafe { &*value })
    }
}

impl<L: Exclusion, T> DerefMut for Guard<'_, L, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and this guard is borrowed exclusively.
        self.guarded.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<L: Exclusion, T> Drop for Guard<'_, L, T> {
    fn drop(&mut self) {
        self.guarded.exclusion.release(self.seat);
    }
}
