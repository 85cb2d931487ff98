//! The command line. Any crate gets it over its own catalogue with one call of [`main`].
//!
//! Exit status: 0 as expected; 1 a verdict other than the expected one; 2 bad usage or bad input;
//! 3 a budget ran out before the answer.

mod args;
mod run;

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;
use serde_json::json;

use crate::catalogue::Catalogue;
use crate::consistency::judge;
use crate::consistency::outputs::Outputs;
use crate::engine::check::CheckOptions;
use crate::engine::progress;
use crate::engine::simulate::SimulateOptions;
use crate::engine::trace::{TraceFile, VERSION};
use crate::engine::verify::Violation;
use crate::engine::{Engines, Retold};
use crate::report::{Agreement, CheckReport, SimulateReport};
use crate::world::{Expect, Numbers};

use args::{Args, Check, Command, Explore, Judge, Replay, Simulate};

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
    progress::watch_for_interrupts();
    let status = match args.command {
        None => run::run(catalogue, &args::Run::default()),
        Some(Command::Run(options)) => run::run(catalogue, &options),
        Some(Command::List { json }) => list(catalogue, json),
        Some(Command::Check(options)) => check(catalogue, &options),
        Some(Command::Simulate(options)) => simulate(catalogue, &options),
        Some(Command::Explore(options)) => explore(catalogue, &options),
        Some(Command::Replay(options)) => replay(catalogue, &options),
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

fn with_settings(numbers: &Numbers, settings: &[String]) -> Result<Numbers, Bad> {
    let mut numbers = numbers.clone();
    for setting in settings {
        numbers.set(setting)?;
    }
    Ok(numbers)
}

/// Prints reports: as text, or as one JSON object, which holds a list where there are several.
fn print<R: Serialize + Display>(reports: &[R], json: bool) {
    match reports {
        [report] if json => println!("{}", json!(report)),
        _ if json => println!("{}", json!({ "reports": reports })),
        _ => reports.iter().for_each(|report| println!("{report}")),
    }
}

fn worst(agreements: impl Iterator<Item = Agreement>) -> u8 {
    agreements.max().unwrap_or(Agreement::AsExpected).status()
}

fn list(catalogue: &Catalogue, as_json: bool) -> Status {
    let expected = |scenario: &dyn Engines| match scenario.expect(&scenario.card().small) {
        Expect::Holds => "holds".to_owned(),
        Expect::Breaks(property) => format!("breaks \"{property}\""),
    };
    if as_json {
        let rows = catalogue.iter().map(|scenario| {
            let card = scenario.card();
            let (protocol, variant) = card.name.split_once('/').unwrap_or((card.name, ""));
            json!({
                "scenario": card.name, "protocol": protocol, "variant": variant,
                "about": card.about, "checkable": scenario.checkable(), "small": card.small,
                "large": card.large, "expected": expected(scenario),
            })
        });
        println!("{}", json!({ "scenarios": rows.collect::<Vec<_>>() }));
        return Ok(0);
    }
    for scenario in catalogue.iter() {
        let card = scenario.card();
        println!("{}: {}", card.name, card.about);
        println!("  expected: {}", expected(scenario));
        if scenario.checkable() {
            println!("  checked:   {}", card.small);
        }
        println!("  simulated: {}", card.large);
    }
    Ok(0)
}

fn check(catalogue: &Catalogue, options: &Check) -> Status {
    let mut reports: Vec<CheckReport> = Vec::new();
    let scenarios = named(catalogue, &options.scenario)?;
    let alone = scenarios.len() == 1;
    for scenario in scenarios.into_iter().filter(|scenario| alone || scenario.checkable()) {
        let numbers = with_settings(&scenario.card().small, &options.set)?;
        let how = CheckOptions {
            search: options.engine,
            threads: options.threads.into(),
            states_max: options.max_states,
            depth_max: options.max_depth,
            bytes_max: options.max_bytes,
            progress: !options.json,
        };
        let report = scenario.check(&numbers, how)?;
        if let Some(path) = &options.save {
            let violation = report.property.clone().zip(report.reason.clone());
            let violation = violation.map(|(property, reason)| Violation { property, reason });
            save(path, scenario, "check", &report.numbers, violation, &report.trace)?;
        }
        reports.push(report);
    }
    print(&reports, options.json);
    Ok(worst(reports.iter().map(|report| report.agreement)))
}

fn simulate(catalogue: &Catalogue, options: &Simulate) -> Status {
    let mut reports: Vec<SimulateReport> = Vec::new();
    for scenario in named(catalogue, &options.scenario)? {
        let numbers = with_settings(&scenario.card().large, &options.set)?;
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
            save(path, scenario, &from, &failure.numbers, Some(violation), &failure.trace)?;
        }
        reports.push(report);
    }
    print(&reports, options.json);
    Ok(worst(reports.iter().map(|report| report.agreement)))
}

fn save(
    path: &Path,
    scenario: &dyn Engines,
    from: &str,
    numbers: &Numbers,
    violation: Option<Violation>,
    trace: &[String],
) -> Result<(), Bad> {
    let file = TraceFile {
        version: VERSION,
        scenario: scenario.card().name.to_owned(),
        from: from.to_owned(),
        violation,
        numbers: numbers.clone(),
        trace: trace.to_vec(),
    };
    file.write(path).map_err(|error| Bad(format!("{} can't be written: {error}", path.display())))
}

fn explore(catalogue: &Catalogue, options: &Explore) -> Status {
    let (scenario, numbers, steps) = match &options.trace {
        None => {
            let scenario = one(catalogue, &options.scenario)?;
            (scenario, with_settings(&scenario.card().small, &options.set)?, String::new())
        }
        Some(path) => {
            let file = TraceFile::read(path)?;
            let scenario = of_trace(catalogue, &file, Some(&options.scenario))?;
            let steps = format!("#/steps/{}", scenario.locate(&file)?);
            (scenario, Numbers { scale: 1, ..file.numbers }, steps)
        }
    };
    crate::engine::explore::probe(options.address)?;
    println!("http://{}/{steps}", options.address);
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
    one(catalogue, &file.scenario)
}

fn replay(catalogue: &Catalogue, options: &Replay) -> Status {
    let (name, told, before) = match options.seed {
        Some(seed) => {
            let scenario = one(catalogue, &options.what)?;
            let numbers = with_settings(&scenario.card().large, &options.set)?;
            (scenario.card().name.to_owned(), scenario.retell(&numbers, seed), None)
        }
        None => {
            let file = TraceFile::read(Path::new(&options.what))?;
            let scenario = match &options.against {
                Some(other) => one(catalogue, other)?,
                None => of_trace(catalogue, &file, None)?,
            };
            let told = scenario.replay(&file)?;
            let before = options.against.is_none().then_some(file.violation);
            (scenario.card().name.to_owned(), told, before)
        }
    };
    let Retold { steps, trace, violation, svg } = told;
    if let (Some(path), Some(svg)) = (&options.svg, &svg) {
        crate::report::replace_file(path, svg)
            .map_err(|error| Bad(format!("{} can't be written: {error}", path.display())))?;
    }
    if options.json {
        println!("{}", json!({ "scenario": name, "violation": violation, "trace": trace }));
    } else {
        print!("{steps}");
        if svg.is_none() {
            let ends = violation
                .as_ref()
                .map_or("nothing is broken".to_owned(), |violation| format!("broken: {violation}"));
            println!("{ends}");
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
    let judgement = judge::judge_and_write(
        &options.file,
        &options.object,
        &models,
        format,
        options.budget,
        &outputs,
    )?;
    print(std::slice::from_ref(&judgement), options.json);
    Ok(judgement.exit_status())
}
