//! An order of calls on any object that respects program order: the search for sequential
//! consistency where calls are more than reads and writes.
//!
//! Where the sessions stand and what state the object is in say all about the future, so no such
//! pair is searched twice; and as in the search for linearizability, what is reached with fewer
//! calls of unknown outcome stands for what is reached with more. A call that changes nothing is
//! taken as soon as its answer is right, and one of unknown outcome only if it changes the state.

use std::collections::{BTreeMap, BTreeSet};

use super::Sequenced;
use super::search::{Board, Fate, INITIAL, Limits, NONE, Seen};
use super::shrinking::{Refute, Shrinking};
use crate::history::Call;
use crate::object::Object;

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interleaved {
    /// An order: indices of calls.
    Order(Vec<usize>),
    /// There is none.
    None,
    /// The budget ran out.
    Spent,
}

/// Judges calls: first those of each part of the object alone, since their order is necessary, then
/// all together.
pub fn judge<O: Object>(object: &O, calls: &[Call<O::Op, O::Ret>], budget: u64) -> Sequenced {
    let parts: Vec<Option<String>> = calls.iter().map(|call| object.part(&call.op)).collect();
    let mut names: BTreeSet<&Option<String>> = parts.iter().collect();
    if names.contains(&None) {
        names.clear();
    }
    let mut board = Board::new(object, calls);
    let (count, mut steps, mut fine) = (names.len(), 0, 0);
    for name in names.into_iter().filter(|_| count > 1).chain([&None]) {
        let fate = |part| if name.is_none() || part == name { Fate::Bound } else { Fate::Out };
        let fates: Vec<Fate> = parts.iter().map(fate).collect();
        // Each part may take an even share of half the budget, and all together the rest.
        let share = if name.is_some() { budget / (2 * count as u64) } else { budget - steps };
        let (found, took) = interleave(&mut board, calls, &fates, Limits::steps(share));
        steps += took;
        match found {
            Interleaved::Order(order) if name.is_none() => return Sequenced::Order(order),
            Interleaved::Order(_) => fine += 1,
            Interleaved::Spent => (),
            Interleaved::None => {
                let searches = Sessions { board: &mut board, calls };
                let mut shrinking = Shrinking::new(object, calls, searches, took);
                shrinking.fates = fates;
                shrinking.run();
                let ((calls, helpless), minimal) = (shrinking.core(), shrinking.minimal);
                return Sequenced::Core { calls, helpless, minimal, part: name.clone() };
            }
        }
    }
    Sequenced::Spent(fine, count)
}

/// Orders that respect each session's.
struct Sessions<'a, 'b, O: Object> {
    board: &'b mut Board<'a, O>,
    calls: &'b [Call<O::Op, O::Ret>],
}

impl<O: Object> Refute for Sessions<'_, '_, O> {
    const REAL_TIME: bool = false;

    fn refutes(&mut self, fates: &[Fate], limits: Limits) -> (Option<bool>, u64) {
        let (found, steps) = interleave(self.board, self.calls, fates, limits);
        let refuted = match found {
            Interleaved::Order(_) => Some(false),
            Interleaved::None => Some(true),
            Interleaved::Spent => None,
        };
        (refuted, steps)
    }
}

/// Searches for an order of the calls on a board, where each has its fate. Returns the steps, too.
pub fn interleave<O: Object>(
    board: &mut Board<'_, O>,
    calls: &[Call<O::Op, O::Ret>],
    fates: &[Fate],
    limits: Limits,
) -> (Interleaved, u64) {
    let mut walk = Walk::new(board, calls, fates, limits);
    let end = walk.run();
    let steps = walk.steps.min(limits.steps);
    let order = walk.order.into_iter().map(|call| call as usize).collect();
    let found = match end {
        Some(true) => Interleaved::Order(order),
        Some(false) => Interleaved::None,
        None => Interleaved::Spent,
    };
    (found, steps)
}

/// A call that may take effect at any time, or never; if it was its session's last, then after the
/// others of that session.
#[derive(Debug)]
struct Loose {
    call: u32,
    after: Option<usize>,
}

/// A moment of the search: how many calls were taken, and what may be called next: the number of a
/// session, or beyond these of a loose call.
#[derive(Debug)]
struct Moment {
    taken: usize,
    open: Vec<u32>,
}

#[derive(Debug)]
struct Walk<'a, 'b, O: Object> {
    board: &'b mut Board<'a, O>,
    invoked: Vec<u64>,
    programs: Vec<Vec<u32>>,
    loose: Vec<Loose>,
    /// For each moment and then for now: the state, where each session stands, and a bit for each
    /// loose call that was not taken.
    words: Vec<u64>,
    width: usize,
    moments: Vec<Moment>,
    order: Vec<u32>,
    seen: Seen,
    steps: u64,
    limits: Limits,
}

impl<'a, 'b, O: Object> Walk<'a, 'b, O> {
    fn new(
        board: &'b mut Board<'a, O>,
        calls: &[Call<O::Op, O::Ret>],
        fates: &[Fate],
        limits: Limits,
    ) -> Self {
        let mut sessions = BTreeMap::<u32, Vec<u32>>::new();
        for (index, call) in (0..).zip(calls) {
            sessions.entry(call.session).or_default().push(index);
        }
        let (mut programs, mut loose) = (Vec::new(), Vec::new());
        for session in sessions.into_values() {
            let fate = |call: &u32| fates[*call as usize];
            let bound =
                |call: &u32| fate(call) == Fate::Bound && board.calls[*call as usize].returned;
            for &call in session.iter().filter(|call| fate(call) != Fate::Out && !bound(call)) {
                let is_last = session.last() == Some(&call) && fate(&call) == Fate::Bound;
                let after = is_last.then_some(programs.len());
                loose.extend((!board.calls[call as usize].reads).then_some(Loose { call, after }));
            }
            programs.push(session.into_iter().filter(bound).collect::<Vec<_>>());
        }
        let same = 1 + programs.len();
        let width = same + loose.len().div_ceil(64);
        let mut words = vec![0; width];
        words[0] = u64::from(INITIAL);
        (0..loose.len()).for_each(|at| words[same + at / 64] |= 1 << (at % 64));
        Walk {
            board,
            invoked: calls.iter().map(|call| call.invoked).collect(),
            programs,
            loose,
            words,
            width,
            moments: Vec::new(),
            order: Vec::new(),
            seen: Seen::new(same, width),
            steps: 0,
            limits,
        }
    }

    /// Whether there is an order; nothing if the limits are reached.
    fn run(&mut self) -> Option<bool> {
        let mut arrived = true;
        loop {
            if arrived {
                self.take_silent();
                if (0..self.programs.len()).all(|program| self.next(program).is_none()) {
                    return Some(true);
                }
                let now = self.words.len() - self.width;
                let fresh = self.seen.insert(&self.words[now..]);
                let open = if fresh { self.open() } else { Vec::new() };
                self.moments.push(Moment { taken: self.order.len(), open });
                self.words.extend_from_within(now..);
            }
            self.words.truncate(self.moments.len() * self.width);
            let Some(moment) = self.moments.last_mut() else { return Some(false) };
            self.order.truncate(moment.taken);
            let Some(choice) = moment.open.pop() else {
                self.moments.pop();
                arrived = false;
                continue;
            };
            self.steps += 1;
            if self.steps > self.limits.steps || self.is_full() {
                return None;
            }
            self.words.extend_from_within((self.moments.len() - 1) * self.width..);
            arrived = self.take(choice as usize);
        }
    }

    fn is_full(&self) -> bool {
        let walk = 8 * self.words.capacity() + size_of::<Moment>() * self.moments.capacity();
        let bytes = || self.seen.bytes() + self.board.machine.bytes() + walk;
        self.steps.is_multiple_of(256) && bytes() > self.limits.bytes
    }

    fn now(&mut self) -> &mut [u64] {
        let start = self.words.len() - self.width;
        &mut self.words[start..]
    }

    fn word(&self, at: usize) -> u64 {
        self.words[self.words.len() - self.width + at]
    }

    /// The session's next call.
    fn next(&self, program: usize) -> Option<u32> {
        self.programs[program].get(self.word(1 + program) as usize).copied()
    }

    /// Takes a choice's call, if its answer is right and it does something that matters.
    fn take(&mut self, choice: usize) -> bool {
        let (program, state) = (choice.checked_sub(self.programs.len()), self.word(0) as u32);
        let call = match program {
            None => self.next(choice).expect("it was found open"),
            Some(at) => self.loose[at].call,
        };
        let known = self.board.calls[call as usize];
        let (after, ret) = self.board.machine.step(state, known.op);
        match program {
            None if known.ret != NONE && known.ret != ret => return false,
            None => self.now()[1 + choice] += 1,
            Some(_) if after == state => return false,
            Some(at) => {
                let first = 1 + self.programs.len();
                self.now()[first + at / 64] &= !(1 << (at % 64));
            }
        }
        self.now()[0] = u64::from(after);
        self.order.push(call);
        true
    }

    fn take_silent(&mut self) {
        let state = self.word(0) as u32;
        for program in 0..self.programs.len() {
            while let Some(call) = self.next(program) {
                let known = self.board.calls[call as usize];
                // An answer that nobody heard might have been another one later.
                let silent = known.silent
                    && (known.ret == NONE
                        || known.ret == self.board.machine.step(state, known.op).1);
                if !silent {
                    break;
                }
                self.order.push(call);
                self.now()[1 + program] += 1;
            }
        }
    }

    /// What may be called next; what was called first comes last, since that is tried first.
    fn open(&self) -> Vec<u32> {
        let programs = self.programs.len();
        let sessions = (0..programs).filter_map(|at| Some((self.next(at)?, at)));
        let mut open: Vec<(u32, usize)> = sessions.collect();
        open.sort_by_key(|(call, _)| std::cmp::Reverse(self.invoked[*call as usize]));
        let waits = |at: &usize| {
            let is_over = self.loose[*at].after.is_none_or(|program| self.next(program).is_none());
            self.word(1 + programs + at / 64) >> (at % 64) & 1 == 1 && is_over
        };
        // Those of unknown outcome are tried when nothing else helps.
        let loose = (0..self.loose.len()).rev().filter(waits).map(|at| programs + at);
        loose.chain(open.into_iter().map(|(_, at)| at)).map(|choice| choice as u32).collect()
    }
}
