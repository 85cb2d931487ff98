//! Why calls contradict each other, edge by edge.
//!
//! Some calls come before others because they were over when those began. What kind of object it is
//! forces more: a read comes after the write of its value, and before any later write; a queue
//! gives back in the order in which it was given. These rules are applied to the calls of a core,
//! which are few, until some call has to come before itself. The edges of that circle, and those
//! from which they were derived, are the reason. Not every contradiction has one: some need a
//! distinction of cases, and then this finds nothing.

use std::collections::{BTreeMap, VecDeque};

use crate::history::Call;
use crate::object::{Deed, Kind, Object};

/// One call must come before another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The earlier call; none means the beginning, with what the object holds at first.
    pub before: Option<usize>,
    /// The later call; none means the beginning, before which nothing can come.
    pub after: Option<usize>,
    /// Why, in words.
    pub why: String,
    /// True if the edge is part of the circle, and not only what a part of it was derived from.
    pub circle: bool,
}

/// The most calls whose reason is looked for.
const MOST: usize = 64;

/// The circle among some calls, premises first. Those listed as free count with their invocations
/// and operations alone.
pub fn circle<O: Object>(
    object: &O,
    calls: &[Call<O::Op, O::Ret>],
    core: &[usize],
    free: &[usize],
) -> Option<Vec<Edge>> {
    if core.len() + free.len() > MOST {
        return None;
    }
    let order = Order::of(object, calls, core, free)?;
    order.shortest_circle().map(|circle| order.told(&circle))
}

/// An edge in a sentence.
pub fn in_words<Op: std::fmt::Debug, Ret>(edge: &Edge, calls: &[Call<Op, Ret>]) -> String {
    let name = |call: Option<usize>| match call.map(|call| &calls[call]) {
        None => "the start".to_owned(),
        Some(Call { process, op, line: Some(line), .. }) => {
            format!("{op:?} of process {process} (line {line})")
        }
        Some(Call { process, op, .. }) => format!("{op:?} of process {process}"),
    };
    let (before, after, why) = (name(edge.before), name(edge.after), &edge.why);
    match edge.after {
        None => format!("{before} can't be: {why}."),
        Some(_) => format!("{before} comes before {after}: {why}."),
    }
}

/// A call, or the beginning.
struct Node<V> {
    call: Option<usize>,
    deed: Option<Deed<V>>,
    from: u64,
    to: u64,
    name: String,
}

/// An edge between two nodes, by their numbers; the beginning is 0.
type Pair = (usize, usize);

struct Order<V> {
    nodes: Vec<Node<V>>,
    /// Why the one comes before the other, and the edges from which that follows.
    edges: BTreeMap<Pair, (String, Vec<Pair>)>,
}

impl<V: Ord + std::fmt::Debug> Order<V> {
    /// All that can be derived, up to the first circle.
    fn of<O: Object<Held = V>>(
        object: &O,
        calls: &[Call<O::Op, O::Ret>],
        core: &[usize],
        free: &[usize],
    ) -> Option<Self> {
        let mut places: Vec<usize> = core.iter().chain(free).copied().collect();
        places.sort_unstable();
        let mut nodes = vec![Node { call: None, deed: None, from: 0, to: 0, name: String::new() }];
        for place in places {
            let (call, free) = (&calls[place], free.contains(&place));
            nodes.push(Node {
                call: Some(place),
                deed: Some(object.deed(&call.op, call.ret.as_ref().filter(|_| !free))?),
                from: call.invoked + 1,
                to: call.returned.filter(|_| !free).map_or(u64::MAX, |returned| returned + 1),
                name: format!("{:?} of process {}", call.op, call.process),
            });
        }
        let mut order = Order { nodes, edges: BTreeMap::new() };
        order.by_time();
        let mut known = 0;
        while order.edges.len() > known && order.shortest_circle().is_none() {
            known = order.edges.len();
            match object.kind() {
                Kind::Memory => order.by_memory(object.initial().as_ref()),
                Kind::Queue | Kind::Stack | Kind::PriorityQueue => order.by_pool(object.kind()),
                Kind::Set | Kind::Other => (),
            }
        }
        Some(order)
    }

    fn add(&mut self, before: usize, after: usize, why: String, premises: Vec<Pair>) {
        if before != after {
            self.edges.entry((before, after)).or_insert((why, premises));
        }
    }

    fn by_time(&mut self) {
        for before in 1..self.nodes.len() {
            self.add(0, before, "that was at the start".to_owned(), Vec::new());
            for after in 1..self.nodes.len() {
                if self.nodes[before].to < self.nodes[after].from {
                    let why = "it returned before the other was invoked".to_owned();
                    self.add(before, after, why, Vec::new());
                }
            }
        }
    }

    /// The shortest way along edges, as edges; empty if there is none.
    fn way(&self, from: usize, to: usize) -> Vec<Pair> {
        let mut came: Vec<Option<usize>> = vec![None; self.nodes.len()];
        let mut todo = VecDeque::from([from]);
        while let Some(node) = todo.pop_front() {
            for (&(_, next), _) in self.edges.range((node, 0)..(node + 1, 0)) {
                if next == to {
                    let mut way = vec![(node, to)];
                    let mut at = node;
                    while at != from {
                        let before = came[at].unwrap_or(from);
                        way.push((before, at));
                        at = before;
                    }
                    way.reverse();
                    return way;
                }
                if next != from && came[next].is_none() {
                    came[next] = Some(node);
                    todo.push_back(next);
                }
            }
        }
        Vec::new()
    }

    fn shortest_circle(&self) -> Option<Vec<Pair>> {
        let circles = (0..self.nodes.len()).map(|node| self.way(node, node));
        circles.filter(|circle| !circle.is_empty()).min_by_key(Vec::len)
    }

    /// The circle's edges, and before each those from which it follows. That the beginning comes
    /// first need not be told.
    fn told(&self, circle: &[Pair]) -> Vec<Edge> {
        fn tell<V>(order: &Order<V>, pair: Pair, told: &mut Vec<Pair>) {
            if !told.contains(&pair) {
                order.edges[&pair].1.iter().for_each(|premise| tell(order, *premise, told));
                told.push(pair);
            }
        }
        let mut all = Vec::new();
        circle.iter().for_each(|pair| tell(self, *pair, &mut all));
        all.retain(|pair| pair.0 != 0);
        let edge = |pair: &Pair| Edge {
            before: self.nodes[pair.0].call,
            after: self.nodes[pair.1].call,
            why: self.edges[pair].0.clone(),
            circle: circle.contains(pair),
        };
        all.iter().map(edge).collect()
    }

    /// A read comes after the write of its value; a write that is later than that is later than the
    /// read, and a write that is earlier than the read is earlier than that.
    fn by_memory(&mut self, initial: Option<&V>) {
        let (mut sources, mut nowhere) = (Vec::new(), Vec::new());
        for reader in 1..self.nodes.len() {
            let Some(value) = self.nodes[reader].deed.as_ref().and_then(seen) else { continue };
            let mut writers = (1..self.nodes.len()).filter(|writer| {
                *writer != reader && self.nodes[*writer].deed.as_ref().and_then(left) == Some(value)
            });
            let source = match (Some(value) == initial, writers.next(), writers.next()) {
                (true, None, None) => 0,
                (false, Some(writer), None) => writer,
                (false, None, _) => {
                    nowhere.push((reader, format!("nobody wrote {value:?}")));
                    continue;
                }
                _ => continue,
            };
            sources.push((reader, source, format!("{value:?}")));
        }
        for (reader, why) in nowhere {
            self.add(reader, 0, why, Vec::new());
        }
        for (reader, source, value) in sources {
            let why = format!("{} found {value}", self.nodes[reader].name);
            self.add(source, reader, why.clone(), Vec::new());
            for other in 1..self.nodes.len() {
                let writes = self.nodes[other].deed.as_ref().and_then(left).is_some();
                if !writes || other == source || other == reader || self.unsure(other, initial) {
                    continue;
                }
                let way = self.way(source, other);
                if !way.is_empty() {
                    let why = format!("{why}, which the other replaced");
                    self.add(reader, other, why, way);
                }
                let way = self.way(other, reader);
                if !way.is_empty() {
                    self.add(other, source, format!("{why} after the first"), way);
                }
            }
        }
    }

    /// True if the node's call may never have changed anything: its outcome is unknown, and nobody
    /// saw what only it can have left.
    fn unsure(&self, node: usize, initial: Option<&V>) -> bool {
        let Node { deed, to, .. } = &self.nodes[node];
        let unknown = *to == u64::MAX || matches!(deed, Some(Deed::Swap { done: None, .. }));
        let value = deed.as_ref().and_then(left);
        let others = || self.nodes.iter().skip(1).filter_map(|other| other.deed.as_ref());
        let alone = others().filter(|other| left(other) == value).count() == 1;
        unknown && !(alone && value != initial && others().any(|other| seen(other) == value))
    }

    /// True if some call may have taken out a value that nobody is known to have taken.
    fn guesses(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node.deed, Some(Deed::Take(None))))
    }

    /// A value that was taken out was put in, and not taken out by others.
    fn by_origin(&mut self) {
        let takes = (1..self.nodes.len()).filter_map(|take| match &self.nodes[take].deed {
            Some(Deed::Take(Some(Some(value)))) => Some((take, value)),
            _ => None,
        });
        let mut wrong = takes.clone().filter_map(|(take, value)| {
            let put = |node: &&Node<V>| matches!(&node.deed, Some(Deed::Put(put)) if put == value);
            let puts = self.nodes.iter().filter(put).count();
            let others = takes.clone().filter(|(_, other)| *other == value).count();
            match () {
                () if puts == 0 => Some((take, format!("nobody put in {value:?}"))),
                () if others > puts => Some((take, format!("{value:?} was taken out before"))),
                () => None,
            }
        });
        // One of several is enough, and the last one is the one too many.
        if let Some((take, why)) = wrong.next_back() {
            self.add(take, 0, why, Vec::new());
        }
    }

    /// Values that are taken come after they are put in, and in the object's order.
    fn by_pool(&mut self, kind: Kind) {
        let puts: Vec<(usize, Option<usize>)> = (1..self.nodes.len())
            .filter_map(|put| match self.nodes[put].deed.as_ref()? {
                Deed::Put(value) => {
                    let takes = |node: &Node<V>| {
                        matches!(&node.deed, Some(Deed::Take(Some(Some(taken)))) if taken == value)
                    };
                    let mut all = (1..self.nodes.len()).filter(|take| takes(&self.nodes[*take]));
                    let take = all.next();
                    let twin = |node: &Node<V>| node.deed == self.nodes[put].deed;
                    let twins = self.nodes.iter().filter(|node| twin(node)).count();
                    if all.next().is_some() || twins > 1 {
                        return None;
                    }
                    (take.is_some() || self.nodes[put].to < u64::MAX).then_some((put, take))
                }
                _ => None,
            })
            .collect();
        let name = |order: &Self, node: usize| order.nodes[node].name.clone();
        self.by_origin();
        for &(put, take) in &puts {
            if let Some(take) = take {
                let why = format!("{} takes out what it put in", name(self, take));
                self.add(put, take, why, Vec::new());
            }
            for empty in 1..self.nodes.len() {
                if matches!(self.nodes[empty].deed, Some(Deed::Take(Some(None)))) {
                    self.by_emptiness(put, take, empty);
                }
            }
            for &(other, other_take) in &puts {
                if put != other {
                    self.by_turn(kind, (put, take), (other, other_take));
                }
            }
        }
    }

    /// What is put in before it is empty is taken out before, and the other way round.
    fn by_emptiness(&mut self, put: usize, take: Option<usize>, empty: usize) {
        let way = self.way(put, empty);
        if !way.is_empty() && (take.is_some() || !self.guesses()) {
            let why = "it found nothing, though the value had been put in".to_owned();
            self.add(take.unwrap_or(empty), if take.is_some() { empty } else { 0 }, why, way);
        }
        if let Some(take) = take {
            let way = self.way(empty, take);
            if !way.is_empty() {
                self.add(empty, put, "the value is taken out after it was empty".to_owned(), way);
            }
        }
    }

    /// What two values force upon each other, the first one put in before the second.
    fn by_turn(&mut self, kind: Kind, x: (usize, Option<usize>), y: (usize, Option<usize>)) {
        let puts = self.way(x.0, y.0);
        match (kind, x.1, y.1) {
            (Kind::Queue, Some(take_x), Some(take_y)) => {
                if !puts.is_empty() {
                    let why = "what is put in first is taken out first".to_owned();
                    self.add(take_x, take_y, why, puts);
                }
                let takes = self.way(take_x, take_y);
                if !takes.is_empty() {
                    let why = "what is taken out first was put in first".to_owned();
                    self.add(x.0, y.0, why, takes);
                }
            }
            (Kind::Queue, None, Some(take_y)) if !puts.is_empty() && !self.guesses() => {
                let why = "the value before it is never taken out".to_owned();
                self.add(take_y, 0, why, puts);
            }
            (Kind::Stack, Some(take_x), take_y) if !puts.is_empty() => {
                let within = self.way(y.0, take_x);
                if !within.is_empty() {
                    let why = "what is put in last is taken out first".to_owned();
                    let premises = [puts.clone(), within].concat();
                    match take_y {
                        Some(take_y) => self.add(take_y, take_x, why, premises),
                        None if self.guesses() => (),
                        None => self.add(take_x, 0, why, premises),
                    }
                }
                let after = take_y.map(|take_y| self.way(take_x, take_y)).unwrap_or_default();
                if !after.is_empty() {
                    let why = "the first could not be taken out from below the other".to_owned();
                    self.add(take_x, y.0, why, [puts, after].concat());
                }
            }
            (Kind::PriorityQueue, take_x, Some(take_y)) if self.is_less(x.0, y.0) => {
                let there = self.way(x.0, take_y);
                if !there.is_empty() && (take_x.is_some() || !self.guesses()) {
                    let why = "the least value is taken out first".to_owned();
                    let (before, after) = take_x.map_or((take_y, 0), |take_x| (take_x, take_y));
                    self.add(before, after, why, there);
                }
                let late = take_x.map(|take_x| self.way(take_y, take_x)).unwrap_or_default();
                if !late.is_empty() {
                    let why = "a lesser value was not there yet".to_owned();
                    self.add(take_y, x.0, why, late);
                }
            }
            _ => (),
        }
    }

    fn is_less(&self, x: usize, y: usize) -> bool {
        match (&self.nodes[x].deed, &self.nodes[y].deed) {
            (Some(Deed::Put(x)), Some(Deed::Put(y))) => x < y,
            _ => false,
        }
    }
}

/// The value that a call to a memory found.
fn seen<V>(deed: &Deed<V>) -> Option<&V> {
    match deed {
        Deed::Read(Some(value)) => Some(value),
        Deed::Swap { from, done: Some(true), .. } => Some(from),
        _ => None,
    }
}

/// The value that a call to a memory left there.
fn left<V: PartialEq>(deed: &Deed<V>) -> Option<&V> {
    match deed {
        Deed::Write(value) => Some(value),
        Deed::Swap { from, to, done } if from != to && *done != Some(false) => Some(to),
        _ => None,
    }
}

/// All edges that can be derived for all calls of a history, for tests.
#[cfg(test)]
pub fn forced<O: Object>(object: &O, calls: &[Call<O::Op, O::Ret>]) -> Option<Vec<Edge>> {
    let all: Vec<usize> = (0..calls.len()).collect();
    let order = Order::of(object, calls, &all, &[])?;
    let edges = order.edges.keys().map(|pair| order.told(&[*pair]).pop());
    Some(edges.flatten().collect())
}
