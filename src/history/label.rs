//! What a history may say beside calls and answers: which calls synchronise, which nodes served
//! them, and what befell the system meanwhile.
//!
//! None of it is needed to judge linearizability. The release family needs the labels of
//! synchronisation (Gharachorloo et al., ISCA 1990), eventual consistency the mark at quiescence,
//! and people the faults: a drawing without them explains little. A judge that misses what it
//! needs answers *not applicable*.

use serde::{Deserialize, Serialize};

/// That a call synchronises: through which object, and in which of its grants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Sync {
    /// What the call does.
    pub kind: SyncKind,
    /// The lock, flag or barrier.
    pub object: String,
    /// The grant's generation: an acquire has that of the release that it waited for, plus one, and
    /// a release has its own grant's. Of a barrier, the episode. It is told, not guessed, since a
    /// release may overlap the acquire that it lets through.
    pub grant: u64,
}

/// What a call that synchronises does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncKind {
    /// It gets what others released.
    Acquire,
    /// It gives what others acquire.
    Release,
    /// It does both with everybody in its episode.
    Barrier,
    /// It does both, with whoever comes before and after: a fence, or an access labelled strong.
    Both,
}

/// Something that befell the system, at a moment and without length.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mark {
    /// When, on the calls' clock.
    pub time: u64,
    /// What.
    pub what: Happening,
    /// The node, if it befell one.
    pub node: Option<u32>,
    /// The line of the recorded history that tells of it.
    pub line: Option<usize>,
}

/// What may befall a system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Happening {
    /// A fault, or its end, in the words of whoever made it.
    Fault(String),
    /// From now on no update is made, and all that were made are everywhere.
    Quiescence,
}
