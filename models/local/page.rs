//! `docs/local.md` says what was found; this test keeps it true.
//!
//! Its tables are made of the text files beside this one, of the sentence in each primitive's
//! header that begins with "Guarantees", and of the list of mistakes below, which are known from
//! textbooks and from the documents. With `UPDATE=1` they are rewritten.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::explore::{alone, compare, updates};

/// What was found about a primitive, or about a program of the documents.
#[derive(Default)]
struct Found {
    /// Programs in which it holds: about, and in how many executions.
    holds: Vec<(String, String)>,
    breaks: Vec<Broken>,
}

/// What was found about a variant in one program.
struct Broken {
    variant: String,
    about: String,
    /// What breaks, and when.
    verdict: String,
    /// Where the trace is.
    file: String,
    /// The marks that the correct one reached in the same program.
    reached: String,
}

/// The mistakes that textbooks and the documents have, and the variants, or tests, that make them.
const KNOWN: &[(&str, &[&str])] = &[
    ("a lock looks, and then takes, in two steps", &["test-and-set/two-steps"]),
    ("a lock orders nothing", &["test-and-set/relaxed", "semaphore/relaxed-return"]),
    ("Peterson without a fence", &["peterson/no-fence", "peterson/no-first-fence"]),
    ("the bakery without its fences", &["bakery/no-fence"]),
    ("the bakery without `choosing`", &["bakery/no-choosing"]),
    ("tickets that wrap around", &["ticket/wrap-around"]),
    ("MCS leaves while its successor links itself", &["mcs/leaves-early"]),
    ("a condition that is looked at once, with `if`", &["buffer/if"]),
    ("one queue for two kinds of waiters, of whom one is woken", &["buffer/one-queue"]),
    ("a wait group that is used again too early", &["wait-group/no-rounds"]),
    ("a task that adds itself to a wait group", &["clock-group/adds-itself"]),
    (
        "a wait group below zero",
        &["models/local/stress.rs::a_wait_group_does_not_count_below_zero"],
    ),
    ("readers that starve writers", &["rw-lock/ignores-writers"]),
    ("a reader that is not counted while it reads", &["rw-lock/uncounted", "rw-lock/relaxed-exit"]),
    (
        "a print without the read lock",
        &[
            "clock-lock/no-read-lock",
            "sim-tests/documents.rs::a_print_without_the_read_lock_is_torn",
        ],
    ),
    (
        "a clock that never ends",
        &["clock-group/never-done", "sim-tests/documents.rs::the_clock_ends_only_if_it_is_told_to"],
    ),
    (
        "a select that prefers one channel",
        &["select/biased", "sim-tests/documents.rs::a_biased_select_starves_the_update"],
    ),
    (
        "permits that come back too early, or none at all",
        &["sim-tests/documents.rs::a_hundred_thousand_tasks_behind_a_semaphore"],
    ),
    (
        "a file that is written under a read lock",
        &["write-file/read-lock", "sim-tests/documents.rs::ten_writers_of_one_file"],
    ),
    ("who waits for ten hears one", &["write-file/listens-once"]),
    (
        "a file that is written in place, or not synced",
        &["write-file/in-place", "write-file/no-sync"],
    ),
    ("a file mode in the wrong base", &["file-mode/wrong-base"]),
    (
        "a text of another language that is never freed, too early, or twice",
        &["foreign-memory/leaks", "foreign-memory/frees-early", "foreign-memory/both-free"],
    ),
    ("a callback under the lock", &["callback/holds-the-lock"]),
    ("a count that is bumped behind the race detector's back", &["increment/unlocked"]),
    ("no thread for a blocked one", &["workers/no-substitute"]),
    ("a pinned task that migrates", &["workers/unpins"]),
    ("close while somebody sends", &["channel/sends-after-close", "channel/close-wakes-one"]),
    ("a relaxed publication", &["publication/relaxed"]),
    ("what a closed channel gives, taken for an event", &["watch/takes-the-end"]),
    ("a count of elections that two tasks change", &["election-count/unlocked"]),
    ("a lock out of a table that isn't filled yet", &["lock-table/sleeps"]),
    (
        "a node that is copied, or waits for what nobody tells",
        &["raft-node/by-value", "raft-node/never-tells", "raft-node/does-not-look"],
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All that the text files say, by primitive.
fn found() -> BTreeMap<String, Found> {
    let folder = std::fs::read_dir(root().join("models/local")).expect("the folder can be listed");
    let paths = folder.map(|entry| entry.expect("the folder can be listed").path());
    let mut texts: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "txt")).collect();
    texts.sort();
    let mut all: BTreeMap<String, Found> = BTreeMap::new();
    for path in texts {
        let (text, file) = (read(&path), path.file_name().expect("a file has a name"));
        let (mut about, mut reached) = ("", "");
        for block in text.split("\n\n").filter(|block| block.contains("explore ")) {
            let mut lines = block.lines().peekable();
            if let Some(line) = lines.next_if(|line| line.starts_with("# ")) {
                about = &line[2..];
                let marks = block.lines().find_map(|line| line.strip_prefix("reached: "));
                reached = marks.unwrap_or_default();
            }
            let name = lines.next().and_then(|line| line.strip_prefix("explore "));
            let name = name.expect("a block names what it explores");
            let verdict = lines.nth(1).expect("a block has a verdict");
            let primitive = name.split('/').next().unwrap_or(name);
            let found = all.entry(primitive.to_owned()).or_default();
            match verdict.strip_prefix("holds: ") {
                Some(executions) => found.holds.push((about.to_owned(), executions.to_owned())),
                None => found.breaks.push(Broken {
                    variant: name.to_owned(),
                    about: about.to_owned(),
                    verdict: verdict.to_owned(),
                    file: file.to_string_lossy().into_owned(),
                    reached: reached.to_owned(),
                }),
            }
        }
    }
    all
}

/// The sentence of the header of a primitive's file that begins with "Guarantees", if there is one.
fn guarantee(primitive: &str) -> Option<String> {
    let file = root().join(format!("src/local/{}.rs", primitive.replace('-', "_")));
    let text = std::fs::read_to_string(file).ok()?;
    let header = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let header = header.collect::<Vec<_>>().join(" ");
    let begin = header.find("Guarantees").unwrap_or_else(|| panic!("{primitive} guarantees?"));
    let sentence = &header[begin..];
    let end = sentence.find(". ").unwrap_or(sentence.len() - 1);
    let words = sentence[..end].trim_start_matches("Guarantees").trim_start_matches(':').trim();
    // Links to other files of the code lead nowhere here.
    Some(words.replace(['[', ']'], ""))
}

/// The tables of the primitives and of the documents' programs.
fn correct(all: &BTreeMap<String, Found>) -> String {
    let mut primitives =
        String::from("| primitive | guarantees | program | holds in |\n|---|---|---|---|\n");
    let mut programs = String::from("| program | holds in |\n|---|---|\n");
    for (name, found) in all {
        let guarantee = guarantee(name);
        for (n, (about, executions)) in found.holds.iter().enumerate() {
            let _ = match &guarantee {
                // What it is and what it guarantees stands in its first row.
                Some(words) if n == 0 => {
                    writeln!(primitives, "| `{name}` | {words} | {about} | {executions} |")
                }
                Some(_) => writeln!(primitives, "| | | {about} | {executions} |"),
                None => writeln!(programs, "| `{name}`: {about} | {executions} |"),
            };
        }
    }
    format!("### The primitives\n\n{primitives}\n### The documents' programs\n\n{programs}")
}

/// The table of the variants.
fn broken(all: &BTreeMap<String, Found>) -> String {
    let mut table = String::from(
        "| variant | in the program | found | trace | the correct one reached there |\n\
         |---|---|---|---|---|\n",
    );
    for Broken { variant, about, verdict, file, reached } in all.values().flat_map(|f| &f.breaks) {
        let _ = writeln!(table, "| `{variant}` | {about} | {verdict} | `{file}` | {reached} |");
    }
    table
}

/// The table of the mistakes that everybody knows: each is made by a variant that was found, or by
/// a test that shows it.
fn known(all: &BTreeMap<String, Found>) -> String {
    let mut table = String::from("| mistake | made by | breaks |\n|---|---|---|\n");
    for (mistake, made_by) in KNOWN {
        let mut mistake = *mistake;
        for name in *made_by {
            let found = all.values().flat_map(|found| &found.breaks);
            let mut breaks: Vec<&str> = found
                .filter(|broken| broken.variant == *name)
                .map(|broken| broken.verdict.split('"').nth(1).expect("a property is quoted"))
                .collect();
            breaks.dedup();
            let by = match name.split_once("::") {
                Some((file, test)) => {
                    let text = read(&root().join(file));
                    assert!(text.contains(&format!("fn {test}()")), "{file} has no test {test}");
                    "see the test"
                }
                None => {
                    assert!(!breaks.is_empty(), "{name}, which is {mistake}, was not found");
                    &breaks.join("; ")
                }
            };
            let _ = writeln!(table, "| {mistake} | `{name}` | {by} |");
            mistake = "";
        }
    }
    table
}

fn tables() -> String {
    let all = found();
    let (correct, known, broken) = (correct(&all), known(&all), broken(&all));
    format!(
        "\n{correct}\n### The mistakes that are known\n\n{known}\n### All that were made\n\n\
         {broken}\n"
    )
}

/// The page as it is, and as it should be.
fn page() -> (String, String) {
    let page = read(&root().join("docs/local.md"));
    let (begin, end) = ("<!-- found by models/local -->\n", "<!-- end of what was found -->");
    let before = page.split(begin).next().expect("a text has a first part");
    let after = page.split(end).nth(1).expect("the page has both marks");
    let right = format!("{before}{begin}{}{end}{after}", tables());
    (page, right)
}

/// Makes the page say what the text files say.
pub fn rewrite() {
    let (page, right) = page();
    if page != right {
        std::fs::write(root().join("docs/local.md"), right).expect("the page can be written");
    }
}

#[test]
fn the_page_says_what_was_found() {
    if updates() {
        let _alone = alone();
        return rewrite();
    }
    compare("../../docs/local.md", &page().1);
}
