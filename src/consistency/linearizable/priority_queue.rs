//! Priority queues whose values are put in once each: linearizability in O(n log n).
//!
//! A value can be taken at a moment when no smaller value is there. Go through the values from the
//! smallest on, and take each at the first moment of its take when no smaller value is *surely*
//! there; put it in as late as its put allows. That is enough. Let u be smaller than x, and let x
//! be taken at m, after u's put is over. As u is not surely there at m, u's take has begun by m.
//! Since m suits x it suits u as well, so u, which is taken at the first moment that does, is gone.
//! If a value's take is over before any such moment, the smaller values that cover it are to blame.
//! An empty answer is a take of a value that is greater than all.

use super::deeds::{Deeds, NEVER, Schedule, Sketch};
use super::pools::{Cover, Pool, covering};

/// Ranks at one moment: takes, from the smallest value on, then empty answers, then puts of what
/// stays. What is put in and taken out at one moment does both when it is its turn to be taken.
const TAKES: u8 = 0;
const EMPTY: u8 = 1;
const PUTS: u8 = 2;

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
    pool.give(deeds, |span| span.in_to);
    let sketch = decide_pool(&pool, deeds);
    (pool.guesses.is_empty() || matches!(sketch, Sketch::Order(_))).then_some(sketch)
}

fn decide_pool(pool: &Pool, deeds: &Deeds) -> Sketch {
    let (mut cover, mut schedule) = (Cover::default(), Schedule::default());
    let blame = |smaller: usize, from, to, mut calls: Vec<usize>| {
        calls.extend(covering(&pool.spans[..smaller], from, to));
        Sketch::Contradiction(calls)
    };
    for (rank, span) in pool.spans.iter().enumerate() {
        let taken = span.take.map(|take| (take, cover.gap(span.out_from)));
        if taken.is_some_and(|(_, moment)| moment > span.out_to) {
            return blame(rank, span.out_from, span.out_to, span.calls().collect());
        }
        let moment = taken.map_or(NEVER, |(_, moment)| moment);
        let put = span.in_to.min(moment);
        schedule.place(put, if put == moment { TAKES } else { PUTS }, span.put);
        if let Some((take, moment)) = taken {
            schedule.place(moment, TAKES, take);
        }
        cover.add(span.surely());
    }
    for &call in &pool.empties {
        let timed = &deeds.timed[call];
        let moment = cover.gap(timed.from);
        if moment > timed.to {
            return blame(pool.spans.len(), timed.from, timed.to, vec![call]);
        }
        schedule.place(moment, EMPTY, call);
    }
    schedule.order()
}
