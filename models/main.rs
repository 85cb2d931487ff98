//! Every interleaving of small worlds.

#[cfg(not(madsim))]
compile_error!(
    "the test targets need `--cfg madsim`, which .cargo/config.toml sets; an environment RUSTFLAGS \
     replaces it: unset RUSTFLAGS, or add `--cfg madsim` to it"
);

mod engines;
mod literature;
mod local;
mod semantics;
mod toys;

/// `src/local` once more, over loom: see `src/sync.rs`.
#[allow(unsafe_code, reason = "as in the library")]
#[allow(dead_code, reason = "the models use what there is to explore, not all that there is")]
#[path = "../src/local/mod.rs"]
mod primitives;

/// What it is written over here.
#[allow(unsafe_code, reason = "a mutex gives out what it guards")]
#[allow(dead_code, reason = "it has all that `src/sync.rs` has")]
#[path = "local/over_loom.rs"]
mod sync;

use std::path::Path;

use seedbed::catalogue::Card;
use seedbed::protocols::catalogue;
use seedbed::world::Expect;

/// The scenario files: `UPDATE=1 cargo test --test models` rewrites them.
#[test]
fn scenario_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/scenarios");
    let named = seedbed::script::test_folder(&catalogue(), &folder);
    for scenario in catalogue().iter().filter(|scenario| scenario.checkable()) {
        let name = scenario.card().name;
        assert!(named.iter().any(|other| other == name), "no file in {folder:?} checks {name}");
    }
}

fn same_world(one: &Card, other: &Card) -> bool {
    (&one.small, &one.large) == (&other.small, &other.large)
}

/// A variant that is expected to break a property stands beside a variant of the same protocol,
/// with the same numbers, that has the property and keeps it. Where it is the world that breaks an
/// assumption, the twin is the same text in a world that keeps it.
#[test]
fn every_broken_variant_has_a_correct_twin() {
    let catalogue = catalogue();
    for broken in catalogue.iter() {
        let card = broken.card();
        let expect = broken.expect(&card.small);
        let Some(property) = expect.broken() else { continue };
        let by_the_world = matches!(expect, Expect::BreaksWithout { .. });
        let protocol = card.name.split('/').next();
        let twin = catalogue.iter().find(|other| {
            let theirs = other.card();
            theirs.name.split('/').next() == protocol
                && same_world(theirs, card) != by_the_world
                && other.expect(&theirs.small) == Expect::Holds
                && other.properties(&theirs.small).contains(&property)
        });
        assert!(twin.is_some(), "no variant keeps what {} breaks: {property}", card.name);
    }
}
