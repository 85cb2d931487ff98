//! The checker: searches over a world.

use std::sync::Arc;

use seedbed::engine::check::{CheckOptions, Checked, Search, Verdict, check};
use seedbed::protocol::{Input, NodeId, Outbox};
use seedbed::world::{Clocks, HistoryForm, Links, Numbers, Property, Setup};
use stateright::{Checker, Model, Property as Expectation};

use crate::toys::{Toy, idle, listen, quiet, toys};

/// Counts from 0 to 20.
struct Counter;

impl Model for Counter {
    type State = u32;
    type Action = ();

    fn init_states(&self) -> Vec<u32> {
        vec![0]
    }

    fn actions(&self, state: &u32, actions: &mut Vec<()>) {
        actions.extend((*state < 20).then_some(()));
    }

    fn next_state(&self, state: &u32, (): ()) -> Option<u32> {
        Some(state + 1)
    }

    fn properties(&self) -> Vec<Expectation<Self>> {
        vec![
            Expectation::always("below 5", |_, state| *state < 5),
            Expectation::sometimes("a hundred", |_, state| *state == 100),
        ]
    }
}

/// A node that counts from 0 to 20 by its timer.
fn counter() -> Setup<Toy> {
    let boot = |toy: &mut Toy, _: u8, out: &mut Outbox<Toy>| {
        toy.log.push(0);
        out.arm(1, 1);
    };
    let count = |toy: &mut Toy, _: Input<Toy>, out: &mut Outbox<Toy>| {
        toy.log[0] += 1;
        if toy.log[0] < 20 {
            out.arm(1, 1);
        }
    };
    let mut setup = toys(quiet(1), boot, count);
    setup.properties = vec![Property::each_node("below 5", |_, _, toy: &Toy| toy.log[0] < 5)];
    setup
}

fn checked(setup: Setup<Toy>, options: CheckOptions) -> Checked<Toy> {
    check(&Arc::new(setup), options)
}

#[test]
fn stateright_overwrites_a_discovery_and_the_latch_keeps_the_shortest() {
    // If this fails, stateright keeps first discoveries by itself, and the latch may go.
    let plain = Counter.checker().spawn_bfs().join();
    let path = plain.discovery("below 5").expect("it is broken").into_actions();
    assert!(path.len() > 5, "stateright's counterexample has {} steps", path.len());
    for search in [Search::Compact, Search::StaterightBfs] {
        let ours = checked(counter(), CheckOptions { search, ..Default::default() });
        assert!(matches!(&ours.verdict, Verdict::Violated(v) if v.property == "below 5"));
        assert_eq!(ours.trace.len(), 1 + 5, "the start, and five steps: {:?}", ours.trace);
    }
}

#[test]
fn two_threads_and_depth_first_find_the_violation_too() {
    for (search, threads) in [(Search::StaterightBfs, 2), (Search::StaterightDfs, 1)] {
        let found = checked(counter(), CheckOptions { search, threads, ..Default::default() });
        assert_eq!(found.verdict.word(), "violated");
        assert!(found.trace.len() > 5);
    }
}

/// A world without end.
fn endless() -> Setup<Toy> {
    let count = |toy: &mut Toy, _: Input<Toy>, out: &mut Outbox<Toy>| {
        toy.log[0] += 1;
        out.arm(1, 1);
    };
    let mut setup = counter();
    setup.config.1 = count;
    setup.properties.clear();
    setup
}

#[test]
fn a_search_that_was_cut_short_is_incomplete() {
    let limits = [
        ("states", CheckOptions { states_max: Some(500), ..Default::default() }),
        ("deeper", CheckOptions { depth_max: Some(50), ..Default::default() }),
        ("bytes", CheckOptions { bytes_max: Some(1), ..Default::default() }),
    ];
    for (word, options) in limits {
        for search in [Search::Compact, Search::StaterightBfs, Search::StaterightDfs] {
            let found = checked(endless(), CheckOptions { search, ..options });
            match found.verdict {
                Verdict::Incomplete(reason) => assert!(reason.contains(word), "{reason}"),
                other => panic!("{word}, {search:?}: {other:?} after {} states", found.states),
            }
        }
    }
}

#[test]
fn a_limit_that_was_not_reached_cuts_nothing_short() {
    let mut setup = counter();
    setup.properties.clear();
    let found = checked(setup, CheckOptions::default());
    let (states, depth) = (found.states, found.depth);
    assert_eq!((found.verdict, states, depth), (Verdict::Holds, 21, 21));
    for (states_max, depth_max, word) in [
        (Some(22), Some(22), "holds"),
        (None, Some(21), "incomplete"),
        (None, Some(20), "incomplete"),
        (Some(10), None, "incomplete"),
    ] {
        let mut setup = counter();
        setup.properties.clear();
        let setup = Arc::new(setup);
        for search in [Search::Compact, Search::StaterightBfs] {
            let options = CheckOptions { search, states_max, depth_max, ..Default::default() };
            let found = check(&setup, options);
            assert_eq!(found.verdict.word(), word, "{search:?} {states_max:?} {depth_max:?}");
        }
    }
}

/// Each of two nodes asks the other, answers, and replies; a timer asks once more.
fn asks(toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>) {
    let other = NodeId(1 - toy.me.0);
    match input {
        Input::Call(call, _) => {
            toy.calls.push(call);
            out.send(other, 0);
            out.arm(1, 2);
        }
        Input::Recv(from, 0) => {
            let drawn = u8::try_from(out.choose(2)).unwrap();
            out.send(from, 1 + drawn);
        }
        Input::Recv(_, answer) => {
            if let Some(call) = toy.calls.pop() {
                out.mark("answered", answer.into());
                out.disarm(1);
                out.reply(call, answer);
            }
        }
        Input::Fired(_) => out.send(other, 0),
        Input::Cancel(_) => {}
    }
}

fn asking(clocks: Clocks, links: Links) -> Setup<Toy> {
    let mut numbers = Numbers { clients: 1, clocks, ..quiet(2) };
    numbers.delay = (clocks != Clocks::Asynchronous).then_some((1, 3));
    numbers.drift = u32::from(clocks == Clocks::Bounded);
    (numbers.faults.losses, numbers.faults.crashes, numbers.faults.torn) = (1, 1, 1);
    let setup = toys(numbers, idle, asks);
    Setup { links, deadlock_expected: true, history: HistoryForm::RealTime, ..setup }
}

#[test]
fn both_searches_and_any_number_of_threads_agree_on_worlds_that_hold() {
    for clocks in [Clocks::Asynchronous, Clocks::Perfect, Clocks::Bounded] {
        for links in [Links::Unordered, Links::Fifo] {
            let found = |search, threads| {
                let options = CheckOptions { search, threads, ..Default::default() };
                let found = checked(asking(clocks, links), options);
                (found.verdict, found.states, found.transitions, found.marks, found.histories)
            };
            let first = found(Search::StaterightBfs, 1);
            assert_eq!(first.0, Verdict::Holds);
            assert!(first.1 > 100, "{clocks:?}, {links:?}: {} states", first.1);
            assert!(first.3.contains("answered"));
            assert_eq!(found(Search::StaterightBfs, 2), first, "{clocks:?}, {links:?}");
            assert_eq!(found(Search::StaterightDfs, 1), first, "{clocks:?}, {links:?}");
            assert_eq!(found(Search::StaterightDfs, 2), first, "{clocks:?}, {links:?}");
        }
    }
}

#[test]
fn a_deadlock_is_a_violation_unless_it_is_expected() {
    let silent = || toys(Numbers { clients: 1, ..quiet(1) }, idle, listen);
    let found = checked(silent(), CheckOptions::default());
    assert!(matches!(found.verdict, Verdict::Violated(v) if v.property == "no deadlock"));
    let expected = Setup { deadlock_expected: true, ..silent() };
    assert_eq!(checked(expected, CheckOptions::default()).verdict, Verdict::Holds);
}

#[test]
fn marks_put_out_at_the_start_are_seen() {
    let boots = |_: &mut Toy, _: u8, out: &mut Outbox<Toy>| out.mark("boots", 0);
    let found = checked(toys(quiet(1), boots, listen), CheckOptions::default());
    assert!(found.marks.contains("boots"));
}
