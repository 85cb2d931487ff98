//! Producers and consumers over a bounded buffer (Dijkstra, EWD 123, 1965), as a monitor: a
//! condition variable used right.
//!
//! Three rules make it right. One waits in a loop, because another thread may have been faster than
//! the one that was woken. Producers and consumers wait in queues of their own, so that waking
//! *one* thread wakes one that can go on. And whoever changes what others wait for notifies, under
//! the lock or after it. Guarantees first in, first out; never more items than fit; none lost or
//! doubled.
//!
//! Broken variants: `if` in the place of the loop, so that a producer that was woken overfills the
//! buffer; and one queue for both, where the one that is woken may be one that can't go on, and all
//! sleep for ever.

use std::collections::VecDeque;

use crate::sync::{Condvar, Mutex, MutexGuard, broken};

/// A buffer with room for a number of items.
///
/// ```
/// use seedbed::local::buffer::Buffer;
///
/// let buffer = Buffer::new(1);
/// std::thread::scope(|scope| {
///     scope.spawn(|| (1..=3).for_each(|item| buffer.put(item)));
///     assert_eq!([(); 3].map(|()| buffer.take()), [1, 2, 3]);
/// });
/// ```
#[derive(Debug)]
pub struct Buffer<T> {
    capacity: usize,
    items: Mutex<VecDeque<T>>,
    has_room: Condvar,
    has_items: Condvar,
}

type Items<'a, T> = MutexGuard<'a, VecDeque<T>>;

impl<T> Buffer<T> {
    /// A buffer with room for so many items, at least one.
    ///
    /// # Panics
    /// If there is room for none: nothing could ever be put in.
    pub fn new(capacity: usize) -> Self {
        assert!(capacity > 0, "a buffer has room for something");
        let items = Mutex::new(VecDeque::new());
        Buffer { capacity, items, has_room: Condvar::new(), has_items: Condvar::new() }
    }

    /// Puts an item in, as soon as there is room.
    pub fn put(&self, item: T) {
        let items = self.items.lock().expect("nothing panics under this lock");
        let mut items = wait_while(items, &self.has_room, |items| items.len() >= self.capacity);
        items.push_back(item);
        self.consumers().notify_one();
    }

    /// Takes the item that was put in first, as soon as there is one.
    pub fn take(&self) -> T {
        let items = self.items.lock().expect("nothing panics under this lock");
        let mut items = wait_while(items, self.consumers(), |items| items.is_empty());
        let item = items.pop_front().expect("one waits until there is an item");
        self.has_room.notify_one();
        item
    }

    /// How many items it holds; it may be another number by the time that one looks at it.
    pub fn count(&self) -> usize {
        self.items.lock().expect("nothing panics under this lock").len()
    }

    /// Where consumers wait.
    fn consumers(&self) -> &Condvar {
        if broken("buffer/one-queue") { &self.has_room } else { &self.has_items }
    }
}

/// Waits as long as a condition holds.
fn wait_while<'a, T>(
    mut items: Items<'a, T>,
    queue: &Condvar,
    condition: impl Fn(&VecDeque<T>) -> bool,
) -> Items<'a, T> {
    while condition(&items) {
        items = queue.wait(items).expect("nothing panics under this lock");
        if broken("buffer/if") {
            break;
        }
    }
    items
}
