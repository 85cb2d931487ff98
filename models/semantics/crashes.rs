//! Crashes, torn steps, disks, joins and pauses.

use seedbed::protocol::{Input, Outbox, Outcome, ProcessId};
use seedbed::world::{Action, Happening, Numbers, World};

use crate::toys::{N0, N1, Toy, can, go, idle, listen, log_of, quiet, start, toys, words};

/// Remembers what the disk held.
fn reads_disk(toy: &mut Toy, disk: u8, out: &mut Outbox<Toy>) {
    toy.log.push(disk.into());
    out.arm(1, 1);
}

/// A call saves 1, tells node 1, saves 2, syncs where that is wanted, saves 3 and replies.
fn saves(toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>) {
    let Input::Call(call, _) = input else { return listen(toy, input, out) };
    toy.log.push(77);
    out.save(1);
    out.send(N1, 9);
    out.save(2);
    out.sync();
    out.save(3);
    out.reply(call, 0);
}

fn crashing(crashes: u32, torn: u32, lost_saves: u32) -> Numbers {
    let mut numbers = Numbers { clients: 1, calls: 2, ..quiet(2) };
    (numbers.faults.crashes, numbers.faults.torn) = (crashes, torn);
    numbers.faults.lost_saves = lost_saves;
    numbers
}

const CALL: &str = "p0#0 calls 0 at n0";

#[test]
fn a_crash_takes_state_and_timers_and_leaves_the_disk() {
    let world = go(&start(toys(crashing(1, 0, 0), reads_disk, saves)), &[CALL]);
    assert_eq!(log_of(&world, 0), [0, 77]);
    let down = go(&world, &["n0 crashes"]);
    assert!(down.system.state(N0).is_none());
    assert!(down.waiting.timers.iter().all(|(node, ..)| *node != N0), "its timers are gone");
    let back = go(&down, &["n0 restarts"]);
    assert_eq!(log_of(&back, 0), [3], "boot is given what is durable");
    assert!(can(&back, "n0's timer 1 fires") && !can(&back, "n0 crashes"));
}

/// Every way in which the call's step is torn: effects kept, saves lost, and what came of it: the
/// disk, whether the message left, whether the call ended in time.
fn torn_calls(lost_saves: u32) -> Vec<(u16, bool, u8, bool, bool)> {
    let world = start(toys(crashing(1, 1, lost_saves), reads_disk, saves));
    let torn = world
        .actions()
        .into_iter()
        .filter(|action| action.torn.is_some() && matches!(action.did, Happening::Call(..)));
    let outcome = |action: Action<Toy>| {
        let torn = action.torn.unwrap();
        let after = world.after(&action).unwrap();
        assert!(after.system.state(N0).is_none(), "a torn step ends in a crash");
        let replied = after.system.programs[0].process == ProcessId(0);
        let disk = *after.system.node(N0).durable();
        (torn.kept, torn.loses_saves, disk, can(&after, "n1 gets 9 from n0"), replied)
    };
    torn.map(outcome).collect()
}

#[test]
fn a_torn_step_keeps_any_proper_prefix_of_its_effects() {
    let expected = [
        (0, false, 0, false, false),
        (1, false, 1, false, false),
        (2, false, 1, true, false),
        (3, false, 2, true, false),
        (4, false, 2, true, false),
        (5, false, 3, true, false),
    ];
    assert_eq!(torn_calls(0), expected);
}

#[test]
fn a_torn_step_may_lose_what_it_has_not_synced() {
    let lost = torn_calls(1).into_iter().filter(|torn| torn.1).collect::<Vec<_>>();
    let expected = [
        (1, true, 0, false, false),
        (2, true, 0, true, false),
        (3, true, 0, true, false),
        (5, true, 2, true, false),
    ];
    assert_eq!(lost, expected);
}

#[test]
fn a_crash_between_steps_may_lose_unsynced_saves_where_there_is_a_budget() {
    let boot = |world: &World<Toy>, crash: &str| {
        let back = go(world, &[crash, "n0 restarts"]);
        log_of(&back, 0).to_vec()
    };
    let loses = "n0 crashes and loses its unsynced saves";
    let world = go(&start(toys(crashing(1, 0, 1), reads_disk, saves)), &[CALL]);
    assert_eq!(boot(&world, "n0 crashes"), [3], "a disk cache may get written");
    assert_eq!(boot(&world, loses), [2], "what was synced is durable");
    let safe = go(&start(toys(crashing(1, 0, 0), reads_disk, saves)), &[CALL]);
    assert!(!can(&safe, loses), "without a budget a save is durable at once");
    assert!(!can(&start(toys(crashing(1, 0, 1), reads_disk, saves)), loses), "nothing was saved");
}

#[test]
fn torn_steps_and_lost_saves_are_crashes_within_their_budgets() {
    let torn = |numbers| {
        let world = start(toys(numbers, reads_disk, saves));
        world.actions().into_iter().filter(|action| action.torn.is_some()).count()
    };
    assert_eq!((torn(crashing(0, 1, 0)), torn(crashing(1, 0, 0))), (0, 0));
    assert!(torn(crashing(1, 1, 0)) > 0);
    let world = start(toys(crashing(2, 1, 1), reads_disk, saves));
    let torn = go(
        &world,
        &[&format!("{CALL}, and crashes after 3 of its effects without its unsynced saves")],
    );
    let left = &torn.system.left;
    assert_eq!((left.crashes, left.torn, left.lost_saves), (1, 0, 0));
}

#[test]
fn a_boot_can_be_torn_too() {
    let saves = |_: &mut Toy, disk: u8, out: &mut Outbox<Toy>| {
        out.save(disk + 1);
        out.send(N1, disk);
    };
    let down = go(&start(toys(crashing(2, 1, 0), saves, listen)), &["n0 crashes"]);
    let torn = go(&down, &["n0 restarts, and crashes after 1 of its effects"]);
    assert_eq!(*torn.system.node(N0).durable(), 2);
    assert_eq!(torn.waiting.flights.len(), 2, "only the first boots of both sent");
}

#[test]
fn a_crash_leaves_open_calls_unknown_and_a_new_process_goes_on() {
    let mut setup = toys(crashing(1, 0, 0), idle, listen);
    setup.history = seedbed::world::HistoryForm::RealTime;
    let called = go(&start(setup), &[CALL]);
    let crashed = go(&called, &["n0 crashes"]);
    let program = &crashed.system.programs[0];
    assert_eq!(program.process, ProcessId(1), "there is one program: the next process is 1");
    assert_eq!((program.made, &program.last), (1, &Some((0, Outcome::Unknown))));
    let entry = crashed.system.history.entries().next().unwrap();
    assert_eq!((entry.ret, entry.returned), (None, None), "it may yet take effect");
    let next = go(&crashed, &["n0 restarts", "p1#1 calls 1 at n0"]);
    assert_eq!(next.system.history.entries().count(), 2);
}

#[test]
fn an_answer_after_the_process_retired_comes_too_late() {
    // Node 1 answers what node 0 was asked.
    let mut numbers = crashing(1, 0, 0);
    numbers.calls = 1;
    let setup = toys(numbers, idle, |_, input, out| match input {
        Input::Call(_, _) => out.send(N1, 1),
        Input::Recv(..) => {
            out.reply(seedbed::protocol::CallId { process: ProcessId(0), number: 0 }, 5)
        }
        _ => {}
    });
    let late = go(&start(setup), &[CALL, "n0 crashes", "n1 gets 1 from n0"]);
    assert_eq!(late.system.programs[0].last, Some((0, Outcome::Unknown)));
}

#[test]
fn a_restart_is_no_fault_and_is_always_possible() {
    let down = go(&start(toys(crashing(1, 0, 0), idle, listen)), &["n0 crashes"]);
    assert_eq!(words(&down), ["n0 restarts"], "its client waits for the node");
    assert!(down.can_go_on());
}

#[test]
fn a_node_that_joins_boots_once_within_the_budget() {
    let mut numbers = Numbers { clients: 2, ..quiet(2) };
    numbers.faults.joins = 1;
    let world = start(toys(numbers, reads_disk, listen));
    assert!(world.system.state(N1).is_none());
    assert_eq!(words(&world), ["n0's timer 1 fires", CALL, "n1 joins"]);
    let joined = go(&world, &["n1 joins"]);
    assert_eq!(log_of(&joined, 1), [0]);
    assert!(can(&joined, "p1#0 calls 0 at n1") && !can(&joined, "n1 joins"));
}

#[test]
fn a_paused_node_takes_no_inputs_and_loses_nothing() {
    let mut numbers = Numbers { clients: 2, ..quiet(2) };
    numbers.faults.pauses = 1;
    let boots = |toy: &mut Toy, _: u8, out: &mut Outbox<Toy>| {
        out.send(N0, 10 + toy.me.0);
        out.arm(1, 1);
    };
    let paused =
        go(&start(toys(numbers, boots, listen)), &[CALL, "n0 gets 10 from n0", "n0 pauses"]);
    assert_eq!(words(&paused), ["n1's timer 1 fires", "p1#0 calls 0 at n1", "n0 resumes"]);
    let resumed = go(&paused, &["n0 resumes", "n0 gets 11 from n1", "n0's timer 1 fires"]);
    assert_eq!(log_of(&resumed, 0), [200, 10, 11, 101]);
    assert!(resumed.system.programs[0].open.is_some(), "its call is still open");
}

#[test]
fn a_paused_node_may_crash_and_then_is_no_longer_paused() {
    let mut numbers = quiet(1);
    (numbers.faults.pauses, numbers.faults.crashes) = (1, 1);
    let world = go(&start(toys(numbers, idle, listen)), &["n0 pauses", "n0 crashes"]);
    assert_eq!(words(&world), ["n0 restarts"]);
    assert_eq!(words(&go(&world, &["n0 restarts"])), Vec::<String>::new());
}
