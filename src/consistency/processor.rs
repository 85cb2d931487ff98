//! Processor consistency (Goodman, 1989; Ahamad, Bazzi, John, Kohli and Neiger, SPAA 1993): each
//! process sees all writes and its own reads in one order, which respects every session's order;
//! and all agree on the order of the writes to each key.
//!
//! There are two readings. The operational one (Gharachorloo et al., ISCA 1990) speaks of accesses
//! that are *performed* with respect to others, and forbids two rows that this one allows: `LB`,
//! where each of two reads returns a write that comes after the other, and `MP-chain`. This is the
//! other one, by views: it can be checked on a history alone, where the operational one needs the
//! moments at which accesses are performed, and it is the one that lies between `sequential` and
//! `pram` and `cache` in the lattice of Steinke and Nutt (JACM 2004). It is more than both of those
//! together, since one order for each process has to serve both.
//!
//! By saturation: what one session's reads force on the order of the writes to a key holds for all,
//! and forces more. That shows most violations; and most histories that satisfy it are explained if
//! the rest comes in the order of invocations. Each round is one pass of deadlines over vector
//! clocks (see `memory/deadlines.rs`), n k^2 log n steps for k sessions. To decide what is left
//! seems to be NP-complete; up to some thousands of accesses the solver tries both ways where two
//! writes of a key stay unordered.

use super::memory::{
    self, Because, Clocks, Edge, Memory, Respect, View, Views, deadlines, forced, program_order,
    returns, synchronised,
};
use super::model::{Fast, Judge, Model, Shortcut, Weak};
use super::{cache, sequential};

/// The model.
pub const MODEL: Model = Model {
    name: "processor",
    about: "each process sees all writes in an order of its own; for each key they agree",
    implies: &["pram", "cache", "release-pc"],
    needs: &[],
    judge: Judge::Memory(Weak {
        views,
        fast: Some(Shortcut { name: "rounds of deadlines", decide }),
        ignores: None,
    }),
};

/// A view for each process: of all writes and releases, and of its own accesses.
fn views(memory: &Memory) -> Views {
    let view = |session: usize| {
        let sees = |access: usize| memory.reaches(access, session);
        let mut edges = program_order(memory, sees);
        edges.extend(returns(memory, memory.reads_of(session)));
        edges.extend(synchronised(memory, sees));
        View {
            title: memory.title(session),
            members: (0..memory.accesses.len()).filter(|access| sees(*access)).collect(),
            edges,
            reads: memory.reads_of(session).collect(),
            mode: memory::Mode::Placed,
        }
    };
    Views { views: memory.lookers().map(view).collect(), agreed: memory.writes_by_key() }
}

/// Rounds of saturation; few are ever needed.
const ROUNDS: usize = 30;

/// Each round gives to all sessions what one of them forces on the order of writes to a key, until
/// nothing is new; in the first and the last, the rest is ordered as it was invoked.
pub(super) fn decide(memory: &Memory, budget: u64) -> Fast {
    if cache::decide(memory, budget) == Fast::Violated {
        return Fast::Violated;
    }
    let mut edges: Vec<Edge> = Vec::new();
    for round in 0..ROUNDS {
        let Some(clocks) = Clocks::new(memory, &edges) else { return Fast::Violated };
        let Some(mut new) = forced(memory, Respect::Edges(&clocks, &edges)) else {
            return Fast::Violated;
        };
        new.retain(|edge| !clocks.before(memory, edge.from, edge.to));
        let is_last = new.is_empty();
        edges.extend(new);
        if (is_last || round == 0)
            && let Some(orders) = as_invoked(memory, &edges)
        {
            return Fast::Holds(Some(orders));
        }
        if is_last {
            break;
        }
    }
    sequential::suffices(memory, budget)
}

/// An order for each session, if the writes to each key come in the order of their invocations but
/// for these edges. What waits for fences is not seen here.
fn as_invoked(memory: &Memory, edges: &[Edge]) -> Option<Vec<Vec<usize>>> {
    if memory.accesses.iter().any(|one| one.act == memory::Act::Fence) {
        return None;
    }
    let mut last: Vec<Option<usize>> = vec![None; memory.keys.len()];
    let mut chains = Vec::new();
    for access in Clocks::new(memory, edges)?.order {
        let one = &memory.accesses[access];
        if one.writes() {
            let before = last[one.key].replace(access);
            let because = Because::Supposed;
            chains.extend(before.map(|from| Edge { from, to: access, because }));
        }
    }
    let clocks = Clocks::new(memory, &chains)?;
    deadlines(memory, Respect::Edges(&clocks, &chains))
}
