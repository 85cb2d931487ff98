//! Waiting for several channels at once (Go's `select` over receives).
//!
//! One looks at all channels; then tells each of them to wake one up, looks *again*, and only then
//! sleeps. Of several that have something, the one after the last that was served comes first, so
//! none is passed over for ever. Guarantees that it returns if any channel has an item or is at its
//! end, and that with n channels a ready one is served within n calls.
//!
//! Broken variants: no second look, so that an item which came between the look and the request
//! wakes nobody; and always beginning with the first channel, which starves the others.

use std::sync::Arc;

use super::channel::{Channel, Found};
use crate::sync::{Condvar, Mutex, broken};

/// Waits for any of some channels.
///
/// ```
/// use seedbed::local::{channel::Channel, select::Select};
///
/// let (numbers, ends) = (Channel::new(1), Channel::new(1));
/// std::thread::scope(|scope| {
///     scope.spawn(|| {
///         numbers.send(7).expect("it is open");
///         ends.close();
///     });
///     let channels = [&numbers, &ends];
///     let mut select = Select::new(&channels);
///     let mut found = [select.receive(), select.receive()];
///     found.sort();
///     assert_eq!(found, [(0, Some(7)), (1, None)]);
/// });
/// ```
#[derive(Debug)]
pub struct Select<'a, T> {
    channels: &'a [&'a Channel<T>],
    next: usize,
}

/// Somebody who waits for several channels.
#[derive(Debug)]
pub(super) struct Watcher {
    told: Mutex<bool>,
    changed: Condvar,
}

impl<'a, T> Select<'a, T> {
    /// Waits for any of these channels; of none, for ever.
    pub fn new(channels: &'a [&'a Channel<T>]) -> Self {
        Select { channels, next: 0 }
    }

    /// The next item and the number of the channel that it came from; or no item, if that channel
    /// is at its end, which it says each time that its turn comes.
    pub fn receive(&mut self) -> (usize, Option<T>) {
        loop {
            if let Some(found) = self.look() {
                return found;
            }
            let watcher = Arc::new(Watcher { told: Mutex::new(false), changed: Condvar::new() });
            self.channels.iter().for_each(|channel| channel.watch(&watcher));
            let found = if broken("select/looks-once") { None } else { self.look() };
            if found.is_none() {
                watcher.sleep();
            }
            self.channels.iter().for_each(|channel| channel.unwatch(&watcher));
            if let Some(found) = found {
                return found;
            }
        }
    }

    fn look(&mut self) -> Option<(usize, Option<T>)> {
        let count = self.channels.len();
        let first = if broken("select/biased") { 0 } else { self.next };
        for channel in (first..first + count).map(|n| n % count) {
            let item = match self.channels[channel].try_receive() {
                Found::Item(item) => Some(item),
                Found::End => None,
                Found::Nothing => continue,
            };
            self.next = channel + 1;
            return Some((channel, item));
        }
        None
    }
}

impl Watcher {
    /// A channel has changed.
    pub(super) fn tell(&self) {
        *self.told.lock().expect("nothing panics under this lock") = true;
        self.changed.notify_one();
    }

    /// Waits until a channel has changed since this was made.
    fn sleep(&self) {
        let mut told = self.told.lock().expect("nothing panics under this lock");
        while !*told {
            told = self.changed.wait(told).expect("nothing panics under this lock");
        }
    }
}
