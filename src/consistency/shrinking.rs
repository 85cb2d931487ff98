//! Sound reductions, one after the other, while what is left still has no order: see
//! `contradiction.rs` for which they are, and why. They serve linearizability and sequential
//! consistency alike; for the latter a call that is set free leaves its session's order, too.

use std::collections::{BTreeMap, BTreeSet};
use std::slice;

use super::search::{Fate, Limits};
use crate::history::Call;
use crate::object::{Object, Visit};

/// What a core may cost in any case; beside this, it may cost a few times what the verdict did.
const EFFORT: u64 = 2_000_000;

/// What one try may cost at the least, if that much is left.
const TRY: u64 = 100_000;

/// A search for orders of some kind.
pub trait Refute {
    /// True if what returned before another call was made comes before it.
    const REAL_TIME: bool;

    /// Whether calls with these fates have no order, if that is found out; and the steps it took.
    fn refutes(&mut self, fates: &[Fate], limits: Limits) -> (Option<bool>, u64);
}

/// Calls that are left out, with those that may owe them their answer; and calls of unknown answers
/// that are set free, since without the others they may have none.
#[derive(Clone, Debug)]
pub struct Erasure {
    /// These are left out.
    pub gone: Vec<usize>,
    /// These are set free.
    pub freed: Vec<usize>,
}

/// A sound reduction.
#[derive(Clone, Debug)]
enum Reduction {
    /// These calls are left out.
    Erase(Erasure),
    /// This call is left out.
    Drop(usize),
    /// This call is set free.
    Free(usize),
}

/// A contradiction that gets smaller.
pub struct Shrinking<'b, O: Object, S> {
    /// What the calls are calls of.
    pub object: &'b O,
    /// All calls.
    pub calls: &'b [Call<O::Op, O::Ret>],
    /// How orders are searched.
    pub searches: S,
    /// What is left: always a contradiction.
    pub fates: Vec<Fate>,
    /// True if every reduction was decided.
    pub minimal: bool,
    /// How many steps may still be made.
    pub steps: u64,
}

impl<'b, O: Object, S: Refute> Shrinking<'b, O, S> {
    /// Begins with all calls, which have no order; to find that out took so many steps.
    pub fn new(object: &'b O, calls: &'b [Call<O::Op, O::Ret>], searches: S, steps: u64) -> Self {
        let (fates, steps) = (vec![Fate::Bound; calls.len()], EFFORT + 4 * steps);
        Shrinking { object, calls, searches, fates, minimal: true, steps }
    }

    /// The calls that are left.
    pub fn left(&self) -> Vec<usize> {
        let left = self.fates.iter().enumerate().filter(|(_, fate)| **fate != Fate::Out);
        left.map(|(call, _)| call).collect()
    }

    /// The calls that are left: those that are bound to an answer or a return, and the others.
    pub fn core(&self) -> (Vec<usize>, Vec<usize>) {
        self.left().into_iter().partition(|call| self.is_bound(*call))
    }

    fn is_bound(&self, call: usize) -> bool {
        self.fates[call] == Fate::Bound && self.calls[call].returned.is_some()
    }

    /// Whether calls with these fates have no order, if that is found out.
    pub fn refutes(&mut self, fates: &[Fate]) -> Option<bool> {
        // To prepare a search costs something for each call, so it is counted, too.
        let kept = fates.iter().filter(|fate| **fate != Fate::Out).count();
        self.steps = self.steps.saturating_sub(kept as u64);
        // No single try may take it all.
        let limits = Limits::steps(self.steps.min((self.steps / 4).max(TRY)));
        let (refuted, steps) = self.searches.refutes(fates, limits);
        self.steps -= steps;
        self.minimal &= refuted.is_some();
        refuted
    }

    /// Makes all reductions that leave a contradiction.
    pub fn run(&mut self) {
        self.leave_one_part();
        // These go first: that is what makes the history short.
        self.reduce(self.erasures().into_iter().map(Reduction::Erase).collect());
        let silent = self.left().into_iter().filter(|call| self.is_silent(*call));
        self.reduce(silent.map(Reduction::Drop).collect());
        self.reduce(self.core().0.into_iter().map(Reduction::Free).collect());
    }

    /// The calls about each value, and those of each visit, which can be left out. Neighbours in
    /// time are neighbours here.
    pub fn erasures(&self) -> Vec<Erasure> {
        let mut values: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for index in self.left() {
            let call = &self.calls[index];
            let ret = call.ret.as_ref().filter(|_| self.is_bound(index));
            if let Some(value) = self.object.about(&call.op, ret) {
                values.entry(value).or_default().push(index);
            }
        }
        let values = values.into_values().map(|calls| match self.leave_nothing(&calls) {
            true => (self.until(&calls), calls),
            false => (u64::MAX, calls),
        });
        let mut erased: Vec<(u64, Vec<usize>)> = values.chain(self.visits()).collect();
        erased.sort_by(|one, other| one.1.cmp(&other.1));
        let (mut owing, mut unknown) = (self.left(), self.left());
        owing.retain(|call| self.calls[*call].ret.is_some() && self.owes(*call));
        unknown.retain(|call| self.calls[*call].ret.is_none() && self.owes(*call));
        let erasure = |(until, mut gone): (u64, Vec<usize>)| {
            let from = if S::REAL_TIME { self.calls[gone[0]].invoked } else { 0 };
            let meets = |call: &&usize| {
                let call = &self.calls[**call];
                call.invoked <= until && call.returned >= Some(from)
            };
            let freed = unknown.iter().filter(meets).copied().collect();
            gone.extend(owing.iter().filter(meets));
            Erasure { gone, freed }
        };
        erased.into_iter().map(erasure).collect()
    }

    fn owes(&self, call: usize) -> bool {
        let Call { op, ret, .. } = &self.calls[call];
        self.is_bound(call) && self.object.owes(op, ret.as_ref())
    }

    /// Do these calls, by themselves, leave the object as it was?
    fn leave_nothing(&self, calls: &[usize]) -> bool {
        let (mut state, mut rest) = (self.object.init(), calls.to_vec());
        loop {
            let before = rest.len();
            rest.retain(|call| {
                let (mut after, Call { op, ret, .. }) = (state.clone(), &self.calls[*call]);
                let is_legal = *ret == Some(self.object.apply(&mut after, op));
                if is_legal {
                    state = after;
                }
                !is_legal
            });
            if rest.is_empty() || rest.len() == before {
                return rest.is_empty() && state == self.object.init();
            }
        }
    }

    /// When the last of these calls may have taken effect at the latest.
    fn until(&self, calls: &[usize]) -> u64 {
        let returns = |call: &usize| match S::REAL_TIME && self.is_bound(*call) {
            true => self.calls[*call].returned,
            false => None,
        };
        calls.iter().map(|call| returns(call).unwrap_or(u64::MAX)).max().unwrap_or(0)
    }

    /// The calls of each visit that may be erased, and until when it may have lasted. A visitor's
    /// calls are taken apart where their order is known, that is, by process and session.
    fn visits(&self) -> Vec<(u64, Vec<usize>)> {
        let mut visitors: BTreeMap<_, Vec<(usize, bool)>> = BTreeMap::new();
        for index in self.left() {
            let Call { op, process, session, .. } = &self.calls[index];
            let visit = self.object.visit(op).filter(|_| !self.is_silent(index));
            if let Some(Visit { who, comes }) = visit {
                visitors.entry((who, *process, *session)).or_default().push((index, comes));
            }
        }
        let (mut visits, mut strange) = (Vec::new(), BTreeMap::<Option<u32>, u64>::new());
        for ((who, ..), calls) in visitors {
            let (mut inside, mut visit) = (0_usize, Vec::new());
            for (n, &(index, comes)) in calls.iter().enumerate() {
                let call = &self.calls[index];
                let is_known = call.ret.is_some() && self.is_bound(index) || n + 1 == calls.len();
                if !is_known || inside == 0 && !comes {
                    // From here on, nobody knows who is inside.
                    let since = strange.entry(who).or_insert(call.invoked);
                    *since = call.invoked.min(*since);
                    visit.clear();
                    break;
                }
                visit.push(index);
                inside = if comes { inside + 1 } else { inside - 1 };
                if inside == 0 {
                    visits.push((who, self.until(&visit), std::mem::take(&mut visit)));
                }
            }
            visits.push((who, u64::MAX, visit));
        }
        visits.retain(|(who, until, calls)| {
            !calls.is_empty() && strange.get(who).is_none_or(|since| until < since)
        });
        visits.into_iter().map(|(_, until, calls)| (until, calls)).collect()
    }

    /// If no call touches more than one part, there may be one that is contradictory by itself.
    fn leave_one_part(&mut self) {
        let left = self.left();
        let parts = left.iter().map(|call| self.object.part(&self.calls[*call].op));
        let parts: Vec<Option<String>> = parts.collect();
        let names: BTreeSet<&Option<String>> = parts.iter().collect();
        if names.len() < 2 || names.contains(&None) {
            return;
        }
        for name in names {
            let others = left.iter().zip(&parts).filter(|(_, part)| *part != name);
            let others: Vec<_> = others.map(|(call, _)| Reduction::Drop(*call)).collect();
            if self.attempt(&others) {
                return;
            }
        }
    }

    fn is_silent(&self, call: usize) -> bool {
        let Call { op, ret, .. } = &self.calls[call];
        match ret {
            Some(ret) if self.is_bound(call) => self.object.silent(op, ret),
            _ => self.object.reads(op),
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
        if self.steps == 0 {
            self.minimal = false;
            return false;
        }
        let mut fates = self.fates.clone();
        for reduction in run {
            let (gone, freed) = match reduction {
                Reduction::Erase(Erasure { gone, freed }) => (&gone[..], &freed[..]),
                Reduction::Drop(call) => (slice::from_ref(call), &[][..]),
                Reduction::Free(call) => (&[][..], slice::from_ref(call)),
            };
            gone.iter().for_each(|call| fates[*call] = Fate::Out);
            for call in freed {
                fates[*call] = if fates[*call] == Fate::Out { Fate::Out } else { Fate::Free };
            }
        }
        let contradicts = self.refutes(&fates) == Some(true);
        if contradicts {
            self.fates = fates;
        }
        contradicts
    }
}

/// What may be erased from calls, for tests that hold it to the definitions.
#[cfg(test)]
pub fn erasures<O: Object, const REAL_TIME: bool>(
    object: &O,
    calls: &[Call<O::Op, O::Ret>],
) -> Vec<Erasure> {
    struct Nothing<const REAL_TIME: bool>;
    impl<const REAL_TIME: bool> Refute for Nothing<REAL_TIME> {
        const REAL_TIME: bool = REAL_TIME;

        fn refutes(&mut self, _: &[Fate], _: Limits) -> (Option<bool>, u64) {
            (None, 0)
        }
    }
    Shrinking::new(object, calls, Nothing::<REAL_TIME>, 0).erasures()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Register, register::Op};

    /// Says that two calls contradict each other, and of fewer than so many that it can't tell.
    struct Tires(usize);

    impl Refute for Tires {
        const REAL_TIME: bool = true;

        fn refutes(&mut self, fates: &[Fate], _: Limits) -> (Option<bool>, u64) {
            let left = fates.iter().filter(|fate| **fate != Fate::Out).count();
            let both = fates[..2].iter().all(|fate| *fate == Fate::Bound);
            ((left >= self.0).then_some(both), 1)
        }
    }

    /// A core is called minimal only if every reduction of it was decided.
    #[test]
    fn what_was_not_decided_is_not_minimal() {
        let read = |at: u64| Call::done(at as u32, Op::<u8>::Read, None, at, at + 1);
        let calls: Vec<_> = (0..8).map(read).collect();
        for (tires, minimal, left) in [(0, true, 2), (5, false, 5)] {
            let object = Register { initial: 0 };
            let mut shrinking = Shrinking::new(&object, &calls, Tires(tires), 10);
            shrinking.run();
            assert_eq!((shrinking.minimal, shrinking.left().len()), (minimal, left));
            assert_eq!(shrinking.core().0, [0, 1]);
        }
    }
}
