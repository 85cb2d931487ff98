//! Coverage: how much of a small world, which the checker can exhaust, do seeds of the simulator
//! visit?
//!
//! The log of each seed is lifted into the checker's world, so a state that a seed visits is one
//! of the states that the checker counts, and the shares are exact. What seeds never visit is what
//! only the checker has judged.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

use crate::protocol::Checkable;
use crate::world::{Action, Happening, Setup, World};

use super::lift::{Unliftable, lift};
use super::simulate;

/// What the first seeds of a small world visited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Visited {
    /// How many seeds.
    pub seeds: u64,
    /// Distinct states.
    pub states: usize,
    /// Distinct transitions; as the checker's, with the start as one.
    pub transitions: usize,
}

/// Runs seeds of the world of `setup`, and counts what they have visited after 1, 10, 100, ... of
/// them and at the end. Memory: a world for each state visited.
///
/// # Errors
/// If a log does not lift, which is a mistake in an engine.
pub fn visited<P: Checkable>(
    setup: &Arc<Setup<P>>,
    seeds: Range<u64>,
) -> Result<Vec<Visited>, Unliftable> {
    let mut seen = Seen { states: HashMap::new(), transitions: HashSet::new() };
    let mut curve = Vec::new();
    let total = seeds.end.saturating_sub(seeds.start);
    for (seed, n) in seeds.zip(1u64..) {
        let run = simulate::run(setup, seed);
        // A run that breaks something goes no further than that, and nor does the checker.
        let lifted = lift(&run.world, &run.trace)?;
        seen.follow(setup, &lifted.path);
        if n == total || n == 10u64.pow(n.ilog10()) {
            let (states, transitions) = (seen.states.len(), seen.transitions.len());
            curve.push(Visited { seeds: n, states, transitions });
        }
    }
    Ok(curve)
}

/// The states, each with a number, and the transitions: from which state, by which action. Only
/// their counts are told, so the order in which a hash table keeps them is never seen.
struct Seen<P: Checkable> {
    states: HashMap<World<P>, usize>,
    transitions: HashSet<(Option<usize>, Action<P>)>,
}

impl<P: Checkable> Seen<P> {
    fn follow(&mut self, setup: &Arc<Setup<P>>, path: &[Action<P>]) {
        let Some((start, rest)) = path.split_first() else { return };
        let started = World::started(setup, &start.draws);
        let (mut world, _) = started.expect("a lifted path starts");
        let mut at = self.arrive(&mut world);
        self.transitions.insert((None, start.clone()));
        for action in rest.iter().flat_map(one_by_one) {
            world = world.after(&action).expect("a lifted path can be taken");
            self.transitions.insert((Some(at), action));
            at = self.arrive(&mut world);
        }
    }

    fn arrive(&mut self, world: &mut World<P>) -> usize {
        // What a step marked is no part of the state that it leads to.
        world.waiting.marks.clear();
        let next = self.states.len();
        match self.states.get(world) {
            Some(number) => *number,
            None => *self.states.entry(world.clone()).or_insert(next),
        }
    }
}

/// The checker's clock goes tick by tick.
fn one_by_one<P: Checkable>(action: &Action<P>) -> Vec<Action<P>> {
    match action.did {
        Happening::Tick(ticks) => (0..ticks).map(|_| Happening::Tick(1).into()).collect(),
        _ => vec![action.clone()],
    }
}

/// Of the runs that start at each seed, the median number of seeds until one fails: half of them
/// need no more. `None` if more than half of them saw no failure before the end.
pub fn median_wait(seeds: Range<u64>, failing: &[u64]) -> Option<u64> {
    let mut waits: BTreeMap<u64, u64> = BTreeMap::new();
    let mut from = seeds.start;
    for failed in failing {
        // The starts from the last failure on wait for this one.
        (from..=*failed).for_each(|start| *waits.entry(failed - start + 1).or_default() += 1);
        from = failed + 1;
    }
    let half = (seeds.end - seeds.start).div_ceil(2);
    let mut passed = 0;
    waits.into_iter().find_map(|(wait, starts)| {
        passed += starts;
        (passed >= half).then_some(wait)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_counted_from_every_seed() {
        assert_eq!(median_wait(0..10, &[]), None);
        assert_eq!(median_wait(0..4, &[0, 1, 2, 3]), Some(1));
        // Waits from 0..=4: 5, 4, 3, 2, 1; from 5..10: none.
        assert_eq!(median_wait(0..10, &[4]), Some(5));
        assert_eq!(median_wait(0..10, &[3]), None);
        assert_eq!(median_wait(5..9, &[6, 8]), Some(1));
    }
}
