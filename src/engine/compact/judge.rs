//! Which states may break a property: each property is judged once for each distinct value of what
//! it reads. A state is only suspected here; whether it is broken, and by what, the examiner says,
//! as it does for every engine.

use std::collections::HashSet;

use crate::protocol::{Checkable, NodeId};
use crate::world::{Content, Part, Property, Setup, Symmetry, World};

use super::super::verify::Examiner;
use super::names::Names;
use super::symmetry::images;
use super::vector::Vector;

/// What is known to be fine.
pub struct Judge {
    nodes: usize,
    has_pairs: bool,
    has_systems: bool,
    has_settled: bool,
    /// For each two nodes, which states of the one are fine beside which of the other.
    pairs: Vec<Pairs>,
    systems: HashSet<Box<[u32]>>,
}

/// A set of pairs of names. It is dense as long as that takes little room.
#[derive(Clone, Debug, Default)]
struct Pairs {
    width: usize,
    dense: Vec<u64>,
    sparse: HashSet<(u32, u32)>,
}

/// The words that a set of pairs keeps densely.
const DENSE: usize = 1 << 20;

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
            pairs: vec![Pairs::default(); nodes * nodes],
            systems: HashSet::new(),
        }
    }

    /// Whether what a part holds may break a property by itself, under any name.
    pub fn suspects_part<P: Checkable>(
        (examiner, symmetry): (&Examiner<P>, Option<&Symmetry<P>>),
        part: Part,
        content: &Content<P>,
    ) -> bool {
        let mut images = images(symmetry, part, content);
        Judge::suspects(examiner, part, content)
            || images.any(|(part, image)| Judge::suspects(examiner, part, &image))
    }

    fn suspects<P: Checkable>(examiner: &Examiner<P>, part: Part, content: &Content<P>) -> bool {
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
        (examiner, symmetry): (&Examiner<P>, Option<&Symmetry<P>>),
        names: impl Fn(usize, u32) -> std::sync::Arc<Content<P>>,
    ) -> bool {
        if !self.has_pairs {
            return false;
        }
        let name = |node: usize| state.parts[Part::FIXED + node];
        for other in (0..self.nodes).filter(|other| *other != changed) {
            let (one, two) = (changed.min(other), changed.max(other));
            let known = &mut self.pairs[one * self.nodes + two];
            if known.has(name(one), name(two)) {
                continue;
            }
            let part = |node: usize| Part::Node(NodeId(node as u8));
            let (first, second) = (names(one, name(one)), names(two, name(two)));
            let pair = ((part(one), &*first), (part(two), &*second));
            let mut images =
                images(symmetry, pair.0.0, pair.0.1).zip(images(symmetry, pair.1.0, pair.1.1));
            if !are_fine(examiner, pair.0, pair.1)
                || images.any(|(one, two)| !are_fine(examiner, (one.0, &one.1), (two.0, &two.1)))
            {
                return true;
            }
            known.add(name(one), name(two));
        }
        false
    }

    /// Whether a state may break a property of the system, or of what it settles on.
    pub fn suspects_system<P: Checkable>(
        &mut self,
        state: &Vector,
        (examiner, symmetry): (&Examiner<P>, Option<&Symmetry<P>>),
        names: &std::sync::RwLock<Names<P>>,
    ) -> bool {
        let names = || names.read().expect("no thread panics with names");
        if self.has_systems && !self.systems.contains(&*state.parts) {
            let world = names().world_of(&state.parts, &[]);
            if under_any_name(symmetry, &world, |world| examiner.system(&world.system).is_some()) {
                return true;
            }
            self.systems.insert(state.parts.clone().into());
        }
        self.has_settled && {
            let world = names().world_of(&state.parts, &state.flights);
            under_any_name(symmetry, &world, |world| examiner.at_rest(world).is_some())
        }
    }
}

/// Whether two nodes break nothing beside each other.
fn are_fine<P: Checkable>(
    examiner: &Examiner<P>,
    (one, first): (Part, &Content<P>),
    (two, second): (Part, &Content<P>),
) -> bool {
    let (Part::Node(one), Part::Node(two)) = (one, two) else { return true };
    let state = |content| Content::node(content).and_then(|node| node.state.as_ref());
    let (Some(ours), Some(theirs)) = (state(first), state(second)) else { return true };
    examiner.are_fine_together((one, ours), (two, theirs))
}

/// Whether something is so of a world or of one of its images.
fn under_any_name<P: Checkable>(
    symmetry: Option<&Symmetry<P>>,
    world: &World<P>,
    is_so: impl Fn(&World<P>) -> bool,
) -> bool {
    let mut images = symmetry
        .into_iter()
        .flat_map(|symmetry| symmetry.renamings.iter().map(|by| world.renamed(symmetry, by)));
    is_so(world) || images.any(|image| is_so(&image))
}

impl Pairs {
    #[inline]
    fn has(&self, row: u32, column: u32) -> bool {
        let (at, bit) = (row as usize * self.width, column as usize);
        if bit / 64 < self.width && at + bit / 64 < self.dense.len() {
            return self.dense[at + bit / 64] >> (bit % 64) & 1 == 1;
        }
        !self.sparse.is_empty() && self.sparse.contains(&(row, column))
    }

    fn add(&mut self, row: u32, column: u32) {
        let (at, bit) = (row as usize, column as usize);
        if bit / 64 >= self.width {
            self.widen((bit / 64 + 1).next_power_of_two());
        }
        if bit / 64 < self.width && (at + 1) * self.width <= DENSE {
            if self.dense.len() < (at + 1) * self.width {
                self.dense.resize((at + 1) * self.width, 0);
            }
            self.dense[at * self.width + bit / 64] |= 1 << (bit % 64);
        } else {
            self.sparse.insert((row, column));
        }
    }

    fn widen(&mut self, width: usize) {
        let rows = self.dense.len().checked_div(self.width).unwrap_or(0);
        if (rows + 1) * width > DENSE {
            return;
        }
        let mut wider = vec![0; rows * width];
        for row in 0..rows {
            let old = &self.dense[row * self.width..(row + 1) * self.width];
            wider[row * width..row * width + self.width].copy_from_slice(old);
        }
        (self.width, self.dense) = (width, wider);
    }
}
