//! Histories in JSON lines, seedbed's own format: one event a line, an object with the fields of
//! Jepsen's events and of no others. `docs/histories.md` describes it.
//!
//! Every line ends with a line feed, the last one, too: so a file that was cut off is noticed, and
//! not judged without its end.

use std::io::BufRead;

use edn_format::Value;
use serde::Deserialize;

use super::Sync;
use super::import::{Beside, Event, Fault, Kind, LineReader, Process, faulty};

/// A line, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    process: Name,
    r#type: Type,
    f: String,
    #[serde(default)]
    key: serde_json::Value,
    #[serde(default)]
    value: serde_json::Value,
    time: Option<u64>,
    session: Option<u32>,
    node: Option<u32>,
    sync: Option<Sync>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Name {
    Client(u32),
    Other(String),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    Invoke,
    Ok,
    Fail,
    Info,
}

/// Hands every event of a text to `sink`, in order.
pub fn events(
    input: impl BufRead,
    mut sink: impl FnMut(Event) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut lines = LineReader::new(input);
    while let Some((line, text)) = lines.next_line()? {
        if !text.ends_with('\n') {
            return Err(faulty(line, "the last line has no end: the file may be cut off"));
        }
        if !text.trim().is_empty() {
            sink(event(line, text.trim_end())?)?;
        }
    }
    Ok(())
}

fn event(line: usize, text: &str) -> Result<Event, Fault> {
    let told: Line = serde_json::from_str(text)
        .map_err(|error| faulty(line, format!("this is no event: {}", in_one_line(&error))))?;
    let Line { process, r#type, f: function, key, value, time, session, node, sync } = told;
    let process = match process {
        Name::Client(number) => Process::Client(number),
        Name::Other(name) if name.is_empty() => return Err(faulty(line, "a process has a name")),
        Name::Other(_) => Process::Other,
    };
    let kind = match r#type {
        Type::Invoke => Kind::Invoke,
        Type::Ok => Kind::Ok,
        Type::Fail => Kind::Fail,
        Type::Info => Kind::Info,
    };
    let key = Some(as_edn(line, key)?).filter(|key| *key != Value::Nil);
    let beside = Beside { time, session, node, sync };
    Ok(Event { line, process, kind, function, key, value: as_edn(line, value)?, beside })
}

/// The reason without the place, which is within the line.
fn in_one_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let column = error.column();
    let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
    format!("{reason}, at column {column}")
}

fn as_edn(line: usize, value: serde_json::Value) -> Result<Value, Fault> {
    use serde_json::Value as Json;
    Ok(match value {
        Json::Null => Value::Nil,
        Json::Bool(truth) => Value::Boolean(truth),
        Json::String(text) => Value::String(text),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Integer(number),
            None => return Err(faulty(line, format!("{number} is no integer of 64 bits"))),
        },
        Json::Array(values) => {
            let values = values.into_iter().map(|value| as_edn(line, value));
            Value::Vector(values.collect::<Result<_, _>>()?)
        }
        Json::Object(_) => return Err(faulty(line, "an object is no value")),
    })
}
