//! Vector clocks (Mattern; Fidge, 1988): for each access, how many of each session's accesses come
//! before it, in the order that sessions and some edges across them make.
//!
//! They are what makes the weak models cheap: of all the writes of a key that come before a read,
//! the last one of each session is enough to look at, so a history of n accesses by k sessions
//! takes n k steps (AWDIT, PLDI 2025).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::views::{Edge, returns};
use super::{Memory, Source};

/// The clocks of a memory's accesses.
#[derive(Clone, Debug)]
pub struct Clocks {
    sessions: usize,
    /// For each access its place in its session, from 0.
    pub place: Vec<usize>,
    counts: Vec<u32>,
    /// For each key and session its writes, in program order.
    writes: Vec<Vec<Vec<usize>>>,
    /// An order of the accesses that respects the clocks.
    pub order: Vec<usize>,
}

impl Clocks {
    /// The clocks of program order and some edges; none if these make a circle.
    pub fn new(memory: &Memory, edges: &[Edge]) -> Option<Clocks> {
        let (size, sessions) = (memory.accesses.len(), memory.sessions);
        let mut place = vec![0; size];
        let mut starts = vec![0; sessions];
        for (session, program) in memory.programs().into_iter().enumerate() {
            starts[session] = program.start;
            program.enumerate().for_each(|(at, access)| place[access] = at);
        }
        let mut writes = vec![vec![Vec::new(); sessions]; memory.keys.len()];
        for write in memory.writes() {
            let one = &memory.accesses[write];
            writes[one.key][one.session].push(write);
        }
        let order = sorted(memory, edges)?;
        let mut incoming: Vec<Vec<usize>> = vec![Vec::new(); size];
        edges.iter().for_each(|edge| incoming[edge.to].push(edge.from));
        let mut counts = vec![0; size * sessions];
        for &access in &order {
            let session = memory.accesses[access].session;
            let before = (place[access] > 0).then(|| access - 1);
            for from in before.into_iter().chain(incoming[access].iter().copied()) {
                for other in 0..sessions {
                    let theirs = counts[from * sessions + other];
                    let mine = &mut counts[access * sessions + other];
                    *mine = theirs.max(*mine);
                }
            }
            counts[access * sessions + session] = place[access] as u32 + 1;
        }
        Some(Clocks { sessions, place, counts, writes, order })
    }

    /// The clocks of causality: program order, and from each write to what returned it.
    pub fn causal(memory: &Memory) -> Option<Clocks> {
        Clocks::new(memory, &returns(memory, memory.reads()))
    }

    /// How many accesses of a session come before an access, or are it.
    pub fn count(&self, access: usize, session: usize) -> usize {
        self.counts[access * self.sessions + session] as usize
    }

    /// Whether one access comes before another.
    pub fn before(&self, memory: &Memory, from: usize, to: usize) -> bool {
        from != to && self.place[from] < self.count(to, memory.accesses[from].session)
    }

    /// For each session its last write of the read's key before the read, but for the one that it
    /// returned.
    pub fn seen<'a>(&'a self, memory: &'a Memory, read: usize) -> impl Iterator<Item = usize> + 'a {
        let source = memory.sources[read];
        let writes = &self.writes[memory.accesses[read].key];
        writes.iter().enumerate().filter_map(move |(session, writes)| {
            let upto = self.count(read, session);
            let last = writes.partition_point(|write| self.place[*write] < upto).checked_sub(1)?;
            Some(writes[last]).filter(|write| Source::Write(*write) != source)
        })
    }

    /// Whether a read returned a write that is overwritten before it, or that comes after it.
    pub fn is_stale(&self, memory: &Memory, read: usize) -> bool {
        match memory.sources[read] {
            Source::Initial => self.seen(memory, read).next().is_some(),
            Source::Write(write) => {
                self.before(memory, read, write)
                    || self.seen(memory, read).any(|other| self.before(memory, write, other))
            }
            _ => false,
        }
    }
}

/// An order of all accesses that respects program order and some edges, if there is one; what was
/// invoked first comes first where it may.
pub fn sorted(memory: &Memory, edges: &[Edge]) -> Option<Vec<usize>> {
    let size = memory.accesses.len();
    let mut waits = vec![0_u32; size];
    let mut out: Vec<Vec<usize>> = vec![Vec::new(); size];
    for edge in edges {
        out[edge.from].push(edge.to);
        waits[edge.to] += 1;
    }
    let invoked = |access: usize| Reverse((memory.accesses[access].invoked, access));
    let mut ready = BinaryHeap::new();
    for program in memory.programs() {
        let start = program.start;
        program.clone().skip(1).for_each(|access| waits[access] += 1);
        ready.extend((start < program.end && waits[start] == 0).then(|| invoked(start)));
    }
    let mut order = Vec::with_capacity(size);
    while let Some(Reverse((_, access))) = ready.pop() {
        order.push(access);
        let session = memory.accesses[access].session;
        let next = memory.accesses.get(access + 1).filter(|next| next.session == session);
        let next = next.map(|_| access + 1);
        for &to in out[access].iter().chain(next.iter()) {
            waits[to] -= 1;
            if waits[to] == 0 {
                ready.push(invoked(to));
            }
        }
    }
    (order.len() == size).then_some(order)
}
