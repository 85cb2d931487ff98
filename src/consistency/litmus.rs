//! Litmus tests: a history on a line, and the verdict of every model below it.
//!
//! ```text
//! # Store buffering: each misses the other's write.
//! P1 w x1; r y0 | P2 w y1; r x0
//! ----
//! holds: causal pram slow
//! violated: sequential cache
//! not applicable: linearizable regular
//! ```
//! Where the history has times, the smallest k and Δ follow, `k-atomicity: 2`.
//!
//! Keys are letters and values numbers, 0 at first. `w x1` writes 1 to x, `r x1` reads 1 from it;
//! `REL s1` is a releasing write and `ACQ s1` an acquiring read. Fences neither read nor write:
//! `rel l1` releases l in its grant 1, `acq l2` acquires it in the next, for which it waited; `both
//! f2` does both, and `bar b1` waits at the barrier b in its episode 1. `[0,10]` after an access
//! says when it was invoked and returned; a history in which none says so has no timing. `|` parts
//! sessions; a name before a session's first access is for people. Further parts may say `guard x=s
//! y=m`, and `quiet 10`, the time of quiescence.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::memory::Given;
use super::model::{Ruling, models};
use super::staleness::{Amount, MEASURES};
use super::subject::Calls;
use crate::history::{Call, Clock, Happening, History, Mark, Sync, SyncKind};
use crate::object::kv::{self, Kv};

/// Steps that a judge may take.
const BUDGET: u64 = 1_000_000;

/// A history of a map whose missing keys read as 0.
#[derive(Clone, Debug)]
pub struct Litmus {
    /// The history.
    pub history: History<kv::Op, kv::Ret>,
    /// What is told beside it.
    pub given: Given,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{part}`: {reason}")]
pub struct BadLitmus {
    /// The part of the line.
    pub part: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

fn bad<T>(part: &str, reason: &'static str) -> Result<T, BadLitmus> {
    Err(BadLitmus { part: part.to_owned(), reason })
}

impl Litmus {
    /// Reads a line.
    pub fn parse(line: &str) -> Result<Litmus, BadLitmus> {
        let mut litmus =
            Reading { given: Given { untimed: true, ..Given::default() }, ..Reading::default() };
        for part in line.split('|').map(str::trim) {
            match part.split_once(' ') {
                Some(("guard", guards)) => litmus.guards(guards)?,
                Some(("quiet", time)) => {
                    let Ok(time) = time.trim().parse() else { return bad(part, "no time") };
                    litmus.quiet.push(Mark {
                        time,
                        what: Happening::Quiescence,
                        node: None,
                        line: None,
                    });
                }
                _ => litmus.session(part)?,
            }
        }
        match History::new(litmus.calls) {
            Ok(history) => {
                let mut history = history.beside(Vec::new(), litmus.quiet);
                if !litmus.given.untimed {
                    history = history.measured(Clock::default());
                }
                Ok(Litmus { history, given: litmus.given })
            }
            Err(_) => bad(line, "an access begins before the one before it has ended"),
        }
    }

    /// For each model what it says.
    pub fn rulings(&self) -> Vec<(&'static str, Ruling)> {
        let subject = Calls::new(&Kv, &self.history, self.given.clone());
        models().iter().map(|model| (model.name, model.judge(&subject, BUDGET))).collect()
    }

    /// The verdicts as a file has them.
    pub fn verdicts(&self) -> String {
        let rulings = self.rulings();
        let mut text = String::new();
        for heading in ["holds", "violated", "unknown", "not applicable"] {
            let names = rulings.iter().filter(|(_, ruling)| ruling.heading() == heading);
            let names: Vec<&str> = names.map(|(name, _)| *name).collect();
            if !names.is_empty() {
                let _ = writeln!(text, "{heading}: {}", names.join(" "));
            }
        }
        let subject = Calls::new(&Kv, &self.history, self.given.clone());
        for measure in MEASURES {
            let amount = match measure.of(&subject, BUDGET) {
                Amount::Exactly { number, .. } => number.to_string(),
                Amount::Never { .. } => "none".to_owned(),
                Amount::Unknown { .. } => "?".to_owned(),
                Amount::NotApplicable(_) => continue,
            };
            let _ = writeln!(text, "{}: {amount}", measure.name);
        }
        text
    }
}

#[derive(Default)]
struct Reading {
    calls: Vec<Call<kv::Op, kv::Ret>>,
    sessions: u32,
    given: Given,
    quiet: Vec<Mark>,
}

impl Reading {
    fn guards(&mut self, guards: &str) -> Result<(), BadLitmus> {
        for guard in guards.split_whitespace() {
            let Some((key, lock)) = guard.split_once('=') else {
                return bad(guard, "a guard is key=lock");
            };
            self.given.guards.insert(key.to_owned(), lock.to_owned());
        }
        Ok(())
    }

    fn session(&mut self, part: &str) -> Result<(), BadLitmus> {
        self.sessions += 1;
        for (at, access) in part.split(';').map(str::trim).enumerate() {
            let mut words: Vec<&str> = access.split_whitespace().collect();
            if at == 0 && words.len() > 2 && words[0].starts_with('P') {
                words.remove(0);
            }
            let [act, what] = words[..] else { return bad(access, "no access") };
            let (what, times) = what.split_once('[').map_or((what, None), |(w, t)| (w, Some(t)));
            let Some((key, value)) = what.split_at_checked(1) else { return bad(access, "no key") };
            let Ok(number) = value.parse::<u32>() else { return bad(access, "no value") };
            let value = (number > 0).then(|| number.to_string());
            let (op, ret, kind) = match act {
                "r" | "ACQ" => (kv::Op::get(key), kv::Ret::Value(value), SyncKind::Acquire),
                "w" | "REL" => {
                    (kv::Op::put(key, number.to_string()), kv::Ret::Done, SyncKind::Release)
                }
                "acq" => fence(key, SyncKind::Acquire),
                "rel" => fence(key, SyncKind::Release),
                "both" => fence(key, SyncKind::Both),
                "bar" => fence(key, SyncKind::Barrier),
                _ => return bad(access, "neither r, w, ACQ, REL, acq, rel, both nor bar"),
            };
            let (invoked, returned) = match times {
                None => (10 * at as u64, 10 * at as u64 + 5),
                Some(times) => {
                    self.given.untimed = false;
                    let ends = times.trim_end_matches(']').split_once(',');
                    let ends = ends.and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
                    let Some(ends) = ends else { return bad(access, "no times") };
                    ends
                }
            };
            let grant = if matches!(act, "ACQ" | "REL") { 0 } else { u64::from(number) };
            let sync = (!matches!(act, "r" | "w"))
                .then(|| Box::new(Sync { kind, object: key.to_owned(), grant }));
            let call = Call::done(self.sessions, op, Some(ret), invoked, returned);
            self.calls.push(Call { sync, ..call });
        }
        Ok(())
    }
}

/// A call that changes nothing, and learns nothing of reads and writes.
fn fence(object: &str, kind: SyncKind) -> (kv::Op, kv::Ret, SyncKind) {
    (kv::Op::cas(object, None, None), kv::Ret::Swapped(true), kind)
}

/// A file: what it says about itself, its line, and the verdicts below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name, without its ending.
    pub name: String,
    /// The lines that begin with `#`.
    pub comments: String,
    /// The history.
    pub line: String,
    /// The verdicts.
    pub verdicts: String,
}

/// Reads every litmus file of a folder, by name.
pub fn read_folder(folder: &Path) -> std::io::Result<Vec<File>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "txt"));
    paths.sort();
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (head, verdicts) = text.split_once("----\n").unwrap_or((&text, ""));
        let comments = head.lines().filter(|line| line.starts_with('#'));
        let comments = comments.map(|line| format!("{line}\n")).collect();
        let line = head.lines().find(|line| !line.starts_with('#')).unwrap_or_default();
        Ok(File { name, comments, line: line.to_owned(), verdicts: verdicts.to_owned() })
    };
    paths.iter().map(read).collect()
}

impl File {
    /// The text of the file.
    pub fn text(&self) -> String {
        format!("{}{}\n----\n{}", self.comments, self.line, self.verdicts)
    }

    /// A model's verdict, by one letter: allowed, forbidden, unknown, or nothing; or a number.
    fn letter(&self, model: &str) -> &str {
        let number = self.verdicts.lines().find_map(|line| line.strip_prefix(model));
        if let Some(number) = number.and_then(|rest| rest.strip_prefix(": ")) {
            return number;
        }
        let heading = self.verdicts.lines().find_map(|line| {
            let (heading, names) = line.split_once(": ")?;
            names.split(' ').any(|name| name == model).then_some(heading)
        });
        match heading {
            Some("holds") => "A",
            Some("violated") => "-",
            Some("unknown") => "?",
            _ => "",
        }
    }
}

/// The matrix of all files and models, in Markdown.
pub fn matrix(files: &[File]) -> String {
    let mut text = String::from("| history |");
    let measures = MEASURES.iter().map(|measure| measure.name);
    let names: Vec<&str> = models().iter().map(|model| model.name).chain(measures).collect();
    names.iter().for_each(|name| text.push_str(&format!(" {name} |")));
    let _ = write!(text, "\n|---|{}\n", ":-:|".repeat(names.len()));
    for file in files {
        let _ = write!(text, "| {} |", file.name);
        names.iter().for_each(|name| text.push_str(&format!(" {} |", file.letter(name))));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = env!("CARGO_MANIFEST_DIR");

    /// Runs every litmus file; with `UPDATE=1` in the environment it is rewritten, and so is the
    /// matrix in the docs.
    #[test]
    fn every_litmus_file_says_what_the_judges_say() {
        let folder = Path::new(ROOT).join("models/litmus");
        let update = std::env::var_os("UPDATE").is_some();
        let mut stale = String::new();
        let mut files = read_folder(&folder).expect("the litmus files can be read");
        assert!(files.len() > 40, "{} litmus files", files.len());
        for file in &mut files {
            let litmus =
                Litmus::parse(&file.line).unwrap_or_else(|bad| panic!("{}: {bad}", file.name));
            let found = litmus.verdicts();
            if found != file.verdicts {
                let _ = writeln!(stale, "{}:\n{found}expected\n{}", file.name, file.verdicts);
                file.verdicts = found;
                if update {
                    let path = folder.join(format!("{}.txt", file.name));
                    std::fs::write(path, file.text()).expect("the file can be written");
                }
            }
        }
        assert!(update || stale.is_empty(), "{stale}run with UPDATE=1 to rewrite");
        let docs = Path::new(ROOT).join("docs/consistency.md");
        let text = std::fs::read_to_string(&docs).expect("the docs can be read");
        let (begin, end) = ("<!-- matrix -->\n", "<!-- end of matrix -->\n");
        let head = text.split(begin).next().expect("a beginning");
        let tail = text.split(end).nth(1).expect("the docs mark the end of the matrix");
        let fresh = format!("{head}{begin}\n{}\n{end}{tail}", matrix(&files));
        if fresh != text {
            assert!(update, "docs/consistency.md is stale: run with UPDATE=1 to rewrite");
            std::fs::write(docs, fresh).expect("the docs can be written");
        }
    }

    #[test]
    fn malformed_lines_are_refused() {
        for (line, reason) in [
            ("w", "no access"),
            ("P1 w x", "no value"),
            ("P1 q x1", "neither r, w, ACQ, REL, acq, rel, both nor bar"),
            ("w x1[1]", "no times"),
            ("w x1[1,2]; w x2[2,3]", "an access begins before the one before it has ended"),
            ("w x1 | guard x", "a guard is key=lock"),
            ("w x1 | quiet soon", "no time"),
        ] {
            assert_eq!(Litmus::parse(line).unwrap_err().reason, reason, "{line}");
        }
    }
}
