//! Entry consistency (Bershad and Zekauskas, 1991; with Sawdon, COMPCON 1993): as `lazy-release`,
//! but an acquire brings only the keys that its lock guards.
//!
//! Which lock guards which key has to be told. For a key, *happens before* is program order, and
//! from each release of its lock to the acquires that waited for it; a key that no lock guards has
//! program order alone. So the wrong lock brings nothing (the row `WrongLock`).
//!
//! By vector clocks, one set for each lock.

use std::collections::BTreeMap;

use super::memory::{Clocks, Memory, Synchronised, Views, hidden_from, synchronisation};
use super::model::{Fast, Judge, Model, Need, Shortcut, Weak};

/// The model.
pub const MODEL: Model = Model {
    name: "entry",
    about: "as lazy-release, but an acquire brings only the keys that its lock guards",
    implies: &["read-your-writes"],
    needs: &[Need::Labels, Need::Guards],
    judge: Judge::Memory(Weak {
        views,
        fast: Some(Shortcut { name: "vector clocks, one set for each lock", decide }),
        ignores: None,
    }),
};

/// A view for each read that does not synchronise, with the handovers of its key's lock.
fn views(memory: &Memory) -> Views {
    hidden_from(memory, |read| {
        let guard = memory.guards.get(&memory.accesses[read].key);
        Some(guard.map_or(Vec::new(), |guard| memory.handovers(|object| object == guard)))
    })
}

fn decide(memory: &Memory, budget: u64) -> Fast {
    let special = memory.special();
    let mut by_guard: BTreeMap<Option<&String>, Vec<usize>> = BTreeMap::new();
    for read in memory.reads().filter(|read| !special[*read]) {
        by_guard.entry(memory.guards.get(&memory.accesses[read].key)).or_default().push(read);
    }
    for (guard, reads) in by_guard {
        let edges = guard.map_or(Vec::new(), |guard| memory.handovers(|object| object == guard));
        let fresh = |clocks: Clocks| reads.iter().all(|read| !clocks.is_stale(memory, *read));
        if !Clocks::new(memory, &edges).is_some_and(fresh) {
            return Fast::Violated;
        }
    }
    match synchronisation(memory, budget) {
        Synchronised::Holds => Fast::Holds(None),
        Synchronised::Violated => Fast::Violated,
        Synchronised::Spent => Fast::Spent(format!(
            "every ordinary read is fine; what synchronises has no order that {budget} steps found"
        )),
    }
}
