//! `reports/guarantees.json` and the README say what the code does: a stale one fails here.

use std::path::{Path, PathBuf};

use seedbed::protocols::catalogue;
use serde_json::Value;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
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

#[test]
fn the_report_is_about_this_catalogue() {
    let report: Value = serde_json::from_str(&read("reports/guarantees.json")).expect("JSON");
    let lines = report["scenarios"].as_array().expect("a list");
    let catalogue = catalogue();
    let names: Vec<_> = catalogue.iter().map(|scenario| scenario.card().name).collect();
    let reported: Vec<_> = lines.iter().filter_map(|line| line["scenario"].as_str()).collect();
    assert_eq!(reported, names, "`cargo run --release` writes the report anew");
    let expected = expectations();
    for (line, scenario) in lines.iter().zip(catalogue.iter()) {
        let name = scenario.card().name;
        assert_eq!(line["about"], scenario.card().about, "{name}");
        assert_eq!(line["agreement"], "as-expected", "{name}");
        let checked = &line["checked"];
        if checked["verdict"] == "holds" {
            let counts = format!(
                "check {name}\n----\nholds: {} states, {} transitions, depth {}\n",
                checked["states"], checked["transitions"], checked["depth"]
            );
            assert!(expected.contains(&counts), "the scenario files disagree with {counts}");
        } else if checked["verdict"] == "violated" {
            let steps = &checked["steps_to_violation"];
            let property = checked["property"].as_str().expect("a violated property has a name");
            let broken = format!("check {name}\n----\nbreaks \"{property}\" in {steps} steps\n");
            assert!(expected.contains(&broken), "the scenario files disagree with {broken}");
        }
    }
}

/// `UPDATE=1` puts the table into the README.
#[test]
fn the_readme_shows_the_report() {
    const BEGIN: &str = "<!-- guarantees -->\n";
    const END: &str = "<!-- end of guarantees -->";
    let (readme, table) = (read("README.md"), read("reports/guarantees.md"));
    let (before, rest) = readme.split_once(BEGIN).expect("the README has a place for the table");
    let (shown, after) = rest.split_once(END).expect("the place has an end");
    if std::env::var_os("UPDATE").is_some() {
        let text = format!("{before}{BEGIN}{table}{END}{after}");
        seedbed::report::replace_file(&path("README.md"), &text).expect("it can be written");
    } else {
        assert_eq!(shown, table, "UPDATE=1 cargo test --test sim-tests puts the table in");
    }
}
