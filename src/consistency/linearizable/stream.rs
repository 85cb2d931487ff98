//! Zones on the fly: a register whose values are written once each is judged while its history is
//! still going on, in constant time an event.
//!
//! See `zones.rs` for what a zone is. Zones are settled in the order of their `first`, which is known
//! as soon as one call about the value has returned. Of all that are settled, the one that reaches
//! furthest is enough to compare with: if two reached beyond the next one's `first`, these two would
//! have contradicted each other before. A zone can be settled once no read may change it any more:
//! once another write began after its `first`, and a call about that other value was over before any
//! read that is still open began. Who reads the value after that has read what was overwritten.
//!
//! The memory is that for the values that are not settled, a few for each client, and 16 bytes for
//! each value ever written, so that a value which is written twice is noticed.

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
    pool: Vec<Zone>,
    free: Vec<u32>,
    /// Zones that begin with a return, in that order.
    waiting: VecDeque<u32>,
    /// The latest two writes about which a call was over when the open reads began: (begin, zone).
    latest: [(u64, u64); 2],
    /// How many of those that wait were considered for that.
    considered: usize,
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
            pool: vec![Zone { value: initial, first: 0, last: 0 }],
            free: Vec::new(),
            waiting: VecDeque::from([0]),
            latest: [(0, initial); 2],
            considered: 0,
            cover: None,
            violation: None,
        };
        stream.names.insert(initial, 0);
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
        self.names.insert(value, place).then_some(()).ok_or(Unfit::WrittenTwice(value))
    }

    /// A process's call returns: a read with its value, a write with nothing.
    pub fn returns(&mut self, process: u32, read: Option<u64>) -> Result<(), Unfit> {
        self.now += 1;
        let (value, began) = match (self.ends(process)?, read) {
            (Open::Reads(began), Some(value)) => (value, began),
            (Open::Writes(value), None) => (value, 0),
            _ => return Err(Unfit::OutOfTurn(process)),
        };
        match self.names.find(value).map(|place| (place, &mut self.pool[place as usize])) {
            None => self.violates(Violation::FromNowhere(value)),
            // Its place is another's by now.
            Some((_, zone)) if zone.value != value => {
                if read.is_some() {
                    self.violates(Violation::Overwritten(value));
                }
            }
            Some((place, zone)) => {
                zone.last = zone.last.max(began);
                if zone.first == NOT_YET {
                    zone.first = self.now;
                    self.waiting.push_back(place);
                }
            }
        }
        // Now and then is often enough.
        if self.waiting.len() > 4 * self.open.len() + 64 {
            self.settle();
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
        self.pool[place as usize].first = NOT_YET;
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

/// From values to places, by open addressing. Values are compared, so nothing rests on a hash. Eight
/// neighbours hash alike, since values often are numbers in a row: then they share cache lines.
#[derive(Debug)]
struct Names {
    entries: Vec<(u64, u32)>,
    used: usize,
}

const EMPTY: u32 = u32::MAX;

impl Names {
    fn new() -> Names {
        Names { entries: vec![(0, EMPTY); 1024], used: 0 }
    }

    fn slot(&self, value: u64) -> usize {
        let mask = self.entries.len() - 1;
        let hash = (value >> 3).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let mut slot = (hash << 3 | value & 7) as usize & mask;
        while self.entries[slot].1 != EMPTY && self.entries[slot].0 != value {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn find(&self, value: u64) -> Option<u32> {
        Some(self.entries[self.slot(value)].1).filter(|place| *place != EMPTY)
    }

    /// True if it is new.
    fn insert(&mut self, value: u64, place: u32) -> bool {
        let slot = self.slot(value);
        if self.entries[slot].1 != EMPTY {
            return false;
        }
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
        true
    }
}
