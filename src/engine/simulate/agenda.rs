//! What is due when: a radix heap over ticks, after Ahuja, Mehlhorn, Orlin and Tarjan, *Faster
//! algorithms for the shortest path problem* (1990).
//!
//! Entries come by due tick, and at one tick by creation. Time never goes back, so what is due
//! later need not be in order yet: it lies in a row by the highest bit in which its tick differs
//! from the present one, and is dealt out anew, to lower rows, when the present comes near. So an
//! entry is moved once for each such bit, at the most, and not compared with one after the other.

use std::collections::VecDeque;

use super::queue::Due;

/// Something that falls due.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// At which tick.
    pub due: u64,
    /// The how-manieth it was to be created.
    pub created: u64,
    /// What falls due.
    pub what: Due,
}

/// Entries, by due tick and creation.
#[derive(Debug)]
pub struct Agenda {
    /// The tick of the entry that was taken last.
    now: u64,
    /// What is due now, in the order of creation.
    present: VecDeque<Entry>,
    /// What is due later, by the highest bit in which its tick differs from now.
    later: [Vec<Entry>; 64],
    /// A bit for each row of `later` that is not empty.
    occupied: u64,
}

impl Agenda {
    /// An empty agenda, at tick 0.
    pub fn new() -> Self {
        let later = std::array::from_fn(|_| Vec::new());
        Agenda { now: 0, present: VecDeque::new(), later, occupied: 0 }
    }

    /// Adds what falls due now or later.
    #[inline]
    pub fn add(&mut self, entry: Entry) {
        debug_assert!(entry.due >= self.now, "{entry:?} comes too late");
        match (entry.due ^ self.now).checked_ilog2() {
            None => self.add_now(entry),
            Some(row) => {
                self.later[row as usize].push(entry);
                self.occupied |= 1 << row;
            }
        }
    }

    /// Takes what falls due next.
    #[inline]
    pub fn next(&mut self) -> Option<Entry> {
        if self.present.is_empty() && self.occupied != 0 {
            let row = self.occupied.trailing_zeros() as usize;
            self.occupied &= self.occupied - 1;
            if self.later[row].len() > 1 {
                self.deal(row);
            } else {
                // Nothing else is due as soon, so there is nothing to put in order.
                let only = self.later[row].pop().expect("the row is occupied");
                self.now = only.due;
                return Some(only);
            }
        }
        self.present.pop_front()
    }

    #[inline]
    fn add_now(&mut self, entry: Entry) {
        match self.present.back() {
            Some(last) if last.created > entry.created => {
                // It was parked, or duplicated. (Whole, it would pass through memory every time.)
                let Entry { due, created, what } = entry;
                self.overtake(due, created, what);
            }
            _ => self.present.push_back(entry),
        }
    }

    fn overtake(&mut self, due: u64, created: u64, what: Due) {
        let at = self.present.partition_point(|other| other.created <= created);
        self.present.insert(at, Entry { due, created, what });
    }

    /// Goes on to the nearest tick in a row, and deals the row out to the present and lower rows.
    fn deal(&mut self, row: usize) {
        let mut nearest = std::mem::take(&mut self.later[row]);
        self.now = nearest.iter().map(|entry| entry.due).min().expect("the row is occupied");
        nearest.drain(..).for_each(|entry| self.add(entry));
        // Its room is kept.
        self.later[row] = nearest;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::engine::simulate::faults::{below, chance, pick};

    /// Beside a sorted map: ticks near and far, ties, and now and then something older that is due
    /// at once, as what was parked is.
    #[test]
    fn entries_come_by_tick_and_then_by_creation() {
        let mut rng = ChaCha8Rng::seed_from_u64(1990);
        let (mut ties, mut overtaken) = (0, 0);
        for _ in 0..200 {
            let (mut agenda, mut sorted) = (Agenda::new(), BTreeMap::new());
            let (mut now, mut created) = (0, 0);
            let far = [1, 3, 10, 1_000, 1 << 40][pick(&mut rng, 5)];
            let mut parked = Vec::new();
            for _ in 0..500 {
                for _ in 0..below(&mut rng, 3) {
                    let due = now + below(&mut rng, far);
                    agenda.add(Entry { due, created, what: Due::Heal });
                    sorted.insert((due, created), ());
                    created += 1;
                }
                let next = agenda.next().map(|entry| (entry.due, entry.created));
                assert_eq!(next, sorted.pop_first().map(|(key, ())| key));
                let Some((due, number)) = next else { continue };
                ties += u32::from(due == now);
                now = due;
                if chance(&mut rng, 300) {
                    parked.push(number);
                } else if chance(&mut rng, 50) {
                    for created in parked.drain(..) {
                        overtaken += u32::from(sorted.keys().any(|key| *key < (now, created)));
                        agenda.add(Entry { due: now, created, what: Due::Heal });
                        sorted.insert((now, created), ());
                    }
                }
            }
        }
        assert!(ties > 10_000, "{ties} entries were due at the tick of the one before");
        assert!(overtaken > 0);
    }
}
