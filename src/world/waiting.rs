//! The checker's world: a system, and what waits in it as intervals of ticks.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::protocol::{Chance, Delay, Input, Mark, NodeId, Outbox, Protocol, Reading};

use super::action::{Action, Happening};
use super::{
    Clocks, Faults, InFlight, Interval, Links, Part, Pending, Setup, Status, System, Tearing,
};

/// A message in flight.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flight<M> {
    /// Who sent it.
    pub from: NodeId,
    /// Whom it is for.
    pub to: NodeId,
    /// The message.
    pub msg: M,
    /// How long it still takes.
    pub wait: Interval,
}

/// What waits: messages, timers, processes that lose patience, pauses.
pub struct Waiting<P: Protocol> {
    setup: Arc<Setup<P>>,
    /// Messages in flight. By sender and receiver; on unordered links then by message, so that
    /// equal networks are equal values; on FIFO links then as sent.
    pub flights: Vec<Flight<P::Msg>>,
    /// Armed timers, by node and name, with their longest length in units if stopwatches are read.
    pub timers: Vec<(NodeId, P::Timer, Interval, u32)>,
    /// When each program may give its open call up.
    pub patience: Vec<Option<Interval>>,
    /// Paused nodes, and how long they stay so.
    pub pauses: Vec<(NodeId, Interval)>,
    /// The marks put out since somebody last took them; no part of the state.
    pub marks: Vec<(NodeId, Mark)>,
}

/// A world, as a value: states are compared, hashed and copied.
pub struct World<P: Protocol> {
    /// Nodes, disks, processes, budgets, history and monitors.
    pub system: System<P>,
    /// What waits.
    pub waiting: Waiting<P>,
}

/// An action that can't happen in a state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

impl<P: Protocol> World<P> {
    /// A world that is to be started, with the values that its start draws.
    pub fn start(setup: &Arc<Setup<P>>, draws: Vec<u32>) -> (World<P>, Action<P>, Vec<u32>) {
        let patience = vec![None; setup.numbers.clients as usize];
        let mut world = World {
            system: System::new(Arc::clone(setup)),
            waiting: Waiting::with(setup, Vec::new(), Vec::new(), patience, Vec::new()),
        };
        let mut out = Outbox::new(Chance::Listed(draws));
        world.system.start(&mut out, &mut world.waiting);
        let draws = out.draws.iter().map(|draw| draw.taken).collect();
        let of = out.draws.iter().map(|draw| draw.of).collect();
        (world, Action { did: Happening::Start, draws, torn: None }, of)
    }

    /// The start that drew these values, found without trying the others; `None` if there is none.
    pub fn started(setup: &Arc<Setup<P>>, draws: &[u32]) -> Option<(World<P>, Action<P>)> {
        let mut taken = Vec::with_capacity(draws.len());
        loop {
            let (world, action, of) = World::start(setup, taken.clone());
            if taken.len() == of.len() {
                return (taken.len() == draws.len()).then_some((world, action));
            }
            // How many values a draw has may depend on those before it, and on no later one.
            let next = draws.get(taken.len()).filter(|next| **next < of[taken.len()]);
            taken.push(*next?);
        }
    }

    /// Every way in which a world may start, with the action that says which. They are made as
    /// they are asked for: with skewed clocks there may be very many.
    pub fn starts(
        setup: &Arc<Setup<P>>,
    ) -> impl Iterator<Item = (World<P>, Action<P>)> + use<'_, P> {
        let mut next = Some(Vec::new());
        std::iter::from_fn(move || {
            let (world, action, of) = World::start(setup, next.take()?);
            next = following(&action.draws, &of);
            Some((world, action))
        })
    }

    /// How many ticks may pass before something urgent must happen: `Interval::FOREVER` if nothing
    /// ever becomes urgent.
    pub fn ticks_allowed(&self) -> u32 {
        let up = |node: NodeId| self.system.node(node).status == Status::Up;
        let flights = self.waiting.flights.iter();
        let flights = flights.filter(|f| up(f.to) && !self.is_held(f)).map(|f| f.wait.hi);
        let timers = self.waiting.timers.iter().filter(|(node, ..)| up(*node)).map(|t| t.2.hi);
        let pauses = self.waiting.pauses.iter().map(|(_, wait)| wait.hi);
        flights.chain(timers).chain(pauses).min().unwrap_or(Interval::FOREVER)
    }

    /// How many ticks still change something.
    pub fn ticks_left(&self) -> u32 {
        if !self.system.setup.timed() {
            return 0;
        }
        let waits = self.waiting.flights.iter().map(|f| f.wait);
        let waits = waits.chain(self.waiting.timers.iter().map(|t| t.2));
        let waits = waits.chain(self.waiting.pauses.iter().map(|(_, wait)| *wait));
        let waits = waits.chain(self.waiting.patience.iter().copied().flatten());
        let horizon = self.system.setup.ticks(self.system.setup.numbers.horizon);
        waits.map(Interval::life).max().unwrap_or(0).max(horizon - self.system.now)
    }

    /// Whether a partition holds a message back.
    pub fn is_held(&self, flight: &Flight<P::Msg>) -> bool {
        self.system.setup.numbers.in_flight == InFlight::Held
            && self.system.blocked(flight.from, flight.to)
    }

    /// Does an action in place. That it is enabled is for the caller to know; what can't be done
    /// at all is refused, and then the world is not to be used any more.
    ///
    /// # Errors
    /// If there is no such message, timer, call or node.
    pub fn apply(&mut self, action: &Action<P>) -> Result<(), Refused> {
        use Happening::*;
        let World { system, waiting } = self;
        let mut outbox = Outbox::new(Chance::Listed(action.draws.clone()));
        let out = &mut outbox;
        pay(&mut system.left, action)?;
        if action.is_fault() {
            system.seen.note(Part::Left);
        }
        let torn = action.torn.map_or(Tearing::Not, Tearing::At);
        match &action.did {
            Start => return Err(Refused("the world has started".to_owned())),
            Tick(ticks) => {
                let horizon = system.setup.ticks(system.setup.numbers.horizon);
                system.now = (system.now + ticks.min(&(horizon - system.now))).min(horizon);
                waiting.pass(*ticks);
            }
            Deliver(from, to, msg) => {
                up(system, *to)?;
                waiting.take_ready(*from, *to, msg)?;
                let input = Input::Recv(*from, msg.clone());
                system.step(*to, input, torn, out, waiting);
            }
            Lose(from, to, msg) => waiting.lose(*from, *to, msg)?,
            Duplicate(from, to, msg) => waiting.duplicate(*from, *to, msg)?,
            Fire(node, timer) => {
                up(system, *node)?;
                waiting.take_timer(*node, timer)?;
                system.step(*node, Input::Fired(timer.clone()), torn, out, waiting);
            }
            Call(call, node, op) => {
                let program = usize::from(call.process.0) % system.programs.len();
                let next = system.next_call(program).filter(|next| *next == (*node, op.clone()));
                let next = next.ok_or_else(|| Refused(format!("no program calls {call} now")))?;
                system.call(program, next, torn, out, waiting);
            }
            Cancel(call) => {
                let program = usize::from(call.process.0) % system.programs.len();
                let open = system.programs[program].open.filter(|(open, _)| open == call);
                let (_, node) = open.ok_or_else(|| Refused(format!("{call} is not open")))?;
                up(system, node)?;
                system.cancel(program, torn, out, waiting);
            }
            Partition(cut) => {
                system.cut = Some(*cut);
                if system.setup.numbers.in_flight == InFlight::Dropped {
                    waiting.flights.retain(|f| !system.blocked(f.from, f.to));
                }
            }
            Heal => system.cut = None,
            Crash(node, loses_saves) => system.crash(*node, *loses_saves, waiting),
            Restart(node) | Join(node) => {
                system.boot(*node, torn, out, waiting);
            }
            Pause(node) => {
                system.pause(*node);
                waiting.pause(*node);
            }
            Resume(node) => {
                system.resume(*node);
                waiting.pauses.retain(|(paused, _)| paused != node);
            }
            Jump(node, by) => system.jump(*node, *by),
        }
        // Else no program can call that could not before.
        if system.stirred {
            system.eager_calls(out, waiting);
        }
        Ok(())
    }
}

impl<P: Protocol> World<P> {
    /// A world in which this waits beside a system: messages in the order in which they were sent,
    /// and each timer with how long it waits and its longest length in units. No call is open, and
    /// no node is paused.
    pub fn of(
        system: System<P>,
        mut flights: Vec<Flight<P::Msg>>,
        mut timers: Vec<(NodeId, P::Timer, Interval, u32)>,
    ) -> World<P> {
        let setup = Arc::clone(&system.setup);
        match setup.links {
            Links::Fifo => flights.sort_by_key(|flight| (flight.from, flight.to)),
            Links::Unordered => flights.sort(),
        }
        timers.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
        let patience = vec![None; system.programs.len()];
        World { waiting: Waiting::with(&setup, flights, timers, patience, Vec::new()), system }
    }
}

impl<P: Protocol + Clone> World<P> {
    /// The world after an action.
    ///
    /// # Errors
    /// See [`World::apply`].
    pub fn after(&self, action: &Action<P>) -> Result<World<P>, Refused> {
        let mut next = self.clone();
        next.unshare(action);
        next.apply(action)?;
        Ok(next)
    }

    /// Makes what an action changes this world's own.
    pub fn unshare(&mut self, action: &Action<P>) {
        let touched = match &action.did {
            Happening::Cancel(call) => {
                let open = self.system.programs.iter().filter_map(|program| program.open);
                open.filter(|(open, _)| open == call).map(|(_, node)| node).next()
            }
            _ => action.node(),
        };
        if self.system.setup.eager {
            NodeId::all(self.system.setup.nodes()).for_each(|node| self.system.unshare(node));
        } else if let Some(node) = touched {
            self.system.unshare(node);
        }
    }
}

/// Whether a message that is in flight stays before one that is sent, in the order in which a world
/// keeps them.
pub fn stays_before<M: Ord>(links: Links, other: &Flight<M>, sent: &Flight<M>) -> bool {
    match links {
        Links::Fifo => (other.from, other.to) <= (sent.from, sent.to),
        Links::Unordered => other <= sent,
    }
}

/// The list of draws after this one, where each had so many values; `None` after the last.
pub(super) fn following(taken: &[u32], of: &[u32]) -> Option<Vec<u32>> {
    let last = (0..taken.len()).rev().find(|n| taken[*n] + 1 < of[*n])?;
    let mut next = taken[..=last].to_vec();
    next[last] += 1;
    Some(next)
}

/// Takes what an action costs from the budgets of faults. A torn step is only asked whether it can
/// be paid: the crash within it pays, and only if the step does come to its point.
fn pay(left: &mut Faults, action: &Action<impl Protocol>) -> Result<(), Refused> {
    use Happening::*;
    if let Some(torn) = action.torn {
        spend(&mut left.crashes.clone(), "crash")?;
        spend(&mut left.torn.clone(), "torn step")?;
        if torn.loses_saves {
            spend(&mut left.lost_saves.clone(), "loss of saves")?;
        }
    }
    match &action.did {
        Lose(..) => spend(&mut left.losses, "loss"),
        Duplicate(..) => spend(&mut left.duplicates, "duplicate"),
        Cancel(_) => spend(&mut left.cancels, "cancelled call"),
        Partition(_) => spend(&mut left.partitions, "partition"),
        Join(_) => spend(&mut left.joins, "join"),
        Pause(_) => spend(&mut left.pauses, "pause"),
        Jump(..) => spend(&mut left.jumps, "jump"),
        Crash(_, loses_saves) => {
            spend(&mut left.crashes, "crash")?;
            if *loses_saves { spend(&mut left.lost_saves, "loss of saves") } else { Ok(()) }
        }
        Start | Tick(_) | Deliver(..) | Fire(..) | Call(..) | Heal | Restart(_) | Resume(_) => {
            Ok(())
        }
    }
}

fn spend(budget: &mut u32, what: &str) -> Result<(), Refused> {
    let left = budget.checked_sub(1);
    *budget = left.ok_or_else(|| Refused(format!("no {what} is left in the budget")))?;
    Ok(())
}

fn up<P: Protocol>(system: &System<P>, node: NodeId) -> Result<(), Refused> {
    let status = system.node(node).status;
    if status == Status::Up { Ok(()) } else { Err(Refused(format!("{node} is {status:?}"))) }
}

impl<P: Protocol> Waiting<P> {
    pub(super) fn with(
        setup: &Arc<Setup<P>>,
        flights: Vec<Flight<P::Msg>>,
        timers: Vec<(NodeId, P::Timer, Interval, u32)>,
        patience: Vec<Option<Interval>>,
        pauses: Vec<(NodeId, Interval)>,
    ) -> Self {
        let setup = Arc::clone(setup);
        Waiting { setup, flights, timers, patience, pauses, marks: Vec::new() }
    }

    /// A node's timers.
    pub(super) fn timers_of(&self, node: NodeId) -> &[(NodeId, P::Timer, Interval, u32)] {
        let start = self.timers.partition_point(|(at, ..)| *at < node);
        let end = self.timers.partition_point(|(at, ..)| *at <= node);
        &self.timers[start..end]
    }

    fn pass(&mut self, ticks: u32) {
        self.flights.iter_mut().for_each(|f| f.wait = f.wait.after(ticks));
        self.timers.iter_mut().for_each(|t| t.2 = t.2.after(ticks));
        self.pauses.iter_mut().for_each(|p| p.1 = p.1.after(ticks));
        self.patience.iter_mut().flatten().for_each(|wait| *wait = wait.after(ticks));
    }

    /// Takes out a message that may arrive now; of several equal ones the most urgent, since what
    /// the others may still do includes what it may.
    fn take_ready(&mut self, from: NodeId, to: NodeId, msg: &P::Msg) -> Result<(), Refused> {
        let fifo = self.setup.links == Links::Fifo;
        let mut link = self.link(from, to);
        let found = if fifo {
            link.next().filter(|n| self.flights[*n].msg == *msg && self.flights[*n].wait.ready())
        } else {
            link.find(|n| self.flights[*n].msg == *msg && self.flights[*n].wait.ready())
        };
        let found = found
            .ok_or_else(|| Refused(format!("no {msg:?} from {from} can arrive at {to} now")))?;
        self.flights.remove(found);
        Ok(())
    }

    /// Loses a message; of several equal ones the one sent last.
    fn lose(&mut self, from: NodeId, to: NodeId, msg: &P::Msg) -> Result<(), Refused> {
        let last = self.sent_last(from, to, msg)?;
        self.flights.remove(last);
        Ok(())
    }

    fn duplicate(&mut self, from: NodeId, to: NodeId, msg: &P::Msg) -> Result<(), Refused> {
        let last = self.sent_last(from, to, msg)?;
        self.flights.insert(last, self.flights[last].clone());
        Ok(())
    }

    fn sent_last(&self, from: NodeId, to: NodeId, msg: &P::Msg) -> Result<usize, Refused> {
        let last = self.link(from, to).rfind(|n| self.flights[*n].msg == *msg);
        last.ok_or_else(|| Refused(format!("no {msg:?} is in flight from {from} to {to}")))
    }

    /// Where the messages from one node to another are.
    pub(super) fn link(&self, from: NodeId, to: NodeId) -> std::ops::Range<usize> {
        let start = self.flights.partition_point(|f| (f.from, f.to) < (from, to));
        let end = self.flights.partition_point(|f| (f.from, f.to) <= (from, to));
        start..end
    }

    fn take_timer(&mut self, node: NodeId, timer: &P::Timer) -> Result<(), Refused> {
        let armed = self.timers.iter().position(|(at, name, ..)| (*at, name) == (node, timer));
        let armed = armed.filter(|n| self.timers[*n].2.ready());
        let armed = armed.ok_or_else(|| Refused(format!("{node}'s timer {timer:?} can't fire")))?;
        self.timers.remove(armed);
        Ok(())
    }

    fn pause(&mut self, node: NodeId) {
        let longest = self.setup.ticks(self.setup.numbers.pause);
        let hi = if self.setup.timed() && longest > 0 { longest } else { Interval::FOREVER };
        self.pauses.push((node, Interval { lo: 0, hi }));
        self.pauses.sort_unstable();
    }

    fn flight_time(&self, from: NodeId, to: NodeId) -> Interval {
        let setup = &self.setup;
        match setup.numbers.delay {
            _ if !setup.timed() => Interval::ANY_TIME,
            // What a node sends to itself does not cross the network.
            _ if from == to => Interval::AT_ONCE,
            Some((lo, hi)) => Interval { lo: setup.ticks(lo), hi: setup.ticks(hi) },
            None => Interval::ANY_TIME,
        }
    }

    fn timer_time(&self, delay: Delay) -> Interval {
        let setup = &self.setup;
        let drift = match setup.numbers.clocks {
            Clocks::Asynchronous => return Interval::ANY_TIME,
            Clocks::Perfect => 0,
            Clocks::Bounded => setup.ticks(setup.numbers.drift),
        };
        let lo = setup.ticks(delay.lo).saturating_sub(drift);
        Interval { lo, hi: setup.ticks(delay.hi) + drift }
    }
}

impl<P: Protocol> Pending<P> for Waiting<P> {
    fn sent(&mut self, from: NodeId, to: NodeId, msg: P::Msg) {
        let flight = Flight { from, to, msg, wait: self.flight_time(from, to) };
        let links = self.setup.links;
        let place = self.flights.partition_point(|other| stays_before(links, other, &flight));
        self.flights.insert(place, flight);
    }

    fn armed(&mut self, node: NodeId, timer: P::Timer, delay: Delay) {
        let length = if self.setup.stopwatch { delay.hi } else { 0 };
        let wait = self.timer_time(delay);
        let place = self.timers.partition_point(|(at, name, ..)| (*at, name) < (node, &timer));
        match self.timers.get_mut(place) {
            Some(armed) if armed.0 == node && armed.1 == timer => {
                (armed.2, armed.3) = (wait, length);
            }
            _ => self.timers.insert(place, (node, timer, wait, length)),
        }
    }

    fn disarmed(&mut self, node: NodeId, timer: &P::Timer) {
        self.timers.retain(|(at, name, ..)| (*at, name) != (node, timer));
    }

    fn called(&mut self, program: usize) {
        let numbers = &self.setup.numbers;
        if numbers.faults.cancels > 0 {
            let lo = if self.setup.timed() { self.setup.ticks(numbers.patience) } else { 0 };
            self.patience[program] = Some(Interval { lo, hi: Interval::FOREVER });
        }
    }

    fn ended(&mut self, program: usize) {
        self.patience[program] = None;
    }

    fn crashed(&mut self, node: NodeId) {
        self.timers.retain(|(at, ..)| *at != node);
        self.pauses.retain(|(paused, _)| *paused != node);
    }

    fn marked(&mut self, node: NodeId, mark: Mark) {
        self.marks.push((node, mark));
    }

    fn show_timers(&self, node: NodeId, out: &mut Outbox<P>) {
        let scale = self.setup.numbers.scale;
        let own = self.timers.iter().filter(|(at, ..)| *at == node);
        let reading = |wait: Interval, length: u32| Reading {
            lo: (wait.lo / scale).min(length),
            hi: (wait.hi / scale).min(length),
            shown: None,
        };
        out.timers = own.map(|(_, t, wait, len)| (t.clone(), reading(*wait, *len))).collect();
    }
}

impl<P: Protocol> Clone for World<P> {
    fn clone(&self) -> Self {
        World { system: self.system.clone(), waiting: self.waiting.clone() }
    }
}

impl<P: Protocol + PartialEq> PartialEq for World<P> {
    fn eq(&self, other: &Self) -> bool {
        self.system == other.system && self.waiting == other.waiting
    }
}

impl<P: Protocol + Eq> Eq for World<P> {}

impl<P: Protocol> Hash for World<P> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.system.hash(hasher);
        self.waiting.hash(hasher);
    }
}

impl<P: Protocol> Clone for Waiting<P> {
    fn clone(&self) -> Self {
        Waiting {
            setup: Arc::clone(&self.setup),
            flights: self.flights.clone(),
            timers: self.timers.clone(),
            patience: self.patience.clone(),
            pauses: self.pauses.clone(),
            marks: Vec::new(),
        }
    }
}

impl<P: Protocol> PartialEq for Waiting<P> {
    fn eq(&self, other: &Self) -> bool {
        self.flights == other.flights
            && self.timers == other.timers
            && self.patience == other.patience
            && self.pauses == other.pauses
    }
}

impl<P: Protocol> Hash for Waiting<P> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.flights.hash(hasher);
        self.timers.hash(hasher);
        self.patience.hash(hasher);
        self.pauses.hash(hasher);
    }
}

impl<P: Protocol> fmt::Debug for World<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = &self.waiting;
        writeln!(f, "{:#?}", self.system)?;
        for Flight { from, to, msg, wait } in &waiting.flights {
            writeln!(f, "in flight {from} -> {to}: {msg:?} {wait:?}")?;
        }
        for (node, timer, wait, _) in &waiting.timers {
            writeln!(f, "armed at {node}: {timer:?} {wait:?}")?;
        }
        for (node, wait) in &waiting.pauses {
            writeln!(f, "paused: {node} {wait:?}")?;
        }
        Ok(())
    }
}
