//! Where a world comes to rest: what fair rounds owe, and what they leave alone.

use seedbed::protocol::{Input, NodeId, Outbox};
use seedbed::world::{Clocks, InFlight, Links, Numbers, Status, World};

use crate::toys::{N0, N1, Toy, can, go, idle, log_of, quiet, start, toys};

/// More rounds than any world here needs.
const ROUNDS: usize = 64;

fn timed(delay: (u32, u32)) -> Numbers {
    Numbers { clocks: Clocks::Perfect, delay: Some(delay), ..quiet(2) }
}

/// Starts a timer.
fn ticks(_: &mut Toy, _: u8, out: &mut Outbox<Toy>) {
    out.arm(1, 1);
}

/// Starts a timer, and node 0 sends a message that takes longer.
fn sends_once(toy: &mut Toy, disk: u8, out: &mut Outbox<Toy>) {
    ticks(toy, disk, out);
    if toy.me == N0 {
        out.send(N1, 5);
    }
}

/// Keeps its timer going, and remembers what it gets.
fn goes_on(toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>) {
    match input {
        Input::Recv(_, msg) => toy.log.push(msg.into()),
        _ => out.arm(1, 1),
    }
}

/// Asks node 1 whenever its timer fires, and remembers the first answer only.
fn asks(toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>) {
    match input {
        Input::Recv(from, 1) => out.send(from, 2),
        Input::Recv(_, answer) if toy.log.is_empty() => toy.log.push(answer.into()),
        Input::Fired(_) => {
            out.arm(1, 1);
            if toy.me == N0 {
                out.send(N1, 1);
            }
        }
        _ => {}
    }
}

#[track_caller]
fn rest_of(world: &World<Toy>) -> World<Toy> {
    world.settle(ROUNDS).expect("it comes to rest")
}

#[test]
fn a_round_owes_every_message_that_was_in_flight_when_it_began() {
    for links in [Links::Unordered, Links::Fifo] {
        let mut setup = toys(timed((7, 7)), sends_once, goes_on);
        setup.links = links;
        assert_eq!(log_of(&rest_of(&start(setup)), 1), [5], "{links:?}");
    }
}

#[test]
fn a_world_does_not_rest_while_an_answer_is_in_flight_that_has_not_come_before() {
    let world = start(toys(timed((7, 7)), ticks, asks));
    assert_eq!(log_of(&rest_of(&world), 0), [2]);
    let world = start(toys(quiet(2), ticks, asks));
    assert_eq!(log_of(&rest_of(&world), 0), [2]);
}

#[test]
fn a_fifo_link_is_emptied_however_much_is_on_it() {
    let floods = |toy: &mut Toy, _: u8, out: &mut Outbox<Toy>| {
        if toy.me == N0 {
            (0..200).for_each(|msg| out.send(N1, msg));
        }
    };
    let mut setup = toys(quiet(2), floods, goes_on);
    setup.links = Links::Fifo;
    assert_eq!(log_of(&rest_of(&start(setup)), 1).len(), 200);
}

#[test]
fn a_world_rests_though_its_nodes_go_on_sending_each_other_the_same() {
    for numbers in [timed((3, 3)), quiet(2)] {
        let rest = rest_of(&start(toys(numbers, ticks, asks)));
        assert!(!rest.waiting.timers.is_empty(), "asking goes on");
        assert_eq!(rest_of(&rest).system, rest.system, "and changes nothing more");
    }
}

#[test]
fn a_world_that_goes_on_changing_never_settles() {
    let counts = |toy: &mut Toy, _: Input<Toy>, out: &mut Outbox<Toy>| {
        toy.log.push(0);
        out.arm(1, 1);
    };
    for numbers in [timed((1, 1)), quiet(2)] {
        assert!(start(toys(numbers, ticks, counts)).settle(ROUNDS).is_none());
    }
}

#[test]
fn a_world_in_which_time_stands_still_never_settles() {
    let at_once = |_: &mut Toy, _: Input<Toy>, out: &mut Outbox<Toy>| out.arm(1, 0);
    let boots = |toy: &mut Toy, _: u8, out: &mut Outbox<Toy>| {
        out.arm(1, 0);
        out.send(NodeId(1 - toy.me.0), 1);
    };
    assert!(start(toys(timed((1, 1)), boots, at_once)).settle(ROUNDS).is_none());
}

#[test]
fn clocks_run_to_their_horizon_before_a_world_rests() {
    let late = |toy: &mut Toy, _: Input<Toy>, out: &mut Outbox<Toy>| {
        out.arm(1, 1);
        if out.now() == 9 && toy.log.is_empty() {
            toy.log.push(9);
        }
    };
    let numbers = Numbers { horizon: 9, ..timed((1, 1)) };
    assert_eq!(log_of(&rest_of(&start(toys(numbers, ticks, late))), 0)[0], 9);
}

#[test]
fn faults_end_where_a_world_comes_to_rest_and_who_has_not_joined_stays_away() {
    let mut numbers = Numbers { in_flight: InFlight::Held, ..quiet(4) };
    let faults = &mut numbers.faults;
    (faults.crashes, faults.pauses, faults.partitions, faults.joins) = (2, 1, 1, 1);
    let says = |toy: &mut Toy, _: u8, out: &mut Outbox<Toy>| {
        if toy.me == N0 {
            out.send(N1, 7);
        }
    };
    let world = start(toys(numbers, says, goes_on));
    let cut = world.actions().into_iter().map(|action| action.to_string());
    let cut = cut.filter(|words| words.starts_with("partition")).collect::<Vec<_>>();
    let world = go(&world, &["n1 pauses", "n2 crashes", &cut[0]]);
    assert!(!can(&world, "n1 gets 7 from n0"));
    let rest = rest_of(&world);
    let status = |node| rest.system.node(NodeId(node)).status;
    assert_eq!([0, 1, 2].map(status), [Status::Up; 3]);
    assert_eq!((status(3), rest.system.cut), (Status::Absent, None));
    assert_eq!(log_of(&rest, 1), [7]);
    assert!(rest.actions().iter().all(|action| !action.is_fault()), "no fault is left");
}

#[test]
fn nothing_is_called_on_the_way_to_rest() {
    let world = start(toys(Numbers { clients: 1, ..quiet(1) }, idle, goes_on));
    assert!(can(&rest_of(&world), "p0#0 calls 0 at n0"));
}
