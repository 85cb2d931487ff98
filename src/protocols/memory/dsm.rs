//! Distributed shared memory: pages that move between nodes, under a central manager.
//!
//! Li and Hudak, Memory coherence in shared virtual memory systems (PODC 1986; TOCS 7(4), 1989),
//! the centralized manager algorithm of IVY. Node 0 is the manager; every other node is a processor
//! that has, for each page, no access, read access or write access. An access that it lacks is a
//! *page fault*: it asks the manager, which knows each page's owner and who has a copy, and serves
//! one fault of a page at a time. For a read the owner sends a copy and keeps one to read. For a
//! write the manager first has every copy *invalidated* and waits for all that had one to say so;
//! then the owner gives up the page to the writer. The processor confirms when the page has
//! arrived, and only then the manager serves the page's next fault. (The paper's improved manager
//! leaves the copy sets to the owners, which spares the confirmation; the dynamic managers have no
//! central node.)
//!
//! Guarantees: one writer or many readers of each page, so each read returns what was written last
//! and the memory is linearizable, over links that delay and reorder at will, across partitions
//! that heal, pauses, and processes that give their calls up. It does not survive loss, duplicates
//! or crashes: there is one valid copy of a page that is being written, and nobody asks twice.
//!
//! The broken variants show what each wait is for. `raw` is shared memory without coherence: pages
//! are copied and nothing is invalidated, so a reader reads on in an old copy. In `ivy-no-ack` the
//! manager does not wait until copies are gone: one is still read while the page is written. In
//! `ivy-no-confirm` it does not wait until a copy has come: the invalidation overtakes the copy. In
//! `ivy-forgets-readers` it does not write down who got a copy, so that nobody invalidates it: an
//! entry of the directory that is changed and not written back, which is what a checker of Chou,
//! Chelf, Engler and Heinrich looks for in the handlers of the FLASH machine ("Using Meta-level
//! Compilation to Check FLASH Protocol Code", ASPLOS 2000).

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::catalogue::{Card, Catalogue};
use crate::object::Kv;
use crate::protocol::{CallId, Input, NodeId, Outbox, Protocol};
use crate::world::{Expect, Faults, HistoryForm, Numbers, Property, Setup, Turn};

use super::variables::{self, Data};

const MANAGER: NodeId = NodeId(0);
const FIRST_PROCESSOR: u8 = 1;

/// The number of a page. A page is one word here.
pub type PageId = u8;

/// The size, and the switches.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How many nodes there are, the manager included.
    pub nodes: u8,
    /// How many pages; they belong to the processors in turn, at first.
    pub pages: PageId,
    /// Whether copies are invalidated before a page is written.
    pub invalidates: bool,
    /// Whether the manager waits until they are.
    pub awaits_invalidations: bool,
    /// Whether the manager waits until a reader has its copy.
    pub awaits_readers: bool,
    /// Whether the manager notes who gets a copy.
    pub notes_readers: bool,
}

impl Config {
    fn first_owner(&self, page: PageId) -> NodeId {
        NodeId(FIRST_PROCESSOR + page % (self.nodes - FIRST_PROCESSOR))
    }
}

/// What a processor may do with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Access {
    /// Nothing.
    Nil,
    /// Read it.
    Read,
    /// Read and write it.
    Write,
}

/// What nodes send each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Msg {
    /// To the manager: I have a fault, and need this access.
    Query(PageId, Access),
    /// To a processor with a copy: drop it.
    Invalidate(PageId),
    /// To the manager: it is dropped.
    Invalidated(PageId),
    /// To the owner: let this processor have this access.
    Forward(PageId, Access, NodeId),
    /// From the owner: here you are.
    Page(PageId, Access, Data),
    /// To the manager: it has come.
    Confirm(PageId, Access),
}

/// What a process may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Op {
    /// What is on the page?
    Read(PageId),
    /// Let this be on the page.
    Write(PageId, Data),
}

impl Op {
    fn page(self) -> PageId {
        let (Op::Read(page) | Op::Write(page, _)) = self;
        page
    }

    fn needs(self) -> Access {
        if matches!(self, Op::Read(_)) { Access::Read } else { Access::Write }
    }
}

/// What a call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ret {
    /// This is on the page.
    Value(Data),
    /// It is written.
    Done,
}

/// A fault that the manager serves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Fault {
    who: NodeId,
    access: Access,
    /// Who has not yet said that its copy is gone.
    copies_left: BTreeSet<NodeId>,
}

/// What the manager knows of a page.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Info {
    owner: NodeId,
    copies: BTreeSet<NodeId>,
    /// The page's lock.
    serves: Option<Fault>,
    queue: VecDeque<(NodeId, Access)>,
}

/// A processor's entry of its page table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Page {
    access: Access,
    data: Data,
    /// Calls that wait for more access, in order.
    waiting: VecDeque<(CallId, Op)>,
    /// Whether the manager has been asked for it.
    asked: bool,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Dsm {
    /// Node 0.
    Manager(Vec<Info>),
    /// Every other node.
    Processor {
        /// Its name.
        me: NodeId,
        /// Its page table.
        pages: Vec<Page>,
    },
}

impl Protocol for Dsm {
    type Config = Config;
    type Msg = Msg;
    type Timer = ();
    type Disk = ();
    type Op = Op;
    type Ret = Ret;

    fn boot(cfg: &Config, me: NodeId, (): (), _: &mut Outbox<Self>) -> Self {
        let info = |page| Info {
            owner: cfg.first_owner(page),
            copies: BTreeSet::new(),
            serves: None,
            queue: VecDeque::new(),
        };
        let entry = |page| Page {
            access: if cfg.first_owner(page) == me { Access::Write } else { Access::Nil },
            data: 0,
            waiting: VecDeque::new(),
            asked: false,
        };
        if me == MANAGER {
            Dsm::Manager((0..cfg.pages).map(info).collect())
        } else {
            Dsm::Processor { me, pages: (0..cfg.pages).map(entry).collect() }
        }
    }

    fn step(&mut self, cfg: &Config, input: Input<Self>, out: &mut Outbox<Self>) {
        match (self, input) {
            (Dsm::Manager(pages), Input::Recv(from, msg)) => manage(pages, cfg, from, msg, out),
            (Dsm::Processor { me, pages }, Input::Recv(_, msg)) => process(pages, *me, msg, out),
            (Dsm::Processor { pages, .. }, Input::Call(call, op)) => {
                let page = &mut pages[usize::from(op.page())];
                page.waiting.push_back((call, op));
                page.go_on(op.page(), out);
            }
            (Dsm::Processor { pages, .. }, Input::Cancel(call)) => {
                // It has not happened, and now it never will.
                out.fail(call);
                for (id, page) in (0..).zip(pages) {
                    page.waiting.retain(|(waiting, _)| *waiting != call);
                    page.go_on(id, out);
                }
            }
            (Dsm::Manager(_), Input::Call(call, _)) => out.fail(call),
            (Dsm::Manager(_), Input::Cancel(_)) | (_, Input::Fired(())) => {}
        }
    }
}

/// A message to the manager.
fn manage(pages: &mut [Info], cfg: &Config, from: NodeId, msg: Msg, out: &mut Outbox<Dsm>) {
    match msg {
        Msg::Query(page, access) => {
            let info = &mut pages[usize::from(page)];
            info.queue.push_back((from, access));
            if info.serves.is_some() {
                out.mark("a fault waits for another", from.0.into());
            }
            info.serve(cfg, page, out);
        }
        Msg::Invalidated(page) => {
            let info = &mut pages[usize::from(page)];
            let fault = info.serves.as_mut();
            if fault.is_some_and(|fault| fault.copies_left.remove(&from)) {
                info.forward(cfg, page, out);
            }
        }
        Msg::Confirm(page, access) => {
            let info = &mut pages[usize::from(page)];
            if info.serves.as_ref().is_some_and(|f| (f.who, f.access) == (from, access)) {
                info.serves = None;
            }
            info.serve(cfg, page, out);
        }
        Msg::Invalidate(_) | Msg::Forward(..) | Msg::Page(..) => {}
    }
}

impl Info {
    /// Takes up the next fault, unless one is being served.
    fn serve(&mut self, cfg: &Config, page: PageId, out: &mut Outbox<Dsm>) {
        if self.serves.is_some() {
            return;
        }
        let Some((who, access)) = self.queue.pop_front() else { return };
        let mut copies_left = BTreeSet::new();
        if access == Access::Write && cfg.invalidates {
            let others = self.copies.iter().copied().filter(|copy| *copy != who);
            let others: BTreeSet<NodeId> = others.collect();
            out.broadcast(others.iter().copied(), Msg::Invalidate(page));
            if cfg.awaits_invalidations {
                copies_left = others;
            }
        }
        self.serves = Some(Fault { who, access, copies_left });
        self.forward(cfg, page, out);
    }

    /// Tells the owner to let the page go, once no copy is in the way.
    fn forward(&mut self, cfg: &Config, page: PageId, out: &mut Outbox<Dsm>) {
        let Some(Fault { who, access, copies_left }) = &self.serves else { return };
        if !copies_left.is_empty() {
            return;
        }
        out.send(self.owner, Msg::Forward(page, *access, *who));
        if *access == Access::Write {
            self.owner = *who;
            self.copies.clear();
        } else {
            if cfg.notes_readers {
                self.copies.insert(*who);
            }
            if !cfg.awaits_readers {
                self.serves = None;
                self.serve(cfg, page, out);
            }
        }
    }
}

/// A message to a processor.
fn process(pages: &mut [Page], me: NodeId, msg: Msg, out: &mut Outbox<Dsm>) {
    match msg {
        Msg::Invalidate(id) => {
            let page = &mut pages[usize::from(id)];
            if page.access == Access::Read {
                out.mark("a reader's copy is invalidated", id.into());
            }
            page.access = Access::Nil;
            out.send(MANAGER, Msg::Invalidated(id));
        }
        // The owner has a fault of its own: it may read, and asked to write.
        Msg::Forward(id, access, who) if who == me => {
            out.mark("an owner becomes a writer again", id.into());
            pages[usize::from(id)].install(id, access, out);
        }
        Msg::Forward(id, access, who) => {
            let page = &mut pages[usize::from(id)];
            // Only where the manager does not wait can a page be asked of one that has none.
            if page.access != Access::Nil {
                page.access = if access == Access::Read { Access::Read } else { Access::Nil };
                out.send(who, Msg::Page(id, access, page.data));
            }
        }
        Msg::Page(id, access, data) => {
            let page = &mut pages[usize::from(id)];
            if access == Access::Write {
                out.mark("ownership moves", id.into());
            }
            page.data = data;
            page.install(id, access, out);
        }
        Msg::Query(..) | Msg::Invalidated(_) | Msg::Confirm(..) => {}
    }
}

impl Page {
    /// The access that was asked for has come.
    fn install(&mut self, id: PageId, access: Access, out: &mut Outbox<Dsm>) {
        self.access = access;
        self.asked = false;
        out.send(MANAGER, Msg::Confirm(id, access));
        self.go_on(id, out);
    }

    /// Makes the accesses that are allowed, in order; the first that is not is a fault.
    fn go_on(&mut self, id: PageId, out: &mut Outbox<Dsm>) {
        while let Some((call, op)) = self.waiting.front().copied() {
            if self.access < op.needs() {
                if !self.asked {
                    self.asked = true;
                    out.send(MANAGER, Msg::Query(id, op.needs()));
                }
                return;
            }
            self.waiting.pop_front();
            match op {
                Op::Read(_) => out.reply(call, Ret::Value(self.data)),
                Op::Write(_, data) => {
                    self.data = data;
                    out.reply(call, Ret::Done);
                }
            }
        }
    }
}

const COHERENT: &str = "one writer or many readers";
const BOOKS: &str = "the manager knows every copy";
const LINEARIZABLE: &str = "linearizable";

/// Whoever may write a page is alone with it, and all who may read it read the same.
fn coherent() -> Property<Dsm> {
    Property::each_pair(COHERENT, |_, (_, one): (NodeId, &Dsm), (_, other)| {
        let (Dsm::Processor { pages: ours, .. }, Dsm::Processor { pages: theirs, .. }) =
            (one, other)
        else {
            return true;
        };
        ours.iter().zip(theirs).all(|(our, their)| match (our.access, their.access) {
            (Access::Nil, _) | (_, Access::Nil) => true,
            (Access::Read, Access::Read) => our.data == their.data,
            (Access::Write, _) | (_, Access::Write) => false,
        })
    })
}

/// Whoever has access to a page is its owner or in its copy set.
fn books() -> Property<Dsm> {
    Property::each_pair(BOOKS, |_, (_, one): (NodeId, &Dsm), (_, other)| {
        let (Dsm::Manager(infos), Dsm::Processor { me, pages }) = (one, other) else {
            return true;
        };
        infos.iter().zip(pages).all(|(info, page)| {
            let is_leaving = info.serves.as_ref().is_some_and(|f| f.access == Access::Write);
            page.access == Access::Nil
                || info.owner == *me
                || info.copies.contains(me)
                || is_leaving
        })
    })
}

/// Each page is a register of its own; 0 is what nobody has written.
fn linearizable() -> Property<Dsm> {
    Property::linearizable(Kv, |op: &Op, ret: Option<&Ret>| {
        Some(match (*op, ret) {
            (Op::Write(page, data), ret) => variables::write(page, data, ret.is_some()),
            (Op::Read(page), Some(Ret::Value(data))) => variables::read(page, Some(*data)),
            (Op::Read(page), _) => variables::read(page, None),
        })
    })
}

/// Each program writes a page once and reads one twice, in turn; each begins at another point.
fn script(
    config: Config,
    numbers: &Numbers,
) -> impl Fn(&Turn<'_, Dsm>) -> Option<(NodeId, Op)> + use<> {
    let Numbers { clients, calls, .. } = *numbers;
    let processors = u32::from(config.nodes - FIRST_PROCESSOR);
    move |turn| {
        let (program, number) = (u32::from(turn.program), u32::from(turn.number));
        let page = ((program / 2 + number / 2) % u32::from(config.pages)) as PageId;
        let op = if (program + number).is_multiple_of(3) {
            Op::Write(page, 1 + program + clients * number)
        } else {
            Op::Read(page)
        };
        let home = NodeId(FIRST_PROCESSOR + (program % processors) as u8);
        (number < calls).then_some((home, op))
    }
}

/// A variant; in the small world there is one page.
fn setup(numbers: &Numbers, variant: impl Fn(Config) -> Config) -> Setup<Dsm> {
    let config = variant(Config {
        nodes: u8::try_from(numbers.nodes).expect("numbers are validated"),
        pages: (numbers.clients / 3).clamp(1, 3) as PageId,
        invalidates: true,
        awaits_invalidations: true,
        awaits_readers: true,
        notes_readers: true,
    });
    Setup {
        history: HistoryForm::RealTime,
        nodes_min: 2,
        ..Setup::new(config, numbers, script(config, numbers))
    }
}

/// Adds the scenarios.
pub fn scenarios(catalogue: &mut Catalogue) {
    let faults = Faults { partitions: 1, ..Faults::default() };
    let small = Numbers { nodes: 3, clients: 2, calls: 4, faults, ..Numbers::default() };
    let faults = Faults { partitions: 3, pauses: 3, cancels: 3, ..Faults::default() };
    let large = Numbers { nodes: 6, clients: 7, calls: 8, faults, ..Numbers::default() };
    let card = |name, about| Card { name, about, small: small.clone(), large: large.clone() };
    let ivy = "One writer or many readers of each page: what is read was written last.";
    catalogue.add(card("dsm/ivy", ivy), |numbers| Setup {
        properties: vec![coherent(), books(), linearizable()],
        sometimes: vec![
            "a fault waits for another",
            "a reader's copy is invalidated",
            "an owner becomes a writer again",
            "ownership moves",
        ],
        ..setup(numbers, |config| config)
    });
    let raw = "Copies are never invalidated: a reader reads on in an old one.";
    catalogue.add(card("dsm/raw", raw), |numbers| Setup {
        properties: vec![linearizable()],
        expect: Expect::Breaks(LINEARIZABLE),
        ..setup(numbers, |config| Config { invalidates: false, ..config })
    });
    let no_confirm = "Nobody waits until a copy has come: its invalidation overtakes it.";
    catalogue.add(card("dsm/ivy-no-confirm", no_confirm), |numbers| Setup {
        properties: vec![coherent()],
        expect: Expect::Breaks(COHERENT),
        ..setup(numbers, |config| Config { awaits_readers: false, ..config })
    });
    let no_ack = "Nobody waits until copies are gone: one is read while the page is written.";
    catalogue.add(card("dsm/ivy-no-ack", no_ack), |numbers| Setup {
        properties: vec![coherent()],
        expect: Expect::Breaks(COHERENT),
        ..setup(numbers, |config| Config { awaits_invalidations: false, ..config })
    });
    let unnoted = "The manager does not note who gets a copy: nobody invalidates that one.";
    catalogue.add(card("dsm/ivy-forgets-readers", unnoted), |numbers| Setup {
        properties: vec![books()],
        expect: Expect::Breaks(BOOKS),
        ..setup(numbers, |config| Config { notes_readers: false, ..config })
    });
}
