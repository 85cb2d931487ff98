//! The main job: every scenario is checked and simulated, and what it guarantees is written down.

use serde_json::json;
use wildmatch::WildMatch;

use crate::catalogue::Catalogue;
use crate::engine::check::{CheckOptions, Search};
use crate::engine::progress;
use crate::engine::simulate::SimulateOptions;
use crate::engine::{Engines, Runner};
use crate::report::guarantees::{self, Guarantee};
use crate::report::{Agreement, replace_file};

use super::args::Run;
use super::{Bad, Status};

/// The states that the main job generates of a world at the most.
const STATES_MAX: usize = 20_000_000;

/// The logs that the main job lifts of each scenario: to lift one costs more than to run it.
const LIFTED: u64 = 100;

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
    let mut lines: Vec<Guarantee> = Vec::new();
    for scenario in &scenarios {
        if progress::interrupted() {
            return Ok(Agreement::Undecided.status());
        }
        let line = one(*scenario, options)?;
        if !options.json {
            println!("{line}");
        }
        lines.push(line);
    }
    let table = json!({ "version": 1, "scenarios": lines });
    let text = serde_json::to_string_pretty(&table).expect("a report is plain data");
    replace_file(&path, &(text + "\n")).map_err(unwritable)?;
    replace_file(&path.with_extension("md"), &guarantees::table(&lines)).map_err(unwritable)?;
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

fn chosen<'a>(catalogue: &'a Catalogue, globs: &[String]) -> Result<Vec<&'a dyn Engines>, Bad> {
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
        jobs: options.jobs,
        until_failure: false,
        lift: if scenario.checkable() { LIFTED } else { 0 },
        check_determinism: false,
        progress,
    };
    let simulate = scenario.simulate(&card.large, Runner::Fast, &how)?;
    Ok(Guarantee::new(card.about, check.as_ref(), &simulate))
}
