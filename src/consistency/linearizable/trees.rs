//! Two segment trees for the stack's procedure: how many intervals cover each place of a line, and
//! which of many values may lie at the bottom of a stretch. Every operation takes O(log n).

use super::pools::Span;

/// How many intervals cover each place of a line.
pub struct Depths {
    size: usize,
    /// For each node the least and the greatest depth below it, and what is to be added to both.
    nodes: Vec<(i32, i32, i32)>,
}

impl Depths {
    /// A line of places that nothing covers.
    pub fn new(places: usize) -> Depths {
        let size = places.next_power_of_two();
        Depths { size, nodes: vec![(0, 0, 0); 2 * size] }
    }

    /// Adds to the depth of the places `from..to`.
    pub fn add(&mut self, from: usize, to: usize, depth: i32) {
        if from < to {
            self.add_below(1, (0, self.size), (from, to), depth);
        }
    }

    fn add_below(
        &mut self,
        node: usize,
        (low, high): (usize, usize),
        wanted: (usize, usize),
        depth: i32,
    ) {
        if wanted.0 <= low && high <= wanted.1 {
            let (least, greatest, added) = &mut self.nodes[node];
            (*least, *greatest, *added) = (*least + depth, *greatest + depth, *added + depth);
            return;
        }
        let middle = low.midpoint(high);
        if wanted.0 < middle {
            self.add_below(2 * node, (low, middle), wanted, depth);
        }
        if wanted.1 > middle {
            self.add_below(2 * node + 1, (middle, high), wanted, depth);
        }
        let (left, right, added) =
            (self.nodes[2 * node], self.nodes[2 * node + 1], self.nodes[node].2);
        self.nodes[node] = (left.0.min(right.0) + added, left.1.max(right.1) + added, added);
    }

    /// The first of the places `from..to` that nothing covers.
    pub fn first_empty(&self, from: usize, to: usize) -> Option<usize> {
        self.first(1, (0, self.size), (from, to), 0, &|(least, _, _), above| least + above == 0)
    }

    /// The first of the places `from..to` that something covers.
    pub fn first_taken(&self, from: usize, to: usize) -> Option<usize> {
        self.first(1, (0, self.size), (from, to), 0, &|(_, greatest, _), above| {
            greatest + above > 0
        })
    }

    fn first(
        &self,
        node: usize,
        (low, high): (usize, usize),
        wanted: (usize, usize),
        above: i32,
        is_it: &impl Fn((i32, i32, i32), i32) -> bool,
    ) -> Option<usize> {
        if high <= wanted.0 || wanted.1 <= low || !is_it(self.nodes[node], above) {
            return None;
        }
        if high - low == 1 {
            return Some(low);
        }
        let (middle, above) = (low.midpoint(high), above + self.nodes[node].2);
        let left = self.first(2 * node, (low, middle), wanted, above, is_it);
        left.or_else(|| self.first(2 * node + 1, (middle, high), wanted, above, is_it))
    }
}

/// Which values may lie at the bottom: those whose put begins early enough are *ready*. As
/// stretches only fall apart, their beginnings come later and later, so a value stays ready.
pub struct Bottoms {
    size: usize,
    /// For each node the latest end of a take among ready values below it, and the earliest
    /// beginning of a put among the others.
    nodes: Vec<(u64, u64)>,
    out_to: Vec<u64>,
    /// Which values were taken away.
    pub gone: Vec<bool>,
}

impl Bottoms {
    /// All values, none of which is ready.
    pub fn of(spans: &[&Span]) -> Bottoms {
        let size = spans.len().next_power_of_two();
        let mut nodes = vec![(0, u64::MAX); 2 * size];
        for (leaf, span) in nodes[size..].iter_mut().zip(spans) {
            leaf.1 = span.in_from;
        }
        for node in (1..size).rev() {
            nodes[node].1 = nodes[2 * node].1.min(nodes[2 * node + 1].1);
        }
        let (out_to, gone) =
            (spans.iter().map(|span| span.out_to).collect(), vec![false; spans.len()]);
        Bottoms { size, nodes, out_to, gone }
    }

    /// Takes away one of the values `low..high` whose put begins by `begin`, and whose take does
    /// not end before `end`.
    pub fn choose(&mut self, low: usize, high: usize, begin: u64, end: u64) -> Option<usize> {
        while let Some(value) = self.find(1, (0, self.size), (low, high), &|node| node.1 <= begin) {
            self.set(value, (self.out_to[value], u64::MAX));
        }
        let value = self.find(1, (0, self.size), (low, high), &|node| node.0 >= end)?;
        self.set(value, (0, u64::MAX));
        self.gone[value] = true;
        Some(value)
    }

    fn set(&mut self, value: usize, to: (u64, u64)) {
        let mut node = self.size + value;
        self.nodes[node] = to;
        while node > 1 {
            node /= 2;
            let (left, right) = (self.nodes[2 * node], self.nodes[2 * node + 1]);
            self.nodes[node] = (left.0.max(right.0), left.1.min(right.1));
        }
    }

    fn find(
        &self,
        node: usize,
        (low, high): (usize, usize),
        wanted: (usize, usize),
        is_it: &impl Fn((u64, u64)) -> bool,
    ) -> Option<usize> {
        if high <= wanted.0 || wanted.1 <= low || !is_it(self.nodes[node]) {
            return None;
        }
        if high - low == 1 {
            return Some(low);
        }
        let middle = low.midpoint(high);
        let left = self.find(2 * node, (low, middle), wanted, is_it);
        left.or_else(|| self.find(2 * node + 1, (middle, high), wanted, is_it))
    }
}
