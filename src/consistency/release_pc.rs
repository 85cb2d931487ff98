//! Release consistency with processor consistent synchronisation, RCpc (Gharachorloo et al., ISCA
//! 1990, 3.1): as `release-sc`, but what synchronises is only processor consistent.
//!
//! Two readings differ on the row `MP-chain`, where one session hands on what it acquired. By the
//! operational reading the third one sees it; by views, where nobody sees another's acquires, it
//! need not. This is the one by views, for the reason given in `processor`, of which it is the
//! weaker sibling: every processor consistent history is release consistent in this sense.

use super::memory::{Memory, Views, labelled_views};
use super::model::{Fast, Judge, Model, Need, Shortcut, Weak};
use super::{cache, processor, release_sc};

/// The model.
pub const MODEL: Model = Model {
    name: "release-pc",
    about: "accesses follow acquires and precede releases, which are processor consistent",
    implies: &["cache"],
    needs: &[Need::Labels],
    judge: Judge::Memory(Weak {
        views,
        fast: Some(Shortcut { name: "between processor and cache", decide }),
        ignores: None,
    }),
};

fn views(memory: &Memory) -> Views {
    labelled_views(memory, release_sc::RULE, false)
}

fn decide(memory: &Memory, budget: u64) -> Fast {
    match (cache::decide(memory, budget), processor::decide(memory, budget)) {
        (Fast::Violated, _) => Fast::Violated,
        (_, Fast::Holds(_)) => Fast::Holds(None),
        _ => Fast::Open,
    }
}
