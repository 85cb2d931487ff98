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
//! Five reductions, each with its reason:
//! * A pending call whose answer says that it changed nothing, and that is legal now, is taken now,
//!   and no other choice is tried. Take any order that explains the rest; moving this call to its
//!   front changes no state, and the call is already invoked.
//! * A call that never returns is taken only if it changes the state: in an order that explains
//!   the history, such a call may as well be left out.
//! * Of several calls that never return and are the same operation, the first invoked is taken
//!   first. In an order that takes a later one in its place, the two can be swapped.
//! * What is reached with fewer calls of unknown outcome taken stands for what is reached with more
//!   and is else the same (see `seen.rs`).
//! * Where every pending call touches one part of the object only, just those are tried that touch
//!   the part of the call that must return next. In any order that explains the rest, take the
//!   first of these calls: those before it touch other parts, so it can as well be moved to the
//!   front.

mod board;
mod seen;

pub use board::{Board, Fate, INITIAL, NONE};
pub use seen::Seen;

use crate::object::Object;
use board::{Event, Known};

/// How a search ended. Calls are named by their indices on the board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// An order that explains the calls.
    Order(Vec<usize>),
    /// There is none.
    Stuck(Stuck),
    /// The budget ran out.
    Spent(Spent),
}

/// Where no order gets on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The call whose return no order can pass.
    pub call: usize,
    /// An order of calls that comes so far.
    pub partial: Vec<usize>,
    /// The states in which every order is stuck there.
    pub states: Vec<u32>,
}

/// How far a search came within its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// An order that explains the longest prefix that was reached.
    pub order: Vec<usize>,
    /// It was the memory that ran out, not the steps.
    pub full: bool,
}

/// What a search may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Tries of a call.
    pub steps: u64,
    /// About how much memory.
    pub bytes: usize,
}

impl Limits {
    /// So many steps, in half a gigabyte.
    pub fn steps(steps: u64) -> Limits {
        Limits { steps, bytes: 1 << 29 }
    }
}

impl<O: Object> Board<'_, O> {
    /// Searches for an order of the calls, where each has its fate. Returns the steps, too.
    pub fn search(&mut self, fates: &[Fate], limits: Limits) -> (Found, u64) {
        let plan = Plan::new(self, fates);
        let mut search = Search::new(self, plan, limits);
        let end = search.run();
        let steps = limits.steps.min(search.steps);
        let found = match end {
            End::Explained => {
                Found::Order(search.order.iter().map(|call| *call as usize).collect())
            }
            End::Spent => Found::Spent(Spent { order: search.best.order(), full: search.full }),
            End::Stuck => Found::Stuck(Stuck {
                call: search.plan.events[search.best.position].call as usize,
                partial: search.best.order(),
                states: search.states_at(search.best.position),
            }),
        };
        (found, steps)
    }

    /// The states with these numbers, sorted.
    pub fn states(&self, numbers: &[u32]) -> Vec<O::State> {
        let states =
            numbers.iter().map(|state| self.machine.states.values[*state as usize].clone());
        let mut states: Vec<O::State> = states.collect();
        states.sort();
        states
    }
}

/// A call in one search.
#[derive(Clone, Copy, Debug)]
struct Planned {
    op: u32,
    ret: u32,
    part: u32,
    slot: u32,
    /// It changed nothing if it may be taken at all.
    silent: bool,
    /// It never returns.
    open: bool,
    /// The call that had the slot before, or for an open call: the last one with the same
    /// operation.
    before: u32,
}

impl Planned {
    fn of(known: &Known, fate: Fate) -> Planned {
        let Known { op, ret, part, silent, reads, returned } = *known;
        let (slot, before) = (NONE, NONE);
        match fate == Fate::Bound && returned {
            true => Planned { op, ret, part, slot, silent, open: false, before },
            false => Planned { op, ret: NONE, part, slot, silent: reads, open: true, before },
        }
    }
}

/// The history, prepared for one search.
#[derive(Debug)]
struct Plan {
    calls: Vec<Planned>,
    events: Vec<Event>,
    /// Slots below this are for calls that return. Of the others, from the next multiple of 64 on,
    /// each is for one open call.
    shared: usize,
    slots: usize,
    /// There are calls that touch more than one part.
    mixed: bool,
}

impl Plan {
    fn new<O: Object>(board: &Board<'_, O>, fates: &[Fate]) -> Plan {
        let calls = board.calls.iter().zip(fates);
        let calls: Vec<Planned> = calls.map(|(known, fate)| Planned::of(known, *fate)).collect();
        let is_event = |event: &&Event| {
            let call = &calls[event.call as usize];
            // An open call that changes nothing explains nothing.
            let nothing = call.open && (event.returns || call.silent);
            fates[event.call as usize] != Fate::Out && !nothing
        };
        let events: Vec<Event> = board.events.iter().filter(is_event).copied().collect();
        let mixed = events.iter().any(|event| calls[event.call as usize].part == NONE);
        let mut plan = Plan { calls, events, shared: 0, slots: 0, mixed };
        plan.give_slots(board.machine.ops());
        plan
    }

    fn give_slots(&mut self, ops: usize) {
        let (mut free, mut holders, mut open) = (Vec::new(), Vec::new(), false);
        for event in &self.events {
            let call = &mut self.calls[event.call as usize];
            open |= call.open;
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
        (self.shared, self.slots) = (holders.len(), holders.len());
        if !open {
            return;
        }
        self.slots = self.shared.next_multiple_of(64);
        let mut last_of = vec![NONE; ops];
        for event in self.events.iter().filter(|event| !event.returns) {
            let call = &mut self.calls[event.call as usize];
            if call.open {
                call.slot = self.slots as u32;
                call.before = std::mem::replace(&mut last_of[call.op as usize], event.call);
                self.slots += 1;
            }
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
    /// Only calls of this part are tried.
    part: u32,
}

enum End {
    Explained,
    Stuck,
    Spent,
}

#[derive(Debug)]
struct Search<'a, 'b, O: Object> {
    board: &'b mut Board<'a, O>,
    plan: Plan,
    seen: Seen,
    best: Best,
    limits: Limits,
    steps: u64,
    /// When to look next how much memory is taken, and whether it was too much.
    look: u64,
    full: bool,
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

impl<'a, 'b, O: Object> Search<'a, 'b, O> {
    fn new(board: &'b mut Board<'a, O>, plan: Plan, limits: Limits) -> Self {
        let words = plan.slots.div_ceil(64).max(1);
        let same = 1 + plan.shared.div_ceil(64).min(words);
        let mut holder = vec![NONE; plan.slots];
        for event in &plan.events {
            let call = &plan.calls[event.call as usize];
            if call.open {
                holder[call.slot as usize] = event.call;
            }
        }
        Search {
            board,
            plan,
            seen: Seen::new(same, 1 + words),
            best: Best::default(),
            limits,
            steps: 0,
            look: 0,
            full: false,
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
        if self.enter(INITIAL) {
            return End::Explained;
        }
        while let Some(frame) = self.frames.last().copied() {
            if self.steps > self.limits.steps || self.is_full() {
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

    /// Whether the memory is used up; that is looked up now and then.
    fn is_full(&mut self) -> bool {
        if self.steps < self.look {
            return false;
        }
        self.look = self.steps + 256;
        let walk = 8 * self.pending.capacity() + size_of::<Frame>() * self.frames.capacity();
        self.full = self.seen.bytes() + self.board.machine.bytes() + walk > self.limits.bytes;
        self.full
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
            if next > 0 && rest & 1 == 0 {
                next += if rest == 0 { 64 - slot % 64 } else { rest.trailing_zeros() as usize };
                continue;
            }
            if next == 0 || slot != must {
                chosen = self.attempt(frame, self.holder[slot]);
            }
            next += 1;
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.next = next;
        }
        chosen
    }

    fn attempt(&mut self, frame: Frame, call: u32) -> Option<u32> {
        let planned = self.plan.calls[call as usize];
        if frame.part != NONE && frame.part != planned.part {
            return None;
        }
        self.steps += 1;
        let (after, ret) = self.board.machine.step(frame.state, planned.op);
        if planned.ret != NONE && planned.ret != ret {
            return None;
        }
        if planned.open {
            let twin_waits = planned.before != NONE
                && self.is_pending(self.plan.calls[planned.before as usize].slot as usize);
            if after == frame.state || twin_waits {
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
            let (taken, part) = (self.order.len(), self.only_part());
            self.frames.push(Frame { position: self.position, state, taken, next: 0, part });
            self.pending.truncate(self.frames.len() * self.words);
            self.pending.extend_from_within((self.frames.len() - 1) * self.words..);
        }
        false
    }

    /// The part to which the choice can be narrowed down, or none.
    fn only_part(&self) -> u32 {
        if !self.board.parts {
            return NONE;
        }
        let touches_more = |slot: usize| {
            self.is_pending(slot) && self.plan.calls[self.holder[slot] as usize].part == NONE
        };
        match self.plan.mixed && (0..self.plan.slots).any(touches_more) {
            true => NONE,
            false => self.plan.calls[self.plan.events[self.position].call as usize].part,
        }
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
        for word in 0..self.plan.shared.div_ceil(64) {
            let mut rest = self.pending[self.pending.len() - self.words + word];
            while rest != 0 {
                let slot = word * 64 + rest.trailing_zeros() as usize;
                rest &= rest - 1;
                let call = self.holder[slot];
                let planned = self.plan.calls[call as usize];
                if !planned.silent || planned.open {
                    continue;
                }
                let (_, ret) = self.board.machine.step(state, planned.op);
                if planned.ret == NONE || planned.ret == ret {
                    self.take(call);
                }
            }
        }
        self.order.len() > taken
    }

    /// The states of the configurations that stand at a position, each once.
    fn states_at(&self, position: usize) -> Vec<u32> {
        let here = self.seen.first_words().filter(|word| (word >> 32) as usize == position);
        let mut states: Vec<u32> = here.map(|word| word as u32).collect();
        states.sort_unstable();
        states.dedup();
        states
    }
}
