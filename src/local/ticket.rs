//! The ticket lock: draw a number, wait until it is called.
//!
//! Reed and Kanodia (CACM 1979) for the idea, Mellor-Crummey and Scott (TOCS 1991) for the lock.
//! Guarantees mutual exclusion, and that threads get in in the order of their tickets. Numbers wrap
//! around, which is harmless as long as there are fewer threads than numbers, because a waiter asks
//! whether its number *is* called, and not whether it was reached.
//!
//! Broken variants: asking whether the number was reached lets a thread in when numbers wrap
//! around; drawing in two steps gives two threads one ticket, and one of them waits for a number
//! that was called long ago, or both get in.

use super::guarded::{Exclusion, Guarded, Seatless};
use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{AtomicUsize, broken, spin_until};

/// A value behind a ticket lock.
///
/// ```
/// use seedbed::local::ticket::TicketLock;
///
/// let words = TicketLock::new(vec!["first"]);
/// words.lock().push("second");
/// assert_eq!(*words.lock(), ["first", "second"]);
/// ```
pub type TicketLock<T> = Guarded<Ticket, T>;

/// The lock itself.
#[derive(Debug)]
pub struct Ticket {
    next: AtomicUsize,
    serving: AtomicUsize,
}

impl Default for Ticket {
    fn default() -> Self {
        Ticket::from(0)
    }
}

impl Ticket {
    /// A lock whose first ticket has this number.
    pub fn from(first: usize) -> Self {
        Ticket { next: AtomicUsize::new(first), serving: AtomicUsize::new(first) }
    }

    fn draw(&self) -> usize {
        if broken("ticket/two-steps") {
            let ticket = self.next.load(Relaxed);
            self.next.store(ticket.wrapping_add(1), Relaxed);
            return ticket;
        }
        self.next.fetch_add(1, Relaxed)
    }

    fn is_called(&self, ticket: usize) -> bool {
        let serving = self.serving.load(Acquire);
        if broken("ticket/wrap-around") { serving >= ticket } else { serving == ticket }
    }
}

// SAFETY: each number is drawn once (a full round of numbers later nobody waits for the old one),
// and called once, by the holder before it; the call is a release store, which the waiter acquires.
unsafe impl Exclusion for Ticket {
    fn seats(&self) -> usize {
        1
    }

    fn acquire(&self, _seat: usize) {
        let ticket = self.draw();
        spin_until(|| self.is_called(ticket));
    }

    fn release(&self, _seat: usize) {
        // Only the holder writes this, so a plain read suffices.
        let serving = self.serving.load(Relaxed);
        self.serving.store(serving.wrapping_add(1), Release);
    }
}

// SAFETY: seats are not looked at.
unsafe impl Seatless for Ticket {}
