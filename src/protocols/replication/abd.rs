//! An atomic register on replicas of which a majority is up.
//!
//! Attiya, Bar-Noy and Dolev, Sharing memory robustly in message-passing systems (JACM 1995), with
//! one writer; Lynch and Shvartsman, Robust emulation of shared memory using dynamic
//! quorum-acknowledged broadcasts (FTCS 1997), with many. Every node is a replica, which keeps the
//! value of the highest stamp that it has seen, and coordinates the calls made at it in two phases,
//! each with a majority: *query* for the highest stamp, then *record* a value under one. A write
//! records its own value under a higher stamp; a read records what it found, so that no later read
//! finds less. The one writer knows its last stamp and needs no query.
//!
//! Histories are linearizable under asynchronous links that lose, duplicate and reorder, and under
//! crashes, torn steps and lost saves: a replica's value is on disk before anybody counts on it.
//! Calls return while a majority is up and no more messages are swallowed than there are resends.
//!
//! Stamps carry the process beside the number. Two processes may write through one node at a time,
//! and after a crash a new process goes on, so a node's name would not tell their writes apart.
//! What becomes of writes that share a stamp takes two reads to see: that is for the large world,
//! while the small one shows that two writers do take one number.
//!
//! `no-write-back` leaves out the second phase of reads: a new value is read and then an old one.
//! `volatile` saves nothing: a replica that restarts has forgotten a write that it acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::catalogue::{Card, Catalogue};
use crate::object::{Register, register};
use crate::protocol::{CallId, Input, NodeId, Outbox, ProcessId, Protocol};
use crate::world::{
    Expect, Faults, HistoryForm, Interchange, Numbers, Property, Renaming, Setup, Symmetry, Turn,
};

/// What the register holds.
pub type Data = u32;
/// Reads and writes.
pub type Op = register::Op<Data>;
/// What they return.
pub type Ret = register::Ret<Data>;

/// The size, and the switches.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many replicas there are.
    pub nodes: u8,
    /// How many times a phase sends again to those that have not answered.
    pub resends: u32,
    /// How long it waits before that.
    pub wait: u32,
    /// Whether all writes are made at one node, one at a time, and need no query.
    pub single_writer: bool,
    /// Whether a read records what it found.
    pub writes_back: bool,
    /// Whether a replica saves its value before it counts.
    pub durable: bool,
}

/// Orders writes: by number, and those of one number by their processes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Stamp {
    /// One more than the writer found.
    pub number: u32,
    /// The writer, from 1; the initial value has none.
    pub writer: u32,
}

/// A value under its stamp.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Stamped {
    /// Which write wrote it.
    pub stamp: Stamp,
    /// The value.
    pub data: Data,
}

/// What nodes send each other; a call and the kind of message name a phase, so that no answer is
/// counted for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Msg {
    /// What do you hold?
    Query(CallId),
    /// This.
    Holds(CallId, Stamped),
    /// Hold this, unless you hold newer.
    Record(CallId, Stamped),
    /// Done.
    Recorded(CallId),
}

/// The one timer of each call: its phase sends again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Resend(pub CallId);

/// What a phase is to find out or to bring about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Goal {
    /// Find the highest stamp.
    Query { op: Op, highest: Stamped },
    /// Bring a value to a majority, and then answer.
    Record { ret: Ret, stamped: Stamped },
}

/// A call in one of its phases.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Phase {
    goal: Goal,
    /// Who has answered, the coordinator included.
    heard: BTreeSet<NodeId>,
    /// How often it may still send again.
    resends: u32,
}

/// A node: a replica, and the calls that it coordinates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Abd {
    me: NodeId,
    replica: Stamped,
    calls: BTreeMap<CallId, Phase>,
}

impl Protocol for Abd {
    type Config = Config;
    type Msg = Msg;
    type Timer = Resend;
    type Disk = Stamped;
    type Op = Op;
    type Ret = Ret;

    fn boot(_: &Config, me: NodeId, replica: Stamped, out: &mut Outbox<Self>) -> Self {
        if replica != Stamped::default() {
            out.mark("comes back with a value", replica.data.into());
        }
        Abd { me, replica, calls: BTreeMap::new() }
    }

    fn step(&mut self, cfg: &Config, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Call(call, Op::Write(data)) if cfg.single_writer => {
                self.write(cfg, call, data, self.replica.stamp, out);
            }
            Input::Call(call, op) => {
                let highest = self.replica;
                self.begin(cfg, call, Goal::Query { op, highest }, out);
            }
            Input::Recv(from, Msg::Query(call)) => out.send(from, Msg::Holds(call, self.replica)),
            Input::Recv(from, Msg::Record(call, stamped)) => {
                self.hold(cfg, stamped, out);
                out.send(from, Msg::Recorded(call));
            }
            Input::Recv(from, Msg::Holds(call, held)) => {
                if let Some(Phase { goal: Goal::Query { highest, .. }, heard, .. }) =
                    self.calls.get_mut(&call)
                {
                    *highest = held.max(*highest);
                    heard.insert(from);
                    self.finish(cfg, call, out);
                }
            }
            Input::Recv(from, Msg::Recorded(call)) => {
                if let Some(Phase { goal: Goal::Record { .. }, heard, .. }) =
                    self.calls.get_mut(&call)
                {
                    heard.insert(from);
                    self.finish(cfg, call, out);
                }
            }
            Input::Fired(Resend(call)) => {
                if let Some(phase) = self.calls.get_mut(&call) {
                    phase.resends -= 1;
                    out.mark("sends again", call.number.into());
                    self.ask(cfg, call, out);
                }
            }
            Input::Cancel(call) => {
                self.calls.remove(&call);
                out.disarm(Resend(call));
            }
        }
    }
}

impl Abd {
    /// Starts a phase of a call. This node's own answer needs no message.
    fn begin(&mut self, cfg: &Config, call: CallId, goal: Goal, out: &mut Outbox<Self>) {
        if let Goal::Record { stamped, .. } = goal {
            self.hold(cfg, stamped, out);
        }
        let heard = BTreeSet::from([self.me]);
        self.calls.insert(call, Phase { goal, heard, resends: cfg.resends });
        self.ask(cfg, call, out);
        self.finish(cfg, call, out);
    }

    /// Sends a phase's message to those that have not answered.
    fn ask(&self, cfg: &Config, call: CallId, out: &mut Outbox<Self>) {
        let phase = &self.calls[&call];
        let msg = match phase.goal {
            Goal::Query { .. } => Msg::Query(call),
            Goal::Record { stamped, .. } => Msg::Record(call, stamped),
        };
        out.broadcast(NodeId::all(cfg.nodes).filter(|node| !phase.heard.contains(node)), msg);
        if phase.resends > 0 {
            out.arm(Resend(call), cfg.wait);
        }
    }

    /// Goes on to the next phase, or answers, once a majority has been heard.
    fn finish(&mut self, cfg: &Config, call: CallId, out: &mut Outbox<Self>) {
        if self.calls[&call].heard.len() <= usize::from(cfg.nodes) / 2 {
            return;
        }
        let Some(phase) = self.calls.remove(&call) else { return };
        if phase.resends > 0 {
            out.disarm(Resend(call));
        }
        match phase.goal {
            Goal::Record { ret, .. } => out.reply(call, ret),
            Goal::Query { op: Op::Write(data), highest } => {
                self.write(cfg, call, data, highest.stamp, out);
            }
            Goal::Query { op: Op::Read, highest } if cfg.writes_back => {
                if highest > self.replica {
                    out.mark("a read writes back", highest.data.into());
                }
                let ret = Ret::Value(highest.data);
                self.begin(cfg, call, Goal::Record { ret, stamped: highest }, out);
            }
            Goal::Query { op: Op::Read, highest } => out.reply(call, Ret::Value(highest.data)),
        }
    }

    /// Records a write under the next stamp.
    fn write(
        &mut self,
        cfg: &Config,
        call: CallId,
        data: Data,
        last: Stamp,
        out: &mut Outbox<Self>,
    ) {
        let ProcessId(writer) = call.process;
        let stamp = Stamp { number: last.number + 1, writer: u32::from(writer) + 1 };
        let stamped = Stamped { stamp, data };
        self.begin(cfg, call, Goal::Record { ret: Ret::Done, stamped }, out);
    }

    /// Holds a value if it is newer, on disk too.
    fn hold(&mut self, cfg: &Config, stamped: Stamped, out: &mut Outbox<Self>) {
        let (old, new) = (self.replica.stamp, stamped.stamp);
        if old.number == new.number && old.writer != new.writer {
            out.mark("two writers take one number", new.number.into());
        }
        if new > old {
            self.replica = stamped;
            if cfg.durable {
                out.save(stamped);
                out.sync();
            }
        }
    }
}

/// Replicas and readers are known by their names only; stamps hold the writers' names, and order
/// them, so that writers are not interchangeable.
impl Interchange for Abd {
    fn renamed(&self, by: &Renaming) -> Self {
        let phase = |(call, phase): (&CallId, &Phase)| {
            (by.call(*call), Phase { heard: by.nodes(&phase.heard), ..phase.clone() })
        };
        Abd { me: by.node(self.me), calls: self.calls.iter().map(phase).collect(), ..*self }
    }

    fn renamed_msg(msg: &Msg, by: &Renaming) -> Msg {
        match *msg {
            Msg::Query(call) => Msg::Query(by.call(call)),
            Msg::Holds(call, held) => Msg::Holds(by.call(call), held),
            Msg::Record(call, stamped) => Msg::Record(by.call(call), stamped),
            Msg::Recorded(call) => Msg::Recorded(by.call(call)),
        }
    }

    fn renamed_timer(Resend(call): &Resend, by: &Renaming) -> Resend {
        Resend(by.call(*call))
    }
}

/// Where each program makes one call there is one writer at most, and readers stay at their nodes:
/// nodes with as many readers are interchangeable, but for the writer's.
fn readers_are_alike(config: &Config, numbers: &Numbers) -> Option<Symmetry<Abd>> {
    let stay = config.single_writer && numbers.calls == 1;
    let homes = (0..numbers.clients).map(|n| NodeId((n % numbers.nodes) as u8));
    let alike: Vec<_> = NodeId::all(config.nodes).skip(1).collect();
    stay.then(|| Symmetry::of(&alike, config.nodes, &homes.collect::<Vec<_>>())).flatten()
}

/// Program 0 writes at node 0, half as many calls as the others make. These go from node to node
/// and read or, where everybody writes, write and read in turn.
fn script(
    config: &Config,
    numbers: &Numbers,
) -> impl Fn(&Turn<'_, Abd>) -> Option<(NodeId, Op)> + use<> {
    let Numbers { calls, clients, .. } = *numbers;
    let (nodes, all_write) = (u32::from(config.nodes), !config.single_writer);
    move |turn| {
        let (program, number) = (u32::from(turn.program), u32::from(turn.number));
        let write = Op::Write(1 + program + clients * number);
        let (most, node, op) = match program {
            0 => (calls.div_ceil(2), 0, write),
            _ if all_write && number.is_multiple_of(2) => (calls, program + number, write),
            _ => (calls, program + number, Op::Read),
        };
        let node = NodeId(u8::try_from(node % nodes).expect("numbers are validated"));
        (number < most).then_some((node, op))
    }
}

/// The set-up of a variant of the correct protocol.
fn setup(numbers: &Numbers, variant: impl Fn(Config) -> Config) -> Setup<Abd> {
    let faults = &numbers.faults;
    let config = variant(Config {
        nodes: u8::try_from(numbers.nodes).expect("numbers are validated"),
        // A majority of three bears one swallowed message without a resend.
        resends: (faults.losses + faults.crashes).saturating_sub(1),
        wait: 4,
        single_writer: true,
        writes_back: true,
        durable: true,
    });
    let linearizable = |op: &Op, ret: Option<&Ret>| Some((*op, ret.copied()));
    let script = script(&config, numbers);
    let symmetry = readers_are_alike(&config, numbers);
    Setup {
        history: HistoryForm::RealTime,
        properties: vec![Property::linearizable(Register::default(), linearizable)],
        symmetry,
        ..Setup::new(config, numbers, script)
    }
}

/// The set-up of a variant that is not linearizable.
fn broken(numbers: &Numbers, variant: impl Fn(Config) -> Config) -> Setup<Abd> {
    Setup { expect: Expect::Breaks("linearizable"), ..setup(numbers, variant) }
}

/// Adds the scenarios. The small worlds without crashes are those of the classical
/// counterexample, one write and two reads; crashes leave room for one read.
pub fn scenarios(catalogue: &mut Catalogue) {
    let calm = Numbers { nodes: 3, clients: 2, calls: 2, ..Numbers::default() };
    let faults = Faults { crashes: 1, torn: 1, lost_saves: 1, ..Faults::default() };
    let crashing = Numbers { calls: 1, faults, ..calm.clone() };
    let faults = Faults {
        losses: 3,
        duplicates: 3,
        partitions: 2,
        crashes: 3,
        torn: 2,
        lost_saves: 2,
        pauses: 1,
        cancels: 1,
        ..Faults::default()
    };
    let large = Numbers { nodes: 5, clients: 4, calls: 6, faults, ..Numbers::default() };
    let card = |name, about, small: &Numbers| {
        // Among three replicas a crash is more likely to hit one that somebody counts on.
        let nodes = if *small == crashing { 3 } else { large.nodes };
        let large = Numbers { nodes, ..large.clone() };
        Card { name, about, small: small.clone(), large }
    };
    let single = "One writer, whose own stamps order the writes, and readers that write back.";
    catalogue.add(card("abd/single-writer", single, &calm), |numbers| Setup {
        sometimes: vec!["a read writes back"],
        ..setup(numbers, |config| config)
    });
    let multi = "Many writers: each asks a majority for the highest stamp, and takes the next.";
    catalogue.add(card("abd/multi-writer", multi, &calm), |numbers| Setup {
        sometimes: vec!["two writers take one number", "a read writes back"],
        ..setup(numbers, |config| Config { single_writer: false, ..config })
    });
    let regular = "Reads don't write back: one read finds a new value, and the next an old one.";
    catalogue.add(card("abd/no-write-back", regular, &calm), |numbers| {
        broken(numbers, |config| Config { writes_back: false, ..config })
    });
    let durable = "A replica that crashes, even within a step, comes back with what it promised.";
    catalogue.add(card("abd/crashes", durable, &crashing), |numbers| Setup {
        sometimes: vec!["comes back with a value", "a read writes back"],
        ..setup(numbers, |config| config)
    });
    let volatile = "Replicas save nothing: one forgets a write that a majority has acknowledged.";
    catalogue.add(card("abd/volatile", volatile, &crashing), |numbers| {
        broken(numbers, |config| Config { durable: false, ..config })
    });
}
