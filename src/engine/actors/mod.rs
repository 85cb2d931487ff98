//! stateright's actors on the compact engine, unchanged: any `ActorModel` that its users have, with
//! its network, its losses, crashes, timers, storages, random choices, history and properties.
//!
//! ```
//! use std::borrow::Cow;
//!
//! use seedbed::engine::actors::Actors;
//! use seedbed::engine::check::CheckOptions;
//! use stateright::actor::{Actor, ActorModel, Id, Network, Out};
//! use stateright::{Checker, Expectation, Model, Path};
//!
//! /// Counts what it hears, and answers until it has heard enough.
//! #[derive(Clone)]
//! struct Pinger;
//!
//! impl Actor for Pinger {
//!     type Msg = u8;
//!     type Timer = ();
//!     type State = u8;
//!     type Storage = ();
//!     type Random = ();
//!
//!     fn on_start(&self, me: Id, _: &Option<()>, out: &mut Out<Self>) -> u8 {
//!         if me == Id::from(0) {
//!             out.send(Id::from(1), 0);
//!         }
//!         0
//!     }
//!
//!     fn on_msg(&self, _: Id, heard: &mut Cow<u8>, from: Id, n: u8, out: &mut Out<Self>) {
//!         *heard.to_mut() += 1;
//!         if n < 4 {
//!             out.send(from, n + 1);
//!         }
//!     }
//! }
//!
//! let model = ActorModel::new((), ())
//!     .actors([Pinger, Pinger])
//!     .init_network(Network::new_unordered_nonduplicating([]))
//!     .property(Expectation::Sometimes, "both heard", |_, state| {
//!         state.actor_states.iter().all(|heard| **heard > 0)
//!     })
//!     .property(Expectation::Always, "few heard", |_, state| {
//!         state.actor_states.iter().all(|heard| **heard <= 3)
//!     });
//!
//! // stateright's own search of it:
//! let done = model.clone().checker().spawn_bfs().join();
//! done.assert_properties();
//!
//! // This one:
//! let actors = Actors::new(model);
//! let found = actors.check(CheckOptions::default());
//! found.assert_properties();
//! assert_eq!(found.states, done.unique_state_count());
//!
//! // A path of it in stateright's explorer:
//! let start = actors.model().init_states().remove(0);
//! let actions = &found.discoveries["both heard"].actions;
//! let path = Path::from_actions(actors.model(), start, actions).unwrap();
//! assert_eq!(path.encode(actors.model()), "0/0/0");
//!
//! // Seeds, in place of all states:
//! assert_eq!(actors.simulate(0..100, 10).seen, ["both heard"].into());
//! ```
//!
//! A state of theirs is here a short vector of names: one for all that an actor has (its state,
//! timers, pending choices, storage and whether it is down), one for the history, one for each
//! message (`names`). What an event does to an actor is asked of the actor once (`local`), and so
//! is what the recorders make of a history (`worker`). States are stored whole, so none is lost to
//! a collision, as stateright's are where two actors' timers are concerned. A sample of the states
//! is expanded by stateright's own `next_state` besides, which finds handlers that are not pure,
//! and would find a difference to this engine; and every path that is handed out was gone by it.
//!
//! The simulator walks the same model by seeds: see [`Actors::simulate`].
//!
//! What a property reads can't be seen from outside, so it is given the whole state, once for each
//! state. One that reads only the history is declared by [`Actors::reads_history`], and judged
//! once for each history.

mod eventually;
mod local;
mod names;
mod search;
mod walk;
mod worker;

pub use walk::{Walk, Walked};

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::hash::Hash;
use std::ptr::fn_addr_eq;

use stateright::Expectation;
use stateright::actor::{Actor, ActorModel, ActorModelAction};

use super::check::CheckOptions;

/// An actor that can be checked on several threads, as stateright asks, too.
pub trait Acting:
    Actor<
        Msg: Ord + Send + Sync,
        Timer: Ord + Send + Sync,
        State: Send + Sync,
        Storage: Send + Sync,
        Random: Send + Sync,
    > + Send
    + Sync
{
}

impl<A> Acting for A where
    A: Actor<
            Msg: Ord + Send + Sync,
            Timer: Ord + Send + Sync,
            State: Send + Sync,
            Storage: Send + Sync,
            Random: Send + Sync,
        > + Send
        + Sync
{
}

/// A history that can be compared.
pub trait Past: Clone + Debug + Hash + PartialEq + Send + Sync {}

impl<H: Clone + Debug + Hash + PartialEq + Send + Sync> Past for H {}

/// What a system of these actors does in one step.
pub type ActionOf<A> =
    ActorModelAction<<A as Actor>::Msg, <A as Actor>::Timer, <A as Actor>::Random>;

/// A model of stateright's, and what is known of what its functions read.
pub struct Actors<A: Acting, C, H: Past> {
    model: ActorModel<A, C, H>,
    by_history: BTreeSet<&'static str>,
    /// Whether states may lie outside of the model's boundary.
    bounded: bool,
}

/// A property that was decided by a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery<T> {
    /// The actions of the path: stateright's `Path::from_actions` can go it.
    pub actions: Vec<T>,
    /// Where the path of a property of `eventually` goes round: the actions that go round, from
    /// where the path ends.
    pub cycle: Vec<T>,
}

/// What a search found, in a model with these actions.
#[derive(Clone, Debug)]
pub struct Found<T> {
    /// Distinct states: stateright's `unique_state_count`, but for its collisions.
    pub states: usize,
    /// States that were generated, the initial one included: its `state_count`.
    pub transitions: usize,
    /// The longest path that was needed to reach a state; the initial state's is 1.
    pub depth: usize,
    /// Distinct histories.
    pub histories: usize,
    /// Seconds.
    pub seconds: f64,
    /// Why the search is not complete, if it is not.
    pub incomplete: Option<String>,
    /// The model's properties.
    pub properties: BTreeMap<&'static str, Expectation>,
    /// A shortest counterexample of each property that has one; for one of `sometimes`, a shortest
    /// example.
    pub discoveries: BTreeMap<&'static str, Discovery<T>>,
}

impl<A: Acting, C, H: Past> Actors<A, C, H> {
    /// All of a model's functions read the whole state, for all that is known.
    pub fn new(model: ActorModel<A, C, H>) -> Self {
        let ActorModel { actors, cfg, init_history, init_network, properties, .. } = model;
        let fresh = ActorModel::new(cfg, init_history);
        // One function's address is another's only where they do the same: then no state lies
        // outside. Where the compiler made a second copy of it, it will be asked in vain.
        let bounded = !fn_addr_eq(fresh.within_boundary, model.within_boundary);
        let model = ActorModel {
            actors,
            init_network,
            lossy_network: model.lossy_network,
            max_crashes: model.max_crashes,
            properties,
            record_msg_in: model.record_msg_in,
            record_msg_out: model.record_msg_out,
            within_boundary: model.within_boundary,
            ..fresh
        };
        Actors { model, by_history: BTreeSet::new(), bounded }
    }

    /// Declares that a property reads nothing but the history, so that it is judged once for each
    /// distinct history. A sample of the states is judged whole all the same.
    ///
    /// # Panics
    /// If the model has no such property.
    pub fn reads_history(mut self, property: &'static str) -> Self {
        let is_there = self.model.properties.iter().any(|other| other.name == property);
        assert!(is_there, "the model has no property `{property}`");
        self.by_history.insert(property);
        self
    }

    /// Exhausts the model, or says what stopped it. The search in `options` is not heeded.
    pub fn check(&self, options: CheckOptions) -> Found<ActionOf<A>>
    where
        C: Sync,
    {
        search::check(self, options)
    }

    /// The model.
    pub fn model(&self) -> &ActorModel<A, C, H> {
        &self.model
    }
}

impl<T: Debug> Found<T> {
    /// Whether the model has a property; `None` where the search was cut short before it could
    /// tell.
    ///
    /// # Panics
    /// If the model has no such property.
    pub fn holds(&self, property: &str) -> Option<bool> {
        let is_found = self.discoveries.contains_key(property);
        let wanted = self.properties[property] == Expectation::Sometimes;
        (is_found || self.incomplete.is_none()).then_some(is_found == wanted)
    }

    /// Fails unless the model has all of its properties.
    ///
    /// # Panics
    /// If one of them does not hold, or it is not known that it does.
    pub fn assert_properties(&self) {
        for property in self.properties.keys() {
            let actions = self.discoveries.get(property).map(|found| &found.actions);
            let why = self.incomplete.as_deref().unwrap_or("the search is complete");
            let holds = self.holds(property) == Some(true);
            assert!(holds, "`{property}` is not known to hold ({why}): {actions:#?}");
        }
    }
}
