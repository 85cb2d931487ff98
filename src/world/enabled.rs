//! Which actions are enabled in a state, in a fixed order.

use std::sync::Arc;

use crate::protocol::{CallId, Chance, Checkable, Effect, Input, NodeId, Outbox, Protocol};

use super::action::{Action, Happening};
use super::waiting::following;
use super::{Cut, Faults, Flight, Links, Part, Status, World};

/// What an action is about. For each topic the interpreter says which actions are enabled, and
/// that depends on few parts of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// The arrival of the message at this place among those in flight.
    Arrival(usize),
    /// A node's timers.
    Timers(NodeId),
    /// A program's next call.
    Call(usize),
    /// The passing of time.
    Time,
    /// The end of the partition.
    Heal,
    /// The end of a node's pause.
    Resume(NodeId),
    /// A node's restart.
    Restart(NodeId),
    /// The loss and duplication of the message at this place among those in flight.
    Link(usize),
    /// The beginning of a partition.
    Partition,
    /// A node's crash, pause, joining and the jumps of its clock.
    Faults(NodeId),
    /// A program that gives its call up.
    Cancel(usize),
}

impl Topic {
    /// Whether the actions about this are all faults.
    pub fn is_fault(self) -> bool {
        use Topic::*;
        matches!(self, Link(_) | Partition | Faults(_) | Cancel(_))
    }

    /// The topics of which no message in flight is the subject, in their order but for messages'.
    pub fn all(nodes: u8, programs: usize) -> impl Iterator<Item = Topic> {
        use Topic::*;
        let each = move |topic: fn(NodeId) -> Topic| NodeId::all(nodes).map(topic);
        let steps = each(Timers).chain((0..programs).map(Call));
        let recoveries = [Time, Heal].into_iter().chain(each(Resume)).chain(each(Restart));
        let faults = std::iter::once(Partition).chain(each(Faults));
        steps.chain(recoveries).chain(faults).chain((0..programs).map(Cancel))
    }
}

/// Whether a message has to let the one before it go first, in the order in which a world keeps
/// them: on FIFO links whatever it is, elsewhere only an equal one that may arrive now.
pub fn goes_after(links: Links, same_link: bool, same_message: bool, ready: bool) -> bool {
    same_link && (links == Links::Fifo || (same_message && ready))
}

/// Whether a message is the newest of equal ones on its link, given those after it in the order in
/// which a world keeps them: that is the one that network faults take.
pub fn is_newest<'a, M: Eq + 'a>(
    flight: &Flight<M>,
    later: impl IntoIterator<Item = &'a Flight<M>>,
) -> bool {
    let link = |flight: &Flight<M>| (flight.from, flight.to);
    let mut on_link = later.into_iter().take_while(|other| link(other) == link(flight));
    !on_link.any(|newer| newer.msg == flight.msg)
}

/// What a step would do, without doing it.
struct Probe<P: Protocol> {
    taken: Vec<u32>,
    of: Vec<u32>,
    effects: Vec<Effect<P>>,
    changes: bool,
}

impl<P: Checkable> World<P> {
    /// Every action that is enabled, in a fixed order: steps, then the passing of time and what
    /// ends a fault, then faults.
    pub fn actions(&self) -> Vec<Action<P>> {
        let mut actions = Vec::new();
        let flights = 0..self.waiting.flights.len();
        let programs = self.system.programs.len();
        flights.clone().for_each(|n| self.actions_about(Topic::Arrival(n), &mut actions));
        let mut links = Some(flights);
        for topic in Topic::all(self.system.setup.nodes(), programs) {
            // The faults of messages come before the others.
            if topic.is_fault() {
                let flights = links.take().into_iter().flatten();
                flights.for_each(|n| self.actions_about(Topic::Link(n), &mut actions));
            }
            self.actions_about(topic, &mut actions);
        }
        actions
    }

    /// The enabled actions about one topic, in a fixed order.
    pub fn actions_about(&self, topic: Topic, actions: &mut Vec<Action<P>>) {
        match topic {
            Topic::Arrival(n) => self.arrival(n, actions),
            Topic::Timers(node) => self.timers(node, actions),
            Topic::Call(program) => self.call(program, actions),
            Topic::Time if self.ticks_left() > 0 && self.ticks_allowed() > 0 => {
                actions.push(Happening::Tick(1).into());
            }
            Topic::Time => {}
            Topic::Heal if self.cut().is_some() => actions.push(Happening::Heal.into()),
            Topic::Heal => {}
            Topic::Resume(node) => {
                self.system.seen.note(Part::Node(node));
                let mut pauses = self.waiting.pauses.iter();
                if pauses.any(|(paused, wait)| *paused == node && wait.ready()) {
                    actions.push(Happening::Resume(node).into());
                }
            }
            Topic::Restart(node) => {
                if self.system.node(node).status == Status::Down {
                    self.each_boot(node, Happening::Restart(node), actions);
                }
            }
            Topic::Link(n) => self.link_faults(n, actions),
            Topic::Partition => self.partitions(actions),
            Topic::Faults(node) => self.node_faults(node, actions),
            Topic::Cancel(program) => self.cancel(program, actions),
        }
    }

    fn cut(&self) -> Option<Cut> {
        if self.system.setup.numbers.faults.partitions > 0 {
            self.system.seen.note(Part::Cut);
        }
        self.system.cut
    }

    /// Whether some action is enabled that is no fault.
    pub fn can_go_on(&self) -> bool {
        let mut actions = Vec::new();
        let topics = Topic::all(self.system.setup.nodes(), self.system.programs.len());
        for topic in topics.take_while(|topic| !topic.is_fault()) {
            self.actions_about(topic, &mut actions);
            if !actions.is_empty() {
                return true;
            }
        }
        self.deliverable().any(|f| self.changes(f))
    }

    /// Whether the arrival of a message is a transition, for some of the draws.
    pub(super) fn changes(&self, flight: &Flight<P::Msg>) -> bool {
        !self.may_stay(flight.from, flight.to) || self.arrivals(flight).any(|probe| probe.changes)
    }

    /// What the arrival of a message would do, for each list of draws.
    fn arrivals(&self, flight: &Flight<P::Msg>) -> impl Iterator<Item = Probe<P>> {
        let input = Input::Recv(flight.from, flight.msg.clone());
        each_probe(move |draws| self.probe(flight.to, input.clone(), draws))
    }

    /// Whether a call is open and nothing goes on but faults.
    pub fn is_deadlock(&self) -> bool {
        self.system.programs.iter().any(|program| program.open.is_some()) && !self.can_go_on()
    }

    /// Whether an action is a delivery that changes nothing and has no effect, on a link on which
    /// that is no transition: the message stays.
    pub fn is_no_op(&self, action: &Action<P>) -> bool {
        let Happening::Deliver(from, to, msg) = &action.did else { return false };
        let this =
            |flight: &&Flight<P::Msg>| (flight.from, flight.to, &flight.msg) == (*from, *to, msg);
        let Some(flight) = self.deliverable().find(this) else { return false };
        let mut drawn = self.arrivals(flight).filter(|probe| probe.taken == action.draws);
        self.may_stay(*from, *to)
            && action.torn.is_none()
            && drawn.next().is_some_and(|probe| !probe.changes)
    }

    /// Whether a message stays in flight when its arrival would change nothing. At the head of a
    /// FIFO link it would block the link for ever, and under bounds on its delay time itself; what
    /// a node sends to itself is bounded wherever there are ticks.
    fn may_stay(&self, from: NodeId, to: NodeId) -> bool {
        let setup = &self.system.setup;
        let bounded = setup.timed() && (setup.numbers.delay.is_some() || from == to);
        setup.links == Links::Unordered && !bounded
    }

    fn arrival(&self, n: usize, actions: &mut Vec<Action<P>>) {
        if !self.may_arrive(n) {
            return;
        }
        let Flight { from, to, msg, .. } = &self.waiting.flights[n];
        let happening = Happening::Deliver(*from, *to, msg.clone());
        self.each_draw(*to, happening, || Input::Recv(*from, msg.clone()), actions);
    }

    fn timers(&self, node: NodeId, actions: &mut Vec<Action<P>>) {
        let up = self.system.node(node).status == Status::Up;
        for (at, timer, wait, _) in &self.waiting.timers {
            if *at == node && up && wait.ready() {
                let happening = Happening::Fire(node, timer.clone());
                self.each_draw(node, happening, || Input::Fired(timer.clone()), actions);
            }
        }
    }

    fn call(&self, n: usize, actions: &mut Vec<Action<P>>) {
        let Some((node, op)) = self.system.next_call(n) else { return };
        let program = &self.system.programs[n];
        let call = CallId { process: program.process, number: program.made };
        let happening = Happening::Call(call, node, op.clone());
        self.each_draw(node, happening, || Input::Call(call, op.clone()), actions);
    }

    fn cancel(&self, n: usize, actions: &mut Vec<Action<P>>) {
        let system = &self.system;
        if system.setup.numbers.faults.cancels == 0 {
            return;
        }
        system.seen.note(Part::Calls);
        let (program, patience) = (&system.programs[n], self.waiting.patience[n]);
        let Some((call, node)) = program.open else { return };
        if !patience.is_some_and(|wait| wait.ready()) {
            return;
        }
        system.seen.note(Part::Left);
        if system.left.cancels > 0 && system.node(node).status == Status::Up {
            self.each_draw(node, Happening::Cancel(call), || Input::Cancel(call), actions);
        }
    }

    /// The messages that may arrive now, equal ones once.
    fn deliverable(&self) -> impl Iterator<Item = &Flight<P::Msg>> {
        let flights = &self.waiting.flights;
        (0..flights.len()).filter(|n| self.may_arrive(*n)).map(|n| &flights[n])
    }

    fn may_arrive(&self, n: usize) -> bool {
        let (flights, links) = (&self.waiting.flights, self.system.setup.links);
        let flight = &flights[n];
        let waits_for = |before: &Flight<P::Msg>| {
            let same_link = (before.from, before.to) == (flight.from, flight.to);
            goes_after(links, same_link, before.msg == flight.msg, before.wait.ready())
        };
        !(n > 0 && waits_for(&flights[n - 1]))
            && flight.wait.ready()
            && self.system.node(flight.to).status == Status::Up
            && !self.is_held(flight)
    }

    fn link_faults(&self, n: usize, actions: &mut Vec<Action<P>>) {
        let (flights, system) = (&self.waiting.flights, &self.system);
        let budgets = &system.setup.numbers.faults;
        if budgets.losses | budgets.duplicates == 0 {
            return;
        }
        let Flight { from, to, msg, .. } = &flights[n];
        if from == to || !is_newest(&flights[n], &flights[n + 1..]) {
            return;
        }
        system.seen.note(Part::Left);
        if system.left.losses > 0 {
            actions.push(Happening::Lose(*from, *to, msg.clone()).into());
        }
        if system.left.duplicates > 0 {
            actions.push(Happening::Duplicate(*from, *to, msg.clone()).into());
        }
    }

    fn partitions(&self, actions: &mut Vec<Action<P>>) {
        let setup = &self.system.setup;
        if setup.numbers.faults.partitions == 0 || self.cut().is_some() {
            return;
        }
        self.system.seen.note(Part::Left);
        if self.system.left.partitions > 0 {
            let cuts = Cut::all(&setup.numbers.cuts, setup.nodes());
            actions.extend(cuts.into_iter().map(|cut| Happening::Partition(cut).into()));
        }
    }

    fn node_faults(&self, node: NodeId, actions: &mut Vec<Action<P>>) {
        let (system, left) = (&self.system, &self.system.left);
        let Faults { crashes, pauses, jumps, joins, .. } = system.setup.numbers.faults;
        if crashes | pauses | jumps | joins == 0 {
            return;
        }
        system.seen.note(Part::Left);
        let status = system.node(node).status;
        if matches!(status, Status::Up | Status::Paused) && left.crashes > 0 {
            actions.push(Happening::Crash(node, false).into());
            if left.lost_saves > 0 && system.has_unsynced_saves(node) {
                actions.push(Happening::Crash(node, true).into());
            }
        }
        if status == Status::Up && left.pauses > 0 {
            actions.push(Happening::Pause(node).into());
        }
        if status == Status::Absent && left.joins > 0 {
            self.each_boot(node, Happening::Join(node), actions);
        }
        let jump = system.setup.numbers.jump.cast_signed();
        if left.jumps > 0 && jump > 0 && status != Status::Absent {
            let jumps = (-jump..=jump).filter(|by| *by != 0);
            actions.extend(jumps.map(|by| Happening::Jump(node, by).into()));
        }
    }

    /// Adds a step once for each of the values that chance may draw in it and, where crashes may
    /// tear steps, for each prefix of its effects.
    fn each_draw(
        &self,
        node: NodeId,
        happening: Happening<P>,
        input: impl Fn() -> Input<P>,
        actions: &mut Vec<Action<P>>,
    ) {
        let may_be_no_op = match happening {
            Happening::Deliver(from, to, _) => self.may_stay(from, to),
            _ => false,
        };
        let probe = |draws| self.probe(node, input(), draws);
        self.each(node, happening, may_be_no_op, probe, actions);
    }

    fn each_boot(&self, node: NodeId, happening: Happening<P>, actions: &mut Vec<Action<P>>) {
        self.each(node, happening, false, |draws| self.probe_boot(node, draws), actions);
    }

    fn each(
        &self,
        node: NodeId,
        happening: Happening<P>,
        may_be_no_op: bool,
        probe: impl Fn(Vec<u32>) -> Probe<P>,
        actions: &mut Vec<Action<P>>,
    ) {
        for Probe { taken, effects, changes, .. } in each_probe(probe) {
            if may_be_no_op && !changes {
                continue;
            }
            let action = |torn| Action { did: happening.clone(), draws: taken.clone(), torn };
            actions.push(action(None));
            let tears = self.system.tears(node, &effects);
            actions.extend(tears.into_iter().map(|torn| action(Some(torn))));
        }
    }

    /// Takes a step on a copy of the node.
    fn probe(&self, node: NodeId, input: Input<P>, draws: Vec<u32>) -> Probe<P> {
        let setup = Arc::clone(&self.system.setup);
        let before = self.system.state(node).expect("only a node that is up takes inputs");
        let mut after = before.clone();
        let mut out = Outbox::new(Chance::Listed(draws));
        out.clock = self.system.clock(node);
        if setup.stopwatch {
            super::Pending::show_timers(&self.waiting, node, &mut out);
        }
        if let Input::Fired(fired) = &input {
            out.timers.retain(|(armed, _)| armed != fired);
        }
        after.step(&setup.config, input, &mut out);
        let changes = after != *before || !out.effects.is_empty();
        Probe::of(out, changes)
    }

    fn probe_boot(&self, node: NodeId, draws: Vec<u32>) -> Probe<P> {
        let mut out = Outbox::new(Chance::Listed(draws));
        out.clock = self.system.clock(node);
        let disk = self.system.node(node).durable().clone();
        P::boot(&self.system.setup.config, node, disk, &mut out);
        Probe::of(out, true)
    }
}

/// Probes once for each list of values that chance may draw.
fn each_probe<P: Protocol>(probe: impl Fn(Vec<u32>) -> Probe<P>) -> impl Iterator<Item = Probe<P>> {
    let mut next = Some(Vec::new());
    std::iter::from_fn(move || {
        let probe = probe(next.take()?);
        next = following(&probe.taken, &probe.of);
        Some(probe)
    })
}

impl<P: Protocol> Probe<P> {
    fn of(out: Outbox<P>, changes: bool) -> Self {
        Probe {
            taken: out.draws.iter().map(|draw| draw.taken).collect(),
            of: out.draws.iter().map(|draw| draw.of).collect(),
            effects: out.effects,
            changes,
        }
    }
}
