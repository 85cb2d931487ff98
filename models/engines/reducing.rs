//! The catalogue's small worlds searched in full and with each reduction: the same verdicts, traces
//! and marks, and what the reduced searches meet stands for as much as there is.

use std::fmt::Debug;

use seedbed::engine::check::CheckOptions;
use seedbed::engine::reduce::Reduce;
use seedbed::protocols::catalogue;
use seedbed::report::CheckReport;

/// What is small enough for a test; `seedbed reduce` compares all.
const SMALL: usize = 30_000;

/// How often the random cases of the reductions are multiplied.
pub fn times() -> u32 {
    std::env::var("SEEDBED_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(1)
}

/// What a search finds that no reduction may change.
fn gist(found: &CheckReport) -> impl PartialEq + Debug {
    (found.verdict, &found.trace, found.exhausted.then_some(&found.marks))
}

#[test]
fn the_catalogue_is_the_same_under_each_reduction() {
    let (mut by_symmetry, mut by_order) = (Vec::new(), 0);
    for scenario in catalogue().iter().filter(|scenario| scenario.checkable()) {
        let card = scenario.card();
        let check = |reduce| {
            let options = CheckOptions { reduce, states_max: Some(SMALL), ..Default::default() };
            scenario.check(&card.small, options).expect("it is checkable")
        };
        let full = check(Reduce::None);
        if full.verdict == "incomplete" {
            continue;
        }
        let [symmetry, order, both] = [Reduce::Symmetry, Reduce::Order, Reduce::Both].map(|by| {
            let found = check(by);
            assert_eq!(gist(&found), gist(&full), "{} by {by:?}", card.name);
            let whole = found.reduction.as_ref().expect("it was asked for");
            if full.exhausted {
                let counts = (whole.states, whole.transitions);
                assert_eq!(counts, (full.states, full.transitions), "{} by {by:?}", card.name);
            }
            found
        });
        if full.exhausted {
            let sizes = [&order, &both].map(|found| (found.states, found.depth));
            let whole = [&full, &symmetry].map(|found| (found.states, found.depth));
            assert_eq!(sizes, whole, "order leaves out no state: {}", card.name);
            by_order += usize::from(order.transitions < full.transitions);
            if symmetry.states < full.states {
                by_symmetry.push(card.name);
            }
        }
    }
    assert!(by_order >= 3, "transitions are saved in {by_order} scenarios");
    assert_eq!(by_symmetry, ["lease-lock/believed"], "in these symmetry saves something");
}
