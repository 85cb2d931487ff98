//! The regression corpus: every trace in `reports/regressions` still breaks the variant that it is
//! of, and leaves the correct twin whole. `seedbed shrink` writes it anew.

use std::collections::BTreeSet;
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

/// What no variant is there to break: both break in some runs of `master-slave/no-sync`.
const NOBODY_BREAKS: [(&str, &str); 2] =
    [("master-slave", "logs are prefixes"), ("master-slave", "replicas agree")];

/// Every check can fail: what a protocol is to keep, some variant of it is there to break; what
/// none is there to break stands in a list, to which nothing is added in silence.
#[test]
fn what_is_kept_is_broken_by_a_variant() {
    let catalogue = catalogue();
    let (mut kept, mut broken) = (BTreeSet::new(), BTreeSet::new());
    for scenario in catalogue.iter() {
        let card = scenario.card();
        let protocol = card.name.split('/').next().unwrap_or(card.name);
        match scenario.expect(&card.small).broken() {
            Some(property) => drop(broken.insert((protocol, property))),
            None => {
                let properties = scenario.properties(&card.small);
                kept.extend(properties.into_iter().map(|property| (protocol, property)));
            }
        }
    }
    let only_kept: Vec<_> = kept.difference(&broken).copied().collect();
    assert_eq!(only_kept, NOBODY_BREAKS);
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
