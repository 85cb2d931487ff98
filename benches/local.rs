//! The in-process primitives against the standard library's and `parking_lot`'s: one table.
//!
//! A row is nanoseconds for one operation (a lock and an unlock around one addition; an item sent
//! and received; a look at a value that is there), as the time of the run divided by all operations
//! of all threads, for one thread and for several that do nothing else. That is the worst
//! contention that there is; with more threads than cores it is a measure of how well a lock gets
//! along with the scheduler. The median of five runs.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::scope;
use std::time::Instant;

use seedbed::local::bakery::Bakery;
use seedbed::local::channel::Channel;
use seedbed::local::clh::Clh;
use seedbed::local::guarded::{Exclusion, Seat};
use seedbed::local::mcs::Mcs;
use seedbed::local::mutex::Mutex;
use seedbed::local::once::Once;
use seedbed::local::peterson::Peterson;
use seedbed::local::rw_lock::RwLock;
use seedbed::local::semaphore::Semaphore;
use seedbed::local::test_and_set::SpinLock;
use seedbed::local::ticket::TicketLock;

const THREADS: [usize; 4] = [1, 2, 4, 8];
const RUNS: usize = 5;

/// One thread's share of the work.
type Share<'a> = Box<dyn FnMut(usize) + Send + 'a>;

/// Nanoseconds for each operation, if each of these threads does its share of them.
fn run(shares: Vec<Share<'_>>, operations: usize) -> f64 {
    let each = operations / shares.len();
    let go = AtomicBool::new(false);
    let mut elapsed = 0.0;
    scope(|scope| {
        let threads: Vec<_> = shares
            .into_iter()
            .map(|mut share| {
                let go = &go;
                scope.spawn(move || {
                    while !go.load(SeqCst) {
                        std::thread::yield_now();
                    }
                    share(each);
                })
            })
            .collect();
        let began = Instant::now();
        go.store(true, SeqCst);
        for thread in threads {
            thread.join().expect("no thread panics");
        }
        elapsed = began.elapsed().as_nanos() as f64;
    });
    elapsed / operations as f64
}

/// A row: what it is, and how long it takes with so many threads. It measures so many operations as
/// take a while: a lock in whose queue sleeping threads stand is a thousand times slower than one
/// that nobody wants.
fn row(name: &str, threads_max: usize, measure: impl Fn(usize, usize) -> f64) {
    print!("| {name} ");
    for threads in THREADS {
        if threads > threads_max {
            print!("| – ");
            continue;
        }
        let mut operations = 8_000;
        while operations < 2_000_000 && measure(threads, operations) * (operations as f64) < 2e7 {
            operations *= 4;
        }
        let mut runs: Vec<f64> = (0..RUNS).map(|_| measure(threads, operations)).collect();
        runs.sort_by(f64::total_cmp);
        print!("| {:.1} ", runs[RUNS / 2]);
    }
    println!("|");
}

fn repeat<'a>(mut operation: impl FnMut() + Send + 'a) -> Share<'a> {
    Box::new(move |times| (0..times).for_each(|_| operation()))
}

/// A lock that all threads share.
macro_rules! shared {
    ($name:expr, $value:expr, |$lock:ident| $operation:expr) => {
        row($name, 8, |threads, operations| {
            let value = $value;
            let share = |_| {
                let $lock = &value;
                repeat(move || $operation)
            };
            run((0..threads).map(share).collect(), operations)
        });
    };
}

/// A lock with a seat for each thread.
fn seats<L: Exclusion>(name: &str, threads_max: usize, make: impl Fn(usize) -> Vec<Seat<L, u64>>) {
    row(name, threads_max, |threads, operations| {
        let share = |mut seat: Seat<L, u64>| repeat(move || *seat.lock() += 1);
        run(make(threads.max(2)).into_iter().take(threads).map(share).collect(), operations)
    });
}

fn locks() {
    shared!("`test_and_set`", SpinLock::new(0_u64), |lock| *lock.lock() += 1);
    shared!("`ticket`", TicketLock::new(0_u64), |lock| *lock.lock() += 1);
    seats("`mcs`", 8, |threads| Mcs::guard(threads, 0_u64));
    seats("`clh`", 8, |threads| Clh::guard(threads, 0_u64));
    seats("`peterson`", 2, |_| Peterson::guard(0_u64));
    seats("`bakery`", 8, |threads| Bakery::guard(threads, 0_u64));
    shared!("`mutex`", Mutex::new(0_u64), |lock| *lock.lock().expect("no panic") += 1);
    shared!("std `Mutex`", std::sync::Mutex::new(0_u64), |lock| {
        *lock.lock().expect("no panic") += 1;
    });
    shared!("parking_lot `Mutex`", parking_lot::Mutex::new(0_u64), |lock| *lock.lock() += 1);
    shared!("`semaphore`, one permit", Semaphore::new(1), |lock| drop(lock.acquire()));
}

fn readers() {
    shared!("`rw_lock`, reading", RwLock::new(0_u64), |lock| {
        std::hint::black_box(*lock.read());
    });
    shared!("std `RwLock`, reading", std::sync::RwLock::new(0_u64), |lock| {
        std::hint::black_box(*lock.read().expect("no panic"));
    });
    shared!("parking_lot `RwLock`, reading", parking_lot::RwLock::new(0_u64), |lock| {
        std::hint::black_box(*lock.read());
    });
    shared!("`rw_lock`, writing", RwLock::new(0_u64), |lock| *lock.write() += 1);
    shared!("std `RwLock`, writing", std::sync::RwLock::new(0_u64), |lock| {
        *lock.write().expect("no panic") += 1;
    });
    shared!("parking_lot `RwLock`, writing", parking_lot::RwLock::new(0_u64), |lock| {
        *lock.write() += 1;
    });
    let once = || {
        let once = Once::new();
        once.get_or_make(|| 1_u64);
        once
    };
    shared!("`once`, there", once(), |once| {
        std::hint::black_box(once.get_or_make(|| 1));
    });
    shared!("std `OnceLock`, there", std::sync::OnceLock::from(1_u64), |once| {
        std::hint::black_box(once.get_or_init(|| 1));
    });
}

/// Half of the threads send, half receive; one thread does both in turn.
fn channels() {
    row("`channel`, room for 64", 8, |threads, operations| {
        let channel = Channel::new(64);
        let both = || {
            channel.send(1_u64).expect("it is open");
            channel.receive();
        };
        let share = |n: usize| match n % 2 {
            _ if threads == 1 => repeat(both),
            0 => repeat(|| channel.send(1_u64).expect("it is open")),
            _ => repeat(|| assert!(channel.receive().is_some())),
        };
        let each = run((0..threads).map(share).collect(), operations);
        if threads == 1 { each } else { 2.0 * each }
    });
    row("std `sync_channel`, room for 64", 2, |threads, operations| {
        let (sender, receiver) = std::sync::mpsc::sync_channel(64);
        if threads == 1 {
            let both = repeat(move || {
                sender.send(1_u64).expect("it is open");
                receiver.recv().expect("it is open");
            });
            return run(vec![both], operations);
        }
        let sends = repeat(move || sender.send(1_u64).expect("it is open"));
        let receives = repeat(move || assert!(receiver.recv().is_ok()));
        2.0 * run(vec![sends, receives], operations)
    });
}

fn main() {
    println!("| ns for an operation | 1 thread | 2 | 4 | 8 |");
    println!("|---|---|---|---|---|");
    locks();
    readers();
    channels();
}
