//! A lock with leases and fencing tokens, and the store that it guards.
//!
//! Leases are Gray and Cheriton's (SOSP 1989); tokens that order their holders are Burrows'
//! sequencers (The Chubby lock service, OSDI 2006, section 2.4), and the case for checking them at
//! the resource is Kleppmann's (How to do distributed locking, 2016). Node 0 is the lock server,
//! node 1 the store, and a process runs at each of the others: it acquires the lock, writes with
//! the token that it got, and releases the lock.
//!
//! What one calls mutual exclusion is four properties here, and they differ in what they assume:
//!
//! - **L1, one live lease**: the server grants nothing between granting a lease and ending it.
//!   Holds under all clocks and faults, by the saved token and by the wait after a restart: the
//!   last lease counts as held for one more lease. Broken if the server forgets to wait
//!   (`forgetful`). Only bounded clocks make that wait worth its time: in an asynchronous world L1
//!   says how the server keeps its books, and nothing about who else believes what.
//! - **L2, no phantom acquire**: when an Acquire returns, its lease is still live. Holds if a
//!   holder's time, which counts from its request, ends before the server's, which counts from
//!   the grant: `belief + drift < lease - drift`, and no node pauses. Crashes do no harm. Broken
//!   under asynchronous clocks (`phantom`).
//! - **L3, one believer**: no two clients believe that they hold the lock. Holds under the
//!   assumptions of L2 (`believed`). Broken without a margin (`no-margin`), by a drift beyond it
//!   (`believed-drift`) and by a pause (`believed-paused`), which no margin covers.
//! - **L4, writes land in grant order**: the store takes no write with an older token than one that
//!   it took. Holds under all clocks and faults with the fence (`fenced`), which is why it is
//!   the one to build on. Broken without it (`unfenced`).
//!
//! The fence is only as good as its tokens, so **no token is issued twice** under all clocks and
//! faults, since the server saves a token before the grant leaves. Broken in `save-after-send`,
//! and only a crash in the middle of that step shows it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::catalogue::{Card, Catalogue};
use crate::protocol::Input::{self, Call, Cancel, Fired, Recv};
use crate::protocol::{CallId, NodeId, Outbox, Outcome, Protocol};
use crate::world::{
    Clocks, Event, Expect, Faults, Interchange, Monitor, Numbers, Property, Renaming, Setup,
    Symmetry, Turn,
};

/// The lock server.
const SERVER: NodeId = NodeId(0);
/// The store that the lock guards.
const STORE: NodeId = NodeId(1);
/// Where clients begin.
const FIRST_CLIENT: u32 = 2;

/// Orders the grants: the n-th lease has token n.
pub type Token = u64;

/// Lengths of time, and the switches.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long a lease lasts at the server, from its grant.
    pub lease: u32,
    /// How long a request is good for at its client, from the call: an answer, or a belief.
    pub belief: u32,
    /// Whether the store refuses tokens older than one that it has seen.
    pub fenced: bool,
    /// Whether a token is on disk before its grant leaves.
    pub saves_first: bool,
    /// Whether the server waits one lease after a restart.
    pub waits: bool,
}

/// What nodes send each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Msg {
    /// A client asks for the lock.
    Ask(CallId),
    /// The server grants it, under this token.
    Grant(CallId, Token),
    /// The server has granted it to another.
    Busy(CallId),
    /// A client needs the lease no more.
    Release(Token),
    /// A client writes to the store.
    Write(CallId, Token),
    /// The store took the write.
    Written(CallId),
    /// The store has seen a newer token.
    Refused(CallId),
}

/// The timers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Timer {
    /// The server ends the lease. There is one lease and one such timer at a time.
    Expire,
    /// A client's call has run out of time, or what it acquired has.
    Lapse(CallId),
}

/// What a process may call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Op {
    /// Asks for the lock once, without waiting for it to be free.
    Acquire,
    /// Writes under a token; it fails if the lease is over by the client's own reckoning.
    Write(Token),
    /// Gives the lock back.
    Release(Token),
}

/// What a call returns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ret {
    /// The lock is the caller's, under this token.
    Granted(Token),
    /// It is another's.
    Busy,
    /// The write landed.
    Written,
    /// The write came too late.
    Refused,
    /// The lock is the caller's no more.
    Released,
}

/// A node. Server and store each keep one token on disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LeaseLock {
    /// The lock server.
    Server(Server),
    /// The store.
    Store(Store),
    /// A client.
    Client(Client),
}

/// The lock server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    /// The newest token issued, on disk.
    issued: Token,
    /// The lease that is live.
    held: Option<Token>,
}

/// The store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Store {
    /// The newest token seen, on disk.
    newest: Token,
}

/// A client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Client {
    /// Calls without an answer yet.
    open: BTreeSet<CallId>,
    /// The leases that it believes to hold, by the calls that acquired them.
    believed: BTreeMap<CallId, Token>,
}

impl LeaseLock {
    /// How many leases this node believes to hold.
    fn beliefs(&self) -> usize {
        if let LeaseLock::Client(client) = self { client.believed.len() } else { 0 }
    }
}

impl Protocol for LeaseLock {
    type Config = Config;
    type Msg = Msg;
    type Timer = Timer;
    type Disk = Token;
    type Op = Op;
    type Ret = Ret;

    fn boot(cfg: &Config, me: NodeId, newest: Token, out: &mut Outbox<Self>) -> Self {
        match me {
            SERVER => {
                // The last lease may still be believed in: it counts as held, anew.
                let held = (newest > 0 && cfg.waits).then_some(newest);
                if let Some(token) = held {
                    out.arm(Timer::Expire, cfg.lease);
                    out.mark("waits out a lease", token);
                }
                LeaseLock::Server(Server { issued: newest, held })
            }
            STORE => LeaseLock::Store(Store { newest }),
            _ => LeaseLock::Client(Client::default()),
        }
    }

    fn step(&mut self, cfg: &Config, input: Input<Self>, out: &mut Outbox<Self>) {
        match self {
            LeaseLock::Server(server) => server.step(cfg, input, out),
            LeaseLock::Store(store) => store.step(cfg, input, out),
            LeaseLock::Client(client) => client.step(cfg, input, out),
        }
    }
}

impl Server {
    fn step(&mut self, cfg: &Config, input: Input<LeaseLock>, out: &mut Outbox<LeaseLock>) {
        match input {
            Recv(client, Msg::Ask(call)) if self.held.is_some() => {
                out.send(client, Msg::Busy(call));
            }
            Recv(client, Msg::Ask(call)) => {
                self.issued += 1;
                self.held = Some(self.issued);
                let grant = Msg::Grant(call, self.issued);
                if cfg.saves_first {
                    out.save(self.issued);
                    out.sync();
                    out.send(client, grant);
                } else {
                    out.send(client, grant);
                    out.save(self.issued);
                    out.sync();
                }
                out.arm(Timer::Expire, cfg.lease);
            }
            Recv(_, Msg::Release(token)) if self.held == Some(token) => {
                self.held = None;
                out.disarm(Timer::Expire);
                out.mark("ends", token);
            }
            Fired(Timer::Expire) => {
                if let Some(token) = self.held.take() {
                    out.mark("ends", token);
                    out.mark("expires", token);
                }
            }
            _ => {}
        }
    }
}

impl Store {
    fn step(&mut self, cfg: &Config, input: Input<LeaseLock>, out: &mut Outbox<LeaseLock>) {
        match input {
            Recv(client, Msg::Write(call, token)) if cfg.fenced && token < self.newest => {
                out.mark("refuses", token);
                out.send(client, Msg::Refused(call));
            }
            Recv(client, Msg::Write(call, token)) => {
                self.newest = token.max(self.newest);
                out.save(self.newest);
                out.sync();
                out.mark("writes", token);
                out.send(client, Msg::Written(call));
            }
            _ => {}
        }
    }
}

impl Client {
    fn step(&mut self, cfg: &Config, input: Input<LeaseLock>, out: &mut Outbox<LeaseLock>) {
        match input {
            Call(call, Op::Acquire) => {
                // Its time counts from here, so that it can't outlast the server's, which begins
                // with the grant.
                out.arm(Timer::Lapse(call), cfg.belief);
                out.send(SERVER, Msg::Ask(call));
                self.open.insert(call);
            }
            Recv(_, Msg::Grant(call, token)) if self.open.remove(&call) => {
                self.believed.insert(call, token);
                out.reply(call, Ret::Granted(token));
            }
            Recv(_, Msg::Grant(_, token)) => out.mark("comes too late", token),
            Call(call, Op::Write(token)) if self.acquired(token).is_some() => {
                out.arm(Timer::Lapse(call), cfg.belief);
                out.send(STORE, Msg::Write(call, token));
                self.open.insert(call);
            }
            Call(call, Op::Write(_)) => out.fail(call),
            Call(call, Op::Release(token)) => {
                if let Some(acquired) = self.acquired(token) {
                    self.believed.remove(&acquired);
                    out.disarm(Timer::Lapse(acquired));
                    out.send(SERVER, Msg::Release(token));
                }
                out.reply(call, Ret::Released);
            }
            Recv(_, Msg::Busy(call)) => self.answer(call, Ret::Busy, out),
            Recv(_, Msg::Written(call)) => self.answer(call, Ret::Written, out),
            Recv(_, Msg::Refused(call)) => self.answer(call, Ret::Refused, out),
            Fired(Timer::Lapse(call)) => {
                if let Some(token) = self.believed.remove(&call) {
                    out.mark("lapses", token);
                } else if self.open.remove(&call) {
                    out.give_up(call);
                }
            }
            Cancel(call) => {
                self.open.remove(&call);
                out.disarm(Timer::Lapse(call));
            }
            _ => {}
        }
    }

    /// The call by which this client believes to hold a lease.
    fn acquired(&self, token: Token) -> Option<CallId> {
        self.believed.iter().find(|(_, held)| **held == token).map(|(call, _)| *call)
    }

    /// Answers a call, unless it was answered before or has run out of time.
    fn answer(&mut self, call: CallId, ret: Ret, out: &mut Outbox<LeaseLock>) {
        if self.open.remove(&call) {
            out.disarm(Timer::Lapse(call));
            out.reply(call, ret);
        }
    }
}

/// Clients are interchangeable: a call is known to server and store by its name only, and tokens
/// are given in the order in which it is asked for them.
impl Interchange for LeaseLock {
    fn renamed(&self, by: &Renaming) -> Self {
        let LeaseLock::Client(Client { open, believed }) = self else { return self.clone() };
        let believed = believed.iter().map(|(call, token)| (by.call(*call), *token));
        LeaseLock::Client(Client { open: by.calls(open), believed: believed.collect() })
    }

    fn renamed_msg(msg: &Msg, by: &Renaming) -> Msg {
        match *msg {
            Msg::Ask(call) => Msg::Ask(by.call(call)),
            Msg::Grant(call, token) => Msg::Grant(by.call(call), token),
            Msg::Busy(call) => Msg::Busy(by.call(call)),
            Msg::Release(token) => Msg::Release(token),
            Msg::Write(call, token) => Msg::Write(by.call(call), token),
            Msg::Written(call) => Msg::Written(by.call(call)),
            Msg::Refused(call) => Msg::Refused(by.call(call)),
        }
    }

    fn renamed_timer(timer: &Timer, by: &Renaming) -> Timer {
        match *timer {
            Timer::Expire => Timer::Expire,
            Timer::Lapse(call) => Timer::Lapse(by.call(call)),
        }
    }
}

/// Clients at whose nodes as many programs run change places with these.
fn clients_are_alike(numbers: &Numbers) -> Option<Symmetry<LeaseLock>> {
    let clients = numbers.nodes.checked_sub(FIRST_CLIENT).filter(|clients| *clients > 0)?;
    let home = |n| NodeId((FIRST_CLIENT + n % clients) as u8);
    let alike: Vec<_> = (0..clients).map(home).collect();
    let homes: Vec<_> = (0..numbers.clients).map(home).collect();
    Symmetry::of(&alike, numbers.nodes as u8, &homes)
}

/// Watches the server's books: leases that it granted and has not ended. What has left the server
/// counts, whatever a crash made the server forget.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Leases {
    live: BTreeSet<Token>,
    judged: Rule,
}

/// What is judged by the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Rule {
    OneLive,
    NoPhantom,
}

impl Monitor<LeaseLock> for Leases {
    fn observe(&mut self, _: &Config, event: &Event<'_, LeaseLock>) -> Result<(), String> {
        match event {
            Event::Sent(_, _, Msg::Grant(_, token)) => {
                let before = self.live.first().copied();
                self.live.insert(*token);
                match (self.judged, before) {
                    (Rule::OneLive, Some(live)) => {
                        Err(format!("lease {token} is granted while lease {live} is live"))
                    }
                    _ => Ok(()),
                }
            }
            Event::Marked(_, mark) if mark.name == "ends" => {
                self.live.remove(&mark.value);
                Ok(())
            }
            Event::Ended(call, Outcome::Ok(Ret::Granted(token)))
                if self.judged == Rule::NoPhantom && !self.live.contains(token) =>
            {
                Err(format!("{call} acquires lease {token}, which has ended"))
            }
            _ => Ok(()),
        }
    }
}

/// Watches the tokens that leave the server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Issued(BTreeSet<Token>);

impl Monitor<LeaseLock> for Issued {
    fn observe(&mut self, _: &Config, event: &Event<'_, LeaseLock>) -> Result<(), String> {
        match event {
            Event::Sent(_, _, Msg::Grant(_, token)) if !self.0.insert(*token) => {
                Err(format!("token {token} is issued twice"))
            }
            _ => Ok(()),
        }
    }
}

/// Watches the writes that the store takes: the newest token so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Landed(Token);

impl Monitor<LeaseLock> for Landed {
    fn observe(&mut self, _: &Config, event: &Event<'_, LeaseLock>) -> Result<(), String> {
        match event {
            Event::Marked(_, mark) if mark.name == "writes" => {
                if mark.value < self.0 {
                    return Err(format!("a write of lease {} lands after {}", mark.value, self.0));
                }
                self.0 = mark.value;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

const L1: &str = "one live lease";
const L2: &str = "no phantom acquire";
const L3: &str = "one believer";
const L4: &str = "writes land in grant order";
const ONCE: &str = "no token twice";

/// A property by its name.
fn property(name: &'static str) -> Property<LeaseLock> {
    let books = |judged| Property::events(name, Leases { live: BTreeSet::new(), judged });
    match name {
        L1 => books(Rule::OneLive),
        L2 => books(Rule::NoPhantom),
        L3 => Property::each_pair(name, |_, one: (NodeId, &LeaseLock), other| {
            one.1.beliefs() + other.1.beliefs() <= 1
        }),
        L4 => Property::events(name, Landed::default()),
        ONCE => Property::events(name, Issued::default()),
        _ => unreachable!("there is no property {name}"),
    }
}

/// Acquire, write, release, and again; after an answer that is none, acquire.
fn script(nodes: u32, calls: u32) -> impl Fn(&Turn<'_, LeaseLock>) -> Option<(NodeId, Op)> {
    move |turn| {
        let home = FIRST_CLIENT + u32::from(turn.program) % (nodes - FIRST_CLIENT);
        let op = match turn.last {
            Some((_, Outcome::Ok(Ret::Granted(token)))) => Op::Write(*token),
            Some((Op::Write(token), Outcome::Ok(_))) => Op::Release(*token),
            _ => Op::Acquire,
        };
        let home = NodeId(u8::try_from(home).expect("numbers are validated"));
        (u32::from(turn.number) < calls).then_some((home, op))
    }
}

/// The correct protocol; a lease of 6 and a belief of 3 leave a margin for drifts of 1.
const SOUND: Config = Config { lease: 6, belief: 3, fenced: true, saves_first: true, waits: true };

/// A scenario before it has its numbers.
#[derive(Clone)]
struct Variant {
    name: &'static str,
    about: &'static str,
    sizes: (Numbers, Numbers),
    config: Config,
    /// What is judged: of a broken variant only what it breaks, so that nothing else comes first.
    properties: &'static [&'static str],
    sometimes: &'static [&'static str],
    expect: Expect,
}

impl Variant {
    fn setup(&self, numbers: &Numbers) -> Setup<LeaseLock> {
        Setup {
            properties: self.properties.iter().map(|name| property(name)).collect(),
            sometimes: self.sometimes.to_vec(),
            expect: self.expect,
            nodes_min: FIRST_CLIENT + 1,
            symmetry: clients_are_alike(numbers),
            ..Setup::new(self.config.clone(), numbers, script(numbers.nodes, numbers.calls))
        }
    }
}

/// Adds the scenarios.
pub fn scenarios(catalogue: &mut Catalogue) {
    for variant in timeless_variants().into_iter().chain(timed_variants()) {
        let Variant { name, about, sizes: (small, large), .. } = variant.clone();
        catalogue.add(Card { name, about, small, large }, move |n| variant.setup(n));
    }
}

/// Two clients that acquire and write, and three that go on, under asynchronous clocks and with
/// every fault.
fn asynchronous() -> (Numbers, Numbers) {
    let faults = Faults { crashes: 1, torn: 1, lost_saves: 1, ..Faults::default() };
    let small = Numbers { nodes: 4, clients: 2, calls: 2, faults, ..Numbers::default() };
    let faults = Faults {
        losses: 2,
        duplicates: 2,
        partitions: 1,
        crashes: 3,
        torn: 2,
        lost_saves: 2,
        pauses: 2,
        cancels: 1,
        ..Faults::default()
    };
    let large = Numbers { nodes: 5, clients: 3, calls: 24, faults, ..Numbers::default() };
    (small, large)
}

/// The same where timers drift by at most `drift` and nodes don't pause; the two clients of the
/// small world only acquire, since ticks multiply its states.
fn bounded(drift: u32) -> (Numbers, Numbers) {
    let timed = |mut numbers: Numbers, scale| {
        numbers.faults.pauses = 0;
        let (clocks, delay) = (Clocks::Bounded, Some((0, 1)));
        Numbers { clocks, drift, delay, pause: 12, patience: 2, scale, ..numbers }
    };
    let (small, large) = asynchronous();
    (Numbers { calls: 1, ..timed(small, 1) }, timed(large, 10))
}

/// The same where nodes may pause.
fn paused() -> (Numbers, Numbers) {
    let (mut small, mut large) = bounded(1);
    small.faults.pauses = 1;
    large.faults.pauses = 4;
    (small, large)
}

/// A variant that breaks one property.
fn broken(
    name: &'static str,
    about: &'static str,
    sizes: (Numbers, Numbers),
    config: Config,
    properties: &'static [&'static str],
) -> Variant {
    let expect = Expect::Breaks(properties[0]);
    Variant { name, about, sizes, config, properties, sometimes: &[], expect }
}

/// The correct text in a world that does not keep an assumption of this property.
fn without(
    assumption: &'static str,
    name: &'static str,
    about: &'static str,
    sizes: (Numbers, Numbers),
    properties: &'static [&'static str],
) -> Variant {
    let expect = Expect::BreaksWithout { property: properties[0], assumption };
    Variant { expect, ..broken(name, about, sizes, SOUND, properties) }
}

/// The variants in asynchronous worlds.
fn timeless_variants() -> Vec<Variant> {
    vec![
        Variant {
            name: "lease-lock/fenced",
            about: "The store refuses old tokens: writes land in grant order, whatever time does.",
            sizes: asynchronous(),
            config: SOUND,
            properties: &[L1, L4, ONCE],
            sometimes: &["refuses", "expires", "waits out a lease", "comes too late", "lapses"],
            expect: Expect::Holds,
        },
        broken(
            "lease-lock/unfenced",
            "The store takes any token: a write outlives its lease and lands after a newer one.",
            asynchronous(),
            Config { fenced: false, ..SOUND },
            &[L4],
        ),
        broken(
            "lease-lock/save-after-send",
            "The grant leaves before its token is on disk: a crash between issues it twice.",
            asynchronous(),
            Config { saves_first: false, ..SOUND },
            &[ONCE],
        ),
        broken(
            "lease-lock/forgetful",
            "The server grants as soon as it restarts: the last lease is still live.",
            asynchronous(),
            Config { waits: false, ..SOUND },
            &[L1],
        ),
        without(
            "bounded delays",
            "lease-lock/phantom",
            "Clocks are asynchronous: a grant arrives when its lease has ended, and is believed.",
            asynchronous(),
            &[L2],
        ),
    ]
}

/// The variants in worlds whose clocks are bounded.
fn timed_variants() -> Vec<Variant> {
    vec![
        Variant {
            name: "lease-lock/believed",
            about: "Clocks drift within the margin and no node pauses: no two believe at once.",
            sizes: bounded(1),
            config: SOUND,
            properties: &[L1, L2, L3, ONCE],
            sometimes: &["expires", "waits out a lease", "comes too late", "lapses"],
            expect: Expect::Holds,
        },
        broken(
            "lease-lock/no-margin",
            "A client believes for as long as the server's lease is: a drift parts the two.",
            bounded(1),
            Config { belief: SOUND.lease, ..SOUND },
            &[L3],
        ),
        without(
            "a drift within the margin",
            "lease-lock/believed-drift",
            "Clocks drift beyond the margin: the server ends a lease that is believed in.",
            bounded(3),
            &[L3],
        ),
        without(
            "nodes that never pause",
            "lease-lock/believed-paused",
            "A client pauses and believes on, while its lease ends and another is granted.",
            paused(),
            &[L3],
        ),
    ]
}
