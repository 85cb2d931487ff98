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

/// How many of the states in which a search is stuck are shown.
const STATES_SHOWN: usize = 8;

/// What a core may cost, in steps, beside the verdict itself.
const EFFORT: u64 = 2_000_000;

/// Where a search got stuck.
pub struct Stuck<S> {
    /// The call that can't return.
    pub call: usize,
    /// An order that explains everything before.
    pub partial: Vec<usize>,
    /// The states in which it ends.
    pub states: Vec<S>,
}

/// Finds a core in calls that have no order, and tells about the rest.
pub fn explain<O: Object>(
    object: &O,
    calls: &[Call<O::Op, O::Ret>],
    stuck: Stuck<O::State>,
    budget: u64,
) -> Core {
    let mut shrinking = Shrinking::new(object, calls, stuck.call, budget.min(EFFORT));
    let prefix = shrinking.kept.len();
    shrinking.run();
    let (free, bound): (Vec<_>, Vec<_>) =
        shrinking.kept.iter().partition(|(_, call)| call.returned.is_none());
    let shown = stuck.states.iter().take(STATES_SHOWN);
    Core {
        calls: bound.into_iter().map(|(index, _)| *index).collect(),
        helpless: free.into_iter().map(|(index, _)| *index).collect(),
        minimal: shrinking.minimal,
        stuck: stuck.call,
        prefix,
        partial: stuck.partial,
        states: shown.map(|state| format!("{state:?}")).collect(),
        part: None,
    }
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

impl<'a, O: Object> Shrinking<'a, O> {
    /// Cuts the history at the return of the call that is stuck.
    fn new(object: &'a O, calls: &[Call<O::Op, O::Ret>], stuck: usize, effort: u64) -> Self {
        let end = calls[stuck].returned.unwrap_or(u64::MAX);
        let mut kept = Kept::<O>::new();
        for (index, call) in calls.iter().enumerate().take_while(|(_, call)| call.invoked <= end) {
            let mut call = call.clone();
            if call.returned.is_none_or(|returned| returned > end) {
                (call.returned, call.ret) = (None, None);
                if object.reads(&call.op) {
                    continue;
                }
            }
            kept.insert(index, call);
        }
        Shrinking { object, kept, left: effort, minimal: true }
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
        // Values go first: that is what makes the history short.
        self.reduce(values.into_values().map(Reduction::Drop).collect());
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
        let calls: Vec<_> = kept.values().cloned().collect();
        let (found, steps) = search(self.object, &calls, self.left);
        self.left -= steps;
        match found {
            Found::Stuck { .. } => self.kept = kept,
            Found::Order(_) => return false,
            Found::Spent(_) => {
                self.minimal = false;
                return false;
            }
        }
        true
    }
}
