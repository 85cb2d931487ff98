//! The scenarios that the command line and the tests know, under their names.

use std::fmt;
use std::sync::Arc;

use crate::protocol::{Checkable, Protocol};
use crate::world::{Numbers, Setup};

/// The name of a scenario, what it shows, and its two sizes.
#[derive(Clone, Debug)]
pub struct Card {
    /// `protocol/variant`.
    pub name: &'static str,
    /// One sentence: what the variant is, and what becomes of it.
    pub about: &'static str,
    /// The world that the checker exhausts.
    pub small: Numbers,
    /// The world that the simulator samples.
    pub large: Numbers,
}

/// How to set a world up from numbers.
pub type Build<P> = Arc<dyn Fn(&Numbers) -> Setup<P> + Send + Sync>;

/// A scenario: a card, and how to set the world up from numbers.
pub struct Scenario<P: Protocol> {
    /// Its name and sizes.
    pub card: Card,
    /// Makes the set-up.
    pub build: Build<P>,
}

impl<P: Protocol> Scenario<P> {
    /// The set-up with these numbers, ready to be shared.
    pub fn setup(&self, numbers: &Numbers) -> Arc<Setup<P>> {
        Arc::new((self.build)(numbers))
    }
}

/// All scenarios, in the order in which they were added.
#[derive(Default)]
pub struct Catalogue {
    scenarios: Vec<Box<dyn crate::engine::Engines>>,
}

impl Catalogue {
    /// An empty catalogue.
    pub fn new() -> Self {
        Catalogue::default()
    }

    /// Adds a scenario for every engine.
    ///
    /// # Panics
    /// If there is a scenario of this name.
    pub fn add<P: Checkable>(
        &mut self,
        card: Card,
        build: impl Fn(&Numbers) -> Setup<P> + Send + Sync + 'static,
    ) {
        assert!(self.get(card.name).is_none(), "there are two scenarios {}", card.name);
        self.scenarios.push(Box::new(Scenario { card, build: Arc::new(build) }));
    }

    /// Adds a scenario that can only be simulated, since its states can't be compared.
    ///
    /// # Panics
    /// If there is a scenario of this name.
    pub fn add_simulated<P: Protocol>(
        &mut self,
        card: Card,
        build: impl Fn(&Numbers) -> Setup<P> + Send + Sync + 'static,
    ) {
        assert!(self.get(card.name).is_none(), "there are two scenarios {}", card.name);
        let scenario = Scenario { card, build: Arc::new(build) };
        self.scenarios.push(Box::new(crate::engine::OnlySimulated(scenario)));
    }

    /// The scenario of this name.
    pub fn get(&self, name: &str) -> Option<&dyn crate::engine::Engines> {
        self.iter().find(|scenario| scenario.card().name == name)
    }

    /// All scenarios.
    pub fn iter(&self) -> impl Iterator<Item = &dyn crate::engine::Engines> {
        self.scenarios.iter().map(|scenario| &**scenario)
    }
}

impl fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|scenario| scenario.card().name)).finish()
    }
}
