//! Which states may break a property: each property is judged once for each distinct value of what
//! it reads. A state is only suspected here; whether it is broken, and by what, the examiner says,
//! as it does for every engine.

use std::collections::HashSet;

use crate::protocol::{Checkable, NodeId};
use crate::world::{Content, Part, Property, Setup};

use super::super::verify::Examiner;
use super::names::Names;
use super::vector::Vector;

/// What is known to be fine.
pub struct Judge {
    nodes: usize,
    has_pairs: bool,
    has_systems: bool,
    has_settled: bool,
    /// For each two nodes, which states of the one are fine beside which of the other.
    pairs: Vec<Bits>,
    systems: HashSet<Box<[u32]>>,
}

#[derive(Clone, Debug, Default)]
struct Bits(Vec<Vec<u64>>);

impl Judge {
    /// Knows nothing.
    pub fn new<P: Checkable>(setup: &Setup<P>) -> Self {
        let nodes = usize::from(setup.nodes());
        let has = |kind: fn(&Property<P>) -> bool| setup.properties.iter().any(kind);
        Judge {
            nodes,
            has_pairs: has(|property| matches!(property, Property::EachPair(..))),
            has_systems: has(|property| matches!(property, Property::System(..))),
            has_settled: has(|property| matches!(property, Property::Settled(..))),
            pairs: vec![Bits::default(); nodes * nodes],
            systems: HashSet::new(),
        }
    }

    /// Whether what a part holds may break a property by itself.
    pub fn suspects_part<P: Checkable>(
        examiner: &Examiner<P>,
        part: Part,
        content: &Content<P>,
    ) -> bool {
        match (part, content.node(), content.calls()) {
            (Part::Node(me), Some(node), _) => {
                node.state.as_ref().is_some_and(|state| !examiner.is_fine_alone((me, state)))
            }
            (_, _, Some((history, _))) => examiner.history(history).is_some(),
            _ => content.is_broken(),
        }
    }

    /// Whether a node that has changed may break a property beside the others.
    #[inline]
    pub fn suspects_pairs<P: Checkable>(
        &mut self,
        state: &Vector,
        changed: usize,
        examiner: &Examiner<P>,
        names: impl Fn(usize, u32) -> std::sync::Arc<Content<P>>,
    ) -> bool {
        if !self.has_pairs {
            return false;
        }
        let name = |node: usize| state.parts[Part::FIXED + node];
        for other in (0..self.nodes).filter(|other| *other != changed) {
            let (one, two) = (changed.min(other), changed.max(other));
            let bits = &mut self.pairs[one * self.nodes + two];
            if bits.has(name(one), name(two)) {
                continue;
            }
            let (first, second) = (names(one, name(one)), names(two, name(two)));
            let of = |node: usize| NodeId(node as u8);
            let fine = match (first.node().and_then(|n| n.state.as_ref()), second.node()) {
                (Some(ours), Some(theirs)) => theirs.state.as_ref().is_none_or(|theirs| {
                    examiner.are_fine_together((of(one), ours), (of(two), theirs))
                }),
                _ => true,
            };
            if !fine {
                return true;
            }
            bits.set(name(one), name(two));
        }
        false
    }

    /// Whether a state may break a property of the system, or of what it settles on.
    pub fn suspects_system<P: Checkable>(
        &mut self,
        state: &Vector,
        examiner: &Examiner<P>,
        names: &std::sync::RwLock<Names<P>>,
    ) -> bool {
        let names = || names.read().expect("no thread panics with names");
        if self.has_systems && !self.systems.contains(&*state.parts) {
            let world = names().world_of(&state.parts, &[]);
            if examiner.system(&world.system).is_some() {
                return true;
            }
            self.systems.insert(state.parts.clone().into());
        }
        self.has_settled && {
            let world = names().world_of(&state.parts, &state.flights);
            examiner.at_rest(&world).is_some()
        }
    }
}

impl Bits {
    #[inline]
    fn has(&self, row: u32, column: u32) -> bool {
        let word = self.0.get(row as usize).and_then(|row| row.get(column as usize / 64));
        word.is_some_and(|word| word >> (column % 64) & 1 == 1)
    }

    fn set(&mut self, row: u32, column: u32) {
        let (row, word) = (row as usize, column as usize / 64);
        if self.0.len() <= row {
            self.0.resize(row + 1, Vec::new());
        }
        if self.0[row].len() <= word {
            self.0[row].resize(word + 1, 0);
        }
        self.0[row][word] |= 1 << (column % 64);
    }
}
