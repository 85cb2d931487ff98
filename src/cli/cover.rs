//! `seedbed cover`: how much of what the checker judges do seeds of the simulator meet?

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use serde_json::json;

use crate::catalogue::Catalogue;
use crate::engine::check::CheckOptions;
use crate::engine::coverage::{Visited, median_wait};
use crate::engine::simulate::SimulateOptions;
use crate::engine::{Engines, Runner, progress};
use crate::report::Agreement;
use crate::world::Expect;

use super::args::Cover;
use super::run::chosen;
use super::{Bad, Status, publish, share};

/// The states that a small world may have at the most.
const STATES_MAX: usize = 20_000_000;

/// The table's file.
const TABLE: &str = "coverage.md";

/// What seeds meet of one scenario.
#[derive(Debug, Serialize)]
struct Line {
    scenario: &'static str,
    #[serde(flatten)]
    met: Met,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Met {
    /// The small world holds, and has so many states and transitions; the first seeds visit these.
    World { states: usize, transitions: usize, visited: Vec<Visited> },
    /// It was not exhausted.
    Inexhausted,
    /// It breaks its property in so many seeds of its large world; the median wait for one that
    /// does.
    Failures { property: &'static str, failing: usize, median: Option<u64> },
}

/// Measures the scenarios, and writes the table: of all of them into `reports`, of some only into
/// a folder that is named.
pub fn cover(catalogue: &Catalogue, options: &Cover) -> Status {
    let scenarios = chosen(catalogue, &options.many.globs)?;
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    let work = || {
        while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
            let line = one(*scenario, options.seeds);
            found.lock().expect("nothing here panics").push((scenario.card().name, line));
        }
    };
    std::thread::scope(|scope| (0..options.many.jobs.max(1)).for_each(|_| drop(scope.spawn(work))));
    let mut found = found.into_inner().expect("no worker panics");
    found.sort_by_key(|(name, _)| scenarios.iter().position(|s| s.card().name == *name));
    let lines = found.into_iter().map(|(_, line)| line).collect::<Result<Vec<_>, _>>()?;
    if progress::interrupted() {
        eprintln!("seedbed: it was interrupted; no table is written");
        return Ok(Agreement::Undecided.status());
    }
    let table = table(&lines, options.seeds);
    publish(&options.many, TABLE, &table, &json!({ "seeds": options.seeds, "coverage": lines }))?;
    Ok(0)
}

fn one(scenario: &dyn Engines, seeds: u64) -> Result<Line, Bad> {
    let card = scenario.card();
    let met = match scenario.expect(&card.small) {
        Expect::Holds if scenario.checkable() => {
            let how = CheckOptions { states_max: Some(STATES_MAX), ..CheckOptions::default() };
            let checked = scenario.check(&card.small, how)?;
            if checked.verdict == "holds" {
                let (states, transitions) = (checked.states, checked.transitions);
                Met::World { states, transitions, visited: scenario.visit(&card.small, seeds)? }
            } else {
                Met::Inexhausted
            }
        }
        Expect::Holds => Met::Inexhausted,
        expect => failures(scenario, expect.broken().expect("it breaks something"), seeds)?,
    };
    Ok(Line { scenario: card.name, met })
}

fn failures(scenario: &dyn Engines, property: &'static str, seeds: u64) -> Result<Met, Bad> {
    let how = SimulateOptions {
        seeds: 0..seeds,
        jobs: 1,
        until_failure: false,
        lift: 0,
        check_determinism: false,
        progress: false,
    };
    let report = scenario.simulate(&scenario.card().large, Runner::Fast, &how)?;
    let broken = report.violations.iter().filter(|failure| failure.property == property);
    let failing: Vec<_> = broken.map(|failure| failure.seed).collect();
    Ok(Met::Failures { property, failing: failing.len(), median: median_wait(0..seeds, &failing) })
}

fn table(lines: &[Line], seeds: u64) -> String {
    let mut table = format!(
        "# Coverage\n\nWritten by `seedbed cover`, with {seeds} seeds.\n\n\
         ## What seeds visit of the small worlds\n\n\
         All of each world is checked; this is the share that seeds of the simulator would have \
         met,\nafter 10, 100, ... of them.\n\n\
         | scenario | states | visited | transitions | visited |\n|---|--:|--:|--:|--:|\n"
    );
    for Line { scenario, met } in lines {
        if let Met::World { states, transitions, visited } = met {
            let of_states = visited.iter().map(|v| share(v.states, *states));
            let of_transitions = visited.iter().map(|v| share(v.transitions, *transitions));
            let [of_states, of_transitions] =
                [of_states.collect::<Vec<_>>(), of_transitions.collect()].map(|s| s.join(", "));
            table += &format!(
                "| `{scenario}` | {states} | {of_states} | {transitions} | {of_transitions} |\n"
            );
        }
    }
    table += "\n## How many seeds the broken variants need\n\n\
              In their large worlds; the median of the waits from each seed on.\n\n\
              | variant | breaks | failing seeds | median wait |\n|---|---|--:|--:|\n";
    for Line { scenario, met } in lines {
        if let Met::Failures { property, failing, median } = met {
            let median = median.map_or(format!("over {seeds}"), |median| median.to_string());
            table += &format!("| `{scenario}` | {property} | {failing} | {median} |\n");
        }
    }
    table
}
