//! Many seeds of large worlds, and the house rules.

#[cfg(not(madsim))]
compile_error!(
    "the test targets need `--cfg madsim`, which .cargo/config.toml sets; an environment RUSTFLAGS \
     replaces it: unset RUSTFLAGS, or add `--cfg madsim` to it"
);

mod browser;
mod chromium;
mod command_line;
mod documents;
mod guarantees;
mod house;
mod raft_rs;
mod regressions;
mod sockets;
mod user_crate;

use std::path::Path;

use seedbed::protocols::catalogue;

/// The scenario files: `UPDATE=1 cargo test --test sim-tests` rewrites them.
#[test]
fn scenario_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sim-tests/scenarios");
    let named = seedbed::script::test_folder(&catalogue(), &folder);
    for scenario in catalogue().iter() {
        let name = scenario.card().name;
        assert!(named.iter().any(|other| other == name), "no file in {folder:?} simulates {name}");
    }
}
