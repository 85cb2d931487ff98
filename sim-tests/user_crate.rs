//! A crate that depends on seedbed: it needs no special flags for the simulator, the checker and
//! the judges, and may set `--cfg madsim` for the shell.

use std::path::Path;
use std::process::Command;

const MANIFEST: &str = r#"[package]
name = "a-user-of-seedbed"
version = "0.1.0"
edition = "2024"

[dependencies]
seedbed = { path = "SEEDBED" }

[workspace]
"#;

/// A token that is passed on, and a seeded run and an exhaustive check of it.
const PROGRAM: &str = include_str!("user_crate/main.rs.txt");

fn builds_and_runs(flags: &str, target: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    write("Cargo.toml", &MANIFEST.replace("SEEDBED", &root.display().to_string()));
    write("src/main.rs", PROGRAM);
    std::fs::copy(root.join("Cargo.lock"), folder.path().join("Cargo.lock")).expect("a lock file");
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--offline"])
        .current_dir(folder.path())
        .env("RUSTFLAGS", flags)
        .env("CARGO_TARGET_DIR", root.join("target").join(target))
        .output()
        .expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "with RUSTFLAGS={flags:?}:\n{errors}");
    String::from_utf8(output.stdout).expect("its output is text")
}

#[test]
fn a_users_crate_builds_with_and_without_madsim() {
    let plain = builds_and_runs("", "user-plain");
    let madsim = builds_and_runs("--cfg madsim", "user-madsim");
    assert_eq!(plain, madsim, "the engines don't depend on the flag");
    assert!(plain.contains("holds"), "{plain}");
    assert!(plain.contains("0 of 20 runs failed"), "{plain}");
}
