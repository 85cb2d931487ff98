//! Random systems of stateright's actors: what an actor does is drawn from its seed, with all that
//! an actor can do; and an oracle that knows nothing of names, records, levels or components.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use seedbed::engine::actors::{ActionOf, Actors};
use seedbed::engine::check::CheckOptions;
use stateright::actor::{
    Actor, ActorModel, ActorModelAction, ActorModelState, Id, LossyNetwork, Network, Out,
    model_timeout,
};
use stateright::{Expectation, Model};

/// An actor whose rules are a seed.
#[derive(Clone, Debug)]
struct Drawn(u64);

const ACTORS: usize = 2;

fn draw(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

impl Drawn {
    fn react(&self, state: &mut Cow<u8>, event: impl Hash, out: &mut Out<Self>) {
        let mut dice = draw((self.0, **state, event));
        let mut roll = |sides: u64| {
            let face = dice % sides;
            dice /= sides;
            face as u8
        };
        if roll(3) > 0 {
            *state.to_mut() = roll(4);
        }
        for _ in 0..roll(3) {
            match roll(8) {
                0..=2 => out.send(Id::from(usize::from(roll(ACTORS as u64 + 1))), roll(2)),
                3 => out.set_timer(roll(2), model_timeout()),
                4 => out.cancel_timer(roll(2)),
                5 => out.choose_random("a", vec![roll(2), 1][..roll(3).into()].to_vec()),
                6 => out.choose_random("b", vec![2]),
                _ => out.save(roll(2)),
            }
        }
    }
}

impl Actor for Drawn {
    type Msg = u8;
    type Timer = u8;
    type State = u8;
    type Storage = u8;
    type Random = u8;

    fn on_start(&self, me: Id, kept: &Option<u8>, out: &mut Out<Self>) -> u8 {
        let mut state = Cow::Owned(kept.unwrap_or(0));
        self.react(&mut state, ("start", me), out);
        let first = draw(self.0) as u8;
        out.set_timer(first % 2, model_timeout());
        state.into_owned()
    }

    fn on_msg(&self, _: Id, state: &mut Cow<u8>, from: Id, msg: u8, out: &mut Out<Self>) {
        self.react(state, ("msg", from, msg), out);
    }

    fn on_timeout(&self, _: Id, state: &mut Cow<u8>, timer: &u8, out: &mut Out<Self>) {
        self.react(state, ("timeout", timer), out);
    }

    fn on_random(&self, _: Id, state: &mut Cow<u8>, random: &u8, out: &mut Out<Self>) {
        self.react(state, ("random", random), out);
    }
}

type System = ActorModel<Drawn, u64, u8>;
type State = ActorModelState<Drawn, u8>;

fn in_flight(network: &Network<u8>) -> usize {
    match network {
        Network::Ordered(links) => links.values().map(|link| link.len()).sum(),
        other => other.len(),
    }
}

fn system(seed: u64) -> System {
    let network = match seed % 3 {
        0 => Network::new_unordered_duplicating([]),
        1 => Network::new_unordered_nonduplicating([]),
        _ => Network::new_ordered([]),
    };
    let lossy = (seed / 3).is_multiple_of(4);
    ActorModel::new(seed, 0)
        .actors((0..ACTORS as u64).map(|n| Drawn(draw((seed, n)))))
        .init_network(network)
        .lossy_network(if lossy { LossyNetwork::Yes } else { LossyNetwork::No })
        .max_crashes((seed / 12 % 3) as usize)
        .record_msg_in(|seed, history, envelope| {
            let heard = draw((seed, history, envelope.dst, envelope.msg));
            (heard % 3 == 0).then_some((history + 1) % 3)
        })
        .record_msg_out(|seed, history, envelope| {
            let said = draw((seed, history, envelope.src, *envelope.msg));
            (said % 3 == 0).then_some((history * 2 + 1) % 3)
        })
        .within_boundary(|_, state| in_flight(&state.network) <= 2)
        .property(Expectation::Always, "whole", |model, state| {
            draw((model.cfg, &state.actor_states, in_flight(&state.network))) % 16 != 0
        })
        .property(Expectation::Always, "history", |model, state| {
            draw((model.cfg, state.history)) % 3 != 0
        })
        .property(Expectation::Sometimes, "some", |model, state| {
            draw(("some", model.cfg, &state.actor_states)) % 16 == 0
        })
        .property(Expectation::Eventually, "in the end", |model, state| {
            draw(("end", model.cfg, &state.actor_states)) % 2 == 0
        })
}

/// A graph of whole states.
#[derive(Default)]
struct Graph {
    states: Vec<State>,
    depths: Vec<usize>,
    edges: Vec<Vec<(ActionOf<Drawn>, usize)>>,
}

impl Graph {
    fn of(model: &System, is_in: impl Fn(&State) -> bool) -> Graph {
        let (mut graph, mut known) = (Graph::default(), HashMap::<u64, Vec<usize>>::new());
        let mut number = |graph: &mut Graph, state: State, depth: usize| {
            let same = known.entry(draw(&state)).or_default();
            if let Some(n) = same.iter().find(|n| graph.states[**n] == state) {
                return *n;
            }
            graph.states.push(state);
            graph.depths.push(depth);
            same.push(graph.states.len() - 1);
            graph.states.len() - 1
        };
        for start in model.init_states() {
            if Model::within_boundary(model, &start) && is_in(&start) {
                number(&mut graph, start, 1);
            }
        }
        while graph.edges.len() < graph.states.len() {
            let n = graph.edges.len();
            let mut edges = Vec::new();
            for (action, next) in model.next_steps(&graph.states[n]) {
                if Model::within_boundary(model, &next) {
                    let is_in = is_in(&next);
                    let depth = graph.depths[n] + 1;
                    let to = if is_in { number(&mut graph, next, depth) } else { usize::MAX };
                    edges.push((action, to));
                }
            }
            graph.edges.push(edges);
        }
        graph
    }

    /// The length of a shortest path to such a state.
    fn nearest(&self, is_goal: impl Fn(&State) -> bool) -> Option<usize> {
        let goals = self.states.iter().zip(&self.depths).filter(|(state, _)| is_goal(state));
        goals.map(|(_, depth)| *depth).min()
    }

    /// Whether a path that ends, or a fair one that does not, stays in this graph: the greatest set
    /// of states from each of which, for every deed, one comes within the set to where it can't
    /// happen or to where it does (Emerson and Lei, 1986).
    fn stays(&self) -> bool {
        let is_fault = |action: &ActionOf<Drawn>| {
            matches!(action, ActorModelAction::Drop(_) | ActorModelAction::Crash(_))
        };
        let real = |n: usize| self.edges[n].iter().filter(|(action, _)| !is_fault(action));
        if (0..self.states.len()).any(|n| real(n).next().is_none()) {
            return true;
        }
        let deeds: BTreeSet<_> = (0..self.states.len())
            .flat_map(|n| real(n).map(|(action, _)| action.clone()))
            .collect();
        let mut set: BTreeSet<usize> = (0..self.states.len()).collect();
        loop {
            let before = set.len();
            for deed in &deeds {
                let goal = |n: usize| {
                    let can = real(n).any(|(action, _)| action == deed);
                    let goes_on = |(action, to): &(ActionOf<Drawn>, usize)| {
                        set.contains(to) && (!can || action == deed)
                    };
                    real(n).any(goes_on)
                };
                let mut reach: BTreeSet<usize> = set.iter().copied().filter(|n| goal(*n)).collect();
                loop {
                    let more: Vec<usize> = set
                        .difference(&reach)
                        .copied()
                        .filter(|n| real(*n).any(|(_, to)| reach.contains(to)))
                        .collect();
                    if more.is_empty() {
                        break;
                    }
                    reach.extend(more);
                }
                set = reach;
            }
            if set.len() == before {
                return !set.is_empty();
            }
        }
    }
}

/// Systems of so many transitions take the oracle too long.
const LARGE: usize = 3_000;

fn cases() -> u64 {
    let cases = std::env::var("SEEDBED_CASES").ok().and_then(|text| text.parse().ok());
    cases.unwrap_or(1) * 400
}

#[test]
fn random_systems_have_the_states_paths_and_verdicts_of_the_oracle() {
    let (mut violated, mut round, mut ended, mut held) = (0, 0, 0, 0);
    for seed in 0..cases() {
        let actors = Actors::new(system(seed)).reads_history("history");
        let model = actors.model();
        let (threads, states_max) = (1 + seed as usize % 2, Some(LARGE));
        let found = actors.check(CheckOptions { threads, states_max, ..CheckOptions::default() });
        let is_large = |reason: &String| reason.starts_with("it stopped at");
        if found.incomplete.as_ref().is_some_and(is_large) || found.states == 0 {
            continue;
        }
        assert_eq!(found.incomplete, None, "{seed}");
        let graph = Graph::of(model, |_| true);
        let transitions = graph.edges.iter().map(Vec::len).sum::<usize>() + 1;
        let depth = graph.depths.iter().copied().max().unwrap();
        let counts = (found.states, found.transitions, found.depth);
        assert_eq!(counts, (graph.states.len(), transitions, depth), "{seed}");
        for property in &model.properties {
            let says = |state: &State| (property.condition)(model, state);
            let discovery = found.discoveries.get(property.name);
            discovery.inspect(|discovery| super::goes_there(model, property, discovery));
            let length = discovery.map(|discovery| discovery.actions.len() + 1);
            match property.expectation {
                Expectation::Always => assert_eq!(length, graph.nearest(|s| !says(s)), "{seed}"),
                Expectation::Sometimes => assert_eq!(length, graph.nearest(says), "{seed}"),
                Expectation::Eventually => {
                    let region = Graph::of(model, |state| !says(state));
                    assert_eq!(discovery.is_some(), region.stays(), "{seed}");
                    match discovery {
                        None => held += 1,
                        Some(discovery) if discovery.cycle.is_empty() => ended += 1,
                        Some(_) => round += 1,
                    }
                }
            }
            violated += usize::from(discovery.is_some());
        }
    }
    println!("violated {violated}, in the end {ended}, going round {round}, eventually {held}");
    assert!(violated > 200 && round > 5 && ended > 50 && held > 100);
}
