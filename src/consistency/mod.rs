//! Consistency models: what a history may look like, one file for each model.
//!
//! A judge never guesses. It says that a model *holds* and shows a witness, which a second, tiny
//! checker confirms; or that it is *violated*, and shows a core, calls that contradict the model by
//! themselves; or that its budget ran out, and what it had found by then.

#[cfg(test)]
mod brute;
mod cache;
mod causal;
mod causal_convergence;
#[cfg(test)]
mod checks;
mod contradiction;
mod delta_atomicity;
pub mod drawing;
mod entry;
mod epochs;
mod eventual;
#[cfg(test)]
mod fuzz;
mod guarantee;
mod interleave;
pub mod judge;
mod k_atomicity;
mod lazy_release;
mod linearizability;
pub mod linearizable;
pub mod litmus;
pub mod memory;
pub mod model;
mod monotonic_reads;
mod monotonic_writes;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod orders;
pub mod outputs;
pub mod page;
mod pram;
mod prefix;
mod processor;
pub mod profile;
mod read_your_writes;
pub mod reason;
mod regular;
mod release_pc;
mod release_sc;
mod safe;
mod search;
mod sequential;
mod shrinking;
mod slow;
pub mod staleness;
pub mod subject;
mod weak_causal;
mod weak_ordering;
pub mod witness;
mod writes_follow_reads;

pub use model::{Model, Ruling, model_named, models};
pub use subject::Sequenced;
pub use subject::{Calls, Subject};

/// What a judge found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The history is one that the model allows.
    Holds(Witness),
    /// It is not.
    Violated(Core),
    /// The budget ran out first.
    Unknown(Unknown),
}

/// An order of calls that explains a history: indices into it. Open calls that took no effect are
/// left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The calls, in the order in which they took effect.
    pub order: Vec<usize>,
}

/// Calls that no order explains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Core {
    /// Indices of the calls whose answers and intervals contradict each other.
    pub calls: Vec<usize>,
    /// Indices of other updates that could not be left out of the contradiction altogether. They
    /// are given every freedom there: to take effect at any time after their invocation, with any
    /// answer, or never.
    pub helpless: Vec<usize>,
    /// True if every further reduction was tried: none of `calls` can be dropped or set free, and
    /// none of `helpless` can be dropped by a reduction that is known to be sound.
    pub minimal: bool,
    /// The call that can't return: the history up to that moment, without it, is still fine. A fast
    /// procedure looks only at some calls that contradict each other, and so it is among these.
    pub stuck: usize,
    /// How many calls had been made by that moment: of those on the part of the object concerned,
    /// or, if a fast procedure answered, of those that it suspected.
    pub prefix: usize,
    /// An order of calls that explains the history up to that moment, without that return.
    pub partial: Vec<usize>,
    /// The states that the object may be in when that call has to return, as text: the first few;
    /// none if the contradiction is of another kind.
    pub states: Vec<String>,
    /// The part of the object, if it has parts.
    pub part: Option<String>,
}

/// What was found before the budget ran out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Steps that were made.
    pub steps: u64,
    /// It was the memory that ran out, not the steps.
    pub full: bool,
    /// Parts of the object that are fine.
    pub parts_fine: usize,
    /// Parts of the object in all.
    pub parts: usize,
    /// In a part that isn't settled: how many calls the longest order explains, a prefix of them.
    pub explained: usize,
}
