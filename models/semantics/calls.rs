//! Calls: making them, giving them up, eager ones, items; deadlock.

use seedbed::protocol::{CallId, Input, NodeId, Outbox, Outcome, ProcessId};
use seedbed::world::{Clocks, HistoryForm, Numbers, Setup, World};

use crate::toys::{N0, N1, Toy, can, go, idle, ignore, listen, log_of, quiet, start, toys, words};

fn clients(clients: u32, calls: u32) -> Numbers {
    Numbers { clients, calls, ..quiet(2) }
}

fn replies(toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>) {
    if let Input::Call(call, op) = input {
        toy.log.push(op.into());
        out.reply(call, op + 10);
    }
}

#[test]
fn a_process_makes_one_call_at_a_time_and_each_is_an_action() {
    let world = start(toys(clients(1, 2), idle, replies));
    assert_eq!(words(&world), ["p0#0 calls 0 at n0"]);
    assert_eq!(words(&go(&world, &["p0#0 calls 0 at n0"])), ["p0#1 calls 1 at n0"]);
    let open = go(&start(toys(clients(1, 2), idle, listen)), &["p0#0 calls 0 at n0"]);
    assert_eq!(words(&open), Vec::<String>::new());
}

#[test]
fn a_script_sees_the_last_call_and_its_outcome() {
    let mut setup = toys(clients(1, 2), idle, replies);
    setup.script = std::sync::Arc::new(|turn| match turn.last {
        None => Some((N0, 3)),
        Some((3, Outcome::Ok(answer))) => Some((N1, *answer)),
        Some(_) => None,
    });
    let end = go(&start(setup), &["p0#0 calls 3 at n0", "p0#1 calls 13 at n1"]);
    assert_eq!((log_of(&end, 1), words(&end).len()), (&[13][..], 0));
}

#[test]
fn eager_calls_are_made_in_the_step_in_which_the_last_returned() {
    let eager = Setup { eager: true, ..toys(clients(2, 2), idle, replies) };
    let world = start(eager);
    assert_eq!(words(&world), Vec::<String>::new(), "the start made all of them");
    assert_eq!((log_of(&world, 0), log_of(&world, 1)), (&[0, 1][..], &[0, 1][..]));
}

fn impatient(clocks: Clocks) -> Numbers {
    let mut numbers = Numbers { patience: 2, clocks, ..clients(1, 2) };
    numbers.faults.cancels = 1;
    numbers
}

const CALL: &str = "p0#0 calls 0 at n0";
const CANCEL: &str = "p0#0 is given up";

#[test]
fn a_process_gives_up_only_when_its_patience_is_over() {
    let called = go(&start(toys(impatient(Clocks::Perfect), idle, listen)), &[CALL]);
    assert!(!can(&called, CANCEL) && !can(&go(&called, &["tick 1"]), CANCEL));
    let over = go(&called, &["tick 1", "tick 1"]);
    assert!(can(&over, CANCEL), "and it need not");
    assert!(!can(&over, "tick 1"), "waiting on changes nothing");
    let called = go(&start(toys(impatient(Clocks::Asynchronous), idle, listen)), &[CALL]);
    assert!(can(&called, CANCEL));
}

#[test]
fn a_call_that_is_given_up_ends_as_unknown() {
    let world = start(toys(impatient(Clocks::Asynchronous), idle, listen));
    let called = go(&world, &[CALL]);
    assert_eq!(called.system.state(N0).unwrap().calls.len(), 1);
    let gone = go(&called, &[CANCEL]);
    assert_eq!(gone.system.state(N0).unwrap().calls.len(), 0, "the node is told");
    assert_eq!(gone.system.programs[0].last, Some((0, Outcome::Unknown)));
    let next = go(&gone, &["p1#1 calls 1 at n0"]);
    assert!(!can(&next, "p1#1 is given up"), "the budget is spent");
}

#[test]
fn a_call_that_is_given_up_may_be_answered_in_that_step() {
    let answers = |_: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| match input {
        Input::Cancel(call) => out.fail(call),
        _ => out.mark("heard", 0),
    };
    let world = start(toys(impatient(Clocks::Asynchronous), idle, answers));
    let failed = go(&world, &[CALL, CANCEL]);
    assert_eq!(failed.system.programs[0].last, Some((0, Outcome::Failed)));
    assert_eq!(words(&failed), ["p0#1 calls 1 at n0"], "the process goes on");
}

#[test]
fn only_a_node_that_is_up_is_told_that_a_call_is_given_up() {
    let mut numbers = impatient(Clocks::Asynchronous);
    numbers.faults.pauses = 1;
    let world = go(&start(toys(numbers, idle, listen)), &[CALL, "n0 pauses"]);
    assert!(!can(&world, CANCEL));
}

#[test]
fn long_answers_are_items_of_an_open_call() {
    let watches = |_: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| {
        let call = CallId { process: ProcessId(0), number: 0 };
        match input {
            Input::Call(..) => out.item(call, 1),
            Input::Fired(2) => out.reply(call, 3),
            // A process that is not the one that asked hears nothing.
            _ => out.item(CallId { process: ProcessId(9), number: 0 }, 8),
        }
    };
    let boots = |_: &mut Toy, _: u8, out: &mut Outbox<Toy>| {
        out.arm(1, 1);
        out.arm(2, 1);
    };
    let mut setup = toys(clients(1, 1), boots, watches);
    setup.history = HistoryForm::ProgramOrder;
    let end = go(&start(setup), &[CALL, "n0's timer 1 fires", "n0's timer 2 fires"]);
    let entry = end.system.history.entries().next().unwrap();
    assert_eq!((&entry.items[..], entry.ret), (&[1][..], Some(3)));
}

#[test]
#[should_panic(expected = "p0#0 was answered before")]
fn answering_a_call_twice_is_a_bug_of_the_protocol() {
    let twice = |_: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| {
        if let Input::Call(call, _) = input {
            out.reply(call, 1);
            out.reply(call, 1);
        }
    };
    go(&start(toys(clients(1, 1), idle, twice)), &[CALL]);
}

fn deadlocked(world: &World<Toy>) -> bool {
    world.is_deadlock()
}

#[test]
fn a_world_is_deadlocked_when_a_call_is_open_and_only_faults_go_on() {
    let mut numbers = clients(1, 1);
    numbers.faults.crashes = 1;
    let world = start(toys(numbers.clone(), idle, ignore));
    assert!(!deadlocked(&world), "the call can be made");
    let called = go(&world, &[CALL]);
    assert!(deadlocked(&called), "a crash would end the call, but need not come");
    assert!(!deadlocked(&go(&called, &["n1 crashes"])), "a restart may come");
    assert!(!deadlocked(&go(&start(toys(clients(1, 1), idle, replies)), &[CALL])));
    let timer = start(toys(clients(1, 1), |_, _, out| out.arm(1, 1), ignore));
    let waits = go(&timer, &[CALL]);
    assert!(!deadlocked(&waits));
    assert!(deadlocked(&go(&waits, &["n0's timer 1 fires", "n1's timer 1 fires"])));
}

#[test]
fn a_message_that_would_change_nothing_does_not_avert_a_deadlock() {
    let sends = |toy: &mut Toy, _: u8, out: &mut Outbox<Toy>| out.send(NodeId(1 - toy.me.0), 1);
    assert!(deadlocked(&go(&start(toys(clients(1, 1), sends, ignore)), &[CALL])));
    assert!(!deadlocked(&go(&start(toys(clients(1, 1), sends, listen)), &[CALL])));
}

#[test]
fn a_message_that_changes_something_by_chance_averts_a_deadlock() {
    let sends = |toy: &mut Toy, _: u8, out: &mut Outbox<Toy>| out.send(NodeId(1 - toy.me.0), 1);
    let flips = |toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| {
        if matches!(input, Input::Recv(..)) && out.choose(2) == 1 {
            toy.log.push(1);
        }
    };
    let world = go(&start(toys(clients(1, 1), sends, flips)), &[CALL]);
    assert_eq!(words(&world)[0], "n1 gets 1 from n0, drawing 1");
    assert!(!deadlocked(&world));
}
