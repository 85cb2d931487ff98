//! A toy for the search alone: a reliable broadcast without relays. Each client calls once, its
//! node sends the value to all others, and each delivery happens or has not happened yet. A
//! client's call is still to be made, or any subset of the other nodes has its value, so there are
//! `(1 + 2^(nodes - 1))^clients` states: every search must count exactly these.

use std::sync::Arc;

use seedbed::engine::check::{CheckOptions, Search, Verdict, check};
use seedbed::protocol::{Input, NodeId, Outbox, Protocol};
use seedbed::world::{Numbers, Property, Setup};

const NODES: u32 = 5;
const CLIENTS: u32 = 4;
const STATES: usize = (1 + (1usize << (NODES - 1))).pow(CLIENTS);
const REPETITIONS: usize = 3;

/// The values that a node has heard of, a bit each.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Heard {
    me: NodeId,
    values: u32,
}

impl Protocol for Heard {
    type Config = ();
    type Msg = u8;
    type Timer = ();
    type Disk = ();
    type Op = u8;
    type Ret = ();

    fn boot((): &(), me: NodeId, (): (), _: &mut Outbox<Self>) -> Self {
        Heard { me, values: 0 }
    }

    fn step(&mut self, (): &(), input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Call(call, value) => {
                self.values |= 1 << value;
                let me = self.me;
                out.broadcast(nodes().filter(|node| *node != me), value);
                out.reply(call, ());
            }
            Input::Recv(_, value) => self.values |= 1 << value,
            Input::Fired(()) | Input::Cancel(_) => {}
        }
    }
}

fn nodes() -> impl Iterator<Item = NodeId> {
    NodeId::all(NODES as u8)
}

fn setup() -> Arc<Setup<Heard>> {
    let numbers = Numbers { nodes: NODES, clients: CLIENTS, ..Numbers::default() };
    let mut setup = Setup::new((), &numbers, |turn| {
        let program = turn.program as u8;
        (turn.number == 0).then_some((NodeId(program), program))
    });
    setup.properties = vec![Property::each_node("only values are heard", |(), _, node: &Heard| {
        node.values < 1 << CLIENTS
    })];
    Arc::new(setup)
}

/// The median of the seconds that a search takes.
fn seconds(setup: &Arc<Setup<Heard>>, search: Search, threads: usize) -> f64 {
    let options = CheckOptions { search, threads, ..CheckOptions::default() };
    let mut times: Vec<f64> = (0..REPETITIONS)
        .map(|_| {
            let found = check(setup, options);
            assert_eq!((found.verdict, found.states), (Verdict::Holds, STATES));
            found.seconds
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Measures all searches on the toy.
pub fn table() {
    println!("{STATES} states, medians of {REPETITIONS}; ratios to the first row");
    println!("{:18}{:>8}{:>12}{:>9}", "search", "threads", "states/s", "ratio");
    let setup = setup();
    let mut first = None;
    for search in [Search::Compact, Search::StaterightBfs, Search::StaterightDfs] {
        for threads in [1, 2] {
            let speed = STATES as f64 / seconds(&setup, search, threads);
            let ratio = speed / *first.get_or_insert(speed);
            println!("{:18}{threads:>8}{speed:>12.0}{ratio:>9.2}", format!("{search:?}"));
        }
    }
}
