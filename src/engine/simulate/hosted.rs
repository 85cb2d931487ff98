//! Runs of the asynchronous shell on madsim: its log is lifted into the asynchronous world, and
//! that is judged like any other.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::engine::lift::{Lifted, lift};
use crate::engine::verify::{Examiner, Violation};
use crate::protocol::Checkable;
use crate::shell::{self, ShellRun, Tally};
use crate::world::{Digest, Setup, World};

use super::Run;
use super::run::{CALLS_RETURN, outcomes};

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
        faults: faults(&tally),
        changed_by_faults: false,
        marks: BTreeSet::new(),
        outcomes: 0,
        world: Arc::clone(&world),
        trace: log,
    };
    if let Ok(lifted) = lift(&world, &run.trace) {
        run.outcomes = outcomes(&lifted.world.system);
        run.violation = judge(&world, &lifted, &mut run.marks);
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

/// Walks a lifted path once more, and judges every state on it and the history at its end.
fn judge<P: Checkable>(
    setup: &Arc<Setup<P>>,
    lifted: &Lifted<P>,
    marks: &mut BTreeSet<&'static str>,
) -> Option<Violation> {
    let examiner = Examiner::new(setup);
    let mut starts = World::starts(setup);
    let start = starts.find(|(_, action)| *action == lifted.path[0]);
    let (mut world, _) = start.expect("a lifted path begins where a world starts");
    for action in &lifted.path[1..] {
        world.unshare(action);
        world.apply(action).expect("a lifted path can be walked");
        marks.extend(world.waiting.marks.drain(..).map(|(_, mark)| mark.name));
        let node = action.node();
        let broken = examiner
            .system(&world.system)
            .or_else(|| node.and_then(|node| examiner.node(&world.system, node)));
        if broken.is_some() {
            return broken;
        }
    }
    examiner.history(&world.system.history)
}
