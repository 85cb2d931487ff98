//! Names for values: what a part of a world holds, and the messages in flight, are kept once each
//! and named by small numbers. Names are given in the order of discovery, which differs from run
//! to run where there are threads: they never reach an output.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hash};
use std::ops::Range;
use std::sync::Arc;

use crate::protocol::{Checkable, NodeId};
use crate::world::{Action, Content, Digest, Flight, Happening, Part, Setup, World};

use super::vector::{Order, Vector};

/// Values of one type and their names.
pub struct Table<T> {
    names: HashMap<Arc<T>, u32, BuildHasherDefault<Digest>>,
    values: Vec<Arc<T>>,
    latest: Range<usize>,
}

impl<T: Eq + Hash> Table<T> {
    /// No names yet.
    pub fn new() -> Self {
        Table { names: HashMap::default(), values: Vec::new(), latest: 0..0 }
    }

    /// A value's name. Where it is new and yet equal to one of the last that got a name, its hash
    /// is another's: then the second says so.
    pub fn name(&mut self, value: T) -> (u32, bool) {
        if let Some(name) = self.names.get(&value) {
            return (*name, false);
        }
        let hidden = self.values.iter().rev().take(LATEST).any(|other| **other == value);
        (self.name_new(value), hidden)
    }

    fn name_new(&mut self, value: T) -> u32 {
        let name = u32::try_from(self.values.len()).expect("there are fewer values than numbers");
        let value = Arc::new(value);
        self.values.push(Arc::clone(&value));
        self.names.insert(value, name);
        name
    }

    /// The name that a value has.
    pub fn get(&self, value: &T) -> Option<u32> {
        self.names.get(value).copied()
    }

    /// The values that have a name by now are those that count.
    pub fn take_stock(&mut self) {
        if self.values.len() > self.latest.end {
            self.latest = self.latest.end..self.values.len();
        }
    }

    /// How many values count, and the last of those that came last, by their own words: who was
    /// named first among them depends on the threads.
    pub fn stock(&self, words: impl Fn(&T) -> String) -> (usize, String) {
        let latest = self.values[self.latest.clone()].iter().map(|value| words(value));
        let mut last = latest.max().unwrap_or_default();
        if let Some((end, _)) = last.char_indices().nth(SHOWN) {
            last.truncate(end);
            last += "...";
        }
        (self.latest.end, last)
    }

    /// All values, by name.
    pub fn values(&self) -> &[Arc<T>] {
        &self.values
    }
}

/// A new value is compared with so many that were named before.
const LATEST: usize = 8;

/// The longest state that a report shows.
const SHOWN: usize = 300;

/// All names.
pub struct Names<P: Checkable> {
    setup: Arc<Setup<P>>,
    order: Order,
    /// What each part holds.
    pub parts: Vec<Table<Content<P>>>,
    /// What is in flight.
    pub flights: Table<Flight<P::Msg>>,
    /// What is owed.
    pub duties: Table<Happening<P>>,
    /// What the protocol's types disagree about, among `Ord`, `Hash` and `Eq`.
    pub disagreement: Option<String>,
    ordered: BTreeSet<Arc<Flight<P::Msg>>>,
}

impl<P: Checkable> Names<P> {
    /// No names yet.
    pub fn new(setup: &Arc<Setup<P>>, order: Order) -> Self {
        let parts = Part::all(setup.nodes()).map(|_| Table::new()).collect();
        Names {
            setup: Arc::clone(setup),
            order,
            parts,
            flights: Table::new(),
            duties: Table::new(),
            disagreement: None,
            ordered: BTreeSet::new(),
        }
    }

    /// A world as a vector.
    pub fn vector_of(&mut self, world: &World<P>) -> Vector {
        let parts = Part::all(self.setup.nodes());
        let parts = parts.map(|part| self.name_of_part(world, part)).collect();
        Vector { parts, flights: self.names_of_flights(world) }
    }

    /// The name of what a part of a world holds.
    pub fn name_of_part(&mut self, world: &World<P>, part: Part) -> u32 {
        let (name, is_hidden) = self.parts[part.index()].name(world.content(part));
        if is_hidden {
            let content = &self.parts[part.index()].values[name as usize];
            let node = content.node().and_then(|node| node.state.as_ref());
            let what = node.map_or(format!("{part:?}"), |state| format!("{state:?}"));
            self.disagreement = Some(format!("`Eq` and `Hash` disagree: two hashes for {what}"));
        }
        name
    }

    /// The names of what is in flight, in the vector's order.
    pub fn names_of_flights(&mut self, world: &World<P>) -> Vec<u32> {
        let mut names = Vec::with_capacity(world.waiting.flights.len());
        for flight in &world.waiting.flights {
            let known = self.flights.values.len();
            let (name, _) = self.flights.name(flight.clone());
            if known < self.flights.values.len() {
                let value = Arc::clone(&self.flights.values[name as usize]);
                if !self.ordered.insert(value) {
                    let what = &flight.msg;
                    self.disagreement =
                        Some(format!("`Ord` and `Eq` or `Hash` disagree on {what:?}"));
                }
            }
            names.push(name);
        }
        if self.order == Order::ByName {
            names.sort_unstable();
        }
        names
    }

    /// The name of what an action does, from 1, where anything is promised and a fair run owes it.
    /// What chance draws in it makes no difference: no value is owed.
    pub fn duty_of(&mut self, action: &Action<P>) -> u32 {
        if action.is_fault() || self.setup.promises().next().is_none() {
            return 0;
        }
        self.duties.name(action.did.clone()).0 + 1
    }

    /// What has a name by now counts.
    pub fn take_stock(&mut self) {
        self.parts.iter_mut().for_each(Table::take_stock);
    }

    /// The node with the most states, and one of these: where a search does not end, it may be what
    /// goes on for ever.
    pub fn most_varied(&self) -> String {
        let words = |content: &Content<P>| {
            let node = content.node().and_then(|node| node.state.as_ref());
            node.map_or("down".to_owned(), |state| format!("{state:?}"))
        };
        let stock = |node: NodeId| self.parts[Part::Node(node).index()].stock(words);
        let stocks = NodeId::all(self.setup.nodes()).map(|node| (node, stock(node)));
        let most = stocks.rev().max_by_key(|(_, (count, _))| *count);
        let Some((node, (count, last))) = most else { return String::new() };
        format!("{node} has the most states, {count}: {last}")
    }

    /// The world of these parts in which these messages are in flight.
    pub fn world_of(&self, parts: &[u32], flights: &[u32]) -> World<P> {
        let tables = self.parts.iter().zip(parts);
        let contents = tables.map(|(table, name)| &*table.values[*name as usize]);
        let mut flights: Vec<_> = flights
            .iter()
            .map(|name| Flight::clone(&self.flights.values[*name as usize]))
            .collect();
        if self.order == Order::ByName {
            flights.sort_unstable();
        }
        World::assemble(&self.setup, contents, flights)
    }
}
