//! Queues (first in, first out) whose values are put in once each: linearizability in O(n log n).
//!
//! Henzinger, Sezgin and Vafeiadis ("Aspect-Oriented Linearizability Proofs", CONCUR 2013) name
//! what can go wrong: a value comes from nowhere or comes twice, two values overtake each other, or
//! the queue is said to be empty while some value is surely there. This procedure finds an order
//! or one of these.
//!
//! Values stand in the queue in one order, in which they are put in and are taken out. So x must
//! stand before y if x's put precedes y's, or x's take precedes y's. Again and again a value is
//! chosen that no other has to stand before. If there is none, look at x, whose put is over first,
//! and y, whose take is over first: since x can't be chosen, y's take precedes x's; since y can't
//! be, x's put precedes y's. That is the contradiction. An empty answer is given at the first
//! moment of its call when nothing is surely there, and stands among the values as one that is put
//! in and taken out right then.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::deeds::{Deeds, Schedule, Sketch};
use super::pools::{Cover, Pool, Span, covering};

/// What stands in the order: a value, or an empty answer.
struct Item {
    span: Span,
    empty: bool,
}

/// Decides, if values are unique.
pub fn decide(deeds: &Deeds) -> Option<Sketch> {
    let mut pool = match Pool::of(deeds)? {
        Ok(pool) => pool,
        Err(suspects) => return Some(Sketch::Contradiction(suspects)),
    };
    // The earlier a value's put is over, the more values it has to leave before.
    pool.give(deeds, |span| span.in_to);
    let mut cover = Cover::default();
    pool.spans.iter().for_each(|span| cover.add(span.surely()));
    let mut items: Vec<Item> =
        pool.spans.iter().map(|span| Item { span: *span, empty: false }).collect();
    for &call in &pool.empties {
        let timed = &deeds.timed[call];
        let moment = cover.gap(timed.from);
        if moment > timed.to {
            let mut suspects = covering(&pool.spans, timed.from, timed.to);
            suspects.push(call);
            return Some(pool.contradiction(suspects));
        }
        let [in_from, in_to, out_from, out_to] = [moment; 4];
        let span = Span { put: call, take: None, in_from, in_to, out_from, out_to };
        items.push(Item { span, empty: true });
    }
    Some(match line_up(&items) {
        Ok(line) => schedule(&items, &line),
        Err((x, y)) => {
            let pair = [x, y].into_iter().flat_map(|item| items[item].span.calls());
            pool.contradiction(pair.collect())
        }
    })
}

/// An order of the items, or two that overtake each other.
fn line_up(items: &[Item]) -> Result<Vec<usize>, (usize, usize)> {
    let sorted = |key: fn(&Span) -> u64| {
        let mut names: Vec<usize> = (0..items.len()).collect();
        names.sort_by_key(|name| key(&items[*name].span));
        names.into_iter()
    };
    let mut puts = sorted(|span| span.in_from).peekable();
    let mut takes = sorted(|span| span.out_from).peekable();
    let mut puts_over = sorted(|span| span.in_to).peekable();
    let mut takes_over = sorted(|span| span.out_to).peekable();
    let (mut ready, mut gone) = (vec![0_u8; items.len()], vec![false; items.len()]);
    // Of those that may be next, who is put in first: any choice is right, this one looks it.
    let mut next = BinaryHeap::new();
    let mut line = Vec::with_capacity(items.len());
    while line.len() < items.len() {
        while puts_over.next_if(|name| gone[*name]).is_some() {}
        while takes_over.next_if(|name| gone[*name]).is_some() {}
        let (Some(&x), Some(&y)) = (puts_over.peek(), takes_over.peek()) else { break };
        let (put, take) = (items[x].span.in_to, items[y].span.out_to);
        let mut count = |name: usize| {
            ready[name] += 1;
            if ready[name] == 2 {
                next.push(Reverse((items[name].span.in_from, name)));
            }
        };
        while let Some(name) = puts.next_if(|name| items[*name].span.in_from <= put) {
            count(name);
        }
        while let Some(name) = takes.next_if(|name| items[*name].span.out_from <= take) {
            count(name);
        }
        let Some(Reverse((_, chosen))) = next.pop() else { return Err((x, y)) };
        gone[chosen] = true;
        line.push(chosen);
    }
    Ok(line)
}

/// Puts and takes, each in the order of the line, as early as they can be.
fn schedule(items: &[Item], line: &[usize]) -> Sketch {
    let mut schedule = Schedule::default();
    let (mut put, mut take) = (0, 0);
    // Of what happens at one moment before an empty answer, all comes before what follows it.
    for &name in line {
        let Item { span, empty } = &items[name];
        put = put.max(span.in_from);
        take = take.max(put).max(span.out_from);
        if *empty {
            put = take;
        }
        schedule.place(put, 1, span.put);
        if let Some(call) = span.take {
            schedule.place(take, 1, call);
        }
    }
    schedule.order()
}
