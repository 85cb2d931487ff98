//! The solver: finds orders for the views of a model, or shows that there are none.
//!
//! It *saturates*: whatever order is forced is added until nothing more is (Gibbons and Korach,
//! SIAM J. Comp. 1997; Wei et al., TPDS 2016; Bouajjani et al., POPL 2017).
//! * A write before a read that returned another write of its key comes before that write.
//! * A read of a write that another overwrites comes before the other.
//! * A read of the initial value comes before all writes of its key.
//! * What views agree on, one tells the other.
//!
//! For a view whose reads are of one session that is complete: no contradiction means that there is
//! an order (tested against the definitions). For what views have to agree on it is not, and where
//! two writes may still come either way, both are tried, within a budget. Orders are bit matrices,
//! so this is for histories of some hundreds of accesses; faster judges stand beside it.

use super::story::{self, Clash};
use super::views::{Because, Edge, Mode, Views};
use super::{Memory, Source};

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// For each view an order.
    Orders(Vec<Vec<usize>>),
    /// There are none; and why, sentence by sentence.
    Contradiction(Vec<String>),
    /// The budget ran out.
    Spent,
}

/// Solves the views of a model within so many steps: an edge that is new costs as many steps as its
/// view has members.
pub fn solve(memory: &Memory, views: &Views, budget: u64) -> Found {
    let keys = memory.writes_by_key();
    let graphs = views.views.iter().map(|view| Graph::new(memory, &view.members)).collect();
    let mut solver = Solver { memory, views, keys: &keys, graphs, left: budget, stamp: 0 };
    match solver.begin().and_then(|()| solver.branch()) {
        Ok(orders) => Found::Orders(orders),
        Err(Stop::Refuted(story)) => Found::Contradiction(story),
        Err(Stop::Spent) => Found::Spent,
    }
}

/// Why the solver stops.
enum Stop {
    Refuted(Vec<String>),
    Spent,
}

/// One view's order so far.
#[derive(Clone)]
pub(super) struct Graph {
    members: Vec<usize>,
    /// For each access its place among the members.
    place: Vec<usize>,
    words: usize,
    /// For each member a row of bits: what comes after it.
    after: Vec<u64>,
    /// What was added, with the moment at which it was.
    pub(super) edges: Vec<(usize, Edge)>,
}

impl Graph {
    fn new(memory: &Memory, members: &[usize]) -> Self {
        let mut place = vec![usize::MAX; memory.accesses.len()];
        members.iter().enumerate().for_each(|(at, access)| place[*access] = at);
        let words = members.len().div_ceil(64);
        let after = vec![0; words * members.len()];
        Graph { members: members.to_vec(), place, words, after, edges: Vec::new() }
    }

    fn sees(&self, access: usize) -> bool {
        self.place[access] != usize::MAX
    }

    /// Whether one access comes before another.
    pub(super) fn before(&self, from: usize, to: usize) -> bool {
        let (from, to) = (self.place[from], self.place[to]);
        self.after[from * self.words + to / 64] >> (to % 64) & 1 == 1
    }

    fn add(&mut self, stamp: usize, edge: Edge) {
        let (from, to) = (self.place[edge.from], self.place[edge.to]);
        let mut gained = self.after[to * self.words..(to + 1) * self.words].to_vec();
        gained[to / 64] |= 1 << (to % 64);
        for member in 0..self.members.len() {
            let row = member * self.words;
            if member == from || self.after[row + from / 64] >> (from % 64) & 1 == 1 {
                gained.iter().enumerate().for_each(|(word, bits)| self.after[row + word] |= bits);
            }
        }
        self.edges.push((stamp, edge));
    }

    /// How many members come after this one.
    fn followers(&self, access: usize) -> u32 {
        let row = self.place[access] * self.words;
        self.after[row..row + self.words].iter().map(|word| word.count_ones()).sum()
    }

    /// An order of the members in which nothing comes before a read that need not.
    fn order(&self, reads: &[usize]) -> Vec<usize> {
        let mut sorted = self.members.clone();
        sorted.sort_by_key(|access| std::cmp::Reverse(self.followers(*access)));
        let mut reads = reads.to_vec();
        reads.sort_by_key(|access| std::cmp::Reverse(self.followers(*access)));
        let mut order = Vec::with_capacity(sorted.len());
        let mut rest = sorted;
        for read in reads {
            let needed = |access: &usize| *access == read || self.before(*access, read);
            order.extend(rest.iter().copied().filter(needed));
            rest.retain(|access| !needed(access));
        }
        order.extend(rest);
        order
    }
}

#[derive(Clone)]
struct Solver<'a> {
    memory: &'a Memory,
    views: &'a Views,
    keys: &'a [Vec<usize>],
    graphs: Vec<Graph>,
    left: u64,
    stamp: usize,
}

impl Solver<'_> {
    /// Adds what is given, and what follows from it without any placing of reads.
    fn begin(&mut self) -> Result<(), Stop> {
        let views = self.views;
        for (number, view) in views.views.iter().enumerate() {
            for edge in &view.edges {
                self.add(number, *edge)?;
            }
        }
        for (number, view) in views.views.iter().enumerate() {
            let mut forced = Vec::new();
            for &read in &view.reads {
                match self.memory.sources[read] {
                    Source::Initial => forced.extend(self.others(number, read).map(|write| Edge {
                        from: read,
                        to: write,
                        because: Because::Initial,
                    })),
                    Source::Write(write) if view.mode == Mode::Seen => {
                        let because = Because::Overwritten { read };
                        let seen = self.others(number, read);
                        let seen = seen.filter(|other| self.graphs[number].before(*other, read));
                        forced.extend(seen.map(|from| Edge { from, to: write, because }));
                    }
                    _ => {}
                }
            }
            for edge in forced {
                self.add(number, edge)?;
            }
        }
        Ok(())
    }

    /// The writes of a read's key that it did not return.
    fn others(&self, view: usize, read: usize) -> impl Iterator<Item = usize> + '_ {
        let (memory, graph) = (self.memory, &self.graphs[view]);
        let own = memory.sources[read];
        let writes = self.keys[memory.accesses[read].key].iter().copied();
        writes.filter(move |write| graph.sees(*write) && Source::Write(*write) != own)
    }

    /// Adds an edge; says whether it is new.
    fn add(&mut self, view: usize, edge: Edge) -> Result<bool, Stop> {
        let graph = &self.graphs[view];
        if edge.from == edge.to || graph.before(edge.to, edge.from) {
            let clash = Clash { view, edge };
            let told = story::tell(self.memory, self.views, &self.graphs, clash);
            return Err(Stop::Refuted(told));
        }
        if graph.before(edge.from, edge.to) {
            return Ok(false);
        }
        self.left = self.left.checked_sub(graph.members.len() as u64).ok_or(Stop::Spent)?;
        self.stamp += 1;
        self.graphs[view].add(self.stamp, edge);
        Ok(true)
    }

    /// Adds whatever is forced.
    fn saturate(&mut self) -> Result<(), Stop> {
        loop {
            let mut new = false;
            for view in 0..self.graphs.len() {
                for edge in self.forced_by_reads(view) {
                    new |= self.add(view, edge)?;
                }
            }
            for (view, edge) in self.forced_by_others() {
                new |= self.add(view, edge)?;
            }
            if !new {
                return Ok(());
            }
        }
    }

    fn forced_by_reads(&self, number: usize) -> Vec<Edge> {
        let (view, graph) = (&self.views.views[number], &self.graphs[number]);
        let mut forced = Vec::new();
        if view.mode == Mode::Seen {
            return forced;
        }
        for &read in &view.reads {
            let Source::Write(write) = self.memory.sources[read] else { continue };
            for other in self.others(number, read) {
                if graph.before(other, read) && !graph.before(other, write) {
                    let because = Because::Overwritten { read };
                    forced.push(Edge { from: other, to: write, because });
                }
                if graph.before(write, other) && !graph.before(read, other) {
                    forced.push(Edge { from: read, to: other, because: Because::Fresh });
                }
            }
        }
        forced
    }

    fn forced_by_others(&self) -> Vec<(usize, Edge)> {
        let mut forced = Vec::new();
        for group in &self.views.agreed {
            let lookers: Vec<usize> = (0..self.graphs.len())
                .filter(|view| group.iter().all(|access| self.graphs[*view].sees(*access)))
                .collect();
            for (&from, &to) in pairs(group).filter(|_| lookers.len() > 1) {
                let known = |view: &&usize| self.graphs[**view].before(from, to);
                let Some(&told) = lookers.iter().find(known) else { continue };
                let because = Because::Agreed { view: told };
                let untold = lookers.iter().filter(|view| !known(view));
                forced.extend(untold.map(|view| (*view, Edge { from, to, because })));
            }
        }
        forced
    }

    /// Settles what views have to agree on, one way or the other.
    fn branch(&mut self) -> Result<Vec<Vec<usize>>, Stop> {
        self.saturate()?;
        let Some((view, first, second)) = self.unsettled() else {
            let views = self.views.views.iter().zip(&self.graphs);
            return Ok(views.map(|(view, graph)| graph.order(&view.reads)).collect());
        };
        let suppose = |from, to| Edge { from, to, because: Because::Supposed };
        let mut other = self.clone();
        other.add(view, suppose(first, second))?;
        let story = match other.branch() {
            Err(Stop::Refuted(story)) => story,
            settled => return settled,
        };
        (self.left, self.stamp) = (other.left, other.stamp);
        self.add(view, suppose(second, first))?;
        let (first, second) = (self.memory.name(first), self.memory.name(second));
        match self.branch() {
            Err(Stop::Refuted(rest)) => {
                let mut told = vec![format!("Suppose that {first} comes before {second}.")];
                told.extend(story);
                told.push(format!("So {second} comes before {first}."));
                told.extend(rest);
                Err(Stop::Refuted(told))
            }
            settled => settled,
        }
    }

    /// Two neighbours whose order is still open.
    fn unsettled(&self) -> Option<(usize, usize, usize)> {
        for group in &self.views.agreed {
            let sees = |graph: &Graph| group.iter().all(|access| graph.sees(*access));
            let Some(view) = self.graphs.iter().position(sees) else { continue };
            let graph = &self.graphs[view];
            let mut sorted: Vec<(usize, u64, usize)> = group
                .iter()
                .map(|to| {
                    let before = group.iter().filter(|from| graph.before(**from, *to)).count();
                    (before, self.memory.accesses[*to].invoked, *to)
                })
                .collect();
            sorted.sort_unstable();
            let open = sorted.windows(2).find(|pair| !graph.before(pair[0].2, pair[1].2));
            if let Some(pair) = open {
                return Some((view, pair[0].2, pair[1].2));
            }
        }
        None
    }
}

fn pairs(group: &[usize]) -> impl Iterator<Item = (&usize, &usize)> {
    group.iter().flat_map(|from| group.iter().map(move |to| (from, to))).filter(|(a, b)| a != b)
}
