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
//! By saturation, and trying both ways where two writes of a key stay unordered. Long histories are
//! compared with what implies it and what it implies.

use super::memory::{self, Memory, View, Views, program_order, returns, synchronised};
use super::model::{Fast, Judge, Model, Shortcut, Weak};
use super::{cache, pram, sequential};

/// The model.
pub const MODEL: Model = Model {
    name: "processor",
    about: "each process sees all writes in an order of its own; for each key they agree",
    implies: &["pram", "cache", "release-pc"],
    needs: &[],
    judge: Judge::Memory(Weak {
        views,
        fast: Some(Shortcut { name: "between sequential and pram and cache", decide }),
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

fn decide(memory: &Memory, budget: u64) -> Fast {
    for necessary in [cache::decide, pram::decide] {
        if necessary(memory, budget) == Fast::Violated {
            return Fast::Violated;
        }
    }
    sequential::suffices(memory, budget)
}
