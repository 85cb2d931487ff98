//! The counting semaphore (Dijkstra, EWD 123, 1965): at most so many at once.
//!
//! A buffered channel used as a semaphore, which the documents speak of, is the same thing.
//! Guarantees that no more permits are out than there are, and that a returned permit wakes a
//! sleeper; who comes may overtake who was woken. What was done before a permit is returned is seen
//! by whoever takes it.
//!
//! Broken variants: looking and taking in two steps lets one too many in; returning a permit
//! without waking anybody leaves a sleeper asleep beside a free permit; returning it with a relaxed
//! write hides from the next one what was done under it.

use super::parking::Parking;
use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{AtomicUsize, broken};

/// A number of permits.
///
/// ```
/// use seedbed::local::semaphore::Semaphore;
///
/// let seats = Semaphore::new(2);
/// let (one, other) = (seats.acquire(), seats.acquire());
/// assert!(seats.try_acquire().is_none());
/// drop(one);
/// assert_eq!(seats.free(), 1);
/// # drop(other);
/// ```
#[derive(Debug)]
pub struct Semaphore {
    permits: AtomicUsize,
    sleepers: Parking,
}

impl Semaphore {
    /// A semaphore with this many permits.
    pub fn new(permits: usize) -> Self {
        Semaphore { permits: AtomicUsize::new(permits), sleepers: Parking::default() }
    }

    /// Waits for a permit.
    pub fn acquire(&self) -> Permit<'_> {
        loop {
            if let Some(permit) = self.try_acquire() {
                return permit;
            }
            self.sleepers.sleep_if(|| self.permits.load(Relaxed) == 0);
        }
    }

    /// Takes a permit if there is one.
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        let mut permits = self.permits.load(Relaxed);
        while permits > 0 {
            if broken("semaphore/two-steps") {
                self.permits.store(permits - 1, Relaxed);
                return Some(Permit { semaphore: self });
            }
            match self.permits.compare_exchange(permits, permits - 1, Acquire, Relaxed) {
                Ok(_) => return Some(Permit { semaphore: self }),
                Err(now) => permits = now,
            }
        }
        None
    }

    /// How many permits are free; it may be another number by the time that one looks at it.
    pub fn free(&self) -> usize {
        self.permits.load(Relaxed)
    }
}

/// The right to be inside; dropping this returns it.
#[derive(Debug)]
#[must_use = "the permit is returned at once if nobody holds it"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let order = if broken("semaphore/relaxed-return") { Relaxed } else { Release };
        self.semaphore.permits.fetch_add(1, order);
        if !broken("semaphore/wakes-nobody") {
            self.semaphore.sleepers.wake_one();
        }
    }
}
