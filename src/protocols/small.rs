//! For the protocols' own tests: the small world of a scenario, exhausted.
//!
//! A test names a scenario and says what becomes of it. That it holds counts only if every mark was
//! reached; that it breaks counts only if the very property breaks that the scenario says, and in
//! the number of steps that is known to be the smallest. Breadth first on one thread, the checker's
//! first counterexample is a shortest one.

use crate::engine::check::CheckOptions;
use crate::report::{Agreement, CheckReport};
use crate::world::Numbers;

/// Checks a scenario of the catalogue at its small size, with some numbers changed.
pub(crate) fn check(name: &str, change: impl Fn(&mut Numbers)) -> CheckReport {
    let catalogue = super::catalogue();
    let scenario = catalogue.get(name).unwrap_or_else(|| panic!("there is no scenario {name}"));
    let mut numbers = scenario.card().small.clone();
    change(&mut numbers);
    let report = scenario.check(&numbers, CheckOptions::default()).expect("it can be checked");
    println!("{name}: {} {:?}, {} states", report.verdict, report.property, report.states);
    println!("{:#?}", report.trace);
    report
}

/// Every property holds, and every mark is reached.
pub(crate) fn holds(name: &str) {
    let report = check(name, |_| {});
    assert_eq!(report.verdict, "holds", "{name}: {report:#?}");
    assert_eq!(report.agreement, Agreement::AsExpected, "{name} lacks {:?}", report.missing_marks);
}

/// The property breaks, as is expected, and at the soonest in so many steps after the start.
pub(crate) fn breaks(name: &str, property: &str, steps: usize) {
    let report = check(name, |_| {});
    assert_eq!(report.property.as_deref(), Some(property), "{name}");
    assert_eq!((report.agreement, report.trace.len() - 1), (Agreement::AsExpected, steps));
}
