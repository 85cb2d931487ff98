//! Causal memory (Ahamad, Neiger, Burns, Kohli and Hutto, Distributed Computing 1995): for each
//! session there is an order of all writes and its own reads that explains these, and respects
//! causality: what a session did, and what it read and did after that.
//!
//! Sessions need not agree on concurrent writes, ever: that is `causal-convergence`, which is
//! neither stronger nor weaker (Bouajjani, Enea, Guerraoui and Hamza, POPL 2017). It is this one,
//! not those that are also called causal, that implies `pram`.
//!
//! Where no value is written twice, one pass of deadlines over vector clocks decides it.

use super::memory::{
    self, Clocks, Memory, Respect, View, Views, deadlines, program_order, returns,
};
use super::model::{Fast, Judge, Model, Shortcut, Weak};

/// The model.
pub const MODEL: Model = Model {
    name: "causal",
    about: "each session explains its reads by an order of all writes that respects causality",
    implies: &["weak-causal", "pram"],
    needs: &[],
    judge: Judge::Memory(Weak {
        views,
        fast: Some(Shortcut { name: "deadlines over vector clocks", decide }),
        ignores: None,
    }),
};

/// A view for each session, of everything; it explains only the session's reads.
fn views(memory: &Memory) -> Views {
    let mut edges = program_order(memory, |_| true);
    edges.extend(returns(memory, memory.reads()));
    let view = |session: usize| View {
        title: memory.title(session),
        members: (0..memory.accesses.len()).collect(),
        edges: edges.clone(),
        reads: memory.reads_of(session).collect(),
        mode: memory::Mode::Placed,
    };
    Views { views: memory.lookers().map(view).collect(), agreed: Vec::new() }
}

pub(super) fn decide(memory: &Memory, _budget: u64) -> Fast {
    let orders =
        Clocks::causal(memory).and_then(|clocks| deadlines(memory, Respect::Causality(&clocks)));
    orders.map_or(Fast::Violated, |orders| Fast::Holds(Some(orders)))
}
