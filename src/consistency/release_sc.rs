//! Release consistency with sequentially consistent synchronisation, RCsc (Gharachorloo et al.,
//! ISCA 1990, 3.1): an access is performed after the acquires before it in its session, and before
//! the releases after it; what synchronises is sequentially consistent.
//!
//! Unlike `weak-ordering`, nothing waits for a release, and an acquire waits for nothing. A release
//! is performed for everybody: what is known to come after it in the order of synchronisation sees
//! it even without an acquire of the same lock (the row `NoCommonLock`); `lazy-release` gives that
//! up. By views, as `weak-ordering`; agrees with the operational reading on every row.

use super::memory::{Memory, Rule, Views, labelled_views};
use super::model::{Fast, Judge, Model, Need, Shortcut, Weak};
use super::{cache, lazy_release, sequential};

/// The model.
pub const MODEL: Model = Model {
    name: "release-sc",
    about: "accesses follow acquires and precede releases, whose order is one for all",
    implies: &["release-pc", "lazy-release"],
    needs: &[Need::Labels],
    judge: Judge::Memory(Weak {
        views,
        fast: Some(Shortcut { name: "between sequential and lazy-release and cache", decide }),
        ignores: None,
    }),
};

/// Which pairs of a session's accesses to different keys keep their order.
pub(super) const RULE: Rule =
    |one, next| one.acquires || next.releases || (one.syncs() && next.syncs());

fn views(memory: &Memory) -> Views {
    labelled_views(memory, RULE, true)
}

fn decide(memory: &Memory, budget: u64) -> Fast {
    match lazy_release::necessary(memory, budget) && cache::decide(memory, budget) != Fast::Violated
    {
        true => sequential::suffices(memory, budget),
        false => Fast::Violated,
    }
}
