//! Deadlines: for one session at a time, an order of all writes that explains the session's reads.
//!
//! Causal memory and PRAM ask for one such order for each session, which respects causality, or
//! only program order. What must come before a session's i-th access must come before its later
//! ones, too; so of each write it is enough to know its *deadline*, the first of the session's
//! accesses that it must precede. There are three rules, and deadlines only ever fall:
//! * a write that the i-th access returned has deadline i at the latest;
//! * what precedes a write, by what is given, has no later deadline than that write;
//! * if the i-th access returned w, and another write of the key has deadline i or earlier, it must
//!   come before w, so its deadline is no later than that of w.
//!
//! Then the order is there, sorted by deadlines, unless some of the session's own accesses has come
//! to precede an earlier one, or writes of one deadline precede each other in a circle. This is the
//! saturation of Bouajjani et al. (POPL 2017) and Wei et al. (TPDS 2016), with numbers in place of
//! a relation, where theirs is cubic.
//!
//! To look at a read takes k log n steps, for n accesses by k sessions. Each is looked at once, and
//! again whenever what it returned falls; a deadline that falls costs one step, or under causality
//! k. So if deadlines fall but a few times each, k orders of n accesses take n k log n steps, or
//! under causality n k² more. Nothing forbids that they fall as often as the session has accesses.
//!
//! For processor consistency the sessions' orders have to agree on the writes to each key. What one
//! of them forces, `forced` tells, and it is given to all of them in the next round.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::clock::Clocks;
use super::views::{Because, Edge};
use super::{Memory, Source};

/// No deadline.
const NEVER: u32 = u32::MAX;

/// What the orders respect.
#[derive(Clone, Copy, Debug)]
pub enum Respect<'a> {
    /// Program order, among all writes and the session's own reads.
    Programs,
    /// Causality, among all accesses.
    Causality(&'a Clocks),
    /// Program order and these edges between writes, with the clocks of both, among all writes and
    /// the session's own reads.
    Edges(&'a Clocks, &'a [Edge]),
}

/// For each session an order that explains its reads; `None` if some session has none. For n
/// accesses by k sessions that takes n k log n steps if deadlines fall but a few times each.
pub fn deadlines(memory: &Memory, respect: Respect<'_>) -> Option<Vec<Vec<usize>>> {
    let shared = Shared::new(memory, respect);
    (0..memory.sessions).map(|session| Looker::new(&shared, session).order()).collect()
}

/// Which writes to a key must come before which others in some session's order; `None` if some
/// session has none.
pub fn forced(memory: &Memory, respect: Respect<'_>) -> Option<Vec<Edge>> {
    let shared = Shared::new(memory, respect);
    let mut edges = Vec::new();
    for session in 0..memory.sessions {
        let mut looker = Looker::new(&shared, session);
        looker.saturate().ok()?;
        edges.extend(looker.forced());
    }
    edges.sort_unstable_by_key(|edge| (edge.from, edge.to));
    edges.dedup_by_key(|edge| (edge.from, edge.to));
    Some(edges)
}

/// What does not depend on who looks.
struct Shared<'a> {
    memory: &'a Memory,
    respect: Respect<'a>,
    clocks: Option<&'a Clocks>,
    programs: Vec<std::ops::Range<usize>>,
    /// For each key and session its writes, in program order.
    writes: Vec<Vec<Vec<usize>>>,
    /// For each access the writes of its session up to it.
    last_write: Vec<Option<usize>>,
}

impl<'a> Shared<'a> {
    fn new(memory: &'a Memory, respect: Respect<'a>) -> Self {
        let clocks = match respect {
            Respect::Programs => None,
            Respect::Causality(clocks) | Respect::Edges(clocks, _) => Some(clocks),
        };
        let mut writes = vec![vec![Vec::new(); memory.sessions]; memory.keys.len()];
        let mut last_write = vec![None; memory.accesses.len()];
        let programs = memory.programs();
        for (session, program) in programs.iter().enumerate() {
            let mut last = None;
            for access in program.clone() {
                let one = &memory.accesses[access];
                if one.writes() {
                    writes[one.key][session].push(access);
                    last = Some(access);
                }
                last_write[access] = last;
            }
        }
        Shared { memory, respect, clocks, programs, writes, last_write }
    }
}

/// Somebody who has accesses of its own already contradicts itself.
struct Impossible;

/// One session, and what it must see by when.
struct Looker<'a> {
    shared: &'a Shared<'a>,
    session: usize,
    own: std::ops::Range<usize>,
    /// For each access its deadline; of own ones, their place.
    deadline: Vec<u32>,
    /// For each access the last of the session's reads that returned it.
    last_reader: Vec<Option<usize>>,
    queue: BinaryHeap<usize>,
    queued: Vec<bool>,
}

impl<'a> Looker<'a> {
    fn new(shared: &'a Shared<'a>, session: usize) -> Self {
        let own = shared.programs[session].clone();
        let mut deadline = vec![NEVER; shared.memory.accesses.len()];
        own.clone().enumerate().for_each(|(at, access)| deadline[access] = at as u32);
        let mut last_reader = vec![None; shared.memory.accesses.len()];
        for read in own.clone() {
            if let Source::Write(write) = shared.memory.sources[read] {
                last_reader[write] = Some(read);
            }
        }
        let (queue, queued) = (BinaryHeap::new(), vec![false; own.len()]);
        Looker { shared, session, own, deadline, last_reader, queue, queued }
    }

    fn is_own(&self, access: usize) -> bool {
        self.own.contains(&access)
    }

    fn order(mut self) -> Option<Vec<usize>> {
        self.saturate().ok()?;
        self.sort()
    }

    /// Looks at the session's reads, the last one first. Whatever falls then was due by the read at
    /// hand, or an earlier one that was looked at, so by all later ones, too; nothing changes for
    /// these, unless it is what they returned that falls. So only those are looked at again.
    fn saturate(&mut self) -> Result<(), Impossible> {
        let memory = self.shared.memory;
        let reads = self.own.clone().filter(|read| memory.accesses[*read].reads());
        reads.for_each(|read| self.enqueue(read));
        for read in self.own.clone() {
            if let Source::Write(write) = memory.sources[read] {
                self.lower(write, self.deadline[read])?;
            }
        }
        if let Respect::Edges(..) = self.shared.respect {
            for write in self.own.clone().filter(|one| memory.accesses[*one].writes()) {
                self.lower_past(write, self.deadline[write])?;
            }
        }
        while let Some(read) = self.queue.pop() {
            self.queued[read - self.own.start] = false;
            self.explain(read)?;
        }
        Ok(())
    }

    fn enqueue(&mut self, read: usize) {
        if !std::mem::replace(&mut self.queued[read - self.own.start], true) {
            self.queue.push(read);
        }
    }

    /// The writes that must come before the one that a read returned: of each session the last.
    fn rivals(&self, read: usize) -> impl Iterator<Item = usize> + '_ {
        let source = self.shared.memory.sources[read];
        self.due(read).filter(move |write| Source::Write(*write) != source)
    }

    /// The writes of an own access's key that come before it, or are it: of each session the last.
    fn due(&self, access: usize) -> impl Iterator<Item = usize> + '_ {
        let (key, at) = (self.shared.memory.accesses[access].key, self.deadline[access]);
        self.shared.writes[key].iter().filter_map(move |writes| {
            let due = |write: &usize| self.deadline[*write] <= at;
            Some(writes[writes.partition_point(due).checked_sub(1)?])
        })
    }

    /// The order of writes to one key that the session's accesses force.
    fn forced(&self) -> Vec<Edge> {
        let memory = self.shared.memory;
        let mut edges = Vec::new();
        for access in self.own.clone() {
            let to = match memory.sources[access] {
                Source::Write(write) => write,
                _ if memory.accesses[access].writes() => access,
                _ => continue,
            };
            let because = Because::Overwritten { read: access };
            let others = self.due(access).filter(|from| *from != to);
            edges.extend(others.map(|from| Edge { from, to, because }));
        }
        edges
    }

    fn explain(&mut self, read: usize) -> Result<(), Impossible> {
        let by = match self.shared.memory.sources[read] {
            Source::Write(write) => self.deadline[write],
            _ if self.rivals(read).next().is_some() => return Err(Impossible),
            _ => return Ok(()),
        };
        let rivals: Vec<usize> = self.rivals(read).collect();
        for rival in rivals {
            if self.is_own(rival) && self.deadline[rival] >= by {
                return Err(Impossible);
            }
            self.lower(rival, by)?;
        }
        Ok(())
    }

    /// A write, and all that precedes it, must come before the session's access at a place.
    fn lower(&mut self, write: usize, by: u32) -> Result<(), Impossible> {
        if self.is_own(write) {
            return if self.deadline[write] > by { Err(Impossible) } else { Ok(()) };
        }
        if self.deadline[write] <= by {
            return Ok(());
        }
        self.lower_back(write, by);
        self.lower_past(write, by)
    }

    /// What precedes a write in other sessions must come before the session's access at a place,
    /// and none of the session's from there on may precede it.
    fn lower_past(&mut self, write: usize, by: u32) -> Result<(), Impossible> {
        let Some(clocks) = self.shared.clocks else { return Ok(()) };
        for session in 0..self.shared.programs.len() {
            let Some(last) = clocks.count(write, session).checked_sub(1) else { continue };
            if session == self.session && last as u32 >= by && !self.is_own(write) {
                return Err(Impossible);
            }
            let last = self.shared.last_write[self.shared.programs[session].start + last];
            if let Some(last) = last.filter(|last| !self.is_own(*last)) {
                self.lower_back(last, by);
            }
        }
        Ok(())
    }

    /// A write of another session and those before it there.
    fn lower_back(&mut self, write: usize, by: u32) {
        let mut next = Some(write);
        while let Some(write) = next.filter(|write| self.deadline[*write] > by) {
            self.deadline[write] = by;
            if let Some(read) = self.last_reader[write] {
                self.enqueue(read);
            }
            let start = self.shared.programs[self.shared.memory.accesses[write].session].start;
            next = (write > start).then(|| self.shared.last_write[write - 1]).flatten();
        }
    }

    /// All that is seen, by deadlines, if no circle forbids it.
    fn sort(&mut self) -> Option<Vec<usize>> {
        let memory = self.shared.memory;
        let sees = |access: usize| {
            let all = matches!(self.shared.respect, Respect::Causality(_));
            all || memory.accesses[access].writes() || self.is_own(access)
        };
        let members: Vec<usize> = (0..memory.accesses.len()).filter(|a| sees(*a)).collect();
        let mut links = Links::new(memory.accesses.len());
        for pair in members.windows(2) {
            if memory.accesses[pair[0]].session == memory.accesses[pair[1]].session {
                links.add(pair[0], pair[1]);
            }
        }
        if let Respect::Edges(_, edges) = self.shared.respect {
            edges.iter().for_each(|edge| links.add(edge.from, edge.to));
        }
        for &read in members.iter().filter(|access| memory.accesses[**access].reads()) {
            let Source::Write(write) = memory.sources[read] else { continue };
            links.add(write, read);
            if self.is_own(read) {
                // What is due earlier comes earlier anyway.
                let rivals = self.rivals(read);
                let late = rivals.filter(|rival| self.deadline[*rival] >= self.deadline[write]);
                late.for_each(|rival| links.add(rival, write));
            }
        }
        // What others only read is due with their next write.
        let rank = {
            let mut rank: Vec<(u32, bool)> =
                self.deadline.iter().map(|deadline| (*deadline, false)).collect();
            for pair in members.windows(2).rev() {
                if memory.accesses[pair[0]].session == memory.accesses[pair[1]].session {
                    rank[pair[0]] = rank[pair[0]].min(rank[pair[1]]);
                }
            }
            self.own.clone().for_each(|access| rank[access] = (self.deadline[access], true));
            rank
        };
        let mut ready: BinaryHeap<Reverse<((u32, bool), usize)>> = BinaryHeap::new();
        let free = members.iter().filter(|access| links.waits[**access] == 0);
        ready.extend(free.map(|access| Reverse((rank[*access], *access))));
        let mut order = Vec::with_capacity(members.len());
        while let Some(Reverse((_, access))) = ready.pop() {
            order.push(access);
            links.follow(access, |to| ready.push(Reverse((rank[to], to))));
        }
        (order.len() == members.len()).then_some(order)
    }
}

/// What comes before what, in the making of an order.
struct Links {
    /// How many are still to come before each access.
    waits: Vec<u32>,
    /// For each access the last link from it; of each link, where it leads and which one from there
    /// was before it. Link 0 is none.
    last: Vec<usize>,
    links: Vec<(usize, usize)>,
}

impl Links {
    fn new(size: usize) -> Self {
        Links { waits: vec![0; size], last: vec![0; size], links: vec![(0, 0)] }
    }

    fn add(&mut self, from: usize, to: usize) {
        self.waits[to] += 1;
        self.links.push((to, std::mem::replace(&mut self.last[from], self.links.len())));
    }

    /// An access is placed; tells what nothing waited for comes after it.
    fn follow(&mut self, placed: usize, mut free: impl FnMut(usize)) {
        let mut link = self.last[placed];
        while link != 0 {
            let (to, before) = self.links[link];
            self.waits[to] -= 1;
            if self.waits[to] == 0 {
                free(to);
            }
            link = before;
        }
    }
}
