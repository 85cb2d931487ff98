//! One run: one seed.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::engine::verify::{Examiner, Rest, Violation};
use crate::protocol::{CallId, Chance, Checkable, Input, NodeId, Outbox, Protocol};
use crate::world::{
    Action, Cut, Digest, Happening, InFlight, Property, Setup, Status, System, Tearing, Torn, World,
};

use super::agenda::Entry;
use super::faults::{Plan, Planned, below, chance, pick};
use super::queue::{Due, Queue};

/// The property that open calls finish once all has healed.
pub const CALLS_RETURN: &str = "every call returns once all has healed";

/// What one seed did.
#[derive(Debug)]
pub struct Run<P: Protocol> {
    /// The log: every event, and the ticks between them.
    pub trace: Vec<Action<P>>,
    /// A digest over tick, action and state of every event.
    pub digest: u64,
    /// Events, ticks left out.
    pub events: u64,
    /// Messages that arrived.
    pub messages: u64,
    /// What was broken first.
    pub violation: Option<Violation>,
    /// What is open, where nothing was broken and not everything was judged.
    pub undecided: Option<String>,
    /// How often each kind of fault happened.
    pub faults: BTreeMap<&'static str, u64>,
    /// The marks that were put out.
    pub marks: BTreeSet<&'static str>,
    /// A digest over how each program's calls ended.
    pub outcomes: u64,
    /// The seed, where the same seed without the faults is the same run but for them.
    pub seed: Option<u64>,
    /// The world into which the log lifts.
    pub world: Arc<Setup<P>>,
}

/// Judges a world where it comes to rest.
type AtRest<P> = fn(&Examiner<P>, &World<P>) -> Rest;

impl<P: Protocol> Run<P> {
    /// Whether some call ended otherwise than it would have without the faults. If any happened,
    /// the seed is run once more without them.
    pub fn changed_by_faults(&self) -> bool {
        let without = |seed| Simulator::new(&self.world, seed).without_faults().run(None).outcomes;
        let seed = self.seed.filter(|_| !self.faults.is_empty());
        seed.is_some_and(|seed| without(seed) != self.outcomes)
    }
}

/// Runs one seed.
pub fn run<P: Checkable>(setup: &Arc<Setup<P>>, seed: u64) -> Run<P> {
    Simulator::new(setup, seed).run(Some(Examiner::rest))
}

/// The same for a protocol whose states can't be compared: whether a world has come to rest can't
/// be told.
pub fn run_restless<P: Protocol>(setup: &Arc<Setup<P>>, seed: u64) -> Run<P> {
    Simulator::new(setup, seed).run(None)
}

/// The streams of chance: one for each purpose.
fn stream(seed: u64, purpose: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(purpose);
    rng
}

struct Simulator<P: Protocol> {
    setup: Arc<Setup<P>>,
    system: System<P>,
    queue: Queue<P>,
    out: Outbox<P>,
    plan: Plan,
    faults: ChaCha8Rng,
    processes: ChaCha8Rng,
    examiner: Examiner<P>,
    digest: Digest,
    handled: u64,
    healed: bool,
    keeps_log: bool,
    judges_state: bool,
    run: Run<P>,
}

impl<P: Protocol> Simulator<P> {
    fn new(setup: &Arc<Setup<P>>, seed: u64) -> Self {
        let mut faults = stream(seed, 1);
        let numbers = &setup.numbers;
        let steps = 10 + u64::from(numbers.clients * numbers.calls) * u64::from(numbers.nodes);
        let plan = Plan::draw(&mut faults, &numbers.faults, steps);
        use Property::{History, Promised, Settled};
        let reads_state = |p: &Property<P>| !matches!(p, History(..) | Settled(..) | Promised(..));
        Simulator {
            setup: Arc::clone(setup),
            system: System::new(Arc::clone(setup)),
            queue: Queue::new(setup, stream(seed, 2), stream(seed, 3)),
            out: Outbox::new(Chance::Drawn(Box::new(stream(seed, 4)))),
            plan,
            faults,
            processes: stream(seed, 5),
            examiner: Examiner::new(setup),
            digest: Digest::default(),
            handled: 0,
            healed: false,
            keeps_log: true,
            judges_state: setup.properties.iter().any(reads_state),
            run: Run {
                trace: Vec::new(),
                digest: 0,
                events: 0,
                messages: 0,
                violation: None,
                undecided: None,
                faults: BTreeMap::new(),
                marks: BTreeSet::new(),
                outcomes: 0,
                seed: Some(seed),
                world: Arc::clone(setup),
            },
        }
    }

    /// The same seed without faults: only how its calls end is of interest.
    fn without_faults(self) -> Self {
        Simulator { plan: self.plan.without_faults(), keeps_log: false, ..self }
    }

    fn run(mut self, at_rest: Option<AtRest<P>>) -> Run<P> {
        self.system.start(&mut self.out, &mut self.queue);
        self.log(Happening::Start, None, None);
        for program in 0..self.system.programs.len() {
            self.think(program);
        }
        let work = self.setup.numbers.clients * self.setup.numbers.calls + 1;
        let most = 200 + u64::from(work) * u64::from(self.setup.numbers.nodes) * 40;
        self.until_done(most);
        self.heal();
        self.until_done(self.handled + most);
        self.conclude(at_rest)
    }

    /// Handles what falls due until all programs are done and every planned fault has happened, or
    /// something is broken, or so many things have fallen due.
    fn until_done(&mut self, most: u64) {
        while self.run.violation.is_none() && self.handled < most {
            let planned = !self.healed && !self.plan.by_step.is_empty();
            let settling = self.healed && self.settles();
            if !planned && !settling && self.programs_done() {
                return;
            }
            let Some((passed, entry)) = self.queue.next() else { return };
            self.handled += 1;
            self.pass(passed);
            self.handle(entry);
        }
    }

    fn settles(&self) -> bool {
        self.setup.properties.iter().any(|property| matches!(property, Property::Settled(..)))
    }

    fn programs_done(&self) -> bool {
        (0..self.system.programs.len()).all(|program| !self.system.unfinished(program))
    }

    fn pass(&mut self, ticks: u64) {
        if ticks > 0 && self.setup.timed() {
            let horizon = u64::from(self.setup.ticks(self.setup.numbers.horizon));
            self.system.now = u32::try_from(self.queue.now.min(horizon)).expect("horizons fit");
            if !self.keeps_log {
                return;
            }
            let ticks = u32::try_from(ticks).expect("validated times fit");
            match self.run.trace.last_mut() {
                Some(Action { did: Happening::Tick(before), .. }) => *before += ticks,
                _ => self.run.trace.push(Happening::Tick(ticks).into()),
            }
        }
    }

    /// One thing that fell due.
    fn handle(&mut self, entry: Entry) {
        match entry.what {
            Due::Message(slot) => self.message(slot, entry),
            Due::Timer(slot) => {
                let Some((node, _)) = self.queue.timer(slot) else {
                    self.queue.take_timer(slot);
                    return;
                };
                if self.system.node(node).status != Status::Up {
                    return self.queue.park(entry);
                }
                let (node, timer) = self.queue.take_timer(slot).expect("it was just seen");
                let happening = Happening::Fire(node, timer.clone());
                self.step(node, Input::Fired(timer), happening);
            }
            Due::Call(program) => self.call(program.into()),
            Due::Cancel(program, number) => self.cancel(program.into(), number),
            Due::Heal => {
                if self.system.cut.take().is_some() {
                    self.log(Happening::Heal, None, None);
                    self.queue.unpark();
                }
            }
            Due::Restart(node) => {
                if self.system.node(node).status == Status::Down {
                    self.boot(node, Happening::Restart(node));
                }
            }
            Due::Resume(node) => {
                if self.system.node(node).status == Status::Paused {
                    self.system.resume(node);
                    self.log(Happening::Resume(node), None, None);
                    self.queue.unpark();
                }
            }
        }
    }

    fn message(&mut self, slot: u32, entry: Entry) {
        let Some(message) = self.queue.message(slot) else {
            self.queue.take_message(slot);
            return;
        };
        let (from, to) = (message.from, message.to);
        let held = self.setup.numbers.in_flight == InFlight::Held && self.system.blocked(from, to);
        if held || self.system.node(to).status != Status::Up {
            return self.queue.park(entry);
        }
        let message = self.queue.take_message(slot).expect("it was just seen");
        self.run.messages += 1;
        let happening = Happening::Deliver(from, to, message.msg.clone());
        self.step(to, Input::Recv(from, message.msg), happening);
    }

    fn call(&mut self, program: usize) {
        if self.system.programs[program].open.is_some() {
            return;
        }
        let Some((node, op)) = self.system.next_call(program) else {
            // Its node is down: it tries again, unless it is done.
            if self.system.unfinished(program) {
                self.queue.add(self.setup.numbers.scale.into(), Due::Call(program_id(program)));
            }
            return;
        };
        let caller = &self.system.programs[program];
        let call = CallId { process: caller.process, number: caller.made };
        self.ready_outbox();
        let next = (node, op.clone());
        let torn = self.stepping(|system, tearing, out, queue| {
            system.call(program, next, tearing, out, queue)
        });
        self.after_step(node, Happening::Call(call, node, op), torn);
    }

    fn cancel(&mut self, program: usize, number: u16) {
        let Some((call, node)) = self.system.programs[program].open else { return };
        let up = self.system.node(node).status == Status::Up;
        if call.number != number || !up || self.healed || self.system.left.cancels == 0 {
            return;
        }
        self.system.left.cancels -= 1;
        self.count("cancelled calls");
        self.ready_outbox();
        let torn = self
            .stepping(|system, tearing, out, queue| system.cancel(program, tearing, out, queue));
        self.after_step(node, Happening::Cancel(call), torn);
    }

    fn boot(&mut self, node: NodeId, happening: Happening<P>) {
        self.ready_outbox();
        let torn =
            self.stepping(|system, tearing, out, queue| system.boot(node, tearing, out, queue));
        self.after_step(node, happening, torn);
        self.queue.unpark();
    }

    fn step(&mut self, node: NodeId, input: Input<P>, happening: Happening<P>) {
        self.ready_outbox();
        let torn = self
            .stepping(|system, tearing, out, queue| system.step(node, input, tearing, out, queue));
        self.after_step(node, happening, torn);
    }

    /// Takes a step, and tears it where that is planned and the step has effects.
    fn stepping<F>(&mut self, step: F) -> Option<Torn>
    where
        F: FnOnce(&mut System<P>, Tearing<'_>, &mut Outbox<P>, &mut Queue<P>) -> Option<Torn>,
    {
        let due = self.tear_is_due();
        let faults = &mut self.faults;
        let mut pick_one = |ways: usize| pick(faults, ways);
        let tearing = if due { Tearing::Pick(&mut pick_one) } else { Tearing::Not };
        let torn = step(&mut self.system, tearing, &mut self.out, &mut self.queue);
        if torn.is_some() {
            self.plan.tears.pop();
        }
        torn
    }

    fn ready_outbox(&mut self) {
        self.out.draws.clear();
        self.queue.fresh.clear();
    }

    /// What follows every step: the log, the checks, what the network does to the messages that
    /// were just sent, and the faults that are due.
    fn after_step(&mut self, node: NodeId, happening: Happening<P>, torn: Option<Torn>) {
        if torn.is_some() {
            self.crashed(node);
        }
        self.log(happening, Some(node), torn);
        self.programs_go_on();
        self.network();
        if !self.healed {
            self.planned_faults(node);
        }
    }

    fn log(&mut self, did: Happening<P>, node: Option<NodeId>, torn: Option<Torn>) {
        self.system.eager_calls(&mut self.out, &mut self.queue);
        self.run.events += 1;
        if self.keeps_log {
            let draws = self.out.draws.iter().map(|draw| draw.taken).collect();
            let action = Action { did, draws, torn };
            self.queue.now.hash(&mut self.digest);
            action.hash(&mut self.digest);
            if let Some(state) = node.and_then(|node| self.system.state(node)) {
                state.hash(&mut self.digest);
            }
            self.run.trace.push(action);
        }
        self.out.draws.clear();
        for mark in self.queue.marks.drain(..) {
            self.run.marks.insert(mark.name);
        }
        if self.judges_state && self.run.violation.is_none() {
            // A world starts with all of its nodes at once.
            let started = if self.run.events == 1 { self.setup.nodes() } else { 0 };
            let mut changed = NodeId::all(started).chain(node);
            self.run.violation = self
                .examiner
                .system(&self.system)
                .or_else(|| changed.find_map(|node| self.examiner.node(&self.system, node)));
        }
    }

    /// Lets programs whose call ended think about the next, and those that made one get impatient.
    fn programs_go_on(&mut self) {
        if self.queue.ended.is_empty() && self.queue.called.is_empty() {
            return;
        }
        let mut ended = std::mem::take(&mut self.queue.ended);
        ended.drain(..).for_each(|program| self.think(program.into()));
        let mut called = std::mem::take(&mut self.queue.called);
        for program in called.drain(..) {
            if self.system.left.cancels > 0
                && chance(&mut self.processes, self.plan.cancels_in_1000)
            {
                let units = self.setup.numbers.patience + self.some_units(30);
                let number = self.system.programs[usize::from(program)].made - 1;
                self.queue.add(self.setup.ticks(units).into(), Due::Cancel(program, number));
            }
        }
        (self.queue.ended, self.queue.called) = (ended, called);
    }

    fn think(&mut self, program: usize) {
        if !self.setup.eager {
            let ticks = below(&mut self.processes, 4 * u64::from(self.setup.numbers.scale));
            self.queue.add(ticks, Due::Call(program_id(program)));
        }
    }

    /// Loses and duplicates what was just sent.
    fn network(&mut self) {
        let rates = self.plan.losses_in_1000 + self.plan.duplicates_in_1000;
        let left = self.system.left.losses + self.system.left.duplicates;
        if self.healed || rates == 0 || left == 0 {
            return;
        }
        let mut fresh = self.queue.take_fresh();
        for slot in fresh.drain(..) {
            let Some(message) = self.queue.message(slot).filter(|m| m.from != m.to) else {
                continue;
            };
            let (from, to) = (message.from, message.to);
            if self.system.left.duplicates > 0
                && chance(&mut self.faults, self.plan.duplicates_in_1000)
            {
                self.system.left.duplicates -= 1;
                let msg = self.queue.duplicate(slot);
                self.count("duplicates");
                self.log(Happening::Duplicate(from, to, msg), None, None);
            } else if self.system.left.losses > 0
                && chance(&mut self.faults, self.plan.losses_in_1000)
            {
                self.system.left.losses -= 1;
                let msg = self.queue.drop_message(slot);
                self.count("losses");
                self.log(Happening::Lose(from, to, msg), None, None);
            }
        }
        self.queue.fresh = fresh;
    }

    /// Whether a crash is planned to tear a step now.
    fn tear_is_due(&mut self) -> bool {
        let due = self.plan.tears.last().is_some_and(|step| *step <= self.run.events);
        due && !self.healed
    }

    fn loses_saves(&mut self) -> bool {
        let may = self.system.left.lost_saves > 0;
        may && chance(&mut self.faults, self.plan.lost_saves_in_1000)
    }

    /// The faults that are due after this step.
    fn planned_faults(&mut self, node: NodeId) {
        while let Some((_, due)) = self.plan.by_step.pop_if(|(step, _)| *step <= self.run.events) {
            due.into_iter().for_each(|fault| self.fault(fault, node));
        }
    }

    fn fault(&mut self, fault: Planned, last: NodeId) {
        let nodes = self.setup.nodes();
        // The node that just took a step is the one in the middle of things.
        let node = if chance(&mut self.faults, 500) {
            last
        } else {
            NodeId(u8::try_from(below(&mut self.faults, nodes.into())).expect("few nodes"))
        };
        let status = self.system.node(node).status;
        let running = matches!(status, Status::Up | Status::Paused);
        match fault {
            Planned::Crash if running && self.system.left.crashes > 0 => {
                self.system.left.crashes -= 1;
                let loses = self.system.has_unsynced_saves(node) && self.loses_saves();
                self.system.left.lost_saves -= u32::from(loses);
                self.system.crash(node, loses, &mut self.queue);
                self.crashed(node);
                self.log(Happening::Crash(node, loses), None, None);
                self.programs_go_on();
            }
            Planned::Pause if status == Status::Up && self.system.left.pauses > 0 => {
                self.system.left.pauses -= 1;
                self.count("pauses");
                self.system.pause(node);
                self.log(Happening::Pause(node), None, None);
                let longest = if self.setup.timed() { self.setup.numbers.pause } else { 0 };
                let ticks = if longest > 0 {
                    below(&mut self.faults, u64::from(self.setup.ticks(longest)) + 1)
                } else {
                    u64::from(self.some_units(60)) * u64::from(self.setup.numbers.scale)
                };
                self.queue.add(ticks, Due::Resume(node));
            }
            Planned::Partition if self.system.cut.is_none() && self.system.left.partitions > 0 => {
                self.partition();
            }
            Planned::Jump if status != Status::Absent && self.system.left.jumps > 0 => {
                self.jump(node);
            }
            Planned::Join => {
                let mut absent = NodeId::all(nodes).filter(|n| self.is_absent(*n));
                if let Some(node) = absent.next().filter(|_| self.system.left.joins > 0) {
                    self.system.left.joins -= 1;
                    self.boot(node, Happening::Join(node));
                }
            }
            _ => {}
        }
    }

    fn is_absent(&self, node: NodeId) -> bool {
        self.system.node(node).status == Status::Absent
    }

    fn partition(&mut self) {
        let cuts = Cut::all(&self.setup.numbers.cuts, self.setup.nodes());
        if cuts.is_empty() {
            return;
        }
        let cut = cuts[pick(&mut self.faults, cuts.len())];
        self.system.left.partitions -= 1;
        self.system.cut = Some(cut);
        self.count("partitions");
        if self.setup.numbers.in_flight == InFlight::Dropped {
            let nodes = self.setup.nodes();
            self.queue.drop_blocked(|from, to| cut.blocks(nodes, from, to));
        }
        self.log(Happening::Partition(cut), None, None);
        let ticks = u64::from(self.some_units(60)) * u64::from(self.setup.numbers.scale);
        self.queue.add(ticks, Due::Heal);
    }

    fn jump(&mut self, node: NodeId) {
        let most = i32::try_from(self.setup.numbers.jump).expect("numbers are validated");
        if most == 0 {
            return;
        }
        let width = u64::try_from(2 * most).expect("it is positive");
        let drawn = i32::try_from(below(&mut self.faults, width)).expect("below a number");
        let by = if drawn < most { drawn - most } else { drawn - most + 1 };
        self.system.left.jumps -= 1;
        self.count("jumps");
        self.system.jump(node, by);
        self.log(Happening::Jump(node, by), None, None);
    }

    /// A node has crashed: it restarts after a while.
    fn crashed(&mut self, node: NodeId) {
        self.count("crashes");
        let ticks = u64::from(self.some_units(40)) * u64::from(self.setup.numbers.scale);
        self.queue.add(ticks, Due::Restart(node));
    }

    fn some_units(&mut self, most: u64) -> u32 {
        u32::try_from(1 + below(&mut self.faults, most)).expect("a small number")
    }

    fn count(&mut self, kind: &'static str) {
        *self.run.faults.entry(kind).or_default() += 1;
    }

    /// Ends all faults, and lets the nodes join that have not: from here on, what was promised for
    /// the end must come.
    fn heal(&mut self) {
        if self.run.violation.is_some() {
            return;
        }
        self.healed = true;
        if self.system.cut.take().is_some() {
            self.log(Happening::Heal, None, None);
        }
        for node in NodeId::all(self.setup.nodes()) {
            match self.system.node(node).status {
                Status::Paused => {
                    self.system.resume(node);
                    self.log(Happening::Resume(node), None, None);
                }
                Status::Down => self.boot(node, Happening::Restart(node)),
                Status::Absent if self.system.left.joins > 0 => {
                    self.system.left.joins -= 1;
                    self.boot(node, Happening::Join(node));
                }
                Status::Up | Status::Absent => {}
            }
        }
        self.queue.heal();
    }

    /// Judges what only the end shows.
    fn conclude(mut self, at_rest: Option<AtRest<P>>) -> Run<P> {
        if self.run.violation.is_none() {
            self.run.violation = self.examiner.history(&self.system.history);
        }
        if self.examiner.undecided() > 0 {
            self.run.undecided = Some(GAVE_UP.to_owned());
        }
        if self.run.violation.is_none() && self.keeps_log && self.programs_done() {
            self.judge_rest(at_rest);
        }
        if self.run.violation.is_none() && self.setup.finishes && !self.programs_done() {
            self.run.violation = Some(Violation::new(CALLS_RETURN, waiting(&self.system)));
        }
        self.run.digest = self.digest.finish();
        self.run.outcomes = outcomes(&self.system);
        self.run
    }

    /// Lets the world come to rest, as the checker does, and judges what it settles on. The run has
    /// gone on, after healing, until its limit of events; it may not have come to rest by then.
    fn judge_rest(&mut self, at_rest: Option<AtRest<P>>) {
        if !self.settles() {
            return;
        }
        let rest = at_rest.map(|judge| {
            let world = self.queue.world(self.system.clone());
            judge(&self.examiner, &world)
        });
        match rest {
            Some(Rest::Holds) => {}
            Some(Rest::Breaks(violation)) => self.run.violation = Some(violation),
            Some(Rest::Unsettled(name)) => self.run.undecided = Some(unsettled(name)),
            None => {
                let reason = "states that can't be compared are never seen to come to rest";
                self.run.undecided = Some(reason.to_owned());
            }
        }
    }
}

/// What is open where a judge gave up.
pub const GAVE_UP: &str = "a judge gave up on the history";

/// What is open where a world did not come to rest.
pub fn unsettled(property: &str) -> String {
    format!("{property}: the world did not come to rest")
}

/// Which programs are not done, and what each waits for.
fn waiting<P: Protocol>(system: &System<P>) -> String {
    let unfinished = (0..system.programs.len()).filter(|program| system.unfinished(*program));
    let reasons = unfinished.map(|n| match system.programs[n].open {
        Some((call, node)) => format!("{call} is open at {node}"),
        None => match system.next_node(n) {
            Some(node) => {
                let status = system.node(node).status;
                format!("program {n} is to call {node}, which is {status:?}")
            }
            None => format!("program {n} is not done"),
        },
    });
    reasons.collect::<Vec<_>>().join(", ")
}

/// A digest over how each program's calls ended.
pub fn outcomes<P: Protocol>(system: &System<P>) -> u64 {
    let mut ends = Digest::default();
    for program in &system.programs {
        program.made.hash(&mut ends);
        program.last.hash(&mut ends);
    }
    for entry in system.history.entries() {
        (entry.call.number, &entry.ret, &entry.items).hash(&mut ends);
    }
    ends.finish()
}

fn program_id(program: usize) -> u16 {
    u16::try_from(program).expect("numbers are validated")
}
