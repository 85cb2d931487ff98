//! A service in one step: one node holds the object, and every operation happens at the moment it
//! is invoked. Its answer comes in a step of its own, so other processes' operations may fall
//! between: this is the canonical atomic object of Lynch's *Distributed Algorithms* (1996, section
//! 13.1), with the invocation as its linearization point.
//!
//! It is linearizable under every fault of the world, since the object is saved with every change
//! and no message leaves its node. It has the fewest states that a service can have, so it is what
//! a recipe is exhausted over; it is the yardstick that other services are judged against, and has
//! no broken variant of its own: those of the recipes above it show that it hides no race.

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
