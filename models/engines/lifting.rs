//! Lifting: the simulator's logs are paths of the checker, and what is none is refused.

use std::sync::Arc;

use seedbed::engine::lift::{Unliftable, at_scale_one, lift};
use seedbed::engine::simulate::{Run, run};
use seedbed::protocol::{Input, Outbox};
use seedbed::world::{Action, Clocks, Happening, Links, Numbers, Setup, Torn, World};

use crate::toys::{N0, N1, Toy, idle, listen, quiet, toys};

use super::{busy_world, kinds_of_fault, kinds_of_time, with_all_faults};

const SCALE: u32 = 10;

/// Lifts the logs of many seeds, at the simulator's scale and at scale 1; returns how often faults
/// of this kind happened.
fn all_lift(numbers: &Numbers, links: Links, seeds: u64, what: &str, kind: &str) -> u64 {
    let world = |scale, stopwatch| {
        Arc::new(busy_world(&Numbers { scale, ..numbers.clone() }, links, stopwatch))
    };
    // Stopwatches are read in ticks and don't survive flooring.
    let (fine, blind, coarse) = (world(SCALE, true), world(SCALE, false), world(1, false));
    let mut happened = 0;
    for seed in 0..seeds {
        let with = run(&fine, seed);
        let lifted = lift(&fine, &with.trace);
        lifted.unwrap_or_else(|refused| panic!("{what}, {links:?}, seed {seed}: {refused}"));
        let without = run(&blind, seed);
        let floored = lift(&coarse, &at_scale_one(&without.trace, SCALE));
        floored
            .unwrap_or_else(|refused| panic!("{what} floored, {links:?}, seed {seed}: {refused}"));
        happened += with.faults.get(kind).copied().unwrap_or(1);
    }
    happened
}

#[test]
fn logs_lift_under_all_faults_at_once() {
    for (time, numbers) in kinds_of_time() {
        for links in [Links::Unordered, Links::Fifo] {
            all_lift(&with_all_faults(numbers.clone()), links, 300, time, "crashes");
        }
    }
}

#[test]
fn logs_lift_under_each_kind_of_fault() {
    for (time, numbers) in kinds_of_time() {
        for (kind, allow) in kinds_of_fault() {
            for links in [Links::Unordered, Links::Fifo] {
                let mut numbers = numbers.clone();
                allow(&mut numbers);
                let what = format!("{time}, {kind}");
                assert!(all_lift(&numbers, links, 100, &what, kind) > 0, "{what} never happened");
            }
        }
    }
}

#[test]
fn logs_of_worlds_with_eager_calls_lift() {
    let step = |toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| match input {
        Input::Call(call, _) => {
            toy.calls.push(call);
            out.arm(1, 1);
        }
        _ => toy.calls.drain(..).for_each(|call| out.reply(call, 1)),
    };
    let mut numbers = Numbers { clients: 2, calls: 4, scale: SCALE, ..quiet(2) };
    (numbers.faults.crashes, numbers.faults.pauses) = (2, 2);
    let mut setup = toys(numbers, idle, step);
    // After an unknown outcome a program turns to the other node.
    setup.script = Arc::new(|turn| {
        let node = if turn.process.0 / 2 % 2 == 0 { N0 } else { N1 };
        (turn.number < 4).then_some((node, 0))
    });
    let setup = Arc::new(Setup { eager: true, finishes: false, ..setup });
    for seed in 0..300 {
        let lifted = lift(&setup, &run(&setup, seed).trace);
        lifted.unwrap_or_else(|refused| panic!("seed {seed}: {refused}"));
    }
}

/// Lifts what the simulator did within wider numbers into narrower ones; returns the refusals.
fn refused(wide: Numbers, narrow: impl Fn(&mut Numbers)) -> Vec<Unliftable> {
    let mut narrower = wide.clone();
    narrow(&mut narrower);
    let (wide, narrower) =
        [wide, narrower].map(|n| Arc::new(busy_world(&n, Links::Unordered, false))).into();
    let logs = (0..200).map(|seed| run(&wide, seed).trace);
    logs.filter_map(|log| lift(&narrower, &log).err()).collect()
}

fn bounded() -> Numbers {
    let [.., (_, bounded)] = kinds_of_time();
    Numbers { scale: SCALE, skew: 0, clients: 3, calls: 3, ..bounded }
}

#[test]
fn a_delay_beyond_the_bound_is_refused() {
    let refusals = refused(bounded(), |n| n.delay = Some((1, 2)));
    assert!(refusals.len() > 180, "only {} of 200 were refused", refusals.len());
    let late = |refusal: &&Unliftable| refusal.reason.contains("urgent");
    assert!(refusals.iter().filter(late).count() > 180, "{refusals:?}");
    let refusals = refused(bounded(), |n| n.delay = Some((2, 3)));
    assert!(refusals.len() > 180, "only {} of 200 came too early", refusals.len());
}

#[test]
fn more_drift_than_stated_is_refused() {
    let wide = Numbers { drift: 2, ..bounded() };
    assert!(refused(wide, |n| n.drift = 1).len() > 180);
}

/// Sets the budget of one kind of fault.
type Budget = fn(&mut Numbers, u32);

#[test]
fn one_fault_more_than_the_budget_is_refused() {
    let budgets: [(&str, Budget); 8] = [
        ("crash", |n, most| n.faults.crashes = most),
        ("lost", |n, most| n.faults.losses = most),
        ("duplicated", |n, most| n.faults.duplicates = most),
        ("partition", |n, most| n.faults.partitions = most),
        ("pauses", |n, most| n.faults.pauses = most),
        ("jumps", |n, most| n.faults.jumps = most),
        ("given up", |n, most| n.faults.cancels = most),
        ("crashes after", |n, most| (n.faults.crashes, n.faults.torn) = (2, most)),
    ];
    for (words, budget) in budgets {
        let over = |most: u32| {
            let mut wide = bounded();
            budget(&mut wide, most + 1);
            refused(wide, |n| budget(n, most))
        };
        let refusals = [over(0), over(1)].concat();
        assert!(!refusals.is_empty(), "{words}: nothing was refused");
        assert!(refusals.iter().all(|refusal| refusal.action.contains(words)), "{refusals:?}");
    }
}

/// A world in which node 0 sends 1 to node 1, which draws what it remembers of it; and its only
/// path: the start, ticks, the delivery.
fn one_message(step: crate::toys::Step) -> (Arc<Setup<Toy>>, Vec<Action<Toy>>) {
    let mut numbers = Numbers { clocks: Clocks::Perfect, delay: Some((1, 3)), ..quiet(2) };
    (numbers.faults.crashes, numbers.faults.torn) = (1, 1);
    let sends = |toy: &mut Toy, _: u8, out: &mut Outbox<Toy>| {
        if toy.me == N0 {
            out.send(N1, 1);
        }
    };
    let setup = Arc::new(toys(numbers, sends, step));
    let arrives = Action { draws: vec![1], ..Happening::Deliver(N0, N1, 1).into() };
    let log = vec![Happening::Start.into(), Happening::Tick(3).into(), arrives];
    (setup, log)
}

fn draws(toy: &mut Toy, _: Input<Toy>, out: &mut Outbox<Toy>) {
    toy.log.push(out.choose(2));
    out.mark("one", 1);
    out.mark("two", 2);
}

/// The step at which a changed log is refused.
#[track_caller]
fn refused_at(setup: &Arc<Setup<Toy>>, log: &[Action<Toy>]) -> usize {
    lift(setup, log).map(|lifted| format!("{lifted:?}")).expect_err("it lifted").step
}

#[test]
fn a_log_that_was_tampered_with_is_refused() {
    let (setup, log) = one_message(draws);
    assert!(lift(&setup, &log).is_ok());
    let changed = |change: fn(&mut Vec<Action<Toy>>)| {
        let mut log = log.clone();
        change(&mut log);
        refused_at(&setup, &log)
    };
    assert_eq!(changed(|log| log[1] = Happening::Tick(4).into()), 1, "too late");
    assert_eq!(changed(|log| log[1] = Happening::Tick(1_000).into()), 1, "much too late");
    assert_eq!(changed(|log| drop(log.remove(1))), 1, "too early");
    assert_eq!(changed(|log| log[2].did = Happening::Deliver(N0, N1, 2)), 2, "never sent");
    assert_eq!(changed(|log| log[2].did = Happening::Deliver(N1, N0, 1)), 2, "of another link");
    assert_eq!(changed(|log| log.push(log[2].clone())), 3, "it came before");
    assert_eq!(changed(|log| log[2].draws = vec![2]), 2, "a draw out of range");
    assert_eq!(changed(|log| log[2].draws = vec![]), 2, "a draw is missing");
    assert_eq!(changed(|log| log[2].draws = vec![0, 0]), 2, "a draw too many");
    let torn = |kept| Some(Torn { kept, loses_saves: false });
    let tear = |kept| {
        let mut log = log.clone();
        log[2].torn = torn(kept);
        lift(&setup, &log).is_ok()
    };
    assert_eq!([tear(0), tear(1), tear(2), tear(9)], [true, true, false, false]);
    assert_eq!(changed(|log| log[0].draws = vec![1]), 0, "the start draws nothing");
    assert_eq!(changed(Vec::clear), 0, "there is no start");
}

#[test]
fn deliveries_of_nothing_are_refused_where_no_ops_are_left_out() {
    let shrug = |_: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| {
        if matches!(input, Input::Recv(..)) {
            out.choose(2);
        }
    };
    let (setup, log) = one_message(shrug);
    let mut numbers = Numbers { clocks: Clocks::Asynchronous, ..setup.numbers.clone() };
    numbers.faults.partitions = 1;
    let setup = Arc::new(toys(numbers, setup.config.0, setup.config.1));
    let log = vec![log[0].clone(), log[2].clone(), log[2].clone()];
    let path = lift(&setup, &log).expect("it is no transition, and the message stays").path;
    assert_eq!(path.len(), 1);
    let changed = |change: fn(&mut Vec<Action<Toy>>)| {
        let mut log = log.clone();
        change(&mut log);
        refused_at(&setup, &log)
    };
    assert_eq!(changed(|log| log[1].did = Happening::Deliver(N0, N1, 2)), 1, "never sent");
    assert_eq!(changed(|log| log[1].did = Happening::Deliver(N1, N0, 1)), 1, "of another link");
    assert_eq!(changed(|log| log[1].draws = vec![2]), 1, "a draw out of range");
    assert_eq!(changed(|log| log[1].draws = vec![]), 1, "a draw is missing");
    let cut = World::starts(&setup).next().unwrap().0.actions();
    let cut = cut.into_iter().find(|action| matches!(action.did, Happening::Partition(_))).unwrap();
    assert_eq!(refused_at(&setup, &[log[0].clone(), cut, log[1].clone()]), 2, "it is held");
}

#[test]
fn ticks_that_change_nothing_are_left_out() {
    let (setup, log) = one_message(draws);
    let late = [log, vec![Happening::Tick(500).into()]].concat();
    let lifted = lift(&setup, &late).expect("nothing waits any more");
    assert_eq!(lifted.path.len(), 3);
}

#[test]
fn flooring_keeps_inclusive_bounds_and_forgets_what_is_shorter_than_a_unit() {
    let log = |ticks: &[u32]| ticks.iter().map(|t| Happening::Tick(*t).into()).collect::<Vec<_>>();
    assert_eq!(at_scale_one::<Toy>(&log(&[4, 5]), 10), log(&[]));
    assert_eq!(at_scale_one::<Toy>(&log(&[9, 1, 10, 9, 11]), 10), log(&[1, 1, 2]));
}

#[test]
fn what_the_simulator_does_to_equal_messages_of_one_step_lifts() {
    let sends = |toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| match input {
        Input::Call(call, _) => {
            [1, 2, 1, 3].into_iter().for_each(|msg| out.send(N1, msg));
            out.reply(call, 0);
        }
        input => listen(toy, input, out),
    };
    let mut numbers = Numbers { clients: 1, calls: 5, ..quiet(2) };
    (numbers.faults.losses, numbers.faults.duplicates) = (9, 9);
    for links in [Links::Unordered, Links::Fifo] {
        let setup = Arc::new(Setup { links, ..toys(numbers.clone(), idle, sends) });
        let runs: Vec<Run<Toy>> = (0..300).map(|seed| run(&setup, seed)).collect();
        for (seed, run) in runs.iter().enumerate() {
            let lifted = lift(&setup, &run.trace);
            lifted.unwrap_or_else(|refused| panic!("{links:?}, seed {seed}: {refused}"));
        }
        let both = |run: &&Run<Toy>| run.faults.len() == 2;
        assert!(runs.iter().filter(both).count() > 50, "the interesting case is rare");
    }
}
