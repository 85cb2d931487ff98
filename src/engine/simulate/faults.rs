//! How one run of the simulator spends the scenario's fault budgets.
//!
//! Two levels, as in a swarm: a run first draws which families of faults it has at all and how
//! strong they are, so that some runs are calm and some have one kind only; then when they happen,
//! by the number of the step, so that no guess about the length of time is needed.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

use crate::world::Faults;

/// A fault that is due at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Planned {
    /// A node crashes.
    Crash,
    /// A node pauses.
    Pause,
    /// A partition begins.
    Partition,
    /// A clock jumps.
    Jump,
    /// A node joins.
    Join,
}

/// A run's plan of faults.
#[derive(Debug)]
pub struct Plan {
    /// The first steps that a crash may tear, the earliest last.
    pub tears: Vec<u64>,
    /// The other faults, by the number of the step after which they happen; the earliest last.
    pub by_step: Vec<(u64, Vec<Planned>)>,
    /// In how many of 1,000 messages, while the budget lasts.
    pub losses_in_1000: u32,
    /// In how many of 1,000 messages, while the budget lasts.
    pub duplicates_in_1000: u32,
    /// In how many of 1,000 calls, while the budget lasts.
    pub cancels_in_1000: u32,
    /// In how many of 1,000 crashes the unsynced saves are lost, while the budget lasts.
    pub lost_saves_in_1000: u32,
}

impl Plan {
    /// Draws a plan for a run of about so many steps.
    pub fn draw(rng: &mut ChaCha8Rng, budget: &Faults, steps: u64) -> Plan {
        let mut by_step: BTreeMap<u64, Vec<Planned>> = BTreeMap::new();
        let torn = budget.torn.min(budget.crashes);
        let tears = some_of(rng, torn);
        let crashes = some_of(rng, budget.crashes - tears);
        let mut tears: Vec<_> = (0..tears).map(|_| below(rng, steps)).collect();
        tears.sort_unstable_by(|a, b| b.cmp(a));
        for (fault, count) in [
            (Planned::Crash, crashes),
            (Planned::Pause, some_of(rng, budget.pauses)),
            (Planned::Partition, some_of(rng, budget.partitions)),
            (Planned::Jump, some_of(rng, budget.jumps)),
            // A node that never joins tests nothing.
            (Planned::Join, budget.joins),
        ] {
            for _ in 0..count {
                by_step.entry(below(rng, steps)).or_default().push(fault);
            }
        }
        let mut rate = |budget: u32| if budget > 0 { [0, 20, 100, 400][pick(rng, 4)] } else { 0 };
        Plan {
            tears,
            by_step: by_step.into_iter().rev().collect(),
            losses_in_1000: rate(budget.losses),
            duplicates_in_1000: rate(budget.duplicates),
            cancels_in_1000: rate(budget.cancels),
            lost_saves_in_1000: if budget.lost_saves > 0 { 700 } else { 0 },
        }
    }

    /// No faults but the joins, whose draws are the same.
    pub fn without_faults(mut self) -> Plan {
        let planned = self.by_step.iter_mut().map(|(_, planned)| planned);
        planned.for_each(|planned| planned.retain(|p| *p == Planned::Join));
        Plan {
            tears: Vec::new(),
            losses_in_1000: 0,
            duplicates_in_1000: 0,
            cancels_in_1000: 0,
            lost_saves_in_1000: 0,
            by_step: self.by_step,
        }
    }
}

/// None of a budget in a third of the runs, otherwise from one to all of it.
fn some_of(rng: &mut ChaCha8Rng, budget: u32) -> u32 {
    let (present, count) = (chance(rng, 667), below(rng, budget.into()));
    if present && budget > 0 { u32::try_from(count).expect("below a u32") + 1 } else { 0 }
}

/// A number below `n`; 0 if `n` is 0.
pub fn below(rng: &mut ChaCha8Rng, n: u64) -> u64 {
    let wide = u128::from(rng.next_u64()) * u128::from(n);
    u64::try_from(wide >> 64).expect("the upper half of a product")
}

/// An index below `n`.
pub fn pick(rng: &mut ChaCha8Rng, n: usize) -> usize {
    usize::try_from(below(rng, n as u64)).expect("below a usize")
}

/// True in so many of 1,000.
pub fn chance(rng: &mut ChaCha8Rng, in_1000: u32) -> bool {
    u64::from(rng.next_u32()) * 1000 < u64::from(in_1000) << 32
}
