//! A mutex whose waiters sleep, with the interface and the poisoning of the standard library's.
//!
//! The algorithm is the second of Drepper's "Futexes Are Tricky" (2004): a word that says free,
//! held, or held with somebody asleep, so that a holder who leaves knows whether there is anyone to
//! wake. Guarantees mutual exclusion and that a sleeper is woken; who comes may overtake who was
//! woken, so nobody's turn is promised.
//!
//! **Poisoning.** A thread that panics under the lock may leave the value half changed. So the lock
//! remembers it, and every later `lock` returns an error that still holds the guard: one can go on,
//! but not by oversight.
//!
//! Broken variants: leaving without waking; entering after a sleep as if nobody else slept, which
//! forgets the third thread; forgetting the panic.

use std::fmt::{self, Debug};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};

use super::parking::Parking;
use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{AtomicBool, AtomicUsize, UnsafeCell, broken, thread};

const FREE: usize = 0;
const HELD: usize = 1;
/// Held, and somebody may sleep.
const AWAITED: usize = 2;

/// A value behind a lock.
///
/// A thread that locks it twice at a time waits for itself.
///
/// ```
/// use seedbed::local::mutex::Mutex;
///
/// let pair = Mutex::new((0, 0));
/// let careless = std::thread::scope(|scope| {
///     let half_done = || {
///         pair.lock().unwrap().0 = 1;
///         let _guard = pair.lock().unwrap();
///         panic!("before the other half is done");
///     };
///     scope.spawn(half_done).join()
/// });
/// assert!(careless.is_err());
/// // Whoever comes next is told, and gets the value all the same.
/// let mut guard = pair.lock().unwrap_err().into_inner();
/// *guard = (1, 1);
/// pair.clear_poison();
/// drop(guard);
/// assert!(pair.lock().is_ok());
/// ```
///
/// It may be shared by threads if its value may go from one to the other:
///
/// ```compile_fail
/// fn shared<T: Sync>(_: &T) {}
/// shared(&seedbed::local::mutex::Mutex::new(std::rc::Rc::new(0)));
/// ```
pub struct Mutex<T> {
    state: AtomicUsize,
    sleepers: Parking,
    poisoned: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by one thread at a time, which may differ from the one that made it.
unsafe impl<T: Send> Sync for Mutex<T> {}

impl<T: Debug> Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Mutex");
        match self.try_lock() {
            Ok(guard) => shown.field("value", &*guard),
            Err(TryLockError::Poisoned(guard)) => shown.field("value", &**guard.get_ref()),
            Err(TryLockError::WouldBlock) => shown.field("value", &format_args!("<locked>")),
        };
        shown.field("poisoned", &self.is_poisoned()).finish_non_exhaustive()
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Mutex::new(T::default())
    }
}

impl<T> Mutex<T> {
    /// Puts a value behind a lock.
    pub fn new(value: T) -> Self {
        Mutex {
            state: AtomicUsize::new(FREE),
            sleepers: Parking::default(),
            poisoned: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    /// Waits for the lock.
    ///
    /// # Errors
    /// If a thread panicked under the lock; the lock is held all the same, by the error's guard.
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        if !self.try_enter() {
            self.wait();
        }
        self.guard()
    }

    /// Takes the lock if it is free.
    ///
    /// # Errors
    /// If it is not, or if a thread panicked under it.
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        if self.try_enter() { Ok(self.guard()?) } else { Err(TryLockError::WouldBlock) }
    }

    /// Did a thread panic under the lock?
    pub fn is_poisoned(&self) -> bool {
        self.poisoned.load(Relaxed)
    }

    /// The value is in order again.
    pub fn clear_poison(&self) {
        self.poisoned.store(false, Relaxed);
    }

    /// The value, which nobody else can reach now.
    ///
    /// # Errors
    /// If a thread panicked under the lock; the error holds the value.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        let poisoned = self.is_poisoned();
        let value = self.value.get_mut();
        if poisoned { Err(PoisonError::new(value)) } else { Ok(value) }
    }

    /// Takes the value out.
    ///
    /// # Errors
    /// If a thread panicked under the lock; the error holds the value.
    pub fn into_inner(self) -> LockResult<T> {
        let poisoned = self.is_poisoned();
        let value = self.value.into_inner();
        if poisoned { Err(PoisonError::new(value)) } else { Ok(value) }
    }

    fn wait(&self) {
        let mut slept = false;
        loop {
            if slept && broken("mutex/forgets-sleepers") && self.try_enter() {
                return;
            }
            // Whoever slept can't know whether others still do, so it enters as if they did.
            if self.state.swap(AWAITED, Acquire) == FREE {
                return;
            }
            slept |= self.sleepers.sleep_if(|| self.state.load(Relaxed) == AWAITED);
        }
    }

    fn try_enter(&self) -> bool {
        self.state.compare_exchange(FREE, HELD, Acquire, Relaxed).is_ok()
    }

    fn release(&self) {
        if self.state.swap(FREE, Release) == AWAITED && !broken("mutex/wakes-nobody") {
            self.sleepers.wake_one();
        }
    }

    fn guard(&self) -> LockResult<MutexGuard<'_, T>> {
        let guard = MutexGuard { mutex: self, panicking: thread::panicking(), owns: PhantomData };
        if self.is_poisoned() { Err(PoisonError::new(guard)) } else { Ok(guard) }
    }
}

/// The lock is held; dropping this gives it back.
#[must_use = "the lock is given back at once if nobody holds its guard"]
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    /// The thread was panicking before it took the lock: then its panic is none of ours.
    panicking: bool,
    owns: PhantomData<&'a mut T>,
}

impl<'a, T> MutexGuard<'a, T> {
    /// The lock that is held.
    pub(super) fn mutex(&self) -> &'a Mutex<T> {
        self.mutex
    }
}

impl<T: Debug> Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: while the guard lives no other thread has the lock, and of this guard there are
        // only shared borrows.
        self.mutex.value.with(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and this guard is borrowed exclusively.
        self.mutex.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        if !self.panicking && thread::panicking() && !broken("mutex/forgets-panics") {
            // Relaxed suffices: the release of the lock comes after it.
            self.mutex.poisoned.store(true, Relaxed);
        }
        self.mutex.release();
    }
}
