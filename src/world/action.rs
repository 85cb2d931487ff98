//! The one event alphabet: what the simulator logs, what the checker calls a path, what a trace
//! file holds and what the explorer shows.

use std::fmt;

use crate::protocol::{CallId, NodeId, Protocol};

use super::Cut;
use super::record::by_fields;

/// A crash that tears a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Torn {
    /// How many of the step's effects happened.
    pub kept: u16,
    /// Whether the crash also loses the unsynced saves.
    pub loses_saves: bool,
}

/// What happened, without what chance drew.
pub enum Happening<P: Protocol> {
    /// The world starts.
    Start,
    /// So many ticks pass.
    Tick(u32),
    /// A message arrives.
    Deliver(NodeId, NodeId, P::Msg),
    /// A message is lost.
    Lose(NodeId, NodeId, P::Msg),
    /// A message is in flight once more.
    Duplicate(NodeId, NodeId, P::Msg),
    /// A timer fires.
    Fire(NodeId, P::Timer),
    /// A process makes its next call.
    Call(CallId, NodeId, P::Op),
    /// A process gives its call up.
    Cancel(CallId),
    /// A partition begins.
    Partition(Cut),
    /// The partition ends.
    Heal,
    /// A node crashes between steps; with or without its unsynced saves.
    Crash(NodeId, bool),
    /// A node starts again.
    Restart(NodeId),
    /// A node starts for the first time.
    Join(NodeId),
    /// A node takes no inputs from now on.
    Pause(NodeId),
    /// It takes inputs again.
    Resume(NodeId),
    /// A node's clock jumps, in units.
    Jump(NodeId, i32),
}

/// One action: what happened, what chance drew in it, and whether a crash tore it.
pub struct Action<P: Protocol> {
    /// What happened.
    pub did: Happening<P>,
    /// The values that `choose` returned, in order.
    pub draws: Vec<u32>,
    /// The crash that tore the step, if one did.
    pub torn: Option<Torn>,
}

by_fields!(Action { did, draws, torn });

impl<P: Protocol> From<Happening<P>> for Action<P> {
    fn from(did: Happening<P>) -> Self {
        Action { did, draws: Vec::new(), torn: None }
    }
}

impl<P: Protocol> Action<P> {
    /// Whether this is a fault, which a world need not do.
    pub fn is_fault(&self) -> bool {
        use Happening::*;
        let fault = matches!(
            self.did,
            Lose(..) | Duplicate(..) | Cancel(_) | Partition(_) | Crash(..) | Pause(_) | Jump(..)
        );
        fault || self.torn.is_some() || matches!(self.did, Join(_))
    }

    /// The node whose state this changes, if it is one.
    pub fn node(&self) -> Option<NodeId> {
        use Happening::*;
        match self.did {
            Deliver(_, node, _) | Fire(node, _) | Call(_, node, _) => Some(node),
            Crash(node, _) | Restart(node) | Join(node) => Some(node),
            Pause(node) | Resume(node) | Jump(node, _) => Some(node),
            Start | Tick(_) | Lose(..) | Duplicate(..) | Cancel(_) | Partition(_) | Heal => None,
        }
    }
}

/// `Happening` can't derive these: a derive would ask `P` itself to be comparable.
mod comparison {
    use std::hash::{Hash, Hasher};

    use super::Happening::{self, *};
    use crate::protocol::Protocol;

    impl<P: Protocol> Clone for Happening<P> {
        fn clone(&self) -> Self {
            match self {
                Start => Start,
                Tick(ticks) => Tick(*ticks),
                Deliver(from, to, msg) => Deliver(*from, *to, msg.clone()),
                Lose(from, to, msg) => Lose(*from, *to, msg.clone()),
                Duplicate(from, to, msg) => Duplicate(*from, *to, msg.clone()),
                Fire(node, timer) => Fire(*node, timer.clone()),
                Call(call, node, op) => Call(*call, *node, op.clone()),
                Cancel(call) => Cancel(*call),
                Partition(cut) => Partition(*cut),
                Heal => Heal,
                Crash(node, loses) => Crash(*node, *loses),
                Restart(node) => Restart(*node),
                Join(node) => Join(*node),
                Pause(node) => Pause(*node),
                Resume(node) => Resume(*node),
                Jump(node, by) => Jump(*node, *by),
            }
        }
    }

    impl<P: Protocol> PartialEq for Happening<P> {
        fn eq(&self, other: &Self) -> bool {
            match (self, other) {
                (Deliver(f, t, m), Deliver(from, to, msg))
                | (Lose(f, t, m), Lose(from, to, msg))
                | (Duplicate(f, t, m), Duplicate(from, to, msg)) => (f, t, m) == (from, to, msg),
                (Fire(n, t), Fire(node, timer)) => (n, t) == (node, timer),
                (Call(c, n, o), Call(call, node, op)) => (c, n, o) == (call, node, op),
                (Tick(t), Tick(ticks)) => t == ticks,
                (Cancel(c), Cancel(call)) => c == call,
                (Partition(c), Partition(cut)) => c == cut,
                (Crash(n, l), Crash(node, loses)) => (n, l) == (node, loses),
                (Jump(n, b), Jump(node, by)) => (n, b) == (node, by),
                (Restart(n), Restart(node))
                | (Join(n), Join(node))
                | (Pause(n), Pause(node))
                | (Resume(n), Resume(node)) => n == node,
                _ => matches!((self, other), (Start, Start) | (Heal, Heal)),
            }
        }
    }

    impl<P: Protocol> Eq for Happening<P> {}

    impl<P: Protocol> Hash for Happening<P> {
        fn hash<H: Hasher>(&self, hasher: &mut H) {
            number_of(self).hash(hasher);
            match self {
                Start | Heal => {}
                Tick(ticks) => ticks.hash(hasher),
                Deliver(from, to, msg) | Lose(from, to, msg) | Duplicate(from, to, msg) => {
                    (from, to, msg).hash(hasher);
                }
                Fire(node, timer) => (node, timer).hash(hasher),
                Call(call, node, op) => (call, node, op).hash(hasher),
                Cancel(call) => call.hash(hasher),
                Partition(cut) => cut.hash(hasher),
                Crash(node, loses) => (node, loses).hash(hasher),
                Restart(node) | Join(node) | Pause(node) | Resume(node) => node.hash(hasher),
                Jump(node, by) => (node, by).hash(hasher),
            }
        }
    }

    /// A number of our own, since the standard library promises none.
    fn number_of<P: Protocol>(did: &Happening<P>) -> u8 {
        match did {
            Start => 0,
            Tick(_) => 1,
            Deliver(..) => 2,
            Lose(..) => 3,
            Duplicate(..) => 4,
            Fire(..) => 5,
            Call(..) => 6,
            Cancel(_) => 7,
            Partition(_) => 8,
            Heal => 9,
            Crash(..) => 10,
            Restart(_) => 11,
            Join(_) => 12,
            Pause(_) => 13,
            Resume(_) => 14,
            Jump(..) => 15,
        }
    }
}

impl<P: Protocol> fmt::Display for Happening<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Happening::*;
        match self {
            Start => write!(f, "start"),
            Tick(ticks) => write!(f, "tick {ticks}"),
            Deliver(from, to, msg) => write!(f, "{to} gets {msg:?} from {from}"),
            Lose(from, to, msg) => write!(f, "lost: {msg:?} from {from} to {to}"),
            Duplicate(from, to, msg) => write!(f, "duplicated: {msg:?} from {from} to {to}"),
            Fire(node, timer) => write!(f, "{node}'s timer {timer:?} fires"),
            Call(call, node, op) => write!(f, "{call} calls {op:?} at {node}"),
            Cancel(call) => write!(f, "{call} is given up"),
            Partition(cut) => write!(f, "partition: {cut}"),
            Heal => write!(f, "the partition heals"),
            Crash(node, false) => write!(f, "{node} crashes"),
            Crash(node, true) => write!(f, "{node} crashes and loses its unsynced saves"),
            Restart(node) => write!(f, "{node} restarts"),
            Join(node) => write!(f, "{node} joins"),
            Pause(node) => write!(f, "{node} pauses"),
            Resume(node) => write!(f, "{node} resumes"),
            Jump(node, by) => write!(f, "{node}'s clock jumps by {by:+}"),
        }
    }
}

impl<P: Protocol> fmt::Display for Action<P> {
    /// In plain words; equal texts at one state are equal actions, so traces are kept as text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.did)?;
        if !self.draws.is_empty() {
            let draws = self.draws.iter().map(u32::to_string).collect::<Vec<_>>();
            write!(f, ", drawing {}", draws.join(" "))?;
        }
        if let Some(torn) = self.torn {
            write!(f, ", and crashes after {} of its effects", torn.kept)?;
            if torn.loses_saves {
                write!(f, " without its unsynced saves")?;
            }
        }
        Ok(())
    }
}

impl<P: Protocol> fmt::Debug for Action<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<P: Protocol> fmt::Debug for Happening<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
