//! Causal convergence, also *causal+* (Bouajjani et al., POPL 2017; Burckhardt, 2014; Lloyd et al.,
//! SOSP 2011): one order of all writes, the same for everybody, respects causality; and each read
//! returns the write that is last in it among those in the read's causal past.
//!
//! That is what last-writer-wins with causal delivery gives. It does not imply `pram`: a session
//! may learn of a write so late that it comes before what was read already.
//!
//! A write that is in the past of a read, and was not returned, must come before the one that was.
//! These edges and causality have no circle exactly if there is such an order.

use super::memory::{
    self, Because, Clocks, Edge, Memory, Source, View, Views, program_order, returns, sorted,
};
use super::model::{Fast, Judge, Model, Shortcut, Weak};

/// The model.
pub const MODEL: Model = Model {
    name: "causal-convergence",
    about: "one order of writes for all respects causality; a read returns the last one it knows",
    implies: &["weak-causal", "cache"],
    needs: &[],
    judge: Judge::Memory(Weak {
        views,
        fast: Some(Shortcut { name: "conflict edges over vector clocks", decide }),
        ignores: None,
    }),
};

/// One view, of everything, in which reads see what is in their causal past.
fn views(memory: &Memory) -> Views {
    let mut edges = program_order(memory, |_| true);
    edges.extend(returns(memory, memory.reads()));
    let view = View {
        title: "everybody".to_owned(),
        members: (0..memory.accesses.len()).collect(),
        edges,
        reads: memory.reads().collect(),
        mode: memory::Mode::Seen,
    };
    Views { views: vec![view], agreed: Vec::new() }
}

pub(super) fn decide(memory: &Memory, _budget: u64) -> Fast {
    let Some(clocks) = Clocks::causal(memory) else { return Fast::Violated };
    let mut edges = returns(memory, memory.reads());
    for read in memory.reads() {
        match memory.sources[read] {
            Source::Write(to) => {
                let because = Because::Overwritten { read };
                let seen = clocks.seen(memory, read);
                edges.extend(seen.map(|from| Edge { from, to, because }));
            }
            _ if clocks.is_stale(memory, read) => return Fast::Violated,
            _ => {}
        }
    }
    sorted(memory, &edges).map_or(Fast::Violated, |order| Fast::Holds(Some(vec![order])))
}
