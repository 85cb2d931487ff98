//! What the procedures for queues, stacks and priority queues share: the spans of values.
//!
//! A value is put in at some moment of its put, and taken out at some moment of its take. Between
//! the end of the one call and the beginning of the other it is *surely there*, whatever the
//! moments are; that open interval is what all three procedures reason with.

use super::deeds::{Deeds, NEVER, Sketch, Timed};
use crate::object::Deed;

const NONE: usize = usize::MAX;

/// When a value is put in and taken out. A value that nobody takes is taken at [`NEVER`].
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// The call that puts it in.
    pub put: usize,
    /// The call that takes it out, if any does.
    pub take: Option<usize>,
    /// The earliest and latest moments of the put.
    pub in_from: u64,
    /// The put has to be over by then, or by the end of the take.
    pub in_to: u64,
    /// The earliest moment of the take, not before that of the put.
    pub out_from: u64,
    /// The latest moment of the take.
    pub out_to: u64,
}

/// All that a procedure needs to know of a pool.
#[derive(Debug)]
pub struct Pool {
    /// The values that count, in the order of their numbers.
    pub spans: Vec<Span>,
    /// The takes that found nothing.
    pub empties: Vec<usize>,
    /// The takes of unknown outcome: each may have taken something, or nothing.
    pub guesses: Vec<usize>,
}

impl Pool {
    /// None if a value is put in twice, or an answer is unknown though its call returned. Calls
    /// that contradict each other by themselves, if a value comes twice or from nowhere.
    pub fn of(deeds: &Deeds) -> Option<Result<Pool, Vec<usize>>> {
        let (mut puts, mut takes) = (vec![NONE; deeds.values], vec![NONE; deeds.values]);
        let (mut empties, mut guesses, mut twice) = (Vec::new(), Vec::new(), None);
        for (call, timed) in deeds.timed.iter().enumerate() {
            match timed.deed {
                Deed::Put(value) => {
                    let before = std::mem::replace(&mut puts[value as usize], call);
                    (before == NONE).then_some(())?;
                }
                Deed::Take(Some(Some(value))) => {
                    let before = std::mem::replace(&mut takes[value as usize], call);
                    twice = twice.or((before != NONE).then_some((value, before, call)));
                }
                Deed::Take(Some(None)) => empties.push(call),
                Deed::Take(None) if timed.open() => guesses.push(call),
                _ => return None,
            }
        }
        if let Some((value, first, second)) = twice {
            let put = Some(puts[value as usize]).filter(|put| *put != NONE);
            return Some(Err([first, second].into_iter().chain(put).collect()));
        }
        let mut spans = Vec::new();
        for (put, take) in puts.into_iter().zip(takes) {
            match (deeds.timed.get(put), deeds.timed.get(take)) {
                (None, None) => (),
                (None, Some(_)) => return Some(Err(vec![take])),
                (Some(input), Some(output)) if output.to < input.from => {
                    return Some(Err(vec![put, take]));
                }
                (Some(input), None) if input.open() => (),
                (Some(input), output) => {
                    let take = output.map(|_| take);
                    spans.push(Span::new(put, input, take, output));
                }
            }
        }
        Some(Ok(Pool { spans, empties, guesses }))
    }

    /// Gives takes of unknown outcome to values that nobody is known to have taken, the first begun
    /// to the value whose turn it is by some order.
    pub fn give(&mut self, deeds: &Deeds, turn: impl Fn(&Span) -> u64) {
        let mut left: Vec<&mut Span> = self.spans.iter_mut().filter(|s| s.take.is_none()).collect();
        left.sort_by_key(|span| turn(span));
        for (span, guess) in left.into_iter().zip(&self.guesses) {
            span.take = Some(*guess);
            span.out_from = deeds.timed[*guess].from.max(span.in_from);
            // Before the takes that never happen, which are at the end of time.
            span.out_to = NEVER - 1;
        }
    }

    /// Calls at fault, with all those that might explain them away, and what these explain already.
    pub fn contradiction(&self, mut calls: Vec<usize>) -> Sketch {
        let given = |span: &&Span| span.out_to == NEVER - 1;
        calls.extend(self.spans.iter().filter(given).map(|span| span.put));
        calls.extend(&self.guesses);
        Sketch::Contradiction(calls)
    }
}

impl Span {
    fn new(put: usize, input: &Timed, take: Option<usize>, output: Option<&Timed>) -> Span {
        let (out_from, out_to) = output.map_or((NEVER, NEVER), |output| (output.from, output.to));
        Span {
            put,
            take,
            in_from: input.from,
            in_to: input.to.min(out_to),
            out_from: out_from.max(input.from),
            out_to,
        }
    }

    /// When it is surely there: strictly between these.
    pub fn surely(&self) -> (u64, u64) {
        (self.in_to, self.out_from)
    }

    /// All its calls.
    pub fn calls(&self) -> impl Iterator<Item = usize> {
        [self.put].into_iter().chain(self.take)
    }
}

/// The union of open intervals, as they are added.
#[derive(Debug, Default)]
pub struct Cover {
    /// From beginnings to ends; what touches without overlapping stays apart, with one moment that
    /// is not covered between.
    intervals: std::collections::BTreeMap<u64, u64>,
}

impl Cover {
    /// Adds an interval, unless it is empty.
    pub fn add(&mut self, (mut from, mut to): (u64, u64)) {
        if from >= to {
            return;
        }
        while let Some((&begin, &end)) = self.intervals.range(..to).next_back() {
            if end <= from {
                break;
            }
            (from, to) = (from.min(begin), to.max(end));
            self.intervals.remove(&begin);
        }
        self.intervals.insert(from, to);
    }

    /// The first moment from here on that is not covered.
    pub fn gap(&self, from: u64) -> u64 {
        match self.intervals.range(..from).next_back() {
            Some((_, end)) if *end > from => *end,
            _ => from,
        }
    }
}

/// Few of the values that cover all moments from one to another, both included.
pub fn covering(spans: &[Span], from: u64, to: u64) -> Vec<usize> {
    let mut sorted: Vec<&Span> = spans.iter().filter(|span| span.surely().1 > from).collect();
    sorted.sort_by_key(|span| span.surely().0);
    let (mut calls, mut reached, mut next) = (Vec::new(), from, 0);
    while reached <= to {
        let mut best: Option<&Span> = None;
        while let Some(span) = sorted.get(next).filter(|span| span.surely().0 < reached) {
            best = best.filter(|best| best.surely().1 >= span.surely().1).or(Some(span));
            next += 1;
        }
        let Some(best) = best.filter(|best| best.surely().1 > reached) else { break };
        calls.extend(best.calls());
        reached = best.surely().1;
    }
    calls
}
