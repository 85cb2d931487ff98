//! Anti-entropy gossip of a replicated map in which the last writer wins: Demers et al., "Epidemic
//! algorithms for replicated database maintenance" (PODC 1987), section 1.3, push-pull.
//!
//! A write takes a timestamp from its node's clock and changes that replica only. From time to time
//! every replica picks a peer at random, pushes what it has and pulls what the peer has newer. Of
//! two entries the one with the later timestamp stays, equal timestamps are told apart by replica.
//! So merging is commutative, associative and idempotent, and under any loss, duplication,
//! reordering and partition that ends, the **replicas agree** once gossip has come to rest.
//!
//! That says nothing about *which* write is left. That **a later write wins** (one that was made
//! after another had returned does not lose to it) is a matter of clocks: a write here returns
//! only once every clock has passed its timestamp, if clocks differ by no more than
//! `Config::uncertainty`: the commit wait of Corbett et al., "Spanner" (OSDI 2012), section 4.2.
//! `gossip/push-pull` believes in perfect clocks and lives in a world that has them.
//! `gossip/skewed` is the same text with the same belief, in a world whose clocks differ by one
//! unit, since skew is an assumption of the world; there a later write is dropped in silence.
//! `gossip/commit-wait` lives in that world too, knows of the skew, and waits longer.
//!
//! Timestamps mean nothing once clocks stand still, so nodes refuse writes from `Config::end` on.
//!
//! Broken: without the tie-break each of two replicas keeps its own of two writes of one moment,
//! for ever. Rumors instead of anti-entropy (a replica pushes only what is news to it, once) stop
//! with residue: replicas that never hear of a write, with no fault at all.
//!
//! A replica that is down would be sent messages without end, so no small world crashes one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::catalogue::{Card, Catalogue};
use crate::protocol::{CallId, Input, NodeId, Outbox, Protocol};
use crate::world::{Clocks, CutKind, Expect, Faults, HistoryForm, InFlight, Numbers};
use crate::world::{Property, Setup, System, Turn};

/// How gossip is configured.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many replicas there are.
    pub replicas: u8,
    /// Units of time between two pushes of a replica.
    pub interval: u32,
    /// By how many units clocks are believed to differ at most.
    pub uncertainty: u32,
    /// What a clock shows when it may have stopped.
    pub end: u32,
    /// Whether equal timestamps are told apart by replica.
    pub breaks_ties: bool,
    /// Whether a replica keeps pushing when it has heard nothing new.
    pub anti_entropy: bool,
}

/// A name in the map.
pub type Key = u8;

/// When and where an entry was written; later stamps win.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// By the clock of the replica.
    pub time: u32,
    /// Where.
    pub replica: NodeId,
}

/// What a replica holds under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Entry {
    /// When and where it was written.
    pub stamp: Stamp,
    /// The value.
    pub value: u16,
}

/// A replica of the map.
pub type Database = BTreeMap<Key, Entry>;

/// What replicas send each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Msg {
    /// All that the sender has.
    Push(Database),
    /// The answer: what the sender has that is newer.
    Pull(Database),
}

/// The timers of a replica.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Timer {
    /// It is time to push to some peer.
    Gossip,
    /// Every clock has passed the timestamp of this write.
    Commit(CallId),
}

/// What a process may ask.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Op {
    /// Writes a value.
    Write(Key, u16),
    /// Reads this replica's value.
    Read(Key),
}

/// What it is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ret {
    /// The write is done.
    Written,
    /// The value, if there is one.
    Value(Option<u16>),
}

/// A replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gossip {
    me: NodeId,
    database: Database,
    has_news: bool,
}

impl Protocol for Gossip {
    type Config = Config;
    type Msg = Msg;
    type Timer = Timer;
    type Disk = Database;
    type Op = Op;
    type Ret = Ret;

    fn boot(cfg: &Config, me: NodeId, disk: Database, out: &mut Outbox<Self>) -> Self {
        out.arm(Timer::Gossip, cfg.interval);
        Gossip { me, has_news: !disk.is_empty(), database: disk }
    }

    fn step(&mut self, cfg: &Config, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Call(call, Op::Read(key)) => {
                out.reply(call, Ret::Value(self.database.get(&key).map(|entry| entry.value)));
            }
            Input::Call(call, Op::Write(..)) if out.now() >= cfg.end => out.fail(call),
            Input::Call(call, Op::Write(key, value)) => {
                let stamp = self.stamp(key, out.now());
                self.keep(BTreeMap::from([(key, Entry { stamp, value })]), out);
                out.arm(Timer::Commit(call), stamp.time - out.now() + cfg.uncertainty + 1);
            }
            Input::Fired(Timer::Commit(call)) => out.reply(call, Ret::Written),
            Input::Cancel(call) => out.disarm(Timer::Commit(call)),
            Input::Fired(Timer::Gossip) => {
                out.arm(Timer::Gossip, cfg.interval);
                let news = std::mem::take(&mut self.has_news);
                if news || cfg.anti_entropy {
                    let peer = self.some_peer(cfg, out);
                    out.send(peer, Msg::Push(self.database.clone()));
                }
            }
            Input::Recv(from, Msg::Push(theirs)) => {
                let ours = self.newer_than(cfg, &theirs);
                self.merge(cfg, theirs, out);
                if !ours.is_empty() {
                    out.send(from, Msg::Pull(ours));
                }
            }
            Input::Recv(_, Msg::Pull(theirs)) => self.merge(cfg, theirs, out),
        }
    }
}

impl Gossip {
    /// A stamp for a new entry: the clock's time, but later than what is overwritten.
    fn stamp(&self, key: Key, now: u32) -> Stamp {
        let after = self.database.get(&key).map_or(0, |entry| entry.stamp.time + 1);
        Stamp { time: now.max(after), replica: self.me }
    }

    fn some_peer(&self, cfg: &Config, out: &mut Outbox<Self>) -> NodeId {
        let mut others = NodeId::all(cfg.replicas).filter(|node| *node != self.me);
        let chosen = out.choose(u32::from(cfg.replicas) - 1);
        others.nth(chosen as usize).expect("a replica has peers")
    }

    fn newer_than(&self, cfg: &Config, theirs: &Database) -> Database {
        let newer = self.database.iter().filter(|(key, entry)| cfg.wins(entry, theirs.get(key)));
        newer.map(|(key, entry)| (*key, *entry)).collect()
    }

    fn merge(&mut self, cfg: &Config, theirs: Database, out: &mut Outbox<Self>) {
        let ties = theirs.iter().filter_map(|(key, entry)| Some((entry, self.database.get(key)?)));
        for (entry, own) in ties {
            if entry.stamp.time == own.stamp.time && entry.stamp.replica != own.stamp.replica {
                out.mark("a tie was broken", u64::from(entry.value.max(own.value)));
            }
        }
        let news =
            theirs.into_iter().filter(|(key, entry)| cfg.wins(entry, self.database.get(key)));
        let news: Database = news.collect();
        if !news.is_empty() {
            out.mark("gossip changed a replica", u64::from(self.me.0));
            self.keep(news, out);
        }
    }

    /// Takes entries over, on disk before anybody hears of them.
    fn keep(&mut self, news: Database, out: &mut Outbox<Self>) {
        self.database.extend(news);
        self.has_news = true;
        out.save(self.database.clone());
        out.sync();
    }
}

impl Config {
    /// Whether an entry takes the place of another.
    fn wins(&self, entry: &Entry, over: Option<&Entry>) -> bool {
        let Some(over) = over else { return true };
        if self.breaks_ties { entry.stamp > over.stamp } else { entry.stamp.time > over.stamp.time }
    }
}

/// Whether all replicas hold the same.
fn replicas_agree(system: &System<Gossip>) -> bool {
    let mut databases = system.states().map(|(_, replica)| &replica.database);
    let first = databases.next();
    databases.all(|database| Some(database) == first)
}

/// Whether no replica holds an entry to which a write has lost that was made after the entry's
/// own write had returned.
fn a_later_write_wins(system: &System<Gossip>) -> bool {
    let writes = || {
        system.history.entries().filter_map(|call| match call.op {
            Op::Write(key, value) => Some(((key, value), call)),
            Op::Read(_) => None,
        })
    };
    let held = |name: (Key, u16)| {
        system.states().any(|(_, replica)| {
            replica.database.get(&name.0).is_some_and(|entry| entry.value == name.1)
        })
    };
    writes().filter(|(name, _)| held(*name)).all(|(kept, earlier)| {
        writes()
            .filter(|(name, call)| name.0 == kept.0 && call.returned.is_some())
            .all(|(_, later)| earlier.returned.is_none_or(|returned| returned >= later.invoked))
    })
}

/// The program of a process: it writes and reads in turn, at one replica after the other.
fn script(calls: u32, replicas: u8) -> impl Fn(&Turn<'_, Gossip>) -> Option<(NodeId, Op)> {
    move |turn| {
        let at = (turn.program + turn.number) % u16::from(replicas);
        let key = Key::from(turn.number % 4 / 2 == 1);
        let op = match turn.number % 2 {
            0 => Op::Write(key, 100 * (turn.program + 1) + turn.number),
            _ => Op::Read(key),
        };
        let at = NodeId(u8::try_from(at).expect("a replica's number"));
        (u32::from(turn.number) < calls).then_some((at, op))
    }
}

/// A scenario: its card, what is expected, and how its configuration differs.
type Variant = (Card, Expect, fn(&Numbers, &mut Config));

fn setup(numbers: &Numbers, expect: Expect, change: fn(&Numbers, &mut Config)) -> Setup<Gossip> {
    let replicas = u8::try_from(numbers.nodes).expect("numbers are validated");
    let mut config = Config {
        replicas,
        interval: 2,
        uncertainty: 0,
        end: numbers.horizon.saturating_sub(numbers.jump * numbers.faults.jumps),
        breaks_ties: true,
        anti_entropy: true,
    };
    change(numbers, &mut config);
    let mut setup = Setup::new(config, numbers, script(numbers.calls, replicas));
    setup.nodes_min = 2;
    setup.history = HistoryForm::RealTime;
    setup.properties = vec![
        Property::settled("replicas agree", replicas_agree),
        Property::settled("a later write wins", a_later_write_wins),
    ];
    setup.sometimes = vec!["gossip changed a replica", "a tie was broken"];
    setup.expect = expect;
    setup
}

fn variants() -> Vec<Variant> {
    let card = |name, about, skew| {
        let small = if skew == 0 { small() } else { small_and_skewed() };
        Card { name, about, small, large: Numbers { skew, ..large() } }
    };
    vec![
        (
            card("gossip/push-pull", "the last writer wins: replicas agree once gossip rests", 0),
            Expect::Holds,
            |_, _| {},
        ),
        (
            card(
                "gossip/no-tie-break",
                "of two writes of one moment each replica keeps its own",
                0,
            ),
            Expect::Breaks("replicas agree"),
            |_, config| config.breaks_ties = false,
        ),
        (
            card("gossip/rumors", "gossip without anti-entropy stops before all have heard", 0),
            Expect::Breaks("replicas agree"),
            |_, config| config.anti_entropy = false,
        ),
        (
            card("gossip/skewed", "clocks differ more than is believed: a later write is lost", 1),
            Expect::Breaks("a later write wins"),
            |_, _| {},
        ),
        (
            card("gossip/commit-wait", "clocks differ, writes wait it out: a later write wins", 1),
            Expect::Holds,
            |n, config| config.uncertainty = n.skew + n.jump * n.faults.jumps,
        ),
    ]
}

/// Adds the scenarios.
pub fn scenarios(catalogue: &mut Catalogue) {
    for (card, expect, change) in variants() {
        catalogue.add(card, move |numbers| setup(numbers, expect, change));
    }
}

fn small() -> Numbers {
    Numbers {
        nodes: 3,
        clients: 2,
        calls: 1,
        clocks: Clocks::Perfect,
        delay: Some((0, 0)),
        horizon: 2,
        in_flight: InFlight::Dropped,
        faults: Faults { losses: 1, duplicates: 1, ..Faults::default() },
        ..Numbers::default()
    }
}

/// Clocks run long enough for a write to be made after another has waited for its commit.
fn small_and_skewed() -> Numbers {
    let faults = Faults { partitions: 1, ..small().faults };
    Numbers { nodes: 2, skew: 1, horizon: 3, faults, ..small() }
}

fn large() -> Numbers {
    let faults = Faults {
        losses: 10,
        duplicates: 10,
        partitions: 3,
        crashes: 2,
        torn: 1,
        ..Faults::default()
    };
    Numbers {
        nodes: 5,
        clients: 4,
        calls: 12,
        scale: 100,
        delay: Some((0, 3)),
        horizon: 200,
        cuts: vec![CutKind::Split, CutKind::Isolate, CutKind::OneWay],
        faults,
        ..small()
    }
}
