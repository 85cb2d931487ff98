//! The log lines of Jepsen's older runs: `INFO  jepsen.util - 0 :invoke :read nil`, where the four
//! fields after the dash are separated by tabs: process, type, function, value.
//!
//! Other loggers' lines may stand between them. What is no log line at all is an error, since a
//! damaged event that was skipped could turn a right verdict into a wrong one.

use std::io::BufRead;

use super::edn;
use super::import::{Beside, Event, Fault, Kind, LineReader, faulty};

/// What comes before the fields of an event.
const MARKS: [&str; 2] = ["jepsen.util - ", "jepsen.util: "];

/// How a line of a log begins.
const LEVELS: [&str; 5] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"];

/// Hands every event of a log to `sink`, in order.
pub fn events(
    input: impl BufRead,
    mut sink: impl FnMut(Event) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut lines = LineReader::new(input);
    while let Some((line, text)) = lines.next_line()? {
        if let Some(event) = event(line, text.trim_end())? {
            sink(event)?;
        }
    }
    Ok(())
}

fn event(line: usize, text: &str) -> Result<Option<Event>, Fault> {
    let Some(fields) = MARKS.iter().find_map(|mark| Some(text.split_once(mark)?.1)) else {
        let is_log = LEVELS.iter().any(|level| text.starts_with(level));
        return if text.is_empty() || (is_log && text.contains(" - ")) {
            Ok(None)
        } else {
            Err(faulty(line, "this is not a line of a Jepsen log"))
        };
    };
    let mut fields = fields.split('\t');
    let mut field = |name: &str| {
        let field = fields.next().map(str::trim).filter(|field| !field.is_empty());
        field.ok_or_else(|| faulty(line, format!("the event has no {name}")))
    };
    let process = edn::process(line, &edn::parse(line, field("process")?)?)?;
    let kind = kind(line, field("type")?)?;
    let function = function(line, field("function")?)?;
    let value = edn::parse(line, field("value")?)?;
    Ok(Some(Event { line, process, kind, function, key: None, value, beside: Beside::default() }))
}

/// The usual words need no parser.
fn kind(line: usize, text: &str) -> Result<Kind, Fault> {
    match text {
        ":invoke" => Ok(Kind::Invoke),
        ":ok" => Ok(Kind::Ok),
        ":fail" => Ok(Kind::Fail),
        ":info" => Ok(Kind::Info),
        other => edn::kind(line, &edn::parse(line, other)?),
    }
}

fn function(line: usize, text: &str) -> Result<String, Fault> {
    match text.strip_prefix(':') {
        Some(name) if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase()) => {
            Ok(name.to_owned())
        }
        _ => edn::name(line, "function", &edn::parse(line, text)?),
    }
}
