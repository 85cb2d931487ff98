//! Promises, judged on the graph of all states: a promise is broken by a fair run that never keeps
//! it, and there is such a run exactly if there is one that goes to a strongly connected component
//! and stays there, or ends where nothing more is owed.
//!
//! A run that stays in a component is fair to a duty if it does it there, or passes by a state in
//! which it is not enabled. Since it may pass by all states and take all ways of its component, it
//! is enough to look at each maximal component once (Lichtenstein and Pnueli, "Checking that
//! finite state concurrent programs satisfy their linear specification", 1985). What shows it is a
//! lasso: a shortest stem to a component that breaks the promise, and a cycle in it that is fair by
//! itself. Both are found by distances and then walked in the world, by the first of its actions
//! that leads on, so they do not depend on how the graph is numbered.

use std::collections::BTreeSet;

use crate::protocol::Checkable;
use crate::world::{Action, Promise, World};

use super::super::check::CheckOptions;
use super::super::verify::Violation;
use super::graph::{Back, FAR, Graph, State, Way};
use super::store::Store;
use super::worker::{Shared, Worker};

/// A run that breaks a promise.
pub struct Lasso<P: Checkable> {
    /// What is broken.
    pub violation: Violation,
    /// Its actions, the start first.
    pub trace: Vec<Action<P>>,
    /// After how many steps the cycle begins, if it does not just end.
    pub cycle: Option<usize>,
}

/// The first promise that is broken in the worlds that a search has stored, all of them; or what
/// cut this short.
pub fn broken<P: Checkable>(
    shared: &Shared<P>,
    worker: &mut Worker<'_, P>,
    store: &Store,
    options: CheckOptions,
) -> Result<Option<Lasso<P>>, String> {
    if shared.setup.promises().next().is_none() {
        return Ok(None);
    }
    let graph = Graph::of(shared, worker, store, options)?;
    let promises = shared.setup.promises().enumerate();
    let mut judged = promises.map(|(n, (name, promise))| {
        let judge = Judge::new(shared, &graph, (n, name, promise));
        if let Promise::StaysPossible(mark) = promise { judge.lost(mark) } else { judge.lasso() }
    });
    Ok(judged.find_map(|lasso| lasso))
}

/// Judges one promise.
struct Judge<'a, P: Checkable> {
    shared: &'a Shared<P>,
    graph: &'a Graph<'a, P>,
    name: &'static str,
    /// The bit of the mark that a cycle must not put out; 0 if there is none.
    mark: u16,
    /// Whether a run that ends keeps it.
    may_end: bool,
    /// Where the promise is made.
    made: Vec<bool>,
    /// Where it is not kept yet.
    open: Vec<bool>,
    back: Back,
}

impl<'a, P: Checkable> Judge<'a, P> {
    fn new(
        shared: &'a Shared<P>,
        graph: &'a Graph<'a, P>,
        (n, name, promise): (usize, &'static str, &Promise<P>),
    ) -> Self {
        let starts: BTreeSet<_> =
            World::starts(&shared.setup).filter_map(|(world, _)| graph.state_of(&world)).collect();
        let judge = |state: State| {
            let system = graph.world_of(state).system;
            match promise {
                Promise::Eventually(goal) => (starts.contains(&state), !goal(&system)),
                Promise::LeadsTo(from, to) => (from(&system), !to(&system)),
                Promise::Recurs(_) => (true, true),
                Promise::StaysPossible(_) => {
                    (true, (0..system.programs.len()).any(|program| system.unfinished(program)))
                }
            }
        };
        let (made, open) = graph.states().map(judge).unzip();
        let mark = if promise.mark().is_some() { 1 << n } else { 0 };
        let may_end = matches!(promise, Promise::Recurs(_));
        Judge { shared, graph, name, mark, may_end, made, open, back: graph.back() }
    }

    fn goes(&self, way: &Way) -> bool {
        way.marks & self.mark == 0
    }

    fn owes(&self, state: State, duty: u32) -> bool {
        self.graph.ways(state).iter().any(|way| way.duty == duty)
    }

    fn duties(&self, state: State) -> BTreeSet<u32> {
        self.graph.ways(state).iter().map(|way| way.duty).filter(|duty| *duty > 0).collect()
    }

    /// For each state the number of its component, from 1, if a fair run may stay there for ever
    /// without keeping the promise, or 0.
    fn traps(&self) -> Vec<u32> {
        let mut traps = vec![0; self.open.len()];
        let mut number = 0;
        let inside = |state: State| self.open[state as usize];
        self.graph.components(
            inside,
            |way| self.goes(way),
            |members| {
                number += 1;
                members.iter().for_each(|state| traps[*state as usize] = number);
                let stays = |way: &&Way| traps[way.to as usize] == number && self.goes(way);
                if !self.is_fair(members, stays) {
                    members.iter().for_each(|state| traps[*state as usize] = 0);
                }
            },
        );
        traps
    }

    /// Whether a run that stays in a component is fair to all: what is enabled everywhere is done.
    fn is_fair(&self, members: &[State], stays: impl Fn(&&Way) -> bool) -> bool {
        let ways = |state: &State| self.graph.ways(*state).iter().filter(&stays);
        if members.iter().all(|state| ways(state).next().is_none()) {
            return !self.may_end && self.duties(members[0]).is_empty();
        }
        let mut owed = self.duties(members[0]);
        for state in members {
            owed.retain(|duty| self.owes(*state, *duty));
        }
        for way in members.iter().flat_map(ways) {
            owed.remove(&way.duty);
        }
        owed.is_empty()
    }

    /// A shortest way to where a fair run may break the promise, and how it does.
    fn lasso(&self) -> Option<Lasso<P>> {
        let traps = self.traps();
        let caught = self.graph.states().filter(|state| traps[*state as usize] > 0);
        let caught: Vec<_> = caught.map(|state| (0, state)).collect();
        let open = |state: State| self.open[state as usize];
        // Once it is made, and until then.
        let made = self.back.distances(caught, |from, to| open(from) && open(to));
        let begins = |state: &State| self.made[*state as usize] && made[*state as usize] < FAR;
        let begins = self.graph.states().filter(begins);
        let begins = begins.map(|state| (made[state as usize], state)).collect();
        let before = self.back.distances(begins, |_, _| true);
        let mut walk = Walk::to_nearest(self, &before)?;
        let is_made = |state: State| {
            self.made[state as usize] && made[state as usize] == before[state as usize]
        };
        while !is_made(walk.state) {
            walk.step(|from, way| before[way.to as usize] == before[from as usize] - 1);
        }
        walk.down(&made, |_| true);
        let stem = walk.trace.len() - 1;
        self.go_round(&mut walk, &traps);
        let turns = walk.trace.len() - 1 - stem;
        let reason = match turns {
            0 => "nothing goes on any more but faults".to_owned(),
            1 => format!("after step {stem} the next is repeated for ever"),
            _ => format!("after step {stem} the next {turns} are repeated for ever"),
        };
        let violation = Violation::new(self.name, reason);
        Some(Lasso { violation, trace: walk.trace, cycle: (turns > 0).then_some(stem) })
    }

    /// Goes round in a component, so that every duty is done or is not enabled somewhere.
    fn go_round(&self, walk: &mut Walk<'_, P>, traps: &[u32]) {
        let begin = walk.state;
        let stays = |way: &Way| traps[way.to as usize] == traps[begin as usize] && self.goes(way);
        let members: Vec<_> = self.graph.states().collect();
        let members = members.into_iter();
        let members = members.filter(|state| traps[*state as usize] == traps[begin as usize]);
        let members: Vec<State> = members.collect();
        let near = |goal: &dyn Fn(State) -> bool| {
            let goals = members.iter().filter(|state| goal(**state)).map(|state| (0, *state));
            self.back.distances(goals.collect(), |from, to| {
                traps[from as usize] == traps[begin as usize]
                    && self.graph.ways(from).iter().any(|way| way.to == to && stays(way))
            })
        };
        let names = self.shared.names.read().expect("no thread panics with names");
        let words = |duty: &u32| names.duties.values()[*duty as usize - 1].to_string();
        let mut owed: Vec<_> = self.duties(begin).into_iter().collect();
        owed.sort_by_cached_key(words);
        drop(names);
        while let Some(duty) = owed.first().copied() {
            let done = |way: &Way| way.duty == duty && stays(way);
            let near =
                near(&|state| !self.owes(state, duty) || self.graph.ways(state).iter().any(done));
            while owed.contains(&duty) {
                let distance = near[walk.state as usize];
                let way = walk.step(|_, way| match distance {
                    0 => done(way),
                    _ => stays(way) && near[way.to as usize] == distance - 1,
                });
                owed.retain(|duty| *duty != way.duty && self.owes(way.to, *duty));
            }
        }
        walk.down(&near(&|state| state == begin), stays);
    }

    /// A shortest way to a state from which no step without a fault can lead to the mark.
    fn lost(&self, mark: &str) -> Option<Lasso<P>> {
        let goal = |way: &Way| way.duty > 0 && !self.goes(way);
        let good =
            |state: &State| !self.open[*state as usize] || self.graph.ways(*state).iter().any(goal);
        let goals = self.graph.states().filter(good).map(|state| (0, state)).collect();
        let near = self.back.distances(goals, |from, to| {
            self.graph.ways(from).iter().any(|way| way.to == to && way.duty > 0)
        });
        let lost = self.graph.states().filter(|state| near[*state as usize] == FAR);
        let near = self.back.distances(lost.map(|state| (0, state)).collect(), |_, _| true);
        let mut walk = Walk::to_nearest(self, &near)?;
        walk.down(&near, |_| true);
        let reason = format!("from here on nothing but a fault could lead to \"{mark}\"");
        let violation = Violation::new(self.name, reason);
        Some(Lasso { violation, trace: walk.trace, cycle: None })
    }
}

/// A run in the world, and where it is in the graph.
struct Walk<'a, P: Checkable> {
    judge: &'a Judge<'a, P>,
    world: World<P>,
    state: State,
    trace: Vec<Action<P>>,
}

impl<'a, P: Checkable> Walk<'a, P> {
    /// Begins where a world starts that is the nearest; `None` if all are too far.
    fn to_nearest(judge: &'a Judge<'a, P>, near: &[u32]) -> Option<Self> {
        let starts = World::starts(&judge.shared.setup).map(|(world, action)| {
            let state = judge.graph.state_of(&world).expect("every start is stored");
            Walk { judge, world, state, trace: vec![action] }
        });
        let walk = starts.min_by_key(|walk| near[walk.state as usize])?;
        (near[walk.state as usize] < FAR).then_some(walk)
    }

    /// Takes the first step, in the world's order, that is such a way from the state before.
    fn step(&mut self, pick: impl Fn(State, &Way) -> bool) -> Way {
        let Judge { shared, graph, .. } = self.judge;
        let found = self.world.actions().into_iter().find_map(|action| {
            let next = self.world.after(&action).expect("an enabled action can be done");
            let duty = shared.names.write().expect("no thread panics with names").duty_of(&action);
            let to = graph.state_of(&next).expect("every state is stored");
            let way = Way { to, duty, marks: shared.promised_marks(&next) };
            pick(self.state, &way).then_some((action, next, way))
        });
        let (action, world, way) = found.expect("the way goes on");
        (self.world, self.state) = (world, way.to);
        self.trace.push(action);
        way
    }

    /// Goes to where the distance is 0, by such ways.
    fn down(&mut self, near: &[u32], goes: impl Fn(&Way) -> bool) {
        while near[self.state as usize] > 0 {
            let distance = near[self.state as usize];
            self.step(|_, way| goes(way) && near[way.to as usize] == distance - 1);
        }
    }
}
