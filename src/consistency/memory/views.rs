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
    let mut edges = Vec::new();
    for program in memory.programs() {
        let members: Vec<usize> = program.filter(|access| seen(*access)).collect();
        let pairs = members.windows(2);
        edges.extend(pairs.map(|pair| Edge {
            from: pair[0],
            to: pair[1],
            because: Because::Program,
        }));
    }
    edges
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
    for (view, order) in views.views.iter().zip(orders) {
        let mut place = vec![usize::MAX; memory.accesses.len()];
        order.iter().enumerate().for_each(|(at, access)| place[*access] = at);
        let seen = view.members.iter().all(|access| place[*access] != usize::MAX);
        if !seen || order.len() != view.members.len() {
            return Err(format!("{} does not order what it sees", view.title));
        }
        if let Some(edge) = view.edges.iter().find(|edge| place[edge.from] >= place[edge.to]) {
            return Err(format!("{} has {} before {}", view.title, edge.to, edge.from));
        }
        let mut held = vec![Source::Initial; memory.keys.len()];
        let mut explained = vec![false; memory.accesses.len()];
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
    }
    Ok(())
}
