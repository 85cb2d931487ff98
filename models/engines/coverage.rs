//! Coverage: what seeds visit is counted as the checker counts.

use std::sync::Arc;

use seedbed::engine::check::{CheckOptions, Verdict, check};
use seedbed::engine::coverage::visited;
use seedbed::protocol::{Input, Outbox};
use seedbed::world::{Clocks, Numbers, Setup};

use crate::toys::{N1, Toy, quiet, toys};

/// Node 0 sends two messages, of which node 1 remembers the order; it answers its client's call
/// once it has both.
fn two_messages(numbers: Numbers) -> Arc<Setup<Toy>> {
    let boot = |toy: &mut Toy, _: u8, out: &mut Outbox<Toy>| {
        if toy.me != N1 {
            out.send(N1, 1);
            out.send(N1, 2);
        }
    };
    let step = |toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| {
        match input {
            Input::Recv(_, msg) => toy.log.push(msg.into()),
            Input::Call(call, _) => toy.calls.push(call),
            Input::Fired(_) | Input::Cancel(_) => {}
        }
        if toy.log.len() == 2 {
            toy.calls.drain(..).for_each(|call| out.reply(call, 0));
        }
    };
    let numbers = Numbers { clients: 1, calls: 1, ..numbers };
    let setup = toys(numbers, boot, step);
    Arc::new(Setup { script: Arc::new(|turn| (turn.number == 0).then_some((N1, 0))), ..setup })
}

/// States and transitions of the whole, and those that so many seeds visit.
fn whole_and_visited(setup: &Arc<Setup<Toy>>, seeds: u64) -> [(usize, usize); 2] {
    let checked = check(setup, CheckOptions::default());
    assert_eq!(checked.verdict, Verdict::Holds);
    let curve = visited(setup, 0..seeds).expect("logs lift");
    let visited = *curve.last().expect("some seeds were run");
    assert_eq!(visited.seeds, seeds);
    assert!(curve.iter().is_sorted_by_key(|part| (part.seeds, part.states, part.transitions)));
    [(checked.states, checked.transitions), (visited.states, visited.transitions)]
}

#[test]
fn enough_seeds_visit_all_of_a_world_without_time() {
    let setup = two_messages(Numbers { scale: 100, ..quiet(2) });
    let [whole, visited] = whole_and_visited(&setup, 300);
    // Which messages have come, in which order, and whether the call was made.
    assert_eq!(whole, (2 * 5, 14));
    assert_eq!(visited, whole);
}

#[test]
fn one_seed_visits_one_path() {
    let setup = two_messages(Numbers { scale: 100, ..quiet(2) });
    let [_, visited] = whole_and_visited(&setup, 1);
    assert_eq!(visited, (4, 4));
}

#[test]
fn time_passes_tick_by_tick_as_in_the_checker() {
    let numbers = Numbers { clocks: Clocks::Perfect, delay: Some((1, 2)), horizon: 3, ..quiet(2) };
    let setup = two_messages(numbers);
    let [whole, visited] = whole_and_visited(&setup, 1_000);
    // A seed ends when its calls have, and lets no more time pass; the checker goes on.
    assert_eq!((whole, visited), ((26, 46), (24, 33)));
}
