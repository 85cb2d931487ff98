//! Where states are kept: each is a short string of bytes, and stored whole.
//!
//! A state's record lies in one of a few shards: one if there is one thread, for then states are
//! expanded exactly in the order in which they were found, and what is alike is together in the
//! cache. A shard is a string of all its records, in the order in which they came, and a table of
//! where they begin. Since a record says by itself where it ends, nothing else is kept of a state.
//! A slot of the table also holds 28 bits of the record's hash, which spare most comparisons; those
//! that are left decide, so that no state is ever lost to a collision.
//!
//! By fingerprint, a slot is a record's hash and nothing else is kept but the records of the last
//! two levels. Then a state whose hash is another's is taken for that other, and lost.

use std::sync::{Mutex, MutexGuard};

use super::sleep::Seats;

/// Where there are several threads, so many shards for each: enough that they seldom wait.
const SHARDS: usize = 4;

/// So many records of a shard are expanded one after the other, before it is another's turn.
pub const BLOCK: usize = 64;

/// So many new states are handed to a shard at once.
const BATCH: usize = 128;

/// The bits of a slot that say where a record begins: in 64 GiB. The others are of its hash.
const BEGIN: u32 = 36;

/// The bits of a hash that a slot holds, and that find the slot: there are no more slots.
const TAG: u64 = (1 << (u64::BITS - BEGIN)) - 1;

/// It is full before it can't hold so many states more: between two looks no more are added.
const FULL_BEFORE: usize = 1 << 22;

/// A part of the states.
#[derive(Default)]
pub struct Shard {
    by_fingerprint: bool,
    /// 0, or the lowest bits of the hash and, below them, one more than where the record begins; or
    /// the fingerprint.
    slots: Vec<u64>,
    /// How many bytes of records are no longer kept.
    gone: usize,
    records: Vec<u8>,
    states: usize,
    /// The states of the next level.
    fresh: usize,
    /// Where each block of the next level begins.
    blocks: Vec<usize>,
    /// Where the records of the next level begin, and what sleeps in those states.
    asleep: Vec<(usize, Seats)>,
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
    /// An empty one, for so many threads.
    pub fn new(threads: usize, by_fingerprint: bool) -> Self {
        let shards = if threads > 1 { (SHARDS * threads).next_power_of_two() } else { 1 };
        let shard = || Mutex::new(Shard { by_fingerprint, ..Shard::default() });
        Store { shards: std::iter::repeat_with(shard).take(shards).collect() }
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
        self.shards.len()
    }

    /// The shard of a record with this hash.
    #[inline]
    pub fn shard_of(&self, hash: u64) -> usize {
        (hash >> BEGIN) as usize & (self.shards.len() - 1)
    }

    /// A shard, for oneself.
    pub fn shard(&self, n: usize) -> MutexGuard<'_, Shard> {
        self.shards[n].lock().expect("no thread panics with a shard")
    }

    /// How many states there are.
    pub fn states(&self) -> usize {
        (0..self.shards()).map(|n| self.shard(n).states).sum()
    }

    /// Where each shard's records end now.
    pub fn ends(&self) -> Vec<usize> {
        (0..self.shards()).map(|n| self.shard(n).end()).collect()
    }

    /// Whether some shard will soon hold as many states, or as long ones, as it can.
    pub fn is_full(&self) -> bool {
        (0..self.shards()).any(|n| self.shard(n).is_full())
    }
}

impl Shard {
    /// The records between two ends.
    pub fn records(&self, from: usize, to: usize) -> &[u8] {
        &self.records[from - self.gone..to - self.gone]
    }

    /// By fingerprint, slots may be more than the bits that else would find them.
    fn is_full(&self) -> bool {
        let room = TAG as usize / 5 * 4 - FULL_BEFORE;
        !self.by_fingerprint && (self.states > room || self.records.len() >> (BEGIN - 1) > 0)
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
        if is_new {
            self.asleep.push((begin, asleep));
        } else if let Ok(n) = self.asleep.binary_search_by_key(&begin, |(begin, _)| *begin) {
            self.asleep[n].1 &= asleep;
        }
    }

    /// Begins a level: says where each block of the next one begins, which becomes the last, and
    /// what sleeps in its states, in their order, where steps may sleep.
    pub fn take_level(&mut self) -> (Vec<usize>, Vec<Seats>) {
        self.fresh = 0;
        let asleep = std::mem::take(&mut self.asleep).into_iter().map(|(_, asleep)| asleep);
        (std::mem::take(&mut self.blocks), asleep.collect())
    }

    fn keep(&mut self, record: &[u8]) {
        if self.fresh.is_multiple_of(BLOCK) {
            self.blocks.push(self.end());
        }
        self.fresh += 1;
        self.states += 1;
        self.records.extend_from_slice(record);
    }

    /// Reads what the batch will be compared with, all at once: one miss of the cache does not wait
    /// for another.
    fn look_ahead(&self, batch: &Batch) {
        let Some(mask) = self.slots.len().checked_sub(1) else { return };
        let slots = batch.heads.iter().map(|(hash, _)| self.slots[(hash & TAG) as usize & mask]);
        let mut slots: [u64; BATCH] = from_iter(slots);
        for slot in slots.iter_mut().filter(|slot| **slot != 0 && !self.by_fingerprint) {
            *slot = u64::from(self.records[begin_of(*slot)]);
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
        let begin = self.records.len();
        assert!(begin < (1 << BEGIN) - 1, "a shard that is full is not added to");
        self.slots[place] = hash << BEGIN | (begin as u64 + 1);
        self.keep(record);
        Some((begin, true))
    }

    /// The slot of a record, or the one in which it would be; and where it begins, if it is there.
    fn look_up(&self, hash: u64, record: &[u8]) -> (usize, Option<usize>) {
        let (tag, mask) = (hash & TAG, self.slots.len() - 1);
        let mut place = tag as usize & mask;
        loop {
            let slot = self.slots[place];
            if slot == 0 {
                return (place, None);
            }
            let begin = begin_of(slot);
            if slot >> BEGIN == tag && self.records[begin..].starts_with(record) {
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
        self.keep(record);
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(16);
        let old = std::mem::replace(&mut self.slots, vec![0; size]);
        for slot in old.into_iter().filter(|slot| *slot != 0) {
            let hash = if self.by_fingerprint { slot } else { slot >> BEGIN };
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

/// Where the record of a slot that is not empty begins.
#[inline]
fn begin_of(slot: u64) -> usize {
    (slot & ((1 << BEGIN) - 1)) as usize - 1
}

fn from_iter(numbers: impl Iterator<Item = u64>) -> [u64; BATCH] {
    let mut all = [0; BATCH];
    for (place, number) in all.iter_mut().zip(numbers) {
        *place = number;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch_of(numbers: std::ops::Range<u64>) -> Batch {
        let mut batch = Batch::default();
        for number in numbers {
            let record = [number as u8, (number >> 8) as u8, 7];
            batch.push(super::super::vector::hash_of(&record), &record);
        }
        batch
    }

    #[test]
    fn the_blocks_of_a_level_are_its_states_in_the_order_in_which_they_came() {
        let store = Store::new(1, false);
        let mut shard = store.shard(0);
        let mut begin = 0;
        for level in [0..100, 100..101, 101..101 + 2 * BLOCK as u64] {
            let states = (level.end - level.start) as usize;
            for from in level.clone().step_by(BATCH / 2) {
                shard.take(&mut batch_of(from..(from + BATCH as u64 / 2).min(level.end)));
            }
            shard.take(&mut batch_of(0..BATCH as u64 / 2));
            let blocks: Vec<_> = (0..states).step_by(BLOCK).map(|n| begin + 3 * n).collect();
            assert_eq!(shard.take_level().0, blocks);
            let first = shard.records(begin, begin + 3);
            assert_eq!(first, [level.start as u8, (level.start >> 8) as u8, 7]);
            begin = shard.end();
        }
        assert_eq!(shard.states, 101 + 2 * BLOCK);
    }

    #[test]
    fn a_shard_is_full_before_its_tags_no_longer_find_all_slots() {
        let states = TAG as usize / 5 * 4;
        assert!(Shard { states, ..Shard::default() }.is_full());
        assert!(!Shard { states: states / 2, ..Shard::default() }.is_full());
        assert!(!Shard { states, by_fingerprint: true, ..Shard::default() }.is_full());
    }
}
