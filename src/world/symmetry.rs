//! Symmetry: names of nodes and programs that a scenario can exchange, so that worlds which differ
//! in nothing else are one world to it.
//!
//! A scenario declares which renamings leave it as it is, and its protocol says where names occur
//! in its values ([`Interchange`]). That every world then does the same under each of these names
//! is a claim about configuration, script, handlers, properties and monitors: none may tell one of
//! these names from another, or compare them. The checker tests the claim on each local step and
//! each judgement before it relies on it, and names the step that breaks it.

use std::collections::BTreeSet;
use std::fmt;

use crate::protocol::{CallId, Checkable, NodeId, ProcessId, Protocol};

use super::{Cut, CutKind, Flight, Part, Setup, Topic, World};

/// Other names for nodes and programs: a permutation of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renaming {
    nodes: Vec<NodeId>,
    programs: Vec<u16>,
}

impl Renaming {
    /// The n-th node and the n-th program get the n-th of these names.
    ///
    /// # Panics
    /// If a name is given twice, or is none.
    pub fn new(nodes: Vec<NodeId>, programs: Vec<u16>) -> Self {
        let names: BTreeSet<_> = nodes.iter().map(|node| node.index()).collect();
        assert!(names.into_iter().eq(0..nodes.len()), "{nodes:?} are no names of nodes");
        let names: BTreeSet<_> = programs.iter().map(|n| usize::from(*n)).collect();
        assert!(names.into_iter().eq(0..programs.len()), "{programs:?} are no names of programs");
        Renaming { nodes, programs }
    }

    /// The renaming that changes nothing.
    fn none(nodes: u8, programs: u16) -> Self {
        Renaming { nodes: NodeId::all(nodes).collect(), programs: (0..programs).collect() }
    }

    /// This renaming and then another.
    fn then(&self, other: &Renaming) -> Self {
        Renaming {
            nodes: self.nodes.iter().map(|node| other.node(*node)).collect(),
            programs: self.programs.iter().map(|n| other.programs[usize::from(*n)]).collect(),
        }
    }

    /// A node's other name.
    pub fn node(&self, node: NodeId) -> NodeId {
        self.nodes[node.index()]
    }

    /// A process's other name; the lives of its program are numbered as before.
    pub fn process(&self, process: ProcessId) -> ProcessId {
        let programs = self.programs.len() as u16;
        let program = process.0 % programs;
        ProcessId(process.0 - program + self.programs[usize::from(program)])
    }

    /// A program's other number.
    pub fn program(&self, program: usize) -> usize {
        usize::from(self.programs[program])
    }

    /// A call's other name.
    pub fn call(&self, call: CallId) -> CallId {
        CallId { process: self.process(call.process), number: call.number }
    }

    /// The same calls under their other names.
    pub fn calls(&self, calls: &BTreeSet<CallId>) -> BTreeSet<CallId> {
        calls.iter().map(|call| self.call(*call)).collect()
    }

    /// The same nodes under their other names.
    pub fn nodes(&self, nodes: &BTreeSet<NodeId>) -> BTreeSet<NodeId> {
        nodes.iter().map(|node| self.node(*node)).collect()
    }

    /// What a step would be about.
    pub fn topic(&self, topic: Topic) -> Topic {
        match topic {
            Topic::Timers(node) => Topic::Timers(self.node(node)),
            Topic::Resume(node) => Topic::Resume(self.node(node)),
            Topic::Restart(node) => Topic::Restart(self.node(node)),
            Topic::Faults(node) => Topic::Faults(self.node(node)),
            Topic::Call(program) => Topic::Call(self.program(program)),
            Topic::Cancel(program) => Topic::Cancel(self.program(program)),
            Topic::Arrival(_) | Topic::Link(_) => topic,
            Topic::Time | Topic::Heal | Topic::Partition => topic,
        }
    }

    /// The part of a world that is a part's image.
    pub fn part(&self, part: Part) -> Part {
        match part {
            Part::Node(node) => Part::Node(self.node(node)),
            Part::Cut | Part::Left | Part::Now | Part::Calls | Part::Ghosts => part,
        }
    }

    /// A partition, if it is of a kind whose images are partitions too.
    pub(super) fn cut(&self, cut: Cut) -> Option<Cut> {
        Some(match cut {
            Cut::Isolate(node) => Cut::Isolate(self.node(node)),
            Cut::Mute(node) => Cut::Mute(self.node(node)),
            Cut::Deaf(node) => Cut::Deaf(self.node(node)),
            Cut::Split(side) => {
                let named = (0..64).filter(|n| side >> n & 1 == 1);
                let image = named.fold(0, |image, n| image | 1 << self.node(NodeId(n)).0);
                // Node 0 is always on the side that is not named.
                let everyone = u64::MAX >> (64 - self.nodes.len());
                Cut::Split(if image & 1 == 1 { everyone & !image } else { image })
            }
            Cut::Bridge(_) | Cut::Ring => return None,
        })
    }
}

impl fmt::Display for Renaming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = (0..).map(NodeId).zip(&self.nodes).filter(|(old, new)| old != *new);
        let nodes = nodes.map(|(old, new)| format!("{old} as {new}"));
        let programs = (0u16..).zip(&self.programs).filter(|(old, new)| old != *new);
        let programs = programs.map(|(old, new)| format!("p{old} as p{new}"));
        write!(f, "{}", nodes.chain(programs).collect::<Vec<_>>().join(", "))
    }
}

/// A protocol that says how its values name nodes and processes. What is not said names nobody.
pub trait Interchange: Protocol + Clone {
    /// A node's state under other names.
    fn renamed(&self, by: &Renaming) -> Self;

    /// A message.
    fn renamed_msg(msg: &Self::Msg, _: &Renaming) -> Self::Msg {
        msg.clone()
    }

    /// A timer.
    fn renamed_timer(timer: &Self::Timer, _: &Renaming) -> Self::Timer {
        timer.clone()
    }

    /// What a disk holds.
    fn renamed_disk(disk: &Self::Disk, _: &Renaming) -> Self::Disk {
        disk.clone()
    }

    /// What is called.
    fn renamed_op(op: &Self::Op, _: &Renaming) -> Self::Op {
        op.clone()
    }

    /// What is returned.
    fn renamed_ret(ret: &Self::Ret, _: &Renaming) -> Self::Ret {
        ret.clone()
    }
}

/// The renamings under which a world stays the same, and how values are renamed.
pub struct Symmetry<P: Protocol> {
    /// A group, without the renaming that changes nothing.
    pub renamings: Vec<Renaming>,
    pub(super) state: fn(&P, &Renaming) -> P,
    pub(super) msg: fn(&P::Msg, &Renaming) -> P::Msg,
    pub(super) timer: fn(&P::Timer, &Renaming) -> P::Timer,
    pub(super) disk: fn(&P::Disk, &Renaming) -> P::Disk,
    pub(super) op: fn(&P::Op, &Renaming) -> P::Op,
    pub(super) ret: fn(&P::Ret, &Renaming) -> P::Ret,
}

/// Each state is renamed so many times at most.
const RENAMINGS_MAX: usize = 720;

impl<P: Interchange> Symmetry<P> {
    /// These renamings, and every one that is some of them in turn; `None` where that is none, or
    /// more than 720.
    pub fn generated(generators: &[Renaming]) -> Option<Self> {
        let first = generators.first()?;
        let mut group = vec![Renaming::none(first.nodes.len() as u8, first.programs.len() as u16)];
        let mut next = 0;
        while let Some(renaming) = group.get(next).cloned() {
            for generator in generators {
                let product = renaming.then(generator);
                if !group.contains(&product) {
                    group.push(product);
                }
            }
            next += 1;
            if group.len() > RENAMINGS_MAX {
                return None;
            }
        }
        (group.len() > 1).then(|| Symmetry {
            renamings: group.split_off(1),
            state: P::renamed,
            msg: P::renamed_msg,
            timer: P::renamed_timer,
            disk: P::renamed_disk,
            op: P::renamed_op,
            ret: P::renamed_ret,
        })
    }

    /// These nodes are interchangeable, among so many, and with each the programs that call there:
    /// `homes` says where each program does. Nodes at which more or fewer programs call than at
    /// another are not that one's equals.
    pub fn of(alike: &[NodeId], nodes: u8, homes: &[NodeId]) -> Option<Self> {
        let guests = |node: NodeId| -> Vec<u16> {
            (0..).zip(homes).filter(|(_, home)| **home == node).map(|(n, _)| n).collect()
        };
        let mut generators = Vec::new();
        for (n, one) in alike.iter().enumerate() {
            let (ours, rest) = (guests(*one), &alike[n + 1..]);
            let Some(other) = rest.iter().find(|other| guests(**other).len() == ours.len()) else {
                continue;
            };
            let mut swap = Renaming::none(nodes, homes.len() as u16);
            swap.nodes.swap(one.index(), other.index());
            for (ours, theirs) in ours.into_iter().zip(guests(*other)) {
                swap.programs.swap(usize::from(ours), usize::from(theirs));
            }
            generators.push(swap);
        }
        Symmetry::generated(&generators)
    }
}

impl<P: Protocol> Symmetry<P> {
    /// A message in flight under other names.
    pub fn flight(&self, flight: &Flight<P::Msg>, by: &Renaming) -> Flight<P::Msg> {
        let Flight { from, to, msg, wait } = flight;
        let msg = (self.msg)(msg, by);
        Flight { from: by.node(*from), to: by.node(*to), msg, wait: *wait }
    }
}

impl<P: Protocol> Setup<P> {
    /// What is interchangeable in this world, as far as a state's images tell all.
    ///
    /// # Errors
    /// Why each state has to be met for itself.
    pub fn interchangeable(&self) -> Result<&Symmetry<P>, String> {
        let symmetry = self.symmetry.as_ref();
        let symmetry = symmetry.ok_or("the scenario declares nothing interchangeable")?;
        if let Some((name, _)) = self.promises().next() {
            // What a fair run owes is owed by somebody, and an orbit does not say by whom.
            return Err(format!("what a run owes to \"{name}\" has names"));
        }
        let numbers = &self.numbers;
        let ordered = |kind: &CutKind| matches!(kind, CutKind::Bridge | CutKind::Ring);
        let many = numbers.nodes > 16 && numbers.cuts.contains(&CutKind::Split);
        if numbers.faults.partitions > 0 && (many || numbers.cuts.iter().any(ordered)) {
            return Err("partitions go by the order of names".to_owned());
        }
        Ok(symmetry)
    }
}

impl<P: Checkable> World<P> {
    /// This world under other names.
    pub fn renamed(&self, symmetry: &Symmetry<P>, by: &Renaming) -> World<P> {
        let setup = &self.system.setup;
        let mut contents: Vec<_> =
            Part::all(setup.nodes()).map(|part| self.content(part)).collect();
        for part in Part::all(setup.nodes()) {
            contents[by.part(part).index()] = self.content(part).renamed(symmetry, by);
        }
        let flights = self.waiting.flights.iter().map(|flight| symmetry.flight(flight, by));
        let mut flights: Vec<_> = flights.collect();
        in_order(setup, &mut flights);
        World::assemble(setup, contents.iter(), flights)
    }
}

/// Puts renamed messages in the order in which a world keeps them: those of one link stay as they
/// are where links are FIFO.
fn in_order<P: Protocol>(setup: &Setup<P>, flights: &mut [Flight<P::Msg>]) {
    match setup.links {
        super::Links::Fifo => flights.sort_by_key(|flight| (flight.from, flight.to)),
        super::Links::Unordered => flights.sort(),
    }
}

/// A derive would ask `P` itself to be copied.
impl<P: Protocol> Clone for Symmetry<P> {
    fn clone(&self) -> Self {
        Symmetry { renamings: self.renamings.clone(), ..*self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Input, Outbox};

    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Nobody;

    impl Protocol for Nobody {
        type Config = ();
        type Msg = ();
        type Timer = ();
        type Disk = ();
        type Op = ();
        type Ret = ();

        fn boot((): &(), _: NodeId, (): (), _: &mut Outbox<Self>) -> Self {
            Nobody
        }

        fn step(&mut self, (): &(), _: Input<Self>, _: &mut Outbox<Self>) {}
    }

    impl Interchange for Nobody {
        fn renamed(&self, _: &Renaming) -> Self {
            Nobody
        }
    }

    fn nodes(names: &[u8]) -> Vec<NodeId> {
        names.iter().copied().map(NodeId).collect()
    }

    #[test]
    fn nodes_with_equally_many_guests_change_places_with_them() {
        let homes = nodes(&[1, 2, 3, 1, 2]);
        let symmetry = Symmetry::<Nobody>::of(&nodes(&[1, 2, 3, 4]), 5, &homes);
        let [swap] = &symmetry.expect("two are alike").renamings[..] else { panic!("only two") };
        assert_eq!(swap.to_string(), "n1 as n2, n2 as n1, p0 as p1, p1 as p0, p3 as p4, p4 as p3");
        assert_eq!(swap.process(ProcessId(5)), ProcessId(6), "the second life of p0 is p1's");
        let orders = |n| Symmetry::<Nobody>::of(&nodes(&[0, 1, 2, 3, 4, 5, 6][..n]), 7, &[]);
        assert_eq!(orders(4).map(|symmetry| symmetry.renamings.len()), Some(23));
        assert_eq!(orders(6).map(|symmetry| symmetry.renamings.len()), Some(719));
        assert!(orders(1).is_none() && orders(7).is_none(), "none, and too many");
    }

    #[test]
    fn a_split_stays_a_split_that_leaves_node_0_unnamed() {
        let by = Renaming::new(nodes(&[2, 1, 0]), Vec::new());
        for cut in Cut::all(&[CutKind::Split, CutKind::Isolate, CutKind::OneWay], 3) {
            let image = by.cut(cut).expect("it has an image");
            assert!(
                Cut::all(&[CutKind::Split, CutKind::Isolate, CutKind::OneWay], 3).contains(&image)
            );
            for (from, to) in [(0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2)] {
                let (from, to) = (NodeId(from), NodeId(to));
                assert_eq!(cut.blocks(3, from, to), image.blocks(3, by.node(from), by.node(to)));
            }
        }
    }
}
