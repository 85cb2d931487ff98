//! Lazy release consistency: what was written before a lock was released is seen by whoever takes
//! the lock next, and not before.
//!
//! Keleher, Cox and Zwaenepoel, Lazy release consistency for software distributed shared memory
//! (ISCA 1992), with the distributed lock queues of TreadMarks (Keleher, Cox, Dwarkadas and
//! Zwaenepoel, USENIX 1994). Every node has a copy of every page, and one process. Acquiring or
//! releasing a lock ends an *interval* of the node; a vector *clock* says which intervals a node
//! knows of. An acquire is sent to the lock's manager, which forwards it to whoever asked last;
//! that node grants the lock when it has released it, and with it the *write notices* of all
//! intervals that it knows of and the acquirer does not: which pages were written. The acquirer
//! takes its copies of these pages for invalid. When it next touches such a page it fetches the
//! *diffs*, the words that were written, from their writers and applies them in the order of
//! their clocks. Since diffs are of words, two nodes may write one page at a time.
//!
//! Guarantees: a read returns no value that was overwritten *before* it, where before is program
//! order and each release before later acquires of its lock, for every program. A program without
//! races, in which a lock guards every variable, therefore finds the memory sequentially
//! consistent. Links may delay and reorder, partitions heal, nodes pause. Nothing is lost,
//! duplicated or crashes: a token or a diff exists once.
//!
//! Acquires return the number of their grant, and releases that of the grant that they end, so a
//! history says by itself what came before what. `no-transitive-notices` passes on only the
//! granter's own notices: what it had heard from others gets lost on the way. In `racy` processes
//! read what another lock guards: the memory keeps its promise, but is not sequential.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::catalogue::{Card, Catalogue};
use crate::history::SyncKind;
use crate::object::Kv;
use crate::protocol::{CallId, Input, NodeId, Outbox, Protocol};
use crate::world::{Expect, Faults, HistoryForm, Numbers, Property, Setup, Turn};

use super::variables::{self, Data, Var};

/// The number of a lock. The script lets each variable have the lock of its number.
pub type Lock = u8;
/// The number of a page.
pub type PageId = u8;
/// How often a lock has been granted.
pub type Generation = u32;

/// How many variables there are on a page: two, so that writers of different ones share it.
const WORDS: Var = 2;

fn page_of(var: Var) -> PageId {
    var / WORDS
}

/// The size, and the switches.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How many nodes there are.
    pub nodes: u8,
    /// How many variables, and locks.
    pub vars: Var,
    /// Whether a grant carries notices of intervals other than the granter's.
    pub transitive: bool,
    /// Whether a diff has only the words that were written.
    pub word_diffs: bool,
    /// Whether diffs are applied in the order of their clocks.
    pub ordered_diffs: bool,
    /// Whether processes read under the lock that guards what they read.
    pub guarded_reads: bool,
}

impl Config {
    fn manager(&self, lock: Lock) -> NodeId {
        NodeId(lock % self.nodes)
    }
}

/// Which intervals of each node are known: all up to this number.
pub type Clock = Vec<u32>;

/// The name of an interval: whose it is, and its number there, from 1.
pub type IntervalId = (NodeId, u32);

/// An interval in which something was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Interval {
    /// What its node knew of when it ended, itself included.
    pub clock: Clock,
    /// The pages that were written: its write notices.
    pub pages: BTreeSet<PageId>,
}

/// The words of a page that an interval wrote, and what.
pub type Diff = BTreeMap<Var, Data>;

/// What nodes send each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Msg {
    /// To a lock's manager: let me have it; this is what I know of.
    Acquire(Lock, Clock),
    /// To whoever asked before: let this node have it when you are done.
    Forward(Lock, NodeId, Clock),
    /// The lock is yours; this is what you did not know of.
    Grant(Lock, Generation, Clock, BTreeMap<IntervalId, Interval>),
    /// What did these intervals of yours write on the page?
    Fetch(PageId, Vec<u32>),
    /// This.
    Diffs(PageId, Vec<(u32, Diff)>),
}

/// What a process may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Op {
    /// Take the lock.
    Acquire(Lock),
    /// Give it back.
    Release(Lock),
    /// What does the variable hold?
    Read(Var),
    /// Let it hold this.
    Write(Var, Data),
}

/// What a call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ret {
    /// The lock was granted so many times, this time included.
    Acquired(Generation),
    /// This grant of the lock is over.
    Released(Generation),
    /// This is what the variable holds.
    Value(Data),
    /// It is written.
    Done,
}

/// What a node knows of a lock.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Token {
    /// At the manager: who asked last.
    last: NodeId,
    /// Whether the token is here, and how often it was granted.
    here: Option<Generation>,
    /// Whether the node's process is inside.
    held: bool,
    /// Who gets it next, and what that node knows of.
    next: Option<(NodeId, Clock)>,
}

/// A copy of a page.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Page {
    words: Diff,
    /// What this interval has written.
    dirty: BTreeSet<Var>,
    /// Intervals whose diffs are not applied; the copy is valid if there is none.
    missing: BTreeSet<IntervalId>,
    /// Whose diffs are under way, and what has come of them.
    awaits: BTreeSet<NodeId>,
    fetched: BTreeMap<IntervalId, Diff>,
}

impl Page {
    fn new(id: PageId) -> Page {
        let (dirty, missing, awaits) = Default::default();
        let words = (id * WORDS..(id + 1) * WORDS).map(|var| (var, 0)).collect();
        Page { words, dirty, missing, awaits, fetched: BTreeMap::new() }
    }
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LazyRelease {
    me: NodeId,
    clock: Clock,
    intervals: BTreeMap<IntervalId, Interval>,
    /// What this node's own intervals wrote.
    diffs: BTreeMap<(PageId, u32), Diff>,
    pages: Vec<Page>,
    tokens: Vec<Token>,
    /// The process's call.
    waiting: Option<(CallId, Op)>,
}

impl Protocol for LazyRelease {
    type Config = Config;
    type Msg = Msg;
    type Timer = ();
    type Disk = ();
    type Op = Op;
    type Ret = Ret;

    fn boot(cfg: &Config, me: NodeId, (): (), _: &mut Outbox<Self>) -> Self {
        let token = |lock| {
            let manager = cfg.manager(lock);
            let here = (manager == me).then_some(0);
            Token { last: manager, here, held: false, next: None }
        };
        LazyRelease {
            me,
            clock: vec![0; usize::from(cfg.nodes)],
            intervals: BTreeMap::new(),
            diffs: BTreeMap::new(),
            pages: (0..cfg.vars.div_ceil(WORDS)).map(Page::new).collect(),
            tokens: (0..cfg.vars).map(token).collect(),
            waiting: None,
        }
    }

    fn step(&mut self, cfg: &Config, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Call(call, Op::Acquire(lock)) => self.acquire(cfg, call, lock, out),
            Input::Call(call, Op::Release(lock)) => self.release(cfg, call, lock, out),
            Input::Call(call, op) => {
                self.waiting = Some((call, op));
                self.access(out);
            }
            Input::Recv(from, Msg::Acquire(lock, clock)) => {
                self.asked(cfg, lock, (from, clock), out);
            }
            Input::Recv(_, Msg::Forward(lock, who, clock)) => {
                self.forwarded(cfg, lock, (who, clock), out);
            }
            Input::Recv(from, Msg::Grant(lock, generation, clock, intervals)) => {
                self.learn(from, &clock, intervals, out);
                self.granted(cfg, lock, generation, out);
            }
            Input::Recv(from, Msg::Fetch(page, numbers)) => {
                let diff = |number| (number, self.diffs[&(page, number)].clone());
                out.send(from, Msg::Diffs(page, numbers.into_iter().map(diff).collect()));
            }
            Input::Recv(from, Msg::Diffs(page, diffs)) => {
                self.fetched(cfg, (page, from), diffs, out)
            }
            Input::Cancel(_) => self.waiting = None,
            Input::Fired(()) => {}
        }
    }
}

impl LazyRelease {
    /// A lock that nobody has asked for since is taken again without a word.
    fn acquire(&mut self, cfg: &Config, call: CallId, lock: Lock, out: &mut Outbox<Self>) {
        self.end_interval(cfg);
        self.waiting = Some((call, Op::Acquire(lock)));
        let token = &self.tokens[usize::from(lock)];
        let (manager, request) = (cfg.manager(lock), self.clock.clone());
        match token.here {
            Some(generation) if token.next.is_none() => {
                out.mark("a lock is still here", lock.into());
                self.granted(cfg, lock, generation + 1, out);
            }
            _ if manager == self.me => self.asked(cfg, lock, (self.me, request), out),
            _ => out.send(manager, Msg::Acquire(lock, request)),
        }
    }

    /// At the manager: a node asks for the lock.
    fn asked(&mut self, cfg: &Config, lock: Lock, who: (NodeId, Clock), out: &mut Outbox<Self>) {
        let token = &mut self.tokens[usize::from(lock)];
        let before = std::mem::replace(&mut token.last, who.0);
        if before == self.me {
            self.forwarded(cfg, lock, who, out);
        } else {
            out.send(before, Msg::Forward(lock, who.0, who.1));
        }
    }

    /// At whoever asked before: lets the lock go, now or when it is released.
    fn forwarded(&mut self, cfg: &Config, lock: Lock, to: (NodeId, Clock), out: &mut Outbox<Self>) {
        let token = &mut self.tokens[usize::from(lock)];
        if token.held || token.here.is_none() {
            out.mark("a process waits for a lock", lock.into());
        }
        token.next = Some(to);
        self.pass_on(cfg, lock, out);
    }

    /// Grants the lock to whoever is next, if it is here and free.
    fn pass_on(&mut self, cfg: &Config, lock: Lock, out: &mut Outbox<Self>) {
        let token = &mut self.tokens[usize::from(lock)];
        let (Some(generation), false) = (token.here, token.held) else { return };
        let Some((to, known)) = token.next.take() else { return };
        token.here = None;
        let unknown = |(writer, number): &IntervalId| {
            *number > known[writer.index()] && (cfg.transitive || *writer == self.me)
        };
        let notices = self.intervals.iter().filter(|(id, _)| unknown(id));
        let notices = notices.map(|(id, interval)| (*id, interval.clone())).collect();
        out.send(to, Msg::Grant(lock, generation + 1, self.clock.clone(), notices));
    }

    /// The lock is here. If its process has given up, the next one may have it.
    fn granted(
        &mut self,
        cfg: &Config,
        lock: Lock,
        generation: Generation,
        out: &mut Outbox<Self>,
    ) {
        let token = &mut self.tokens[usize::from(lock)];
        token.here = Some(generation);
        match self.waiting {
            Some((call, Op::Acquire(awaited))) if awaited == lock => {
                token.held = true;
                self.waiting = None;
                out.reply(call, Ret::Acquired(generation));
            }
            _ => {
                // It counts as none, so that each grant has its release.
                token.here = Some(generation - 1);
                self.pass_on(cfg, lock, out);
            }
        }
    }

    fn release(&mut self, cfg: &Config, call: CallId, lock: Lock, out: &mut Outbox<Self>) {
        let token = &mut self.tokens[usize::from(lock)];
        let (Some(generation), true) = (token.here, token.held) else { return out.fail(call) };
        token.held = false;
        self.end_interval(cfg);
        out.reply(call, Ret::Released(generation));
        self.pass_on(cfg, lock, out);
    }

    /// Ends an interval; one in which nothing was written needs no name.
    fn end_interval(&mut self, cfg: &Config) {
        let pages = (0..).zip(&self.pages).filter(|(_, page)| !page.dirty.is_empty());
        let pages: BTreeSet<PageId> = pages.map(|(id, _)| id).collect();
        if pages.is_empty() {
            return;
        }
        let own = &mut self.clock[self.me.index()];
        *own += 1;
        let number = *own;
        for id in &pages {
            let page = &mut self.pages[usize::from(*id)];
            let dirty = std::mem::take(&mut page.dirty);
            let mut diff = page.words.clone();
            diff.retain(|var, _| dirty.contains(var) || !cfg.word_diffs);
            self.diffs.insert((*id, number), diff);
        }
        let interval = Interval { clock: self.clock.clone(), pages };
        self.intervals.insert((self.me, number), interval);
    }

    /// Takes notices: the pages that were written are not valid here any more.
    fn learn(
        &mut self,
        from: NodeId,
        clock: &Clock,
        intervals: BTreeMap<IntervalId, Interval>,
        out: &mut Outbox<Self>,
    ) {
        for (known, theirs) in self.clock.iter_mut().zip(clock) {
            *known = (*known).max(*theirs);
        }
        for (id, interval) in intervals {
            if id.0 != from {
                out.mark("a notice is passed on", id.0.0.into());
            }
            for page in &interval.pages {
                self.pages[usize::from(*page)].missing.insert(id);
            }
            self.intervals.insert(id, interval);
        }
    }

    /// Makes the process's access if its page is valid; if not, fetches what is missing.
    fn access(&mut self, out: &mut Outbox<Self>) {
        let Some((call, op @ (Op::Read(var) | Op::Write(var, _)))) = self.waiting else { return };
        let id = page_of(var);
        let page = &mut self.pages[usize::from(id)];
        if !page.awaits.is_empty() {
            return;
        }
        if !page.missing.is_empty() {
            let mut wanted: BTreeMap<NodeId, Vec<u32>> = BTreeMap::new();
            for (writer, number) in &page.missing {
                wanted.entry(*writer).or_default().push(*number);
            }
            page.awaits = wanted.keys().copied().collect();
            for (writer, numbers) in wanted {
                out.send(writer, Msg::Fetch(id, numbers));
            }
            return;
        }
        self.waiting = None;
        if let Op::Write(_, data) = op {
            page.words.insert(var, data);
            page.dirty.insert(var);
            out.reply(call, Ret::Done);
        } else {
            out.reply(call, Ret::Value(page.words[&var]));
        }
    }

    /// Diffs have come; when all have, they are applied. What one interval knew of has a smaller
    /// clock, so the sum of a clock orders diffs of one word.
    fn fetched(
        &mut self,
        cfg: &Config,
        (id, from): (PageId, NodeId),
        diffs: Vec<(u32, Diff)>,
        out: &mut Outbox<Self>,
    ) {
        let page = &mut self.pages[usize::from(id)];
        page.fetched.extend(diffs.into_iter().map(|(number, diff)| ((from, number), diff)));
        page.awaits.remove(&from);
        if !page.awaits.is_empty() {
            return;
        }
        let mut fetched: Vec<_> = std::mem::take(&mut page.fetched).into_iter().collect();
        let clock = |id: &IntervalId| &self.intervals[id].clock;
        if fetched
            .iter()
            .any(|(one, _)| fetched.iter().any(|(two, _)| apart(clock(one), clock(two))))
        {
            out.mark("diffs of two writers are merged", id.into());
        }
        if cfg.ordered_diffs {
            fetched.sort_by_key(|(id, _)| (clock(id).iter().sum::<u32>(), *id));
        }
        for (interval, diff) in fetched {
            page.missing.remove(&interval);
            page.words.extend(diff);
        }
        out.mark("a page becomes valid again", id.into());
        self.access(out);
    }
}

/// Whether neither interval knew of the other.
fn apart(one: &Clock, two: &Clock) -> bool {
    one.iter().zip(two).any(|(a, b)| a < b) && one.iter().zip(two).any(|(a, b)| a > b)
}

const LAZY: &str = "lazy-release";
const SEQUENTIAL: &str = "sequential";

/// An access to a variable, as the judges see it.
fn as_access(op: &Op, ret: Option<&Ret>) -> Option<variables::Called> {
    match (*op, ret) {
        (Op::Write(var, data), ret) => Some(variables::write(var, data, ret.is_some())),
        (Op::Read(var), Some(Ret::Value(data))) => Some(variables::read(var, Some(*data))),
        _ => None,
    }
}

/// One order of all accesses explains what was read.
pub(super) fn sequential() -> Property<LazyRelease> {
    Property::consistent(SEQUENTIAL, Kv, as_access)
}

/// A read returns no write that comes after it, nor one that another overwrote before it, where
/// before is program order and each release before the later acquires of its lock.
pub(super) fn lazily_released() -> Property<LazyRelease> {
    let as_called = |op: &Op, ret: Option<&Ret>| match (*op, ret) {
        (Op::Acquire(lock), Some(Ret::Acquired(grant))) => {
            Some(variables::acquire(lock, Some(*grant)))
        }
        (Op::Release(lock), Some(Ret::Released(grant))) => Some(variables::release(lock, *grant)),
        _ => as_access(op, ret),
    };
    let label = |op: &Op| match *op {
        Op::Acquire(lock) => Some(variables::label(lock, SyncKind::Acquire)),
        Op::Release(lock) => Some(variables::label(lock, SyncKind::Release)),
        Op::Read(_) | Op::Write(..) => None,
    };
    Property::labelled(LAZY, Kv, as_called, label)
}

/// Sections of three calls: acquire, access, release. A program goes from variable to variable, and
/// writes and reads in turn; the first programs begin with writing, the others with reading.
fn script(
    config: Config,
    numbers: &Numbers,
) -> impl Fn(&Turn<'_, LazyRelease>) -> Option<(NodeId, Op)> + use<> {
    let Numbers { nodes, clients, calls, .. } = *numbers;
    let vars = u32::from(config.vars);
    move |turn| {
        let (program, number) = (u32::from(turn.program), u32::from(turn.number));
        let section = number / 3;
        let var = (program + section) % vars;
        let writes = (program < vars) == section.is_multiple_of(2);
        let lock = if writes || config.guarded_reads { var } else { (var + 1) % vars };
        let op = match number % 3 {
            0 => Op::Acquire(lock as Lock),
            1 if writes => Op::Write(var as Var, 1 + program + clients * section),
            1 => Op::Read(var as Var),
            _ => Op::Release(lock as Lock),
        };
        (number < calls).then_some((NodeId((program % nodes) as u8), op))
    }
}

pub(super) fn setup(numbers: &Numbers, variant: impl Fn(Config) -> Config) -> Setup<LazyRelease> {
    let nodes = u8::try_from(numbers.nodes).expect("numbers are validated");
    let config = variant(Config {
        nodes,
        vars: 2,
        transitive: true,
        word_diffs: true,
        ordered_diffs: true,
        guarded_reads: true,
    });
    Setup {
        history: HistoryForm::ProgramOrder,
        ..Setup::new(config, numbers, script(config, numbers))
    }
}

/// The world that the checker exhausts.
pub(super) fn small() -> Numbers {
    let faults = Faults { partitions: 1, ..Faults::default() };
    Numbers { nodes: 3, clients: 3, calls: 6, faults, ..Numbers::default() }
}

/// Adds the scenarios. A node has one process, so there are as many of these.
pub fn scenarios(catalogue: &mut Catalogue) {
    let small = small();
    let faults = Faults { partitions: 3, pauses: 3, ..Faults::default() };
    let large = Numbers { nodes: 4, clients: 4, calls: 24, faults, ..Numbers::default() };
    let card = |name, about| Card { name, about, small: small.clone(), large: large.clone() };
    let correct = "Locks bring news of what was written: race-free programs see one order.";
    catalogue.add(card("lazy-release/correct", correct), |numbers| Setup {
        properties: vec![lazily_released(), sequential()],
        sometimes: vec![
            "a lock is still here",
            "a notice is passed on",
            "a page becomes valid again",
            "a process waits for a lock",
            "diffs of two writers are merged",
        ],
        ..setup(numbers, |config| config)
    });
    let intransitive = "A grant brings only the granter's own news: what it had heard gets lost.";
    catalogue.add(card("lazy-release/no-transitive-notices", intransitive), |numbers| Setup {
        properties: vec![lazily_released()],
        expect: Expect::Breaks(LAZY),
        ..setup(numbers, |config| Config { transitive: false, ..config })
    });
    let whole = "Whole pages are sent for diffs: words come back that others have overwritten.";
    catalogue.add(card("lazy-release/whole-pages", whole), |numbers| Setup {
        properties: vec![lazily_released()],
        expect: Expect::Breaks(LAZY),
        ..setup(numbers, |config| Config { word_diffs: false, ..config })
    });
    let unordered = "Diffs are applied writer by writer: an overwritten word comes back.";
    catalogue.add(card("lazy-release/unordered-diffs", unordered), |numbers| Setup {
        properties: vec![lazily_released()],
        expect: Expect::Breaks(LAZY),
        ..setup(numbers, |config| Config { ordered_diffs: false, ..config })
    });
    let racy = "Reads under another variable's lock: the memory is not sequential then.";
    catalogue.add(card("lazy-release/racy", racy), |numbers| Setup {
        properties: vec![lazily_released(), sequential()],
        expect: Expect::Breaks(SEQUENTIAL),
        ..setup(numbers, |config| Config { guarded_reads: false, ..config })
    });
}
