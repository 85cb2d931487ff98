//! Views: what a model asks for, as data.
//!
//! A model says who looks, what each looker sees, which orders of it every look respects, and on
//! what the lookers agree. Sequential consistency is one view of everything; processor consistency
//! is a view for each process, of all writes and its own reads, and all agree on the writes to each
//! key. So a model's definition is the function that makes its views of a history, and one solver,
//! one checker of witnesses and one teller of reasons serve them all.

use super::{Memory, Source};

/// Why one access comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Because {
    /// One session made both, in this order.
    Program,
    /// The second returned what the first wrote.
    Returned,
    /// The second synchronised with the first.
    Synchronised,
    /// The first returned before the second was invoked.
    Earlier,
    /// The second was made when nothing was under way any more.
    Quiescent,
    /// The read comes after the first write, and returned the second.
    Overwritten {
        /// The read.
        read: usize,
    },
    /// The first, a read, returned a write that the second overwrites.
    Fresh,
    /// The first, a read, returned what was there before all writes.
    Initial,
    /// The view of this number has it so, and views agree.
    Agreed {
        /// The other view.
        view: usize,
    },
    /// One of the two ways round, to see where it leads.
    Supposed,
}

/// That one access comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    /// The first.
    pub from: usize,
    /// The second.
    pub to: usize,
    /// Why.
    pub because: Because,
}

/// What it means that a read returned a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The read stands in the order: the last write of its key before it is the one returned.
    Placed,
    /// The read sees a set of writes, those before it by what is given; the one that is last in
    /// the order is the one returned.
    Seen,
}

/// One look at a history.
#[derive(Clone, Debug)]
pub struct View {
    /// Who looks.
    pub title: String,
    /// What is seen.
    pub members: Vec<usize>,
    /// The order that is given.
    pub edges: Vec<Edge>,
    /// The reads whose answers this view explains.
    pub reads: Vec<usize>,
    /// How it explains them.
    pub mode: Mode,
}

/// What a model asks for.
#[derive(Clone, Debug, Default)]
pub struct Views {
    /// The views.
    pub views: Vec<View>,
    /// Sets of accesses that have one order in all views that see them and place their reads.
    pub agreed: Vec<Vec<usize>>,
}

/// The order of each session's accesses, among those that are seen.
pub fn program_order(memory: &Memory, seen: impl Fn(usize) -> bool) -> Vec<Edge> {
    let members: Vec<usize> = (0..memory.accesses.len()).filter(|access| seen(*access)).collect();
    neighbours(memory, &members)
}

/// The order of each session's accesses, among these, which are sorted.
pub fn neighbours(memory: &Memory, members: &[usize]) -> Vec<Edge> {
    let session = |access: usize| memory.accesses[access].session;
    let pairs = members.windows(2).filter(|pair| session(pair[0]) == session(pair[1]));
    pairs.map(|pair| Edge { from: pair[0], to: pair[1], because: Because::Program }).collect()
}

/// From each write to the reads, of these, that returned it.
pub fn returns(memory: &Memory, reads: impl Iterator<Item = usize>) -> Vec<Edge> {
    let edge = |read| match memory.sources[read] {
        Source::Write(from) => Some(Edge { from, to: read, because: Because::Returned }),
        _ => None,
    };
    reads.filter_map(edge).collect()
}

/// From each access to those that were invoked after it returned, if times are known.
pub fn real_time(memory: &Memory, sees: impl Fn(usize) -> bool) -> Vec<Edge> {
    let members: Vec<usize> = (0..memory.accesses.len()).filter(|access| sees(*access)).collect();
    let mut edges = Vec::new();
    for &from in members.iter().filter(|_| memory.timed) {
        let later = |to: &&usize| memory.accesses[from].precedes(&memory.accesses[**to]);
        let later = members.iter().filter(later);
        edges.extend(later.map(|to| Edge { from, to: *to, because: Because::Earlier }));
    }
    edges
}

/// The second opinion on a witness, which shares nothing with any solver: each view's order names
/// what the view sees, respects what is given, and explains its reads; and where views have to
/// agree, they do. Views of sets have no order that explains reads by itself, so there only the
/// rest is checked.
pub fn confirms(memory: &Memory, views: &Views, orders: &[Vec<usize>]) -> Result<(), String> {
    let mut agreement: Vec<Option<Vec<usize>>> = vec![None; views.agreed.len()];
    let mut place = vec![usize::MAX; memory.accesses.len()];
    let mut explained = vec![false; memory.accesses.len()];
    for (view, order) in views.views.iter().zip(orders) {
        order.iter().enumerate().for_each(|(at, access)| place[*access] = at);
        let seen = view.members.iter().all(|access| place[*access] != usize::MAX);
        if !seen || order.len() != view.members.len() {
            return Err(format!("{} does not order what it sees", view.title));
        }
        if let Some(edge) = view.edges.iter().find(|edge| place[edge.from] >= place[edge.to]) {
            return Err(format!("{} has {} before {}", view.title, edge.to, edge.from));
        }
        let mut held = vec![Source::Initial; memory.keys.len()];
        view.reads.iter().for_each(|read| explained[*read] = true);
        for &access in order {
            let one = &memory.accesses[access];
            if one.writes() {
                held[one.key] = Source::Write(access);
            } else if view.mode == Mode::Placed
                && explained[access]
                && memory.sources[access] != held[one.key]
            {
                return Err(format!("{} does not explain access {access}", view.title));
            }
        }
        let is_placed = view.mode == Mode::Placed;
        for (group, agreed) in views.agreed.iter().zip(&mut agreement).filter(|_| is_placed) {
            let mut sorted = group.clone();
            sorted.retain(|access| place[*access] != usize::MAX);
            sorted.sort_by_key(|access| place[*access]);
            if sorted.len() == group.len()
                && *agreed.get_or_insert_with(|| sorted.clone()) != sorted
            {
                return Err(format!("{} does not agree with the others", view.title));
            }
        }
        order.iter().for_each(|access| place[*access] = usize::MAX);
        view.reads.iter().for_each(|read| explained[*read] = false);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consistency::memory::Given;
    use crate::history::{Call, History};
    use crate::object::register::{Op, Register, Ret};

    /// Every view has to order all that it sees, as is given, and to explain its own reads; and no
    /// others.
    #[test]
    fn a_wrong_order_is_refuted() {
        let write = |process, value: u8, at| {
            Call::done(process, Op::Write(value), Some(Ret::Done), at, at + 1)
        };
        let read =
            |process, value, at| Call::done(process, Op::Read, Some(Ret::Value(value)), at, at + 1);
        let calls = vec![write(0, 1, 0), read(0, 1, 2), write(1, 2, 4), read(1, 2, 6)];
        let history = History::new(calls).unwrap();
        let memory = Memory::of(&Register { initial: 0 }, &history, &Given::default()).unwrap();
        let view = |read: usize| View {
            title: memory.title(memory.accesses[read].session),
            members: (0..4).collect(),
            edges: program_order(&memory, |_| true),
            reads: vec![read],
            mode: Mode::Placed,
        };
        let views = Views { views: vec![view(1), view(3)], agreed: Vec::new() };
        let told = |first: [usize; 4], second: &[usize]| {
            confirms(&memory, &views, &[first.to_vec(), second.to_vec()])
        };
        assert_eq!(told([0, 1, 2, 3], &[0, 2, 1, 3]), Ok(()));
        for (first, second, reason) in [
            ([0, 2, 1, 3], &[0, 2, 3, 1][..], "process 0 does not explain access 1"),
            ([0, 1, 2, 3], &[2, 0, 3, 1], "process 1 does not explain access 3"),
            ([0, 1, 2, 3], &[1, 0, 2, 3], "process 1 has 1 before 0"),
            ([0, 1, 2, 3], &[0, 2, 3], "process 1 does not order what it sees"),
            ([0, 1, 2, 3], &[0, 2, 2, 3], "process 1 does not order what it sees"),
        ] {
            assert_eq!(told(first, second).unwrap_err(), reason, "{second:?}");
        }
    }
}
