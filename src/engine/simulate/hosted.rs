//! Runs of the asynchronous shell on madsim: its log is lifted into the asynchronous world, and
//! that is judged like any other.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::engine::lift::{Lifted, lift};
use crate::engine::verify::{Examiner, Rest, Violation};
use crate::protocol::{Checkable, NodeId};
use crate::shell::{self, ShellRun, Tally};
use crate::world::{Digest, Setup, System, World};

use super::Run;
use super::run::{CALLS_RETURN, GAVE_UP, outcomes, unsettled};

/// Hosts one seed on madsim.
///
/// madsim draws losses and delays from one stream, so a run without the faults is another run
/// altogether: whether faults changed an outcome is not asked here.
pub fn hosted<P: Checkable>(setup: &Arc<Setup<P>>, seed: u64) -> Run<P> {
    let ShellRun { log, world, finished, tally } = shell::host(setup, seed);
    let mut digest = Digest::default();
    log.hash(&mut digest);
    let mut run = Run {
        digest: digest.finish(),
        events: log.len() as u64,
        messages: tally.carried,
        violation: None,
        undecided: None,
        faults: faults(&tally),
        marks: BTreeSet::new(),
        outcomes: 0,
        seed: None,
        world: Arc::clone(&world),
        trace: log,
    };
    if let Ok(lifted) = lift(&world, &run.trace) {
        run.outcomes = outcomes(&lifted.world.system);
        judge(&lifted, &mut run);
    }
    // madsim loses at a rate and without a budget: in the storm, what it cuts off, and what
    // reaches a node that is down. A protocol that resends so often and no more may run dry.
    let undisturbed = tally.loss_rate + tally.partitions + tally.crashes == 0;
    if run.violation.is_none() && setup.finishes && !finished && undisturbed {
        let reason = "a program was still waiting long after all had healed";
        run.violation = Some(Violation::new(CALLS_RETURN, reason));
    }
    run
}

fn faults(tally: &Tally) -> BTreeMap<&'static str, u64> {
    let counts = [
        ("crashes", tally.crashes),
        ("torn steps", tally.torn),
        ("pauses", tally.pauses),
        ("partitions", tally.partitions),
        ("cancelled calls", tally.cancels),
        ("losses in a thousand", tally.loss_rate),
    ];
    let happened = counts.into_iter().filter(|(_, count)| *count > 0);
    happened.map(|(kind, count)| (kind, u64::from(count))).collect()
}

/// Walks a lifted path once more, and judges every state on it, the history at its end, and what
/// its last world settles on.
fn judge<P: Checkable>(lifted: &Lifted<P>, run: &mut Run<P>) {
    let examiner = Examiner::new(&run.world);
    let start = World::started(&run.world, &lifted.path[0].draws);
    let (mut world, _) = start.expect("a lifted path begins where a world starts");
    run.violation = judge_state(&examiner, &world.system, None);
    for action in &lifted.path[1..] {
        if run.violation.is_some() {
            return;
        }
        world.unshare(action);
        world.apply(action).expect("a lifted path can be walked");
        run.marks.extend(world.waiting.marks.drain(..).map(|(_, mark)| mark.name));
        run.violation = judge_state(&examiner, &world.system, action.node());
    }
    if run.violation.is_none() {
        run.violation = examiner.history(&world.system.history);
    }
    if examiner.undecided() > 0 {
        run.undecided = Some(GAVE_UP.to_owned());
    }
    if run.violation.is_none() {
        match examiner.rest(&world) {
            Rest::Holds => {}
            Rest::Breaks(violation) => run.violation = Some(violation),
            Rest::Unsettled(name) => run.undecided = Some(unsettled(name)),
        }
    }
}

/// Judges a state after an action that changed one node, or nobody knows which.
fn judge_state<P: Checkable>(
    examiner: &Examiner<P>,
    system: &System<P>,
    changed: Option<NodeId>,
) -> Option<Violation> {
    let all = NodeId::all(system.setup.nodes());
    let mut nodes = all.filter(|node| changed.is_none_or(|changed| changed == *node));
    examiner.system(system).or_else(|| nodes.find_map(|node| examiner.node(system, node)))
}
