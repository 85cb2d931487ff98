//! Regularity (Lamport, "On Interprocess Communication", 1986; for several writers Shao, Pierce and
//! Welch, DISC 2003, and Viotti and Vukolic, 2016): a read returns the last write that was complete
//! when it was invoked, or one that it is concurrent with.
//!
//! Lamport had one writer. With several, *the last* needs an order, and there are readings in which
//! each read may have its own. In this one the writes to a key have one order for all reads, which
//! respects real time: so it is linearizability in which two reads do not order each other, and a
//! new value may be followed by an old one while both are under way. Viotti and Vukolic's formula
//! (eq. 10, 12) accepts reads from the future; here a read never returns a write made after it.
//!
//! A write must come before the writes made after one of its readers had returned, and after those
//! that were complete when one of its readers was invoked. Sorting by these decides it.

use std::collections::BTreeSet;

use super::memory::{self, Memory, Source, View, Views, real_time, returns};
use super::model::{Fast, Judge, Model, Need, Shortcut, Weak};

/// The model.
pub const MODEL: Model = Model {
    name: "regular",
    about: "a read returns the last complete write of its key, or a concurrent one",
    implies: &["safe", "eventual", "read-your-writes"],
    needs: &[Need::Timing],
    judge: Judge::Memory(Weak {
        views,
        fast: Some(Shortcut { name: "sorting writes by their readers", decide }),
        ignores: None,
    }),
};

/// A view for each key, of all accesses to it, in which reads do not order each other.
pub(super) fn views(memory: &Memory) -> Views {
    let view = |key: usize| {
        let sees = |access: usize| memory.touches(access, key);
        let members: Vec<usize> = (0..memory.accesses.len()).filter(|a| sees(*a)).collect();
        let reads: Vec<usize> =
            members.iter().copied().filter(|access| memory.accesses[*access].reads()).collect();
        let mut edges = real_time(memory, sees);
        edges.retain(|edge| {
            memory.accesses[edge.from].writes() || memory.accesses[edge.to].writes()
        });
        edges.extend(returns(memory, reads.iter().copied()));
        let title = format!("the key {}", memory.keys[key]);
        View { title, members, edges, reads, mode: memory::Mode::Placed }
    };
    Views { views: (0..memory.keys.len()).map(view).collect(), agreed: memory.writes_by_key() }
}

pub(super) fn decide(memory: &Memory, _budget: u64) -> Fast {
    let mut spans: Vec<Vec<Span>> = vec![Vec::new(); memory.keys.len()];
    let mut number = vec![0; memory.accesses.len()];
    let mut first_value_read: Vec<u64> = vec![0; memory.keys.len()];
    for write in memory.writes() {
        let one = &memory.accesses[write];
        let returned = one.returned.unwrap_or(u64::MAX);
        number[write] = spans[one.key].len();
        let (invoked, known, needed) = (one.invoked, returned, one.invoked);
        spans[one.key].push(Span { invoked, returned, known, needed });
    }
    for read in memory.reads() {
        let one = &memory.accesses[read];
        let Source::Write(write) = memory.sources[read] else {
            first_value_read[one.key] = first_value_read[one.key].max(one.invoked);
            continue;
        };
        let span = &mut spans[one.key][number[write]];
        span.known = span.known.min(one.returned.unwrap_or(u64::MAX));
        span.needed = span.needed.max(one.invoked);
    }
    let fine = spans.iter().zip(&first_value_read).all(|(spans, first)| {
        spans.iter().all(|span| span.returned >= *first && span.known >= span.invoked)
            && can_be_sorted(spans)
    });
    if fine { Fast::Holds(None) } else { Fast::Violated }
}

/// A write with its readers.
#[derive(Clone)]
struct Span {
    invoked: u64,
    returned: u64,
    /// When it or a reader of it first returned: what is invoked after that comes after it.
    known: u64,
    /// When it or a reader of it was invoked last: what returned before that comes before it.
    needed: u64,
}

/// Whether the writes of a key have an order: one after the other is taken that waits for no other.
fn can_be_sorted(spans: &[Span]) -> bool {
    let ordered = |of: fn(&Span) -> u64| -> BTreeSet<(u64, usize)> {
        spans.iter().enumerate().map(|(at, span)| (of(span), at)).collect()
    };
    let mut returned = ordered(|span| span.returned);
    let mut known = ordered(|span| span.known);
    let mut needing = ordered(|span| span.needed);
    // Those that wait only for what they must not follow.
    let mut following = BTreeSet::new();
    while !returned.is_empty() {
        let least = |set: &BTreeSet<(u64, usize)>, but: usize| {
            set.iter().find(|(_, at)| *at != but).map_or(u64::MAX, |(time, _)| *time)
        };
        let is_free = |at: usize| {
            spans[at].needed <= least(&returned, at) && spans[at].invoked <= least(&known, at)
        };
        let first = least(&returned, usize::MAX);
        while let Some(&(needed, at)) = needing.first().filter(|(needed, _)| *needed <= first) {
            needing.remove(&(needed, at));
            following.insert((spans[at].invoked, at));
        }
        let candidates = [following.first(), returned.first(), known.first()];
        let free = candidates.into_iter().flatten().map(|(_, at)| *at).find(|at| is_free(*at));
        let Some(at) = free else { return false };
        returned.remove(&(spans[at].returned, at));
        known.remove(&(spans[at].known, at));
        needing.remove(&(spans[at].needed, at));
        following.remove(&(spans[at].invoked, at));
    }
    true
}
