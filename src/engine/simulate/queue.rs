//! What waits in the simulator: a queue by (due tick, creation number).

use std::collections::BTreeMap;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;

use crate::protocol::{Delay, Mark, NodeId, Outbox, Protocol, Reading};
use crate::world::{Clocks, Flight, Interval, Links, Pending, Setup, System, World};

use super::agenda::{Agenda, Entry};
use super::faults::{below, pick};
use super::weather::Weather;

/// What falls due.
#[derive(Clone, Copy, Debug)]
pub enum Due {
    /// The message in this slot arrives.
    Message(u32),
    /// The timer in this slot fires.
    Timer(u32),
    /// A program makes its next call.
    Call(u16),
    /// A program gives its call up, if it is still this one.
    Cancel(u16, u16),
    /// The partition heals.
    Heal,
    /// A node starts again.
    Restart(NodeId),
    /// A node takes inputs again.
    Resume(NodeId),
}

/// A message in flight.
#[derive(Debug)]
pub struct Message<M> {
    pub from: NodeId,
    pub to: NodeId,
    pub msg: M,
    /// When it is due, and its creation number.
    queued: (u64, u64),
}

/// A timer that is armed.
#[derive(Debug)]
struct Armed<T> {
    node: NodeId,
    timer: T,
    delay: Delay,
    since: u64,
    due: u64,
}

/// The queue, and the draws that decide when things fall due.
pub struct Queue<P: Protocol> {
    setup: Arc<Setup<P>>,
    /// The present, in ticks.
    pub now: u64,
    agenda: Agenda,
    created: u64,
    messages: Vec<Option<Message<P::Msg>>>,
    free_messages: Vec<u32>,
    timers: Vec<Option<Armed<P::Timer>>>,
    free_timers: Vec<u32>,
    armed: Vec<Vec<u32>>,
    parked: Vec<Entry>,
    last_on_link: BTreeMap<(NodeId, NodeId), u64>,
    /// Delays of messages and the like.
    pub links: ChaCha8Rng,
    clocks: ChaCha8Rng,
    weather: Weather,
    stretch: (u64, u64),
    /// The slots of the messages that the last step sent.
    pub fresh: Vec<u32>,
    /// Programs whose call was made, and those whose call ended, in the last step.
    pub called: Vec<u16>,
    pub ended: Vec<u16>,
    /// Marks put out in the last step.
    pub marks: Vec<Mark>,
}

impl<P: Protocol> Queue<P> {
    /// An empty queue. Where the scenario leaves clocks open, a run draws how wide they differ.
    pub fn new(setup: &Arc<Setup<P>>, mut links: ChaCha8Rng, clocks: ChaCha8Rng) -> Self {
        let weather = Weather::draw(setup, &mut links);
        let stretch = [(3, 6), (1, 12), (4, 60)][pick(&mut links, 3)];
        Queue {
            setup: Arc::clone(setup),
            now: 0,
            agenda: Agenda::new(),
            created: 0,
            messages: Vec::new(),
            free_messages: Vec::new(),
            timers: Vec::new(),
            free_timers: Vec::new(),
            armed: vec![Vec::new(); setup.nodes().into()],
            parked: Vec::new(),
            last_on_link: BTreeMap::new(),
            links,
            clocks,
            weather,
            stretch,
            fresh: Vec::new(),
            called: Vec::new(),
            ended: Vec::new(),
            marks: Vec::new(),
        }
    }

    /// Adds what falls due in so many ticks.
    pub fn add(&mut self, ticks: u64, due: Due) {
        self.agenda.add(Entry { due: self.now + ticks, created: self.created, what: due });
        self.created += 1;
    }

    /// Takes what falls due next, and goes on to its tick; returns how many ticks passed.
    pub fn next(&mut self) -> Option<(u64, Entry)> {
        let entry = self.agenda.next()?;
        let passed = entry.due - self.now;
        self.now = entry.due;
        Some((passed, entry))
    }

    /// Keeps what fell due at a node that takes no inputs, or on a cut link.
    pub fn park(&mut self, entry: Entry) {
        self.parked.push(entry);
    }

    /// All faults are over: what was parked comes in creation order, and the weather is calm.
    pub fn heal(&mut self) {
        self.weather.calm();
        self.unpark();
    }

    /// Queues again, in creation order, what was parked; it is due now.
    pub fn unpark(&mut self) {
        for entry in std::mem::take(&mut self.parked) {
            self.agenda.add(Entry { due: self.now, ..entry });
        }
    }

    /// The message in a slot, if it was not dropped.
    pub fn message(&self, slot: u32) -> Option<&Message<P::Msg>> {
        self.messages[slot as usize].as_ref()
    }

    /// Takes a message out of its slot; only what fell due frees a slot.
    pub fn take_message(&mut self, slot: u32) -> Option<Message<P::Msg>> {
        self.free_messages.push(slot);
        self.messages[slot as usize].take()
    }

    /// Loses a message in flight.
    pub fn drop_message(&mut self, slot: u32) -> P::Msg {
        self.messages[slot as usize].take().expect("only what is in flight is lost").msg
    }

    /// Takes the slots of the messages that the last step sent. On FIFO links, of equal ones on a
    /// link only the last: it is the newest to which a fault happens.
    pub fn take_fresh(&mut self) -> Vec<u32> {
        let fresh = std::mem::take(&mut self.fresh);
        if self.setup.links == Links::Unordered {
            return fresh;
        }
        let what = |slot: u32| self.message(slot).map(|m| (m.from, m.to, &m.msg));
        let newest = |n: &usize| fresh[n + 1..].iter().all(|later| what(*later) != what(fresh[*n]));
        (0..fresh.len()).filter(newest).map(|n| fresh[n]).collect()
    }

    /// Puts a copy of a message in flight; on a FIFO link it follows the original at once.
    pub fn duplicate(&mut self, slot: u32) -> P::Msg {
        let message = self.message(slot).expect("only what is in flight is duplicated");
        let Message { from, to, ref msg, queued: (due, created) } = *message;
        let (msg, copy) = (msg.clone(), msg.clone());
        if self.setup.links == Links::Unordered {
            self.sent(from, to, copy);
        } else {
            let slot = self.store(Message { from, to, msg: copy, queued: (due, created) });
            self.agenda.add(Entry { due, created, what: Due::Message(slot) });
        }
        msg
    }

    fn store(&mut self, message: Message<P::Msg>) -> u32 {
        if let Some(slot) = self.free_messages.pop() {
            self.messages[slot as usize] = Some(message);
            return slot;
        }
        self.messages.push(Some(message));
        u32::try_from(self.messages.len() - 1).expect("fewer messages than memory")
    }

    /// Drops what is in flight on links that are cut.
    pub fn drop_blocked(&mut self, blocked: impl Fn(NodeId, NodeId) -> bool) {
        for message in &mut self.messages {
            message.take_if(|m| blocked(m.from, m.to));
        }
    }

    /// The timer in a slot, if it is still armed.
    pub fn timer(&self, slot: u32) -> Option<(NodeId, &P::Timer)> {
        self.timers[slot as usize].as_ref().map(|armed| (armed.node, &armed.timer))
    }

    /// Takes a timer out of its slot.
    pub fn take_timer(&mut self, slot: u32) -> Option<(NodeId, P::Timer)> {
        self.free_timers.push(slot);
        let Armed { node, timer, .. } = self.timers[slot as usize].take()?;
        self.armed[node.index()].retain(|armed| *armed != slot);
        Some((node, timer))
    }

    /// The world in which all this waits beside a system, each thing for exactly as long as here.
    pub fn world(&self, system: System<P>) -> World<P> {
        let setup = &self.setup;
        let exactly = |due: u64| {
            let left = u32::try_from(due.saturating_sub(self.now)).unwrap_or(Interval::FOREVER - 1);
            Interval { lo: left, hi: left }
        };
        let wait = |m: &Message<P::Msg>| match setup.numbers.delay {
            None if m.from != m.to => Interval::ANY_TIME,
            _ if !setup.timed() => Interval::ANY_TIME,
            _ => exactly(m.queued.0),
        };
        let mut messages: Vec<_> = self.messages.iter().flatten().collect();
        messages.sort_by_key(|message| message.queued);
        let flights = messages.into_iter().map(|message| {
            let Message { from, to, ref msg, .. } = *message;
            Flight { from, to, msg: msg.clone(), wait: wait(message) }
        });
        let timers = self.timers.iter().flatten().map(|armed| {
            let wait = if setup.timed() { exactly(armed.due) } else { Interval::ANY_TIME };
            let length = if setup.stopwatch { armed.delay.hi } else { 0 };
            (armed.node, armed.timer.clone(), wait, length)
        });
        World::of(system, flights.collect(), timers.collect())
    }

    fn slot_of(&self, node: NodeId, timer: &P::Timer) -> Option<usize> {
        let named = |slot: &u32| {
            self.timers[*slot as usize].as_ref().is_some_and(|armed| armed.timer == *timer)
        };
        self.armed[node.index()].iter().position(named)
    }

    fn flight_ticks(&mut self, from: NodeId, to: NodeId) -> u64 {
        if from == to && self.setup.timed() {
            return 0;
        }
        self.weather.delay(from, to, &mut self.links)
    }

    /// Between which numbers of ticks a timer may fire, as far as the scenario says.
    fn timer_bounds(&self, delay: Delay) -> Option<(u64, u64)> {
        let setup = &self.setup;
        let drift = match setup.numbers.clocks {
            Clocks::Asynchronous => return None,
            Clocks::Perfect => 0,
            Clocks::Bounded => u64::from(setup.ticks(setup.numbers.drift)),
        };
        let lo = u64::from(setup.ticks(delay.lo)).saturating_sub(drift);
        Some((lo, u64::from(setup.ticks(delay.hi)) + drift))
    }

    fn timer_ticks(&mut self, delay: Delay) -> u64 {
        let (lo, hi) = self.timer_bounds(delay).unwrap_or_else(|| {
            let (lo, hi) = (self.setup.ticks(delay.lo), self.setup.ticks(delay.hi));
            (u64::from(lo) * self.stretch.0 / 4, u64::from(hi) * self.stretch.1 / 4)
        });
        if lo == hi { lo } else { lo + below(&mut self.clocks, hi - lo + 1) }
    }

    /// What a stopwatch shows: the same bounds as in the checker's world, and the truth.
    fn reading(&self, armed: &Armed<P::Timer>) -> Reading {
        let scale = u64::from(self.setup.numbers.scale);
        let elapsed = self.now - armed.since;
        let units = |ticks: u64| {
            let units = u32::try_from(ticks.saturating_sub(elapsed) / scale);
            units.unwrap_or(u32::MAX).min(armed.delay.hi)
        };
        let (lo, hi) = match self.timer_bounds(armed.delay) {
            Some((lo, hi)) => (units(lo), units(hi)),
            None => (0, armed.delay.hi),
        };
        Reading { lo, hi, shown: Some(units(armed.due - armed.since)) }
    }
}

impl<P: Protocol> Pending<P> for Queue<P> {
    fn sent(&mut self, from: NodeId, to: NodeId, msg: P::Msg) {
        let mut ticks = self.flight_ticks(from, to);
        if self.setup.links == Links::Fifo {
            let last = self.last_on_link.entry((from, to)).or_default();
            *last = (*last).max(self.now + ticks);
            ticks = *last - self.now;
        }
        let queued = (self.now + ticks, self.created);
        let slot = self.store(Message { from, to, msg, queued });
        self.fresh.push(slot);
        self.add(ticks, Due::Message(slot));
    }

    fn armed(&mut self, node: NodeId, timer: P::Timer, delay: Delay) {
        self.disarmed(node, &timer);
        let ticks = self.timer_ticks(delay);
        let (since, due) = (self.now, self.now + ticks);
        let entry = Some(Armed { node, timer, delay, since, due });
        let slot = match self.free_timers.pop() {
            Some(slot) => {
                self.timers[slot as usize] = entry;
                slot
            }
            None => {
                self.timers.push(entry);
                u32::try_from(self.timers.len() - 1).expect("fewer timers than memory")
            }
        };
        self.armed[node.index()].push(slot);
        self.add(ticks, Due::Timer(slot));
    }

    fn disarmed(&mut self, node: NodeId, timer: &P::Timer) {
        if let Some(at) = self.slot_of(node, timer) {
            let slot = self.armed[node.index()].swap_remove(at);
            self.timers[slot as usize] = None;
        }
    }

    fn called(&mut self, program: usize) {
        self.called.push(u16::try_from(program).expect("numbers are validated"));
    }

    fn ended(&mut self, program: usize) {
        self.ended.push(u16::try_from(program).expect("numbers are validated"));
    }

    fn crashed(&mut self, node: NodeId) {
        for slot in std::mem::take(&mut self.armed[node.index()]) {
            self.timers[slot as usize] = None;
        }
    }

    fn marked(&mut self, _: NodeId, mark: Mark) {
        self.marks.push(mark);
    }

    fn show_timers(&self, node: NodeId, out: &mut Outbox<P>) {
        let own = self.armed[node.index()].iter();
        let own = own.filter_map(|slot| self.timers[*slot as usize].as_ref());
        out.timers = own.map(|armed| (armed.timer.clone(), self.reading(armed))).collect();
    }
}
