//! A register that is written once, by single-decree Paxos.
//!
//! Lamport, "The Part-Time Parliament" (1998), section 2; the message flow is that of the example
//! whose state counts are published with stateright, and which two independent searches gave
//! again. Each client writes through a server of its own, which proposes the value; a client whose
//! value is chosen reads it back at the next server. A server answers reads once it knows the
//! decision.
//!
//! Guarantees: no two servers decide differently, and the register is linearizable, over links
//! that lose, repeat, delay and reorder messages, with any number of crashes, provided that what a
//! server promised and accepted is on its disk before it says so. A proposer that restarts goes on
//! from its acceptor's promise and so never uses a ballot twice. It does not guarantee that a call
//! returns a value: proposers may overtake one another for ever (Fischer, Lynch and Paterson,
//! 1985), so a client asks again a bounded number of times, and then gives up without knowing.
//!
//! `paxos/yardstick` is a configuration of this text in which clients never ask again, nothing
//! fails and calls are eager: it must have exactly the published counts. The broken variants are
//! real bugs: a proposer that counts a promise for its older ballot, an acceptor that forgets when
//! it crashes, and a proposer that keeps to its own value.

use serde::{Deserialize, Serialize};

use crate::catalogue::{Card, Catalogue};
use crate::object::Register;
use crate::object::register::{Op, Ret};
use crate::protocol::{CallId, Input, NodeId, Outbox, Protocol};
use crate::world::{Expect, Faults, HistoryForm, Numbers, Property, Setup, Turn};

use super::synod::{self, Acceptor, Answer, Rules, Synod};

/// A value that a client writes; 0 is what the register holds at first, and nobody writes it.
pub type Value = u16;

/// The configuration.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The servers and how they vote.
    pub rules: Rules,
    /// How often a client asks again before it gives up; 0: it asks once, and waits.
    pub retries: u8,
    /// Broken: acceptors are not saved.
    pub forgetful: bool,
}

/// What is voted on: a client's write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Proposal {
    call: CallId,
    client: NodeId,
    value: Value,
}

/// What nodes say to each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Msg {
    /// A client asks a server to write; how often it has asked before.
    Put(CallId, u8, Value),
    /// A client asks a server to read.
    Get(CallId),
    /// The write is the decision.
    PutOk(CallId),
    /// The write never will be: another is.
    PutRefused(CallId),
    /// What the register holds.
    GetOk(CallId, Value),
    /// Between servers.
    Synod(synod::Msg<Proposal>),
}

/// A client's patience.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Timer {
    /// It is time to ask again.
    AskAgain,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Paxos {
    /// Votes, and proposes what its clients write.
    Server {
        /// Its name.
        me: NodeId,
        /// The one instance.
        synod: Synod<Proposal>,
    },
    /// Asks servers.
    Client {
        /// Its name.
        me: NodeId,
        /// What it waits for.
        waits: Option<Asked>,
        /// How many calls it has been asked to make since it started.
        made: u16,
    },
}

/// What a client asked and has no answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Asked {
    call: CallId,
    op: Op<Value>,
    before: u8,
}

impl Protocol for Paxos {
    type Config = Config;
    type Msg = Msg;
    type Timer = Timer;
    type Disk = Acceptor<Proposal>;
    type Op = Op<Value>;
    type Ret = Ret<Value>;

    fn boot(cfg: &Config, me: NodeId, disk: Self::Disk, _: &mut Outbox<Self>) -> Self {
        if me.0 < cfg.rules.servers {
            Paxos::Server { me, synod: Synod::of(disk) }
        } else {
            Paxos::Client { me, waits: None, made: 0 }
        }
    }

    fn step(&mut self, cfg: &Config, input: Input<Self>, out: &mut Outbox<Self>) {
        match self {
            Paxos::Server { me, synod } => serve(synod, cfg, *me, input, out),
            Paxos::Client { me, waits, made } => {
                if let Input::Call(..) = input {
                    *made += 1;
                }
                ask(waits, cfg, *me, input, out);
            }
        }
    }
}

/// One step of a server.
fn serve(
    synod: &mut Synod<Proposal>,
    cfg: &Config,
    me: NodeId,
    input: Input<Paxos>,
    out: &mut Outbox<Paxos>,
) {
    match input {
        Input::Recv(client, Msg::Put(call, before, value)) => match synod.decision() {
            // The first time, nobody waits for this: whoever wrote learns it from the proposer.
            Some(chosen) if before > 0 && chosen.call == call => out.send(client, Msg::PutOk(call)),
            Some(_) if before > 0 => out.send(client, Msg::PutRefused(call)),
            None if synod.proposer.is_none() || before > 0 => {
                let prepare = synod.propose(me, Proposal { call, client, value });
                save(synod, cfg, out);
                out.broadcast(cfg.rules.others(me), Msg::Synod(prepare));
                if before > 0 {
                    out.mark("proposes again", before.into());
                }
            }
            _ => {}
        },
        Input::Recv(client, Msg::Get(call)) => {
            if let Some(chosen) = synod.decision() {
                out.send(client, Msg::GetOk(call, chosen.value));
            }
        }
        Input::Recv(from, Msg::Synod(msg)) => vote(synod, cfg, me, (from, msg), out),
        Input::Call(call, _) => out.fail(call),
        _ => {}
    }
}

/// Takes another server's message: what it changes is saved before it is answered.
fn vote(
    synod: &mut Synod<Proposal>,
    cfg: &Config,
    me: NodeId,
    (from, msg): (NodeId, synod::Msg<Proposal>),
    out: &mut Outbox<Paxos>,
) {
    let (voted, proposed) = (synod.acceptor.clone(), synod.proposer.as_ref().map(|p| p.value));
    let answer = synod.hear(&cfg.rules, me, from, msg);
    if synod.acceptor != voted {
        save(synod, cfg, out);
    }
    if synod.proposer.as_ref().map(|p| p.value) != proposed {
        out.mark("adopts", synod.acceptor.ballot.round.into());
    }
    match answer {
        Answer::Silence => {}
        Answer::Back(msg) => out.send(from, Msg::Synod(msg)),
        Answer::All(msg) => out.broadcast(cfg.rules.others(me), Msg::Synod(msg)),
        Answer::Chosen(msg) => {
            out.broadcast(cfg.rules.others(me), Msg::Synod(msg));
            let chosen = synod.decision().expect("it has just been chosen");
            out.send(chosen.client, Msg::PutOk(chosen.call));
        }
    }
}

fn save(synod: &Synod<Proposal>, cfg: &Config, out: &mut Outbox<Paxos>) {
    if !cfg.forgetful {
        out.save(synod.acceptor.clone());
        out.sync();
    }
}

/// One step of a client.
fn ask(
    waits: &mut Option<Asked>,
    cfg: &Config,
    me: NodeId,
    input: Input<Paxos>,
    out: &mut Outbox<Paxos>,
) {
    match input {
        Input::Call(call, op) => send(waits.insert(Asked { call, op, before: 0 }), cfg, me, out),
        Input::Recv(_, Msg::PutOk(call)) if answers(*waits, call) => {
            done(waits, cfg, out);
            out.reply(call, Ret::Done);
        }
        Input::Recv(_, Msg::PutRefused(call)) if answers(*waits, call) => {
            done(waits, cfg, out);
            out.fail(call);
            out.mark("refused", call.process.0.into());
        }
        Input::Recv(_, Msg::GetOk(call, value)) if answers(*waits, call) => {
            done(waits, cfg, out);
            out.reply(call, Ret::Value(value));
        }
        Input::Fired(Timer::AskAgain) => match waits {
            Some(asked) if asked.before < cfg.retries => {
                asked.before += 1;
                send(asked, cfg, me, out);
            }
            Some(asked) => {
                out.give_up(asked.call);
                *waits = None;
            }
            None => {}
        },
        Input::Cancel(call) if answers(*waits, call) => done(waits, cfg, out),
        _ => {}
    }
}

fn answers(waits: Option<Asked>, call: CallId) -> bool {
    waits.is_some_and(|asked| asked.call == call)
}

fn done(waits: &mut Option<Asked>, cfg: &Config, out: &mut Outbox<Paxos>) {
    *waits = None;
    if cfg.retries > 0 {
        out.disarm(Timer::AskAgain);
    }
}

/// Asks a server. Writes go to the client's own server, which may have to propose again; a read
/// may be answered anywhere, so each further attempt asks the next.
fn send(asked: &Asked, cfg: &Config, me: NodeId, out: &mut Outbox<Paxos>) {
    let servers = u16::from(cfg.rules.servers);
    let first = u16::from(me.0) - servers + asked.call.number;
    let (server, msg) = match asked.op {
        Op::Write(value) => (first, Msg::Put(asked.call, asked.before, value)),
        Op::Read => (first + u16::from(asked.before), Msg::Get(asked.call)),
    };
    out.send(NodeId((server % servers) as u8), msg);
    if cfg.retries > 0 {
        out.arm(Timer::AskAgain, 10..=20);
    }
}

const SERVERS: u8 = 3;

/// Each client writes its own value once, and then reads.
fn write_then_read(turn: &Turn<'_, Paxos>) -> Option<(NodeId, Op<Value>)> {
    let client = NodeId(SERVERS + turn.program as u8);
    match turn.number {
        0 => Some((client, Op::Write(turn.program + 1))),
        1 => Some((client, Op::Read)),
        _ => None,
    }
}

/// No two servers know different decisions.
fn agreement() -> Property<Paxos> {
    let decision = |node: &Paxos| match node {
        Paxos::Server { synod, .. } => synod.decision().copied(),
        Paxos::Client { .. } => None,
    };
    Property::each_pair("agreement", move |_, (_, one), (_, other)| {
        let (one, other) = (decision(one), decision(other));
        one.is_none() || other.is_none() || one == other
    })
}

fn setup(config: Config, numbers: &Numbers) -> Setup<Paxos> {
    let numbers = Numbers { nodes: u32::from(SERVERS) + numbers.clients, ..numbers.clone() };
    let calls = numbers.calls;
    let script = move |turn: &Turn<'_, Paxos>| {
        write_then_read(turn).filter(|_| u32::from(turn.number) < calls)
    };
    let register = Register { initial: 0 };
    Setup {
        history: HistoryForm::RealTime,
        properties: vec![
            agreement(),
            Property::linearizable(register, |op, ret| Some((*op, ret.copied()))),
        ],
        ..Setup::new(config, &numbers, script)
    }
}

/// The published set-up: nobody asks again, so a client whose write is not chosen waits for ever.
fn yardstick(numbers: &Numbers) -> Setup<Paxos> {
    let rules = Rules { teaches: false, ..Rules::of(SERVERS) };
    Setup {
        eager: true,
        deadlock_expected: true,
        finishes: false,
        sometimes: vec!["adopts"],
        ..setup(Config { rules, retries: 0, forgetful: false }, numbers)
    }
}

/// The scenarios of this file.
pub fn scenarios(catalogue: &mut Catalogue) {
    let size = |clients| Numbers {
        nodes: u32::from(SERVERS) + clients,
        clients,
        calls: 2,
        ..Numbers::default()
    };
    catalogue.add(
        Card {
            name: "paxos/yardstick",
            about: "Fault-free, with eager calls: must have exactly the published state counts.",
            small: size(2),
            large: size(3),
        },
        yardstick,
    );
    let small = Numbers { calls: 1, faults: Faults { crashes: 1, ..Faults::default() }, ..size(2) };
    let large = Numbers {
        faults: Faults { losses: 5, duplicates: 5, crashes: 3, torn: 2, ..Faults::default() },
        ..size(4)
    };
    let sound = Config { rules: Rules::of(SERVERS), retries: 1, forgetful: false };
    let variants = [
        ("paxos/single-decree", sound, Expect::Holds),
        (
            "paxos/stale-promise",
            Config { rules: Rules { stale_promise: true, ..sound.rules }, ..sound },
            Expect::Breaks("agreement"),
        ),
        ("paxos/forgetful", Config { forgetful: true, ..sound }, Expect::Breaks("agreement")),
        (
            "paxos/ignores-accepted",
            Config { rules: Rules { ignores_accepted: true, ..sound.rules }, ..sound },
            Expect::Breaks("agreement"),
        ),
    ];
    for (name, config, expect) in variants {
        let about = match name {
            "paxos/single-decree" => "Decides once, and survives crashes, losses and repeats.",
            "paxos/stale-promise" => "Counts a promise for an older ballot: two values are chosen.",
            "paxos/forgetful" => "Acceptors are not saved: one crash, and two values are chosen.",
            _ => "Proposers keep to their own value: two values are chosen.",
        };
        let card = Card { name, about, small: small.clone(), large: large.clone() };
        catalogue.add(card, move |numbers| Setup {
            sometimes: vec!["adopts", "proposes again", "refused"],
            expect,
            ..setup(config, numbers)
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::check::{CheckOptions, Verdict, check};

    /// The published counts: constants of the literature, never to be rewritten.
    #[test]
    fn the_yardstick_has_the_published_counts() {
        for (clients, published) in [(1, (265, 482, 14)), (2, (16_668, 32_971, 21))] {
            let numbers = Numbers { clients, calls: 2, ..Numbers::default() };
            let checked = check(&Arc::new(yardstick(&numbers)), CheckOptions::default());
            assert_eq!(checked.verdict, Verdict::Holds);
            assert_eq!((checked.states, checked.transitions, checked.depth), published);
        }
    }
}
