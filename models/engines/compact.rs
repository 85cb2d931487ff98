//! The compact engine against stateright: the same states, transitions, depth, marks and verdict,
//! on every kind of world.

use std::sync::Arc;

use seedbed::catalogue::Card;
use seedbed::engine::check::{CheckOptions, Search, check};
use seedbed::protocol::{Input, Outbox};
use seedbed::protocols::catalogue;
use seedbed::world::{Links, Numbers, Setup};

use crate::toys::{N0, N1, Toy, idle, quiet, toys};

use super::{busy_world, kinds_of_fault, kinds_of_time, with_all_faults};

/// What both engines must find in the same world.
fn same(setup: Setup<Toy>, depth_max: Option<usize>, what: &str) -> usize {
    let setup = Arc::new(setup);
    let found = |search, threads| {
        let options = CheckOptions { search, threads, depth_max, ..Default::default() };
        let found = check(&setup, options);
        let counts = (found.states, found.transitions, found.depth, found.histories);
        (counts, found.marks, found.verdict, found.trace)
    };
    let oracle = found(Search::StaterightBfs, 1);
    assert_eq!(found(Search::Compact, 1), oracle, "{what}");
    assert_eq!(found(Search::Compact, 2), oracle, "{what} on two threads");
    oracle.0.0
}

#[test]
fn the_engines_agree_under_each_kind_of_fault() {
    let mut states = 0;
    for (time, numbers) in kinds_of_time() {
        for (kind, allow) in kinds_of_fault() {
            for links in [Links::Unordered, Links::Fifo] {
                let mut numbers = Numbers { skew: 0, ..numbers.clone() };
                allow(&mut numbers);
                let what = format!("{time}, {kind}, {links:?}");
                states += same(busy_world(&numbers, links, true), Some(5), &what);
            }
        }
    }
    assert!(states > 50_000, "{states} states are few");
}

#[test]
fn the_engines_agree_under_all_faults_at_once() {
    for (time, numbers) in kinds_of_time() {
        for links in [Links::Unordered, Links::Fifo] {
            let numbers = with_all_faults(Numbers { skew: 0, ..numbers.clone() });
            same(busy_world(&numbers, links, true), Some(4), &format!("{time}, {links:?}"));
        }
    }
}

#[test]
fn the_engines_agree_on_eager_worlds() {
    let step = |toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| match input {
        Input::Call(call, _) => {
            toy.calls.push(call);
            out.arm(1, 1);
        }
        _ => toy.calls.drain(..).for_each(|call| out.reply(call, 1)),
    };
    let mut numbers = Numbers { clients: 2, calls: 4, ..quiet(2) };
    (numbers.faults.crashes, numbers.faults.pauses) = (2, 2);
    let mut setup = toys(numbers, idle, step);
    // After an unknown outcome a program turns to the other node.
    setup.script = Arc::new(|turn| {
        let node = if turn.process.0 / 2 % 2 == 0 { N0 } else { N1 };
        (turn.number < 4).then_some((node, 0))
    });
    let setup = Setup { eager: true, finishes: false, deadlock_expected: true, ..setup };
    assert!(same(setup, None, "eager") > 1_000);
}

/// What is small enough for stateright in a test. `seedbed run` compares all.
const SMALL: usize = 15_000;

#[test]
fn the_engines_agree_on_the_catalogue() {
    let mut compared = 0;
    for scenario in catalogue().iter().filter(|scenario| scenario.checkable()) {
        let Card { name, small, .. } = scenario.card();
        let check = |search, states_max| {
            let options = CheckOptions { search, states_max, ..Default::default() };
            scenario.check(small, options).expect("it is checkable")
        };
        let ours = check(Search::Compact, Some(SMALL));
        if ours.verdict == "incomplete" {
            continue;
        }
        compared += 1;
        let theirs = check(Search::StaterightBfs, None);
        let verdicts = [&ours, &theirs].map(|r| (r.verdict, r.property.clone(), r.trace.clone()));
        assert_eq!(verdicts[0], verdicts[1], "{name}");
        if ours.verdict == "holds" {
            let counts = [&ours, &theirs].map(|r| (r.states, r.transitions, r.depth, r.histories));
            assert_eq!(counts[0], counts[1], "{name}");
            assert_eq!(ours.marks, theirs.marks, "{name}");
        }
    }
    assert!(compared > 15, "only {compared} scenarios are small");
}
