//! Linearizability (Herlihy and Wing, TOPLAS 1990): every call takes effect at one moment between
//! its invocation and its return, and the answers are those of the object in that order.
//!
//! It is local: a history is linearizable exactly if it is so for each independent part of the
//! object, so each part is judged by itself (Horn and Kroening, FORTE 2015). To decide it is
//! NP-complete (Gibbons and Korach, 1997), but not for what tests make most: objects that everybody
//! knows, with values that are used once. For each part the classifier picks the cheapest procedure
//! that is complete. The general search has a budget.

pub mod classifier;
pub mod deeds;
mod pools;
mod priority_queue;
mod queue;
mod set;
mod stack;
pub mod stream;
mod trees;
mod zones;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::{Unknown, Verdict, Witness};
use crate::history::{Call, History};
use crate::object::Object;
use classifier::{Answer, Decision};

/// A verdict, and how it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What was found out.
    pub verdict: Verdict,
    /// The procedures that did, in alphabetical order.
    pub procedures: BTreeSet<&'static str>,
    /// Procedures whose answers were refuted and replaced by the search's.
    pub refuted: BTreeSet<&'static str>,
}

/// Judges a history within a number of steps of the general search.
pub fn linearizable<O: Object>(
    object: &O,
    history: &History<O::Op, O::Ret>,
    budget: u64,
) -> Verdict {
    judge(object, history, budget).verdict
}

/// Judges a history, and says how.
pub fn judge<O: Object>(object: &O, history: &History<O::Op, O::Ret>, budget: u64) -> Judged {
    let mut parts = split(object, history);
    // Small parts first: they leave more of the budget to those that need it.
    parts.sort_by_key(|(_, indices)| indices.len());
    let count = parts.len();
    let (mut steps, mut points, mut unsettled) = (0, Vec::new(), Vec::new());
    let (mut procedures, mut refuted) = (BTreeSet::new(), BTreeSet::new());
    for (done, (part, indices)) in parts.into_iter().enumerate() {
        let calls = calls_of(history, &indices);
        let share = (budget - steps) / (count - done) as u64;
        let decision: Decision = classifier::decide(object, &calls, share);
        steps += decision.steps;
        procedures.insert(decision.procedure);
        refuted.extend(decision.refuted);
        match decision.answer {
            Answer::Order(order) => points.extend(moments(&calls, &indices, &order)),
            Answer::Spent(order) => unsettled.push(order.len()),
            Answer::Core(core) => {
                let verdict = Verdict::Violated(core.named(part, &indices));
                return Judged { verdict, procedures: [decision.procedure].into(), refuted };
            }
        }
    }
    let verdict = match unsettled.iter().max() {
        Some(explained) => Verdict::Unknown(Unknown {
            steps,
            parts_fine: count - unsettled.len(),
            parts: count,
            explained: *explained,
        }),
        None => {
            points.sort_unstable();
            Verdict::Holds(Witness { order: points.into_iter().map(|(_, _, call)| call).collect() })
        }
    };
    Judged { verdict, procedures, refuted }
}

/// The calls of one part; a copy, unless it is the only one.
fn calls_of<'a, Op: Clone, Ret: Clone>(
    history: &'a History<Op, Ret>,
    indices: &[usize],
) -> Cow<'a, [Call<Op, Ret>]> {
    match indices.len() == history.calls().len() {
        true => history.calls().into(),
        false => indices.iter().map(|index| history.calls()[*index].clone()).collect(),
    }
}

/// The independent parts of a history: their names, and the indices of their calls.
fn split<O: Object>(
    object: &O,
    history: &History<O::Op, O::Ret>,
) -> Vec<(Option<String>, Vec<usize>)> {
    let mut parts: BTreeMap<Option<String>, Vec<usize>> = BTreeMap::new();
    for (index, call) in history.calls().iter().enumerate() {
        parts.entry(object.part(&call.op)).or_default().push(index);
    }
    match parts.contains_key(&None) {
        true => vec![(None, (0..history.calls().len()).collect())],
        false => parts.into_iter().collect(),
    }
}

/// For each call of a part's order: when it takes effect, its place in the order, and its index.
/// Sorting these merges the parts. Each call takes effect as early as it can, at its invocation or
/// with the call before it, which is never after its own return; so real time is respected across
/// the parts, too.
fn moments<Op, Ret>(
    calls: &[Call<Op, Ret>],
    indices: &[usize],
    order: &[usize],
) -> Vec<(u64, usize, usize)> {
    let mut moment = 0;
    let places = order.iter().enumerate();
    places
        .map(|(place, &call)| {
            moment = moment.max(calls[call].invoked);
            (moment, place, indices[call])
        })
        .collect()
}
