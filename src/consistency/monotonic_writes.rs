//! Monotonic writes (Terry et al., PDIS 1994): what sees a write sees those that its session made
//! before it, and in that order.
//!
//! There are two readings of the session guarantees. By *views*, each session has an order of all
//! writes and each read sees a prefix of it. By *arbitration*, each read sees a set of writes and
//! returns the one that is last in the session's order. Terry's servers hold sets of writes, which
//! grow in any order and are applied in the order of the writes; so this is the second one.
//!
//! By itself it forbids no history of reads that return one value each: whatever a read returned,
//! it may have seen that write and those before it in its session, of which it is the last. Only
//! together with other guarantees does it bite: with `monotonic-reads` and `read-your-writes`, and
//! prefixes in place of sets, it is `pram`. What remains is that somebody wrote what is read.

use super::memory::{self, Memory, View, Views, program_order, returns};
use super::model::{Fast, Judge, Model, Shortcut, Weak};

/// The model.
pub const MODEL: Model = Model {
    name: "monotonic-writes",
    about: "what sees a write sees those that its session made before it, in that order",
    implies: &[],
    needs: &[],
    judge: Judge::Memory(Weak {
        views,
        fast: Some(Shortcut { name: "sources", decide: |_, _| Fast::Holds(None) }),
        ignores: None,
    }),
};

/// A view for each session, in which all writes are in the order of their sessions.
fn views(memory: &Memory) -> Views {
    let view = |session: usize| {
        let mut edges = program_order(memory, |access| memory.accesses[access].writes());
        edges.extend(returns(memory, memory.reads_of(session)));
        View {
            title: memory.title(session),
            members: memory.writes().chain(memory.reads_of(session)).collect(),
            edges,
            reads: memory.reads_of(session).collect(),
            mode: memory::Mode::Seen,
        }
    };
    Views { views: memory.lookers().map(view).collect(), agreed: Vec::new() }
}
