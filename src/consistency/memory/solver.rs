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
//! an order (tested against the definitions). For what views have to agree on it is not: where two
//! writes may still come either way, first the order of invocations is tried for all of them at
//! once; then both ways for one after the other, within a budget.
//!
//! Each view's order is its transitive closure, a row of bits forwards and one backwards for each
//! access; both are kept up as edges are added, and what is forced is read off 64 at a time. So
//! this is for histories of some thousands of accesses; faster judges stand beside it.

use super::story::{self, Clash, Told};
use super::views::{Because, Edge, Mode, Views};
use super::{Memory, Source};

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// For each view an order.
    Orders(Vec<Vec<usize>>),
    /// There are none; and why, sentence by sentence.
    Contradiction(Told),
    /// The budget ran out.
    Spent,
}

/// The most accesses for which both ways are tried.
const BRANCHES: usize = 600;

/// Solves the views of a model within so many steps: an edge that is new costs as many steps as its
/// view has members.
pub fn solve(memory: &Memory, views: &Views, budget: u64) -> Found {
    let keys = memory.writes_by_key();
    let graphs: Vec<Graph> =
        views.views.iter().map(|view| Graph::new(memory, &view.members)).collect();
    let of_view = |graph| keys.iter().map(|of_key| Graph::bits(graph, of_key)).collect();
    let writes: Vec<Vec<Vec<u64>>> = graphs.iter().map(of_view).collect();
    let (keys, writes) = (&keys[..], &writes[..]);
    let mut solver = Solver { memory, views, keys, writes, graphs, left: budget, stamp: 0 };
    match solver.begin().and_then(|()| solver.settle()) {
        Ok(orders) => Found::Orders(orders),
        Err(Stop::Refuted(story)) => Found::Contradiction(story),
        Err(Stop::Spent) => Found::Spent,
    }
}

/// The places of the bits that are set.
fn ones(row: &[u64]) -> impl Iterator<Item = usize> + '_ {
    row.iter().enumerate().flat_map(|(word, bits)| {
        let rest = |bits: u64| (bits != 0).then_some(bits);
        let bits = std::iter::successors(rest(*bits), move |bits| rest(bits & (bits - 1)));
        bits.map(move |bits| 64 * word + bits.trailing_zeros() as usize)
    })
}

/// Why the solver stops.
enum Stop {
    Refuted(Told),
    Spent,
}

/// One view's order so far.
#[derive(Clone)]
pub(super) struct Graph {
    members: Vec<usize>,
    /// For each access its place among the members.
    place: Vec<usize>,
    words: usize,
    /// For each member two rows of bits: what comes after it, and what comes before.
    after: Vec<u64>,
    before: Vec<u64>,
    /// What was added, with the moment at which it was.
    pub(super) edges: Vec<(usize, Edge)>,
}

impl Graph {
    fn new(memory: &Memory, members: &[usize]) -> Self {
        let mut place = vec![usize::MAX; memory.accesses.len()];
        members.iter().enumerate().for_each(|(at, access)| place[*access] = at);
        let words = members.len().div_ceil(64);
        let (after, before) = (vec![0; words * members.len()], vec![0; words * members.len()]);
        Graph { members: members.to_vec(), place, words, after, before, edges: Vec::new() }
    }

    /// A row of bits for some accesses, as far as they are seen.
    fn bits(&self, accesses: &[usize]) -> Vec<u64> {
        let mut bits = vec![0; self.words];
        for place in accesses.iter().map(|access| self.place[*access]) {
            if place != usize::MAX {
                bits[place / 64] |= 1 << (place % 64);
            }
        }
        bits
    }

    fn sees(&self, access: usize) -> bool {
        self.place[access] != usize::MAX
    }

    /// Whether one access comes before another.
    pub(super) fn before(&self, from: usize, to: usize) -> bool {
        let (from, to) = (self.place[from], self.place[to]);
        self.after[from * self.words + to / 64] >> (to % 64) & 1 == 1
    }

    /// Adds an edge that is new: what comes before it comes before all that comes after it.
    fn add(&mut self, stamp: usize, edge: Edge) {
        let (from, to) = (self.place[edge.from], self.place[edge.to]);
        let mut gained = self.row(&self.after, to).to_vec();
        gained[to / 64] |= 1 << (to % 64);
        let mut earlier = self.row(&self.before, from).to_vec();
        earlier[from / 64] |= 1 << (from % 64);
        let words = self.words;
        let spread = |rows: &mut [u64], onto: &[u64], bits: &[u64], sign: usize| {
            for row in ones(onto).map(|member| member * words) {
                // What has the sign has all of it already.
                if rows[row + sign / 64] >> (sign % 64) & 1 == 0 {
                    rows[row..row + words]
                        .iter_mut()
                        .zip(bits)
                        .for_each(|(row, bits)| *row |= bits);
                }
            }
        };
        spread(&mut self.after, &earlier, &gained, to);
        spread(&mut self.before, &gained, &earlier, from);
        self.edges.push((stamp, edge));
    }

    fn row<'a>(&self, rows: &'a [u64], member: usize) -> &'a [u64] {
        &rows[member * self.words..(member + 1) * self.words]
    }

    /// The accesses, of these members, that come before one and are not known to come before
    /// another.
    fn news(&self, rows: &[u64], of: &[u64], one: usize, other: usize) -> Vec<usize> {
        let (one, other) = (self.place[one], self.place[other]);
        let rows = of.iter().zip(self.row(rows, one)).zip(self.row(rows, other));
        let mut news: Vec<u64> = rows.map(|((of, one), other)| of & one & !other).collect();
        news[other / 64] &= !(1 << (other % 64));
        ones(&news).map(|member| self.members[member]).collect()
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
    /// For each view and key a row of bits: which members write the key.
    writes: &'a [Vec<Vec<u64>>],
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
                    Source::Initial => {
                        // What is not seen may come anywhere.
                        let placed = view.mode == Mode::Placed;
                        let before = |write: &usize| self.graphs[number].before(*write, read);
                        let others = self.others(number, read);
                        let others = others.filter(|write| placed || before(write));
                        let because = Because::Initial;
                        forced.extend(others.map(|to| Edge { from: read, to, because }));
                    }
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
            let of_key = &self.writes[number][self.memory.accesses[read].key];
            let because = Because::Overwritten { read };
            let earlier = graph.news(&graph.before, of_key, read, write);
            forced.extend(earlier.into_iter().map(|from| Edge { from, to: write, because }));
            let later = graph.news(&graph.after, of_key, write, read);
            let because = Because::Fresh;
            forced.extend(later.into_iter().map(|to| Edge { from: read, to, because }));
        }
        forced
    }

    /// The views that have to agree on a group: those that see all of it, and place their reads.
    fn lookers(&self, group: &[usize]) -> Vec<usize> {
        let sees = |view: &usize| group.iter().all(|access| self.graphs[*view].sees(*access));
        let views =
            (0..self.graphs.len()).filter(|view| self.views.views[*view].mode == Mode::Placed);
        views.filter(sees).collect()
    }

    fn forced_by_others(&self) -> Vec<(usize, Edge)> {
        let mut forced = Vec::new();
        for group in &self.views.agreed {
            let lookers = self.lookers(group);
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

    /// Settles what views have to agree on: first all at once, in the order of invocations where
    /// nothing else is known; if that fails, one after the other.
    fn settle(&mut self) -> Result<Vec<Vec<usize>>, Stop> {
        self.saturate()?;
        let mut guess = self.clone();
        if guess.guess().is_ok() {
            return Ok(guess.orders());
        }
        match self.memory.accesses.len() > BRANCHES {
            true => Err(Stop::Spent),
            false => self.branch(),
        }
    }

    fn guess(&mut self) -> Result<(), Stop> {
        for group in &self.views.agreed {
            let Some(&view) = self.lookers(group).first() else { continue };
            for pair in self.sorted(group, view).windows(2) {
                self.add(view, Edge { from: pair[0], to: pair[1], because: Because::Supposed })?;
            }
            self.saturate()?;
        }
        Ok(())
    }

    fn orders(&self) -> Vec<Vec<usize>> {
        let views = self.views.views.iter().zip(&self.graphs);
        views.map(|(view, graph)| graph.order(&view.reads)).collect()
    }

    /// The accesses of a group in an order that a view allows.
    fn sorted(&self, group: &[usize], view: usize) -> Vec<usize> {
        let graph = &self.graphs[view];
        let members = graph.bits(group);
        let mut sorted: Vec<(u32, u64, usize)> = group
            .iter()
            .map(|access| {
                let before = graph.row(&graph.before, graph.place[*access]).iter().zip(&members);
                let before = before.map(|(row, members)| (row & members).count_ones()).sum();
                (before, self.memory.accesses[*access].invoked, *access)
            })
            .collect();
        sorted.sort_unstable();
        sorted.into_iter().map(|(.., access)| access).collect()
    }

    fn branch(&mut self) -> Result<Vec<Vec<usize>>, Stop> {
        self.saturate()?;
        let Some((view, first, second)) = self.unsettled() else {
            return Ok(self.orders());
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
                let mut lines = vec![format!("Suppose that {first} comes before {second}.")];
                lines.extend(story.lines);
                lines.push(format!("So {second} comes before {first}."));
                lines.extend(rest.lines);
                let told = Told { lines, circle: Vec::new() };
                Err(Stop::Refuted(told))
            }
            settled => settled,
        }
    }

    /// Two neighbours whose order is still open.
    fn unsettled(&self) -> Option<(usize, usize, usize)> {
        for group in &self.views.agreed {
            let Some(&view) = self.lookers(group).first() else { continue };
            let sorted = self.sorted(group, view);
            let known = |pair: &&[usize]| !self.graphs[view].before(pair[0], pair[1]);
            if let Some(pair) = sorted.windows(2).find(known) {
                return Some((view, pair[0], pair[1]));
            }
        }
        None
    }
}

fn pairs(group: &[usize]) -> impl Iterator<Item = (&usize, &usize)> {
    group.iter().flat_map(|from| group.iter().map(move |to| (from, to))).filter(|(a, b)| a != b)
}
