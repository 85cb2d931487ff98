//! A value that is made once, by whoever comes first (Go's `sync.Once`, the standard library's
//! `OnceLock`).
//!
//! Who comes while it is being made sleeps until it is there. If making it panics, the next one
//! tries again. Guarantees that it is made at most once, and that who gets it sees all of it: the
//! look that finds it there is an acquire, after the release of the maker. Schmidt and Harrison's
//! "double-checked locking" (1996) got exactly this wrong for years.
//!
//! Broken variants: a relaxed look; looking and starting in two steps, so that two make it; saying
//! that it is there before it is; waking one sleeper of several.

use super::parking::Parking;
use crate::sync::Ordering::{AcqRel, Acquire, Relaxed};
use crate::sync::{AtomicUsize, UnsafeCell, broken};

const EMPTY: usize = 0;
const FILLING: usize = 1;
const FULL: usize = 2;

/// A value that is there, or is not there yet.
///
/// ```
/// use seedbed::local::once::Once;
///
/// let answer = Once::new();
/// assert_eq!(answer.get(), None);
/// assert_eq!(*answer.get_or_make(|| 42), 42);
/// assert_eq!(*answer.get_or_make(|| unreachable!("it is there")), 42);
/// ```
///
/// It may be shared by threads if its value may, and may go from one to the other:
///
/// ```compile_fail
/// fn shared<T: Sync>(_: &T) {}
/// shared(&seedbed::local::once::Once::<std::cell::Cell<u32>>::new());
/// ```
#[derive(Debug)]
pub struct Once<T> {
    state: AtomicUsize,
    sleepers: Parking,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: one thread makes the value, for all to look at; whoever drops it may be yet another.
unsafe impl<T: Send + Sync> Sync for Once<T> {}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Once::new()
    }
}

impl<T> Once<T> {
    /// A value that is not there yet.
    pub fn new() -> Self {
        Once {
            state: AtomicUsize::new(EMPTY),
            sleepers: Parking::default(),
            value: UnsafeCell::new(None),
        }
    }

    /// The value, if it is there.
    pub fn get(&self) -> Option<&T> {
        let order = if broken("once/relaxed-look") { Relaxed } else { Acquire };
        (self.state.load(order) == FULL).then(|| self.full())
    }

    /// The value, which is made now if nobody has made it. Who asks for it while making it waits
    /// for itself.
    pub fn get_or_make(&self, make: impl FnOnce() -> T) -> &T {
        loop {
            if let Some(value) = self.get() {
                return value;
            }
            if self.begins() {
                return self.fill(make);
            }
            self.sleepers.sleep_if(|| self.state.load(Relaxed) == FILLING);
        }
    }

    /// Am I the one who makes it?
    fn begins(&self) -> bool {
        if broken("once/two-steps") {
            let empty = self.state.load(Acquire) == EMPTY;
            if empty {
                self.state.store(FILLING, Relaxed);
            }
            return empty;
        }
        self.state.compare_exchange(EMPTY, FILLING, Acquire, Relaxed).is_ok()
    }

    fn fill(&self, make: impl FnOnce() -> T) -> &T {
        let mut filling = Filling { once: self, ends_as: EMPTY };
        let value = make();
        if broken("once/says-so-first") {
            self.state.swap(FULL, AcqRel);
        }
        // SAFETY: only one thread at a time gets from `EMPTY` to `FILLING`, and nobody else looks
        // before that one says `FULL`.
        self.value.with_mut(|place| unsafe { *place = Some(value) });
        filling.ends_as = FULL;
        drop(filling);
        self.full()
    }

    fn full(&self) -> &T {
        // SAFETY: the state was seen to be `FULL`, and from then on nobody changes the value.
        let value = self.value.with(|place| unsafe { &*place });
        value.as_ref().expect("it is full")
    }
}

/// Somebody makes the value; when this is dropped, by a panic or not, sleepers must know.
struct Filling<'a, T> {
    once: &'a Once<T>,
    ends_as: usize,
}

impl<T> Drop for Filling<'_, T> {
    fn drop(&mut self) {
        self.once.state.swap(self.ends_as, AcqRel);
        if broken("once/wakes-one") {
            self.once.sleepers.wake_one();
        } else {
            self.once.sleepers.wake_all();
        }
    }
}
