//! A service in one step: one node holds the object, and every operation happens at the moment it
//! is invoked. Its answer comes in a step of its own, so other processes' operations may fall
//! between. It has the fewest states that a service can have, and is for exhausting what is built
//! on it. The object is saved with every change, so it survives crashes.

use std::fmt::Debug;
use std::hash::Hash;

use crate::object::Object;
use crate::protocol::{CallId, Input, NodeId, Outbox, Protocol};

use super::Service;

/// The one node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Atomic<O: Object> {
    me: NodeId,
    state: O::State,
}

impl<O: Object + Eq + Hash> Protocol for Atomic<O> {
    type Config = O;
    type Msg = (CallId, O::Ret);
    type Timer = ();
    type Disk = Option<O::State>;
    type Op = O::Op;
    type Ret = O::Ret;

    fn boot(object: &O, me: NodeId, disk: Self::Disk, _: &mut Outbox<Self>) -> Self {
        Atomic { me, state: disk.unwrap_or_else(|| object.init()) }
    }

    fn step(&mut self, object: &O, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Call(id, op) => {
                let before = self.state.clone();
                let ret = object.apply(&mut self.state, &op);
                if self.state != before {
                    out.save(Some(self.state.clone()));
                    out.sync();
                }
                out.send(self.me, (id, ret));
            }
            Input::Recv(_, (id, ret)) => out.reply(id, ret),
            Input::Fired(()) | Input::Cancel(_) => {}
        }
    }
}

impl<O: Object + Eq + Hash> Service for Atomic<O> {
    type Of = O;
}
