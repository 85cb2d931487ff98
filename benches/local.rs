//! The in-process primitives against the standard library's and `parking_lot`'s: one table.
//!
//! A field is nanoseconds for one operation (a lock and an unlock around one addition; an item sent
//! and received; a look at a value that is there; a thread's arrival at a barrier), as the time of
//! the run divided by all operations of all threads, which do nothing else until the time is over.
//! That is the worst contention that there is; with more threads than cores it is a measure of how
//! well a lock gets along with the scheduler. Each field is the median of some runs, and says how
//! many times as long it takes as the standard library's row of the same group.
//!
//! The whole takes a minute. It prints the table that stands in `docs/local.md`.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::sync_channel;
use std::thread::{scope, sleep, yield_now};
use std::time::{Duration, Instant};

use seedbed::local::bakery::Bakery;
use seedbed::local::barrier::Barrier;
use seedbed::local::channel::Channel;
use seedbed::local::clh::Clh;
use seedbed::local::condvar::Condvar;
use seedbed::local::guarded::{Exclusion, Seat};
use seedbed::local::mcs::Mcs;
use seedbed::local::mutex::Mutex;
use seedbed::local::once::Once;
use seedbed::local::peterson::Peterson;
use seedbed::local::rendezvous::Rendezvous;
use seedbed::local::rw_lock::RwLock;
use seedbed::local::semaphore::Semaphore;
use seedbed::local::test_and_set::SpinLock;
use seedbed::local::ticket::TicketLock;

const THREADS: [usize; 4] = [1, 2, 4, 8];
const RUNS: usize = 5;
const TIME: Duration = Duration::from_millis(100);
/// How many operations a thread makes before it looks whether the time is over.
const AT_ONCE: usize = 8;

/// One thread's part of the work: goes on until the time is over, and tells how many operations it
/// made.
type Share<'a> = Box<dyn FnOnce(&AtomicBool) -> usize + Send + 'a>;

/// Makes an operation again and again.
fn repeat<'a>(mut operation: impl FnMut() + Send + 'a) -> Share<'a> {
    Box::new(move |over| {
        let mut operations = 0;
        while !over.load(Relaxed) {
            (0..AT_ONCE).for_each(|_| operation());
            operations += AT_ONCE;
        }
        operations
    })
}

/// Nanoseconds for each operation, if each of these threads does its share.
fn run(shares: Vec<Share<'_>>) -> f64 {
    let (go, over) = (AtomicBool::new(false), AtomicBool::new(false));
    scope(|scope| {
        let threads: Vec<_> = shares
            .into_iter()
            .map(|share| {
                let (go, over) = (&go, &over);
                scope.spawn(move || {
                    while !go.load(Relaxed) {
                        yield_now();
                    }
                    share(over)
                })
            })
            .collect();
        let began = Instant::now();
        go.store(true, Relaxed);
        sleep(TIME);
        over.store(true, Relaxed);
        let made = threads.into_iter().map(|thread| thread.join().expect("no thread panics"));
        let operations: usize = made.sum();
        began.elapsed().as_nanos() as f64 / operations as f64
    })
}

/// Rows that are compared with each other; one of them is the standard library's.
#[derive(Default)]
struct Group(Vec<(&'static str, [Option<f64>; THREADS.len()])>);

impl Group {
    /// Measures a row, with so many threads at least and at most.
    fn row<'a>(
        &mut self,
        name: &'static str,
        threads: std::ops::RangeInclusive<usize>,
        measure: impl Fn(usize) -> f64 + 'a,
    ) {
        let fields = THREADS.map(|count| {
            threads.contains(&count).then(|| {
                let mut runs: Vec<f64> = (0..RUNS).map(|_| measure(count)).collect();
                runs.sort_by(f64::total_cmp);
                runs[RUNS / 2]
            })
        });
        self.0.push((name, fields));
    }

    /// A lock with a seat for each thread.
    fn seats<L: Exclusion>(
        &mut self,
        name: &'static str,
        most: usize,
        make: impl Fn(usize) -> Vec<Seat<L, u64>>,
    ) {
        self.row(name, 1..=most, |threads| {
            let share = |mut seat: Seat<L, u64>| repeat(move || *seat.lock() += 1);
            run(make(threads.max(2)).into_iter().take(threads).map(share).collect())
        });
    }

    /// Prints the rows.
    fn print(self) {
        let of_std = self.0.iter().find(|(name, _)| name.starts_with("std "));
        let of_std = of_std.map(|(_, fields)| *fields).expect("a group has a row of `std`");
        for (name, fields) in self.0 {
            print!("| {name} ");
            for (field, of_std) in fields.into_iter().zip(of_std) {
                match (field, of_std.filter(|_| !name.starts_with("std "))) {
                    (None, _) => print!("| – "),
                    (Some(ns), None) => print!("| {} ", rounded(ns)),
                    (Some(ns), Some(of_std)) => {
                        print!("| {} ({}) ", rounded(ns), rounded(ns / of_std))
                    }
                }
            }
            println!("|");
        }
    }
}

/// Two digits, or those before the point; a second run would not show more of them again.
fn rounded(number: f64) -> String {
    if number < 10.0 { format!("{number:.1}") } else { format!("{number:.0}") }
}

/// A row of something that all threads share.
macro_rules! shared {
    ($group:expr, $name:expr, $value:expr, |$lock:ident| $operation:expr) => {
        $group.row($name, 1..=8, |threads| {
            let value = $value;
            let share = |_| {
                let $lock = &value;
                repeat(move || $operation)
            };
            run((0..threads).map(share).collect())
        });
    };
}

fn locks() -> Group {
    let mut group = Group::default();
    shared!(group, "std `Mutex`", std::sync::Mutex::new(0_u64), |lock| {
        *lock.lock().expect("no panic") += 1;
    });
    shared!(group, "parking_lot `Mutex`", parking_lot::Mutex::new(0_u64), |lock| *lock.lock() += 1);
    shared!(group, "`mutex`", Mutex::new(0_u64), |lock| *lock.lock().expect("no panic") += 1);
    shared!(group, "`semaphore`, one permit", Semaphore::new(1), |lock| drop(lock.acquire()));
    shared!(group, "`test_and_set`", SpinLock::new(0_u64), |lock| *lock.lock() += 1);
    shared!(group, "`ticket`", TicketLock::new(0_u64), |lock| *lock.lock() += 1);
    group.seats("`mcs`", 8, |threads| Mcs::guard(threads, 0_u64));
    group.seats("`clh`", 8, |threads| Clh::guard(threads, 0_u64));
    group.seats("`peterson`", 2, |_| Peterson::guard(0_u64));
    group.seats("`bakery`", 8, |threads| Bakery::guard(threads, 0_u64));
    group
}

fn reading() -> Group {
    let mut group = Group::default();
    shared!(group, "std `RwLock`, reading", std::sync::RwLock::new(0_u64), |lock| {
        std::hint::black_box(*lock.read().expect("no panic"));
    });
    shared!(group, "parking_lot `RwLock`, reading", parking_lot::RwLock::new(0_u64), |lock| {
        std::hint::black_box(*lock.read());
    });
    shared!(group, "`rw_lock`, reading", RwLock::new(0_u64), |lock| {
        std::hint::black_box(*lock.read());
    });
    group
}

fn writing() -> Group {
    let mut group = Group::default();
    shared!(group, "std `RwLock`, writing", std::sync::RwLock::new(0_u64), |lock| {
        *lock.write().expect("no panic") += 1;
    });
    shared!(group, "parking_lot `RwLock`, writing", parking_lot::RwLock::new(0_u64), |lock| {
        *lock.write() += 1;
    });
    shared!(group, "`rw_lock`, writing", RwLock::new(0_u64), |lock| *lock.write() += 1);
    group
}

fn made_once() -> Group {
    let mut group = Group::default();
    shared!(group, "std `OnceLock`, there", std::sync::OnceLock::from(1_u64), |once| {
        std::hint::black_box(once.get_or_init(|| 1));
    });
    let once = || {
        let once = Once::new();
        once.get_or_make(|| 1_u64);
        once
    };
    shared!(group, "`once`, there", once(), |once| {
        std::hint::black_box(once.get_or_make(|| 1));
    });
    group
}

/// Threads meet until the first of them says that the time is over, between two meetings.
fn meetings() -> Group {
    fn meet(threads: usize, wait: impl Fn() + Sync) -> f64 {
        let (last, wait) = (AtomicBool::new(false), &wait);
        let share = |n: usize| -> Share<'_> {
            let last = &last;
            Box::new(move |over| {
                let mut operations = 0;
                while !last.load(Relaxed) {
                    wait();
                    if n == 0 {
                        last.store(over.load(Relaxed), Relaxed);
                    }
                    wait();
                    operations += 2;
                }
                operations
            })
        };
        run((0..threads).map(share).collect())
    }
    let mut group = Group::default();
    group.row("std `Barrier`", 2..=8, |threads| {
        let barrier = std::sync::Barrier::new(threads);
        meet(threads, || _ = barrier.wait())
    });
    group.row("`barrier`", 2..=8, |threads| {
        let barrier = Barrier::new(threads);
        meet(threads, || _ = barrier.wait())
    });
    group
}

/// Whose the baton is when the time is over.
const NOBODYS: usize = usize::MAX;

/// Two threads hand a baton to and fro, and sleep while the other one has it.
macro_rules! relay {
    ($group:expr, $name:expr, $lock:expr, $condvar:expr,
     |$baton:ident, $changed:ident, $whose:ident| $enter:expr, $wait:expr) => {
        $group.row($name, 2..=2, |threads| {
            let (baton, changed) = ($lock, $condvar);
            let share = |me: usize| -> Share<'_> {
                let ($baton, $changed) = (&baton, &changed);
                Box::new(move |over| {
                    let mut operations = 0;
                    loop {
                        let mut $whose = $enter;
                        while *$whose != me && *$whose != NOBODYS {
                            $wait;
                        }
                        if *$whose == NOBODYS {
                            return operations;
                        }
                        *$whose = if over.load(Relaxed) { NOBODYS } else { 1 - me };
                        $changed.notify_one();
                        operations += 1;
                    }
                })
            };
            run((0..threads).map(share).collect())
        });
    };
}

fn relays() -> Group {
    let mut group = Group::default();
    relay!(
        group,
        "std `Condvar`, a hand-over",
        std::sync::Mutex::new(0),
        std::sync::Condvar::new(),
        |baton, changed, whose| baton.lock().expect("no panic"),
        whose = changed.wait(whose).expect("no panic")
    );
    relay!(
        group,
        "parking_lot `Condvar`, a hand-over",
        parking_lot::Mutex::new(0),
        parking_lot::Condvar::new(),
        |baton, changed, whose| baton.lock(),
        changed.wait(&mut whose)
    );
    relay!(
        group,
        "`condvar`, a hand-over",
        Mutex::new(0),
        Condvar::new(),
        |baton, changed, whose| baton.lock().expect("no panic"),
        whose = changed.wait(whose).expect("no panic")
    );
    group
}

/// A thread that sends until the time is over, and then does what is needed to end the others.
fn sends<'a>(send: impl Fn() -> bool + Send + 'a, end: impl FnOnce() + Send + 'a) -> Share<'a> {
    Box::new(move |over| {
        while !over.load(Relaxed) && send() {}
        end();
        0
    })
}

/// A thread that receives to the end. What is received is what is counted.
fn receives<'a>(receive: impl Fn() -> bool + Send + 'a) -> Share<'a> {
    Box::new(move |_| std::iter::repeat_with(receive).take_while(|more| *more).count())
}

fn channels() -> Group {
    const ROOM: usize = 64;
    let mut group = Group::default();
    group.row("std `sync_channel`, room for 64", 1..=2, |threads| {
        let (sender, receiver) = sync_channel(ROOM);
        if threads == 1 {
            return run(vec![repeat(move || {
                sender.send(1_u64).expect("it is open");
                receiver.recv().expect("it is open");
            })]);
        }
        let sends = sends(move || sender.send(1_u64).is_ok(), || ());
        run(vec![sends, receives(move || receiver.recv().is_ok())])
    });
    group.row("`channel`, room for 64", 1..=8, |threads| {
        let channel = Channel::new(ROOM);
        if threads == 1 {
            return run(vec![repeat(|| {
                channel.send(1_u64).expect("it is open");
                channel.receive();
            })]);
        }
        let share = |n: usize| match n % 2 {
            0 => sends(|| channel.send(1_u64).is_ok(), || channel.close()),
            _ => receives(|| channel.receive().is_some()),
        };
        run((0..threads).map(share).collect())
    });
    group
}

fn meeting_channels() -> Group {
    let mut group = Group::default();
    group.row("std `sync_channel`, no room", 2..=2, |_| {
        let (sender, receiver) = sync_channel(0);
        let sends = sends(move || sender.send(1_u64).is_ok(), || ());
        run(vec![sends, receives(move || receiver.recv().is_ok())])
    });
    group.row("`rendezvous`", 2..=8, |threads| {
        let table = Rendezvous::new();
        let share = |n: usize| match n % 2 {
            0 => sends(|| table.send(1_u64).is_ok(), || table.close()),
            _ => receives(|| table.receive().is_some()),
        };
        run((0..threads).map(share).collect())
    });
    group
}

fn main() {
    println!("| ns for an operation (times std's) | 1 thread | 2 | 4 | 8 |");
    println!("|---|---|---|---|---|");
    for group in [locks, reading, writing, made_once, meetings, relays, channels, meeting_channels]
    {
        group().print();
    }
}
