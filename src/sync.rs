//! What `local` is written over: the standard library here, loom in `models/local/over_loom.rs`.
//!
//! A primitive says `use crate::sync::..` and nothing else about the machine below it. This crate
//! compiles the files of `src/local` over the module that you read; the test target `models`
//! includes the same files again, over a `crate::sync` that explores every interleaving. So there
//! is one text, which is plain Rust without type parameters or conditional compilation, and loom is
//! a dependency of the tests alone: whoever uses the library never builds it.
//!
//! Two names are for the tests, and cost nothing here: [`broken`] is the switch by which a known
//! mistake is made on purpose, and here it is the constant `false`; [`mark`] says that an
//! interesting case was reached.

pub use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
pub use std::thread;

// Primitives that others are built on. Each is explored by itself; what is built on it is explored
// over loom's own, which neither spins nor takes ten steps where one would do.
pub use crate::local::condvar::Condvar;
pub use crate::local::mutex::{Mutex, MutexGuard};
pub use crate::local::test_and_set::SpinLock;

/// Is this mistake to be made? Never, over the standard library.
#[inline(always)]
pub const fn broken(_variant: &str) -> bool {
    false
}

/// An interesting case was reached.
#[inline(always)]
pub const fn mark(_name: &str) {}

/// A place in memory that several threads may reach, one of them at a time if it writes.
#[derive(Debug, Default)]
pub struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    /// A cell that holds a value.
    pub const fn new(value: T) -> Self {
        UnsafeCell(std::cell::UnsafeCell::new(value))
    }

    /// Gives access for reading.
    #[inline(always)]
    pub fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }

    /// Gives access for writing.
    #[inline(always)]
    pub fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }

    /// The value, which nobody else can reach now.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }

    /// Takes the value out.
    pub fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

/// How often a thread looks before it lets others run: a spinning thread that fills a core keeps
/// the thread that it waits for from running, where there are more threads than cores.
const LOOKS: u32 = 100;

/// Waits by looking again and again.
#[inline]
pub fn spin_until(mut condition: impl FnMut() -> bool) {
    let mut looks = 0;
    while !condition() {
        looks += 1;
        if looks < LOOKS {
            std::hint::spin_loop();
        } else {
            thread::yield_now();
        }
    }
}
