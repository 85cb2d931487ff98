//! Whether a trace of a world without time can happen within bounds: the lease lock's, whose
//! margins say which can.

use seedbed::engine::check::CheckOptions;
use seedbed::engine::feasible::{Feasibility, Timed};
use seedbed::engine::trace::{TraceFile, VERSION};
use seedbed::protocols::catalogue;

/// A variant's shortest counterexample.
fn trace_of(variant: &str) -> TraceFile {
    let catalogue = catalogue();
    let scenario = catalogue.get(variant).expect("it is in the catalogue");
    let numbers = scenario.card().small.clone();
    let report = scenario.check(&numbers, CheckOptions::default()).expect("it can be checked");
    TraceFile {
        version: VERSION,
        scenario: variant.to_owned(),
        from: report.property.expect("it breaks something"),
        violation: None,
        kept_by: None,
        numbers,
        hosted: None,
        trace: report.trace,
        cycle: None,
    }
}

/// What becomes of it within these bounds.
fn within(file: &TraceFile, settings: &[&str]) -> Feasibility {
    let catalogue = catalogue();
    let scenario = catalogue.get(&file.scenario).expect("it is in the catalogue");
    let mut numbers = file.numbers.clone();
    for setting in ["clocks=bounded", "pause=12", "patience=2"].iter().chain(settings) {
        numbers.set(setting).expect("there is such a number");
    }
    let found = scenario.feasible(file, &numbers).expect("it is one of its traces");
    if let Feasibility::Possible(Timed { trace, violation, .. }) = &found {
        // Told once more, in the timed world, tick by tick.
        let timed = TraceFile { numbers, trace: trace.clone(), ..file.clone() };
        let told = scenario.replay(&timed).expect("it can be replayed");
        assert_eq!(told.violation.as_ref(), Some(violation));
        assert_eq!(file.from, violation.property);
    }
    found
}

fn took(found: &Feasibility) -> Vec<(&str, i64)> {
    let Feasibility::Possible(timed) = found else { panic!("{found}") };
    let waits = timed.took.iter().filter(|(_, ticks)| *ticks > 0);
    waits.map(|(what, ticks)| (what.as_str(), *ticks)).collect()
}

/// A belief of 3 ends before a lease of 6 does, by any two timers that drift by 1; where they may
/// drift by 2, the server's may be the first.
#[test]
fn a_margin_forbids_what_a_drift_beyond_it_allows() {
    let file = trace_of("lease-lock/unfenced");
    let found = within(&file, &["drift=1", "delay=[0,9]"]);
    let why = [
        "n2's timer Lapse(p0#0) waits at most 4 from step 1 on, to step 11",
        "n0's timer Expire takes at least 5 from step 2 on",
    ];
    assert_eq!(found, Feasibility::Impossible(why.map(str::to_owned).to_vec()));
    let found = within(&file, &["drift=2", "delay=[0,9]"]);
    assert_eq!(took(&found), [("n0's timer Expire", 4)]);
    // Messages that take time leave none for the rest.
    let found = within(&file, &["drift=2", "delay=[1,9]"]);
    let Feasibility::Impossible(why) = found else { panic!("{found}") };
    assert!(why.iter().any(|why| why.contains("takes at least 1 from")), "{why:?}");
}

/// The same in finer ticks: there is room between them.
#[test]
fn ticks_are_as_fine_as_they_are_asked_to_be() {
    let file = trace_of("lease-lock/unfenced");
    let found = within(&file, &["drift=2", "delay=[0,9]", "scale=10"]);
    assert_eq!(took(&found), [("n0's timer Expire", 40)]);
}

/// A grant that comes when its lease has ended has to be slower than the lease, and the client
/// more patient.
#[test]
fn delays_and_timers_forbid_each_other() {
    let file = trace_of("lease-lock/phantom");
    let found = within(&file, &["drift=1", "delay=[0,1]"]);
    let Feasibility::Impossible(why) = found else { panic!("{found}") };
    assert!(why.iter().any(|why| why.starts_with("Grant(p0#0, 1) from n0 to n2 waits at most 1")));
    let found = within(&file, &["drift=2", "delay=[0,9]"]);
    assert_eq!(took(&found), [("n0's timer Expire", 4), ("Grant(p0#0, 1) from n0 to n2", 4)]);
}

/// What is lost in a crash needs no time at all, but what messages take.
#[test]
fn crashes_need_no_time() {
    let file = trace_of("lease-lock/save-after-send");
    let found = within(&file, &["drift=1", "delay=[0,1]"]);
    assert_eq!(took(&found), []);
    let file = trace_of("lease-lock/forgetful");
    let found = within(&file, &["drift=1", "delay=[1,1]"]);
    assert_eq!(took(&found), [("Ask(p0#0) from n2 to n0", 1), ("Ask(p1#0) from n3 to n0", 1)]);
}

/// A trace of a world with time is taken apart, and told within other bounds.
#[test]
fn a_timed_trace_is_judged_by_other_bounds() {
    let file = trace_of("lease-lock/no-margin");
    let found = within(&file, &["drift=1", "delay=[0,1]"]);
    assert!(!took(&found).is_empty());
    let found = within(&file, &["drift=0", "delay=[1,1]"]);
    assert!(matches!(found, Feasibility::Impossible(_)), "{found}");
    let file = trace_of("lease-lock/believed-drift");
    let found = within(&file, &["drift=1", "delay=[0,1]"]);
    assert!(matches!(found, Feasibility::Impossible(_)), "{found}");
    let file = trace_of("lease-lock/believed-paused");
    // A belief of 3 that is paused for 3 outlives a lease of 6.
    let found = within(&file, &["drift=0", "delay=[0,9]", "pause=3"]);
    assert!(!took(&found).is_empty());
    let found = within(&file, &["drift=0", "delay=[0,9]", "pause=2"]);
    assert!(matches!(found, Feasibility::Impossible(_)), "{found}");
}
