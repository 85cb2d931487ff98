//! A channel without room (Hoare's CSP, 1978): a send and a receive are one event.
//!
//! A sender lays its item on the table and waits until somebody has taken it; so when `send`
//! returns, the other one has begun to receive. Closing it gives untaken items back. Guarantees
//! that each item is taken once or given back, and that senders and receivers meet in pairs.
//!
//! Broken variants: a sender that does not wait for its taker; waking one thread where senders and
//! receivers wait in one queue; closing it without telling who waits; and, when it is closed,
//! giving back what is on the table, which may be another's.

use super::channel::Closed;
use crate::sync::{Condvar, Mutex, MutexGuard, broken};

/// A table with place for one item.
///
/// ```
/// use seedbed::local::{channel::Closed, rendezvous::Rendezvous};
///
/// let table = Rendezvous::new();
/// std::thread::scope(|scope| {
///     scope.spawn(|| table.send("here").expect("somebody receives"));
///     assert_eq!(table.receive(), Some("here"));
/// });
/// table.close();
/// assert_eq!(table.send("late"), Err(Closed("late")));
/// ```
#[derive(Debug)]
pub struct Rendezvous<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    table: Option<T>,
    /// How many items were laid on the table, and how many were taken.
    laid: usize,
    taken: usize,
    closed: bool,
}

impl<T> Default for Rendezvous<T> {
    fn default() -> Self {
        Rendezvous::new()
    }
}

impl<T> Rendezvous<T> {
    /// An empty table.
    pub fn new() -> Self {
        let state = State { table: None, laid: 0, taken: 0, closed: false };
        Rendezvous { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Hands an item over to somebody who receives.
    ///
    /// # Errors
    /// If the channel is closed before anybody has taken it.
    pub fn send(&self, item: T) -> Result<(), Closed<T>> {
        let mut state = self.state();
        while state.table.is_some() && !state.closed {
            state = self.wait(state);
        }
        if state.closed {
            return Err(Closed(item));
        }
        state.table = Some(item);
        state.laid += 1;
        let mine = state.laid;
        self.tell();
        while state.taken < mine && !state.closed && !broken("rendezvous/sender-leaves") {
            state = self.wait(state);
        }
        let untaken = state.taken < mine || broken("rendezvous/gives-back-another");
        match state.table.take() {
            Some(item) if state.closed && untaken => Err(Closed(item)),
            other => {
                // The table holds what the next sender has laid there.
                state.table = other;
                Ok(())
            }
        }
    }

    /// Takes an item as soon as somebody sends one; nothing once the channel is closed.
    pub fn receive(&self) -> Option<T> {
        let mut state = self.state();
        while state.table.is_none() && !state.closed {
            state = self.wait(state);
        }
        let item = state.table.take();
        if item.is_some() {
            state.taken += 1;
            self.tell();
        }
        item
    }

    /// Closes the channel.
    pub fn close(&self) {
        self.state().closed = true;
        if !broken("rendezvous/closes-silently") {
            self.changed.notify_all();
        }
    }

    /// Something has changed, and only those who wait know whether they waited for it.
    fn tell(&self) {
        if broken("rendezvous/wakes-one") {
            self.changed.notify_one();
        } else {
            self.changed.notify_all();
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().expect("nothing panics under this lock")
    }

    fn wait<'a>(&'a self, state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        self.changed.wait(state).expect("nothing panics under this lock")
    }
}
