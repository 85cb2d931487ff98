//! One fault kind at a time: a scenario with all other fault budgets at zero, clocks that agree and
//! links that keep their order, unless that is the very kind.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::protocol::{Checkable, NodeId, Protocol};
use crate::world::{Action, Clocks, Cut, CutKind, Faults, Links, Numbers, Setup};

use super::check::{self, CheckOptions, Verdict};
use super::follow;
use super::lift::lift;
use super::shrink::{self, Broken, ShrinkOptions};
use super::simulate::Run;
use super::trace::{self, TraceFile, VERSION, replay};
use super::verify::Violation;

/// The kinds of fault: the columns of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Nothing goes wrong, and links keep their order.
    None,
    /// Messages are lost.
    Loss,
    /// Messages are duplicated.
    Duplication,
    /// Messages overtake each other.
    Reordering,
    /// Two sides that don't hear each other.
    Split,
    /// One node alone.
    Isolate,
    /// One node that can't send, or can't receive.
    OneWay,
    /// Two sides that share one node.
    Bridge,
    /// Every node hears a majority, no two the same.
    Ring,
    /// Nodes pause.
    Pause,
    /// Nodes crash between steps.
    Crash,
    /// Nodes crash within a step.
    Torn,
    /// Crashes lose what was not synced.
    LostSaves,
    /// Node clocks differ from the start.
    Skew,
    /// Timers run too fast or too slow.
    Drift,
    /// Node clocks jump.
    Jump,
}

impl Fault {
    /// All of them, in the order of the columns.
    pub const ALL: [Fault; 16] = [
        Fault::None,
        Fault::Loss,
        Fault::Duplication,
        Fault::Reordering,
        Fault::Split,
        Fault::Isolate,
        Fault::OneWay,
        Fault::Bridge,
        Fault::Ring,
        Fault::Pause,
        Fault::Crash,
        Fault::Torn,
        Fault::LostSaves,
        Fault::Skew,
        Fault::Drift,
        Fault::Jump,
    ];

    /// Its name, as the column's head.
    pub fn name(self) -> &'static str {
        match self {
            Fault::None => "none",
            Fault::Loss => "loss",
            Fault::Duplication => "duplication",
            Fault::Reordering => "reordering",
            Fault::Split => "split",
            Fault::Isolate => "isolate",
            Fault::OneWay => "one-way",
            Fault::Bridge => "bridge",
            Fault::Ring => "ring",
            Fault::Pause => "pause",
            Fault::Crash => "crash",
            Fault::Torn => "torn step",
            Fault::LostSaves => "lost saves",
            Fault::Skew => "skew",
            Fault::Drift => "drift",
            Fault::Jump => "jump",
        }
    }

    /// The numbers with this kind of fault alone; `None` where the scenario has no budget for it.
    pub fn alone(self, numbers: &Numbers) -> Option<Numbers> {
        let Faults { losses, duplicates, partitions, crashes, .. } = numbers.faults;
        let Faults { torn, lost_saves, pauses, jumps, joins, .. } = numbers.faults;
        // A node that never joins tests nothing, so joins stay.
        let mut faults = Faults { joins, ..Faults::default() };
        let (mut cuts, mut skew, mut drift) = (Vec::new(), 0, 0);
        let budget = match self {
            Fault::None | Fault::Reordering => 1,
            Fault::Loss => set(&mut faults.losses, losses),
            Fault::Duplication => set(&mut faults.duplicates, duplicates),
            Fault::Split | Fault::Isolate | Fault::OneWay | Fault::Bridge | Fault::Ring => {
                cuts.extend(self.cut());
                // Among few nodes a kind may cut nothing.
                let some = !Cut::all(&cuts, nodes_of(numbers)).is_empty();
                set(&mut faults.partitions, if some { partitions } else { 0 })
            }
            Fault::Pause => set(&mut faults.pauses, pauses),
            Fault::Crash => set(&mut faults.crashes, crashes),
            Fault::Torn => {
                set(&mut faults.crashes, torn.min(crashes));
                set(&mut faults.torn, torn.min(crashes))
            }
            Fault::LostSaves => {
                set(&mut faults.crashes, lost_saves.min(crashes));
                set(&mut faults.lost_saves, lost_saves.min(crashes))
            }
            Fault::Skew => set(&mut skew, numbers.skew),
            Fault::Drift if numbers.clocks == Clocks::Bounded => set(&mut drift, numbers.drift),
            Fault::Drift => 0,
            Fault::Jump => set(&mut faults.jumps, if numbers.jump > 0 { jumps } else { 0 }),
        };
        (budget > 0).then(|| Numbers { faults, cuts, skew, drift, ..numbers.clone() })
    }

    /// Whether the world with this kind of fault alone is part of the one with all budgets. The
    /// kinds of partition that a scenario draws together need not be all, and each is tried alone.
    pub fn is_part_of(self, numbers: &Numbers) -> bool {
        let nodes = nodes_of(numbers);
        let blocked = |cut: &Cut| -> Vec<bool> {
            let pairs = NodeId::all(nodes).flat_map(|a| NodeId::all(nodes).map(move |b| (a, b)));
            pairs.map(|(from, to)| cut.blocks(nodes, from, to)).collect()
        };
        let together: BTreeSet<_> = Cut::all(&numbers.cuts, nodes).iter().map(blocked).collect();
        let ours = Cut::all(self.cut().as_slice(), nodes);
        ours.iter().all(|cut| together.contains(&blocked(cut)))
    }

    fn cut(self) -> Option<CutKind> {
        match self {
            Fault::Split => Some(CutKind::Split),
            Fault::Isolate => Some(CutKind::Isolate),
            Fault::OneWay => Some(CutKind::OneWay),
            Fault::Bridge => Some(CutKind::Bridge),
            Fault::Ring => Some(CutKind::Ring),
            _ => None,
        }
    }

    /// A scenario with this kind of fault alone.
    pub fn world<P: Protocol>(self, setup: &Arc<Setup<P>>) -> Arc<Setup<P>> {
        let links = if self == Fault::Reordering { setup.links } else { Links::Fifo };
        Arc::new(Setup { links, ..Setup::clone(setup) })
    }
}

fn set(field: &mut u32, to: u32) -> u32 {
    *field = to;
    to
}

fn nodes_of(numbers: &Numbers) -> u8 {
    u8::try_from(numbers.nodes).expect("numbers are validated")
}

/// How much to do for a column.
#[derive(Clone, Copy, Debug)]
pub struct ColumnOptions {
    /// How many seeds.
    pub seeds: u64,
    /// How many states the checker may generate.
    pub states_max: usize,
}

/// What the checker said of a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exhausted {
    /// The scenario's small world has no budget for the fault, or is too large.
    Not,
    /// The small world with this fault alone holds, in so many states.
    Holds(usize),
    /// It breaks a property.
    Breaks(Box<BrokenCell>),
}

/// A broken cell's evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenCell {
    /// The property.
    pub property: String,
    /// How it is broken.
    pub reason: String,
    /// The shortest trace that is known.
    pub trace: Vec<String>,
    /// The numbers of its world.
    pub numbers: Numbers,
    /// The first seed that failed, if the trace comes from one.
    pub seed: Option<u64>,
    /// After how many of its steps the trace begins to go round for ever, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycle: Option<usize>,
}

impl BrokenCell {
    /// Its trace as a file, by which a scenario replays it.
    pub fn file(&self, scenario: &str) -> TraceFile {
        let (property, reason) = (self.property.clone(), self.reason.clone());
        TraceFile {
            version: VERSION,
            scenario: scenario.to_owned(),
            from: "the guarantee matrix".to_owned(),
            violation: Some(Violation { property, reason }),
            kept_by: None,
            numbers: self.numbers.clone(),
            hosted: None,
            trace: self.trace.clone(),
            cycle: self.cycle,
        }
    }
}

/// What the seeds of a column showed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sampled {
    /// Runs.
    pub runs: u64,
    /// Runs in which the fault changed how some call ended.
    pub mattered: u64,
    /// Runs that broke nothing, and in which not everything was judged.
    pub undecided: u64,
    /// What was open in the first of them.
    pub open: Option<String>,
    /// The first run that broke something.
    pub broken: Option<BrokenCell>,
}

/// What the checker says of the small world with this fault alone.
pub fn exhaust<P: Checkable>(
    build: &dyn Fn(&Numbers) -> Arc<Setup<P>>,
    small: &Numbers,
    fault: Fault,
    options: ColumnOptions,
) -> Exhausted {
    let Some(numbers) = fault.alone(small) else { return Exhausted::Not };
    let plain = build(&numbers);
    let setup = fault.world(&plain);
    let states_max = Some(options.states_max);
    let found = check::check(&setup, CheckOptions { states_max, ..CheckOptions::default() });
    match found.verdict {
        Verdict::Holds => Exhausted::Holds(found.states),
        Verdict::Incomplete(_) => Exhausted::Not,
        Verdict::Violated(violation) => {
            let cell = broken_path(&plain, violation, &words(&found.trace), found.cycle);
            Exhausted::Breaks(Box::new(cell))
        }
    }
}

fn words<P: Protocol>(actions: &[Action<P>]) -> Vec<String> {
    actions.iter().map(ToString::to_string).collect()
}

/// The evidence of a path over links that keep their order. It is also one of the scenario's own
/// world, where deliveries that change nothing are no steps: that one is shown, if it breaks the
/// same, so that what is shown can be replayed.
fn broken_path<P: Checkable>(
    plain: &Arc<Setup<P>>,
    violation: Violation,
    trace: &[String],
    cycle: Option<usize>,
) -> BrokenCell {
    let numbers = plain.numbers.clone();
    let follow = |trace: &[String]| follow::follow(plain, trace, numbers.clients).trace;
    let taken = follow(trace);
    let cycle_taken = cycle.map(|cycle| follow(&trace[..=cycle]).len() - 1);
    let cell = |violation: Violation, trace: Vec<String>, cycle: Option<usize>| {
        let Violation { property, reason } = violation;
        BrokenCell { property, reason, trace, numbers: numbers.clone(), seed: None, cycle }
    };
    let in_plain = cell(violation.clone(), taken, cycle_taken);
    let replayed = trace::replay_file(plain, &in_plain.file("")).ok();
    match replayed.and_then(|it| it.violation).filter(|it| it.property == violation.property) {
        Some(same) => cell(same, in_plain.trace, cycle_taken),
        None => cell(violation, trace.to_vec(), cycle),
    }
}

/// The first seed that failed, and its run.
pub type FirstFailure<P> = Option<(u64, Run<P>)>;

/// What seeds of the large world with this fault alone show, up to the first that fails.
pub fn sample<P: Protocol>(
    build: &dyn Fn(&Numbers) -> Arc<Setup<P>>,
    large: &Numbers,
    fault: Fault,
    options: ColumnOptions,
    host: super::Host<P>,
) -> Option<(Sampled, FirstFailure<P>)> {
    let numbers = fault.alone(large)?;
    let setup = fault.world(&build(&numbers));
    let calm = Fault::None.alone(large).expect("there is always a calm world");
    let calm = Fault::None.world(&build(&calm));
    // What is no event of its own shows by comparison with the run in which it is not there.
    let ambient = matches!(fault, Fault::Reordering | Fault::Skew | Fault::Drift);
    let mut sampled = Sampled::default();
    for seed in 0..options.seeds {
        let run = host(&setup, seed);
        sampled.runs += 1;
        if run.violation.is_some() {
            return Some((sampled, Some((seed, run))));
        }
        let changed = if ambient {
            host(&calm, seed).outcomes != run.outcomes
        } else {
            run.changed_by_faults()
        };
        sampled.mattered += u64::from(changed);
        sampled.undecided += u64::from(run.undecided.is_some());
        sampled.open = sampled.open.or(run.undecided);
    }
    Some((sampled, None))
}

/// The evidence of a run that failed, shrunk.
pub fn shrunk_evidence<P: Checkable>(
    build: &dyn Fn(&Numbers) -> Arc<Setup<P>>,
    nodes_min: u32,
    (seed, run): (u64, Run<P>),
) -> Option<BrokenCell> {
    let violation = run.violation?;
    let numbers = run.world.numbers.clone();
    // The column's own world may keep the order of its links. In the plain one a delivery that
    // changes nothing is no step, and all others can be taken as they were.
    let plain = build(&numbers);
    let trace = match lift(&plain, &run.trace) {
        Ok(lifted) => words(&lifted.path),
        Err(_) => {
            let lifted = lift(&run.world, &run.trace).ok()?;
            follow::follow(&plain, &words(&lifted.path), numbers.clients).trace
        }
    };
    let options = ShrinkOptions { steps_max: 100_000, states_max: 0 };
    let cell = |violation: Violation, trace: Vec<String>, numbers: Numbers| {
        let Violation { property, reason } = violation;
        BrokenCell { property, reason, trace, numbers, seed: Some(seed), cycle: None }
    };
    match shrink::shrink(build, &numbers, &trace, nodes_min, options) {
        Ok(found) if found.smallest.violation.property == violation.property => {
            let Broken { numbers, actions, violation } = found.smallest;
            let smallest = words(&actions);
            debug_assert!(replay(&build(&numbers), &smallest).is_ok());
            Some(cell(violation, smallest, numbers))
        }
        _ => Some(cell(violation, trace, numbers)),
    }
}
