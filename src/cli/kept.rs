//! The tables that are kept in `reports`, read back by the tests beside their writers: what is in a
//! cell, and what `reports/guarantees.json`, which has tests of its own, says of the same.

use std::path::Path;

use crate::report::guarantees::Guarantees;

use super::share;

/// A report's text.
pub fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What each protocol guarantees, as far as is known.
pub fn guarantees() -> Guarantees {
    serde_json::from_str(&read("guarantees.json")).expect("`cargo run --release` writes it anew")
}

/// The lines of tables, without their heads.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| line.starts_with("| `"))
}

/// The cells of each such line.
pub fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    lines(text).map(|line| line.trim_matches(['|', ' ']).split(" | ").collect())
}

/// The least part of a whole whose share is shown so.
pub fn part(shown: &str, whole: usize) -> Option<usize> {
    if shown == "100" {
        return Some(whole);
    }
    let (ones, tenth) = shown.split_once('.')?;
    let thousandths = 10 * ones.parse::<usize>().ok()? + tenth.parse::<usize>().ok()?;
    let part = (thousandths * whole).div_ceil(1000);
    (share(part, whole) == shown).then_some(part)
}

/// Each edit of a text is noticed, by a complaint that says what is wrong.
pub fn noticed(text: &str, stale: fn(&str) -> Option<String>, edits: &[(String, &str)]) {
    for (edited, wrong) in edits {
        assert_ne!(edited, text, "{wrong}");
        let complaint = stale(edited).unwrap_or_default();
        assert!(complaint.contains(wrong), "{wrong}, and {complaint}");
    }
}
