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
mod parts;
mod pools;
mod priority_queue;
mod queue;
mod set;
mod stack;
pub mod stream;
mod trees;
mod zones;

use std::collections::{BTreeMap, BTreeSet};

use super::Verdict;
use crate::history::History;
use crate::object::Object;

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

/// What judging may cost. The verdict and all that is said depend on the first two, and on the
/// third not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Steps of the general search.
    pub steps: u64,
    /// About how much memory the searches may take.
    pub bytes: usize,
    /// How many threads search at once, each in a part of its own.
    pub threads: usize,
}

impl Effort {
    /// So many steps, in one thread and half a gigabyte.
    pub fn steps(steps: u64) -> Effort {
        Effort { steps, bytes: 1 << 29, threads: 1 }
    }
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
    judge_within(object, history, Effort::steps(budget))
}

/// Judges a history within limits.
pub fn judge_within<O: Object>(
    object: &O,
    history: &History<O::Op, O::Ret>,
    effort: Effort,
) -> Judged {
    parts::judge(object, history, split(object, history), effort)
}

/// Judges a history by the general search, with all parts of the object at once: for comparison.
pub fn judge_as_a_whole<O: Object>(
    object: &O,
    history: &History<O::Op, O::Ret>,
    effort: Effort,
) -> Judged {
    let all = (0..history.calls().len()).collect();
    parts::judge_by(object, history, vec![(None, all)], effort, |object, calls, limits| {
        classifier::by_search(object, calls, limits, None)
    })
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
