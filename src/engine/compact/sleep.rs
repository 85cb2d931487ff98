//! Order: of steps that don't touch what the others do, not every order is taken.
//!
//! A step *sleeps* in a state where an equal step was put off on the way there: where it could have
//! been taken before a later one with which it commutes, and so is, on another way to the same
//! states. Sleep sets are Godefroid's ("Using Partial Orders to Improve Automatic Verification
//! Methods", 1990). What commutes follows from what the memory knows of each local step: the parts
//! of the world that it read and changed, and what it sent to whom.
//!
//! **What it preserves: everything.** All states are met, each at its depth; so every verdict is
//! the same, every shortest path, every mark, and promises are judged on the whole graph. Only
//! transitions are saved. The argument: take a state, and of all shortest paths to it the one whose
//! sequence of *seats* (a seat is a node or a program, and has a number) comes first. Suppose one
//! of its steps were asleep where it is to be taken. Then it could have been taken before an
//! earlier step of this path, whose seat has a higher number, and the rest of the path would still
//! follow: so there is an equally short path that comes before the first. A state that is met on
//! several ways of one length keeps asleep only what is asleep on all of them, and shorter ways
//! come before.
//!
//! Persistent (or ample) sets would save states too. They need to know who may still send something
//! to a node before it acts, for ever after; in worlds in which everybody talks to everybody, and
//! histories and monitors are part of the state, that is known too seldom to be worth its price.
//!
//! All steps of a seat sleep or none. The passing of time, partitions and the faults of links never
//! sleep. With interchangeable names the argument is the same: seats are those of the image from
//! which a step is taken, and go through the renaming by which its successor becomes an image.

use crate::world::{Part, Topic};

use super::super::reduce::Flaw;
use super::memo::{Memo, Span, Step};
use super::vector::Order;

/// Seats, a bit each.
pub type Seats = u64;

/// One of the questions about a state that have answers, put off until all are known.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// What it is about.
    pub topic: Topic,
    /// Its answer.
    pub span: Span,
    /// Whose steps these are: a node's or a program's number, or a higher one.
    pub seat: u32,
    /// The parts that the answer depends on.
    reads: u64,
    /// The node for which the message is that is the subject.
    inbox: Option<u8>,
}

/// What is known of a state while it is expanded.
pub struct Sleep {
    flaw: Flaw,
    order: Order,
    nodes: u32,
    seats: u32,
    asked: Vec<Asked>,
    /// For each seat the parts that its steps depend on, and those that they change.
    reads: Vec<u64>,
    writes: Vec<u64>,
}

/// As many nodes and programs, and parts of the world, have a bit each.
pub const SEATS_MAX: u32 = 56;

impl Sleep {
    /// For a world of so many nodes and programs.
    pub fn new((nodes, programs): (u32, u32), order: Order, flaw: Flaw) -> Self {
        let seats = nodes + programs;
        let none = vec![0; seats as usize];
        Sleep { flaw, order, nodes, seats, asked: Vec::new(), reads: none.clone(), writes: none }
    }

    /// Forgets the last state. A node's steps depend on the node at least, and a program's on the
    /// calls.
    pub fn begin(&mut self) {
        self.asked.clear();
        self.reads.fill(1 << Part::Calls.index());
        for (node, reads) in self.reads.iter_mut().take(self.nodes as usize).enumerate() {
            *reads = 1 << (Part::FIXED + node);
        }
        self.writes.fill(0);
    }

    /// Whose steps those about a topic are. A node's come before a program's, and faults are last.
    pub fn seat_of(&self, topic: Topic, inbox: Option<u8>) -> u32 {
        match topic {
            Topic::Timers(node) | Topic::Resume(node) => node.0.into(),
            Topic::Restart(node) | Topic::Faults(node) => node.0.into(),
            Topic::Call(program) | Topic::Cancel(program) => self.nodes + program as u32,
            Topic::Arrival(_) => inbox.expect("an arrival has a receiver").into(),
            Topic::Link(_) | Topic::Time | Topic::Heal | Topic::Partition => self.seats,
        }
    }

    /// Puts the steps off that are the answer to a question, which is about some parts in any case.
    /// (What it depends on is what this one answer does: what the memory has learnt of others would
    /// differ from thread to thread.)
    pub fn put_off(
        &mut self,
        memo: &Memo,
        (topic, span): (Topic, Span),
        inbox: Option<u8>,
        base: u64,
    ) {
        let (seat, reads) = (self.seat_of(topic, inbox), base | span.reads);
        if let Some(all) = self.reads.get_mut(seat as usize) {
            *all |= reads;
            let steps = memo.steps(span).map(|at| memo.step(at));
            self.writes[seat as usize] |= steps.fold(0, |writes, step| writes | changed(step));
        }
        if span.first < span.end {
            self.asked.push(Asked { topic, span, seat, reads, inbox });
        }
    }

    /// The questions that have answers.
    pub fn asked(&self) -> usize {
        self.asked.len()
    }

    /// One of them, and whether its steps sleep where these seats do.
    pub fn get(&self, n: usize, asleep: Seats) -> (Asked, bool) {
        let asked = self.asked[n];
        (asked, asked.seat < self.seats && asleep >> asked.seat & 1 == 1)
    }

    /// The seats that sleep after a step: those that did and those that come before its own, where
    /// none of their steps touches what this one does, and nothing new happens to them by it.
    pub fn after(
        &self,
        asleep: Seats,
        asked: &Asked,
        step: Step<'_>,
        inbox: impl Fn(u32) -> u8,
    ) -> Seats {
        let apart = match asked.topic {
            Topic::Time | Topic::Heal | Topic::Partition => return 0,
            // Which of equal messages is the newest depends on what is sent.
            Topic::Link(_) => self.order == Order::AsInTheWorld,
            _ => false,
        };
        if apart {
            return 0;
        }
        let before = match self.flaw {
            Flaw::BothOrders => !(1 << asked.seat.min(SEATS_MAX)),
            _ => (1 << asked.seat) - 1,
        };
        let heard = step.sent.iter().map(|name| inbox(*name)).chain(asked.inbox);
        let heard = match self.flaw {
            Flaw::SleepsThroughMail => 0,
            _ => heard.fold(0, |heard: Seats, node| heard | 1 << node),
        };
        let writes = changed(step);
        let all = (1 << self.seats) - 1;
        let mut left = (asleep | before) & !heard & !(1 << asked.seat) & all;
        let mut after = 0;
        while left != 0 {
            let seat = left.trailing_zeros() as usize;
            left &= left - 1;
            let touched = self.reads[seat] | self.writes[seat];
            let commutes = touched & writes == 0 && self.writes[seat] & asked.reads == 0;
            after |= Seats::from(commutes || self.flaw == Flaw::TakesAllForApart) << seat;
        }
        after
    }
}

/// The parts that a step changes, a bit each.
fn changed(step: Step<'_>) -> u64 {
    step.parts().fold(0, |parts, (part, _)| parts | 1 << part)
}
