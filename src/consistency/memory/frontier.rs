//! One interleaving of programs that explains all their reads: the search for sequential
//! consistency.
//!
//! To decide it is NP-complete even if no value is written twice (Gibbons and Korach, SIAM J. Comp.
//! 1997), and takes n^k steps for k sessions. A read is taken as soon as its value is there. A
//! value may only be overwritten when nobody has yet to read it; so where the sessions stand says
//! all about the memory that matters, and no standing is searched twice. A fence is taken as soon
//! as those are that it waits for. The call that was made
//! first is tried first: where a system is nearly sequential, that finds an order at once.

use std::collections::HashSet;

use super::{Act, Memory, Source};

/// How many standings are remembered; that bounds the memory that a search takes.
const REMEMBERED: u64 = 2_000_000;

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// An order.
    Order(Vec<usize>),
    /// There is none.
    None,
    /// The budget ran out.
    Spent,
}

/// Searches for an interleaving of programs, within a number of steps.
pub fn interleaving(memory: &Memory, programs: &[Vec<usize>], budget: u64) -> Search {
    let mut unread = vec![0; memory.accesses.len()];
    let mut unread_at_first = vec![0; memory.keys.len()];
    for &access in programs.iter().flatten() {
        match memory.sources[access] {
            Source::Write(write) => unread[write] += 1,
            Source::Initial => unread_at_first[memory.accesses[access].key] += 1,
            _ => {}
        }
    }
    let mut waits = vec![0; memory.accesses.len()];
    let mut takes_part = vec![false; memory.accesses.len()];
    programs.iter().flatten().for_each(|access| takes_part[*access] = true);
    let mut lets_go = vec![Vec::new(); memory.accesses.len()];
    for &(giver, fence) in memory.grants.iter().filter(|(giver, _)| takes_part[*giver]) {
        waits[fence] += 1;
        lets_go[giver].push(fence);
    }
    let mut walk = Walk {
        memory,
        programs,
        waits,
        lets_go,
        unread,
        unread_at_first,
        stands: vec![0; programs.len()],
        held: vec![Source::Initial; memory.keys.len()],
        taken: Vec::new(),
        tried: HashSet::new(),
    };
    walk.search(budget.min(REMEMBERED))
}

struct Walk<'a> {
    memory: &'a Memory,
    programs: &'a [Vec<usize>],
    /// For each fence how many others it waits for; and which others wait for it.
    waits: Vec<u32>,
    lets_go: Vec<Vec<usize>>,
    /// For each write how many have yet to read it.
    unread: Vec<u32>,
    unread_at_first: Vec<u32>,
    /// For each program how many of its accesses are taken.
    stands: Vec<u32>,
    held: Vec<Source>,
    /// The programs that took a step, and what their key held before.
    taken: Vec<(usize, Source)>,
    tried: HashSet<Vec<u32>>,
}

impl Walk<'_> {
    fn search(&mut self, mut budget: u64) -> Search {
        // For each write taken: how much had been taken before, and what else could have been.
        let mut choices: Vec<(usize, Vec<usize>)> = Vec::new();
        loop {
            self.take_reads();
            let all: usize = self.programs.iter().map(Vec::len).sum();
            if self.taken.len() == all {
                return Search::Order(self.order());
            }
            let fresh = self.tried.insert(self.stands.clone());
            let next = if fresh { self.writes() } else { Vec::new() };
            choices.push((self.taken.len(), next));
            loop {
                let Some((before, open)) = choices.last_mut() else { return Search::None };
                let before = *before;
                let program = open.pop();
                self.take_back(before);
                match program {
                    Some(program) => {
                        self.take(program);
                        break;
                    }
                    None => choices.pop(),
                };
            }
            match budget.checked_sub(1) {
                Some(left) => budget = left,
                None => return Search::Spent,
            }
        }
    }

    fn next(&self, program: usize) -> Option<usize> {
        self.programs[program].get(self.stands[program] as usize).copied()
    }

    fn take_reads(&mut self) {
        let mut again = true;
        while std::mem::take(&mut again) {
            for program in 0..self.programs.len() {
                while let Some(access) = self.next(program) {
                    let one = &self.memory.accesses[access];
                    let is_ready = match one.act {
                        Act::Write => false,
                        Act::Read => self.memory.sources[access] == self.held[one.key],
                        Act::Fence => self.waits[access] == 0,
                    };
                    if !is_ready {
                        break;
                    }
                    self.take(program);
                    again = true;
                }
            }
        }
    }

    /// The programs that may write next; the one that was called first comes last.
    fn writes(&self) -> Vec<usize> {
        let may = |program: &usize| {
            self.next(*program).is_some_and(|access| {
                let one = &self.memory.accesses[access];
                // A fence may have no key.
                let unread = || match self.held[one.key] {
                    Source::Write(write) => self.unread[write],
                    _ => self.unread_at_first[one.key],
                };
                one.writes() && unread() == 0
            })
        };
        let mut programs: Vec<usize> = (0..self.programs.len()).filter(may).collect();
        let invoked = |program: &usize| {
            self.next(*program).map(|access| self.memory.accesses[access].invoked)
        };
        programs.sort_by_key(|program| std::cmp::Reverse(invoked(program)));
        programs
    }

    fn take(&mut self, program: usize) {
        let access = self.programs[program][self.stands[program] as usize];
        let one = &self.memory.accesses[access];
        self.stands[program] += 1;
        if one.act == Act::Fence {
            self.taken.push((program, Source::None));
            self.lets_go[access].iter().for_each(|fence| self.waits[*fence] -= 1);
            return;
        }
        self.taken.push((program, self.held[one.key]));
        match self.memory.sources[access] {
            Source::Write(write) => self.unread[write] -= 1,
            Source::Initial => self.unread_at_first[one.key] -= 1,
            _ => self.held[one.key] = Source::Write(access),
        }
    }

    fn take_back(&mut self, upto: usize) {
        while self.taken.len() > upto {
            let Some((program, held)) = self.taken.pop() else { return };
            self.stands[program] -= 1;
            let access = self.programs[program][self.stands[program] as usize];
            let one = &self.memory.accesses[access];
            if one.act == Act::Fence {
                self.lets_go[access].iter().for_each(|fence| self.waits[*fence] += 1);
                continue;
            }
            self.held[one.key] = held;
            match self.memory.sources[access] {
                Source::Write(write) => self.unread[write] += 1,
                Source::Initial => self.unread_at_first[one.key] += 1,
                _ => {}
            }
        }
    }

    fn order(&self) -> Vec<usize> {
        let mut stands = vec![0; self.programs.len()];
        let taken = self.taken.iter().map(|(program, _)| {
            stands[*program] += 1;
            self.programs[*program][stands[*program] - 1]
        });
        taken.collect()
    }
}
