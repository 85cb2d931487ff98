//! Names for what an actor has, for messages and for histories, and states as vectors of them.
//!
//! Names are given in the order of discovery and never reach an output. The parts of a vector are
//! all actors by number, then the history, and then the message that was delivered last: stateright
//! counts it to the state where the network duplicates, and so does whoever wants to count the
//! same. The messages in flight are sorted by name, or by link where links keep the order.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use stateright::actor::{ActorModelState, Envelope, Id, Network};

use crate::engine::compact::names::Table;
use crate::engine::compact::vector::{Order, Vector};

use super::local::Local;
use super::{Acting, Past};

/// A value that its owner says can be compared, though not that it is equal to itself.
#[derive(Clone, Debug)]
pub struct Same<T>(pub T);

impl<T: PartialEq> PartialEq for Same<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T: PartialEq> Eq for Same<T> {}

impl<T: Hash> Hash for Same<T> {
    fn hash<S: Hasher>(&self, hasher: &mut S) {
        self.0.hash(hasher);
    }
}

/// What a network does with messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Delivers each once.
    Once,
    /// Delivers each any number of times: a message is in it or not.
    AnyNumber,
    /// Delivers each once, and those of one link in their order.
    InOrder,
}

/// All names.
pub struct Names<A: Acting, H: Past> {
    /// What each actor has.
    pub locals: Vec<Table<Same<Local<A>>>>,
    /// Messages.
    pub envelopes: Table<Envelope<A::Msg>>,
    /// Histories.
    pub histories: Table<Same<H>>,
    /// What the model's types disagree about.
    pub disagreement: Option<String>,
    kind: Kind,
}

impl Kind {
    /// What this network does.
    pub fn of<M: Eq + Hash>(network: &Network<M>) -> Kind {
        match network {
            Network::UnorderedDuplicating(..) => Kind::AnyNumber,
            Network::UnorderedNonDuplicating(_) => Kind::Once,
            Network::Ordered(_) => Kind::InOrder,
        }
    }

    /// How vectors keep its messages.
    pub fn order(self) -> Order {
        match self {
            Kind::Once | Kind::AnyNumber => Order::ByName,
            Kind::InOrder => Order::AsInTheWorld,
        }
    }

    /// How many parts a vector has beside the actors.
    pub fn more_parts(self) -> usize {
        1 + usize::from(self == Kind::AnyNumber)
    }
}

impl<A: Acting, H: Past> Names<A, H> {
    /// No names yet.
    pub fn new(actors: usize, kind: Kind) -> Self {
        Names {
            locals: std::iter::repeat_with(Table::new).take(actors).collect(),
            envelopes: Table::new(),
            histories: Table::new(),
            disagreement: None,
            kind,
        }
    }

    /// The name of what an actor has.
    pub fn name_of_local(&mut self, actor: usize, local: Local<A>) -> u32 {
        name(&mut self.locals[actor], Same(local), &mut self.disagreement)
    }

    /// A message's name.
    pub fn name_of_envelope(&mut self, envelope: Envelope<A::Msg>) -> u32 {
        name(&mut self.envelopes, envelope, &mut self.disagreement)
    }

    /// A history's name.
    pub fn name_of_history(&mut self, history: H) -> u32 {
        name(&mut self.histories, Same(history), &mut self.disagreement)
    }

    /// A state as a vector.
    pub fn vector_of(&mut self, system: &ActorModelState<A, H>) -> Vector {
        let actors = 0..self.locals.len();
        let locals = actors.map(|actor| self.name_of_local(actor, Local::of(system, actor)));
        let mut parts: Vec<u32> = locals.collect();
        parts.push(self.name_of_history(system.history.clone()));
        let mut flights = Vec::new();
        match &system.network {
            Network::UnorderedDuplicating(all, last) => {
                let last = last.clone().map(|last| self.name_of_envelope(last) + 1);
                parts.push(last.unwrap_or(0));
                flights.extend(all.iter().map(|one| self.name_of_envelope(one.clone())));
                flights.sort_unstable();
            }
            Network::UnorderedNonDuplicating(all) => {
                for (envelope, copies) in all.iter() {
                    let name = self.name_of_envelope(envelope.clone());
                    flights.extend(std::iter::repeat_n(name, *copies));
                }
                flights.sort_unstable();
            }
            Network::Ordered(links) => {
                for (&(src, dst), msgs) in links {
                    let envelopes = msgs.iter().map(|msg| Envelope { src, dst, msg: msg.clone() });
                    flights.extend(envelopes.map(|envelope| self.name_of_envelope(envelope)));
                }
            }
        }
        Vector { parts, flights }
    }

    /// A vector's record.
    pub fn record_of(&mut self, system: &ActorModelState<A, H>) -> Vec<u8> {
        let mut record = Vec::new();
        self.vector_of(system).write(self.kind.order(), &mut record);
        record
    }

    /// What has a name by now counts.
    pub fn take_stock(&mut self) {
        self.locals.iter_mut().for_each(Table::take_stock);
    }

    /// The actor with the most states, and one of these: where a search does not end, it may be
    /// what goes on for ever.
    pub fn most_varied(&self) -> String {
        let stocks = self.locals.iter().map(|table| table.stock(|state| format!("{:?}", state.0)));
        let most = stocks.enumerate().rev().max_by_key(|(_, (count, _))| *count);
        let Some((actor, (count, last))) = most else { return String::new() };
        format!("actor {actor} has the most states, {count}: {last}")
    }
}

/// Names a value, and looks whether its type can be trusted.
fn name<T: Eq + Hash + Debug>(
    table: &mut Table<T>,
    value: T,
    disagreement: &mut Option<String>,
) -> u32 {
    let known = table.values().len();
    let (name, is_hidden) = table.name(value);
    if is_hidden {
        let value = &table.values()[name as usize];
        *disagreement = Some(format!("`Eq` and `Hash` disagree: two hashes for {value:?}"));
    }
    if known < table.values().len() {
        let value: &T = &table.values()[name as usize];
        if !equal(value, value) {
            *disagreement = Some(format!("a value is not equal to itself: {value:?}"));
        }
    }
    name
}

fn equal<T: PartialEq>(one: &T, other: &T) -> bool {
    one == other
}

/// What a thread remembers of what has a name.
pub struct Values<A: Acting, H: Past> {
    /// What each actor has.
    pub locals: Vec<Vec<Arc<Same<Local<A>>>>>,
    /// Messages.
    pub envelopes: Vec<Arc<Envelope<A::Msg>>>,
    /// Histories.
    pub histories: Vec<Arc<Same<H>>>,
}

impl<A: Acting, H: Past> Values<A, H> {
    /// Nothing yet.
    pub fn new(actors: usize) -> Self {
        let locals = std::iter::repeat_with(Vec::new).take(actors).collect();
        Values { locals, envelopes: Vec::new(), histories: Vec::new() }
    }

    /// Hears of all that has got a name since.
    pub fn hear_of(&mut self, names: &Names<A, H>) {
        for (ours, table) in self.locals.iter_mut().zip(&names.locals) {
            ours.extend_from_slice(&table.values()[ours.len()..]);
        }
        self.envelopes.extend_from_slice(&names.envelopes.values()[self.envelopes.len()..]);
        self.histories.extend_from_slice(&names.histories.values()[self.histories.len()..]);
    }

    /// Whether all names of a vector are known.
    pub fn know(&self, vector: &Vector) -> bool {
        let know = |(part, locals): (&u32, &Vec<_>)| (*part as usize) < locals.len();
        let actors = self.locals.len();
        let last = vector.parts.get(actors + 1).copied().unwrap_or(0);
        vector.parts.iter().zip(&self.locals).all(know)
            && (vector.parts[actors] as usize) < self.histories.len()
            && last as usize <= self.envelopes.len()
            && vector.flights.iter().all(|flight| (*flight as usize) < self.envelopes.len())
    }

    /// The state that a vector stands for.
    pub fn state_of(&self, vector: &Vector, kind: Kind) -> ActorModelState<A, H> {
        let actors = self.locals.len();
        let mut system = ActorModelState {
            actor_states: Vec::with_capacity(actors),
            network: self.network_of(vector, kind),
            timers_set: Vec::with_capacity(actors),
            random_choices: Vec::with_capacity(actors),
            crashed: Vec::with_capacity(actors),
            history: self.histories[vector.parts[actors] as usize].0.clone(),
            actor_storages: Vec::with_capacity(actors),
        };
        for (local, locals) in vector.parts.iter().zip(&self.locals) {
            locals[*local as usize].0.add_to(&mut system);
        }
        system
    }

    fn network_of(&self, vector: &Vector, kind: Kind) -> Network<A::Msg> {
        let envelope = |name: &u32| Envelope::clone(&self.envelopes[*name as usize]);
        let envelopes = vector.flights.iter().map(envelope);
        match kind {
            Kind::Once => Network::new_unordered_nonduplicating(envelopes),
            Kind::AnyNumber => {
                let last = vector.parts[self.locals.len() + 1].checked_sub(1);
                let last = last.map(|name| envelope(&name));
                Network::new_unordered_duplicating_with_last_msg(envelopes, last)
            }
            Kind::InOrder => {
                let mut links: BTreeMap<(Id, Id), VecDeque<A::Msg>> = BTreeMap::new();
                for Envelope { src, dst, msg } in envelopes {
                    links.entry((src, dst)).or_default().push_back(msg);
                }
                Network::Ordered(links)
            }
        }
    }
}
