//! The search of a world: what of each level is broken, and what a search has concluded.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Instant;

use crate::engine::check::{CheckOptions, Checked, Verdict};
use crate::engine::levels::Levels;
use crate::engine::verify::Violation;
use crate::protocol::Checkable;
use crate::world::{Action, Setup, World};

use super::lasso::{self, Lasso};
use super::worker::{Shared, Worker};

/// A search that is under way.
struct Search<'a, P: Checkable> {
    shared: &'a Shared<P>,
    levels: Levels,
    workers: Vec<Worker<'a, P>>,
    /// The marks that were put out, and the histories that were judged, in the levels that count.
    marks: BTreeSet<&'static str>,
    histories: usize,
    /// The states and transitions for which those stand that count.
    stood_for: (usize, usize),
    /// The worlds that there are at the start.
    starts: usize,
    /// Whether every state was met.
    exhausted: bool,
}

/// Exhausts the world of a set-up, or says what stopped it.
pub fn check<P: Checkable>(setup: &Arc<Setup<P>>, options: CheckOptions) -> Checked<P> {
    let begin = Instant::now();
    let shared = Shared::new(setup, options);
    let starts: Vec<_> = World::starts(setup).map(|(world, _)| world).collect();
    let marks = starts.iter().flat_map(|world| world.waiting.marks.iter());
    let records: Vec<_> = starts.iter().map(|world| shared.record_of(world)).collect();
    let mut search = Search {
        shared: &shared,
        levels: Levels::new(options, records.iter().cloned()),
        workers: (0..options.threads.max(1)).map(|_| Worker::new(&shared)).collect(),
        marks: marks.map(|(_, mark)| mark.name).collect(),
        histories: 0,
        stood_for: (0, records.len()),
        starts: records.len(),
        exhausted: false,
    };
    let (verdict, goals) = search.run(records, options.fingerprints);
    if options.fingerprints && !goals.is_empty() {
        // Nothing is kept that leads there: it is found once more, exactly.
        return check(setup, CheckOptions { fingerprints: false, ..options });
    }
    let (verdict, trace, cycle) = match verdict {
        _ if !goals.is_empty() => {
            let trace = search.shortest(goals);
            (Verdict::Violated(broken_at_the_end(&shared, &trace)), trace, None)
        }
        Verdict::Holds => search.promises(options),
        verdict => (verdict, Vec::new(), None),
    };
    let counts = search.levels.counts();
    Checked {
        verdict,
        exhausted: search.exhausted,
        states: counts.states,
        transitions: counts.transitions,
        reduction: shared.reduction(options.reduce, search.stood_for),
        depth: search.levels.depth(),
        histories: search.histories,
        seconds: begin.elapsed().as_secs_f64(),
        marks: search.marks,
        trace,
        cycle,
    }
}

/// What the last state of a path breaks.
fn broken_at_the_end<P: Checkable>(shared: &Shared<P>, trace: &[Action<P>]) -> Violation {
    let mut starts = World::starts(&shared.setup);
    let start = starts.find(|(_, action)| *action == trace[0]);
    let (mut world, _) = start.expect("a path begins with a start");
    for action in &trace[1..] {
        world = world.after(action).expect("a path can be gone");
    }
    shared.examiner.examine(&world).expect("the path ends in a violation")
}

impl<P: Checkable> Search<'_, P> {
    /// Runs until nothing is left, something is broken or the search is stopped. Returns the
    /// states of the last level that are broken; at the start each may be.
    fn run(
        &mut self,
        mut suspects: Vec<Vec<u8>>,
        by_fingerprint: bool,
    ) -> (Verdict, HashSet<Vec<u8>>) {
        self.take_stock();
        loop {
            let found = self.levels.expand(&mut self.workers);
            suspects.extend(found.here.into_iter().map(|(_, record)| record));
            let broken = self.broken(suspects);
            let cut = self.levels.cut_short(&self.workers[0]);
            if self.levels.is_whole() || !broken.is_empty() {
                self.take_stock();
            }
            if !broken.is_empty() {
                return (Verdict::Holds, broken);
            }
            if let Some(reason) = cut {
                return (Verdict::Incomplete(reason), HashSet::new());
            }
            if self.levels.is_done() {
                self.exhausted = !by_fingerprint;
                return (self.in_the_end(by_fingerprint), HashSet::new());
            }
            self.levels.go_on();
            suspects = found.ahead;
        }
    }

    /// What was seen so far counts.
    fn take_stock(&mut self) {
        self.marks.extend(self.workers.iter().flat_map(|worker| worker.marks.iter().copied()));
        self.histories = self.shared.examiner.histories();
        self.stood_for = (0, self.starts);
        for (states, transitions) in self.workers.iter().map(|worker| worker.stood_for) {
            self.stood_for = (self.stood_for.0 + states, self.stood_for.1 + transitions);
        }
        self.shared.names.write().expect("no thread panics with names").take_stock();
    }

    fn in_the_end(&self, by_fingerprint: bool) -> Verdict {
        match self.shared.examiner.undecided() {
            0 if by_fingerprint => Verdict::Incomplete(format!(
                "no state that was met breaks anything, and the probability that another state was \
                 taken for one of these is at most {:.1e}",
                self.levels.omission()
            )),
            0 => Verdict::Holds,
            n => Verdict::Incomplete(format!("the judges gave up on {n} histories")),
        }
    }

    /// Those that are broken indeed.
    fn broken(&self, mut suspects: Vec<Vec<u8>>) -> HashSet<Vec<u8>> {
        suspects.sort_unstable();
        suspects.dedup();
        let broken = suspects.into_iter().filter(|record| self.shared.is_broken(record)).collect();
        // No way leads there for sure where names are not interchangeable.
        if self.shared.is_refuted() { HashSet::new() } else { broken }
    }

    /// The first of the shortest paths to one of these states, which are of the last level.
    fn shortest(&mut self, goals: HashSet<Vec<u8>>) -> Vec<Action<P>> {
        let shared = self.shared;
        let after = |world: &World<P>, action: Action<P>| {
            let next = world.after(&action).expect("an enabled action can be done");
            (action, next)
        };
        let steps = |world: Option<&World<P>>| -> Vec<_> {
            match world {
                Some(world) => world.actions().into_iter().map(|it| after(world, it)).collect(),
                None => World::starts(&shared.setup).map(|(world, it)| (it, world)).collect(),
            }
        };
        let record_of = |world: &World<P>| shared.record_of(world);
        let path = self.levels.shortest(&mut self.workers[0], goals, steps, record_of);
        path.expect("a violation was reached from a start")
    }

    /// Whether all is kept that was promised; else the run that breaks it.
    fn promises(&mut self, options: CheckOptions) -> (Verdict, Vec<Action<P>>, Option<usize>) {
        match lasso::broken(self.shared, &mut self.workers[0], &self.levels.store, options) {
            Ok(None) => (Verdict::Holds, Vec::new(), None),
            Ok(Some(Lasso { violation, trace, cycle })) => {
                (Verdict::Violated(violation), trace, cycle)
            }
            Err(reason) => (Verdict::Incomplete(reason), Vec::new(), None),
        }
    }
}
