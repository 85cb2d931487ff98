//! A reader-writer lock that prefers writers (Courtois, Heymans and Parnas, CACM 1971, second
//! problem): many readers at once, or one writer.
//!
//! One word counts the writers that wait, the readers inside, and tells whether a writer is inside.
//! A reader that comes while a writer waits stays outside, so a stream of readers can't keep a
//! writer out for ever; a stream of writers can keep readers out, which is this lock's choice. So a
//! thread must not read-lock twice at a time: a writer in between would wait for it, and it for the
//! writer. There is no poisoning: readers change nothing, and a writer's panic leaves what it
//! leaves.
//!
//! Guarantees: no reader beside a writer, one writer at a time, and no reader that comes after a
//! writer began to wait enters before it. Broken variants: readers that ignore waiting writers;
//! readers that are not counted while they read; readers that leave with a relaxed write, so that
//! the writer overwrites what they still read; a writer that leaves and wakes readers only.

use std::fmt::{self, Debug};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use super::parking::Parking;
use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{AtomicU64, UnsafeCell, broken, mark};

/// A writer is inside.
const WRITER: u64 = 1;
/// One reader inside, of at most 2^31 - 1.
const READER: u64 = 2;
/// One writer that waits.
const WAITING: u64 = 1 << 32;
/// All the readers that can be counted.
const READERS: u64 = WAITING - READER;

/// A value behind a lock.
///
/// ```
/// use seedbed::local::rw_lock::RwLock;
///
/// let names = RwLock::new(vec!["a"]);
/// {
///     let (one, other) = (names.read(), names.read());
///     assert_eq!(*one, *other);
///     assert!(names.try_write().is_none());
/// }
/// names.write().push("b");
/// assert_eq!(names.into_inner(), ["a", "b"]);
/// ```
///
/// It may be shared by threads if its value may, and may go from one to the other:
///
/// ```compile_fail
/// fn shared<T: Sync>(_: &T) {}
/// shared(&seedbed::local::rw_lock::RwLock::new(std::cell::Cell::new(0)));
/// ```
pub struct RwLock<T> {
    state: AtomicU64,
    readers: Parking,
    writers: Parking,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by one writer, hence `Send`, or by many readers, hence `Sync`.
unsafe impl<T: Send + Sync> Sync for RwLock<T> {}

impl<T: Debug> Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("RwLock");
        match self.try_read() {
            Some(guard) => shown.field("value", &*guard),
            None => shown.field("value", &format_args!("<locked>")),
        };
        shown.finish_non_exhaustive()
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        RwLock::new(T::default())
    }
}

fn occupied(state: u64) -> bool {
    state & (WAITING - 1) != 0
}

/// Must a reader that comes now wait?
fn keeps_readers_out(state: u64) -> bool {
    let writers_wait = state >= WAITING && !broken("rw-lock/ignores-writers");
    state & WRITER != 0 || writers_wait
}

/// How a reader counts.
fn reader() -> u64 {
    if broken("rw-lock/uncounted") { 0 } else { READER }
}

impl<T> RwLock<T> {
    /// Puts a value behind a lock.
    pub fn new(value: T) -> Self {
        RwLock {
            state: AtomicU64::new(0),
            readers: Parking::default(),
            writers: Parking::default(),
            value: UnsafeCell::new(value),
        }
    }

    /// Waits until no writer is inside and none waits.
    ///
    /// # Panics
    /// If two thousand million readers are inside.
    pub fn read(&self) -> Reading<'_, T> {
        loop {
            let state = self.state.load(Relaxed);
            if keeps_readers_out(state) {
                self.readers.sleep_if(|| keeps_readers_out(self.state.load(Relaxed)));
            } else if let Some(guard) = self.enter_as_reader(state) {
                return guard;
            }
        }
    }

    /// Enters for reading if no writer is inside and none waits.
    ///
    /// # Panics
    /// If two thousand million readers are inside.
    pub fn try_read(&self) -> Option<Reading<'_, T>> {
        let mut state = self.state.load(Relaxed);
        while !keeps_readers_out(state) {
            if let Some(guard) = self.enter_as_reader(state) {
                return Some(guard);
            }
            state = self.state.load(Relaxed);
        }
        None
    }

    fn enter_as_reader(&self, state: u64) -> Option<Reading<'_, T>> {
        // One more would count as a writer that waits.
        assert!(state & READERS != READERS, "there are too many readers inside");
        let entered = self.state.compare_exchange(state, state + reader(), Acquire, Relaxed);
        entered.ok().map(|_| Reading { lock: self, shares: PhantomData })
    }

    /// Waits until nobody is inside.
    pub fn write(&self) -> Writing<'_, T> {
        // Who finds nobody need not announce itself.
        if let Some(guard) = self.try_write() {
            return guard;
        }
        self.state.fetch_add(WAITING, Relaxed);
        loop {
            let state = self.state.load(Relaxed);
            if occupied(state) {
                mark("a writer waited");
                self.writers.sleep_if(|| occupied(self.state.load(Relaxed)));
            } else if self.enter_as_writer(state, state - WAITING + WRITER) {
                return Writing { lock: self, owns: PhantomData };
            }
        }
    }

    /// Enters for writing if nobody is inside and no other writer waits.
    pub fn try_write(&self) -> Option<Writing<'_, T>> {
        self.enter_as_writer(0, WRITER).then(|| Writing { lock: self, owns: PhantomData })
    }

    fn enter_as_writer(&self, from: u64, to: u64) -> bool {
        self.state.compare_exchange(from, to, Acquire, Relaxed).is_ok()
    }

    /// The value, which nobody else can reach now.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// Takes the value out.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }

    /// Does a writer wait?
    pub fn writer_waits(&self) -> bool {
        self.state.load(Relaxed) >= WAITING
    }

    fn reader_leaves(&self) {
        let order = if broken("rw-lock/relaxed-exit") { Relaxed } else { Release };
        let state = self.state.fetch_sub(reader(), order) - reader();
        if !occupied(state) && state >= WAITING {
            self.writers.wake_one();
        }
    }

    fn writer_leaves(&self) {
        let state = self.state.fetch_sub(WRITER, Release) - WRITER;
        if state >= WAITING && !broken("rw-lock/forgets-writers") {
            self.writers.wake_one();
        } else {
            self.readers.wake_all();
        }
    }
}

/// A reader is inside until this is dropped.
#[must_use = "the reader leaves at once if nobody holds its guard"]
pub struct Reading<'a, T> {
    lock: &'a RwLock<T>,
    shares: PhantomData<&'a T>,
}

/// A writer is inside until this is dropped.
#[must_use = "the writer leaves at once if nobody holds its guard"]
pub struct Writing<'a, T> {
    lock: &'a RwLock<T>,
    owns: PhantomData<&'a mut T>,
}

impl<T: Debug> Debug for Reading<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Debug> Debug for Writing<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T> Deref for Reading<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: while the guard lives no writer is inside.
        self.lock.value.with(|value| unsafe { &*value })
    }
}

impl<T> Deref for Writing<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: while the guard lives nobody else is inside, and of this guard there are only
        // shared borrows.
        self.lock.value.with(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for Writing<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and this guard is borrowed exclusively.
        self.lock.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T> Drop for Reading<'_, T> {
    fn drop(&mut self) {
        self.lock.reader_leaves();
    }
}

impl<T> Drop for Writing<'_, T> {
    fn drop(&mut self) {
        self.lock.writer_leaves();
    }
}
