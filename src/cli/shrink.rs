//! `seedbed shrink`: a failing trace made small; or every broken variant's first failure, which
//! goes into the regression corpus.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::catalogue::Catalogue;
use crate::engine::regressions::{self, Evidence};
use crate::engine::shrink::ShrinkOptions;
use crate::engine::trace::TraceFile;
use crate::engine::{Engines, Shrinking};
use crate::report::replace_file;

use super::args::Shrink;
use super::{Bad, Status, run::chosen};

/// Shrinks a file, or the first failures of broken variants.
pub fn shrink(catalogue: &Catalogue, options: &Shrink) -> Status {
    let how = ShrinkOptions { steps_max: options.max_steps, states_max: options.max_states };
    match &options.what[..] {
        [file] if file.ends_with(".json") => one(catalogue, Path::new(file), options, how),
        globs => every(catalogue, globs, options, how),
    }
}

fn one(catalogue: &Catalogue, path: &Path, options: &Shrink, how: ShrinkOptions) -> Status {
    let file = TraceFile::read(path)?;
    let scenario = super::of_trace(catalogue, &file, None)?;
    let shrinking = scenario.shrink(&file, how)?;
    let out = options.out.clone().unwrap_or_else(|| path.with_extension("min.json"));
    write(&out, shrinking.best())?;
    if options.json {
        say!("{}", in_json(&file.scenario, &shrinking));
    } else {
        for (n, words) in shrinking.best().trace.iter().enumerate().skip(1) {
            say!("{n:>4}  {words}");
        }
        say!("{}", in_words(&file.scenario, &shrinking));
        say!("written to {0}; draw it: seedbed export {0} --to svg", out.display());
    }
    Ok(0)
}

fn every(catalogue: &Catalogue, globs: &[String], options: &Shrink, how: ShrinkOptions) -> Status {
    let folder = options.out.clone().unwrap_or_else(|| "reports".into());
    let scenarios = chosen(catalogue, globs)?;
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    let work = || {
        while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
            let evidence = regressions::evidence(catalogue, *scenario, options.seeds, how);
            found.lock().expect("nothing here panics").push((scenario.card().name, evidence));
        }
    };
    std::thread::scope(|scope| (0..options.jobs.max(1)).for_each(|_| drop(scope.spawn(work))));
    let mut found = found.into_inner().expect("no worker panics");
    found.sort_by_key(|(name, _)| scenarios.iter().position(|s| s.card().name == *name));
    let mut lines: Vec<Evidence> = Vec::new();
    for (_, evidence) in found {
        lines.extend(evidence?);
    }
    for line in &lines {
        let path = folder.join(regressions::FOLDER).join(regressions::file_name(line.scenario));
        write(&path, line.best())?;
        if !options.json {
            say!("{}", in_words(line.scenario, &line.shrinking));
        }
    }
    if options.json {
        let all = lines.iter().map(|line| in_json(line.scenario, &line.shrinking));
        say!("{}", json!({ "shrunk": all.collect::<Vec<_>>() }));
    }
    let table = folder.join("shrinking.md");
    replace_file(&table, &regressions::table(&lines))
        .map_err(|error| Bad(format!("{} can't be written: {error}", table.display())))?;
    Ok(0)
}

fn write(path: &Path, file: &TraceFile) -> Result<(), Bad> {
    file.write(path).map_err(|error| Bad(format!("{} can't be written: {error}", path.display())))
}

fn in_words(scenario: &str, shrinking: &Shrinking) -> String {
    let Shrinking { before, after, shortest, tried, gave_up, .. } = shrinking;
    let shortest = match shortest {
        Some(file) => format!("; shortest: {} steps", file.trace.len() - 1),
        None => String::new(),
    };
    let gave_up = if *gave_up { ", and the budget ran out" } else { "" };
    let pairs = [
        ("steps", before.steps, after.steps),
        ("faults", before.faults, after.faults),
        ("calls", before.calls, after.calls),
        ("nodes", before.nodes as usize, after.nodes as usize),
    ];
    let pairs = pairs.map(|(what, before, after)| format!("{before} {what} to {after}"));
    format!("{scenario}: {}; tried {tried}{gave_up}{shortest}", pairs.join(", "))
}

fn in_json(scenario: &str, shrinking: &Shrinking) -> serde_json::Value {
    let Shrinking { before, after, shortest, tried, gave_up, .. } = shrinking;
    json!({
        "scenario": scenario, "before": before, "after": after, "tried": tried,
        "gave_up": gave_up, "shortest": shortest.as_ref().map(|file| file.trace.len() - 1),
        "trace": shrinking.best().trace,
    })
}

/// Puts the shrunk trace of a failure into the corpus, and returns its file.
pub fn keep(
    catalogue: &Catalogue,
    scenario: &dyn Engines,
    file: &TraceFile,
    seed: u64,
) -> Result<std::path::PathBuf, Bad> {
    let mut file = file.clone();
    if let Some(violation) = &file.violation {
        let twin = regressions::twin(catalogue, scenario, &violation.property);
        file.kept_by = twin.map(|twin| twin.card().name.to_owned());
    }
    let shrinking = scenario.shrink(&file, ShrinkOptions::default())?;
    let name = format!("{}-seed-{seed}.json", scenario.card().name.replace('/', "-"));
    let path = Path::new("reports").join(regressions::FOLDER).join(name);
    write(&path, shrinking.best())?;
    Ok(path)
}
