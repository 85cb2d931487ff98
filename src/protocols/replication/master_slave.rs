//! Master-slave replication of a register with failover, as databases do it (Redis with Sentinel,
//! MySQL with semi-synchronous replication).
//!
//! Node 0 is the *monitor*, an external authority on who is master in which epoch; the others are
//! replicas, node 1 the first master. Every call, a read too, becomes an entry of the master's log;
//! the master saves its log, ships it to the slaves and acknowledges the call once enough slaves
//! have saved it too. A log travels whole, under the master's epoch and with its length (its log
//! sequence number), so transfers are idempotent, may overtake each other, and are all that a slave
//! needs that joins late or was master before. Links lose nothing (a transport sends again), but
//! duplicate and reorder.
//!
//! The monitor may depose a master at any moment, whether it is dead or only slow. It opens an
//! epoch, asks the replicas, who by their answer refuse all earlier masters from then on, waits for
//! all of them but one, and promotes the most advanced: by the epoch of its log, then its length.
//!
//! In every mode there is one master per epoch, a slave's log is a prefix of the log of its
//! epoch's master (or the other way round while a transfer is late), and the replicas agree in the
//! end. Beyond that,
//! - `async` acknowledges at once and promises nothing: a failover may lose acknowledged writes;
//! - `semi-sync` waits for one slave: with the master's that makes two copies, and the monitor
//!   hears all replicas but one, so **acknowledged writes survive** failovers;
//! - `sync` waits for all slaves that the master knows of, which a slow slave makes slow; its calls
//!   are **linearizable**, reads at a deposed master too, since they wait for slaves like writes.
//!   (So are those of `semi-sync`, for the same reason.)
//!
//! Broken: `degrading` gives up waiting after a time, as MySQL does by default after 10 seconds,
//! and is asynchronous from there, though its clients can't tell. `ack-first` claims what semi-sync
//! promises and does not wait. In `no-epoch` a slave that has answered the monitor still takes and
//! acknowledges an earlier master's log. `promote-behind` promotes the least advanced slave that
//! answered. In `no-sync` replicas acknowledge what is not on disk yet, in the world of `crashes`,
//! where a crash takes it from them. Each loses acknowledged writes. In `monitor-forgets` it is the
//! monitor that speaks of what is not on disk yet: after a crash it appoints another master for the
//! same epoch. In `local-reads` a replica that does not lead answers reads from its own copy, as
//! those of Redis and MySQL do when they are asked: no write is lost, but one that was acknowledged
//! is not read (the session guarantees that are broken are those of Terry et al., "Session
//! Guarantees for Weakly Consistent Replicated Data", 1994).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::catalogue::{Card, Catalogue};
use crate::object::{Register, register};
use crate::protocol::{CallId, Input, NodeId, Outbox, Protocol};
use crate::world::{CutKind, Expect, Faults, HistoryForm, Numbers, Property, Setup, System, Turn};

/// The node that decides who is master.
pub const MONITOR: NodeId = NodeId(0);

/// How many slaves must have a call in their logs before it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// None.
    Async,
    /// One.
    SemiSync,
    /// All that the master knows of.
    Sync,
}

/// How master-slave replication is configured.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many nodes there may ever be.
    pub nodes: u8,
    /// How many of them are there from the beginning.
    pub founders: u8,
    /// When calls are acknowledged.
    pub mode: Mode,
    /// How often the monitor may depose a master.
    pub failovers: u32,
    /// Whether a call is acknowledged after a time though no slave has it.
    pub degrades: bool,
    /// Whether slaves refuse the logs of earlier epochs' masters.
    pub checks_epoch: bool,
    /// Whether the most advanced replica is promoted, and not the least.
    pub promotes_most_advanced: bool,
    /// Whether replicas make their logs durable before they speak of them.
    pub syncs: bool,
    /// Whether the monitor makes its decisions durable before it speaks of them.
    pub monitor_syncs: bool,
    /// Whether a replica that does not lead answers reads from its own copy.
    pub slaves_answer: bool,
}

/// The number of a master's reign.
pub type Epoch = u32;

/// One call, in its place in the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Entry {
    /// Whose call.
    pub call: CallId,
    /// What was asked.
    pub op: Op,
}

/// How advanced a replica is: the epoch of the master whose log it has, and how much of it.
pub type Position = (Epoch, usize);

/// What nodes send each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Msg {
    /// A replica to the monitor: it joins, or is back.
    Hello,
    /// The monitor, which is back and may have overheard a newcomer: is anybody there?
    RollCall,
    /// The monitor: how advanced are you? Follow no master of an earlier epoch any more.
    Ask(Epoch),
    /// The answer.
    Answer(Epoch, Position),
    /// The monitor: you are this epoch's master, of these replicas.
    Lead(Epoch, BTreeSet<NodeId>),
    /// The master's log.
    Log(Epoch, Vec<Entry>),
    /// So much of this epoch's log is on the slave's disk.
    Ack(Epoch, usize),
}

/// The timers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Timer {
    /// The monitor has not heard from the master for too long.
    Failover,
    /// A call has waited for slaves for too long.
    Degrade(CallId),
}

/// What a process may ask of the register.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Op {
    /// Writes a value.
    Write(u16),
    /// Reads the value.
    Read,
}

/// What it is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ret {
    /// The write is done.
    Written,
    /// The value; 0 before the first write.
    Value(u16),
}

/// What survives a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Disk {
    /// The node is new.
    #[default]
    Empty,
    /// The monitor's.
    Monitor(Reign),
    /// A replica's.
    Replica(Copy),
}

/// What the monitor decides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Reign {
    /// The epoch.
    pub epoch: Epoch,
    /// Its master; none while replicas are being asked.
    pub master: Option<NodeId>,
    /// The replicas that have ever joined.
    pub members: BTreeSet<NodeId>,
}

/// What a replica keeps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Copy {
    /// The latest epoch that it has heard of.
    pub epoch: Epoch,
    /// The epoch of the master whose log it has.
    pub log_epoch: Epoch,
    /// The log.
    pub log: Vec<Entry>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MasterSlave {
    /// The one that decides who is master.
    Monitor(Monitor),
    /// Master or slave.
    Replica(Replica),
}

/// The monitor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Monitor {
    reign: Reign,
    answers: BTreeMap<NodeId, Position>,
}

/// A replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replica {
    me: NodeId,
    copy: Copy,
    lead: Option<Lead>,
}

/// What makes a replica the master of its epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Lead {
    /// How much of the log each slave is known to have; not even none of it, if none is known.
    slaves: BTreeMap<NodeId, Option<usize>>,
    open: BTreeMap<usize, CallId>,
}

impl Protocol for MasterSlave {
    type Config = Config;
    type Msg = Msg;
    type Timer = Timer;
    type Disk = Disk;
    type Op = Op;
    type Ret = Ret;

    fn boot(cfg: &Config, me: NodeId, disk: Disk, out: &mut Outbox<Self>) -> Self {
        match disk {
            Disk::Monitor(reign) => MasterSlave::Monitor(Monitor::again(cfg, reign, out)),
            Disk::Replica(copy) => MasterSlave::Replica(Replica::late(me, copy, out)),
            Disk::Empty if me == MONITOR => MasterSlave::Monitor(Monitor::first(cfg, out)),
            Disk::Empty => MasterSlave::Replica(Replica::first(cfg, me, out)),
        }
    }

    fn step(&mut self, cfg: &Config, input: Input<Self>, out: &mut Outbox<Self>) {
        match self {
            MasterSlave::Monitor(monitor) => monitor.step(cfg, input, out),
            MasterSlave::Replica(replica) => replica.step(cfg, input, out),
        }
    }
}

impl Monitor {
    fn first(cfg: &Config, out: &mut Outbox<MasterSlave>) -> Self {
        let members = NodeId::all(cfg.founders).filter(|node| *node != MONITOR).collect();
        let reign = Reign { epoch: 1, master: Some(NodeId(1)), members };
        let monitor = Monitor { reign, answers: BTreeMap::new() };
        monitor.keep(cfg, out);
        monitor.watch(cfg, out);
        monitor
    }

    fn again(cfg: &Config, reign: Reign, out: &mut Outbox<MasterSlave>) -> Self {
        let monitor = Monitor { reign, answers: BTreeMap::new() };
        monitor.watch(cfg, out);
        let strangers = NodeId::all(cfg.nodes).skip(usize::from(cfg.founders));
        let strangers = strangers.filter(|node| !monitor.reign.members.contains(node));
        out.broadcast(strangers, Msg::RollCall);
        match monitor.reign.master {
            Some(master) => monitor.appoint(master, out),
            None => monitor.ask(monitor.reign.members.iter().copied(), out),
        }
        monitor
    }

    fn step(&mut self, cfg: &Config, input: Input<MasterSlave>, out: &mut Outbox<MasterSlave>) {
        match input {
            Input::Fired(_) => {
                self.reign.epoch += 1;
                self.reign.master = None;
                self.answers.clear();
                self.keep(cfg, out);
                self.watch(cfg, out);
                self.ask(self.reign.members.iter().copied(), out);
            }
            Input::Recv(from, Msg::Answer(epoch, position)) => {
                if epoch == self.reign.epoch && self.reign.master.is_none() {
                    self.answers.insert(from, position);
                    self.promote(cfg, out);
                }
            }
            Input::Recv(from, Msg::Hello) => {
                if self.reign.members.insert(from) {
                    self.keep(cfg, out);
                }
                match self.reign.master {
                    Some(master) => self.appoint(master, out),
                    None => self.ask([from], out),
                }
            }
            Input::Call(call, _) => out.fail(call),
            Input::Recv(..) | Input::Cancel(_) => {}
        }
    }

    /// Promotes a replica once all but one have answered: what two of them have, one has told.
    fn promote(&mut self, cfg: &Config, out: &mut Outbox<MasterSlave>) {
        if self.answers.len() + 1 < self.reign.members.len() {
            return;
        }
        let by_advance = |(node, position): &(&NodeId, &Position)| (**position, Reverse(**node));
        let promoted = match cfg.promotes_most_advanced {
            true => self.answers.iter().max_by_key(by_advance),
            false => self.answers.iter().min_by_key(by_advance),
        };
        let master = *promoted.expect("somebody has answered").0;
        self.reign.master = Some(master);
        self.answers.clear();
        self.keep(cfg, out);
        self.appoint(master, out);
    }

    fn appoint(&self, master: NodeId, out: &mut Outbox<MasterSlave>) {
        out.send(master, Msg::Lead(self.reign.epoch, self.reign.members.clone()));
    }

    fn ask(&self, whom: impl IntoIterator<Item = NodeId>, out: &mut Outbox<MasterSlave>) {
        out.broadcast(whom, Msg::Ask(self.reign.epoch));
    }

    fn watch(&self, cfg: &Config, out: &mut Outbox<MasterSlave>) {
        if self.reign.epoch <= cfg.failovers {
            out.arm(Timer::Failover, 2..=10);
        }
    }

    fn keep(&self, cfg: &Config, out: &mut Outbox<MasterSlave>) {
        out.save(Disk::Monitor(self.reign.clone()));
        if cfg.monitor_syncs {
            out.sync();
        }
    }
}

impl Replica {
    /// A replica that is there from the beginning, when node 1 is the master of all.
    fn first(cfg: &Config, me: NodeId, out: &mut Outbox<MasterSlave>) -> Self {
        let there = NodeId::all(cfg.founders).any(|node| node == me);
        let epoch = Epoch::from(there);
        let copy = Copy { epoch, log_epoch: epoch, log: Vec::new() };
        if !there {
            return Replica::late(me, copy, out);
        }
        let slaves = NodeId::all(cfg.founders).filter(|node| ![MONITOR, me].contains(node));
        let lead =
            Lead { slaves: slaves.map(|slave| (slave, Some(0))).collect(), ..Lead::default() };
        let replica = Replica { me, copy, lead: (me == NodeId(1)).then_some(lead) };
        replica.keep(cfg, out);
        replica
    }

    /// One that joins, or is back after a crash, and has to be told whether it leads.
    fn late(me: NodeId, copy: Copy, out: &mut Outbox<MasterSlave>) -> Self {
        out.send(MONITOR, Msg::Hello);
        Replica { me, copy, lead: None }
    }

    fn step(&mut self, cfg: &Config, input: Input<MasterSlave>, out: &mut Outbox<MasterSlave>) {
        match input {
            Input::Call(call, Op::Read) if self.lead.is_none() && cfg.slaves_answer => {
                out.reply(call, Ret::Value(value(&self.copy.log)));
            }
            Input::Call(call, _) if self.lead.is_none() => out.fail(call),
            Input::Call(call, op) => self.append(cfg, Entry { call, op }, out),
            Input::Recv(_, Msg::RollCall) if self.copy.epoch == 0 => {
                out.send(MONITOR, Msg::Hello);
            }
            Input::Recv(_, Msg::Ask(epoch)) if epoch >= self.copy.epoch => {
                self.follow(cfg, epoch, out);
                let position = (self.copy.log_epoch, self.copy.log.len());
                out.send(MONITOR, Msg::Answer(epoch, position));
            }
            Input::Recv(_, Msg::Lead(epoch, members)) if epoch >= self.copy.epoch => {
                self.follow(cfg, epoch, out);
                self.lead(cfg, members, out);
            }
            Input::Recv(master, Msg::Log(epoch, log)) => self.take(cfg, master, epoch, log, out),
            Input::Recv(slave, Msg::Ack(epoch, length)) if epoch == self.copy.epoch => {
                self.acked(cfg, slave, length, out);
            }
            Input::Fired(Timer::Degrade(call)) => self.degrade(call, out),
            Input::Cancel(call) => {
                if let Some(lead) = &mut self.lead {
                    lead.open.retain(|_, open| *open != call);
                }
                out.disarm(Timer::Degrade(call));
            }
            Input::Recv(..) | Input::Fired(_) => {}
        }
    }

    /// Enters an epoch: a master of an earlier one is deposed, and does not know what becomes of
    /// its open calls.
    fn follow(&mut self, cfg: &Config, epoch: Epoch, out: &mut Outbox<MasterSlave>) {
        if epoch <= self.copy.epoch {
            return;
        }
        self.copy.epoch = epoch;
        self.keep(cfg, out);
        for call in self.lead.take().unwrap_or_default().open.into_values() {
            out.mark("a master was deposed with a call open", epoch.into());
            out.disarm(Timer::Degrade(call));
            out.give_up(call);
        }
    }

    /// Leads the present epoch, with what there is of the log.
    fn lead(&mut self, cfg: &Config, members: BTreeSet<NodeId>, out: &mut Outbox<MasterSlave>) {
        if self.lead.is_none() {
            out.mark("leads", self.copy.epoch.into());
            self.copy.log_epoch = self.copy.epoch;
            self.keep(cfg, out);
        }
        let lead = self.lead.get_or_insert_default();
        for slave in members.into_iter().filter(|member| *member != self.me) {
            // One that is back may have crashed while it took what was sent before.
            if *lead.slaves.entry(slave).or_default() != Some(self.copy.log.len()) {
                out.send(slave, Msg::Log(self.copy.epoch, self.copy.log.clone()));
            }
        }
    }

    fn append(&mut self, cfg: &Config, entry: Entry, out: &mut Outbox<MasterSlave>) {
        let lead = self.lead.as_mut().expect("only a master appends");
        if cfg.degrades {
            out.arm(Timer::Degrade(entry.call), 5);
        }
        lead.open.insert(self.copy.log.len() + 1, entry.call);
        let slaves: Vec<NodeId> = lead.slaves.keys().copied().collect();
        self.copy.log.push(entry);
        self.keep(cfg, out);
        out.broadcast(slaves, Msg::Log(self.copy.epoch, self.copy.log.clone()));
        self.acknowledge(cfg, out);
    }

    /// Takes a master's log over if it is more advanced, and says how much of it is on disk.
    fn take(
        &mut self,
        cfg: &Config,
        master: NodeId,
        epoch: Epoch,
        log: Vec<Entry>,
        out: &mut Outbox<MasterSlave>,
    ) {
        if epoch < self.copy.epoch && cfg.checks_epoch {
            out.mark("a deposed master's log was refused", epoch.into());
            return;
        }
        self.follow(cfg, epoch, out);
        if (epoch, log.len()) > (self.copy.log_epoch, self.copy.log.len()) {
            if !log.starts_with(&self.copy.log) {
                out.mark("a slave dropped what its master has not", epoch.into());
            }
            (self.copy.log_epoch, self.copy.log) = (epoch, log);
            self.keep(cfg, out);
        }
        if self.copy.log_epoch == epoch {
            out.send(master, Msg::Ack(epoch, self.copy.log.len()));
        }
    }

    fn acked(&mut self, cfg: &Config, slave: NodeId, length: usize, out: &mut Outbox<MasterSlave>) {
        let acked = self.lead.as_mut().and_then(|lead| lead.slaves.get_mut(&slave));
        if let Some(acked) = acked.filter(|acked| **acked < Some(length)) {
            *acked = Some(length);
            self.acknowledge(cfg, out);
        }
    }

    /// Answers every open call that enough slaves have on disk.
    fn acknowledge(&mut self, cfg: &Config, out: &mut Outbox<MasterSlave>) {
        let lead = self.lead.as_mut().expect("only a master acknowledges");
        let acked = || lead.slaves.values().map(|acked| acked.unwrap_or(0));
        let copied = match cfg.mode {
            Mode::Async => self.copy.log.len(),
            Mode::SemiSync => acked().max().unwrap_or(0),
            Mode::Sync => acked().min().unwrap_or(0),
        };
        let waiting = lead.open.split_off(&(copied + 1));
        for (length, call) in std::mem::replace(&mut lead.open, waiting) {
            out.disarm(Timer::Degrade(call));
            out.reply(call, answer(&self.copy.log[..length]));
        }
    }

    /// Acknowledges a call that no slave may have.
    fn degrade(&mut self, call: CallId, out: &mut Outbox<MasterSlave>) {
        let Some(lead) = &mut self.lead else { return };
        let open = lead.open.iter().find(|(_, open)| **open == call).map(|(length, _)| *length);
        if let Some(length) = open {
            lead.open.remove(&length);
            out.reply(call, answer(&self.copy.log[..length]));
        }
    }

    fn keep(&self, cfg: &Config, out: &mut Outbox<MasterSlave>) {
        out.save(Disk::Replica(self.copy.clone()));
        if cfg.syncs {
            out.sync();
        }
    }
}

/// What the last call of a log returns.
fn answer(log: &[Entry]) -> Ret {
    match log.last().map(|entry| &entry.op) {
        Some(Op::Read) => Ret::Value(value(log)),
        _ => Ret::Written,
    }
}

/// What a log has written last.
fn value(log: &[Entry]) -> u16 {
    let written = |entry: &Entry| match entry.op {
        Op::Write(value) => Some(value),
        Op::Read => None,
    };
    log.iter().rev().find_map(written).unwrap_or(0)
}

/// Whether two nodes do not both lead the same epoch.
fn one_master_per_epoch(one: &MasterSlave, other: &MasterSlave) -> bool {
    match (one, other) {
        (MasterSlave::Replica(one), MasterSlave::Replica(other)) => {
            one.lead.is_none() || other.lead.is_none() || one.copy.epoch != other.copy.epoch
        }
        _ => true,
    }
}

/// Whether of two logs of one epoch one is a prefix of the other.
fn logs_are_prefixes(one: &MasterSlave, other: &MasterSlave) -> bool {
    match (one, other) {
        (MasterSlave::Replica(Replica { copy: one, .. }), MasterSlave::Replica(other)) => {
            let other = &other.copy;
            one.log_epoch != other.log_epoch
                || one.log.starts_with(&other.log)
                || other.log.starts_with(&one.log)
        }
        _ => true,
    }
}

/// Whether the master that the monitor has appointed, once it leads, has every acknowledged write.
fn acknowledged_writes_survive(system: &System<MasterSlave>) -> bool {
    let Disk::Monitor(reign) = system.node(MONITOR).durable() else { return true };
    let Some(MasterSlave::Replica(master)) = reign.master.and_then(|node| system.state(node))
    else {
        return true;
    };
    let leads = master.lead.is_some() && master.copy.epoch == reign.epoch;
    let acknowledged = system.history.entries().filter(|entry| entry.ret.is_some());
    !leads || acknowledged.map(|entry| entry.call).all(|call| master.has(call))
}

/// Whether all replicas have the same log.
fn replicas_agree(system: &System<MasterSlave>) -> bool {
    let mut logs = system.states().filter_map(|(_, node)| match node {
        MasterSlave::Replica(replica) => Some(&replica.copy.log),
        MasterSlave::Monitor(_) => None,
    });
    let first = logs.next();
    logs.all(|log| Some(log) == first)
}

/// What a call is to a register, and its answer.
fn as_register(op: &Op, ret: Option<&Ret>) -> Option<RegisterCall> {
    let op = match op {
        Op::Write(value) => register::Op::Write(*value),
        Op::Read => register::Op::Read,
    };
    let ret = ret.map(|ret| match ret {
        Ret::Written => register::Ret::Done,
        Ret::Value(value) => register::Ret::Value(*value),
    });
    Some((op, ret))
}

type RegisterCall = (register::Op<u16>, Option<register::Ret<u16>>);

impl Replica {
    fn has(&self, call: CallId) -> bool {
        self.copy.log.iter().any(|entry| entry.call == call)
    }
}

/// The program of a process: it writes and reads in turn, and tries one founder after the other.
fn script(calls: u32, founders: u8) -> impl Fn(&Turn<'_, MasterSlave>) -> Option<(NodeId, Op)> {
    move |turn| {
        let replica = 1 + turn.number % (u16::from(founders) - 1);
        let op = match (turn.program + turn.number) % 2 {
            0 => Op::Write(100 * (turn.program + 1) + turn.number),
            _ => Op::Read,
        };
        let at = NodeId(u8::try_from(replica).expect("a replica's number"));
        (u32::from(turn.number) < calls).then_some((at, op))
    }
}

/// A scenario: its card, what it claims beyond what every mode does, what is expected, and how its
/// configuration differs.
type Variant = (Card, Claim, Expect, Change);

/// What a scenario claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    /// Only what every mode does.
    Agreement,
    /// Also that calls are linearizable.
    Register,
    /// Also that acknowledged calls are in the log of every later master.
    Survival,
}

fn setup(numbers: &Numbers, claim: Claim, expect: Expect, change: Change) -> Setup<MasterSlave> {
    let founders = numbers.nodes.saturating_sub(numbers.faults.joins).max(2);
    let [nodes, founders] =
        [numbers.nodes, founders].map(|n| u8::try_from(n).expect("numbers are validated"));
    let mut config = Config {
        nodes,
        founders,
        mode: Mode::SemiSync,
        failovers: 1 + 2 * (numbers.faults.crashes / 2),
        degrades: false,
        checks_epoch: true,
        promotes_most_advanced: true,
        syncs: true,
        monitor_syncs: true,
        slaves_answer: false,
    };
    change(&mut config);
    let mut setup = Setup::new(config, numbers, script(numbers.calls, founders));
    setup.nodes_min = 2;
    setup.properties = vec![
        Property::each_pair("one master per epoch", |_, one, other| {
            one_master_per_epoch(one.1, other.1)
        }),
        Property::each_pair("logs are prefixes", |_, one, other| logs_are_prefixes(one.1, other.1)),
        Property::settled("replicas agree", replicas_agree),
    ];
    if claim >= Claim::Register {
        setup.history = HistoryForm::RealTime;
        setup.properties.push(Property::linearizable(Register { initial: 0 }, as_register));
    }
    if claim == Claim::Survival {
        let survive = Property::system("acknowledged writes survive", acknowledged_writes_survive);
        setup.properties.insert(0, survive);
    }
    setup.sometimes = vec![
        "leads",
        "a slave dropped what its master has not",
        "a deposed master's log was refused",
    ];
    if setup.config.mode != Mode::Async {
        setup.sometimes.push("a master was deposed with a call open");
    }
    setup.expect = expect;
    setup
}

/// What a variant changes.
type Change = fn(&mut Config);

fn variants() -> Vec<Variant> {
    let card = |name, about| Card { name, about, small: small(), large: large() };
    let crashing = |card| Card { small: small_with_crashes(), ..card };
    let holds = |card, change: Change| (card, Claim::Survival, Expect::Holds, change);
    let loses = |card, change: Change| {
        (card, Claim::Survival, Expect::Breaks("acknowledged writes survive"), change)
    };
    vec![
        (
            card("master-slave/async", "acknowledges at once: replicas agree in the end"),
            Claim::Agreement,
            Expect::Holds,
            |config| config.mode = Mode::Async,
        ),
        holds(card("master-slave/semi-sync", "waits for one slave: no such write is lost"), |_| {}),
        holds(card("master-slave/sync", "waits for all slaves: no such write is lost"), |config| {
            config.mode = Mode::Sync;
        }),
        loses(card("master-slave/degrading", "semi-sync that stops waiting"), |config| {
            config.degrades = true;
        }),
        loses(card("master-slave/ack-first", "claims what it does not wait for"), |config| {
            config.mode = Mode::Async;
        }),
        loses(card("master-slave/no-epoch", "slaves take a deposed master's log"), |config| {
            config.checks_epoch = false;
        }),
        loses(card("master-slave/promote-behind", "promotes the least advanced"), |config| {
            config.promotes_most_advanced = false;
        }),
        (
            card("master-slave/local-reads", "slaves answer reads, and may be behind"),
            Claim::Register,
            Expect::Breaks("linearizable"),
            |config| config.slaves_answer = true,
        ),
        holds(
            crashing(card("master-slave/crashes", "semi-sync, crashes lose unsynced saves")),
            |_| {},
        ),
        loses(
            crashing(card("master-slave/no-sync", "acknowledges what is not on disk")),
            |config| {
                config.syncs = false;
            },
        ),
        (
            crashing(card("master-slave/monitor-forgets", "appoints what it may forget")),
            Claim::Agreement,
            Expect::Breaks("one master per epoch"),
            |config| config.monitor_syncs = false,
        ),
    ]
}

/// Adds the scenarios.
pub fn scenarios(catalogue: &mut Catalogue) {
    for (card, claim, expect, change) in variants() {
        catalogue.add(card, move |numbers| setup(numbers, claim, expect, change));
    }
}

fn small() -> Numbers {
    let faults = Faults { cancels: 1, joins: 1, ..Faults::default() };
    Numbers { nodes: 4, clients: 1, calls: 2, faults, ..Numbers::default() }
}

fn small_with_crashes() -> Numbers {
    let faults = Faults { duplicates: 1, crashes: 1, torn: 1, lost_saves: 1, ..Faults::default() };
    Numbers { nodes: 3, faults, ..small() }
}

fn large() -> Numbers {
    let faults = Faults {
        duplicates: 4,
        partitions: 3,
        crashes: 2,
        torn: 1,
        lost_saves: 1,
        pauses: 5,
        cancels: 2,
        joins: 1,
        ..Faults::default()
    };
    let cuts = vec![CutKind::Split, CutKind::Isolate, CutKind::OneWay];
    Numbers { nodes: 5, clients: 4, calls: 8, cuts, faults, ..Numbers::default() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::check::{CheckOptions, Verdict, check};

    /// That reads wait for slaves is what makes calls linearizable: without it they are not.
    #[test]
    fn calls_that_do_not_wait_are_not_linearizable() {
        let mut setup =
            setup(&small(), Claim::Survival, Expect::Breaks("linearizable"), |config| {
                config.mode = Mode::Async;
            });
        setup.properties.retain(|property| property.name() == "linearizable");
        let checked = check(&Arc::new(setup), CheckOptions::default());
        assert!(matches!(checked.verdict, Verdict::Violated(_)), "{:?}", checked.verdict);
    }
}
