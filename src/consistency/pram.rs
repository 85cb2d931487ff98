//! PRAM, or FIFO consistency (Lipton and Sandberg, 1988): for each session there is an order of all
//! writes and its own reads that explains these, and respects every session's order.
//!
//! That is what a broadcast gives that keeps each sender's order. Viotti and Vukolic (2016, eq. 20)
//! define it as *session order is visible*; together with their rule for return values that is no
//! more than reading one's own writes, and accepts a session that sees another's writes out of
//! order. This is Lipton and Sandberg's: reads are placed in the order.
//!
//! Where no value is written twice, one pass of deadlines decides it.

use super::memory::{self, Memory, Respect, View, Views, deadlines, program_order, returns};
use super::model::{Fast, Judge, Model, Shortcut, Weak};

/// The model.
pub const MODEL: Model = Model {
    name: "pram",
    about: "each session explains its reads by an order of all writes that respects all sessions",
    implies: &["slow", "monotonic-writes"],
    needs: &[],
    judge: Judge::Memory(Weak {
        views,
        fast: Some(Shortcut { name: "deadlines", decide }),
        ignores: None,
    }),
};

/// A view for each session, of all writes and its own accesses.
fn views(memory: &Memory) -> Views {
    let view = |session: usize| {
        let sees = |access: usize| {
            memory.accesses[access].writes() || memory.accesses[access].session == session
        };
        let mut edges = program_order(memory, sees);
        edges.extend(returns(memory, memory.reads_of(session)));
        View {
            title: memory.title(session),
            members: (0..memory.accesses.len()).filter(|access| sees(*access)).collect(),
            edges,
            reads: memory.reads_of(session).collect(),
            mode: memory::Mode::Placed,
        }
    };
    Views { views: memory.lookers().map(view).collect(), agreed: Vec::new() }
}

pub(super) fn decide(memory: &Memory, _budget: u64) -> Fast {
    let orders = deadlines(memory, Respect::Programs);
    orders.map_or(Fast::Violated, |orders| Fast::Holds(Some(orders)))
}
