//! Judging states: which property is broken in one, if any.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use crate::protocol::{Checkable, NodeId, Protocol};
use crate::world::{Judged, Property, Record, Setup, System, World};

/// The rounds of fair exchange after which a world that still changes is said never to settle.
const ROUNDS_TO_SETTLE: usize = 64;

/// The property that every scenario has whose worlds may not end with a call open.
pub const NO_DEADLOCK: &str = "no deadlock";

/// A property that is broken, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The property.
    pub property: String,
    /// How it is broken.
    pub reason: String,
}

impl Violation {
    /// A violation of a property.
    pub fn new(property: &str, reason: impl Into<String>) -> Self {
        Violation { property: property.to_owned(), reason: reason.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.property, self.reason)
    }
}

/// What a world shows where it comes to rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Every property of that holds; or calls are still to be made, and nothing is judged.
    Holds,
    /// One is broken.
    Breaks(Violation),
    /// The world still changed when the rounds ran out: whether this property holds is open.
    Unsettled(&'static str),
}

/// Judges states, each distinct history once.
pub struct Examiner<P: Protocol> {
    setup: Arc<Setup<P>>,
    histories: Mutex<HashMap<Arc<Record<P>>, Option<Violation>>>,
    undecided: AtomicU64,
}

impl<P: Protocol> Examiner<P> {
    /// An examiner that has seen nothing.
    pub fn new(setup: &Arc<Setup<P>>) -> Self {
        Examiner {
            setup: Arc::clone(setup),
            histories: Mutex::default(),
            undecided: AtomicU64::new(0),
        }
    }

    /// How many histories the judges gave up on.
    pub fn undecided(&self) -> u64 {
        self.undecided.load(Ordering::Relaxed)
    }

    /// How many distinct histories were judged.
    pub fn histories(&self) -> usize {
        self.histories.lock().expect("no judge panics").len()
    }

    /// What monitors saw, and what is wrong with the whole system.
    pub fn system(&self, system: &System<P>) -> Option<Violation> {
        if let Some((name, reason)) = &system.broken {
            return Some(Violation::new(name, reason.as_str()));
        }
        self.setup.properties.iter().find_map(|property| match property {
            Property::System(name, holds) if !holds(system) => {
                Some(Violation::new(name, "the state breaks it"))
            }
            _ => None,
        })
    }

    /// What is wrong with one node, alone or beside another.
    pub fn node(&self, system: &System<P>, me: NodeId) -> Option<Violation> {
        let one = (me, system.state(me)?);
        // A simulator asks this after every event: the others are looked up for what reads them.
        self.setup.properties.iter().find_map(|property| match property {
            Property::EachNode(..) => self.alone(property, one),
            Property::EachPair(..) => {
                let mut others = system.states().filter(|(other, _)| *other != me);
                others.find_map(|other| self.beside(property, one, other))
            }
            _ => None,
        })
    }

    #[inline]
    fn alone(&self, property: &Property<P>, (me, state): (NodeId, &P)) -> Option<Violation> {
        match property {
            Property::EachNode(name, holds) if !holds(&self.setup.config, me, state) => {
                Some(Violation::new(name, format!("{me} breaks it")))
            }
            _ => None,
        }
    }

    #[inline]
    fn beside(
        &self,
        property: &Property<P>,
        one: (NodeId, &P),
        other: (NodeId, &P),
    ) -> Option<Violation> {
        let Property::EachPair(name, holds) = property else { return None };
        let cfg = &self.setup.config;
        let broken = !(holds(cfg, one, other) && holds(cfg, other, one));
        broken.then(|| Violation::new(name, format!("{} and {} break it", one.0, other.0)))
    }

    /// Whether a node's state breaks nothing by itself.
    pub fn is_fine_alone(&self, node: (NodeId, &P)) -> bool {
        self.setup.properties.iter().all(|property| self.alone(property, node).is_none())
    }

    /// Whether two nodes' states break nothing beside each other.
    pub fn are_fine_together(&self, one: (NodeId, &P), other: (NodeId, &P)) -> bool {
        self.setup.properties.iter().all(|property| self.beside(property, one, other).is_none())
    }

    /// What is wrong with the history.
    pub fn history(&self, history: &Arc<Record<P>>) -> Option<Violation> {
        let judges: Vec<_> = self
            .setup
            .properties
            .iter()
            .filter_map(|property| match property {
                Property::History(name, judge) => Some((name, judge)),
                _ => None,
            })
            .collect();
        if judges.is_empty() {
            return None;
        }
        let mut histories = self.histories.lock().expect("no judge panics");
        if let Some(known) = histories.get(history) {
            return known.clone();
        }
        let verdict = judges.iter().find_map(|(name, judge)| match judge(history) {
            Judged::Holds => None,
            Judged::Violated(reason) => Some(Violation::new(name, reason)),
            // What can't be judged is no pass; nor is it the break that a broken variant promises.
            Judged::NotApplicable(why) => {
                Some(Violation::new(&format!("{name} can be judged"), why))
            }
            Judged::Unknown => {
                self.undecided.fetch_add(1, Ordering::Relaxed);
                None
            }
        });
        histories.insert(Arc::clone(history), verdict.clone());
        verdict
    }
}

impl<P: Checkable> Examiner<P> {
    /// The first property that is broken in a state, in the order of the setup.
    pub fn examine(&self, world: &World<P>) -> Option<Violation> {
        self.so_far(world).or_else(|| self.at_rest(world))
    }

    /// The first property that is broken in a state, whatever comes later.
    pub fn so_far(&self, world: &World<P>) -> Option<Violation> {
        let system = &world.system;
        self.system(system)
            .or_else(|| NodeId::all(self.setup.nodes()).find_map(|node| self.node(system, node)))
            .or_else(|| self.history(&system.history))
            .or_else(|| self.deadlock(world))
    }

    fn deadlock(&self, world: &World<P>) -> Option<Violation> {
        let stuck = !self.setup.deadlock_expected && world.is_deadlock();
        stuck.then(|| Violation::new(NO_DEADLOCK, "a call is open and nothing goes on but faults"))
    }

    /// Settles the world, where all calls have been made, and judges the fixed point; a world that
    /// still changes after so many rounds is said never to settle.
    pub fn at_rest(&self, world: &World<P>) -> Option<Violation> {
        match self.rest(world) {
            Rest::Holds => None,
            Rest::Breaks(violation) => Some(violation),
            Rest::Unsettled(name) => Some(Violation::new(name, "the world never settles")),
        }
    }

    /// Settles the world, where all calls have been made, and judges the fixed point if it is
    /// reached.
    pub fn rest(&self, world: &World<P>) -> Rest {
        let settled = |property: &Property<P>| match property {
            Property::Settled(name, holds) => Some((*name, Arc::clone(holds))),
            _ => None,
        };
        let mut wanted = self.setup.properties.iter().filter_map(settled).peekable();
        let Some(first) = wanted.peek().map(|(name, _)| *name) else { return Rest::Holds };
        if (0..world.system.programs.len()).any(|program| world.system.unfinished(program)) {
            return Rest::Holds;
        }
        let Some(end) = world.settle(ROUNDS_TO_SETTLE) else { return Rest::Unsettled(first) };
        match wanted.find(|(_, holds)| !holds(&end.system)) {
            None => Rest::Holds,
            Some((name, _)) => {
                Rest::Breaks(Violation::new(name, "the world settles on a state that breaks it"))
            }
        }
    }
}
