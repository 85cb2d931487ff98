//! From "there is no order" to the few calls that show it.
//!
//! A reduction of a history is *sound* if it turns every linearizable history into a linearizable
//! one; then what contradicts itself after it contradicted itself before. Dropping just any call
//! is not sound: without a write, a read of its value looks wrong. These are sound:
//! * to cut the history at a moment, leaving open what had not returned by then;
//! * to leave out every part of the object but one;
//! * to drop a call that changed nothing, since the other calls' order stays legal without it;
//! * to drop every call about one value, or of one visit from coming to leaving, where the object
//!   promises that this is so, with the refusals that it may be the reason of, while calls of
//!   unknown answers are set free;
//! * to set a call free: to forget its answer and its return, so that it may take effect at any
//!   time after its invocation, or never; an order of the stricter history is one of the freer.
//!
//! Each is tried on many calls at once, then on fewer, down to single ones, and kept if the search
//! still finds no order. What is sound is also monotone: a reduction that failed once fails again
//! after others, so one pass over single reductions is enough to call the core minimal.

use super::Core;
use super::search::{Board, Fate, Found, Limits};
use super::shrinking::{Refute, Shrinking};
use crate::history::Call;
use crate::object::Object;

/// How many of the states before a return that can't be are shown.
const STATES_SHOWN: usize = 8;

/// Finds a core in calls that have no order, and tells about the rest. The search that found that
/// out on this board could not pass the return of `stuck`, and took so many steps.
pub fn explain<'a, O: Object>(
    board: &mut Board<'a, O>,
    object: &'a O,
    calls: &[Call<O::Op, O::Ret>],
    stuck: usize,
    steps: u64,
) -> Core {
    let mut shrinking = Shrinking::new(object, calls, RealTime { board, last: None }, steps);
    let first = first_contradiction(&mut shrinking, stuck);
    let prefix = &calls[..calls.partition_point(|call| call.invoked <= first.end)];
    // Far from the end, the rest of the history is but a burden.
    let mut shorter = (2 * prefix.len() < calls.len()).then(|| Board::new(object, prefix));
    if let Some(board) = &mut shorter {
        let searches = RealTime { board, last: None };
        shrinking = Shrinking { searches, calls: prefix, ..shrinking };
    }
    shrinking.fates = up_to(object, shrinking.calls, first.end, true);
    let kept = shrinking.left().len();
    shrinking.refutes(&up_to(object, shrinking.calls, first.end, false));
    let partial = match shrinking.searches.last.take() {
        Some(Found::Order(order)) => order,
        Some(Found::Spent(spent)) => spent.order,
        Some(Found::Stuck(stuck)) => stuck.partial,
        None => Vec::new(),
    };
    shrinking.run();
    let (calls, helpless) = shrinking.core();
    let (minimal, part) = (shrinking.minimal, None);
    let First { call: stuck, states, .. } = first;
    Core { calls, helpless, minimal, stuck, prefix: kept, partial, states, part }
}

/// Orders that respect real time.
struct RealTime<'a, 'b, O: Object> {
    board: &'b mut Board<'a, O>,
    last: Option<Found>,
}

impl<O: Object> Refute for RealTime<'_, '_, O> {
    const REAL_TIME: bool = true;

    fn refutes(&mut self, fates: &[Fate], limits: Limits) -> (Option<bool>, u64) {
        let (found, steps) = self.board.search(fates, limits);
        let refuted = match &found {
            Found::Order(_) => Some(false),
            Found::Stuck(_) => Some(true),
            Found::Spent(_) => None,
        };
        self.last = Some(found);
        (refuted, steps)
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
    shrinking: &mut Shrinking<'_, O, RealTime<'_, '_, O>>,
    stuck: usize,
) -> First {
    let (object, calls) = (shrinking.object, shrinking.calls);
    let mut ends: Vec<u64> = calls.iter().filter_map(|call| call.returned).collect();
    ends.retain(|end| Some(*end) >= calls[stuck].returned);
    ends.sort_unstable();
    ends.dedup();
    let (mut low, mut high) = (0, ends.len() - 1);
    // The first is the most likely by far.
    let mut middle = low;
    while low < high {
        match shrinking.refutes(&up_to(object, calls, ends[middle], true)) {
            Some(true) => high = middle,
            Some(false) => low = middle + 1,
            None => low = high,
        }
        middle = low.midpoint(high);
    }
    let end = ends[high];
    shrinking.refutes(&up_to(object, calls, end, true));
    let states = match shrinking.searches.last.take() {
        Some(Found::Stuck(stuck)) if calls[stuck.call].returned == Some(end) => {
            let states = shrinking.searches.board.states(&stuck.states).into_iter();
            states.take(STATES_SHOWN).map(|state| format!("{state:?}")).collect()
        }
        _ => Vec::new(),
    };
    let mut returning = (0..calls.len()).filter(|call| calls[*call].returned == Some(end));
    First { end, call: returning.next().unwrap_or(stuck), states }
}

/// The history up to a moment, with or without the returns at that moment. What had not returned by
/// then is free; and what changes nothing then is left out.
fn up_to<O: Object>(
    object: &O,
    calls: &[Call<O::Op, O::Ret>],
    end: u64,
    inclusive: bool,
) -> Vec<Fate> {
    let by_then = |returned| returned < end || (inclusive && returned == end);
    let fates = calls.iter().map(|call| match call.returned {
        _ if call.invoked > end => Fate::Out,
        Some(returned) if by_then(returned) => Fate::Bound,
        _ if object.reads(&call.op) => Fate::Out,
        _ => Fate::Free,
    });
    fates.collect()
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
