//! Bad input: random events in every format, against the rules for a history, told here again in a
//! few lines; and whatever is read is judged by every model.

use std::collections::BTreeMap;
use std::path::Path;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::judge::{Answer, JudgeError, judge_file};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Invoke,
    Ok,
    Fail,
    Info,
}

#[derive(Clone, Copy, Debug)]
struct Event {
    process: u32,
    kind: Kind,
    writes: bool,
    value: u32,
    time: u64,
}

struct Draw(ChaCha8Rng);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0.next_u32() as usize % n
    }
}

/// Events that mostly make a history; in some, one or the other does not fit.
fn events(draw: &mut Draw) -> Vec<Event> {
    let (mut open, mut fresh, mut time) = (BTreeMap::<u32, (bool, u32)>::new(), 0, 5);
    let (wrong, back) = (draw.below(3) == 0, draw.below(3) == 0);
    let size = draw.below(14);
    let mut events = Vec::new();
    for _ in 0..size {
        time += draw.below(3) as u64;
        if back && draw.below(10) == 0 {
            time -= 1 + draw.below(4) as u64;
        }
        let process = draw.below(3) as u32;
        let is_open = open.contains_key(&process);
        let returns = [Kind::Ok, Kind::Ok, Kind::Ok, Kind::Ok, Kind::Fail, Kind::Info];
        let kind = match is_open ^ (wrong && draw.below(6) == 0) {
            true => returns[draw.below(6)],
            false => Kind::Invoke,
        };
        let (writes, mut value) = *open.entry(process).or_insert_with(|| {
            fresh += 1;
            (draw.below(2) == 0, fresh)
        });
        if !writes {
            // It may be what nobody wrote.
            value = draw.below(8) as u32;
        }
        events.push(Event { process, kind, writes, value, time });
        if matches!(kind, Kind::Ok | Kind::Fail) {
            open.remove(&process);
        }
    }
    events
}

/// The first event that does not fit, from 1, and why.
fn misfit(events: &[Event], timed: bool) -> Option<(usize, &'static str)> {
    let (mut open, mut last) = ([false; 3], 0);
    for (line, event) in (1..).zip(events) {
        let is_open = &mut open[event.process as usize];
        if timed && event.time < last {
            return Some((line, "time runs backwards"));
        }
        match (event.kind, *is_open) {
            (Kind::Invoke, true) => return Some((line, "makes a call while its last one")),
            (Kind::Invoke, false) => *is_open = true,
            (_, false) => return Some((line, "none of its calls is open")),
            // A call of unknown outcome stays open for ever.
            (Kind::Info, true) => (),
            (_, true) => *is_open = false,
        }
        last = event.time;
    }
    events.is_empty().then_some((0, "there are no calls"))
}

/// Whether a read returned what nobody wrote, or what a write that failed would have written.
fn thin_air(events: &[Event]) -> bool {
    let wrote = |value: u32| {
        events.iter().enumerate().any(|(at, event)| {
            let own = || events[at + 1..].iter().find(|end| end.process == event.process);
            let failed = || own().is_some_and(|end| end.kind == Kind::Fail);
            event.kind == Kind::Invoke && event.writes && event.value == value && !failed()
        })
    };
    events.iter().any(|e| e.kind == Kind::Ok && !e.writes && !wrote(e.value))
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Invoke => "invoke",
        Kind::Ok => "ok",
        Kind::Fail => "fail",
        Kind::Info => "info",
    }
}

fn line(format: &str, event: &Event) -> String {
    let Event { process, value, time, .. } = event;
    let (kind, f) = (word(event.kind), if event.writes { "write" } else { "read" });
    let asks = event.kind == Kind::Invoke && !event.writes;
    match format {
        "jsonl" => {
            let value = if asks { "null".to_owned() } else { value.to_string() };
            format!(
                "{{\"process\":{process},\"type\":\"{kind}\",\"f\":\"{f}\",\"value\":{value},\
                 \"time\":{time}}}\n"
            )
        }
        "edn" => {
            let value = if asks { "nil".to_owned() } else { value.to_string() };
            format!(
                "{{:process {process}, :type :{kind}, :f :{f}, :value {value}, :time {time}}}\n"
            )
        }
        _ => {
            let value = match event.kind {
                Kind::Info => ":timed-out".to_owned(),
                _ if asks => "nil".to_owned(),
                _ => value.to_string(),
            };
            format!("INFO  jepsen.util - {process}\t:{kind}\t:{f}\t{value}\n")
        }
    }
}

/// What was seen: how often which error, and which verdict.
type Seen = BTreeMap<String, usize>;

/// A file of so many events: the right error with its line, or a verdict of every model.
fn survives(file: &Path, format: &str, events: &[Event], cut: bool, seen: &mut Seen) {
    let mut count = |what: &str| *seen.entry(what.to_owned()).or_default() += 1;
    let expected = misfit(events, format != "log");
    let judged = match (judge_file(file, "register", &["all"], None, 20_000), expected) {
        (Err(JudgeError::Import(error)), Some((line, why))) if !cut => {
            assert!(error.line == line && error.reason.contains(why), "{error}, not {line} {why}");
            return count(why);
        }
        (Err(JudgeError::Import(error)), _) if cut => {
            // What is cut off is the last line, if nothing is wrong before.
            let at = expected.map_or(events.len(), |(line, _)| line.min(events.len()));
            assert!(error.line <= events.len() && error.line >= at.min(error.line), "{error}");
            return count("cut off");
        }
        (Ok(judged), None) => judged,
        (Ok(judged), Some(_)) if cut => judged,
        (other, expected) => panic!("{other:?}, and not {expected:?}: {events:#?}"),
    };
    assert!(judged.models.iter().all(|model| !model.explanation.is_empty()), "{judged}");
    count(&judged.models[0].verdict.to_string());
    if !cut && thin_air(events) {
        count("from thin air");
        for model in &judged.models {
            // A read beside a write may return anything where only safe ones are asked for.
            let may = model.verdict != Answer::Holds || model.model == "safe";
            assert!(may, "{} holds: {events:#?}", model.model);
        }
    }
}

#[test]
fn bad_events_are_told_with_their_line_or_judged() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut draw = Draw(ChaCha8Rng::seed_from_u64(41));
    let times = std::env::var("SEEDBED_CASES").ok().and_then(|times| times.parse().ok());
    let mut seen = Seen::new();
    for _ in 0..400 * times.unwrap_or(1) {
        let events = events(&mut draw);
        for format in ["jsonl", "edn", "log"] {
            let file = folder.path().join(format!("history.{format}"));
            let mut text: String = events.iter().map(|event| line(format, event)).collect();
            let cut = draw.below(5) == 0 && !text.is_empty();
            if cut {
                text.truncate(draw.below(text.len()));
            }
            std::fs::write(&file, &text).expect("a file");
            let kept = text.lines().count();
            survives(&file, format, &events[..kept], cut, &mut seen);
        }
    }
    println!("{seen:?}");
    for what in [
        "makes a call while its last one",
        "none of its calls is open",
        "time runs backwards",
        "cut off",
        "from thin air",
        "holds",
        "violated",
    ] {
        assert!(seen.get(what).is_some_and(|count| *count > 20), "{what}: {seen:?}");
    }
}
