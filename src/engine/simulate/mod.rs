//! The simulator: many seeds of a large world, by the bare event loop over a
//! [`System`](crate::world::System).
//!
//! A seed fixes everything. A run has two phases: in the first, calls are made under faults, within
//! the scenario's budgets; then everything is healed, and open calls must finish.

mod agenda;
mod faults;
#[cfg(madsim)]
mod hosted;
mod queue;
mod run;
mod weather;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

#[cfg(madsim)]
pub use hosted::hosted;
pub use run::{CALLS_RETURN, Run, run, run_restless};

use crate::protocol::Protocol;
use crate::world::{Action, Digest, Setup};

use super::progress::{self, Progress};
use super::verify::Violation;

/// How to simulate.
#[derive(Clone, Debug)]
pub struct SimulateOptions {
    /// Which seeds.
    pub seeds: Range<u64>,
    /// On how many threads; the results don't depend on it.
    pub jobs: usize,
    /// Ends at the first seed that fails.
    pub until_failure: bool,
    /// Lifts the logs of so many of the first seeds into the checker's world.
    pub lift: u64,
    /// Runs every seed twice and compares.
    pub check_determinism: bool,
    /// Shows progress on standard error.
    pub progress: bool,
}

/// A seed that failed.
#[derive(Debug)]
pub struct Failure<P: Protocol> {
    /// The seed.
    pub seed: u64,
    /// What it broke.
    pub violation: Violation,
    /// What happened.
    pub trace: Vec<Action<P>>,
    /// The world that it happened in.
    pub world: Arc<Setup<P>>,
}

/// What many seeds showed.
#[derive(Debug)]
pub struct Simulated<P: Protocol> {
    /// The seeds that were run.
    pub seeds: Range<u64>,
    /// Events, ticks left out.
    pub events: u64,
    /// Messages that arrived.
    pub messages: u64,
    /// The seeds that failed, in order.
    pub failures: Vec<Failure<P>>,
    /// The seeds that broke nothing, and in which not everything was judged: seed and reason.
    pub undecided: Vec<(u64, String)>,
    /// How many logs lifted.
    pub lifted: u64,
    /// The logs that did not lift: seed and reason.
    pub unliftable: Vec<(u64, String)>,
    /// A digest over the digests of all runs, in the order of their seeds.
    pub digest: u64,
    /// Seconds.
    pub seconds: f64,
    /// Runs in which a fault happened.
    pub faulty: u64,
    /// Runs in which some call ended otherwise than it would have without the faults.
    pub changed_by_faults: u64,
    /// How often each kind of fault happened.
    pub faults: BTreeMap<&'static str, u64>,
    /// The marks that were reached.
    pub marks: BTreeSet<&'static str>,
    /// Why the seeds stopped early, if they did.
    pub cut_short: Option<String>,
    /// Seeds whose second run differed: seed and the first event that did.
    pub nondeterministic: Vec<(u64, String)>,
}

/// One seed's part of the whole.
struct Part<P: Protocol> {
    run: Run<P>,
    changed_by_faults: bool,
    lifted: Option<Result<(), String>>,
    differs: Option<String>,
}

/// How to lift a log, for protocols whose states can be checked; `None` for others.
pub type Lift<P> = Option<fn(&Arc<Setup<P>>, &[Action<P>]) -> Result<(), String>>;

/// Runs seeds of a set-up with `host`, which makes one run of one seed.
pub fn simulate<P: Protocol>(
    setup: &Arc<Setup<P>>,
    options: &SimulateOptions,
    host: impl Fn(&Arc<Setup<P>>, u64) -> Run<P> + Sync,
    lift: Lift<P>,
) -> Simulated<P>
where
    Run<P>: Send,
{
    let begin = Instant::now();
    let one = |seed: u64| {
        let mut run = host(setup, seed);
        let lifted = match lift {
            Some(lift) if seed - options.seeds.start < options.lift => {
                Some(lift(&run.world, &run.trace))
            }
            _ => None,
        };
        let again = options.check_determinism.then(|| host(setup, seed));
        let differs = again.and_then(|again| first_difference(&run, &again));
        let changed_by_faults = run.changed_by_faults();
        if run.violation.is_none() {
            // Nobody asks for it any more, and many long ones would fill the memory.
            run.trace = Vec::new();
        }
        Part { run, changed_by_faults, lifted, differs }
    };
    let (parts, cut_short) = in_order_of_seeds(options, one);
    let mut whole = gather(options.seeds.clone(), parts, options.until_failure);
    whole.cut_short = cut_short;
    whole.seconds = begin.elapsed().as_secs_f64();
    whole
}

/// Runs `one` for every seed on several threads, and returns the results in the order of the seeds.
fn in_order_of_seeds<P: Protocol>(
    options: &SimulateOptions,
    one: impl Fn(u64) -> Part<P> + Sync,
) -> (Vec<Part<P>>, Option<String>)
where
    Run<P>: Send,
{
    let total = options.seeds.end.saturating_sub(options.seeds.start);
    let progress = Progress::start("seeds", Some(total), options.progress);
    let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let work = || {
        let mut done = Vec::new();
        loop {
            let stop = options.until_failure && failed.load(Ordering::Relaxed);
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= total || stop || progress::interrupted() {
                return done;
            }
            let part = one(options.seeds.start + n);
            failed.fetch_or(part.run.violation.is_some(), Ordering::Relaxed);
            done.push((n, part));
            progress.at(n);
        }
    };
    let mut parts: Vec<(u64, Part<P>)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..options.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        let results = workers.into_iter().map(|worker| worker.join());
        results
            .flat_map(|parts| parts.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    parts.sort_by_key(|(n, _)| *n);
    // Seeds are handed out in order, so those that were run are the first ones: all below the
    // first failure were run, whichever thread saw it first.
    let cut_short = progress::interrupted().then(|| "it was interrupted".to_owned());
    (parts.into_iter().map(|(_, part)| part).collect(), cut_short)
}

fn gather<P: Protocol>(
    seeds: Range<u64>,
    parts: Vec<Part<P>>,
    until_failure: bool,
) -> Simulated<P> {
    let mut whole = Simulated {
        seeds: seeds.start..seeds.start,
        events: 0,
        messages: 0,
        failures: Vec::new(),
        undecided: Vec::new(),
        lifted: 0,
        unliftable: Vec::new(),
        digest: 0,
        seconds: 0.0,
        faulty: 0,
        changed_by_faults: 0,
        faults: BTreeMap::new(),
        marks: BTreeSet::new(),
        cut_short: None,
        nondeterministic: Vec::new(),
    };
    let mut digest = Digest::default();
    for (seed, part) in seeds.zip(parts) {
        let run = part.run;
        whole.seeds.end = seed + 1;
        whole.events += run.events;
        whole.messages += run.messages;
        whole.faulty += u64::from(!run.faults.is_empty());
        whole.changed_by_faults += u64::from(part.changed_by_faults);
        whole.marks.extend(run.marks);
        for (kind, count) in run.faults {
            *whole.faults.entry(kind).or_default() += count;
        }
        std::hash::Hasher::write_u64(&mut digest, run.digest);
        match part.lifted {
            Some(Ok(())) => whole.lifted += 1,
            Some(Err(reason)) => whole.unliftable.push((seed, reason)),
            None => {}
        }
        whole.nondeterministic.extend(part.differs.map(|event| (seed, event)));
        if run.violation.is_none() {
            whole.undecided.extend(run.undecided.map(|reason| (seed, reason)));
        }
        if let Some(violation) = run.violation {
            let (trace, world) = (run.trace, run.world);
            whole.failures.push(Failure { seed, violation, trace, world });
            if until_failure {
                break;
            }
        }
    }
    whole.digest = std::hash::Hasher::finish(&digest);
    whole
}

/// The first event at which two runs of one seed differ.
fn first_difference<P: Protocol>(one: &Run<P>, other: &Run<P>) -> Option<String> {
    let pairs = one.trace.iter().zip(&other.trace);
    let differs = pairs.enumerate().find(|(_, (a, b))| a != b);
    let longer = one.trace.len() != other.trace.len();
    match differs {
        Some((n, (a, b))) => Some(format!("event {n}: `{a}`, then `{b}`")),
        None if longer => Some(format!("{} events, then {}", one.trace.len(), other.trace.len())),
        None if one.digest != other.digest => Some("a state after equal events".to_owned()),
        None => None,
    }
}
