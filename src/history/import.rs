//! Import of recorded histories: from a file to calls on an object.
//!
//! Three rules hold for Jepsen's formats. `:fail` says that the call did not happen, so it is left
//! out; `:info` says that it may take effect at any later time or never, so it stays open; and
//! events of others than clients, such as `:nemesis`, are no calls. What a read of `nil` means
//! differs: see [`NilReads`].
//!
//! Whatever the bytes are, the result is a history or an error with file, line and reason.

use std::fmt::{self, Debug};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use edn_format::{Value, emit_str};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Call, History, HistoryError, Recorder, edn, jepsen_log};
use crate::object::{CasRegister, Kv, Object, Register, cas_register, kv, register};

/// Why a file is no history.
#[derive(Debug, Error)]
#[error("{}:{line}: {reason}", file.display())]
pub struct ImportError {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; 0 where the file as a whole is meant.
    pub line: usize,
    /// What is wrong there.
    pub reason: String,
}

/// What is wrong, before one knows in which file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub reason: String,
}

/// Something is wrong at a line.
pub fn faulty(line: usize, reason: impl Into<String>) -> Fault {
    Fault { line, reason: reason.into() }
}

/// The text can't be read any further.
pub fn unreadable(line: usize, error: &io::Error) -> Fault {
    faulty(line, format!("can't be read: {error}"))
}

/// The formats of recorded histories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines of a log: `INFO  jepsen.util - 0 :invoke :read nil`.
    JepsenLog,
    /// Maps in EDN: `{:process 0, :type :invoke, :f :read, :value nil}`.
    JepsenEdn,
}

impl Format {
    /// The formats by their names.
    pub const ALL: [(&'static str, Format); 2] =
        [("jepsen-log", Format::JepsenLog), ("jepsen-edn", Format::JepsenEdn)];

    /// What a text seems to be, by the first byte that is no blank.
    fn detect(input: impl Read) -> io::Result<Format> {
        for byte in BufReader::new(input).bytes() {
            match byte? {
                b'{' | b'[' | b'(' | b'#' | b';' => return Ok(Format::JepsenEdn),
                byte if byte.is_ascii_whitespace() || byte == b',' => (),
                _ => break,
            }
        }
        Ok(Format::JepsenLog)
    }
}

/// What a completed read of `nil` says. To a compare-and-set register it is unknown in EDN, and a
/// value in logs; other objects always take it for a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NilReads {
    /// Nothing had been written.
    Value,
    /// The value is not known: any answer would be legal. Knossos reads histories of
    /// compare-and-set registers so, and its published verdicts depend on it.
    Unknown,
}

/// Who does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// A client.
    Client(u32),
    /// Something that makes no calls.
    Other,
}

/// What kind of event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A call is made.
    Invoke,
    /// It returns.
    Ok,
    /// It did not happen.
    Fail,
    /// Nobody knows.
    Info,
}

/// One event of a recorded history, in any format.
#[derive(Clone, Debug)]
pub struct Event {
    /// Where it begins.
    pub line: usize,
    /// Who.
    pub process: Process,
    /// What kind.
    pub kind: Kind,
    /// The name of the operation.
    pub function: String,
    /// The part of the object, where it is told apart from the value.
    pub key: Option<Value>,
    /// What is written, or was read.
    pub value: Value,
}

/// A value of a recorded history. It is only ever compared.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Datum {
    /// No value.
    #[default]
    Nil,
    /// A number.
    Number(i64),
    /// Anything else, as EDN writes it.
    Other(String),
}

impl From<&Value> for Datum {
    fn from(value: &Value) -> Self {
        match value {
            Value::Nil => Datum::Nil,
            Value::Integer(number) => Datum::Number(*number),
            other => Datum::Other(emit_str(other)),
        }
    }
}

impl Debug for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Datum::Nil => f.write_str("nil"),
            Datum::Number(number) => write!(f, "{number}"),
            Datum::Other(text) => f.write_str(text),
        }
    }
}

/// An object whose calls can be read from a recorded history.
pub trait Import: Object {
    /// The operation that an event invokes.
    fn op(event: &Event) -> Result<Self::Op, String>;

    /// What an event returns to an operation; `None` if that isn't known.
    fn ret(op: &Self::Op, event: &Event, nil: NilReads) -> Result<Option<Self::Ret>, String>;
}

/// Reads a file; without a format, it is detected.
pub fn read_file<O: Import>(
    file: &Path,
    format: Option<Format>,
) -> Result<History<O::Op, O::Ret>, ImportError> {
    let error = |fault: Fault| ImportError {
        file: file.to_owned(),
        line: fault.line,
        reason: fault.reason,
    };
    let open = || File::open(file).map_err(|failed| error(unreadable(0, &failed)));
    let format = match format {
        Some(format) => format,
        None => Format::detect(open()?).map_err(|failed| error(unreadable(0, &failed)))?,
    };
    read::<O>(BufReader::new(open()?), format).map_err(error)
}

/// Reads a text.
pub fn read<O: Import>(
    input: impl BufRead,
    format: Format,
) -> Result<History<O::Op, O::Ret>, Fault> {
    let nil = match format {
        Format::JepsenLog => NilReads::Value,
        Format::JepsenEdn => NilReads::Unknown,
    };
    let mut calls = Recorder::default();
    let (mut last, mut clients) = (0, false);
    let sink = |event: Event| {
        last = event.line;
        clients |= event.process != Process::Other;
        record::<O>(&mut calls, &event, nil).map_err(|reason| faulty(event.line, reason))
    };
    match format {
        Format::JepsenLog => jepsen_log::events(input, sink)?,
        Format::JepsenEdn => edn::events(input, sink)?,
    }
    // A history in which every call failed is a history, but a text without calls is none.
    match clients {
        true => calls.finish().map_err(|error| faulty(last, error.to_string())),
        false => Err(faulty(last, "there are no calls, so there is nothing to judge")),
    }
}

fn record<O: Import>(
    calls: &mut Recorder<O::Op, O::Ret>,
    event: &Event,
    nil: NilReads,
) -> Result<(), String> {
    let text = |error: HistoryError| error.to_string();
    let Process::Client(process) = event.process else { return Ok(()) };
    if event.kind == Kind::Invoke {
        return calls.invoke(process, O::op(event)?, Some(event.line)).map_err(text);
    }
    let call: &Call<O::Op, O::Ret> = calls.open(process).map_err(text)?;
    match event.kind {
        Kind::Invoke => Ok(()),
        Kind::Ok => {
            let ret = O::ret(&call.op, event, nil)?;
            calls.returns(process, ret, Some(event.line)).map_err(text)
        }
        Kind::Fail => calls.fails(process).map_err(text),
        Kind::Info => calls.gives_up(process).map_err(text),
    }
}

/// A write returns what it wrote, or nothing.
fn echoes<Op: PartialEq + Debug>(op: &Op, event: &Event, returned: Op) -> Result<(), String> {
    if event.value == Value::Nil || *op == returned {
        return Ok(());
    }
    Err(format!("the call was {op:?}, but {returned:?} returns"))
}

/// A completed call must be the one that was made.
fn mismatch<T>(op: &impl Debug, event: &Event) -> Result<T, String> {
    Err(format!("the call was {op:?}, but :{} returns", event.function))
}

fn unknown_function<T>(event: &Event, known: &str) -> Result<T, String> {
    Err(format!("the object has no operation :{}, it has {known}", event.function))
}

fn pair(value: &Value) -> Result<(&Value, &Value), String> {
    match value {
        Value::Vector(pair) | Value::List(pair) if pair.len() == 2 => Ok((&pair[0], &pair[1])),
        _ => Err("a compare-and-set needs a pair of values, [from to]".to_owned()),
    }
}

impl Import for Register<Datum> {
    fn op(event: &Event) -> Result<Self::Op, String> {
        match event.function.as_str() {
            "read" => Ok(register::Op::Read),
            "write" => Ok(register::Op::Write((&event.value).into())),
            _ => unknown_function(event, ":read and :write"),
        }
    }

    fn ret(op: &Self::Op, event: &Event, _nil: NilReads) -> Result<Option<Self::Ret>, String> {
        match (op, event.function.as_str()) {
            (register::Op::Read, "read") => {
                Ok(Some(register::Ret::Value(Datum::from(&event.value))))
            }
            (register::Op::Write(_), "write") => {
                echoes(op, event, Self::op(event)?)?;
                Ok(Some(register::Ret::Done))
            }
            _ => mismatch(op, event),
        }
    }
}

impl Import for CasRegister<Datum> {
    fn op(event: &Event) -> Result<Self::Op, String> {
        match event.function.as_str() {
            "read" => Ok(cas_register::Op::Read),
            "write" => Ok(cas_register::Op::Write((&event.value).into())),
            "cas" => {
                let (from, to) = pair(&event.value)?;
                Ok(cas_register::Op::cas(from.into(), to.into()))
            }
            _ => unknown_function(event, ":read, :write and :cas"),
        }
    }

    fn ret(op: &Self::Op, event: &Event, nil: NilReads) -> Result<Option<Self::Ret>, String> {
        use cas_register::{Op, Ret};
        match (op, event.function.as_str()) {
            (Op::Read, "read") if event.value == Value::Nil && nil == NilReads::Unknown => Ok(None),
            (Op::Read, "read") => Ok(Some(Ret::Value(Datum::from(&event.value)))),
            (Op::Write(_), "write") => {
                echoes(op, event, Self::op(event)?)?;
                Ok(Some(Ret::Done))
            }
            (Op::Cas { .. }, "cas") => {
                if event.value != Value::Nil {
                    echoes(op, event, Self::op(event)?)?;
                }
                Ok(Some(Ret::Swapped(true)))
            }
            _ => mismatch(op, event),
        }
    }
}

/// A text of a map: strings, and what else is written in EDN. The empty text stands for nothing.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Nil => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        other => Some(emit_str(other)),
    }
}

/// In these histories the value "" is how a missing key is read. So a put of "" is a deletion.
impl Import for Kv {
    fn op(event: &Event) -> Result<Self::Op, String> {
        let key = match &event.key {
            Some(Value::String(key)) => key.clone(),
            Some(key @ (Value::Integer(_) | Value::Keyword(_))) => emit_str(key),
            _ => return Err("a call on a map needs a :key, a text or a number".to_owned()),
        };
        let value = text(&event.value);
        let act = match event.function.as_str() {
            "get" | "read" => kv::Act::Get,
            "put" | "write" => value.map_or(kv::Act::Delete, kv::Act::Put),
            "append" => kv::Act::Append(value.unwrap_or_default()),
            "delete" => kv::Act::Delete,
            "cas" => {
                let (from, to) = pair(&event.value)?;
                kv::Act::Cas { from: text(from), to: text(to) }
            }
            _ => return unknown_function(event, ":get, :put, :append, :cas and :delete"),
        };
        Ok(kv::Op { key, act })
    }

    fn ret(op: &Self::Op, event: &Event, _nil: NilReads) -> Result<Option<Self::Ret>, String> {
        match (&op.act, event.function.as_str()) {
            (kv::Act::Get, "get" | "read") => Ok(Some(kv::Ret::Value(text(&event.value)))),
            (kv::Act::Cas { .. }, "cas") => {
                if event.value != Value::Nil {
                    echoes(op, event, Self::op(event)?)?;
                }
                Ok(Some(kv::Ret::Swapped(true)))
            }
            (kv::Act::Put(_) | kv::Act::Delete, "put" | "write" | "delete")
            | (kv::Act::Append(_), "append") => {
                echoes(op, event, Self::op(event)?)?;
                Ok(Some(kv::Ret::Done))
            }
            _ => mismatch(op, event),
        }
    }
}

/// Lines of a text, with their numbers; each has a greatest length.
pub struct LineReader<R> {
    input: R,
    line: usize,
}

impl<R: BufRead> LineReader<R> {
    /// Reads from the beginning of a text.
    pub fn new(input: R) -> Self {
        LineReader { input, line: 0 }
    }

    /// The next line, from 1, without its end.
    pub fn next_line(&mut self) -> Result<Option<(usize, String)>, Fault> {
        let mut bytes = Vec::new();
        self.line += 1;
        let limit = edn::LONGEST as u64 + 1;
        let read = (&mut self.input).take(limit).read_until(b'\n', &mut bytes);
        read.map_err(|error| unreadable(self.line, &error))?;
        if bytes.len() > edn::LONGEST {
            return Err(faulty(
                self.line,
                format!("the line is longer than {} bytes", edn::LONGEST),
            ));
        }
        match (bytes.is_empty(), String::from_utf8(bytes)) {
            (true, _) => Ok(None),
            (false, Ok(text)) => Ok(Some((self.line, text))),
            (false, Err(_)) => Err(faulty(self.line, "the line is not UTF-8")),
        }
    }
}
