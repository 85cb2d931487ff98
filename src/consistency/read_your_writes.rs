//! Read your writes (Terry, Demers, Petersen, Spreitzer, Theimer and Welch, PDIS 1994): a read sees
//! all that its session wrote before.
//!
//! Of its two readings this is the one by arbitration, see `guarantee.rs`.
//!
//! It is violated if a session reads a key's initial value after writing it, or if of two of its
//! own writes it reads each when it had made the other; so one pass decides it.

use super::guarantee::{each_session, guarantee};
use super::memory::{Act, Because, Edge, Memory, Source, Views};
use super::model::{Fast, Model};

/// The model.
pub const MODEL: Model = guarantee(
    "read-your-writes",
    "a read sees all that its session wrote before",
    views,
    ("one pass", decide),
);

/// A view for each session: each of its reads sees its earlier writes, and what it returned.
fn views(memory: &Memory) -> Views {
    let programs = memory.programs();
    each_session(memory, |session| {
        let mut edges = Vec::new();
        for read in memory.reads_of(session) {
            let own = programs[session].start..read;
            let own = own.filter(|from| {
                let one = &memory.accesses[*from];
                one.writes() && one.key == memory.accesses[read].key
            });
            edges.extend(own.map(|from| Edge { from, to: read, because: Because::Program }));
        }
        edges
    })
}

fn decide(memory: &Memory, _budget: u64) -> Fast {
    for program in memory.programs() {
        let mut own = vec![Own::default(); memory.keys.len()];
        for access in program.filter(|access| memory.accesses[*access].act != Act::Fence) {
            let key = &mut own[memory.accesses[access].key];
            let contradicts = match memory.sources[access] {
                Source::None if memory.accesses[access].writes() => key.write(access),
                Source::Initial => !key.written.is_empty(),
                Source::Write(write) => key.read(write),
                _ => false,
            };
            if contradicts {
                return Fast::Violated;
            }
        }
    }
    Fast::Holds(None)
}

/// A session's writes of a key, and how many of them had been made when it read each: of the two
/// that it read with most of them made, the numbers and the writes.
#[derive(Clone, Default)]
struct Own {
    written: Vec<usize>,
    read: Vec<(usize, usize)>,
    /// Own writes that were read before they were made, and how many had been made.
    early: Vec<(usize, usize)>,
}

impl Own {
    /// Whether another write that was made by now was read when this one had been made.
    fn read(&mut self, write: usize) -> bool {
        let Ok(place) = self.written.binary_search(&write) else {
            self.early.push((self.written.len(), write));
            return false;
        };
        let contradicts = self.read.iter().any(|(made, other)| *other != write && *made > place);
        self.remember(self.written.len(), write);
        contradicts
    }

    fn write(&mut self, write: usize) -> bool {
        self.written.push(write);
        let early: Vec<_> = self.early.iter().copied().filter(|one| one.1 == write).collect();
        early.into_iter().for_each(|(made, write)| self.remember(made, write));
        false
    }

    fn remember(&mut self, made: usize, write: usize) {
        self.read.retain(|(before, other)| *other != write || *before > made);
        if self.read.iter().all(|(_, other)| *other != write) {
            self.read.push((made, write));
        }
        self.read.sort_unstable_by_key(|(made, _)| std::cmp::Reverse(*made));
        self.read.truncate(2);
    }
}
