//! The search: level by level, on any number of threads. It goes on until every property that a
//! path can decide is decided, as stateright's does, or nothing is left.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use stateright::{Expectation, Model};

use crate::engine::check::CheckOptions;
use crate::engine::compact::store::{Batch, Store};
use crate::engine::compact::vector::hash_of;
use crate::engine::progress::{self, Progress};

use super::worker::{Deed, Shared, Sink, Worker};
use super::{Acting, ActionOf, Actors, Discovery, Found, Past, eventually, path};

/// A level of fewer bytes is not worth a thread.
const SMALL_LEVEL: usize = 1 << 14;

/// One in so many states is expanded again by stateright,
const AUDITED: u64 = 1_009;

/// and so are the first, of so many successors in all.
const AUDITED_FIRST: usize = 1_000;

/// What a worker found in one level.
struct Level {
    batches: Vec<Batch>,
    /// States that decide a property, by its number.
    decisive: Vec<(usize, Vec<u8>)>,
}

/// Hands successors to the store.
struct Keep<'a> {
    store: &'a Store,
    level: &'a mut Level,
}

impl Sink for Keep<'_> {
    #[inline]
    fn take(&mut self, record: &[u8], _: Deed) {
        let hash = hash_of(record);
        let shard = Store::shard_of(hash);
        let batch = &mut self.level.batches[shard];
        batch.push(hash, record);
        if batch.is_full() {
            self.store.shard(shard).take(batch);
        }
    }
}

/// A search that is under way.
struct Search<'a, A: Acting, C, H: Past> {
    shared: &'a Shared<'a, A, C, H>,
    store: &'a Store,
    options: CheckOptions,
    stop: AtomicBool,
    /// How the memory was found to differ from stateright.
    impure: Mutex<Option<String>>,
    /// Where each level begins, and where the last one ends.
    levels: Vec<Vec<usize>>,
    /// Which properties are not decided yet.
    is_open: Vec<bool>,
    discoveries: BTreeMap<&'static str, Discovery<ActionOf<A>>>,
}

/// Exhausts a model, or says what stopped it.
pub fn check<A: Acting, C: Sync, H: Past>(
    actors: &Actors<A, C, H>,
    options: CheckOptions,
) -> Found<ActionOf<A>> {
    check_for(actors, options, vec![true; actors.model.properties.len()])
}

/// Exhausts a model as far as it takes to decide these properties.
fn check_for<A: Acting, C: Sync, H: Past>(
    actors: &Actors<A, C, H>,
    options: CheckOptions,
    wanted: Vec<bool>,
) -> Found<ActionOf<A>> {
    let begin = Instant::now();
    let shared = Shared::new(actors);
    let store = Store::new(options.fingerprints);
    let properties = &actors.model.properties;
    let mut search = Search {
        shared: &shared,
        store: &store,
        options,
        stop: AtomicBool::new(false),
        impure: Mutex::default(),
        levels: vec![store.ends()],
        is_open: wanted,
        discoveries: BTreeMap::new(),
    };
    let mut workers: Vec<_> = (0..options.threads.max(1)).map(|_| Worker::new(&shared)).collect();
    let starts = search.start();
    let cut = search.run(&mut workers, starts);
    if options.fingerprints && search.is_open.contains(&false) {
        // Nothing is kept that leads there: it is found once more, exactly.
        let found = search.is_open.iter().map(|is_open| !is_open).collect();
        let exact = CheckOptions { fingerprints: false, ..options };
        search.discoveries = check_for(actors, exact, found).discoveries;
    }
    let incomplete = cut.or_else(|| search.eventually(actors)).or_else(|| search.omission());
    let names = shared.names.read().expect("no thread panics with names");
    Found {
        states: store.states(),
        transitions: starts + transitions(&workers),
        depth: search.levels.len() - 1,
        histories: names.histories.values().len(),
        seconds: begin.elapsed().as_secs_f64(),
        incomplete,
        properties: properties.iter().map(|p| (p.name, p.expectation.clone())).collect(),
        discoveries: search.discoveries,
    }
}

fn transitions<A: Acting, C, H: Past>(workers: &[Worker<'_, A, C, H>]) -> usize {
    workers.iter().map(|worker| worker.transitions).sum()
}

impl<'a, A: Acting, C: Sync, H: Past> Search<'a, A, C, H> {
    /// Stores the states that there are at the start, and says how many.
    fn start(&mut self) -> usize {
        let model = self.shared.model();
        let mut level = Level::new(self.store);
        let starts: Vec<_> =
            model.init_states().into_iter().filter(|s| Model::within_boundary(model, s)).collect();
        for system in &starts {
            let record = self.shared.record_of(system);
            Keep { store: self.store, level: &mut level }.take(&record, Deed::Fault);
        }
        level.store_all(self.store);
        self.levels.push(self.store.ends());
        starts.len()
    }

    /// Runs until nothing is left, all is decided or the search is stopped; says what stopped it.
    fn run(&mut self, workers: &mut [Worker<'a, A, C, H>], starts: usize) -> Option<String> {
        let progress = Progress::start("states", None, self.options.progress);
        loop {
            let depth = self.levels.len() - 1;
            let too_deep = self.options.depth_max.is_some_and(|deepest| depth >= deepest);
            if !too_deep {
                let decisive = self.expand_level(workers, &progress);
                self.settle(&mut workers[0], decisive);
            }
            if let Some(reason) = self.cut_short(too_deep, starts + transitions(workers)) {
                return Some(reason);
            }
            let ends = self.store.ends();
            if self.levels.last() == Some(&ends) {
                return None;
            }
            if !self.is_open.is_empty() && !self.is_open.contains(&true) {
                return Some("every property is decided".to_owned());
            }
            self.store.let_go(self.levels.last().expect("there is a level"));
            self.levels.push(ends);
        }
    }

    /// What a search by fingerprint can't say.
    fn omission(&self) -> Option<String> {
        let states = self.store.states() as f64;
        let likely = (states * states / 2.0 / 2.0_f64.powi(64)).min(1.0);
        let reason =
            format!("another state was taken for one of these with probability {likely:.1e}");
        self.options.fingerprints.then_some(reason)
    }

    /// Decides the properties of `eventually`; says what stopped it.
    fn eventually(&mut self, actors: &Actors<A, C, H>) -> Option<String> {
        let properties = self.shared.model().properties.iter().enumerate();
        for (n, property) in properties {
            if self.is_open[n] && property.expectation == Expectation::Eventually {
                match eventually::never(actors, n, self.options) {
                    Ok(Some(found)) => drop(self.discoveries.insert(property.name, found)),
                    Ok(None) => {}
                    Err(reason) => return Some(reason),
                }
            }
        }
        None
    }

    /// Finds paths for the properties that states of the last level decide.
    fn settle(&mut self, worker: &mut Worker<'a, A, C, H>, decisive: Vec<(usize, Vec<u8>)>) {
        let mut goals: BTreeMap<usize, HashSet<Vec<u8>>> = BTreeMap::new();
        for (property, record) in decisive {
            goals.entry(property).or_default().insert(record);
        }
        for (n, goals) in goals {
            self.is_open[n] = false;
            if self.options.fingerprints {
                continue;
            }
            let counted = worker.transitions;
            let path = path::shortest(self.shared, worker, self.store, &self.levels, goals);
            worker.transitions = counted;
            let name = self.shared.model().properties[n].name;
            if let Some(actions) = path {
                self.discoveries.insert(name, Discovery { actions, cycle: Vec::new() });
            } else {
                let reason = format!("`{name}` is decided by a path that can't be gone again");
                *self.impure.lock().expect("no thread panics with this") = Some(reason);
            }
        }
    }

    /// What cuts the search short, if anything does.
    fn cut_short(&self, too_deep: bool, transitions: usize) -> Option<String> {
        let CheckOptions { states_max, depth_max, bytes_max, .. } = self.options;
        let names = self.shared.names.read().expect("no thread panics with names");
        if let Some(disagreement) = &names.disagreement {
            return Some(disagreement.clone());
        }
        if let Some(difference) = &*self.impure.lock().expect("no thread panics with this") {
            return Some(difference.clone());
        }
        if progress::interrupted() {
            return Some("it was interrupted".to_owned());
        }
        if let Some(most) = bytes_max.filter(|most| crate::report::peak_bytes() > *most) {
            return Some(format!("it used more than {most} bytes; {}", names.most_varied()));
        }
        if let Some(most) = states_max.filter(|most| transitions >= *most) {
            return Some(format!("it stopped at {most} states; {}", names.most_varied()));
        }
        let deepest = depth_max.filter(|_| too_deep);
        deepest.map(|deepest| format!("it looked no deeper than {deepest}"))
    }

    /// Expands the last level: each shard's share of it is a piece of work.
    fn expand_level(
        &self,
        workers: &mut [Worker<'a, A, C, H>],
        progress: &Progress,
    ) -> Vec<(usize, Vec<u8>)> {
        let [.., begins, ends] = &self.levels[..] else { unreachable!("there is a level") };
        let bytes = ends.iter().sum::<usize>() - begins.iter().sum::<usize>();
        let next = AtomicUsize::new(0);
        let done = AtomicUsize::new(transitions(workers));
        let work = |worker: &mut Worker<'a, A, C, H>| {
            let mut level = Level::new(self.store);
            loop {
                let shard = next.fetch_add(1, Ordering::Relaxed);
                if shard >= self.store.shards() || self.stop.load(Ordering::Relaxed) {
                    break;
                }
                let before = worker.transitions;
                self.expand_shard(worker, shard, (begins[shard], ends[shard]), &mut level);
                let more = worker.transitions - before;
                let transitions = done.fetch_add(more, Ordering::Relaxed) + more;
                if more > 1_000 {
                    progress.at(transitions as u64);
                }
                if more > 1_000 && self.is_over(transitions) {
                    self.stop.store(true, Ordering::Relaxed);
                }
            }
            level.store_all(self.store);
            level.decisive
        };
        if workers.len() == 1 || bytes < SMALL_LEVEL {
            return work(&mut workers[0]);
        }
        std::thread::scope(|scope| {
            let running: Vec<_> =
                workers.iter_mut().map(|worker| scope.spawn(|| work(worker))).collect();
            running.into_iter().flat_map(|it| it.join().expect("no worker panics")).collect()
        })
    }

    fn expand_shard(
        &self,
        worker: &mut Worker<'a, A, C, H>,
        shard: usize,
        (from, to): (usize, usize),
        level: &mut Level,
    ) {
        if from == to {
            return;
        }
        let records = self.store.shard(shard).records(from, to).to_vec();
        let mut begin = 0;
        while begin < records.len() {
            let length = worker.expand(&records[begin..], &mut Keep { store: self.store, level });
            let record = &records[begin..begin + length];
            worker.judge(&self.is_open, |n| level.decisive.push((n, record.to_vec())));
            let is_sampled =
                worker.transitions < AUDITED_FIRST || hash_of(record).is_multiple_of(AUDITED);
            if let Some(difference) = is_sampled.then(|| worker.audit(record)).flatten() {
                *self.impure.lock().expect("no thread panics with this") = Some(difference);
                self.stop.store(true, Ordering::Relaxed);
            }
            begin += length;
        }
    }

    fn is_over(&self, transitions: usize) -> bool {
        let CheckOptions { states_max, bytes_max, .. } = self.options;
        progress::interrupted()
            || bytes_max.is_some_and(|most| crate::report::peak_bytes() > most)
            || states_max.is_some_and(|most| transitions >= most)
    }
}

impl Level {
    fn new(store: &Store) -> Self {
        let batches = std::iter::repeat_with(Batch::default).take(store.shards()).collect();
        Level { batches, decisive: Vec::new() }
    }

    fn store_all(&mut self, store: &Store) {
        for (shard, batch) in self.batches.iter_mut().enumerate() {
            if !batch.is_empty() {
                store.shard(shard).take(batch);
            }
        }
    }
}
