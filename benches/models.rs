//! How fast the judges of the weak models are, on one core: histories of 20 sessions on 10 keys,
//! with values used once, from a thousand calls to a hundred thousand; first as a system would make
//! them that satisfies the model, then with answers changed near the end so that it is violated,
//! core and reason included.
//!
//! `cargo bench --bench models -- million` goes on to a million calls; numbers are sizes
//! to take instead. Other words are the names of models, to which it is confined then.

use std::time::Instant;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use seedbed::consistency::memory::Given;
use seedbed::consistency::staleness::{Amount, MEASURES};
use seedbed::consistency::{Calls, Ruling, model_named};
use seedbed::history::{Call, Clock, Happening, History, Mark, Sync, SyncKind};
use seedbed::object::kv::{Kv, Op, Ret};

const SESSIONS: usize = 20;
const KEYS: usize = 10;
const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
const BUDGET: u64 = 20_000_000;

/// For these the project aims at so many seconds, at so many calls.
const AIMED: [&str; 8] = [
    "pram",
    "causal",
    "causal-convergence",
    "weak-causal",
    "read-your-writes",
    "monotonic-reads",
    "monotonic-writes",
    "writes-follow-reads",
];
const AIMED_AT: usize = 100_000;
const AIM: f64 = 2.0;

/// What hears of whose writes when.
#[derive(Clone, Copy, PartialEq)]
enum System {
    /// One memory.
    Atomic,
    /// Each session has a copy, and hears of each other's writes in the order in which they were
    /// made there, late.
    Fifo,
    /// Each session has a copy, and hears of writes in one order for all, late.
    Log,
    /// As `Fifo`, but for each key everybody applies the writes in one order.
    Coherent,
    /// One memory, of which one key synchronises.
    Labelled,
    /// One memory, behind a copy for each session, which an acquire refreshes and a release writes
    /// back.
    Release,
}

/// What some reads return near the end.
#[derive(Clone, Copy, PartialEq)]
enum Lie {
    /// The first write of their key.
    First,
    /// What the key held before all writes.
    Initial,
    /// What nobody wrote.
    Nobody,
    /// What their session is going to write.
    Future,
}

fn main() {
    println!("seconds to judge so many calls: satisfied, and violated with core and reason");
    print!("{:22}", "");
    sizes().iter().for_each(|size| print!("{size:>12}          "));
    println!();
    let (mut worst, mut aimed): (f64, Vec<&str>) = (0.0, Vec::new());
    for (name, system, lie) in [
        ("pram", System::Fifo, Lie::First),
        ("slow", System::Fifo, Lie::First),
        ("causal", System::Log, Lie::First),
        ("causal-convergence", System::Log, Lie::First),
        ("weak-causal", System::Log, Lie::First),
        ("cache", System::Atomic, Lie::First),
        ("read-your-writes", System::Fifo, Lie::Initial),
        ("monotonic-reads", System::Fifo, Lie::Initial),
        ("monotonic-writes", System::Fifo, Lie::Nobody),
        ("writes-follow-reads", System::Log, Lie::Future),
        ("prefix", System::Atomic, Lie::First),
        ("sequential", System::Atomic, Lie::First),
        ("processor", System::Coherent, Lie::First),
        ("weak-ordering", System::Labelled, Lie::First),
        ("release-sc", System::Labelled, Lie::First),
        ("release-pc", System::Labelled, Lie::First),
        ("lazy-release", System::Release, Lie::First),
        ("entry", System::Release, Lie::First),
        ("regular", System::Atomic, Lie::First),
        ("safe", System::Atomic, Lie::First),
        ("eventual", System::Atomic, Lie::First),
    ] {
        let chosen: Vec<String> = std::env::args().skip(1).collect();
        let named: Vec<&String> =
            chosen.iter().filter(|word| model_named(word).is_some()).collect();
        if named.is_empty() || named.iter().any(|word| *word == name) {
            let seconds = row(name, system, lie);
            if AIMED.contains(&name) {
                worst = worst.max(seconds);
                aimed.push(name);
            }
        }
    }
    numbers();
    let met = if worst < AIM { "" } else { ", missed" };
    println!("{AIMED_AT} calls, {}: {worst:.3} s at most, aim {AIM} s{met}", aimed.join(", "));
}

/// The sizes that were asked for.
fn sizes() -> Vec<usize> {
    let told: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    match told.is_empty() {
        true if std::env::args().any(|word| word == "million") => SIZES.to_vec(),
        true => SIZES[..3].to_vec(),
        false => told,
    }
}

/// How long it takes to find the smallest k and delta: of an atomic history, and of one with stale
/// reads everywhere.
fn numbers() {
    for measure in MEASURES {
        print!("{:22}", measure.name);
        for size in sizes() {
            for system in [System::Atomic, System::Log] {
                let history = history(size, system, None).measured(Clock::default());
                let started = Instant::now();
                let amount = measure.of(&Calls::new(&Kv, &history, Given::default()), BUDGET);
                let seconds = started.elapsed().as_secs_f64();
                let told = match amount {
                    Amount::Exactly { number, .. } => number.to_string(),
                    Amount::Never { .. } => "none".to_owned(),
                    Amount::Unknown { at_least, .. } => format!("{at_least}.."),
                    Amount::NotApplicable(_) => "n/a".to_owned(),
                };
                print!("{seconds:>7.3} {told:3.3}");
            }
        }
        println!();
    }
}

/// Judges histories of each size; how long it took at the most where there is an aim.
fn row(name: &str, system: System, lie: Lie) -> f64 {
    let mut worst: f64 = 0.0;
    let model = model_named(name).expect("a model");
    print!("{name:22}");
    let guards = (0..KEYS).map(|key| (format!("k{key}"), "s".to_owned())).collect();
    let given = Given { untimed: false, guards };
    for size in sizes() {
        let good = history(size, system, None);
        let bad = history(size, system, Some((lie, size - size / 10)));
        for history in [&good, &bad] {
            let started = Instant::now();
            let ruling = model.judge(&Calls::new(&Kv, history, given.clone()), BUDGET);
            let seconds = started.elapsed().as_secs_f64();
            let letter = match &ruling {
                Ruling::Holds { .. } => "holds",
                Ruling::Violated { .. } => "broken",
                Ruling::Unknown(_) => "unknown",
                Ruling::NotApplicable(_) => "n/a",
            };
            print!("{seconds:>7.3} {letter:3.3}");
            if size == AIMED_AT {
                worst = worst.max(seconds);
            }
        }
    }
    println!();
    worst
}

/// A history; some reads in it, from a place on, may go wrong. After quiescence each session reads
/// a key once more, and of these reads, too, some may go wrong.
fn history(size: usize, system: System, wrong: Option<(Lie, usize)>) -> History<Op, Ret> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut draw = move |n: usize| rng.next_u32() as usize % n;
    let mut copies = Copies::new(system);
    let mut calls: Vec<Call<Op, Ret>> = Vec::with_capacity(size);
    let mut lies = Vec::new();
    for at in 0..size {
        let session = draw(SESSIONS);
        let labels = matches!(system, System::Release | System::Labelled);
        let syncs = labels && draw(5) == 0;
        let (key, writes) = (if syncs { KEYS } else { draw(KEYS) }, draw(2) == 0);
        copies.hear(session, writes, syncs, &mut draw);
        let name = if syncs { "s".to_owned() } else { format!("k{key}") };
        let (op, ret) = if writes {
            copies.write(session, key, at, syncs);
            (Op::put(name, at.to_string()), Ret::Done)
        } else {
            let mut value = copies.held[session][key];
            if let Some((lie, place)) = wrong
                && (place..place + SESSIONS).contains(&at)
            {
                lies.extend((lie == Lie::Future).then_some((session, key, calls.len())));
                value = copies.lie(lie, key, value);
            }
            (Op::get(name), Ret::Value(value.map(|value| value.to_string())))
        };
        let time = 2 * at as u64;
        let kind = if writes { SyncKind::Release } else { SyncKind::Acquire };
        let sync = syncs.then(|| Box::new(Sync { kind, object: "s".to_owned(), grant: 0 }));
        let call = Call::done(session as u32, op, Some(ret), time, time + 1);
        calls.push(Call { sync, ..call });
    }
    for (session, key, read) in lies {
        let own = copies.written[session].iter().rev().map(|write| copies.log[*write]);
        let last = own.into_iter().find(|(written, _)| *written == key);
        calls[read].ret = last.map(|(_, value)| Ret::Value(Some(value.to_string())));
    }
    let end = 2 * size as u64;
    if system == System::Atomic {
        for session in 0..SESSIONS {
            let key = session % KEYS;
            let mut value = copies.memory_of(key);
            if session == 0
                && let Some((lie, _)) = wrong
            {
                value = copies.lie(lie, key, value);
            }
            let ret = Ret::Value(value.map(|value| value.to_string()));
            let time = end + 1 + 2 * session as u64;
            let op = Op::get(format!("k{key}"));
            calls.push(Call::done(session as u32, op, Some(ret), time, time + 1));
        }
    }
    let quiet = Mark { time: end, what: Happening::Quiescence, node: None, line: None };
    History::new(calls).expect("a history").beside(Vec::new(), vec![quiet])
}

/// What sessions hold, and have heard of.
struct Copies {
    system: System,
    /// All writes, each a key and a value; and of each its session, and its place there.
    log: Vec<(usize, usize)>,
    by: Vec<(usize, usize)>,
    /// Each session's writes, and each key's: places in the log.
    written: Vec<Vec<usize>>,
    of_key: Vec<Vec<usize>>,
    held: Vec<Vec<Option<usize>>>,
    /// How many writes of each session, or of the log, every session has heard of.
    heard: Vec<Vec<usize>>,
    /// How many writes of each key every session has applied.
    applied: Vec<Vec<usize>>,
    memory: Vec<Option<usize>>,
    pending: Vec<Vec<(usize, usize)>>,
}

impl Copies {
    fn new(system: System) -> Copies {
        Copies {
            system,
            log: Vec::new(),
            by: Vec::new(),
            written: vec![Vec::new(); SESSIONS],
            of_key: vec![Vec::new(); KEYS + 1],
            held: vec![vec![None; KEYS + 1]; SESSIONS],
            heard: vec![vec![0; SESSIONS]; SESSIONS],
            applied: vec![vec![0; KEYS + 1]; SESSIONS],
            memory: vec![None; KEYS + 1],
            pending: vec![Vec::new(); SESSIONS],
        }
    }

    /// A session hears of what others wrote, before it reads or writes.
    fn hear(
        &mut self,
        session: usize,
        writes: bool,
        syncs: bool,
        draw: &mut impl FnMut(usize) -> usize,
    ) {
        match self.system {
            System::Fifo | System::Coherent => {
                let from = draw(SESSIONS);
                let heard = self.heard[session][from];
                let news = draw(self.written[from].len() - heard.min(self.written[from].len()) + 1);
                for at in heard..heard + news {
                    self.apply(session, self.written[from][at]);
                }
            }
            System::Atomic | System::Labelled | System::Log => {
                let lag = if self.system == System::Log && !writes { draw(20) } else { 0 };
                let upto = self.log.len().saturating_sub(lag).max(self.heard[session][0]);
                for (key, value) in &self.log[self.heard[session][0]..upto] {
                    self.held[session][*key] = Some(*value);
                }
                self.heard[session][0] = upto;
            }
            System::Release if syncs && !writes => {
                self.held[session].clone_from(&self.memory);
                for (key, value) in &self.pending[session] {
                    self.held[session][*key] = Some(*value);
                }
            }
            System::Release => {}
        }
    }

    /// A session applies a write of the log, and first what has to come before it.
    fn apply(&mut self, session: usize, write: usize) {
        let mut open = vec![write];
        while let Some(&write) = open.last() {
            let ((key, value), (from, place)) = (self.log[write], self.by[write]);
            let fifo = self.system == System::Fifo;
            let of_key = self.applied[session][key];
            if self.heard[session][from] > place {
                open.pop();
            } else if self.heard[session][from] < place {
                open.push(self.written[from][self.heard[session][from]]);
            } else if !fifo && self.of_key[key][of_key] != write {
                open.push(self.of_key[key][of_key]);
            } else {
                self.heard[session][from] += 1;
                self.applied[session][key] += 1;
                if !fifo || from != session {
                    self.held[session][key] = Some(value);
                }
                open.pop();
            }
        }
    }

    /// The last write of a key.
    fn memory_of(&self, key: usize) -> Option<usize> {
        self.log.iter().rfind(|(k, _)| *k == key).map(|(_, value)| *value)
    }

    /// What a read returns instead; what will be written is not known yet.
    fn lie(&self, lie: Lie, key: usize, value: Option<usize>) -> Option<usize> {
        match lie {
            Lie::First => self.log.iter().find(|(k, _)| *k == key).map(|(_, value)| *value),
            Lie::Initial => None,
            Lie::Nobody => Some(usize::MAX),
            Lie::Future => value,
        }
    }

    fn write(&mut self, session: usize, key: usize, value: usize, syncs: bool) {
        let write = self.log.len();
        self.log.push((key, value));
        self.by.push((session, self.written[session].len()));
        self.written[session].push(write);
        self.of_key[key].push(write);
        match self.system {
            // For each key the writes are applied in the order of the log, own ones too.
            System::Coherent => self.apply(session, write),
            System::Atomic | System::Labelled | System::Log => self.heard[session][0] = write + 1,
            System::Release => self.pending[session].push((key, value)),
            System::Fifo => {}
        }
        self.held[session][key] = Some(value);
        if syncs {
            for (key, value) in std::mem::take(&mut self.pending[session]) {
                self.memory[key] = Some(value);
            }
        }
    }
}
