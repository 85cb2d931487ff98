//! The regression corpus: every trace in `reports/regressions` still breaks the variant that it is
//! of, and leaves the correct twin whole. `seedbed shrink` writes it anew.

use std::path::{Path, PathBuf};

use seedbed::engine::regressions::{files, replay_file, test_folder};
use seedbed::engine::trace::TraceFile;
use seedbed::protocols::catalogue;
use seedbed::world::Expect;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/regressions")
}

#[test]
fn every_trace_breaks_its_variant_and_not_the_twin() {
    let catalogue = catalogue();
    let named = test_folder(&catalogue, &corpus());
    for scenario in catalogue.iter().filter(|scenario| scenario.checkable()) {
        let card = scenario.card();
        if let Expect::Breaks(_) = scenario.expect(&card.small) {
            let name = card.name;
            assert!(named.iter().any(|kept| kept == name), "`seedbed shrink {name}` keeps a trace");
        }
    }
}

/// The test can fail: a trace that breaks nothing, and a twin that is none.
#[test]
fn a_file_that_lies_is_refused() {
    let catalogue = catalogue();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("lies.json");
    let refused = |file: TraceFile| {
        file.write(&path).expect("it can be written");
        replay_file(&catalogue, &path).expect_err("it was taken").to_string()
    };
    let first = files(&corpus()).into_iter().next().expect("the corpus is not empty");
    let file = TraceFile::read(&first).expect("it can be read");
    assert_eq!(replay_file(&catalogue, &first).expect("it is sound"), file.scenario);
    let mended = TraceFile { scenario: file.kept_by.clone().expect("a twin"), ..file.clone() };
    mended.write(&path).expect("it can be written");
    assert!(replay_file(&catalogue, &path).is_ok(), "what is to hold is not broken by it");
    let mut short = file.clone();
    short.trace.pop();
    assert!(refused(short).contains("it says that it breaks"));
    let twin = TraceFile { kept_by: Some(file.scenario.clone()), ..file.clone() };
    assert!(refused(twin).contains("which should be correct, breaks"));
    let other = TraceFile { scenario: "no/such".to_owned(), ..file };
    assert!(refused(other).contains("no scenario"));
}
