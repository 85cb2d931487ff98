//! What a state turns into, from memory where the actors have answered before, and by asking them
//! where they have not. And which properties a state decides.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use stateright::actor::{
    ActorModel, ActorModelAction, ActorModelState, Envelope, Id, LossyNetwork,
};
use stateright::{Expectation, Model};

use crate::engine::compact::memo::{Grid, NOTHING, Place};
use crate::engine::compact::vector::Vector;
use crate::engine::levels::{All, Sink, Step as Steps, Worker as Expands};

use super::local::After;
use super::names::{Kind, Names, Values};
use super::{Acting, ActionOf, Actors, Past};

/// What all workers share.
pub struct Shared<'a, A: Acting, C, H: Past> {
    /// What is checked.
    pub actors: &'a Actors<A, C, H>,
    /// What its network does.
    pub kind: Kind,
    /// The names of values.
    pub names: RwLock<Names<A, H>>,
}

impl<'a, A: Acting, C, H: Past> Shared<'a, A, C, H> {
    /// For a search from the beginning.
    pub fn new(actors: &'a Actors<A, C, H>) -> Self {
        let kind = Kind::of(&actors.model.init_network);
        let names = RwLock::new(Names::new(actors.model.actors.len(), kind));
        Shared { actors, kind, names }
    }

    /// The model.
    pub fn model(&self) -> &'a ActorModel<A, C, H> {
        &self.actors.model
    }

    /// A state's record.
    pub fn record_of(&self, system: &ActorModelState<A, H>) -> Vec<u8> {
        self.names.write().expect("no thread panics with names").record_of(system)
    }
}

/// What happens, as far as it matters whether it happens again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// A loss or a crash.
    Fault,
    /// A message is delivered.
    Delivery(u32),
    /// Something happens to an actor by itself: a name that the worker gave.
    Own(u32),
}

/// Properties are judged of whole states.
impl Steps for Deed {}

/// A step of one actor.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// What the actor has then.
    local: u32,
    /// Which messages it heard and sent.
    talk: u32,
    /// Those that it sent begin and end here, among all that are sent in steps: in the order of
    /// their names where a network keeps none.
    sent: (u32, u32),
    deed: Deed,
}

/// What can happen to an actor by itself.
#[derive(Clone, Copy, Debug)]
struct Own {
    /// Steps of timers, of choices and of its recovery.
    steps: (u32, u32),
    /// Its crash.
    crash: Option<u32>,
}

/// A message's receiver, and its number among those for that receiver; nobody comes after all
/// actors.
type Inbox = (u32, u32);

/// Whose message it is, and for whom.
fn link<M>(envelopes: &[Arc<Envelope<M>>], flight: u32) -> (Id, Id) {
    let envelope = &envelopes[flight as usize];
    (envelope.src, envelope.dst)
}

/// The messages heard and sent in a step: the name of the one that was heard, plus one, and then
/// the names of the others.
type Talk = Box<[u32]>;

/// Expands states. Each thread has one, with a memory of its own.
pub struct Worker<'a, A: Acting, C, H: Past> {
    shared: &'a Shared<'a, A, C, H>,
    values: Values<A, H>,
    /// For each message.
    inboxes: Vec<Inbox>,
    /// For each receiver, how many of these are for it.
    received: Vec<u32>,
    steps: Vec<Step>,
    sent: Vec<u32>,
    /// For each actor, by what it has and the message: nothing, or a step plus `FIRST`.
    arrivals: Vec<Grid>,
    /// For each actor, by what it has.
    own: Vec<Vec<Option<Own>>>,
    deeds: HashMap<ActionOf<A>, u32>,
    talks: Vec<Talk>,
    talk_names: HashMap<Talk, u32>,
    /// What a history becomes in a talk: its name plus `FIRST`.
    pasts: Grid,
    /// For each property, what it says of each history, where it reads no more.
    verdicts: Vec<Vec<Option<bool>>>,
    state: Vector,
    next: Vector,
    fresh: Vec<u32>,
    record: Vec<u8>,
    /// Which properties are not decided yet.
    pub is_open: Vec<bool>,
}

/// Places below have a meaning of their own.
const FIRST: Place = NOTHING + 1;

impl<A: Acting, C: Sync, H: Past> Expands for Worker<'_, A, C, H> {
    type Step = Deed;

    fn expand(&mut self, records: &[u8], sink: &mut impl Sink<Deed>) -> usize {
        let end = self.read(records);
        self.losses(sink);
        self.deliveries(sink);
        self.own_steps(sink);
        end
    }

    fn judge(&mut self, mut decides: impl FnMut(usize)) {
        let model = self.shared.model();
        let mut system = None;
        let history = self.state.parts[self.values.locals.len()] as usize;
        for (n, property) in model.properties.iter().enumerate() {
            if !self.is_open[n] || property.expectation == Expectation::Eventually {
                continue;
            }
            let known = self.verdicts[n].get(history).copied().flatten();
            let condition = known.unwrap_or_else(|| {
                let system = system
                    .get_or_insert_with(|| self.values.state_of(&self.state, self.shared.kind));
                (property.condition)(model, system)
            });
            if known.is_none() && self.shared.actors.by_history.contains(property.name) {
                let all = &mut self.verdicts[n];
                all.resize(all.len().max(history + 1), None);
                all[history] = Some(condition);
            }
            if condition == (property.expectation == Expectation::Sometimes) {
                decides(n);
            }
        }
    }

    /// It judges the state whole, too.
    fn audit(&mut self, record: &[u8]) -> Option<String> {
        let mut remembered = All::default();
        self.expand(record, &mut remembered);
        let (model, system) = (self.shared.model(), self.system());
        let mut steps = model.next_steps(&system);
        steps.retain(|(_, next)| Model::within_boundary(model, next));
        let steps = steps.into_iter().map(|(action, next)| (action, self.shared.record_of(&next)));
        if let Some(difference) = remembered.difference(steps, |action| format!("{action:?}")) {
            return Some(difference);
        }
        let history = self.state.parts[self.values.locals.len()] as usize;
        let mut known = model.properties.iter().zip(&self.verdicts);
        let differs = known.find(|(property, verdicts)| {
            let known = verdicts.get(history).copied().flatten();
            known.is_some_and(|known| known != (property.condition)(model, &system))
        });
        differs.map(|(property, _)| format!("`{}` reads more than the history", property.name))
    }

    fn disagreement(&self) -> Option<String> {
        self.shared.names.read().expect("no thread panics with names").disagreement.clone()
    }

    fn most_varied(&self) -> String {
        self.shared.names.read().expect("no thread panics with names").most_varied()
    }
}

impl<'a, A: Acting, C, H: Past> Worker<'a, A, C, H> {
    /// A worker that knows nothing, and is to decide these properties.
    pub fn new(shared: &'a Shared<'a, A, C, H>, is_open: Vec<bool>) -> Self {
        let actors = shared.model().actors.len();
        let silence: Talk = Box::new([0]);
        Worker {
            shared,
            values: Values::new(actors),
            inboxes: Vec::new(),
            received: vec![0; actors + 1],
            steps: Vec::new(),
            sent: Vec::new(),
            arrivals: std::iter::repeat_with(Grid::default).take(actors).collect(),
            own: vec![Vec::new(); actors],
            deeds: HashMap::new(),
            talks: vec![silence.clone()],
            talk_names: HashMap::from([(silence, 0)]),
            pasts: Grid::default(),
            verdicts: vec![Vec::new(); shared.model().properties.len()],
            state: Vector::default(),
            next: Vector::default(),
            fresh: Vec::new(),
            record: Vec::new(),
            is_open,
        }
    }

    /// Reads a record; what its names stand for is known then.
    pub fn read(&mut self, records: &[u8]) -> usize {
        let parts = self.values.locals.len() + self.shared.kind.more_parts();
        let end = self.state.read(parts, self.shared.kind.order(), records);
        if !self.values.know(&self.state) {
            self.hear();
        }
        end
    }

    /// The state that was read last.
    pub fn system(&self) -> ActorModelState<A, H> {
        self.values.state_of(&self.state, self.shared.kind)
    }

    fn hear(&mut self) {
        let names = self.shared.names.read().expect("no thread panics with names");
        self.values.hear_of(&names);
        for envelope in &self.values.envelopes[self.inboxes.len()..] {
            let to = usize::from(envelope.dst).min(self.values.locals.len());
            self.inboxes.push((to as u32, self.received[to]));
            self.received[to] += 1;
        }
    }

    /// Whether a message can be lost or delivered: equal ones count as one, and where a link keeps
    /// the order, only the first.
    #[inline]
    fn is_at_hand(&self, n: usize) -> bool {
        let Some(before) = n.checked_sub(1).map(|n| self.state.flights[n]) else { return true };
        match self.shared.kind {
            Kind::InOrder => {
                let link = |flight| link(&self.values.envelopes, flight);
                link(before) != link(self.state.flights[n])
            }
            _ => before != self.state.flights[n],
        }
    }

    fn losses(&mut self, sink: &mut impl Sink<Deed>) {
        if self.shared.model().lossy_network == LossyNetwork::No {
            return;
        }
        for n in (0..self.state.flights.len()).filter(|n| self.is_at_hand(*n)).collect::<Vec<_>>() {
            self.next.parts.clone_from(&self.state.parts);
            self.next.flights.clone_from(&self.state.flights);
            self.next.flights.remove(n);
            self.next.write(self.shared.kind.order(), &mut self.record);
            self.hand_over(Deed::Fault, sink);
        }
    }

    fn deliveries(&mut self, sink: &mut impl Sink<Deed>) {
        for n in 0..self.state.flights.len() {
            let flight = self.state.flights[n];
            let (to, column) = self.inboxes[flight as usize];
            let Some(grid) = self.arrivals.get(to as usize) else { continue };
            let row = self.state.parts[to as usize];
            if grid.is_nothing(row, column) || !self.is_at_hand(n) {
                continue;
            }
            let place = match grid.get(row, column) {
                0 => self.ask_to_hear(flight),
                place => place,
            };
            if place >= FIRST {
                self.take(to as usize, place - FIRST, Some(n), sink);
            }
        }
    }

    fn own_steps(&mut self, sink: &mut impl Sink<Deed>) {
        let most = self.shared.model().max_crashes;
        let actors = self.values.locals.len();
        let may_crash = most > 0 && (0..actors).filter(|n| self.local(*n).down).count() < most;
        for actor in 0..actors {
            let row = self.state.parts[actor] as usize;
            let own = match self.own[actor].get(row).copied().flatten() {
                Some(own) => own,
                None => self.ask_alone(actor, row),
            };
            for step in (own.steps.0..own.steps.1).chain(own.crash.filter(|_| may_crash)) {
                self.take(actor, step, None, sink);
            }
        }
    }

    fn local(&self, actor: usize) -> &super::local::Local<A> {
        &self.values.locals[actor][self.state.parts[actor] as usize].0
    }

    #[cold]
    fn ask_to_hear(&mut self, flight: u32) -> Place {
        let envelope = Arc::clone(&self.values.envelopes[flight as usize]);
        let (to, column) = self.inboxes[flight as usize];
        let (to, row) = (to as usize, self.state.parts[to as usize]);
        let actor = &self.shared.model().actors[to];
        let is_awaited = self.shared.kind == Kind::InOrder;
        let after = self.local(to).hear(actor, &envelope, is_awaited);
        let deed = Deed::Delivery(flight);
        let place = after.map_or(NOTHING, |after| FIRST + self.learn(to, deed, after));
        self.arrivals[to].set(row, column, place);
        place
    }

    #[cold]
    fn ask_alone(&mut self, actor: usize, row: usize) -> Own {
        let steps = self.local(actor).own(&self.shared.model().actors[actor], Id::from(actor));
        let mut own = Own { steps: (self.steps.len() as u32, 0), crash: None };
        for (action, after) in steps {
            let is_crash = matches!(action, ActorModelAction::Crash(_));
            let number = self.deeds.len() as u32;
            let deed = match is_crash {
                true => Deed::Fault,
                false => Deed::Own(*self.deeds.entry(action).or_insert(number)),
            };
            let step = self.learn(actor, deed, after);
            if is_crash {
                own.crash = Some(step);
            }
        }
        own.steps.1 = own.crash.unwrap_or(self.steps.len() as u32);
        let all = &mut self.own[actor];
        all.resize(all.len().max(row + 1), None);
        all[row] = Some(own);
        own
    }

    fn learn(&mut self, actor: usize, deed: Deed, after: After<A>) -> u32 {
        let mut names = self.shared.names.write().expect("no thread panics with names");
        let local = names.name_of_local(actor, after.local);
        let sent = after.sent.into_iter().map(|envelope| names.name_of_envelope(envelope));
        let mut sent: Vec<u32> = sent.collect();
        drop(names);
        let heard = match deed {
            Deed::Delivery(heard) => heard + 1,
            _ => 0,
        };
        let talk: Talk = std::iter::once(heard).chain(sent.iter().copied()).collect();
        let talks = &mut self.talks;
        let talk = *self.talk_names.entry(talk).or_insert_with_key(|talk| {
            talks.push(talk.clone());
            talks.len() as u32 - 1
        });
        if self.shared.kind != Kind::InOrder {
            sent.sort_unstable();
        }
        if self.shared.kind == Kind::AnyNumber {
            sent.dedup();
        }
        let begin = self.sent.len() as u32;
        self.sent.extend(sent);
        self.steps.push(Step { local, talk, sent: (begin, self.sent.len() as u32), deed });
        self.hear();
        self.steps.len() as u32 - 1
    }

    /// Takes a step of an actor, about a message or not, and hands over the state after it.
    #[inline]
    fn take(
        &mut self,
        actor: usize,
        step: u32,
        subject: Option<usize>,
        sink: &mut impl Sink<Deed>,
    ) {
        let step = self.steps[step as usize];
        let actors = self.values.locals.len();
        self.next.parts.clone_from(&self.state.parts);
        self.next.parts[actor] = step.local;
        if step.talk != 0 {
            self.next.parts[actors] = self.past(step.talk);
        }
        let Worker { state, next, record, .. } = self;
        let sent = &self.sent[step.sent.0 as usize..step.sent.1 as usize];
        match self.shared.kind {
            Kind::Once => state.write_after(&next.parts, (subject, 0), sent, record),
            Kind::AnyNumber => {
                if let Some(n) = subject {
                    next.parts[actors + 1] = state.flights[n] + 1;
                }
                let is_new = |name: &&u32| state.flights.binary_search(name).is_err();
                self.fresh.clear();
                self.fresh.extend(sent.iter().filter(is_new));
                next.flights.clone_from(&state.flights);
                next.flights.extend_from_slice(&self.fresh);
                next.flights.sort_unstable();
                next.write(self.shared.kind.order(), record);
            }
            Kind::InOrder => {
                next.flights.clone_from(&state.flights);
                subject.map(|n| next.flights.remove(n));
                let link = |flight| link(&self.values.envelopes, flight);
                for sent in sent {
                    let goes_before = |other: &u32| link(*other) <= link(*sent);
                    let place = next.flights.partition_point(goes_before);
                    next.flights.insert(place, *sent);
                }
                next.write(self.shared.kind.order(), record);
            }
        }
        self.hand_over(step.deed, sink);
    }

    /// What the history becomes in a talk.
    #[inline]
    fn past(&mut self, talk: u32) -> u32 {
        let row = self.state.parts[self.values.locals.len()];
        match self.pasts.get(row, talk) {
            0 => self.ask_recorders(row, talk),
            place => place - FIRST,
        }
    }

    #[cold]
    fn ask_recorders(&mut self, row: u32, talk: u32) -> u32 {
        let model = self.shared.model();
        let mut past = Arc::clone(&self.values.histories[row as usize]);
        let by_reference = |envelope: u32| {
            let Envelope { src, dst, ref msg } = *self.values.envelopes[envelope as usize];
            (src, dst, msg)
        };
        for (n, envelope) in self.talks[talk as usize].iter().enumerate() {
            let recorder = if n == 0 { model.record_msg_in } else { model.record_msg_out };
            let Some(envelope) = envelope.checked_sub(u32::from(n == 0)) else { continue };
            let (src, dst, msg) = by_reference(envelope);
            if let Some(more) = recorder(&model.cfg, &past.0, Envelope { src, dst, msg }) {
                past = Arc::new(super::names::Same(more));
            }
        }
        let mut names = self.shared.names.write().expect("no thread panics with names");
        let name = names.name_of_history(past.0.clone());
        drop(names);
        self.pasts.set(row, talk, name + FIRST);
        name
    }

    #[inline]
    fn hand_over(&mut self, deed: Deed, sink: &mut impl Sink<Deed>) {
        if self.shared.actors.bounded && !self.is_within() {
            return;
        }
        sink.take(&self.record, deed);
    }

    /// Whether the successor lies within the model's boundary.
    fn is_within(&mut self) -> bool {
        let kind = self.shared.kind;
        self.next.read(self.state.parts.len(), kind.order(), &self.record);
        if !self.values.know(&self.next) {
            self.hear();
        }
        let model = self.shared.model();
        Model::within_boundary(model, &self.values.state_of(&self.next, kind))
    }

    /// What a property's condition says of a state.
    pub fn says(&mut self, record: &[u8], property: usize) -> bool {
        self.read(record);
        let model = self.shared.model();
        (model.properties[property].condition)(model, &self.system())
    }

    /// What happens in an action of stateright's that this worker has met.
    pub fn deed_of(&self, action: &ActionOf<A>) -> Deed {
        match action {
            ActorModelAction::Drop(_) | ActorModelAction::Crash(_) => Deed::Fault,
            ActorModelAction::Deliver { src, dst, msg } => {
                let envelope = Envelope { src: *src, dst: *dst, msg: msg.clone() };
                let names = self.shared.names.read().expect("no thread panics with names");
                names.envelopes.get(&envelope).map_or(Deed::Fault, Deed::Delivery)
            }
            _ => self.deeds.get(action).map_or(Deed::Fault, |deed| Deed::Own(*deed)),
        }
    }
}
