//! The engines: thin loops over one world.

pub mod actors;
mod afresh;
pub mod check;
pub mod columns;
pub mod compact;
pub mod coverage;
pub mod explore;
pub mod feasible;
pub mod follow;
mod levels;
pub mod lift;
pub mod progress;
pub mod promised;
pub mod reduce;
pub mod regressions;
mod rename;
pub mod shrink;
pub mod simulate;
pub mod trace;
pub mod turning;
pub mod verify;

use std::net::SocketAddr;
use std::sync::Arc;

use crate::catalogue::{Card, Scenario};
use crate::protocol::{Checkable, Protocol};
use crate::report::diagram::Diagram;
use crate::report::{
    Agreement, CheckReport, FailedSeed, SimulateReport, check_agrees, halves, peak_bytes,
    simulate_agrees,
};
use crate::world::{Action, BadNumber, Clocks, Expect, Numbers, Setup};

use check::{CheckOptions, Search, Verdict};
use columns::{BrokenCell, ColumnOptions, Exhausted, Fault, Sampled};
use coverage::Visited;
use feasible::Feasibility;
use follow::Followed;
use shrink::{ShrinkOptions, Shrunk, Size, Unshrinkable};
use simulate::{Failure, Run, SimulateOptions, Simulated};
use trace::{BadTrace, TraceFile};
use verify::Examiner;

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
    /// A log is no path of the checker's world.
    #[error(transparent)]
    Log(#[from] lift::Unliftable),
    /// The trace can't be made smaller.
    #[error(transparent)]
    Shrink(#[from] Unshrinkable),
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

    /// The numbers of the world that these make: some scenarios decide a few themselves.
    ///
    /// # Errors
    /// If they make none.
    fn fitted(&self, numbers: &Numbers) -> Result<Numbers, BadNumber>;

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

    /// Looks for times at which a trace happens within the bounds of these numbers: its order of
    /// things is kept, and what time it had is not.
    ///
    /// # Errors
    /// If the trace is not one of this scenario's.
    fn feasible(&self, file: &TraceFile, bounds: &Numbers) -> Result<Feasibility, Unsupported>;

    /// Finds a smaller trace that breaks the same property, and for small worlds a shortest one.
    ///
    /// # Errors
    /// If the trace is not one of this scenario's, or breaks nothing.
    fn shrink(&self, file: &TraceFile, options: ShrinkOptions) -> Result<Shrinking, Unsupported>;

    /// Follows a trace, of this scenario or another, as far as this one's world with these numbers
    /// lets itself be led.
    ///
    /// # Errors
    /// If the scenario can only be simulated.
    fn follow(&self, file: &TraceFile, numbers: &Numbers) -> Result<Followed, Unsupported>;

    /// What the small world does with this kind of fault alone; `Not` where it can't be checked.
    fn exhaust(&self, fault: Fault, options: ColumnOptions) -> Exhausted;

    /// What the large world does with this kind of fault alone, up to the first seed that fails;
    /// `None` where the scenario has no budget for it.
    fn sample(&self, fault: Fault, options: ColumnOptions) -> Option<Sampled>;

    /// How much of the world with these numbers its first seeds visit.
    ///
    /// # Errors
    /// If the scenario can only be simulated.
    fn visit(&self, numbers: &Numbers, seeds: u64) -> Result<Vec<Visited>, Unsupported>;

    /// Its states, in the Informal Trace Format.
    ///
    /// # Errors
    /// If the trace is not one of this scenario's.
    fn itf(&self, file: &TraceFile) -> Result<String, Unsupported>;

    /// The run of one seed, as a trace of the checker's world.
    ///
    /// # Errors
    /// If the scenario can only be simulated.
    fn record(&self, numbers: &Numbers, seed: u64) -> Result<TraceFile, Unsupported>;

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

/// What shrinking a trace came to.
#[derive(Clone, Debug)]
pub struct Shrinking {
    /// The trace's size before.
    pub before: Size,
    /// The smallest trace that was found by leaving things out.
    pub smallest: TraceFile,
    /// Its size.
    pub after: Size,
    /// A shortest trace with the same numbers, by the checker; `None` where the world is too large.
    pub shortest: Option<TraceFile>,
    /// How many candidates were tried.
    pub tried: u64,
    /// Whether the budget ran out before nothing more could be left out.
    pub gave_up: bool,
}

impl Shrinking {
    /// A trace of which nothing is left out: a run that breaks a promise has to be fair, and is
    /// that no more without some of its steps. The checker's have shortest stems.
    fn whole<P: Checkable>(file: &TraceFile, replayed: &trace::Replayed<P>) -> Shrinking {
        let size = Size::of(&file.numbers, &replayed.actions());
        let smallest = file.clone();
        Shrinking { before: size, smallest, after: size, shortest: None, tried: 0, gave_up: false }
    }

    /// The best trace: a shortest one where there is one.
    pub fn best(&self) -> &TraceFile {
        self.shortest.as_ref().unwrap_or(&self.smallest)
    }
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
    pub diagram: Option<Diagram>,
}

impl<P: Checkable> Engines for Scenario<P> {
    fn card(&self) -> &Card {
        &self.card
    }

    fn expect(&self, numbers: &Numbers) -> Expect {
        self.setup(numbers).expect
    }

    fn fitted(&self, numbers: &Numbers) -> Result<Numbers, BadNumber> {
        let setup = self.setup(numbers);
        setup.fits().map(|()| setup.numbers.clone())
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
            exhausted: found.exhausted,
            states: found.states,
            transitions: found.transitions,
            reduction: found.reduction,
            depth: found.depth,
            histories: found.histories,
            marks: found.marks,
            missing_marks: if holds { missing } else { Vec::new() },
            numbers: setup.numbers.clone(),
            seconds: found.seconds,
            peak_bytes: peak_bytes(),
            trace: words(&found.trace),
            cycle: found.cycle,
            in_time: None,
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
        let setup = world_of(self, file, &file.numbers);
        let replayed = trace::replay_file(&setup, file)?;
        let examiner = Examiner::new(&setup);
        let violation = replayed.violation.as_ref();
        let most = turning::STATES_MAX;
        let (diagram, turn) = turning::drawn(&replayed.path, violation, &examiner, most);
        let mut steps = replayed.steps();
        if let Some(step) = turn {
            steps += &format!("from step {step} on it could not be avoided any more\n");
        }
        let (trace, violation) = (file.trace.clone(), replayed.violation);
        Ok(Retold { steps, trace, violation, diagram: Some(diagram) })
    }

    fn feasible(&self, file: &TraceFile, bounds: &Numbers) -> Result<Feasibility, Unsupported> {
        let setup = world_of(self, file, &file.numbers);
        let actions = trace::replay(&setup, &file.trace)?.actions();
        let timeless = Numbers { clocks: Clocks::Asynchronous, ..file.numbers.clone() };
        let (loose, tight) = (world_of(self, file, &timeless), world_of(self, file, bounds));
        Ok(feasible::feasible(&loose, &tight, &actions))
    }

    fn shrink(&self, file: &TraceFile, options: ShrinkOptions) -> Result<Shrinking, Unsupported> {
        let build = |numbers: &Numbers| world_of(self, file, numbers);
        let setup = build(&file.numbers);
        let replayed = trace::replay_file(&setup, file)?;
        let broken = replayed.violation.as_ref().map(|violation| violation.property.as_str());
        if setup.promises().any(|(name, _)| Some(name) == broken) {
            return Ok(Shrinking::whole(file, &replayed));
        }
        let nodes_min = self.card.small.nodes.min(file.numbers.nodes);
        let found = shrink::shrink(&build, &file.numbers, &file.trace, nodes_min, options)?;
        let Shrunk { smallest, before, after, tried, gave_up } = found;
        let numbers = &smallest.numbers;
        let property = &smallest.violation.property;
        let shortest = shrink::shortest(&build(numbers), property, options);
        let saved = |run: shrink::Broken<P>, how: &str| TraceFile {
            from: format!("{}; {how} from {} steps", file.from, before.steps),
            violation: Some(run.violation),
            trace: words(&run.actions),
            numbers: run.numbers,
            ..file.clone()
        };
        let shortest = shortest.map(|run| saved(run, "shortest, by the checker,"));
        let smallest = saved(smallest, "shrunk");
        Ok(Shrinking { before, smallest, after, shortest, tried, gave_up })
    }

    fn follow(&self, file: &TraceFile, numbers: &Numbers) -> Result<Followed, Unsupported> {
        Ok(follow::follow(&world_of(self, file, numbers), &file.trace, file.numbers.clients))
    }

    fn exhaust(&self, fault: Fault, options: ColumnOptions) -> Exhausted {
        columns::exhaust(&|numbers| self.setup(numbers), &self.card.small, fault, options)
    }

    fn sample(&self, fault: Fault, options: ColumnOptions) -> Option<Sampled> {
        let build = |numbers: &Numbers| self.setup(numbers);
        let large = fine_grained(&self.card.large);
        let (mut sampled, failed) = columns::sample(&build, &large, fault, options, simulate::run)?;
        let nodes_min = self.card.small.nodes.min(large.nodes);
        sampled.broken = failed.and_then(|run| columns::shrunk_evidence(&build, nodes_min, run));
        Some(sampled)
    }

    fn visit(&self, numbers: &Numbers, seeds: u64) -> Result<Vec<Visited>, Unsupported> {
        let setup = self.setup(numbers);
        // Where time counts, the checker's ticks are the units.
        let numbers = if setup.timed() { numbers.clone() } else { fine_grained(numbers) };
        Ok(coverage::visited(&self.setup(&numbers), 0..seeds)?)
    }

    fn itf(&self, file: &TraceFile) -> Result<String, Unsupported> {
        let replayed = trace::replay(&world_of(self, file, &file.numbers), &file.trace)?;
        let source = format!("seedbed, {}: {}", file.scenario, file.from);
        Ok(crate::report::itf::export(&replayed.path, &source))
    }

    fn record(&self, numbers: &Numbers, seed: u64) -> Result<TraceFile, Unsupported> {
        let setup = self.setup(&fine_grained(numbers));
        let run = simulate::run(&setup, seed);
        let path = lift::lift(&setup, &run.trace).map(|lifted| words(&lifted.path));
        Ok(TraceFile {
            version: trace::VERSION,
            scenario: self.card.name.to_owned(),
            from: format!("simulate, seed {seed}"),
            violation: run.violation,
            kept_by: None,
            numbers: setup.numbers.clone(),
            hosted: None,
            trace: path.unwrap_or_else(|_| words(&run.trace)),
            cycle: None,
        })
    }

    fn retell(&self, numbers: &Numbers, seed: u64) -> Retold {
        retell(simulate::run(&self.setup(&fine_grained(numbers)), seed))
    }

    fn locate(&self, file: &TraceFile) -> Result<String, Unsupported> {
        let replayed = trace::replay(&world_of(self, file, &file.numbers), &file.trace)?;
        let log = replayed.actions();
        let small = Numbers { scale: 1, ..file.numbers.clone() };
        let setup = world_of(self, file, &small);
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

    fn fitted(&self, numbers: &Numbers) -> Result<Numbers, BadNumber> {
        let setup = self.0.setup(numbers);
        setup.fits().map(|()| setup.numbers.clone())
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
        let found = simulate::simulate(&setup, options, simulate::run_restless, None);
        Ok(reported(self.0.card.name, &setup, runner, found, |failure| words(&failure.trace)))
    }

    fn replay(&self, _: &TraceFile) -> Result<Retold, Unsupported> {
        self.refuse()
    }

    fn feasible(&self, _: &TraceFile, _: &Numbers) -> Result<Feasibility, Unsupported> {
        self.refuse()
    }

    fn shrink(&self, _: &TraceFile, _: ShrinkOptions) -> Result<Shrinking, Unsupported> {
        self.refuse()
    }

    fn follow(&self, _: &TraceFile, _: &Numbers) -> Result<Followed, Unsupported> {
        self.refuse()
    }

    fn exhaust(&self, _: Fault, _: ColumnOptions) -> Exhausted {
        Exhausted::Not
    }

    fn sample(&self, fault: Fault, options: ColumnOptions) -> Option<Sampled> {
        let large = fine_grained(&self.0.card.large);
        let build = |numbers: &Numbers| self.0.setup(numbers);
        let (mut sampled, failed) =
            columns::sample(&build, &large, fault, options, simulate::run_restless)?;
        sampled.broken = failed.and_then(|(seed, run)| {
            let violation = run.violation?;
            Some(BrokenCell {
                property: violation.property,
                reason: violation.reason,
                trace: words(&run.trace),
                numbers: run.world.numbers.clone(),
                seed: Some(seed),
                cycle: None,
            })
        });
        Some(sampled)
    }

    fn visit(&self, _: &Numbers, _: u64) -> Result<Vec<Visited>, Unsupported> {
        self.refuse()
    }

    fn itf(&self, _: &TraceFile) -> Result<String, Unsupported> {
        self.refuse()
    }

    fn record(&self, _: &Numbers, _: u64) -> Result<TraceFile, Unsupported> {
        self.refuse()
    }

    fn retell(&self, numbers: &Numbers, seed: u64) -> Retold {
        retell(simulate::run_restless(&self.0.setup(&fine_grained(numbers)), seed))
    }

    fn locate(&self, _: &TraceFile) -> Result<String, Unsupported> {
        self.refuse()
    }

    fn explore(&self, _: &Numbers, _: SocketAddr) -> Result<(), Unsupported> {
        self.refuse()
    }
}

/// The world of which a trace is a path, with these numbers in place of the file's.
fn world_of<P: Protocol>(
    scenario: &Scenario<P>,
    file: &TraceFile,
    numbers: &Numbers,
) -> Arc<Setup<P>> {
    let Some(own) = &file.hosted else { return scenario.setup(numbers) };
    let Numbers { nodes, clients, calls, .. } = *numbers;
    let own = (scenario.build)(&Numbers { nodes, clients, calls, ..own.clone() });
    // The shell's programs are tasks of their own: none calls in the step that ended its last call.
    Arc::new(Setup { numbers: numbers.clone(), eager: false, ..own })
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

fn retell<P: Protocol>(run: Run<P>) -> Retold {
    let trace = words(&run.trace);
    let mut ticks = 0u64;
    let mut steps = String::new();
    for action in &run.trace {
        match action.did {
            crate::world::Happening::Tick(passed) => ticks += u64::from(passed),
            _ => steps += &format!("{ticks:>8}  {action}\n"),
        }
    }
    Retold { steps, trace, violation: run.violation, diagram: None }
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
        undecided: found.undecided,
        promises: setup.promises().map(|(name, _)| name).collect(),
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
