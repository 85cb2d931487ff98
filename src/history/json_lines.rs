//! Histories in JSON lines, seedbed's own format: one event a line, an object with the fields of
//! Jepsen's events and of no others. `docs/histories.md` describes it.
//!
//! Every line ends with a line feed, the last one, too: so a file that was cut off is noticed, and
//! not judged without its end.

use std::io::{self, BufRead, Write};

use edn_format::{Value, emit_str};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::Sync;
use super::export::Told;
use super::import::{Beside, Event, Fault, Kind, LineReader, Process, faulty};

/// A line, as it is written.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Line {
    process: Name,
    r#type: Type,
    f: String,
    #[serde(default, skip_serializing_if = "Json::is_null")]
    key: Json,
    #[serde(default, skip_serializing_if = "Json::is_null")]
    value: Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sync: Option<Sync>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
enum Name {
    Client(u32),
    Other(String),
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
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

fn as_edn(line: usize, value: Json) -> Result<Value, Fault> {
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

/// Writes an event.
pub(super) fn write(event: &Told<'_>, out: &mut impl Write) -> io::Result<()> {
    let line = Line {
        process: event.process.map_or(Name::Other("nemesis".to_owned()), Name::Client),
        r#type: match event.kind {
            Kind::Invoke => Type::Invoke,
            Kind::Ok => Type::Ok,
            Kind::Fail => Type::Fail,
            Kind::Info => Type::Info,
        },
        f: event.words.function.to_owned(),
        key: event.words.key.as_ref().map_or(Json::Null, as_json),
        value: as_json(&event.words.value),
        time: Some(event.time),
        session: event.session,
        node: event.node,
        sync: event.sync.cloned(),
    };
    serde_json::to_writer(&mut *out, &line)?;
    writeln!(out)
}

/// What JSON has no word for is written as EDN's, in a text.
fn as_json(value: &Value) -> Json {
    match value {
        Value::Nil => Json::Null,
        Value::Boolean(truth) => Json::Bool(*truth),
        Value::String(text) => Json::String(text.clone()),
        Value::Integer(number) => Json::from(*number),
        Value::Vector(values) | Value::List(values) => values.iter().map(as_json).collect(),
        other => Json::String(emit_str(other)),
    }
}
