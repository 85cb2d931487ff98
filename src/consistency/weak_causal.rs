//! Weak causal consistency (Bouajjani et al., POPL 2017, there CC; Perrin, Mostefaoui and Jard,
//! PPoPP 2016): no read returns a write that was overwritten in the read's causal past, and
//! causality has no circle.
//!
//! Each read may explain its past by an order of its own, so a session's reads may go back and
//! forth between concurrent writes: this implies neither `pram` nor `monotonic-reads`.
//!
//! By vector clocks: of each session, the last write of the key in the read's past tells.

use super::memory::{self, Clocks, Memory, View, Views, program_order, returns};
use super::model::{Fast, Judge, Model, Shortcut, Weak};

/// The model.
pub const MODEL: Model = Model {
    name: "weak-causal",
    about: "no read returns a write that was overwritten in the read's causal past",
    implies: &["read-your-writes", "monotonic-writes", "writes-follow-reads"],
    needs: &[],
    judge: Judge::Memory(Weak {
        views,
        fast: Some(Shortcut { name: "vector clocks", decide }),
        ignores: None,
    }),
};

/// A view for each read, of everything, which explains that read alone.
fn views(memory: &Memory) -> Views {
    let mut edges = program_order(memory, |_| true);
    edges.extend(returns(memory, memory.reads()));
    let view = |read: usize| View {
        title: memory.name(read),
        members: (0..memory.accesses.len()).collect(),
        edges: edges.clone(),
        reads: vec![read],
        mode: memory::Mode::Seen,
    };
    Views { views: memory.reads().map(view).collect(), agreed: Vec::new() }
}

fn decide(memory: &Memory, _budget: u64) -> Fast {
    let fresh = |clocks: Clocks| memory.reads().all(|read| !clocks.is_stale(memory, read));
    match Clocks::causal(memory).is_some_and(fresh) {
        true => Fast::Holds(None),
        false => Fast::Violated,
    }
}
