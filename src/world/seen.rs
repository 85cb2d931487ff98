//! The parts of a world, and which of them somebody looked at.
//!
//! The interpreter notes each part that it reads. An engine that has seen a step once may then take
//! it again without running it, wherever the parts that were read are the same. A part that the
//! scenario's budgets keep from ever changing is not noted, since it tells no two states apart.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::protocol::NodeId;

/// One part of a world, all of which but the messages in flight is in some part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The partition.
    Cut,
    /// What is left of the budgets.
    Left,
    /// The time that node clocks show.
    Now,
    /// The client programs, what they asked, their patience, and the history.
    Calls,
    /// The monitors, and what they saw broken.
    Ghosts,
    /// A node: its state, disk, clock, timers and pause.
    Node(NodeId),
}

impl Part {
    /// How many parts are there in a world of no nodes.
    pub const FIXED: usize = 5;

    /// The part's number; those of nodes come last.
    pub fn index(self) -> usize {
        match self {
            Part::Cut => 0,
            Part::Left => 1,
            Part::Now => 2,
            Part::Calls => 3,
            Part::Ghosts => 4,
            Part::Node(node) => Part::FIXED + node.index(),
        }
    }

    /// All parts of a world of so many nodes, by number.
    pub fn all(nodes: u8) -> impl Iterator<Item = Part> {
        [Part::Cut, Part::Left, Part::Now, Part::Calls, Part::Ghosts]
            .into_iter()
            .chain(NodeId::all(nodes).map(Part::Node))
    }
}

/// The parts that were looked at. It is a note in the margin: no part of a state, and copied with
/// the world that it is about. (Atomic only because worlds are shared between threads.)
#[derive(Debug, Default)]
pub struct Seen {
    fixed: AtomicU8,
    nodes: AtomicU64,
}

impl Seen {
    /// Notes that a part was looked at.
    #[inline]
    pub fn note(&self, part: Part) {
        match part {
            Part::Node(node) => {
                let seen = self.nodes.load(Ordering::Relaxed);
                self.nodes.store(seen | 1 << node.0, Ordering::Relaxed);
            }
            _ => {
                let seen = self.fixed.load(Ordering::Relaxed);
                self.fixed.store(seen | 1 << part.index(), Ordering::Relaxed);
            }
        }
    }

    /// Whether a part was looked at.
    pub fn has(&self, part: Part) -> bool {
        match part {
            Part::Node(node) => self.nodes.load(Ordering::Relaxed) >> node.0 & 1 == 1,
            _ => self.fixed.load(Ordering::Relaxed) >> part.index() & 1 == 1,
        }
    }

    /// Notes all that another has noted.
    pub fn add(&self, other: &Seen) {
        self.nodes.fetch_or(other.nodes.load(Ordering::Relaxed), Ordering::Relaxed);
        self.fixed.fetch_or(other.fixed.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl Clone for Seen {
    fn clone(&self) -> Self {
        let copy = Seen::default();
        copy.add(self);
        copy
    }
}
