//! Draws, ghosts and monitors.

use seedbed::protocol::{Input, Outbox};
use seedbed::world::{Event, Monitor, Property, World};

use crate::toys::{N0, Toy, go, idle, log_of, quiet, start, toys, words};

/// Draws one of two, and after a 1 one of three.
fn draws(toy: &mut Toy, _: Input<Toy>, out: &mut Outbox<Toy>) {
    let first = out.choose(2);
    toy.log.push(first);
    if first == 1 {
        toy.log.push(out.choose(3));
    }
}

#[test]
fn every_list_of_draws_is_an_action_of_its_own() {
    let world = start(toys(quiet(1), |_, _, out| out.arm(1, 1), draws));
    let fires = |drawn: &str| format!("n0's timer 1 fires, drawing {drawn}");
    assert_eq!(words(&world), ["0", "1 0", "1 1", "1 2"].map(fires));
    assert_eq!(log_of(&go(&world, &[&fires("1 2")]), 0), [1, 2]);
}

#[test]
fn a_boot_draws_at_the_start_and_at_a_restart() {
    let boots = |toy: &mut Toy, _: u8, out: &mut Outbox<Toy>| toy.log.push(out.choose(2));
    let mut numbers = quiet(2);
    numbers.faults.crashes = 1;
    let starts = World::starts(&toys(numbers, boots, draws).into()).collect::<Vec<_>>();
    let logs = starts.iter().map(|(world, _)| [log_of(world, 0)[0], log_of(world, 1)[0]]);
    assert!(logs.eq([[0, 0], [0, 1], [1, 0], [1, 1]]));
    let down = go(&starts[0].0, &["n0 crashes"]);
    assert_eq!(words(&down), ["n0 restarts, drawing 0", "n0 restarts, drawing 1"]);
}

#[test]
fn only_the_draws_that_change_something_are_transitions() {
    let sends = |toy: &mut Toy, _: u8, out: &mut Outbox<Toy>| out.send(toy.me, 1);
    let world = start(toys(quiet(1), sends, |toy, _, out| {
        if out.choose(3) == 1 {
            toy.log.push(1);
        }
    }));
    assert_eq!(words(&world), ["n0 gets 1 from n0, drawing 1"]);
}

/// Nobody is told a number twice in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct NoRepeats(Option<u64>);

impl Monitor<Toy> for NoRepeats {
    fn observe(
        &mut self,
        _: &<Toy as seedbed::protocol::Protocol>::Config,
        event: &Event<'_, Toy>,
    ) -> Result<(), String> {
        let Event::Marked(_, mark) = event else { return Ok(()) };
        let before = self.0.replace(mark.value);
        if before == Some(mark.value) { Err(format!("{} again", mark.value)) } else { Ok(()) }
    }
}

fn monitored() -> World<Toy> {
    let boots = |_: &mut Toy, _: u8, out: &mut Outbox<Toy>| {
        out.arm(1, 1);
        out.arm(2, 1);
    };
    let marks = |_: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| {
        if let Input::Fired(timer) = input {
            out.mark("fired", timer.into());
        }
    };
    let mut setup = toys(quiet(2), boots, marks);
    setup.properties = vec![
        Property::each_node("quiet", |_, _, _: &Toy| true),
        Property::events("no repeats", NoRepeats::default()),
    ];
    start(setup)
}

#[test]
fn a_monitor_is_part_of_the_state() {
    let world = monitored();
    let one = go(&world, &["n0's timer 1 fires", "n0's timer 2 fires"]);
    let other = go(&world, &["n0's timer 2 fires", "n0's timer 1 fires"]);
    assert!(one.waiting == other.waiting);
    assert_eq!(one.system.nodes, other.system.nodes);
    assert!(one != other, "the monitor saw another order");
}

#[test]
fn a_monitor_names_the_property_that_was_broken_first() {
    let world = monitored();
    let fine = go(&world, &["n0's timer 1 fires", "n1's timer 2 fires", "n1's timer 1 fires"]);
    assert_eq!(fine.system.broken, None);
    let broken = go(&world, &["n0's timer 1 fires", "n1's timer 1 fires"]);
    assert_eq!(broken.system.broken, Some(("no repeats", "1 again".to_owned())));
}

/// Counts everything that a monitor may watch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Tells(Vec<&'static str>);

impl Monitor<Toy> for Tells {
    fn observe(
        &mut self,
        _: &<Toy as seedbed::protocol::Protocol>::Config,
        event: &Event<'_, Toy>,
    ) -> Result<(), String> {
        self.0.push(match event {
            Event::Called(..) => "called",
            Event::Item(..) => "item",
            Event::Ended(..) => "ended",
            Event::Marked(..) => "marked",
            Event::Sent(..) => "sent",
            Event::Booted(_) => "booted",
            Event::Crashed(_) => "crashed",
        });
        if self.0.last() == Some(&"crashed") { Err(self.0.join(" ")) } else { Ok(()) }
    }
}

#[test]
fn monitors_see_events_in_the_order_of_effects() {
    let mut numbers = seedbed::world::Numbers { clients: 1, ..quiet(1) };
    numbers.faults.crashes = 1;
    let mut setup = toys(numbers, idle, |_, input, out| {
        if let Input::Call(call, _) = input {
            out.mark("m", 0);
            out.item(call, 1);
            out.send(N0, 1);
            out.reply(call, 1);
        }
    });
    setup.properties = vec![Property::events("tells", Tells::default())];
    let crashed = go(&start(setup), &["p0#0 calls 0 at n0", "n0 crashes"]);
    let told = "booted called marked item sent ended crashed".to_owned();
    assert_eq!(crashed.system.broken, Some(("tells", told)));
}
