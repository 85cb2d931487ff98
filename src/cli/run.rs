//! The main job: every scenario is checked and simulated, and what it guarantees is written down.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use wildmatch::WildMatch;

use crate::catalogue::Catalogue;
use crate::engine::check::{CheckOptions, Search};
use crate::engine::columns::{ColumnOptions, Fault};
use crate::engine::progress;
use crate::engine::simulate::SimulateOptions;
use crate::engine::{Engines, Runner};
use crate::report::guarantees::{FIRST_SEEDS, Guarantee, Guarantees};
use crate::report::matrix::{Cell, Row};
use crate::report::{Agreement, page, replace_file};

use super::args::Run;
use super::{Bad, Status};

/// The report's file.
const REPORT: &str = "guarantees.json";

/// The states that the main job generates of a world at the most.
const STATES_MAX: usize = 20_000_000;

/// The logs that the main job lifts of each scenario: to lift one costs more than to run it.
const LIFTED: u64 = 100;

/// The states that the main job generates at the most of a world with one kind of fault.
const CELL_STATES_MAX: usize = 1_000_000;

/// Checks and simulates the scenarios; writes `guarantees.json`, `.md` and `.html`: of all of them
/// into `reports`, of some only into a folder that is named.
pub fn run(catalogue: &Catalogue, options: &Run) -> Status {
    let scenarios = chosen(catalogue, &options.many.globs)?;
    let out = options.many.folder();
    if let Some(out) = &out {
        // Better now than after minutes of work.
        std::fs::create_dir_all(out).map_err(|error| unwritable(out, &error))?;
        tempfile::NamedTempFile::new_in(out).map_err(|error| unwritable(out, &error))?;
    }
    let (mut lines, mut rows): (Vec<Guarantee>, Vec<Row>) = (Vec::new(), Vec::new());
    for scenario in &scenarios {
        let line = one(*scenario, options)?;
        if progress::interrupted() {
            eprintln!("seedbed: it was interrupted; no report is written");
            return Ok(Agreement::Undecided.status());
        }
        if !options.many.json {
            say!("{line}");
        }
        let states = line.checked.as_ref().and_then(|checked| checked.states);
        rows.push(Row::new(*scenario, cells(*scenario, states, options)));
        lines.push(line);
    }
    let found = Guarantees { version: 1, scenarios: lines, matrix: rows };
    let lines = &found.scenarios;
    if let Some(out) = &out {
        write(out, &found, &page::page(catalogue, &found.matrix))?;
    }
    if options.many.json {
        say!("{}", json!(found));
    } else {
        let good = lines.iter().filter(|line| line.agreement == Agreement::AsExpected).count();
        let more = out.map(|out| format!("; {} says more", out.join(REPORT).display()));
        let more = more.unwrap_or_default();
        say!("{good} of {} scenarios are as expected{more}", lines.len());
    }
    let worst = lines.iter().map(|line| line.agreement).max().unwrap_or(Agreement::AsExpected);
    Ok(worst.status())
}

fn write(out: &Path, found: &Guarantees, html: &str) -> Result<(), Bad> {
    let (json, markdown) = (found.json(), found.markdown());
    for (ending, text) in [("json", json.as_str()), ("md", &markdown), ("html", html)] {
        let path = out.join(REPORT).with_extension(ending);
        replace_file(&path, text).map_err(|error| unwritable(&path, &error))?;
    }
    Ok(())
}

fn unwritable(path: &Path, error: &std::io::Error) -> Bad {
    Bad(format!("{} can't be written: {error}", path.display()))
}

/// One kind of fault at a time.
fn cells(scenario: &dyn Engines, states: Option<usize>, options: &Run) -> Vec<(Fault, Cell)> {
    let seeds = options.cell_seeds.min(options.seeds.end - options.seeds.start);
    let how = ColumnOptions { seeds, states_max: CELL_STATES_MAX };
    let first = Cell::of(scenario, Fault::None, states, None, how);
    let calm = match &first {
        Cell::Broken(broken) => Some(broken),
        _ => None,
    };
    let next = AtomicUsize::new(1);
    let work = || {
        let mut done = Vec::new();
        while let Some(fault) = Fault::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((*fault, Cell::of(scenario, *fault, states, calm, how)));
        }
        done
    };
    let mut cells: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..options.many.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        let joined = workers.into_iter().map(|worker| worker.join());
        joined.flat_map(|done| done.unwrap_or_else(|e| std::panic::resume_unwind(e))).collect()
    });
    cells.push((Fault::None, first));
    cells.sort_by_key(|(fault, _)| *fault);
    cells
}

/// The scenarios that globs name; all of them, if there is none.
pub fn chosen<'a>(catalogue: &'a Catalogue, globs: &[String]) -> Result<Vec<&'a dyn Engines>, Bad> {
    let matches = |glob: &str, name: &str| {
        WildMatch::new(glob).matches(name)
            || name.split_once('/').is_some_and(|(protocol, _)| protocol == glob)
    };
    if let Some(lost) = globs
        .iter()
        .find(|glob| !catalogue.iter().any(|scenario| matches(glob, scenario.card().name)))
    {
        return Err(Bad(format!("no scenario is called `{lost}`; `seedbed list` lists them")));
    }
    let wanted = |scenario: &&dyn Engines| {
        globs.is_empty() || globs.iter().any(|glob| matches(glob, scenario.card().name))
    };
    Ok(catalogue.iter().filter(wanted).collect())
}

fn one(scenario: &dyn Engines, options: &Run) -> Result<Guarantee, Bad> {
    let card = scenario.card();
    let progress = !options.many.json;
    let check = if scenario.checkable() {
        let how =
            CheckOptions { states_max: Some(STATES_MAX), progress, ..CheckOptions::default() };
        let mut found = scenario.check(&card.small, how)?;
        // stateright is the oracle: it searches the same world, in its own way.
        let oracle = CheckOptions { search: Search::StaterightBfs, ..how };
        if let Some(difference) = found.difference(&scenario.check(&card.small, oracle)?) {
            eprintln!("{}: the engines disagree: {difference}", card.name);
            found.agreement = Agreement::Otherwise;
        }
        Some(found)
    } else {
        None
    };
    let how = SimulateOptions {
        seeds: options.seeds.clone(),
        jobs: options.many.jobs,
        until_failure: false,
        lift: if scenario.checkable() { LIFTED } else { 0 },
        check_determinism: false,
        progress,
    };
    let simulate = scenario.simulate(&card.large, Runner::Fast, &how)?;
    let first = SimulateOptions { seeds: FIRST_SEEDS, lift: 0, progress: false, ..how };
    let begin = scenario.simulate(&card.large, Runner::Fast, &first)?.digest;
    Ok(Guarantee::new(card.about, check.as_ref(), &simulate, begin))
}
