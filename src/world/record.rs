//! The history of a world: which calls were made and how they ended, in the coarsest form that a
//! scenario's properties need, since every difference in it multiplies the states.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::protocol::{CallId, NodeId, Outcome, ProcessId, Protocol};

use super::{Renaming, Symmetry};

/// What of the order of calls is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HistoryForm {
    /// Nothing: the properties need no history.
    #[default]
    None,
    /// The order of each process's own calls.
    ProgramOrder,
    /// Also which calls returned before which others were made.
    RealTime,
}

/// One call in a history.
///
/// Times are epochs. The epoch advances only at a call that follows a return, so one call precedes
/// another exactly if its `returned` is below the other's `invoked`, and equal orders of intervals
/// have equal epochs.
pub struct Entry<P: Protocol> {
    /// The call.
    pub call: CallId,
    /// Where it was made.
    pub node: NodeId,
    /// What was asked.
    pub op: P::Op,
    /// How it ended; unknown outcomes and open calls have none.
    pub ret: Option<P::Ret>,
    /// Its long answer's items.
    pub items: Vec<P::Ret>,
    /// The epoch of its call; 0 in program order.
    pub invoked: u32,
    /// The epoch of its return; `None` as long as it may still take effect.
    pub returned: Option<u32>,
}

/// A history: each process's calls in their order. Failed calls have left it.
pub struct Record<P: Protocol> {
    form: HistoryForm,
    epoch: u32,
    returned: bool,
    calls: BTreeMap<ProcessId, Vec<Entry<P>>>,
}

impl<P: Protocol> Record<P> {
    /// An empty history.
    pub fn new(form: HistoryForm) -> Self {
        Record { form, epoch: 0, returned: false, calls: BTreeMap::new() }
    }

    /// The form it is kept in.
    pub fn form(&self) -> HistoryForm {
        self.form
    }

    /// All calls, by process and then in program order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry<P>> {
        self.calls.values().flatten()
    }

    /// The history under other names.
    pub fn renamed(&self, symmetry: &Symmetry<P>, by: &Renaming) -> Record<P> {
        let ret = |ret: &P::Ret| (symmetry.ret)(ret, by);
        let entry = |entry: &Entry<P>| Entry {
            call: by.call(entry.call),
            node: by.node(entry.node),
            op: (symmetry.op)(&entry.op, by),
            ret: entry.ret.as_ref().map(ret),
            items: entry.items.iter().map(ret).collect(),
            ..*entry
        };
        let calls = self.calls.iter().map(|(process, calls)| {
            (by.process(*process), calls.iter().map(entry).collect::<Vec<_>>())
        });
        Record { calls: calls.collect(), ..*self }
    }

    pub(super) fn called(&mut self, call: CallId, node: NodeId, op: &P::Op) {
        if self.form == HistoryForm::None {
            return;
        }
        if self.form == HistoryForm::RealTime && self.returned {
            self.epoch += 1;
            self.returned = false;
        }
        let entry = Entry {
            call,
            node,
            op: op.clone(),
            ret: None,
            items: Vec::new(),
            invoked: self.epoch,
            returned: None,
        };
        self.calls.entry(call.process).or_default().push(entry);
    }

    pub(super) fn item(&mut self, call: CallId, ret: &P::Ret) {
        if let Some(entry) = self.open(call) {
            entry.items.push(ret.clone());
        }
    }

    pub(super) fn ended(&mut self, call: CallId, outcome: &Outcome<P::Ret>) {
        let epoch = self.epoch;
        let Some(entry) = self.open(call) else { return };
        match outcome {
            Outcome::Ok(ret) => {
                entry.ret = Some(ret.clone());
                entry.returned = Some(epoch);
                self.returned = self.form == HistoryForm::RealTime;
            }
            Outcome::Unknown => {}
            Outcome::Failed => {
                let calls = self.calls.get_mut(&call.process).expect("the call was just found");
                calls.pop();
                if calls.is_empty() {
                    self.calls.remove(&call.process);
                }
                self.renumber();
            }
        }
    }

    fn open(&mut self, call: CallId) -> Option<&mut Entry<P>> {
        self.calls.get_mut(&call.process)?.last_mut().filter(|entry| entry.call == call)
    }

    /// Numbers the epochs anew after a call has left: within an epoch all calls precede all
    /// returns, so the order of events is known, and playing it again gives the canonical numbers.
    fn renumber(&mut self) {
        if self.form != HistoryForm::RealTime {
            return;
        }
        let mut invoked_in = vec![false; self.epoch as usize + 1];
        let mut returned_in = invoked_in.clone();
        for entry in self.calls.values().flatten() {
            invoked_in[entry.invoked as usize] = true;
            if let Some(epoch) = entry.returned {
                returned_in[epoch as usize] = true;
            }
        }
        let (mut epoch, mut returned) = (0, false);
        let mut anew = Vec::with_capacity(invoked_in.len());
        for (invokes, returns) in invoked_in.into_iter().zip(returned_in) {
            if invokes && returned {
                epoch += 1;
                returned = false;
            }
            anew.push(epoch);
            returned |= returns;
        }
        for entry in self.calls.values_mut().flatten() {
            entry.invoked = anew[entry.invoked as usize];
            entry.returned = entry.returned.map(|old| anew[old as usize]);
        }
        (self.epoch, self.returned) = (epoch, returned);
    }
}

impl<P: Protocol> fmt::Debug for Entry<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} at {}", self.call, self.op, self.node)?;
        if !self.items.is_empty() {
            write!(f, " items {:?}", self.items)?;
        }
        match (&self.ret, self.returned) {
            (Some(ret), Some(end)) => write!(f, " -> {ret:?} [{}, {end}]", self.invoked),
            _ => write!(f, " -> ? [{}, ..", self.invoked),
        }
    }
}

impl<P: Protocol> fmt::Debug for Record<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries()).finish()
    }
}

/// The fields that make two entries equal, since a derive would ask `P` itself to be comparable.
macro_rules! by_fields {
    ($type:ident { $($field:ident),* }) => {
        impl<P: Protocol> Clone for $type<P> {
            fn clone(&self) -> Self {
                $type { $($field: self.$field.clone()),* }
            }
        }
        impl<P: Protocol> PartialEq for $type<P> {
            fn eq(&self, other: &Self) -> bool {
                $(self.$field == other.$field)&&*
            }
        }
        impl<P: Protocol> Eq for $type<P> {}
        impl<P: Protocol> std::hash::Hash for $type<P> {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                $(self.$field.hash(state);)*
            }
        }
    };
}
pub(super) use by_fields;

by_fields!(Entry { call, node, op, ret, items, invoked, returned });
by_fields!(Record { form, epoch, returned, calls });
