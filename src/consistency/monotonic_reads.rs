//! Monotonic reads (Terry et al., PDIS 1994): a read sees all that its session's earlier reads saw.
//!
//! There are two readings of the session guarantees. By *views*, each session has an order of all
//! writes and each read sees a prefix of it. By *arbitration*, each read sees a set of writes and
//! returns the one that is last in the session's order. Terry's servers hold sets of writes, which
//! grow in any order and are applied in the order of the writes; so this is the second one.
//!
//! It is violated if a session returns to a value of a key, or to its initial one, after it has
//! read another; so one pass decides it.

use super::memory::{self, Memory, Source, View, Views, program_order, returns};
use super::model::{Fast, Judge, Model, Shortcut, Weak};

/// The model.
pub const MODEL: Model = Model {
    name: "monotonic-reads",
    about: "a read sees all that its session's earlier reads saw",
    implies: &[],
    needs: &[],
    judge: Judge::Memory(Weak {
        views,
        fast: Some(Shortcut { name: "one pass", decide }),
        ignores: None,
    }),
};

/// A view for each session: each of its reads sees what the ones before it saw.
fn views(memory: &Memory) -> Views {
    let view = |session: usize| {
        let own = |access: usize| {
            memory.accesses[access].reads() && memory.accesses[access].session == session
        };
        let mut edges = program_order(memory, own);
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

fn decide(memory: &Memory, _budget: u64) -> Fast {
    for program in memory.programs() {
        let mut last = vec![Source::None; memory.keys.len()];
        let mut left = std::collections::BTreeSet::new();
        for read in program.filter(|access| memory.accesses[*access].reads()) {
            let (key, source) = (memory.accesses[read].key, memory.sources[read]);
            let before = std::mem::replace(&mut last[key], source);
            if before != source && before != Source::None {
                left.insert((key, before));
            }
            let goes_back = left.contains(&(key, source));
            if goes_back
                || (source == Source::Initial && before != source && before != Source::None)
            {
                return Fast::Violated;
            }
        }
    }
    Fast::Holds(None)
}
