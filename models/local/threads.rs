//! Histories of real threads go to the same judges as those of loom's.
//!
//! Loom's histories are all that a few calls can have; these are some that many calls have had.

use std::sync::Barrier;
use std::thread::{scope, yield_now};

use seedbed::history::Call;
use seedbed::local::channel::{Channel, Found, Refused};
use seedbed::local::mutex::Mutex;
use seedbed::local::rw_lock::RwLock;
use seedbed::local::semaphore::Semaphore;
use seedbed::object::{self, Object, channel, mutex, rw_lock, semaphore};

use super::recording::{Recording, is_linearizable};
use super::stress::rounds;

/// Records what a few real threads do, and judges it. Tells whether calls overlapped, without which
/// there is little to judge; so threads begin together, and let others run before each event.
fn judged<O: Object>(object: &O, threads: u32, run: impl Fn(&Recording<O>, u32) + Sync) -> bool {
    let recording = Recording::new(yield_now);
    let begin = Barrier::new(threads as usize);
    scope(|scope| {
        for process in 0..threads {
            let (recording, run, begin) = (recording.clone(), &run, &begin);
            scope.spawn(move || {
                begin.wait();
                run(&recording, process);
            });
        }
    });
    let history = recording.finish();
    assert!(is_linearizable(object, &history), "{history:?}");
    let overlap = |(one, other): (&Call<_, _>, _)| !one.precedes(other) && !other.precedes(one);
    history.calls().iter().zip(&history.calls()[1..]).any(overlap)
}

fn of_mutex() -> bool {
    let lock = Mutex::new(());
    judged(&object::Mutex, 3, |told, me| {
        for _ in 0..10 {
            let enter = || (lock.lock().expect("nobody panics"), mutex::Ret::Done);
            let guard = told.call(me, mutex::Op::Lock(me), enter);
            told.call(me, mutex::Op::Unlock(me), || (drop(guard), mutex::Ret::Done));
        }
    })
}

fn of_rw_lock() -> bool {
    use rw_lock::{Op, Ret};
    let lock = RwLock::new(());
    judged(&object::RwLock, 3, |told, me| {
        for _ in 0..5 {
            let guard = told.call(me, Op::Read(me), || (lock.read(), Ret::Done));
            told.call(me, Op::Leave(me), || (drop(guard), Ret::Done));
            let guard = told.call(me, Op::Write(me), || (lock.write(), Ret::Done));
            told.call(me, Op::Leave(me), || (drop(guard), Ret::Done));
        }
    })
}

fn of_semaphore() -> bool {
    use semaphore::{Op, Ret};
    let permits = Semaphore::new(2);
    judged(&object::Semaphore { permits: 2 }, 3, |told, me| {
        for _ in 0..10 {
            let permit = told.call(me, Op::Acquire, || (permits.acquire(), Ret::Done));
            told.call(me, Op::Release, || (drop(permit), Ret::Done));
        }
    })
}

fn of_channel() -> bool {
    use channel::{Op, Ret};
    let queue = Channel::new(2);
    judged(&object::Channel::new(2), 4, |told, me| {
        for n in 0..5 {
            if me < 2 {
                let item = 10 * me + n;
                let sent = || (queue.send(item).expect("it is open"), Ret::Done);
                told.call(me, Op::Send(item), sent);
            } else {
                let item = || ((), Ret::Item(queue.receive().expect("it is open")));
                told.call(me, Op::Receive, item);
            }
        }
    })
}

/// Nobody waits: there is no room, or no item, or the end has come.
fn of_impatient_channel() -> bool {
    use channel::{Op, Ret};
    let queue = Channel::new(2);
    judged(&object::Channel::new(2), 4, |told, me| {
        for n in 0..10 {
            match me {
                0 | 1 => told.call(me, Op::Send(n), || match queue.try_send(n) {
                    Ok(()) => ((), Ret::Done),
                    Err(Refused::Full(_)) => ((), Ret::Full),
                    Err(Refused::Closed(_)) => ((), Ret::Closed),
                }),
                2 if n == 9 => told.call(me, Op::Close, || (queue.close(), Ret::Done)),
                _ => told.call(me, Op::Receive, || match queue.try_receive() {
                    Found::Item(item) => ((), Ret::Item(item)),
                    Found::Nothing => ((), Ret::Empty),
                    Found::End => ((), Ret::End),
                }),
            }
        }
    })
}

#[test]
fn histories_of_real_threads_are_linearizable() {
    for of in [of_mutex, of_rw_lock, of_semaphore, of_channel, of_impatient_channel] {
        let overlaps = (0..rounds(20)).filter(|_| of()).count();
        assert!(overlaps > 0, "no two calls overlapped");
    }
}
