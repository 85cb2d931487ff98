//! The search: level by level, on any number of threads.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::protocol::Checkable;
use crate::world::{Action, Setup, World};

use super::super::check::{CheckOptions, Checked, Verdict};
use super::super::progress::{self, Progress};
use super::super::verify::Violation;
use super::audit;
use super::lasso::{self, Lasso};
use super::memo::Sort;
use super::path;
use super::store::{Batch, Store};
use super::vector::hash_of;
use super::worker::{Shared, Sink, Worker};

/// A level of fewer bytes is not worth a thread.
const SMALL_LEVEL: usize = 1 << 14;

/// One in so many states is expanded again by the interpreter,
const AUDITED: u64 = 1_009;

/// and so are the first, of so many successors in all.
const AUDITED_FIRST: usize = 1_000;

/// What a worker found in one level.
#[derive(Default)]
struct Found {
    batches: Vec<Batch>,
    /// States of this level that may break a property.
    here: Vec<Vec<u8>>,
    /// States of the next level that may.
    ahead: Vec<Vec<u8>>,
}

/// Hands successors to the store.
struct Keep<'a> {
    store: &'a Store,
    found: &'a mut Found,
}

impl Sink for Keep<'_> {
    #[inline]
    fn take(&mut self, record: &[u8], sort: Sort) {
        let hash = hash_of(record);
        let shard = Store::shard_of(hash);
        let batch = &mut self.found.batches[shard];
        batch.push(hash, record);
        if batch.is_full() {
            self.store.shard(shard).take(batch);
        }
        if sort.suspect {
            self.found.ahead.push(record.to_vec());
        }
    }
}

/// A search that is under way.
struct Search<'a, P: Checkable> {
    shared: &'a Shared<P>,
    store: &'a Store,
    options: CheckOptions,
    stop: AtomicBool,
    /// How the memory was found to differ from the interpreter.
    impure: Mutex<Option<String>>,
    /// Whether every state was met.
    exhausted: bool,
    /// Successors of the levels that are done.
    transitions: usize,
    /// Where each level begins, and where the last one ends.
    levels: path::Levels,
}

/// Exhausts the world of a set-up, or says what stopped it.
pub fn check<P: Checkable>(setup: &Arc<Setup<P>>, options: CheckOptions) -> Checked<P> {
    let begin = Instant::now();
    let shared = Shared::new(setup);
    let store = Store::new(options.fingerprints);
    let mut search = Search {
        shared: &shared,
        store: &store,
        options,
        stop: AtomicBool::new(false),
        impure: Mutex::default(),
        exhausted: false,
        transitions: 0,
        levels: vec![store.ends()],
    };
    let mut workers: Vec<_> = (0..options.threads.max(1)).map(|_| Worker::new(&shared)).collect();
    let mut marks = BTreeSet::new();
    let suspects = search.start(&mut marks);
    let (verdict, goals) = search.run(&mut workers, suspects);
    let depth = search.levels.len() - 1;
    let states = store.states();
    marks.extend(workers.iter().flat_map(|worker| worker.marks.iter().copied()));
    if options.fingerprints && !goals.is_empty() {
        // Nothing is kept that leads there: it is found once more, exactly.
        return check(setup, CheckOptions { fingerprints: false, ..options });
    }
    let trace = if goals.is_empty() {
        Vec::new()
    } else {
        path::shortest(&shared, &mut workers[0], &store, &search.levels, goals)
    };
    let (verdict, trace, cycle) = match (trace.last(), verdict) {
        (Some(_), _) => (Verdict::Violated(broken_at_the_end(&shared, &trace)), trace, None),
        (None, Verdict::Holds) => promises(&shared, &mut workers[0], &store, options),
        (None, verdict) => (verdict, trace, None),
    };
    Checked {
        verdict,
        exhausted: search.exhausted,
        states,
        transitions: search.transitions,
        depth,
        histories: shared.examiner.histories(),
        seconds: begin.elapsed().as_secs_f64(),
        marks,
        trace,
        cycle,
    }
}

/// Whether all is kept that was promised; else the run that breaks it.
fn promises<P: Checkable>(
    shared: &Shared<P>,
    worker: &mut Worker<'_, P>,
    store: &Store,
    options: CheckOptions,
) -> (Verdict, Vec<Action<P>>, Option<usize>) {
    match lasso::broken(shared, worker, store, options) {
        Ok(None) => (Verdict::Holds, Vec::new(), None),
        Ok(Some(Lasso { violation, trace, cycle })) => (Verdict::Violated(violation), trace, cycle),
        Err(reason) => (Verdict::Incomplete(reason), Vec::new(), None),
    }
}

/// The probability that of so many states some two have the same fingerprint of 64 bits.
fn omission(states: usize) -> f64 {
    let states = states as f64;
    (states * states / 2.0 / 2.0_f64.powi(64)).min(1.0)
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
    /// Stores the worlds that there are at the start; each may break a property.
    fn start(&mut self, marks: &mut BTreeSet<&'static str>) -> Vec<Vec<u8>> {
        let mut suspects = Vec::new();
        let mut found = Found::new(self.store);
        for (world, _) in World::starts(&self.shared.setup) {
            marks.extend(world.waiting.marks.iter().map(|(_, mark)| mark.name));
            let record = self.shared.record_of(&world);
            Keep { store: self.store, found: &mut found }.take(&record, Sort::default());
            self.transitions += 1;
            suspects.push(record);
        }
        found.store_all(self.store);
        self.levels.push(self.store.ends());
        suspects
    }

    /// Runs until nothing is left, something is broken or the search is stopped. Returns the
    /// states of the last level that are broken.
    fn run(
        &mut self,
        workers: &mut [Worker<'_, P>],
        mut suspects: Vec<Vec<u8>>,
    ) -> (Verdict, HashSet<Vec<u8>>) {
        let progress = Progress::start("states", None, self.options.progress);
        let initial = self.transitions;
        loop {
            let depth = self.levels.len() - 1;
            let too_deep = self.options.depth_max.is_some_and(|deepest| depth >= deepest);
            let mut ahead = Vec::new();
            if !too_deep {
                let found = self.expand_level(workers, &progress);
                suspects.extend(found.here);
                ahead = found.ahead;
            }
            self.transitions = initial + workers.iter().map(|w| w.transitions).sum::<usize>();
            let broken = self.broken(suspects);
            if !broken.is_empty() {
                return (Verdict::Holds, broken);
            }
            if let Some(reason) = self.cut_short(too_deep) {
                return (Verdict::Incomplete(reason), HashSet::new());
            }
            let ends = self.store.ends();
            if self.levels.last() == Some(&ends) {
                self.exhausted = !self.options.fingerprints;
                return (self.in_the_end(), HashSet::new());
            }
            self.store.let_go(self.levels.last().expect("there is a level"));
            self.levels.push(ends);
            suspects = ahead;
        }
    }

    fn in_the_end(&self) -> Verdict {
        match self.shared.examiner.undecided() {
            0 if self.options.fingerprints => Verdict::Incomplete(format!(
                "no state that was met breaks anything, and the probability that another state was \
                 taken for one of these is at most {:.1e}",
                omission(self.store.states())
            )),
            0 => Verdict::Holds,
            n => Verdict::Incomplete(format!("the judges gave up on {n} histories")),
        }
    }

    /// Those that are broken indeed.
    fn broken(&self, mut suspects: Vec<Vec<u8>>) -> HashSet<Vec<u8>> {
        suspects.sort_unstable();
        suspects.dedup();
        let broken = |record: &Vec<u8>| {
            self.shared.examiner.examine(&self.shared.world_of(record)).is_some()
        };
        suspects.into_iter().filter(broken).collect()
    }

    /// What cuts the search short, if anything does.
    fn cut_short(&self, too_deep: bool) -> Option<String> {
        let CheckOptions { states_max, depth_max, bytes_max, .. } = self.options;
        if let Some(difference) = &*self.impure.lock().expect("no thread panics with this") {
            return Some(format!("a handler is not pure: {difference}"));
        }
        let names = self.shared.names.read().expect("no thread panics with names");
        if let Some(disagreement) = &names.disagreement {
            return Some(disagreement.clone());
        }
        if progress::interrupted() {
            return Some("it was interrupted".to_owned());
        }
        if let Some(most) = bytes_max.filter(|most| crate::report::peak_bytes() > *most) {
            let varied = names.most_varied();
            return Some(format!("it used more than {most} bytes; {varied}"));
        }
        if let Some(most) = states_max.filter(|most| self.transitions >= *most) {
            return Some(format!("it stopped at {most} states; {}", names.most_varied()));
        }
        let deepest = depth_max.filter(|_| too_deep);
        deepest.map(|deepest| format!("it looked no deeper than {deepest}"))
    }

    /// Expands the last level: each shard's share of it is a piece of work.
    fn expand_level(&self, workers: &mut [Worker<'_, P>], progress: &Progress) -> Found {
        let [.., begins, ends] = &self.levels[..] else { unreachable!("there is a level") };
        let bytes = ends.iter().sum::<usize>() - begins.iter().sum::<usize>();
        let next = AtomicUsize::new(0);
        let done = AtomicUsize::new(workers.iter().map(|worker| worker.transitions).sum());
        let work = |worker: &mut Worker<'_, P>| {
            let mut found = Found::new(self.store);
            loop {
                let shard = next.fetch_add(1, Ordering::Relaxed);
                if shard >= self.store.shards() || self.stop.load(Ordering::Relaxed) {
                    break;
                }
                let before = worker.transitions;
                self.expand_shard(worker, shard, (begins[shard], ends[shard]), &mut found);
                let more = worker.transitions - before;
                let transitions = done.fetch_add(more, Ordering::Relaxed) + more;
                if more > 1_000 {
                    progress.at(transitions as u64);
                }
                if more > 1_000 && self.is_over(transitions) {
                    self.stop.store(true, Ordering::Relaxed);
                }
            }
            found.store_all(self.store);
            found
        };
        if workers.len() == 1 || bytes < SMALL_LEVEL {
            return work(&mut workers[0]);
        }
        let founds: Vec<Found> = std::thread::scope(|scope| {
            let running: Vec<_> =
                workers.iter_mut().map(|worker| scope.spawn(|| work(worker))).collect();
            running.into_iter().map(|thread| thread.join().expect("no worker panics")).collect()
        });
        founds.into_iter().fold(Found::default(), |mut all, found| {
            all.here.extend(found.here);
            all.ahead.extend(found.ahead);
            all
        })
    }

    fn expand_shard(
        &self,
        worker: &mut Worker<'_, P>,
        shard: usize,
        (from, to): (usize, usize),
        found: &mut Found,
    ) {
        if from == to {
            return;
        }
        let records = self.store.shard(shard).records(from, to).to_vec();
        let mut begin = 0;
        while begin < records.len() {
            let mut keep = Keep { store: self.store, found };
            let (length, suspect) = worker.expand(&records[begin..], &mut keep);
            if suspect {
                found.here.push(records[begin..begin + length].to_vec());
            }
            if self.is_sampled(worker, &records[begin..begin + length]) {
                let record = &records[begin..begin + length];
                if let Some(difference) = audit::difference(self.shared, worker, record) {
                    *self.impure.lock().expect("no thread panics with this") = Some(difference);
                    self.stop.store(true, Ordering::Relaxed);
                }
            }
            begin += length;
        }
    }

    /// Whether a state is expanded again by the interpreter: the first few, and then some.
    fn is_sampled(&self, worker: &Worker<'_, P>, record: &[u8]) -> bool {
        worker.transitions < AUDITED_FIRST || hash_of(record).is_multiple_of(AUDITED)
    }

    fn is_over(&self, transitions: usize) -> bool {
        let CheckOptions { states_max, bytes_max, .. } = self.options;
        progress::interrupted()
            || bytes_max.is_some_and(|most| crate::report::peak_bytes() > most)
            || states_max.is_some_and(|most| transitions >= most)
    }
}

impl Found {
    fn new(store: &Store) -> Self {
        let batches = std::iter::repeat_with(Batch::default).take(store.shards()).collect();
        Found { batches, here: Vec::new(), ahead: Vec::new() }
    }

    fn store_all(&mut self, store: &Store) {
        for (shard, batch) in self.batches.iter_mut().enumerate() {
            if !batch.is_empty() {
                store.shard(shard).take(batch);
            }
        }
    }
}
