//! A lock that is an entry of a map: it is held by whoever's name is at the lock's key.
//!
//! The folklore of coordination services and of single-instance Redis locks. To acquire is to
//! replace nothing by one's own name, to release is to replace one's own name by nothing; both are
//! compare-and-set. A refused acquire says so, and the caller may call again. There is no lease: a
//! holder that dies keeps the lock.
//!
//! Guarantees: at most one process holds the lock, over every service that is a linearizable map,
//! whichever processes call release: they may do so whatever became of their acquire, as a
//! `finally` clause does. The recipe runs unchanged over one step, one server and a log decided by
//! Paxos. Two broken variants are known from practice: to look first and to write then, and to
//! delete the key without a look at whose it is, which frees another's lock.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::catalogue::{Card, Catalogue};
use crate::object::{Kv, kv};
use crate::protocol::{CallId, Input, NodeId, Outbox, Outcome, ProcessId, Protocol};
use crate::protocols::consensus::synod::Rules;
use crate::protocols::layers::{
    Atomic, Below, Over, Recipe, Replicated, Service, Single, invocation, replicated,
    scenarios::retries, single,
};
use crate::world::{Event, Expect, Faults, Monitor, Numbers, Property, Setup, Turn};

const KEY: &str = "lock";

/// The configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Config {
    /// Broken: looks whether the lock is free, and takes it in a second step.
    pub check_then_set: bool,
    /// Broken: deletes the key, whoever's name is there.
    pub blind_release: bool,
}

/// What processes call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Op {
    /// Take the lock if it is free.
    Acquire,
    /// Free it if it is one's own.
    Release,
}

/// What they get back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ret {
    /// The lock is the caller's.
    Acquired,
    /// It is another's.
    Busy,
    /// It is no longer the caller's.
    Released,
}

/// A call in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Pending {
    call: CallId,
    op: Op,
    invoked: u16,
}

/// The recipe at one node: the calls in progress, and which of the node's processes hold the lock
/// as far as they know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KvLock {
    pending: BTreeMap<ProcessId, Pending>,
    held: BTreeSet<ProcessId>,
}

impl Protocol for KvLock {
    type Config = Config;
    type Msg = Below<kv::Op, kv::Ret>;
    type Timer = ();
    type Disk = ();
    type Op = Op;
    type Ret = Ret;

    fn boot(_: &Config, _: NodeId, (): (), _: &mut Outbox<Self>) -> Self {
        KvLock { pending: BTreeMap::new(), held: BTreeSet::new() }
    }

    fn step(&mut self, cfg: &Config, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Call(call, op) => {
                let name = call.process.to_string();
                self.pending.insert(call.process, Pending { call, op, invoked: 0 });
                let first = match op {
                    Op::Acquire if cfg.check_then_set => kv::Op::get(KEY),
                    Op::Acquire => kv::Op::cas(KEY, None, Some(&name)),
                    Op::Release if cfg.blind_release => kv::Op::delete(KEY),
                    Op::Release => kv::Op::cas(KEY, Some(&name), None),
                };
                // A process that wants to release has left, however the release turns out.
                if op == Op::Release && self.held.remove(&call.process) {
                    out.mark("leaves", call.process.0.into());
                }
                self.invoke(call.process, first, out);
            }
            Input::Recv(_, Below::Returned(id, outcome)) => self.returned(id, outcome, out),
            Input::Cancel(call) => {
                self.pending.retain(|_, pending| pending.call != call);
            }
            Input::Recv(..) | Input::Fired(()) => {}
        }
    }
}

impl Recipe for KvLock {
    type Lower = Kv;
}

impl KvLock {
    fn invoke(&mut self, process: ProcessId, op: kv::Op, out: &mut Outbox<Self>) {
        if let Some(pending) = self.pending.get_mut(&process) {
            out.invoke(invocation(pending.call, pending.invoked), op);
            pending.invoked += 1;
        }
    }

    fn returned(&mut self, id: CallId, outcome: Outcome<kv::Ret>, out: &mut Outbox<Self>) {
        let Some(Pending { call, op, .. }) = self.pending.get(&id.process).copied() else { return };
        let ret = match (op, outcome) {
            (_, Outcome::Unknown) => {
                self.pending.remove(&id.process);
                return out.give_up(call);
            }
            (_, Outcome::Failed) => {
                self.pending.remove(&id.process);
                return out.fail(call);
            }
            (Op::Acquire, Outcome::Ok(kv::Ret::Value(None))) => {
                return self.invoke(id.process, kv::Op::put(KEY, id.process.to_string()), out);
            }
            (Op::Acquire, Outcome::Ok(kv::Ret::Done | kv::Ret::Swapped(true))) => {
                self.held.insert(id.process);
                out.mark("enters", id.process.0.into());
                Ret::Acquired
            }
            (Op::Acquire, Outcome::Ok(_)) => {
                out.mark("waited", id.process.0.into());
                Ret::Busy
            }
            (Op::Release, Outcome::Ok(_)) => Ret::Released,
        };
        self.pending.remove(&id.process);
        out.reply(call, ret);
    }
}

/// At most one process is inside: between the end of a successful acquire and its release. A
/// process whose node crashes is inside no more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct MutualExclusion {
    inside: BTreeSet<(NodeId, u64)>,
}

impl<S: Service<Of = Kv>> Monitor<Over<KvLock, S>> for MutualExclusion {
    fn observe(
        &mut self,
        _: &(Config, S::Config),
        event: &Event<'_, Over<KvLock, S>>,
    ) -> Result<(), String> {
        match event {
            Event::Marked(node, mark) if mark.name == "enters" => {
                self.inside.insert((*node, mark.value));
            }
            Event::Marked(node, mark) if mark.name == "leaves" => {
                self.inside.remove(&(*node, mark.value));
            }
            Event::Crashed(node) => self.inside.retain(|(at, _)| at != node),
            _ => {}
        }
        if self.inside.len() > 1 { Err(format!("inside: {:?}", self.inside)) } else { Ok(()) }
    }
}

/// Every process acquires and releases in turn, and releases whatever became of its acquire.
fn setup<S: Service<Of = Kv> + Clone + Eq + Send + Sync>(
    config: (Config, S::Config),
    numbers: &Numbers,
    home: impl Fn(u16) -> NodeId + Send + Sync + 'static,
) -> Setup<Over<KvLock, S>> {
    let calls = numbers.calls;
    let script = move |turn: &Turn<'_, Over<KvLock, S>>| {
        let op = if turn.number.is_multiple_of(2) { Op::Acquire } else { Op::Release };
        (u32::from(turn.number) < calls).then(|| (home(turn.program), op))
    };
    Setup {
        properties: vec![Property::events("mutual exclusion", MutualExclusion::default())],
        sometimes: vec!["enters", "leaves", "waited"],
        ..Setup::new(config, numbers, script)
    }
}

/// Over one step: all processes are at the one node.
fn over_step(config: Config, numbers: &Numbers) -> Setup<Over<KvLock, Atomic<Kv>>> {
    let numbers = Numbers { nodes: 1, ..numbers.clone() };
    setup((config, Kv), &numbers, |_| NodeId(0))
}

/// Over one server, node 0: each process has a node of its own.
fn over_server(numbers: &Numbers) -> Setup<Over<KvLock, Single<Kv>>> {
    let numbers = Numbers { nodes: numbers.clients + 1, ..numbers.clone() };
    let below = single::Config { object: Kv, retries: retries(&numbers), forgets: false };
    setup((Config::default(), below), &numbers, |n| NodeId(n as u8 + 1))
}

/// Over Paxos: the processes are spread over the servers.
fn over_paxos(numbers: &Numbers) -> Setup<Over<KvLock, Replicated<Kv>>> {
    let servers = numbers.nodes as u8;
    let below = replicated::Config {
        object: Kv,
        rules: Rules::of(servers),
        retries: retries(numbers),
        leaps: false,
    };
    setup((Config::default(), below), numbers, move |n| NodeId((n % u16::from(servers)) as u8))
}

/// The scenarios of this file.
pub fn scenarios(catalogue: &mut Catalogue) {
    let size = |nodes, clients, calls, faults| Numbers {
        nodes,
        clients,
        calls,
        faults,
        ..Numbers::default()
    };
    let crashes = |crashes| Faults { crashes, torn: crashes, ..Faults::default() };
    let rough = Faults { losses: 4, duplicates: 4, ..crashes(2) };
    let steps = [
        ("kv-lock/over-step", Config::default(), Expect::Holds, "One step below: holds."),
        (
            "kv-lock/check-then-set",
            Config { check_then_set: true, ..Config::default() },
            Expect::Breaks("mutual exclusion"),
            "Looks, and takes the lock in a second step: two processes find it free.",
        ),
        (
            "kv-lock/blind-release",
            Config { blind_release: true, ..Config::default() },
            Expect::Breaks("mutual exclusion"),
            "Deletes the key without a look: a refused process frees another's lock.",
        ),
    ];
    for (name, config, expect, about) in steps {
        let card = Card {
            name,
            about,
            small: size(1, 3, 4, crashes(1)),
            large: size(1, 5, 20, crashes(3)),
        };
        catalogue.add(card, move |n| Setup { expect, ..over_step(config, n) });
    }
    let card = Card {
        name: "kv-lock/over-server",
        about: "One server below; seeds crash it too, and lose and repeat requests: holds.",
        small: size(3, 2, 2, Faults { losses: 1, duplicates: 1, ..Faults::default() }),
        large: size(6, 5, 20, rough.clone()),
    };
    catalogue.add(card, over_server);
    let card = Card {
        name: "kv-lock/over-paxos",
        about: "A log decided by Paxos below; seeds crash its nodes too: holds.",
        small: size(2, 2, 2, Faults::default()),
        large: size(5, 4, 8, rough),
    };
    catalogue.add(card, over_paxos);
}
