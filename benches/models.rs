//! How fast the judges of the weak models are, on one core: histories of 20 sessions on 10 keys,
//! with values used once, from a thousand calls to a hundred thousand; first as a system would make
//! them that satisfies the model, then with one answer changed near the end, core and reason
//! included.

use std::time::Instant;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use seedbed::consistency::memory::Given;
use seedbed::consistency::{Calls, Ruling, model_named};
use seedbed::history::{Call, Happening, History, Mark};
use seedbed::object::kv::{Kv, Op, Ret};

const SESSIONS: usize = 20;
const KEYS: usize = 10;
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
const BUDGET: u64 = 20_000_000;

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
}

fn main() {
    println!("seconds to judge so many calls: satisfied, and violated with core and reason");
    print!("{:22}", "");
    SIZES.iter().for_each(|size| print!("{size:>12}          "));
    println!();
    for (name, system) in [
        ("pram", System::Fifo),
        ("slow", System::Fifo),
        ("causal", System::Log),
        ("causal-convergence", System::Log),
        ("weak-causal", System::Log),
        ("cache", System::Atomic),
        ("read-your-writes", System::Fifo),
        ("monotonic-reads", System::Fifo),
        ("monotonic-writes", System::Fifo),
        ("writes-follow-reads", System::Log),
        ("prefix", System::Atomic),
        ("sequential", System::Atomic),
        ("processor", System::Atomic),
        ("regular", System::Atomic),
        ("safe", System::Atomic),
        ("eventual", System::Atomic),
    ] {
        row(name, system);
    }
}

fn row(name: &str, system: System) {
    let model = model_named(name).expect("a model");
    print!("{name:22}");
    for size in SIZES {
        let good = history(size, system, None);
        let bad = history(size, system, Some(size - size / 10));
        for history in [&good, &bad] {
            let started = Instant::now();
            let ruling = model.judge(&Calls::new(&Kv, history, Given::default()), BUDGET);
            let seconds = started.elapsed().as_secs_f64();
            let letter = match &ruling {
                Ruling::Holds { .. } => "holds",
                Ruling::Violated { .. } => "broken",
                Ruling::Unknown(_) => "unknown",
                Ruling::NotApplicable(_) => "n/a",
            };
            print!("{seconds:>7.3} {letter:3.3}");
        }
    }
    println!();
}

/// A history; one read in it, at a place, may go wrong: it returns the first value of its key.
fn history(size: usize, system: System, wrong: Option<usize>) -> History<Op, Ret> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut draw = |n: usize| rng.next_u32() as usize % n;
    // Each session's writes, and how many of each session's every session has heard of.
    let mut written: Vec<Vec<(usize, usize)>> = vec![Vec::new(); SESSIONS];
    let mut log: Vec<(usize, usize)> = Vec::new();
    let mut heard = vec![vec![0; SESSIONS]; SESSIONS];
    let mut read_of_log = [0; SESSIONS];
    let mut copies = vec![vec![None; KEYS]; SESSIONS];
    let mut calls = Vec::with_capacity(size);
    for at in 0..size {
        let session = draw(SESSIONS);
        match system {
            System::Fifo => {
                let from = draw(SESSIONS);
                let news = &written[from][heard[session][from]..];
                let some = draw(news.len() + 1);
                let own = from == session;
                news[..some]
                    .iter()
                    .filter(|_| !own)
                    .for_each(|(k, v)| copies[session][*k] = Some(*v));
                heard[session][from] += some;
            }
            _ => {
                let news = &log[read_of_log[session]..];
                let lag = if system == System::Log { draw(20) } else { 0 };
                let some = news.len().saturating_sub(lag);
                news[..some].iter().for_each(|(k, v)| copies[session][*k] = Some(*v));
                read_of_log[session] += some;
            }
        }
        let key = draw(KEYS);
        let name = format!("k{key}");
        let (op, ret) = if draw(2) == 0 {
            if system != System::Fifo {
                // Its writer has heard of everything before.
                let news = &log[read_of_log[session]..];
                news.iter().for_each(|(k, v)| copies[session][*k] = Some(*v));
                read_of_log[session] = log.len() + 1;
            }
            written[session].push((key, at));
            log.push((key, at));
            copies[session][key] = Some(at);
            (Op::put(name, at.to_string()), Ret::Done)
        } else {
            let mut value = copies[session][key].map(|value: usize| value.to_string());
            if wrong.is_some_and(|place| at >= place && at < place + SESSIONS) {
                value = log.iter().find(|(k, _)| *k == key).map(|(_, value)| value.to_string());
            }
            (Op::get(name), Ret::Value(value))
        };
        let time = 2 * at as u64;
        calls.push(Call::done(session as u32, op, Some(ret), time, time + 1));
    }
    let quiet = Mark { time: 2 * size as u64, what: Happening::Quiescence, node: None, line: None };
    History::new(calls).expect("a history").beside(Vec::new(), vec![quiet])
}
