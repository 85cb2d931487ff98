//! From "there is no order" to the few accesses that show it.
//!
//! Reads can be left out of any model: what is left has fewer answers to explain. So can values,
//! the writes of one together with all the reads that may have returned it. Both are tried on many
//! at once, then on fewer, down to single ones. What can't be left out once can't be later either,
//! so one pass over single ones makes the core minimal.

use std::collections::BTreeMap;

use super::Memory;

/// The accesses that contradict a model by themselves.
#[derive(Clone, Debug)]
pub struct Core {
    /// These alone.
    pub memory: Memory,
    /// True if each was tried.
    pub minimal: bool,
}

/// Shrinks a memory that violates a model to a core; the judge is asked so many times at the most,
/// weighed by the size of what it is asked about.
pub fn shrink(memory: &Memory, budget: u64, violates: impl FnMut(&Memory) -> bool) -> Core {
    let mut shrinking = Shrinking { memory: memory.clone(), left: budget, violates, minimal: true };
    shrinking.one_key();
    shrinking.by(|memory, access| memory.accesses[access].session, false);
    shrinking.in_time();
    shrinking.by(|memory, access| memory.accesses[access].key, false);
    for _ in 0..2 {
        shrinking.by(value, true);
        shrinking.by(|_, access| access, true);
    }
    Core { memory: shrinking.memory, minimal: shrinking.minimal }
}

/// What goes together: the writes of a value and the reads of it. A fence goes by itself.
fn value(memory: &Memory, access: usize) -> (usize, usize, usize) {
    let one = &memory.accesses[access];
    match one.reads() || one.writes() {
        true => (0, one.key, one.value),
        false => (1, 0, access),
    }
}

struct Shrinking<V> {
    memory: Memory,
    left: u64,
    violates: V,
    minimal: bool,
}

impl<V: FnMut(&Memory) -> bool> Shrinking<V> {
    /// Leaves out what is told, and with it all reads whose write is gone, if the rest still
    /// violates the model.
    fn without(&mut self, gone: &[bool]) -> bool {
        let cost = self.memory.accesses.len() as u64 + 10;
        if self.left < cost {
            self.minimal = false;
            return false;
        }
        self.left -= cost;
        let mut values = std::collections::BTreeSet::new();
        for write in self.memory.writes().filter(|write| gone[*write]) {
            values.insert((self.memory.accesses[write].key, self.memory.accesses[write].value));
        }
        let stays = |access: usize| {
            let one = &self.memory.accesses[access];
            !(gone[access] || one.reads() && values.contains(&(one.key, one.value)))
        };
        let rest = self.memory.keep(stays).0;
        let violated = rest.accesses.len() < self.memory.accesses.len() && (self.violates)(&rest);
        if violated {
            self.memory = rest;
        }
        violated
    }

    /// Keeps one key, if one by itself violates the model and there are few.
    fn one_key(&mut self) {
        for key in 0..self.memory.keys.len().min(20) {
            let gone: Vec<bool> = (0..self.memory.accesses.len())
                .map(|access| !self.memory.touches(access, key))
                .collect();
            if self.without(&gone) {
                return;
            }
        }
    }

    /// Cuts off the end, then the beginning, by halves.
    fn in_time(&mut self) {
        for late in [true, false] {
            let mut times: Vec<u64> =
                self.memory.accesses.iter().map(|access| access.invoked).collect();
            times.sort_unstable();
            times.dedup();
            let (mut low, mut high) = (0, times.len());
            while low + 1 < high {
                let middle = (low + high) / 2;
                let cut = if late { times[middle] } else { times[times.len() - middle] };
                let outside = |invoked| if late { invoked >= cut } else { invoked < cut };
                let accesses = &self.memory.accesses;
                let gone: Vec<bool> = accesses.iter().map(|one| outside(one.invoked)).collect();
                if self.without(&gone) { high = middle } else { low = middle }
            }
        }
    }

    /// Leaves out groups of accesses: many, then fewer, then single ones.
    fn by<G: Ord>(&mut self, group: impl Fn(&Memory, usize) -> G, thorough: bool) {
        let mut length = usize::MAX;
        loop {
            let count = self.groups(&group).len();
            length = length.min(count).div_ceil(2);
            let mut at = 0;
            while at < self.groups(&group).len() {
                let groups = self.groups(&group);
                let mut gone = vec![false; self.memory.accesses.len()];
                let chosen = groups.values().skip(at).take(length).flatten();
                chosen.for_each(|access| gone[*access] = true);
                if !self.without(&gone) {
                    at += length;
                }
            }
            if length <= 1 || (!thorough && count <= 1) {
                return;
            }
        }
    }

    fn groups<G: Ord>(&self, group: impl Fn(&Memory, usize) -> G) -> BTreeMap<G, Vec<usize>> {
        let mut groups: BTreeMap<G, Vec<usize>> = BTreeMap::new();
        for access in 0..self.memory.accesses.len() {
            groups.entry(group(&self.memory, access)).or_default().push(access);
        }
        groups
    }
}
