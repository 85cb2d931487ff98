//! Steps that sleep, against full exploration: the same states at the same depths, the same
//! verdict, trace and marks, by fewer transitions; on random protocols under faults. Each rule by
//! which steps sleep is seen to be needed.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use seedbed::engine::check::{CheckOptions, Checked, Verdict, check};
use seedbed::engine::reduce::{Flaw, Reduce};
use seedbed::protocol::{CallId, Input, NodeId, Outbox, Protocol};
use seedbed::world::{
    Clocks, CutKind, Event, HistoryForm, InFlight, Links, Monitor, Numbers, Property, Setup, Turn,
};

use super::reducing::times;

const STATES: u8 = 3;
const MESSAGES: u8 = 2;

/// What a node does with an input in a state.
#[derive(Clone, Debug)]
struct Row {
    /// Its next state: one of these is chosen.
    next: Vec<u8>,
    sends: Vec<(NodeId, u8)>,
    arms: bool,
    saves: bool,
    marks: bool,
    answers: bool,
}

/// A protocol as a table: by node, state, and message, timer and call.
#[derive(Clone, Debug)]
struct Table(Vec<Vec<Vec<Row>>>);

/// A node: it may send so often.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Cog {
    me: NodeId,
    state: u8,
    fuel: u8,
    open: Option<CallId>,
}

impl Protocol for Cog {
    type Config = Table;
    type Msg = u8;
    type Timer = u8;
    type Disk = u8;
    type Op = ();
    type Ret = u8;

    fn boot(_: &Table, me: NodeId, spent: u8, out: &mut Outbox<Self>) -> Self {
        out.arm(0, 1);
        Cog { me, state: 0, fuel: 3 - spent.min(3), open: None }
    }

    fn step(&mut self, Table(rows): &Table, input: Input<Self>, out: &mut Outbox<Self>) {
        let column = match input {
            Input::Recv(_, msg) => msg,
            Input::Fired(_) => MESSAGES,
            Input::Call(call, ()) => {
                self.open = Some(call);
                MESSAGES + 1
            }
            Input::Cancel(_) => return self.open = None,
        };
        let row = &rows[self.me.index()][usize::from(self.state)][usize::from(column)];
        self.state = row.next[out.choose(row.next.len() as u32) as usize];
        for (to, msg) in &row.sends {
            let Some(fuel) = self.fuel.checked_sub(1) else { break };
            self.fuel = fuel;
            out.send(*to, *msg);
        }
        if row.saves {
            out.save(3 - self.fuel);
        }
        if row.arms && self.fuel > 0 {
            out.arm(self.state, 1);
        }
        if row.marks {
            out.mark(["one", "two", "three"][usize::from(self.state)], self.me.0.into());
        }
        if let Some(call) = self.open.take_if(|_| row.answers) {
            out.reply(call, self.state);
        }
    }
}

/// Counts marks of one name; a third is one too many.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Third(u8);

impl Monitor<Cog> for Third {
    fn observe(&mut self, _: &Table, event: &Event<'_, Cog>) -> Result<(), String> {
        if let Event::Marked(_, mark) = event
            && mark.name == "three"
        {
            self.0 += 1;
        }
        if self.0 < 3 { Ok(()) } else { Err("a third mark".to_owned()) }
    }
}

fn random_table(rng: &mut ChaCha8Rng, nodes: u8) -> Table {
    let mut below = |n: u8| (rng.next_u32() % u32::from(n)) as u8;
    let mut row = || Row {
        next: (0..1 + below(5) / 4).map(|_| below(STATES)).collect(),
        sends: (0..below(3)).map(|_| (NodeId(below(nodes)), below(MESSAGES))).collect(),
        arms: below(4) == 0,
        saves: below(4) == 0,
        marks: below(4) == 0,
        answers: below(2) == 0,
    };
    let mut state = || (0..MESSAGES + 2).map(|_| row()).collect::<Vec<_>>();
    let mut node = || (0..STATES).map(|_| state()).collect::<Vec<_>>();
    Table((0..nodes).map(|_| node()).collect())
}

fn random_world(rng: &mut ChaCha8Rng) -> Setup<Cog> {
    let nodes = 2 + (rng.next_u32() % 2) as u8;
    let table = random_table(rng, nodes);
    let clients = rng.next_u32() % 3;
    let mut numbers = Numbers { nodes: nodes.into(), clients, calls: 2, ..Numbers::default() };
    numbers.cuts = vec![CutKind::Isolate, CutKind::OneWay];
    let mut some = |budget: &mut u32| *budget = u32::from(rng.next_u32().is_multiple_of(6));
    let faults = &mut numbers.faults;
    let network = [&mut faults.losses, &mut faults.duplicates, &mut faults.partitions];
    network.into_iter().for_each(&mut some);
    let nodes_faults = [&mut faults.crashes, &mut faults.torn, &mut faults.pauses];
    nodes_faults.into_iter().for_each(&mut some);
    some(&mut faults.cancels);
    let mut one_in = |n: u32| rng.next_u32().is_multiple_of(n);
    if one_in(4) {
        (numbers.clocks, numbers.delay) = (Clocks::Perfect, Some((0, 1)));
    }
    if one_in(3) {
        numbers.in_flight = InFlight::Dropped;
    }
    let links = if one_in(3) { Links::Fifo } else { Links::Unordered };
    let history = if one_in(2) { HistoryForm::RealTime } else { HistoryForm::None };
    let eager = one_in(5);
    let mut properties = Vec::new();
    if one_in(2) {
        properties.push(Property::events("no third mark", Third(0)));
    }
    if one_in(3) {
        properties.push(Property::each_pair("apart", |_, one: (NodeId, &Cog), two| {
            one.1.state + two.1.state < 4 || one.1.fuel > 0
        }));
    }
    if one_in(4) {
        properties.push(Property::calls_return());
    }
    let script = move |turn: &Turn<'_, Cog>| {
        let node = NodeId(((turn.program + turn.number) % u16::from(nodes)) as u8);
        (turn.number < 2).then_some((node, ()))
    };
    Setup {
        links,
        history,
        eager,
        properties,
        deadlock_expected: true,
        finishes: false,
        ..Setup::new(table, &numbers, script)
    }
}

fn found(setup: &Arc<Setup<Cog>>, reduce: Reduce, flaw: Flaw, threads: usize) -> Checked<Cog> {
    let states_max = Some(40_000);
    check(setup, CheckOptions { reduce, flaw, threads, states_max, ..CheckOptions::default() })
}

/// What must not depend on the order of steps. (A search that ends at a violation may be cut short
/// by its limit in that level, which fewer transitions put off.)
fn gist(found: &Checked<Cog>) -> impl PartialEq + std::fmt::Debug + use<> {
    let counts = (found.states, found.depth, found.histories, found.marks.clone());
    let counts = found.exhausted.then_some(counts);
    (found.verdict.clone(), counts, found.trace.clone(), found.cycle)
}

#[test]
fn states_depths_and_traces_are_those_of_full_exploration() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let (mut compared, mut broken, mut taken, mut all) = (0, 0, 0, 0);
    for case in 0..250 * times() {
        let setup = Arc::new(random_world(&mut rng));
        let full = found(&setup, Reduce::None, Flaw::None, 1);
        if let Verdict::Incomplete(_) = full.verdict {
            continue;
        }
        let lazy = found(&setup, Reduce::Order, Flaw::None, 1);
        assert_eq!(gist(&lazy), gist(&full), "case {case}");
        let whole = lazy.reduction.as_ref().map(|whole| (whole.states, whole.transitions));
        let (states, transitions) = whole.expect("it was asked for");
        if full.exhausted {
            assert_eq!((states, transitions), (full.states, full.transitions), "case {case}");
        }
        if case % 4 == 0 {
            let two = found(&setup, Reduce::Order, Flaw::None, 2);
            assert_eq!(gist(&two), gist(&full), "case {case} on two threads");
            assert_eq!(two.transitions, lazy.transitions, "case {case} on two threads");
        }
        compared += 1;
        broken += u32::from(full.verdict != Verdict::Holds);
        (taken, all) = (taken + lazy.transitions, all + full.transitions);
    }
    let enough = compared >= 150 * times() && broken >= 20;
    assert!(enough, "{compared} compared, {broken} broken");
    assert!(taken * 10 < all * 9, "{taken} of {all} transitions were taken");
    println!("{compared} worlds, {broken} broken, {taken} of {all} transitions taken");
}

/// A rule that is left out loses states, or finds them too late.
#[test]
fn each_rule_of_sleeping_is_needed() {
    for flaw in [Flaw::TakesAllForApart, Flaw::BothOrders, Flaw::SleepsThroughMail] {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let differs = (0..120).filter(|_| {
            let mut setup = random_world(&mut rng);
            setup.properties.clear();
            let setup = Arc::new(setup);
            let full = found(&setup, Reduce::None, Flaw::None, 1);
            let exhausted = full.exhausted;
            exhausted && gist(&found(&setup, Reduce::Order, flaw, 1)) != gist(&full)
        });
        let differs = differs.count();
        assert!(differs > 0, "{flaw:?} is not noticed");
        println!("{flaw:?} is noticed in {differs} of 120 worlds");
    }
}
