//! The shell's log: what its nodes did, in the alphabet of the world.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use crate::protocol::{Draw, NodeId, Protocol};
use crate::world::{Action, Clocks, Faults, Happening, Numbers, Setup, Torn};

/// Called with each action when it begins.
pub(super) type Sink<P> = Box<dyn Fn(&Action<P>) + Send + Sync>;

/// The log of all nodes. Steps stand in the order in which they began.
pub(super) struct Log<P: Protocol> {
    entries: Mutex<Entries<P>>,
    /// Woken, for each node, when a step of it begins.
    begun: Vec<Notify>,
    sink: Option<Sink<P>>,
}

struct Entries<P: Protocol> {
    actions: Vec<Action<P>>,
    /// What the start drew: the clocks' skews, and then what each node's first boot drew.
    start: Vec<Vec<u32>>,
    nodes: Vec<Progress>,
    spent: Faults,
    furthest_jump: u32,
    /// How many messages each link has taken.
    sent: BTreeMap<(NodeId, NodeId), u64>,
    /// How many of a link's messages have arrived.
    arrived: BTreeMap<(NodeId, NodeId), u64>,
}

/// How far a node is.
#[derive(Clone, Default)]
struct Progress {
    /// How often it has booted.
    boots: u32,
    up: bool,
    /// The step that is being performed.
    step: Option<Step>,
    /// What its clock showed when a step of it last began, in units since the start.
    clock: u32,
}

#[derive(Clone, Copy)]
struct Step {
    /// Its place in the log.
    place: usize,
    effects: usize,
    performed: usize,
}

impl<P: Protocol> Log<P> {
    /// A log in which the world has started: its first nodes are there from the beginning.
    pub(super) fn new(setup: &Setup<P>, skews: Vec<u32>, sink: Option<Sink<P>>) -> Self {
        let nodes = setup.numbers.nodes as usize;
        let there = nodes - (setup.numbers.faults.joins as usize).min(nodes);
        let mut start = vec![skews];
        start.resize(1 + there, Vec::new());
        Log {
            entries: Mutex::new(Entries {
                actions: vec![Happening::Start.into()],
                start,
                nodes: vec![Progress::default(); nodes],
                spent: Faults::default(),
                furthest_jump: 0,
                sent: BTreeMap::new(),
                arrived: BTreeMap::new(),
            }),
            begun: (0..nodes).map(|_| Notify::new()).collect(),
            sink,
        }
    }

    /// How often a node has booted.
    pub(super) fn boots(&self, node: NodeId) -> u32 {
        self.entries().nodes[node.index()].boots
    }

    /// What a node's clock shows at its next boot: no time has passed for one that is new.
    pub(super) fn clock_at_boot(&self, node: NodeId, elapsed: u32) -> u32 {
        if self.boots(node) == 0 { 0 } else { elapsed }
    }

    /// A node starts, for the first time or again.
    pub(super) fn boot(&self, node: NodeId, clock: u32, draws: &[Draw], effects: usize) {
        let mut entries = self.entries();
        let progress = &mut entries.nodes[node.index()];
        progress.boots += 1;
        progress.up = true;
        let again = progress.boots > 1;
        if !again && 1 + node.index() < entries.start.len() {
            entries.start[1 + node.index()] = taken(draws);
            let step = Step { place: 0, effects, performed: 0 };
            entries.nodes[node.index()].step = Some(step);
            return;
        }
        let did = if again { Happening::Restart(node) } else { Happening::Join(node) };
        drop(entries);
        self.begin(node, did, clock, draws, effects);
    }

    /// A step begins. Where the node's clock has moved since its last step, it jumps first: the
    /// asynchronous world has no other passing of time.
    pub(super) fn begin(
        &self,
        node: NodeId,
        did: Happening<P>,
        clock: u32,
        draws: &[Draw],
        effects: usize,
    ) {
        let mut entries = self.entries();
        let passed = clock - entries.nodes[node.index()].clock;
        if passed > 0 {
            entries.nodes[node.index()].clock = clock;
            entries.spent.jumps += 1;
            entries.furthest_jump = entries.furthest_jump.max(passed);
            self.push(&mut entries, Happening::Jump(node, passed.cast_signed()).into());
        }
        if let Happening::Deliver(from, to, _) = &did {
            *entries.arrived.entry((*from, *to)).or_default() += 1;
        }
        entries.spent.cancels += u32::from(matches!(did, Happening::Cancel(_)));
        let place = entries.actions.len();
        entries.nodes[node.index()].step = Some(Step { place, effects, performed: 0 });
        self.push(&mut entries, Action { did, draws: taken(draws), torn: None });
        self.begun[node.index()].notify_waiters();
    }

    /// The next effect of a node's step has happened.
    pub(super) fn performed(&self, node: NodeId) {
        let step = &mut self.entries().nodes[node.index()].step;
        step.as_mut().expect("effects belong to a step").performed += 1;
    }

    /// All effects of a node's step have happened.
    pub(super) fn finished(&self, node: NodeId) {
        self.entries().nodes[node.index()].step = None;
    }

    /// A message has left a node.
    pub(super) fn sent(&self, from: NodeId, to: NodeId) {
        *self.entries().sent.entry((from, to)).or_default() += 1;
    }

    /// The number of the next message that a link takes.
    pub(super) fn next_sent(&self, from: NodeId, to: NodeId) -> u64 {
        self.entries().sent.get(&(from, to)).copied().unwrap_or(0)
    }

    /// The number of the next message that may arrive on a FIFO link.
    pub(super) fn next_arrival(&self, from: NodeId, to: NodeId) -> u64 {
        self.entries().arrived.get(&(from, to)).copied().unwrap_or(0)
    }

    fn push(&self, entries: &mut Entries<P>, action: Action<P>) {
        if let Some(sink) = &self.sink {
            sink(&action);
        }
        entries.actions.push(action);
    }

    fn entries(&self) -> MutexGuard<'_, Entries<P>> {
        self.entries.lock().expect("nobody panics with the log in hand")
    }
}

/// What only a supervisor asks and says.
impl<P: Protocol> Log<P> {
    /// A node has been killed: a crash between two steps, or one that tears the step that is being
    /// performed. A node that was down stays so.
    pub(super) fn killed(&self, node: NodeId) {
        let mut entries = self.entries();
        let progress = &mut entries.nodes[node.index()];
        if !std::mem::take(&mut progress.up) {
            return;
        }
        let torn = progress.step.take().filter(|step| step.performed < step.effects);
        entries.spent.crashes += 1;
        let Some(Step { place, performed, .. }) = torn else {
            return self.push(&mut entries, Happening::Crash(node, false).into());
        };
        entries.spent.torn += 1;
        let kept = u16::try_from(performed).expect("a step has few effects");
        entries.actions[place].torn = Some(Torn { kept, loses_saves: false });
    }

    /// Whether a node runs.
    pub(super) fn is_up(&self, node: NodeId) -> bool {
        self.entries().nodes[node.index()].up
    }

    /// Whether a step of a node is being performed.
    pub(super) fn is_in_step(&self, node: NodeId) -> bool {
        self.entries().nodes[node.index()].step.is_some()
    }

    /// Waits until a step of a node begins.
    pub(super) async fn next_step(&self, node: NodeId) {
        self.begun[node.index()].notified().await;
    }

    /// The faults that have happened.
    pub(super) fn spent(&self) -> Faults {
        self.entries().spent.clone()
    }

    /// How many messages have been sent.
    pub(super) fn messages(&self) -> u64 {
        self.entries().sent.values().sum()
    }

    /// The whole log, and the asynchronous world of which it must be a path.
    pub(super) fn close(&self, setup: &Setup<P>) -> (Vec<Action<P>>, Arc<Setup<P>>) {
        let mut entries = self.entries();
        let mut log = std::mem::take(&mut entries.actions);
        log[0].draws = entries.start.concat();
        let world = asynchronous(setup, &entries.spent, entries.furthest_jump);
        (log, Arc::new(world))
    }
}

/// The same scenario where anything that waits may wait for any time, with budgets for the faults
/// that happened. What was lost or cut off is still in flight there, and a pause is no more than
/// slowness. Programs are tasks of their own, so none calls in the step that ended its last call.
fn asynchronous<P: Protocol>(setup: &Setup<P>, spent: &Faults, jump: u32) -> Setup<P> {
    let own = &setup.numbers.faults;
    let faults = Faults {
        crashes: own.crashes.max(spent.crashes),
        torn: own.torn.max(spent.torn),
        cancels: own.cancels.max(spent.cancels),
        jumps: spent.jumps,
        ..own.clone()
    };
    let numbers = Numbers {
        clocks: Clocks::Asynchronous,
        delay: None,
        scale: 1,
        jump,
        faults,
        ..setup.numbers.clone()
    };
    Setup { numbers, eager: false, ..setup.clone() }
}

fn taken(draws: &[Draw]) -> Vec<u32> {
    draws.iter().map(|draw| draw.taken).collect()
}
