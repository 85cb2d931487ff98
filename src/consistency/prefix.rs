//! Consistent prefix with monotonic reads, or *timeline* consistency (Cooper et al., VLDB 2008;
//! Terry, CACM 2013): the writes have one order, the same for all keys and everybody, which
//! respects each session's; each read sees a prefix of it, and a session's prefixes only grow.
//!
//! That is what reading from followers of one leader gives. Consistent prefix alone says nothing
//! about reads of one value each: for each of them, the prefix that ends with what it returned will
//! do. So the reading here is the one with growing prefixes. A session need not see its own writes.
//!
//! It is sequential consistency of the history in which the writer and the reader of each session
//! go by themselves, and is decided so: what is necessary and cheap for that is necessary here.

use super::memory::{self, Memory, Search, View, Views, interleaving, program_order, returns};
use super::model::{Fast, Judge, Model, Shortcut, Weak};
use super::{cache, causal, causal_convergence};

/// The model.
pub const MODEL: Model = Model {
    name: "prefix",
    about: "all see growing prefixes of one order of writes, which respects each session's",
    implies: &["monotonic-reads", "monotonic-writes"],
    needs: &[],
    judge: Judge::Memory(Weak {
        views,
        fast: Some(Shortcut { name: "sequential, readers and writers apart", decide }),
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

/// The cheap conditions of sequential consistency, between a search that goes straight on and one
/// that may turn back.
fn decide(memory: &Memory, budget: u64) -> Fast {
    let (apart, names) = apart(memory);
    let programs: Vec<Vec<usize>> =
        apart.programs().into_iter().map(|program| program.collect()).collect();
    let mut found = interleaving(&apart, &programs, budget.min(2 * names.len() as u64));
    if found == Search::Spent {
        for necessary in [cache::decide, causal_convergence::decide, causal::decide] {
            if necessary(&apart, budget) == Fast::Violated {
                return Fast::Violated;
            }
        }
        found = interleaving(&apart, &programs, budget);
    }
    match found {
        Search::Order(order) => {
            Fast::Holds(Some(vec![order.into_iter().map(|access| names[access]).collect()]))
        }
        Search::None => Fast::Violated,
        Search::Spent => Fast::Spent(format!(
            "readers and writers apart, cache, causal-convergence and causal hold, which are \
             necessary; {budget} steps found no order"
        )),
    }
}

/// The reads and writes of each session as sessions of their own, and what each access was.
fn apart(memory: &Memory) -> (Memory, Vec<usize>) {
    let mut names = Vec::new();
    for program in memory.programs() {
        names.extend(program.clone().filter(|one| memory.accesses[*one].writes()));
        names.extend(program.filter(|one| memory.accesses[*one].reads()));
    }
    let session = |access: usize| {
        let one = &memory.accesses[access];
        2 * one.session + usize::from(one.reads())
    };
    (memory.moved(&names, session), names)
}
