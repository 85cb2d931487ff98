//! Where states are kept: each is a short string of bytes, and stored whole.
//!
//! A state's record lies in one of a fixed number of shards. A shard is a string of all its
//! records, in the order in which they came, and a table of where they begin. Since a record says
//! by itself where it ends, nothing else is kept of a state. A slot of the table also holds 32 bits
//! of the record's hash, which spare most comparisons; those that are left decide, so that no state
//! is ever lost to a collision.
//!
//! By fingerprint, a slot is a record's hash and nothing else is kept but the records of the last
//! two levels. Then a state whose hash is another's is taken for that other, and lost.

use std::sync::{Mutex, MutexGuard};

use super::sleep::Seats;

/// So many shards: enough that a level of the search is shared out evenly.
const SHARDS: usize = 64;

/// So many new states are handed to a shard at once.
const BATCH: usize = 128;

/// A part of the states.
#[derive(Default)]
pub struct Shard {
    by_fingerprint: bool,
    /// 0, or the hash's lower half and, below it, one more than where the record begins; or the
    /// fingerprint.
    slots: Vec<u64>,
    /// How many bytes of records are no longer kept.
    gone: usize,
    records: Vec<u8>,
    states: usize,
    /// Where the records of the next level begin, and what sleeps in those states.
    asleep: Vec<(u32, Seats)>,
}

/// All states.
pub struct Store {
    shards: Vec<Mutex<Shard>>,
}

/// New states on their way to one shard.
#[derive(Default)]
pub struct Batch {
    records: Vec<u8>,
    heads: Vec<(u64, u32)>,
    /// What sleeps in these states, where steps may sleep.
    asleep: Vec<Seats>,
}

impl Store {
    /// An empty one.
    pub fn new(by_fingerprint: bool) -> Self {
        let shard = || Mutex::new(Shard { by_fingerprint, ..Shard::default() });
        Store { shards: std::iter::repeat_with(shard).take(SHARDS).collect() }
    }

    /// Lets the records before these places go, where states are known by fingerprint.
    pub fn let_go(&self, before: &[usize]) {
        for (n, before) in before.iter().enumerate() {
            let mut shard = self.shard(n);
            if shard.by_fingerprint {
                let gone = before - shard.gone;
                shard.records.drain(..gone);
                shard.gone = *before;
            }
        }
    }

    /// How many shards there are.
    pub fn shards(&self) -> usize {
        SHARDS
    }

    /// The shard of a record with this hash.
    pub fn shard_of(hash: u64) -> usize {
        (hash >> 32) as usize % SHARDS
    }

    /// A shard, for oneself.
    pub fn shard(&self, n: usize) -> MutexGuard<'_, Shard> {
        self.shards[n].lock().expect("no thread panics with a shard")
    }

    /// How many states there are.
    pub fn states(&self) -> usize {
        (0..SHARDS).map(|n| self.shard(n).states).sum()
    }

    /// Where each shard's records end now.
    pub fn ends(&self) -> Vec<usize> {
        (0..SHARDS).map(|n| self.shard(n).end()).collect()
    }
}

impl Shard {
    /// The records between two ends.
    pub fn records(&self, from: usize, to: usize) -> &[u8] {
        &self.records[from - self.gone..to - self.gone]
    }

    fn end(&self) -> usize {
        self.gone + self.records.len()
    }

    /// Adds the records that are new, and empties the batch.
    pub fn take(&mut self, batch: &mut Batch) {
        self.look_ahead(batch);
        let mut from = 0;
        for (n, (hash, to)) in batch.heads.drain(..).enumerate() {
            let place = self.insert(hash, &batch.records[from..to as usize]);
            if let (Some(place), Some(asleep)) = (place, batch.asleep.get(n)) {
                self.note_asleep(place, *asleep);
            }
            from = to as usize;
        }
        batch.records.clear();
        batch.asleep.clear();
    }

    /// Notes what sleeps in a state of the next level: what does on every way there.
    fn note_asleep(&mut self, (begin, is_new): (usize, bool), asleep: Seats) {
        let begin = begin as u32;
        if is_new {
            self.asleep.push((begin, asleep));
        } else if let Ok(n) = self.asleep.binary_search_by_key(&begin, |(begin, _)| *begin) {
            self.asleep[n].1 &= asleep;
        }
    }

    /// What sleeps in the states of the next level, which becomes the last, in their order.
    pub fn take_asleep(&mut self) -> Vec<Seats> {
        std::mem::take(&mut self.asleep).into_iter().map(|(_, asleep)| asleep).collect()
    }

    /// Reads what the batch will be compared with, all at once: one miss of the cache does not wait
    /// for another.
    fn look_ahead(&self, batch: &Batch) {
        let Some(mask) = self.slots.len().checked_sub(1) else { return };
        let slots = batch.heads.iter().map(|(hash, _)| self.slots[*hash as u32 as usize & mask]);
        let mut slots: [u64; BATCH] = from_iter(slots);
        for slot in slots.iter_mut().filter(|slot| **slot != 0 && !self.by_fingerprint) {
            *slot = u64::from(self.records[(*slot as u32 - 1) as usize]);
        }
        std::hint::black_box(slots);
    }

    /// Where the record of a state that is stored whole begins, and whether it is new.
    fn insert(&mut self, hash: u64, record: &[u8]) -> Option<(usize, bool)> {
        if self.states * 5 >= self.slots.len() * 4 {
            self.grow();
        }
        if self.by_fingerprint {
            self.insert_fingerprint(hash.max(1), record);
            return None;
        }
        let (place, found) = self.look_up(hash, record);
        if let Some(begin) = found {
            return Some((begin, false));
        }
        let begin = u32::try_from(self.records.len() + 1).expect("a shard holds 4 GiB");
        self.slots[place] = (hash & 0xffff_ffff) << 32 | u64::from(begin);
        self.records.extend_from_slice(record);
        self.states += 1;
        Some((begin as usize - 1, true))
    }

    /// The slot of a record, or the one in which it would be; and where it begins, if it is there.
    fn look_up(&self, hash: u64, record: &[u8]) -> (usize, Option<usize>) {
        let (tag, mask) = (hash & 0xffff_ffff, self.slots.len() - 1);
        let mut place = tag as usize & mask;
        loop {
            let slot = self.slots[place];
            if slot == 0 {
                return (place, None);
            }
            let begin = (slot & 0xffff_ffff) as usize - 1;
            if slot >> 32 == tag && self.records[begin..].starts_with(record) {
                return (place, Some(begin));
            }
            place = (place + 1) & mask;
        }
    }

    /// Where the record of a state begins that was stored whole.
    pub fn find(&self, hash: u64, record: &[u8]) -> Option<usize> {
        if self.slots.is_empty() { None } else { self.look_up(hash, record).1 }
    }

    fn insert_fingerprint(&mut self, hash: u64, record: &[u8]) {
        let mask = self.slots.len() - 1;
        let mut place = hash as usize & mask;
        while self.slots[place] != 0 {
            if self.slots[place] == hash {
                return;
            }
            place = (place + 1) & mask;
        }
        self.slots[place] = hash;
        self.records.extend_from_slice(record);
        self.states += 1;
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(16);
        let old = std::mem::replace(&mut self.slots, vec![0; size]);
        for slot in old.into_iter().filter(|slot| *slot != 0) {
            let hash = if self.by_fingerprint { slot } else { slot >> 32 };
            let mut place = hash as usize & (size - 1);
            while self.slots[place] != 0 {
                place = (place + 1) & (size - 1);
            }
            self.slots[place] = slot;
        }
    }
}

impl Batch {
    /// Adds a record.
    pub fn push(&mut self, hash: u64, record: &[u8]) {
        self.records.extend_from_slice(record);
        self.heads.push((hash, self.records.len() as u32));
    }

    /// Adds a record, and says what sleeps in its state.
    pub fn push_asleep(&mut self, hash: u64, record: &[u8], asleep: Seats) {
        self.push(hash, record);
        self.asleep.push(asleep);
    }

    /// Whether it is time to hand it over.
    pub fn is_full(&self) -> bool {
        self.heads.len() >= BATCH
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }
}

fn from_iter(numbers: impl Iterator<Item = u64>) -> [u64; BATCH] {
    let mut all = [0; BATCH];
    for (place, number) in all.iter_mut().zip(numbers) {
        *place = number;
    }
    all
}
