//! Pipelined memory: every node has all of it, reads and writes at once, and tells the others.
//!
//! Lipton and Sandberg, PRAM: A scalable shared memory (Princeton CS-TR-180-88, 1988). A write
//! changes the node's own copy, is sent to everybody and returns; a read looks at the node's own
//! copy. Nobody ever waits, so accesses are as fast as local memory whatever the network does.
//!
//! Guarantees, if links keep the order of what is sent (FIFO): each process sees the writes of
//! every other process in the order in which they were made, so for each process one order of its
//! own accesses and all writes explains what it read. That is all: two processes may see the writes
//! of two others in different orders, and where several write one variable the copies differ in
//! the end. Delay, partitions that heal and pauses do no harm. Losses, duplicates and crashes do:
//! an update that never comes is a hole in its sender's order, and one that comes again undoes
//! what came from others meanwhile.
//!
//! `unordered` is the same text over links that reorder: a new value is read, and then an old one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::catalogue::{Card, Catalogue};
use crate::object::Kv;
use crate::protocol::{Input, NodeId, Outbox, Protocol};
use crate::world::{Expect, Faults, HistoryForm, Links, Numbers, Property, Setup, Turn};

use super::variables::{self, Data, Var};

/// The size.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How many nodes there are.
    pub nodes: u8,
}

/// What a node tells the others: this was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Update(pub Var, pub Data);

/// What a process may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Op {
    /// What does the variable hold?
    Read(Var),
    /// Let it hold this.
    Write(Var, Data),
}

/// What a call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ret {
    /// This.
    Value(Data),
    /// It is written here, and will be elsewhere.
    Done,
}

/// A variable's copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Copied {
    data: Data,
    /// Whether this node wrote it; for marks only.
    here: bool,
}

/// A node: a copy of the memory. What is not in it is 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pram {
    me: NodeId,
    memory: BTreeMap<Var, Copied>,
}

impl Protocol for Pram {
    type Config = Config;
    type Msg = Update;
    type Timer = ();
    type Disk = ();
    type Op = Op;
    type Ret = Ret;

    fn boot(_: &Config, me: NodeId, (): (), _: &mut Outbox<Self>) -> Self {
        Pram { me, memory: BTreeMap::new() }
    }

    fn step(&mut self, cfg: &Config, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Call(call, Op::Read(var)) => {
                let copied = self.memory.get(&var);
                if copied.is_some_and(|copied| !copied.here) {
                    out.mark("reads what another wrote", var.into());
                }
                out.reply(call, Ret::Value(copied.map_or(0, |copied| copied.data)));
            }
            Input::Call(call, Op::Write(var, data)) => {
                self.memory.insert(var, Copied { data, here: true });
                let others = NodeId::all(cfg.nodes).filter(|node| *node != self.me);
                out.broadcast(others, Update(var, data));
                out.reply(call, Ret::Done);
            }
            Input::Recv(_, Update(var, data)) => {
                let old = self.memory.insert(var, Copied { data, here: false });
                if old.is_some_and(|old| old.here) {
                    out.mark("an update replaces the node's own write", var.into());
                }
            }
            Input::Fired(()) | Input::Cancel(_) => {}
        }
    }
}

const PIPELINED: &str = "pram";

/// For each process, one order of its own accesses and all writes explains what it read.
fn pipelined() -> Property<Pram> {
    Property::consistent(PIPELINED, Kv, |op: &Op, ret: Option<&Ret>| match (*op, ret) {
        (Op::Write(var, data), ret) => Some(variables::write(var, data, ret.is_some())),
        (Op::Read(var), Some(Ret::Value(data))) => Some(variables::read(var, Some(*data))),
        (Op::Read(_), _) => None,
    })
}

/// Two writes and two reads in turn, of both variables: writers go up, readers come down. Every
/// second program begins with reading.
fn script(numbers: &Numbers) -> impl Fn(&Turn<'_, Pram>) -> Option<(NodeId, Op)> + use<> {
    let Numbers { nodes, clients, calls, .. } = *numbers;
    move |turn| {
        let (program, number) = (u32::from(turn.program), u32::from(turn.number));
        let first = (number % 2) as Var;
        let op = if (program + number / 2).is_multiple_of(2) {
            Op::Write(first, 1 + program + clients * number)
        } else {
            Op::Read(1 - first)
        };
        (number < calls).then_some((NodeId((program % nodes) as u8), op))
    }
}

pub(super) fn setup(numbers: &Numbers, links: Links) -> Setup<Pram> {
    let config = Config { nodes: u8::try_from(numbers.nodes).expect("numbers are validated") };
    Setup {
        links,
        history: HistoryForm::ProgramOrder,
        properties: vec![pipelined()],
        ..Setup::new(config, numbers, script(numbers))
    }
}

/// The world that the checker exhausts.
pub(super) fn small() -> Numbers {
    let faults = Faults { partitions: 1, ..Faults::default() };
    Numbers { nodes: 3, clients: 3, calls: 2, faults, ..Numbers::default() }
}

/// Adds the scenarios.
pub fn scenarios(catalogue: &mut Catalogue) {
    let small = small();
    let faults = Faults { partitions: 3, pauses: 3, ..Faults::default() };
    let large = Numbers { nodes: 4, clients: 4, calls: 12, faults, ..Numbers::default() };
    let card = |name, about| Card { name, about, small: small.clone(), large: large.clone() };
    let fifo = "Links keep the order: each process's writes are seen in the order made.";
    catalogue.add(card("pram/fifo", fifo), |numbers| Setup {
        sometimes: vec!["reads what another wrote", "an update replaces the node's own write"],
        ..setup(numbers, Links::Fifo)
    });
    let unordered = "Links reorder: a later write is seen, and an earlier one is not.";
    catalogue.add(card("pram/unordered", unordered), |numbers| Setup {
        expect: Expect::Breaks(PIPELINED),
        ..setup(numbers, Links::Unordered)
    });
}
