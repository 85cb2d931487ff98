//! Names for values: what a part of a world holds, and the messages in flight, are kept once each
//! and named by small numbers. Names are given in the order of discovery, which differs from run
//! to run where there are threads: they never reach an output.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash};
use std::sync::Arc;

use crate::protocol::Checkable;
use crate::world::{Content, Digest, Flight, Part, Setup, World};

use super::vector::{Order, Vector};

/// Values of one type and their names.
pub struct Table<T> {
    names: HashMap<Arc<T>, u32, BuildHasherDefault<Digest>>,
    values: Vec<Arc<T>>,
}

impl<T: Eq + Hash> Table<T> {
    fn new() -> Self {
        Table { names: HashMap::default(), values: Vec::new() }
    }

    /// A value's name.
    pub fn name(&mut self, value: T) -> u32 {
        if let Some(name) = self.names.get(&value) {
            return *name;
        }
        let name = u32::try_from(self.values.len()).expect("there are fewer values than numbers");
        let value = Arc::new(value);
        self.values.push(Arc::clone(&value));
        self.names.insert(value, name);
        name
    }

    /// All values, by name.
    pub fn values(&self) -> &[Arc<T>] {
        &self.values
    }
}

/// All names.
pub struct Names<P: Checkable> {
    setup: Arc<Setup<P>>,
    order: Order,
    /// What each part holds.
    pub parts: Vec<Table<Content<P>>>,
    /// What is in flight.
    pub flights: Table<Flight<P::Msg>>,
}

impl<P: Checkable> Names<P> {
    /// No names yet.
    pub fn new(setup: &Arc<Setup<P>>, order: Order) -> Self {
        let parts = Part::all(setup.nodes()).map(|_| Table::new()).collect();
        Names { setup: Arc::clone(setup), order, parts, flights: Table::new() }
    }

    /// A world as a vector.
    pub fn vector_of(&mut self, world: &World<P>) -> Vector {
        let parts = Part::all(self.setup.nodes());
        let parts = parts.map(|part| self.parts[part.index()].name(world.content(part))).collect();
        let flights = world.waiting.flights.iter();
        let mut flights: Vec<_> = flights.map(|f| self.flights.name(f.clone())).collect();
        if self.order == Order::ByName {
            flights.sort_unstable();
        }
        Vector { parts, flights }
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
