//! A bounded channel that can be closed (Hoare's CSP, 1978, as Go has it).
//!
//! Senders wait for room, receivers for items. Closing it lets everybody go on: who sends is
//! refused and gets its item back, who receives gets what is left and then the end. Guarantees
//! first in, first out; that an accepted item is received if receivers go on until the end; and
//! that nothing comes after the end.
//!
//! Broken variants: a close that wakes one of several; one that drops what is left; one of which a
//! select isn't told; and a sender that looks whether the channel is closed only before it waits,
//! and sends into a closed one.

use std::collections::VecDeque;
use std::sync::Arc;

use super::select::Watcher;
use crate::sync::{Condvar, Mutex, MutexGuard, broken};

/// A queue between threads, with room for a number of items.
///
/// ```
/// use seedbed::local::channel::{Channel, Closed, Refused};
///
/// let channel = Channel::new(1);
/// std::thread::scope(|scope| {
///     scope.spawn(|| {
///         (1..=3).try_for_each(|item| channel.send(item)).expect("nobody else closes it");
///         channel.close();
///     });
///     let received: Vec<u32> = std::iter::from_fn(|| channel.receive()).collect();
///     assert_eq!(received, [1, 2, 3]);
/// });
/// assert_eq!(channel.send(4), Err(Closed(4)));
/// assert_eq!(channel.try_send(4), Err(Refused::Closed(4)));
/// ```
#[derive(Debug)]
pub struct Channel<T> {
    capacity: usize,
    state: Mutex<State<T>>,
    has_room: Condvar,
    has_items: Condvar,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    closed: bool,
    /// Who waits for this channel and for others.
    watchers: Vec<Arc<Watcher>>,
}

/// The channel is closed; here is the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed<T>(pub T);

/// Why an item is not sent; here it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused<T> {
    /// There is no room now.
    Full(T),
    /// The channel is closed.
    Closed(T),
}

/// What a look finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// An item.
    Item(T),
    /// Nothing yet.
    Nothing,
    /// The channel is closed and empty.
    End,
}

impl<T> Channel<T> {
    /// A channel with room for so many items, at least one.
    ///
    /// # Panics
    /// If there is room for none: that is a [`Rendezvous`](super::rendezvous::Rendezvous).
    pub fn new(capacity: usize) -> Self {
        assert!(capacity > 0, "a channel without room is a rendezvous");
        let state = State { items: VecDeque::new(), closed: false, watchers: Vec::new() };
        let state = Mutex::new(state);
        Channel { capacity, state, has_room: Condvar::new(), has_items: Condvar::new() }
    }

    /// Sends an item, as soon as there is room.
    ///
    /// # Errors
    /// If the channel is closed, or is closed before there is room.
    pub fn send(&self, item: T) -> Result<(), Closed<T>> {
        let mut state = self.state();
        if state.closed {
            return Err(Closed(item));
        }
        while state.items.len() == self.capacity && !state.closed {
            state = self.has_room.wait(state).expect("nothing panics under this lock");
        }
        if state.closed && !broken("channel/sends-after-close") {
            return Err(Closed(item));
        }
        self.put(&mut state, item);
        Ok(())
    }

    /// Sends an item if there is room now.
    ///
    /// # Errors
    /// If there is none, or the channel is closed.
    pub fn try_send(&self, item: T) -> Result<(), Refused<T>> {
        let mut state = self.state();
        if state.closed {
            return Err(Refused::Closed(item));
        }
        if state.items.len() >= self.capacity {
            return Err(Refused::Full(item));
        }
        self.put(&mut state, item);
        Ok(())
    }

    /// Receives the item that was sent first, as soon as there is one; nothing once the channel is
    /// closed and empty.
    pub fn receive(&self) -> Option<T> {
        let mut state = self.state();
        while state.items.is_empty() && !state.closed {
            state = self.has_items.wait(state).expect("nothing panics under this lock");
        }
        match self.look(&mut state) {
            Found::Item(item) => Some(item),
            Found::Nothing | Found::End => None,
        }
    }

    /// Receives an item if there is one now.
    pub fn try_receive(&self) -> Found<T> {
        self.look(&mut self.state())
    }

    /// Closes the channel, if nobody has done so.
    pub fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        if !broken("channel/close-tells-no-select") {
            state.tell_watchers();
        }
        if broken("channel/close-wakes-one") {
            self.has_items.notify_one();
            self.has_room.notify_one();
        } else {
            self.has_items.notify_all();
            self.has_room.notify_all();
        }
    }

    /// Somebody waits for this channel and for others.
    pub(super) fn watch(&self, watcher: &Arc<Watcher>) {
        self.state().watchers.push(Arc::clone(watcher));
    }

    /// Somebody does so no longer.
    pub(super) fn unwatch(&self, watcher: &Arc<Watcher>) {
        self.state().watchers.retain(|other| !Arc::ptr_eq(other, watcher));
    }

    fn put(&self, state: &mut State<T>, item: T) {
        state.items.push_back(item);
        self.has_items.notify_one();
        state.tell_watchers();
    }

    fn look(&self, state: &mut State<T>) -> Found<T> {
        let drops = state.closed && broken("channel/close-drops");
        match state.items.pop_front().filter(|_| !drops) {
            Some(item) => {
                self.has_room.notify_one();
                Found::Item(item)
            }
            None if state.closed => Found::End,
            None => Found::Nothing,
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().expect("nothing panics under this lock")
    }
}

impl<T> State<T> {
    fn tell_watchers(&self) {
        for watcher in &self.watchers {
            watcher.tell();
        }
    }
}
