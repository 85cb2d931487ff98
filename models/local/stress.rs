//! Real threads: the library's own build of the primitives, over the standard library.
//!
//! Loom tries every interleaving of a few steps; this tries few interleavings of many steps, on the
//! machine that there is, and with its reordering. Nothing is printed and no time is measured, so
//! the result is the same on every run unless something is broken. `SEEDBED_CASES` multiplies the
//! number of rounds. `alone` makes a crate of this file and of `src/local`, for Miri and for the
//! sanitizers.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::{scope, yield_now};

use seedbed::local::bakery::Bakery;
use seedbed::local::barrier::Barrier;
use seedbed::local::buffer::Buffer;
use seedbed::local::channel::{Channel, Closed};
use seedbed::local::clh::Clh;
use seedbed::local::condvar::Condvar;
use seedbed::local::guarded::{Exclusion, Guard, Guarded, Seat, Seatless};
use seedbed::local::mcs::Mcs;
use seedbed::local::mutex::{Mutex, MutexGuard};
use seedbed::local::once::Once;
use seedbed::local::peterson::Peterson;
use seedbed::local::rendezvous::Rendezvous;
use seedbed::local::rw_lock::{Reading, RwLock, Writing};
use seedbed::local::select::Select;
use seedbed::local::semaphore::{Permit, Semaphore};
use seedbed::local::test_and_set::TestAndSet;
use seedbed::local::ticket::Ticket;
use seedbed::local::wait_group::WaitGroup;
use seedbed::local::workers::Workers;

const THREADS: usize = 4;

/// So many rounds, or as many times more as is asked for; fewer for Miri, which is slow.
pub fn rounds(rounds: usize) -> usize {
    let more = std::env::var("SEEDBED_CASES").ok().and_then(|cases| cases.parse().ok());
    let rounds = if cfg!(miri) { rounds.div_ceil(1_000) } else { rounds };
    rounds * more.unwrap_or(1)
}

/// What threads may share, and what they may hand on: a guard too, if its value may.
#[test]
fn what_may_be_shared_and_sent() {
    fn both<T: Send + Sync>() {}
    type Word = std::cell::Cell<u8>; // It may be sent, and not be shared.
    both::<Guarded<TestAndSet, Word>>();
    both::<Guarded<Ticket, Word>>();
    both::<Seat<Mcs, Word>>();
    both::<Seat<Clh, Word>>();
    both::<Seat<Peterson, Word>>();
    both::<Seat<Bakery, Word>>();
    both::<Mutex<Word>>();
    both::<Buffer<Word>>();
    both::<Channel<Word>>();
    both::<Rendezvous<Word>>();
    both::<(RwLock<u8>, Once<u8>, Select<'_, u8>)>();
    both::<(Semaphore, Condvar, WaitGroup, Barrier, Workers)>();
    both::<(Guard<'_, Ticket, u8>, MutexGuard<'_, u8>, Reading<'_, u8>, Writing<'_, u8>)>();
    both::<Permit<'_>>();
}

/// A count that only a lock keeps right: read, and written back a moment later.
fn bump(count: &mut usize, round: usize) {
    let seen = *count;
    if round.is_multiple_of(64) {
        yield_now();
    }
    *count = seen + 1;
}

fn all_count<L: Exclusion>(mut seats: Vec<Seat<L, usize>>, rounds: usize) {
    let threads = seats.len();
    scope(|scope| {
        for seat in &mut seats {
            scope.spawn(move || (0..rounds).for_each(|round| bump(&mut seat.lock(), round)));
        }
    });
    assert_eq!(*seats[0].lock(), threads * rounds);
}

fn all_count_in<L: Seatless>(lock: &Guarded<L, usize>, rounds: usize) {
    scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..rounds).for_each(|round| bump(&mut lock.lock(), round)));
        }
    });
    assert_eq!(*lock.lock(), THREADS * rounds);
}

#[test]
fn locks_keep_counts_right() {
    let rounds = rounds(5_000);
    all_count_in(&Guarded::<TestAndSet, _>::new(0), rounds);
    all_count_in(&Guarded::<Ticket, _>::new(0), rounds);
    all_count_in(&Guarded::over(Ticket::from(usize::MAX - 100), 0), rounds);
    all_count(Mcs::guard(THREADS, 0), rounds);
    all_count(Clh::guard(THREADS, 0), rounds);
    all_count(Bakery::guard(THREADS, 0), rounds);
    all_count(Peterson::guard(0), rounds);
    let mutex = Mutex::new(0);
    scope(|scope| {
        for _ in 0..THREADS {
            let enter = |round| bump(&mut mutex.lock().expect("nobody panics"), round);
            scope.spawn(move || (0..rounds).for_each(enter));
        }
    });
    assert_eq!(mutex.into_inner().expect("nobody panicked"), THREADS * rounds);
}

#[test]
fn readers_never_see_half_a_change() {
    let rounds = rounds(5_000);
    let lock = RwLock::new((0, 0));
    scope(|scope| {
        for writer in 0..THREADS {
            let lock = &lock;
            scope.spawn(move || {
                for round in 0..rounds {
                    if (round + writer).is_multiple_of(4) {
                        let mut pair = lock.write();
                        pair.0 += 1;
                        pair.1 += 1;
                    } else {
                        let pair = lock.read();
                        assert_eq!(pair.0, pair.1);
                    }
                }
            });
        }
    });
    assert_eq!(lock.read().0, THREADS * rounds / 4);
    assert!(lock.try_write().is_some() && lock.try_read().is_some() && !lock.writer_waits());
}

#[test]
fn permits_bound_who_is_inside() {
    let (semaphore, inside) = (Semaphore::new(2), AtomicUsize::new(0));
    scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..rounds(5_000) {
                    let _permit = semaphore.acquire();
                    assert!(inside.fetch_add(1, Relaxed) < 2);
                    inside.fetch_sub(1, Relaxed);
                }
            });
        }
    });
    assert_eq!(semaphore.free(), 2);
}

/// The question of poisoning, answered with a real panic.
#[test]
fn a_panic_poisons() {
    let mutex = Mutex::new((0, 0));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut pair = mutex.lock().expect("nobody has panicked yet");
        pair.0 = 1;
        panic!("between two changes that belong together");
    }));
    assert!(panicked.is_err() && mutex.is_poisoned());
    let pair = *mutex.lock().expect_err("the lock is poisoned").into_inner();
    assert_eq!(pair, (1, 0));
    assert!(mutex.try_lock().is_err());
    mutex.clear_poison();
    assert!(mutex.lock().is_ok());

    let once = Once::new();
    assert!(catch_unwind(AssertUnwindSafe(|| once.get_or_make(|| panic!("too early")))).is_err());
    assert_eq!(*once.get_or_make(|| 7), 7);
    assert_eq!(once.get(), Some(&7));
}

#[test]
fn what_is_put_in_comes_out_once() {
    let count = rounds(3_000);
    let (channel, taken) = (Channel::new(3), std::sync::Mutex::new(BTreeSet::new()));
    let finished = WaitGroup::new();
    finished.add(2);
    scope(|scope| {
        for sender in 0..2 {
            let (channel, finished) = (&channel, &finished);
            scope.spawn(move || {
                for item in 0..count {
                    channel.send(2 * item + sender).expect("it is open");
                }
                finished.done();
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(item) = channel.receive() {
                    assert!(taken.lock().expect("nobody panics").insert(item));
                }
            });
        }
        finished.wait();
        channel.close();
    });
    assert_eq!(taken.lock().expect("nobody panics").len(), 2 * count);
    assert_eq!(channel.send(0), Err(Closed(0)));
}

#[test]
#[should_panic(expected = "more tasks are done than were added")]
fn a_wait_group_does_not_count_below_zero() {
    let group = WaitGroup::new();
    group.add(1);
    group.done();
    group.done();
}

#[test]
fn threads_meet() {
    let rounds = rounds(1_000);
    let (table, buffer) = (Rendezvous::new(), Buffer::new(1));
    let (barrier, came) = (Barrier::new(THREADS), AtomicUsize::new(0));
    scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..rounds).for_each(|item| table.send(item).expect("it is open")));
            scope.spawn(|| (0..rounds).for_each(|_| assert!(table.receive().is_some())));
        }
    });
    scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..rounds).for_each(|item| buffer.put(item)));
            scope.spawn(|| (0..rounds).map(|_| buffer.take()).for_each(drop));
        }
    });
    assert_eq!(buffer.count(), 0);
    let last = AtomicUsize::new(0);
    scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for round in 1..=rounds {
                    came.fetch_add(1, Relaxed);
                    last.fetch_add(usize::from(barrier.wait()), Relaxed);
                    assert!(came.load(Relaxed) >= THREADS * round);
                }
            });
        }
    });
    assert_eq!(last.load(Relaxed), rounds);
    table.close();
    assert_eq!(table.receive(), None);
}

#[test]
fn a_select_serves_all() {
    let count = rounds(2_000);
    let channels = [Channel::new(2), Channel::new(2), Channel::new(2)];
    let all = [&channels[0], &channels[1], &channels[2]];
    let mut received = [0; 3];
    scope(|scope| {
        for (number, channel) in channels.iter().enumerate() {
            scope.spawn(move || {
                (0..count).for_each(|_| channel.send(number).expect("it is open"));
                channel.close();
            });
        }
        let mut select = Select::new(&all);
        while received.iter().sum::<usize>() < 3 * count {
            if let (from, Some(item)) = select.receive() {
                assert_eq!(from, item);
                received[item] += 1;
            }
        }
    });
    assert_eq!(received, [count; 3]);
    let shown = format!("{channels:?}");
    assert_eq!(shown.matches("watchers: []").count(), 3, "who watches still? {shown}");
}

#[test]
fn a_waiter_sees_what_was_made() {
    for _ in 0..rounds(200) {
        let (once, made) = (Once::new(), AtomicUsize::new(0));
        scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let made = once.get_or_make(|| vec![made.fetch_add(1, Relaxed); 3]);
                    assert_eq!(made, &[0; 3]);
                });
            }
        });
        let (flag, changed) = (Mutex::new(false), Condvar::new());
        scope(|scope| {
            scope.spawn(|| {
                *flag.lock().expect("nobody panics") = true;
                changed.notify_all();
            });
            let guard = flag.lock().expect("nobody panics");
            let guard = changed.wait_while(guard, |flag| !*flag).expect("nobody panics");
            assert!(*guard);
        });
    }
}

/// Who asks for a worker that isn't there disturbs nobody else.
#[test]
fn a_pinned_task_without_a_worker_is_refused() {
    let workers = Workers::start(1);
    let refused = catch_unwind(AssertUnwindSafe(|| workers.run_on(1, |_| ())));
    assert!(refused.is_err());
    let done = std::sync::Arc::new(AtomicUsize::new(0));
    let theirs = std::sync::Arc::clone(&done);
    workers.run_on(0, move |worker| {
        worker.blocking(|| ());
        theirs.fetch_add(1, Relaxed);
    });
    assert_eq!((workers.finish(), done.load(Relaxed)), (1, 1));
}

/// A hundred thousand tasks on a few workers, behind a semaphore; some block, some are pinned.
#[test]
fn many_tasks_on_few_workers() {
    struct Shared {
        semaphore: Semaphore,
        inside: AtomicUsize,
        done: AtomicUsize,
    }
    let tasks = if cfg!(miri) { 1_000 } else { 100_000 };
    let shared = std::sync::Arc::new(Shared {
        semaphore: Semaphore::new(2),
        inside: AtomicUsize::new(0),
        done: AtomicUsize::new(0),
    });
    let workers = Workers::start(3);
    for task in 0..tasks {
        let shared = std::sync::Arc::clone(&shared);
        let work = move || {
            let _permit = shared.semaphore.acquire();
            assert!(shared.inside.fetch_add(1, Relaxed) < 2);
            shared.inside.fetch_sub(1, Relaxed);
            shared.done.fetch_add(1, Relaxed);
        };
        match task % 1_000 {
            0 => workers.run(move |worker| worker.blocking(work)),
            1 => workers.run_on(1, move |worker| {
                assert_eq!(worker.number(), Some(1));
                work();
            }),
            _ => workers.run(move |_| work()),
        }
    }
    assert_eq!(workers.finish(), tasks / 1_000);
    assert_eq!(shared.done.load(Relaxed), tasks);
}
