//! What is judged: a history of calls on some object, as models see it.
//!
//! A model does not know the object's types. It asks the subject for the accesses to memory that
//! the calls are, or for an order of calls by the object's own rules.

use std::sync::OnceLock;

use super::interleave;
use super::linearizable::{self, Judged};
use super::memory::{Given, Memory};
use super::{Verdict, witness};
use crate::history::{Clock, History};
use crate::object::Object;

/// A history, and the object that was called.
pub trait Subject {
    /// How many calls there are.
    fn size(&self) -> usize;

    /// Whether times order calls of different sessions.
    fn is_timed(&self) -> bool;

    /// What the moments of calls are by a clock, if one measured.
    fn clock(&self) -> Option<&Clock>;

    /// The calls as accesses to memory, or why they are none.
    fn memory(&self) -> Result<&Memory, &String>;

    /// Whether some order respects real time; with a witness that was confirmed.
    fn linearized(&self, budget: u64) -> Judged;

    /// Whether some order respects program order; with a witness that was confirmed.
    fn sequenced(&self, budget: u64) -> Sequenced;

    /// What a core of linearizability says, in words.
    fn tell(&self, core: &super::Core) -> String;
}

/// What was found out about orders that respect each session's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sequenced {
    /// There is one: indices of calls.
    Order(Vec<usize>),
    /// There is none, and these calls show it.
    Core {
        /// Calls whose answers and places in their sessions contradict each other.
        calls: Vec<usize>,
        /// Updates that could not be left out, whenever they took effect, if they did.
        helpless: Vec<usize>,
        /// True if every further reduction was tried.
        minimal: bool,
        /// The part of the object that contradicts itself, if there is one.
        part: Option<String>,
    },
    /// The budget ran out; so many parts of so many have an order by themselves, which is needed.
    Spent(usize, usize),
}

/// A history of an object's calls.
pub struct Calls<'a, O: Object> {
    object: &'a O,
    history: &'a History<O::Op, O::Ret>,
    given: Given,
    memory: OnceLock<Result<Memory, String>>,
}

impl<'a, O: Object> Calls<'a, O> {
    /// Brings an object and its history together, with what is known beside.
    pub fn new(object: &'a O, history: &'a History<O::Op, O::Ret>, given: Given) -> Self {
        Calls { object, history, given, memory: OnceLock::new() }
    }
}

impl<O: Object> Subject for Calls<'_, O> {
    fn size(&self) -> usize {
        self.history.calls().len()
    }

    fn is_timed(&self) -> bool {
        !self.given.untimed
    }

    fn clock(&self) -> Option<&Clock> {
        self.history.clock()
    }

    fn memory(&self) -> Result<&Memory, &String> {
        let seen = || Memory::of(self.object, self.history, &self.given);
        self.memory.get_or_init(seen).as_ref()
    }

    fn linearized(&self, budget: u64) -> Judged {
        let judged = linearizable::judge(self.object, self.history, budget);
        if let Verdict::Holds(found) = &judged.verdict
            && let Err(reason) = witness::confirms(self.object, self.history, &found.order)
        {
            panic!(
                "a witness is refuted by the second checker, a defect of this program: {reason}"
            );
        }
        judged
    }

    fn sequenced(&self, budget: u64) -> Sequenced {
        let calls = self.history.calls();
        let sequenced = interleave::judge(self.object, calls, budget);
        if let Sequenced::Order(order) = &sequenced
            && let Err(reason) = witness::respects_sessions(self.object, calls, order)
        {
            panic!(
                "a witness is refuted by the second checker, a defect of this program: {reason}"
            );
        }
        sequenced
    }

    fn tell(&self, core: &super::Core) -> String {
        super::judge::why_it_is_violated(self.history, core)
    }
}
