//! A world taken apart and put together again: all of it but the messages in flight is in parts,
//! so that an engine can keep each distinct part once.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::protocol::{Checkable, NodeId, Protocol};

use super::system::{Node, Program};
use super::{
    Cut, Faults, Flight, Interval, Part, Record, Renaming, Seen, Setup, Symmetry, System, Waiting,
    Watch, World,
};

/// What a part of a world holds.
pub struct Content<P: Protocol>(Held<P>);

enum Held<P: Protocol> {
    Cut(Option<Cut>),
    Left(Faults),
    Now(u32),
    Calls(Calls<P>),
    Ghosts(Ghosts<P>),
    Node(Place<P>),
}

/// The client programs and the history. What an open call asked follows from the last call, so it
/// tells no two contents apart.
struct Calls<P: Protocol> {
    programs: Vec<Program<P>>,
    asked: Vec<Option<P::Op>>,
    patience: Vec<Option<Interval>>,
    history: Arc<Record<P>>,
}

impl<P: Protocol> Calls<P> {
    fn renamed(&self, symmetry: &Symmetry<P>, by: &Renaming) -> Calls<P> {
        let mut programs = self.programs.clone();
        let (mut asked, mut patience) = (self.asked.clone(), self.patience.clone());
        for (n, program) in self.programs.iter().enumerate() {
            let other = by.program(n);
            programs[other] = program.renamed(symmetry, by);
            asked[other] = self.asked[n].as_ref().map(|op| (symmetry.op)(op, by));
            patience[other] = self.patience[n];
        }
        let history = Arc::new(self.history.renamed(symmetry, by));
        Calls { programs, asked, patience, history }
    }
}

fn wordless(found: Option<&(&'static str, String)>) -> Option<(&'static str, String)> {
    found.map(|(property, _)| (*property, String::new()))
}

struct Ghosts<P: Protocol> {
    monitors: Vec<Box<dyn Watch<P>>>,
    broken: Option<(&'static str, String)>,
}

/// A node and what waits at it.
struct Place<P: Protocol> {
    node: Arc<Node<P>>,
    timers: Vec<(NodeId, P::Timer, Interval, u32)>,
    pause: Option<(NodeId, Interval)>,
}

impl<P: Checkable> World<P> {
    /// What a part of this world holds.
    pub fn content(&self, part: Part) -> Content<P> {
        let World { system, waiting } = self;
        Content(match part {
            Part::Cut => Held::Cut(system.cut),
            Part::Left => Held::Left(system.left.clone()),
            Part::Now => Held::Now(system.now),
            Part::Calls => Held::Calls(Calls {
                programs: system.programs.clone(),
                asked: system.asked.clone(),
                patience: waiting.patience.clone(),
                history: Arc::clone(&system.history),
            }),
            Part::Ghosts => Held::Ghosts(Ghosts {
                monitors: system.monitors.clone(),
                broken: system.broken.clone(),
            }),
            Part::Node(me) => Held::Node(Place {
                node: Arc::clone(&system.nodes[me.index()]),
                timers: waiting.timers_of(me).to_vec(),
                pause: waiting.pauses.iter().find(|(paused, _)| *paused == me).copied(),
            }),
        })
    }

    /// Whether a part of this world holds what another's does.
    pub fn agrees(&self, other: &World<P>, part: Part) -> bool {
        let (ours, theirs) = (&self.system, &other.system);
        let (waits, also) = (&self.waiting, &other.waiting);
        match part {
            Part::Cut => ours.cut == theirs.cut,
            Part::Left => ours.left == theirs.left,
            Part::Now => ours.now == theirs.now,
            Part::Calls => {
                ours.programs == theirs.programs
                    && waits.patience == also.patience
                    && (Arc::ptr_eq(&ours.history, &theirs.history)
                        || ours.history == theirs.history)
            }
            Part::Ghosts => ours.monitors == theirs.monitors && ours.broken == theirs.broken,
            Part::Node(me) => {
                let pause = |waiting: &Waiting<P>| {
                    waiting.pauses.iter().find(|(paused, _)| *paused == me).copied()
                };
                let (one, two) = (&ours.nodes[me.index()], &theirs.nodes[me.index()]);
                (Arc::ptr_eq(one, two) || one == two)
                    && waits.timers_of(me) == also.timers_of(me)
                    && pause(waits) == pause(also)
            }
        }
    }

    /// Puts a world together from what its parts hold, by number, and from what is in flight, in
    /// the order in which a world keeps it.
    ///
    /// # Panics
    /// If the contents are not those of a world's parts.
    pub fn assemble<'a>(
        setup: &Arc<Setup<P>>,
        contents: impl Iterator<Item = &'a Content<P>>,
        flights: Vec<Flight<P::Msg>>,
    ) -> World<P> {
        let mut contents = contents.map(|content| &content.0);
        let mut next = || contents.next().expect("a world has all its parts");
        let Held::Cut(cut) = next() else { panic!("this is not a partition") };
        let Held::Left(left) = next() else { panic!("these are not budgets") };
        let Held::Now(now) = next() else { panic!("this is not a time") };
        let Held::Calls(calls) = next() else { panic!("these are not calls") };
        let Held::Ghosts(ghosts) = next() else { panic!("these are not ghosts") };
        let mut nodes = Vec::with_capacity(setup.numbers.nodes as usize);
        let (mut timers, mut pauses) = (Vec::new(), Vec::new());
        for content in contents {
            let Held::Node(place) = content else { panic!("this is not a node") };
            nodes.push(Arc::clone(&place.node));
            timers.extend(place.timers.iter().cloned());
            pauses.extend(place.pause);
        }
        let system = System {
            setup: Arc::clone(setup),
            nodes,
            programs: calls.programs.clone(),
            cut: *cut,
            left: left.clone(),
            now: *now,
            history: Arc::clone(&calls.history),
            monitors: ghosts.monitors.clone(),
            broken: ghosts.broken.clone(),
            seen: Seen::default(),
            asked: calls.asked.clone(),
            stirred: false,
        };
        let waiting = Waiting::with(setup, flights, timers, calls.patience.clone(), pauses);
        World { system, waiting }
    }
}

impl<P: Protocol> Content<P> {
    /// The same under other names, without the words of what a monitor has found, which may hold
    /// names.
    ///
    /// # Panics
    /// If it is a partition that goes by the order of names.
    pub fn renamed(&self, symmetry: &Symmetry<P>, by: &Renaming) -> Content<P>
    where
        P: Checkable,
    {
        Content(match &self.0 {
            Held::Cut(cut) => {
                let renamed = |cut| by.cut(cut).expect("the partition has an image");
                Held::Cut(cut.map(renamed))
            }
            Held::Left(left) => Held::Left(left.clone()),
            Held::Now(now) => Held::Now(*now),
            Held::Calls(calls) => Held::Calls(calls.renamed(symmetry, by)),
            Held::Ghosts(Ghosts { monitors, broken }) => {
                let monitors = monitors.iter().map(|monitor| monitor.under(by)).collect();
                Held::Ghosts(Ghosts { monitors, broken: wordless(broken.as_ref()) })
            }
            Held::Node(place) => {
                let timers = place.timers.iter().map(|(node, timer, wait, length)| {
                    (by.node(*node), (symmetry.timer)(timer, by), *wait, *length)
                });
                let mut timers: Vec<_> = timers.collect();
                timers.sort_by(|one, other| one.1.cmp(&other.1));
                let node = Arc::new(place.node.renamed(symmetry, by));
                let pause = place.pause.map(|(node, wait)| (by.node(node), wait));
                Held::Node(Place { node, timers, pause })
            }
        })
    }

    /// The same without the words of what a monitor has found, if these are the monitors.
    pub fn wordless(&self) -> Option<Content<P>> {
        let Held::Ghosts(Ghosts { monitors, broken }) = &self.0 else { return None };
        let (monitors, broken) = (monitors.clone(), wordless(broken.as_ref()));
        Some(Content(Held::Ghosts(Ghosts { monitors, broken })))
    }

    /// The node, if this is one.
    pub fn node(&self) -> Option<&Node<P>> {
        match &self.0 {
            Held::Node(place) => Some(&place.node),
            _ => None,
        }
    }

    /// The history and whether some call is open, if these are the calls.
    pub fn calls(&self) -> Option<(&Arc<Record<P>>, bool)> {
        match &self.0 {
            Held::Calls(calls) => {
                let open = calls.programs.iter().any(|program| program.open.is_some());
                Some((&calls.history, open))
            }
            _ => None,
        }
    }

    /// Whether a monitor has seen something broken.
    pub fn is_broken(&self) -> bool {
        matches!(&self.0, Held::Ghosts(ghosts) if ghosts.broken.is_some())
    }
}

impl<P: Protocol + Eq> PartialEq for Content<P> {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Held::Cut(one), Held::Cut(two)) => one == two,
            (Held::Left(one), Held::Left(two)) => one == two,
            (Held::Now(one), Held::Now(two)) => one == two,
            (Held::Calls(one), Held::Calls(two)) => {
                one.programs == two.programs
                    && one.patience == two.patience
                    && one.history == two.history
            }
            (Held::Ghosts(one), Held::Ghosts(two)) => {
                one.monitors == two.monitors && one.broken == two.broken
            }
            (Held::Node(one), Held::Node(two)) => {
                one.node == two.node && one.timers == two.timers && one.pause == two.pause
            }
            _ => false,
        }
    }
}

impl<P: Protocol + Eq> Eq for Content<P> {}

impl<P: Protocol> Hash for Content<P> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Held::Cut(cut) => cut.hash(state),
            Held::Left(left) => left.hash(state),
            Held::Now(now) => now.hash(state),
            Held::Calls(calls) => (&calls.programs, &calls.patience, &calls.history).hash(state),
            Held::Ghosts(ghosts) => (&ghosts.monitors, &ghosts.broken).hash(state),
            Held::Node(place) => (&place.node, &place.timers, &place.pause).hash(state),
        }
    }
}
