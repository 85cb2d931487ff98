//! What the engines promise: shortest counterexamples, honest verdicts, logs that lift and logs
//! that must not, and runs that depend on their seed alone.

mod actors;
mod checking;
mod compact;
mod coverage;
mod explaining;
mod feasibility;
mod lifting;
mod order;
mod promises;
mod reducing;
mod regressions;
mod resting;
mod shrinking;
mod simulating;
mod symmetry;

use seedbed::protocol::{Input, NodeId, Outbox};
use seedbed::world::{Clocks, CutKind, InFlight, Links, Numbers, Setup};

use crate::toys::{Toy, toys};

const NODES: u8 = 3;

/// Remembers everything that it can be told at its start, and starts a timer.
fn busy_boot(toy: &mut Toy, disk: u8, out: &mut Outbox<Toy>) {
    toy.log.push(disk.into());
    toy.log.push(out.now());
    toy.log.push(out.left(&0).unwrap_or(1_000));
    toy.log.push(out.choose(2));
    out.arm(0, 3..=5);
    out.send(toy.me, 1);
    out.mark("boots", 0);
}

/// Uses every effect, draws, reads its clock and its stopwatches. A call asks every other node (0),
/// with something nobody heeds (9) in between; whatever comes back (1 or 2) ends the latest call.
fn busy(toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>) {
    match input {
        Input::Recv(from, 0) => {
            out.save(u8::try_from(toy.log.len() % 256).unwrap());
            let answer = 1 + u8::try_from(out.choose(2)).unwrap();
            out.send(from, answer);
        }
        Input::Recv(_, 9) => {}
        Input::Recv(_, answer) => {
            toy.log.push(answer.into());
            match toy.calls.pop() {
                Some(call) if answer == 1 => out.reply(call, answer),
                Some(call) => out.fail(call),
                None => {}
            }
        }
        Input::Fired(timer) => {
            toy.log.extend([u32::from(timer), out.now(), out.left(&0).unwrap_or(1_000)]);
            out.sync();
            if timer < 3 {
                out.arm(timer + 1, 1..=2);
                out.broadcast(NodeId::all(NODES).filter(|node| *node != toy.me), 0);
            }
        }
        Input::Call(call, _) => {
            toy.calls.push(call);
            for msg in [0, 9, 0] {
                out.broadcast(NodeId::all(NODES).filter(|node| *node != toy.me), msg);
            }
            out.item(call, 5);
            out.arm(1, 2);
        }
        Input::Cancel(call) => toy.calls.retain(|open| *open != call),
    }
}

/// A busy world, whose calls need not finish.
fn busy_world(numbers: &Numbers, links: Links, stopwatch: bool) -> Setup<Toy> {
    let setup = toys(numbers.clone(), busy_boot, busy);
    Setup { links, stopwatch, finishes: false, deadlock_expected: true, ..setup }
}

/// Every way in which time may run: its name, and the numbers that make it so.
fn kinds_of_time() -> [(&'static str, Numbers); 4] {
    let base = Numbers { nodes: NODES.into(), clients: 2, calls: 2, ..Numbers::default() };
    let clocks = Numbers { horizon: 20, skew: 1, jump: 2, pause: 4, patience: 2, ..base };
    let delay = Some((1, 3));
    [
        ("asynchronous", clocks.clone()),
        ("perfect", Numbers { clocks: Clocks::Perfect, ..clocks.clone() }),
        ("perfect, bounded delay", Numbers { clocks: Clocks::Perfect, delay, ..clocks.clone() }),
        ("bounded", Numbers { clocks: Clocks::Bounded, drift: 1, delay, ..clocks }),
    ]
}

/// Gives a world a budget of one kind of fault.
type Budget = fn(&mut Numbers);

/// Every kind of fault: what the simulator calls it, and a budget of it.
fn kinds_of_fault() -> Vec<(&'static str, Budget)> {
    vec![
        ("losses", |n| n.faults.losses = 5),
        ("duplicates", |n| n.faults.duplicates = 5),
        ("partitions", |n| (n.faults.partitions, n.in_flight) = (2, InFlight::Held)),
        ("partitions", |n| (n.faults.partitions, n.in_flight) = (2, InFlight::Dropped)),
        ("partitions", |n| (n.faults.partitions, n.in_flight) = (2, InFlight::Delivered)),
        ("crashes", |n| n.faults.crashes = 3),
        ("crashes", |n| (n.faults.crashes, n.faults.torn, n.faults.lost_saves) = (3, 2, 2)),
        ("pauses", |n| n.faults.pauses = 3),
        ("jumps", |n| n.faults.jumps = 3),
        ("cancelled calls", |n| n.faults.cancels = 3),
        ("", |n| n.faults.joins = 1),
    ]
}

/// Gives a world some of every kind of fault.
fn with_all_faults(mut numbers: Numbers) -> Numbers {
    kinds_of_fault().iter().for_each(|(_, allow)| allow(&mut numbers));
    numbers.cuts = vec![CutKind::Split, CutKind::Isolate, CutKind::OneWay, CutKind::Bridge];
    numbers
}
