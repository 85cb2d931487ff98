//! Sound reductions, one after the other, while what is left still has no order: see
//! `contradiction.rs` for which they are, and why. They serve linearizability and sequential
//! consistency alike; for the latter a call that is set free leaves its session's order, too.

use std::collections::{BTreeMap, BTreeSet};

use super::search::{Fate, Limits};
use crate::history::Call;
use crate::object::Object;

/// What a core may cost in any case; beside this, it may cost a few times what the verdict did.
const EFFORT: u64 = 2_000_000;

/// What one try may cost at the least, if that much is left.
const TRY: u64 = 100_000;

/// A search for orders of some kind.
pub trait Refute {
    /// Whether calls with these fates have no order, if that is found out; and the steps it took.
    fn refutes(&mut self, fates: &[Fate], limits: Limits) -> (Option<bool>, u64);
}

/// A sound reduction.
#[derive(Clone, Debug)]
enum Reduction {
    /// These calls are left out.
    Drop(Vec<usize>),
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
        // Values go first: that is what makes the history short. Neighbours in time go together.
        let mut values: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for index in self.left() {
            let call = &self.calls[index];
            let ret = call.ret.as_ref().filter(|_| self.is_bound(index));
            if let Some(value) = self.object.about(&call.op, ret) {
                values.entry(value).or_default().push(index);
            }
        }
        let mut values: Vec<Vec<usize>> = values.into_values().collect();
        values.sort();
        self.reduce(values.into_iter().map(Reduction::Drop).collect());
        let silent = self.left().into_iter().filter(|call| self.is_silent(*call));
        self.reduce(silent.map(|call| Reduction::Drop(vec![call])).collect());
        self.reduce(self.core().0.into_iter().map(Reduction::Free).collect());
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
            let others = others.map(|(call, _)| *call).collect();
            if self.attempt(&[Reduction::Drop(others)]) {
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
            match reduction {
                Reduction::Drop(calls) => calls.iter().for_each(|call| fates[*call] = Fate::Out),
                Reduction::Free(call) if fates[*call] != Fate::Out => fates[*call] = Fate::Free,
                Reduction::Free(_) => (),
            }
        }
        let contradicts = self.refutes(&fates) == Some(true);
        if contradicts {
            self.fates = fates;
        }
        contradicts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Register, register::Op};

    /// Says that two calls contradict each other, and of fewer than so many that it can't tell.
    struct Tires(usize);

    impl Refute for Tires {
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
