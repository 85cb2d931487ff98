//! A breadth-first search over a small world, for the protocols' own tests: it visits every state,
//! judges every property and counts the marks.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::protocol::Checkable;
use crate::world::{Action, Expect, Judged, Property, Setup, World, digest_of};

/// In how many fair rounds a world must come to rest.
const ROUNDS: usize = 64;

/// What a search has found.
#[derive(Debug)]
pub(crate) struct Found {
    /// How many states there are, or were seen until a property broke.
    pub(crate) states: usize,
    /// The property that broke, and the shortest way there.
    pub(crate) broken: Option<(&'static str, Vec<String>)>,
    /// The marks that were put out.
    pub(crate) marks: BTreeSet<&'static str>,
}

/// Visits states in the order of their distance from the start until a property breaks.
pub(crate) fn exhaust<P: Checkable>(setup: &Arc<Setup<P>>) -> Found {
    let mut found = Found { states: 0, broken: None, marks: BTreeSet::new() };
    let mut seen = HashSet::new();
    let mut came: Vec<(Option<usize>, Action<P>)> = Vec::new();
    let mut layer: Vec<(usize, World<P>)> = Vec::new();
    let mut next: Vec<(Option<usize>, World<P>, Action<P>)> =
        World::starts(setup).into_iter().map(|(world, action)| (None, world, action)).collect();
    while !next.is_empty() {
        for (from, mut world, action) in next.drain(..) {
            found.marks.extend(world.waiting.marks.drain(..).map(|(_, mark)| mark.name));
            if !seen.insert(digest_of(&world)) {
                continue;
            }
            found.states += 1;
            came.push((from, action));
            if let Some(name) = broken(setup, &world) {
                found.broken = Some((name, path(&came)));
                return found;
            }
            layer.push((came.len() - 1, world));
        }
        for (at, world) in layer.drain(..) {
            for action in world.actions() {
                let after = world.after(&action).expect("an enabled action can happen");
                next.push((Some(at), after, action));
            }
        }
    }
    found
}

/// Asserts that the scenario's small world shows what it is expected to show.
pub(crate) fn shows_what_is_expected<P: Checkable>(name: &str, setup: &Arc<Setup<P>>) -> Found {
    let found = exhaust(setup);
    let path = found.broken.as_ref().map(|(property, path)| (*property, path.len() - 1));
    println!("{name}: {} with {}: {path:?}", found.states, setup.numbers);
    match (setup.expect, &found.broken) {
        (Expect::Holds, None) => {
            for mark in &setup.sometimes {
                assert!(found.marks.contains(mark), "{name} never reached: {mark}");
            }
        }
        (Expect::Breaks(expected), Some((property, _))) if expected == *property => {}
        (_, broken) => panic!("{name}: {broken:#?}"),
    }
    found
}

/// The first property that is broken in this state.
fn broken<P: Checkable>(setup: &Arc<Setup<P>>, world: &World<P>) -> Option<&'static str> {
    if let Some((name, _)) = world.system.broken {
        return Some(name);
    }
    if !setup.deadlock_expected && world.is_deadlock() {
        return Some("no deadlock");
    }
    let cfg = &setup.config;
    let system = &world.system;
    let failed = setup.properties.iter().find(|property| match property {
        Property::EachNode(_, holds) => !system.states().all(|(n, state)| holds(cfg, n, state)),
        Property::EachPair(_, holds) => !system.states().all(|one| {
            system.states().filter(|other| other.0 != one.0).all(|other| holds(cfg, one, other))
        }),
        Property::System(_, holds) => !holds(system),
        Property::History(_, judge) => matches!(judge(&system.history), Judged::Violated(_)),
        Property::Events(..) => false,
        Property::Settled(_, holds) => {
            let done = (0..system.programs.len()).all(|program| !system.unfinished(program));
            done && !world.settle(ROUNDS).is_some_and(|rest| holds(&rest.system))
        }
    });
    failed.map(Property::name)
}

fn path<P: Checkable>(came: &[(Option<usize>, Action<P>)]) -> Vec<String> {
    let steps = std::iter::successors(came.last(), |(from, _)| Some(&came[(*from)?]));
    let mut path: Vec<String> = steps.map(|(_, action)| action.to_string()).collect();
    path.reverse();
    path
}
