//! What the fast procedures see of a history: for each call of one part of the object, what it does
//! to which value, and when; with values as numbers.

use std::collections::HashMap;

use crate::history::Call;
use crate::object::{Deed, Kind, Object};

/// The end of a call that never returned.
pub const NEVER: u64 = u64::MAX;

/// What a memory holds at first has the number 0. Of other objects no value has it.
pub const INITIAL: u32 = 0;

/// A call as a deed.
#[derive(Clone, Copy, Debug)]
pub struct Timed {
    /// What it does, to numbered values.
    pub deed: Deed<u32>,
    /// When it was invoked. Nothing happens at 0.
    pub from: u64,
    /// When it returned, or [`NEVER`].
    pub to: u64,
}

impl Timed {
    /// True if its outcome is unknown.
    pub fn open(&self) -> bool {
        self.to == NEVER
    }
}

/// The calls of one part as deeds, in the order of their invocations.
#[derive(Debug)]
pub struct Deeds {
    /// The deeds; their indices are those of the calls.
    pub timed: Vec<Timed>,
    /// How many numbers values have: every number is below this.
    pub values: usize,
}

impl Deeds {
    /// The calls as deeds; none if one of them is no deed of the object's kind. A priority queue's
    /// values are numbered in their order, and all others as they turn up.
    pub fn of<O: Object>(object: &O, calls: &[Call<O::Op, O::Ret>]) -> Option<Deeds> {
        let mut names: HashMap<O::Held, u32> = HashMap::new();
        names.extend(object.initial().map(|initial| (initial, INITIAL)));
        let mut timed = Vec::with_capacity(calls.len());
        for call in calls {
            let deed = object.deed(&call.op, call.ret.as_ref())?.map(|value| {
                let next = names.len() as u32 + u32::from(object.kind() != Kind::Memory);
                *names.entry(value).or_insert(next)
            });
            let to = call.returned.map_or(NEVER, |returned| returned + 1);
            timed.push(Timed { deed, from: call.invoked + 1, to });
        }
        let values = names.len() + 1;
        if object.kind() == Kind::PriorityQueue {
            let mut sorted: Vec<(O::Held, u32)> = names.into_iter().collect();
            sorted.sort();
            let mut ranks = vec![0; values];
            (1..).zip(&sorted).for_each(|(rank, (_, name))| ranks[*name as usize] = rank);
            for timed in &mut timed {
                timed.deed = timed.deed.map(|name| ranks[name as usize]);
            }
        }
        Some(Deeds { timed, values })
    }
}

/// What a procedure found out. It may be wrong without doing harm, since both answers are
/// certificates that others check: an order by the second checker, a contradiction by the search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sketch {
    /// An order of calls that explains the history.
    Order(Vec<usize>),
    /// Calls that contradict each other, with nothing else needed.
    Contradiction(Vec<usize>),
}

/// Calls with the moments at which they take effect. Of those at one moment, the lower rank comes
/// first, and then who was placed first.
#[derive(Debug, Default)]
pub struct Schedule(Vec<(u64, u8, usize)>);

impl Schedule {
    /// A call takes effect.
    pub fn place(&mut self, moment: u64, rank: u8, call: usize) {
        self.0.push((moment, rank, call));
    }

    /// All calls, in their order.
    pub fn order(mut self) -> Sketch {
        self.0.sort_by_key(|(moment, rank, _)| (*moment, *rank));
        Sketch::Order(self.0.into_iter().map(|(_, _, call)| call).collect())
    }
}
