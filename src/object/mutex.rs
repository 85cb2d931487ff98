//! The mutex: free, or held by one.
//!
//! A call that waits is judged by its answer: to lock a mutex that is held is [`Ret::Refused`],
//! which a `lock` that waits never returns, and a `try_lock` does. So one operation serves both.

use serde::{Deserialize, Serialize};

use super::{Object, Visit};

/// A mutex that is free at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mutex;

/// What may be asked of it, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Op {
    /// Let me hold it.
    Lock(u32),
    /// I hold it no longer.
    Unlock(u32),
}

/// What it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ret {
    /// It is done.
    Done,
    /// It can't be: somebody holds it, or whoever unlocks it does not.
    Refused,
}

impl Object for Mutex {
    type State = Option<u32>;
    type Op = Op;
    type Ret = Ret;
    type Held = u32;

    fn init(&self) -> Option<u32> {
        None
    }

    fn apply(&self, holder: &mut Option<u32>, op: &Op) -> Ret {
        let (from, to) = match *op {
            Op::Lock(who) => (None, Some(who)),
            Op::Unlock(who) => (Some(who), None),
        };
        if *holder != from {
            return Ret::Refused;
        }
        *holder = to;
        Ret::Done
    }

    fn reads(&self, _op: &Op) -> bool {
        false
    }

    fn silent(&self, _op: &Op, ret: &Ret) -> bool {
        *ret == Ret::Refused
    }

    fn visit(&self, op: &Op) -> Option<Visit> {
        let (Op::Lock(who) | Op::Unlock(who)) = *op;
        Some(Visit { who: Some(who), comes: matches!(op, Op::Lock(_)) })
    }

    fn owes(&self, op: &Op, ret: Option<&Ret>) -> bool {
        matches!((op, ret), (Op::Lock(_), None | Some(Ret::Refused)))
    }
}
