//! What the interpreter has said, so that it is asked once only.
//!
//! A question is a topic and what its subject is: the message that arrives and what its receiver
//! holds, say. The interpreter notes which further parts of the world it read on the way to its
//! answer. Where the same question is asked and those parts hold the same, the answer is the same,
//! since everything that it follows from is. What further parts an answer depends on is learnt as
//! one goes: when an answer to a question reads a part that earlier ones did not, those are
//! forgotten, and found again.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use crate::engine::levels;
use crate::world::Digest;

use super::vector::Vector;

/// An answer may depend on so many parts beside its subject; one that reads more is not kept.
const PARTS: usize = 6;

/// What a further part of the state is called, for each that an answer depends on.
type Key = [u32; PARTS];

/// A way in which a state changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which parts hold something else, and what.
    pub parts: Vec<(u8, u32)>,
    /// How many copies of the message that is the subject are still in flight.
    pub copies: u8,
    /// What was sent, in the world's order.
    pub sent: Vec<u32>,
    /// What else is to be known of it.
    pub sort: Sort,
}

/// What is to be known of a step beside what it changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sort {
    /// Whether a part that changed may break a property by itself.
    pub suspect: bool,
    /// The name of what is done by it, if that is owed; else, and where nothing is promised, 0.
    pub duty: u32,
    /// Which of the marks that promises are about it puts out, a bit for each.
    pub marks: u16,
    /// Which seats sleep after it, where steps may sleep; of a step that is kept, none.
    pub asleep: u64,
}

impl levels::Step for Sort {
    fn is_suspect(self) -> bool {
        self.suspect
    }

    fn asleep(self) -> u64 {
        self.asleep
    }
}

/// A change as it is kept: in words that lie together, as they are read together. First come how
/// many parts change and how many messages were sent, the copies and the sort; then each part with
/// its name, and then what was sent.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// See [`Change::copies`].
    pub copies: u8,
    /// See [`Change::sort`].
    pub sort: Sort,
    parts: &'a [[u32; 2]],
    /// What was sent.
    pub sent: &'a [u32],
}

impl Step<'_> {
    /// Which parts hold something else after it, and what.
    #[inline]
    pub fn parts(self) -> impl Iterator<Item = (usize, u32)> {
        self.parts.iter().map(|[part, name]| (*part as usize, *name))
    }
}

/// The words before those of the parts.
const HEAD: usize = 4;

/// The steps of one answer, each of which is known by where its words begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub first: u32,
    /// Where the words of the last end.
    pub end: u32,
    /// The parts beside the subject that the answer depends on, a bit each.
    pub reads: u64,
}

/// Where the answers to a question are: 0 where it was never asked.
pub type Place = u32;

/// The place of the answers to questions that have only one, which is that nothing happens.
pub const NOTHING: Place = 1;

/// From here on a place is that of one step, which is the answer to a question that has no other.
const ALWAYS: Place = 1 << 31;

#[derive(Debug)]
struct Answers {
    /// The parts that they depend on.
    reads: Vec<u8>,
    known: HashMap<Key, Span, BuildHasherDefault<Digest>>,
    always: Option<Span>,
}

/// What the memory says to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// These steps.
    Steps(Span),
    /// It does not know.
    Unknown,
}

/// All answers so far.
#[derive(Debug, Default)]
pub struct Memo {
    steps: Vec<u32>,
    answers: Vec<Answers>,
    /// The first of the steps that are not kept, if there are any.
    passing: Option<u32>,
}

impl Memo {
    /// A step.
    #[inline]
    pub fn step(&self, at: u32) -> Step<'_> {
        let words = &self.steps[at as usize..];
        let [sizes, known, duty, copies] = words[..HEAD] else { unreachable!("a step has a head") };
        let (parts, sent) = (sizes as usize & 0xff, sizes as usize >> 8);
        let sort = Sort { suspect: known >> 16 != 0, duty, marks: known as u16, asleep: 0 };
        let (parts, rest) = words[HEAD..].split_at(2 * parts);
        Step { copies: copies as u8, sort, parts: parts.as_chunks().0, sent: &rest[..sent] }
    }

    /// The step after another of the same answer.
    #[inline]
    pub fn after(&self, at: u32) -> u32 {
        let sizes = self.steps[at as usize];
        at + HEAD as u32 + 2 * (sizes & 0xff) + (sizes >> 8)
    }

    /// The steps of an answer.
    pub fn steps(&self, span: Span) -> impl Iterator<Item = u32> {
        let first = Some(span.first).filter(|first| *first < span.end);
        std::iter::successors(first, move |at| {
            Some(self.after(*at)).filter(|next| *next < span.end)
        })
    }

    fn keep(&mut self, change: &Change) {
        let parts = u8::try_from(change.parts.len()).expect("a world has fewer parts");
        let Sort { suspect, duty, marks, .. } = change.sort;
        let sizes = u32::from(parts) | (change.sent.len() as u32) << 8;
        let known = u32::from(marks) | u32::from(suspect) << 16;
        self.steps.extend([sizes, known, duty, change.copies.into()]);
        self.steps.extend(change.parts.iter().flat_map(|(part, name)| [u32::from(*part), *name]));
        self.steps.extend(&change.sent);
    }

    /// What is known at a place where there may be something, for a state.
    #[inline]
    pub fn recall(&self, place: Place, state: &Vector) -> Known {
        if place == NOTHING {
            return Known::Steps(Span { first: 0, end: 0, reads: 0 });
        }
        if place >= ALWAYS {
            let first = place - ALWAYS;
            return Known::Steps(Span { first, end: self.after(first), reads: 0 });
        }
        let Some(answers) = (place as usize).checked_sub(2).map(|n| &self.answers[n]) else {
            return Known::Unknown;
        };
        if let Some(span) = answers.always {
            return Known::Steps(span);
        }
        let key = key_of(&answers.reads, state);
        answers.known.get(&key).map_or(Known::Unknown, |span| Known::Steps(*span))
    }

    /// Learns the answer for a state: its steps, and the parts beside the subject that it read.
    /// Returns where the answers to the question are from now on.
    pub fn learn(
        &mut self,
        place: Place,
        state: &Vector,
        reads: &[u8],
        changes: &[Change],
    ) -> (Place, Span) {
        let first = self.steps.len() as u32;
        changes.iter().for_each(|change| self.keep(change));
        let span = Span { first, end: self.steps.len() as u32, reads: bits(reads) };
        if place == 0 && reads.is_empty() && span.first == span.end {
            return (NOTHING, span);
        }
        if place == 0 && reads.is_empty() && changes.len() == 1 && first < ALWAYS {
            return (ALWAYS + first, span);
        }
        let n = (place as usize).checked_sub(2).unwrap_or(self.answers.len());
        if n == self.answers.len() {
            let known = HashMap::default();
            self.answers.push(Answers { reads: Vec::new(), known, always: None });
        }
        let answers = &mut self.answers[n];
        let more = reads.iter().copied().filter(|part| !answers.reads.contains(part));
        let more: Vec<u8> = more.collect();
        if !more.is_empty() {
            answers.reads.extend(more);
            answers.known.clear();
        }
        match answers.reads.len() {
            0 => answers.always = Some(span),
            few if few <= PARTS => {
                let key = key_of(&answers.reads, state);
                answers.known.insert(key, span);
            }
            _ => self.passing = Some(first),
        }
        (n as u32 + 2, span)
    }

    /// Keeps the steps of the last answer after all, if it reads too much to be found again.
    pub fn keep_passing(&mut self) {
        self.passing = None;
    }

    /// Forgets the steps of an answer that reads too much to be kept.
    pub fn let_go(&mut self) {
        if let Some(first) = self.passing.take() {
            self.steps.truncate(first as usize);
        }
    }
}

/// Places by row and column. It is dense as long as that takes little room; and since nothing
/// happens at most of them, a bit for each says so, in a cache that has no room for the places.
#[derive(Debug, Default)]
pub struct Grid {
    width: usize,
    dense: Vec<Place>,
    nothing: Vec<u64>,
    sparse: HashMap<(u32, u32), Place, BuildHasherDefault<Digest>>,
}

/// The cells that a grid keeps densely.
const DENSE: usize = 1 << 24;

impl Grid {
    /// Whether it is known that nothing happens there.
    #[inline]
    pub fn is_nothing(&self, row: u32, column: u32) -> bool {
        let at = row as usize * self.width + column as usize;
        let known = (column as usize) < self.width && at < self.dense.len();
        known && self.nothing[at / 64] >> (at % 64) & 1 == 1
    }

    /// The place there; 0 if there is none.
    #[inline]
    pub fn get(&self, row: u32, column: u32) -> Place {
        let (row_at, at) = (row as usize * self.width, column as usize);
        if at < self.width && row_at + at < self.dense.len() {
            return self.dense[row_at + at];
        }
        if self.sparse.is_empty() {
            return 0;
        }
        self.sparse.get(&(row, column)).copied().unwrap_or(0)
    }

    /// Puts a place there.
    pub fn set(&mut self, row: u32, column: u32, place: Place) {
        let (row_at, at) = (row as usize, column as usize);
        if at >= self.width {
            self.widen((at + 1).next_power_of_two());
        }
        if at < self.width && (row_at + 1) * self.width <= DENSE {
            if self.dense.len() < (row_at + 1) * self.width {
                self.dense.resize((row_at + 1) * self.width, 0);
                self.nothing.resize(self.dense.len().div_ceil(64), 0);
            }
            let at = row_at * self.width + at;
            self.dense[at] = place;
            if place == NOTHING {
                self.nothing[at / 64] |= 1 << (at % 64);
            }
        } else {
            self.sparse.insert((row, column), place);
        }
    }

    fn widen(&mut self, width: usize) {
        let rows = self.dense.len().checked_div(self.width).unwrap_or(0);
        if (rows + 1) * width > DENSE {
            return;
        }
        let mut wider = vec![0; rows * width];
        for row in 0..rows {
            let old = &self.dense[row * self.width..(row + 1) * self.width];
            wider[row * width..row * width + self.width].copy_from_slice(old);
        }
        (self.width, self.dense) = (width, wider);
        self.nothing = vec![0; self.dense.len().div_ceil(64)];
        for at in (0..self.dense.len()).filter(|at| self.dense[*at] == NOTHING) {
            self.nothing[at / 64] |= 1 << (at % 64);
        }
    }
}

/// Parts as a bit each; there are few where these are asked for.
fn bits(parts: &[u8]) -> u64 {
    parts.iter().fold(0, |bits, part| bits | 1 << (part % 64))
}

fn key_of(reads: &[u8], state: &Vector) -> Key {
    let mut key = [0; PARTS];
    for (word, part) in key.iter_mut().zip(reads) {
        *word = state.parts[usize::from(*part)];
    }
    key
}
