//! A crate that depends on seedbed: it needs no special flags for the simulator, the checker and
//! the judges, and may set `--cfg madsim` for the shell.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
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

/// This repository's own for all but seedbed, so that what it is built on is not built again.
const SHARED: &str = r#"[profile.dev]
debug = "line-tables-only"

[profile.dev.package."*"]
opt-level = 3

[profile.dev.package.seedbed]
opt-level = 0
"#;

/// Where everything has to be built anew, what is built soonest.
const QUICK: &str = "[profile.dev]\ndebug = false\n";

/// A token that is passed on, and a seeded run and an exhaustive check of it.
const PROGRAM: &str = include_str!("user_crate/main.rs.txt");

/// A node of a deployed protocol, on real sockets: the example, as a user would write it.
const NODE: &str = include_str!("../examples/node.rs");

/// The crate of `docs/ci.md`.
const TOKEN: &str = r#"[package]
name = "token"
version = "0.1.0"
edition = "2024"

[dev-dependencies]
seedbed = { path = "SEEDBED" }

[workspace]

PROFILE"#;

/// Writes files into a folder.
fn write_all(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
}

/// Cargo, in a crate that lies in a folder, with these flags.
fn cargo(folder: &Path, args: &[&str], flags: &str, target: &Path) -> Output {
    Command::new(env!("CARGO"))
        .args(args)
        .current_dir(folder)
        .env("RUSTFLAGS", flags)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("GITHUB_ACTIONS")
        .env("RUST_BACKTRACE", "0")
        .env("CARGO_TARGET_DIR", target)
        .output()
        .expect("cargo runs")
}

/// Builds the user's crate with these flags, and returns the folder of its programs.
fn built(flags: &str, profile: &str, target: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = root.join(target);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let manifest = MANIFEST.replace("SEEDBED", &root.display().to_string());
    let manifest = manifest.replace("PROFILE", profile);
    let files = [("Cargo.toml", &*manifest), ("src/main.rs", PROGRAM), ("src/bin/node.rs", NODE)];
    write_all(folder.path(), &files);
    std::fs::copy(root.join("Cargo.lock"), folder.path().join("Cargo.lock")).expect("a lock file");
    let output = cargo(folder.path(), &["build", "--quiet", "--offline"], flags, &target);
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

/// What stands in the fenced blocks of a language.
fn fenced<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let begin = format!("```{language}\n");
    let blocks = text.split(&begin).skip(1);
    blocks.map(|rest| rest.split_once("```").expect("a block has an end").0).collect()
}

/// A program with the lines of a block that begin with `-` replaced by those that begin with `+`;
/// what begins with neither says where the next ones go.
fn mended(program: &str, diff: &str) -> String {
    const GONE: &str = "\u{0}";
    let (mut text, mut place) = (program.to_owned(), String::new());
    for line in diff.lines() {
        let (sign, line) = line.split_at(1);
        let line = format!("{line}\n");
        assert!(sign == "+" || text.contains(&line), "the program has no line {line}");
        match sign {
            "-" if place == GONE => text = text.replacen(&line, "", 1),
            "-" => text = text.replacen(&line, GONE, 1),
            "+" if place == GONE => text = text.replacen(GONE, &line, 1),
            "+" => text = text.replacen(&place, &format!("{place}{line}"), 1),
            _ => {}
        }
        place = if sign == "-" { GONE.to_owned() } else { line };
    }
    text
}

/// From the empty crate of `docs/ci.md` to one that is mended, and kept from regressing.
#[test]
fn the_walk_through_is_as_the_docs_tell_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_to_string(root.join("docs/ci.md")).expect("it can be read");
    let [program, test] = fenced(&docs, "rust")[..] else { panic!("two files are told") };
    let [diff] = fenced(&docs, "diff")[..] else { panic!("one mending is told") };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let manifest = TOKEN.replace("SEEDBED", &root.display().to_string());
    let manifest = manifest.replace("PROFILE", QUICK);
    let files = [("Cargo.toml", &*manifest), ("src/lib.rs", ""), ("tests/token.rs", test)];
    write_all(folder.path(), &files);
    std::fs::copy(root.join("Cargo.lock"), folder.path().join("Cargo.lock")).expect("a lock file");
    let tested = |program: &str| {
        write_all(folder.path(), &[("examples/token.rs", program)]);
        // What is built for the other user is not built again.
        let target = without_flags().parent().expect("a profile's folder");
        let args = ["test", "--quiet", "--offline", "--test", "token"];
        let output = cargo(folder.path(), &args, "", target);
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    };
    let (passed, said) = tested(program);
    assert!(!passed, "the token is safe already: {said}");
    for told in fenced(&docs, "text")[0].lines().filter(|line| line.trim() != "...") {
        assert!(said.contains(told), "the test does not say `{told}`, but\n{said}");
    }
    let keep = said.lines().find_map(|line| line.trim().strip_prefix("keep it: "));
    let mut shell = Command::new("sh");
    shell.args(["-c", keep.expect("it says how")]).current_dir(folder.path());
    assert!(shell.status().expect("there is a shell").success());
    let (passed, said) = tested(&mended(program, diff));
    assert!(passed, "the mended token fails: {said}");
    let trace = folder.path().join("reports/regressions/token-passed-check.json");
    assert!(trace.exists(), "the trace was kept, and replayed");
}
