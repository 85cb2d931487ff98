//! Writes follow reads (Terry et al., PDIS 1994): what sees a write sees those that its session had
//! read before it, and in that order.
//!
//! Of its two readings this is the one by arbitration, see `guarantee.rs`.
//!
//! Terry orders the writes in *every* server, so they have no circle: a write that comes back to
//! itself, by being read and followed by a write again and again, violates it. (The matrix of the
//! reference allows `CoRW1`, where a session reads what it writes next itself; by Terry's words
//! that write would have to come before itself.) What a read sees beside the write that it
//! returned comes before that write, so nothing else can contradict it.

use super::guarantee::guarantee;
use super::memory::{self, Because, Edge, Memory, Source, View, Views, returns};
use super::model::{Fast, Model};

/// The model.
pub const MODEL: Model = guarantee(
    "writes-follow-reads",
    "what sees a write sees those that its session had read before it, in that order",
    views,
    ("one sort", decide),
);

/// One view, in which each read comes before its session's later writes.
fn views(memory: &Memory) -> Views {
    let mut edges = returns(memory, memory.reads());
    for program in memory.programs() {
        for read in program.clone().filter(|access| memory.accesses[*access].reads()) {
            let later = (read..program.end).filter(|access| memory.accesses[*access].writes());
            edges.extend(later.map(|to| Edge { from: read, to, because: Because::Program }));
        }
    }
    let view = View {
        title: "everybody".to_owned(),
        members: memory.reads().chain(memory.writes()).collect(),
        edges,
        reads: Vec::new(),
        mode: memory::Mode::Seen,
    };
    Views { views: vec![view], agreed: Vec::new() }
}

/// Sorts the writes.
fn decide(memory: &Memory, _budget: u64) -> Fast {
    // A session's reads so far are one point, which its later writes wait for, and which waits for
    // the writes read and for the point before.
    let size = memory.accesses.len();
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); 2 * size];
    let mut waits = vec![0_u32; 2 * size];
    let mut link = |from: usize, to: usize| {
        after[from].push(to);
        waits[to] += 1;
    };
    for program in memory.programs() {
        for access in program.clone() {
            let point = size + access;
            if access > program.start {
                link(point - 1, point);
            }
            match memory.sources[access] {
                Source::Write(write) => link(write, point),
                _ if memory.accesses[access].writes() => link(point, access),
                _ => {}
            }
        }
    }
    let mut ready: Vec<usize> = (0..2 * size).filter(|point| waits[*point] == 0).collect();
    let mut done = 0;
    while let Some(point) = ready.pop() {
        done += 1;
        for &next in &after[point] {
            waits[next] -= 1;
            if waits[next] == 0 {
                ready.push(next);
            }
        }
    }
    match done == 2 * size {
        true => Fast::Holds(None),
        false => Fast::Violated,
    }
}
