//! What may be written beside a judgement: a drawing of the core, the whole history as a page, and
//! the history in Jepsen's EDN for other checkers. A file is there as a whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::reason::{self, Edge};
use super::{Core, drawing, page};
use crate::history::History;
use crate::history::export::to_jepsen_edn;
use crate::history::import::Import;

/// The files that are wanted.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    /// A drawing of the calls that contradict a model.
    pub svg: Option<PathBuf>,
    /// The whole history as a page.
    pub html: Option<PathBuf>,
    /// The history in Jepsen's EDN.
    pub edn: Option<PathBuf>,
}

/// What is shown of a history.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// What was found, in a few words.
    pub words: String,
    /// Calls that contradict a model; none if nothing is known to.
    pub core: Core,
    /// What must come before what among them.
    pub edges: Vec<Edge>,
    /// Why, sentence by sentence.
    pub story: Vec<String>,
}

/// Why a file could not be written.
#[derive(Debug, Error)]
#[error("{}: can't be written: {error}", file.display())]
pub struct OutputError {
    file: PathBuf,
    error: io::Error,
}

impl Outputs {
    /// Writes what is wanted about a history that was read from a file.
    pub fn write<O: Import>(
        &self,
        from: &Path,
        history: &History<O::Op, O::Ret>,
        shown: &Shown,
    ) -> Result<(), OutputError> {
        if let Some(file) = &self.edn {
            whole(file, |out| to_jepsen_edn::<O>(history, out))?;
        }
        let Shown { words, core, edges, story } = shown;
        if let Some(file) = &self.svg {
            let svg = drawing::svg(history, core, edges, words, story);
            whole(file, |out| out.write_all(svg.as_bytes()))?;
        }
        if let Some(file) = &self.html {
            let told = edges.iter().map(|edge| reason::in_words(edge, history.calls()));
            let told: Vec<String> = if story.is_empty() { told.collect() } else { story.clone() };
            let words = [words.clone()].into_iter().chain(told).collect::<Vec<_>>().join("\n");
            let page = page::html(&from.display().to_string(), history, Some(core), &words);
            whole(file, |out| out.write_all(page.as_bytes()))?;
        }
        Ok(())
    }
}

/// Writes a file beside its place, and moves it there once it is whole.
fn whole(
    file: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), OutputError> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = file.with_file_name(name);
    let written = File::create(&part).and_then(|created| {
        let mut out = BufWriter::new(created);
        write(&mut out)?;
        out.flush()
    });
    let moved = written.and_then(|()| std::fs::rename(&part, file));
    moved.map_err(|error| {
        // What is left of it, if anything, is of no use to anybody.
        let _ = std::fs::remove_file(&part);
        OutputError { file: file.to_owned(), error }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consistency::Verdict;
    use crate::consistency::linearizable::linearizable;
    use crate::history::import::{Datum, Format, read};
    use crate::history::{Call, Happening, Mark};
    use crate::object::{Register, register};

    type Long = History<register::Op<Datum>, register::Ret<Datum>>;

    fn write(outputs: &Outputs, from: &str, history: &Long) -> Result<(), OutputError> {
        let object = Register::<Datum>::default();
        let mut shown = Shown { words: "nothing".to_owned(), ..Shown::default() };
        if let Verdict::Violated(core) = linearizable(&object, history, 1_000_000) {
            let edges = reason::circle(&object, history.calls(), &core.calls, &core.helpless);
            shown = Shown { core, edges: edges.expect("a circle"), ..shown };
        }
        outputs.write::<Register<Datum>>(Path::new(from), history, &shown)
    }

    fn long(calls: u64) -> Long {
        use register::{Op, Ret};
        let calls = (0..calls).map(|n| {
            let value = Datum::Number(n as i64 * 7_777_777);
            // Three clients overlap; one read near the end is stale.
            let (op, ret) = match n {
                n if n == calls - 9 => (Op::Read, Ret::Value(Datum::Number(0))),
                _ => (Op::Write(value), Ret::Done),
            };
            Call::done((n % 3) as u32, op, Some(ret), 1_000_000 * n, 1_000_000 * n + 2_500_000)
        });
        History::new(calls.collect()).unwrap()
    }

    #[test]
    fn drawings_and_pages_are_small() {
        let folder = tempfile::tempdir().unwrap();
        let (svg, html) = (folder.path().join("a.svg"), folder.path().join("a.html"));
        let outputs = Outputs { svg: Some(svg.clone()), html: Some(html.clone()), edn: None };
        for size in [20, 100_000, 130_000] {
            let history = long(size);
            write(&outputs, "a <b>", &history).unwrap();
            let text = std::fs::read_to_string(&svg).unwrap();
            assert!(
                text.len() < 20_000 && text.contains("marker-end") && text.ends_with("</svg>\n")
            );
            let text = std::fs::read_to_string(&html).unwrap();
            println!("{size} calls: a page of {} bytes", text.len());
            assert!(text.len() < 2_000_000 && text.contains("a &lt;b&gt;"), "{}", text.len());
            assert_eq!(text.contains("30000 more calls"), size == 130_000);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    /// Texts that are long and full of what has to be escaped, a client for each call, a fault with
    /// a long name at every moment, and a core of everything: both stay small.
    #[test]
    fn the_worst_drawings_and_pages_are_small() {
        use register::{Op, Ret};
        let ugly = |n: u64| Datum::Text(format!("{n}{}", "<&\\\"é".repeat(200)));
        let calls = |n: u64| {
            let (process, end) = ((n * 40_009) as u32, 1_000_000_000 + n * 7);
            Call::done(process, Op::Write(ugly(n)), Some(Ret::<Datum>::Done), n * 9_001, end)
        };
        let calls: Vec<_> = (0..100_000).map(calls).collect();
        let mark = |n: u64| Mark {
            time: n * 9_002,
            what: Happening::Fault("<".repeat(10_000)),
            node: Some(1),
            line: None,
        };
        let history = History::new(calls).unwrap().beside(Vec::new(), (0..500).map(mark).collect());
        let core = Core { calls: (0..100_000).collect(), ..Core::default() };
        let edge = |n: usize| reason::Edge {
            before: Some(n),
            after: Some(n + 1),
            why: "<".repeat(100_000),
            circle: true,
        };
        let edges: Vec<reason::Edge> = (0..200).map(edge).collect();
        let svg = drawing::svg(&history, &core, &edges, &"<".repeat(100_000), &[]);
        let page = page::html(&"<".repeat(1_000), &history, Some(&core), &"<".repeat(100_000));
        println!("a drawing of {} bytes, a page of {}", svg.len(), page.len());
        assert!(svg.len() < 200_000 && svg.contains("more calls are not drawn"), "{}", svg.len());
        assert!(page.len() < 2_000_000 && page.contains("more calls"), "{}", page.len());
    }

    #[test]
    fn nothing_is_half_written() {
        let folder = tempfile::tempdir().unwrap();
        let edn = Some(folder.path().join("nowhere").join("a.edn"));
        let outputs = Outputs { edn, ..Outputs::default() };
        let history = long(20);
        let error = write(&outputs, "a", &history).unwrap_err();
        assert!(error.to_string().contains("a.edn: can't be written"), "{error}");
        let file = folder.path().join("a.edn");
        let outputs = Outputs { edn: Some(file.clone()), ..Outputs::default() };
        write(&outputs, "a", &history).unwrap();
        let text = std::fs::read(&file).unwrap();
        let back = read::<Register<Datum>>(text.as_slice(), Format::JepsenEdn).unwrap();
        assert_eq!(back.calls().len(), 20);
    }
}
