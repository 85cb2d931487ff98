//! The weather of a run: how long its messages take.
//!
//! Where the scenario bounds delays, a run may draw them evenly or mostly at their bounds. Where it
//! leaves them open, a run first draws a weather, as a swarm does: how wide delays are, whether
//! they are even or either short or long, whether some links are slow all along, and how many
//! messages come when everybody has gone on. `seedbed cover` is what this was tuned by: long or
//! short delays and slow links break some broken variants with five times as many seeds.

use rand_chacha::ChaCha8Rng;

use crate::protocol::{NodeId, Protocol};
use crate::world::Setup;

use super::faults::{below, chance, pick};

/// How many times as long a message takes on a slow link.
const SLOW: u64 = 30;

/// How many times as long one takes at the most that comes when everybody has gone on.
const LATE: u64 = 40;

/// What a run draws before it begins.
#[derive(Debug)]
pub struct Weather {
    /// The shortest and the longest delay, in ticks.
    delay: (u64, u64),
    /// So many of 1,000 messages take either the one or the other.
    extremes_in_1000: u32,
    /// So many of 1,000 messages come when everybody has gone on.
    late_in_1000: u32,
    /// For each link, by sender and receiver, how many times as long its messages take.
    slowness: Vec<u64>,
    nodes: usize,
}

impl Weather {
    /// Draws the weather of a run.
    pub fn draw<P: Protocol>(setup: &Setup<P>, rng: &mut ChaCha8Rng) -> Weather {
        let nodes = usize::from(setup.nodes());
        let extremes_in_1000 = [0, 500, 950][pick(rng, 3)];
        let bounds = setup.numbers.delay.filter(|_| setup.timed());
        if let Some((shortest, longest)) = bounds {
            return Weather {
                delay: (setup.ticks(shortest).into(), setup.ticks(longest).into()),
                extremes_in_1000,
                late_in_1000: 0,
                slowness: vec![1; nodes * nodes],
                nodes,
            };
        }
        let longest = [2, 10, 40][pick(rng, 3)] * u64::from(setup.numbers.scale);
        let late_in_1000 = [0, 100, 300][pick(rng, 3)];
        let slow_in_1000 = [0, 150, 400][pick(rng, 3)];
        let mut slowness = || if chance(rng, slow_in_1000) { SLOW } else { 1 };
        Weather {
            delay: (1, longest),
            extremes_in_1000,
            late_in_1000,
            slowness: (0..nodes * nodes).map(|_| slowness()).collect(),
            nodes,
        }
    }

    /// From here on no link is slow, and nothing comes late: what was promised for the time when
    /// all faults are over must come within the events that a run has left.
    pub fn calm(&mut self) {
        self.slowness.fill(1);
        self.late_in_1000 = 0;
    }

    /// How many ticks a message takes.
    pub fn delay(&self, from: NodeId, to: NodeId, rng: &mut ChaCha8Rng) -> u64 {
        let (shortest, longest) = self.delay;
        let ticks = if shortest == longest {
            shortest
        } else if self.extremes_in_1000 > 0 && chance(rng, self.extremes_in_1000) {
            if chance(rng, 500) { shortest } else { longest }
        } else {
            shortest + below(rng, longest - shortest + 1)
        };
        let ticks = ticks * self.slowness[from.index() * self.nodes + to.index()];
        // What is overtaken must be overtaken by far: most mistakes about old messages need one
        // that comes when everybody has gone on.
        let late = self.late_in_1000 > 0 && chance(rng, self.late_in_1000);
        if late { ticks * (1 + below(rng, LATE)) } else { ticks }
    }
}
