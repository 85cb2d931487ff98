//! `raft-rs/*`: TiKV's published `raft` crate, hosted as a node of a world.
//!
//! Raft is Ongaro and Ousterhout's (USENIX ATC 2014; Ongaro's thesis, 2014); the text under test is
//! the crate, not ours. A node wraps its `RawNode<MemStorage>` and keeps the contract of its
//! `Ready`: a leader's messages may leave at once (thesis, 10.2.1), everybody else's only after the
//! hard state and the log are on disk. A register is replicated over it. Reads go through the log,
//! too; a call is proposed again until it is applied, and applied once (thesis, 6.3).
//!
//! A library's state can be neither copied nor compared, so these worlds are only simulated. The
//! crate draws its election timeout from the thread's own generator: here the range holds one
//! value, and the jitter comes from the length of a tick, which the world draws.
//!
//! Guaranteed, under losses, duplicates, partitions, pauses, and crashes that tear steps and lose
//! unsynced saves: one leader in a term, a committed entry never changes, the register is
//! linearizable, and calls return once all has healed. Each broken variant forgets one duty of the
//! host, not of the crate: saving, syncing, saving before sending, applying once, or reading
//! through the log.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use protobuf::Message as _;
use raft::eraftpb::{Entry, HardState, Message};
use raft::storage::MemStorage;
use raft::{RawNode, StateRole};
use seedbed::catalogue::{Card, Catalogue};
use seedbed::engine::Runner;
use seedbed::engine::simulate::SimulateOptions;
use seedbed::object::{Object, Register, register};
use seedbed::protocol::{CallId, Delay, Input, NodeId, Outbox, ProcessId, Protocol};
use seedbed::report::SimulateReport;
use seedbed::world::{
    CutKind, Event, Expect, Faults, HistoryForm, Monitor, Numbers, Property, Setup, Turn, digest_of,
};
use serde::{Deserialize, Serialize};

/// Heartbeats come every so many ticks, elections after so many without one.
const HEARTBEAT_TICKS: usize = 2;
const ELECTION_TICKS: usize = 8;
/// How long a tick takes: its spread is what parts the candidates.
const TICK: Delay = Delay { lo: 10, hi: 16 };
/// After so many ticks an open call is proposed again.
const PATIENCE_TICKS: u32 = 3;

const ONE_LEADER: &str = "one leader in a term";
const COMMITTED_STAYS: &str = "committed entries never change";
const NO_PANIC: &str = "the library does not panic";

type Op = register::Op<u16>;
type Ret = register::Ret<u16>;

const REGISTER: Register<u16> = Register { initial: 0 };

/// The switches: each broken variant turns one.
#[derive(Clone, Copy, Debug)]
struct Config {
    nodes: u8,
    pre_vote: bool,
    saves_hard_state: bool,
    saves_log: bool,
    syncs: bool,
    saves_before_sending: bool,
    applies_once: bool,
    reads_through_log: bool,
}

/// A message of the crate's, as it goes over the wire.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Wire(Vec<u8>);

impl Wire {
    fn of(message: &Message) -> Wire {
        Wire(message.write_to_bytes().expect("the crate's messages can be written"))
    }

    fn open(&self) -> Message {
        Message::parse_from_bytes(&self.0).expect("links do not corrupt messages")
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let m = self.open();
        write!(f, "{:?} of term {}", m.get_msg_type(), m.term)?;
        write!(f, " ({}@{}, commit {}", m.index, m.log_term, m.commit)?;
        match m.entries.len() {
            0 => {}
            n => write!(f, ", {n} entries")?,
        }
        write!(f, "{})", if m.reject { ", rejects" } else { "" })
    }
}

/// What a node keeps on its disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Disk {
    term: u64,
    vote: u64,
    commit: u64,
    /// The entries from index 1 on, each as the crate writes it.
    log: Vec<Vec<u8>>,
}

impl Disk {
    fn keep(&mut self, entries: &[Entry]) {
        for entry in entries {
            let at = usize::try_from(entry.index - 1).expect("logs are short");
            self.log.truncate(at);
            self.log.push(entry.write_to_bytes().expect("the crate's entries can be written"));
        }
    }

    fn storage(&self, nodes: u8) -> MemStorage {
        let voters: Vec<u64> = NodeId::all(nodes).map(peer).collect();
        let storage = MemStorage::new_with_conf_state((voters, vec![]));
        let entries = self.log.iter().map(|bytes| Entry::parse_from_bytes(bytes));
        let entries: Vec<_> = entries.map(|entry| entry.expect("a disk keeps entries")).collect();
        let mut hard_state = HardState::default();
        (hard_state.term, hard_state.vote, hard_state.commit) = (self.term, self.vote, self.commit);
        storage.wl().append(&entries).expect("entries are appended to an empty log");
        storage.wl().set_hardstate(hard_state);
        storage
    }
}

/// What is proposed: a call, by its name, so that it can be applied once.
type Command = (CallId, Op);

type Raw = RawNode<MemStorage>;

/// A node: the crate's, and the register that is replicated over it.
struct Raft {
    /// `None` once the library has panicked: then the node does nothing any more.
    raw: Option<Raw>,
    disk: Disk,
    register: u16,
    /// The last call of each process that was applied.
    applied: BTreeMap<ProcessId, u16>,
    applied_term: u64,
    /// The open calls at this node, and the ticks since they were proposed.
    open: BTreeMap<CallId, (Op, u32)>,
    /// The term in which this node last came to lead.
    led: u64,
}

impl Protocol for Raft {
    type Config = Config;
    type Msg = Wire;
    type Timer = ();
    type Disk = Disk;
    type Op = Op;
    type Ret = Ret;

    fn boot(cfg: &Config, me: NodeId, disk: Disk, out: &mut Outbox<Self>) -> Self {
        let config = raft::Config {
            id: peer(me),
            heartbeat_tick: HEARTBEAT_TICKS,
            election_tick: ELECTION_TICKS,
            min_election_tick: ELECTION_TICKS,
            max_election_tick: ELECTION_TICKS + 1,
            max_size_per_msg: 1 << 20,
            pre_vote: cfg.pre_vote,
            check_quorum: cfg.pre_vote,
            ..raft::Config::default()
        };
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let storage = disk.storage(cfg.nodes);
        let raw = within_library(|| RawNode::new(&config, storage, &logger));
        if raw.is_none() {
            out.mark("panics", peer(me));
        }
        if !disk.log.is_empty() {
            out.mark("restarts with a log", peer(me));
        }
        out.arm((), TICK);
        Raft {
            raw: raw.map(|raw| raw.expect("the configuration is valid")),
            disk,
            register: REGISTER.init(),
            applied: BTreeMap::new(),
            applied_term: 0,
            open: BTreeMap::new(),
            led: 0,
        }
    }

    fn step(&mut self, cfg: &Config, input: Input<Self>, out: &mut Outbox<Self>) {
        let Some(mut raw) = self.raw.take() else { return };
        let me = raw.raft.id;
        let stepped = within_library(|| {
            self.take(cfg, &mut raw, input, out);
            self.make_ready(cfg, &mut raw, out);
            raw
        });
        if stepped.is_none() {
            out.mark("panics", me);
        }
        self.raw = stepped;
    }
}

impl Raft {
    fn take(&mut self, cfg: &Config, raw: &mut Raw, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            // An error says that a message was stale or a proposal dropped: both come again.
            Input::Recv(_, wire) => drop(raw.step(wire.open())),
            Input::Fired(()) => {
                raw.tick();
                self.propose_again(raw, out);
                out.arm((), TICK);
            }
            Input::Call(call, Op::Read) if !cfg.reads_through_log => {
                out.reply(call, Ret::Value(self.register));
            }
            Input::Call(call, op) => {
                self.open.insert(call, (op, 0));
                propose(raw, call, op);
            }
            Input::Cancel(call) => drop(self.open.remove(&call)),
        }
    }

    fn propose_again(&mut self, raw: &mut Raw, out: &mut Outbox<Self>) {
        for (call, (op, ticks)) in &mut self.open {
            *ticks = (*ticks + 1) % PATIENCE_TICKS;
            if *ticks == 0 {
                out.mark("proposes again", call.number.into());
                propose(raw, *call, *op);
            }
        }
    }

    /// Does what the crate asks for: save, send, apply, in the order that it demands.
    fn make_ready(&mut self, cfg: &Config, raw: &mut Raw, out: &mut Outbox<Self>) {
        while raw.has_ready() {
            let mut ready = raw.ready();
            if raw.raft.state == StateRole::Leader && self.led < raw.raft.term {
                self.led = raw.raft.term;
                out.mark("leads", self.led);
            }
            send(ready.take_messages(), out);
            let promises = ready.take_persisted_messages();
            if cfg.saves_before_sending {
                self.save(cfg, raw.store(), &ready, out);
                send(promises, out);
            } else {
                send(promises, out);
                self.save(cfg, raw.store(), &ready, out);
            }
            self.apply(cfg, ready.take_committed_entries(), out);
            let mut light = raw.advance(ready);
            if let Some(commit) = light.commit_index() {
                self.disk.commit = commit;
                raw.store().wl().mut_hard_state().commit = commit;
            }
            send(light.take_messages(), out);
            self.apply(cfg, light.take_committed_entries(), out);
            raw.advance_apply();
        }
    }

    /// Hard state and entries go to the crate's storage, where it reads them, and to the disk.
    fn save(
        &mut self,
        cfg: &Config,
        storage: &MemStorage,
        ready: &raft::Ready,
        out: &mut Outbox<Self>,
    ) {
        if ready.hs().is_none() && ready.entries().is_empty() {
            return;
        }
        storage.wl().append(ready.entries()).expect("entries follow one another");
        if let Some(hard_state) = ready.hs() {
            storage.wl().set_hardstate(hard_state.clone());
        }
        if let Some(hard_state) = ready.hs().filter(|_| cfg.saves_hard_state) {
            let disk = &mut self.disk;
            (disk.term, disk.vote) = (hard_state.term, hard_state.vote);
            disk.commit = hard_state.commit;
        }
        if cfg.saves_log {
            self.disk.keep(ready.entries());
        }
        out.save(self.disk.clone());
        // A commit index alone may be lost: the next leader says it again.
        if ready.must_sync() && cfg.syncs {
            out.sync();
        }
    }

    fn apply(&mut self, cfg: &Config, entries: Vec<Entry>, out: &mut Outbox<Self>) {
        for entry in entries {
            let print = digest_of(&(entry.term, entry.data.to_vec())) >> 24;
            out.mark("applies", entry.index << 40 | print);
            if entry.index > 1 && entry.term > self.applied_term {
                out.mark("commits after a change of leader", entry.term);
            }
            self.applied_term = entry.term;
            if !entry.data.is_empty() {
                let (call, op) = serde_json::from_slice(&entry.data).expect("a command");
                self.apply_command(cfg, call, op, out);
            }
        }
    }

    /// Applies a call once, however often it was proposed, and answers it if it was made here.
    fn apply_command(&mut self, cfg: &Config, call: CallId, op: Op, out: &mut Outbox<Self>) {
        let before = self.applied.get(&call.process).is_some_and(|last| *last >= call.number);
        if before && cfg.applies_once {
            out.mark("applied before", call.number.into());
            return;
        }
        let ret = REGISTER.apply(&mut self.register, &op);
        self.applied.insert(call.process, call.number);
        if self.open.remove(&call).is_some() {
            out.reply(call, ret);
        }
    }
}

/// Runs the library's code. It panics where what it is told contradicts what it was promised:
/// `None`, and quietly, since that is an outcome here.
fn within_library<T>(run: impl FnOnce() -> T) -> Option<T> {
    thread_local!(static WITHIN: Cell<bool> = const { Cell::new(false) });
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !WITHIN.get() {
                loud(info);
            }
        }));
    });
    WITHIN.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    WITHIN.set(false);
    result.ok()
}

/// A leader appends the call, a follower forwards it; where no leader is known it is dropped.
fn propose(raw: &mut Raw, call: CallId, op: Op) {
    let command: Command = (call, op);
    let data = serde_json::to_vec(&command).expect("commands are plain data");
    drop(raw.propose(Vec::new(), data));
}

fn peer(node: NodeId) -> u64 {
    u64::from(node.0) + 1
}

fn send(messages: Vec<Message>, out: &mut Outbox<Raft>) {
    for message in messages {
        let to = u8::try_from(message.to - 1).expect("peers are nodes");
        out.send(NodeId(to), Wire::of(&message));
    }
}

impl Hash for Raft {
    /// What can be seen of the crate's state, and all of our own.
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (&self.disk, self.register, &self.applied, self.applied_term).hash(hasher);
        (&self.open, self.led, self.raw.is_some()).hash(hasher);
        let Some(raft) = self.raw.as_ref().map(|raw| &raw.raft) else { return };
        (raft.term, raft.vote, raft.leader_id, raft.state as u8).hash(hasher);
        let log = &raft.raft_log;
        (log.committed, log.applied, log.persisted, log.last_index()).hash(hasher);
        (raft.election_elapsed, raft.randomized_election_timeout()).hash(hasher);
        for (id, progress) in raft.prs().iter().collect::<BTreeMap<_, _>>() {
            (id, progress.matched, progress.next_idx).hash(hasher);
        }
    }
}

impl fmt::Debug for Raft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(raft) = self.raw.as_ref().map(|raw| &raw.raft) else {
            return f.write_str("Raft, after a panic");
        };
        f.debug_struct("Raft")
            .field("role", &raft.state)
            .field("term", &raft.term)
            .field("vote", &raft.vote)
            .field("last", &raft.raft_log.last_index())
            .field("commit", &raft.raft_log.committed)
            .field("register", &self.register)
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

/// Who led in each term.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Leaders(BTreeMap<u64, NodeId>);

impl Monitor<Raft> for Leaders {
    fn observe(&mut self, _: &Config, event: &Event<'_, Raft>) -> Result<(), String> {
        let Event::Marked(node, mark) = event else { return Ok(()) };
        if mark.name != "leads" {
            return Ok(());
        }
        match self.0.insert(mark.value, *node) {
            Some(other) if other != *node => {
                Err(format!("{other} and {node} both lead in term {}", mark.value))
            }
            _ => Ok(()),
        }
    }
}

/// What was applied at each index, by anybody at any time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Committed(BTreeMap<u64, u64>);

impl Monitor<Raft> for Committed {
    fn observe(&mut self, _: &Config, event: &Event<'_, Raft>) -> Result<(), String> {
        let Event::Marked(node, mark) = event else { return Ok(()) };
        if mark.name != "applies" {
            return Ok(());
        }
        let (index, print) = (mark.value >> 40, mark.value & ((1 << 40) - 1));
        match self.0.insert(index, print) {
            Some(before) if before != print => {
                Err(format!("{node} applies another entry at index {index}"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether the crate gave up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Panics;

impl Monitor<Raft> for Panics {
    fn observe(&mut self, _: &Config, event: &Event<'_, Raft>) -> Result<(), String> {
        match event {
            Event::Marked(node, mark) if mark.name == "panics" => {
                Err(format!("the library panics at {node}"))
            }
            _ => Ok(()),
        }
    }
}

/// Writes and reads in turn, at one node after another; no two writes write the same.
fn script(nodes: u8, calls: u16) -> impl Fn(&Turn<'_, Raft>) -> Option<(NodeId, Op)> {
    move |turn| {
        let node = (turn.program + turn.number * 2) % u16::from(nodes);
        let write = Op::Write(turn.program * 100 + turn.number + 1);
        let op = if (turn.program + turn.number) % 2 == 0 { write } else { Op::Read };
        let node = NodeId(u8::try_from(node).expect("few nodes"));
        (turn.number < calls).then_some((node, op))
    }
}

fn setup(numbers: &Numbers, variant: Variant) -> Setup<Raft> {
    let nodes = u8::try_from(numbers.nodes).expect("numbers are validated");
    let calls = u16::try_from(numbers.calls).expect("numbers are validated");
    let mut config = Config {
        nodes,
        pre_vote: false,
        saves_hard_state: true,
        saves_log: true,
        syncs: true,
        saves_before_sending: true,
        applies_once: true,
        reads_through_log: true,
    };
    (variant.change)(&mut config);
    let mut setup = Setup::new(config, numbers, script(nodes, calls));
    setup.history = HistoryForm::RealTime;
    setup.properties = vec![
        Property::events(ONE_LEADER, Leaders::default()),
        Property::events(COMMITTED_STAYS, Committed::default()),
        Property::events(NO_PANIC, Panics),
        Property::linearizable(REGISTER, |op, ret| Some((*op, ret.copied()))),
    ];
    setup.expect = variant.expect;
    if variant.expect == Expect::Holds {
        setup.sometimes = SOMETIMES.to_vec();
    }
    setup
}

/// The interesting cases: without them a pass would mean little.
const SOMETIMES: [&str; 6] = [
    "leads",
    "applies",
    "commits after a change of leader",
    "restarts with a log",
    "proposes again",
    "applied before",
];

/// A scenario: one switch, and what becomes of it.
#[derive(Clone, Copy)]
struct Variant {
    name: &'static str,
    about: &'static str,
    change: fn(&mut Config),
    expect: Expect,
    /// Among so many seeds it is found.
    seeds: u64,
}

const VARIANTS: [Variant; 8] = [
    Variant {
        name: "raft-rs/register",
        about: "TiKV's raft crate under all faults: a linearizable register.",
        change: |_| {},
        expect: Expect::Holds,
        seeds: 300,
    },
    Variant {
        name: "raft-rs/pre-vote",
        about: "The same with pre-votes and leaders that check their quorum.",
        change: |config| config.pre_vote = true,
        expect: Expect::Holds,
        seeds: 300,
    },
    Variant {
        name: "raft-rs/forgets-vote",
        about: "Term and vote are not saved: after a crash a node votes twice in a term.",
        change: |config| config.saves_hard_state = false,
        expect: Expect::Breaks(ONE_LEADER),
        seeds: 2_000,
    },
    Variant {
        name: "raft-rs/forgets-log",
        about: "Entries are not saved: the library sees that one is missing, and panics.",
        change: |config| config.saves_log = false,
        expect: Expect::Breaks(NO_PANIC),
        seeds: 100,
    },
    Variant {
        name: "raft-rs/no-sync",
        about: "Saves are not synced: a crash loses what was promised.",
        change: |config| config.syncs = false,
        expect: Expect::Breaks(NO_PANIC),
        seeds: 300,
    },
    Variant {
        name: "raft-rs/send-before-save",
        about: "A promise leaves before it is on disk, and the crash comes in between.",
        change: |config| config.saves_before_sending = false,
        expect: Expect::Breaks(NO_PANIC),
        seeds: 2_000,
    },
    Variant {
        name: "raft-rs/applies-twice",
        about: "A call that was proposed twice is applied twice: an old write comes back.",
        change: |config| config.applies_once = false,
        expect: Expect::Breaks("linearizable"),
        seeds: 1_000,
    },
    Variant {
        name: "raft-rs/local-read",
        about: "A node reads what it has applied itself: others are ahead of it.",
        change: |config| config.reads_through_log = false,
        expect: Expect::Breaks("linearizable"),
        seeds: 100,
    },
];

fn numbers() -> Numbers {
    Numbers {
        nodes: 3,
        clients: 3,
        calls: 4,
        cuts: vec![CutKind::Isolate, CutKind::OneWay],
        faults: Faults {
            losses: 10,
            duplicates: 10,
            partitions: 2,
            crashes: 4,
            torn: 2,
            lost_saves: 4,
            pauses: 1,
            ..Faults::default()
        },
        ..Numbers::default()
    }
}

/// The scenarios of this file, as a crate of one's own would add them.
fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::new();
    for variant in VARIANTS {
        let Variant { name, about, .. } = variant;
        let card = Card { name, about, small: numbers(), large: numbers() };
        catalogue.add_simulated(card, move |numbers| setup(numbers, variant));
    }
    catalogue
}

fn simulate(variant: Variant, check_determinism: bool) -> SimulateReport {
    let catalogue = catalogue();
    let scenario = catalogue.get(variant.name).expect("it was just added");
    let options = SimulateOptions {
        seeds: 0..variant.seeds,
        jobs: 2,
        until_failure: false,
        lift: 0,
        check_determinism,
        progress: false,
    };
    let numbers = &scenario.card().large;
    scenario.simulate(numbers, Runner::Fast, &options).expect("it can be simulated")
}

/// Under all faults nothing is broken, every interesting case is met, and a seed fixes everything,
/// although the library has a source of chance of its own.
#[test]
fn the_published_raft_crate_holds() {
    for variant in VARIANTS.into_iter().filter(|variant| variant.expect == Expect::Holds) {
        let report = simulate(variant, true);
        let broken = report.violations.iter().map(|v| (v.seed, &v.property, &v.reason));
        let broken = broken.collect::<Vec<_>>();
        assert!(broken.is_empty(), "{}: {broken:?}", variant.name);
        assert!(report.nondeterministic.is_empty(), "{:?}", report.nondeterministic);
        for mark in SOMETIMES {
            assert!(report.marks.contains(mark), "{}: no run {mark}", variant.name);
        }
        assert!(report.changed_by_faults * 3 > report.runs, "faults change too little: {report}");
    }
}

/// Each duty of the host is needed: without it the promised property breaks within some seeds.
#[test]
fn a_careless_host_is_found() {
    for variant in VARIANTS {
        let Expect::Breaks(property) = variant.expect else { continue };
        let report = simulate(variant, false);
        let found = report.violations.iter().filter(|v| v.property == property);
        let seeds: Vec<_> = found.map(|v| v.seed).collect();
        assert!(!seeds.is_empty(), "{}: {report}", variant.name);
        let (name, all) = (variant.name, variant.seeds);
        println!("{name}: {property} breaks in {} of {all}, first {}", seeds.len(), seeds[0]);
    }
}
