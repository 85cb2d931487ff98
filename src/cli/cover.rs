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
         met,\nafter 1, 10, 100, ... of them.\n\n\
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::kept;
    use crate::protocols::catalogue;
    use crate::report::guarantees::Guarantee;

    /// The numbers after which shares are told, of so many seeds.
    fn told(seeds: u64) -> impl Iterator<Item = u64> {
        std::iter::successors(Some(1), |n| Some(n * 10)).take_while(move |n| *n < seeds)
    }

    fn world(cells: &[&str], seeds: u64) -> Option<Met> {
        let &[states, of_states, transitions, of_transitions] = cells else { return None };
        let (states, transitions) = (states.parse().ok()?, transitions.parse().ok()?);
        let parts = |shown: &str, whole| -> Option<Vec<usize>> {
            shown.split(", ").map(|share| kept::part(share, whole)).collect()
        };
        let (of_states, of_transitions) =
            (parts(of_states, states)?, parts(of_transitions, transitions)?);
        let after: Vec<_> = told(seeds).chain([seeds]).collect();
        if [of_states.len(), of_transitions.len()] != [after.len(); 2] {
            return None;
        }
        let visited = after.into_iter().zip(of_states).zip(of_transitions);
        let visited =
            visited.map(|((seeds, states), transitions)| Visited { seeds, states, transitions });
        Some(Met::World { states, transitions, visited: visited.collect() })
    }

    fn failing(cells: &[&str], property: &'static str, seeds: u64) -> Option<Met> {
        let &[named, failing, median] = cells else { return None };
        let never = format!("over {seeds}");
        let median = if median == never { None } else { Some(median.parse().ok()?) };
        let met = Met::Failures { property, failing: failing.parse().ok()?, median };
        (named == property).then_some(met)
    }

    /// The lines of a table, one for each scenario of the catalogue in its order.
    fn parsed(catalogue: &Catalogue, text: &str) -> Option<(Vec<Line>, u64)> {
        let (_, rest) = text.split_once(", with ")?;
        let seeds = rest.split_once(" seeds")?.0.parse().ok()?;
        let rows: Vec<_> = kept::rows(text).collect();
        let line = |scenario: &dyn Engines| {
            let card = scenario.card();
            let mut named = rows.iter().filter(|row| row[0] == format!("`{}`", card.name));
            let (cells, None) = (&named.next()?[1..], named.next()) else { return None };
            let met = match scenario.expect(&card.small).broken() {
                None => world(cells, seeds)?,
                Some(property) => failing(cells, property, seeds)?,
            };
            Some(Line { scenario: card.name, met })
        };
        Some((catalogue.iter().map(line).collect::<Option<_>>()?, seeds))
    }

    /// Whether a line and one of the other report have the same numbers.
    fn agree(line: &Line, other: &Guarantee) -> bool {
        match &line.met {
            Met::Inexhausted => false,
            Met::World { states, transitions, visited } => {
                let checked = other.checked.as_ref();
                let grows = |pair: &[Visited]| {
                    pair[0].states <= pair[1].states && pair[0].transitions <= pair[1].transitions
                };
                checked.and_then(|checked| checked.states.zip(checked.transitions))
                    == Some((*states, *transitions))
                    && visited.windows(2).all(grows)
            }
            Met::Failures { property, failing, median } => {
                let broken = other.simulated.broken.get(*property).copied().unwrap_or_default();
                broken == *failing && (broken > 0 || median.is_none())
            }
        }
    }

    /// What a table says that is not so: of its form, of which scenarios there are, and of what the
    /// other report has of them.
    fn stale(text: &str) -> Option<String> {
        let catalogue = catalogue();
        let Some((lines, seeds)) = parsed(&catalogue, text) else {
            return Some("a row is not there or can't be read".to_owned());
        };
        if table(&lines, seeds) != text {
            return Some("it is not as it is written".to_owned());
        }
        let guarantees = kept::guarantees().scenarios;
        let wrong = lines.iter().find(|line| {
            let other = guarantees.iter().find(|other| other.scenario == line.scenario);
            !other.is_some_and(|other| {
                other.simulated.seeds == format!("0..{seeds}") && agree(line, other)
            })
        });
        wrong.map(|line| format!("{} is not so", line.scenario))
    }

    #[test]
    fn the_kept_table_is_about_this_code() {
        assert_eq!(stale(&kept::read(TABLE)), None, "`seedbed cover` writes it anew");
    }

    /// Each word of the table that is changed is noticed, and each row that is left out or added.
    #[test]
    fn a_stale_table_is_noticed() {
        let text = kept::read(TABLE);
        let [first, last] = [kept::lines(&text).next(), kept::lines(&text).last()]
            .map(|row| format!("{}\n", row.expect("there are rows")));
        let cell = |row: &str, n| row.split(" | ").nth(n).expect("a cell").to_owned();
        let other = |row: &str, from: &str, to: &str| text.replace(row, &row.replacen(from, to, 1));
        let edits = [
            (text.replace("small worlds", "worlds"), "as it is written"),
            (text.replace("with 1000 seeds", "with 100 seeds"), "can't be read"),
            (text.replacen(", 0.", ", 0,", 1), "can't be read"),
            (text.replacen("| linearizable |", "| sequential |", 1), "can't be read"),
            (other(&first, &cell(&first, 1), "7"), "can't be read"),
            (other(&first, &cell(&first, 1), "70000"), "is not so"),
            (other(&first, "0.0", "99.9"), "is not so"),
            (other(&last, &cell(&last, 2), "7"), "is not so"),
            (text.replace(&first, ""), "not there"),
            (text.clone() + &last.replace('/', "/not-"), "as it is written"),
            (text.clone() + &last, "not there"),
        ];
        kept::noticed(&text, stale, &edits);
    }
}
