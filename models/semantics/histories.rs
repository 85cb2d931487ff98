//! Histories: canonical epochs against the definition, failed and unknown calls, forms.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use seedbed::protocol::{CallId, Input, Outbox, Outcome, ProcessId};
use seedbed::world::{Happening, HistoryForm, Numbers, Record, World};

use crate::toys::{Toy, go, idle, quiet, start, toys};

/// How a call may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Ok,
    Failed,
    Unknown,
}

/// One event: a program makes its next call if it is idle, and otherwise its call ends like this.
type Event = (usize, End);

const PROGRAMS: usize = 3;

/// A node that ends a call, by chance in one of three ways, when the timer of its program fires.
fn world(form: HistoryForm) -> World<Toy> {
    let ends = |toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| match input {
        Input::Call(call, _) => {
            toy.calls.push(call);
            out.arm(u8::try_from(usize::from(call.process.0) % PROGRAMS).unwrap(), 1);
        }
        Input::Fired(program) => {
            let of = |call: &CallId| call.process.0 % PROGRAMS as u16 == u16::from(program);
            let at = toy.calls.iter().position(of).unwrap();
            let call = toy.calls.remove(at);
            match out.choose(3) {
                0 => out.reply(call, 7),
                1 => out.fail(call),
                _ => out.give_up(call),
            }
        }
        _ => {}
    };
    let numbers = Numbers { clients: PROGRAMS as u32, calls: 100, ..quiet(1) };
    let mut setup = toys(numbers, idle, ends);
    setup.history = form;
    start(setup)
}

fn play(form: HistoryForm, events: &[Event]) -> World<Toy> {
    let mut world = world(form);
    for (program, end) in events {
        let open = world.system.programs[*program].open.is_some();
        let action = world.actions().into_iter().find(|action| match &action.did {
            Happening::Call(call, ..) => {
                !open && usize::from(call.process.0) % PROGRAMS == *program
            }
            Happening::Fire(_, timer) => {
                open && usize::from(*timer) == *program && action.draws == [*end as u32]
            }
            _ => false,
        });
        world = world.after(&action.expect("a program calls or its call ends")).unwrap();
    }
    world
}

fn record(form: HistoryForm, events: &[Event]) -> Arc<Record<Toy>> {
    Arc::clone(&play(form, events).system.history)
}

/// The definition: of each call that has not failed, whether it returned, and how many calls of
/// each process had returned when it was made.
fn defined(events: &[Event]) -> BTreeMap<CallId, (bool, [usize; PROGRAMS])> {
    let mut calls: BTreeMap<CallId, (bool, [usize; PROGRAMS])> = BTreeMap::new();
    let mut processes: [ProcessId; PROGRAMS] = std::array::from_fn(|n| ProcessId(n as u16));
    let (mut made, mut open) = ([0; PROGRAMS], [None; PROGRAMS]);
    let mut returned = [0; PROGRAMS];
    for (program, end) in events {
        let Some(call) = open[*program].take() else {
            let call = CallId { process: processes[*program], number: made[*program] };
            made[*program] += 1;
            calls.insert(call, (false, returned));
            open[*program] = Some(call);
            continue;
        };
        match end {
            End::Ok => {
                calls.get_mut(&call).unwrap().0 = true;
                returned[*program] += 1;
            }
            End::Failed => drop(calls.remove(&call)),
            End::Unknown => processes[*program].0 += PROGRAMS as u16,
        }
    }
    calls
}

fn event() -> impl Strategy<Value = Event> {
    let end = prop_oneof![3 => Just(End::Ok), 1 => Just(End::Failed), 1 => Just(End::Unknown)];
    (0..PROGRAMS, end)
}

/// Events, and the same with some neighbours of different programs swapped.
fn two_orders() -> impl Strategy<Value = (Vec<Event>, Vec<Event>)> {
    (prop::collection::vec(event(), 1..14), prop::collection::vec(0..14usize, 0..6)).prop_map(
        |(events, swaps)| {
            let mut other = events.clone();
            for at in swaps {
                if at + 1 < other.len() && other[at].0 != other[at + 1].0 {
                    other.swap(at, at + 1);
                }
            }
            (events, other)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Two runs have equal records exactly if the definition can't tell them apart.
    #[test]
    fn real_time_records_are_canonical((one, other) in two_orders()) {
        let records = [&one, &other].map(|events| record(HistoryForm::RealTime, events));
        let equal = records[0] == records[1];
        prop_assert_eq!(equal, defined(&one) == defined(&other), "{:?}", records);
    }

    /// A call precedes another exactly if its epoch of return is below the other's of invocation.
    #[test]
    fn epochs_tell_which_call_precedes_which(events in prop::collection::vec(event(), 1..14)) {
        let world = play(HistoryForm::RealTime, &events);
        let defined = defined(&events);
        let entries: Vec<_> = world.system.history.entries().collect();
        prop_assert_eq!(entries.len(), defined.len());
        for entry in &entries {
            let (returned, before) = defined[&entry.call];
            prop_assert_eq!(entry.returned.is_some(), returned);
            let mut preceding = [0; PROGRAMS];
            for other in &entries {
                let precedes = other.returned.is_some_and(|end| end < entry.invoked);
                preceding[usize::from(other.call.process.0) % PROGRAMS] += usize::from(precedes);
            }
            prop_assert_eq!(preceding, before, "{:?}", entries);
        }
    }

    /// Program order forgets all that lies between processes.
    #[test]
    fn program_order_forgets_real_time((one, other) in two_orders()) {
        let [one, other] = [one, other].map(|events| record(HistoryForm::ProgramOrder, &events));
        prop_assert_eq!(one, other);
    }
}

/// The calls of a history, in words.
fn told(form: HistoryForm, events: &[Event]) -> Vec<String> {
    play(form, events).system.history.entries().map(|entry| format!("{entry:?}")).collect()
}

#[test]
fn failed_calls_leave_and_unknown_ones_stay_open() {
    use End::*;
    let events = [(0, Ok), (0, Failed), (1, Ok), (1, Ok), (0, Ok), (0, Unknown)];
    let expected = ["p0#1 1 at n0 -> ? [1, ..", "p1#0 0 at n0 -> 7 [0, 0]"];
    assert_eq!(told(HistoryForm::RealTime, &events), expected);
}

#[test]
fn epochs_advance_only_at_a_call_that_follows_a_return() {
    use End::*;
    let events = [(0, Ok), (1, Ok), (0, Ok), (1, Ok), (2, Ok), (0, Ok), (0, Ok), (2, Ok)];
    let expected = [
        "p0#0 0 at n0 -> 7 [0, 0]",
        "p0#1 1 at n0 -> 7 [1, 1]",
        "p1#0 0 at n0 -> 7 [0, 0]",
        "p2#0 0 at n0 -> 7 [1, 1]",
    ];
    assert_eq!(told(HistoryForm::RealTime, &events), expected);
}

#[test]
fn a_history_that_nobody_needs_is_not_kept() {
    assert_eq!(told(HistoryForm::None, &[(0, End::Ok), (0, End::Ok)]), Vec::<String>::new());
}

#[test]
fn the_number_of_a_program_goes_on_and_its_process_changes_after_an_unknown_outcome() {
    let world = play(HistoryForm::None, &[(1, End::Ok), (1, End::Unknown)]);
    let program = &world.system.programs[1];
    assert_eq!((program.process, program.made), (ProcessId(4), 1));
    assert_eq!(program.last, Some((0, Outcome::Unknown)));
    go(&world, &["p4#1 calls 1 at n0"]);
}
