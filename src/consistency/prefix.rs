//! Consistent prefix with monotonic reads, or *timeline* consistency (Cooper et al., VLDB 2008;
//! Terry, CACM 2013): the writes have one order, the same for all keys and everybody, which
//! respects each session's; each read sees a prefix of it, and a session's prefixes only grow.
//!
//! That is what reading from followers of one leader gives. Consistent prefix alone says nothing
//! about reads of one value each: for each of them, the prefix that ends with what it returned will
//! do. So the reading here is the one with growing prefixes. A session need not see its own writes.
//!
//! It is sequential consistency of the history in which the writer and the reader of each session
//! go by themselves, and is decided so.

use super::memory::{self, Memory, Search, View, Views, interleaving, program_order, returns};
use super::model::{Fast, Judge, Model, Shortcut, Weak};

/// The model.
pub const MODEL: Model = Model {
    name: "prefix",
    about: "all see growing prefixes of one order of writes, which respects each session's",
    implies: &["monotonic-reads", "monotonic-writes"],
    needs: &[],
    judge: Judge::Memory(Weak {
        views,
        fast: Some(Shortcut { name: "search, readers and writers apart", decide }),
        ignores: None,
    }),
};

/// One view, of everything; a session's reads and its writes are in order among themselves.
fn views(memory: &Memory) -> Views {
    let mut edges = program_order(memory, |access| memory.accesses[access].writes());
    edges.extend(program_order(memory, |access| memory.accesses[access].reads()));
    edges.extend(returns(memory, memory.reads()));
    let view = View {
        title: "everybody".to_owned(),
        members: memory.reads().chain(memory.writes()).collect(),
        edges,
        reads: memory.reads().collect(),
        mode: memory::Mode::Placed,
    };
    Views { views: vec![view], agreed: memory.writes_by_key() }
}

fn decide(memory: &Memory, budget: u64) -> Fast {
    let mut programs = Vec::new();
    for program in memory.programs() {
        programs.push(program.clone().filter(|one| memory.accesses[*one].writes()).collect());
        programs.push(program.filter(|one| memory.accesses[*one].reads()).collect());
    }
    match interleaving(memory, &programs, budget) {
        Search::Order(order) => Fast::Holds(Some(vec![order])),
        Search::None => Fast::Violated,
        Search::Spent => Fast::Spent(format!("no order was found in {budget} steps")),
    }
}
