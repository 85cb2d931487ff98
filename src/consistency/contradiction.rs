//! From "there is no order" to the few calls that show it.
//!
//! A reduction of a history is *sound* if it turns every linearizable history into a linearizable
//! one; then what contradicts itself after it contradicted itself before. Dropping just any call
//! is not sound: without a write, a read of its value looks wrong. These are sound:
//! * to cut the history at a moment, leaving open what had not returned by then;
//! * to leave out every part of the object but one;
//! * to drop a call that changed nothing, since the other calls' order stays legal without it;
//! * to drop every call about one value, where the object promises that this is so;
//! * to set a call free: to forget its answer and its return, so that it may take effect at any
//!   time after its invocation, or never; an order of the stricter history is one of the freer.
//!
//! Each is tried on many calls at once, then on fewer, down to single ones, and kept if the search
//! still finds no order. What is sound is also monotone: a reduction that failed once fails again
//! after others, so one pass over single reductions is enough to call the core minimal.

use std::collections::BTreeMap;

use super::Core;
use super::search::{Found, search};
use crate::history::Call;
use crate::object::Object;

/// How many of the states before a return that can't be are shown.
const STATES_SHOWN: usize = 8;

/// What a core may cost in any case; beside this, it may cost a few times what the verdict did.
const EFFORT: u64 = 2_000_000;

/// Finds a core in calls that have no order, and tells about the rest. The search that found that
/// out could not pass the return of `stuck`, and took so many steps.
pub fn explain<O: Object>(
    object: &O,
    calls: &[Call<O::Op, O::Ret>],
    stuck: usize,
    steps: u64,
) -> Core {
    let nothing = Kept::<O>::new();
    let left = EFFORT + 4 * steps;
    let mut shrinking = Shrinking { object, kept: nothing, left, minimal: true };
    let first = first_contradiction(&mut shrinking, calls, stuck);
    shrinking.kept = up_to::<O>(object, calls, first.end, true);
    let prefix = shrinking.kept.len();
    let partial = shrinking.order(&up_to::<O>(object, calls, first.end, false));
    shrinking.run();
    let (free, bound): (Vec<_>, Vec<_>) =
        shrinking.kept.iter().partition(|(_, call)| call.returned.is_none());
    Core {
        calls: bound.into_iter().map(|(index, _)| *index).collect(),
        helpless: free.into_iter().map(|(index, _)| *index).collect(),
        minimal: shrinking.minimal,
        stuck: first.call,
        prefix,
        partial,
        states: first.states,
        part: None,
    }
}

/// The first moment by which a history contradicts itself.
struct First {
    end: u64,
    /// A call that returns then.
    call: usize,
    /// The states before that return, if the search came that far.
    states: Vec<String>,
}

/// The search knows the answers of calls that have yet to return, so it may get stuck before the
/// history up to that moment, by itself, is contradictory. From there on, it is looked for.
fn first_contradiction<O: Object>(
    shrinking: &mut Shrinking<'_, O>,
    calls: &[Call<O::Op, O::Ret>],
    stuck: usize,
) -> First {
    let mut ends: Vec<u64> = calls.iter().filter_map(|call| call.returned).collect();
    ends.retain(|end| Some(*end) >= calls[stuck].returned);
    ends.sort_unstable();
    ends.dedup();
    let (mut low, mut high) = (0, ends.len() - 1);
    // The first is the most likely by far.
    let mut middle = low;
    while low < high {
        let kept = up_to::<O>(shrinking.object, calls, ends[middle], true);
        match shrinking.judge(&kept) {
            Found::Stuck { .. } => high = middle,
            Found::Order(_) => low = middle + 1,
            Found::Spent(_) => low = high,
        }
        middle = (low + high) / 2;
    }
    let end = ends[high];
    let kept = up_to::<O>(shrinking.object, calls, end, true);
    let states = match shrinking.judge(&kept) {
        Found::Stuck { call, states, .. }
            if kept.values().nth(call).is_some_and(|call| call.returned == Some(end)) =>
        {
            states.iter().take(STATES_SHOWN).map(|state| format!("{state:?}")).collect()
        }
        _ => Vec::new(),
    };
    let mut returning = (0..calls.len()).filter(|call| calls[*call].returned == Some(end));
    First { end, call: returning.next().unwrap_or(stuck), states }
}

/// The history up to a moment, with or without the returns at that moment. What had not returned
/// by then is open; and open calls that change nothing are dropped.
fn up_to<O: Object>(
    object: &O,
    calls: &[Call<O::Op, O::Ret>],
    end: u64,
    inclusive: bool,
) -> Kept<O> {
    let mut kept = Kept::<O>::new();
    for (index, call) in calls.iter().enumerate().take_while(|(_, call)| call.invoked <= end) {
        let mut call = call.clone();
        let by_then = |returned| returned < end || (inclusive && returned == end);
        if !call.returned.is_some_and(by_then) {
            (call.returned, call.ret) = (None, None);
            if object.reads(&call.op) {
                continue;
            }
        }
        kept.insert(index, call);
    }
    kept
}

impl Core {
    /// Translates a part's indices into the history's.
    pub(super) fn named(mut self, part: Option<String>, indices: &[usize]) -> Core {
        for list in [&mut self.calls, &mut self.helpless, &mut self.partial] {
            list.iter_mut().for_each(|index| *index = indices[*index]);
        }
        self.stuck = indices[self.stuck];
        self.part = part;
        self
    }
}

/// A sound reduction.
#[derive(Clone, Debug)]
enum Reduction {
    /// These calls are left out.
    Drop(Vec<usize>),
    /// This call is set free.
    Free(usize),
}

type Kept<O> = BTreeMap<usize, Call<<O as Object>::Op, <O as Object>::Ret>>;

struct Shrinking<'a, O: Object> {
    object: &'a O,
    /// What is left, by index: always a contradiction.
    kept: Kept<O>,
    left: u64,
    minimal: bool,
}

impl<O: Object> Shrinking<'_, O> {
    fn judge(&mut self, kept: &Kept<O>) -> Found<O::State> {
        // To prepare a search costs something for each call, so it is counted, too.
        let calls: Vec<_> = kept.values().cloned().collect();
        self.left = self.left.saturating_sub(calls.len() as u64);
        let (found, steps) = search(self.object, &calls, self.left);
        self.left -= steps;
        self.minimal &= !matches!(found, Found::Spent(_));
        found
    }

    /// An order of these calls, as far as one is found.
    fn order(&mut self, kept: &Kept<O>) -> Vec<usize> {
        let names: Vec<usize> = kept.keys().copied().collect();
        let order = match self.judge(kept) {
            Found::Order(order) | Found::Spent(order) => order,
            Found::Stuck { partial, .. } => partial,
        };
        order.into_iter().map(|call| names[call]).collect()
    }

    fn run(&mut self) {
        let silent = self.kept.iter().filter(|(_, call)| self.is_silent(call));
        let silent = silent.map(|(index, _)| Reduction::Drop(vec![*index])).collect();
        let mut values: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, call) in &self.kept {
            if let Some(value) = self.object.about(&call.op, call.ret.as_ref()) {
                values.entry(value).or_default().push(*index);
            }
        }
        // Values go first: that is what makes the history short. Neighbours in time go together.
        let mut values: Vec<Vec<usize>> = values.into_values().collect();
        values.sort();
        self.reduce(values.into_iter().map(Reduction::Drop).collect());
        self.reduce(silent);
        let bound = self.kept.iter().filter(|(_, call)| call.returned.is_some());
        self.reduce(bound.map(|(index, _)| Reduction::Free(*index)).collect());
    }

    fn is_silent(&self, call: &Call<O::Op, O::Ret>) -> bool {
        match &call.ret {
            Some(ret) => self.object.silent(&call.op, ret),
            None => self.object.reads(&call.op),
        }
    }

    /// Tries reductions in runs of falling length, as delta debugging does.
    fn reduce(&mut self, mut todo: Vec<Reduction>) {
        let mut length = todo.len();
        while length > 0 {
            let mut refused = Vec::new();
            for run in todo.chunks(length) {
                if !self.attempt(run) {
                    refused.extend_from_slice(run);
                }
            }
            todo = refused;
            length = if length == 1 { 0 } else { length.div_ceil(2).min(todo.len()) };
        }
    }

    fn attempt(&mut self, run: &[Reduction]) -> bool {
        if self.left == 0 {
            self.minimal = false;
            return false;
        }
        let mut kept = self.kept.clone();
        for reduction in run {
            match reduction {
                Reduction::Drop(calls) => calls.iter().for_each(|index| {
                    kept.remove(index);
                }),
                Reduction::Free(index) => {
                    if let Some(call) = kept.get_mut(index) {
                        (call.returned, call.ret) = (None, None);
                    }
                }
            }
        }
        let contradicts = matches!(self.judge(&kept), Found::Stuck { .. });
        if contradicts {
            self.kept = kept;
        }
        contradicts
    }
}
