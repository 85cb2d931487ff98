//! Cache consistency, or coherence (Goodman, 1989): each key by itself is sequentially consistent.
//!
//! Where no value is written twice that is linear, unlike sequential consistency of several keys: a
//! write and the reads that returned it stand together in every order, so each becomes one
//! *cluster*, and the clusters of a key must not precede each other in a circle.

use super::memory::{self, Memory, Source, View, Views, program_order, returns};
use super::model::{Fast, Judge, Model, Shortcut, Weak};

/// The model.
pub const MODEL: Model = Model {
    name: "cache",
    about: "each key by itself is sequentially consistent",
    implies: &["slow"],
    needs: &[],
    judge: Judge::Memory(Weak {
        views,
        fast: Some(Shortcut { name: "clusters", decide }),
        ignores: None,
    }),
};

/// A view for each key, of all accesses to it.
fn views(memory: &Memory) -> Views {
    let view = |key: usize| {
        let sees = |access: usize| memory.touches(access, key);
        let members: Vec<usize> = (0..memory.accesses.len()).filter(|a| sees(*a)).collect();
        let reads: Vec<usize> =
            members.iter().copied().filter(|access| memory.accesses[*access].reads()).collect();
        let mut edges = program_order(memory, sees);
        edges.extend(returns(memory, reads.iter().copied()));
        let title = format!("the key {}", memory.keys[key]);
        View { title, members, edges, reads, mode: memory::Mode::Placed }
    };
    Views { views: (0..memory.keys.len()).map(view).collect(), agreed: memory.writes_by_key() }
}

pub(super) fn decide(memory: &Memory, _budget: u64) -> Fast {
    let keys = memory.keys.len();
    // A cluster has the number of its write; the first value of a key has one after all of those.
    let cluster = |access: usize| match memory.sources[access] {
        Source::Write(write) => write,
        Source::None => access,
        _ => memory.accesses.len() + memory.accesses[access].key,
    };
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); memory.accesses.len() + keys];
    let mut waits = vec![0_u32; after.len()];
    let mut link = |from: usize, to: usize| {
        after[from].push(to);
        waits[to] += 1;
    };
    memory
        .writes()
        .for_each(|write| link(memory.accesses.len() + memory.accesses[write].key, write));
    for program in memory.programs() {
        let (mut last, mut read) = (vec![None; keys], std::collections::BTreeSet::new());
        for access in program.filter(|access| memory.accesses[*access].act != memory::Act::Fence) {
            let (key, now) = (memory.accesses[access].key, cluster(access));
            if let Some(before) = last[key].replace(now).filter(|before| *before != now) {
                link(before, now);
            }
            // A session that reads its own write before it makes it.
            if !read.insert(now) && now == access {
                return Fast::Violated;
            }
        }
    }
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); waits.len()];
    let touching = memory.writes().chain(memory.reads());
    touching.for_each(|access| members[cluster(access)].push(access));
    let mut ready: Vec<usize> = (0..waits.len()).filter(|cluster| waits[*cluster] == 0).collect();
    let (mut done, mut orders) = (0, vec![Vec::new(); keys]);
    while let Some(cluster) = ready.pop() {
        done += 1;
        if let Some(&first) = members[cluster].first() {
            orders[memory.accesses[first].key].append(&mut members[cluster]);
        }
        for &next in &after[cluster] {
            waits[next] -= 1;
            if waits[next] == 0 {
                ready.push(next);
            }
        }
    }
    match done == waits.len() {
        true => Fast::Holds(Some(orders)),
        false => Fast::Violated,
    }
}
