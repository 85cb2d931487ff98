//! The simulator: a run depends on its seed alone, in the order of due tick and creation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use seedbed::engine::simulate::{SimulateOptions, Simulated, run, simulate};
use seedbed::protocol::{Input, Outbox};
use seedbed::world::{Clocks, Links, Numbers, Setup};

use crate::toys::{N1, Toy, idle, quiet, toys};

use super::{busy_world, kinds_of_time, with_all_faults};

fn options(seeds: u64, jobs: usize) -> SimulateOptions {
    SimulateOptions {
        seeds: 0..seeds,
        jobs,
        until_failure: false,
        lift: 0,
        check_determinism: false,
        progress: false,
    }
}

fn simulated(setup: Setup<Toy>, options: &SimulateOptions) -> Simulated<Toy> {
    simulate(&Arc::new(setup), options, run, None)
}

fn busiest() -> Setup<Toy> {
    let [.., (_, bounded)] = kinds_of_time();
    busy_world(&Numbers { scale: 10, ..with_all_faults(bounded) }, Links::Unordered, true)
}

#[test]
fn equal_seeds_give_equal_runs_and_others_do_not() {
    let setup = Arc::new(busiest());
    for seed in 0..50 {
        let (one, again) = (run(&setup, seed), run(&setup, seed));
        assert_eq!((one.digest, one.trace), (again.digest, again.trace));
        assert_ne!(one.digest, run(&setup, seed + 1).digest);
    }
}

#[test]
fn the_report_does_not_depend_on_the_number_of_threads() {
    let told = |jobs| {
        let found = Simulated { seconds: 0.0, ..simulated(busiest(), &options(400, jobs)) };
        format!("{found:?}")
    };
    assert_eq!(told(1), told(2));
    assert_eq!(told(1), told(5));
}

#[test]
fn a_protocol_that_is_impure_is_found_by_its_first_event() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let impure = |toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| match input {
        Input::Call(call, _) => {
            let count = CALLS.fetch_add(1, Ordering::Relaxed);
            out.send(toy.me, u8::try_from(count % 200).unwrap());
            toy.calls.push(call);
        }
        _ => toy.calls.drain(..).for_each(|call| out.reply(call, 0)),
    };
    let setup = || toys(Numbers { clients: 1, calls: 2, ..quiet(2) }, idle, impure);
    let found = simulated(setup(), &SimulateOptions { check_determinism: true, ..options(5, 1) });
    assert_eq!(found.nondeterministic.len(), 5);
    let (seed, event) = &found.nondeterministic[0];
    // Two calls a run: the first message of the first run is 0, that of its repetition is 2.
    assert_eq!((*seed, event.contains("n0 gets 0 from n0`, then `n0 gets 2 from n0")), (0, true));
    let pure = SimulateOptions { check_determinism: true, ..options(20, 1) };
    assert_eq!(simulated(busiest(), &pure).nondeterministic, []);
}

/// A call sends 5 to node 1, and returns when that is heeded, or at once.
fn sends(wait: bool) -> Setup<Toy> {
    let heedless = |_: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| {
        if let Input::Call(call, _) = input {
            out.send(N1, 5);
            out.reply(call, 0);
        }
    };
    let heeded = |toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| match input {
        Input::Call(call, _) => {
            toy.calls.push(call);
            out.send(N1, 5);
        }
        Input::Recv(from, 5) => out.send(from, 6),
        Input::Recv(..) => toy.calls.drain(..).for_each(|call| out.reply(call, 0)),
        _ => {}
    };
    let mut numbers = Numbers { clients: 1, calls: 3, ..quiet(2) };
    numbers.faults.losses = 2;
    let step = if wait { heeded } else { heedless };
    Setup { finishes: false, ..toys(numbers, idle, step) }
}

#[test]
fn faults_that_changed_no_outcome_do_not_count() {
    let vain = simulated(sends(false), &options(200, 1));
    assert!(vain.faulty > 20, "only {} runs had a fault", vain.faulty);
    assert_eq!(vain.changed_by_faults, 0);
    let grave = simulated(sends(true), &options(200, 1));
    assert_eq!(grave.changed_by_faults, grave.faulty, "every loss costs a call");
    assert!(grave.faulty > 20);
}

#[test]
fn what_falls_due_at_one_tick_happens_in_the_order_of_its_creation() {
    let boots = |_: &mut Toy, _: u8, out: &mut Outbox<Toy>| {
        for timer in [3, 1, 2] {
            out.arm(timer, 2);
        }
    };
    let numbers = Numbers { clocks: Clocks::Perfect, scale: 10, clients: 1, calls: 9, ..quiet(1) };
    let setup = toys(numbers, boots, |_, input, out| {
        if let Input::Call(call, _) = input {
            out.reply(call, 0);
        }
    });
    let run = run(&Arc::new(setup), 1);
    let fired = run.trace.iter().map(ToString::to_string).filter(|words| words.contains("timer"));
    assert_eq!(fired.collect::<Vec<_>>(), [3, 1, 2].map(|t| format!("n0's timer {t} fires")));
}

#[test]
fn what_fell_due_at_a_paused_node_happens_at_its_resume_in_the_order_of_creation() {
    let boots = |_: &mut Toy, _: u8, out: &mut Outbox<Toy>| {
        for length in [7, 6, 5] {
            out.arm(length, u32::from(length));
        }
    };
    let replies = |_: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| {
        if let Input::Call(call, _) = input {
            out.reply(call, 0);
        }
    };
    let mut numbers = Numbers { clocks: Clocks::Perfect, scale: 10, clients: 1, ..quiet(1) };
    (numbers.calls, numbers.pause, numbers.faults.pauses) = (20, 30, 2);
    let setup = Arc::new(toys(numbers, boots, replies));
    let (mut slept, mut awake) = (0, 0);
    for seed in 0..200 {
        let words: Vec<_> = run(&setup, seed).trace.iter().map(ToString::to_string).collect();
        let at = |wanted: &str| words.iter().position(|words| words == wanted);
        let fires = [7, 6, 5].map(|length| at(&format!("n0's timer {length} fires")).unwrap());
        let resumed = words.iter().any(|w| w == "n0 resumes") && fires[0] + 2 == fires[2];
        slept += u32::from(resumed && fires[0] < fires[1]);
        awake += u32::from(fires[2] < fires[1] && fires[1] < fires[0]);
    }
    assert!(slept > 5 && awake > 5, "{slept} slept over all three, {awake} over none");
}

#[test]
fn in_an_asynchronous_world_no_clock_advances() {
    let reads = |toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| {
        toy.log.push(out.now());
        assert_eq!(out.now(), 0, "a clock advanced");
        if let Input::Call(call, _) = input {
            out.reply(call, 0);
        }
    };
    let numbers = Numbers { clients: 1, calls: 20, horizon: 100, ..quiet(1) };
    run(&Arc::new(toys(numbers, idle, reads)), 1);
}

#[test]
fn a_boot_reads_no_stopwatch_of_another_node() {
    let boots = |toy: &mut Toy, _: u8, out: &mut Outbox<Toy>| {
        assert_eq!(out.left(&1), None, "{} is not armed yet", toy.me);
        out.arm(1, 5);
    };
    let goes_on = |_: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| match input {
        Input::Call(call, _) => out.reply(call, 0),
        _ => out.arm(1, 5),
    };
    let mut numbers = Numbers { clients: 1, calls: 9, ..quiet(2) };
    numbers.faults.joins = 1;
    let setup = Arc::new(Setup { stopwatch: true, ..toys(numbers, boots, goes_on) });
    let runs = (0..20).map(|seed| run(&setup, seed));
    assert!(runs.filter(|run| run.trace.iter().any(|a| a.to_string() == "n1 joins")).count() > 15);
}
