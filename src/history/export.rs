//! Export: to JSON lines, seedbed's own format, and to Jepsen's EDN, so that other checkers can be
//! asked about the same history.
//!
//! What is written reads back as the same history, but for what the format can't tell. An answer of
//! which nobody knows what it was is written as `nil`. JSON has no keywords, which become texts.
//! And in EDN an attempt that was refused (a compare-and-set, a lock) is written as `:fail`, as
//! Jepsen does, and so reads back as a call that did not happen.

use std::io::{self, Write};

use edn_format::{Keyword, Value, emit_str};

use super::import::{Import, Kind, Words};
use super::{Call, Happening, History, Mark, Sync, SyncKind, json_lines};

/// An event, as it is written in any format.
pub(super) struct Told<'a> {
    pub time: u64,
    /// Who calls; nobody, if it befalls the system.
    pub process: Option<u32>,
    pub kind: Kind,
    pub words: Words,
    /// The session, if it is not the process's own.
    pub session: Option<u32>,
    pub node: Option<u32>,
    pub sync: Option<&'a Sync>,
}

/// Writes a history in seedbed's own format, one event a line.
///
/// # Errors
/// If `out` can't be written to.
pub fn to_json_lines<O: Import>(
    history: &History<O::Op, O::Ret>,
    out: &mut impl Write,
) -> io::Result<()> {
    events::<O>(history).iter().try_for_each(|event| json_lines::write(event, out))
}

/// Writes a history as maps, one a line.
///
/// # Errors
/// If `out` can't be written to.
pub fn to_jepsen_edn<O: Import>(
    history: &History<O::Op, O::Ret>,
    out: &mut impl Write,
) -> io::Result<()> {
    events::<O>(history).iter().try_for_each(|event| write_edn(event, out))
}

/// All that happened, in the order of time; of one time, what begins before what ends.
fn events<O: Import>(history: &History<O::Op, O::Ret>) -> Vec<Told<'_>> {
    let mut events = Vec::new();
    for call in history.calls() {
        events.push(told::<O>(Kind::Invoke, call.invoked, call, O::words(&call.op, None)));
        let words = match &call.ret {
            Some(ret) => O::words(&call.op, Some(ret)),
            None => Words { value: Value::Nil, ..O::words(&call.op, None) },
        };
        events.extend(call.returned.map(|time| told::<O>(Kind::Ok, time, call, words)));
    }
    for call in history.failed() {
        events.push(told::<O>(Kind::Invoke, call.invoked, call, O::words(&call.op, None)));
        let failed = |time| told::<O>(Kind::Fail, time, call, O::words(&call.op, None));
        events.extend(call.returned.map(failed));
    }
    events.extend(history.marks().iter().map(befalls));
    events.sort_by_key(|event| (event.time, event.kind != Kind::Invoke));
    events
}

fn told<'a, O: Import>(
    kind: Kind,
    time: u64,
    call: &'a Call<O::Op, O::Ret>,
    words: Words,
) -> Told<'a> {
    Told {
        time,
        process: Some(call.process),
        kind,
        words,
        session: Some(call.session).filter(|session| *session != call.process),
        node: call.node,
        sync: call.sync.as_deref(),
    }
}

fn befalls(mark: &Mark) -> Told<'_> {
    let (function, value) = match &mark.what {
        Happening::Quiescence => ("quiescence", Value::Nil),
        Happening::Fault(what) => ("fault", Value::String(what.clone())),
    };
    let words = Words { function, key: None, value, refused: false };
    let (time, node) = (mark.time, mark.node);
    Told { time, process: None, kind: Kind::Info, words, session: None, node, sync: None }
}

fn write_edn(event: &Told<'_>, out: &mut impl Write) -> io::Result<()> {
    let Told { time, process, words, .. } = event;
    let process = process.map_or(":nemesis".to_owned(), |process| process.to_string());
    let kind = match event.kind {
        Kind::Ok if words.refused => "fail",
        Kind::Invoke => "invoke",
        Kind::Ok => "ok",
        Kind::Fail => "fail",
        Kind::Info => "info",
    };
    let function = emit_str(&Value::Keyword(Keyword::from_name(words.function)));
    write!(out, "{{:process {process}, :type :{kind}, :f {function}")?;
    if let Some(key) = &words.key {
        write!(out, ", :key {}", emit_str(key))?;
    }
    write!(out, ", :value {}, :time {time}", emit_str(&words.value))?;
    if let Some(session) = event.session {
        write!(out, ", :session {session}")?;
    }
    if let Some(node) = event.node {
        write!(out, ", :node {node}")?;
    }
    if let Some(Sync { kind, object, grant }) = event.sync {
        let kind = match kind {
            SyncKind::Acquire => "acquire",
            SyncKind::Release => "release",
            SyncKind::Barrier => "barrier",
            SyncKind::Both => "both",
        };
        let object = emit_str(&Value::String(object.clone()));
        write!(out, ", :sync {{:kind :{kind}, :object {object}, :grant {grant}}}")?;
    }
    writeln!(out, "}}")
}
