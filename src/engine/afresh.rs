//! Fresh seeds of smaller worlds, for runs that can't be made smaller by leaving things out.
//!
//! Programs make their calls in order. Where the tenth call of one goes wrong, the nine before it
//! stay, whatever is left out; but the same may go wrong in the first call of another run. So some
//! seeds of each world with fewer calls, processes and nodes are simulated, the smallest first, and
//! then some more of each, while the budget of events lasts.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::protocol::Checkable;
use crate::world::{Faults, Numbers, Setup};

use super::lift::lift;
use super::shrink::{Broken, Size};
use super::simulate;

/// How many seeds of each world are run before the next one's turn.
pub const SEEDS: u64 = 4;

/// After so many runs in a row that fail and shrink to no less, there is nothing to be hoped for.
const IN_VAIN: u32 = 20;

/// The worlds in which a run may be smaller than one of this size, the smallest first: without
/// faults, then with those that the run has.
pub fn smaller_worlds(numbers: &Numbers, size: &Size, nodes_min: u32) -> Vec<Numbers> {
    let mut shapes = Vec::new();
    for calls in doubling(numbers.calls) {
        for clients in doubling(numbers.clients) {
            shapes
                .extend((nodes_min..=numbers.nodes).map(|n| (calls * clients, clients, n, calls)));
        }
    }
    shapes.sort_unstable();
    let with = |faults: &Faults, calls_max: u32| -> Vec<Numbers> {
        let few = shapes.iter().filter(|(all, ..)| *all <= calls_max);
        let worlds = few.map(|&(_, clients, nodes, calls)| {
            let faults = faults.clone();
            Numbers { clients, nodes, calls, faults, ..numbers.clone() }
        });
        worlds.filter(|world| world != numbers).collect()
    };
    let calm = Faults { joins: numbers.faults.joins, ..Faults::default() };
    // A run that needs fewer faults is smaller however many calls it needs; another one is not,
    // though it may break before all calls are made.
    let calls_max = 2 * u32::try_from(size.calls).unwrap_or(u32::MAX / 2).max(1);
    let same = with(&numbers.faults, calls_max);
    if numbers.faults == calm { same } else { [with(&calm, u32::MAX), same].concat() }
}

/// One and its doubles up to a number, and the number itself.
fn doubling(most: u32) -> BTreeSet<u32> {
    let powers = std::iter::successors(Some(1u32), |n| n.checked_mul(2));
    powers.take_while(|n| *n < most).chain([most]).collect()
}

/// How far the fresh seeds have come.
pub struct Fresh {
    /// The next one. No two worlds get the same, since the same draws make much the same run.
    pub seed: u64,
    /// How many events may still be spent.
    pub events_left: u64,
    /// How many runs have failed since one shrank to less.
    pub in_vain: u32,
}

impl Fresh {
    /// Whether another seed is worth it.
    pub fn goes_on(&self) -> bool {
        self.events_left > 0 && self.in_vain < IN_VAIN
    }

    /// The next seed of a world, if its run breaks the property. Where clocks stop at some time,
    /// they do so the earlier in some seeds.
    pub fn run<P: Checkable>(
        &mut self,
        build: &dyn Fn(&Numbers) -> Arc<Setup<P>>,
        numbers: &Numbers,
        property: &str,
    ) -> Option<Broken<P>> {
        let seed = self.seed;
        self.seed += 1;
        self.events_left = self.events_left.saturating_sub(1);
        let earlier = (numbers.horizon >> (seed % 4)).max(numbers.horizon.min(1));
        let numbers = Numbers { horizon: earlier, ..numbers.clone() };
        let setup = build(&numbers);
        if setup.numbers != numbers || setup.fits().is_err() {
            return None;
        }
        let run = simulate::run(&setup, seed);
        self.events_left = self.events_left.saturating_sub(run.events);
        let violation = run.violation.filter(|violation| violation.property == property)?;
        let actions = lift(&run.world, &run.trace).ok()?.path;
        Some(Broken { numbers, actions, violation })
    }
}
