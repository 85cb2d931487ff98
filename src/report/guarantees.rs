//! What the main job found: a line for each scenario, byte-stable, as text and as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::matrix::{self, Row};
use super::{Agreement, CheckReport, SimulateReport};

/// The seeds by which a test sees that a report is stale.
pub const FIRST_SEEDS: Range<u64> = 0..8;

/// One scenario's line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Guarantee {
    /// The scenario.
    pub scenario: String,
    /// What it shows.
    pub about: String,
    /// What the checker concluded of the small world; `None` where it can't be checked.
    pub checked: Option<CheckedLine>,
    /// What the simulator found in the large world.
    pub simulated: SimulatedLine,
    /// Whether both are as expected.
    pub agreement: Agreement,
}

/// The checker's half of a line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckedLine {
    /// The world's numbers.
    pub world: String,
    /// `holds`, `violated` or `incomplete`.
    pub verdict: String,
    /// The property that is broken.
    pub property: Option<String>,
    /// Distinct states, of a world that was exhausted.
    pub states: Option<usize>,
    /// Transitions, of a world that was exhausted.
    pub transitions: Option<usize>,
    /// Depth, of a world that was exhausted.
    pub depth: Option<usize>,
    /// The length of the shortest path to the violation.
    pub steps_to_violation: Option<usize>,
    /// The shortest path to the violation.
    pub trace: Vec<String>,
    /// After how many of its steps the path begins to go round for ever, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycle: Option<usize>,
    /// The marks reached, in a world that was exhausted.
    pub marks: Vec<String>,
}

/// The simulator's half of a line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SimulatedLine {
    /// The world's numbers.
    pub world: String,
    /// The seeds.
    pub seeds: String,
    /// Runs that broke something.
    pub failed: usize,
    /// The first seed that did.
    pub first_failing_seed: Option<u64>,
    /// In how many runs each property was the first to break: a variant that is there to break one
    /// may break others, too.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub broken: BTreeMap<String, usize>,
    /// Runs whose faults changed how some call ended.
    pub changed_by_faults: u64,
    /// A digest over all logs.
    pub digest: String,
    /// A digest over the logs of the first seeds, by which a test sees that all this is stale.
    pub begin: String,
}

impl Guarantee {
    /// The line of a scenario; `begin` is the digest over its first seeds.
    pub fn new(
        about: &str,
        check: Option<&CheckReport>,
        simulate: &SimulateReport,
        begin: String,
    ) -> Guarantee {
        // What the checker has shown to break, seeds need not find.
        let shown = check.is_some_and(|check| {
            check.verdict == "violated" && check.agreement == Agreement::AsExpected
        });
        let agreement = match simulate.agreement {
            Agreement::Undecided if shown => Agreement::AsExpected,
            simulated => simulated.max(check.map_or(Agreement::AsExpected, |c| c.agreement)),
        };
        Guarantee {
            scenario: simulate.scenario.clone(),
            about: about.to_owned(),
            checked: check.map(CheckedLine::new),
            simulated: SimulatedLine {
                world: simulate.numbers.to_string(),
                seeds: simulate.seeds.clone(),
                failed: simulate.violations.len(),
                first_failing_seed: simulate.violations.first().map(|failure| failure.seed),
                broken: broken_first(simulate),
                changed_by_faults: simulate.changed_by_faults,
                digest: simulate.digest.clone(),
                begin,
            },
            agreement,
        }
    }
}

/// In how many runs each property was the first to break.
fn broken_first(simulate: &SimulateReport) -> BTreeMap<String, usize> {
    let mut broken = BTreeMap::new();
    for failure in &simulate.violations {
        *broken.entry(failure.property.clone()).or_default() += 1;
    }
    broken
}

impl CheckedLine {
    fn new(report: &CheckReport) -> Self {
        // How far a search went when it met a violation depends on chance; a shortest path doesn't.
        let exhausted = report.verdict == "holds";
        CheckedLine {
            world: report.numbers.to_string(),
            verdict: report.verdict.to_owned(),
            property: report.property.clone(),
            states: exhausted.then_some(report.states),
            transitions: exhausted.then_some(report.transitions),
            depth: exhausted.then_some(report.depth),
            steps_to_violation: (report.verdict == "violated").then(|| report.trace.len() - 1),
            trace: report.trace.clone(),
            cycle: report.cycle,
            marks: report
                .marks
                .iter()
                .filter(|_| exhausted)
                .map(|mark| (*mark).to_owned())
                .collect(),
        }
    }
}

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let checked = match &self.checked {
            None => "only simulated".to_owned(),
            Some(line) => match (line.verdict.as_str(), &line.property) {
                ("holds", _) => format!("holds in {} states", line.states.unwrap_or(0)),
                ("violated", Some(property)) => {
                    format!(
                        "breaks \"{property}\" in {} steps",
                        line.steps_to_violation.unwrap_or(0)
                    )
                }
                (verdict, _) => verdict.to_owned(),
            },
        };
        let simulated = &self.simulated;
        let runs = match simulated.first_failing_seed {
            None => format!("survived, faults mattered in {}", simulated.changed_by_faults),
            Some(seed) => format!("{} runs failed, first seed {seed}", simulated.failed),
        };
        let note = match self.agreement {
            Agreement::AsExpected => "",
            Agreement::Undecided => "  UNDECIDED",
            Agreement::Otherwise => "  NOT AS EXPECTED",
        };
        write!(f, "{:<28} {checked:<58} {:<12} {runs}{note}", self.scenario, simulated.seeds)
    }
}

/// All that the main job found: what `guarantees.json` holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Guarantees {
    /// The version of this form.
    pub version: u32,
    /// A line for each scenario.
    pub scenarios: Vec<Guarantee>,
    /// The matrix.
    pub matrix: Vec<Row>,
}

impl Guarantees {
    /// As it stands in `guarantees.json`.
    pub fn json(&self) -> String {
        let value = serde_json::to_value(self).expect("a report is plain data");
        serde_json::to_string_pretty(&value).expect("a report is plain data") + "\n"
    }

    /// As it stands in `guarantees.md`, and in the README.
    pub fn markdown(&self) -> String {
        let (matrix, details) = (matrix::markdown(&self.matrix), table(&self.scenarios));
        let summary = "<details><summary>Each scenario in words, with all of its faults</summary>";
        format!("{matrix}\n{summary}\n\n{details}\n</details>\n")
    }
}

/// The lines as a table in Markdown.
fn table(lines: &[Guarantee]) -> String {
    let mut text =
        "| scenario | every interleaving of the small world | many seeds of the large world |\n\
                    |---|---|---|\n"
            .to_owned();
    for line in lines {
        let checked = match &line.checked {
            None => "only simulated".to_owned(),
            Some(checked) => checked.cell(),
        };
        let simulated = &line.simulated;
        let runs = match simulated.first_failing_seed {
            None => format!("survives {}", simulated.seeds),
            Some(_) => {
                format!("{} of {} fail{}", simulated.failed, simulated.seeds, simulated.kinds())
            }
        };
        let mattered = simulated.changed_by_faults;
        text += &format!(
            "| `{}`: {} | {checked} | {runs}; faults mattered in {mattered} |\n",
            line.scenario, line.about
        );
    }
    text
}

impl SimulatedLine {
    /// Which properties break, where it is more than one.
    fn kinds(&self) -> String {
        let each = self.broken.iter().map(|(property, runs)| format!("“{property}” in {runs}"));
        let each: Vec<_> = each.collect();
        if each.len() > 1 { format!(": {}", each.join(", ")) } else { String::new() }
    }
}

impl CheckedLine {
    fn cell(&self) -> String {
        match (self.verdict.as_str(), &self.property, self.states, self.steps_to_violation) {
            ("holds", _, Some(states), _) => format!("**holds** ({states} states)"),
            ("violated", Some(property), _, Some(steps)) => {
                format!("**breaks** “{property}” in {steps} steps")
            }
            (verdict, ..) => verdict.to_owned(),
        }
    }
}
