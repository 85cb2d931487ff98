//! An object that applies each command once, however often it is told to.
//!
//! A command carries the name of its call. A process has one open call at a time, so it is enough
//! to remember the last command of each process and its answer; anything older is a straggler that
//! nobody waits for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::object::Object;
use crate::protocol::{CallId, ProcessId};

/// The object's state, and each process's last command with its answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Sessions<State, Ret> {
    state: State,
    last: BTreeMap<ProcessId, (u16, Ret)>,
}

/// The sessions of an object.
pub type SessionsOf<O> = Sessions<<O as Object>::State, <O as Object>::Ret>;

impl<State, Ret: Clone> Sessions<State, Ret> {
    /// No command has been applied.
    pub fn new(state: State) -> Self {
        Sessions { state, last: BTreeMap::new() }
    }

    /// Applies a command unless it has been applied; the answer is the first one. `None` if the
    /// process has long gone on. Broken with `forgets`: a repeated command is applied again.
    pub fn apply<O: Object<State = State, Ret = Ret>>(
        &mut self,
        object: &O,
        id: CallId,
        op: &O::Op,
        forgets: bool,
    ) -> Option<Ret> {
        match self.last.get(&id.process) {
            Some((number, ret)) if *number == id.number && !forgets => Some(ret.clone()),
            Some((number, _)) if *number > id.number => None,
            _ => {
                let ret = object.apply(&mut self.state, op);
                self.last.insert(id.process, (id.number, ret.clone()));
                Some(ret)
            }
        }
    }
}
