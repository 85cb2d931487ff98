//! Slow memory (Hutto and Ahamad, ICDCS 1990): `pram` for each key by itself. A session sees the
//! writes of another to one key in the order in which they were made, and its own at once.
//!
//! It is the weakest model here in which every session makes progress on every key.

use super::memory::{self, Act, Memory, View, Views, neighbours, returns};
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
    let mut of_key = vec![Vec::new(); memory.keys.len()];
    for (at, access) in memory.accesses.iter().enumerate() {
        if access.act != Act::Fence {
            of_key[access.key].push(at);
        }
    }
    let view = |session: usize, of_key: &[usize]| {
        let is_own = |access: &usize| memory.accesses[*access].session == session;
        let sees = |access: &usize| is_own(access) || memory.accesses[*access].writes();
        let members: Vec<usize> = of_key.iter().copied().filter(sees).collect();
        let reads = members.iter().filter(|access| memory.accesses[**access].reads());
        let reads: Vec<usize> = reads.copied().collect();
        let mut edges = neighbours(memory, &members);
        edges.extend(returns(memory, reads.iter().copied()));
        View { title: memory.title(session), members, edges, reads, mode: memory::Mode::Placed }
    };
    let views = of_key.iter().flat_map(|of_key| memory.lookers().map(move |s| view(s, of_key)));
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
