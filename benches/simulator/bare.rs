//! The exchange on a bare loop: a heap of events and a stream of delays, and nothing else.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::{Pace, REQUESTS};

/// Due tick, creation number, receiver, payload; node 0 is the one that asks.
type Event = Reverse<(u64, u64, u8, u64)>;

struct Loop {
    delays: ChaCha8Rng,
    events: BinaryHeap<Event>,
    now: u64,
    created: u64,
}

impl Loop {
    fn send(&mut self, to: u8, payload: u64) {
        let delay = 1 + ((u64::from(self.delays.next_u32()) * 10) >> 32);
        self.events.push(Reverse((self.now + delay, self.created, to, payload)));
        self.created += 1;
    }

    fn ask(&mut self, request: u64) {
        self.send(if request.is_multiple_of(2) { 1 } else { 2 }, request);
    }
}

/// One run; returns how many messages arrived.
pub fn run(seed: u64, pace: Pace) -> u64 {
    let delays = ChaCha8Rng::seed_from_u64(seed);
    let mut world = Loop { delays, events: BinaryHeap::new(), now: 0, created: 0 };
    let mut asked = if pace == Pace::Burst { REQUESTS } else { 1 };
    (0..asked).for_each(|request| world.ask(request));
    let (mut messages, mut sum) = (0, 0);
    while let Some(Reverse((due, _, to, payload))) = world.events.pop() {
        world.now = due;
        messages += 1;
        if to != 0 {
            world.send(0, payload + 1);
            continue;
        }
        sum += payload;
        if asked < REQUESTS {
            world.ask(asked);
            asked += 1;
        }
    }
    assert_eq!(sum, super::sum_of_answers());
    messages
}
