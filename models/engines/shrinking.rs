//! Shrinking: what is left out, what must stay, and what a trace does in a world that refuses some
//! of it.

use std::sync::Arc;

use seedbed::engine::follow::follow;
use seedbed::engine::shrink::{ShrinkOptions, Shrunk, Size, Unshrinkable, shortest, shrink};
use seedbed::engine::simulate::{self, SimulateOptions};
use seedbed::engine::trace::{TraceFile, VERSION};
use seedbed::engine::{Engines, Runner, Shrinking};
use seedbed::protocol::{Input, NodeId, Outbox};
use seedbed::protocols::catalogue;
use seedbed::world::{Faults, Numbers, Property, Setup};

use crate::toys::{N0, N1, Toy, idle, listen, toys};

/// A call at a node tells the next node, which remembers it. A restart resets what it remembers.
fn tell(toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>) {
    if let Input::Call(call, op) = input {
        let next = NodeId(toy.me.0 + 1);
        out.send(if toy.me == N0 { next } else { N0 }, 10 + op);
        out.reply(call, op);
    } else {
        listen(toy, input, out);
    }
}

fn large() -> Numbers {
    let faults = Faults { losses: 3, duplicates: 3, crashes: 2, pauses: 2, ..Faults::default() };
    Numbers { nodes: 4, clients: 3, calls: 4, faults, ..Numbers::default() }
}

/// Broken once node 1 has got two messages.
fn two_arrive(numbers: &Numbers) -> Arc<Setup<Toy>> {
    let mut setup = toys(numbers.clone(), idle, tell);
    let few = |_: &_, me: NodeId, toy: &Toy| me != N1 || toy.log.len() < 2;
    setup.properties = vec![Property::each_node("few arrive", few)];
    setup.finishes = false;
    Arc::new(setup)
}

/// The first seed that breaks the property, in words, with the numbers of its world.
fn failing_run(build: fn(&Numbers) -> Arc<Setup<Toy>>) -> (Numbers, Vec<String>) {
    let setup = build(&Numbers { scale: 100, ..large() });
    let runs = (0..200).map(|seed| simulate::run(&setup, seed));
    let long = runs.filter(|run| run.violation.is_some()).max_by_key(|run| run.trace.len());
    let run = long.expect("a seed breaks it");
    let lifted = seedbed::engine::lift::lift(&setup, &run.trace).expect("it lifts");
    (setup.numbers.clone(), lifted.path.iter().map(ToString::to_string).collect())
}

fn shrunk(build: fn(&Numbers) -> Arc<Setup<Toy>>) -> Shrunk<Toy> {
    let (numbers, words) = failing_run(build);
    shrink(&build, &numbers, &words, 2, ShrinkOptions::default()).expect("it breaks something")
}

fn words(found: &Shrunk<Toy>) -> Vec<String> {
    found.smallest.actions.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_not_needed_is_left_out() {
    let found = shrunk(two_arrive);
    assert!(found.before.steps > 4, "{:?}", found.before);
    let least = Size { faults: 0, calls: 2, processes: 1, nodes: 2, steps: 4, numbers: 2 };
    assert_eq!(found.after, least, "{:?}", words(&found));
    assert_eq!(found.smallest.violation.property, "few arrive");
    assert!(!found.gave_up);
    let setup = two_arrive(&found.smallest.numbers);
    let best = shortest(&setup, "few arrive", ShrinkOptions::default()).expect("it is small");
    assert_eq!(best.actions.len(), found.smallest.actions.len());
}

/// Broken once node 1 has restarted after a message had come.
fn forgets(numbers: &Numbers) -> Arc<Setup<Toy>> {
    let boot =
        |toy: &mut Toy, disk: u8, _: &mut Outbox<Toy>| toy.log.extend((disk > 0).then_some(7));
    let save = |toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| {
        if matches!(input, Input::Recv(..)) {
            out.save(1);
        }
        tell(toy, input, out);
    };
    let mut setup = toys(numbers.clone(), boot, save);
    let fresh = |_: &_, me: NodeId, toy: &Toy| me != N1 || !toy.log.contains(&7);
    setup.properties = vec![Property::each_node("boots fresh", fresh)];
    setup.finishes = false;
    Arc::new(setup)
}

#[test]
fn the_fault_that_is_needed_stays() {
    let found = shrunk(forgets);
    assert_eq!((found.after.faults, found.after.calls, found.after.nodes), (1, 1, 2));
    let expected =
        ["start", "p0#0 calls 0 at n0", "n1 gets 10 from n0", "n1 crashes", "n1 restarts"];
    assert_eq!(words(&found), expected);
    let faults = &found.smallest.numbers.faults;
    assert_eq!(*faults, Faults { crashes: 1, ..Faults::default() }, "budgets are what is spent");
}

/// Broken once node 0 has got anything: any other node's call will do.
fn one_hears(numbers: &Numbers) -> Arc<Setup<Toy>> {
    let mut setup = toys(numbers.clone(), idle, tell);
    let deaf = |_: &_, me: NodeId, toy: &Toy| me != N0 || toy.log.is_empty();
    setup.properties = vec![Property::each_node("hears nothing", deaf)];
    setup.finishes = false;
    Arc::new(setup)
}

#[test]
fn few_nodes_have_small_names() {
    let trace = ["start", "p2#0 calls 0 at n2", "n0 gets 10 from n2"].map(str::to_owned);
    let options = ShrinkOptions::default();
    let found = shrink(&one_hears, &large(), &trace, 2, options).expect("it breaks something");
    assert_eq!(words(&found), ["start", "p1#0 calls 0 at n1", "n0 gets 10 from n1"]);
    assert_eq!((found.after.processes, found.after.nodes), (2, 2));
}

/// The first failing run of a scenario's large world, shrunk; the checker is not asked.
fn first_failure_shrunk(name: &str) -> Shrinking {
    let catalogue = catalogue();
    let scenario = catalogue.get(name).expect("it is in the catalogue");
    let options = ShrinkOptions { states_max: 0, ..ShrinkOptions::default() };
    scenario.shrink(&first_failure(scenario), options).expect("it breaks something")
}

/// The first run of a scenario's large world that fails.
fn first_failure(scenario: &dyn Engines) -> TraceFile {
    let how = SimulateOptions {
        seeds: 0..2000,
        jobs: 1,
        until_failure: true,
        lift: 0,
        check_determinism: false,
        progress: false,
    };
    let large = &scenario.card().large;
    let report = scenario.simulate(large, Runner::Fast, &how).expect("it can be simulated");
    let failure = report.violations.into_iter().next().expect("a seed fails");
    TraceFile {
        version: VERSION,
        scenario: report.scenario,
        from: format!("simulate, seed {}", failure.seed),
        violation: None,
        kept_by: None,
        numbers: failure.numbers,
        hosted: None,
        trace: failure.trace,
        cycle: None,
    }
}

/// A write that loses to an earlier one is the ninth of its program: whatever is left out, those
/// before it stay. A run of a smaller world has no such past.
#[test]
fn what_nothing_can_be_left_out_of_is_found_anew() {
    let found = first_failure_shrunk("gossip/skewed");
    assert!(found.before.calls > 10 && found.before.steps > 100, "{:?}", found.before);
    assert!(found.after.calls <= 4 && found.after.steps <= 20, "{:?}", found.after);
}

/// Each program comes round to a variable in every second section of three calls, and could have
/// done in its first what goes wrong in a later one. So it is six calls of one program that can be
/// left out, and no fewer; and then its next lock comes from another node than it did.
#[test]
fn a_program_makes_its_first_calls_where_it_made_later_ones() {
    let found = first_failure_shrunk("lazy-release/unordered-diffs");
    assert!(found.before.calls > 90, "{:?}", found.before);
    assert!(found.after.calls <= 14 && found.after.steps <= 30, "{:?}", found.after);
}

#[test]
fn a_small_budget_is_admitted() {
    let (numbers, words) = failing_run(two_arrive);
    let options = ShrinkOptions { steps_max: 3, states_max: 0 };
    let found = shrink(&two_arrive, &numbers, &words, 2, options).expect("it breaks something");
    assert!(found.gave_up);
    assert!(shortest(&two_arrive(&numbers), "few arrive", options).is_none());
}

#[test]
fn nothing_broken_is_nothing_to_shrink() {
    let start = ["start".to_owned()];
    let refused = shrink(&two_arrive, &large(), &start, 2, ShrinkOptions::default());
    assert!(matches!(refused, Err(Unshrinkable::NothingBroken)), "{refused:?}");
    let lies = ["start".to_owned(), "n0 flies".to_owned()];
    let refused = shrink(&two_arrive, &large(), &lies, 2, ShrinkOptions::default());
    assert!(matches!(refused, Err(Unshrinkable::Trace(_))), "{refused:?}");
}

/// A message whose contents have changed is followed all the same; what has no relation is not.
#[test]
fn a_trace_is_followed_as_far_as_the_world_lets_itself_be_led() {
    let trace = ["start", "p0#0 calls 5 at n0", "n1 gets 99 from n0", "n1 gets 10 from n3"];
    let trace: Vec<_> = trace.into_iter().map(str::to_owned).collect();
    let followed = follow(&two_arrive(&large()), &trace, 3);
    assert_eq!(followed.trace, ["start", "p0#0 calls 0 at n0", "n1 gets 10 from n0"]);
    assert_eq!((followed.of, followed.violation), (4, None));
}
