//! Where a step puts its effects, and the only door to chance and time.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::{CallId, Delay, Effect, Mark, NodeId, Outcome, Protocol};

/// Where the values of `choose` come from.
#[derive(Clone, Debug)]
pub enum Chance {
    /// Drawn from a seeded stream, and recorded: the simulator and the shell.
    Drawn(Box<ChaCha8Rng>),
    /// Taken from a list; beyond its end 0 is taken: the checker and replay.
    Listed(Vec<u32>),
}

impl Chance {
    /// A seeded stream.
    pub fn seeded(seed: u64) -> Chance {
        Chance::Drawn(Box::new(ChaCha8Rng::seed_from_u64(seed)))
    }
}

/// One of the draws of a step: what was taken, of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// The value, below `of`.
    pub taken: u32,
    /// How many values there were.
    pub of: u32,
}

/// Collects the effects of one step, in order.
#[derive(Debug)]
pub struct Outbox<P: Protocol> {
    pub(crate) effects: Vec<Effect<P>>,
    pub(crate) draws: Vec<Draw>,
    pub(crate) chance: Chance,
    pub(crate) timers: Vec<(P::Timer, Reading)>,
    pub(crate) clock: u32,
}

/// What a stopwatch may show: units left, between `lo` and `hi`; a simulator knows which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    pub(crate) lo: u32,
    pub(crate) hi: u32,
    pub(crate) shown: Option<u32>,
}

impl<P: Protocol> Outbox<P> {
    /// An empty outbox.
    pub fn new(chance: Chance) -> Self {
        Outbox { effects: Vec::new(), draws: Vec::new(), chance, timers: Vec::new(), clock: 0 }
    }

    /// Writes the disk cache.
    pub fn save(&mut self, disk: P::Disk) {
        self.effects.push(Effect::Save(disk));
    }

    /// Makes all saves so far durable.
    pub fn sync(&mut self) {
        self.effects.push(Effect::Sync);
    }

    /// Sends a message.
    pub fn send(&mut self, to: NodeId, msg: P::Msg) {
        self.effects.push(Effect::Send(to, msg));
    }

    /// Sends one message to each of several nodes, in their order.
    pub fn broadcast(&mut self, to: impl IntoIterator<Item = NodeId>, msg: P::Msg) {
        for node in to {
            self.send(node, msg.clone());
        }
    }

    /// Arms a timer, in units of time; one of the same name is replaced.
    pub fn arm(&mut self, timer: P::Timer, delay: impl Into<Delay>) {
        self.effects.push(Effect::Arm(timer, delay.into()));
    }

    /// Disarms a timer, if it is armed.
    pub fn disarm(&mut self, timer: P::Timer) {
        self.effects.push(Effect::Disarm(timer));
    }

    /// Puts out one item of a long answer.
    pub fn item(&mut self, call: CallId, ret: P::Ret) {
        self.effects.push(Effect::Item(call, ret));
    }

    /// Ends a call with a value.
    pub fn reply(&mut self, call: CallId, ret: P::Ret) {
        self.effects.push(Effect::Reply(call, Outcome::Ok(ret)));
    }

    /// Ends a call that did not happen and never will.
    pub fn fail(&mut self, call: CallId) {
        self.effects.push(Effect::Reply(call, Outcome::Failed));
    }

    /// Ends a call that may have happened.
    pub fn give_up(&mut self, call: CallId) {
        self.effects.push(Effect::Reply(call, Outcome::Unknown));
    }

    /// Marks a moment for monitors and `sometimes`.
    pub fn mark(&mut self, name: &'static str, value: u64) {
        self.effects.push(Effect::Mark(Mark { name, value }));
    }

    /// Chooses one of `n` values, 0 to `n - 1`; the checker tries every one.
    ///
    /// # Panics
    /// If `n` is 0, or a listed value is out of range.
    pub fn choose(&mut self, n: u32) -> u32 {
        assert!(n > 0, "there is nothing to choose from");
        let taken = match &mut self.chance {
            Chance::Drawn(rng) => {
                ((u64::from(rng.next_u32()) * u64::from(n)) >> 32).try_into().unwrap_or(n - 1)
            }
            Chance::Listed(list) => list.get(self.draws.len()).copied().unwrap_or(0),
        };
        assert!(taken < n, "a draw of {taken} where there are {n} values");
        self.draws.push(Draw { taken, of: n });
        taken
    }

    /// Reads a stopwatch: how many whole units an armed timer of this node has left, as far as its
    /// clock can tell; `None` if it is not armed. Where clocks drift, any reading within the bounds
    /// may be shown, so this draws as `choose` does.
    pub fn left(&mut self, timer: &P::Timer) -> Option<u32> {
        let reading = self.timers.iter().find(|(armed, _)| armed == timer)?.1;
        let of = reading.hi - reading.lo + 1;
        let taken = match reading.shown {
            Some(shown) => {
                let taken = shown.clamp(reading.lo, reading.hi) - reading.lo;
                self.draws.push(Draw { taken, of });
                taken
            }
            None => self.choose(of),
        };
        Some(reading.lo + taken)
    }

    /// Reads this node's clock, in units since the start of the world, with skew, drift and jumps;
    /// 0 in a world without clocks. It stops at the scenario's horizon.
    pub fn now(&self) -> u32 {
        self.clock
    }

    /// The effects so far, in order.
    pub fn effects(&self) -> &[Effect<P>] {
        &self.effects
    }

    /// Runs a step of another protocol, a layer of this one, with the same chance and clock, and
    /// returns its effects. Its timers are found through `names`.
    pub fn within<L: Protocol>(
        &mut self,
        names: impl Fn(&P::Timer) -> Option<L::Timer>,
        step: impl FnOnce(&mut Outbox<L>),
    ) -> Vec<Effect<L>> {
        let chance = std::mem::replace(&mut self.chance, Chance::Listed(Vec::new()));
        let timers =
            self.timers.iter().filter_map(|(timer, left)| Some((names(timer)?, *left))).collect();
        let mut inner = Outbox {
            effects: Vec::new(),
            draws: std::mem::take(&mut self.draws),
            chance,
            timers,
            clock: self.clock,
        };
        step(&mut inner);
        self.chance = inner.chance;
        self.draws = inner.draws;
        inner.effects
    }
}
