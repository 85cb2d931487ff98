//! The reader-writer lock: many readers inside, or one writer.
//!
//! As with the [mutex](super::mutex), a call that waits is judged by its answer. Preferring writers
//! is a promise about waiting, which an object knows nothing of.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Object, Visit};

/// A lock with nobody inside at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RwLock;

/// Who is inside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Inside {
    /// These readers; nobody, if there are none.
    Readers(BTreeSet<u32>),
    /// This writer.
    Writer(u32),
}

/// What may be asked of it, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Op {
    /// Let me in for reading.
    Read(u32),
    /// Let me in for writing.
    Write(u32),
    /// I leave.
    Leave(u32),
}

/// What it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ret {
    /// It is done.
    Done,
    /// It can't be: others are inside, or whoever leaves is not.
    Refused,
}

impl Object for RwLock {
    type State = Inside;
    type Op = Op;
    type Ret = Ret;
    type Held = u32;

    fn init(&self) -> Inside {
        Inside::Readers(BTreeSet::new())
    }

    fn apply(&self, inside: &mut Inside, op: &Op) -> Ret {
        let done = match (&mut *inside, *op) {
            (Inside::Readers(readers), Op::Read(who)) => readers.insert(who),
            (Inside::Readers(readers), Op::Leave(who)) => readers.remove(&who),
            (Inside::Readers(readers), Op::Write(who)) if readers.is_empty() => {
                *inside = Inside::Writer(who);
                true
            }
            (Inside::Writer(writer), Op::Leave(who)) if *writer == who => {
                *inside = self.init();
                true
            }
            _ => false,
        };
        if done { Ret::Done } else { Ret::Refused }
    }

    fn reads(&self, _op: &Op) -> bool {
        false
    }

    fn silent(&self, _op: &Op, ret: &Ret) -> bool {
        *ret == Ret::Refused
    }

    fn visit(&self, op: &Op) -> Option<Visit> {
        let (Op::Read(who) | Op::Write(who) | Op::Leave(who)) = *op;
        Some(Visit { who: Some(who), comes: !matches!(op, Op::Leave(_)) })
    }

    fn owes(&self, op: &Op, ret: Option<&Ret>) -> bool {
        matches!((op, ret), (Op::Read(_) | Op::Write(_), None | Some(Ret::Refused)))
    }
}
