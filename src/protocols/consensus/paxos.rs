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
//! real bugs: a proposer that does not look which ballot a promise was given to, and goes on in the
//! ballot that its acceptor follows, be it another's; an acceptor that forgets when it crashes; a
//! proposer that keeps to its own value; and, in the yardstick's world, a server that answers reads
//! from what it happens to know, as those of etcd and Consul did (Kingsbury, "Jepsen: etcd and
//! Consul", 2014): servers agree, and yet a client does not find what it has written.

use serde::{Deserialize, Serialize};

use crate::catalogue::{Card, Catalogue};
use crate::object::Register;
use crate::object::register::{Op, Ret};
use crate::protocol::{CallId, Input, NodeId, Outbox, Protocol};
use crate::world::{
    Expect, Faults, HistoryForm, Interchange, Numbers, Property, Renaming, Setup, Symmetry, Turn,
};

use super::synod::{self, Acceptor, Answer, Rules, Synod};

/// A value that a client writes.
pub type Value = u16;

/// What the register holds at first; nobody writes it.
const UNWRITTEN: Value = 0;

/// The configuration.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The servers and how they vote.
    pub rules: Rules,
    /// How often an impatient client asks again before it gives up.
    pub retries: u8,
    /// So many clients are impatient; the others ask once, and wait.
    pub impatient: u8,
    /// Broken: acceptors are not saved.
    pub forgetful: bool,
    /// Broken: a server that knows of no decision answers reads nevertheless.
    pub reads_locally: bool,
}

impl Config {
    fn is_impatient(&self, client: NodeId) -> bool {
        client.0 - self.rules.servers < self.impatient
    }
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
            Paxos::Client { me, waits: None }
        }
    }

    fn step(&mut self, cfg: &Config, input: Input<Self>, out: &mut Outbox<Self>) {
        match self {
            Paxos::Server { me, synod } => serve(synod, cfg, *me, input, out),
            Paxos::Client { me, waits } => ask(waits, cfg, *me, input, out),
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
            let known = synod.decision().map(|chosen| chosen.value);
            if let Some(value) = known.or(cfg.reads_locally.then_some(UNWRITTEN)) {
                out.send(client, Msg::GetOk(call, value));
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
            done(waits, cfg, me, out);
            out.reply(call, Ret::Done);
        }
        Input::Recv(_, Msg::PutRefused(call)) if answers(*waits, call) => {
            done(waits, cfg, me, out);
            out.fail(call);
            out.mark("refused", call.process.0.into());
        }
        Input::Recv(_, Msg::GetOk(call, value)) if answers(*waits, call) => {
            done(waits, cfg, me, out);
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
        Input::Cancel(call) if answers(*waits, call) => done(waits, cfg, me, out),
        _ => {}
    }
}

fn answers(waits: Option<Asked>, call: CallId) -> bool {
    waits.is_some_and(|asked| asked.call == call)
}

fn done(waits: &mut Option<Asked>, cfg: &Config, me: NodeId, out: &mut Outbox<Paxos>) {
    *waits = None;
    if cfg.is_impatient(me) {
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
    if cfg.is_impatient(me) {
        out.arm(Timer::AskAgain, 2..=12);
    }
}

/// Clients are known by their names only, and so are the values that they write. Servers are not
/// interchangeable: their ballots are ordered by their names.
impl Interchange for Paxos {
    fn renamed(&self, by: &Renaming) -> Self {
        match self {
            Paxos::Server { me, synod } => {
                Paxos::Server { me: by.node(*me), synod: synod.map(&|it| it.renamed(by)) }
            }
            Paxos::Client { me, waits } => {
                let asked = |asked: Asked| {
                    let (call, op) = (by.call(asked.call), Paxos::renamed_op(&asked.op, by));
                    Asked { call, op, ..asked }
                };
                Paxos::Client { me: by.node(*me), waits: waits.map(asked) }
            }
        }
    }

    fn renamed_msg(msg: &Msg, by: &Renaming) -> Msg {
        match msg {
            Msg::Put(call, before, value) => Msg::Put(by.call(*call), *before, write(*value, by)),
            Msg::Get(call) => Msg::Get(by.call(*call)),
            Msg::PutOk(call) => Msg::PutOk(by.call(*call)),
            Msg::PutRefused(call) => Msg::PutRefused(by.call(*call)),
            Msg::GetOk(call, value) => Msg::GetOk(by.call(*call), write(*value, by)),
            Msg::Synod(msg) => Msg::Synod(msg.map(&|it| it.renamed(by))),
        }
    }

    fn renamed_disk(disk: &Acceptor<Proposal>, by: &Renaming) -> Acceptor<Proposal> {
        disk.map(&|it| it.renamed(by))
    }

    fn renamed_op(op: &Op<Value>, by: &Renaming) -> Op<Value> {
        match op {
            Op::Write(value) => Op::Write(write(*value, by)),
            Op::Read => Op::Read,
        }
    }

    fn renamed_ret(ret: &Ret<Value>, by: &Renaming) -> Ret<Value> {
        match ret {
            Ret::Value(value) => Ret::Value(write(*value, by)),
            Ret::Done => Ret::Done,
        }
    }
}

impl Proposal {
    fn renamed(&self, by: &Renaming) -> Self {
        let Proposal { call, client, value } = *self;
        Proposal { call: by.call(call), client: by.node(client), value: write(value, by) }
    }
}

/// The value that is written in place of this one: each program has its own, from 1.
fn write(value: Value, by: &Renaming) -> Value {
    value.checked_sub(1).map_or(0, |program| by.program(program.into()) as Value + 1)
}

const SERVERS: u8 = 3;

/// Clients of one server that are patient alike are interchangeable.
fn clients_are_alike(config: &Config, clients: u32) -> Option<Symmetry<Paxos>> {
    let client = |n: u32| NodeId(SERVERS + n as u8);
    let alike = |one: u32, other: u32| {
        let same_server = one % u32::from(SERVERS) == other % u32::from(SERVERS);
        same_server && config.is_impatient(client(one)) == config.is_impatient(client(other))
    };
    let mut generators = Vec::new();
    for one in 0..clients {
        let Some(other) = (one + 1..clients).find(|other| alike(one, *other)) else { continue };
        let mut nodes: Vec<_> = NodeId::all(SERVERS + clients as u8).collect();
        let mut programs: Vec<_> = (0..clients as u16).collect();
        nodes.swap(client(one).index(), client(other).index());
        programs.swap(one as usize, other as usize);
        generators.push(Renaming::new(nodes, programs));
    }
    Symmetry::generated(&generators)
}

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
    let register = Register { initial: UNWRITTEN };
    let mut properties = vec![agreement()];
    // Where nobody reads, every history is linearizable, and keeping it only multiplies states.
    let reads = calls > 1;
    if reads {
        properties.push(Property::linearizable(register, |op, ret| Some((*op, ret.copied()))));
    }
    Setup {
        history: if reads { HistoryForm::RealTime } else { HistoryForm::None },
        properties,
        symmetry: clients_are_alike(&config, numbers.clients),
        ..Setup::new(config, &numbers, script)
    }
}

/// The published set-up: nobody asks again, so a client whose write is not chosen waits for ever.
fn yardstick(config: Config, numbers: &Numbers) -> Setup<Paxos> {
    let rules = Rules { teaches: false, ..config.rules };
    Setup {
        eager: true,
        deadlock_expected: true,
        finishes: false,
        ..setup(Config { rules, ..config }, numbers)
    }
}

/// With faults. In a larger world every client asks again, and every call ends. The checker's world
/// of two clients can be exhausted only if at most one of them does; then a client whose write is
/// not chosen, or whose server forgot it in a crash, may wait for ever.
fn ordinary(config: Config, numbers: &Numbers) -> Setup<Paxos> {
    let everyone = numbers.clients > 2;
    let patience =
        if everyone { Config { retries: 5, impatient: u8::MAX, ..config } } else { config };
    let asks_again = patience.impatient > 0;
    Setup {
        sometimes: if asks_again { vec!["adopts", "proposes again"] } else { vec!["adopts"] },
        deadlock_expected: !everyone,
        finishes: everyone,
        ..setup(patience, numbers)
    }
}

fn size(clients: u32, calls: u32, faults: Faults) -> Numbers {
    let nodes = u32::from(SERVERS) + clients;
    Numbers { nodes, clients, calls, faults, ..Numbers::default() }
}

/// Adds those in which nothing fails.
fn published(catalogue: &mut Catalogue, once: Config) {
    let variants = [
        (
            "paxos/yardstick",
            "Fault-free, with eager calls: must have exactly the published state counts.",
            (once, Expect::Holds),
        ),
        (
            "paxos/local-reads",
            "A server that knows of no decision says that nothing is written.",
            (Config { reads_locally: true, ..once }, Expect::Breaks("linearizable")),
        ),
    ];
    for (name, about, (config, expect)) in variants {
        let [small, large] = [2, 3].map(|clients| size(clients, 2, Faults::default()));
        let card = Card { name, about, small, large };
        catalogue.add(card, move |numbers| Setup { expect, ..yardstick(config, numbers) });
    }
}

/// The scenarios of this file.
pub fn scenarios(catalogue: &mut Catalogue) {
    let once = Config {
        rules: Rules::of(SERVERS),
        retries: 0,
        impatient: 0,
        forgetful: false,
        reads_locally: false,
    };
    published(catalogue, once);
    let crash = size(2, 1, Faults { crashes: 1, ..Faults::default() });
    let calm = size(2, 1, Faults::default());
    let rough = Faults { losses: 8, duplicates: 4, crashes: 6, torn: 3, ..Faults::default() };
    let again = Config { retries: 1, impatient: 1, ..once };
    let ignores = Rules { ignores_accepted: true, ..once.rules };
    let stale = Rules { stale_promise: true, ..again.rules };
    let broken = Expect::Breaks("agreement");
    let variants = [
        (
            "paxos/single-decree",
            "Decides once: with any one crash; seeds add losses, repeats and more crashes.",
            (once, &crash, Expect::Holds),
        ),
        (
            "paxos/forgetful",
            "Acceptors are not saved: one crash, and two values are chosen.",
            (Config { forgetful: true, ..once }, &crash, broken),
        ),
        (
            "paxos/ignores-accepted",
            "Proposers keep to their own value: two values are chosen.",
            (Config { rules: ignores, ..once }, &crash, broken),
        ),
        (
            "paxos/asks-again",
            "A client asks again, and its server starts a second ballot: still decides once.",
            (again, &calm, Expect::Holds),
        ),
        (
            "paxos/stale-promise",
            "Counts promises of other ballots: two values are chosen.",
            (Config { rules: stale, ..again }, &calm, broken),
        ),
    ];
    for (name, about, (config, small, expect)) in variants {
        let card = Card { name, about, small: small.clone(), large: size(4, 2, rough.clone()) };
        // Asking again adds so many states that these worlds hide the order of the first calls.
        let eager = config.impatient > 0;
        catalogue.add(card, move |numbers| Setup { expect, eager, ..ordinary(config, numbers) });
    }
}
