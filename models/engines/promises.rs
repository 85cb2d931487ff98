//! Promises: what must come to pass. The checker against a brute-force judge on small random
//! graphs, beside stateright's own `eventually`, and duty by duty.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use seedbed::engine::check::{CheckOptions, Checked, Search, Verdict, check};
use seedbed::engine::{promised, trace};
use seedbed::protocol::{Input, NodeId, Outbox, Protocol};
use seedbed::protocols::catalogue;
use seedbed::world::{Clocks, CutKind, Numbers, Property, Setup, System};
use stateright::{Checker, Model, Property as Expectation};

use crate::toys::{N0, N1, Toy, idle, quiet, toys};

/// Where each label leads from each state.
type Graph = Vec<[Option<u8>; LABELS]>;

const LABELS: usize = 3;

/// A graph as a node: its state is a state, and its labels are its timers, so that each of them is
/// a duty. The label 0 puts out a mark. A call to it never returns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Walker(u8);

impl Walker {
    fn arm(&self, graph: &Graph, out: &mut Outbox<Self>) {
        let ways = (0..).zip(&graph[usize::from(self.0)]);
        ways.filter(|(_, to)| to.is_some()).for_each(|(label, _)| out.arm(label, 1));
    }
}

impl Protocol for Walker {
    type Config = Graph;
    type Msg = ();
    type Timer = u8;
    type Disk = ();
    type Op = ();
    type Ret = ();

    fn boot(graph: &Graph, _: NodeId, (): (), out: &mut Outbox<Self>) -> Self {
        let walker = Walker(0);
        walker.arm(graph, out);
        walker
    }

    fn step(&mut self, graph: &Graph, input: Input<Self>, out: &mut Outbox<Self>) {
        let Input::Fired(label) = input else { return };
        (0..LABELS as u8).for_each(|label| out.disarm(label));
        let to = graph[usize::from(self.0)][usize::from(label)];
        self.0 = to.expect("only a label that leads on is armed");
        if label == 0 {
            out.mark("zero", 0);
        }
        self.arm(graph, out);
    }
}

fn walks(graph: &Graph, promise: Property<Walker>) -> Setup<Walker> {
    let numbers = Numbers { clients: 1, calls: 1, ..quiet(1) };
    // What stays possible is asked where a program is not done: one that waits for ever.
    let mut setup = Setup::new(graph.clone(), &numbers, |_| Some((NodeId(0), ())));
    setup.numbers.clients = u32::from(matches!(promise.name(), "possible"));
    setup.properties = vec![promise];
    Setup { deadlock_expected: true, finishes: false, ..setup }
}

fn at(system: &System<Walker>) -> u8 {
    system.state(N0).expect("it is up").0
}

fn checked<P: Protocol + Clone + Eq + Send + Sync>(setup: Setup<P>) -> Checked<P> {
    judged(&Arc::new(setup), 1)
}

/// Checks a world. A lasso that is found must show by itself, in the world, that it breaks the
/// promise.
fn judged<P: Protocol + Clone + Eq + Send + Sync>(
    setup: &Arc<Setup<P>>,
    threads: usize,
) -> Checked<P> {
    let found = check(setup, CheckOptions { threads, ..Default::default() });
    if let Verdict::Violated(violation) = &found.verdict {
        let words: Vec<_> = found.trace.iter().map(ToString::to_string).collect();
        let replayed = trace::replay(setup, &words).expect("it can be replayed");
        let promise = setup.promises().find(|(name, _)| *name == violation.property);
        let promise = promise.expect("nothing else breaks");
        let shown = promised::broken(&replayed.path, found.cycle, promise);
        assert!(shown.is_some(), "{violation} {words:?} {:?}", found.cycle);
    }
    found
}

fn is_kept<P: Protocol + Clone + Eq + Send + Sync>(setup: Setup<P>) -> bool {
    match checked(setup).verdict {
        Verdict::Holds => true,
        Verdict::Violated(_) => false,
        Verdict::Incomplete(reason) => panic!("{reason}"),
    }
}

/// The brute-force judge: it tries every set of states as that which a run visits for ever.
struct Oracle<'a> {
    graph: &'a Graph,
    /// Whether a run may use the label 0 in the end.
    zero: bool,
}

impl Oracle<'_> {
    fn ways(&self, from: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        let ways = self.graph[from].iter().enumerate();
        ways.filter_map(|(label, to)| Some((label, usize::from((*to)?))))
    }

    /// The states that can be reached from some by way of these only.
    fn reach(&self, from: u32, within: u32, zero: bool) -> u32 {
        let mut reached = from & within;
        for _ in 0..self.graph.len() {
            for state in 0..self.graph.len() {
                if reached >> state & 1 == 1 {
                    let ways = self.ways(state).filter(|(label, _)| zero || *label > 0);
                    reached = ways.fold(reached, |reached, (_, to)| reached | 1 << to) & within;
                }
            }
        }
        reached
    }

    /// Whether a fair run may end up visiting exactly these states, again and again.
    fn may_stay(&self, set: u32) -> bool {
        let members: Vec<_> = (0..self.graph.len()).filter(|state| set >> state & 1 == 1).collect();
        let inside = |from: usize| {
            let ways = self.ways(from).filter(|(label, _)| self.zero || *label > 0);
            ways.filter(|(_, to)| set >> to & 1 == 1)
        };
        let ends = members.len() == 1 && self.ways(members[0]).next().is_none();
        let strong = members.iter().all(|state| self.reach(1 << state, set, self.zero) == set);
        let moves = members.iter().all(|state| inside(*state).next().is_some());
        let fair = (0..LABELS).all(|label| {
            let enabled = |state: &usize| self.graph[*state][label].is_some();
            let taken = |state: &usize| inside(*state).any(|(taken, _)| taken == label);
            !members.iter().all(enabled) || members.iter().any(taken)
        });
        (ends && self.zero) || (strong && moves && fair)
    }

    /// Whether some fair run comes to `from` and from then on stays out of `to`.
    fn breaks(&self, from: u32, to: u32) -> bool {
        let all = (1 << self.graph.len()) - 1;
        let begins = self.reach(1, all, true) & from & !to;
        let open = self.reach(begins, !to & all, true);
        (1..=all).any(|set| set & !open == 0 && self.may_stay(set))
    }

    /// Whether the label 0 can be reached from every state that can be.
    fn stays_possible(&self) -> bool {
        let all = (1 << self.graph.len()) - 1;
        let reached = self.reach(1, all, true);
        (0..self.graph.len()).filter(|state| reached >> state & 1 == 1).all(|state| {
            let ahead = self.reach(1 << state, all, true);
            (0..self.graph.len())
                .any(|next| ahead >> next & 1 == 1 && self.graph[next][0].is_some())
        })
    }
}

fn random_graph(rng: &mut ChaCha8Rng) -> Graph {
    let states = 2 + rng.next_u32() % 5;
    let mut way = || (rng.next_u32() % 5 < 2).then(|| (rng.next_u32() % states) as u8);
    (0..states).map(|_| [way(), way(), way()]).collect()
}

#[test]
fn promises_on_random_graphs_are_judged_as_by_brute_force() {
    let times = std::env::var("SEEDBED_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut broken = [0; 4];
    for _ in 0..1_000 * times {
        let graph = random_graph(&mut rng);
        let (from, to) = (rng.next_u32() % 64, rng.next_u32() % 64);
        let is = |set: u32| move |system: &System<Walker>| set >> at(system) & 1 == 1;
        let free = Oracle { graph: &graph, zero: true };
        let calm = Oracle { graph: &graph, zero: false };
        let cases = [
            (Property::leads_to("leads", is(from), is(to)), free.breaks(from, to)),
            (Property::eventually("eventually", is(to)), free.breaks(1, to)),
            (Property::recurs("recurs", "zero"), calm.breaks(u32::MAX, 0)),
            (Property::stays_possible("possible", "zero"), !free.stays_possible()),
        ];
        for (broken, (promise, expected)) in broken.iter_mut().zip(cases) {
            let name = promise.name();
            let kept = is_kept(walks(&graph, promise));
            // From a start where it is kept nothing more is asked.
            assert_eq!(!kept, expected, "{name}: {graph:?} from {from:b} to {to:b}");
            *broken += usize::from(expected);
        }
    }
    for broken in broken {
        assert!((100 * times..900 * times).contains(&broken), "{broken} are broken");
    }
}

/// The same graph for stateright, which must come to one of these states.
struct Theirs(Graph, u32);

impl Model for Theirs {
    type State = u8;
    type Action = usize;

    fn init_states(&self) -> Vec<u8> {
        vec![0]
    }

    fn actions(&self, state: &u8, actions: &mut Vec<usize>) {
        let ways = self.0[usize::from(*state)];
        actions.extend((0..LABELS).filter(|label| ways[*label].is_some()));
    }

    fn next_state(&self, state: &u8, label: usize) -> Option<u8> {
        self.0[usize::from(*state)][label]
    }

    fn properties(&self) -> Vec<Expectation<Self>> {
        vec![Expectation::eventually("goal", |model, state| model.1 >> state & 1 == 1)]
    }
}

#[test]
fn stateright_misses_what_cycles_and_joins_hide() {
    let no = None;
    let cases = [
        ("an end", vec![[Some(1), Some(2), no], [no; 3], [no; 3]], 1 << 1, true),
        // For ever from 0 to 1 and back: 2 is possible in 0 only.
        ("a cycle", vec![[Some(1), Some(2), no], [Some(0), no, no], [no; 3]], 1 << 2, false),
        // By way of 1 it comes to 3, and by way of 2 as well: but not by way of 1 then.
        (
            "a join",
            vec![[Some(1), Some(2), no], [Some(3), no, no], [Some(3), no, no], [no; 3]],
            1 << 1,
            false,
        ),
    ];
    for (what, graph, goal, theirs) in cases {
        let promise = Property::eventually("goal", move |system: &System<Walker>| {
            goal >> at(system) & 1 == 1
        });
        assert!(!is_kept(walks(&graph, promise)), "{what} breaks it");
        let bfs = Theirs(graph.clone(), goal).checker().spawn_bfs().join();
        let dfs = Theirs(graph, goal).checker().spawn_dfs().join();
        // If one of these fails, stateright has become sound there.
        assert_eq!(bfs.discovery("goal").is_some(), theirs, "{what}, breadth first");
        assert!(bfs.is_done() && dfs.is_done());
        if what != "a join" {
            assert_eq!(dfs.discovery("goal").is_some(), theirs, "{what}, depth first");
        }
    }
}

/// Node 0 goes on for ever by its timer; what it sent to node 1 at its start is remembered there.
fn goes_on(toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>) {
    match input {
        Input::Fired(_) => {
            if out.choose(2) == 1 {
                out.mark("draws 1", 0);
            }
            out.arm(1, 1);
        }
        Input::Recv(_, msg) => toy.log.push(msg.into()),
        _ => {}
    }
}

fn sends_and_starts(toy: &mut Toy, _: u8, out: &mut Outbox<Toy>) {
    if toy.me == N0 {
        out.send(N1, 7);
        out.arm(1, 1);
    }
}

fn promising(numbers: Numbers, promise: Property<Toy>) -> Setup<Toy> {
    let mut setup = toys(numbers, sends_and_starts, goes_on);
    setup.properties = vec![promise];
    setup
}

fn heard() -> Property<Toy> {
    Property::eventually("heard", |system: &System<Toy>| {
        system.state(N1).is_some_and(|toy| !toy.log.is_empty())
    })
}

#[test]
fn what_stays_possible_is_owed_and_faults_are_not() {
    let numbers = |set: fn(&mut Numbers)| {
        let mut numbers = quiet(2);
        set(&mut numbers);
        numbers
    };
    let is_up = |system: &System<Toy>| system.state(N0).is_some();
    let crash = |numbers: &mut Numbers| numbers.faults.crashes = 1;
    let cases = [
        ("a message", promising(quiet(2), heard()), true),
        ("a loss", promising(numbers(|n| n.faults.losses = 1), heard()), false),
        (
            "the end of a partition",
            promising(
                numbers(|n| (n.faults.partitions, n.cuts) = (1, vec![CutKind::Isolate])),
                heard(),
            ),
            true,
        ),
        ("the end of a pause", promising(numbers(|n| n.faults.pauses = 1), heard()), true),
        (
            "a restart",
            promising(
                numbers(crash),
                Property::leads_to("up", move |system| !is_up(system), is_up),
            ),
            true,
        ),
        (
            "a crash",
            promising(numbers(crash), Property::eventually("down", move |system| !is_up(system))),
            false,
        ),
        ("a timer", promising(quiet(2), Property::recurs("fires", "draws 1")), false),
        (
            "time",
            promising(numbers(|n| (n.clocks, n.delay) = (Clocks::Perfect, Some((1, 3)))), heard()),
            true,
        ),
    ];
    for (what, setup, kept) in cases {
        assert_eq!(is_kept(setup), kept, "{what}");
    }
    // With one value to draw it is drawn.
    let mut setup = promising(quiet(2), Property::recurs("fires", "fires"));
    setup.config.1 = |_, input, out| {
        if let Input::Fired(_) = input {
            out.mark("fires", 0);
            out.arm(1, 1);
        }
    };
    assert!(is_kept(setup));
}

#[test]
fn a_call_that_nobody_answers_breaks_the_promise_that_calls_return() {
    let answers = |toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| match input {
        Input::Call(call, _) => {
            toy.calls.push(call);
            out.arm(1, 1);
        }
        Input::Fired(_) => toy.calls.drain(..).for_each(|call| out.reply(call, 1)),
        _ => {}
    };
    let ponders = |toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| match input {
        Input::Call(call, _) => {
            toy.calls.push(call);
            out.arm(1, 1);
        }
        Input::Fired(_) => out.arm(1, 1),
        _ => {}
    };
    for (step, kept) in [(answers as crate::toys::Step, true), (ponders, false)] {
        let mut setup = toys(Numbers { clients: 1, calls: 2, ..quiet(1) }, idle, step);
        setup.properties = vec![Property::calls_return()];
        let found = checked(Setup { finishes: false, ..setup });
        assert_eq!(found.verdict == Verdict::Holds, kept, "{:?}", found.verdict);
        // The call, and then one step that is repeated.
        let shape = (!kept).then_some((3, Some(1)));
        assert_eq!((!kept).then_some((found.trace.len(), found.cycle)), shape);
    }
}

#[test]
fn the_lasso_does_not_depend_on_the_number_of_threads() {
    let catalogue = catalogue();
    let scenario = catalogue.get("election/polite").expect("it is there");
    let found = |threads| {
        let options = CheckOptions { threads, ..Default::default() };
        let report = scenario.check(&scenario.card().small, options).expect("it is checkable");
        (report.trace, report.cycle, report.reason)
    };
    let one = found(1);
    assert!(one.1.is_some(), "it goes round");
    assert_eq!(found(2), one);
}

#[test]
fn where_promises_are_not_judged_nothing_holds() {
    for options in [
        CheckOptions { search: Search::StaterightBfs, ..Default::default() },
        CheckOptions { search: Search::StaterightDfs, ..Default::default() },
        CheckOptions { fingerprints: true, ..Default::default() },
        CheckOptions { states_max: Some(2), ..Default::default() },
    ] {
        let found = check(&Arc::new(promising(quiet(2), heard())), options);
        assert_eq!(found.verdict.word(), "incomplete", "{options:?}");
    }
}
