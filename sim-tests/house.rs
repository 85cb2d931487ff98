//! The house rules, as a test.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What no protocol may name: hash order, clocks, chance, threads and I/O belong to the world.
const FORBIDDEN: [&str; 12] = [
    "HashMap",
    "HashSet",
    "Instant",
    "SystemTime",
    "rand::",
    "rand_chacha",
    "thread::",
    "std::fs",
    "std::net",
    "std::io",
    "tokio",
    "madsim",
];

const COLUMNS_MAX: usize = 100;
const FUNCTION_LINES_MAX: usize = 70;
/// A protocol's `step` is one `match` over all that can happen, to be read as a table.
const STEP_LINES_MAX: usize = 90;

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the sources can be listed") {
            let path = entry.expect("the sources can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).expect("sources are text");
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "there are no sources in {folder}");
    found
}

fn all_sources() -> Vec<(PathBuf, String)> {
    ["src", "models", "sim-tests", "benches"].into_iter().flat_map(sources).collect()
}

/// The names of `FORBIDDEN` that stand in the code of a text; prose and tests may name them.
fn forbidden_names(text: &str) -> Vec<(usize, &'static str)> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().enumerate();
    let code = lines.map(|(n, line)| (n + 1, line.split("//").next().unwrap_or_default()));
    code.flat_map(|(n, line)| {
        FORBIDDEN.into_iter().filter(move |name| line.contains(name)).map(move |name| (n, name))
    })
    .collect()
}

/// Functions that are longer than a screen: their first line and length.
fn long_functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<_> = text.lines().collect();
    let mut long = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        let body = line.trim_start();
        let indent = line.len() - body.len();
        let begins = ["fn ", "pub fn ", "pub(crate) fn ", "pub(super) fn ", "async fn "];
        let begins = begins.iter().any(|begin| body.starts_with(begin));
        // A trait may declare a function without a body.
        let opens = lines[n..].iter().find(|line| line.ends_with(['{', ';', '}']));
        if !begins || opens.is_none_or(|line| line.ends_with(';')) {
            continue;
        }
        let close = format!("{}}}", " ".repeat(indent));
        let length = lines[n..].iter().position(|line| **line == close).unwrap_or(0);
        let is_step = body.starts_with("fn step(");
        if length > if is_step { STEP_LINES_MAX } else { FUNCTION_LINES_MAX } {
            long.push((n + 1, length));
        }
    }
    long
}

#[test]
fn protocols_are_pure() {
    for (path, text) in sources("src/protocols") {
        let named = forbidden_names(&text);
        assert!(named.is_empty(), "{}: {named:?} belong to the world", path.display());
    }
    let impure = "use std::collections::HashMap;\n// a HashMap\nlet now = Instant::now();";
    assert_eq!(forbidden_names(impure), [(1, "HashMap"), (3, "Instant")]);
}

#[test]
fn files_open_with_prose() {
    for (path, text) in all_sources() {
        assert!(text.starts_with("//!"), "{} has no header", path.display());
    }
    for (path, text) in sources("src/protocols") {
        let header = text.lines().take_while(|line| line.starts_with("//!")).count();
        let is_mod = path.file_name().is_some_and(|name| name == "mod.rs");
        assert!(is_mod || header >= 5, "{} says too little of itself", path.display());
    }
}

#[test]
fn lines_and_functions_are_short() {
    for (path, text) in all_sources() {
        for (n, line) in text.lines().enumerate() {
            let columns = line.chars().count();
            assert!(columns <= COLUMNS_MAX, "{}:{}: {columns} columns", path.display(), n + 1);
        }
        let long = long_functions(&text);
        assert!(long.is_empty(), "{}: functions (line, length) {long:?}", path.display());
    }
    let long = format!("fn f() {{\n{}}}\n", "    g();\n".repeat(FUNCTION_LINES_MAX));
    assert_eq!(long_functions(&long), [(1, FUNCTION_LINES_MAX + 1)]);
}

#[test]
fn nothing_is_left_undone() {
    // Spelt in two halves, so that this list does not find itself.
    let marks = [("to", "do!("), ("unimpl", "emented!("), ("#[ig", "nore"), ("FIX", "ME")];
    for (path, text) in all_sources() {
        for (head, tail) in marks {
            let mark = format!("{head}{tail}");
            assert!(!text.contains(&mark), "{} has {mark}", path.display());
        }
    }
}

/// Where `unsafe` may stand: in the primitives, and in what stands for them under loom.
const UNSAFE: [&str; 2] = ["src/local/", "models/local/over_loom.rs"];

/// The lines whose code has a word, without comments.
fn lines_with(text: &str, word: &str) -> Vec<usize> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let has = |line: &str| line.split(|c| !is_part(c)).any(|part| part == word);
    code.enumerate().filter(|(_, line)| has(line)).map(|(n, _)| n).collect()
}

/// Is there a comment `// SAFETY:`, or a section `# Safety` in the docs, on the lines just before?
fn says_why(text: &str, line: usize) -> bool {
    let lines: Vec<_> = text.lines().take(line).map(str::trim_start).collect();
    let comments = lines.iter().rev().skip_while(|line| !line.starts_with("//"));
    let mut comments = comments.take_while(|line| line.starts_with("//"));
    comments.any(|line| line.starts_with("// SAFETY:") || *line == "/// # Safety")
}

#[test]
fn unsafe_code_is_in_few_places_and_says_why() {
    // Spelt in two halves, so that this test does not find itself.
    let word = format!("{}{}", "un", "safe");
    let root = env!("CARGO_MANIFEST_DIR");
    let mut blocks = 0;
    for (path, text) in all_sources() {
        let file = path.strip_prefix(root).expect("sources are in the package").display();
        for line in lines_with(&text, &word) {
            let allowed = UNSAFE.iter().any(|place| file.to_string().starts_with(place));
            assert!(allowed, "{file}:{}: only {UNSAFE:?} may do that", line + 1);
            assert!(says_why(&text, line), "{file}:{}: why is it sound?", line + 1);
            blocks += 1;
        }
    }
    assert!(blocks > 0);
    let silent = format!("fn f() {{\n    {word} {{ g() }}\n}}\n");
    assert_eq!(lines_with(&silent, &word), [1]);
    assert!(!says_why(&silent, 1));
}

/// The mistakes that primitives can be made to make: `broken("mutex/wakes-nobody")`.
fn mistakes(text: &str, before: &str) -> Vec<String> {
    let names = text.split(before).skip(1).filter_map(|rest| rest.split('"').next());
    names.map(str::to_owned).collect()
}

/// A mistake that nobody makes shows nothing, and one that nothing reads can't be made.
#[test]
fn every_mistake_is_explored() {
    let found = |folders: &[&str], before: &[&str]| {
        let mut names = BTreeSet::new();
        for (_, text) in folders.iter().flat_map(|folder| sources(folder)) {
            names.extend(before.iter().flat_map(|before| mistakes(&text, before)));
        }
        names
    };
    let made = found(&["src/local", "models/local"], &["broken(\""]);
    let explored = found(&["models/local"], &[".breaks(\"", ".false_alarm(\""]);
    assert!(!made.is_empty());
    assert_eq!(made, explored);
}
