//! The compact engine against stateright: the same states, transitions, depth, marks and verdict,
//! on every kind of world.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use seedbed::catalogue::Card;
use seedbed::engine::check::{CheckOptions, Search, Verdict, check};
use seedbed::protocol::{Input, NodeId, Outbox, Protocol};
use seedbed::protocols::catalogue;
use seedbed::world::{Links, Numbers, Property, Setup};
use serde::{Deserialize, Serialize};

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
    assert!(same(setup, None, "eager") > 100);
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
        assert_eq!(ours.difference(&theirs), None, "{name}");
        // Where something is promised, stateright gives no verdict.
        if theirs.verdict == "incomplete" {
            continue;
        }
        let verdicts = [&ours, &theirs].map(|r| (r.verdict, r.property.clone(), r.trace.clone()));
        assert_eq!(verdicts[0], verdicts[1], "{name}");
        if ours.verdict == "holds" {
            let counts = [&ours, &theirs].map(|r| (r.states, r.transitions, r.depth, r.histories));
            assert_eq!(counts[0], counts[1], "{name}");
            assert_eq!(ours.marks, theirs.marks, "{name}");
        }
    }
    assert!(compared >= 10, "only {compared} scenarios are small");
}

/// Why a search on the compact engine is incomplete.
fn incomplete<P: Protocol + Clone + Eq + Send + Sync>(
    setup: Setup<P>,
    states_max: Option<usize>,
) -> String {
    let options = CheckOptions { search: Search::Compact, states_max, ..Default::default() };
    match check(&Arc::new(setup), options).verdict {
        Verdict::Incomplete(reason) => reason,
        other => panic!("{other:?}"),
    }
}

/// Counts up to 20 by a timer, and says what it has counted.
fn counts(toy: &mut Toy, step: u32, out: &mut Outbox<Toy>) {
    toy.log[0] += step;
    if toy.log[0] < 20 {
        out.arm(1, 1);
    }
}

fn starts_to_count(toy: &mut Toy, _: u8, out: &mut Outbox<Toy>) {
    toy.log.push(0);
    out.arm(1, 1);
}

#[test]
fn a_handler_that_is_no_function_is_named() {
    static STEPS: AtomicU32 = AtomicU32::new(0);
    let impure = |toy: &mut Toy, _: Input<Toy>, out: &mut Outbox<Toy>| {
        counts(toy, 1 + STEPS.fetch_add(1, Relaxed) % 5, out);
    };
    let reason = incomplete(toys(quiet(2), starts_to_count, impure), Some(100_000));
    assert!(reason.contains("not pure") && reason.contains("timer 1 fires"), "{reason}");
}

#[test]
fn a_counter_without_end_is_named() {
    let endless = |toy: &mut Toy, _: Input<Toy>, out: &mut Outbox<Toy>| {
        toy.log[0] += 1;
        out.arm(1, 1);
    };
    let reason = incomplete(toys(quiet(1), starts_to_count, endless), Some(500));
    assert!(reason.contains("n0 has the most states") && reason.contains("log: ["), "{reason}");
}

#[test]
fn a_budget_in_which_nothing_fits_is_named() {
    let setup = Arc::new(toys(quiet(1), starts_to_count, |toy, _, out| counts(toy, 1, out)));
    let budgets = [("it stopped at 0 states", Some(0), None), ("than 1 bytes", None, Some(1))];
    for (words, states_max, bytes_max) in budgets {
        let found = check(&setup, CheckOptions { states_max, bytes_max, ..Default::default() });
        let Verdict::Incomplete(reason) = found.verdict else { panic!("{:?}", found.verdict) };
        assert!(reason.contains(words) && reason.contains("deeper than 1 is not"), "{reason}");
        assert!(reason.contains("n0 has the most states"), "{reason}");
        assert_eq!((found.states, found.transitions, found.depth), (1, 1, 1));
    }
}

/// Each of three nodes draws one of a thousand numbers: the third level is wide, and cut short.
#[test]
fn what_a_search_that_is_cut_short_reports_is_the_same_on_any_number_of_threads() {
    let boot = |_: &mut Toy, _: u8, out: &mut Outbox<Toy>| out.arm(0, 1);
    let step = |toy: &mut Toy, _: Input<Toy>, out: &mut Outbox<Toy>| {
        toy.log.push(out.choose(1_000));
        out.mark("drawn", 0);
        if toy.me == N0 && toy.log[0] == 500 {
            out.send(N1, 1);
        }
    };
    let setup = Arc::new(toys(quiet(3), boot, step));
    let reports = [1, 2, 4].map(|threads| {
        let options = CheckOptions { threads, states_max: Some(50_000), ..Default::default() };
        let found = check(&setup, options);
        let counts = (found.states, found.transitions, found.depth, found.histories);
        (counts, found.marks, found.verdict)
    });
    assert_eq!(reports[0].0, (3_001, 3_001, 2, 0));
    assert!(reports[0].1.contains("drawn"));
    let Verdict::Incomplete(reason) = &reports[0].2 else { panic!("{:?}", reports[0].2) };
    let said = "it stopped at 50000 states; what lies deeper than 2 is not counted; n0 has the \
                most states, 1001: ";
    assert!(reason.starts_with(said), "{reason}");
    assert!(reports.iter().all(|other| *other == reports[0]), "{reports:#?}");
}

/// Equal to another whatever it notes, and yet hashed with it; and ordered against its equality.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Sloppy {
    count: u8,
    note: u8,
}

impl PartialEq for Sloppy {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count
    }
}

impl Eq for Sloppy {}

impl Hash for Sloppy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.count, self.note).hash(state);
    }
}

impl PartialOrd for Sloppy {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sloppy {
    fn cmp(&self, other: &Self) -> Ordering {
        self.count.cmp(&other.count)
    }
}

/// A node whose state is sloppy, or what it sends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Careless(Sloppy);

impl Protocol for Careless {
    type Config = bool;
    type Msg = Sloppy;
    type Timer = u8;
    type Disk = ();
    type Op = ();
    type Ret = ();

    fn boot(_: &bool, _: NodeId, (): (), out: &mut Outbox<Self>) -> Self {
        out.arm(0, 1);
        out.arm(1, 1);
        Careless(Sloppy { count: 0, note: 0 })
    }

    fn step(&mut self, sends: &bool, input: Input<Self>, out: &mut Outbox<Self>) {
        if let Input::Fired(note) = input {
            let sloppy = Sloppy { count: 1, note };
            if *sends { out.send(NodeId(0), sloppy) } else { self.0 = sloppy }
        }
    }
}

#[test]
fn types_whose_order_hash_and_equality_disagree_are_named() {
    for (sends, words) in [(false, "`Eq` and `Hash`"), (true, "`Ord`")] {
        let setup = Setup::<Careless>::new(sends, &quiet(1), |_| None);
        let reason = incomplete(setup, None);
        assert!(reason.contains(words) && reason.contains("count: 1"), "{reason}");
    }
}

#[test]
fn by_fingerprint_nothing_is_said_to_hold() {
    let (_, numbers) = kinds_of_time()[0].clone();
    let numbers = Numbers { skew: 0, calls: 1, clients: 1, ..numbers };
    let found = |depth_max, fingerprints| {
        let search = Search::Compact;
        let options = CheckOptions { search, depth_max, fingerprints, ..Default::default() };
        check(&Arc::new(busy_world(&numbers, Links::Unordered, false)), options)
    };
    let (exact, lossy) = (found(Some(7), false), found(Some(7), true));
    assert_eq!((exact.states, exact.transitions), (lossy.states, lossy.transitions));
    let counter = |fingerprints| {
        let step = |toy: &mut Toy, _: Input<Toy>, out: &mut Outbox<Toy>| counts(toy, 1, out);
        let mut setup = toys(quiet(1), starts_to_count, step);
        if fingerprints == 2 {
            setup.properties =
                vec![Property::each_node("below 5", |_, _, toy: &Toy| toy.log[0] < 5)];
        }
        let options = CheckOptions { fingerprints: fingerprints > 0, ..Default::default() };
        check(&Arc::new(setup), options)
    };
    assert_eq!(counter(0).verdict, Verdict::Holds);
    let Verdict::Incomplete(reason) = counter(1).verdict else { panic!("it holds by luck") };
    assert!(reason.contains("probability"), "{reason}");
    let broken = counter(2);
    assert_eq!((broken.verdict.word(), broken.trace.len()), ("violated", 6));
}
