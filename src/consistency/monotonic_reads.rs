//! Monotonic reads (Terry et al., PDIS 1994): a read sees all that its session's earlier reads saw.
//!
//! Of its two readings this is the one by arbitration, see `guarantee.rs`.
//!
//! It is violated if a session returns to a value of a key, or to its initial one, after it has
//! read another; so one pass decides it.

use super::guarantee::{each_session, guarantee};
use super::memory::{Memory, Source, Views, program_order};
use super::model::{Fast, Model};

/// The model.
pub const MODEL: Model = guarantee(
    "monotonic-reads",
    "a read sees all that its session's earlier reads saw",
    views,
    ("one pass", decide),
);

/// A view for each session: each of its reads sees what the ones before it saw.
fn views(memory: &Memory) -> Views {
    each_session(memory, |session| {
        program_order(memory, |access| {
            memory.accesses[access].reads() && memory.accesses[access].session == session
        })
    })
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
