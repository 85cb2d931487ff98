//! What engines found, for people and for programs.

pub mod diagram;
pub mod guarantees;
pub mod itf;
pub mod matrix;
pub mod page;
pub mod shiviz;
pub mod step;
pub mod svg;
pub mod text;
pub mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::engine::feasible::Feasibility;
use crate::engine::reduce::Reduction;
use crate::engine::verify::Violation;
use crate::world::{Expect, Numbers};

/// Whether what was found is what the scenario expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Agreement {
    /// It is.
    AsExpected,
    /// A budget ran out before the answer.
    Undecided,
    /// It is not.
    Otherwise,
}

impl Agreement {
    /// The exit status of a command that ends so.
    pub fn status(self) -> u8 {
        match self {
            Agreement::AsExpected => 0,
            Agreement::Otherwise => 1,
            Agreement::Undecided => 3,
        }
    }
}

/// What `check` reports.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    /// The scenario.
    pub scenario: String,
    /// Which engine.
    pub engine: &'static str,
    /// `holds`, `violated` or `incomplete`.
    pub verdict: &'static str,
    /// The property that is broken.
    pub property: Option<String>,
    /// How it is broken, or what cut the search short.
    pub reason: Option<String>,
    /// Whether every reachable state was met.
    pub exhausted: bool,
    /// Distinct states.
    pub states: usize,
    /// Transitions, the initial state included.
    pub transitions: usize,
    /// What a reduction left out, if one was asked for.
    pub reduction: Option<Reduction>,
    /// The longest path to a state; the initial state's is 1.
    pub depth: usize,
    /// Distinct histories that were judged.
    pub histories: usize,
    /// Marks that were reached.
    pub marks: BTreeSet<&'static str>,
    /// Marks that should have been reached, and were not: a pass means nothing.
    pub missing_marks: Vec<&'static str>,
    /// Whether all this is as expected.
    pub agreement: Agreement,
    /// The scenario's numbers.
    pub numbers: Numbers,
    /// Seconds.
    pub seconds: f64,
    /// The process's peak of memory.
    pub peak_bytes: u64,
    /// The path to the violation.
    pub trace: Vec<String>,
    /// After how many of its steps the trace begins to go round for ever, if it does.
    pub cycle: Option<usize>,
    /// Where timers may fire at any moment: whether it can happen with clocks that keep to the
    /// scenario's drift.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_time: Option<Feasibility>,
}

impl CheckReport {
    /// How this differs from what another engine found in the same world, if both came to an end.
    pub fn difference(&self, other: &CheckReport) -> Option<String> {
        // A search that met a violation may have gone further or less far; and promises, which are
        // judged when every state has been met, only one engine can judge.
        let found = |report: &CheckReport| {
            let CheckReport { states, transitions, depth, marks, .. } = report;
            if report.exhausted {
                return format!("{states} states, {transitions}, {depth}, {marks:?}");
            }
            let CheckReport { verdict, property, trace, .. } = report;
            format!("{verdict} {property:?}, {} actions", trace.len())
        };
        let (ours, theirs) = (found(self), found(other));
        let ended = |report: &CheckReport| report.exhausted || report.verdict != "incomplete";
        let both = ended(self) && ended(other);
        (both && ours != theirs)
            .then(|| format!("{} found {ours}, and {} found {theirs}", self.engine, other.engine))
    }
}

/// A seed that failed.
#[derive(Clone, Debug, Serialize)]
pub struct FailedSeed {
    /// The seed.
    pub seed: u64,
    /// The property that it broke.
    pub property: String,
    /// How.
    pub reason: String,
    /// The numbers of the world that the trace is a path of.
    pub numbers: Numbers,
    /// What happened: as a path of the checker's, if the log lifts.
    pub trace: Vec<String>,
}

/// What `simulate` reports.
#[derive(Clone, Debug, Serialize)]
pub struct SimulateReport {
    /// The scenario.
    pub scenario: String,
    /// `fast` or `madsim`.
    pub runner: &'static str,
    /// The seeds that were run, as `first..end`.
    pub seeds: String,
    /// How many.
    pub runs: u64,
    /// Events.
    pub events: u64,
    /// Messages that arrived.
    pub messages: u64,
    /// The seeds that failed.
    pub violations: Vec<FailedSeed>,
    /// Seeds that broke nothing, and in which not everything was judged: seed and reason.
    pub undecided: Vec<(u64, String)>,
    /// What the scenario promises: no run that ends can break that, so none is judged by it.
    pub promises: Vec<&'static str>,
    /// Runs whose log lifted into the checker's world.
    pub lifted: u64,
    /// Runs whose log did not: seed and step.
    pub unliftable: Vec<(u64, String)>,
    /// A digest over all logs.
    pub digest: String,
    /// Runs in which a fault happened.
    pub faulty: u64,
    /// Runs in which the faults changed how some call ended.
    pub changed_by_faults: u64,
    /// How often each kind of fault happened.
    pub faults: BTreeMap<&'static str, u64>,
    /// Marks that were reached.
    pub marks: BTreeSet<&'static str>,
    /// Seeds whose second run differed, and where.
    pub nondeterministic: Vec<(u64, String)>,
    /// Why the seeds stopped early.
    pub cut_short: Option<String>,
    /// Whether all this is as expected.
    pub agreement: Agreement,
    /// The scenario's numbers.
    pub numbers: Numbers,
    /// Seconds.
    pub seconds: f64,
}

/// Whether a check's result is the expected one.
pub fn check_agrees(
    expect: Expect,
    verdict: &str,
    property: Option<&str>,
    missing: bool,
) -> Agreement {
    match (verdict, expect.broken()) {
        ("incomplete", _) => Agreement::Undecided,
        ("holds", None) if !missing => Agreement::AsExpected,
        ("violated", Some(expected)) if property == Some(expected) => Agreement::AsExpected,
        _ => Agreement::Otherwise,
    }
}

/// Whether a simulation's result is the expected one.
pub fn simulate_agrees(expect: Expect, report: &SimulateReport) -> Agreement {
    let broken = |property: &str| report.violations.iter().any(|v| v.property == property);
    let sound = report.unliftable.is_empty() && report.nondeterministic.is_empty();
    let none = report.violations.is_empty();
    match expect.broken() {
        _ if !sound => Agreement::Otherwise,
        Some(property) if broken(property) => Agreement::AsExpected,
        // The seeds ran out before they met what is there.
        Some(_) if none => Agreement::Undecided,
        None if none && report.cut_short.is_none() && report.undecided.is_empty() => {
            Agreement::AsExpected
        }
        None if none => Agreement::Undecided,
        _ => Agreement::Otherwise,
    }
}

/// Replaces a file at once, or not at all.
///
/// # Errors
/// If the folder or the file can't be written.
pub fn replace_file(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(permissions)?;
    file.persist(path)?;
    Ok(())
}

/// The most memory that this process has used so far, in bytes; 0 where the system doesn't say.
pub fn peak_bytes() -> u64 {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return 0 };
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

impl std::fmt::Display for CheckReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}: {} ({})", self.scenario, self.verdict, self.numbers)?;
        if let (Some(property), Some(reason)) = (&self.property, &self.reason) {
            writeln!(f, "  {property}: {reason}")?;
        } else if let Some(reason) = &self.reason {
            writeln!(f, "  {reason}")?;
        }
        for (n, action) in self.trace.iter().enumerate().skip(1) {
            if self.cycle.is_some_and(|cycle| n == cycle + 1) {
                writeln!(f, "       and from here on, again and again:")?;
            }
            writeln!(f, "  {n:>3}  {action}")?;
        }
        for mark in &self.missing_marks {
            writeln!(f, "  never reached: {mark}")?;
        }
        if let Some(reduction) = &self.reduction {
            writeln!(f, "{reduction}")?;
        }
        if let Some(in_time) = &self.in_time {
            let drift = self.numbers.drift;
            writeln!(f, "  with clocks that are off by {drift} at most it is {in_time}")?;
        }
        let (states, transitions, depth) = (self.states, self.transitions, self.depth);
        write!(
            f,
            "  {states} states, {transitions} transitions, depth {depth}, {} histories, \
             {:.2} s, {} MB, {}",
            self.histories,
            self.seconds,
            self.peak_bytes >> 20,
            self.engine
        )
    }
}

impl std::fmt::Display for SimulateReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let failed = self.violations.len();
        writeln!(f, "{}: {failed} of {} runs failed ({})", self.scenario, self.runs, self.numbers)?;
        for failure in self.violations.iter().take(5) {
            writeln!(f, "  seed {}: {}: {}", failure.seed, failure.property, failure.reason)?;
        }
        if failed > 5 {
            writeln!(f, "  and {} more", failed - 5)?;
        }
        for (seed, reason) in self.undecided.iter().take(5) {
            writeln!(f, "  seed {seed} is undecided: {reason}")?;
        }
        for (seed, reason) in self.unliftable.iter().take(5) {
            writeln!(f, "  seed {seed} does not lift: {reason}")?;
        }
        for (seed, event) in self.nondeterministic.iter().take(5) {
            writeln!(f, "  seed {seed} is not deterministic: {event}")?;
        }
        let faults = self.faults.iter().map(|(kind, count)| format!("{count} {kind}"));
        let faults = faults.collect::<Vec<_>>().join(", ");
        let faults = if faults.is_empty() { "none" } else { &faults };
        // On madsim a run without the faults would be another run altogether.
        let mattered = match self.runner {
            "fast" => format!(" and changed an outcome in {}", self.changed_by_faults),
            _ => String::new(),
        };
        writeln!(f, "  faults happened in {} runs{mattered}: {faults}", self.faulty)?;
        for promise in &self.promises {
            writeln!(f, "  not judged by runs that end: {promise}")?;
        }
        if let Some(reason) = &self.cut_short {
            writeln!(f, "  incomplete: {reason}")?;
        }
        let rate = self.messages as f64 / self.seconds.max(1e-9);
        write!(
            f,
            "  seeds {}, {} events, {} messages ({rate:.0}/s), {} lifted, digest {}, {:.2} s, {}",
            self.seeds,
            self.events,
            self.messages,
            self.lifted,
            self.digest,
            self.seconds,
            self.runner
        )
    }
}

/// A violation's two halves, for a report.
pub fn halves(violation: Violation) -> (Option<String>, Option<String>) {
    (Some(violation.property), Some(violation.reason))
}
