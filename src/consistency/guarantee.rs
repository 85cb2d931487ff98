//! The session guarantees (Terry, Demers, Petersen, Spreitzer, Theimer and Welch, PDIS 1994): what
//! the four have in common.
//!
//! There are two readings. By *views*, each session has an order of all writes and each read sees a
//! prefix of it. By *arbitration*, each read sees a set of writes and returns the one that is last
//! in the session's order. Terry's servers hold sets of writes, which grow in any order and are
//! applied in the order of the writes; so this is the second one.

use super::memory::{self, Edge, Memory, View, Views, returns};
use super::model::{Fast, Judge, Model, Shortcut, Weak};

/// A guarantee: its name, what it says, its views, and one way to decide it.
pub(super) const fn guarantee(
    name: &'static str,
    about: &'static str,
    views: fn(&Memory) -> Views,
    (way, decide): (&'static str, fn(&Memory, u64) -> Fast),
) -> Model {
    let fast = Some(Shortcut { name: way, decide });
    Model {
        name,
        about,
        implies: &[],
        needs: &[],
        judge: Judge::Memory(Weak { views, fast, ignores: None }),
    }
}

/// A view for each session, of all writes and its own reads, in which some edges are given.
pub(super) fn each_session(memory: &Memory, given: impl Fn(usize) -> Vec<Edge>) -> Views {
    let view = |session: usize| {
        let mut edges = returns(memory, memory.reads_of(session));
        edges.extend(given(session));
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
