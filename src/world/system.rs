//! All of a world but what waits: the interpreter of inputs and effects.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::protocol::{
    CallId, Delay, Effect, Input, Mark, NodeId, Outbox, Outcome, ProcessId, Protocol,
};

use super::action::Torn;
use super::record::by_fields;
use super::{
    Cut, Event, Faults, InFlight, Part, Property, Record, Renaming, Seen, Setup, Symmetry, Turn,
    Watch,
};

/// Where things go that have to wait. The checker keeps intervals, the simulator a queue.
pub trait Pending<P: Protocol> {
    /// A message was sent, and no partition has swallowed it.
    fn sent(&mut self, from: NodeId, to: NodeId, msg: P::Msg);
    /// A timer was armed, or armed again.
    fn armed(&mut self, node: NodeId, timer: P::Timer, delay: Delay);
    /// A timer was disarmed.
    fn disarmed(&mut self, node: NodeId, timer: &P::Timer);
    /// A call was made; its process may lose patience.
    fn called(&mut self, program: usize);
    /// A call ended.
    fn ended(&mut self, program: usize);
    /// A node crashed: its timers are gone.
    fn crashed(&mut self, node: NodeId);
    /// A mark was put out.
    fn marked(&mut self, node: NodeId, mark: Mark);
    /// Lets a step read its stopwatches.
    fn show_timers(&self, node: NodeId, out: &mut Outbox<P>);
}

/// Whether a crash tears a step.
pub enum Tearing<'a> {
    /// It does not.
    Not,
    /// It does, so.
    At(Torn),
    /// It does, if the budgets allow it and the step has effects: the function picks one of so many
    /// ways.
    Pick(&'a mut dyn FnMut(usize) -> usize),
}

/// Whether a node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// It has not joined yet.
    Absent,
    /// It has crashed.
    Down,
    /// It takes inputs.
    Up,
    /// It is up and takes no inputs.
    Paused,
}

/// A node: what runs, and what its disk holds.
#[derive(Debug)]
pub struct Node<P: Protocol> {
    /// Whether it runs.
    pub status: Status,
    /// Its state, if it is up or paused.
    pub state: Option<P>,
    durable: P::Disk,
    unsynced: Option<P::Disk>,
    offset: i32,
}

impl<P: Protocol> Node<P> {
    /// The node under other names.
    pub fn renamed(&self, symmetry: &Symmetry<P>, by: &Renaming) -> Node<P> {
        let disk = |disk: &P::Disk| (symmetry.disk)(disk, by);
        Node {
            status: self.status,
            state: self.state.as_ref().map(|state| (symmetry.state)(state, by)),
            durable: disk(&self.durable),
            unsynced: self.unsynced.as_ref().map(disk),
            offset: self.offset,
        }
    }

    /// What the disk would hold after a crash that loses the unsynced saves.
    pub fn durable(&self) -> &P::Disk {
        &self.durable
    }
}

/// A client program and the process that runs it.
pub struct Program<P: Protocol> {
    /// The process.
    pub process: ProcessId,
    /// How many calls the program has made.
    pub made: u16,
    /// The open call, and where it was made.
    pub open: Option<(CallId, NodeId)>,
    /// The last call that ended, and how.
    pub last: Option<(P::Op, Outcome<P::Ret>)>,
}

by_fields!(Program { process, made, open, last });

impl<P: Protocol> Program<P> {
    /// The program under other names.
    pub fn renamed(&self, symmetry: &Symmetry<P>, by: &Renaming) -> Program<P> {
        let outcome = |outcome: &Outcome<P::Ret>| match outcome {
            Outcome::Ok(ret) => Outcome::Ok((symmetry.ret)(ret, by)),
            Outcome::Failed => Outcome::Failed,
            Outcome::Unknown => Outcome::Unknown,
        };
        Program {
            process: by.process(self.process),
            made: self.made,
            open: self.open.map(|(call, node)| (by.call(call), by.node(node))),
            last: self.last.as_ref().map(|(op, end)| ((symmetry.op)(op, by), outcome(end))),
        }
    }
}

/// Nodes, disks, processes, budgets, history and monitors.
pub struct System<P: Protocol> {
    /// What the scenario fixes.
    pub setup: Arc<Setup<P>>,
    /// The nodes. A simulator's are never shared; a checker's are copied before a change.
    pub nodes: Vec<Arc<Node<P>>>,
    /// The client programs.
    pub programs: Vec<Program<P>>,
    /// The partition, if there is one.
    pub cut: Option<Cut>,
    /// What is left of the fault budgets.
    pub left: Faults,
    /// Ticks since the start, where node clocks are read; it stops at the horizon.
    pub now: u32,
    /// The calls.
    pub history: Arc<Record<P>>,
    /// The monitors, in the order of the setup's properties that have one.
    pub monitors: Vec<Box<dyn Watch<P>>>,
    /// The first property that a monitor saw broken, by name, and how.
    pub broken: Option<(&'static str, String)>,
    /// The parts that the interpreter looked at; no part of the state.
    pub seen: Seen,
    pub(super) asked: Vec<Option<P::Op>>,
    /// Whether a program may have become able to call since somebody last looked.
    pub(super) stirred: bool,
}

impl<P: Protocol> System<P> {
    /// A system whose nodes are still to be started.
    pub fn new(setup: Arc<Setup<P>>) -> Self {
        let node = |_| {
            Arc::new(Node {
                status: Status::Absent,
                state: None,
                durable: P::Disk::default(),
                unsynced: None,
                offset: 0,
            })
        };
        let program = |n: u32| Program {
            process: ProcessId(u16::try_from(n).expect("numbers are validated")),
            made: 0,
            open: None,
            last: None,
        };
        let monitors = setup.properties.iter().filter_map(|property| match property {
            Property::Events(_, monitor) => Some(monitor.clone()),
            _ => None,
        });
        System {
            nodes: (0..setup.numbers.nodes).map(node).collect(),
            programs: (0..setup.numbers.clients).map(program).collect(),
            cut: None,
            left: setup.numbers.faults.clone(),
            now: 0,
            history: Arc::new(Record::new(setup.history)),
            monitors: monitors.collect(),
            broken: None,
            asked: vec![None; setup.numbers.clients as usize],
            seen: Seen::default(),
            stirred: true,
            setup,
        }
    }

    /// Starts every node that is there from the beginning, in order; draws the skews first.
    pub fn start(&mut self, out: &mut Outbox<P>, pending: &mut impl Pending<P>) {
        let skew = self.setup.numbers.skew;
        if skew > 0 {
            for node in NodeId::all(self.setup.nodes()) {
                self.node_mut(node).offset = out.choose(skew + 1).cast_signed();
            }
        }
        let there = self.setup.numbers.nodes - self.left.joins.min(self.setup.numbers.nodes);
        for node in NodeId::all(u8::try_from(there).expect("numbers are validated")) {
            self.boot(node, Tearing::Not, out, pending);
        }
        self.eager_calls(out, pending);
    }

    /// Starts a node: at the beginning, after a crash, or when it joins.
    pub fn boot(
        &mut self,
        me: NodeId,
        tearing: Tearing<'_>,
        out: &mut Outbox<P>,
        pending: &mut impl Pending<P>,
    ) -> Option<Torn> {
        let setup = Arc::clone(&self.setup);
        self.stirred = true;
        out.clock = self.clock(me);
        // An outbox that served another step must not show its stopwatches.
        out.timers.clear();
        let node = self.node_mut(me);
        let state = P::boot(&setup.config, me, node.durable.clone(), out);
        node.state = Some(state);
        node.status = Status::Up;
        self.observe(&Event::Booted(me));
        self.perform(me, tearing, out, pending)
    }

    /// Gives a node one input and performs the effects; a torn step ends in a crash.
    pub fn step(
        &mut self,
        me: NodeId,
        input: Input<P>,
        tearing: Tearing<'_>,
        out: &mut Outbox<P>,
        pending: &mut impl Pending<P>,
    ) -> Option<Torn> {
        out.clock = self.clock(me);
        if self.setup.stopwatch {
            pending.show_timers(me, out);
        }
        self.seen.note(Part::Node(me));
        let node = own(&mut self.nodes[me.index()]);
        let state = node.state.as_mut().expect("only a node that is up takes inputs");
        state.step(&self.setup.config, input, out);
        self.perform(me, tearing, out, pending)
    }

    /// Makes a program's next call.
    pub fn call(
        &mut self,
        program: usize,
        (node, op): (NodeId, P::Op),
        tearing: Tearing<'_>,
        out: &mut Outbox<P>,
        pending: &mut impl Pending<P>,
    ) -> Option<Torn> {
        self.seen.note(Part::Calls);
        let caller = &mut self.programs[program];
        assert!(caller.open.is_none(), "{} has an open call", caller.process);
        let call = CallId { process: caller.process, number: caller.made };
        caller.made += 1;
        caller.open = Some((call, node));
        self.asked[program] = Some(op.clone());
        Arc::make_mut(&mut self.history).called(call, node, &op);
        self.observe(&Event::Called(call, node, &op));
        pending.called(program);
        self.step(node, Input::Call(call, op), tearing, out, pending)
    }

    /// Gives a program's open call up.
    pub fn cancel(
        &mut self,
        program: usize,
        tearing: Tearing<'_>,
        out: &mut Outbox<P>,
        pending: &mut impl Pending<P>,
    ) -> Option<Torn> {
        self.seen.note(Part::Calls);
        let (call, node) = self.programs[program].open.expect("only an open call is cancelled");
        let torn = self.step(node, Input::Cancel(call), tearing, out, pending);
        if self.programs[program].open.is_some_and(|(open, _)| open == call) {
            self.end(call, Outcome::Unknown, pending);
        }
        torn
    }

    /// Crashes a node: its state and timers are gone, its open calls end as unknown.
    pub fn crash(&mut self, me: NodeId, loses_saves: bool, pending: &mut impl Pending<P>) {
        let node = self.node_mut(me);
        node.status = Status::Down;
        node.state = None;
        let unsynced = node.unsynced.take();
        if let (Some(disk), false) = (unsynced, loses_saves) {
            node.durable = disk;
        }
        pending.crashed(me);
        self.observe(&Event::Crashed(me));
        self.seen.note(Part::Calls);
        for program in 0..self.programs.len() {
            if let Some((call, _)) = self.programs[program].open.filter(|(_, at)| *at == me) {
                self.end(call, Outcome::Unknown, pending);
            }
        }
    }

    /// Makes the calls of all idle programs, in worlds with eager calls, until none is left.
    pub fn eager_calls(&mut self, out: &mut Outbox<P>, pending: &mut impl Pending<P>) {
        if !self.setup.eager {
            return;
        }
        while let Some((program, next)) =
            (0..self.programs.len()).find_map(|n| Some((n, self.next_call(n)?)))
        {
            self.call(program, next, Tearing::Not, out, pending);
        }
        self.stirred = false;
    }

    /// What a program would call now, if it is idle and the node takes inputs.
    pub fn next_call(&self, program: usize) -> Option<(NodeId, P::Op)> {
        self.seen.note(Part::Calls);
        if self.programs[program].open.is_some() {
            return None;
        }
        let (node, op) = self.scripted(program)?;
        (self.node(node).status == Status::Up).then_some((node, op))
    }

    /// Whether a program has an open call, or would make one if its node were up.
    pub fn unfinished(&self, program: usize) -> bool {
        self.programs[program].open.is_some() || self.scripted(program).is_some()
    }

    /// Where a program without an open call makes the next, once the node takes inputs.
    pub fn next_node(&self, program: usize) -> Option<NodeId> {
        self.scripted(program).map(|(node, _)| node)
    }

    fn scripted(&self, program: usize) -> Option<(NodeId, P::Op)> {
        let caller = &self.programs[program];
        (self.setup.script)(&Turn {
            program: u16::try_from(program).expect("numbers are validated"),
            process: caller.process,
            number: caller.made,
            last: caller.last.as_ref().map(|(op, outcome)| (op, outcome)),
        })
    }

    /// Changes a node's clock, in units.
    pub fn jump(&mut self, node: NodeId, by: i32) {
        self.node_mut(node).offset += by;
    }

    /// A node.
    pub fn node(&self, node: NodeId) -> &Node<P> {
        self.seen.note(Part::Node(node));
        &self.nodes[node.index()]
    }

    /// The state of a node that is up or paused.
    pub fn state(&self, node: NodeId) -> Option<&P> {
        self.node(node).state.as_ref()
    }

    /// The states of all nodes that are up or paused.
    pub fn states(&self) -> impl Iterator<Item = (NodeId, &P)> {
        NodeId::all(self.setup.nodes()).filter_map(|node| Some((node, self.state(node)?)))
    }

    /// Whether a message is cut off now.
    pub fn blocked(&self, from: NodeId, to: NodeId) -> bool {
        if self.setup.numbers.faults.partitions > 0 {
            self.seen.note(Part::Cut);
        }
        self.cut.is_some_and(|cut| cut.blocks(self.setup.nodes(), from, to))
    }

    /// Whether a crash would lose saves.
    pub fn has_unsynced_saves(&self, node: NodeId) -> bool {
        self.node(node).unsynced.is_some()
    }

    /// What a node's clock shows, in units.
    pub fn clock(&self, node: NodeId) -> u32 {
        if self.setup.numbers.horizon > 0 {
            self.seen.note(Part::Now);
        }
        (self.now / self.setup.numbers.scale).saturating_add_signed(self.node(node).offset)
    }

    /// Lets a node take no inputs.
    pub fn pause(&mut self, node: NodeId) {
        self.node_mut(node).status = Status::Paused;
    }

    /// Lets a node take inputs again.
    pub fn resume(&mut self, node: NodeId) {
        self.stirred = true;
        self.node_mut(node).status = Status::Up;
    }

    fn node_mut(&mut self, node: NodeId) -> &mut Node<P> {
        self.seen.note(Part::Node(node));
        own(&mut self.nodes[node.index()])
    }

    /// Performs the effects of a step in their order; a torn step keeps a prefix of them.
    fn perform(
        &mut self,
        me: NodeId,
        tearing: Tearing<'_>,
        out: &mut Outbox<P>,
        pending: &mut impl Pending<P>,
    ) -> Option<Torn> {
        let torn = match tearing {
            Tearing::Not => None,
            Tearing::At(torn) => Some(torn),
            Tearing::Pick(pick) => {
                let options = self.tears(me, &out.effects);
                (!options.is_empty()).then(|| options[pick(options.len())])
            }
        };
        if let Some(torn) = torn {
            self.seen.note(Part::Left);
            self.left.crashes -= 1;
            self.left.torn -= 1;
            self.left.lost_saves -= u32::from(torn.loses_saves);
        }
        let mut effects = std::mem::take(&mut out.effects);
        effects.truncate(torn.map_or(usize::MAX, |torn| torn.kept.into()));
        for effect in effects.drain(..) {
            self.perform_one(me, effect, pending);
        }
        out.effects = effects;
        if let Some(torn) = torn {
            self.crash(me, torn.loses_saves, pending);
        }
        torn
    }

    /// The crashes that may tear a step with these effects, within the budgets.
    pub fn tears(&self, node: NodeId, effects: &[Effect<P>]) -> Vec<Torn> {
        if self.setup.numbers.faults.torn > 0 {
            self.seen.note(Part::Left);
        }
        if self.left.crashes == 0 || self.left.torn == 0 {
            return Vec::new();
        }
        let mut unsynced = self.has_unsynced_saves(node);
        let mut tears = Vec::new();
        for (kept, effect) in (0..).zip(effects) {
            tears.push(Torn { kept, loses_saves: false });
            if unsynced && self.left.lost_saves > 0 {
                tears.push(Torn { kept, loses_saves: true });
            }
            match effect {
                Effect::Save(_) => unsynced = self.setup.numbers.faults.lost_saves > 0,
                Effect::Sync => unsynced = false,
                _ => {}
            }
        }
        tears
    }

    fn perform_one(&mut self, me: NodeId, effect: Effect<P>, pending: &mut impl Pending<P>) {
        match effect {
            Effect::Save(disk) if self.setup.numbers.faults.lost_saves == 0 => {
                self.node_mut(me).durable = disk;
            }
            Effect::Save(disk) => {
                let node = self.node_mut(me);
                node.unsynced = (disk != node.durable).then_some(disk);
            }
            Effect::Sync => {
                let node = self.node_mut(me);
                if let Some(disk) = node.unsynced.take() {
                    node.durable = disk;
                }
            }
            Effect::Send(to, msg) => {
                self.observe(&Event::Sent(me, to, &msg));
                if !self.blocked(me, to) || self.setup.numbers.in_flight == InFlight::Held {
                    pending.sent(me, to, msg);
                }
            }
            Effect::Arm(timer, delay) => pending.armed(me, timer, delay),
            Effect::Disarm(timer) => pending.disarmed(me, &timer),
            Effect::Item(call, ret) => {
                if self.is_open(call) {
                    Arc::make_mut(&mut self.history).item(call, &ret);
                    self.observe(&Event::Item(call, &ret));
                }
            }
            Effect::Reply(call, outcome) => {
                if self.is_open(call) {
                    self.end(call, outcome, pending);
                }
            }
            Effect::Mark(mark) => {
                self.observe(&Event::Marked(me, mark));
                pending.marked(me, mark);
            }
        }
    }

    /// Whether a call is open. An answer to a call that was given up, or whose node crashed, comes
    /// too late; an answer to a call that has been answered is a bug of the protocol.
    fn is_open(&self, call: CallId) -> bool {
        self.seen.note(Part::Calls);
        let program = &self.programs[self.program_of(call)];
        let open = program.open.is_some_and(|(open, _)| open == call);
        assert!(open || program.process != call.process, "{call} was answered before");
        open
    }

    fn program_of(&self, call: CallId) -> usize {
        usize::from(call.process.0) % self.programs.len()
    }

    fn end(&mut self, call: CallId, outcome: Outcome<P::Ret>, pending: &mut impl Pending<P>) {
        self.seen.note(Part::Calls);
        self.stirred = true;
        let index = self.program_of(call);
        Arc::make_mut(&mut self.history).ended(call, &outcome);
        self.observe(&Event::Ended(call, &outcome));
        pending.ended(index);
        let programs = u16::try_from(self.programs.len()).expect("numbers are validated");
        let op = self.asked[index].take().expect("an open call was asked");
        let program = &mut self.programs[index];
        program.open = None;
        if outcome == Outcome::Unknown {
            program.process.0 += programs;
        }
        program.last = Some((op, outcome));
    }

    fn observe(&mut self, event: &Event<'_, P>) {
        for (n, monitor) in self.monitors.iter_mut().enumerate() {
            self.seen.note(Part::Ghosts);
            if let Err(reason) = monitor.watch(&self.setup.config, event) {
                let mut watched = self.setup.properties.iter().filter_map(|p| match p {
                    Property::Events(name, _) => Some(*name),
                    _ => None,
                });
                let name = watched.nth(n).expect("each monitor has its property");
                self.broken.get_or_insert((name, reason));
            }
        }
    }
}

/// A node that is about to change.
fn own<P: Protocol>(node: &mut Arc<Node<P>>) -> &mut Node<P> {
    Arc::get_mut(node).expect("a shared node is copied before a step")
}

impl<P: Protocol + Clone> System<P> {
    /// Makes a node this system's own before it changes.
    pub fn unshare(&mut self, node: NodeId) {
        Arc::make_mut(&mut self.nodes[node.index()]);
    }
}

impl<P: Protocol + Clone> Clone for Node<P> {
    fn clone(&self) -> Self {
        Node {
            status: self.status,
            state: self.state.clone(),
            durable: self.durable.clone(),
            unsynced: self.unsynced.clone(),
            offset: self.offset,
        }
    }
}

impl<P: Protocol + PartialEq> PartialEq for Node<P> {
    fn eq(&self, other: &Self) -> bool {
        self.status == other.status
            && self.state == other.state
            && self.durable == other.durable
            && self.unsynced == other.unsynced
            && self.offset == other.offset
    }
}

impl<P: Protocol> Hash for Node<P> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.status.hash(hasher);
        self.state.hash(hasher);
        self.durable.hash(hasher);
        self.unsynced.hash(hasher);
        self.offset.hash(hasher);
    }
}

impl<P: Protocol> Clone for System<P> {
    fn clone(&self) -> Self {
        System {
            setup: Arc::clone(&self.setup),
            nodes: self.nodes.clone(),
            programs: self.programs.clone(),
            cut: self.cut,
            left: self.left.clone(),
            now: self.now,
            history: Arc::clone(&self.history),
            monitors: self.monitors.clone(),
            broken: self.broken.clone(),
            seen: self.seen.clone(),
            asked: self.asked.clone(),
            stirred: self.stirred,
        }
    }
}

impl<P: Protocol + PartialEq> PartialEq for System<P> {
    fn eq(&self, other: &Self) -> bool {
        self.nodes == other.nodes
            && self.programs == other.programs
            && self.cut == other.cut
            && self.left == other.left
            && self.now == other.now
            && self.history == other.history
            && self.monitors == other.monitors
            && self.broken == other.broken
    }
}

impl<P: Protocol> Hash for System<P> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.nodes.hash(hasher);
        self.programs.hash(hasher);
        self.cut.hash(hasher);
        self.left.hash(hasher);
        self.now.hash(hasher);
        self.history.hash(hasher);
        self.monitors.hash(hasher);
        self.broken.hash(hasher);
    }
}

impl<P: Protocol> fmt::Debug for Program<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} made {} calls", self.process, self.made)?;
        match &self.open {
            Some((call, node)) => write!(f, ", {call} is open at {node}"),
            None => write!(f, ", last {:?}", self.last),
        }
    }
}

impl<P: Protocol> fmt::Debug for System<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_struct("World");
        for (n, node) in self.nodes.iter().enumerate() {
            match &node.state {
                Some(state) => all.field(&format!("n{n}"), state),
                None => all.field(&format!("n{n}"), &node.status),
            };
        }
        for program in &self.programs {
            all.field("program", program);
        }
        if let Some(cut) = self.cut {
            all.field("partition", &cut);
        }
        all.field("faults left", &self.left).field("history", &self.history);
        if !self.monitors.is_empty() {
            all.field("monitors", &self.monitors);
        }
        all.finish()
    }
}
