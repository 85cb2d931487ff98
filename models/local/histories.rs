//! The same objects under the same judges: histories of every execution of a small program.
//!
//! Each call is recorded and told in the trace, and at the end of each execution the judge of
//! `src/consistency` gets the history. A broken primitive is found by its history alone, and that
//! history is kept in `models/histories/local`, where the judges' own tests read it from the file.

use std::sync::Arc;

use seedbed::history::export::to_json_lines;
use seedbed::history::import::{Datum, Import};
use seedbed::object::{self, channel, mutex, rw_lock, semaphore};

use super::explore::{Case, Thread, always, case, is_new_history, judges, spawn, test};
use super::recording::{Recording, is_linearizable};
use super::trace::say;
use crate::primitives::buffer::Buffer;
use crate::primitives::channel::{Channel, Found, Refused};
use crate::primitives::guarded::{Exclusion, Guarded, Seat, Seatless};
use crate::primitives::mcs::Mcs;
use crate::primitives::mutex::Mutex;
use crate::primitives::rw_lock::RwLock;
use crate::primitives::semaphore::Semaphore;
use crate::primitives::test_and_set::TestAndSet;
use crate::primitives::ticket::Ticket;
use crate::sync::{AtomicUsize, Ordering::Relaxed};

const JUDGED: &str = "linearizable";

/// Records one execution. Each event moves a clock that loom sees, so that loom tries every order
/// of events; it is relaxed, so that it orders nothing else.
struct Told<O: Import> {
    object: O,
    recording: Recording<O>,
}

impl<O: Import> Told<O> {
    fn new(object: O) -> Arc<Self> {
        let clock = AtomicUsize::new(0);
        let tick = move || {
            clock.fetch_add(1, Relaxed);
        };
        Arc::new(Told { object, recording: Recording::new(tick) })
    }

    fn call<R>(&self, process: u32, op: O::Op, call: impl FnOnce() -> (R, O::Ret)) -> R {
        let told = format!("{op:?}");
        self.recording.call(process, op, || {
            say(format!("calls {told}"));
            let (result, ret) = call();
            say(format!("gets {ret:?}"));
            (result, ret)
        })
    }

    fn judge(&self) {
        let history = self.recording.finish();
        if is_new_history(format!("{history:?}")) {
            let mut text = Vec::new();
            to_json_lines::<O>(&history, &mut text).expect("memory can be written to");
            judges(String::from_utf8(text).expect("JSON is UTF-8"));
            always(JUDGED, is_linearizable(&self.object, &history));
        }
    }
}

/// Starts threads with a process number each, and judges what they did.
fn judged<O: Import>(told: &Arc<Told<O>>, parts: Vec<Box<dyn FnOnce(u32)>>) {
    let names = ["a", "b", "c"];
    let start = |(part, process): (Box<dyn FnOnce(u32)>, u32)| {
        spawn(names[process as usize], move || part(process))
    };
    let threads: Vec<_> = parts.into_iter().zip(0..).map(start).collect();
    threads.into_iter().for_each(Thread::join);
    told.judge();
}

fn spinning<L: Seatless + 'static>(exclusion: L) {
    let told = Told::new(object::Mutex);
    let lock = Arc::new(Guarded::over(exclusion, ()));
    let part = || -> Box<dyn FnOnce(u32)> {
        let (told, lock) = (Arc::clone(&told), Arc::clone(&lock));
        Box::new(move |me| {
            let lock = || (lock.lock(), mutex::Ret::Done);
            let guard = told.call(me, mutex::Op::Lock(me), lock);
            told.call(me, mutex::Op::Unlock(me), || (drop(guard), mutex::Ret::Done));
        })
    };
    judged(&told, vec![part(), part()]);
}

fn seats<L: Exclusion + 'static>(seats: Vec<Seat<L, ()>>) {
    let told = Told::new(object::Mutex);
    let part = |mut seat: Seat<L, ()>| -> Box<dyn FnOnce(u32)> {
        let told = Arc::clone(&told);
        Box::new(move |me| {
            let op = mutex::Op::Lock(me);
            let guard = told.call(me, op, || (seat.lock(), mutex::Ret::Done));
            told.call(me, mutex::Op::Unlock(me), || (drop(guard), mutex::Ret::Done));
        })
    };
    judged(&told, seats.into_iter().map(part).collect());
}

/// One thread waits for the lock, the other only tries.
fn sleeping() {
    let told = Told::new(object::Mutex);
    let lock = Arc::new(Mutex::new(()));
    let (mine, theirs) = (Arc::clone(&told), Arc::clone(&told));
    let same = Arc::clone(&lock);
    let waits = move |me| {
        let lock = || (lock.lock().expect("nobody panics"), mutex::Ret::Done);
        let guard = mine.call(me, mutex::Op::Lock(me), lock);
        mine.call(me, mutex::Op::Unlock(me), || (drop(guard), mutex::Ret::Done));
    };
    let tries = move |me| {
        let guard = theirs.call(me, mutex::Op::Lock(me), || match same.try_lock() {
            Ok(guard) => (Some(guard), mutex::Ret::Done),
            Err(_) => (None, mutex::Ret::Refused),
        });
        if guard.is_some() {
            theirs.call(me, mutex::Op::Unlock(me), || (drop(guard), mutex::Ret::Done));
        }
    };
    judged(&told, vec![Box::new(waits), Box::new(tries)]);
}

fn reader_and_writer() {
    use rw_lock::{Op, Ret};
    let told = Told::new(object::RwLock);
    let lock = Arc::new(RwLock::new(()));
    let (mine, theirs) = (Arc::clone(&told), Arc::clone(&told));
    let same = Arc::clone(&lock);
    let reads = move |me| {
        let guard = mine.call(me, Op::Read(me), || (lock.read(), Ret::Done));
        mine.call(me, Op::Leave(me), || (drop(guard), Ret::Done));
    };
    let writes = move |me| {
        let guard = theirs.call(me, Op::Write(me), || (same.write(), Ret::Done));
        theirs.call(me, Op::Leave(me), || (drop(guard), Ret::Done));
    };
    judged(&told, vec![Box::new(reads), Box::new(writes)]);
}

fn permits() {
    use semaphore::{Op, Ret};
    let told = Told::new(object::Semaphore { permits: 1 });
    let shared = Arc::new(Semaphore::new(1));
    let part = || -> Box<dyn FnOnce(u32)> {
        let (told, shared) = (Arc::clone(&told), Arc::clone(&shared));
        Box::new(move |me| {
            let permit = told.call(me, Op::Acquire, || (shared.acquire(), Ret::Done));
            told.call(me, Op::Release, || (drop(permit), Ret::Done));
        })
    };
    judged(&told, vec![part(), part()]);
}

/// An item, as a recorded history has it.
fn number(item: u32) -> Datum {
    Datum::Number(item.into())
}

/// One sends and closes, the other receives twice.
fn channel() {
    use channel::{Op, Ret};
    let told = Told::new(object::Channel::new(1));
    let shared = Arc::new(Channel::new(1));
    let send = |me, told: &Told<_>, shared: &Channel<u32>| {
        told.call(me, Op::Send(number(me)), || match shared.send(me) {
            Ok(()) => ((), Ret::Done),
            Err(_) => ((), Ret::Closed),
        });
    };
    let (mine, ours) = (Arc::clone(&told), Arc::clone(&shared));
    let sends_and_closes = move |me| {
        send(me, &mine, &ours);
        mine.call(me, Op::Close, || (ours.close(), Ret::Done));
    };
    let (mine, ours) = (Arc::clone(&told), Arc::clone(&shared));
    let receives = move |me| {
        for _ in 0..2 {
            mine.call(me, Op::Receive, || match ours.receive() {
                Some(item) => ((), Ret::Item(number(item))),
                None => ((), Ret::End),
            });
        }
    };
    judged(&told, vec![Box::new(sends_and_closes), Box::new(receives)]);
}

/// One sends if there is room; the other takes what there is, and closes in between.
fn impatient() {
    use channel::{Op, Ret};
    let told = Told::new(object::Channel::new(1));
    let shared = Arc::new(Channel::new(1));
    let (mine, ours) = (Arc::clone(&told), Arc::clone(&shared));
    let sends = move |me| {
        for item in 0..2 {
            mine.call(me, Op::Send(number(item)), || match ours.try_send(item) {
                Ok(()) => ((), Ret::Done),
                Err(Refused::Full(_)) => ((), Ret::Full),
                Err(Refused::Closed(_)) => ((), Ret::Closed),
            });
        }
    };
    let (mine, ours) = (Arc::clone(&told), Arc::clone(&shared));
    let takes_and_closes = move |me| {
        for closes in [true, false] {
            mine.call(me, Op::Receive, || match ours.try_receive() {
                Found::Item(item) => ((), Ret::Item(number(item))),
                Found::Nothing => ((), Ret::Empty),
                Found::End => ((), Ret::End),
            });
            if closes {
                mine.call(me, Op::Close, || (ours.close(), Ret::Done));
            }
        }
    };
    judged(&told, vec![Box::new(sends), Box::new(takes_and_closes)]);
}

/// Two producers and a consumer, with room for one item, which is taken at first.
fn buffer() {
    use channel::{Op, Ret};
    let told = Told::new(object::Channel::new(1));
    let shared = Arc::new(Buffer::new(1));
    let put = |me, told: &Told<_>, shared: &Buffer<u32>| {
        told.call(me, Op::Send(number(me)), || (shared.put(me), Ret::Done));
    };
    put(2, &told, &shared);
    let producer = || -> Box<dyn FnOnce(u32)> {
        let (told, shared) = (Arc::clone(&told), Arc::clone(&shared));
        Box::new(move |me| put(me, &told, &shared))
    };
    let (mine, ours) = (Arc::clone(&told), Arc::clone(&shared));
    let consumer = move |me| {
        for _ in 0..2 {
            mine.call(me, Op::Receive, || ((), Ret::Item(number(ours.take()))));
        }
    };
    judged(&told, vec![producer(), producer(), Box::new(consumer)]);
}

#[test]
fn mutexes_are_linearizable() {
    let enter = "histories of a mutex: two threads enter";
    test(
        "histories_mutex.txt",
        &[
            case("test-and-set", enter, || spinning(TestAndSet::default()))
                .breaks("test-and-set/two-steps", JUDGED),
            case("ticket", enter, || spinning(Ticket::from(usize::MAX)))
                .breaks("ticket/wrap-around", JUDGED),
            case("mcs", enter, || seats(Mcs::guard(2, ()))).preemptions(4),
            case("mutex", "histories of a mutex: one thread waits, one tries", sleeping),
        ],
    );
}

#[test]
fn other_objects_are_linearizable() {
    test("histories.txt", &[of_rw_lock(), of_semaphore(), of_tries(), of_channel(), of_buffer()]);
}

fn of_rw_lock() -> Case {
    case("rw-lock", "histories of a reader-writer lock: a reader and a writer", reader_and_writer)
        .breaks("rw-lock/uncounted", JUDGED)
}

fn of_semaphore() -> Case {
    case("semaphore", "histories of a semaphore: two threads and one permit", permits)
        .breaks("semaphore/two-steps", JUDGED)
}

fn of_channel() -> Case {
    let about = "histories of a channel: one sends and closes, one receives twice";
    case("channel", about, channel).breaks("channel/close-drops", JUDGED)
}

/// Before `of_channel`, since of two histories of one name the last is kept.
fn of_tries() -> Case {
    let about = "histories of a channel: one tries to send twice, one tries to receive and closes";
    case("channel", about, impatient).preemptions(4).breaks("channel/close-drops", JUDGED)
}

fn of_buffer() -> Case {
    let about = "histories of a channel: two producers, a consumer, room for one item";
    case("buffer", about, buffer).preemptions(2)
}
