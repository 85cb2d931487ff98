//! The search of a model: it goes on until every property that a path can decide is decided, as
//! stateright's does, or nothing is left.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use stateright::{Expectation, Model};

use crate::engine::check::CheckOptions;
use crate::engine::levels::Levels;

use super::worker::{Shared, Worker};
use super::{Acting, ActionOf, Actors, Discovery, Found, Past, eventually};

/// A search that is under way.
struct Search<'a, A: Acting, C, H: Past> {
    shared: &'a Shared<'a, A, C, H>,
    levels: Levels,
    workers: Vec<Worker<'a, A, C, H>>,
    /// Distinct histories in the levels that count.
    histories: usize,
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
    let mut starts = actors.model.init_states();
    starts.retain(|start| Model::within_boundary(&actors.model, start));
    let workers = (0..options.threads.max(1)).map(|_| Worker::new(&shared, wanted.clone()));
    let mut search = Search {
        shared: &shared,
        levels: Levels::new(options, starts.iter().map(|start| shared.record_of(start))),
        workers: workers.collect(),
        histories: 0,
        discoveries: BTreeMap::new(),
    };
    let cut = search.run(options.fingerprints);
    let is_open = &search.workers[0].is_open;
    if options.fingerprints && is_open.contains(&false) {
        // Nothing is kept that leads there: it is found once more, exactly.
        let found = is_open.iter().map(|is_open| !is_open).collect();
        let exact = CheckOptions { fingerprints: false, ..options };
        search.discoveries = check_for(actors, exact, found).discoveries;
    }
    let incomplete = cut.or_else(|| search.eventually(actors, options));
    let incomplete = incomplete.or_else(|| options.fingerprints.then(|| search.omission()));
    let counts = search.levels.counts();
    Found {
        states: counts.states,
        transitions: counts.transitions,
        depth: search.levels.depth(),
        histories: search.histories,
        seconds: begin.elapsed().as_secs_f64(),
        incomplete,
        properties: actors
            .model
            .properties
            .iter()
            .map(|p| (p.name, p.expectation.clone()))
            .collect(),
        discoveries: search.discoveries,
    }
}

impl<A: Acting, C: Sync, H: Past> Search<'_, A, C, H> {
    /// Runs until nothing is left, all is decided or the search is stopped; says what stopped it.
    fn run(&mut self, by_fingerprint: bool) -> Option<String> {
        self.take_stock();
        loop {
            let found = self.levels.expand(&mut self.workers);
            let broken = self.settle(found.here, by_fingerprint);
            let cut = self.levels.cut_short(&self.workers[0]);
            if self.levels.is_whole() {
                self.take_stock();
            }
            if broken.is_some() || cut.is_some() {
                return cut.or(broken);
            }
            if self.levels.is_done() {
                return None;
            }
            let is_open = &self.workers[0].is_open;
            if !is_open.is_empty() && !is_open.contains(&true) {
                return Some("every property is decided".to_owned());
            }
            self.levels.go_on();
        }
    }

    /// What was seen so far counts.
    fn take_stock(&mut self) {
        let mut names = self.shared.names.write().expect("no thread panics with names");
        names.take_stock();
        self.histories = names.histories.values().len();
    }

    /// What a search by fingerprint can't say.
    fn omission(&self) -> String {
        let likely = self.levels.omission();
        format!("another state was taken for one of these with probability {likely:.1e}")
    }

    /// Decides the properties of `eventually`; says what stopped it.
    fn eventually(&mut self, actors: &Actors<A, C, H>, options: CheckOptions) -> Option<String> {
        let properties = self.shared.model().properties.iter().enumerate();
        for (n, property) in properties {
            if self.workers[0].is_open[n] && property.expectation == Expectation::Eventually {
                match eventually::never(actors, n, options) {
                    Ok(Some(found)) => drop(self.discoveries.insert(property.name, found)),
                    Ok(None) => {}
                    Err(reason) => return Some(reason),
                }
            }
        }
        None
    }

    /// Finds paths for the properties that states of the last level decide; says which was decided
    /// by a path that can't be gone.
    fn settle(&mut self, decisive: Vec<(usize, Vec<u8>)>, by_fingerprint: bool) -> Option<String> {
        let mut goals: BTreeMap<usize, HashSet<Vec<u8>>> = BTreeMap::new();
        for (property, record) in decisive {
            goals.entry(property).or_default().insert(record);
        }
        let mut broken = None;
        for (n, goals) in goals {
            self.workers.iter_mut().for_each(|worker| worker.is_open[n] = false);
            if by_fingerprint {
                continue;
            }
            let name = self.shared.model().properties[n].name;
            if let Some(actions) = self.shortest(goals) {
                self.discoveries.insert(name, Discovery { actions, cycle: Vec::new() });
            } else {
                broken = Some(format!("`{name}` is decided by a path that can't be gone again"));
            }
        }
        broken
    }

    /// The first of the shortest paths to one of these states, which are of the last level; `None`
    /// where stateright does not find it, since an actor is not pure.
    fn shortest(&mut self, goals: HashSet<Vec<u8>>) -> Option<Vec<ActionOf<A>>> {
        let (shared, model) = (self.shared, self.shared.model());
        let steps = |system: Option<&_>| -> Vec<(Option<ActionOf<A>>, _)> {
            match system {
                Some(system) => {
                    let steps = model.next_steps(system).into_iter();
                    steps.map(|(action, next)| (Some(action), next)).collect()
                }
                None => model.init_states().into_iter().map(|start| (None, start)).collect(),
            }
        };
        let record_of = |system: &_| shared.record_of(system);
        let path = self.levels.shortest(&mut self.workers[0], goals, steps, record_of)?;
        Some(path.into_iter().flatten().collect())
    }
}
