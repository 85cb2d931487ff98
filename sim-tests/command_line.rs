//! The command line as a user meets it: exit statuses, messages, JSON, and what it leaves on disk.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn seedbed(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_seedbed")).args(args).output().expect("seedbed runs")
}

fn json(args: &[&str]) -> (i32, Value) {
    let output = seedbed(args);
    let text = String::from_utf8(output.stdout).expect("its output is text");
    let value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{args:?} printed no JSON: {error}: {text}"));
    (output.status.code().expect("it was not killed"), value)
}

/// Bad input: exit status 2, nothing on standard output, and a message that says what is wrong.
fn refused(args: &[&str], says: &[&str]) {
    let output = seedbed(args);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
    assert!(output.stdout.is_empty(), "{args:?} printed something");
    for word in says {
        assert!(message.contains(word), "{args:?} does not say {word:?}: {message}");
    }
    assert!(!message.contains("panicked"), "{args:?}: {message}");
}

#[test]
fn bad_usage_is_refused() {
    refused(&["check", "no/such"], &["no scenario `no/such`", "abd/single-writer"]);
    refused(&["run", "no-such-*"], &["no scenario", "no-such-*"]);
    refused(&["simulate", "abd/no-write-back", "--seeds", "5..3"], &["5..3"]);
    refused(&["simulate", "abd/no-write-back", "--seeds", "a..b"], &["a"]);
    refused(&["check", "abd/no-write-back", "--set", "crashs=1"], &["crashs", "crashes"]);
    refused(&["check", "abd/no-write-back", "--set", "nodes=-1"], &["nodes", "-1"]);
    refused(&["check", "abd/no-write-back", "--threads", "0"], &["0"]);
    refused(&["explore", "abd"], &["several"]);
    refused(&["replay", "no-such-file.json"], &["no-such-file.json"]);
    refused(&["judge", "no-such-file", "--object", "register"], &["no-such-file"]);
}

#[test]
fn a_port_in_use_is_refused() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    refused(&["explore", "abd/no-write-back", "--address", &address], &[&address]);
}

#[test]
fn an_unwritable_folder_is_refused_before_the_work() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "in the way").expect("a file");
    let out = file.join("reports");
    refused(&["run", "--out", &out.display().to_string()], &["file/reports"]);
}

#[test]
fn malformed_and_foreign_traces_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let broken = file("broken.json", "{\n  \"version\": 1,\n  \"scenario\": \n");
    refused(&["replay", &broken], &["broken.json:4"]);
    let old = file("old.json", "{ \"version\": 99 }");
    refused(&["replay", &old], &["version 99"]);
    let saved = folder.path().join("saved.json").display().to_string();
    seedbed(&["simulate", "abd/no-write-back", "--until-failure", "--save", &saved]);
    refused(&["explore", "abd/single-writer", "--trace", &saved], &["abd/no-write-back"]);
    let text = std::fs::read_to_string(&saved).expect("the trace was saved");
    let lies = file("lies.json", &text.replacen(" calls ", " invents ", 1));
    refused(&["replay", &lies], &["not enabled", "invents"]);
}

/// A failure of the simulator is saved, replayed with the same end, and found in the explorer.
#[test]
fn a_simulated_failure_is_replayed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let saved = folder.path().join("saved.json").display().to_string();
    let found = seedbed(&[
        "simulate",
        "abd/no-write-back",
        "--seeds",
        "0..2000",
        "--until-failure",
        "--save",
        &saved,
    ]);
    assert_eq!(found.status.code(), Some(0), "{}", String::from_utf8_lossy(&found.stdout));
    let (status, told) = json(&["replay", &saved, "--json"]);
    assert_eq!(status, 0);
    assert_eq!(told["violation"]["property"], "linearizable");
    let (status, told) = json(&["replay", &saved, "--json", "--within", "drift=1000"]);
    assert_eq!(status, 0);
    assert_eq!(told["within"]["possible"]["violation"]["property"], "linearizable");
    refused(&["replay", &saved, "--within", "drft=1"], &["drft", "drift"]);
    let correct = seedbed(&["replay", &saved, "--against", "abd/single-writer"]);
    let told = String::from_utf8_lossy(&correct.stdout);
    let refused = correct.status.code() == Some(2);
    assert!(refused || told.contains("nothing is broken"), "the correct protocol fails: {told}");
}

#[test]
fn check_prints_what_the_design_promises() {
    let (status, report) = json(&["check", "abd/no-write-back", "--json"]);
    assert_eq!(status, 0, "it is expected to break");
    for field in [
        "scenario",
        "engine",
        "verdict",
        "property",
        "states",
        "transitions",
        "depth",
        "seconds",
        "peak_bytes",
        "trace",
    ] {
        assert!(!report[field].is_null(), "{field} is missing: {report}");
    }
    assert_eq!(report["verdict"], "violated");
    let (status, report) = json(&["check", "abd/single-writer", "--max-states", "100", "--json"]);
    assert_eq!((status, &report["verdict"]), (3, &Value::from("incomplete")));
}

#[test]
fn a_reduction_says_for_what_its_states_stand() {
    let believed =
        |more: &[&str]| json(&[&["check", "lease-lock/believed", "--json"], more].concat());
    let (_, full) = believed(&[]);
    let (status, both) = believed(&["--reduce", "both"]);
    assert_eq!((status, &both["verdict"]), (0, &Value::from("holds")));
    assert!(both["states"].as_u64() < full["states"].as_u64(), "{both}");
    for count in ["states", "transitions"] {
        assert_eq!(both["reduction"][count], full[count], "{count}");
    }
    assert_eq!(full["reduction"], Value::Null);
    let (_, alone) = json(&["check", "election/ranked", "--reduce", "symmetry", "--json"]);
    let refused = alone["reduction"]["refused"][0].to_string();
    assert!(refused.contains("nothing interchangeable"), "{refused}");
    let stateright =
        ["check", "election/ranked", "--engine", "stateright-bfs", "--reduce", "order"];
    self::refused(&stateright, &["only the compact engine"]);
}

/// A violation in a world without time says whether clocks that agree allow it; one that needs no
/// timer, or whose world has ticks, has nothing to say.
#[test]
fn check_says_whether_it_happens_in_time() {
    let (_, unfenced) = json(&["check", "lease-lock/unfenced", "--json"]);
    assert!(unfenced["in_time"].is_object(), "{unfenced}");
    let (_, no_timer) = json(&["check", "abd/no-write-back", "--json"]);
    let (_, ticks) = json(&["check", "lease-lock/no-margin", "--json"]);
    for report in [no_timer, ticks] {
        assert_eq!(report["verdict"], "violated");
        assert!(report.get("in_time").is_none(), "{report}");
    }
}

/// The same seeds give the same bytes in two processes, and on one thread and on two.
#[test]
fn simulations_are_deterministic() {
    let report = |jobs: &str| {
        let (_, mut report) = json(&[
            "simulate",
            "lease-lock/unfenced",
            "--seeds",
            "0..300",
            "--jobs",
            jobs,
            "--json",
        ]);
        report.as_object_mut().expect("a report is an object").remove("seconds");
        report
    };
    let first = report("1");
    assert!(first["violations"].as_array().is_some_and(|failed| !failed.is_empty()));
    assert_eq!(first, report("1"));
    assert_eq!(first, report("2"));
}

#[test]
fn the_main_job_is_byte_stable() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("reports");
    let run = || {
        let out = out.display().to_string();
        let args = ["run", "lease-lock/*", "--seeds", "0..20", "--out", &out];
        let output = seedbed(&args);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
        std::fs::read(Path::new(&out).join("guarantees.json")).expect("the report was written")
    };
    assert_eq!(run(), run());
}

/// A trace in every form that it can be written as; each says what the others say.
#[test]
fn a_trace_is_exported() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/reports/regressions/abd-volatile.json");
    let to = |form: &str| {
        let output = seedbed(&["export", file, "--to", form]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("it is text")
    };
    let svg = to("svg");
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    assert!(svg.contains("n1 is down") && svg.contains("no order explains"), "{svg}");
    let text = to("text");
    let columns = |line: &str| line.chars().filter(|c| *c == '●').count();
    let steps: Vec<_> = text.lines().filter(|line| columns(line) == 1).collect();
    let trace = std::fs::read_to_string(file).expect("it can be read");
    let trace: Value = serde_json::from_str(&trace).expect("JSON");
    let all = trace["trace"].as_array().expect("a list").len();
    assert_eq!(steps.len(), all - 1, "each step happens at one node: {text}");
    // ShiViz reads pairs of lines: a host with its clock, and the event.
    let log = to("shiviz");
    let lines: Vec<_> = log.lines().collect();
    for pair in lines.chunks(2) {
        let (host, clock) = pair[0].split_once(' ').expect("a host and a clock");
        let clock: Value = serde_json::from_str(clock).expect("a clock is JSON");
        assert!(clock[host].as_u64().is_some_and(|count| count > 0), "{pair:?}");
    }
    let itf: Value = serde_json::from_str(&to("itf")).expect("ITF is JSON");
    assert_eq!(itf["#meta"]["format"], "ITF");
    let states = itf["states"].as_array().expect("a list");
    assert_eq!(states.len(), all);
    let variables: Vec<_> = itf["vars"].as_array().expect("a list").iter().collect();
    for (index, state) in states.iter().enumerate() {
        assert_eq!(state["#meta"]["index"], index);
        assert!(variables.iter().all(|name| !state[name.as_str().expect("a name")].is_null()));
    }
}

/// `--save` without a file shrinks the failure into the corpus of the folder that one is in.
#[test]
fn a_failure_is_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let kept = Command::new(env!("CARGO_BIN_EXE_seedbed"))
        .args(["simulate", "lease-lock/save-after-send", "--seeds", "0..200"])
        .args(["--until-failure", "--save"])
        .current_dir(folder.path())
        .output()
        .expect("seedbed runs");
    assert_eq!(kept.status.code(), Some(0), "{kept:?}");
    let corpus = folder.path().join("reports/regressions");
    let names =
        seedbed::engine::regressions::test_folder(&seedbed::protocols::catalogue(), &corpus);
    assert_eq!(names, ["lease-lock/save-after-send"]);
}

#[test]
fn coverage_is_measured_as_the_report_says() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().display().to_string();
    let measured = ["service/replicated", "abd/volatile", "lazy-release/correct"];
    let output = seedbed(&[&["cover", "--out", &out][..], &measured].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let fresh = std::fs::read_to_string(folder.path().join("coverage.md")).expect("a table");
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/coverage.md");
    let kept = std::fs::read_to_string(kept).expect("the report is there");
    let rows: Vec<_> = fresh.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(rows.len(), measured.len(), "{fresh}");
    for row in rows {
        assert!(kept.lines().any(|line| line == row), "stale, `seedbed cover` writes it: {row}");
    }
    refused(&["cover", "no-such-*"], &["no scenario", "no-such-*"]);
}
