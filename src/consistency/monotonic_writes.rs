//! Monotonic writes (Terry et al., PDIS 1994): what sees a write sees those that its session made
//! before it, and in that order.
//!
//! Of its two readings this is the one by arbitration, see `guarantee.rs`.
//!
//! By itself it forbids no history of reads that return one value each: whatever a read returned,
//! it may have seen that write and those before it in its session, of which it is the last. Only
//! together with other guarantees does it bite: with `monotonic-reads` and `read-your-writes`, and
//! prefixes in place of sets, it is `pram`. What remains is that somebody wrote what is read.

use super::guarantee::{each_session, guarantee};
use super::memory::{Memory, Views, program_order};
use super::model::{Fast, Model};

/// The model.
pub const MODEL: Model = guarantee(
    "monotonic-writes",
    "what sees a write sees those that its session made before it, in that order",
    views,
    ("sources", |_, _| Fast::Holds(None)),
);

/// A view for each session, in which all writes are in the order of their sessions.
fn views(memory: &Memory) -> Views {
    let writes = || program_order(memory, |access| memory.accesses[access].writes());
    each_session(memory, |_| writes())
}
