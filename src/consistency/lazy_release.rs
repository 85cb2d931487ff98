//! Lazy release consistency (Keleher, Cox and Zwaenepoel, ISCA 1992): an acquire brings what comes
//! before the release that it waited for, and what that one's session had acquired; nothing else
//! brings anything. What synchronises is sequentially consistent.
//!
//! *Happens before* is program order, and from each release to the acquires that waited for it. A
//! read may return any write but one that is overwritten before the read, or that comes after it,
//! in that order. So racing accesses are not even coherent (the row `CoRR-racy`), and an order that
//! is known only through different locks brings nothing (the row `NoCommonLock`).
//!
//! By vector clocks, as race detectors do.

use super::memory::{Clocks, Memory, Synchronised, Views, hidden_from, synchronisation};
use super::model::{Fast, Judge, Model, Need, Shortcut, Weak};

/// The model.
pub const MODEL: Model = Model {
    name: "lazy-release",
    about: "a read returns nothing that was overwritten before it, by sessions and acquires",
    implies: &["entry"],
    needs: &[Need::Labels],
    judge: Judge::Memory(Weak {
        views,
        fast: Some(Shortcut { name: "vector clocks", decide }),
        ignores: None,
    }),
};

/// A view for each read that does not synchronise, and one of what does.
fn views(memory: &Memory) -> Views {
    hidden_from(memory, |_| Some(memory.handovers(|_| true)))
}

/// Whether nothing that is necessary is violated.
pub(super) fn necessary(memory: &Memory, budget: u64) -> bool {
    decide(memory, budget) != Fast::Violated
}

fn decide(memory: &Memory, budget: u64) -> Fast {
    let Some(clocks) = Clocks::new(memory, &memory.handovers(|_| true)) else {
        return Fast::Violated;
    };
    let special = memory.special();
    let mut ordinary = memory.reads().filter(|read| !special[*read]);
    if ordinary.any(|read| clocks.is_stale(memory, read)) {
        return Fast::Violated;
    }
    match synchronisation(memory, budget) {
        Synchronised::Holds => Fast::Holds(None),
        Synchronised::Violated => Fast::Violated,
        Synchronised::Spent => Fast::Spent(format!(
            "every ordinary read is fine; what synchronises has no order that {budget} steps found"
        )),
    }
}
