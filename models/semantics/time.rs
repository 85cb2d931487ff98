//! Ticks, intervals and urgency; stopwatches and node clocks.

use seedbed::protocol::{Input, NodeId, Outbox};
use seedbed::world::{Clocks, Numbers, World};

use crate::toys::{N0, N1, Toy, can, go, idle, ignore, listen, log_of, quiet, start, toys, words};

fn perfect(nodes: u32) -> Numbers {
    Numbers { clocks: Clocks::Perfect, ..quiet(nodes) }
}

fn bounded(nodes: u32, drift: u32) -> Numbers {
    Numbers { clocks: Clocks::Bounded, drift, ..quiet(nodes) }
}

fn arms_three(_: &mut Toy, _: u8, out: &mut Outbox<Toy>) {
    out.arm(1, 3);
}

const TICK: &str = "tick 1";
const FIRES: &str = "n0's timer 1 fires";

/// At which numbers of ticks the timer can fire, and the tick after which there is no other.
fn fires_at(numbers: Numbers) -> (Vec<u32>, u32) {
    let mut world = start(toys(numbers, arms_three, listen));
    let (mut at, mut ticks) = (Vec::new(), 0);
    loop {
        at.extend(can(&world, FIRES).then_some(ticks));
        if !can(&world, TICK) {
            return (at, ticks);
        }
        world = go(&world, &[TICK]);
        ticks += 1;
    }
}

#[test]
fn asynchronous_worlds_have_no_ticks_and_fire_at_any_time() {
    assert_eq!(words(&start(toys(quiet(1), arms_three, listen))), [FIRES]);
}

#[test]
fn perfect_timers_fire_on_their_tick_and_hold_up_the_next() {
    assert_eq!(fires_at(perfect(1)), (vec![3], 3));
}

#[test]
fn bounded_timers_fire_within_the_drift() {
    assert_eq!(fires_at(bounded(1, 1)), (vec![2, 3, 4], 4));
    assert_eq!(fires_at(bounded(1, 5)), ((0..=8).collect(), 8));
}

#[test]
fn a_unit_has_scale_ticks_and_the_drift_is_in_units() {
    assert_eq!(fires_at(Numbers { scale: 4, ..perfect(1) }), (vec![12], 12));
    assert_eq!(fires_at(Numbers { scale: 4, ..bounded(1, 1) }), ((8..=16).collect(), 16));
}

#[test]
fn a_range_of_lengths_is_widened_by_the_drift_at_both_ends() {
    let setup = toys(bounded(1, 1), |_, _, out| out.arm(1, 2..=5), listen);
    let world = go(&start(setup), &[TICK]);
    assert!(can(&world, FIRES), "{world:?}");
    assert!(!can(&go(&world, &[TICK; 5]), TICK));
}

#[test]
fn no_tick_is_enabled_that_changes_nothing() {
    assert_eq!(words(&start(toys(perfect(1), idle, listen))), Vec::<String>::new());
    // Without bounds on delays, a message in flight is no reason for time to pass.
    let setup = toys(perfect(2), |toy, _, out| out.send(NodeId(1 - toy.me.0), 1), listen);
    assert_eq!(words(&start(setup)), ["n1 gets 1 from n0", "n0 gets 1 from n1"]);
}

#[test]
fn arming_replaces_and_disarming_takes_away() {
    let rearm = |toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| {
        listen(toy, input, out);
        out.arm(1, 3);
        out.disarm(2);
    };
    let boots = |_: &mut Toy, _: u8, out: &mut Outbox<Toy>| {
        out.arm(0, 1);
        out.arm(1, 2);
        out.arm(2, 2);
    };
    let world = go(&start(toys(perfect(1), boots, rearm)), &[TICK, "n0's timer 0 fires"]);
    let late = go(&world, &[TICK, TICK, TICK]);
    assert_eq!(words(&late), [FIRES]);
}

#[test]
fn nothing_is_urgent_at_a_node_that_takes_no_inputs() {
    let mut numbers = Numbers { pause: 9, ..perfect(1) };
    numbers.faults.pauses = 1;
    let paused = go(&start(toys(numbers, arms_three, listen)), &["n0 pauses"]);
    let overdue = go(&paused, &[TICK; 5]);
    assert!(!can(&overdue, FIRES), "a paused node takes no inputs");
    let resumed = go(&overdue, &["n0 resumes"]);
    assert!(can(&resumed, FIRES) && !can(&resumed, TICK), "it is overdue");
    let mut numbers = Numbers { delay: Some((1, 1)), ..perfect(2) };
    numbers.faults.crashes = 1;
    let sends = |toy: &mut Toy, _: u8, out: &mut Outbox<Toy>| {
        if toy.me.0 == 0 {
            out.send(N1, 1);
        }
        out.arm(1, 3);
    };
    let down = go(&start(toys(numbers, sends, listen)), &["n1 crashes", TICK, TICK]);
    assert!(!can(&down, "n1 gets 1 from n0"));
    let back = go(&down, &["n1 restarts"]);
    assert!(can(&back, "n1 gets 1 from n0") && !can(&back, TICK), "it waited for the restart");
}

#[test]
fn a_pause_ends_within_its_bound_where_there_are_ticks() {
    let mut numbers = Numbers { pause: 2, scale: 2, ..perfect(1) };
    numbers.faults.pauses = 1;
    let paused = go(&start(toys(numbers.clone(), arms_three, listen)), &["n0 pauses"]);
    assert!(can(&paused, "n0 resumes"));
    assert!(!can(&go(&paused, &[TICK; 4]), TICK), "four ticks are two units");
    numbers.clocks = Clocks::Asynchronous;
    let paused = go(&start(toys(numbers, arms_three, listen)), &["n0 pauses"]);
    assert_eq!(words(&paused), ["n0 resumes"]);
}

#[test]
fn messages_take_what_their_bounds_say() {
    let numbers = Numbers { delay: Some((1, 2)), ..perfect(2) };
    let sends = |_: &mut Toy, _: u8, out: &mut Outbox<Toy>| out.send(N1, 7);
    let setup = |scale| toys(Numbers { scale, ..numbers.clone() }, sends, listen);
    let arrives = "n1 gets 7 from n0";
    let sent = go(&start(setup(1)), &["n1 gets 7 from n1"]);
    assert!(!can(&sent, arrives));
    let one = go(&sent, &[TICK]);
    assert!(can(&one, arrives) && can(&one, TICK));
    assert!(!can(&go(&one, &[TICK]), TICK), "it must arrive now");
    let fine = go(&start(setup(3)), &["n1 gets 7 from n1", TICK, TICK]);
    assert!(!can(&fine, arrives) && can(&go(&fine, &[TICK]), arrives));
}

#[test]
fn what_a_node_sends_to_itself_takes_no_time_where_there_are_ticks() {
    let sends = |toy: &mut Toy, _: u8, out: &mut Outbox<Toy>| {
        out.send(toy.me, 7);
        out.arm(1, 3);
    };
    for delay in [None, Some((2, 3))] {
        let numbers = Numbers { delay, ..perfect(1) };
        let heard = start(toys(numbers.clone(), sends, listen));
        assert_eq!(words(&heard), ["n0 gets 7 from n0"]);
        // Where nothing comes of it, it is still taken, or time would stand still for ever.
        let unheard = start(toys(numbers, sends, ignore));
        assert_eq!(words(&unheard), ["n0 gets 7 from n0"]);
        assert!(can(&go(&unheard, &["n0 gets 7 from n0"]), TICK));
    }
}

/// Arms a timer of 2 to 4, and remembers what its stopwatch shows when a message comes.
fn reads_stopwatch(numbers: Numbers, ticks: usize) -> Vec<Vec<u32>> {
    let boots = |toy: &mut Toy, _: u8, out: &mut Outbox<Toy>| {
        out.arm(1, 2..=4);
        if toy.me.0 == 1 {
            out.send(N0, 0);
        }
    };
    let reads = |toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| {
        if matches!(input, Input::Recv(..)) {
            toy.log.extend([out.left(&1).unwrap(), out.left(&9).map_or(99, |_| 0)]);
        }
    };
    let mut setup = toys(numbers, boots, reads);
    setup.stopwatch = true;
    let world = go(&start(setup), &vec![TICK; ticks]);
    let reads = world.actions().into_iter();
    let reads = reads.filter(|action| action.to_string().starts_with("n0 gets"));
    reads.map(|action| log_of(&world.after(&action).unwrap(), 0).to_vec()).collect()
}

#[test]
fn a_stopwatch_may_show_whatever_the_timer_may_have_left() {
    let shown = |of: &[u32]| of.iter().map(|left| vec![*left, 99]).collect::<Vec<_>>();
    assert_eq!(reads_stopwatch(perfect(2), 0), shown(&[2, 3, 4]));
    assert_eq!(reads_stopwatch(perfect(2), 1), shown(&[1, 2, 3]));
    assert_eq!(reads_stopwatch(quiet(2), 0), shown(&[0, 1, 2, 3, 4]));
    // Clocks that drift never show more than the timer's length.
    assert_eq!(reads_stopwatch(bounded(2, 1), 0), shown(&[1, 2, 3, 4]));
    // Only whole units are shown.
    assert_eq!(reads_stopwatch(Numbers { scale: 2, ..perfect(2) }, 1), shown(&[1, 2, 3]));
}

#[test]
fn a_timer_that_fires_is_armed_no_more() {
    let reads = |toy: &mut Toy, _: Input<Toy>, out: &mut Outbox<Toy>| {
        toy.log.push(out.left(&1).unwrap_or(99));
    };
    let mut setup = toys(quiet(1), arms_three, reads);
    setup.stopwatch = true;
    let world = start(setup);
    assert_eq!(words(&world), [FIRES], "there is nothing to draw");
    assert_eq!(log_of(&go(&world, &[FIRES]), 0), [99]);
}

/// A world in which a message from the other node makes node 0 remember what its clock shows.
fn reads_clock(numbers: &Numbers) -> seedbed::world::Setup<Toy> {
    let boots = |toy: &mut Toy, _: u8, out: &mut Outbox<Toy>| {
        toy.log.push(out.now());
        if toy.me.0 == 1 {
            out.send(N0, 0);
        }
    };
    let reads = |toy: &mut Toy, _: Input<Toy>, out: &mut Outbox<Toy>| toy.log.push(out.now());
    toys(numbers.clone(), boots, reads)
}

const READ: &str = "n0 gets 0 from n1";

#[test]
fn node_clocks_count_units_up_to_the_horizon() {
    let clocks = Numbers { horizon: 2, scale: 2, ..perfect(2) };
    let mut world = start(reads_clock(&clocks));
    for shown in [0, 0, 1, 1, 2] {
        assert_eq!(log_of(&go(&world, &[READ]), 0), [0, shown]);
        world = if can(&world, TICK) { go(&world, &[TICK]) } else { world };
    }
    assert!(!can(&world, TICK), "beyond the horizon no time passes");
    let still = Numbers { clocks: Clocks::Asynchronous, ..clocks };
    assert!(!can(&start(reads_clock(&still)), TICK));
}

#[test]
fn skews_are_drawn_at_the_start_for_each_node() {
    let setup = reads_clock(&Numbers { skew: 2, ..quiet(2) });
    let starts = World::starts(&setup.into()).collect::<Vec<_>>();
    let shown = starts.iter().map(|(world, start)| {
        let shown = [log_of(world, 0)[0], log_of(world, 1)[0]];
        assert_eq!(start.to_string(), format!("start, drawing {} {}", shown[0], shown[1]));
        shown
    });
    let expected = (0..3).flat_map(|one| (0..3).map(move |other| [one, other]));
    assert!(shown.eq(expected));
}

#[test]
fn clocks_jump_within_their_bound_and_never_below_zero() {
    let mut numbers = Numbers { jump: 2, ..quiet(2) };
    numbers.faults.jumps = 1;
    let world = start(reads_clock(&numbers));
    for (by, shown) in [("-2", 0), ("-1", 0), ("+1", 1), ("+2", 2)] {
        let jumped = go(&world, &[&format!("n0's clock jumps by {by}"), READ]);
        assert_eq!(log_of(&jumped, 0), [0, shown]);
    }
    assert!(!can(&world, "n0's clock jumps by +0") && !can(&world, "n0's clock jumps by +3"));
    let jumped = go(&world, &["n1's clock jumps by +1"]);
    assert_eq!(words(&jumped), [READ], "the budget is spent");
}
