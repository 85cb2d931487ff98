//! The ends of runs: what a world settles on, what must have returned by then, and what is open.
//! The simulator, the shell on madsim and the checker judge it in the same way.

use std::sync::Arc;

use seedbed::catalogue::{Card, Catalogue};
use seedbed::engine::Runner;
use seedbed::engine::check::{CheckOptions, Verdict, check};
use seedbed::engine::lift::lift;
use seedbed::engine::simulate::{CALLS_RETURN, Run, SimulateOptions, hosted, run};
use seedbed::engine::trace::{self, TraceFile, VERSION};
use seedbed::protocol::{Input, NodeId, Outbox};
use seedbed::report::Agreement;
use seedbed::world::{
    Clocks, Happening, HistoryForm, Judged, Links, Numbers, Property, Setup, System,
};

use crate::toys::{N0, N1, Toy, idle, quiet, toys};

const SAME: &str = "both have heard";

/// Starts a timer.
fn ticks(_: &mut Toy, _: u8, out: &mut Outbox<Toy>) {
    out.arm(1, 2);
}

/// Takes a value in a call, and tells the other node again and again.
fn tells(toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>) {
    match input {
        Input::Call(call, op) => {
            toy.log = vec![200 + u32::from(op)];
            out.reply(call, 0);
        }
        Input::Recv(_, msg) => toy.log = vec![msg.into()],
        Input::Fired(_) => {
            out.arm(1, 2);
            if let (N0, Some(value)) = (toy.me, toy.log.first()) {
                out.send(N1, u8::try_from(*value).unwrap());
            }
        }
        Input::Cancel(_) => {}
    }
}

/// The same, but the timer counts, for ever.
fn counts(toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>) {
    match input {
        Input::Call(call, _) => out.reply(call, 0),
        Input::Fired(_) => {
            toy.log = vec![toy.log.first().map_or(0, |count| count + 1)];
            out.arm(1, 2);
        }
        _ => {}
    }
}

/// Never answers.
fn mute(_: &mut Toy, _: Input<Toy>, _: &mut Outbox<Toy>) {}

fn answers(_: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>) {
    if let Input::Call(call, _) = input {
        out.reply(call, 0);
    }
}

fn one_call(nodes: u32) -> Numbers {
    Numbers { clients: 1, calls: 1, ..quiet(nodes) }
}

fn slow(delay: u32) -> Numbers {
    Numbers { clocks: Clocks::Perfect, delay: Some((delay, delay)), ..one_call(2) }
}

/// Both nodes end with the same memory.
fn agreeing(numbers: Numbers, step: crate::toys::Step) -> Setup<Toy> {
    let mut setup = toys(numbers, ticks, step);
    setup.properties = vec![Property::settled(SAME, |system: &System<Toy>| {
        let mut logs = system.states().map(|(_, toy)| &toy.log);
        let first = logs.next();
        logs.all(|log| Some(log) == first)
    })];
    setup
}

fn options(seeds: u64) -> SimulateOptions {
    SimulateOptions {
        seeds: 0..seeds,
        jobs: 1,
        until_failure: false,
        lift: 0,
        check_determinism: false,
        progress: false,
    }
}

fn broken(run: &Run<Toy>) -> Option<(&str, &str)> {
    run.violation.as_ref().map(|v| (v.property.as_str(), v.reason.as_str()))
}

#[test]
fn messages_in_flight_are_no_rest_for_the_checker() {
    let found = check(&Arc::new(agreeing(slow(7), tells)), CheckOptions::default());
    assert_eq!(found.verdict, Verdict::Holds);
    let forgets = |toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| match input {
        Input::Recv(..) => {}
        input => tells(toy, input, out),
    };
    let found = check(&Arc::new(agreeing(slow(7), forgets)), CheckOptions::default());
    assert!(matches!(found.verdict, Verdict::Violated(v) if v.property == SAME));
}

#[test]
fn the_simulator_judges_a_fixed_point_and_not_its_limit_of_events() {
    let setup = Arc::new(agreeing(slow(5_000), tells));
    for seed in 0..20 {
        let run = run(&setup, seed);
        assert_eq!((broken(&run), &run.undecided), (None, &None), "seed {seed}");
    }
}

#[test]
fn a_world_that_does_not_come_to_rest_leaves_a_run_undecided() {
    let setup = Arc::new(agreeing(slow(1), counts));
    for run in [run(&setup, 1), hosted(&setup, 1)] {
        assert_eq!(broken(&run), None);
        assert_eq!(run.undecided.unwrap(), format!("{SAME}: the world did not come to rest"));
    }
}

#[test]
fn the_shell_judges_what_its_end_settles_on() {
    let deaf = |toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| match input {
        Input::Recv(..) => {}
        input => tells(toy, input, out),
    };
    for seed in 0..5 {
        let heard = hosted(&Arc::new(agreeing(one_call(2), tells)), seed);
        assert_eq!((broken(&heard), &heard.undecided), (None, &None));
        let unheard = hosted(&Arc::new(agreeing(one_call(2), deaf)), seed);
        assert_eq!(broken(&unheard).unwrap().0, SAME);
    }
}

fn undecidable() -> Setup<Toy> {
    let mut setup = toys(one_call(1), idle, answers);
    setup.history = HistoryForm::RealTime;
    setup.properties = vec![Property::History("open", Arc::new(|_| Judged::Unknown))];
    setup
}

#[test]
fn a_judge_that_gives_up_leaves_a_run_undecided() {
    let setup = Arc::new(undecidable());
    for run in [run(&setup, 1), hosted(&setup, 1)] {
        assert_eq!(broken(&run), None);
        assert_eq!(run.undecided.unwrap(), "a judge gave up on the history");
    }
    let mut catalogue = Catalogue::new();
    let card = Card { name: "toy/open", about: "", small: one_call(1), large: one_call(1) };
    catalogue.add(card, |_| undecidable());
    for runner in [Runner::Fast, Runner::Madsim] {
        let scenario = catalogue.get("toy/open").unwrap();
        let report = scenario.simulate(&one_call(1), runner, &options(3)).unwrap();
        assert_eq!((report.agreement, report.undecided.len()), (Agreement::Undecided, 3));
    }
}

#[test]
fn nodes_that_have_not_joined_do_so_when_all_heals() {
    let mut numbers = Numbers { clients: 3, calls: 2, ..quiet(3) };
    numbers.faults.joins = 2;
    let setup = Arc::new(toys(numbers, idle, answers));
    for seed in 0..100 {
        assert_eq!(broken(&run(&setup, seed)), None, "seed {seed}");
    }
}

#[test]
fn a_call_that_is_open_after_all_has_healed_is_named() {
    let setup = Arc::new(toys(one_call(1), idle, mute));
    assert_eq!(broken(&run(&setup, 1)), Some((CALLS_RETURN, "p0#0 is open at n0")));
    let forgiving = Arc::new(Setup { finishes: false, ..toys(one_call(1), idle, mute) });
    assert_eq!(broken(&run(&forgiving, 1)), None);
}

#[test]
fn the_start_is_judged_too() {
    let mut setup = toys(one_call(1), |toy, _, _| toy.log.push(1), answers);
    setup.properties = vec![Property::each_node("empty", |_, _, toy: &Toy| toy.log.is_empty())];
    let setup = Arc::new(setup);
    for run in [run(&setup, 1), hosted(&setup, 1)] {
        assert_eq!(broken(&run), Some(("empty", "n0 breaks it")));
    }
}

#[test]
fn the_step_in_which_a_call_is_given_up_is_judged_by_the_shell() {
    let gives_up = |toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| match input {
        Input::Call(..) => out.arm(1, 500),
        // Wrong for one step only.
        Input::Cancel(_) => {
            toy.log.push(1);
            out.send(toy.me, 1);
        }
        _ => toy.log.clear(),
    };
    let mut numbers = Numbers { calls: 3, ..one_call(1) };
    numbers.faults.cancels = 3;
    let mut setup = toys(numbers, idle, gives_up);
    setup.finishes = false;
    setup.properties = vec![Property::each_node("empty", |_, _, toy: &Toy| toy.log.is_empty())];
    let setup = Arc::new(setup);
    let seeds = (0..40).map(|seed| hosted(&setup, seed));
    let (given_up, judged) = seeds.fold((0, 0), |(given_up, judged), run| {
        let cancelled = run.faults.contains_key("cancelled calls");
        (given_up + u32::from(cancelled), judged + u32::from(run.violation.is_some()))
    });
    assert!(given_up > 5, "the interesting case is rare");
    assert_eq!(judged, given_up);
}

/// A call sends twenty messages; they are taken in order.
fn in_order(links: Links) -> Setup<Toy> {
    let sends = |toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| match input {
        Input::Call(call, op) => {
            (0..20).for_each(|n| out.send(NodeId(1 - toy.me.0), 20 * op + n));
            out.reply(call, 0);
        }
        Input::Recv(_, msg) => toy.log.push(msg.into()),
        _ => {}
    };
    let mut numbers = Numbers { clients: 2, calls: 5, ..quiet(2) };
    let faults = &mut numbers.faults;
    (faults.losses, faults.partitions, faults.crashes, faults.torn) = (5, 1, 1, 1);
    let sorted = |_: &_, _, toy: &Toy| toy.log.is_sorted();
    let properties = vec![Property::each_node("in order", sorted)];
    Setup { links, properties, ..toys(numbers, idle, sends) }
}

#[test]
fn the_shell_keeps_the_order_of_fifo_links_and_its_logs_lift() {
    let setup = Arc::new(in_order(Links::Fifo));
    let mut arrived = 0;
    for seed in 0..60 {
        let run = hosted(&setup, seed);
        assert_eq!(broken(&run), None, "seed {seed}");
        let lifted = lift(&run.world, &run.trace);
        let lifted = lifted.unwrap_or_else(|refused| panic!("seed {seed}: {refused}"));
        assert_eq!(run.world.links, Links::Fifo);
        let words = lifted.path.iter().map(ToString::to_string).collect::<Vec<_>>();
        trace::replay(&run.world, &words).unwrap_or_else(|bad| panic!("seed {seed}: {bad}"));
        let arrivals = run.trace.iter().filter(|a| matches!(a.did, Happening::Deliver(..)));
        arrived += arrivals.count();
    }
    assert!(arrived > 2_000, "only {arrived} of 12,000 messages arrive");
    let unordered = Arc::new(in_order(Links::Unordered));
    let overtaken = (0..60).filter(|seed| hosted(&unordered, *seed).violation.is_some()).count();
    assert!(overtaken > 20, "datagrams overtake each other in {overtaken} of 60 runs only");
}

/// Answers after a while, and remembers that it did; or never, in a world whose clocks jump.
fn answers_late(numbers: &Numbers) -> Setup<Toy> {
    let late = |toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| match input {
        Input::Call(call, _) => {
            toy.calls.push(call);
            out.arm(1, 5);
        }
        _ => {
            toy.log.push(1);
            toy.calls.drain(..).for_each(|call| out.reply(call, 0));
        }
    };
    let step = if numbers.jump > 0 { mute } else { late as crate::toys::Step };
    let mut setup = toys(numbers.clone(), idle, step);
    setup.properties = vec![Property::each_node("empty", |_, _, toy: &Toy| toy.log.is_empty())];
    Setup { eager: true, ..setup }
}

#[test]
fn a_trace_of_the_shell_replays_as_it_was_set_up() {
    let mut catalogue = Catalogue::new();
    let numbers = Numbers { horizon: 50, calls: 3, ..one_call(1) };
    let card = Card { name: "toy/late", about: "", small: numbers.clone(), large: numbers.clone() };
    catalogue.add(card, answers_late);
    let scenario = catalogue.get("toy/late").unwrap();
    let mut report = scenario.simulate(&numbers, Runner::Madsim, &options(1)).unwrap();
    let failure = report.violations.pop().expect("it breaks its property");
    assert!(failure.numbers.jump > 0, "in the shell's log clocks jump");
    let file = |hosted| TraceFile {
        version: VERSION,
        scenario: "toy/late".to_owned(),
        from: "simulate, seed 0".to_owned(),
        violation: None,
        kept_by: None,
        numbers: failure.numbers.clone(),
        hosted,
        trace: failure.trace.clone(),
        cycle: None,
    };
    let told = scenario.replay(&file(Some(report.numbers.clone()))).expect("it replays");
    assert_eq!(told.violation.unwrap().property, "empty");
    assert!(scenario.replay(&file(None)).is_err(), "set up anew, it is another world");
}
