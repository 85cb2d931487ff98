//! Linearizability (Herlihy and Wing, TOPLAS 1990): every call takes effect at one moment between
//! its invocation and its return, and the answers are those of the object in that order.
//!
//! It is local: a history is linearizable exactly if it is so for each independent part of the
//! object, so each part is searched by itself (Horn and Kroening, FORTE 2015). To decide it is
//! NP-complete (Gibbons and Korach, 1997), so the search has a budget.

use std::collections::BTreeMap;

use super::search::{Found, search};
use super::{Unknown, Verdict, Witness, contradiction};
use crate::history::{Call, History};
use crate::object::Object;

/// Judges a history within a number of steps.
pub fn linearizable<O: Object>(
    object: &O,
    history: &History<O::Op, O::Ret>,
    budget: u64,
) -> Verdict {
    let mut parts = split(object, history);
    // Small parts first: they leave more of the budget to those that need it.
    parts.sort_by_key(|(_, indices)| indices.len());
    let count = parts.len();
    let (mut steps, mut points, mut unsettled) = (0, Vec::new(), Vec::new());
    for (done, (part, indices)) in parts.into_iter().enumerate() {
        let calls: Vec<_> = indices.iter().map(|index| history.calls()[*index].clone()).collect();
        let share = (budget - steps) / (count - done) as u64;
        let (found, used) = search(object, &calls, share);
        steps += used;
        match found {
            Found::Order(order) => points.extend(moments(&calls, &indices, &order)),
            Found::Spent(order) => unsettled.push(order.len()),
            Found::Stuck { call, .. } => {
                let core = contradiction::explain(object, &calls, call, used);
                return Verdict::Violated(core.named(part, &indices));
            }
        }
    }
    match unsettled.iter().max() {
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
