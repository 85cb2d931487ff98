//! Properties of `eventually`: is there a path, from the start, on which the condition is false for
//! ever? It may end in a state from which nothing goes on, as stateright's counterexamples do; and
//! it may go round.
//!
//! stateright carries along a path which conditions it has met, and gives up a path where it comes
//! to a state that another one has been to: so it misses every path that goes round, and one that
//! joins another which has met the condition. Here the states in which the condition is false are
//! explored by themselves, from the start through nothing else, and a path that goes round is found
//! as a strongly connected component (Tarjan, 1972). It counts if it is weakly fair: whatever can
//! happen all the way round (a delivery, a timer, a choice, a recovery) does happen. Losses and
//! crashes come to an end, so none is on it, and a path may end where nothing else goes on.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use stateright::Model;

use crate::engine::check::CheckOptions;
use crate::engine::levels::{Sink, Worker as Expands};
use crate::engine::progress;

use super::worker::{Deed, Shared, Worker};
use super::{Acting, ActionOf, Actors, Discovery, Past};

/// Where an edge leads that leaves the region.
const OUT: u32 = u32::MAX;

/// Between two looks at the budget so many states are expanded.
const PATIENCE: usize = 1 << 10;

/// Deeds, and where they lead.
type Edges = Vec<(Deed, u32)>;

/// The states that can be reached while the condition is false, in the order of their distance.
#[derive(Default)]
struct Region {
    numbers: HashMap<Box<[u8]>, u32>,
    states: Vec<Box<[u8]>>,
    edges: Vec<Edges>,
    /// From where, and by what, a state was reached first.
    parents: Vec<Option<(u32, Deed)>>,
}

/// A state's successors.
#[derive(Default)]
struct Successors(Vec<(Deed, Box<[u8]>)>);

impl Sink<Deed> for Successors {
    fn take(&mut self, record: &[u8], deed: Deed) {
        self.0.push((deed, record.into()));
    }
}

/// A shortest path that ends before the condition is ever true, or else a path that goes round.
///
/// # Errors
/// If there are too many states, or an actor is not pure.
pub fn never<A: Acting, C: Sync, H: Past>(
    actors: &Actors<A, C, H>,
    property: usize,
    options: CheckOptions,
) -> Result<Option<Discovery<ActionOf<A>>>, String> {
    // Names are given anew, on one thread, so that nothing depends on who was first elsewhere.
    let shared = Shared::new(actors);
    let mut worker = Worker::new(&shared, Vec::new());
    let (region, end) = explore(&shared, &mut worker, property, options)?;
    let retrace = |stem, cycle| match retrace(&shared, &worker, stem, cycle) {
        None => Err("what happens eventually is decided by a path that can't be gone again".into()),
        found => Ok(found),
    };
    if let Some(end) = end {
        return retrace(region.way_to(end), Vec::new());
    }
    let fair = region.components().into_iter().filter(|all| region.is_fair(all));
    let Some(all) = fair.min_by_key(|all| all.first().copied()) else { return Ok(None) };
    let (entry, cycle) = region.round(&all);
    retrace(region.way_to(entry), cycle)
}

/// Explores the region, up to the first state from which nothing goes on.
fn explore<A: Acting, C: Sync, H: Past>(
    shared: &Shared<'_, A, C, H>,
    worker: &mut Worker<'_, A, C, H>,
    property: usize,
    options: CheckOptions,
) -> Result<(Region, Option<u32>), String> {
    let (model, mut region) = (shared.model(), Region::default());
    for system in model.init_states().iter().filter(|start| Model::within_boundary(model, start)) {
        let record = shared.record_of(system);
        region.reach(record.into(), None, |record| worker.says(record, property));
    }
    let (mut next, mut met) = (0, 0);
    while next < region.states.len() {
        if options.states_max.is_some_and(|most| met > most) {
            return Err("there was no room left to decide what happens eventually".to_owned());
        }
        if next.is_multiple_of(PATIENCE) {
            progress::within_budget(options.bytes_max)?;
        }
        let mut successors = Successors::default();
        worker.expand(&region.states[next].clone(), &mut successors);
        if successors.0.iter().all(|(deed, _)| *deed == Deed::Fault) {
            return Ok((region, Some(next as u32)));
        }
        met += successors.0.len();
        let edges = successors.0.into_iter().map(|(deed, record)| {
            let parent = Some((next as u32, deed));
            (deed, region.reach(record, parent, |record| worker.says(record, property)))
        });
        let edges = edges.collect();
        region.edges.push(edges);
        next += 1;
    }
    Ok((region, None))
}

impl Region {
    /// The number of a state; out of the region if the condition is true there.
    fn reach(
        &mut self,
        record: Box<[u8]>,
        parent: Option<(u32, Deed)>,
        is_met: impl FnOnce(&[u8]) -> bool,
    ) -> u32 {
        if let Some(number) = self.numbers.get(&record) {
            return *number;
        }
        let number = if is_met(&record) { OUT } else { self.states.len() as u32 };
        if number != OUT {
            self.states.push(record.clone());
            self.parents.push(parent);
        }
        self.numbers.insert(record, number);
        number
    }

    /// How a state was reached first: the deeds, and the records of the states after them.
    fn way_to(&self, mut state: u32) -> Vec<(Deed, &[u8])> {
        let mut way = Vec::new();
        while let Some((before, deed)) = self.parents[state as usize] {
            way.push((deed, &*self.states[state as usize]));
            state = before;
        }
        way.reverse();
        way
    }

    /// Where a path may go on that goes round.
    fn onward(&self, state: u32) -> impl Iterator<Item = (Deed, u32)> {
        let edges = self.edges[state as usize].iter().copied();
        edges.filter(|(deed, to)| *to != OUT && *deed != Deed::Fault)
    }

    /// What can happen in a state.
    fn enabled(&self, state: u32) -> BTreeSet<Deed> {
        let deeds = self.edges[state as usize].iter().map(|(deed, _)| *deed);
        deeds.filter(|deed| *deed != Deed::Fault).collect()
    }

    /// Whether a path that goes round through all of a component is fair: whatever can happen in
    /// all of its states does happen between two of them.
    fn is_fair(&self, all: &BTreeSet<u32>) -> bool {
        let mut owed = self.enabled(*all.first().expect("a component has a state"));
        all.iter().for_each(|state| owed = &owed & &self.enabled(*state));
        let inside = |state: &u32| self.onward(*state).filter(|(_, to)| all.contains(to));
        let taken: BTreeSet<Deed> = all.iter().flat_map(inside).map(|(deed, _)| deed).collect();
        !taken.is_empty() && owed.is_subset(&taken)
    }

    /// A way round in a fair component that is fair itself, and where it begins: for each deed that
    /// can happen there, it does so, or comes to where it can't.
    fn round<'a>(&'a self, all: &BTreeSet<u32>) -> (u32, Vec<(Deed, &'a [u8])>) {
        let entry = *all.first().expect("a component has a state");
        let (mut at, mut way) = (entry, Vec::new());
        let mut owed = self.enabled(entry);
        loop {
            let is_paid = |(deed, to): (Deed, u32)| {
                let can = self.enabled(to);
                owed.iter().any(|owed| *owed == deed || !can.contains(owed))
            };
            let is_back = |(_, to): (Deed, u32)| to == entry;
            let more = match owed.is_empty() {
                false => self.nearest(at, all, is_paid),
                true if at == entry && !way.is_empty() => break,
                true => self.nearest(at, all, is_back),
            };
            for (deed, to) in more {
                owed = owed.intersection(&self.enabled(to)).copied().collect();
                owed.remove(&deed);
                way.push((deed, &*self.states[to as usize]));
                at = to;
            }
        }
        (entry, way)
    }

    /// The shortest way in a component whose last edge is such a one.
    fn nearest(
        &self,
        from: u32,
        all: &BTreeSet<u32>,
        is_goal: impl Fn((Deed, u32)) -> bool,
    ) -> Edges {
        let mut parents: BTreeMap<u32, (u32, Deed)> = BTreeMap::new();
        let mut queue = VecDeque::from([from]);
        while let Some(state) = queue.pop_front() {
            for (deed, to) in self.onward(state).filter(|(_, to)| all.contains(to)) {
                if is_goal((deed, to)) {
                    let mut way = vec![(deed, to)];
                    let mut at = state;
                    while at != from {
                        let (before, deed) = parents[&at];
                        way.push((deed, at));
                        at = before;
                    }
                    way.reverse();
                    return way;
                }
                if to != from && !parents.contains_key(&to) {
                    parents.insert(to, (state, deed));
                    queue.push_back(to);
                }
            }
        }
        unreachable!("all of a component can be reached from each of its states")
    }

    /// The strongly connected components.
    fn components(&self) -> Vec<BTreeSet<u32>> {
        let mut found = Vec::new();
        let mut walk = Walk { seen: vec![0; self.states.len()], ..Walk::default() };
        for root in 0..self.states.len() as u32 {
            if walk.seen[root as usize] == 0 {
                walk.from(self, root, &mut found);
            }
        }
        found
    }
}

/// Tarjan's walk, with a stack of its own for what would be recursion.
#[derive(Default)]
struct Walk {
    /// When a state was first seen, from 1; `DONE` once its component is known.
    seen: Vec<u32>,
    clock: u32,
    open: Vec<u32>,
    /// States on the way, the edges that are left of each, and the earliest state that it reaches.
    path: Vec<(u32, Vec<u32>, u32)>,
}

const DONE: u32 = u32::MAX;

impl Walk {
    fn enter(&mut self, region: &Region, state: u32) {
        self.clock += 1;
        self.seen[state as usize] = self.clock;
        self.open.push(state);
        let ahead = region.onward(state).map(|(_, to)| to).collect();
        self.path.push((state, ahead, self.clock));
    }

    fn from(&mut self, region: &Region, root: u32, found: &mut Vec<BTreeSet<u32>>) {
        self.enter(region, root);
        while let Some((state, ahead, low)) = self.path.last_mut() {
            if let Some(to) = ahead.pop() {
                match self.seen[to as usize] {
                    0 => self.enter(region, to),
                    DONE => {}
                    seen => *low = seen.min(*low),
                }
                continue;
            }
            let (state, low) = (*state, *low);
            self.path.pop();
            if let Some((.., earlier)) = self.path.last_mut() {
                *earlier = low.min(*earlier);
            }
            if low == self.seen[state as usize] {
                let begin = self.open.iter().rposition(|open| *open == state);
                let all = self.open.split_off(begin.expect("an open state is on the stack"));
                all.iter().for_each(|state| self.seen[*state as usize] = DONE);
                found.push(all.into_iter().collect());
            }
        }
    }
}

/// The actions of a path, by stateright's own rules, if it finds them.
fn retrace<A: Acting, C, H: Past>(
    shared: &Shared<'_, A, C, H>,
    worker: &Worker<'_, A, C, H>,
    stem: Vec<(Deed, &[u8])>,
    cycle: Vec<(Deed, &[u8])>,
) -> Option<Discovery<ActionOf<A>>> {
    let model = shared.model();
    let mut system = model.init_states().pop().expect("a system of actors has one start");
    let mut actions: Vec<ActionOf<A>> = Vec::new();
    let length = stem.len();
    for (deed, record) in stem.into_iter().chain(cycle) {
        let mut steps = model.next_steps(&system).into_iter();
        let (action, next) = steps.find(|(action, next)| {
            worker.deed_of(action) == deed && shared.record_of(next) == record
        })?;
        actions.push(action);
        system = next;
    }
    let cycle = actions.split_off(length);
    Some(Discovery { actions, cycle })
}
