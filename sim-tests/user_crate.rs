//! A crate that depends on seedbed: it needs no special flags for the simulator, the checker and
//! the judges, and may set `--cfg madsim` for the shell.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const MANIFEST: &str = r#"[package]
name = "a-user-of-seedbed"
version = "0.1.0"
edition = "2024"

[dependencies]
seedbed = { path = "SEEDBED" }
serde = { version = "1", features = ["derive"] }

[workspace]

PROFILE"#;

/// This repository's own, so that what is built already is not built again.
const SHARED: &str = r#"[profile.dev]
opt-level = 2
debug = "line-tables-only"

[profile.dev.package."*"]
opt-level = 3
"#;

/// Where everything has to be built anew, what is built soonest.
const QUICK: &str = "[profile.dev]\ndebug = false\n";

/// A token that is passed on, and a seeded run and an exhaustive check of it.
const PROGRAM: &str = include_str!("user_crate/main.rs.txt");

/// A node of a deployed protocol, on real sockets: the example, as a user would write it.
const NODE: &str = include_str!("../examples/node.rs");

/// Builds the user's crate with these flags, and returns the folder of its programs.
fn built(flags: &str, profile: &str, target: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = root.join(target);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    let manifest = MANIFEST.replace("SEEDBED", &root.display().to_string());
    write("Cargo.toml", &manifest.replace("PROFILE", profile));
    write("src/main.rs", PROGRAM);
    write("src/bin/node.rs", NODE);
    std::fs::copy(root.join("Cargo.lock"), folder.path().join("Cargo.lock")).expect("a lock file");
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--offline"])
        .current_dir(folder.path())
        .env("RUSTFLAGS", flags)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("CARGO_TARGET_DIR", &target)
        .output()
        .expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "with RUSTFLAGS={flags:?}:\n{errors}");
    target.join("debug")
}

/// The programs of a user who sets no flags; built once for all tests that run them.
pub fn without_flags() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| built("", QUICK, "target/plain"))
}

fn says(program: &Path) -> String {
    let output = Command::new(program).output().expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("its output is text")
}

#[test]
fn a_users_crate_builds_with_and_without_madsim() {
    let plain = says(&without_flags().join("a-user-of-seedbed"));
    let madsim = says(&built("--cfg madsim", SHARED, "target").join("a-user-of-seedbed"));
    assert_eq!(plain, madsim, "the engines don't depend on the flag");
    assert!(plain.contains("holds"), "{plain}");
    assert!(plain.contains("0 of 20 runs failed"), "{plain}");
}
