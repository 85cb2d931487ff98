//! The exchange as a protocol of ours, under every check of the simulator.
//!
//! One call at node 0 makes the whole exchange. What is lost is asked again by a timer, so that the
//! call returns under every fault but a crash of node 0, which ends the run.

use std::ops::Range;
use std::sync::Arc;

use seedbed::engine::simulate::{self, Run};
use seedbed::protocol::{CallId, Input, NodeId, Outbox, Protocol};
use seedbed::world::{Clocks, Event, Faults, HistoryForm, Monitor, Numbers, Property, Setup};
use serde::{Deserialize, Serialize};

use super::{Pace, REQUESTS};

const ASKS: NodeId = NodeId(0);
/// Longer than a run takes in which nothing is lost.
const PATIENCE: u32 = 20 * REQUESTS as u32 + 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Msg {
    Request(u16),
    Answer(u16),
}

/// Node 0 knows what it asked and what was answered, a bit each; the others know nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Exchange {
    call: Option<CallId>,
    asked: u16,
    answers: u16,
    answered: [u64; REQUESTS.div_ceil(64) as usize],
}

impl Protocol for Exchange {
    type Config = Pace;
    type Msg = Msg;
    type Timer = ();
    type Disk = ();
    type Op = ();
    type Ret = ();

    fn boot(_: &Pace, _: NodeId, (): (), _: &mut Outbox<Self>) -> Self {
        Exchange::default()
    }

    fn step(&mut self, pace: &Pace, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Call(call, ()) => {
                self.call = Some(call);
                let first = if *pace == Pace::Burst { REQUESTS as u16 } else { 1 };
                (0..first).for_each(|_| self.ask_next(out));
                out.arm((), PATIENCE);
            }
            Input::Recv(from, Msg::Request(n)) => out.send(from, Msg::Answer(n)),
            Input::Recv(_, Msg::Answer(n)) => self.answered(n, out),
            Input::Fired(()) => {
                (0..self.asked).filter(|n| !self.has(*n)).for_each(|n| ask(n, out));
                out.arm((), PATIENCE);
            }
            Input::Cancel(_) => self.call = None,
        }
    }
}

impl Exchange {
    fn has(&self, n: u16) -> bool {
        self.answered[usize::from(n / 64)] >> (n % 64) & 1 == 1
    }

    fn ask_next(&mut self, out: &mut Outbox<Self>) {
        ask(self.asked, out);
        self.asked += 1;
    }

    fn answered(&mut self, n: u16, out: &mut Outbox<Self>) {
        if self.has(n) || self.call.is_none() {
            return;
        }
        self.answered[usize::from(n / 64)] |= 1 << (n % 64);
        self.answers += 1;
        if u64::from(self.asked) < REQUESTS {
            self.ask_next(out);
        } else if self.answers == self.asked {
            let call = self.call.take().expect("it was just seen");
            out.disarm(());
            out.reply(call, ());
        }
    }
}

fn ask(n: u16, out: &mut Outbox<Exchange>) {
    out.send(NodeId(if n.is_multiple_of(2) { 1 } else { 2 }), Msg::Request(n));
}

/// Counts what was sent: nobody answers what was not asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Sent {
    highest: Option<u16>,
}

impl Monitor<Exchange> for Sent {
    fn observe(&mut self, _: &Pace, event: &Event<'_, Exchange>) -> Result<(), String> {
        match event {
            Event::Sent(_, _, Msg::Request(n)) => self.highest = self.highest.max(Some(*n)),
            Event::Sent(from, _, Msg::Answer(n)) if self.highest < Some(*n) => {
                return Err(format!("{from} answers {n}, which nobody asked"));
            }
            _ => {}
        }
        Ok(())
    }
}

fn setup(pace: Pace, faults: Faults) -> Arc<Setup<Exchange>> {
    let numbers = Numbers {
        clients: 1,
        // One call makes them all, but they are what the length of a run is reckoned from.
        calls: REQUESTS as u32,
        clocks: Clocks::Perfect,
        delay: Some((1, 10)),
        pause: 20,
        faults,
        ..Numbers::default()
    };
    let mut setup = Setup::new(pace, &numbers, |turn| (turn.number == 0).then_some((ASKS, ())));
    setup.history = HistoryForm::RealTime;
    setup.properties = vec![
        Property::events("only requests are answered", Sent::default()),
        Property::each_node("answers are to requests", |_, _, node: &Exchange| {
            node.answers <= node.asked
        }),
        Property::each_pair("only node 0 asks", |_, (a, left): (NodeId, &Exchange), (_, right)| {
            left.asked == 0 || right.asked == 0 || a == ASKS
        }),
    ];
    Arc::new(setup)
}

/// A budget for every kind of fault.
fn faults() -> Faults {
    Faults {
        losses: 4,
        duplicates: 4,
        partitions: 1,
        crashes: 1,
        torn: 1,
        pauses: 1,
        ..Faults::default()
    }
}

/// Runs seeds with a budget for every kind of fault.
pub fn faulty(seeds: Range<u64>, pace: Pace) -> u64 {
    all(seeds, &setup(pace, faults()), |_| {})
}

/// The same, and each once more without its faults, to see whether they mattered.
pub fn compared(seeds: Range<u64>, pace: Pace) -> u64 {
    let (mut changed, runs) = (0, seeds.end - seeds.start);
    let compare = |run: &Run<Exchange>| changed += u64::from(run.changed_by_faults());
    let messages = all(seeds, &setup(pace, faults()), compare);
    // A crash of the node that asks ends its call.
    assert!(runs < 100 || 0 < changed && changed < runs, "{changed} of {runs} runs");
    messages
}

/// Runs seeds without a fault budget.
pub fn calm(seeds: Range<u64>, pace: Pace) -> u64 {
    let runs = seeds.end - seeds.start;
    let messages = all(seeds, &setup(pace, Faults::default()), |_| {});
    assert_eq!(messages, runs * 2 * REQUESTS);
    messages
}

fn all(
    seeds: Range<u64>,
    setup: &Arc<Setup<Exchange>>,
    mut ask: impl FnMut(&Run<Exchange>),
) -> u64 {
    let one = |seed| {
        let run = simulate::run(setup, seed);
        assert_eq!(run.violation, None, "seed {seed}");
        ask(&run);
        run.messages
    };
    seeds.map(one).sum()
}
