//! Symmetry: of all states that differ only in names, one is kept.
//!
//! It is the least of a state's images under the renamings that the scenario declares. All states
//! of an orbit have the same images, so there is exactly one of each orbit. (To sort nodes by their
//! states, as is usual, leaves ties, keeps several, and makes the number of states a matter of
//! luck.) Images are compared by digests of what they hold: so the choice depends on no name that
//! the search gave, nor on threads. How many renamings lead to the least image says how large the
//! orbit is, by Lagrange's theorem; so that all states and transitions are counted without being
//! met. That a property which tells no two names apart is kept or broken by a whole orbit is Ip and
//! Dill's argument ("Better Verification Through Symmetry", 1996).
//!
//! It rests on the scenario's claim, which is checked and not trusted. Each local step that the
//! interpreter takes is taken once more under every other name ([`difference`]): every transition
//! of the search is made of such steps, so all that is met is covered. What is judged is judged
//! under every name (`judge`). Where the claim is wrong the search says so, and gives no verdict.
//!
//! Shortest paths stay shortest, and the path that is shown is one of the world itself: the first
//! of the shortest, as without the reduction. A promise is owed by somebody, which orbits don't
//! know; there the search is a full one.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use crate::protocol::{Checkable, NodeId};
use crate::world::{
    Action, Content, Flight, Links, Part, Renaming, Setup, Symmetry, Topic, World, digest_of,
};

use super::super::reduce::{Flaw, Reduce, Reduction};
use super::sleep::{Seats, Sleep};
use super::vector::{Order, Vector};
use super::worker::Shared;

/// What something becomes under a renaming: ordered by what it is, and only then by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Image {
    digest: u64,
    name: u32,
}

/// A state under other names.
#[derive(Default)]
struct Images {
    parts: Vec<Image>,
    flights: Vec<Image>,
}

/// The least images of states. What a part becomes is found out once. Each thread has its own.
pub struct Orbits {
    flaw: Flaw,
    /// For each renaming, the first of which changes nothing: by part and name.
    parts: Vec<Vec<Vec<Option<Image>>>>,
    /// For each renaming: by name.
    flights: Vec<Vec<Option<Image>>>,
    state: Vector,
    tried: Images,
    least: Images,
}

impl Orbits {
    /// Knows no images yet; `None` where nothing is interchangeable.
    pub fn new<P: Checkable>(shared: &Shared<P>) -> Option<Self> {
        let renamings = shared.symmetry.as_ref()?.renamings.len() + 1;
        let parts = Part::FIXED + usize::from(shared.setup.nodes());
        Some(Orbits {
            flaw: shared.flaw,
            parts: vec![vec![Vec::new(); parts]; renamings],
            flights: vec![Vec::new(); renamings],
            state: Vector::default(),
            tried: Images::default(),
            least: Images::default(),
        })
    }

    /// Replaces a state's record by that of its least image, and says how many images it has, and
    /// by which renaming it becomes that one.
    pub fn replace<P: Checkable>(
        &mut self,
        shared: &Shared<P>,
        record: &mut Vec<u8>,
    ) -> (usize, usize) {
        let parts = Part::FIXED + usize::from(shared.setup.nodes());
        self.state.read(parts, shared.order, record);
        let (mut equal, mut by) = (0, 0);
        for n in 0..self.parts.len() {
            self.rename_parts(shared, n);
            let parts =
                if n == 0 { Ordering::Less } else { self.tried.parts.cmp(&self.least.parts) };
            if parts == Ordering::Greater {
                continue;
            }
            self.rename_flights(shared, n);
            match parts.then_with(|| self.compare_flights()) {
                Ordering::Less => (equal, by) = (1, n),
                Ordering::Equal => {
                    equal += 1;
                    continue;
                }
                Ordering::Greater => continue,
            }
            std::mem::swap(&mut self.tried, &mut self.least);
        }
        let names = |images: &[Image]| images.iter().map(|image| image.name).collect();
        self.state.parts = names(&self.least.parts);
        self.state.flights = names(&self.least.flights);
        if shared.order == Order::ByName {
            self.state.flights.sort_unstable();
        }
        self.state.write(shared.order, record);
        (self.parts.len() / equal, by)
    }

    fn compare_flights(&self) -> Ordering {
        match self.flaw {
            Flaw::RoughImage => Ordering::Greater,
            _ => self.tried.flights.cmp(&self.least.flights),
        }
    }

    fn rename_parts<P: Checkable>(&mut self, shared: &Shared<P>, n: usize) {
        let by = shared.renaming(n);
        self.tried.parts.resize(self.state.parts.len(), Image { digest: 0, name: 0 });
        for part in Part::all(shared.setup.nodes()) {
            let name = self.state.parts[part.index()];
            let known = &mut self.parts[n][part.index()];
            let image = recall(known, name, || shared.image_of_part(part, name, by));
            let target = by.map_or(part, |by| by.part(part));
            self.tried.parts[target.index()] = image;
        }
    }

    fn rename_flights<P: Checkable>(&mut self, shared: &Shared<P>, n: usize) {
        let by = shared.renaming(n);
        self.tried.flights.clear();
        for name in &self.state.flights {
            let image = recall(&mut self.flights[n], *name, || shared.image_of_flight(*name, by));
            self.tried.flights.push(image);
        }
        match shared.order {
            Order::ByName => self.tried.flights.sort_unstable(),
            Order::AsInTheWorld => shared.put_in_order(&mut self.tried.flights),
        }
    }
}

fn recall(known: &mut Vec<Option<Image>>, name: u32, find: impl FnOnce() -> Image) -> Image {
    let name = name as usize;
    if name >= known.len() {
        known.resize(name + 1, None);
    }
    *known[name].get_or_insert_with(find)
}

impl<P: Checkable> Shared<P> {
    /// A renaming, counted from 1; the one that changes nothing is 0, and none.
    fn renaming(&self, n: usize) -> Option<&Renaming> {
        let symmetry = self.symmetry.as_ref()?;
        n.checked_sub(1).map(|n| &symmetry.renamings[n])
    }

    /// Seats under other names: those of nodes, and then those of programs.
    pub fn seats_under(&self, n: usize, seats: Seats) -> Seats {
        let Some(by) = self.renaming(n).filter(|_| seats != 0) else { return seats };
        let nodes = usize::from(self.setup.nodes());
        let named = (0..Seats::BITS as usize).filter(|seat| seats >> seat & 1 == 1);
        named.fold(0, |image, seat| match seat.checked_sub(nodes) {
            None => image | 1 << by.node(NodeId(seat as u8)).0,
            Some(program) => image | 1 << (nodes + by.program(program)),
        })
    }

    /// What steps that sleep are told by, if they may.
    pub fn sleep(&self) -> Option<Sleep> {
        let numbers = &self.setup.numbers;
        let seats = (numbers.nodes, numbers.clients);
        self.sleeps.then(|| Sleep::new(seats, self.order, self.flaw))
    }

    fn image_of_part(&self, part: Part, name: u32, by: Option<&Renaming>) -> Image {
        let mut names = self.names.write().expect("no thread panics with names");
        let content = Arc::clone(&names.parts[part.index()].values()[name as usize]);
        let (Some(by), Some(symmetry)) = (by, &self.symmetry) else {
            return match content.wordless() {
                None => Image { digest: digest_of(&*content), name },
                Some(found) => Image {
                    digest: digest_of(&found),
                    name: names.parts[part.index()].name(found).0,
                },
            };
        };
        let image: Content<P> = content.renamed(symmetry, by);
        let digest = digest_of(&image);
        Image { digest, name: names.parts[by.part(part).index()].name(image).0 }
    }

    fn image_of_flight(&self, name: u32, by: Option<&Renaming>) -> Image {
        let mut names = self.names.write().expect("no thread panics with names");
        let flight = Arc::clone(&names.flights.values()[name as usize]);
        let (Some(by), Some(symmetry)) = (by, &self.symmetry) else {
            return Image { digest: digest_of(&*flight), name };
        };
        let image: Flight<P::Msg> = symmetry.flight(&flight, by);
        let digest = digest_of(&image);
        Image { digest, name: names.flights.name(image).0 }
    }

    /// Puts messages in the order in which a world keeps them; those of one link are in theirs.
    fn put_in_order(&self, flights: &mut [Image]) {
        let names = self.names.read().expect("no thread panics with names");
        let value = |image: &Image| &*names.flights.values()[image.name as usize];
        match self.setup.links {
            Links::Fifo => flights.sort_by_key(|image| (value(image).from, value(image).to)),
            Links::Unordered => flights.sort_by(|one, other| value(one).cmp(value(other))),
        }
    }

    /// What was left out, where something was to be: what was met stands for so many states and
    /// transitions.
    pub fn reduction(
        &self,
        reduce: Reduce,
        (states, transitions): (usize, usize),
    ) -> Option<Reduction> {
        (reduce != Reduce::None).then(|| Reduction {
            reduce,
            names: self.symmetry.as_ref().map_or(1, |symmetry| symmetry.renamings.len() + 1),
            states,
            transitions,
            refused: self.refused.clone(),
        })
    }

    /// Whether a state is broken. One of whose images some are and some are not is none that the
    /// scenario's properties judge by its orbit, and then the search gives no verdict.
    pub fn is_broken(&self, record: &[u8]) -> bool {
        let world = self.world_of(record);
        let found = self.examiner.examine(&world);
        let Some(symmetry) = &self.symmetry else { return found.is_some() };
        for by in &symmetry.renamings {
            let image = self.examiner.examine(&world.renamed(symmetry, by));
            if image.is_some() != found.is_some() {
                let property = image.or(found).map_or(String::new(), |broken| broken.property);
                self.refuse(by, &format!("\"{property}\" is judged otherwise"));
                return false;
            }
        }
        found.is_some()
    }

    /// Whether names were found not to be interchangeable that are said to be.
    pub fn is_refuted(&self) -> bool {
        let names = self.names.read().expect("no thread panics with names");
        self.symmetry.is_some() && names.disagreement.is_some()
    }

    /// Notes that a scenario is not as symmetric as it says.
    pub fn refuse(&self, by: &Renaming, why: &str) {
        let mut names = self.names.write().expect("no thread panics with names");
        let reason = || format!("names are not interchangeable: with {by}, {why}");
        names.disagreement.get_or_insert_with(reason);
    }
}

/// What is interchangeable in a world, where the worlds that it may start as are the same under
/// every name.
///
/// # Errors
/// Why each state has to be met for itself.
#[expect(clippy::mutable_key_type, reason = "what a step has looked at is no part of a world")]
pub fn applicable<P: Checkable>(setup: &Arc<Setup<P>>) -> Result<Symmetry<P>, String> {
    let symmetry = setup.interchangeable()?;
    let starts: HashSet<World<P>> = World::starts(setup).map(|(world, _)| world).collect();
    for by in &symmetry.renamings {
        if !starts.iter().all(|world| starts.contains(&world.renamed(symmetry, by))) {
            return Err(format!("the world does not start as it does with {by}"));
        }
    }
    Ok(symmetry.clone())
}

/// What parts become under every other name, and what they hold then.
pub fn images<'a, P: Checkable>(
    symmetry: Option<&'a Symmetry<P>>,
    part: Part,
    content: &'a Content<P>,
) -> impl Iterator<Item = (Part, Content<P>)> + 'a {
    let renamings = symmetry
        .into_iter()
        .flat_map(|symmetry| symmetry.renamings.iter().map(move |renaming| (symmetry, renaming)));
    renamings.map(move |(symmetry, by)| (by.part(part), content.renamed(symmetry, by)))
}

/// Takes the steps about a topic once more under every other name, in a world in which nothing but
/// their subject is in flight, and says how one differs.
pub fn difference<'a, P: Checkable>(
    symmetry: &'a Symmetry<P>,
    (world, topic): (&World<P>, Topic),
    steps: &[(Action<P>, World<P>)],
) -> Option<(&'a Renaming, String)> {
    symmetry.renamings.iter().find_map(|by| {
        let twin = world.renamed(symmetry, by);
        let mut actions = Vec::new();
        twin.actions_about(by.topic(topic), &mut actions);
        let outcomes = actions
            .iter()
            .map(|action| wordless(twin.after(action).expect("an enabled action can be done")));
        let mut outcomes: Vec<World<P>> = outcomes.collect();
        let lost = steps.iter().find(|(_, next)| {
            let image = wordless(next.renamed(symmetry, by));
            let place = outcomes.iter().position(|outcome| *outcome == image);
            place.map(|n| outcomes.swap_remove(n)).is_none()
        });
        let shown = |action: &Action<P>| {
            let node = action.node().and_then(|node| world.system.state(node));
            node.map_or(String::new(), |state| format!(" where its node is {state:?}"))
        };
        let why = match (lost, outcomes.is_empty()) {
            (None, true) => return None,
            (Some((action, _)), _) => {
                format!("`{action}` has another outcome{}", shown(action))
            }
            (None, false) => {
                let more = actions.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                format!("more can happen: {more}")
            }
        };
        Some((by, why))
    })
}

/// A monitor's words about what it found may hold names, and are no part of the finding.
fn wordless<P: Checkable>(mut world: World<P>) -> World<P> {
    if let Some((_, words)) = &mut world.system.broken {
        words.clear();
    }
    world
}
