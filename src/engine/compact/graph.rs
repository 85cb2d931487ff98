//! The states that a search has stored, as a graph: for what no state shows by itself.
//!
//! States are numbered in the order in which they are stored, which differs from run to run where
//! there are threads; so numbers decide nothing that is shown. Ways are found by expanding every
//! state once more, from memory, and kept: 12 bytes each. Components are Tarjan's ("Depth-First
//! Search and Linear Graph Algorithms", 1972), without recursion.

use crate::engine::check::CheckOptions;
use crate::engine::levels::{Sink, Worker as Expands};
use crate::engine::progress;
use crate::protocol::Checkable;
use crate::world::{Part, World};

use super::memo::Sort;
use super::store::Store;
use super::vector::{Vector, hash_of};
use super::worker::{Shared, Worker};

/// A state, by number.
pub type State = u32;

/// Farther than anything is.
pub const FAR: u32 = u32::MAX;

/// Between two looks at the budgets so many states are expanded.
const PATIENCE: usize = 1 << 12;

/// A way from one state to another.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// Where it leads.
    pub to: State,
    /// See [`Sort::duty`].
    pub duty: u32,
    /// See [`Sort::marks`].
    pub marks: u16,
}

/// All states and the ways between them.
pub struct Graph<'a, P: Checkable> {
    shared: &'a Shared<P>,
    store: &'a Store,
    /// For each shard, the number of its first state, and where records begin and the last ends.
    begins: Vec<(State, Vec<u32>)>,
    /// Where the ways from each state begin; and where the last one's end.
    first: Vec<u32>,
    ways: Vec<Way>,
}

/// The ways back.
pub struct Back {
    first: Vec<u32>,
    from: Vec<State>,
}

/// Finds where ways lead to.
struct Follow<'a, 'g, P: Checkable>(&'a mut Vec<Way>, &'a Graph<'g, P>);

impl<P: Checkable> Sink<Sort> for Follow<'_, '_, P> {
    fn take(&mut self, record: &[u8], Sort { duty, marks, .. }: Sort) {
        let to = self.1.number_of(record).expect("all successors are stored");
        self.0.push(Way { to, duty, marks });
    }
}

impl<'a, P: Checkable> Graph<'a, P> {
    /// Of all states that a search has met, each with all of its successors; or what cut this
    /// short.
    pub fn of(
        shared: &'a Shared<P>,
        worker: &mut Worker<'_, P>,
        store: &'a Store,
        options: CheckOptions,
    ) -> Result<Self, String> {
        if store.ends().iter().any(|end| u32::try_from(*end).is_err()) {
            return Err("there are too many states to look for ways that go round".to_owned());
        }
        let mut graph = Graph { shared, store, begins: Vec::new(), first: vec![0], ways: vec![] };
        graph.number();
        let mut ways = Vec::new();
        for state in graph.states() {
            worker.expand(&graph.record(state), &mut Follow(&mut ways, &graph));
            graph.first.push(u32::try_from(ways.len()).expect("there are fewer ways than numbers"));
            if (state as usize).is_multiple_of(PATIENCE) {
                progress::within_budget(options.bytes_max)?;
            }
        }
        graph.ways = ways;
        Ok(graph)
    }

    fn number(&mut self) {
        let parts = Part::FIXED + usize::from(self.shared.setup.nodes());
        let (mut first, mut vector) = (0, Vector::default());
        for (shard, end) in self.store.ends().into_iter().enumerate() {
            let shard = self.store.shard(shard);
            let records = shard.records(0, end);
            let (mut begins, mut begin) = (Vec::new(), 0);
            while begin < records.len() {
                begins.push(begin as u32);
                begin += vector.read(parts, self.shared.order, &records[begin..]);
            }
            let states = begins.len() as State;
            begins.push(begin as u32);
            self.begins.push((first, begins));
            first += states;
        }
    }

    /// All states.
    pub fn states(&self) -> std::ops::Range<State> {
        let (first, begins) = self.begins.last().expect("there are shards");
        0..first + begins.len() as State - 1
    }

    /// A state's record.
    fn record(&self, state: State) -> Vec<u8> {
        let shard = self.begins.partition_point(|(first, _)| *first <= state) - 1;
        let (first, begins) = &self.begins[shard];
        let [begin, end] = [0, 1].map(|n| begins[(state - first) as usize + n] as usize);
        self.store.shard(shard).records(begin, end).to_vec()
    }

    /// The state with this record.
    fn number_of(&self, record: &[u8]) -> Option<State> {
        let hash = hash_of(record);
        let shard = self.store.shard_of(hash);
        let begin = self.store.shard(shard).find(hash, record)?;
        let (first, begins) = &self.begins[shard];
        let n = begins.binary_search(&(begin as u32)).ok()?;
        Some(first + n as State)
    }

    /// The number of a world's state.
    pub fn state_of(&self, world: &World<P>) -> Option<State> {
        self.number_of(&self.shared.record_of(world))
    }

    /// The world of a state.
    pub fn world_of(&self, state: State) -> World<P> {
        self.shared.world_of(&self.record(state))
    }

    /// The ways from a state.
    pub fn ways(&self, state: State) -> &[Way] {
        let [begin, end] = [0, 1].map(|n| self.first[state as usize + n] as usize);
        &self.ways[begin..end]
    }

    /// The ways back to each state.
    pub fn back(&self) -> Back {
        let mut first = vec![0; self.first.len()];
        for way in &self.ways {
            first[way.to as usize + 1] += 1;
        }
        for n in 1..first.len() {
            first[n] += first[n - 1];
        }
        let (mut next, mut from) = (first.clone(), vec![0; self.ways.len()]);
        for state in self.states() {
            for way in self.ways(state) {
                let place = &mut next[way.to as usize];
                from[*place as usize] = state;
                *place += 1;
            }
        }
        Back { first, from }
    }

    /// Hands over the members of each strongly connected component of these states, by ways that
    /// go there.
    pub fn components(
        &self,
        inside: impl Fn(State) -> bool,
        goes: impl Fn(&Way) -> bool,
        mut take: impl FnMut(&[State]),
    ) {
        const DONE: u32 = u32::MAX;
        // When each state was met, from 1, and the earliest that it is known to come back to.
        let (mut met, mut low) = (vec![0; self.first.len()], vec![0; self.first.len()]);
        let (mut clock, mut open) = (0, Vec::new());
        let mut path: Vec<(State, usize)> = Vec::new();
        for root in self.states().filter(|state| inside(*state)) {
            if met[root as usize] == 0 {
                path.push((root, 0));
            }
            while let Some((state, next)) = path.last_mut() {
                let here = *state as usize;
                if met[here] == 0 {
                    clock += 1;
                    (met[here], low[here]) = (clock, clock);
                    open.push(*state);
                }
                let ways = self.ways(*state);
                if let Some(way) = ways.get(*next) {
                    *next += 1;
                    let there = way.to as usize;
                    if goes(way) && inside(way.to) && met[there] == 0 {
                        path.push((way.to, 0));
                    } else if goes(way) && inside(way.to) && low[there] != DONE {
                        low[here] = low[here].min(met[there]);
                    }
                    continue;
                }
                let reached = low[here];
                if reached == met[here] {
                    let first = open.iter().rposition(|other| other == state).expect("it is open");
                    take(&open[first..]);
                    open.drain(first..).for_each(|member| low[member as usize] = DONE);
                }
                path.pop();
                if let Some((before, _)) = path.last().filter(|_| reached != met[here]) {
                    let before = *before as usize;
                    low[before] = low[before].min(reached);
                }
            }
        }
    }
}

impl Back {
    /// How far each state is from the nearest of these, each of which may be so far off already,
    /// by ways that begin and end in the states that are allowed.
    pub fn distances(
        &self,
        mut seeds: Vec<(u32, State)>,
        allowed: impl Fn(State, State) -> bool,
    ) -> Vec<u32> {
        let mut near = vec![FAR; self.first.len()];
        seeds.sort_unstable();
        let mut seeds = seeds.into_iter().peekable();
        let (mut front, mut distance): (Vec<State>, u32) = (Vec::new(), 0);
        while !front.is_empty() || seeds.peek().is_some() {
            if let (true, Some((next, _))) = (front.is_empty(), seeds.peek()) {
                distance = *next;
            }
            while let Some((_, seed)) = seeds.next_if(|(at, _)| *at == distance) {
                if near[seed as usize] == FAR {
                    near[seed as usize] = distance;
                    front.push(seed);
                }
            }
            distance += 1;
            let mut next = Vec::new();
            for state in front {
                let [begin, end] = [0, 1].map(|n| self.first[state as usize + n] as usize);
                for before in &self.from[begin..end] {
                    if near[*before as usize] == FAR && allowed(*before, state) {
                        near[*before as usize] = distance;
                        next.push(*before);
                    }
                }
            }
            front = next;
        }
        near
    }
}
