//! The parts of an object, judged one after the other and, where that takes long, side by side.
//!
//! First every part has a moment, in this thread; most need no more. What is left of the budget is
//! then shared evenly among those that do, and they are spread over the threads. So what each of
//! them is given, and with it the answer, is the same for any number of threads.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::classifier::{self, Answer, Decision};
use super::{Effort, Judged};
use crate::consistency::search::Limits;
use crate::consistency::{Unknown, Verdict, Witness};
use crate::history::{Call, History};
use crate::object::Object;

/// A part: its name, if it has one, and the indices of its calls.
pub type Part = (Option<String>, Vec<usize>);

/// The steps that every part has at first.
const MOMENT: u64 = 20_000;

/// The most searches at once, which share the memory.
const MOST_THREADS: usize = 16;

/// Judges the parts of a history by whatever procedure fits.
pub fn judge<O: Object>(
    object: &O,
    history: &History<O::Op, O::Ret>,
    parts: Vec<Part>,
    effort: Effort,
) -> Judged {
    judge_by(object, history, parts, effort, classifier::decide)
}

/// How one part is judged.
type Decide<O> = fn(&O, &[Call<<O as Object>::Op, <O as Object>::Ret>], Limits) -> Decision;

/// Judges the parts of a history by a procedure.
pub fn judge_by<O: Object>(
    object: &O,
    history: &History<O::Op, O::Ret>,
    mut parts: Vec<Part>,
    effort: Effort,
    decide: Decide<O>,
) -> Judged {
    // Small parts first: they leave more of the budget to those that need it.
    parts.sort_by_key(|(_, indices)| indices.len());
    let mut judging = Judging { found: Found::default(), count: parts.len() };
    let share = effort.steps / parts.len().max(1) as u64;
    // A part that is alone need not share, and so need not begin anew.
    let steps = if parts.len() == 1 { share } else { share.min(MOMENT) };
    let moment = Limits { steps, bytes: effort.bytes };
    let mut unsettled = Vec::new();
    for part in parts {
        let calls = calls_of(history, &part.1);
        let decision = decide(object, &calls, moment);
        if matches!(decision.answer, Answer::Spent(_)) && moment.steps < effort.steps {
            judging.found.steps += decision.steps;
            unsettled.push(part);
        } else if let Some(violated) = judging.hears(part, &calls, decision) {
            return violated;
        }
    }
    let limits = Limits {
        steps: (effort.steps - judging.found.steps) / unsettled.len().max(1) as u64,
        bytes: effort.bytes / unsettled.len().clamp(1, MOST_THREADS),
    };
    let threads = effort.threads.clamp(1, MOST_THREADS).min(unsettled.len());
    let decide = |part: &Part| decide(object, &calls_of(history, &part.1), limits);
    let decisions = side_by_side(&unsettled, threads, decide);
    for (part, decision) in unsettled.into_iter().zip(decisions) {
        let calls = calls_of(history, &part.1);
        if let Some(violated) = judging.hears(part, &calls, decision) {
            return violated;
        }
    }
    judging.ends()
}

/// Decides about parts in threads. What comes after the first part that is violated is left out.
fn side_by_side(
    parts: &[Part],
    threads: usize,
    decide: impl Fn(&Part) -> Decision + Sync,
) -> Vec<Decision> {
    let (next, violated) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
    let decisions: Vec<Mutex<Option<Decision>>> = parts.iter().map(|_| Mutex::default()).collect();
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(part) = parts.get(index) else { return };
            if index > violated.load(Ordering::Relaxed) {
                return;
            }
            let decision = decide(part);
            if matches!(decision.answer, Answer::Core(_)) {
                violated.fetch_min(index, Ordering::Relaxed);
            }
            *decisions[index].lock().expect("nobody panics with a lock") = Some(decision);
        }
    };
    match threads {
        0 | 1 => work(),
        _ => std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work)))),
    }
    let decided = decisions.into_iter().map(|one| one.into_inner().expect("as above"));
    decided.map_while(|one| one).collect()
}

/// What was found out so far.
#[derive(Default)]
struct Found {
    steps: u64,
    /// The calls of explained parts, with the moments at which they take effect.
    points: Vec<(u64, usize, usize)>,
    /// For each part that isn't settled how many calls are explained.
    unsettled: Vec<usize>,
    full: bool,
    procedures: BTreeSet<&'static str>,
    refuted: BTreeSet<&'static str>,
}

struct Judging {
    found: Found,
    count: usize,
}

impl Judging {
    /// Takes note of a decision; if the part is violated, that is the verdict.
    fn hears<Op, Ret>(
        &mut self,
        (part, indices): Part,
        calls: &[Call<Op, Ret>],
        decision: Decision,
    ) -> Option<Judged> {
        let found = &mut self.found;
        found.steps += decision.steps;
        found.procedures.insert(decision.procedure);
        found.refuted.extend(decision.refuted);
        match decision.answer {
            Answer::Order(order) => found.points.extend(moments(calls, &indices, &order)),
            Answer::Spent(spent) => {
                found.unsettled.push(spent.order.len());
                found.full |= spent.full;
            }
            Answer::Core(core) => {
                return Some(Judged {
                    verdict: Verdict::Violated(core.named(part, &indices)),
                    procedures: [decision.procedure].into(),
                    refuted: std::mem::take(&mut found.refuted),
                });
            }
        }
        None
    }

    fn ends(self) -> Judged {
        let Found { steps, mut points, unsettled, full, procedures, refuted } = self.found;
        let verdict = match unsettled.iter().max() {
            Some(explained) => Verdict::Unknown(Unknown {
                steps,
                full,
                parts_fine: self.count - unsettled.len(),
                parts: self.count,
                explained: *explained,
            }),
            None => {
                points.sort_unstable();
                let order = points.into_iter().map(|(_, _, call)| call).collect();
                Verdict::Holds(Witness { order })
            }
        };
        Judged { verdict, procedures, refuted }
    }
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
