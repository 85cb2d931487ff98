//! Slow memory (Hutto and Ahamad, ICDCS 1990): `pram` for each key by itself. A session sees the
//! writes of another to one key in the order in which they were made, and its own at once.
//!
//! It is the weakest model here in which every session makes progress on every key.

use super::memory::{self, Memory, View, Views, program_order, returns};
use super::model::{Fast, Judge, Model, Shortcut, Weak};
use super::pram;

/// The model.
pub const MODEL: Model = Model {
    name: "slow",
    about: "for each key, each session explains its reads by an order that respects all sessions",
    implies: &["read-your-writes", "monotonic-reads"],
    needs: &[],
    judge: Judge::Memory(Weak {
        views,
        fast: Some(Shortcut { name: "deadlines", decide }),
        ignores: None,
    }),
};

/// A view for each session and key, of the writes to it and of the session's reads of it.
fn views(memory: &Memory) -> Views {
    let view = |session: usize, key: usize| {
        let sees = |access: usize| {
            let one = &memory.accesses[access];
            memory.touches(access, key) && (one.writes() || one.session == session)
        };
        let of_key = |read: &usize| memory.accesses[*read].key == key;
        let reads: Vec<usize> = memory.reads_of(session).filter(of_key).collect();
        let mut edges = program_order(memory, sees);
        edges.extend(returns(memory, reads.iter().copied()));
        View {
            title: memory.title(session),
            members: (0..memory.accesses.len()).filter(|access| sees(*access)).collect(),
            edges,
            reads,
            mode: memory::Mode::Placed,
        }
    };
    let sessions = || memory.lookers();
    let views = (0..memory.keys.len()).flat_map(|key| sessions().map(move |s| view(s, key)));
    Views { views: views.collect(), agreed: Vec::new() }
}

fn decide(memory: &Memory, budget: u64) -> Fast {
    let mut shown = Vec::new();
    for key in 0..memory.keys.len() {
        let (alone, names) = memory.keep(|access| memory.touches(access, key));
        let Fast::Holds(Some(orders)) = pram::decide(&alone, budget) else { return Fast::Violated };
        let named = |order: Vec<usize>| order.into_iter().map(|access| names[access]).collect();
        shown.extend(orders.into_iter().map(named));
    }
    Fast::Holds(Some(shown))
}
