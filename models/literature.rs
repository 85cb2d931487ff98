//! Counts from the literature. They are constants: no rewrite touches them.

use seedbed::engine::check::CheckOptions;
use seedbed::protocols::catalogue;

/// stateright's Paxos example, reproduced by two independent searches: clients, states, transitions
/// with the initial state, and depth with the initial state as 1. Three clients and more take long
/// without optimisation: `cargo bench` and `seedbed check` do those.
const YARDSTICK: [(u32, usize, usize, usize); 2] = [(1, 265, 482, 14), (2, 16_668, 32_971, 21)];

#[test]
fn the_paxos_yardstick_has_its_published_counts() {
    let catalogue = catalogue();
    let yardstick = catalogue.get("paxos/yardstick").expect("the yardstick is in the catalogue");
    for (clients, states, transitions, depth) in YARDSTICK {
        let mut numbers = yardstick.card().small.clone();
        numbers.set(&format!("clients={clients}")).expect("a yardstick has clients");
        let report = yardstick.check(&numbers, CheckOptions::default()).expect("it is checkable");
        assert_eq!(report.verdict, "holds");
        assert_eq!((report.states, report.transitions, report.depth), (states, transitions, depth));
    }
}
