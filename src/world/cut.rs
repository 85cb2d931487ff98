//! Partitions: which directed links are cut.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::protocol::NodeId;

/// The kinds of partition that a scenario may allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CutKind {
    /// Two sides that don't hear each other.
    Split,
    /// One node alone.
    Isolate,
    /// One node that can't send, or can't receive.
    OneWay,
    /// Two sides that share one node.
    Bridge,
    /// Every node hears a majority, no two the same.
    Ring,
}

/// One partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Cut {
    /// The nodes in the set (a bit each) and the others.
    Split(u64),
    /// One node alone.
    Isolate(NodeId),
    /// A node that can't send.
    Mute(NodeId),
    /// A node that can't receive.
    Deaf(NodeId),
    /// The nodes below and those above this one hear only their own side and this one.
    Bridge(NodeId),
    /// Each node hears the nearest half of the others on a ring.
    Ring,
}

impl Cut {
    /// All partitions of these kinds among `nodes` nodes, in a fixed order.
    pub fn all(kinds: &[CutKind], nodes: u8) -> Vec<Cut> {
        let each = |cut: fn(NodeId) -> Cut| NodeId::all(nodes).map(cut);
        let links =
            || NodeId::all(nodes).flat_map(|from| NodeId::all(nodes).map(move |to| (from, to)));
        let mut cuts = Vec::new();
        for kind in kinds {
            match kind {
                // Node 0 is always on the unnamed side, so that each split stands once.
                CutKind::Split => cuts.extend(splits(nodes)),
                CutKind::Isolate => cuts.extend(each(Cut::Isolate)),
                CutKind::OneWay => cuts.extend(each(Cut::Mute).chain(each(Cut::Deaf))),
                CutKind::Bridge => cuts.extend(each(Cut::Bridge)),
                CutKind::Ring => cuts.push(Cut::Ring),
            }
        }
        // A bridge at the end of the row parts nobody, and neither does a small ring.
        cuts.retain(|cut| links().any(|(from, to)| cut.blocks(nodes, from, to)));
        cuts
    }

    /// Whether a message from one node to another is cut off, among `nodes` nodes.
    pub fn blocks(self, nodes: u8, from: NodeId, to: NodeId) -> bool {
        from != to
            && match self {
                Cut::Split(side) => (side >> from.0 & 1) != (side >> to.0 & 1),
                Cut::Isolate(alone) => from == alone || to == alone,
                Cut::Mute(node) => from == node,
                Cut::Deaf(node) => to == node,
                Cut::Bridge(shared) => {
                    from != shared && to != shared && (from < shared) != (to < shared)
                }
                Cut::Ring => {
                    let apart = from.0.abs_diff(to.0);
                    apart.min(nodes - apart) > (nodes / 2).div_ceil(2)
                }
            }
    }
}

/// Every split of the nodes in two; beyond 16 nodes only those into a first and a second part.
fn splits(nodes: u8) -> Vec<Cut> {
    if nodes > 16 {
        return (1..nodes).map(|n| Cut::Split(u64::MAX << n)).collect();
    }
    (1..1u64 << (nodes - 1)).map(|side| Cut::Split(side << 1)).collect()
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cut::Split(side) => {
                let members = (0..64).filter(|n| side >> n & 1 == 1).map(|n| format!("n{n}"));
                write!(f, "split {} from the others", members.collect::<Vec<_>>().join(","))
            }
            Cut::Isolate(node) => write!(f, "isolate {node}"),
            Cut::Mute(node) => write!(f, "mute {node}"),
            Cut::Deaf(node) => write!(f, "deafen {node}"),
            Cut::Bridge(node) => write!(f, "bridge at {node}"),
            Cut::Ring => write!(f, "ring of majorities"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_ring_each_node_hears_a_majority_and_not_all() {
        for nodes in 5..12 {
            for me in NodeId::all(nodes) {
                let heard = NodeId::all(nodes).filter(|n| !Cut::Ring.blocks(nodes, *n, me)).count();
                assert!(heard > usize::from(nodes) / 2, "{me} hears {heard} of {nodes}");
                assert!(heard < usize::from(nodes), "{me} of {nodes} is not cut off from anybody");
            }
        }
    }

    #[test]
    fn a_partition_parts_somebody() {
        assert_eq!(Cut::all(&[CutKind::Ring, CutKind::Bridge], 3), [Cut::Bridge(NodeId(1))]);
        assert_eq!(Cut::all(&[CutKind::Split, CutKind::Isolate, CutKind::OneWay], 1), []);
    }

    #[test]
    fn three_nodes_split_in_three_ways() {
        assert_eq!(Cut::all(&[CutKind::Split], 3).len(), 3);
        assert!(Cut::Mute(NodeId(1)).blocks(3, NodeId(1), NodeId(0)));
        assert!(!Cut::Mute(NodeId(1)).blocks(3, NodeId(0), NodeId(1)));
        assert!(!Cut::Isolate(NodeId(1)).blocks(3, NodeId(1), NodeId(1)));
    }
}
