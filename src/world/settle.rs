//! Where a world comes to rest: faults stop, everything heals, and then fair rounds run until they
//! change nothing any more. "Nothing in flight" would never come under periodic gossip, so rest is
//! a fixed point of the nodes' states: what they go on sending each other does not count, once
//! the very same has arrived and changed nothing.
//!
//! Every step of the way is a step that this world may take, in time: a timer fires when it is due
//! and not before. So whatever is wrong where a world has come to rest can really happen.

use std::collections::{BTreeMap, BTreeSet};

use crate::protocol::{Checkable, NodeId, Protocol};

use super::action::{Action, Happening};
use super::{Faults, Flight, Interval, Status, Topic, Waiting, World};

/// How often messages may answer messages before a timer has its turn.
const ANSWERS: usize = 64;

/// How often something may happen in a round without time passing: more often, and time stands
/// still for ever.
const AT_ONCE: usize = 1_000;

/// A timer: its node and its name.
type Timer<P> = (NodeId, <P as Protocol>::Timer);

/// A message: who sent it, whom it is for, and what it says.
type Message<P> = (NodeId, NodeId, <P as Protocol>::Msg);

/// What a round still owes a timer.
struct Debt {
    /// How many of the values that it may draw it has drawn.
    drawn: usize,
    /// How many ticks it has left to fire. One that is always armed anew before it fires (as a
    /// failure detector's is) is owed nothing after that.
    ticks: u32,
}

/// What has happened, and changed no node's state, since one last changed.
struct InVain<P: Protocol> {
    arrived: BTreeSet<Message<P>>,
    fired: BTreeSet<Timer<P>>,
}

impl<P: Checkable> World<P> {
    /// Where this world comes to rest, calling nothing more; `None` if it does not within so many
    /// rounds. In a fair round every message that was in flight when it began arrives, and every
    /// timer that was armed fires when due, once for each value that it may draw. A world rests
    /// when nothing is in flight or armed but what has arrived or fired before, and no node's
    /// state has changed since, with all clocks at their horizon: all that is to come has then been
    /// seen to change nothing.
    pub fn settle(&self, rounds: usize) -> Option<World<P>> {
        let mut world = self.clone();
        world.recover();
        let mut in_vain = InVain::nothing();
        for _ in 0..rounds {
            let armed: Vec<_> = world.waiting.armed().map(|(timer, _)| timer).collect();
            let clocks_run = world.clock_ticks() > 0;
            if world.fair_round(&mut in_vain.arrived)? || clocks_run {
                in_vain = InVain::nothing();
                continue;
            }
            in_vain.fired.extend(armed);
            if world.rests(&in_vain) {
                return Some(world);
            }
        }
        None
    }

    /// Ends all faults: no more of them, no partition, every node that has joined is up.
    fn recover(&mut self) {
        self.system.left = Faults::default();
        if self.system.cut.is_some() {
            self.act(Happening::Heal.into());
        }
        for node in NodeId::all(self.system.setup.nodes()) {
            match self.system.node(node).status {
                Status::Down => self.act(Happening::Restart(node).into()),
                Status::Paused => self.act(Happening::Resume(node).into()),
                Status::Up | Status::Absent => false,
            };
        }
    }

    /// Whether all that is still to come has happened before, in vain.
    fn rests(&self, in_vain: &InVain<P>) -> bool {
        let arrived = |f: &Flight<P::Msg>| {
            in_vain.arrived.contains(&(f.from, f.to, f.msg.clone()))
                || f.wait.ready() && !self.changes(f)
        };
        self.waiting.armed().all(|(timer, _)| in_vain.fired.contains(&timer))
            && self.arriving().all(arrived)
    }

    /// The messages that will arrive: those for a node that never joined wait for ever.
    fn arriving(&self) -> impl Iterator<Item = &Flight<P::Msg>> {
        let flights = self.waiting.flights.iter();
        flights.filter(|flight| self.system.node(flight.to).status == Status::Up)
    }

    /// How many ticks the nodes' clocks still run.
    fn clock_ticks(&self) -> u32 {
        let setup = &self.system.setup;
        if setup.timed() { setup.ticks(setup.numbers.horizon) - self.system.now } else { 0 }
    }

    /// Runs one fair round, and says whether it changed a node's state; `None` if time stands still
    /// in it. Adds what arrives to `arrived`.
    fn fair_round(&mut self, arrived: &mut BTreeSet<Message<P>>) -> Option<bool> {
        let armed = self.waiting.armed();
        let mut owed: BTreeMap<Timer<P>, Debt> =
            armed.map(|(timer, wait)| (timer, Debt::of(wait.life()))).collect();
        let flights = self.arriving().map(|flight| flight.wait.lo);
        let mut ticks_owed = flights.max().unwrap_or(0).max(self.clock_ticks());
        let mut changed = self.deliver_all(arrived);
        let mut at_once = 0;
        while !owed.is_empty() || ticks_owed > 0 {
            changed |= self.fire_all(&mut owed);
            changed |= self.deliver_all(arrived);
            let ticks = self.pass_time();
            changed |= ticks > 0 && self.deliver_all(arrived);
            owed.retain(|timer, debt| {
                debt.ticks = debt.ticks.saturating_sub(ticks);
                let wait = self.waiting.wait(timer);
                wait.is_some_and(|wait| wait.ready() || debt.ticks > 0)
            });
            ticks_owed = ticks_owed.saturating_sub(ticks);
            at_once = if ticks > 0 { 0 } else { at_once + 1 };
            if at_once > AT_ONCE {
                return None;
            }
        }
        Some(changed)
    }

    /// Delivers what can arrive now, and what is sent in answer.
    fn deliver_all(&mut self, arrived: &mut BTreeSet<Message<P>>) -> bool {
        let mut changed = false;
        // On a FIFO link a sweep delivers one message.
        for _ in 0..ANSWERS.max(self.waiting.flights.len()) {
            let mut deliveries = Vec::new();
            for n in 0..self.waiting.flights.len() {
                self.actions_about(Topic::Arrival(n), &mut deliveries);
            }
            deliveries.dedup_by(|next, first| next.did == first.did);
            if deliveries.is_empty() {
                break;
            }
            for delivery in deliveries {
                // An earlier one of this sweep may have left it without effect.
                if self.is_no_op(&delivery) {
                    continue;
                }
                if let Happening::Deliver(from, to, msg) = &delivery.did {
                    arrived.insert((*from, *to, msg.clone()));
                }
                changed |= self.act(delivery);
            }
        }
        changed
    }

    /// Fires every timer that is due, with the next of the values that it may draw.
    fn fire_all(&mut self, owed: &mut BTreeMap<Timer<P>, Debt>) -> bool {
        let due = self.waiting.timers.iter().filter(|(.., wait, _)| wait.ready());
        let mut due: Vec<Timer<P>> = due.map(|(node, name, ..)| (*node, name.clone())).collect();
        // What is owed nothing fires only where time would stand still without it.
        due.retain(|timer| self.system.setup.timed() || owed.contains_key(timer));
        let mut changed = false;
        for timer in due {
            let mut firings = Vec::new();
            self.actions_about(Topic::Timers(timer.0), &mut firings);
            let name = Happening::Fire(timer.0, timer.1.clone());
            firings.retain(|action| action.did == name);
            // How many there are depends on the state, and an earlier step may have disarmed it.
            let Some(last) = firings.len().checked_sub(1) else { continue };
            let drawn = owed.get(&timer).map_or(0, |debt| debt.drawn.min(last));
            changed |= self.act(firings.swap_remove(drawn));
            let again = self.waiting.wait(&timer).filter(|_| drawn < last);
            match (owed.get_mut(&timer), again) {
                (Some(debt), Some(wait)) => *debt = Debt { drawn: drawn + 1, ticks: wait.life() },
                _ => drop(owed.remove(&timer)),
            }
        }
        changed
    }

    /// Lets time pass until something more may happen.
    fn pass_time(&mut self) -> u32 {
        let waiting = &self.waiting;
        let timers = waiting.timers.iter().map(|timer| timer.2.lo);
        let los = timers.chain(waiting.flights.iter().map(|flight| flight.wait.lo));
        let next = los.filter(|lo| *lo > 0).min().unwrap_or(Interval::FOREVER);
        let ticks = next.min(self.ticks_left()).min(self.ticks_allowed());
        if ticks > 0 {
            self.act(Happening::Tick(ticks).into());
        }
        ticks
    }

    /// Does an action that is enabled, and says whether it changed a node's state.
    fn act(&mut self, action: Action<P>) -> bool {
        let before = self.system.nodes.clone();
        self.unshare(&action);
        self.apply(&action).expect("only what is enabled is done");
        self.waiting.marks.clear();
        before.iter().zip(&self.system.nodes).any(|(old, new)| old.state != new.state)
    }
}

impl Debt {
    fn of(ticks: u32) -> Debt {
        Debt { drawn: 0, ticks }
    }
}

impl<P: Protocol> InVain<P> {
    fn nothing() -> Self {
        InVain { arrived: BTreeSet::new(), fired: BTreeSet::new() }
    }
}

impl<P: Protocol> Waiting<P> {
    /// The armed timers, and how long they wait.
    fn armed(&self) -> impl Iterator<Item = (Timer<P>, Interval)> {
        self.timers.iter().map(|(node, name, wait, _)| ((*node, name.clone()), *wait))
    }

    /// How long a timer still waits, if it is armed.
    fn wait(&self, (at, name): &Timer<P>) -> Option<Interval> {
        let mut timers = self.timers.iter();
        timers.find(|(node, timer, ..)| (node, timer) == (at, name)).map(|timer| timer.2)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::protocol::{CallId, Input, Outbox};
    use crate::world::{Clocks, Numbers, Setup};

    /// A node that counts to `Config` by a timer and tells the next node how far it is.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Counter {
        me: NodeId,
        count: u8,
        heard: u8,
    }

    impl Protocol for Counter {
        type Config = u8;
        type Msg = u8;
        type Timer = ();
        type Disk = ();
        type Op = ();
        type Ret = ();

        fn boot(_: &u8, me: NodeId, (): (), out: &mut Outbox<Self>) -> Self {
            out.arm((), 3);
            Counter { me, count: 0, heard: 0 }
        }

        fn step(&mut self, most: &u8, input: Input<Self>, out: &mut Outbox<Self>) {
            match input {
                Input::Recv(_, count) => self.heard = self.heard.max(count),
                Input::Fired(()) => {
                    out.arm((), 3);
                    self.count = (self.count + 1).min(*most);
                    out.send(NodeId(1 - self.me.0), self.count);
                }
                Input::Call(call, ()) => out.reply(call, ()),
                Input::Cancel(CallId { .. }) => {}
            }
        }
    }

    fn rest_of(most: u8, clocks: Clocks) -> Option<Vec<(u8, u8)>> {
        let delay = Some((1, 2));
        let numbers = Numbers { nodes: 2, clients: 0, clocks, delay, ..Numbers::default() };
        let setup = Arc::new(Setup::<Counter>::new(most, &numbers, |_| None));
        let mut world = World::starts(&setup).next().unwrap().0;
        world.system.left.crashes = 1;
        world.unshare(&Happening::Crash(NodeId(1), false).into());
        world.apply(&Happening::Crash(NodeId(1), false).into()).unwrap();
        let rest = world.settle(20)?;
        Some(rest.system.states().map(|(_, node)| (node.count, node.heard)).collect())
    }

    #[test]
    fn a_world_rests_when_its_nodes_do_and_not_its_messages() {
        for clocks in [Clocks::Asynchronous, Clocks::Perfect] {
            assert_eq!(rest_of(5, clocks), Some(vec![(5, 5), (5, 5)]), "{clocks:?}");
            assert_eq!(rest_of(200, clocks), None, "{clocks:?}");
        }
    }
}
