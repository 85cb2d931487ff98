//! How fast runs are simulated: one exchange on four simulators, in one process.
//!
//! Three nodes; node 0 sends 1,000 requests to nodes 1 and 2 in turn, and each is answered: 2,000
//! messages a run, delayed by 1 to 10 units (milliseconds). In *lock-step* it waits for an answer
//! before it sends again; in a *burst* it sends all at once, then takes the answers.
//!
//! * seedbed, with fault budgets, the log, digests, and checks after every step.
//! * the same, and every seed with faults once more without them, to see whether they mattered, as
//!   `seedbed simulate` does: both runs take time, but only the messages of the first are counted.
//! * seedbed without a fault budget, everything else as before.
//! * a bare loop over a heap, with none of that: what there is to lose.
//! * madsim and turmoil, each as its own users would write the exchange.
//!
//! Times are medians; `cargo bench --bench simulator [-- WORD]` prints the table. Nothing asserts
//! a time, only that every run got every answer.

mod bare;
mod on_madsim;
mod on_seedbed;
mod on_turmoil;

use std::time::Instant;

/// Requests in a run.
pub const REQUESTS: u64 = 1_000;

/// How often each row is measured.
const REPETITIONS: u64 = 5;

/// Whether node 0 waits for each answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pace {
    /// It waits for each.
    LockStep,
    /// It sends all, then waits for all.
    Burst,
}

/// What one row measures: runs seeds, and returns how many messages arrived.
type Runs<'a> = &'a dyn Fn(std::ops::Range<u64>, Pace) -> u64;

/// What the answers to a run add up to: each is its request, plus one.
pub fn sum_of_answers() -> u64 {
    (1..=REQUESTS).sum()
}

/// The median of several repetitions.
struct Speed {
    messages: f64,
    runs: f64,
}

fn measure(runs: u64, pace: Pace, simulate: Runs<'_>) -> Speed {
    simulate(0..1, pace);
    let mut speeds = Vec::new();
    for repetition in 0..REPETITIONS {
        let begin = Instant::now();
        let messages = simulate(repetition * runs..(repetition + 1) * runs, pace);
        let seconds = begin.elapsed().as_secs_f64();
        speeds.push((messages as f64 / seconds, runs as f64 / seconds));
    }
    speeds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (messages, runs) = speeds[speeds.len() / 2];
    Speed { messages, runs }
}

fn main() {
    let rows: [(&str, u64, Runs<'_>); 6] = [
        ("madsim", 100, &|seeds, pace| seeds.map(|seed| on_madsim::run(seed, pace)).sum()),
        ("turmoil", 15, &|seeds, pace| seeds.map(|seed| on_turmoil::run(seed, pace)).sum()),
        ("seedbed, faults, log and checks", 300, &|seeds, pace| on_seedbed::faulty(seeds, pace)),
        ("seedbed, faults, compared", 300, &|seeds, pace| on_seedbed::compared(seeds, pace)),
        ("seedbed, log and checks", 300, &|seeds, pace| on_seedbed::calm(seeds, pace)),
        ("bare loop", 3_000, &|seeds, pace| seeds.map(|seed| bare::run(seed, pace)).sum()),
    ];
    // cargo itself passes a flag; a word selects the rows that begin with it.
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-')).unwrap_or_default();
    let rows: Vec<_> = rows.into_iter().filter(|(name, ..)| name.starts_with(&wanted)).collect();
    println!("medians of {REPETITIONS}; ratios of messages/s to the first row");
    for pace in [Pace::LockStep, Pace::Burst] {
        println!("{:34}{:>14}{:>12}{:>9}", format!("{pace:?}"), "messages/s", "runs/s", "ratio");
        let mut first = None;
        for (name, runs, simulate) in &rows {
            let Speed { messages, runs } = measure(*runs, pace, *simulate);
            let ratio = messages / *first.get_or_insert(messages);
            println!("  {name:32}{messages:>14.0}{runs:>12.1}{ratio:>9.2}");
        }
    }
}
