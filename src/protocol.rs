//! What a protocol is: a node's state, and two pure functions.
//!
//! `boot` makes a node from its configuration, its name and what its disk kept; `step` takes one
//! input and puts out effects. Neither reads a clock, a socket, a file or a source of chance: the
//! world owns all of these and hands them in, so that one text can be sampled under seeds,
//! exhausted by a checker and deployed on sockets.
//!
//! The order of effects matters: a crash keeps a prefix of them. What must be on disk before a
//! message leaves has to be saved (and synced) before it is sent.

mod outbox;

pub use outbox::{Chance, Draw, Outbox, Reading};

use std::fmt::{self, Debug, Display};
use std::hash::Hash;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// What protocols hand to the world: compared, ordered, hashed, shown, written and read back.
pub trait Value:
    Clone + Ord + Hash + Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
}

impl<T> Value for T where
    T: Clone + Ord + Hash + Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
}

/// A protocol: the state of one node of it.
///
/// `Hash` identifies a state in logs and digests; it must cover all of the state, or the part that
/// a foreign library lets be seen. Nodes of several roles are one enum.
pub trait Protocol: Debug + Hash + Sized + 'static {
    /// Read-only, no part of the state. A broken variant is a switch in it.
    type Config: Debug + Clone + Send + Sync + 'static;
    /// What nodes send each other.
    type Msg: Value;
    /// The names of a node's timers; arming a name again replaces what was armed.
    type Timer: Value;
    /// What survives a crash.
    type Disk: Value + Default;
    /// What a process may call at a node.
    type Op: Value;
    /// What a call returns.
    type Ret: Value;

    /// Starts a node, for the first time or after a crash; `disk` is what is durable.
    fn boot(cfg: &Self::Config, me: NodeId, disk: Self::Disk, out: &mut Outbox<Self>) -> Self;

    /// Takes one input. Equal states, inputs and draws give equal states and effects.
    fn step(&mut self, cfg: &Self::Config, input: Input<Self>, out: &mut Outbox<Self>);
}

/// What exhaustive checking needs beyond simulating: states that can be copied and compared.
pub trait Checkable: Protocol + Clone + Eq + Send + Sync {}

impl<P: Protocol + Clone + Eq + Send + Sync> Checkable for P {}

/// One input of a node.
pub enum Input<P: Protocol> {
    /// A message arrives from a node.
    Recv(NodeId, P::Msg),
    /// A timer fires; it is no longer armed.
    Fired(P::Timer),
    /// A process makes a call.
    Call(CallId, P::Op),
    /// A process gives a call up. Unless this step ends the call, it ends as unknown.
    Cancel(CallId),
}

/// One effect of a step.
pub enum Effect<P: Protocol> {
    /// Writes the node's disk cache; durable at the next `Sync`, or at once in a world that loses
    /// no unsynced saves.
    Save(P::Disk),
    /// Makes every save so far durable.
    Sync,
    /// Sends a message; a node may send to itself.
    Send(NodeId, P::Msg),
    /// Arms a timer.
    Arm(P::Timer, Delay),
    /// Disarms a timer, if it is armed.
    Disarm(P::Timer),
    /// One item of a call's long answer, before the call ends.
    Item(CallId, P::Ret),
    /// Ends a call.
    Reply(CallId, Outcome<P::Ret>),
    /// Tells monitors and `sometimes` marks what the world can't see.
    Mark(Mark),
}

/// A node's name: nodes are numbered from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u8);

impl NodeId {
    /// The first `n` nodes.
    pub fn all(n: u8) -> impl DoubleEndedIterator<Item = NodeId> + Clone {
        (0..n).map(NodeId)
    }

    /// The node's number, as an index.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A process: a client program that makes one call at a time. When a call's outcome stays unknown,
/// its process retires and a new process goes on with the same program: process `p` of `n`
/// programs runs program `p mod n`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessId(pub u16);

/// The name of a call: its process, and its number within the *program* (from 0), which goes on
/// counting when a new process takes over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CallId {
    /// Who calls.
    pub process: ProcessId,
    /// Which of the program's calls.
    pub number: u16,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Outcome<R> {
    /// It took effect and returned a value.
    Ok(R),
    /// It did not happen, and never will.
    Failed,
    /// It may have happened, or may yet.
    Unknown,
}

/// A timer's length, in the scenario's units of time: the world draws it between the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Delay {
    /// The shortest.
    pub lo: u32,
    /// The longest.
    pub hi: u32,
}

impl From<u32> for Delay {
    fn from(units: u32) -> Self {
        Delay { lo: units, hi: units }
    }
}

impl From<std::ops::RangeInclusive<u32>> for Delay {
    fn from(units: std::ops::RangeInclusive<u32>) -> Self {
        assert!(units.start() <= units.end(), "an empty range of delays");
        Delay { lo: *units.start(), hi: *units.end() }
    }
}

/// A ghost: something that a protocol says for monitors and `sometimes` marks only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// What happened, as in `enters`.
    pub name: &'static str,
    /// Whom or what it happened to: a process, a token, a ballot.
    pub value: u64,
}

impl<P: Protocol> Clone for Input<P> {
    fn clone(&self) -> Self {
        match self {
            Input::Recv(from, msg) => Input::Recv(*from, msg.clone()),
            Input::Fired(timer) => Input::Fired(timer.clone()),
            Input::Call(call, op) => Input::Call(*call, op.clone()),
            Input::Cancel(call) => Input::Cancel(*call),
        }
    }
}

impl<P: Protocol> Debug for Input<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::Recv(from, msg) => write!(f, "Recv({from}, {msg:?})"),
            Input::Fired(timer) => write!(f, "Fired({timer:?})"),
            Input::Call(call, op) => write!(f, "Call({call}, {op:?})"),
            Input::Cancel(call) => write!(f, "Cancel({call})"),
        }
    }
}

impl<P: Protocol> Clone for Effect<P> {
    fn clone(&self) -> Self {
        match self {
            Effect::Save(disk) => Effect::Save(disk.clone()),
            Effect::Sync => Effect::Sync,
            Effect::Send(to, msg) => Effect::Send(*to, msg.clone()),
            Effect::Arm(timer, delay) => Effect::Arm(timer.clone(), *delay),
            Effect::Disarm(timer) => Effect::Disarm(timer.clone()),
            Effect::Item(call, ret) => Effect::Item(*call, ret.clone()),
            Effect::Reply(call, outcome) => Effect::Reply(*call, outcome.clone()),
            Effect::Mark(mark) => Effect::Mark(*mark),
        }
    }
}

impl<P: Protocol> Debug for Effect<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Effect::Save(disk) => write!(f, "Save({disk:?})"),
            Effect::Sync => write!(f, "Sync"),
            Effect::Send(to, msg) => write!(f, "Send({to}, {msg:?})"),
            Effect::Arm(timer, delay) => write!(f, "Arm({timer:?}, {}..={})", delay.lo, delay.hi),
            Effect::Disarm(timer) => write!(f, "Disarm({timer:?})"),
            Effect::Item(call, ret) => write!(f, "Item({call}, {ret:?})"),
            Effect::Reply(call, outcome) => write!(f, "Reply({call}, {outcome:?})"),
            Effect::Mark(mark) => write!(f, "Mark({} {})", mark.name, mark.value),
        }
    }
}

impl Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

impl Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

impl Debug for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.process, self.number)
    }
}

impl Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}
