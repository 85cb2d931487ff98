//! The wait group (Go's `sync.WaitGroup`): waits until as many tasks are done as were added.
//!
//! It can be used again: when the count reaches zero a *round* ends, and whoever waits in it is let
//! go, even if the next round has begun by the time it wakes. Guarantees that a wait ends when its
//! round does, and not before all tasks are done that were added before it began. Tasks must be
//! added before somebody waits for them: adding from within the task itself is a mistake that no
//! wait group can see, and `models/local/programs.rs` shows it.
//!
//! Broken variants: waiting for the count instead of the round misses a zero that was short; waking
//! one thread of several that wait.

use crate::sync::{Condvar, Mutex, MutexGuard, broken};

/// A count of tasks that are not done.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
///
/// use seedbed::local::wait_group::WaitGroup;
///
/// let (group, sum) = (WaitGroup::new(), AtomicUsize::new(0));
/// group.add(3);
/// std::thread::scope(|scope| {
///     for n in 1..=3 {
///         let (group, sum) = (&group, &sum);
///         scope.spawn(move || {
///             sum.fetch_add(n, Relaxed);
///             group.done();
///         });
///     }
///     group.wait();
///     assert_eq!(sum.load(Relaxed), 6);
/// });
/// ```
#[derive(Debug)]
pub struct WaitGroup {
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Debug)]
struct State {
    count: usize,
    round: usize,
    waiting: usize,
}

impl Default for WaitGroup {
    fn default() -> Self {
        WaitGroup::new()
    }
}

impl WaitGroup {
    /// A group of no tasks.
    pub fn new() -> Self {
        let state = Mutex::new(State { count: 0, round: 0, waiting: 0 });
        WaitGroup { state, done: Condvar::new() }
    }

    /// So many tasks more.
    pub fn add(&self, tasks: usize) {
        self.state().count += tasks;
    }

    /// One task is done.
    ///
    /// # Panics
    /// If there is none left.
    pub fn done(&self) {
        let mut state = self.state();
        let left = state.count.checked_sub(1);
        let Some(left) = left else {
            drop(state);
            panic!("more tasks are done than were added");
        };
        state.count = left;
        if left == 0 {
            state.round += 1;
            if broken("wait-group/wakes-one") {
                self.done.notify_one();
            } else {
                self.done.notify_all();
            }
        }
    }

    /// Waits until all tasks are done that were added so far.
    pub fn wait(&self) {
        let mut state = self.state();
        let round = state.round;
        state.waiting += 1;
        while state.count > 0 && (state.round == round || broken("wait-group/no-rounds")) {
            state = self.done.wait(state).expect("nothing panics under this lock");
        }
        state.waiting -= 1;
    }

    /// How many threads wait; it may be another number by the time that one looks at it.
    pub fn waiting(&self) -> usize {
        self.state().waiting
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under this lock")
    }
}
