//! For `cargo test` in a crate of one's own: one call simulates, checks and replays a catalogue. A
//! failure names the seed, the file of the shrunk trace, and the command that shows it.
//!
//! `SEEDBED_SEEDS=A..B` tries other seeds, `SEEDBED_JUNIT=FILE` writes JUnit's XML, and on GitHub
//! (`GITHUB_ACTIONS`) failures are annotations.

use std::fmt::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::catalogue::Catalogue;
use crate::consistency::drawing::escaped;
use crate::engine::check::CheckOptions;
use crate::engine::shrink::ShrinkOptions;
use crate::engine::simulate::SimulateOptions;
use crate::engine::trace::{TraceFile, VERSION};
use crate::engine::verify::Violation;
use crate::engine::{Engines, Runner, regressions};
use crate::report::{Agreement, replace_file, svg};
use crate::world::Numbers;

/// What to do with each scenario of a catalogue.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The seeds of each large world.
    pub seeds: Range<u64>,
    /// How many states of each small world may be generated; 0 leaves the checker out.
    pub states_max: usize,
    /// Where the traces of failures go.
    pub failures: PathBuf,
    /// The regression corpus, if there is one.
    pub corpus: PathBuf,
    /// The command under which the crate's own binary gives this command line.
    pub command: String,
}

impl Default for Suite {
    fn default() -> Self {
        Suite {
            seeds: asked_seeds().unwrap_or(0..200),
            states_max: 2_000_000,
            failures: "target/seedbed".into(),
            corpus: Path::new("reports").join(regressions::FOLDER),
            command: own_command(),
        }
    }
}

/// The command that runs the crate's own binary, or its only example, where seedbed is no more than
/// a dev-dependency: tests run in the folder of their crate.
fn own_command() -> String {
    let mut examples: Vec<_> = std::fs::read_dir("examples")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_string_lossy().into_owned()))
        .collect();
    match examples.pop() {
        Some(only) if examples.is_empty() && !Path::new("src/main.rs").exists() => {
            format!("cargo run --example {only} --")
        }
        _ => "cargo run --".to_owned(),
    }
}

/// The seeds of the environment.
fn asked_seeds() -> Option<Range<u64>> {
    let text = std::env::var("SEEDBED_SEEDS").ok()?;
    let (first, end) = text.split_once("..")?;
    Some(first.parse().ok()?..end.parse().ok()?)
}

/// One thing that was tried.
#[derive(Clone, Debug)]
pub struct Case {
    /// What, as in `token/passed check`.
    pub name: String,
    /// How it failed, in lines for a person.
    pub failure: Option<String>,
    /// Seconds.
    pub seconds: f64,
}

/// Simulates, checks and replays everything in a catalogue.
///
/// # Panics
/// If something is not as expected: this is for tests.
pub fn test(catalogue: &Catalogue) {
    Suite::default().test(catalogue);
}

impl Suite {
    /// Runs the suite.
    ///
    /// # Panics
    /// If something is not as expected: this is for tests.
    pub fn test(&self, catalogue: &Catalogue) {
        let cases = self.run(catalogue);
        if let Some(path) = std::env::var_os("SEEDBED_JUNIT") {
            replace_file(Path::new(&path), &junit(&cases)).expect("the JUnit file can be written");
        }
        if std::env::var_os("GITHUB_ACTIONS").is_some() {
            print!("{}", annotations(&cases));
        }
        let failures: Vec<_> = cases.into_iter().filter_map(|case| case.failure).collect();
        assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    }

    /// Runs everything, and says how each case ended.
    pub fn run(&self, catalogue: &Catalogue) -> Vec<Case> {
        let mut cases = Vec::new();
        for scenario in catalogue.iter() {
            let name = scenario.card().name;
            if scenario.checkable() && self.states_max > 0 {
                cases.push(case(format!("{name} check"), || self.check(scenario)));
            }
            cases.push(case(format!("{name} simulate"), || self.simulate(catalogue, scenario)));
        }
        for path in regressions::files(&self.corpus) {
            let name = format!("regression {}", path.display());
            let replay = || regressions::replay_file(catalogue, &path);
            cases.push(case(name, || replay().err().map(|wrong| wrong.to_string())));
        }
        cases
    }

    fn check(&self, scenario: &dyn Engines) -> Option<String> {
        let states_max = Some(self.states_max);
        let how = CheckOptions { states_max, ..CheckOptions::default() };
        let report = match scenario.check(&scenario.card().small, how) {
            Ok(report) if report.agreement == Agreement::AsExpected => return None,
            Ok(report) => report,
            Err(error) => return Some(error.to_string()),
        };
        let head = format!("{}: the checker says {}", report.scenario, report.verdict);
        let Some(property) = report.property else {
            let why = report
                .reason
                .unwrap_or_else(|| format!("never reached: {}", report.missing_marks.join(", ")));
            return Some(format!("{head}: {why}"));
        };
        let violation = Violation { property, reason: report.reason.unwrap_or_default() };
        let file = trace_file(scenario, "check", report.numbers, &violation, report.trace);
        let file = TraceFile { cycle: report.cycle, ..file };
        Some(self.told(scenario, &format!("{head}: {violation}"), &file, "check"))
    }

    fn simulate(&self, catalogue: &Catalogue, scenario: &dyn Engines) -> Option<String> {
        let how = SimulateOptions {
            seeds: self.seeds.clone(),
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            until_failure: true,
            lift: 0,
            check_determinism: false,
            progress: false,
        };
        let card = scenario.card();
        let report = match scenario.simulate(&card.large, Runner::Fast, &how) {
            Ok(report) => report,
            Err(error) => return Some(error.to_string()),
        };
        // What is expected to break, and did not in so few seeds, is the checker's to show.
        if report.agreement != Agreement::Otherwise {
            return None;
        }
        let failure = report.violations.into_iter().next()?;
        let (seed, property) = (failure.seed, failure.property);
        let violation = Violation { property, reason: failure.reason };
        let from = format!("simulate, seed {seed}");
        let mut file = trace_file(scenario, &from, failure.numbers, &violation, failure.trace);
        let twin = regressions::twin(catalogue, scenario, &violation.property);
        file.kept_by = twin.map(|twin| twin.card().name.to_owned());
        let steps = file.trace.len() - 1;
        let mut head = format!("{} fails at seed {seed}: {violation}", card.name);
        if let Ok(shrinking) = scenario.shrink(&file, ShrinkOptions::default()) {
            file = shrinking.best().clone();
            let _ = write!(head, "\n  shrunk from {steps} steps to {}", file.trace.len() - 1);
        }
        Some(self.told(scenario, &head, &file, &format!("seed-{seed}")))
    }

    /// Writes the trace of a failure, and says where it is and how to look at it.
    fn told(&self, scenario: &dyn Engines, head: &str, file: &TraceFile, how: &str) -> String {
        let name = format!("{}-{how}", file.scenario.replace('/', "-"));
        let path = self.failures.join(format!("{name}.json"));
        if let Err(error) = file.write(&path) {
            return format!("{head}\n  {} can't be written: {error}", path.display());
        }
        let drawing = scenario.replay(file).ok().and_then(|told| told.diagram);
        let drawn = drawing.map(|diagram| {
            let picture = path.with_extension("svg");
            let written = replace_file(&picture, &svg::draw(&diagram, svg::Scale::Step));
            written.map_or(String::new(), |()| format!("\n  picture: {}", picture.display()))
        });
        let (path, command, corpus) = (path.display(), &self.command, self.corpus.display());
        let folder = if self.corpus.is_dir() { "" } else { &format!("mkdir -p {corpus} && ") };
        format!(
            "{head}\n  trace:   {path}{}\n  see it:  {command} replay {path}\n  explore: {command} \
             explore {} --trace {path}\n  keep it: {folder}cp {path} {corpus}/",
            drawn.unwrap_or_default(),
            file.scenario
        )
    }
}

fn trace_file(
    scenario: &dyn Engines,
    from: &str,
    numbers: Numbers,
    violation: &Violation,
    trace: Vec<String>,
) -> TraceFile {
    TraceFile {
        version: VERSION,
        scenario: scenario.card().name.to_owned(),
        from: from.to_owned(),
        violation: Some(violation.clone()),
        kept_by: None,
        numbers,
        hosted: None,
        trace,
        cycle: None,
    }
}

fn case(name: String, run: impl FnOnce() -> Option<String>) -> Case {
    let begin = Instant::now();
    let failure = run();
    Case { name, failure, seconds: begin.elapsed().as_secs_f64() }
}

/// JUnit's XML.
pub fn junit(cases: &[Case]) -> String {
    let failed = cases.iter().filter(|case| case.failure.is_some()).count();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"seedbed\" tests=\"{}\" \
         failures=\"{failed}\">\n",
        cases.len()
    );
    for Case { name, failure, seconds } in cases {
        let name = escaped(name);
        let _ = write!(xml, "  <testcase name=\"{name}\" time=\"{seconds:.3}\"");
        let _ = match failure {
            None => writeln!(xml, "/>"),
            Some(text) => {
                let (first, text) = (escaped(text.lines().next().unwrap_or("")), escaped(text));
                writeln!(xml, "><failure message=\"{first}\">{text}</failure></testcase>")
            }
        };
    }
    xml + "</testsuite>\n"
}

/// GitHub's workflow commands, one for each failure.
pub fn annotations(cases: &[Case]) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let failed = cases.iter().filter_map(|case| Some((&case.name, case.failure.as_ref()?)));
    let lines = failed.map(|(name, text)| {
        let title = data(name).replace(':', "%3A").replace(',', "%2C");
        format!("::error title={title}::{}\n", data(text))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases() -> Vec<Case> {
        let sound = Case { name: "a/b check".to_owned(), failure: None, seconds: 0.5 };
        let failure = Some("a/c: 1 < 2 & \"so\"\n  trace: x, 100%".to_owned());
        vec![sound, Case { name: "a/c simulate".to_owned(), failure, seconds: 0.25 }]
    }

    #[test]
    fn junit_is_well_formed() {
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
            <testsuite name=\"seedbed\" tests=\"2\" failures=\"1\">\n  \
            <testcase name=\"a/b check\" time=\"0.500\"/>\n  \
            <testcase name=\"a/c simulate\" time=\"0.250\"><failure message=\"a/c: 1 &lt; 2 &amp; \
            &quot;so&quot;\">a/c: 1 &lt; 2 &amp; &quot;so&quot;\n  trace: x, 100%</failure>\
            </testcase>\n</testsuite>\n";
        assert_eq!(junit(&cases()), expected);
    }

    #[test]
    fn annotations_stay_on_one_line() {
        let expected = "::error title=a/c simulate::a/c: 1 < 2 & \"so\"%0A  trace: x, 100%25\n";
        assert_eq!(annotations(&cases()), expected);
    }
}
