//! Eventual consistency (Vogels, CACM 2009; Terry et al., SOSP 1995): if no update is made any
//! more, all reads return the last updated value, eventually.
//!
//! On a history that just ends, that says nothing. So it takes a mark at quiescence, from which on
//! no update is made and all that were made have arrived. Reads after it return one value for each
//! key; some write wrote it that was not overwritten, neither by its own session nor by a call that
//! was made after it had returned; and causality has no circle. Viotti and Vukolic (2016, eq. 19)
//! would let any write be the last; Vogels' word, *last*, is taken to mean more where the history
//! tells which writes are later.

use super::memory::{
    self, Because, Clocks, Edge, Memory, Source, View, Views, program_order, real_time, returns,
};
use super::model::{Fast, Judge, Model, Need, Shortcut, Weak};

/// The model.
pub const MODEL: Model = Model {
    name: "eventual",
    about: "when all updates have arrived, all reads of a key return one value, of a last write",
    implies: &["writes-follow-reads"],
    needs: &[Need::Quiescence],
    judge: Judge::Memory(Weak {
        views,
        fast: Some(Shortcut { name: "last values", decide }),
        ignores: None,
    }),
};

/// The reads of a key after quiescence; none if a write to it was made or under way then.
fn late_reads(memory: &Memory, key: usize) -> Vec<usize> {
    let late = |access: usize| Some(memory.accesses[access].invoked) > memory.quiet;
    let under_way = |write: usize| {
        late(write) || memory.accesses[write].returned.is_some_and(|end| Some(end) > memory.quiet)
    };
    let of_key = |access: &usize| memory.accesses[*access].key == key;
    match memory.writes().filter(of_key).any(under_way) {
        true => Vec::new(),
        false => memory.reads().filter(of_key).filter(|read| late(*read)).collect(),
    }
}

/// A view for each key, in which all writes come before the reads after quiescence; and one of
/// causality.
fn views(memory: &Memory) -> Views {
    let of_key = |key: usize| {
        let writes =
            |access: usize| memory.accesses[access].writes() && memory.accesses[access].key == key;
        let reads = late_reads(memory, key);
        let mut edges = program_order(memory, writes);
        edges.extend(real_time(memory, writes));
        edges.extend(returns(memory, reads.iter().copied()));
        let written: Vec<usize> = memory.writes().filter(|write| writes(*write)).collect();
        for &to in &reads {
            let because = Because::Quiescent;
            edges.extend(written.iter().map(|from| Edge { from: *from, to, because }));
        }
        View {
            title: format!("the key {}", memory.keys[key]),
            members: written.into_iter().chain(reads.iter().copied()).collect(),
            edges,
            reads,
            mode: memory::Mode::Placed,
        }
    };
    let mut causality = program_order(memory, |_| true);
    causality.extend(returns(memory, memory.reads()));
    let causality = View {
        title: "causality".to_owned(),
        members: (0..memory.accesses.len()).collect(),
        edges: causality,
        reads: Vec::new(),
        mode: memory::Mode::Seen,
    };
    let keys = (0..memory.keys.len()).map(of_key);
    Views { views: keys.chain([causality]).collect(), agreed: Vec::new() }
}

fn decide(memory: &Memory, _budget: u64) -> Fast {
    if Clocks::causal(memory).is_none() {
        return Fast::Violated;
    }
    for key in 0..memory.keys.len() {
        let late = late_reads(memory, key);
        let Some(&read) = late.first() else { continue };
        let source = memory.sources[read];
        let mut writes = memory.writes().filter(|write| memory.accesses[*write].key == key);
        let overwritten = match source {
            Source::Write(last) => writes.any(|write| {
                let (last, other) = (&memory.accesses[last], &memory.accesses[write]);
                let later = last.session == other.session && last.invoked < other.invoked;
                later || (memory.timed && last.precedes(other))
            }),
            _ => writes.next().is_some(),
        };
        if overwritten || late.iter().any(|read| memory.sources[*read] != source) {
            return Fast::Violated;
        }
    }
    Fast::Holds(None)
}
