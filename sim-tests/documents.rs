//! The documents' programs that live on time: the clock, and a hundred thousand tasks.
//!
//! They run on madsim's virtual time, so ten seconds are ten seconds exactly, whatever the machine
//! does, and 20 seeds are 20 schedules. The rest of the documents' programs is in
//! `models/local/programs.rs`, where loom tries every interleaving.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use madsim::runtime::Runtime;
use madsim::task::{spawn, yield_now};
use madsim::time::{Instant, Sleep, sleep, sleep_until, timeout};
use seedbed::local::rw_lock::RwLock;
use seedbed::local::semaphore::Semaphore;
use tokio::sync::{mpsc, oneshot};

const SEEDS: std::ops::Range<u64> = 0..20;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What the document calls `TimeStruct`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Time {
    total_changes: u64,
    current_time: Duration,
}

/// Fires again and again; a tick that nobody took is one tick, however long ago it was.
struct Ticker {
    period: Duration,
    next: Pin<Box<Sleep>>,
}

impl Ticker {
    fn new(period: Duration) -> Self {
        Ticker { period, next: Box::pin(sleep(period)) }
    }

    fn poll(&mut self, context: &mut std::task::Context<'_>) -> bool {
        let ready = self.next.as_mut().poll(context).is_ready();
        if ready {
            self.next = Box::pin(sleep_until(Instant::now() + self.period));
        }
        ready
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Print,
    Write,
    End,
}

/// How the clock is wired.
#[derive(Clone, Copy)]
struct Wiring {
    /// How long a print takes; the document's takes no time.
    print: Duration,
    /// Of several branches that are ready the first is taken, and not the one after the last.
    biased: bool,
    /// Somebody fires the end channel, which nobody does in the document.
    ends_after: Option<Duration>,
}

const AS_MEANT: Wiring = Wiring {
    print: Duration::ZERO,
    biased: false,
    ends_after: Some(Duration::from_millis(20_500)),
};

/// Waits for the next of three branches.
async fn select(tickers: &mut [Ticker; 2], end: &mut oneshot::Receiver<()>, first: usize) -> Event {
    poll_fn(|context| {
        for branch in (first..first + 3).map(|n| n % 3) {
            let (ready, event) = match branch {
                0 => (tickers[0].poll(context), Event::Print),
                1 => (tickers[1].poll(context), Event::Write),
                _ => (Pin::new(&mut *end).poll(context).is_ready(), Event::End),
            };
            if ready {
                return Poll::Ready(event);
            }
        }
        Poll::Pending
    })
    .await
}

/// The document's clock: prints every second, changes the time every ten, until it is told to end.
async fn clock(wiring: Wiring, mut end: oneshot::Receiver<()>) -> Vec<Time> {
    let began = Instant::now();
    let time = RwLock::new(Time::default());
    let mut tickers = [Ticker::new(seconds(1)), Ticker::new(seconds(10))];
    let (mut printed, mut first) = (Vec::new(), 0);
    loop {
        let event = select(&mut tickers, &mut end, first).await;
        match event {
            Event::Print => {
                printed.push(*time.read());
                sleep(wiring.print).await;
            }
            Event::Write => {
                let mut time = time.write();
                time.current_time = began.elapsed();
                time.total_changes += 1;
            }
            Event::End => return printed,
        }
        if !wiring.biased {
            first = event as usize + 1;
        }
    }
}

/// Runs the clock for at most a minute; nothing, if it did not end by then.
fn run_clock(seed: u64, wiring: Wiring) -> Option<Vec<Time>> {
    Runtime::with_seed_and_config(seed, madsim::Config::default()).block_on(async move {
        let (ends, end) = oneshot::channel();
        let clock = spawn(clock(wiring, end));
        let Some(after) = wiring.ends_after else {
            let ended = timeout(seconds(60), clock).await;
            drop(ends);
            return ended.ok().and_then(Result::ok);
        };
        sleep(after).await;
        ends.send(()).expect("the clock listens");
        timeout(seconds(60), clock).await.ok().and_then(Result::ok)
    })
}

#[test]
fn the_clock_prints_every_second_and_changes_every_ten() {
    for seed in SEEDS {
        let printed = run_clock(seed, AS_MEANT).expect("the clock ends");
        assert_eq!(printed.len(), 20, "seed {seed}");
        for (n, time) in printed.iter().enumerate() {
            // The print and the change of one moment come in either order.
            let second = n as u64 + 1;
            let changes = time.total_changes;
            assert!(changes == second / 10 || changes == (second - 1) / 10, "{seed}: {printed:?}");
            let whole = time.current_time.as_secs();
            assert_eq!(whole, 10 * changes, "seed {seed}: a torn print: {time:?}");
        }
    }
}

/// The document's clock as it stands: nobody fires the end channel, and it never ends.
#[test]
fn the_clock_ends_only_if_it_is_told_to() {
    for seed in SEEDS {
        assert_eq!(run_clock(seed, Wiring { ends_after: None, ..AS_MEANT }), None);
    }
}

/// A print that takes as long as its period is always ready again: whoever always looks there first
/// never changes the time.
#[test]
fn a_biased_select_starves_the_update() {
    let slow = Wiring { print: seconds(2), ends_after: Some(seconds(41)), ..AS_MEANT };
    for seed in SEEDS {
        let changes = |wiring| {
            let printed = run_clock(seed, wiring);
            printed.map(|printed| printed.last().map_or(0, |time| time.total_changes))
        };
        assert!(changes(slow) >= Some(3), "seed {seed}");
        // It does not even hear that it should end.
        assert_eq!(changes(Wiring { biased: true, ..slow }), None, "seed {seed}");
    }
}

/// Printer and updater as tasks of their own; the updater is interrupted between its two changes.
fn torn_prints(seed: u64, locks: bool) -> usize {
    Runtime::with_seed_and_config(seed, madsim::Config::default()).block_on(async move {
        let pair = (AtomicUsize::new(0), AtomicUsize::new(0));
        let shared = Arc::new((RwLock::new(()), pair));
        let theirs = Arc::clone(&shared);
        let updater = spawn(async move {
            let (lock, (time, changes)) = &*theirs;
            for change in 1..=20 {
                sleep(seconds(10)).await;
                // A guard of ours blocks a whole thread, so a task that may be interrupted tries.
                let guard = loop {
                    match lock.try_write() {
                        Some(guard) => break guard,
                        None => yield_now().await,
                    }
                };
                time.store(10 * change, Relaxed);
                sleep(Duration::from_millis(700)).await;
                changes.store(change, Relaxed);
                drop(guard);
            }
        });
        let mut torn = 0;
        while !updater.is_finished() {
            sleep(seconds(1)).await;
            let (lock, (time, changes)) = &*shared;
            let guard = match lock.try_read() {
                Some(guard) => Some(guard),
                None if locks => continue,
                None => None,
            };
            torn += usize::from(time.load(Relaxed) != 10 * changes.load(Relaxed));
            drop(guard);
        }
        torn
    })
}

#[test]
fn a_print_without_the_read_lock_is_torn() {
    for seed in SEEDS {
        assert_eq!(torn_prints(seed, true), 0, "seed {seed}");
        assert!(torn_prints(seed, false) > 0, "seed {seed}");
    }
}

/// Our semaphore for tasks, which must not block the thread that they share: who finds no permit
/// waits for the one who returns the next.
struct Gate {
    semaphore: Option<Semaphore>,
    waiting: Mutex<VecDeque<oneshot::Sender<()>>>,
    inside: AtomicUsize,
    most: AtomicUsize,
    done: AtomicUsize,
}

impl Gate {
    /// A gate for so many at once, or for all.
    fn new(permits: Option<usize>) -> Arc<Self> {
        Arc::new(Gate {
            semaphore: permits.map(Semaphore::new),
            waiting: Mutex::default(),
            inside: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
        })
    }

    async fn work(&self) {
        let now = self.inside.fetch_add(1, Relaxed) + 1;
        self.most.fetch_max(now, Relaxed);
        sleep(Duration::from_millis(10)).await;
        self.inside.fetch_sub(1, Relaxed);
        self.done.fetch_add(1, Relaxed);
    }

    /// Works with a permit; or gives it back too early, which is the mistake.
    async fn pass(&self, early: bool) {
        let Some(semaphore) = &self.semaphore else { return self.work().await };
        let permit = loop {
            if let Some(permit) = semaphore.try_acquire() {
                break permit;
            }
            let (tells, told) = oneshot::channel();
            self.waiting.lock().expect("nobody panics").push_back(tells);
            told.await.expect("whoever returns a permit tells the next");
        };
        if early {
            drop(permit);
            self.tell_next();
            return self.work().await;
        }
        self.work().await;
        drop(permit);
        self.tell_next();
    }

    fn tell_next(&self) {
        if let Some(next) = self.waiting.lock().expect("nobody panics").pop_front() {
            next.send(()).expect("it waits");
        }
    }
}

/// So many tasks behind a gate: how many were inside at once, at most.
fn most_inside(tasks: usize, permits: Option<usize>, early: bool) -> usize {
    Runtime::with_seed_and_config(1, madsim::Config::default()).block_on(async move {
        let gate = Gate::new(permits);
        let all: Vec<_> = (0..tasks)
            .map(|_| {
                let gate = Arc::clone(&gate);
                spawn(async move { gate.pass(early).await })
            })
            .collect();
        for task in all {
            task.await.expect("no task panics");
        }
        assert_eq!(gate.done.load(Relaxed), tasks);
        gate.most.load(Relaxed)
    })
}

#[test]
fn a_hundred_thousand_tasks_behind_a_semaphore() {
    assert_eq!(most_inside(100_000, Some(64), false), 64);
    assert!(most_inside(10_000, None, false) > 64, "without a bound nobody waits");
    assert!(
        most_inside(10_000, Some(64), true) > 64,
        "a permit that is returned early bounds nothing"
    );
}

/// What the ten writers of the document share: a file, its lock, and a channel without room over
/// which each says that it is done.
struct Writers {
    file: Mutex<String>,
    lock: RwLock<()>,
    says: mpsc::UnboundedSender<oneshot::Sender<()>>,
}

impl Writers {
    /// Truncates the file and writes one digit twice; another task may run after each step.
    async fn write(&self, i: usize) {
        let file = || self.file.lock().expect("nobody panics");
        file().clear();
        for _ in 0..2 {
            yield_now().await;
            file().push_str(&i.to_string());
        }
    }

    /// Writes under the lock; the document's program takes it for reading.
    async fn write_file(&self, i: usize, for_reading: bool) {
        if for_reading {
            let _guard = self.lock.read();
            self.write(i).await;
        } else {
            let _guard = loop {
                match self.lock.try_write() {
                    Some(guard) => break guard,
                    None => yield_now().await,
                }
            };
            self.write(i).await;
        }
        let (tells, told) = oneshot::channel();
        self.says.send(tells).expect("the main task is there");
        let _ = told.await;
    }
}

/// Ten writers, and a main task that listens so often: what the file holds after a minute, and how
/// many writers still wait for somebody to listen.
fn ten_writers(seed: u64, for_reading: bool, listens: usize) -> (String, usize) {
    Runtime::with_seed_and_config(seed, madsim::Config::default()).block_on(async move {
        let (says, mut hears) = mpsc::unbounded_channel();
        let (file, lock) = (Mutex::default(), RwLock::new(()));
        let writers = Arc::new(Writers { file, lock, says });
        let start = |i| {
            let writers = Arc::clone(&writers);
            spawn(async move { writers.write_file(i, for_reading).await })
        };
        let tasks: Vec<_> = (0..10).map(start).collect();
        for _ in 0..listens {
            let done: oneshot::Sender<()> = hears.recv().await.expect("ten will say so");
            done.send(()).expect("it waits");
        }
        sleep(seconds(60)).await;
        let content = writers.file.lock().expect("nobody panics").clone();
        (content, tasks.iter().filter(|task| !task.is_finished()).count())
    })
}

#[test]
fn ten_writers_of_one_file() {
    let whole = |text: &str| text.len() == 2 && text[..1] == text[1..];
    let torn = SEEDS.filter(|seed| !whole(&ten_writers(*seed, true, 10).0)).count();
    assert!(torn > 0, "a lock that all hold for reading keeps nobody out");
    for seed in SEEDS {
        let (content, waiting) = ten_writers(seed, false, 10);
        assert!(whole(&content) && waiting == 0, "seed {seed}: {content:?}, {waiting} wait");
        // As the document has it: one is heard, and nine wait for ever.
        assert_eq!(ten_writers(seed, false, 1).1, 9, "seed {seed}");
    }
}
