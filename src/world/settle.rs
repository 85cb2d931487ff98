//! Where a world comes to rest: faults stop, everything heals, and then fair rounds run until they
//! change nothing any more. "Nothing in flight" would never come under periodic gossip, so rest is
//! a fixed point of the nodes' states: what they go on sending each other does not count.
//!
//! Every step of the way is a step that this world may take, in time: a timer fires when it is due
//! and not before. So whatever is wrong where a world has come to rest can really happen.

use std::collections::BTreeMap;

use crate::protocol::{Checkable, NodeId, Protocol};

use super::action::{Action, Happening};
use super::{Faults, Interval, Status, Waiting, World};

/// How often messages may answer messages before a timer has its turn.
const ANSWERS: usize = 64;

/// A timer: its node and its name.
type Timer<P> = (NodeId, <P as Protocol>::Timer);

/// What a round still owes a timer.
struct Debt {
    /// How many of the values that it may draw it has drawn.
    drawn: usize,
    /// How many ticks it has left to fire. One that is always armed anew before it fires (as a
    /// failure detector's is) is owed nothing after that.
    ticks: u32,
}

impl<P: Checkable> World<P> {
    /// Where this world comes to rest, calling nothing more; `None` if it does not within so many
    /// rounds. In a fair round every message arrives, and every timer fires when due, once for
    /// each value that it may draw. A world rests when two rounds in a row change no node's
    /// state: what the first one has sent has then arrived in the second.
    pub fn settle(&self, rounds: usize) -> Option<World<P>> {
        let mut world = self.clone();
        world.recover();
        let mut quiet = 0;
        for _ in 0..rounds {
            quiet = if world.fair_round() { 0 } else { quiet + 1 };
            if quiet == 2 {
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

    /// Runs one fair round, and says whether it changed a node's state.
    fn fair_round(&mut self) -> bool {
        let timers = self.waiting.timers.iter();
        let mut owed: BTreeMap<Timer<P>, Debt> = timers
            .map(|(node, name, wait, _)| ((*node, name.clone()), Debt::of(wait.life())))
            .collect();
        let mut changed = self.deliver_all();
        while !owed.is_empty() {
            changed |= self.fire_all(&mut owed);
            changed |= self.deliver_all();
            let ticks = self.pass_time();
            changed |= ticks > 0 && self.deliver_all();
            owed.retain(|timer, debt| {
                debt.ticks = debt.ticks.saturating_sub(ticks);
                let wait = self.waiting.wait(timer);
                wait.is_some_and(|wait| wait.ready() || debt.ticks > 0)
            });
        }
        changed
    }

    /// Delivers what can arrive now, and what is sent in answer.
    fn deliver_all(&mut self) -> bool {
        let mut changed = false;
        for _ in 0..ANSWERS {
            let mut deliveries = self.actions();
            deliveries.retain(|action| matches!(action.did, Happening::Deliver(..)));
            deliveries.dedup_by(|next, first| next.did == first.did);
            if deliveries.is_empty() {
                break;
            }
            for delivery in deliveries {
                // An earlier one of this sweep may have left it without effect.
                if !self.is_no_op(&delivery) {
                    changed |= self.act(delivery);
                }
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
            let mut firings = self.actions();
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

impl<P: Protocol> Waiting<P> {
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
