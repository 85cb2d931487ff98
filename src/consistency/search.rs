//! The search for an order of calls: Wing and Gong (1993), with Lowe's memory of what was tried
//! (2017), on configurations as small as they can be without becoming inexact.
//!
//! The search walks along the history's events. An invocation makes a call *pending*; taking a
//! pending call lets it take effect, and a return may be passed once its call is taken. A
//! *configuration* is where the walk stands, which calls are pending, and the state of the object.
//! What was taken follows from the first two: everything invoked so far that isn't pending. So two
//! orders that lead to one configuration have the same future, and the second is dropped. Pending
//! calls are bits, one for each *slot*, and a slot is free again after its call's return; so a
//! configuration has as many bits as calls were ever open at once, not as the history has calls.
//! Configurations are kept whole: nothing rests on a hash value.
//!
//! Three reductions, each with its reason:
//! * A pending call whose answer says that it changed nothing, and that is legal now, is taken now,
//!   and no other choice is tried. Take any order that explains the rest; moving this call to its
//!   front changes no state, and the call is already invoked.
//! * A call that never returns is taken only if it changes the state: in an order that explains
//!   the history, such a call may as well be left out.
//! * Of several calls that never return and are the same operation, the first invoked is taken
//!   first. In an order that takes a later one in its place, the two can be swapped.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use crate::history::Call;
use crate::object::Object;

/// How a search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<S> {
    /// An order that explains the calls.
    Order(Vec<usize>),
    /// There is none.
    Stuck {
        /// The call whose return no order can pass.
        call: usize,
        /// An order of calls that comes so far.
        partial: Vec<usize>,
        /// The states in which every order is stuck there.
        states: Vec<S>,
    },
    /// The budget ran out; this order explains the longest prefix that was reached.
    Spent(Vec<usize>),
}

/// Searches for an order of calls that are sorted by their invocations. Every try of a call is a
/// step, and so is every other word that a configuration needs, so memory is bounded as well.
pub fn search<O: Object>(
    object: &O,
    calls: &[Call<O::Op, O::Ret>],
    budget: u64,
) -> (Found<O::State>, u64) {
    let mut search = Search::new(object, calls, budget);
    let end = search.run();
    let steps = budget.min(search.steps);
    let found = match end {
        End::Explained => Found::Order(search.order.iter().map(|call| *call as usize).collect()),
        End::Spent => Found::Spent(search.best.order()),
        End::Stuck => Found::Stuck {
            call: search.plan.events[search.best.position].call as usize,
            partial: search.best.order(),
            states: search.states_at(search.best.position),
        },
    };
    (found, steps)
}

const NONE: u32 = u32::MAX;

/// A call, as the search needs it.
#[derive(Clone, Copy, Debug)]
struct Planned {
    op: u32,
    /// The answer that it gave, if it is to be judged.
    ret: Option<u32>,
    slot: u32,
    /// It changed nothing if it may be taken at all.
    silent: bool,
    /// It never returns.
    open: bool,
    /// The call that had the slot before, or for an open call: the last one with the same
    /// operation.
    before: u32,
}

#[derive(Clone, Copy, Debug)]
struct Event {
    call: u32,
    returns: bool,
}

/// The history, prepared once.
#[derive(Debug)]
struct Plan {
    calls: Vec<Planned>,
    events: Vec<Event>,
    /// Slots below this are for calls that return; each of the others is for one open call.
    shared_slots: usize,
    slots: usize,
}

impl Plan {
    fn new<O: Object>(
        object: &O,
        machine: &mut Machine<'_, O>,
        calls: &[Call<O::Op, O::Ret>],
    ) -> Plan {
        let planned = calls.iter().map(|call| Planned {
            op: machine.ops.id(&call.op),
            ret: call.ret.as_ref().map(|ret| machine.rets.id(ret)),
            slot: 0,
            silent: match &call.ret {
                Some(ret) => object.silent(&call.op, ret),
                None => object.reads(&call.op),
            },
            open: call.returned.is_none(),
            before: NONE,
        });
        let planned: Vec<Planned> = planned.collect();
        let mut times = Vec::with_capacity(2 * calls.len());
        for (index, call) in (0..).zip(calls) {
            // An open call that changes nothing explains nothing.
            if planned[index as usize].open && planned[index as usize].silent {
                continue;
            }
            times.push((call.invoked, Event { call: index, returns: false }));
            times.extend(call.returned.map(|time| (time, Event { call: index, returns: true })));
        }
        // At one time invocations come first: such calls count as concurrent.
        times.sort_by_key(|(time, event)| (*time, event.returns));
        let events = times.into_iter().map(|(_, event)| event).collect();
        let mut plan = Plan { calls: planned, events, shared_slots: 0, slots: 0 };
        plan.give_slots();
        plan
    }

    fn give_slots(&mut self) {
        let (mut free, mut holders) = (Vec::new(), Vec::new());
        for event in &self.events {
            let call = &mut self.calls[event.call as usize];
            if event.returns {
                free.push(call.slot);
            } else if !call.open {
                call.slot = free.pop().unwrap_or(holders.len() as u32);
                match holders.get_mut(call.slot as usize) {
                    Some(holder) => call.before = std::mem::replace(holder, event.call),
                    None => holders.push(event.call),
                }
            }
        }
        self.shared_slots = holders.len();
        self.slots = holders.len();
        let mut last_of = HashMap::new();
        for event in self.events.iter().filter(|event| !event.returns) {
            let call = &mut self.calls[event.call as usize];
            if call.open {
                call.slot = self.slots as u32;
                call.before = last_of.insert(call.op, event.call).unwrap_or(NONE);
                self.slots += 1;
            }
        }
    }
}

/// Values, numbered in the order in which they turn up.
#[derive(Debug)]
struct Numbered<T> {
    values: Vec<T>,
    ids: HashMap<T, u32>,
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    fn new() -> Self {
        Numbered { values: Vec::new(), ids: HashMap::new() }
    }

    fn id(&mut self, value: &T) -> u32 {
        if let Some(id) = self.ids.get(value) {
            return *id;
        }
        let id = self.values.len() as u32;
        self.values.push(value.clone());
        self.ids.insert(value.clone(), id);
        id
    }
}

/// The object, with its states numbered and its moves remembered.
#[derive(Debug)]
struct Machine<'a, O: Object> {
    object: &'a O,
    states: Numbered<O::State>,
    ops: Numbered<O::Op>,
    rets: Numbered<O::Ret>,
    /// From a state and an operation, in one number, to a state and an answer.
    moves: HashMap<u64, (u32, u32), BuildHasherDefault<Mix>>,
}

impl<O: Object> Machine<'_, O> {
    /// The state after an operation, and the answer.
    fn step(&mut self, state: u32, op: u32) -> (u32, u32) {
        let from = u64::from(state) << 32 | u64::from(op);
        if let Some(to) = self.moves.get(&from) {
            return *to;
        }
        let mut after = self.states.values[state as usize].clone();
        let ret = self.object.apply(&mut after, &self.ops.values[op as usize]);
        let to = (self.states.id(&after), self.rets.id(&ret));
        self.moves.insert(from, to);
        to
    }
}

/// Spreads numbers over all 64 bits. It is for speed only: who hashes here also compares.
fn mix(hash: u64, word: u64) -> u64 {
    let mixed = (hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 29)
}

#[derive(Debug, Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = mix(self.0, u64::from(*byte)));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = mix(self.0, word);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A set of configurations, each a fixed number of words, stored whole and without gaps.
#[derive(Debug)]
struct Seen {
    width: usize,
    words: Vec<u64>,
    /// Open addressing: 0 is empty, n the configuration number n - 1.
    table: Vec<u32>,
}

impl Seen {
    fn new(width: usize) -> Self {
        Seen { width, words: Vec::new(), table: vec![0; 64] }
    }

    fn len(&self) -> usize {
        self.words.len() / self.width
    }

    /// Where the configuration is in the table, or where it would be.
    fn place(&self, words: &[u64]) -> usize {
        let mask = self.table.len() - 1;
        let mut place = words.iter().fold(0, |hash, word| mix(hash, *word)) as usize & mask;
        loop {
            let entry = self.table[place] as usize;
            if entry == 0 || self.words[(entry - 1) * self.width..entry * self.width] == *words {
                return place;
            }
            place = (place + 1) & mask;
        }
    }

    /// True if it wasn't there.
    fn insert(&mut self, words: &[u64]) -> bool {
        let place = self.place(words);
        if self.table[place] != 0 {
            return false;
        }
        self.words.extend_from_slice(words);
        self.table[place] = self.len() as u32;
        if self.len() * 2 > self.table.len() {
            self.grow();
        }
        true
    }

    fn grow(&mut self) {
        self.table = vec![0; self.table.len() * 2];
        for entry in 1..=self.len() {
            let place = self.place(&self.words[(entry - 1) * self.width..entry * self.width]);
            self.table[place] = entry as u32;
        }
    }
}

/// The order that got furthest. It is copied only when the search turns back, and then only as far
/// as it differs.
#[derive(Debug, Default)]
struct Best {
    position: usize,
    order: Vec<u32>,
    /// How much of the copy is still the beginning of the search's own order.
    common: usize,
    stale: bool,
}

impl Best {
    fn reached(&mut self, position: usize) {
        if position > self.position {
            self.position = position;
            self.stale = true;
        }
    }

    fn before_turning_back(&mut self, order: &[u32], to: usize) {
        if std::mem::take(&mut self.stale) {
            self.order.truncate(self.common);
            self.order.extend_from_slice(&order[self.common..]);
            self.common = order.len();
        }
        self.common = self.common.min(to);
    }

    fn order(&self) -> Vec<usize> {
        self.order.iter().map(|call| *call as usize).collect()
    }
}

/// A configuration that the search is at, or came through.
#[derive(Clone, Copy, Debug)]
struct Frame {
    position: usize,
    state: u32,
    /// How many calls were taken.
    taken: usize,
    /// Which choice comes next: the call that must return comes first, then slot by slot.
    next: usize,
}

enum End {
    Explained,
    Stuck,
    Spent,
}

#[derive(Debug)]
struct Search<'a, O: Object> {
    machine: Machine<'a, O>,
    plan: Plan,
    seen: Seen,
    best: Best,
    budget: u64,
    steps: u64,
    frames: Vec<Frame>,
    /// The pending calls of each frame, one after the other, and then those of the walk.
    pending: Vec<u64>,
    words: usize,
    /// Which call has a slot where the walk stands.
    holder: Vec<u32>,
    position: usize,
    order: Vec<u32>,
    /// A configuration as it is stored, kept here to save allocations.
    key: Vec<u64>,
}

impl<'a, O: Object> Search<'a, O> {
    fn new(object: &'a O, calls: &[Call<O::Op, O::Ret>], budget: u64) -> Self {
        let (states, ops, rets) = (Numbered::new(), Numbered::new(), Numbered::new());
        let mut machine = Machine { object, states, ops, rets, moves: HashMap::default() };
        let plan = Plan::new(object, &mut machine, calls);
        let words = plan.slots.div_ceil(64).max(1);
        let mut holder = vec![NONE; plan.slots];
        for event in &plan.events {
            let call = &plan.calls[event.call as usize];
            if call.open {
                holder[call.slot as usize] = event.call;
            }
        }
        Search {
            machine,
            plan,
            seen: Seen::new(1 + words),
            best: Best::default(),
            budget,
            steps: 0,
            frames: Vec::new(),
            pending: vec![0; words],
            words,
            holder,
            position: 0,
            order: Vec::new(),
            key: Vec::new(),
        }
    }

    fn run(&mut self) -> End {
        let state = self.machine.states.id(&self.machine.object.init());
        if self.enter(state) {
            return End::Explained;
        }
        while let Some(frame) = self.frames.last().copied() {
            if self.steps > self.budget {
                self.best.before_turning_back(&self.order, 0);
                return End::Spent;
            }
            self.return_to(frame);
            match self.choose(frame) {
                None => {
                    self.frames.pop();
                    self.pending.truncate(self.pending.len() - self.words);
                }
                Some(state) => {
                    if self.enter(state) {
                        return End::Explained;
                    }
                }
            }
        }
        self.best.before_turning_back(&self.order, 0);
        End::Stuck
    }

    /// The pending calls where the walk stands.
    fn now(&mut self) -> &mut [u64] {
        let start = self.pending.len() - self.words;
        &mut self.pending[start..]
    }

    fn is_pending(&self, slot: usize) -> bool {
        self.pending[self.pending.len() - self.words + slot / 64] >> (slot % 64) & 1 == 1
    }

    fn take(&mut self, call: u32) {
        let slot = self.plan.calls[call as usize].slot as usize;
        self.now()[slot / 64] &= !(1 << (slot % 64));
        self.order.push(call);
    }

    /// Undoes everything after a frame.
    fn return_to(&mut self, frame: Frame) {
        if self.order.len() > frame.taken {
            self.best.before_turning_back(&self.order, frame.taken);
            self.order.truncate(frame.taken);
        }
        while self.position > frame.position {
            self.position -= 1;
            let event = self.plan.events[self.position];
            let call = self.plan.calls[event.call as usize];
            if !event.returns && !call.open {
                self.holder[call.slot as usize] = call.before;
            }
        }
        let (start, words) = ((self.frames.len() - 1) * self.words, self.words);
        self.pending.truncate(start + words);
        self.pending.extend_from_within(start..start + words);
    }

    /// Takes the frame's next call that can be taken, and returns the state after it.
    fn choose(&mut self, frame: Frame) -> Option<u32> {
        let must = self.plan.calls[self.plan.events[frame.position].call as usize].slot as usize;
        let mut next = frame.next;
        let mut chosen = None;
        while chosen.is_none() && next <= self.plan.slots {
            let slot = if next == 0 { must } else { next - 1 };
            let rest = self.pending[self.pending.len() - self.words + slot / 64] >> (slot % 64);
            if next > 0 && rest == 0 {
                next = (slot / 64 + 1) * 64 + 1;
                continue;
            }
            if rest & 1 == 1 && (next == 0 || slot != must) {
                chosen = self.attempt(frame.state, self.holder[slot]);
            }
            next += 1;
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.next = next;
        }
        chosen
    }

    fn attempt(&mut self, state: u32, call: u32) -> Option<u32> {
        self.steps += 1;
        let planned = self.plan.calls[call as usize];
        let (after, ret) = self.machine.step(state, planned.op);
        if planned.ret.is_some_and(|told| told != ret) {
            return None;
        }
        if planned.open {
            let twin_waits = planned.before != NONE
                && self.is_pending(self.plan.calls[planned.before as usize].slot as usize);
            if after == state || twin_waits {
                return None;
            }
        }
        self.take(call);
        Some(after)
    }

    /// Walks on as far as possible, taking silent calls. Returns true at the history's end; else
    /// the configuration becomes a frame, unless it was seen before.
    fn enter(&mut self, state: u32) -> bool {
        loop {
            self.walk();
            if self.position == self.plan.events.len() {
                return true;
            }
            if !self.take_silent(state) {
                break;
            }
        }
        self.best.reached(self.position);
        self.key.clear();
        self.key.push((self.position as u64) << 32 | u64::from(state));
        self.key.extend_from_slice(&self.pending[self.pending.len() - self.words..]);
        if self.seen.insert(&self.key) {
            self.steps += self.words as u64 - 1;
            let taken = self.order.len();
            self.frames.push(Frame { position: self.position, state, taken, next: 0 });
            self.pending.truncate(self.frames.len() * self.words);
            self.pending.extend_from_within((self.frames.len() - 1) * self.words..);
        }
        false
    }

    /// Walks up to a return whose call is not taken.
    fn walk(&mut self) {
        while let Some(event) = self.plan.events.get(self.position).copied() {
            let call = self.plan.calls[event.call as usize];
            let slot = call.slot as usize;
            if !event.returns {
                self.holder[slot] = event.call;
                self.now()[slot / 64] |= 1 << (slot % 64);
            } else if self.is_pending(slot) {
                return;
            }
            self.position += 1;
        }
    }

    /// Takes every silent call that is legal now, and says whether there was one.
    fn take_silent(&mut self, state: u32) -> bool {
        let taken = self.order.len();
        for word in 0..self.plan.shared_slots.div_ceil(64) {
            let mut rest = self.pending[self.pending.len() - self.words + word];
            while rest != 0 {
                let slot = word * 64 + rest.trailing_zeros() as usize;
                rest &= rest - 1;
                let call = self.holder[slot];
                let planned = self.plan.calls[call as usize];
                if !planned.silent || planned.open {
                    continue;
                }
                let (_, ret) = self.machine.step(state, planned.op);
                if planned.ret.is_none_or(|told| told == ret) {
                    self.take(call);
                }
            }
        }
        self.order.len() > taken
    }

    /// The states of the configurations that stand at a position, each once.
    fn states_at(&self, position: usize) -> Vec<O::State> {
        let keys = self.seen.words.chunks_exact(self.seen.width).map(|key| key[0]);
        let here = keys.filter(|key| (key >> 32) as usize == position);
        let mut states: Vec<O::State> =
            here.map(|key| self.machine.states.values[key as u32 as usize].clone()).collect();
        states.sort();
        states.dedup();
        states
    }
}
