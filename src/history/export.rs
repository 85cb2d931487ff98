//! Export to Jepsen's EDN, so that other checkers can be asked about the same history.
//!
//! What is written reads back as the same history, but for two things that the format can't tell. A
//! refused compare-and-set is written as `:fail`, as Jepsen does, and so reads back as a call that
//! did not happen; and a value of which nobody knows what was read is written as `nil`.

use std::io::{self, Write};

use edn_format::{Keyword, Value, emit_str};

use super::import::{Import, Words};
use super::{Call, Happening, History, Mark, Sync, SyncKind};

/// What happens, in the order in which events of one time are written.
enum Event<'a, Op, Ret> {
    Invoked(&'a Call<Op, Ret>),
    Returned(&'a Call<Op, Ret>),
    Failed(&'a Call<Op, Ret>),
    Marked(&'a Mark),
}

/// Writes a history as maps, one a line.
pub fn to_jepsen_edn<O: Import>(
    history: &History<O::Op, O::Ret>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut events = Vec::new();
    for call in history.calls() {
        events.push((call.invoked, 0, Event::Invoked(call)));
        events.extend(call.returned.map(|time| (time, 1, Event::Returned(call))));
    }
    for call in history.failed() {
        events.push((call.invoked, 0, Event::Invoked(call)));
        events.extend(call.returned.map(|time| (time, 1, Event::Failed(call))));
    }
    events.extend(history.marks().iter().map(|mark| (mark.time, 1, Event::Marked(mark))));
    events.sort_by_key(|(time, rank, _)| (*time, *rank));
    for (time, _, event) in events {
        match event {
            Event::Invoked(call) => {
                line::<O>(out, time, "invoke", call, O::words(&call.op, None))?;
            }
            Event::Failed(call) => line::<O>(out, time, "fail", call, O::words(&call.op, None))?,
            Event::Returned(call) => {
                let words = match &call.ret {
                    Some(ret) => O::words(&call.op, Some(ret)),
                    None => Words { value: Value::Nil, ..O::words(&call.op, None) },
                };
                let refused = words.function == "cas" && words.value == Value::Boolean(false);
                line::<O>(out, time, if refused { "fail" } else { "ok" }, call, words)?;
            }
            Event::Marked(mark) => marked(out, mark)?,
        }
    }
    Ok(())
}

fn line<O: Import>(
    out: &mut impl Write,
    time: u64,
    kind: &str,
    call: &Call<O::Op, O::Ret>,
    words: Words,
) -> io::Result<()> {
    write!(out, "{{:process {}, :type :{kind}, :f :{}", call.process, words.function)?;
    if let Some(key) = &words.key {
        write!(out, ", :key {}", emit_str(key))?;
    }
    write!(out, ", :value {}, :time {time}", emit_str(&words.value))?;
    if call.session != call.process {
        write!(out, ", :session {}", call.session)?;
    }
    if let Some(node) = call.node {
        write!(out, ", :node {node}")?;
    }
    if let Some(Sync { kind, object, grant }) = call.sync.as_deref() {
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

fn marked(out: &mut impl Write, mark: &Mark) -> io::Result<()> {
    let (function, value) = match &mark.what {
        Happening::Quiescence => (Keyword::from_name("quiescence"), Value::Nil),
        Happening::Fault(what) => (Keyword::from_name("fault"), Value::String(what.clone())),
    };
    let (function, value) = (emit_str(&Value::Keyword(function)), emit_str(&value));
    write!(out, "{{:process :nemesis, :type :info, :f {function}, :value {value}")?;
    write!(out, ", :time {}", mark.time)?;
    if let Some(node) = mark.node {
        write!(out, ", :node {node}")?;
    }
    writeln!(out, "}}")
}
