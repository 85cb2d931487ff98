//! Weak ordering (Dubois, Scheurich and Briggs, ISCA 1986; Gharachorloo et al., ISCA 1990, 2.3):
//! accesses that synchronise are sequentially consistent; before one of them all earlier accesses
//! of its session are performed, and no later one is before it. Between two of them, a session's
//! accesses to different keys come in any order.
//!
//! *Performed* is read by views: each process sees all writes, all that synchronises and its own
//! accesses in one order; what synchronises has the same order in all of them, and so have the
//! writes to each key. That agrees with the operational reading on every row of the reference.

use super::memory::{Memory, Rule, Views, labelled_views};
use super::model::{Fast, Judge, Model, Need, Shortcut, Weak};
use super::{cache, lazy_release, sequential};

/// The model.
pub const MODEL: Model = Model {
    name: "weak-ordering",
    about: "sessions keep the order of what synchronises with everything, and of nothing else",
    implies: &["release-sc"],
    needs: &[Need::Labels],
    judge: Judge::Memory(Weak {
        views,
        fast: Some(Shortcut { name: "between sequential and lazy-release and cache", decide }),
        ignores: None,
    }),
};

fn views(memory: &Memory) -> Views {
    let rule: Rule = |one, next| one.syncs() || next.syncs();
    labelled_views(memory, rule, true)
}

fn decide(memory: &Memory, budget: u64) -> Fast {
    match lazy_release::necessary(memory, budget) && cache::decide(memory, budget) != Fast::Violated
    {
        true => sequential::suffices(memory, budget),
        false => Fast::Violated,
    }
}
