//! What a state turns into: every enabled action, from memory where the interpreter has answered
//! before, and by asking it where it has not.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, RwLock};

use crate::engine::check::CheckOptions;
use crate::engine::levels::{Sink, Worker as Expands};
use crate::engine::reduce::Flaw;
use crate::engine::verify::Examiner;
use crate::protocol::{Checkable, NodeId};
use crate::world::{
    Content, Flight, InFlight, Links, Part, Setup, Symmetry, Topic, World, goes_after, is_newest,
    stays_before,
};

use super::audit;
use super::judge::Judge;
use super::memo::{Change, Grid, Known, Memo, NOTHING, Place, Sort, Span};
use super::names::Names;
use super::sleep::{SEATS_MAX, Seats, Sleep};
use super::symmetry::{self, Orbits};
use super::vector::{Order, Vector};

/// What all workers share.
pub struct Shared<P: Checkable> {
    /// What is checked.
    pub setup: Arc<Setup<P>>,
    /// The judge of last resort.
    pub examiner: Examiner<P>,
    /// The names of values.
    pub names: RwLock<Names<P>>,
    /// How vectors keep messages.
    pub order: Order,
    /// What is interchangeable, where states that differ in nothing else are one.
    pub symmetry: Option<Symmetry<P>>,
    /// Whether steps may sleep.
    pub sleeps: bool,
    /// Why something that was asked for is not done.
    pub refused: Vec<String>,
    /// A defect on purpose.
    pub flaw: Flaw,
    /// For records of worlds, which are few.
    orbits: Mutex<Option<Orbits>>,
    /// The marks that promises are about, by the promises' numbers.
    promised: Vec<Option<&'static str>>,
}

impl<P: Checkable> Shared<P> {
    /// For a search from the beginning.
    pub fn new(setup: &Arc<Setup<P>>, options: CheckOptions) -> Self {
        // Where messages take any time, or none, equal ones wait equally long.
        let bounded = setup.timed() && setup.numbers.delay.is_some();
        let order = match setup.links {
            Links::Unordered if !bounded => Order::ByName,
            _ => Order::AsInTheWorld,
        };
        let promised: Vec<_> = setup.promises().map(|(_, promise)| promise.mark()).collect();
        assert!(promised.len() <= 16, "a scenario promises 16 things at the most");
        let mut refused = Vec::new();
        let symmetry = options.reduce.symmetry().then(|| symmetry::applicable(setup)).transpose();
        let symmetry = symmetry.unwrap_or_else(|why| {
            refused.push(format!("symmetry: {why}"));
            None
        });
        let few = setup.numbers.nodes + setup.numbers.clients <= SEATS_MAX;
        let sleeps = options.reduce.order() && few && !options.fingerprints;
        if options.reduce.order() && !sleeps {
            refused.push("order: states must be stored whole, and have few nodes".to_owned());
        }
        let mut shared = Shared {
            setup: Arc::clone(setup),
            examiner: Examiner::new(setup),
            names: RwLock::new(Names::new(setup, order)),
            order,
            symmetry,
            sleeps,
            refused,
            flaw: options.flaw,
            orbits: Mutex::default(),
            promised,
        };
        shared.orbits = Mutex::new(Orbits::new(&shared));
        shared
    }

    /// Which of the marks that promises are about a world's last action put out.
    pub fn promised_marks(&self, world: &World<P>) -> u16 {
        let has = |wanted: &str| world.waiting.marks.iter().any(|(_, mark)| mark.name == wanted);
        let bits = self.promised.iter().enumerate().filter(|(_, mark)| mark.is_some_and(has));
        bits.fold(0, |bits, (n, _)| bits | 1 << n)
    }

    /// The record by which a world is kept.
    pub fn record_of(&self, world: &World<P>) -> Vec<u8> {
        let vector = self.names.write().expect("no thread panics with names").vector_of(world);
        let mut record = Vec::new();
        vector.write(self.order, &mut record);
        if let Some(orbits) = &mut *self.orbits.lock().expect("no thread panics with orbits") {
            orbits.replace(self, &mut record);
        }
        record
    }

    /// A record's world.
    pub fn world_of(&self, record: &[u8]) -> World<P> {
        let mut vector = Vector::default();
        vector.read(Part::FIXED + usize::from(self.setup.nodes()), self.order, record);
        let names = self.names.read().expect("no thread panics with names");
        names.world_of(&vector.parts, &vector.flights)
    }
}

/// One question to the memory: which grid, row and column.
#[derive(Clone, Copy)]
struct Spot(usize, u32, u32);

/// Expands states. Each thread has one, with a memory of its own.
pub struct Worker<'a, P: Checkable> {
    shared: &'a Shared<P>,
    memo: Memo,
    grids: Vec<Grid>,
    judge: Judge,
    contents: Vec<Vec<Arc<Content<P>>>>,
    flights: Vec<Arc<Flight<P::Msg>>>,
    /// For each message, its receiver, and its number among those for that receiver.
    inboxes: Vec<(u8, u32)>,
    inbox_sizes: Vec<u32>,
    /// For each part, whether nothing ever happens about it where it holds this.
    idle: Vec<Vec<bool>>,
    state: Vector,
    /// A state after a step. Between steps its parts are those of the state.
    next: Vector,
    record: Vec<u8>,
    goes_on: bool,
    orbits: Option<Orbits>,
    sleep: Option<Sleep>,
    /// What sleeps in the state that is expanded next, and then after the step that is taken.
    asleep: Seats,
    /// How many successors the last state has, those included to which steps lead that slept.
    successors: usize,
    /// The states and transitions for which those stand that were judged.
    pub stood_for: (usize, usize),
    /// The marks that were put out.
    pub marks: BTreeSet<&'static str>,
}

/// The topics about a node that its own state answers.
const NODE_TOPICS: [fn(NodeId) -> Topic; 4] =
    [Topic::Timers, Topic::Resume, Topic::Restart, Topic::Faults];

impl<P: Checkable> Expands for Worker<'_, P> {
    type Step = Sort;

    fn expand(&mut self, records: &[u8], sink: &mut impl Sink<Sort>) -> usize {
        let parts = self.contents.len();
        let end = self.state.read(parts, self.shared.order, records);
        self.next.parts.clone_from(&self.state.parts);
        (self.goes_on, self.successors) = (false, 0);
        let asleep = std::mem::take(&mut self.asleep);
        if let Some(sleep) = &mut self.sleep {
            sleep.begin();
        }
        let newest = self.state.flights.iter().max();
        if newest.is_some_and(|newest| *newest as usize >= self.flights.len()) {
            self.hear_of_flights();
        }
        self.arrivals(sink);
        self.nodes(sink);
        self.calls(sink);
        self.network(sink);
        self.whole(Topic::Time, self.shared.setup.timed(), sink);
        self.take_those_awake(asleep, sink);
        end
    }

    fn let_sleep(&mut self, asleep: Seats) {
        self.asleep = asleep;
    }

    /// It does not tell properties apart: whichever is judged of a state as it is expanded is 0.
    fn judge(&mut self, mut decides: impl FnMut(usize)) {
        self.count();
        if self.is_suspect() {
            decides(0);
        }
    }

    fn audit(&mut self, record: &[u8]) -> Option<String> {
        let difference = audit::difference(self.shared, self, record)?;
        Some(format!("a handler is not pure: {difference}"))
    }

    fn disagreement(&self) -> Option<String> {
        self.shared.names.read().expect("no thread panics with names").disagreement.clone()
    }

    fn most_varied(&self) -> String {
        self.shared.names.read().expect("no thread panics with names").most_varied()
    }
}

impl<'a, P: Checkable> Worker<'a, P> {
    /// A worker that knows nothing.
    pub fn new(shared: &'a Shared<P>) -> Self {
        let nodes = usize::from(shared.setup.nodes());
        let grids = std::iter::repeat_with(Grid::default).take(2 * nodes + 3).collect();
        Worker {
            shared,
            memo: Memo::default(),
            grids,
            judge: Judge::new(&shared.setup),
            contents: vec![Vec::new(); Part::FIXED + nodes],
            flights: Vec::new(),
            inboxes: Vec::new(),
            inbox_sizes: vec![0; nodes],
            idle: vec![Vec::new(); Part::FIXED + nodes],
            state: Vector::default(),
            next: Vector::default(),
            record: Vec::new(),
            goes_on: false,
            orbits: Orbits::new(shared),
            sleep: shared.sleep(),
            asleep: 0,
            successors: 0,
            stood_for: (0, 0),
            marks: BTreeSet::new(),
        }
    }

    /// Takes the steps that were put off, but for those that sleep.
    fn take_those_awake(&mut self, asleep: Seats, sink: &mut impl Sink<Sort>) {
        let Some(sleep) = self.sleep.take() else { return };
        for n in 0..sleep.asked() {
            let (asked, sleeps) = sleep.get(n, asleep);
            if sleeps {
                self.successors += self.memo.steps(asked.span).count();
                continue;
            }
            let mut at = asked.span.first;
            while at < asked.span.end {
                let step = self.memo.step(at);
                if step.sent.iter().any(|name| *name as usize >= self.flights.len()) {
                    self.hear_of_flights();
                }
                let inbox = |name: u32| self.inboxes[name as usize].0;
                self.asleep = sleep.after(asleep, &asked, self.memo.step(at), inbox);
                self.take(asked.topic, at, sink);
                at = self.memo.after(at);
            }
        }
        self.asleep = 0;
        self.sleep = Some(sleep);
    }

    /// Counts the state that was expanded last, and its successors, for all of its orbit.
    fn count(&mut self) {
        let mut states = 1;
        if let Some(orbits) = &mut self.orbits {
            self.state.write(self.shared.order, &mut self.record);
            (states, _) = orbits.replace(self.shared, &mut self.record);
        }
        let (all, transitions) = self.stood_for;
        self.stood_for = (all + states, transitions + states * self.successors);
    }

    fn is_suspect(&mut self) -> bool {
        let setup = &self.shared.setup;
        let stuck = !setup.deadlock_expected && !self.goes_on && {
            let calls = Arc::clone(self.content(Part::Calls.index()));
            calls.calls().is_some_and(|(_, open)| open)
        };
        let Shared { examiner, symmetry, names, .. } = self.shared;
        stuck || self.judge.suspects_system(&self.state, (examiner, symmetry.as_ref()), names)
    }

    /// What a part of the state holds.
    fn content(&mut self, part: usize) -> &Arc<Content<P>> {
        let name = self.state.parts[part] as usize;
        if name >= self.contents[part].len() {
            self.hear_of_contents();
        }
        &self.contents[part][name]
    }

    fn hear_of_contents(&mut self) {
        let names = self.shared.names.read().expect("no thread panics with names");
        for (ours, table) in self.contents.iter_mut().zip(&names.parts) {
            ours.extend(table.values()[ours.len()..].iter().cloned());
        }
    }

    fn hear_of_flights(&mut self) {
        let names = self.shared.names.read().expect("no thread panics with names");
        for flight in &names.flights.values()[self.flights.len()..] {
            let size = &mut self.inbox_sizes[flight.to.index()];
            self.inboxes.push((flight.to.0, *size));
            *size += 1;
            self.flights.push(Arc::clone(flight));
        }
    }

    fn arrivals(&mut self, sink: &mut impl Sink<Sort>) {
        let mut before = None;
        for n in 0..self.state.flights.len() {
            let flight = self.state.flights[n];
            let (to, column) = self.inboxes[flight as usize];
            let row = self.state.parts[Part::FIXED + usize::from(to)];
            let before = before.replace(flight);
            if self.grids[usize::from(to)].is_nothing(row, column)
                || before.is_some_and(|before| self.waits_for(before, flight))
            {
                continue;
            }
            let (base, spot) = (Part::Node(NodeId(to)), Spot(usize::from(to), row, column));
            self.ask(Topic::Arrival(n), spot, Some(base), sink);
        }
    }

    #[inline]
    fn waits_for(&self, before: u32, flight: u32) -> bool {
        if self.shared.order == Order::ByName {
            return before == flight;
        }
        let (before, flight) = (&self.flights[before as usize], &self.flights[flight as usize]);
        let same_link = (before.from, before.to) == (flight.from, flight.to);
        let same = before.msg == flight.msg;
        goes_after(self.shared.setup.links, same_link, same, before.wait.ready())
    }

    fn nodes(&mut self, sink: &mut impl Sink<Sort>) {
        let nodes = self.shared.setup.nodes();
        for node in NodeId::all(nodes) {
            if self.is_idle(Part::Node(node)) {
                continue;
            }
            let row = self.state.parts[Part::FIXED + node.index()];
            let grid = usize::from(nodes) + node.index();
            for (column, topic) in (0..).zip(NODE_TOPICS) {
                self.ask(topic(node), Spot(grid, row, column), Some(Part::Node(node)), sink);
            }
            self.note_idle(Part::Node(node), grid, NODE_TOPICS.len());
        }
    }

    fn calls(&mut self, sink: &mut impl Sink<Sort>) {
        if self.is_idle(Part::Calls) {
            return;
        }
        let grid = 2 * usize::from(self.shared.setup.nodes());
        let row = self.state.parts[Part::Calls.index()];
        let programs = self.shared.setup.numbers.clients as usize;
        for program in 0..programs {
            for (column, topic) in (0..).zip([Topic::Call, Topic::Cancel]) {
                let spot = Spot(grid, row, 2 * program as u32 + column);
                self.ask(topic(program), spot, Some(Part::Calls), sink);
            }
        }
        self.note_idle(Part::Calls, grid, 2 * programs);
    }

    #[inline]
    fn is_idle(&self, part: Part) -> bool {
        let name = self.state.parts[part.index()] as usize;
        self.idle[part.index()].get(name).copied().unwrap_or(false)
    }

    /// Notes whether none of a row of questions about a part has any answer but that nothing
    /// happens, so that they need not be asked again.
    fn note_idle(&mut self, part: Part, grid: usize, columns: usize) {
        let name = self.state.parts[part.index()];
        let mut places = (0..columns as u32).map(|column| self.grids[grid].get(name, column));
        if places.all(|place| place == NOTHING) {
            let idle = &mut self.idle[part.index()];
            idle.resize(idle.len().max(name as usize + 1), false);
            idle[name as usize] = true;
        }
    }

    fn network(&mut self, sink: &mut impl Sink<Sort>) {
        let grid = 2 * usize::from(self.shared.setup.nodes()) + 1;
        let numbers = &self.shared.setup.numbers;
        if numbers.faults.losses | numbers.faults.duplicates > 0 {
            for n in 0..self.state.flights.len() {
                if self.is_newest(n) {
                    let spot = Spot(grid, self.state.flights[n], 0);
                    self.ask(Topic::Link(n), spot, None, sink);
                }
            }
        }
        if numbers.faults.partitions > 0 {
            let row = self.state.parts[Part::Cut.index()];
            self.ask(Topic::Heal, Spot(grid + 1, row, 0), Some(Part::Cut), sink);
            if numbers.in_flight == InFlight::Dropped {
                self.whole(Topic::Partition, true, sink);
            } else {
                self.ask(Topic::Partition, Spot(grid + 1, row, 1), Some(Part::Cut), sink);
            }
        }
    }

    fn is_newest(&self, n: usize) -> bool {
        let (flight, later) = (self.state.flights[n], &self.state.flights[n + 1..]);
        match self.shared.order {
            Order::ByName => later.first() != Some(&flight),
            Order::AsInTheWorld => {
                let later = later.iter().map(|later| &*self.flights[*later as usize]);
                is_newest(&self.flights[flight as usize], later)
            }
        }
    }

    /// Asks the memory, and then the interpreter, and does what they say.
    #[inline]
    fn ask(&mut self, topic: Topic, spot: Spot, base: Option<Part>, sink: &mut impl Sink<Sort>) {
        let Spot(grid, row, column) = spot;
        if !self.grids[grid].is_nothing(row, column) {
            let place = self.grids[grid].get(row, column);
            self.answer(topic, spot, place, base, sink);
        }
    }

    fn answer(
        &mut self,
        topic: Topic,
        spot: Spot,
        place: Place,
        base: Option<Part>,
        sink: &mut impl Sink<Sort>,
    ) {
        let span = match self.memo.recall(place, &self.state) {
            Known::Steps(span) => span,
            Known::Unknown => self.find_out(topic, spot, base),
        };
        self.goes_on |= span.first < span.end && !topic.is_fault();
        if self.puts_off((topic, span), base) {
            return;
        }
        let mut step = span.first;
        while step < span.end {
            self.take(topic, step, sink);
            step = self.memo.after(step);
        }
        self.memo.let_go();
    }

    /// Puts the steps of an answer off, where steps may sleep.
    #[inline]
    fn puts_off(&mut self, answer: (Topic, Span), base: Option<Part>) -> bool {
        let Some(sleep) = &mut self.sleep else { return false };
        let inbox = match answer.0 {
            Topic::Arrival(n) | Topic::Link(n) => {
                Some(self.inboxes[self.state.flights[n] as usize].0)
            }
            _ => None,
        };
        let base = base.map_or(0, |base| 1 << base.index());
        sleep.put_off(&self.memo, answer, inbox, base);
        self.memo.keep_passing();
        true
    }

    /// Runs the interpreter for one topic: on the whole world but for what is in flight, of which
    /// only the subject matters.
    #[cold]
    fn find_out(&mut self, topic: Topic, spot: Spot, base: Option<Part>) -> Span {
        let Spot(grid, row, column) = spot;
        let (alone, subject) = match topic {
            Topic::Arrival(n) => (Topic::Arrival(0), Some(self.state.flights[n])),
            Topic::Link(n) => (Topic::Link(0), Some(self.state.flights[n])),
            _ => (topic, None),
        };
        let names = self.shared.names.read().expect("no thread panics with names");
        let world = names.world_of(&self.state.parts, subject.as_slice());
        drop(names);
        let mut actions = Vec::new();
        world.actions_about(alone, &mut actions);
        let seen = world.system.seen.clone();
        let mut changes = Vec::with_capacity(actions.len());
        let mut steps = Vec::with_capacity(actions.len());
        for action in actions {
            let next = world.after(&action).expect("an enabled action can be done");
            seen.add(&next.system.seen);
            self.marks.extend(next.waiting.marks.iter().map(|(_, mark)| mark.name));
            let mut change = self.change_between(&world, &next, topic);
            change.sort.marks = self.shared.promised_marks(&next);
            let mut names = self.shared.names.write().expect("no thread panics with names");
            change.sort.duty = names.duty_of(&action);
            changes.push(change);
            steps.push((action, next));
        }
        if let Some(symmetry) = &self.shared.symmetry
            && let Some((by, why)) = symmetry::difference(symmetry, (&world, alone), &steps)
        {
            self.shared.refuse(by, &why);
        }
        let parts = Part::all(self.shared.setup.nodes());
        let reads = parts.filter(|part| seen.has(*part) && Some(*part) != base);
        let reads: Vec<u8> = reads.map(|part| part.index() as u8).collect();
        let place = self.grids[grid].get(row, column);
        let (place, span) = self.memo.learn(place, &self.state, &reads, &changes);
        self.grids[grid].set(row, column, place);
        span
    }

    fn change_between(&mut self, world: &World<P>, next: &World<P>, topic: Topic) -> Change {
        let mut names = self.shared.names.write().expect("no thread panics with names");
        let (mut parts, mut suspect) = (Vec::new(), false);
        for part in Part::all(self.shared.setup.nodes()) {
            if world.agrees(next, part) {
                continue;
            }
            assert!(next.system.seen.has(part), "a step that changes {part:?} has looked at it");
            let name = names.name_of_part(next, part);
            parts.push((part.index() as u8, name));
            let content = &names.parts[part.index()].values()[name as usize];
            let Shared { examiner, symmetry, .. } = self.shared;
            suspect |= Judge::suspects_part((examiner, symmetry.as_ref()), part, content);
        }
        let flights = names.names_of_flights(next);
        let (copies, sent) = match topic {
            Topic::Link(_) => (flights.len() as u8, Vec::new()),
            _ => (0, flights),
        };
        Change { parts, copies, sent, sort: Sort { suspect, ..Sort::default() } }
    }

    /// Takes a step, and hands over the state after it.
    fn take(&mut self, topic: Topic, at: u32, sink: &mut impl Sink<Sort>) {
        let Worker { state, next, memo, record, .. } = self;
        let step = memo.step(at);
        for (part, name) in step.parts() {
            next.parts[part] = name;
        }
        let subject = match topic {
            Topic::Arrival(n) | Topic::Link(n) => Some(n),
            _ => None,
        };
        let sort = step.sort;
        if self.shared.order == Order::ByName {
            state.write_after(&next.parts, (subject, step.copies), step.sent, record);
        } else {
            next.flights.clone_from(&state.flights);
            if let Some(n) = subject {
                let copies = (0..step.copies).map(|_| state.flights[n]);
                next.flights.splice(n..=n, copies);
            }
            self.send(at);
            self.next.write(Order::AsInTheWorld, &mut self.record);
        }
        let suspect = sort.suspect || self.suspects_pairs_after(at);
        for (part, _) in self.memo.step(at).parts() {
            self.next.parts[part] = self.state.parts[part];
        }
        self.hand_over(Sort { suspect, asleep: self.asleep, ..sort }, sink);
    }

    fn suspects_pairs_after(&mut self, step: u32) -> bool {
        let Worker { judge, next, shared, memo, .. } = self;
        let content = |node: usize, name: u32| {
            let names = shared.names.read().expect("no thread panics with names");
            Arc::clone(&names.parts[Part::FIXED + node].values()[name as usize])
        };
        let changed = memo.step(step).parts();
        let mut nodes = changed.filter_map(|(part, _)| part.checked_sub(Part::FIXED));
        let examiner = (&shared.examiner, shared.symmetry.as_ref());
        nodes.any(|node| judge.suspects_pairs(next, node, examiner, content))
    }

    /// Puts what a step sent in flight, in the world's order.
    fn send(&mut self, step: u32) {
        let sent = self.memo.step(step).sent;
        if sent.iter().any(|name| *name as usize >= self.flights.len()) {
            self.hear_of_flights();
        }
        let (values, links) = (&self.flights, self.shared.setup.links);
        let flights = &mut self.next.flights;
        for sent in self.memo.step(step).sent {
            let value = |name: u32| &*values[name as usize];
            let stays = |other: &u32| stays_before(links, value(*other), value(*sent));
            let place = flights.partition_point(stays);
            flights.insert(place, *sent);
        }
    }

    fn hand_over(&mut self, mut sort: Sort, sink: &mut impl Sink<Sort>) {
        self.successors += 1;
        if let Some(orbits) = &mut self.orbits {
            let (_, by) = orbits.replace(self.shared, &mut self.record);
            sort.asleep = self.shared.seats_under(by, sort.asleep);
        }
        sink.take(&self.record, sort);
    }

    /// Takes the steps about a topic on the whole world, which they may change all over. They
    /// change no node's state, no call and no monitor, so there is nothing to suspect.
    fn whole(&mut self, topic: Topic, asked: bool, sink: &mut impl Sink<Sort>) {
        if !asked {
            return;
        }
        let names = self.shared.names.read().expect("no thread panics with names");
        let world = names.world_of(&self.state.parts, &self.state.flights);
        drop(names);
        let mut actions = Vec::new();
        world.actions_about(topic, &mut actions);
        self.goes_on |= !actions.is_empty() && !topic.is_fault();
        for action in actions {
            let next = world.after(&action).expect("an enabled action can be done");
            let mut names = self.shared.names.write().expect("no thread panics with names");
            self.next.clone_from(&self.state);
            for part in Part::all(self.shared.setup.nodes()) {
                if !world.agrees(&next, part) {
                    self.next.parts[part.index()] = names.name_of_part(&next, part);
                }
            }
            if world.waiting.flights != next.waiting.flights {
                self.next.flights = names.names_of_flights(&next);
            }
            let sort = Sort { duty: names.duty_of(&action), ..Sort::default() };
            drop(names);
            self.next.write(self.shared.order, &mut self.record);
            self.hand_over(sort, sink);
        }
        self.next.parts.clone_from(&self.state.parts);
    }
}
