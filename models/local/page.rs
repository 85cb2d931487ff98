//! `docs/local.md` says what was found; this test keeps it true.
//!
//! Its tables are made of the text files beside this one, and of the sentence in each primitive's
//! header that begins with "Guarantees". With `UPDATE=1` they are rewritten.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::explore::{alone, compare, updates};

/// What was found about a primitive, or about a program of the documents.
#[derive(Default)]
struct Found {
    /// Programs in which it holds: about, and in how many executions.
    holds: Vec<(String, String)>,
    /// Variants: name, and what breaks.
    breaks: Vec<(String, String)>,
}

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
        let text = read(&path);
        let mut about = "";
        for block in text.split("\n\n").filter(|block| block.contains("explore ")) {
            let mut lines = block.lines().peekable();
            if let Some(line) = lines.next_if(|line| line.starts_with("# ")) {
                about = &line[2..];
            }
            let name = lines.next().and_then(|line| line.strip_prefix("explore "));
            let name = name.expect("a block names what it explores");
            let verdict = lines.nth(1).expect("a block has a verdict");
            let primitive = name.split('/').next().unwrap_or(name);
            let found = all.entry(primitive.to_owned()).or_default();
            match verdict.strip_prefix("holds: ") {
                Some(executions) => found.holds.push((about.to_owned(), executions.to_owned())),
                None => found.breaks.push((name.to_owned(), verdict.to_owned())),
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

/// The two tables: the primitives, and the documents' programs.
fn tables() -> String {
    let mut primitives =
        String::from("| primitive | guarantees | program | holds in |\n|---|---|---|---|\n");
    let mut programs = String::from("| program | holds in |\n|---|---|\n");
    let mut variants = String::from("| variant | found |\n|---|---|\n");
    for (name, found) in found() {
        let guarantee = guarantee(&name);
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
        for (variant, verdict) in &found.breaks {
            let _ = writeln!(variants, "| `{variant}` | {verdict} |");
        }
    }
    format!(
        "\n### The primitives\n\n{primitives}\n### The documents' programs\n\n{programs}\n### The \
         mistakes\n\n{variants}\n"
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
