//! What a scenario fixes: a protocol with its configuration, the programs of its clients, its
//! links and numbers, and what is expected of it.

use std::fmt;
use std::sync::Arc;

use crate::consistency::judge::BUDGET;
use crate::consistency::linearizable::linearizable;
use crate::consistency::memory::Given;
use crate::consistency::model::Need;
use crate::consistency::{Calls, Model, Ruling, Verdict, model_named};
use crate::history::{self, Call, History};
use crate::object::Object;
use crate::protocol::{NodeId, Outcome, ProcessId, Protocol};

use super::{BadNumber, HistoryForm, Monitor, Numbers, Promise, Record, Symmetry, System, Watch};

/// How links order messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// In any order.
    #[default]
    Unordered,
    /// From one node to another, in the order sent.
    Fifo,
}

/// Where a program stands when it is asked for its next call.
#[derive(Debug)]
pub struct Turn<'a, P: Protocol> {
    /// Which program, from 0.
    pub program: u16,
    /// The process that runs it now.
    pub process: ProcessId,
    /// The number of the call to come, from 0.
    pub number: u16,
    /// The last call and its outcome.
    pub last: Option<(&'a P::Op, &'a Outcome<P::Ret>)>,
}

/// What a program calls next, and at which node; `None` when it is done.
pub type Script<P> =
    Arc<dyn Fn(&Turn<'_, P>) -> Option<(NodeId, <P as Protocol>::Op)> + Send + Sync>;

/// What a judge of histories says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// The history is as the property wants it.
    Holds,
    /// It is not, and why.
    Violated(String),
    /// The judge's budget ran out.
    Unknown,
    /// The history does not provide what the property needs, and what that is.
    NotApplicable(String),
}

/// A judge of histories.
pub type Judge<P> = Arc<dyn Fn(&Record<P>) -> Judged + Send + Sync>;

type OfNode<P> = Arc<dyn Fn(&<P as Protocol>::Config, NodeId, &P) -> bool + Send + Sync>;
type OfPair<P> =
    Arc<dyn Fn(&<P as Protocol>::Config, (NodeId, &P), (NodeId, &P)) -> bool + Send + Sync>;
type OfSystem<P> = Arc<dyn Fn(&System<P>) -> bool + Send + Sync>;

/// The name of the promise that every call returns.
pub const CALLS_END: &str = "every call returns";

/// What must always hold; its kind says what it reads, so that an engine may judge that once.
pub enum Property<P: Protocol> {
    /// Of the state of each node that is up.
    EachNode(&'static str, OfNode<P>),
    /// Of the states of each two nodes that are up, in both orders.
    EachPair(&'static str, OfPair<P>),
    /// Of the whole system but what waits.
    System(&'static str, OfSystem<P>),
    /// Of the history.
    History(&'static str, Judge<P>),
    /// Of the events: the monitor as it starts.
    Events(&'static str, Box<dyn Watch<P>>),
    /// Of the system once nothing changes any more: after faults have stopped and all has healed,
    /// over one full fair round.
    Settled(&'static str, OfSystem<P>),
    /// Of all that a run does: what must come to pass. Only the checker can judge it.
    Promised(&'static str, Promise<P>),
}

impl<P: Protocol> Property<P> {
    /// A property of the state of each node that is up.
    pub fn each_node(
        name: &'static str,
        holds: impl Fn(&P::Config, NodeId, &P) -> bool + Send + Sync + 'static,
    ) -> Self {
        Property::EachNode(name, Arc::new(holds))
    }

    /// A property of each two nodes that are up.
    pub fn each_pair(
        name: &'static str,
        holds: impl Fn(&P::Config, (NodeId, &P), (NodeId, &P)) -> bool + Send + Sync + 'static,
    ) -> Self {
        Property::EachPair(name, Arc::new(holds))
    }

    /// A property of the whole system.
    pub fn system(
        name: &'static str,
        holds: impl Fn(&System<P>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Property::System(name, Arc::new(holds))
    }

    /// A property of the events.
    pub fn events(name: &'static str, monitor: impl Monitor<P>) -> Self {
        Property::Events(name, Box::new(monitor))
    }

    /// A property of the system once it has settled.
    pub fn settled(
        name: &'static str,
        holds: impl Fn(&System<P>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Property::Settled(name, Arc::new(holds))
    }

    /// Every run comes to a state in which this holds.
    pub fn eventually(
        name: &'static str,
        goal: impl Fn(&System<P>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Property::Promised(name, Promise::Eventually(Arc::new(goal)))
    }

    /// Whenever one thing holds, another does, then or later.
    pub fn leads_to(
        name: &'static str,
        from: impl Fn(&System<P>) -> bool + Send + Sync + 'static,
        to: impl Fn(&System<P>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Property::Promised(name, Promise::LeadsTo(Arc::new(from), Arc::new(to)))
    }

    /// Every call that is made returns. Programs make finitely many calls, so it is enough that no
    /// run stays for ever where one is open.
    pub fn calls_return() -> Self {
        let open =
            |system: &System<P>| system.programs.iter().any(|program| program.open.is_some());
        Property::leads_to(CALLS_END, open, move |system| !open(system))
    }

    /// Every run that never ends puts out this mark again and again: there is no livelock.
    pub fn recurs(name: &'static str, mark: &'static str) -> Self {
        Property::Promised(name, Promise::Recurs(mark))
    }

    /// From every state in which some program is not done, a step that puts out this mark can be
    /// reached without a fault.
    pub fn stays_possible(name: &'static str, mark: &'static str) -> Self {
        Property::Promised(name, Promise::StaysPossible(mark))
    }

    /// Every history is linearizable: `as_object` says what a call is to the object, and what its
    /// answer is; calls that are none of the object's are left out.
    pub fn linearizable<O: Object>(
        object: O,
        as_object: impl Fn(&P::Op, Option<&P::Ret>) -> Option<(O::Op, Option<O::Ret>)>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let judge = move |record: &Record<P>| {
            if record.form() != HistoryForm::RealTime {
                return Judged::NotApplicable(format!("the history does not say {}", Need::Timing));
            }
            let history = as_history(record, &as_object, |_| None);
            match linearizable(&object, &history, BUDGET) {
                Verdict::Holds(_) => Judged::Holds,
                Verdict::Violated(core) => Judged::Violated(in_words(&core.calls, &history)),
                Verdict::Unknown(_) => Judged::Unknown,
            }
        };
        Property::History("linearizable", Arc::new(judge))
    }

    /// Every history satisfies a consistency model, which is named as on the command line. What a
    /// world's history lacks is no pass: where only program order is kept, a model that needs more
    /// is *not applicable*, and engines take that for a violation.
    ///
    /// # Panics
    /// If there is no such model, or no such history could ever provide what it needs: labels of
    /// synchronisation, guards, or a mark at quiescence.
    pub fn consistent<O: Object>(
        model: &str,
        object: O,
        as_object: impl Fn(&P::Op, Option<&P::Ret>) -> Option<(O::Op, Option<O::Ret>)>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Property::judged_by(known(model, false), object, as_object, |_: &P::Op| None)
    }

    /// The same of a model that needs to know which calls synchronise: `label` says how.
    ///
    /// # Panics
    /// If there is no such model, or the history does not provide what it needs.
    pub fn labelled<O: Object>(
        model: &str,
        object: O,
        as_object: impl Fn(&P::Op, Option<&P::Ret>) -> Option<(O::Op, Option<O::Ret>)>
        + Send
        + Sync
        + 'static,
        label: impl Fn(&P::Op) -> Option<history::Sync> + Send + Sync + 'static,
    ) -> Self {
        Property::judged_by(known(model, true), object, as_object, label)
    }

    fn judged_by<O: Object>(
        model: &'static Model,
        object: O,
        as_object: impl Fn(&P::Op, Option<&P::Ret>) -> Option<(O::Op, Option<O::Ret>)>
        + Send
        + Sync
        + 'static,
        label: impl Fn(&P::Op) -> Option<history::Sync> + Send + Sync + 'static,
    ) -> Self {
        let needs_labels = model.needs.contains(&Need::Labels);
        let judge = move |record: &Record<P>| {
            let history = as_history(record, &as_object, &label);
            let synchronised = history.calls().iter().any(|c| c.sync.is_some() && c.ret.is_some());
            if needs_labels && !synchronised {
                // Nothing has happened yet by which such a model tells before from after.
                return Judged::Holds;
            }
            let untimed = record.form() != HistoryForm::RealTime;
            let given = Given { untimed, ..Given::default() };
            match model.judge(&Calls::new(&object, &history, given), BUDGET) {
                Ruling::Holds { .. } => Judged::Holds,
                Ruling::Violated { story, .. } => Judged::Violated(story.join(" ")),
                Ruling::Unknown(_) => Judged::Unknown,
                Ruling::NotApplicable(why) => Judged::NotApplicable(why),
            }
        };
        Property::History(model.name, Arc::new(judge))
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Property::EachNode(name, _)
            | Property::EachPair(name, _)
            | Property::System(name, _)
            | Property::History(name, _)
            | Property::Events(name, _)
            | Property::Settled(name, _)
            | Property::Promised(name, _) => name,
        }
    }
}

/// The model of this name; `labelled` says whether it will be told which calls synchronise.
fn known(name: &str, labelled: bool) -> &'static Model {
    let model = model_named(name).unwrap_or_else(|| panic!("there is no model {name}"));
    let provided = |need: &Need| *need == Need::Timing || labelled && *need == Need::Labels;
    if let Some(need) = model.needs.iter().find(|need| !provided(need)) {
        panic!("{name} can't be judged: the history does not say {need}");
    }
    model
}

/// A world's history as one that a judge takes: the two halves of an epoch are its calls and then
/// its returns. Where only program order was kept, each process has a clock of its own.
fn as_history<P: Protocol, Op, Ret>(
    record: &Record<P>,
    as_object: impl Fn(&P::Op, Option<&P::Ret>) -> Option<(Op, Option<Ret>)>,
    label: impl Fn(&P::Op) -> Option<history::Sync>,
) -> History<Op, Ret> {
    let timed = record.form() == HistoryForm::RealTime;
    let calls = record.entries().filter_map(|entry| {
        let (op, ret) = as_object(&entry.op, entry.ret.as_ref())?;
        let process = u32::from(entry.call.process.0);
        let own = u32::from(entry.call.number);
        let epoch = |epoch: u32| 2 * u64::from(if timed { epoch } else { own });
        let call = Call::open(process, op, epoch(entry.invoked));
        let returned = entry.returned.map(|end| epoch(end) + 1);
        let sync = label(&entry.op).map(Box::new);
        Some(Call { ret, returned, sync, ..call })
    });
    History::new(calls.collect()).expect("a world's processes make one call at a time")
}

/// The calls that prove a history wrong, as a sentence.
fn in_words<Op: fmt::Debug, Ret: fmt::Debug>(core: &[usize], history: &History<Op, Ret>) -> String {
    let calls = core.iter().map(|index| {
        let call = &history.calls()[*index];
        let ret = call.ret.as_ref().map_or("?".to_owned(), |ret| format!("{ret:?}"));
        format!("p{} {:?} -> {ret}", call.process, call.op)
    });
    format!("no order explains {}", calls.collect::<Vec<_>>().join(", "))
}

/// What a scenario is expected to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Every property holds.
    Holds,
    /// This property is broken, by the checker; seeds may take long to meet it.
    Breaks(&'static str),
    /// The same: but the text is the correct one, in a world that breaks what it assumes.
    BreaksWithout {
        /// The property.
        property: &'static str,
        /// What its world does not keep.
        assumption: &'static str,
    },
}

impl Expect {
    /// The property that is to break.
    pub fn broken(self) -> Option<&'static str> {
        match self {
            Expect::Holds => None,
            Expect::Breaks(property) | Expect::BreaksWithout { property, .. } => Some(property),
        }
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expect::Holds => write!(f, "holds"),
            Expect::Breaks(property) => write!(f, "breaks \"{property}\""),
            Expect::BreaksWithout { property, assumption } => {
                write!(f, "breaks \"{property}\" for want of {assumption}")
            }
        }
    }
}

/// A scenario, ready to become a world.
pub struct Setup<P: Protocol> {
    /// The protocol's configuration.
    pub config: P::Config,
    /// Size, clocks and budgets.
    pub numbers: Numbers,
    /// How links order messages.
    pub links: Links,
    /// What the programs call.
    pub script: Script<P>,
    /// Whether the next call is made in the step in which the last one returned. It hides real-time
    /// order, and serves only to meet published counts.
    pub eager: bool,
    /// What of the history is kept.
    pub history: HistoryForm,
    /// What must always hold.
    pub properties: Vec<Property<P>>,
    /// The marks that some run must reach, or a pass means nothing.
    pub sometimes: Vec<&'static str>,
    /// Whether a world may end with a call open.
    pub deadlock_expected: bool,
    /// Whether open calls must finish once all has healed.
    pub finishes: bool,
    /// Whether steps read stopwatches (`Outbox::left`).
    pub stopwatch: bool,
    /// What is expected.
    pub expect: Expect,
    /// With fewer nodes some part of the protocol has no place.
    pub nodes_min: u32,
    /// Which nodes are interchangeable, if some are.
    pub symmetry: Option<Symmetry<P>>,
}

impl<P: Protocol> Setup<P> {
    /// A scenario in which every property holds, links are unordered and every call returns once
    /// all has healed.
    pub fn new(
        config: P::Config,
        numbers: &Numbers,
        script: impl Fn(&Turn<'_, P>) -> Option<(NodeId, P::Op)> + Send + Sync + 'static,
    ) -> Self {
        Setup {
            config,
            numbers: numbers.clone(),
            links: Links::Unordered,
            script: Arc::new(script),
            eager: false,
            history: HistoryForm::None,
            properties: Vec::new(),
            sometimes: Vec::new(),
            deadlock_expected: false,
            finishes: true,
            stopwatch: false,
            expect: Expect::Holds,
            nodes_min: 1,
            symmetry: None,
        }
    }

    /// Whether these numbers make a world of this scenario.
    ///
    /// # Errors
    /// If they don't go together, or there are too few nodes.
    pub fn fits(&self) -> Result<(), BadNumber> {
        let Numbers { nodes, .. } = self.numbers;
        if nodes < self.nodes_min {
            let few = format!("it needs {} nodes, and has {nodes}", self.nodes_min);
            return Err(BadNumber::Together(few));
        }
        self.numbers.validate().map_err(BadNumber::Together)
    }

    /// The names of its properties.
    pub fn property_names(&self) -> Vec<&'static str> {
        self.properties.iter().map(Property::name).collect()
    }

    /// What must come to pass, with its names.
    pub fn promises(&self) -> impl Iterator<Item = (&'static str, &Promise<P>)> {
        self.properties.iter().filter_map(|property| match property {
            Property::Promised(name, promise) => Some((*name, promise)),
            _ => None,
        })
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> u8 {
        u8::try_from(self.numbers.nodes).expect("numbers are validated")
    }

    /// A length of time in ticks.
    pub fn ticks(&self, units: u32) -> u32 {
        units * self.numbers.scale
    }

    /// Whether time passes at all.
    pub fn timed(&self) -> bool {
        self.numbers.clocks != super::Clocks::Asynchronous
    }
}

/// A derive would ask `P` itself to be copied.
impl<P: Protocol> Clone for Property<P> {
    fn clone(&self) -> Self {
        use Property::*;
        match self {
            EachNode(name, holds) => EachNode(name, Arc::clone(holds)),
            EachPair(name, holds) => EachPair(name, Arc::clone(holds)),
            System(name, holds) => System(name, Arc::clone(holds)),
            History(name, judge) => History(name, Arc::clone(judge)),
            Events(name, monitor) => Events(name, monitor.clone()),
            Settled(name, holds) => Settled(name, Arc::clone(holds)),
            Promised(name, promise) => Promised(name, promise.clone()),
        }
    }
}

impl<P: Protocol> Clone for Setup<P> {
    fn clone(&self) -> Self {
        Setup {
            config: self.config.clone(),
            numbers: self.numbers.clone(),
            links: self.links,
            script: Arc::clone(&self.script),
            eager: self.eager,
            history: self.history,
            properties: self.properties.clone(),
            sometimes: self.sometimes.clone(),
            deadlock_expected: self.deadlock_expected,
            finishes: self.finishes,
            stopwatch: self.stopwatch,
            expect: self.expect,
            nodes_min: self.nodes_min,
            symmetry: self.symmetry.clone(),
        }
    }
}

impl<P: Protocol> fmt::Debug for Setup<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} with {}", self.config, self.numbers)
    }
}
