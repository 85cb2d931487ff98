//! What a search knows of calls, prepared once for any number of searches among them: operations,
//! answers and states as numbers, the object's moves as they are found out, and the events in the
//! order of time.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use super::seen::mix;
use crate::history::Call;
use crate::object::Object;

/// No number.
pub const NONE: u32 = u32::MAX;

/// What is to become of a call in a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It takes effect as it was recorded.
    Bound,
    /// It may take effect at any time after its invocation, with any answer, or never.
    Free,
    /// It is left out.
    Out,
}

/// A call, as a search needs it.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// What it does.
    pub op: u32,
    /// The answer that it gave, if it is to be judged.
    pub ret: u32,
    /// The part of the object that it touches, if it touches only one.
    pub part: u32,
    /// With that answer it has changed nothing.
    pub silent: bool,
    /// It never changes anything.
    pub reads: bool,
    /// It returned.
    pub returned: bool,
}

/// A call begins, or it returns.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// Which call.
    pub call: u32,
    /// Whether it returns.
    pub returns: bool,
}

/// Calls among which orders are searched.
#[derive(Debug)]
pub struct Board<'a, O: Object> {
    /// The object and its moves.
    pub machine: Machine<'a, O>,
    /// The calls, in the order in which they were given.
    pub calls: Vec<Known>,
    /// Their events in the order of time. At one time invocations come first, since such calls
    /// count as concurrent.
    pub events: Vec<Event>,
    /// Whether there are calls of more than one part.
    pub parts: bool,
}

impl<'a, O: Object> Board<'a, O> {
    /// Prepares calls, which are sorted by their invocations.
    pub fn new(object: &'a O, calls: &[Call<O::Op, O::Ret>]) -> Self {
        let mut machine = Machine::new(object);
        let mut parts: HashMap<String, u32> = HashMap::new();
        let known = calls.iter().map(|call| {
            let reads = object.reads(&call.op);
            let count = parts.len() as u32;
            let part = object.part(&call.op);
            Known {
                op: machine.ops.id(Cow::Borrowed(&call.op)),
                ret: call.ret.as_ref().map_or(NONE, |ret| machine.rets.id(Cow::Borrowed(ret))),
                part: part.map_or(NONE, |part| *parts.entry(part).or_insert(count)),
                silent: call.ret.as_ref().map_or(reads, |ret| object.silent(&call.op, ret)),
                reads,
                returned: call.returned.is_some(),
            }
        });
        let known = known.collect();
        let mut times = Vec::with_capacity(2 * calls.len());
        for (index, call) in (0..).zip(calls) {
            times.push((call.invoked, false, index));
            times.extend(call.returned.map(|time| (time, true, index)));
        }
        times.sort_unstable();
        let events = times.into_iter().map(|(_, returns, call)| Event { call, returns }).collect();
        machine.settle();
        Board { machine, calls: known, events, parts: parts.len() > 1 }
    }
}

/// Values, numbered in the order in which they turn up.
#[derive(Debug)]
pub struct Numbered<T> {
    /// The values by their numbers.
    pub values: Vec<T>,
    /// By open addressing: half of a hash, and a number and one; 0 is empty.
    table: Vec<(u32, u32)>,
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    fn new() -> Self {
        Numbered { values: Vec::new(), table: vec![(0, 0); 16] }
    }

    /// The number of a value, which is copied if it is new.
    pub fn id(&mut self, value: Cow<'_, T>) -> u32 {
        let mut hasher = Mix::default();
        value.hash(&mut hasher);
        let hash = (hasher.finish() >> 32) as u32;
        let mask = self.table.len() - 1;
        let mut place = hash as usize & mask;
        while self.table[place].1 != 0 {
            let (other, entry) = self.table[place];
            if other == hash && self.values[entry as usize - 1] == *value {
                return entry - 1;
            }
            place = (place + 1) & mask;
        }
        self.values.push(value.into_owned());
        self.table[place] = (hash, self.values.len() as u32);
        if self.values.len() * 2 > self.table.len() {
            self.grow();
        }
        self.values.len() as u32 - 1
    }

    fn grow(&mut self) {
        let larger = vec![(0, 0); self.table.len() * 2];
        let mask = larger.len() - 1;
        for (hash, entry) in std::mem::replace(&mut self.table, larger) {
            if entry != 0 {
                let mut place = hash as usize & mask;
                while self.table[place].1 != 0 {
                    place = (place + 1) & mask;
                }
                self.table[place] = (hash, entry);
            }
        }
    }
}

/// How many moves are kept in a plain table, eight bytes each, if there are few operations.
const TABLE: usize = 1 << 18;
const FEW: usize = 128;

/// The size of each of so many states is looked up.
const SAMPLE: usize = 16;

/// The object, with its states numbered and its moves remembered.
#[derive(Debug)]
pub struct Machine<'a, O: Object> {
    object: &'a O,
    /// The states that were met.
    pub states: Numbered<O::State>,
    ops: Numbered<O::Op>,
    rets: Numbered<O::Ret>,
    /// The moves from the first states, a row for each: the state after it, and the answer.
    table: Vec<(u32, u32)>,
    rows: usize,
    /// From any other state and an operation, in one number.
    others: HashMap<u64, (u32, u32), BuildHasherDefault<Mix>>,
    /// About how many bytes the states take.
    bytes: usize,
}

/// The state before the first call.
pub const INITIAL: u32 = 0;

impl<'a, O: Object> Machine<'a, O> {
    fn new(object: &'a O) -> Self {
        Machine {
            object,
            states: Numbered::new(),
            ops: Numbered::new(),
            rets: Numbered::new(),
            table: Vec::new(),
            rows: 0,
            others: HashMap::default(),
            bytes: 0,
        }
    }

    /// All operations are known now.
    fn settle(&mut self) {
        let ops = self.ops.values.len();
        self.rows = if ops <= FEW { TABLE / ops.max(1) } else { 0 };
        self.number(self.object.init());
    }

    /// How many operations there are.
    pub fn ops(&self) -> usize {
        self.ops.values.len()
    }

    fn number(&mut self, state: O::State) -> u32 {
        let count = self.states.values.len();
        let id = self.states.id(Cow::Owned(state));
        if id as usize == count {
            if count < self.rows {
                self.table.resize(self.ops() * (count + 1), (NONE, NONE));
            }
            if count.is_multiple_of(SAMPLE) {
                let state = &self.states.values[count];
                let held = bincode::serialized_size(state).unwrap_or(0) as usize;
                self.bytes += SAMPLE * (size_of::<O::State>() + 2 * held + 16);
            }
        }
        id
    }

    /// The state after an operation, and the answer.
    pub fn step(&mut self, state: u32, op: u32) -> (u32, u32) {
        let place = state as usize * self.ops() + op as usize;
        let known = match self.table.get(place) {
            Some(known) => (known.0 != NONE).then_some(known),
            None => self.others.get(&(u64::from(state) << 32 | u64::from(op))),
        };
        known.copied().unwrap_or_else(|| self.find_out(state, op, place))
    }

    fn find_out(&mut self, state: u32, op: u32, place: usize) -> (u32, u32) {
        let mut after = self.states.values[state as usize].clone();
        let ret = self.object.apply(&mut after, &self.ops.values[op as usize]);
        let to = (self.number(after), self.rets.id(Cow::Owned(ret)));
        match self.table.get_mut(place) {
            Some(known) => *known = to,
            None => {
                self.others.insert(u64::from(state) << 32 | u64::from(op), to);
            }
        }
        to
    }

    /// About how many bytes the states and moves take.
    pub fn bytes(&self) -> usize {
        self.bytes + 8 * self.table.len() + 32 * self.others.len()
    }
}

/// Hashes for speed only: who uses it also compares.
#[derive(Debug, Default)]
pub struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            let word = <[u8; 8]>::try_from(word).expect("eight bytes");
            self.0 = mix(self.0, u64::from_le_bytes(word));
        }
        words.remainder().iter().for_each(|byte| self.0 = mix(self.0, u64::from(*byte)));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = mix(self.0, word);
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(byte.into());
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(word.into());
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
