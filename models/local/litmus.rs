//! Litmus tests of the atomics: all the outcomes that a few reads and writes may have.
//!
//! `x` and `y` are 0 at first. An outcome is what the reads returned, thread by thread. Loom
//! explores every interleaving and every value that a read may return, so the set that stands in
//! `litmus.txt` is complete for loom's memory, and it is compared with what C11 allows (Lahav,
//! Vafeiadis, Kang, Hur and Dreyer, "Repairing Sequential Consistency in C/C++11", PLDI 2017),
//! which each test says. Where the two differ, that is said there too: loom treats sequentially
//! consistent accesses as acquire and release, so it shows outcomes that can't be; and a read never
//! returns a value that is written later, so it misses outcomes that can be.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::{Arc, Mutex};

use super::explore::{Thread, compare, spawn, visit_all};
use crate::sync::Ordering::{self, AcqRel, Acquire, Relaxed, Release, SeqCst};
use crate::sync::{AtomicUsize, fence};

/// How a test is strengthened.
#[derive(Clone, Copy)]
struct Strength {
    name: &'static str,
    writes: Ordering,
    reads: Ordering,
    fence: Option<Ordering>,
}

const RELAXED: Strength =
    Strength { name: "relaxed", writes: Relaxed, reads: Relaxed, fence: None };
const RELEASE_ACQUIRE: Strength =
    Strength { name: "release, acquire", writes: Release, reads: Acquire, fence: None };
const SEQ_CST: Strength =
    Strength { name: "seqcst accesses", writes: SeqCst, reads: SeqCst, fence: None };
const FENCES: Strength =
    Strength { name: "relaxed, seqcst fences", fence: Some(SeqCst), ..RELAXED };
const LIGHT_FENCES: Strength =
    Strength { name: "relaxed, acqrel fences", fence: Some(AcqRel), ..RELAXED };

/// The two places in memory, and how strongly they are used.
struct Memory {
    x: AtomicUsize,
    y: AtomicUsize,
    strength: Strength,
}

impl Memory {
    fn write(&self, place: fn(&Memory) -> &AtomicUsize, value: usize) {
        place(self).store(value, self.strength.writes);
    }

    fn read(&self, place: fn(&Memory) -> &AtomicUsize) -> usize {
        place(self).load(self.strength.reads)
    }

    fn fence(&self) {
        if let Some(order) = self.strength.fence {
            fence(order);
        }
    }
}

fn x(memory: &Memory) -> &AtomicUsize {
    &memory.x
}

fn y(memory: &Memory) -> &AtomicUsize {
    &memory.y
}

/// What one thread does; it returns what its reads returned.
type Part = fn(&Memory) -> Vec<usize>;

/// A program of a few threads, and the outcome that everybody asks about.
struct Litmus {
    name: &'static str,
    about: &'static str,
    parts: &'static [Part],
    /// The outcome in question.
    asked: &'static str,
    /// With how many preemptions at most; what a read returns is not bounded by that.
    preemptions: Option<usize>,
    /// With which strengths it is explored, and whether C11 allows the outcome then.
    strengths: &'static [(Strength, bool)],
}

const LITMUS: [Litmus; 6] = [
    Litmus {
        name: "SB",
        about: "store buffering: each writes its own, then reads the other's",
        parts: &[
            |m| {
                m.write(x, 1);
                m.fence();
                vec![m.read(y)]
            },
            |m| {
                m.write(y, 1);
                m.fence();
                vec![m.read(x)]
            },
        ],
        asked: "0 | 0",
        preemptions: None,
        strengths: &[
            (RELAXED, true),
            (RELEASE_ACQUIRE, true),
            (LIGHT_FENCES, true),
            (SEQ_CST, false),
            (FENCES, false),
        ],
    },
    Litmus {
        name: "MP",
        about: "message passing: one writes x and then the flag y, the other reads y and then x",
        parts: &[
            |m| {
                m.write(x, 1);
                m.fence();
                m.write(y, 1);
                vec![]
            },
            |m| {
                let flag = m.read(y);
                m.fence();
                vec![flag, m.read(x)]
            },
        ],
        asked: "| 1 0",
        preemptions: None,
        strengths: &[
            (RELAXED, true),
            (RELEASE_ACQUIRE, false),
            (LIGHT_FENCES, false),
            (FENCES, false),
        ],
    },
    Litmus {
        name: "IRIW",
        about: "independent reads of independent writes: do two readers agree on the order?",
        parts: &[
            |m| {
                m.write(x, 1);
                vec![]
            },
            |m| {
                m.write(y, 1);
                vec![]
            },
            |m| {
                let first = m.read(x);
                m.fence();
                vec![first, m.read(y)]
            },
            |m| {
                let first = m.read(y);
                m.fence();
                vec![first, m.read(x)]
            },
        ],
        asked: "| | 1 0 | 1 0",
        preemptions: None,
        strengths: &[(RELAXED, true), (RELEASE_ACQUIRE, true), (SEQ_CST, false), (FENCES, false)],
    },
    Litmus {
        name: "CoRR",
        about: "coherence: two reads of one place never go back in time",
        parts: &[
            |m| {
                m.write(x, 1);
                vec![]
            },
            |m| {
                let first = m.read(x);
                vec![first, m.read(x)]
            },
        ],
        asked: "| 1 0",
        preemptions: None,
        strengths: &[(RELAXED, false)],
    },
    Litmus {
        name: "CoWW",
        about: "coherence: two writers of one place, and two readers who agree on their order",
        parts: &[
            |m| {
                m.write(x, 1);
                vec![]
            },
            |m| {
                m.write(x, 2);
                vec![]
            },
            |m| {
                let first = m.read(x);
                vec![first, m.read(x)]
            },
            |m| {
                let first = m.read(x);
                vec![first, m.read(x)]
            },
        ],
        asked: "| | 1 2 | 2 1",
        preemptions: Some(3),
        strengths: &[(RELAXED, false)],
    },
    Litmus {
        name: "LB",
        about: "load buffering: each reads the other's, then writes its own",
        parts: &[
            |m| {
                let seen = m.read(y);
                m.fence();
                m.write(x, 1);
                vec![seen]
            },
            |m| {
                let seen = m.read(x);
                m.fence();
                m.write(y, 1);
                vec![seen]
            },
        ],
        asked: "1 | 1",
        preemptions: None,
        strengths: &[(RELAXED, true), (RELEASE_ACQUIRE, false)],
    },
];

/// All outcomes, and how many executions it took to see them.
fn outcomes(litmus: &'static Litmus, strength: Strength) -> (BTreeSet<String>, usize) {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let theirs = Arc::clone(&seen);
    let executions = visit_all(litmus.preemptions, move || {
        let (x, y) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let memory = Arc::new(Memory { x, y, strength });
        let start = |part: &'static Part| {
            let memory = Arc::clone(&memory);
            spawn("a thread", move || part(&memory))
        };
        let (last, others) = litmus.parts.split_last().expect("a program has parts");
        let threads: Vec<Thread<Vec<usize>>> = others.iter().map(start).collect();
        // The main thread does the last part: with one thread more, there were far more executions.
        let mine = last(&memory);
        let read = threads.into_iter().map(Thread::join).chain([mine]).map(|values| {
            let values: Vec<String> = values.iter().map(usize::to_string).collect();
            values.join(" ")
        });
        let outcome = read.collect::<Vec<_>>().join(" | ");
        theirs.lock().expect("nobody panics").insert(outcome.replace("  ", " ").trim().to_owned());
    });
    let seen = seen.lock().expect("nobody panics").clone();
    (seen, executions)
}

/// What loom shows and what C11 allows, side by side.
fn tell(litmus: &'static Litmus) -> String {
    let Litmus { name, about, asked, .. } = litmus;
    let mut text = format!("# {name}: {about}\n");
    for (strength, allowed) in litmus.strengths {
        let (seen, executions) = outcomes(litmus, *strength);
        let verdict = match (seen.contains(*asked), allowed) {
            (true, true) => "allowed and shown",
            (false, false) => "forbidden and never shown",
            (true, false) => "forbidden, but loom shows it",
            (false, true) => "allowed, but loom can't show it",
        };
        let _ = writeln!(text, "litmus {name} {}\n----", strength.name);
        let bound = litmus.preemptions.map(|most| format!(" with at most {most} preemptions"));
        let bound = bound.unwrap_or_default();
        let _ = writeln!(text, "{asked}: {verdict}; {executions} executions{bound}");
        for outcome in seen {
            let _ = writeln!(text, "  {outcome}");
        }
        text.push('\n');
    }
    text
}

#[test]
fn litmus_tests() {
    let told: String = LITMUS.iter().map(tell).collect();
    compare("litmus.txt", told.trim_end_matches('\n').to_owned().as_str());
}
