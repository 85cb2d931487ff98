//! The cyclic barrier: so many threads wait for each other, again and again.
//!
//! Hensgen, Finkel and Manber ("Two Algorithms for Barrier Synchronization", 1988) name the trap: a
//! fast thread may come to the next round before a slow one has left this one. So threads wait for
//! the *round* to end and not for a count. Guarantees that nobody leaves a round before all have
//! come to it, and that exactly one thread of each round is told that it came last.
//!
//! Broken variants: waiting for the count to fall to zero, which a fast thread raises again; waking
//! one thread only.

use crate::sync::{Condvar, Mutex, broken};

/// A place where a number of threads meet.
///
/// ```
/// use seedbed::local::barrier::Barrier;
///
/// let barrier = Barrier::new(3);
/// let last = std::thread::scope(|scope| {
///     let threads = [(); 3].map(|()| scope.spawn(|| barrier.wait()));
///     threads.map(|thread| thread.join().unwrap())
/// });
/// assert_eq!(last.iter().filter(|last| **last).count(), 1);
/// ```
#[derive(Debug)]
pub struct Barrier {
    parties: usize,
    state: Mutex<State>,
    round_ends: Condvar,
}

#[derive(Debug)]
struct State {
    here: usize,
    round: usize,
}

impl Barrier {
    /// A barrier for so many threads; one for none is one for one.
    pub fn new(parties: usize) -> Self {
        let state = Mutex::new(State { here: 0, round: 0 });
        Barrier { parties, state, round_ends: Condvar::new() }
    }

    /// Waits until all are here. Tells whether this thread came last.
    pub fn wait(&self) -> bool {
        let mut state = self.state.lock().expect("nothing panics under this lock");
        state.here += 1;
        if state.here >= self.parties {
            state.here = 0;
            state.round += 1;
            if broken("barrier/wakes-one") {
                self.round_ends.notify_one();
            } else {
                self.round_ends.notify_all();
            }
            return true;
        }
        let round = state.round;
        let goes_on = |state: &State| match broken("barrier/no-rounds") {
            true => state.here > 0,
            false => state.round == round,
        };
        while goes_on(&state) {
            state = self.round_ends.wait(state).expect("nothing panics under this lock");
        }
        false
    }
}
