//! Locks: two threads, one of which comes back.

use std::sync::Arc;

use super::explore::{Case, Inside, NO_HANG, NO_RACE, Thread, always, case, spawn, test, together};
use super::trace::{panics, say};
use super::turns;
use crate::primitives::bakery::Bakery;
use crate::primitives::clh::Clh;
use crate::primitives::guarded::{Exclusion, Guarded, Seat, Seatless};
use crate::primitives::mcs::Mcs;
use crate::primitives::mutex::Mutex;
use crate::primitives::parking::Parking;
use crate::primitives::peterson::Peterson;
use crate::primitives::rw_lock::RwLock;
use crate::primitives::semaphore::Semaphore;
use crate::primitives::test_and_set::TestAndSet;
use crate::primitives::ticket::Ticket;
use crate::sync::Ordering::Relaxed;
use crate::sync::{AtomicBool, AtomicUsize, Plain, broken, mark, spin_until};

const EXCLUSION: &str = "mutual exclusion";

/// Threads enter so many times each; no two may be inside at once, and none may overtake one that
/// waits. What they guard is nothing, so that it is the overlap that is found, and not what it does
/// to memory.
fn excludes<L: Exclusion + 'static>(seats: Vec<Seat<L, ()>>, visits: &[usize]) {
    let inside = Arc::new(Inside::at_most(1));
    each(seats, visits, move |seat| {
        turns::comes();
        let _guard = seat.lock();
        turns::enters();
        inside.visit(EXCLUSION, || ());
    });
}

/// Threads count their visits in what the lock guards.
fn counts<L: Exclusion + 'static>(seats: Vec<Seat<L, usize>>, visits: &[usize]) {
    let mut seats = each(seats, visits, |seat| *seat.lock() += 1);
    let count = *seats[0].lock();
    always("every visit is counted", count == visits.iter().sum::<usize>());
}

/// Each thread has a seat, and visits so many times.
fn each<L: Exclusion + 'static, T: 'static>(
    seats: Vec<Seat<L, T>>,
    visits: &[usize],
    visit: impl Fn(&mut Seat<L, T>) + Clone + 'static,
) -> Vec<Seat<L, T>> {
    let mut threads = Vec::new();
    for ((mut seat, visits), name) in seats.into_iter().zip(visits.to_vec()).zip(["a", "b", "c"]) {
        let visit = visit.clone();
        threads.push(spawn(name, move || {
            (0..visits).for_each(|_| visit(&mut seat));
            seat
        }));
    }
    threads.into_iter().map(Thread::join).collect()
}

/// The same two programs for a lock that doesn't tell its threads apart.
fn excludes_all<L: Seatless + 'static>(exclusion: L) {
    let shared = (Guarded::over(exclusion, ()), Inside::at_most(1));
    together(
        &["a", "b"],
        |(lock, inside)| {
            let _guard = lock.lock();
            inside.visit(EXCLUSION, || ());
        },
        shared,
    );
}

/// One thread comes back, and must not overtake the other if that one waits.
fn takes_turns<L: Seatless + 'static>(exclusion: L) {
    let lock = Arc::new(Guarded::over(exclusion, ()));
    let visitor = |name, visits| {
        let lock = Arc::clone(&lock);
        spawn(name, move || {
            for _ in 0..visits {
                turns::comes();
                let _guard = lock.lock();
                turns::enters();
            }
        })
    };
    let visitors = [visitor("a", 2), visitor("b", 1)];
    visitors.into_iter().for_each(Thread::join);
}

fn counts_all<L: Seatless + 'static>(exclusion: L) {
    let shared = Guarded::over(exclusion, 0);
    let lock = together(&["a", "b"], |lock| *lock.lock() += 1, shared);
    always("every visit is counted", *lock.lock() == 2);
}

const ENTER: &str = "two threads enter, each once";
const ENTER_AGAIN: &str = "two threads enter, one of them twice";
const COUNT: &str = "two threads count their visits, each makes one";
const COUNT_AGAIN: &str = "two threads count their visits, one of them makes two";

#[test]
fn spinning_locks() {
    test(
        "spinning.txt",
        &[
            case("test-and-set", ENTER, || excludes_all(TestAndSet::default()))
                .breaks("test-and-set/two-steps", EXCLUSION),
            case("test-and-set", COUNT, || counts_all(TestAndSet::default()))
                .breaks("test-and-set/relaxed", NO_RACE),
            // The first ticket has the highest number that there is, so the second has the lowest.
            case("ticket", ENTER, || excludes_all(Ticket::from(usize::MAX)))
                .breaks("ticket/two-steps", NO_HANG)
                .breaks("ticket/wrap-around", EXCLUSION),
            case("ticket", COUNT, || counts_all(Ticket::default())),
            case("ticket", ENTER_AGAIN, || match broken("ticket/test-and-set") {
                true => takes_turns(TestAndSet::default()),
                false => takes_turns(Ticket::from(usize::MAX)),
            })
            .breaks("ticket/test-and-set", turns::IN_TURN),
        ],
    );
}

#[test]
fn queue_locks() {
    test(
        "queues.txt",
        &[
            case("mcs", ENTER_AGAIN, || excludes(Mcs::guard(2, ()), &[2, 1]))
                .reaches(&["the successor was not linked yet"])
                .breaks("mcs/leaves-early", NO_HANG),
            case("mcs", COUNT_AGAIN, || counts(Mcs::guard(2, 0), &[2, 1])),
            case("clh", ENTER_AGAIN, || excludes(Clh::guard(2, ()), &[2, 1]))
                .breaks("clh/keeps-its-node", NO_HANG),
            case("clh", COUNT_AGAIN, || counts(Clh::guard(2, 0), &[2, 1])),
        ],
    );
}

#[test]
fn locks_of_reads_and_writes() {
    test(
        "reads_and_writes.txt",
        &[
            case("peterson", ENTER_AGAIN, || excludes(Peterson::guard(()), &[2, 1]))
                .breaks("peterson/no-fence", EXCLUSION)
                .breaks("peterson/no-first-fence", EXCLUSION)
                .breaks("peterson/turn-first", EXCLUSION)
                .false_alarm("peterson/seqcst-accesses", EXCLUSION),
            case("peterson", COUNT_AGAIN, || counts(Peterson::guard(0), &[2, 1])).preemptions(5),
            case("bakery", ENTER_AGAIN, || excludes(Bakery::guard(2, ()), &[2, 1]))
                .preemptions(4)
                .reaches(&["two threads drew one number"])
                .breaks("bakery/no-choosing", EXCLUSION)
                .breaks("bakery/no-fence", EXCLUSION)
                .breaks("bakery/no-order-of-seats", EXCLUSION),
            case("bakery", COUNT_AGAIN, || counts(Bakery::guard(2, 0), &[2, 1])).preemptions(4),
        ],
    );
}

#[test]
fn mutexes() {
    let cases = [mutex(), mutex_of_three(), parking(), first_come(), seen_on_waking(), poisoning()];
    test("mutex.txt", &cases);
}

fn enter_mutex(lock: &Mutex<usize>, inside: &Inside) {
    let mut count = lock.lock().expect("nobody panics");
    inside.visit(EXCLUSION, || *count += 1);
}

fn mutex() -> Case {
    case("mutex", "two threads enter, each once", || {
        let shared = together(
            &["a", "b"],
            |(lock, inside)| enter_mutex(lock, inside),
            (Mutex::new(0), Inside::at_most(1)),
        );
        always("every visit is counted", *shared.0.lock().expect("nobody panics") == 2);
    })
    .reaches(&["a thread slept"])
    .breaks("mutex/wakes-nobody", NO_HANG)
}

fn mutex_of_three() -> Case {
    case("mutex", "three threads enter", || {
        together(
            &["a", "b", "c"],
            |(lock, inside)| enter_mutex(lock, inside),
            (Mutex::new(0), Inside::at_most(1)),
        );
    })
    .preemptions(3)
    .reaches(&["a thread slept"])
    .breaks("mutex/forgets-sleepers", NO_HANG)
}

fn parking() -> Case {
    case("parking", "two threads enter a mutex, one of them may sleep", || {
        together(
            &["a", "b"],
            |(lock, inside)| enter_mutex(lock, inside),
            (Mutex::new(0), Inside::at_most(1)),
        );
    })
    .reaches(&["a thread slept"])
    .breaks("parking/looks-first", NO_HANG)
}

/// Two threads go to sleep, and tell in what order while the queue is locked; one is woken.
fn first_come() -> Case {
    case("parking", "two threads sleep, and one is woken, and then the other", || {
        let asleep = AtomicUsize::new(0);
        let awake = AtomicUsize::new(0);
        let shared = Arc::new((Parking::default(), asleep, awake));
        let sleeper = |name| {
            let shared = Arc::clone(&shared);
            spawn(name, move || {
                let (parking, asleep, awake) = &*shared;
                let mut place = 0;
                parking.sleep_if(|| {
                    place = asleep.fetch_add(1, Relaxed);
                    true
                });
                always("first come, first woken", awake.fetch_add(1, Relaxed) == place);
            })
        };
        let sleepers = [sleeper("a"), sleeper("b")];
        let (parking, asleep, awake) = &*shared;
        spin_until(|| asleep.load(Relaxed) == 2);
        for woken in 1..=2 {
            parking.wake_one();
            spin_until(|| awake.load(Relaxed) == woken);
        }
        sleepers.into_iter().for_each(Thread::join);
    })
    .preemptions(2)
    .breaks("parking/last-first", "first come, first woken")
}

fn seen_on_waking() -> Case {
    case("parking", "one thread sleeps until the other has made what it waits for", || {
        let ready = AtomicBool::new(false);
        let shared = Arc::new((Parking::default(), ready, Plain::new(0)));
        let theirs = Arc::clone(&shared);
        let maker = spawn("maker", move || {
            let (parking, ready, made) = &*theirs;
            made.set(7);
            ready.store(true, Relaxed);
            parking.wake_all();
        });
        let (parking, ready, made) = &*shared;
        if parking.sleep_if(|| !ready.load(Relaxed)) {
            always("all of it is seen", made.get() == 7);
        }
        maker.join();
    })
    .reaches(&["a thread slept"])
}

/// One thread panics between two changes that belong together.
fn poisoning() -> Case {
    case("mutex", "one thread panics with half of the change made, the other looks", || {
        let pair = Arc::new(Mutex::new((0, 0)));
        let theirs = Arc::clone(&pair);
        let careless = spawn("careless", move || {
            let mut pair = theirs.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            pair.0 += 1;
            say("panics with half of the change made");
            panics(true);
            drop(pair);
            panics(false);
        });
        match pair.lock() {
            Ok(pair) => always("no torn value is taken for whole", pair.0 == pair.1),
            Err(poisoned) => {
                mark("a poisoned lock was found");
                let pair = poisoned.into_inner();
                always("the lock was poisoned for a reason", pair.0 != pair.1);
            }
        }
        careless.join();
    })
    .reaches(&["a poisoned lock was found"])
    .breaks("mutex/forgets-panics", "no torn value is taken for whole")
}

#[test]
fn reader_writer_locks() {
    test("rw_lock.txt", &[two_readers_and_a_writer(), no_overtaking(), two_writers()]);
}

fn two_writers() -> Case {
    case("rw-lock", "two writers", || {
        let lock = together(&["a", "b"], |lock| *lock.write() += 1, RwLock::new(0));
        always("every visit is counted", *lock.read() == 2);
    })
    .reaches(&["a thread slept", "a writer waited"])
    .breaks("rw-lock/forgets-writers", NO_HANG)
}

/// Readers look at both halves of a pair, which the writer changes one by one.
fn two_readers_and_a_writer() -> Case {
    case("rw-lock", "two readers and a writer", || {
        let shared = Arc::new((RwLock::new((0, 0)), Inside::at_most(2)));
        let reader = |name| {
            let shared = Arc::clone(&shared);
            spawn(name, move || {
                let (lock, readers) = &*shared;
                let pair = lock.read();
                readers.visit("only readers are inside", || {
                    always("no torn read", pair.0 == pair.1);
                });
            })
        };
        let readers = [reader("reader 1"), reader("reader 2")];
        let mut pair = shared.0.write();
        pair.0 += 1;
        pair.1 += 1;
        drop(pair);
        readers.into_iter().for_each(|reader| reader.join());
        if shared.1.seen() == 2 {
            mark("two readers were inside at once");
        }
    })
    .preemptions(3)
    .reaches(&["a thread slept", "a writer waited", "two readers were inside at once"])
    .breaks("rw-lock/uncounted", NO_RACE)
    .breaks("rw-lock/relaxed-exit", NO_RACE)
}

/// A reader comes while the writer waits for another reader.
fn no_overtaking() -> Case {
    case("rw-lock", "a reader comes while a writer waits for another reader", || {
        let lock = Arc::new(RwLock::new(0));
        let first = lock.read();
        let theirs = Arc::clone(&lock);
        let writer = spawn("writer", move || *theirs.write() += 1);
        let theirs = Arc::clone(&lock);
        let second = spawn("reader", move || {
            let came_later = theirs.writer_waits();
            let seen = *theirs.read();
            if came_later {
                mark("a reader came while a writer waited");
            }
            always("no reader overtakes a waiting writer", !came_later || seen == 1);
        });
        drop(first);
        writer.join();
        second.join();
    })
    .preemptions(3)
    .reaches(&["a reader came while a writer waited"])
    .breaks("rw-lock/ignores-writers", "no reader overtakes a waiting writer")
}

/// Who loses a race for one permit still gets the other.
fn enough_for_all() -> Case {
    case("semaphore", "two threads try, and there are two permits", || {
        let tries = |semaphore: &Semaphore| {
            let permit = semaphore.try_acquire();
            always("who tries gets a free permit", permit.is_some());
        };
        let semaphore = together(&["a", "b"], tries, Semaphore::new(2));
        always("every permit is returned", semaphore.free() == 2);
    })
}

#[test]
fn semaphores() {
    let one_permit = case("semaphore", "two threads and one permit", || {
        together(
            &["a", "b"],
            |(semaphore, inside)| {
                let _permit = semaphore.acquire();
                inside.visit("at most as many as permits", || ());
            },
            (Semaphore::new(1), Inside::at_most(1)),
        );
    });
    let counted = case("semaphore", "two threads count under one permit", || {
        let shared = together(
            &["a", "b"],
            |(semaphore, count)| {
                let _permit = semaphore.acquire();
                count.set(count.get() + 1);
            },
            (Semaphore::new(1), Plain::new(0)),
        );
        always("every visit is counted", shared.1.get() == 2);
    });
    let two_permits = case("semaphore", "three threads and two permits", || {
        let shared = together(
            &["a", "b", "c"],
            |(semaphore, inside)| {
                let _permit = semaphore.acquire();
                inside.visit("at most as many as permits", || ());
            },
            (Semaphore::new(2), Inside::at_most(2)),
        );
        always("every permit is returned", shared.0.free() == 2);
        if shared.1.seen() == 2 {
            mark("two were inside at once");
        }
    });
    test(
        "semaphore.txt",
        &[
            one_permit
                .reaches(&["a thread slept"])
                .breaks("semaphore/two-steps", "at most as many as permits")
                .breaks("semaphore/wakes-nobody", NO_HANG),
            counted.breaks("semaphore/relaxed-return", NO_RACE),
            enough_for_all(),
            two_permits.preemptions(2).reaches(&["a thread slept", "two were inside at once"]),
        ],
    );
}
