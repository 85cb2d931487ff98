//! Which write a read returned.
//!
//! Where no value is written to a key twice, that is plain, and every model but the sequential,
//! processor and release ones is decided in polynomial time. Where values repeat, a model holds if
//! *some* matching of reads with writes satisfies it, and to decide that is NP-complete even for
//! the weak ones ("How Hard is Weak-Memory Testing?", POPL 2024). So reads are matched one after
//! another, and a partial matching that is hopeless already is not prolonged: a read that is not
//! matched yet is left out, and leaving out reads breaks no model.

use std::collections::BTreeMap;

use super::{Memory, Source};

/// What came of matching reads with writes.
#[derive(Clone, Debug)]
pub enum Settled<T> {
    /// A matching that is satisfied, with what satisfies it.
    Holds(Memory, T),
    /// None is: with the matching that went furthest, less the reads that it did not match.
    Violated(Memory),
    /// Nobody knows.
    Unknown(String),
}

/// What a judge finds out about a memory whose reads are matched.
#[derive(Clone, Debug)]
pub enum Verdict<T> {
    /// It is allowed.
    Holds(T),
    /// It is not.
    Violated,
    /// The budget ran out.
    Unknown(String),
}

impl Memory {
    /// Matches the reads that can be matched in one way only.
    pub(super) fn match_reads(&mut self) {
        let writers = self.writers();
        let source = |access: usize| match self.candidates(&writers, access).as_slice() {
            _ if !self.accesses[access].reads() => Source::None,
            [] => Source::Nobody,
            [only] => *only,
            _ => Source::Unclear,
        };
        self.sources = (0..self.accesses.len()).map(source).collect();
    }

    fn writers(&self) -> BTreeMap<(usize, usize), Vec<usize>> {
        let mut writers: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for write in self.writes() {
            let access = &self.accesses[write];
            writers.entry((access.key, access.value)).or_default().push(write);
        }
        writers
    }

    /// Where the value of a read may come from.
    fn candidates(
        &self,
        writers: &BTreeMap<(usize, usize), Vec<usize>>,
        read: usize,
    ) -> Vec<Source> {
        let access = &self.accesses[read];
        let writes = writers.get(&(access.key, access.value)).into_iter().flatten();
        let writes = writes.map(|write| Source::Write(*write));
        (access.value == 0).then_some(Source::Initial).into_iter().chain(writes).collect()
    }

    /// Leaves out the writes of unknown outcome that no read may have returned.
    pub(super) fn without_lost_writes(self) -> Memory {
        let mut seen = vec![false; self.accesses.len()];
        let mut values = std::collections::BTreeSet::new();
        for read in self.reads() {
            match self.sources[read] {
                Source::Write(write) => seen[write] = true,
                Source::Unclear => {
                    values.insert((self.accesses[read].key, self.accesses[read].value));
                }
                _ => {}
            }
        }
        let lost = |access: usize| {
            let one = &self.accesses[access];
            let may_be_read = seen[access] || values.contains(&(one.key, one.value));
            one.returned.is_none() && !(one.writes() && may_be_read)
        };
        if !(0..self.accesses.len()).any(lost) {
            return self;
        }
        self.keep(|access| !lost(access)).0
    }
}

/// Finds a matching that a judge is satisfied with. Each question to the judge costs as many steps
/// as the memory has accesses.
pub fn settle<T>(
    memory: &Memory,
    budget: u64,
    mut judge: impl FnMut(&Memory) -> Verdict<T>,
) -> Settled<T> {
    let unclear: Vec<usize> =
        memory.reads().filter(|read| memory.sources[*read] == Source::Unclear).collect();
    if unclear.is_empty() {
        return match judge(memory) {
            Verdict::Holds(found) => Settled::Holds(memory.clone(), found),
            Verdict::Violated => Settled::Violated(memory.clone()),
            Verdict::Unknown(why) => Settled::Unknown(why),
        };
    }
    let writers = memory.writers();
    let choices = unclear.iter().map(|read| memory.candidates(&writers, *read)).collect();
    let mut matching = Matching { memory: memory.clone(), unclear, choices, left: budget };
    // Often the freshest value is the right one.
    if let Some(guess) = matching.freshest()
        && let Verdict::Holds(found) = judge(&guess)
    {
        return Settled::Holds(guess, found);
    }
    matching.prolong(0, &mut judge)
}

struct Matching {
    /// With the reads matched so far.
    memory: Memory,
    unclear: Vec<usize>,
    choices: Vec<Vec<Source>>,
    left: u64,
}

impl Matching {
    /// Every read returned the write that was invoked last before the read returned.
    fn freshest(&self) -> Option<Memory> {
        let mut memory = self.memory.clone();
        for (read, choices) in self.unclear.iter().zip(&self.choices) {
            let returned = memory.accesses[*read].returned?;
            let age = |source: &&Source| match source {
                Source::Write(write) => {
                    let invoked = memory.accesses[*write].invoked;
                    (invoked <= returned).then_some(invoked)
                }
                _ => None,
            };
            memory.sources[*read] = *choices.iter().max_by_key(age)?;
        }
        Some(memory.without_lost_writes())
    }

    /// The memory without the reads that are not matched.
    fn so_far(&self) -> Memory {
        let matched = |access: usize| self.memory.sources[access] != Source::Unclear;
        self.memory.keep(matched).0.without_lost_writes()
    }

    fn prolong<T>(
        &mut self,
        depth: usize,
        judge: &mut impl FnMut(&Memory) -> Verdict<T>,
    ) -> Settled<T> {
        let cost = self.memory.accesses.len() as u64;
        if self.left < cost {
            let (all, settled) = (self.unclear.len(), depth);
            return Settled::Unknown(format!(
                "{all} reads returned values that were written more than once; leaving out {} of \
                 them, nothing contradicts the model",
                all + 1 - settled.max(1)
            ));
        }
        self.left -= cost;
        let memory = self.so_far();
        let found = match judge(&memory) {
            Verdict::Violated => return Settled::Violated(memory),
            Verdict::Unknown(why) => return Settled::Unknown(why),
            Verdict::Holds(found) => found,
        };
        let Some(&read) = self.unclear.get(depth) else { return Settled::Holds(memory, found) };
        let (mut refuted, mut unknown) = (None, None);
        for choice in self.choices[depth].clone() {
            self.memory.sources[read] = choice;
            match self.prolong(depth + 1, judge) {
                Settled::Holds(memory, found) => return Settled::Holds(memory, found),
                Settled::Violated(memory) => refuted = refuted.or(Some(memory)),
                Settled::Unknown(why) => unknown = unknown.or(Some(why)),
            }
        }
        self.memory.sources[read] = Source::Unclear;
        match (unknown, refuted) {
            (Some(why), _) => Settled::Unknown(why),
            (None, refuted) => Settled::Violated(refuted.unwrap_or(memory)),
        }
    }
}
