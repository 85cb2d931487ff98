//! The shell's own tests: a small protocol with every effect, hosted under many seeds. Every log
//! lifts; a log that has been tampered with does not.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ShellRun, host};
use crate::engine::lift::lift;
use crate::protocol::{CallId, Input, NodeId, Outbox, Protocol};
use crate::world::{Action, CutKind, Faults, Happening, Numbers, Setup, Torn};
use serde::{Deserialize, Serialize};

/// Node 0 keeps a sum on its disk; every node takes calls and asks node 0, again and again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Sum {
    Keeper(Kept),
    Asker { me: NodeId, boot: u32, asked: BTreeMap<CallId, (u32, u32)> },
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Kept {
    sum: u32,
    /// What each call got, so that a call that is asked again counts once.
    answers: BTreeMap<CallId, u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Msg {
    Add(CallId, u32),
    Added(CallId, u32),
    Hello(u32),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Timer {
    Again(CallId),
    Hello,
}

const KEEPER: NodeId = NodeId(0);
const TRIES: u32 = 6;

impl Protocol for Sum {
    type Config = ();
    type Msg = Msg;
    type Timer = Timer;
    type Disk = Kept;
    type Op = u32;
    type Ret = u32;

    fn boot(_: &(), me: NodeId, disk: Kept, out: &mut Outbox<Self>) -> Self {
        if me == KEEPER {
            return Sum::Keeper(disk);
        }
        let boot = out.choose(4);
        out.arm(Timer::Hello, 1..=3);
        out.send(KEEPER, Msg::Hello(boot));
        out.send(me, Msg::Hello(boot));
        Sum::Asker { me, boot, asked: BTreeMap::new() }
    }

    fn step(&mut self, _: &(), input: Input<Self>, out: &mut Outbox<Self>) {
        match self {
            Sum::Keeper(kept) => kept.take(input, out),
            Sum::Asker { me, boot, asked } => match input {
                Input::Call(call, op) => {
                    out.item(call, op);
                    asked.insert(call, (op, TRIES));
                    out.arm(Timer::Again(call), 3..=6);
                    out.send(KEEPER, Msg::Add(call, op));
                }
                Input::Recv(_, Msg::Added(call, sum)) if asked.remove(&call).is_some() => {
                    let left = out.left(&Timer::Again(call)).unwrap_or(0);
                    out.disarm(Timer::Again(call));
                    out.mark("units to spare", u64::from(left));
                    out.reply(call, sum);
                    out.send(*me, Msg::Hello(*boot));
                }
                Input::Fired(Timer::Again(call)) => {
                    let (op, tries) = asked.get_mut(&call).expect("it is asked");
                    *tries -= 1;
                    if *tries > 0 {
                        out.arm(Timer::Again(call), 3..=6);
                        out.send(KEEPER, Msg::Add(call, *op));
                    } else {
                        asked.remove(&call);
                        out.give_up(call);
                    }
                }
                Input::Cancel(call) if asked.remove(&call).is_some() => {
                    out.disarm(Timer::Again(call));
                }
                Input::Fired(Timer::Hello) => {
                    *boot = out.choose(3) + out.now();
                    out.send(KEEPER, Msg::Hello(*boot));
                    out.send(*me, Msg::Hello(*boot));
                }
                Input::Recv(..) | Input::Cancel(_) => {}
            },
        }
    }
}

impl Kept {
    fn take(&mut self, input: Input<Sum>, out: &mut Outbox<Sum>) {
        match input {
            Input::Recv(from, Msg::Add(call, more)) => {
                let sum = self.add(call, more, out);
                out.send(from, Msg::Added(call, sum));
            }
            Input::Call(call, more) => {
                let sum = self.add(call, more, out);
                out.reply(call, sum);
            }
            Input::Recv(..) | Input::Fired(_) | Input::Cancel(_) => {}
        }
    }

    fn add(&mut self, call: CallId, more: u32, out: &mut Outbox<Sum>) -> u32 {
        if let Some(sum) = self.answers.get(&call) {
            return *sum;
        }
        self.sum += more + out.choose(3);
        self.answers.insert(call, self.sum);
        out.save(self.clone());
        out.sync();
        self.sum
    }
}

fn setup(faults: Faults) -> Arc<Setup<Sum>> {
    Arc::new(unshared(faults))
}

fn unshared(faults: Faults) -> Setup<Sum> {
    let numbers = Numbers {
        clients: 3,
        calls: 6,
        cuts: vec![CutKind::Isolate, CutKind::OneWay, CutKind::Split],
        faults,
        ..Numbers::default()
    };
    Setup::new((), &numbers, |turn| {
        let node = NodeId(u8::try_from((turn.program + turn.number) % 3).unwrap());
        (turn.number < 6).then(|| (node, u32::from(turn.number) + 1))
    })
}

fn storm() -> Faults {
    Faults {
        losses: 5,
        partitions: 2,
        crashes: 4,
        torn: 4,
        pauses: 3,
        cancels: 2,
        joins: 1,
        ..Faults::default()
    }
}

fn text(log: &[Action<Sum>]) -> String {
    log.iter().map(|action| format!("{action}\n")).collect()
}

#[test]
fn every_log_lifts_through_kills_pauses_partitions_and_losses() {
    let setup = setup(storm());
    let (mut crashed, mut torn, mut paused, mut cut, mut lossy) = (0, 0, 0, 0, 0);
    let (mut cancelled, mut kept) = (0, BTreeMap::<u16, u32>::new());
    for seed in 0..300 {
        let run = host(&setup, seed);
        assert!(run.finished, "seed {seed}: the programs did not finish: {:?}", run.tally);
        if let Err(refusal) = lift(&run.world, &run.log) {
            panic!("seed {seed}: {refusal}\n{}", text(&run.log));
        }
        crashed += u32::from(run.tally.crashes > 0);
        torn += u32::from(run.tally.torn > 0);
        paused += u32::from(run.tally.pauses > 0);
        cut += u32::from(run.tally.partitions > 0);
        lossy += u32::from(run.tally.loss_rate > 0);
        cancelled += u32::from(run.tally.cancels > 0);
        for tear in run.log.iter().filter_map(|action| action.torn) {
            *kept.entry(tear.kept).or_default() += 1;
        }
    }
    println!("of 300 seeds: {crashed} with kills, {torn} torn (kept: {kept:?}), {paused} paused,");
    println!("{cut} partitioned, {lossy} lossy, {cancelled} with calls given up");
    for (what, seeds) in [("crashes", crashed), ("torn steps", torn), ("pauses", paused)] {
        assert!(seeds > 30, "only {seeds} seeds have {what}");
    }
    assert!(cut > 30 && lossy > 30 && cancelled > 10);
    assert!(kept.len() >= 3, "torn after {kept:?} effects only");
}

/// A run whose log has all that the tampering below needs.
fn eventful(setup: &Arc<Setup<Sum>>) -> ShellRun<Sum> {
    let torn = |action: &Action<Sum>| action.torn.is_some();
    let crash = |action: &Action<Sum>| matches!(action.did, Happening::Crash(..));
    let mut runs = (0..100).map(|seed| host(setup, seed));
    let found = runs.find(|run| run.log.iter().any(torn) && run.log.iter().any(crash));
    found.expect("kills hit steps and the time between them")
}

#[test]
fn what_did_not_happen_is_refused() {
    let setup = setup(Faults { crashes: 4, torn: 4, ..Faults::default() });
    let run = eventful(&setup);
    lift(&run.world, &run.log).unwrap();
    let refused = |what: &str, tamper: &dyn Fn(&mut Vec<Action<Sum>>)| {
        let mut log = run.log.clone();
        tamper(&mut log);
        assert_ne!(log, run.log);
        assert!(lift(&run.world, &log).is_err(), "{what} was let through");
    };
    let call = CallId { process: crate::protocol::ProcessId(0), number: 0 };
    let invented = Happening::Deliver(NodeId(1), KEEPER, Msg::Add(call, 77));
    refused("a message that nobody sent", &|log| log.push(invented.clone().into()));
    let first = |log: &[Action<Sum>], wanted: fn(&Action<Sum>) -> bool| {
        log.iter().position(wanted).expect("the run has one")
    };
    let added = |action: &Action<Sum>| {
        let to_asker = matches!(action.did, Happening::Deliver(_, _, Msg::Added(..)));
        to_asker && action.torn.is_none()
    };
    refused("a message that arrives before it is sent", &|log| {
        let at = first(log, added);
        let early = log.remove(at);
        log.insert(1, early);
    });
    refused("a step that is torn after all of its effects", &|log| {
        let at = first(log, |action| action.torn.is_some());
        log[at].torn = Some(Torn { kept: 100, loses_saves: false });
    });
    refused("a restart without a crash", &|log| {
        let at = first(log, |action| matches!(action.did, Happening::Crash(..)));
        log.remove(at);
    });
    refused("a draw that is out of range", &|log| log[0].draws[0] = 4);
    refused("a call that is made twice", &|log| {
        let at = first(log, |action| matches!(action.did, Happening::Call(..)));
        log.insert(at, log[at].clone());
    });
    refused("one crash more than the budget", &|log| {
        for _ in run.tally.crashes..=run.world.numbers.faults.crashes {
            log.push(Happening::Crash(KEEPER, false).into());
            log.push(Happening::Restart(KEEPER).into());
        }
    });
}

#[test]
fn a_seed_gives_the_same_log_again() {
    let setup = setup(storm());
    for seed in 0..10 {
        let (run, again) = (host(&setup, seed), host(&setup, seed));
        assert_eq!(text(&run.log), text(&again.log), "seed {seed}");
        assert_eq!(run.tally, again.tally, "seed {seed}");
    }
    assert_ne!(text(&host(&setup, 1).log), text(&host(&setup, 2).log));
}

#[test]
fn where_no_step_may_be_torn_none_is() {
    let setup = setup(Faults { crashes: 4, ..Faults::default() });
    let mut crashes = 0;
    for seed in 0..50 {
        let run = host(&setup, seed);
        assert_eq!(run.tally.torn, 0, "seed {seed}");
        crashes += run.tally.crashes;
        lift(&run.world, &run.log).unwrap_or_else(|refusal| panic!("seed {seed}: {refusal}"));
    }
    assert!(crashes > 50);
}

#[test]
fn clocks_and_stopwatches_lift_as_jumps_and_draws() {
    let mut setup = unshared(Faults { crashes: 1, torn: 1, joins: 1, ..Faults::default() });
    (setup.numbers.skew, setup.numbers.horizon, setup.stopwatch) = (1, 12, true);
    let setup = Arc::new(setup);
    let (mut jumps, mut readings) = (0, 0);
    for seed in 0..30 {
        let run = host(&setup, seed);
        lift(&run.world, &run.log).unwrap_or_else(|refusal| panic!("seed {seed}: {refusal}"));
        let count = |wanted: fn(&Action<Sum>) -> bool| run.log.iter().filter(|a| wanted(a)).count();
        jumps += count(|action| matches!(action.did, Happening::Jump(..)));
        readings += count(|action| {
            matches!(action.did, Happening::Deliver(_, _, Msg::Added(..))) && action.draws != [0]
        });
    }
    assert!(jumps > 100 && readings > 100, "{jumps} jumps, {readings} readings");
}
