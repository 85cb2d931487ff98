//! Stacks (last in, first out) whose values are put in once each: linearizability in O(n log n).
//!
//! That one value after another can be removed without harm is the idea of Lee and Mathur
//! ("Efficient Decrease-and-Conquer Linearizability Monitoring", OOPSLA 2025); the procedure here
//! is derived from it anew. A value whose take may begin before its put is over is put in and taken
//! out at one moment, and disturbs nobody. Each of the others is *surely there* for a time. Where
//! the times of some values overlap in one stretch, the stack is never empty from its beginning to
//! its end, so one value lies at the bottom all along: its put begins by then, and its take ends no
//! earlier. If there is none, these values contradict each other, and so do any of them that cover
//! the stretch. If there are several, each will do: all the others' calls have a moment within the
//! stretch, so they can as well stand on top of it. What is left of the stretch without that value
//! falls apart into shorter ones, with which the same is done. An empty answer is given at the
//! first moment of its call that lies in no stretch.

use super::deeds::{Deeds, NEVER, Schedule, Sketch};
use super::pools::{Cover, Pool, Span, covering};
use super::trees::{Bottoms, Depths};

/// Decides, if values are unique. If takes of unknown outcome could have taken this or that, only
/// one way is tried, and its failure proves nothing.
pub fn decide(deeds: &Deeds) -> Option<Sketch> {
    let mut pool = match Pool::of(deeds)? {
        Ok(pool) => pool,
        Err(suspects) => return Some(Sketch::Contradiction(suspects)),
    };
    if pool.spans.iter().filter(|span| span.take.is_none()).count() > pool.guesses.len() {
        let sketch = decide_pool(&pool, deeds);
        if pool.guesses.is_empty() || matches!(sketch, Sketch::Order(_)) {
            return Some(sketch);
        }
    }
    pool.give(deeds, |span| NEVER - span.in_from);
    let sketch = decide_pool(&pool, deeds);
    (pool.guesses.is_empty() || matches!(sketch, Sketch::Order(_))).then_some(sketch)
}

fn decide_pool(pool: &Pool, deeds: &Deeds) -> Sketch {
    let mut schedule = Schedule::default();
    let (lasting, brief): (Vec<Span>, Vec<Span>) =
        pool.spans.iter().partition(|span| span.in_to < span.out_from);
    let mut cover = Cover::default();
    lasting.iter().for_each(|span| cover.add(span.surely()));
    for &call in &pool.empties {
        let timed = &deeds.timed[call];
        let moment = cover.gap(timed.from);
        if moment > timed.to {
            let mut suspects = covering(&lasting, timed.from, timed.to);
            suspects.push(call);
            return Sketch::Contradiction(suspects);
        }
        // After what is taken at that moment, and before what is put in.
        schedule.place(moment, 1, call);
    }
    let nested = match Stretches::of(&lasting).nest() {
        Ok(nested) => nested,
        Err(Bottomless { from, to, spans }) => {
            return Sketch::Contradiction(chain(&spans, from, to));
        }
    };
    for (moment, call, puts) in nested {
        schedule.place(moment, if puts { 3 } else { 0 }, call);
    }
    for span in brief {
        // Nothing comes between two calls of rank 2 that are placed one after the other.
        span.calls().for_each(|call| schedule.place(span.out_from, 2, call));
    }
    schedule.order()
}

/// The calls of few values that cover a whole stretch, its two ends excluded.
fn chain(spans: &[Span], from: u64, to: u64) -> Vec<usize> {
    let leftmost = spans.iter().filter(|span| span.in_to == from);
    let Some(first) = leftmost.max_by_key(|span| span.out_from) else { return Vec::new() };
    let mut calls: Vec<usize> = first.calls().collect();
    if first.out_from < to {
        calls.extend(covering(spans, first.out_from, to - 1));
    }
    calls
}

/// A put or a take: its moment, the call, and whether it is a put.
type Placed = (u64, usize, bool);

/// A stretch at whose bottom no value can lie, and the values that cover it.
struct Bottomless {
    from: u64,
    to: u64,
    spans: Vec<Span>,
}

/// The stretches, on a line of places: two for each moment that matters, one at it and one after.
struct Stretches<'a> {
    /// Values by the beginning of their sure presence.
    spans: Vec<&'a Span>,
    moments: Vec<u64>,
    /// How many values surely are at each place.
    depth: Depths,
    bottoms: Bottoms,
}

impl<'a> Stretches<'a> {
    fn of(lasting: &'a [Span]) -> Stretches<'a> {
        let mut spans: Vec<&Span> = lasting.iter().collect();
        spans.sort_by_key(|span| span.in_to);
        let ends = lasting.iter().flat_map(|span| [span.in_to, span.out_from]);
        let mut moments: Vec<u64> = ends.collect();
        moments.sort_unstable();
        moments.dedup();
        let bottoms = Bottoms::of(&spans);
        let depth = Depths::new(2 * moments.len());
        Stretches { spans, moments, depth, bottoms }
    }

    fn place(&self, moment: u64) -> usize {
        2 * self.moments.partition_point(|other| *other < moment)
    }

    /// The places strictly between the ends of a value's sure presence.
    fn places(&self, span: &Span) -> (usize, usize) {
        (self.place(span.in_to) + 1, self.place(span.out_from))
    }

    /// All puts and takes as brackets, or a stretch without a bottom.
    fn nest(mut self) -> Result<Vec<Placed>, Bottomless> {
        for span in &self.spans {
            let (from, to) = self.places(span);
            self.depth.add(from, to, 1);
        }
        let mut placed = Vec::with_capacity(2 * self.spans.len());
        // What is still to be done, the next on top: a stretch of places, or a take to be placed.
        let mut todo: Vec<Result<(usize, usize), Placed>> = Vec::new();
        self.split(0, 2 * self.moments.len(), &mut todo);
        while let Some(next) = todo.pop() {
            let (from, to) = match next {
                Ok(stretch) => stretch,
                Err(take) => {
                    placed.push(take);
                    continue;
                }
            };
            let (begin, end) = (self.moments[from / 2], self.moments[to / 2]);
            let values = |moment| self.spans.partition_point(|span| span.in_to < moment);
            let (low, high) = (values(begin), values(end));
            let Some(bottom) = self.bottoms.choose(low, high, begin, end) else {
                return Err(self.bottomless(begin, end));
            };
            let span = self.spans[bottom];
            placed.push((begin, span.put, true));
            if let Some(take) = span.take {
                todo.push(Err((end, take, false)));
            }
            let (first, last) = self.places(span);
            self.depth.add(first, last, -1);
            self.split(from, to, &mut todo);
        }
        Ok(placed)
    }

    fn bottomless(&self, from: u64, to: u64) -> Bottomless {
        let within = |span: &Span| from <= span.in_to && span.out_from <= to;
        let left = (0..)
            .zip(&self.spans)
            .filter(|(value, span)| !self.bottoms.gone[*value] && within(span));
        Bottomless { from, to, spans: left.map(|(_, span)| **span).collect() }
    }

    /// Pushes the stretches among some places, the first on top.
    fn split(&mut self, from: usize, to: usize, todo: &mut Vec<Result<(usize, usize), Placed>>) {
        let before = todo.len();
        let mut at = from;
        while at < to {
            let empty = self.depth.first_empty(at, to).unwrap_or(to);
            if at < empty {
                todo.push(Ok((at, empty)));
            }
            at = self.depth.first_taken(empty, to).unwrap_or(to);
        }
        todo[before..].reverse();
    }
}
