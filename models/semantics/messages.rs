//! Links, loss, duplication, and deliveries that change nothing.

use seedbed::protocol::{Input, Outbox};
use seedbed::world::{Clocks, Links, Numbers, Setup, World};

use crate::toys::{N0, N1, Step, Toy, can, go, ignore, listen, log_of, quiet, start, toys, words};

/// Node 0 sends these to node 1 when it starts.
fn sends(numbers: Numbers, links: Links, boot: crate::toys::Boot, step: Step) -> World<Toy> {
    start(Setup { links, ..toys(numbers, boot, step) })
}

fn one_two(toy: &mut Toy, _: u8, out: &mut Outbox<Toy>) {
    if toy.me == N0 {
        out.send(N1, 1);
        out.send(N1, 2);
    }
}

fn one_two_one(toy: &mut Toy, disk: u8, out: &mut Outbox<Toy>) {
    one_two(toy, disk, out);
    if toy.me == N0 {
        out.send(N1, 1);
    }
}

const ONE: &str = "n1 gets 1 from n0";
const TWO: &str = "n1 gets 2 from n0";

#[test]
fn unordered_links_deliver_in_any_order() {
    let world = sends(quiet(2), Links::Unordered, one_two, listen);
    assert_eq!(words(&world), [ONE, TWO]);
    assert_eq!(log_of(&go(&world, &[TWO, ONE]), 1), [2, 1]);
}

#[test]
fn equal_networks_are_equal_worlds_on_unordered_links_only() {
    let backwards = |toy: &mut Toy, _: u8, out: &mut Outbox<Toy>| {
        if toy.me == N0 {
            out.send(N1, 2);
            out.send(N1, 1);
        }
    };
    for (links, equal) in [(Links::Unordered, true), (Links::Fifo, false)] {
        let forth = sends(quiet(2), links, one_two, listen);
        let back = sends(quiet(2), links, backwards, listen);
        assert_eq!(forth.waiting == back.waiting, equal, "{links:?}");
    }
}

#[test]
fn fifo_links_deliver_in_the_order_sent() {
    let world = sends(quiet(2), Links::Fifo, one_two, listen);
    assert_eq!(words(&world), [ONE]);
    assert_eq!(words(&go(&world, &[ONE])), [TWO]);
}

#[test]
fn fifo_orders_each_link_alone() {
    let boots = |toy: &mut Toy, _: u8, out: &mut Outbox<Toy>| {
        out.send(N0, 10 + toy.me.0);
        out.send(N1, 10 + toy.me.0);
    };
    assert_eq!(words(&sends(quiet(2), Links::Fifo, boots, listen)).len(), 4);
}

#[test]
fn equal_messages_are_counted_and_listed_once() {
    let world = sends(quiet(2), Links::Unordered, one_two_one, listen);
    assert_eq!(words(&world), [ONE, TWO]);
    assert_eq!(words(&go(&world, &[ONE, ONE])), [TWO], "two were sent");
}

#[test]
fn a_duplicate_is_one_more_message_within_the_budget() {
    let mut numbers = quiet(2);
    numbers.faults.duplicates = 1;
    let world = sends(numbers, Links::Unordered, one_two, listen);
    let twice = go(&world, &["duplicated: 1 from n0 to n1"]);
    assert!(
        !can(&twice, "duplicated: 1 from n0 to n1") && !can(&twice, "duplicated: 2 from n0 to n1")
    );
    assert_eq!(log_of(&go(&twice, &[ONE, TWO, ONE]), 1), [1, 2, 1]);
    assert_eq!(words(&go(&world, &[ONE, TWO])), Vec::<String>::new(), "what arrived is gone");
}

#[test]
fn on_fifo_links_a_duplicate_follows_its_original_at_once() {
    let mut numbers = quiet(2);
    numbers.faults.duplicates = 1;
    let world = sends(numbers, Links::Fifo, one_two, listen);
    let end = go(&world, &["duplicated: 1 from n0 to n1", ONE, ONE, TWO]);
    assert_eq!(words(&end), Vec::<String>::new());
}

#[test]
fn a_loss_takes_one_message_within_the_budget() {
    let mut numbers = quiet(2);
    numbers.faults.losses = 1;
    let world = sends(numbers, Links::Unordered, one_two_one, listen);
    let lost = go(&world, &["lost: 1 from n0 to n1"]);
    assert_eq!(words(&lost), [ONE, TWO]);
    assert_eq!(words(&go(&lost, &[ONE])), [TWO], "one of the two is left");
}

#[test]
fn a_loss_takes_the_newest_of_equal_messages() {
    let mut numbers = quiet(2);
    numbers.faults.losses = 1;
    let world = sends(numbers, Links::Fifo, one_two_one, listen);
    assert!(can(&world, "lost: 1 from n0 to n1"));
    let lost = go(&world, &["lost: 1 from n0 to n1", ONE, TWO]);
    assert_eq!(words(&lost), Vec::<String>::new());
}

/// A message 5 now, and an equal one a tick later; delays are 1 to 3.
fn an_older_and_a_newer(losses: u32) -> World<Toy> {
    let mut numbers = Numbers { clocks: Clocks::Perfect, delay: Some((1, 3)), ..quiet(2) };
    numbers.faults.losses = losses;
    let boots = |toy: &mut Toy, _: u8, out: &mut Outbox<Toy>| {
        if toy.me == N0 {
            out.send(N1, 5);
            out.arm(1, 1);
        }
    };
    let again = |toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| match input {
        Input::Fired(_) => out.send(N1, 5),
        input => listen(toy, input, out),
    };
    go(&start(toys(numbers, boots, again)), &["tick 1", "n0's timer 1 fires", "tick 1"])
}

#[test]
fn of_equal_messages_the_most_urgent_arrives_first() {
    let world = go(&an_older_and_a_newer(0), &["n1 gets 5 from n0"]);
    // The newer one is left: it has two ticks.
    let ticked = go(&world, &["tick 1", "tick 1"]);
    assert!(!can(&ticked, "tick 1"));
}

#[test]
fn of_equal_messages_the_least_urgent_is_lost() {
    let world = go(&an_older_and_a_newer(1), &["lost: 5 from n0 to n1"]);
    // The older one is left: it has one tick.
    assert!(!can(&go(&world, &["tick 1"]), "tick 1"));
}

#[test]
fn what_a_node_sends_to_itself_is_neither_lost_nor_duplicated_nor_cut() {
    let mut numbers = quiet(2);
    (numbers.faults.losses, numbers.faults.duplicates, numbers.faults.partitions) = (1, 1, 1);
    let boots = |toy: &mut Toy, _: u8, out: &mut Outbox<Toy>| out.send(toy.me, 1);
    let world = start(toys(numbers, boots, listen));
    let cuts = ["partition: isolate n0", "partition: isolate n1"];
    assert_eq!(words(&world)[2..], cuts);
    assert!(can(&go(&world, &[cuts[0]]), "n0 gets 1 from n0"));
}

#[test]
fn a_delivery_that_changes_nothing_is_no_transition_on_unordered_links_without_bounds() {
    let perfect = Numbers { clocks: Clocks::Perfect, ..quiet(2) };
    for numbers in [quiet(2), perfect] {
        let world = sends(numbers, Links::Unordered, one_two, ignore);
        assert_eq!(words(&world), Vec::<String>::new());
        assert_eq!(world.waiting.flights.len(), 2, "the messages stay");
    }
}

#[test]
fn a_delivery_with_an_effect_is_a_transition() {
    let marks = |_: &mut Toy, _: Input<Toy>, out: &mut Outbox<Toy>| out.mark("heard", 0);
    assert_eq!(words(&sends(quiet(2), Links::Unordered, one_two, marks)), [ONE, TWO]);
}

#[test]
fn a_delivery_that_changes_nothing_is_a_step_on_fifo_links_and_under_bounds() {
    let fifo = sends(quiet(2), Links::Fifo, one_two, ignore);
    assert_eq!(words(&go(&fifo, &[ONE, TWO])), Vec::<String>::new());
    let bounds = Numbers { clocks: Clocks::Perfect, delay: Some((0, 0)), ..quiet(2) };
    let bounded = sends(bounds, Links::Unordered, one_two, ignore);
    assert_eq!(words(&go(&bounded, &[ONE, TWO])), Vec::<String>::new());
}

#[test]
fn timers_and_calls_that_change_nothing_are_steps() {
    let numbers = Numbers { clients: 1, ..quiet(1) };
    let world = start(toys(numbers, |_, _, out| out.arm(1, 1), ignore));
    assert_eq!(words(&go(&world, &["n0's timer 1 fires"])), ["p0#0 calls 0 at n0"]);
}

#[test]
fn messages_wait_for_a_node_that_is_down_and_for_one_that_has_not_joined() {
    let mut numbers = quiet(2);
    numbers.faults.crashes = 1;
    let down = go(&sends(numbers, Links::Unordered, one_two, listen), &["n1 crashes"]);
    assert_eq!(words(&down), ["n1 restarts"]);
    assert!(can(&go(&down, &["n1 restarts"]), ONE));
    let mut numbers = quiet(2);
    numbers.faults.joins = 1;
    let absent = sends(numbers, Links::Unordered, one_two, listen);
    assert_eq!(words(&absent), ["n1 joins"]);
    assert_eq!(words(&go(&absent, &["n1 joins"])), [ONE, TWO]);
}

#[test]
fn actions_are_listed_in_a_fixed_order() {
    let mut numbers = Numbers { clients: 1, clocks: Clocks::Perfect, ..quiet(2) };
    numbers.cuts = vec![seedbed::world::CutKind::Split];
    let faults = &mut numbers.faults;
    (faults.losses, faults.duplicates, faults.partitions) = (1, 1, 1);
    (faults.crashes, faults.pauses) = (1, 1);
    let boots = |toy: &mut Toy, disk: u8, out: &mut Outbox<Toy>| {
        one_two(toy, disk, out);
        out.arm(9, 0..=1);
    };
    let expected = [
        ONE,
        TWO,
        "n0's timer 9 fires",
        "n1's timer 9 fires",
        "p0#0 calls 0 at n0",
        "tick 1",
        "lost: 1 from n0 to n1",
        "duplicated: 1 from n0 to n1",
        "lost: 2 from n0 to n1",
        "duplicated: 2 from n0 to n1",
        "partition: split n1 from the others",
        "n0 crashes",
        "n0 pauses",
        "n1 crashes",
        "n1 pauses",
    ];
    assert_eq!(words(&sends(numbers, Links::Unordered, boots, listen)), expected);
}
