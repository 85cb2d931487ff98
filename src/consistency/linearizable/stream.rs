//! Zones on the fly: a register whose values are written once each is judged while its history is
//! still going on, in constant time an event.
//!
//! See `zones.rs` for what a zone is. Zones are settled in the order of their `first`, which is
//! known as soon as one call about the value has returned. Of all that are settled, the one that
//! reaches furthest is enough to compare with: if two reached beyond the next one's `first`, these
//! two would have contradicted each other before. A zone can be settled once no read may change it
//! any more: once another write began after its `first`, and a call about that other value was over
//! before any read that is still open began. Who reads the value after that has read what was
//! overwritten.
//!
//! The memory is that for the values that are not settled, a few for each client, and a set of all
//! values ever written, so that a value which is written twice is noticed: a bit or so for each if
//! they are numbers in a row, and 32 bytes at the most.

use std::collections::VecDeque;

/// Why a register is not linearizable; values are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// The value was read before anybody had begun to write it.
    FromNowhere(u64),
    /// The value was read after it had certainly been overwritten.
    Overwritten(u64),
    /// Each of the two values must come before the other.
    Entangled(u64, u64),
}

/// What keeps a history from being judged so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// The value is written a second time.
    WrittenTwice(u64),
    /// The process has no open call, or has one already.
    OutOfTurn(u32),
}

/// All calls about one value.
#[derive(Clone, Copy, Debug)]
struct Zone {
    value: u64,
    first: u64,
    last: u64,
}

const NOT_YET: u64 = u64::MAX;

/// What a process is about.
#[derive(Clone, Copy, Debug)]
enum Open {
    Nothing,
    Reads(u64),
    Writes(u64),
}

/// A register under judgement.
#[derive(Debug)]
pub struct Stream {
    now: u64,
    open: Vec<Open>,
    /// Where each value's zone is in the pool.
    names: Names,
    written: Written,
    pool: Vec<Zone>,
    free: Vec<u32>,
    /// Zones that begin with a return, in that order.
    waiting: VecDeque<u32>,
    /// The latest two writes about which a call was over when the open reads began: (begin, zone).
    latest: [(u64, u64); 2],
    /// How many of those that wait were considered for that.
    considered: usize,
    /// How many may wait before some are settled.
    patience: usize,
    /// Among the settled zones, that which reaches furthest.
    cover: Option<Zone>,
    violation: Option<Violation>,
}

impl Stream {
    /// A register that holds a value.
    pub fn new(initial: u64) -> Stream {
        let mut stream = Stream {
            now: 0,
            open: Vec::new(),
            names: Names::new(),
            written: Written::new(),
            pool: vec![Zone { value: initial, first: 0, last: 0 }],
            free: Vec::new(),
            waiting: VecDeque::from([0]),
            latest: [(0, initial); 2],
            considered: 0,
            patience: 64,
            cover: None,
            violation: None,
        };
        stream.names.insert(initial, 0);
        stream.written.insert(initial);
        stream
    }

    /// A process begins to read.
    pub fn reads(&mut self, process: u32) -> Result<(), Unfit> {
        self.now += 1;
        let now = self.now;
        self.begins(process, Open::Reads(now))
    }

    /// A process begins to write.
    pub fn writes(&mut self, process: u32, value: u64) -> Result<(), Unfit> {
        self.now += 1;
        self.begins(process, Open::Writes(value))?;
        if !self.written.insert(value) {
            return Err(Unfit::WrittenTwice(value));
        }
        let zone = Zone { value, first: NOT_YET, last: self.now };
        let place = match self.free.pop() {
            Some(place) => {
                self.pool[place as usize] = zone;
                place
            }
            None => {
                self.pool.push(zone);
                self.pool.len() as u32 - 1
            }
        };
        self.names.insert(value, place);
        Ok(())
    }

    /// A process's call returns: a read with its value, a write with nothing.
    pub fn returns(&mut self, process: u32, read: Option<u64>) -> Result<(), Unfit> {
        self.now += 1;
        let (value, began) = match (self.ends(process)?, read) {
            (Open::Reads(began), Some(value)) => (value, began),
            (Open::Writes(value), None) => (value, 0),
            _ => return Err(Unfit::OutOfTurn(process)),
        };
        match self.names.find(value) {
            // The value was settled before its write returned.
            None if read.is_none() => (),
            None if self.written.contains(value) => self.violates(Violation::Overwritten(value)),
            None => self.violates(Violation::FromNowhere(value)),
            Some(place) => {
                let zone = &mut self.pool[place as usize];
                zone.last = zone.last.max(began);
                if zone.first == NOT_YET {
                    zone.first = self.now;
                    self.waiting.push_back(place);
                }
            }
        }
        if self.waiting.len() > self.patience {
            self.settle();
            // Not again before as many wait anew, so that settling costs little for each of them.
            self.patience = 2 * self.waiting.len() + 64;
        }
        Ok(())
    }

    /// Nobody will ever know what became of a process's call, and it makes no other.
    pub fn gives_up(&mut self, process: u32) -> Result<(), Unfit> {
        self.ends(process).map(drop)
    }

    /// What is wrong so far, if anything is.
    pub fn violation(&self) -> Option<Violation> {
        self.violation
    }

    /// The end of the history: true if it is linearizable, or else why not.
    pub fn finish(mut self) -> Result<(), Violation> {
        while let Some(place) = self.waiting.pop_front() {
            self.settle_one(place);
        }
        self.violation.map_or(Ok(()), Err)
    }

    fn begins(&mut self, process: u32, call: Open) -> Result<(), Unfit> {
        let process_index = process as usize;
        if self.open.len() <= process_index {
            self.open.resize(process_index + 1, Open::Nothing);
        }
        match std::mem::replace(&mut self.open[process_index], call) {
            Open::Nothing => Ok(()),
            _ => Err(Unfit::OutOfTurn(process)),
        }
    }

    fn ends(&mut self, process: u32) -> Result<Open, Unfit> {
        let open = self.open.get_mut(process as usize);
        match open.map(|open| std::mem::replace(open, Open::Nothing)) {
            None | Some(Open::Nothing) => Err(Unfit::OutOfTurn(process)),
            Some(call) => Ok(call),
        }
    }

    fn violates(&mut self, violation: Violation) {
        self.violation.get_or_insert(violation);
    }

    /// Settles the zones that nothing can change any more.
    fn settle(&mut self) {
        let began = |open: &Open| if let Open::Reads(began) = open { Some(*began) } else { None };
        let since = self.open.iter().filter_map(began).min().unwrap_or(self.now);
        while let Some(&place) = self.waiting.get(self.considered) {
            let zone = self.pool[place as usize];
            if zone.first >= since {
                break;
            }
            self.considered += 1;
            if zone.last > self.latest[0].0 {
                self.latest = [(zone.last, zone.value), self.latest[0]];
            } else if zone.last > self.latest[1].0 {
                self.latest[1] = (zone.last, zone.value);
            }
        }
        while let Some(&place) = self.waiting.front() {
            let zone = self.pool[place as usize];
            let overtaken = |(last, value): &(u64, u64)| *last > zone.first && *value != zone.value;
            if !self.latest.iter().any(overtaken) {
                break;
            }
            self.waiting.pop_front();
            self.considered = self.considered.saturating_sub(1);
            self.settle_one(place);
        }
    }

    fn settle_one(&mut self, place: u32) {
        let zone = self.pool[place as usize];
        self.names.remove(zone.value);
        self.free.push(place);
        let reach = self.cover.filter(|cover| zone.first < cover.last);
        if let Some(cover) = reach
            && cover.first < zone.last
        {
            self.violates(Violation::Entangled(cover.value, zone.value));
        }
        self.cover = self.cover.filter(|cover| cover.last >= zone.last).or(Some(zone));
    }
}

/// Spreads numbers. It is for speed only: who hashes here also compares.
fn spread(number: u64) -> usize {
    (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize
}

/// From values that are not settled to their places, by open addressing.
#[derive(Debug)]
struct Names {
    entries: Vec<(u64, u32)>,
    used: usize,
}

const EMPTY: u32 = u32::MAX;

impl Names {
    fn new() -> Names {
        Names { entries: vec![(0, EMPTY); 256], used: 0 }
    }

    fn slot(&self, value: u64) -> usize {
        let mask = self.entries.len() - 1;
        let mut slot = spread(value) & mask;
        while self.entries[slot].1 != EMPTY && self.entries[slot].0 != value {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn find(&self, value: u64) -> Option<u32> {
        Some(self.entries[self.slot(value)].1).filter(|place| *place != EMPTY)
    }

    fn insert(&mut self, value: u64, place: u32) {
        let slot = self.slot(value);
        self.entries[slot] = (value, place);
        self.used += 1;
        if self.used * 2 > self.entries.len() {
            let larger = vec![(0, EMPTY); self.entries.len() * 2];
            for (value, place) in std::mem::replace(&mut self.entries, larger) {
                if place != EMPTY {
                    let slot = self.slot(value);
                    self.entries[slot] = (value, place);
                }
            }
        }
    }

    /// Removes a value, and moves those behind it that would not be found across the hole.
    fn remove(&mut self, value: u64) {
        let mask = self.entries.len() - 1;
        let mut hole = self.slot(value);
        let mut slot = (hole + 1) & mask;
        while self.entries[slot].1 != EMPTY {
            let home = spread(self.entries[slot].0) & mask;
            if slot.wrapping_sub(home) & mask >= slot.wrapping_sub(hole) & mask {
                self.entries[hole] = self.entries[slot];
                hole = slot;
            }
            slot = (slot + 1) & mask;
        }
        self.entries[hole].1 = EMPTY;
        self.used -= 1;
    }
}

/// All values ever written, by open addressing. Sixty-four neighbours share an entry, since values
/// often are numbers in a row.
#[derive(Debug)]
struct Written {
    /// The neighbours' common part, and a bit for each; no bits if the entry is empty.
    entries: Vec<(u64, u64)>,
    used: usize,
}

impl Written {
    fn new() -> Written {
        Written { entries: vec![(0, 0); 256], used: 0 }
    }

    fn slot(&self, common: u64) -> usize {
        let mask = self.entries.len() - 1;
        let mut slot = spread(common) & mask;
        while self.entries[slot].1 != 0 && self.entries[slot].0 != common {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn contains(&self, value: u64) -> bool {
        self.entries[self.slot(value >> 6)].1 >> (value & 63) & 1 == 1
    }

    /// True if it is new.
    fn insert(&mut self, value: u64) -> bool {
        let (slot, bit) = (self.slot(value >> 6), 1 << (value & 63));
        let (_, bits) = self.entries[slot];
        self.entries[slot] = (value >> 6, bits | bit);
        self.used += usize::from(bits == 0);
        if self.used * 2 > self.entries.len() {
            let larger = vec![(0, 0); self.entries.len() * 2];
            for (common, bits) in std::mem::replace(&mut self.entries, larger) {
                if bits != 0 {
                    let slot = self.slot(common);
                    self.entries[slot] = (common, bits);
                }
            }
        }
        bits & bit == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consistency::Verdict;
    use crate::consistency::linearizable::{classifier, judge};
    use crate::history::{Call, History};
    use crate::object::Register;
    use crate::object::register::{Op, Ret};
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{RngCore, SeedableRng};

    type Calls = Vec<Call<Op<u64>, Ret<u64>>>;

    /// A register with a few clients, some of whose answers come from a replica that lags behind.
    fn random(draw: &mut ChaCha8Rng) -> Calls {
        let mut below = |n: usize| draw.next_u32() as usize % n;
        let (clients, size, lags) = (1 + below(5), 1 + below(600), below(2));
        let mut calls: Calls = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        let (mut idle, mut written) = ((0..clients as u32).collect::<Vec<_>>(), vec![0]);
        let mut now = 0;
        while calls.len() < size || !open.is_empty() {
            now += 1;
            if below(3) > 0
                && calls.len() < size
                && let Some(process) = idle.pop()
            {
                let op = if below(2) == 0 { Op::Read } else { Op::Write(now) };
                open.push(calls.len());
                calls.push(Call::open(process, op, now));
            } else if !open.is_empty() {
                let at = below(open.len());
                let call = &mut calls[open[at]];
                if call.ret.is_none() {
                    let back = match lags == 0 && below(60) == 0 {
                        true => 1 + below(written.len()),
                        false => 1,
                    };
                    call.ret = Some(match call.op {
                        Op::Read => Ret::Value(written[written.len() - back]),
                        Op::Write(value) => {
                            written.push(value);
                            Ret::Done
                        }
                    });
                } else {
                    if below(20) > 0 {
                        call.returned = Some(now);
                        idle.push(call.process);
                    } else {
                        call.ret = None;
                        idle.push(1_000 + now as u32);
                    }
                    open.swap_remove(at);
                }
            }
        }
        calls
    }

    fn streamed(calls: &Calls) -> Result<(), Violation> {
        let mut events: Vec<(u64, usize)> = Vec::new();
        for (index, call) in calls.iter().enumerate() {
            events.push((call.invoked, index));
            events.extend(call.returned.map(|returned| (returned, index)));
        }
        events.sort_unstable();
        let mut stream = Stream::new(0);
        for (time, index) in events {
            let call = &calls[index];
            let told = match (&call.op, &call.ret) {
                (Op::Read, _) if time == call.invoked => stream.reads(call.process),
                (Op::Write(value), _) if time == call.invoked => {
                    stream.writes(call.process, *value)
                }
                (_, Some(Ret::Value(value))) => stream.returns(call.process, Some(*value)),
                _ => stream.returns(call.process, None),
            };
            told.expect("events in turn");
        }
        stream.finish()
    }

    #[test]
    fn on_the_fly_as_afterwards() {
        let mut draw = ChaCha8Rng::seed_from_u64(11);
        let (mut holds, mut kinds) = (0, [0; 3]);
        for round in 0..2_000 {
            let calls = random(&mut draw);
            let history = History::new(calls.clone()).expect("a history");
            let judged = judge(&Register { initial: 0 }, &history, 1_000_000);
            assert!(!judged.procedures.contains(classifier::SEARCH) && judged.refuted.is_empty());
            let verdict = streamed(&calls);
            let expected = matches!(judged.verdict, Verdict::Holds(_));
            assert_eq!(verdict.is_ok(), expected, "round {round}: {verdict:?}");
            holds += u32::from(expected);
            match verdict {
                Ok(()) => (),
                Err(Violation::FromNowhere(_)) => kinds[0] += 1,
                Err(Violation::Overwritten(_)) => kinds[1] += 1,
                Err(Violation::Entangled(..)) => kinds[2] += 1,
            }
        }
        println!("{holds} of 2000 hold; otherwise {kinds:?}");
        assert!(holds > 400 && holds < 1_600, "{holds}");
        assert!(kinds[1] > 50 && kinds[2] > 50, "{kinds:?}");
    }

    #[test]
    fn what_is_out_of_turn_is_refused() {
        let mut stream = Stream::new(0);
        assert_eq!(stream.returns(3, None), Err(Unfit::OutOfTurn(3)));
        stream.writes(0, 1).expect("its turn");
        assert_eq!(stream.reads(0), Err(Unfit::OutOfTurn(0)));
        assert_eq!(stream.writes(1, 1), Err(Unfit::WrittenTwice(1)));
        let mut stream = Stream::new(0);
        stream.reads(0).expect("its turn");
        stream.returns(0, Some(7)).expect("its turn");
        assert_eq!(stream.violation(), Some(Violation::FromNowhere(7)));
    }
}
