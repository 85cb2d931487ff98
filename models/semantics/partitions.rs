//! What each kind of partition cuts, and what becomes of the messages.

use seedbed::protocol::{Input, NodeId, Outbox};
use seedbed::world::{Action, CutKind, Happening, InFlight, Numbers, World};

use crate::toys::{N0, Toy, can, go, listen, quiet, start, toys, words};

const NODES: u8 = 7;

/// Says, for a partition's words, which messages it cuts.
type Cuts = Box<dyn Fn(u8, u8) -> bool>;

/// What the words of a partition mean, told apart from the code that cuts.
fn meaning(words: &str) -> Cuts {
    let node = || words.chars().last().unwrap().to_digit(10).unwrap() as u8;
    if let Some(rest) = words.strip_prefix("partition: split ") {
        let names = rest.strip_suffix(" from the others").unwrap().split(',');
        let side: Vec<u8> = names.map(|name| name[1..].parse().unwrap()).collect();
        return Box::new(move |from, to| side.contains(&from) != side.contains(&to));
    }
    if words.starts_with("partition: ring") {
        // A majority of seven is four; with two neighbours on each side one hears five.
        return Box::new(|from, to| matches!((from + NODES - to) % NODES, 3 | 4));
    }
    let one = node();
    match words.split(' ').nth(1).unwrap() {
        "isolate" => Box::new(move |from, to| (from == one) != (to == one)),
        "mute" => Box::new(move |from, _| from == one),
        "deafen" => Box::new(move |_, to| to == one),
        "bridge" => Box::new(move |from, to| from.min(to) < one && one < from.max(to)),
        other => panic!("there is no partition `{other}`"),
    }
}

/// Every node sends 1 to every other when it starts, and 2 when its timer fires.
fn world(kind: CutKind, in_flight: InFlight) -> World<Toy> {
    let mut numbers = Numbers { cuts: vec![kind], in_flight, ..quiet(NODES.into()) };
    numbers.faults.partitions = 1;
    let boots = |toy: &mut Toy, _: u8, out: &mut Outbox<Toy>| {
        out.broadcast(NodeId::all(NODES).filter(|node| *node != toy.me), 1);
        out.arm(1, 1);
    };
    let steps = |toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| match input {
        Input::Fired(_) => out.broadcast(NodeId::all(NODES).filter(|n| *n != toy.me), 2),
        input => listen(toy, input, out),
    };
    start(toys(numbers, boots, steps))
}

/// The messages 1 or 2 that can arrive, by sender and receiver.
fn arriving(world: &World<Toy>, wanted: u8) -> Vec<(u8, u8)> {
    let pairs = world.actions().into_iter().filter_map(|action| match action.did {
        Happening::Deliver(from, to, msg) if msg == wanted => Some((from.0, to.0)),
        _ => None,
    });
    pairs.collect()
}

fn links(may: impl Fn(u8, u8) -> bool) -> Vec<(u8, u8)> {
    let pairs = (0..NODES).flat_map(|from| (0..NODES).map(move |to| (from, to)));
    pairs.filter(|(from, to)| from != to && may(*from, *to)).collect()
}

fn partitions(world: &World<Toy>) -> Vec<Action<Toy>> {
    let actions = world.actions().into_iter();
    actions.filter(|action| matches!(action.did, Happening::Partition(_))).collect()
}

fn each(in_flight: InFlight, judge: impl Fn(&World<Toy>, &World<Toy>, &Cuts, &str)) {
    let kinds = [
        (CutKind::Split, 63),
        (CutKind::Isolate, 7),
        (CutKind::OneWay, 14),
        (CutKind::Bridge, 5),
        (CutKind::Ring, 1),
    ];
    for (kind, count) in kinds {
        let world = world(kind, in_flight);
        let cuts = partitions(&world);
        assert_eq!(cuts.len(), count, "{kind:?}");
        for cut in cuts {
            let words = cut.to_string();
            let mut during = world.after(&cut).unwrap();
            for n in 0..NODES {
                during = go(&during, &[&format!("n{n}'s timer 1 fires")]);
            }
            let healed = go(&during, &["the partition heals"]);
            judge(&during, &healed, &meaning(&words), &words);
        }
    }
}

#[test]
fn held_messages_wait_for_the_heal_and_so_do_those_sent_meanwhile() {
    each(InFlight::Held, |during, healed, cuts, words| {
        for msg in [1, 2] {
            assert_eq!(arriving(during, msg), links(|from, to| !cuts(from, to)), "{words}");
            assert_eq!(arriving(healed, msg), links(|_, _| true), "{words}");
        }
    });
}

#[test]
fn dropped_messages_are_gone_and_so_are_those_sent_meanwhile() {
    each(InFlight::Dropped, |during, healed, cuts, words| {
        for msg in [1, 2] {
            assert_eq!(arriving(during, msg), links(|from, to| !cuts(from, to)), "{words}");
            assert_eq!(arriving(healed, msg), links(|from, to| !cuts(from, to)), "{words}");
        }
    });
}

#[test]
fn delivered_messages_still_arrive_but_those_sent_meanwhile_are_lost() {
    each(InFlight::Delivered, |during, healed, cuts, words| {
        assert_eq!(arriving(during, 1), links(|_, _| true), "{words}");
        for world in [during, healed] {
            assert_eq!(arriving(world, 2), links(|from, to| !cuts(from, to)), "{words}");
        }
    });
}

#[test]
fn there_is_one_partition_at_a_time_within_the_budget_and_its_end_is_no_fault() {
    let mut numbers = quiet(2);
    numbers.faults.partitions = 2;
    let world = start(toys(numbers, |toy, _, out| out.send(N0, toy.me.0), listen));
    let cut = go(&world, &["partition: isolate n0"]);
    assert_eq!(words(&cut), ["n0 gets 0 from n0", "the partition heals"]);
    let heal = cut.actions().into_iter().find(|action| action.did == Happening::Heal).unwrap();
    assert!(!heal.is_fault() && cut.can_go_on());
    let again = go(&cut, &["the partition heals", "partition: isolate n1", "the partition heals"]);
    assert!(!can(&again, "partition: isolate n0"), "two were allowed");
}
