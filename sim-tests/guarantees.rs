//! `reports/guarantees.json` says what the code does, and its three other forms, the Markdown, the
//! page and the README's table, say what it says: a stale one fails here.

use std::path::{Path, PathBuf};

use seedbed::engine::columns::BrokenCell;
use seedbed::engine::simulate::SimulateOptions;
use seedbed::engine::{Engines, Runner};
use seedbed::protocols::catalogue;
use seedbed::report::guarantees::{FIRST_SEEDS, Guarantee, Guarantees};
use seedbed::report::matrix::Cell;
use seedbed::report::{Agreement, page, replace_file};

const AGAIN: &str = "`cargo run --release` writes the report anew";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn report() -> Guarantees {
    let text = read("reports/guarantees.json");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {AGAIN}"))
}

/// What the scenario files of the models expect, as one text.
fn expectations() -> String {
    let folder = path("models/scenarios");
    let files = std::fs::read_dir(&folder).expect("the folder can be listed");
    let texts = files.map(|file| {
        std::fs::read_to_string(file.expect("it can be listed").path()).expect("a text")
    });
    texts.collect::<Vec<_>>().join("\n\n")
}

/// What a line of the report says that is not so: of the scenario's words and worlds, of what the
/// checker finds, which the scenario files know, and of what the first seeds do.
fn stale(line: &Guarantee, scenario: &dyn Engines, expected: &str) -> Option<String> {
    let card = scenario.card();
    let world = scenario.fitted(&card.small).expect("a scenario's own numbers fit").to_string();
    let how = SimulateOptions {
        seeds: FIRST_SEEDS,
        jobs: 1,
        until_failure: false,
        lift: 0,
        check_determinism: false,
        progress: false,
    };
    let runs = scenario.simulate(&card.large, Runner::Fast, &how).expect("it can be simulated");
    let name = card.name;
    let checked = line.checked.as_ref();
    let found = checked.map_or(String::new(), |checked| match checked.verdict.as_str() {
        "holds" => {
            let numbers = [checked.states, checked.transitions, checked.depth];
            let [states, transitions, depth] = numbers.map(Option::unwrap_or_default);
            format!("holds: {states} states, {transitions} transitions, depth {depth}\n")
        }
        _ => {
            let steps = checked.steps_to_violation.unwrap_or_default();
            let property = checked.property.as_deref().unwrap_or_default();
            let told = checked.trace.iter().skip(1).enumerate().map(|(n, step)| {
                let turns = checked.cycle == Some(n);
                let turn = if turns { "and from here on, again and again:\n" } else { "" };
                format!("{turn}  {step}\n")
            });
            format!("breaks \"{property}\" in {steps} steps\n{}", told.collect::<String>())
        }
    });
    let shown = format!("check {name}\n----\n{found}");
    let complaints = [
        ("about", line.about == card.about),
        ("agreement", line.agreement == Agreement::AsExpected),
        ("small world", checked.is_none_or(|checked| checked.world == world)),
        ("checker's verdict", checked.is_none() || expected.contains(&shown)),
        ("large world", line.simulated.world == runs.numbers.to_string()),
        ("first seeds", line.simulated.begin == runs.digest),
    ];
    let wrong = complaints.into_iter().find(|(_, so)| !so);
    wrong.map(|(what, _)| format!("{name}: the {what} is stale: {AGAIN}"))
}

#[test]
fn the_report_is_about_this_code() {
    let (report, catalogue, expected) = (report(), catalogue(), expectations());
    let names: Vec<_> = catalogue.iter().map(|scenario| scenario.card().name).collect();
    let lines: Vec<_> = report.scenarios.iter().map(|line| line.scenario.as_str()).collect();
    let rows: Vec<_> = report.matrix.iter().map(|row| row.scenario.as_str()).collect();
    assert_eq!((&lines, &rows), (&names, &names), "{AGAIN}");
    for (line, scenario) in report.scenarios.iter().zip(catalogue.iter()) {
        assert_eq!(stale(line, scenario, &expected), None);
    }
}

/// Every word of a line is checked: each that is changed is noticed.
#[test]
fn a_stale_line_is_noticed() {
    let (report, catalogue, expected) = (report(), catalogue(), expectations());
    let scenario = catalogue.iter().next().expect("there are scenarios");
    let noticed = |change: fn(&mut Guarantee), what: &str| {
        let mut line = report.scenarios[0].clone();
        change(&mut line);
        let complaint = stale(&line, scenario, &expected).unwrap_or_default();
        assert!(complaint.contains(what), "{what}, and {complaint}");
    };
    noticed(|line| line.about.push('!'), "about");
    noticed(|line| line.agreement = Agreement::Otherwise, "agreement");
    noticed(|line| line.simulated.world.push('1'), "large world");
    noticed(|line| line.simulated.begin.push('0'), "first seeds");
    noticed(|line| line.checked.as_mut().expect("it is").world.push('1'), "small world");
    let more = |line: &mut Guarantee| line.checked.as_mut().expect("it is").states = Some(1);
    noticed(more, "checker's verdict");
}

/// A file that is made of the report: `UPDATE=1` makes it anew.
fn is_made_of_it(name: &str, made: &str) {
    if std::env::var_os("UPDATE").is_some() {
        return replace_file(&path(name), made).expect("it can be written");
    }
    let (shown, again) = (read(name), "`UPDATE=1 cargo test --test sim-tests` makes it anew");
    let same = shown.lines().zip(made.lines()).take_while(|(one, other)| one == other).count();
    assert!(shown == made, "{name}:{}: it does not say what the report says; {again}", same + 1);
}

#[test]
fn the_json_is_what_the_program_writes() {
    is_made_of_it("reports/guarantees.json", &report().json());
}

#[test]
fn the_markdown_says_what_the_report_says() {
    is_made_of_it("reports/guarantees.md", &report().markdown());
}

#[test]
fn the_page_says_what_the_report_says() {
    is_made_of_it("reports/guarantees.html", &page::page(&catalogue(), &report().matrix));
}

#[test]
fn the_readme_shows_the_report() {
    const BEGIN: &str = "<!-- guarantees -->\n";
    const END: &str = "<!-- end of guarantees -->";
    let readme = read("README.md");
    let (before, rest) = readme.split_once(BEGIN).expect("the README has a place for the table");
    let (_, after) = rest.split_once(END).expect("the place has an end");
    is_made_of_it("README.md", &format!("{before}{BEGIN}{}{END}{after}", report().markdown()));
}

/// Whether a broken cell's trace can be taken step by step, and breaks what the cell says.
fn is_replayed(name: &str, broken: &BrokenCell) -> bool {
    let catalogue = catalogue();
    let scenario = catalogue.get(name).expect("it is listed");
    let Ok(told) = scenario.replay(&broken.file(name)) else { return false };
    let said = (broken.property.as_str(), broken.reason.as_str());
    told.violation.is_some_and(|it| (it.property.as_str(), it.reason.as_str()) == said)
}

/// The matrix, cell by cell: what was exhausted together is the line's small world, only variants
/// that are there to break are broken, and each of their traces still breaks what it did.
#[test]
fn every_cell_is_so() {
    let report = report();
    for (row, line) in report.matrix.iter().zip(&report.scenarios) {
        let whole = line.checked.as_ref().and_then(|checked| checked.states);
        let mut seen: Vec<&BrokenCell> = Vec::new();
        for (fault, cell) in &row.cells {
            let name = format!("{} under {}", row.scenario, fault.name());
            match cell {
                Cell::Holds { states, together: true, .. } => {
                    assert_eq!(Some(*states), whole, "{name}: {AGAIN}");
                }
                Cell::Broken(broken) if !seen.contains(&broken) => {
                    assert!(row.breaks.is_some(), "{name} is broken: {}", broken.reason);
                    assert!(is_replayed(&row.scenario, broken), "{name} is stale: {AGAIN}");
                    seen.push(broken);
                }
                _ => {}
            }
        }
    }
    let row = report.matrix.iter().find(|row| row.breaks.is_some()).expect("some are broken");
    let broken = row.cells.iter().find_map(|(_, cell)| match cell {
        Cell::Broken(broken) => Some(broken.clone()),
        _ => None,
    });
    let mut broken = broken.expect("a cell is broken");
    assert!(is_replayed(&row.scenario, &broken));
    broken.trace.pop();
    assert!(!is_replayed(&row.scenario, &broken), "what breaks nothing is noticed");
}
