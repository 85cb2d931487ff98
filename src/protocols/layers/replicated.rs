//! A service without a single server: a log of commands, each slot decided by Paxos.
//!
//! Lamport, "The Part-Time Parliament" (1998), section 3, without its leader: every node proposes
//! its own clients' commands in the first slot that it does not know the decision of, and in the
//! next one when it loses. A node answers from its own log once the command is in it, reads
//! included. A node goes to the next slot only when it knows that another command is in this one,
//! so no command is ever in two slots, and applying the log applies each command once.
//!
//! Guarantees: the object is linearizable over links that lose, repeat and reorder, and across
//! crashes of any node, since acceptors are saved before they speak. A call that makes no progress
//! is tried again a bounded number of times and then given up without knowing. The broken variant
//! tries again in a later slot, not knowing what became of the first: a command is chosen twice.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;

use serde::{Deserialize, Serialize};

use crate::object::Object;
use crate::protocol::{CallId, Input, NodeId, Outbox, Protocol};
use crate::protocols::consensus::synod::{self, Acceptor, Answer, Rules, Synod};

use super::Service;

/// The configuration.
#[derive(Clone, Copy, Debug)]
pub struct Config<O> {
    /// What is replicated.
    pub object: O,
    /// The servers (all nodes) and how they vote.
    pub rules: Rules,
    /// How often a command is tried again before it is given up; 0: never either.
    pub retries: u8,
    /// Broken: a command is tried again in a later slot.
    pub leaps: bool,
}

/// A slot's number.
pub type Slot = u16;

/// A call and its operation, as the log holds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Command<Op> {
    id: CallId,
    op: Op,
}

type Log<Op> = BTreeMap<Slot, Acceptor<Command<Op>>>;

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replicated<O: Object> {
    me: NodeId,
    slots: BTreeMap<Slot, Synod<Command<O::Op>>>,
    /// The first slot that has not been applied.
    next: Slot,
    state: O::State,
    /// The node's own calls, and how often each was tried again.
    open: BTreeMap<CallId, (O::Op, u8)>,
}

impl<O: Object + Eq + Hash> Protocol for Replicated<O> {
    type Config = Config<O>;
    type Msg = (Slot, synod::Msg<Command<O::Op>>);
    type Timer = CallId;
    type Disk = Log<O::Op>;
    type Op = O::Op;
    type Ret = O::Ret;

    fn boot(cfg: &Config<O>, me: NodeId, log: Log<O::Op>, out: &mut Outbox<Self>) -> Self {
        let slots = log.into_iter().map(|(slot, acceptor)| (slot, Synod::of(acceptor))).collect();
        let state = cfg.object.init();
        let mut node = Replicated { me, slots, next: 0, state, open: BTreeMap::new() };
        node.apply(cfg, out);
        node
    }

    fn step(&mut self, cfg: &Config<O>, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Call(id, op) => {
                self.open.insert(id, (op, 0));
                if cfg.retries > 0 {
                    out.arm(id, 10..=20);
                }
                if !self.proposes() {
                    self.propose(cfg, out);
                }
            }
            Input::Recv(from, (slot, msg)) => self.vote(cfg, from, slot, msg, out),
            Input::Fired(id) => match self.open.get_mut(&id) {
                Some((_, tried)) if *tried < cfg.retries => {
                    *tried += 1;
                    out.arm(id, 10..=20);
                    self.propose(cfg, out);
                }
                Some(_) => {
                    self.open.remove(&id);
                    out.give_up(id);
                }
                None => {}
            },
            Input::Cancel(id) => {
                if self.open.remove(&id).is_some() && cfg.retries > 0 {
                    out.disarm(id);
                }
            }
        }
    }
}

impl<O: Object + Eq + Hash> Service for Replicated<O> {
    type Of = O;
}

impl<O: Object + Eq + Hash> Replicated<O> {
    /// Whether this node leads a ballot in the slot that it waits for.
    fn proposes(&self) -> bool {
        self.slots.get(&self.next).is_some_and(|synod| synod.proposer.is_some())
    }

    /// Proposes the node's oldest call in the first slot that is open as far as it knows.
    fn propose(&mut self, cfg: &Config<O>, out: &mut Outbox<Self>) {
        let Some((id, (op, tried))) = self.open.first_key_value() else { return };
        let command = Command { id: *id, op: op.clone() };
        let slot = self.next + if cfg.leaps { Slot::from(*tried) } else { 0 };
        let synod = self.slots.entry(slot).or_insert_with(|| Synod::of(Acceptor::default()));
        let prepare = synod.propose(self.me, command);
        self.save(out);
        out.broadcast(cfg.rules.others(self.me), (slot, prepare));
    }

    /// Takes another server's message: what it changes is saved before it is answered.
    fn vote(
        &mut self,
        cfg: &Config<O>,
        from: NodeId,
        slot: Slot,
        msg: synod::Msg<Command<O::Op>>,
        out: &mut Outbox<Self>,
    ) {
        let mut synod = self.slots.get(&slot).cloned().unwrap_or(Synod::of(Acceptor::default()));
        let voted = synod.acceptor.clone();
        let answer = synod.hear(&cfg.rules, self.me, from, msg);
        if synod.acceptor.decided {
            synod.proposer = None;
        }
        let changed = synod.acceptor != voted;
        if synod != Synod::of(Acceptor::default()) {
            self.slots.insert(slot, synod);
        }
        if changed {
            self.save(out);
        }
        match answer {
            Answer::Silence => {}
            Answer::Back(msg) => out.send(from, (slot, msg)),
            Answer::All(msg) | Answer::Chosen(msg) => {
                out.broadcast(cfg.rules.others(self.me), (slot, msg));
            }
        }
        let before = self.next;
        self.apply(cfg, out);
        if self.next > before && !self.proposes() {
            self.propose(cfg, out);
        }
    }

    /// Applies what is decided, in the log's order, and answers the node's own calls.
    fn apply(&mut self, cfg: &Config<O>, out: &mut Outbox<Self>) {
        while let Some(Command { id, op }) = self.slots.get(&self.next).and_then(Synod::decision) {
            let ret = cfg.object.apply(&mut self.state, op);
            let id = *id;
            self.next += 1;
            if self.open.remove(&id).is_some() {
                if cfg.retries > 0 {
                    out.disarm(id);
                }
                out.reply(id, ret);
            } else {
                out.mark("follows", id.process.0.into());
            }
        }
    }

    fn save(&self, out: &mut Outbox<Self>) {
        out.save(self.slots.iter().map(|(n, synod)| (*n, synod.acceptor.clone())).collect());
        out.sync();
    }
}
