//! The semaphore: a number of permits.
//!
//! As with the [mutex](super::mutex), a call that waits is judged by its answer.

use serde::{Deserialize, Serialize};

use super::{Object, Visit};

/// A semaphore that has all its permits at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Semaphore {
    /// How many there are.
    pub permits: usize,
}

/// What may be asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Op {
    /// Give me a permit.
    Acquire,
    /// Here is one back.
    Release,
}

/// What it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ret {
    /// It is done.
    Done,
    /// It can't be: all permits are out, or none is.
    Refused,
}

impl Object for Semaphore {
    /// How many permits it has now.
    type State = usize;
    type Op = Op;
    type Ret = Ret;
    type Held = usize;

    fn init(&self) -> usize {
        self.permits
    }

    fn apply(&self, free: &mut usize, op: &Op) -> Ret {
        match op {
            Op::Acquire if *free > 0 => *free -= 1,
            Op::Release if *free < self.permits => *free += 1,
            Op::Acquire | Op::Release => return Ret::Refused,
        }
        Ret::Done
    }

    fn reads(&self, _op: &Op) -> bool {
        false
    }

    fn silent(&self, _op: &Op, ret: &Ret) -> bool {
        *ret == Ret::Refused
    }

    fn visit(&self, op: &Op) -> Option<Visit> {
        Some(Visit { who: None, comes: *op == Op::Acquire })
    }

    fn owes(&self, op: &Op, ret: Option<&Ret>) -> bool {
        matches!((op, ret), (Op::Acquire, None | Some(Ret::Refused)))
    }
}
