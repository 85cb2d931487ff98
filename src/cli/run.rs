//! The main job: every scenario is checked and simulated, and what it guarantees is written down.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use wildmatch::WildMatch;

use crate::catalogue::Catalogue;
use crate::engine::check::CheckOptions;
use crate::engine::columns::{ColumnOptions, Fault};
use crate::engine::progress;
use crate::engine::simulate::SimulateOptions;
use crate::engine::trace::{TraceFile, VERSION};
use crate::engine::{Engines, Runner};
use crate::report::guarantees::{self, Guarantee};
use crate::report::matrix::{self, Cell, Row};
use crate::report::{Agreement, page, replace_file, svg};
use crate::world::Numbers;

use super::args::Run;
use super::{Bad, Status};

/// The states that the main job generates of a world at the most.
const STATES_MAX: usize = 20_000_000;

/// The logs that the main job lifts of each scenario: to lift one costs more than to run it.
const LIFTED: u64 = 100;

/// The states that the main job generates at the most of a world with one kind of fault.
const CELL_STATES_MAX: usize = 1_000_000;

/// Traces of more steps are told and not drawn.
const DRAWN_MAX: usize = 120;

/// Checks and simulates the scenarios; writes `guarantees.json` and `guarantees.md`, of these
/// scenarios only.
pub fn run(catalogue: &Catalogue, options: &Run) -> Status {
    let scenarios = chosen(catalogue, &options.globs)?;
    let path = options.out.join("guarantees.json");
    let unwritable =
        |error: std::io::Error| Bad(format!("{} can't be written: {error}", path.display()));
    // Better now than after minutes of work.
    std::fs::create_dir_all(&options.out).map_err(unwritable)?;
    tempfile::NamedTempFile::new_in(&options.out).map_err(unwritable)?;
    let (mut lines, mut rows): (Vec<Guarantee>, Vec<Row>) = (Vec::new(), Vec::new());
    for scenario in &scenarios {
        if progress::interrupted() {
            return Ok(Agreement::Undecided.status());
        }
        let line = one(*scenario, options)?;
        if !options.json {
            println!("{line}");
        }
        let states = line.checked.as_ref().and_then(|checked| checked.states);
        rows.push(Row::new(*scenario, cells(*scenario, states, options)));
        lines.push(line);
    }
    let table = json!({ "version": 1, "scenarios": lines, "matrix": rows });
    let text = serde_json::to_string_pretty(&table).expect("a report is plain data");
    replace_file(&path, &(text + "\n")).map_err(unwritable)?;
    let (matrix, details) = (matrix::markdown(&rows), guarantees::table(&lines));
    let summary = "<details><summary>Each scenario in words, with all of its faults</summary>";
    let text = format!("{matrix}\n{summary}\n\n{details}\n</details>\n");
    replace_file(&path.with_extension("md"), &text).map_err(unwritable)?;
    let html = page::page(&rows, |name, numbers, trace| draw(catalogue, name, numbers, trace));
    replace_file(&path.with_extension("html"), &html).map_err(unwritable)?;
    let worst = lines.iter().map(|line| line.agreement).max().unwrap_or(Agreement::AsExpected);
    if options.json {
        println!("{table}");
    } else {
        let as_expected = lines.iter().filter(|line| line.agreement == Agreement::AsExpected);
        println!(
            "{} of {} scenarios are as expected; {} says more",
            as_expected.count(),
            lines.len(),
            path.display()
        );
    }
    Ok(worst.status())
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
        let workers: Vec<_> = (0..options.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        let joined = workers.into_iter().map(|worker| worker.join());
        joined.flat_map(|done| done.unwrap_or_else(|e| std::panic::resume_unwind(e))).collect()
    });
    cells.push((Fault::None, first));
    cells.sort_by_key(|(fault, _)| *fault);
    cells
}

/// The drawing of a broken cell's trace.
fn draw(catalogue: &Catalogue, name: &str, numbers: &Numbers, trace: &[String]) -> Option<String> {
    let file = TraceFile {
        version: VERSION,
        scenario: name.to_owned(),
        from: String::new(),
        violation: None,
        kept_by: None,
        numbers: numbers.clone(),
        trace: trace.to_vec(),
    };
    // Drawings are for traces that a person can follow.
    let short = trace.len() <= DRAWN_MAX;
    let told = short.then(|| catalogue.get(name)?.replay(&file).ok()).flatten()?;
    Some(svg::draw(&told.diagram?, svg::Scale::Step))
}

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
    let progress = !options.json;
    let check = if scenario.checkable() {
        let how =
            CheckOptions { states_max: Some(STATES_MAX), progress, ..CheckOptions::default() };
        Some(scenario.check(&card.small, how)?)
    } else {
        None
    };
    let how = SimulateOptions {
        seeds: options.seeds.clone(),
        jobs: options.jobs,
        until_failure: false,
        lift: if scenario.checkable() { LIFTED } else { 0 },
        check_determinism: false,
        progress,
    };
    let simulate = scenario.simulate(&card.large, Runner::Fast, &how)?;
    Ok(Guarantee::new(card.about, check.as_ref(), &simulate))
}
