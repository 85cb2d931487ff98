//! Symmetry against full exploration: the same verdict and trace, and orbits that have as many
//! states and transitions in all as there are; on random protocols of interchangeable nodes. Claims
//! that are false are found out, and so is an image that is not the least.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use seedbed::engine::check::{CheckOptions, Checked, Verdict, check};
use seedbed::engine::reduce::{Flaw, Reduce};
use seedbed::protocol::{CallId, Input, NodeId, Outbox, Protocol};
use seedbed::world::{
    Clocks, CutKind, HistoryForm, Interchange, Links, Numbers, Property, Renaming, Setup, Symmetry,
    System,
};

use super::reducing::times;

const STATES: usize = 3;
const MESSAGES: usize = 2;

/// What a node does with an input in a state: its next state, what it sends, and to whom, and
/// whether it arms its timer and answers its call.
#[derive(Clone, Copy, Debug)]
struct Row {
    next: u8,
    back: Option<u8>,
    all: Option<u8>,
    friend: Option<u8>,
    arms: bool,
    answers: bool,
}

/// A protocol as a table: by state, and then by message, timer and call.
#[derive(Clone, Debug)]
struct Table {
    nodes: u8,
    rows: Vec<Vec<Row>>,
    /// Broken: the node 0 does something else with a call.
    favours: bool,
}

/// A node: it knows who spoke to it last, and may send so often.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Clerk {
    me: NodeId,
    state: u8,
    friend: Option<NodeId>,
    fuel: u8,
    open: Option<CallId>,
}

impl Protocol for Clerk {
    type Config = Table;
    type Msg = (u8, Option<NodeId>);
    type Timer = u8;
    type Disk = u8;
    type Op = ();
    type Ret = Option<NodeId>;

    fn boot(_: &Table, me: NodeId, fuel: u8, _: &mut Outbox<Self>) -> Self {
        Clerk { me, state: 0, friend: None, fuel: 2 - fuel.min(2), open: None }
    }

    fn step(&mut self, table: &Table, input: Input<Self>, out: &mut Outbox<Self>) {
        let (column, from) = match &input {
            Input::Recv(from, (msg, _)) => (usize::from(*msg), Some(*from)),
            Input::Fired(_) => (MESSAGES, None),
            Input::Call(..) => (MESSAGES + 1, None),
            Input::Cancel(_) => return self.open = None,
        };
        if let Input::Call(call, ()) = input {
            self.open = Some(call);
            if table.favours && self.me == NodeId(0) {
                self.state = 2;
            }
        }
        if let Input::Recv(_, (_, Some(named))) = input {
            self.friend = Some(named);
        }
        let row = table.rows[usize::from(self.state)][column];
        self.state = row.next;
        let others = NodeId::all(table.nodes).filter(|node| *node != self.me);
        let sends = [
            (row.back, from.into_iter().collect()),
            (row.all, others.collect::<Vec<_>>()),
            (row.friend, self.friend.into_iter().collect()),
        ];
        for (msg, to) in sends {
            if let (Some(msg), Some(fuel)) = (msg, self.fuel.checked_sub(1)) {
                self.fuel = fuel;
                out.save(2 - fuel);
                out.broadcast(to, (msg, self.friend));
            }
        }
        self.friend = from.or(self.friend);
        if row.arms && self.fuel > 0 {
            out.arm(self.state, 1);
        }
        if let Some(call) = self.open.take_if(|_| row.answers) {
            out.reply(call, self.friend);
        }
    }
}

impl Interchange for Clerk {
    fn renamed(&self, by: &Renaming) -> Self {
        Clerk {
            me: by.node(self.me),
            friend: self.friend.map(|node| by.node(node)),
            open: self.open.map(|call| by.call(call)),
            ..self.clone()
        }
    }

    fn renamed_msg((msg, named): &Self::Msg, by: &Renaming) -> Self::Msg {
        (*msg, named.map(|node| by.node(node)))
    }

    fn renamed_ret(ret: &Option<NodeId>, by: &Renaming) -> Option<NodeId> {
        ret.map(|node| by.node(node))
    }
}

fn random_table(rng: &mut ChaCha8Rng, nodes: u8) -> Table {
    let mut row = || {
        let mut one_in = |n: u32| rng.next_u32().is_multiple_of(n);
        let (back, all, friend) = (one_in(2), one_in(4), one_in(3));
        let (arms, answers) = (one_in(4), one_in(2));
        let mut below = |n: usize| (rng.next_u32() as usize % n) as u8;
        Row {
            next: below(STATES),
            back: back.then(|| below(MESSAGES)),
            all: all.then(|| below(MESSAGES)),
            friend: friend.then(|| below(MESSAGES)),
            arms,
            answers,
        }
    };
    let rows = (0..STATES).map(|_| (0..MESSAGES + 2).map(|_| row()).collect()).collect();
    Table { nodes, rows, favours: false }
}

fn random_world(rng: &mut ChaCha8Rng, favours: bool) -> Setup<Clerk> {
    let nodes = 2 + (rng.next_u32() % 2) as u8;
    let table = Table { favours, ..random_table(rng, nodes) };
    let clients = u32::from(nodes);
    let mut numbers = Numbers { nodes: clients, clients, calls: 1, ..Numbers::default() };
    numbers.cuts = vec![CutKind::Split, CutKind::Isolate, CutKind::OneWay];
    let mut some = |budget: &mut u32| *budget = u32::from(rng.next_u32().is_multiple_of(4));
    some(&mut numbers.faults.losses);
    some(&mut numbers.faults.duplicates);
    some(&mut numbers.faults.crashes);
    some(&mut numbers.faults.pauses);
    some(&mut numbers.faults.partitions);
    let mut one_in = |n: u32| rng.next_u32().is_multiple_of(n);
    if one_in(4) {
        (numbers.clocks, numbers.delay) = (Clocks::Perfect, Some((0, 1)));
    }
    let alike: Vec<_> = NodeId::all(nodes).collect();
    let home = move |program: u16| NodeId((program % u16::from(nodes)) as u8);
    let apart = |_: &Table, one: (NodeId, &Clerk), other: (NodeId, &Clerk)| {
        one.1.state + other.1.state < 4 || one.1.friend != other.1.friend
    };
    let links = if one_in(2) { Links::Fifo } else { Links::Unordered };
    let history = if one_in(2) { HistoryForm::RealTime } else { HistoryForm::None };
    let properties = if one_in(2) { vec![Property::each_pair("apart", apart)] } else { Vec::new() };
    let symmetry = Symmetry::of(&alike, nodes, &alike);
    let script = move |turn: &seedbed::world::Turn<'_, Clerk>| {
        (turn.number < 1).then(|| (home(turn.program), ()))
    };
    Setup {
        links,
        history,
        properties,
        symmetry,
        deadlock_expected: true,
        finishes: false,
        ..Setup::new(table, &numbers, script)
    }
}

fn found(setup: &Arc<Setup<Clerk>>, options: CheckOptions) -> Checked<Clerk> {
    check(setup, CheckOptions { states_max: Some(40_000), ..options })
}

fn full(setup: &Arc<Setup<Clerk>>) -> Checked<Clerk> {
    found(setup, CheckOptions::default())
}

fn reduced(setup: &Arc<Setup<Clerk>>, threads: usize, flaw: Flaw) -> Checked<Clerk> {
    let reduce = Reduce::Symmetry;
    found(setup, CheckOptions { reduce, threads, flaw, ..CheckOptions::default() })
}

fn whole(found: &Checked<Clerk>) -> (usize, usize) {
    let reduction = found.reduction.as_ref().expect("it was asked for");
    (reduction.states, reduction.transitions)
}

#[test]
fn orbits_have_as_many_states_as_there_are() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let (mut compared, mut broken, mut met, mut all) = (0, 0, 0, 0);
    for case in 0..150 * times() {
        let setup = Arc::new(random_world(&mut rng, false));
        let full = full(&setup);
        if let Verdict::Incomplete(_) = full.verdict {
            continue;
        }
        compared += 1;
        let reduced = reduced(&setup, 1 + case as usize % 2, Flaw::None);
        assert_eq!(reduced.verdict, full.verdict, "case {case}");
        assert_eq!(reduced.trace, full.trace, "case {case}");
        let both = CheckOptions { reduce: Reduce::Both, threads: 2, ..CheckOptions::default() };
        let both = found(&setup, both);
        assert_eq!((&both.verdict, &both.trace), (&full.verdict, &full.trace), "case {case}, both");
        if full.verdict == Verdict::Holds {
            assert_eq!(whole(&reduced), (full.states, full.transitions), "case {case}");
            assert_eq!(whole(&both), whole(&reduced), "case {case}, both");
            assert_eq!((both.states, both.depth), (reduced.states, reduced.depth), "case {case}");
            assert_eq!(reduced.depth, full.depth, "case {case}");
            assert_eq!(reduced.marks, full.marks, "case {case}");
            (met, all) = (met + reduced.states, all + full.states);
        } else {
            broken += 1;
        }
    }
    let enough = compared >= 80 * times() && broken >= 5 * times();
    assert!(enough, "{compared} compared, {broken} broken");
    assert!(met * 3 < all * 2, "{met} of {all} states were met");
    println!("{compared} worlds, {broken} broken, {met} of {all} states met");
}

#[test]
fn an_image_that_is_not_the_least_is_found_out() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let differs = (0..40).filter(|_| {
        let setup = Arc::new(random_world(&mut rng, false));
        let (full, rough) = (full(&setup), reduced(&setup, 1, Flaw::RoughImage));
        full.verdict == Verdict::Holds && whole(&rough) != (full.states, full.transitions)
    });
    assert!(differs.count() > 5);
}

fn why(found: Checked<Clerk>) -> String {
    match found.verdict {
        Verdict::Incomplete(reason) => reason,
        other => format!("{other:?}"),
    }
}

#[test]
fn a_node_that_is_favoured_is_named() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let named = (0..60).filter(|_| {
        let mut setup = random_world(&mut rng, true);
        setup.properties.clear();
        let reason = why(reduced(&Arc::new(setup), 1, Flaw::None));
        reason.contains("not interchangeable") && reason.contains("calls () at n")
    });
    assert!(named.count() > 50);
}

#[test]
fn a_property_that_tells_names_apart_is_named() {
    let biased = |state: &Clerk, node: NodeId| node != NodeId(1) || state.state != 2;
    let pairs = move |_: &Table, one: (NodeId, &Clerk), other: (NodeId, &Clerk)| {
        biased(one.1, one.0) || other.1.state == 1
    };
    let all = move |system: &System<Clerk>| system.states().all(|(me, state)| biased(state, me));
    let properties = [
        Property::each_node("biased", move |_, me, state: &Clerk| biased(state, me)),
        Property::each_pair("biased", pairs),
        Property::system("biased", all),
    ];
    for property in properties {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut named = 0;
        for _ in 0..20 {
            let mut setup = random_world(&mut rng, false);
            setup.properties = vec![property.clone()];
            let setup = Arc::new(setup);
            let (full, found) = (full(&setup), reduced(&setup, 1, Flaw::None));
            assert!(full.verdict.word() != "violated" || found.verdict != Verdict::Holds);
            named += usize::from(why(found).contains("\"biased\" is judged otherwise"));
        }
        assert!(named > 5, "{named}");
    }
}
