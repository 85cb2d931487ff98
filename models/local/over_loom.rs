//! What `src/local` is written over, here: loom, which runs every interleaving.
//!
//! The twin of `src/sync.rs`, name for name. Each operation is handed on to loom and written down,
//! so that an execution that breaks something can be told as a trace. `SpinLock`, `Mutex` and
//! `Condvar` are loom's own: ours are explored by themselves, and what is built on them is explored
//! over loom's, which cost one step where ours cost ten, and don't spin.
//!
//! Once an execution has failed, its thread unwinds through guards that want to unlock. Loom must
//! not be asked for anything any more then, so every operation is answered as if nobody else were
//! there: all is zero, and every exchange succeeds.

use std::panic::Location;

use crate::local::trace::{self, Object, What};
use crate::local::turns;

pub use loom::sync::atomic::Ordering;

/// Is this mistake to be made?
pub fn broken(variant: &str) -> bool {
    trace::is_broken(variant)
}

/// An interesting case was reached.
pub fn mark(name: &'static str) {
    trace::mark(name);
}

/// Does something in loom, unless the execution has failed; if loom finds fault, it has.
fn ask<R>(otherwise: R, operation: impl FnOnce() -> R) -> R {
    struct Failing;
    impl Drop for Failing {
        fn drop(&mut self) {
            trace::abandon();
        }
    }
    if trace::is_abandoned() {
        return otherwise;
    }
    let failing = Failing;
    let answer = operation();
    std::mem::forget(failing);
    answer
}

macro_rules! atomic {
    ($name:ident, $value:ty, $zero:expr) => {
        #[doc = concat!("Loom's `", stringify!($name), "`, whose operations are written down.")]
        #[derive(Debug)]
        pub struct $name {
            inner: loom::sync::atomic::$name,
            object: Object,
        }

        impl $name {
            #[track_caller]
            pub fn new(value: $value) -> Self {
                let inner = loom::sync::atomic::$name::new(value);
                $name { inner, object: Object::new(Location::caller()) }
            }

            pub fn load(&self, order: Ordering) -> $value {
                let value = ask($zero, || self.inner.load(order));
                self.object.tell(What::Reads(value.into_shown(), order));
                value
            }

            pub fn store(&self, value: $value, order: Ordering) {
                ask((), || self.inner.store(value, order));
                self.object.tell(What::Writes(value.into_shown(), order));
            }

            pub fn swap(&self, value: $value, order: Ordering) -> $value {
                let old = ask($zero, || self.inner.swap(value, order));
                self.object.tell(What::Swaps(old.into_shown(), value.into_shown(), order));
                old
            }

            pub fn compare_exchange(
                &self,
                from: $value,
                to: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                let exchange = || self.inner.compare_exchange(from, to, success, failure);
                let answer = ask(Ok(from), exchange);
                let (shown, wanted) = (from.into_shown(), to.into_shown());
                self.object.tell(match answer {
                    Ok(_) => What::Swaps(shown, wanted, success),
                    Err(found) => What::FindsInstead(shown, found.into_shown(), failure),
                });
                answer
            }
        }
    };
}

macro_rules! counting {
    ($name:ident, $value:ty) => {
        impl $name {
            pub fn fetch_add(&self, by: $value, order: Ordering) -> $value {
                let old = ask(0, || self.inner.fetch_add(by, order));
                let new = old.wrapping_add(by).into_shown();
                self.object.tell(What::Swaps(old.into_shown(), new, order));
                old
            }

            pub fn fetch_sub(&self, by: $value, order: Ordering) -> $value {
                let old = ask(by, || self.inner.fetch_sub(by, order));
                let new = old.wrapping_sub(by).into_shown();
                self.object.tell(What::Swaps(old.into_shown(), new, order));
                old
            }
        }
    };
}

atomic!(AtomicBool, bool, false);
atomic!(AtomicUsize, usize, 0);
atomic!(AtomicU64, u64, 0);
counting!(AtomicUsize, usize);
counting!(AtomicU64, u64);

/// How a value is shown in a trace.
trait IntoShown {
    fn into_shown(self) -> trace::Shown;
}

impl IntoShown for bool {
    fn into_shown(self) -> trace::Shown {
        trace::Shown::Flag(self)
    }
}

impl IntoShown for usize {
    fn into_shown(self) -> trace::Shown {
        trace::Shown::Number(self as u64)
    }
}

impl IntoShown for u64 {
    fn into_shown(self) -> trace::Shown {
        trace::Shown::Number(self)
    }
}

/// Loom's fence.
pub fn fence(order: Ordering) {
    ask((), || loom::sync::atomic::fence(order));
    trace::tell(None, What::Fences(order));
}

/// Waits by looking again and again; in between, others run.
pub fn spin_until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        turns::waits();
        ask((), loom::thread::yield_now);
    }
}

/// A place in memory; loom reports two accesses that nothing orders, one of them a write.
#[derive(Debug)]
pub struct UnsafeCell<T> {
    value: std::cell::UnsafeCell<T>,
    accesses: loom::cell::UnsafeCell<()>,
    object: Object,
}

impl<T> UnsafeCell<T> {
    #[track_caller]
    pub fn new(value: T) -> Self {
        UnsafeCell {
            value: std::cell::UnsafeCell::new(value),
            accesses: loom::cell::UnsafeCell::new(()),
            object: Object::new(Location::caller()),
        }
    }

    pub fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        self.object.tell(What::Looks);
        ask((), || self.accesses.with(|_| ()));
        read(self.value.get())
    }

    pub fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        self.object.tell(What::Changes);
        ask((), || self.accesses.with_mut(|_| ()));
        write(self.value.get())
    }

    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

/// A variable as other languages have them: nothing keeps two threads from it but loom, which
/// reports that nothing orders them. Only the documents' programs use it.
#[derive(Debug)]
pub struct Plain<T>(UnsafeCell<T>);

// SAFETY: all of loom's threads run on one real thread, one at a time.
unsafe impl<T: Send> Sync for Plain<T> {}

impl<T: Copy> Plain<T> {
    #[track_caller]
    pub fn new(value: T) -> Self {
        Plain(UnsafeCell::new(value))
    }

    pub fn get(&self) -> T {
        // SAFETY: as above.
        self.0.with(|value| unsafe { *value })
    }

    pub fn set(&self, new: T) {
        // SAFETY: as above.
        self.0.with_mut(|value| unsafe { *value = new });
    }
}

/// Loom's mutex, which does not poison.
#[derive(Debug, Default)]
pub struct Mutex<T> {
    inner: loom::sync::Mutex<()>,
    value: std::cell::UnsafeCell<T>,
    object: Object,
}

// SAFETY: loom's lock is held by one thread at a time.
unsafe impl<T: Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    #[track_caller]
    pub fn new(value: T) -> Self {
        let inner = loom::sync::Mutex::new(());
        Mutex { inner, value: value.into(), object: Object::new(Location::caller()) }
    }

    pub fn lock(&self) -> std::sync::LockResult<MutexGuard<'_, T>> {
        let inner = ask(None, || self.inner.lock().ok());
        self.object.tell(What::Locks);
        Ok(MutexGuard { mutex: self, inner })
    }
}

/// Loom's mutex in the place of a lock that spins.
#[derive(Debug)]
pub struct SpinLock<T>(Mutex<T>);

impl<T> SpinLock<T> {
    #[track_caller]
    pub fn new(value: T) -> Self {
        SpinLock(Mutex::new(value))
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("loom's mutex does not poison")
    }
}

/// The lock is held.
#[derive(Debug)]
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    /// Nothing, if the execution has failed.
    inner: Option<loom::sync::MutexGuard<'a, ()>>,
}

impl<T> std::ops::Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: loom's lock is held; or the execution has failed, and no other thread ever runs.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T> std::ops::DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        if self.inner.is_some() {
            self.mutex.object.tell(What::Unlocks);
        }
    }
}

/// Loom's condition variable, which never wakes without reason.
#[derive(Debug, Default)]
pub struct Condvar {
    inner: loom::sync::Condvar,
    object: Object,
}

impl Condvar {
    #[track_caller]
    pub fn new() -> Self {
        Condvar { inner: loom::sync::Condvar::new(), object: Object::new(Location::caller()) }
    }

    pub fn wait<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
    ) -> std::sync::LockResult<MutexGuard<'a, T>> {
        self.object.tell(What::Waits);
        mark("a thread slept");
        let held = guard.inner.take();
        guard.inner = ask(None, || held.and_then(|held| self.inner.wait(held).ok()));
        self.object.tell(What::Wakes);
        Ok(guard)
    }

    pub fn notify_one(&self) {
        self.object.tell(What::NotifiesOne);
        ask((), || self.inner.notify_one());
    }

    pub fn notify_all(&self) {
        self.object.tell(What::NotifiesAll);
        ask((), || self.inner.notify_all());
    }
}

/// Loom's threads, in so far as primitives know of threads.
pub mod thread {
    use super::ask;
    use crate::local::trace::{self, What};

    /// A thread to be woken.
    #[derive(Clone, Debug)]
    pub struct Thread(loom::thread::Thread, usize);

    pub fn current() -> Thread {
        Thread(loom::thread::current(), trace::me())
    }

    pub fn park() {
        trace::tell(None, What::Sleeps);
        ask((), loom::thread::park);
    }

    /// A thread whose end can be waited for.
    pub type JoinHandle<T> = loom::thread::JoinHandle<T>;

    pub fn spawn<T: 'static>(run: impl FnOnce() -> T + 'static) -> JoinHandle<T> {
        let number = trace::new_thread("worker");
        loom::thread::spawn(move || {
            trace::i_am(number);
            run()
        })
    }

    impl Thread {
        pub fn unpark(&self) {
            trace::tell(None, What::WakesUp(self.1));
            ask((), || self.0.unpark());
        }
    }

    /// Is this thread panicking? Real unwinding can't be explored (the count of panics belongs to
    /// the one real thread below all of loom's), so a scenario says that its thread panics.
    pub fn panicking() -> bool {
        trace::is_panicking()
    }
}
