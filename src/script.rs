//! Scenario files: a test is a block of text, and its expected output rewrites itself on request.
//!
//! ```text
//! # Without the fence a late write lands.
//! check lease-lock/unfenced
//! ----
//! breaks "writes land in grant order" in 11 steps
//!   p0#0 calls Acquire at n2
//!   ...
//! ```
//!
//! A command is `check SCENARIO` or `simulate SCENARIO seeds=A..B`, then numbers as `key=value`,
//! and for `simulate` also `lift` and `runner=madsim`. Blank lines end a block. With `UPDATE=1` in
//! the environment the files are rewritten; commit only changes that you understand.

use std::fmt::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::catalogue::Catalogue;
use crate::engine::check::CheckOptions;
use crate::engine::simulate::SimulateOptions;
use crate::engine::{Engines, Runner};
use crate::report::{CheckReport, SimulateReport};

/// What is wrong with a scenario file, with file and line.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}: {reason}")]
pub struct BadScript {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

/// One block of a file.
#[derive(Debug)]
struct Block {
    comments: String,
    command: String,
    line: usize,
    expected: String,
}

/// Runs every `*.txt` of a folder, and returns the names of the scenarios that they mention.
///
/// # Panics
/// If some output is not as expected, or a file is malformed: this is for tests.
pub fn test_folder(catalogue: &Catalogue, folder: &Path) -> Vec<String> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "txt"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "there is no scenario file in {}", folder.display());
    let update = std::env::var_os("UPDATE").is_some();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push(test_file(catalogue, file, update));
        }
        done
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let results: Vec<Tested> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let joined = workers.into_iter().map(|worker| worker.join().expect("no worker panics"));
        joined.flatten().collect()
    });
    let differences: String = results.iter().map(|tested| tested.differences.as_str()).collect();
    assert!(update || differences.is_empty(), "{differences}\nrun with UPDATE=1 to rewrite\n");
    results.into_iter().flat_map(|tested| tested.names).collect()
}

/// What running one file came to.
struct Tested {
    names: Vec<String>,
    differences: String,
}

fn test_file(catalogue: &Catalogue, file: &Path, update: bool) -> Tested {
    let text = std::fs::read_to_string(file).expect("a scenario file is readable text");
    let mut tested = Tested { names: Vec::new(), differences: String::new() };
    let mut rewritten = String::new();
    for block in parse(file, &text).unwrap_or_else(|bad| panic!("{bad}")) {
        let name = block.command.split_whitespace().nth(1).unwrap_or_default();
        tested.names.push(name.to_owned());
        let found = run(catalogue, file, &block).unwrap_or_else(|bad| panic!("{bad}"));
        if found != block.expected {
            let place = format!("{}:{}: {}", file.display(), block.line, block.command);
            let expected = &block.expected;
            let _ = write!(tested.differences, "{place}\nexpected:\n{expected}found:\n{found}\n");
        }
        let gap = if rewritten.is_empty() { "" } else { "\n" };
        let _ = write!(rewritten, "{gap}{}{}\n----\n{found}", block.comments, block.command);
    }
    if update && rewritten != text {
        crate::report::replace_file(file, &rewritten).expect("the file can be written");
    }
    tested
}

fn parse(file: &Path, text: &str) -> Result<Vec<Block>, BadScript> {
    let bad = |line: usize, reason: &str| BadScript {
        file: file.display().to_string(),
        line,
        reason: reason.to_owned(),
    };
    let mut blocks = Vec::new();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((n, line)) = lines.next() {
        if line.trim().is_empty() {
            continue;
        }
        let (mut comments, mut command, mut at) = (String::new(), line, n);
        while command.starts_with('#') {
            let _ = writeln!(comments, "{command}");
            (at, command) =
                lines.next().ok_or_else(|| bad(n + 1, "a comment without a command"))?;
        }
        let Some((_, "----")) = lines.next() else {
            return Err(bad(at + 2, "after a command comes a line `----`"));
        };
        let mut expected = String::new();
        while let Some((_, line)) = lines.next_if(|(_, line)| !line.trim().is_empty()) {
            let _ = writeln!(expected, "{line}");
        }
        blocks.push(Block { comments, command: command.to_owned(), line: at + 1, expected });
    }
    Ok(blocks)
}

/// A command's words.
struct Words<'a> {
    scenario: &'a dyn Engines,
    settings: Vec<&'a str>,
    seeds: Option<Range<u64>>,
    runner: Runner,
    lift: bool,
}

fn run(catalogue: &Catalogue, file: &Path, block: &Block) -> Result<String, BadScript> {
    let bad =
        |reason: String| BadScript { file: file.display().to_string(), line: block.line, reason };
    let (verb, rest) = block.command.split_once(' ').unwrap_or((&block.command, ""));
    let words = words(catalogue, rest).map_err(bad)?;
    let card = words.scenario.card();
    let mut numbers = if verb == "check" { card.small.clone() } else { card.large.clone() };
    for setting in &words.settings {
        numbers.set(setting).map_err(|error| bad(error.to_string()))?;
    }
    match (verb, words.seeds) {
        ("check", None) => {
            let report = words.scenario.check(&numbers, CheckOptions::default());
            Ok(checked(&report.map_err(|error| bad(error.to_string()))?))
        }
        ("simulate", Some(seeds)) => {
            let options = SimulateOptions {
                seeds,
                jobs: std::thread::available_parallelism().map_or(1, usize::from),
                until_failure: false,
                lift: if words.lift { u64::MAX } else { 0 },
                check_determinism: false,
                progress: false,
            };
            let report = words.scenario.simulate(&numbers, words.runner, &options);
            Ok(simulated(&report.map_err(|error| bad(error.to_string()))?, words.lift))
        }
        _ => Err(bad("a command is `check NAME` or `simulate NAME seeds=A..B`".to_owned())),
    }
}

fn words<'a>(catalogue: &'a Catalogue, rest: &'a str) -> Result<Words<'a>, String> {
    let mut all = rest.split_whitespace();
    let name = all.next().unwrap_or_default();
    let scenario = catalogue.get(name).ok_or_else(|| format!("there is no scenario `{name}`"))?;
    let mut words =
        Words { scenario, settings: Vec::new(), seeds: None, runner: Runner::Fast, lift: false };
    for word in all {
        match word.split_once('=') {
            Some(("seeds", range)) => {
                let ends = range.split_once("..");
                let ends = ends.and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
                words.seeds = Some(ends.ok_or_else(|| format!("`{word}` is no range of seeds"))?);
            }
            Some(("runner", "madsim")) => words.runner = Runner::Madsim,
            None if word == "lift" => words.lift = true,
            _ => words.settings.push(word),
        }
    }
    Ok(words)
}

fn checked(report: &CheckReport) -> String {
    let mut text = String::new();
    match &report.property {
        Some(property) => {
            let _ = writeln!(text, "breaks \"{property}\" in {} steps", report.trace.len() - 1);
            for (n, step) in report.trace[1..].iter().enumerate() {
                if report.cycle == Some(n) {
                    text += "and from here on, again and again:\n";
                }
                let _ = writeln!(text, "  {step}");
            }
        }
        None => {
            let (states, transitions, depth) = (report.states, report.transitions, report.depth);
            let _ = writeln!(
                text,
                "{}: {states} states, {transitions} transitions, depth {depth}",
                report.verdict
            );
            if let Some(reason) = &report.reason {
                let _ = writeln!(text, "because {reason}");
            }
            if !report.marks.is_empty() {
                let marks = report.marks.iter().copied().collect::<Vec<_>>().join(", ");
                let _ = writeln!(text, "reached: {marks}");
            }
            if !report.missing_marks.is_empty() {
                let _ = writeln!(text, "never reached: {}", report.missing_marks.join(", "));
            }
        }
    }
    text
}

fn simulated(report: &SimulateReport, lift: bool) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{} of {} runs fail", report.violations.len(), report.runs);
    let mut properties: Vec<(&str, usize, u64)> = Vec::new();
    for failure in &report.violations {
        match properties.iter_mut().find(|(name, ..)| *name == failure.property) {
            Some((_, count, _)) => *count += 1,
            None => properties.push((&failure.property, 1, failure.seed)),
        }
    }
    for (property, count, seed) in properties {
        let _ = writeln!(text, "  \"{property}\" in {count}, first seed {seed}");
    }
    for (seed, reason) in &report.undecided {
        let _ = writeln!(text, "  seed {seed} is undecided: {reason}");
    }
    let faults = report.faults.iter().map(|(kind, count)| format!("{count} {kind}"));
    let _ = writeln!(
        text,
        "faults in {} runs, changed an outcome in {}: {}",
        report.faulty,
        report.changed_by_faults,
        faults.collect::<Vec<_>>().join(", ")
    );
    if lift {
        let _ = writeln!(text, "lifted: {} of {}", report.lifted, report.runs);
        for (seed, reason) in &report.unliftable {
            let _ = writeln!(text, "  seed {seed} does not: {reason}");
        }
    }
    let marks = report.marks.iter().copied().collect::<Vec<_>>().join(", ");
    let _ = writeln!(text, "reached: {marks}");
    let _ = writeln!(text, "digest {}", report.digest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_files_are_refused_with_their_line() {
        let refused = |text: &str| parse(Path::new("x.txt"), text).unwrap_err().to_string();
        assert!(refused("# only a comment").starts_with("x.txt:1: "));
        assert!(refused("\ncheck a/b\nholds\n").starts_with("x.txt:3: "));
        let block = Block {
            comments: String::new(),
            command: "check no/body".to_owned(),
            line: 7,
            expected: String::new(),
        };
        let unknown = run(&Catalogue::new(), Path::new("x.txt"), &block).unwrap_err();
        assert_eq!(unknown.to_string(), "x.txt:7: there is no scenario `no/body`");
    }
}
