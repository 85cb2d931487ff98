//! The regression corpus: a minimal trace for each broken variant, kept as a file that a person can
//! read, and replayed for ever after. The variant must break the same property; its correct twin,
//! which follows the trace as far as it lets itself be led, must not. A trace of a scenario that is
//! to hold is one that broke it once: it must not break it again.

use std::path::{Path, PathBuf};

use crate::catalogue::Catalogue;
use crate::report::Agreement;
use crate::world::{Expect, Numbers};

use super::shrink::{ShrinkOptions, Size};
use super::simulate::SimulateOptions;
use super::trace::{TraceFile, VERSION};
use super::verify::Violation;
use super::{Engines, Runner, Shrinking, Unsupported};

/// The folder of the corpus, below the folder of the reports.
pub const FOLDER: &str = "regressions";

/// A scenario of the same protocol that keeps the property that another one breaks: one with the
/// same small world, if there is one.
pub fn twin<'a>(
    catalogue: &'a Catalogue,
    scenario: &dyn Engines,
    property: &str,
) -> Option<&'a dyn Engines> {
    let card = scenario.card();
    let protocol = |name: &'static str| name.split('/').next().unwrap_or(name);
    let keeps = |other: &&dyn Engines| {
        let small = &other.card().small;
        protocol(other.card().name) == protocol(card.name)
            && other.checkable()
            && other.expect(small) == Expect::Holds
            && other.properties(small).contains(&property)
    };
    let twins: Vec<_> = catalogue.iter().filter(keeps).collect();
    let same = twins.iter().find(|other| other.card().small == card.small);
    same.or(twins.first()).copied()
}

/// The world in which a twin follows a trace: the trace's own, or, where the broken variant breaks
/// an assumption about the world rather than a rule of the protocol, one that keeps it.
fn world_of_twin(scenario: &dyn Engines, twin: &dyn Engines, numbers: &Numbers) -> Numbers {
    if scenario.card().small == twin.card().small {
        return numbers.clone();
    }
    let Numbers { nodes, clients, calls, scale, .. } = *numbers;
    Numbers { nodes, clients, calls, scale, ..twin.card().small.clone() }
}

/// What is wrong with one file of the corpus.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {reason}\n  see it: seedbed replay {file}")]
pub struct Regressed {
    /// The file.
    pub file: String,
    /// What is wrong.
    pub reason: String,
}

/// Replays one file of the corpus against its scenario and the twin that it names; returns the
/// scenario's name.
///
/// # Errors
/// If the file can't be read, does not break what it says, or the twin breaks it too.
pub fn replay_file(catalogue: &Catalogue, path: &Path) -> Result<String, Regressed> {
    let bad = |reason: String| Regressed { file: path.display().to_string(), reason };
    let file = TraceFile::read(path).map_err(|error| bad(error.to_string()))?;
    let named = |name: &str| {
        catalogue.get(name).ok_or_else(|| bad(format!("there is no scenario `{name}`")))
    };
    let scenario = named(&file.scenario)?;
    // A trace of a scenario that is to hold is one that broke it once, and must not any more.
    if scenario.expect(&file.numbers) == Expect::Holds {
        let followed = scenario.follow(&file, &file.numbers);
        let followed = followed.map_err(|error| bad(error.to_string()))?;
        return match followed.violation {
            None => Ok(file.scenario),
            Some(violation) => Err(bad(format!("{} breaks {violation}", file.scenario))),
        };
    }
    let told = scenario.replay(&file).map_err(|error| bad(error.to_string()))?;
    let property = |violation: &Option<Violation>| violation.as_ref().map(|v| v.property.clone());
    if property(&told.violation) != property(&file.violation) {
        let (said, found) = (property(&file.violation), property(&told.violation));
        return Err(bad(format!("it says that it breaks {said:?}, and breaks {found:?}")));
    }
    if let Some(name) = &file.kept_by {
        let twin = named(name)?;
        let world = world_of_twin(scenario, twin, &file.numbers);
        let followed = twin.follow(&file, &world);
        let followed = followed.map_err(|error| bad(error.to_string()))?;
        if let Some(violation) = followed.violation {
            return Err(bad(format!("{name}, which should be correct, breaks {violation}")));
        }
        if followed.trace.len() < 2 {
            return Err(bad(format!("{name} can't follow a single step of it")));
        }
    }
    Ok(file.scenario)
}

/// Replays every `*.json` of a folder, and returns the names of the scenarios.
///
/// # Panics
/// If one of them does not do what it says: this is for tests.
pub fn test_folder(catalogue: &Catalogue, folder: &Path) -> Vec<String> {
    let replayed = files(folder).into_iter().map(|path| replay_file(catalogue, &path));
    let (names, wrong): (Vec<_>, Vec<_>) = replayed.partition(Result::is_ok);
    let wrong: Vec<_> = wrong.into_iter().filter_map(Result::err).map(|e| e.to_string()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    names.into_iter().flatten().collect()
}

/// The trace files of a folder, in order; none if there is no such folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    files.sort();
    files
}

/// The name of the file in which a trace of a scenario is kept.
pub fn file_name(scenario: &str) -> String {
    format!("{}.json", scenario.replace('/', "-"))
}

/// A broken variant's first failing seed, and what shrinking made of it.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The variant.
    pub scenario: &'static str,
    /// The property that it breaks.
    pub property: &'static str,
    /// The first seed that broke it; `None` if no seed did, and the trace is the checker's.
    pub seed: Option<u64>,
    /// What shrinking made of it.
    pub shrinking: Shrinking,
    /// A shortest run in the variant's small world.
    pub in_small: Option<TraceFile>,
}

impl Evidence {
    /// The trace to be kept: the one with the fewest steps.
    pub fn best(&self) -> &TraceFile {
        let found = self.shrinking.best();
        let shorter = self.in_small.as_ref().filter(|file| file.trace.len() < found.trace.len());
        shorter.unwrap_or(found)
    }
}

/// Finds the first seed that breaks what a variant is expected to break, or else the checker's
/// trace, and shrinks it; `None` if the variant is expected to hold, or can only be simulated.
///
/// # Errors
/// If a trace can't be replayed.
pub fn evidence(
    catalogue: &Catalogue,
    scenario: &dyn Engines,
    seeds_max: u64,
    options: ShrinkOptions,
) -> Result<Option<Evidence>, Unsupported> {
    let card = scenario.card();
    let Some(property) = scenario.expect(&card.small).broken() else { return Ok(None) };
    if !scenario.checkable() {
        return Ok(None);
    }
    let kept_by = twin(catalogue, scenario, property).map(|twin| twin.card().name.to_owned());
    let in_small = shortest_in_small(scenario, kept_by.clone())?;
    let failed = first_failure(scenario, property, seeds_max)?;
    let seed = failed.as_ref().map(|(seed, _)| *seed);
    let failed = failed.map(|(_, file)| TraceFile { kept_by, ..file });
    let Some(file) = failed.or_else(|| in_small.clone()) else { return Ok(None) };
    let shrinking = scenario.shrink(&file, options)?;
    Ok(Some(Evidence { scenario: card.name, property, seed, shrinking, in_small }))
}

/// The checker's trace of the variant's small world, if it breaks what it is expected to.
fn shortest_in_small(
    scenario: &dyn Engines,
    kept_by: Option<String>,
) -> Result<Option<TraceFile>, Unsupported> {
    let card = scenario.card();
    let checked = scenario.check(&card.small, super::check::CheckOptions::default())?;
    let expected = checked.agreement == Agreement::AsExpected;
    let violation = checked.property.zip(checked.reason).filter(|_| expected);
    Ok(violation.map(|(property, reason)| TraceFile {
        version: VERSION,
        scenario: card.name.to_owned(),
        from: "check".to_owned(),
        violation: Some(Violation { property, reason }),
        kept_by,
        numbers: checked.numbers,
        hosted: None,
        trace: checked.trace,
        cycle: checked.cycle,
    }))
}

/// The first seed of the large world that breaks a property, and its trace.
fn first_failure(
    scenario: &dyn Engines,
    property: &str,
    seeds_max: u64,
) -> Result<Option<(u64, TraceFile)>, Unsupported> {
    let card = scenario.card();
    let mut next = 0;
    while next < seeds_max {
        let how = SimulateOptions {
            seeds: next..seeds_max,
            jobs: 1,
            until_failure: true,
            lift: 0,
            check_determinism: false,
            progress: false,
        };
        let mut report = scenario.simulate(&card.large, Runner::Fast, &how)?;
        let Some(failure) = report.violations.pop() else { return Ok(None) };
        next = failure.seed + 1;
        if failure.property == property {
            let file = TraceFile {
                version: VERSION,
                scenario: card.name.to_owned(),
                from: format!("simulate, seed {}", failure.seed),
                violation: Some(Violation::new(&failure.property, failure.reason)),
                kept_by: None,
                numbers: failure.numbers,
                hosted: None,
                trace: failure.trace,
                cycle: None,
            };
            return Ok(Some((failure.seed, file)));
        }
    }
    Ok(None)
}

impl Evidence {
    /// Its line of the table in Markdown.
    fn line(&self) -> String {
        let Shrinking { before, after, shortest, .. } = &self.shrinking;
        let seed = self.seed.map_or("none".to_owned(), |seed| (seed + 1).to_string());
        let steps = |steps: Option<usize>| steps.map_or("-".to_owned(), |n| n.to_string());
        let shortest = shortest.as_ref().map(|file| file.trace.len() - 1);
        format!(
            "| `{}` | {} | {seed} | {} | {} | {} | {} |\n",
            self.scenario,
            self.property,
            in_words(before),
            in_words(after),
            steps(shortest),
            steps(self.in_small.as_ref().map(|file| file.trace.len() - 1)),
        )
    }
}

/// A size as `steps (faults, calls, nodes)`.
fn in_words(size: &Size) -> String {
    format!("{} ({}, {}, {})", size.steps, size.faults, size.calls, size.nodes)
}

/// The table of sizes before and after shrinking, in Markdown.
pub fn table(lines: &[Evidence]) -> String {
    let head = "# Shrinking\n\n\
        Written by `seedbed shrink`. A size is steps (faults, calls, nodes); a unit of time that \
        passes is a step. *Seeds* is\nhow many it took to fail once; *shortest* is the checker's, \
        in the world of the shrunk run, and in the variant's\nsmall world; - where that is too \
        large.\n\n\
        | variant | breaks | seeds | first failure | shrunk | shortest | in the small world |\n\
        |---|---|---|---|---|---|---|\n";
    lines.iter().fold(head.to_owned(), |text, line| text + &line.line())
}
