//! For the protocols' own tests: exhausts a small world and compares with what is expected.
//!
//! A correct variant has to hold and to reach every mark that it lists, since a pass that never
//! met the interesting case means nothing. A broken one has to break the very property that it
//! names, and no other first.

use std::sync::Arc;

use crate::engine::check::{CheckOptions, Checked, Verdict, check};
use crate::protocol::Checkable;
use crate::world::{Expect, Setup};

/// Asserts that checking a scenario's small world shows what it is expected to show.
pub(crate) fn shows_what_is_expected<P: Checkable>(name: &str, setup: Setup<P>) -> Checked<P> {
    let setup = Arc::new(setup);
    let options = CheckOptions { states_max: Some(3_000_000), ..CheckOptions::default() };
    let checked = check(&setup, options);
    let Checked { verdict, states, seconds, trace, marks, .. } = &checked;
    let steps = trace.len().saturating_sub(1);
    println!(
        "{name} {}: {} {states} states, {steps} steps, {seconds:.1} s",
        setup.numbers,
        verdict.word()
    );
    match (setup.expect, verdict) {
        (Expect::Holds, Verdict::Holds) => {
            for mark in &setup.sometimes {
                assert!(marks.contains(mark), "{name} never reached this: {mark}");
            }
        }
        (Expect::Breaks(property), Verdict::Violated(violation))
            if violation.property == property => {}
        _ => panic!("{name}: {verdict:?} after {trace:#?}"),
    }
    checked
}
