//! The engines: thin loops over one world.

pub mod check;
pub mod compact;
pub mod explore;
pub mod lift;
pub mod progress;
pub mod simulate;
pub mod trace;
pub mod verify;

use std::net::SocketAddr;
use std::sync::Arc;

use crate::catalogue::{Card, Scenario};
use crate::protocol::{Checkable, Protocol};
use crate::report::{
    Agreement, CheckReport, FailedSeed, SimulateReport, check_agrees, halves, peak_bytes,
    simulate_agrees,
};
use crate::world::{Action, Expect, Numbers, Setup};

use check::{CheckOptions, Search, Verdict};
use simulate::{Failure, Run, SimulateOptions, Simulated};
use trace::{BadTrace, Replayed, TraceFile};

/// Who makes a run of one seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Runner {
    /// The bare event loop.
    #[default]
    Fast,
    /// The asynchronous shell, on madsim; needs `--cfg madsim`.
    Madsim,
}

impl Runner {
    /// Its name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Runner::Fast => "fast",
            Runner::Madsim => "madsim",
        }
    }
}

/// Why an engine can't do something with a scenario.
#[derive(Debug, thiserror::Error)]
pub enum Unsupported {
    /// Its states can't be compared.
    #[error("{0} can only be simulated: its states are a foreign library's, and can't be compared")]
    OnlySimulated(&'static str),
    /// The shell needs madsim.
    #[error("the madsim runner needs `--cfg madsim`: build with RUSTFLAGS='--cfg madsim'")]
    NoMadsim,
    /// The trace does not fit.
    #[error(transparent)]
    Trace(#[from] BadTrace),
    /// The address is in use.
    #[error(transparent)]
    Address(#[from] explore::Unbindable),
}

/// What every engine can do with a scenario, its protocol forgotten.
pub trait Engines: Send + Sync {
    /// The scenario's name and sizes.
    fn card(&self) -> &Card;

    /// What is expected of the world with these numbers.
    fn expect(&self, numbers: &Numbers) -> Expect;

    /// The names of the world's properties.
    fn properties(&self, numbers: &Numbers) -> Vec<&'static str>;

    /// Whether it can be checked, or only simulated.
    fn checkable(&self) -> bool;

    /// Exhausts the world with these numbers.
    ///
    /// # Errors
    /// If the scenario can only be simulated.
    fn check(&self, numbers: &Numbers, options: CheckOptions) -> Result<CheckReport, Unsupported>;

    /// Runs seeds of the world with these numbers.
    ///
    /// # Errors
    /// If the runner is not there.
    fn simulate(
        &self,
        numbers: &Numbers,
        runner: Runner,
        options: &SimulateOptions,
    ) -> Result<SimulateReport, Unsupported>;

    /// Replays a trace and tells it step by step; the violation is the file's own if it is broken
    /// in the same way.
    ///
    /// # Errors
    /// If the trace is not one of this scenario's.
    fn replay(&self, file: &TraceFile) -> Result<Retold, Unsupported>;

    /// The log of one seed, in words, ticks and all.
    fn retell(&self, numbers: &Numbers, seed: u64) -> Retold;

    /// Where in the explorer a trace ends; the explorer's unit is one tick.
    ///
    /// # Errors
    /// If the trace is not one of this scenario's.
    fn locate(&self, file: &TraceFile) -> Result<String, Unsupported>;

    /// Serves the explorer.
    ///
    /// # Errors
    /// If the address is in use, or the scenario can only be simulated.
    fn explore(&self, numbers: &Numbers, address: SocketAddr) -> Result<(), Unsupported>;
}

/// A run, told.
#[derive(Clone, Debug)]
pub struct Retold {
    /// Its steps as text.
    pub steps: String,
    /// Its actions.
    pub trace: Vec<String>,
    /// What it breaks.
    pub violation: Option<verify::Violation>,
    /// Its space-time diagram.
    pub svg: Option<String>,
}

impl<P: Checkable> Engines for Scenario<P> {
    fn card(&self) -> &Card {
        &self.card
    }

    fn expect(&self, numbers: &Numbers) -> Expect {
        self.setup(numbers).expect
    }

    fn properties(&self, numbers: &Numbers) -> Vec<&'static str> {
        self.setup(numbers).property_names()
    }

    fn checkable(&self) -> bool {
        true
    }

    fn check(&self, numbers: &Numbers, options: CheckOptions) -> Result<CheckReport, Unsupported> {
        let setup = self.setup(numbers);
        let found = check::check(&setup, options);
        let missing: Vec<_> =
            setup.sometimes.iter().copied().filter(|mark| !found.marks.contains(mark)).collect();
        let verdict = found.verdict.word();
        let (property, reason) = match found.verdict {
            Verdict::Holds => (None, None),
            Verdict::Violated(violation) => halves(violation),
            Verdict::Incomplete(reason) => (None, Some(reason)),
        };
        let holds = verdict == "holds";
        Ok(CheckReport {
            scenario: self.card.name.to_owned(),
            engine: match options.search {
                Search::Compact => "compact",
                Search::StaterightBfs => "stateright-bfs",
                Search::StaterightDfs => "stateright-dfs",
            },
            verdict,
            agreement: check_agrees(
                setup.expect,
                verdict,
                property.as_deref(),
                !missing.is_empty(),
            ),
            property,
            reason,
            states: found.states,
            transitions: found.transitions,
            depth: found.depth,
            histories: found.histories,
            marks: found.marks,
            missing_marks: if holds { missing } else { Vec::new() },
            numbers: setup.numbers.clone(),
            seconds: found.seconds,
            peak_bytes: peak_bytes(),
            trace: words(&found.trace),
        })
    }

    fn simulate(
        &self,
        numbers: &Numbers,
        runner: Runner,
        options: &SimulateOptions,
    ) -> Result<SimulateReport, Unsupported> {
        let setup = self.setup(&fine_grained(numbers));
        // The shell's log is judged by lifting it, so that it lifts is part of its result.
        let lifts = SimulateOptions { lift: lifted_of(options.lift, runner), ..options.clone() };
        let host = match runner {
            Runner::Fast => simulate::run,
            Runner::Madsim => shell_host()?,
        };
        let found = simulate::simulate(&setup, &lifts, host, Some(lift_log::<P>));
        Ok(reported(self.card.name, &setup, runner, found, |failure| {
            match lift::lift(&failure.world, &failure.trace) {
                Ok(lifted) => words(&lifted.path),
                Err(_) => words(&failure.trace),
            }
        }))
    }

    fn replay(&self, file: &TraceFile) -> Result<Retold, Unsupported> {
        let replayed = trace::replay(&self.setup(&file.numbers), &file.trace)?;
        Ok(Retold {
            steps: replayed.steps(),
            trace: file.trace.clone(),
            svg: Some(crate::report::svg::draw(&replayed.path)),
            violation: replayed.violation,
        })
    }

    fn retell(&self, numbers: &Numbers, seed: u64) -> Retold {
        retell(&self.setup(&fine_grained(numbers)), seed)
    }

    fn locate(&self, file: &TraceFile) -> Result<String, Unsupported> {
        let replayed = trace::replay(&self.setup(&file.numbers), &file.trace)?;
        let log: Vec<_> = actions_of(&replayed, &file.trace, &self.setup(&file.numbers));
        let small = Numbers { scale: 1, ..file.numbers.clone() };
        let setup = self.setup(&small);
        let floored = lift::at_scale_one(&log, file.numbers.scale);
        let lifted = lift::lift(&setup, &floored)
            .map_err(|refused| BadTrace::Disabled { step: refused.step, action: refused.action })?;
        let replayed = trace::replay(&setup, &words(&lifted.path))?;
        Ok(trace::explorer_path(&setup, &replayed))
    }

    fn explore(&self, numbers: &Numbers, address: SocketAddr) -> Result<(), Unsupported> {
        Ok(explore::explore(&self.setup(numbers), address)?)
    }
}

/// A scenario whose protocol can be simulated, but whose states can't be compared.
pub struct OnlySimulated<P: Protocol>(pub Scenario<P>);

impl<P: Protocol> OnlySimulated<P> {
    fn refuse<T>(&self) -> Result<T, Unsupported> {
        Err(Unsupported::OnlySimulated(self.0.card.name))
    }
}

impl<P: Protocol> Engines for OnlySimulated<P> {
    fn card(&self) -> &Card {
        &self.0.card
    }

    fn expect(&self, numbers: &Numbers) -> Expect {
        self.0.setup(numbers).expect
    }

    fn properties(&self, numbers: &Numbers) -> Vec<&'static str> {
        self.0.setup(numbers).property_names()
    }

    fn checkable(&self) -> bool {
        false
    }

    fn check(&self, _: &Numbers, _: CheckOptions) -> Result<CheckReport, Unsupported> {
        self.refuse()
    }

    fn simulate(
        &self,
        numbers: &Numbers,
        runner: Runner,
        options: &SimulateOptions,
    ) -> Result<SimulateReport, Unsupported> {
        if runner == Runner::Madsim || options.lift > 0 {
            return self.refuse();
        }
        let setup = self.0.setup(&fine_grained(numbers));
        let found = simulate::simulate(&setup, options, simulate::run, None);
        Ok(reported(self.0.card.name, &setup, runner, found, |failure| words(&failure.trace)))
    }

    fn replay(&self, _: &TraceFile) -> Result<Retold, Unsupported> {
        self.refuse()
    }

    fn retell(&self, numbers: &Numbers, seed: u64) -> Retold {
        retell(&self.0.setup(&fine_grained(numbers)), seed)
    }

    fn locate(&self, _: &TraceFile) -> Result<String, Unsupported> {
        self.refuse()
    }

    fn explore(&self, _: &Numbers, _: SocketAddr) -> Result<(), Unsupported> {
        self.refuse()
    }
}

/// The simulator's ticks are fine, unless somebody asks for others: then more orders are tried.
fn fine_grained(numbers: &Numbers) -> Numbers {
    let scale = if numbers.scale == 1 { 100 } else { numbers.scale };
    Numbers { scale, ..numbers.clone() }
}

/// How many logs are lifted: the shell's are judged by lifting them, so all of them are.
fn lifted_of(asked: u64, runner: Runner) -> u64 {
    if runner == Runner::Madsim { u64::MAX } else { asked }
}

/// Who makes a run of one seed of a set-up.
type Host<P> = fn(&Arc<Setup<P>>, u64) -> Run<P>;

#[cfg(madsim)]
fn shell_host<P: Checkable>() -> Result<Host<P>, Unsupported> {
    Ok(simulate::hosted)
}

#[cfg(not(madsim))]
fn shell_host<P: Checkable>() -> Result<Host<P>, Unsupported> {
    Err(Unsupported::NoMadsim)
}

fn lift_log<P: Checkable>(setup: &Arc<Setup<P>>, log: &[Action<P>]) -> Result<(), String> {
    lift::lift(setup, log).map(drop).map_err(|refused| refused.to_string())
}

fn words<P: Protocol>(actions: &[Action<P>]) -> Vec<String> {
    actions.iter().map(Action::to_string).collect()
}

fn actions_of<P: Checkable>(
    replayed: &Replayed<P>,
    trace: &[String],
    setup: &Arc<Setup<P>>,
) -> Vec<Action<P>> {
    let mut starts = crate::world::World::starts(setup).into_iter();
    let start = starts.find(|(_, action)| Some(&action.to_string()) == trace.first());
    let start = start.map(|(_, action)| action);
    start.into_iter().chain(replayed.path.iter().filter_map(|(_, action)| action.clone())).collect()
}

fn retell<P: Protocol>(setup: &Arc<Setup<P>>, seed: u64) -> Retold {
    let run = simulate::run(setup, seed);
    let trace = words(&run.trace);
    let mut ticks = 0u64;
    let mut steps = String::new();
    for action in &run.trace {
        match action.did {
            crate::world::Happening::Tick(passed) => ticks += u64::from(passed),
            _ => steps += &format!("{ticks:>8}  {action}\n"),
        }
    }
    Retold { steps, trace, violation: run.violation, svg: None }
}

fn reported<P: Protocol>(
    name: &'static str,
    setup: &Arc<Setup<P>>,
    runner: Runner,
    found: Simulated<P>,
    path: impl Fn(&Failure<P>) -> Vec<String>,
) -> SimulateReport {
    let failed = |failure: Failure<P>| FailedSeed {
        seed: failure.seed,
        trace: path(&failure),
        numbers: failure.world.numbers.clone(),
        property: failure.violation.property,
        reason: failure.violation.reason,
    };
    let mut report = SimulateReport {
        scenario: name.to_owned(),
        runner: runner.name(),
        seeds: format!("{}..{}", found.seeds.start, found.seeds.end),
        runs: found.seeds.end - found.seeds.start,
        events: found.events,
        messages: found.messages,
        violations: found.failures.into_iter().map(failed).collect(),
        lifted: found.lifted,
        unliftable: found.unliftable,
        digest: format!("{:016x}", found.digest),
        faulty: found.faulty,
        changed_by_faults: found.changed_by_faults,
        faults: found.faults,
        marks: found.marks,
        nondeterministic: found.nondeterministic,
        cut_short: found.cut_short,
        agreement: Agreement::AsExpected,
        numbers: setup.numbers.clone(),
        seconds: found.seconds,
    };
    report.agreement = simulate_agrees(setup.expect, &report);
    report
}
