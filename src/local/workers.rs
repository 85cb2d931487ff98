//! A few worker threads that run many tasks, some of them pinned to a worker, some of them
//! blocking.
//!
//! The documents' chapter on calls into C has both: `LockOSThread`, after which a task stays with
//! its thread, and calls that block, for which the runtime starts a thread in the place of the
//! blocked one. A task that is pinned runs on its worker and on no other; any other task runs on
//! whichever worker is free. [`Worker::blocking`] runs a call that may wait for another task:
//! meanwhile a substitute runs tasks that are not pinned.
//!
//! Guarantees that tasks begin in the order in which they were given, that a pinned task never
//! migrates, and that a blocking call holds nobody up. Broken variants: no substitute is started,
//! so when every worker is in a blocking call, nobody is left to end it; a pinned task runs on
//! whichever worker is free; what came last begins first.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Condvar, Mutex, MutexGuard, broken};

/// A pool of workers.
///
/// ```
/// use std::sync::Arc;
///
/// use seedbed::local::{channel::Channel, workers::Workers};
///
/// let workers = Workers::start(1);
/// let answer = Arc::new(Channel::new(1));
/// let theirs = Arc::clone(&answer);
/// // The one worker waits for what the next task sends: a substitute runs that.
/// workers.run(move |worker| assert_eq!(worker.blocking(|| theirs.receive()), Some(42)));
/// workers.run(move |_| answer.send(42).expect("it is open"));
/// assert_eq!(workers.finish(), 1, "blocking calls");
/// ```
#[derive(Debug)]
pub struct Workers {
    shared: Arc<Shared>,
}

/// A task gets the worker that runs it.
type Task = Box<dyn FnOnce(&Worker) + Send>;

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared { .. }")
    }
}

#[derive(Default)]
struct State {
    tasks: VecDeque<Task>,
    /// For each worker the tasks that are pinned to it.
    pinned: Vec<VecDeque<Task>>,
    /// No more tasks will come.
    ended: bool,
    /// Workers that are in a blocking call, and substitutes that run in their place.
    blocked: usize,
    substitutes: usize,
    calls: usize,
    threads: Vec<JoinHandle<()>>,
}

/// Who runs a task.
#[derive(Debug)]
pub struct Worker {
    /// Nothing, for a substitute.
    number: Option<usize>,
    shared: Arc<Shared>,
}

impl Workers {
    /// Starts so many workers. They wait for tasks until [`finish`](Workers::finish) is called; if
    /// it never is, for as long as the program runs.
    ///
    /// # Panics
    /// If there are none: nobody would run the tasks.
    pub fn start(workers: usize) -> Self {
        assert!(workers > 0, "there is a worker to run the tasks");
        let mut state = State::default();
        state.pinned.resize_with(workers, VecDeque::new);
        let state = Mutex::new(state);
        let shared = Arc::new(Shared { state, changed: Condvar::new() });
        (0..workers).for_each(|number| Shared::start(&shared, Some(number)));
        Workers { shared }
    }

    /// Runs a task on any worker.
    pub fn run(&self, task: impl FnOnce(&Worker) + Send + 'static) {
        self.shared.state().tasks.push_back(Box::new(task));
        self.shared.changed.notify_all();
    }

    /// Runs a task on this very worker.
    ///
    /// # Panics
    /// If there is no such worker.
    pub fn run_on(&self, worker: usize, task: impl FnOnce(&Worker) + Send + 'static) {
        let mut state = self.shared.state();
        if worker >= state.pinned.len() {
            // The others go on, so nothing may panic under the lock.
            drop(state);
            panic!("there is no worker {worker}");
        }
        let tasks = match broken("workers/unpins") {
            true => &mut state.tasks,
            false => &mut state.pinned[worker],
        };
        tasks.push_back(Box::new(task));
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Waits until all tasks are done, and returns how many blocking calls they made.
    ///
    /// # Panics
    /// If a task did.
    pub fn finish(self) -> usize {
        self.shared.state().ended = true;
        self.shared.changed.notify_all();
        loop {
            let thread = self.shared.state().threads.pop();
            let Some(thread) = thread else { break };
            thread.join().expect("no task panics");
        }
        self.shared.state().calls
    }
}

impl Worker {
    /// Which worker this is; substitutes have no number.
    pub fn number(&self) -> Option<usize> {
        self.number
    }

    /// Runs a call that may wait for another task.
    pub fn blocking<R>(&self, call: impl FnOnce() -> R) -> R {
        let starts = {
            let mut state = self.shared.state();
            state.calls += 1;
            state.blocked += 1;
            let starts = state.substitutes < state.blocked && !broken("workers/no-substitute");
            state.substitutes += usize::from(starts);
            starts
        };
        if starts {
            Shared::start(&self.shared, None);
        }
        let result = call();
        self.shared.state().blocked -= 1;
        self.shared.changed.notify_all();
        result
    }

    /// Runs tasks until there will be no more.
    fn work(&self) {
        while let Some(task) = self.next() {
            task(self);
        }
    }

    fn next(&self) -> Option<Task> {
        let mut state = self.shared.state();
        loop {
            if self.number.is_none() && state.substitutes > state.blocked {
                state.substitutes -= 1;
                return None;
            }
            let mine = self.number.and_then(|number| state.pinned[number].pop_front());
            let task = mine.or_else(|| match broken("workers/last-first") {
                true => state.tasks.pop_back(),
                false => state.tasks.pop_front(),
            });
            if task.is_some() || (state.ended && self.number.is_some()) {
                return task;
            }
            state = self.shared.changed.wait(state).expect("nothing panics under this lock");
        }
    }
}

impl Shared {
    fn start(shared: &Arc<Shared>, number: Option<usize>) {
        let worker = Worker { number, shared: Arc::clone(shared) };
        let thread = thread::spawn(move || worker.work());
        shared.state().threads.push(thread);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under this lock")
    }
}
