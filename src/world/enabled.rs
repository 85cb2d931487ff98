//! Which actions are enabled in a state, in a fixed order.

use std::sync::Arc;

use crate::protocol::{Chance, Checkable, Effect, Input, NodeId, Outbox, Protocol};

use super::action::{Action, Happening};
use super::waiting::following;
use super::{Cut, Flight, Links, Status, World};

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
        self.steps(&mut actions);
        self.recoveries(&mut actions);
        self.message_faults(&mut actions);
        self.node_faults(&mut actions);
        actions
    }

    /// Whether some action is enabled that is no fault.
    pub fn can_go_on(&self) -> bool {
        let up = |node: NodeId| self.system.node(node).status == Status::Up;
        let calls = (0..self.system.programs.len()).any(|n| self.system.next_call(n).is_some());
        let fires = self.waiting.timers.iter().any(|(node, _, wait, _)| wait.ready() && up(*node));
        let mut recoveries = Vec::new();
        self.recoveries(&mut recoveries);
        calls || fires || !recoveries.is_empty() || self.deliverable().any(|f| self.changes(f))
    }

    /// Whether the arrival of a message is a transition, for some of the draws.
    fn changes(&self, flight: &Flight<P::Msg>) -> bool {
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

    fn steps(&self, actions: &mut Vec<Action<P>>) {
        for flight in self.deliverable() {
            let Flight { from, to, msg, .. } = flight;
            let happening = Happening::Deliver(*from, *to, msg.clone());
            self.each_draw(*to, happening, || Input::Recv(*from, msg.clone()), actions);
        }
        for (node, timer, wait, _) in &self.waiting.timers {
            if wait.ready() && self.system.node(*node).status == Status::Up {
                let happening = Happening::Fire(*node, timer.clone());
                self.each_draw(*node, happening, || Input::Fired(timer.clone()), actions);
            }
        }
        for (n, program) in self.system.programs.iter().enumerate() {
            if let Some((node, op)) = self.system.next_call(n) {
                let call =
                    crate::protocol::CallId { process: program.process, number: program.made };
                let happening = Happening::Call(call, node, op.clone());
                self.each_draw(node, happening, || Input::Call(call, op.clone()), actions);
            }
        }
    }

    /// The messages that may arrive now, equal ones once.
    fn deliverable(&self) -> impl Iterator<Item = &Flight<P::Msg>> {
        let fifo = self.system.setup.links == Links::Fifo;
        let flights = &self.waiting.flights;
        let link = |n: usize| (flights[n].from, flights[n].to);
        (0..flights.len())
            .filter(move |n| {
                let shadowed = *n > 0 && link(n - 1) == link(*n);
                let same = shadowed && flights[n - 1].msg == flights[*n].msg;
                if fifo { !shadowed } else { !(same && flights[n - 1].wait.ready()) }
            })
            .map(|n| &flights[n])
            .filter(|flight| {
                flight.wait.ready()
                    && self.system.node(flight.to).status == Status::Up
                    && !self.is_held(flight)
            })
    }

    fn recoveries(&self, actions: &mut Vec<Action<P>>) {
        if self.ticks_left() > 0 && self.ticks_allowed() > 0 {
            actions.push(Happening::Tick(1).into());
        }
        if self.system.cut.is_some() {
            actions.push(Happening::Heal.into());
        }
        for (node, wait) in &self.waiting.pauses {
            if wait.ready() {
                actions.push(Happening::Resume(*node).into());
            }
        }
        for node in NodeId::all(self.system.setup.nodes()) {
            if self.system.node(node).status == Status::Down {
                self.each_boot(node, Happening::Restart(node), actions);
            }
        }
    }

    fn message_faults(&self, actions: &mut Vec<Action<P>>) {
        let left = &self.system.left;
        let flights = &self.waiting.flights;
        for (n, Flight { from, to, msg, .. }) in flights.iter().enumerate() {
            // Of equal messages on a link it is the newest.
            let link = flights[n + 1..].iter().take_while(|f| (f.from, f.to) == (*from, *to));
            if from == to || link.map(|newer| &newer.msg).any(|newer| newer == msg) {
                continue;
            }
            if left.losses > 0 {
                actions.push(Happening::Lose(*from, *to, msg.clone()).into());
            }
            if left.duplicates > 0 {
                actions.push(Happening::Duplicate(*from, *to, msg.clone()).into());
            }
        }
        if left.partitions > 0 && self.system.cut.is_none() {
            let setup = &self.system.setup;
            let cuts = Cut::all(&setup.numbers.cuts, setup.nodes());
            actions.extend(cuts.into_iter().map(|cut| Happening::Partition(cut).into()));
        }
    }

    fn node_faults(&self, actions: &mut Vec<Action<P>>) {
        let (system, left) = (&self.system, &self.system.left);
        for node in NodeId::all(system.setup.nodes()) {
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
        for (program, wait) in system.programs.iter().zip(&self.waiting.patience) {
            let Some((call, node)) = program.open else { continue };
            let up = system.node(node).status == Status::Up;
            if left.cancels > 0 && up && wait.is_some_and(|wait| wait.ready()) {
                self.each_draw(node, Happening::Cancel(call), || Input::Cancel(call), actions);
            }
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
