//! The command line. Any crate gets it over its own catalogue with one call of [`main`].
//!
//! Exit status: 0 as expected; 1 a verdict other than the expected one; 2 bad usage or bad input;
//! 3 a budget ran out before the answer.

/// Prints a line. A reader who has seen enough, as `head` has, is no error.
macro_rules! say {
    ($($words:tt)*) => { $crate::cli::say(format_args!($($words)*)) };
}

mod args;
mod cover;
mod export;
#[cfg(test)]
mod kept;
mod reduce;
mod run;
mod shrink;

use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;
use serde_json::{Value, json};

use crate::catalogue::Catalogue;
use crate::consistency::judge;
use crate::consistency::memory::Given;
use crate::consistency::outputs::Outputs;
use crate::engine::check::{CheckOptions, Search};
use crate::engine::feasible::Feasibility;
use crate::engine::progress;
use crate::engine::reduce::Reduce;
use crate::engine::simulate::SimulateOptions;
use crate::engine::trace::{TraceFile, VERSION};
use crate::engine::verify::Violation;
use crate::engine::{Engines, Retold, Runner};
use crate::report::svg;
use crate::report::{Agreement, CheckReport, SimulateReport, replace_file};
use crate::world::{BadNumber, Clocks, Numbers};

use args::{Args, Check, Command, Explore, Judge, Many, Replay, Simulate};

/// Bad usage or bad input: one clear message, and exit status 2.
#[derive(Debug)]
pub struct Bad(String);

impl<E: std::error::Error> From<E> for Bad {
    fn from(error: E) -> Self {
        Bad(error.to_string())
    }
}

type Status = Result<u8, Bad>;

/// Runs the command line of this process over a catalogue.
pub fn main(catalogue: &Catalogue) -> ExitCode {
    let args = Args::parse();
    // The others end with the first Ctrl-C.
    if !matches!(args.command, Some(Command::Explore(_) | Command::Replay(_) | Command::Judge(_))) {
        progress::watch_for_interrupts();
    }
    let status = match args.command {
        None => run::run(catalogue, &args::Run::default()),
        Some(Command::Run(options)) => run::run(catalogue, &options),
        Some(Command::List { json }) => list(catalogue, json),
        Some(Command::Check(options)) => check(catalogue, &options),
        Some(Command::Simulate(options)) => simulate(catalogue, &options),
        Some(Command::Explore(options)) => explore(catalogue, &options),
        Some(Command::Replay(options)) => replay(catalogue, &options),
        Some(Command::Export(options)) => export::export(catalogue, &options),
        Some(Command::Shrink(options)) => shrink::shrink(catalogue, &options),
        Some(Command::Cover(options)) => cover::cover(catalogue, &options),
        Some(Command::Reduce(options)) => reduce::reduce(catalogue, &options),
        Some(Command::Judge(options)) => judge(&options),
    };
    match status {
        Ok(status) => ExitCode::from(status),
        Err(Bad(message)) => {
            eprintln!("seedbed: {message}");
            ExitCode::from(2)
        }
    }
}

fn say(line: std::fmt::Arguments<'_>) {
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        outcome => outcome.expect("standard output can be written"),
    }
}

/// The scenarios that a name means: one, or all variants of a protocol.
fn named<'a>(catalogue: &'a Catalogue, name: &str) -> Result<Vec<&'a dyn Engines>, Bad> {
    let variant = |scenario: &&dyn Engines| {
        let full = scenario.card().name;
        full == name || full.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
    };
    let found: Vec<_> = catalogue.iter().filter(variant).collect();
    if found.is_empty() {
        let known = catalogue.iter().map(|scenario| scenario.card().name).collect::<Vec<_>>();
        return Err(Bad(format!("there is no scenario `{name}`; there are {}", known.join(", "))));
    }
    Ok(found)
}

fn one<'a>(catalogue: &'a Catalogue, name: &str) -> Result<&'a dyn Engines, Bad> {
    match named(catalogue, name)?[..] {
        [scenario] => Ok(scenario),
        ref several => {
            let names = several.iter().map(|s| s.card().name).collect::<Vec<_>>().join(", ");
            Err(Bad(format!("`{name}` means several scenarios; name one of {names}")))
        }
    }
}

/// The numbers with these settings. A setting that the scenario would not keep is refused.
fn with_settings(
    scenario: &dyn Engines,
    numbers: &Numbers,
    settings: &[String],
) -> Result<Numbers, Bad> {
    let mut numbers = numbers.clone();
    for setting in settings {
        numbers.set(setting)?;
    }
    let made = scenario.fitted(&numbers)?;
    for key in settings.iter().filter_map(|setting| setting.split('=').next()) {
        let [asked, made] = [&numbers, &made].map(|numbers| numbers.get(key));
        if asked != made {
            let [asked, made] = [asked, made].map(|value| value.unwrap_or_default().to_string());
            return Err(BadNumber::Decided { key: key.to_owned(), asked, made }.into());
        }
    }
    Ok(numbers)
}

/// Prints reports: as text, or as one JSON object, which holds a list where there are several.
fn print<R: Serialize + Display>(reports: &[R], json: bool) {
    match reports {
        [report] if json => say!("{}", json!(report)),
        _ if json => say!("{}", json!({ "reports": reports })),
        _ => reports.iter().for_each(|report| say!("{report}")),
    }
}

/// Writes a table into the folder of reports, if one is meant, and prints it, or the JSON.
fn publish(many: &Many, name: &str, table: &str, json: &Value) -> Result<(), Bad> {
    if let Some(folder) = many.folder() {
        let path = folder.join(name);
        let unwritable = |error| Bad(format!("{} can't be written: {error}", path.display()));
        replace_file(&path, table).map_err(unwritable)?;
    }
    if many.json {
        say!("{json}");
    } else {
        say!("{}", table.trim_end());
    }
    Ok(())
}

/// A part in percent, never rounded up to all.
fn share(part: usize, whole: usize) -> String {
    if part == whole {
        return "100".to_owned();
    }
    let thousandths = part * 1000 / whole.max(1);
    format!("{}.{}", thousandths / 10, thousandths % 10)
}

fn worst(agreements: impl Iterator<Item = Agreement>) -> u8 {
    agreements.max().unwrap_or(Agreement::AsExpected).status()
}

fn list(catalogue: &Catalogue, as_json: bool) -> Status {
    let expected = |scenario: &dyn Engines| scenario.expect(&scenario.card().small).to_string();
    if as_json {
        let rows = catalogue.iter().map(|scenario| {
            let card = scenario.card();
            let (protocol, variant) = card.name.split_once('/').unwrap_or((card.name, ""));
            json!({
                "scenario": card.name, "protocol": protocol, "variant": variant,
                "about": card.about, "checkable": scenario.checkable(), "small": card.small,
                "large": card.large, "expected": expected(scenario),
                "properties": scenario.properties(&card.small),
            })
        });
        say!("{}", json!({ "scenarios": rows.collect::<Vec<_>>() }));
        return Ok(0);
    }
    for scenario in catalogue.iter() {
        let card = scenario.card();
        say!("{}: {}", card.name, card.about);
        say!("  expected: {}", expected(scenario));
        if scenario.checkable() {
            say!("  checked:   {}", card.small);
        }
        say!("  simulated: {}", card.large);
    }
    Ok(0)
}

fn check(catalogue: &Catalogue, options: &Check) -> Status {
    let mut reports: Vec<CheckReport> = Vec::new();
    let scenarios = named(catalogue, &options.scenario)?;
    let alone = scenarios.len() == 1;
    may_save(options.save.as_deref(), alone)?;
    if options.reduce != Reduce::None && options.engine != Search::Compact {
        return Err(Bad("only the compact engine reduces what it searches".to_owned()));
    }
    for scenario in scenarios.into_iter().filter(|scenario| alone || scenario.checkable()) {
        let numbers = with_settings(scenario, &scenario.card().small, &options.set)?;
        let how = CheckOptions {
            search: options.engine,
            threads: options.threads,
            states_max: options.max_states,
            depth_max: options.max_depth,
            bytes_max: options.max_bytes,
            fingerprints: options.fingerprints,
            reduce: options.reduce,
            progress: !options.json,
            ..CheckOptions::default()
        };
        let mut report = scenario.check(&numbers, how)?;
        let violation = report.property.clone().zip(report.reason.clone());
        if let Some((property, reason)) = violation {
            let violation = Violation { property, reason };
            let numbers = &report.numbers;
            let file = trace_file(scenario, "check", numbers, Some(violation), &report.trace);
            let file = TraceFile { cycle: report.cycle, ..file };
            report.in_time = in_time(scenario, &file);
            if let Some(path) = &options.save {
                save(path, &file)?;
            }
        }
        reports.push(report);
    }
    print(&reports, options.json);
    Ok(worst(reports.iter().map(|report| report.agreement)))
}

/// Whether a violation in whose world timers fire at any moment can happen where clocks keep to
/// the scenario's drift; `replay --within` asks for other bounds.
fn in_time(scenario: &dyn Engines, file: &TraceFile) -> Option<Feasibility> {
    let fires = file.trace.iter().any(|step| step.contains("'s timer "));
    if file.numbers.clocks != Clocks::Asynchronous || !fires || file.cycle.is_some() {
        return None;
    }
    let bounds = Numbers { clocks: Clocks::Bounded, ..file.numbers.clone() };
    let bounds = scenario.fitted(&bounds).ok()?;
    scenario.feasible(file, &bounds).ok()
}

fn simulate(catalogue: &Catalogue, options: &Simulate) -> Status {
    let mut reports: Vec<SimulateReport> = Vec::new();
    let scenarios = named(catalogue, &options.scenario)?;
    may_save(options.save.as_ref().and_then(Option::as_deref), scenarios.len() == 1)?;
    for scenario in scenarios {
        let numbers = with_settings(scenario, &scenario.card().large, &options.set)?;
        let how = SimulateOptions {
            seeds: options.seeds.clone(),
            jobs: options.jobs,
            until_failure: options.until_failure,
            lift: if options.lift { u64::MAX } else { 0 },
            check_determinism: options.check_determinism,
            progress: !options.json,
        };
        let report = scenario.simulate(&numbers, options.runner, &how)?;
        if let (Some(path), Some(failure)) = (&options.save, report.violations.first()) {
            let violation = Violation::new(&failure.property, failure.reason.as_str());
            let from = format!("simulate, seed {}", failure.seed);
            let (numbers, trace) = (&failure.numbers, &failure.trace);
            let hosted = (options.runner == Runner::Madsim).then(|| report.numbers.clone());
            let file = trace_file(scenario, &from, numbers, Some(violation), trace);
            let file = TraceFile { hosted, ..file };
            match path {
                Some(path) => save(path, &file)?,
                None => {
                    let path = shrink::keep(catalogue, scenario, &file, failure.seed)?;
                    eprintln!("kept as {}", path.display());
                }
            }
        }
        reports.push(report);
    }
    print(&reports, options.json);
    Ok(worst(reports.iter().map(|report| report.agreement)))
}

fn trace_file(
    scenario: &dyn Engines,
    from: &str,
    numbers: &Numbers,
    violation: Option<Violation>,
    trace: &[String],
) -> TraceFile {
    TraceFile {
        version: VERSION,
        scenario: scenario.card().name.to_owned(),
        from: from.to_owned(),
        violation,
        kept_by: None,
        numbers: numbers.clone(),
        hosted: None,
        trace: trace.to_vec(),
        cycle: None,
    }
}

/// Finds out before the work whether its result can be saved.
fn may_save(path: Option<&Path>, alone: bool) -> Result<(), Bad> {
    let Some(path) = path else { return Ok(()) };
    if !alone {
        return Err(Bad("a trace is of one scenario: name one to --save".to_owned()));
    }
    let unwritable = |why: &dyn Display| Bad(format!("{} can't be written: {why}", path.display()));
    if path.is_dir() {
        return Err(unwritable(&"it is a folder"));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let probe = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")));
    probe.map(drop).map_err(|error| unwritable(&error))
}

fn save(path: &Path, file: &TraceFile) -> Result<(), Bad> {
    file.write(path).map_err(|error| Bad(format!("{} can't be written: {error}", path.display())))
}

fn explore(catalogue: &Catalogue, options: &Explore) -> Status {
    let recorded = match (&options.trace, options.seed) {
        (Some(path), _) => Some(TraceFile::read(path)?),
        (None, Some(seed)) => {
            let scenario = one(catalogue, &options.scenario)?;
            let numbers = with_settings(scenario, &scenario.card().large, &options.set)?;
            Some(scenario.record(&numbers, seed)?)
        }
        (None, None) => None,
    };
    let (scenario, numbers, steps) = match recorded {
        None => {
            let scenario = one(catalogue, &options.scenario)?;
            (
                scenario,
                with_settings(scenario, &scenario.card().small, &options.set)?,
                String::new(),
            )
        }
        Some(file) => {
            let scenario = of_trace(catalogue, &file, Some(&options.scenario))?;
            let steps = format!("#/steps/{}", scenario.locate(&file)?);
            (scenario, Numbers { scale: 1, ..file.numbers }, steps)
        }
    };
    crate::engine::explore::probe(options.address)?;
    say!("http://{}/{steps}", options.address);
    scenario.explore(&numbers, options.address)?;
    Ok(0)
}

/// The scenario of a trace file, which must be the one that was asked for, if one was.
fn of_trace<'a>(
    catalogue: &'a Catalogue,
    file: &TraceFile,
    asked: Option<&str>,
) -> Result<&'a dyn Engines, Bad> {
    if let Some(asked) = asked.filter(|asked| *asked != file.scenario) {
        return Err(Bad(format!("the trace is one of {}, not of {asked}", file.scenario)));
    }
    let scenario = one(catalogue, &file.scenario)?;
    scenario.fitted(&file.numbers)?;
    Ok(scenario)
}

fn replay(catalogue: &Catalogue, options: &Replay) -> Status {
    let mut within = None;
    let (name, told, before) = match options.seed {
        Some(seed) => {
            let scenario = one(catalogue, &options.what)?;
            let numbers = with_settings(scenario, &scenario.card().large, &options.set)?;
            (scenario.card().name.to_owned(), scenario.retell(&numbers, seed), None)
        }
        None => {
            let file = TraceFile::read(Path::new(&options.what))?;
            let scenario = match &options.against {
                Some(other) => one(catalogue, other)?,
                None => of_trace(catalogue, &file, None)?,
            };
            scenario.fitted(&file.numbers)?;
            let told = scenario.replay(&file)?;
            if !options.within.is_empty() {
                let numbers = Numbers { clocks: Clocks::Bounded, ..file.numbers.clone() };
                let bounds = with_settings(scenario, &numbers, &options.within)?;
                within = Some(scenario.feasible(&file, &bounds)?);
            }
            let before = options.against.is_none().then_some(file.violation);
            (scenario.card().name.to_owned(), told, before)
        }
    };
    let Retold { steps, trace, violation, diagram } = told;
    if let (Some(path), Some(diagram)) = (&options.svg, &diagram) {
        export::write(path, &svg::draw(diagram, svg::Scale::Step))?;
    }
    if options.json {
        let mut told = json!({ "scenario": name, "violation": violation, "trace": trace });
        if let Some(within) = &within {
            told["within"] = json!(within);
        }
        say!("{told}");
    } else {
        say!("{}", steps.trim_end_matches('\n'));
        if let Some(within) = &within {
            say!("within {}: {within}", options.within.join(" "));
        }
        if diagram.is_none() {
            let ends = violation
                .as_ref()
                .map_or("nothing is broken".to_owned(), |violation| format!("broken: {violation}"));
            say!("{ends}");
        }
    }
    // A file says what it breaks; a run that breaks something else is not what was expected.
    let property = |violation: &Option<Violation>| violation.as_ref().map(|v| v.property.clone());
    let agrees = before.is_none_or(|before| property(&before) == property(&violation));
    Ok(u8::from(!agrees))
}

fn judge(options: &Judge) -> Status {
    let Judge { svg, html, edn, .. } = options.clone();
    let outputs = Outputs { svg, html, edn };
    let models = options.model.iter().map(String::as_str).collect::<Vec<_>>();
    let format = options.format.as_deref().map(judge::format_named).transpose()?;
    let guards = options.guard.iter().cloned().collect();
    let given = Given { untimed: options.untimed, guards };
    let judgement = judge::judge_and_write(
        &options.file,
        &options.object,
        &models,
        format,
        options.budget,
        (&given, &outputs),
    )?;
    print(std::slice::from_ref(&judgement), options.json);
    Ok(judgement.exit_status())
}
