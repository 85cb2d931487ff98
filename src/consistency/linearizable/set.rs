//! One value of a set, which is added once and removed once at most: linearizability in O(n).
//!
//! The value is there from one moment of the call that added it to one moment of the call that
//! removed it. Whoever found it there took effect between the two; whoever did not, before the
//! first or after the second. So nothing is lost if it is there as briefly as it can be: from the
//! first return of those that found it, to their last invocation. Whoever missed it in a call that
//! lies strictly between those moments contradicts them, and nobody else can.

use super::deeds::{Deeds, NEVER, Schedule, Sketch};
use crate::object::Deed;

/// Who does what to the value.
#[derive(Default)]
struct Roles {
    added: Vec<usize>,
    removed: Vec<usize>,
    found: Vec<usize>,
    missed: Vec<usize>,
    /// Calls of unknown outcome that might have changed something.
    maybe_added: Option<usize>,
    maybe_removed: Option<usize>,
}

/// Decides, if the part is one value, and it is added and removed once at most.
pub fn decide(deeds: &Deeds) -> Option<Sketch> {
    let mut roles = Roles::default();
    let mut one = None;
    for (call, timed) in deeds.timed.iter().enumerate() {
        let (value, role) = match timed.deed {
            Deed::Add(value, None) if timed.open() => {
                roles.maybe_added = roles.maybe_added.or(Some(call));
                (value, None)
            }
            Deed::Remove(value, None) if timed.open() => {
                roles.maybe_removed = roles.maybe_removed.or(Some(call));
                (value, None)
            }
            Deed::Has(value, None) if timed.open() => (value, None),
            Deed::Add(value, Some(true)) => (value, Some(&mut roles.added)),
            Deed::Remove(value, Some(true)) => (value, Some(&mut roles.removed)),
            Deed::Add(value, Some(false)) | Deed::Has(value, Some(true)) => {
                (value, Some(&mut roles.found))
            }
            Deed::Remove(value, Some(false)) | Deed::Has(value, Some(false)) => {
                (value, Some(&mut roles.missed))
            }
            _ => return None,
        };
        if *one.get_or_insert(value) != value {
            return None;
        }
        role.into_iter().for_each(|role| role.push(call));
    }
    roles.judge(deeds)
}

impl Roles {
    fn judge(self, deeds: &Deeds) -> Option<Sketch> {
        let timed = &deeds.timed;
        let seen = self.found.iter().chain(&self.removed).copied();
        let (mut added, mut removed) = (self.added, self.removed.clone());
        // Of calls of unknown outcome the earliest can do whatever a later one can. With a second
        // one things might go round, which is not this procedure's business.
        let unknown = timed.iter().filter(|timed| timed.open()).count();
        if added.len() > 1 || removed.len() > 1 || (unknown > 0 && added.len() + unknown > 1) {
            return None;
        }
        if added.is_empty() && seen.clone().next().is_some() {
            let Some(call) = self.maybe_added else {
                return Some(Sketch::Contradiction(vec![seen.min()?]));
            };
            added.push(call);
        }
        if removed.is_empty() {
            removed.extend(self.maybe_removed);
        }
        let mut schedule = Schedule::default();
        let Some(&adder) = added.first() else {
            self.missed.iter().for_each(|call| schedule.place(timed[*call].from, 0, *call));
            return Some(schedule.order());
        };
        let remover = removed.first().copied();
        let there = || self.found.iter().copied().chain(remover);
        let ends = there().chain([adder]).map(|call| (timed[call].to, call));
        let (first, ender) = ends.min()?;
        let starts = self.found.iter().copied().chain([adder]).map(|call| (timed[call].from, call));
        let (mut last, mut starter) = starts.max()?;
        match remover {
            Some(call) => (last, starter) = (last, starter).max((timed[call].from, call)),
            None => (last, starter) = (NEVER, starter),
        }
        let between = |call: &&usize| first < timed[**call].from && timed[**call].to < last;
        let late = |call: &usize| timed[*call].to < timed[adder].from;
        let early =
            |call: &usize| remover.is_some_and(|remover| timed[remover].to < timed[*call].from);
        if let Some(&call) = self.missed.iter().find(between) {
            return Some(Sketch::Contradiction(vec![adder, ender, call, starter]));
        }
        if let Some(call) = there().find(late) {
            return Some(Sketch::Contradiction(vec![call, adder]));
        }
        if let Some((&call, remover)) = self.found.iter().find(|call| early(call)).zip(remover) {
            return Some(Sketch::Contradiction(vec![adder, remover, call]));
        }
        // If it need not be there for any time, let it be so at one moment that suits all.
        let (begin, end) = if first < last { (first, last) } else { (last, last) };
        schedule.place(begin, 1, adder);
        for &call in &self.found {
            schedule.place(timed[call].from.max(begin), 2, call);
        }
        if let Some(call) = remover.filter(|_| end < NEVER) {
            schedule.place(end, 3, call);
        }
        for &call in &self.missed {
            let Some(before) = (timed[call].from <= begin).then_some(timed[call].from) else {
                schedule.place(timed[call].from.max(end), 4, call);
                continue;
            };
            schedule.place(before, 0, call);
        }
        Some(schedule.order())
    }
}
