//! The map of texts to texts: a key-value store, as clients of a coordination service see it.
//!
//! Keys are independent of one another, so a history can be judged key by key (Herlihy and Wing's
//! locality). Compare-and-set treats a missing key as a value, so that it can create (from
//! nothing) and delete (to nothing): lock recipes need both.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Deed, Kind, Object};

/// A map that is empty at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kv;

/// What may be asked of it; every operation touches one key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Op {
    /// The key that it touches.
    pub key: String,
    /// What it does there.
    pub act: Act,
}

/// What an operation does to its key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Act {
    /// What is there?
    Get,
    /// Let this be there from now on.
    Put(String),
    /// Add this at the end of what is there. A missing key counts as the empty text, and adding
    /// the empty text changes nothing: it does not create the key.
    Append(String),
    /// If `from` is there, or nothing if that is expected, let `to` be there, or nothing.
    Cas {
        /// What is expected.
        from: Option<String>,
        /// What replaces it.
        to: Option<String>,
    },
    /// Let nothing be there.
    Delete,
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ret {
    /// To a get: what is there.
    Value(Option<String>),
    /// To a put, an append or a delete.
    Done,
    /// To a compare-and-set: was there what was expected?
    Swapped(bool),
}

impl Op {
    /// Reads a key.
    pub fn get(key: impl Into<String>) -> Op {
        Op { key: key.into(), act: Act::Get }
    }

    /// Writes a key.
    pub fn put(key: impl Into<String>, value: impl Into<String>) -> Op {
        Op { key: key.into(), act: Act::Put(value.into()) }
    }

    /// Adds at the end of a key's value.
    pub fn append(key: impl Into<String>, text: impl Into<String>) -> Op {
        Op { key: key.into(), act: Act::Append(text.into()) }
    }

    /// Replaces what is expected.
    pub fn cas(key: impl Into<String>, from: Option<&str>, to: Option<&str>) -> Op {
        let act = Act::Cas { from: from.map(str::to_owned), to: to.map(str::to_owned) };
        Op { key: key.into(), act }
    }

    /// Removes a key.
    pub fn delete(key: impl Into<String>) -> Op {
        Op { key: key.into(), act: Act::Delete }
    }
}

impl Object for Kv {
    type State = BTreeMap<String, String>;
    type Op = Op;
    type Ret = Ret;
    /// A text, or nothing.
    type Held = Option<String>;

    fn init(&self) -> Self::State {
        BTreeMap::new()
    }

    fn apply(&self, state: &mut Self::State, Op { key, act }: &Op) -> Ret {
        match act {
            Act::Get => Ret::Value(state.get(key).cloned()),
            Act::Put(value) => {
                state.insert(key.clone(), value.clone());
                Ret::Done
            }
            Act::Append(text) => {
                if !text.is_empty() {
                    state.entry(key.clone()).or_default().push_str(text);
                }
                Ret::Done
            }
            Act::Cas { from, to } => {
                let as_expected = state.get(key) == from.as_ref();
                if as_expected {
                    match to {
                        Some(value) => state.insert(key.clone(), value.clone()),
                        None => state.remove(key),
                    };
                }
                Ret::Swapped(as_expected)
            }
            Act::Delete => {
                state.remove(key);
                Ret::Done
            }
        }
    }

    fn reads(&self, op: &Op) -> bool {
        match &op.act {
            Act::Get => true,
            Act::Cas { from, to } => from == to,
            Act::Append(text) => text.is_empty(),
            Act::Put(_) | Act::Delete => false,
        }
    }

    fn silent(&self, op: &Op, ret: &Ret) -> bool {
        self.reads(op) || *ret == Ret::Swapped(false)
    }

    fn part(&self, op: &Op) -> Option<String> {
        Some(op.key.clone())
    }

    fn kind(&self) -> Kind {
        Kind::Memory
    }

    fn initial(&self) -> Option<Option<String>> {
        Some(None)
    }

    /// To append is no deed: what is then there is not told by the call alone.
    fn deed(&self, op: &Op, ret: Option<&Ret>) -> Option<Deed<Option<String>>> {
        match (&op.act, ret) {
            (Act::Get, None) => Some(Deed::Read(None)),
            (Act::Get, Some(Ret::Value(value))) => Some(Deed::Read(Some(value.clone()))),
            (Act::Put(value), None | Some(Ret::Done)) => Some(Deed::Write(Some(value.clone()))),
            (Act::Delete, None | Some(Ret::Done)) => Some(Deed::Write(None)),
            (Act::Cas { from, to }, None | Some(Ret::Swapped(_))) => {
                let done = ret.map(|ret| *ret == Ret::Swapped(true));
                Some(Deed::Swap { from: from.clone(), to: to.clone(), done })
            }
            _ => None,
        }
    }
}
