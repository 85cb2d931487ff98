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
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use edn_format::{Value, emit_str};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Call, Happening, History, HistoryError, Recorder, Sync, edn, jepsen_log, json_lines};
use crate::object::Object;

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
    /// Objects in JSON, one a line: `{"process":0,"type":"invoke","f":"read"}`.
    JsonLines,
}

impl Format {
    /// The formats by their names.
    pub const ALL: [(&'static str, Format); 3] = [
        ("jepsen-log", Format::JepsenLog),
        ("jepsen-edn", Format::JepsenEdn),
        ("json-lines", Format::JsonLines),
    ];

    /// What a text seems to be, by the first bytes that are no blanks: `{"` begins a line of JSON.
    fn detect(input: impl Read) -> io::Result<Format> {
        let mut brace = false;
        for byte in BufReader::new(input).bytes() {
            match byte? {
                b'"' if brace => return Ok(Format::JsonLines),
                byte if brace && byte != b' ' => return Ok(Format::JepsenEdn),
                b'{' => brace = true,
                b'[' | b'(' | b'#' | b';' => return Ok(Format::JepsenEdn),
                byte if byte.is_ascii_whitespace() || byte == b',' => (),
                _ => break,
            }
        }
        Ok(if brace { Format::JepsenEdn } else { Format::JepsenLog })
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
    /// What else is told.
    pub beside: Beside,
}

/// What a format may tell of an event, and need not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// When it was, by the recorder's clock.
    pub time: Option<u64>,
    /// The session.
    pub session: Option<u32>,
    /// The node.
    pub node: Option<u32>,
    /// How the call synchronises.
    pub sync: Option<Sync>,
}

/// An event, but for who, when and where: the opposite of reading it.
#[derive(Clone, Debug, PartialEq)]
pub struct Words {
    /// The name of the operation.
    pub function: &'static str,
    /// The part of the object.
    pub key: Option<Value>,
    /// What is written, or was read.
    pub value: Value,
    /// An attempt that was refused: other checkers want to be told that it did not happen.
    pub refused: bool,
}

impl Words {
    /// A function and its value.
    pub fn of(function: &'static str, value: &Datum) -> Words {
        Words { function, key: None, value: value.into(), refused: false }
    }

    /// An attempt that was refused.
    pub fn refused(function: &'static str) -> Words {
        Words { function, key: None, value: Value::Boolean(false), refused: true }
    }
}

impl From<&Datum> for Value {
    fn from(datum: &Datum) -> Self {
        match datum {
            Datum::Nil => Value::Nil,
            Datum::Number(number) => Value::Integer(*number),
            Datum::Text(text) => Value::String(text.clone()),
            Datum::Other(text) => edn::parse(0, text).unwrap_or(Value::Nil),
        }
    }
}

/// A value of a recorded history. It is only ever compared.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Datum {
    /// No value.
    #[default]
    Nil,
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
    /// Anything else, as EDN writes it.
    Other(String),
}

impl From<&Value> for Datum {
    fn from(value: &Value) -> Self {
        match value {
            Value::Nil => Datum::Nil,
            Value::Integer(number) => Datum::Number(*number),
            Value::String(text) => Datum::Text(text.clone()),
            other => Datum::Other(emit_str(other)),
        }
    }
}

impl Debug for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Datum::Nil => f.write_str("nil"),
            Datum::Number(number) => write!(f, "{number}"),
            Datum::Text(text) => write!(f, "{text:?}"),
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

    /// How the call, or its return with an answer, is written.
    fn words(op: &Self::Op, ret: Option<&Self::Ret>) -> Words;
}

/// The most calls that a history may have: more would need gigabytes.
pub const MOST_CALLS: usize = 10_000_000;

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
    let unreadable = |failed: io::Error| error(unreadable(0, &failed));
    let mut text = File::open(file).map_err(unreadable)?;
    let format = match format {
        Some(format) => format,
        None => Format::detect(&text)
            .and_then(|format| text.rewind().map(|()| format))
            .map_err(unreadable)?,
    };
    read::<O>(BufReader::with_capacity(1 << 16, text), format).map_err(error)
}

/// Reads a text.
pub fn read<O: Import>(
    input: impl BufRead,
    format: Format,
) -> Result<History<O::Op, O::Ret>, Fault> {
    let nil = match format {
        Format::JepsenLog | Format::JsonLines => NilReads::Value,
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
        Format::JsonLines => json_lines::events(input, sink)?,
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
    if let Some(time) = event.beside.time {
        calls.clock(time).map_err(text)?;
    }
    let line = Some(event.line);
    let Process::Client(process) = event.process else {
        let what = match event.function.as_str() {
            "quiescence" => Happening::Quiescence,
            _ => Happening::Fault(said(event)),
        };
        calls.happens(what, event.beside.node, line);
        return Ok(());
    };
    let call = match event.kind {
        Kind::Invoke if calls.len() == MOST_CALLS => {
            return Err(format!("the history has more than {MOST_CALLS} calls"));
        }
        Kind::Invoke => calls.invoke(process, O::op(event)?, line).map_err(text)?,
        Kind::Ok => {
            let open: &Call<O::Op, O::Ret> = calls.open(process).map_err(text)?;
            let ret = O::ret(&open.op, event, nil)?;
            calls.returns(process, ret, line).map_err(text)?
        }
        Kind::Fail => return calls.fails(process, line).map_err(text),
        Kind::Info => return calls.gives_up(process).map_err(text),
    };
    call.session = event.beside.session.unwrap_or(call.session);
    call.node = event.beside.node.or(call.node);
    if let Some(sync) = &event.beside.sync {
        call.sync = Some(Box::new(sync.clone()));
    }
    Ok(())
}

/// What somebody who makes no calls says.
fn said(event: &Event) -> String {
    match &event.value {
        Value::Nil => event.function.clone(),
        value => format!("{} {}", event.function, emit_str(value)),
    }
}

/// Lines of a text, with their numbers; each has a greatest length.
pub struct LineReader<R> {
    input: R,
    line: usize,
    bytes: Vec<u8>,
}

impl<R: BufRead> LineReader<R> {
    /// Reads from the beginning of a text.
    pub fn new(input: R) -> Self {
        LineReader { input, line: 0, bytes: Vec::new() }
    }

    /// The next line, from 1, with its end.
    pub fn next_line(&mut self) -> Result<Option<(usize, &str)>, Fault> {
        let bytes = &mut self.bytes;
        bytes.clear();
        self.line += 1;
        let limit = edn::LONGEST as u64 + 1;
        let read = (&mut self.input).take(limit).read_until(b'\n', bytes);
        read.map_err(|error| unreadable(self.line, &error))?;
        if bytes.len() > edn::LONGEST {
            return Err(faulty(
                self.line,
                format!("the line is longer than {} bytes", edn::LONGEST),
            ));
        }
        match (bytes.is_empty(), str::from_utf8(bytes)) {
            (true, _) => Ok(None),
            (false, Ok(text)) => Ok(Some((self.line, text))),
            (false, Err(_)) => Err(faulty(self.line, "the line is not UTF-8")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Outcome, SyncKind, export};
    use crate::object::{
        CasRegister, Channel, Kv, Mutex, PriorityQueue, Queue, Register, RwLock, Semaphore, Set,
        Stack, cas_register, channel, mutex,
    };
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;
    use std::cell::Cell;

    const LOG: &str = "INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]\n\
        INFO  jepsen.util - 1\t:invoke\t:read\tnil\nINFO  jepsen.util - 1\t:ok\t:read\tnil\n\
        INFO  jepsen.util - 0\t:info\t:cas\t:timed-out\n\nINFO  jepsen.core - another line\n";
    const EDN: &str = "; a comment {\n[{:process 0, :type :invoke, :f :cas, :value [1 2]}\n\
        #jepsen.history.Op{:process 1 :type :invoke :f :read :value nil :error \"a \\\" } \\\\\"}\n\
        {:process 1, :type :ok, :f :read, :value nil, :set #{1 \\} \"]\"}} #_{:dropped 1}\n\
        {:process 0, :type :info, :f :cas, :value [1 2]}\n\
        {:process :nemesis, :type :info, :f :start, :value {:a #{\"b\" 1.5}}}]\n";

    const JSON: &str = r#"{"process":0,"type":"invoke","f":"cas","value":[1,2],"time":5}
        {"process":1,"type":"invoke","f":"read","time":5,"session":7,"node":3}

{"process":1,"type":"ok","f":"read","value":null,"sync":{"kind":"release","object":"l","grant":4}}
        {"process":0,"type":"info","f":"cas","time":9}
        {"process":"nemesis","type":"info","f":"kill","value":[1],"node":1}
        {"process":"checker","type":"info","f":"quiescence"}
"#;

    type Cas = CasRegister<Datum>;

    fn cas(
        text: &[u8],
        format: Format,
    ) -> Result<History<<Cas as Object>::Op, <Cas as Object>::Ret>, Fault> {
        read::<Cas>(text, format)
    }

    /// Reads bytes as every object in every format; whatever comes of it is fine, but for a panic.
    fn survives(bytes: &[u8]) {
        let _ = Format::detect(bytes);
        for (_, format) in Format::ALL {
            for fault in [
                read::<Register<Datum>>(bytes, format).err(),
                read::<Cas>(bytes, format).err(),
                read::<Kv>(bytes, format).err(),
                read::<Set<Datum>>(bytes, format).err(),
                read::<Queue<Datum>>(bytes, format).err(),
                read::<Mutex>(bytes, format).err(),
                read::<RwLock>(bytes, format).err(),
                read::<Semaphore>(bytes, format).err(),
                read::<Channel<Datum>>(bytes, format).err(),
            ] {
                let lines = 1 + bytes.iter().filter(|byte| **byte == b'\n').count();
                assert!(fault.is_none_or(|fault| fault.line <= lines && !fault.reason.is_empty()));
            }
        }
    }

    #[test]
    fn both_formats_say_the_same() {
        let (log, edn) =
            (cas(LOG.as_bytes(), Format::JepsenLog), cas(EDN.as_bytes(), Format::JepsenEdn));
        let (log, edn) = (log.unwrap(), edn.unwrap());
        assert_eq!(Format::detect(LOG.as_bytes()).unwrap(), Format::JepsenLog);
        assert_eq!(Format::detect(EDN.as_bytes()).unwrap(), Format::JepsenEdn);
        let brief = |history: &History<_, _>| {
            let calls = history.calls().iter().map(|call: &Call<_, _>| {
                (call.process, format!("{:?}", call.op), call.returned, call.line, call.return_line)
            });
            calls.collect::<Vec<_>>()
        };
        let read = |line, back| (1, "Read".to_owned(), Some(3), Some(line), Some(back));
        let open = |line| (0, "Cas { from: 1, to: 2 }".to_owned(), None, Some(line), None);
        assert_eq!(brief(&log), [open(1), read(2, 3)]);
        assert_eq!(brief(&edn), [open(2), read(3, 4)]);
        // The one difference is what a read of nil says.
        assert_eq!(log.calls()[1].ret, Some(cas_register::Ret::Value(Datum::Nil)));
        assert_eq!(edn.calls()[1].ret, None);

        assert_eq!(Format::detect(JSON.as_bytes()).unwrap(), Format::JsonLines);
        let json = cas(JSON.as_bytes(), Format::JsonLines).unwrap();
        assert_eq!((json.calls()[0].invoked, json.calls()[1].returned), (5, Some(7)));
        let [open, read] = json.calls() else { panic!("two calls: {json:?}") };
        assert_eq!((open.session, open.node, open.outcome()), (0, None, Outcome::Unknown));
        assert_eq!((read.session, read.node, read.return_line), (7, Some(3), Some(4)));
        assert_eq!(read.ret, Some(cas_register::Ret::Value(Datum::Nil)));
        let sync = Sync { kind: SyncKind::Release, object: "l".to_owned(), grant: 4 };
        assert_eq!(read.sync.as_deref(), Some(&sync));
        let marks: Vec<_> = json.marks().iter().map(|mark| (&mark.what, mark.node)).collect();
        let kill = Happening::Fault("kill [1]".to_owned());
        assert_eq!(marks, [(&kill, Some(1)), (&Happening::Quiescence, None)]);
    }

    /// Writes a history that was read, in both formats, and reads it back; refused attempts don't
    /// survive the second.
    fn survives_export<O: Import>(text: &str) {
        let told = |history: &History<O::Op, O::Ret>| {
            let calls = history.calls().iter().chain(history.failed()).map(|call| {
                let nowhere = Call { line: None, return_line: None, ..call.clone() };
                format!("{nowhere:?}")
            });
            (calls.collect::<Vec<_>>(), history.marks().len())
        };
        let first = read::<O>(text.as_bytes(), Format::JsonLines).unwrap();
        let mut json = Vec::new();
        export::to_json_lines::<O>(&first, &mut json).unwrap();
        let second = read::<O>(json.as_slice(), Format::JsonLines).unwrap();
        assert_eq!(told(&first), told(&second));
        let mut edn = Vec::new();
        export::to_jepsen_edn::<O>(&first, &mut edn).unwrap();
        let third = read::<O>(edn.as_slice(), Format::JepsenEdn).unwrap();
        let calls = |history: &History<O::Op, O::Ret>| history.calls().len();
        match calls(&first) == calls(&third) {
            true => assert_eq!(told(&first), told(&third)),
            false => assert!(calls(&first) == calls(&third) + 1 && text.contains("refused")),
        }
    }

    /// The lines of a call, with labels that must survive, and of a mark.
    fn call(process: u32, f: &str, value: &str, ret: &str) -> String {
        let end = if ret == "fail" { "fail" } else { "ok" };
        let ret = if ret == "fail" { value } else { ret };
        format!(
            "{{\"process\":{process},\"type\":\"invoke\",\"f\":\"{f}\",\"key\":\"k\",\
             \"value\":{value},\"node\":2,\"session\":9}}\n{{\"process\":{process},\
             \"type\":\"{end}\",\"f\":\"{f}\",\"key\":\"k\",\"value\":{ret}}}\n\
             {{\"process\":\"n\",\"type\":\"info\",\"f\":\"quiescence\"}}\n"
        )
    }

    #[test]
    fn what_is_exported_is_read_back() {
        survives_export::<Register<Datum>>(
            &[call(0, "write", "\"a b\"", "\"a b\""), call(1, "read", "null", "[1,\"x\"]")]
                .concat(),
        );
        survives_export::<Cas>(
            &[call(0, "cas", "[1,2]", "null"), call(0, "write", "3", "fail")].concat(),
        );
        let kv = [call(0, "put", "\"a\"", "\"a\""), call(1, "get", "null", "\"a\"")];
        survives_export::<Kv>(&[kv.concat(), call(2, "cas", "[\"a\",null]", "null")].concat());
        survives_export::<Set<Datum>>(
            &[call(0, "add", "1", "true"), call(1, "contains", "1", "false")].concat(),
        );
        let empty = |put: &str, take: &str| {
            [call(0, put, "1", "1"), call(1, take, "null", "1"), call(1, take, "null", "null")]
                .concat()
        };
        survives_export::<Queue<Datum>>(&empty("enqueue", "dequeue"));
        survives_export::<Stack<Datum>>(&empty("push", "pop"));
        survives_export::<PriorityQueue<Datum>>(&empty("insert", "delete-min"));
    }

    const REFUSED: &str = "{\"process\":\"n\",\"type\":\"info\",\"f\":\"refused\"}\n";

    #[test]
    fn what_threads_share_is_read_back() {
        let lock = [call(0, "acquire", "null", "null"), call(0, "release", "0", "0")].concat();
        survives_export::<Mutex>(&lock);
        survives_export::<Mutex>(&[&lock, &call(1, "acquire", "7", "false"), REFUSED].concat());
        let calls = read::<Mutex>(lock.as_bytes(), Format::JsonLines).unwrap();
        let ops: Vec<_> = calls.calls().iter().map(|call| call.op).collect();
        assert_eq!(ops, [mutex::Op::Lock(0), mutex::Op::Unlock(0)]);
        let inside = ["acquire-read", "acquire-write", "release"];
        let calls = inside.map(|f| call(3, f, "3", "null")).concat();
        survives_export::<RwLock>(&calls);
        let refused = call(3, "release", "null", "false");
        survives_export::<RwLock>(&[&calls, &refused, REFUSED].concat());
        let permits = [call(0, "acquire", "null", "null"), call(0, "release", "null", "fail")];
        survives_export::<Semaphore>(&permits.concat());
        survives_export::<Semaphore>(&[&refused, REFUSED].concat());
        let channel = [
            call(0, "send", "\"a\"", "\"a\""),
            call(1, "send", "1", "null"),
            call(2, "send", "2", "false"),
            call(2, "receive", "null", "\"a\""),
            call(2, "receive", "null", "false"),
            call(2, "close", "null", "null"),
            call(2, "send", "3", "\"closed\""),
            call(2, "receive", "null", "\"closed\""),
        ];
        survives_export::<Channel<Datum>>(&channel.concat());
        let history = read::<Channel<Datum>>(channel.concat().as_bytes(), Format::JsonLines);
        let history = history.unwrap();
        let rets: Vec<_> = history.calls().iter().map(|call| call.ret.as_ref().unwrap()).collect();
        use channel::Ret::{Closed, Done, Empty, End, Full, Item};
        let item = Item(Datum::Text("a".to_owned()));
        assert_eq!(rets, [&Done, &Done, &Full, &item, &Empty, &Done, &Closed, &End]);
    }

    #[test]
    fn what_is_wrong_with_a_lock_or_a_channel_is_said_with_its_line() {
        fn wrong<O: Import>(line: usize, reason: &str, text: &str) {
            let fault = read::<O>(text.as_bytes(), Format::JsonLines).unwrap_err();
            assert!(fault.line == line && fault.reason.contains(reason), "{reason}: {fault:?}");
        }
        wrong::<Mutex>(1, "no operation :lock", &call(0, "lock", "null", "null"));
        wrong::<Mutex>(1, "a number from 0 on", &call(0, "acquire", "-1", "null"));
        wrong::<Mutex>(1, "a number from 0 on", &call(0, "acquire", "\"me\"", "null"));
        wrong::<Mutex>(2, "and not 1", &call(0, "acquire", "0", "1"));
        wrong::<Mutex>(2, "and not true", &call(0, "acquire", "0", "true"));
        let other =
            call(0, "acquire", "0", "0").replace("ok\",\"f\":\"acquire", "ok\",\"f\":\"release");
        wrong::<Mutex>(2, "but :release returns", &other);
        wrong::<RwLock>(1, "no operation :acquire", &call(0, "acquire", "null", "null"));
        wrong::<Semaphore>(1, "one permit at a time", &call(0, "acquire", "2", "null"));
        wrong::<Semaphore>(2, "and not 1", &call(0, "acquire", "null", "1"));
        wrong::<Channel<Datum>>(1, "neither nil nor false", &call(0, "send", "false", "null"));
        wrong::<Channel<Datum>>(1, "is no item", &call(0, "send", "\"closed\"", "null"));
        wrong::<Channel<Datum>>(2, "but Send(2) returns", &call(0, "send", "1", "2"));
        wrong::<Channel<Datum>>(1, "a :receive has no value", &call(0, "receive", "1", "1"));
        wrong::<Channel<Datum>>(2, "a :close returns nothing", &call(0, "close", "null", "1"));
        wrong::<Channel<Datum>>(1, "no operation :take", &call(0, "take", "null", "1"));
    }

    #[test]
    fn what_is_wrong_in_a_line_of_json_is_said_with_its_line() {
        let call = "{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"value\":1,\"time\":5}\n";
        for (line, reason, text) in [
            (1, "the file may be cut off", call.trim_end().to_owned()),
            (2, "this is no event: EOF", format!("{call}{}\n", &call[..30])),
            (1, "unknown field `tiem`", call.replace("time", "tiem")),
            (1, "missing field `f`", call.replace("\"f\":\"write\",", "")),
            (1, "unknown variant `ask`", call.replace("invoke", "ask")),
            (1, "did not match", call.replace(":0,", ":-1,")),
            (1, "a process has a name", call.replace(":0,", ":\"\",")),
            (1, "no integer", call.replace("\"value\":1", "\"value\":1.5")),
            (1, "an object is no value", call.replace("\"value\":1", "\"value\":{}")),
            (2, "makes a call while its last one, of line 1,", format!("{call}{call}")),
            (2, "time runs backwards: 4 comes after 5", {
                format!("{call}{}", call.replace(":0,", ":1,").replace(":5", ":4"))
            }),
            (1, "none of its calls is open", call.replace("invoke", "ok")),
        ] {
            let fault = cas(text.as_bytes(), Format::JsonLines).unwrap_err();
            let right = fault.line == line && fault.reason.contains(reason);
            assert!(right, "{line} {reason}: {fault:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let call = "{:process 0, :type :invoke, :f :write, :value 1}\n";
        let back = "{:process 0, :type :ok, :f :write, :value 1}\n";
        let edn = |text: &str| cas(text.as_bytes(), Format::JepsenEdn).unwrap_err();
        let deep = format!("{call}{{:a {}", "[".repeat(100_000));
        let tags = format!("{{:a {}1}}", "#a ".repeat(100_000));
        let long = format!("{{:a \"{}\"}}", "a".repeat(edn::LONGEST));
        for (line, reason, text) in [
            (0, "no calls", String::new()),
            (0, "no calls", "; nothing here\n".to_owned()),
            (2, "makes a call while its last one, of line 1,", format!("{call}{call}")),
            (1, "none of its calls is open", back.to_owned()),
            (3, "none of its calls is open", format!("{call}{back}{back}")),
            (2, "but Write(2) returns", format!("{call}{}", back.replace("value 1", "value 2"))),
            (2, "but :read returns", format!("{call}{}", back.replace(":write", ":read"))),
            (1, "no operation :wrote", call.replace(":write", ":wrote")),
            (1, "a pair of values", call.replace(":write", ":cas")),
            (1, "out of range", call.replace("process 0", "process -1")),
            (1, "out of range", call.replace("process 0", "process 99999999999")),
            (1, "not EDN", call.replace("process 0", "process 99999999999999999999")),
            (1, "a process is a number", call.replace("process 0", "process \"0\"")),
            (1, "no :type", call.replace(":type", ":kind")),
            (1, "none of :invoke", call.replace(":invoke", ":ask")),
            (2, "here a map should begin", format!("{call}garbage")),
            (2, "here a map should begin", format!("{call}{back}}}").replace(back, "")),
            (2, "never ends", format!("{call}{{:process 0")),
            (1, "never ends", format!("[{call}")),
            (2, "too deep", deep),
            (1, "too deep", tags),
            (1, "too deep", long),
            (1, "exponent", "{:a 1e999999999M, 2M 1}".to_owned()),
            (1, "only a map may be dropped", "#_ 3 {:a 1}".to_owned()),
            (1, "a map", "#a [1]{}".to_owned()),
        ] {
            let fault = edn(&text);
            assert!(
                fault.line == line && fault.reason.contains(reason),
                "{line} {reason}: {fault:?}"
            );
        }
        let bad = cas(b"{:process 0}\n{\xff}", Format::JepsenEdn).unwrap_err();
        assert_eq!(bad, faulty(1, "the event has no :type"));
        let bad = cas(b"\n{\xff}", Format::JepsenEdn).unwrap_err();
        assert_eq!(bad, faulty(2, "the event is not UTF-8"));
    }

    #[test]
    fn what_is_wrong_in_a_log_is_said_with_its_line() {
        let call = "INFO  jepsen.util - 0\t:invoke\t:write\t1\n";
        let log = |text: &[u8]| cas(text, Format::JepsenLog).unwrap_err();
        for (line, reason, text) in [
            (2, "not a line of a Jepsen log", format!("{call}garbage")),
            (2, "has no value", format!("{call}INFO  jepsen.util - 0\t:ok\t:write\t")),
            (2, "has no type", format!("{call}INFO  jepsen.util - 0")),
            (1, "more than one value", call.replace("\t1", "\t1 2")),
            (1, "not EDN", call.replace("\t1", "\t[1")),
            (1, "longer than", call.replace("\t1", &format!("\t{}", "1".repeat(edn::LONGEST)))),
        ] {
            let fault = log(text.as_bytes());
            assert!(
                fault.line == line && fault.reason.contains(reason),
                "{line} {reason}: {fault:?}"
            );
        }
        assert_eq!(log(b"\n\xff"), faulty(2, "the line is not UTF-8"));
    }

    /// In every format, and with the file's name. A value that nobody wrote is for the judges.
    #[test]
    fn errors_name_the_file_and_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let json = |kind: &str, process: u32, time: u32| {
            format!(
                "{{\"process\":{process},\"type\":\"{kind}\",\"f\":\"read\",\"value\":7,\
                 \"time\":{time}}}\n"
            )
        };
        let edn = |kind: &str, process: u32, time: u32| {
            format!("{{:process {process}, :type :{kind}, :f :read, :value 7, :time {time}}}\n")
        };
        let log = |kind: &str, process: u32, _: u32| {
            format!("INFO  jepsen.util - {process}\t:{kind}\t:read\t7\n")
        };
        type Writes<'a> = &'a dyn Fn(&str, u32, u32) -> String;
        let formats: [(&str, Writes<'_>); 3] = [("json", &json), ("edn", &edn), ("log", &log)];
        let mut told = 0;
        for (format, event) in formats {
            let file = folder.path().join(format!("history.{format}"));
            let first = event("invoke", 0, 5);
            let ends = [&first, &event("invoke", 1, 6)].map(String::as_str).concat();
            let cut = ends[..ends.len() - 12].to_owned();
            for (line, reasons, text) in [
                (2, ["may be cut off", "never ends", "none of :invoke"], cut),
                (2, ["none of its calls is open"; 3], format!("{first}{}", event("ok", 1, 6))),
                (3, ["makes a call while its last one, of line 2,"; 3], {
                    format!("{first}{}{}", event("invoke", 1, 6), event("invoke", 1, 7))
                }),
                (2, ["time runs backwards: 4 comes after 5"; 3], {
                    format!("{first}{}", event("invoke", 1, 4))
                }),
            ] {
                std::fs::write(&file, text).unwrap();
                let Err(error) = read_file::<Register<Datum>>(&file, None) else {
                    assert!(format == "log" && reasons[0].contains("backwards"), "{format}");
                    continue;
                };
                let text = error.to_string();
                let place = format!("{}:{line}: ", file.display());
                let is_told = reasons.iter().any(|reason| text.contains(reason));
                assert!(text.starts_with(&place) && is_told, "{text}");
                told += 1;
            }
            std::fs::write(&file, format!("{first}{}", event("ok", 0, 6))).unwrap();
            assert_eq!(read_file::<Register<Datum>>(&file, None).unwrap().calls().len(), 1);
        }
        assert_eq!(told, 11, "a log has no times");
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error() {
        let missing = Path::new("/nonexistent/history.edn");
        let error = read_file::<Cas>(missing, None).unwrap_err();
        assert!(error.to_string().starts_with("/nonexistent/history.edn:0: can't be read"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            survives(&bytes);
        }

        /// Bytes that mean something to the parsers.
        #[test]
        fn any_brackets_are_survived(text in "[\\[\\](){}#_;\"\\\\:a1enilM.\\-+/ \n\tINFO]{0,60}") {
            survives(text.as_bytes());
            let event = format!("{{:process 0 :type :invoke :f :get :key {text} :value 1}}");
            survives(event.as_bytes());
            survives(format!("INFO  jepsen.util - 0\t:invoke\t:write\t{text}").as_bytes());
            let json = r#"{"process":0,"type":"invoke","f":"add","value":"#;
            survives(format!("{json}{text}}}\n").as_bytes());
        }
    }

    /// Valid texts, cut, with pieces replaced by bytes or by other pieces. Some stay valid.
    #[test]
    fn mutated_texts_are_survived() {
        let edit = (
            any::<prop::sample::Index>(),
            0..12_usize,
            prop::collection::vec(any::<u8>(), 0..4),
            any::<prop::sample::Index>(),
        );
        let edits = prop::collection::vec(edit, 0..4);
        let strategy = (0..3_usize, edits, any::<prop::sample::Index>());
        let (valid, broken) = (Cell::new(0), Cell::new(0));
        let mut runner = TestRunner::new(ProptestConfig::with_cases(2_000));
        let survived = runner.run(&strategy, |(which, edits, end)| {
            let mut text = [LOG, EDN, JSON][which].as_bytes().to_vec();
            for (at, length, bytes, from) in edits {
                let (at, from) = (at.index(text.len()), from.index(text.len()));
                let piece = text[from..text.len().min(from + length)].to_vec();
                let until = text.len().min(at + length);
                text.splice(at..until, bytes.into_iter().chain(piece));
            }
            text.truncate(end.index(4 * text.len() + 1));
            survives(&text);
            let format = Format::ALL[which].1;
            let count = if cas(&text, format).is_ok() { &valid } else { &broken };
            count.set(count.get() + 1);
            Ok(())
        });
        survived.unwrap();
        println!("{} texts stayed valid, {} did not", valid.get(), broken.get());
        assert!(valid.get() > 100 && broken.get() > 100);
    }

    /// What is read without a parser is what the parser reads; and that is most.
    #[test]
    fn plain_values_are_as_the_parser_reads_them() {
        let mut runner = TestRunner::new(ProptestConfig::with_cases(4_000));
        let strategy =
            "(nil|-?[0-9]{1,20}|\\[ ?(nil|-?[0-9]{1,3}|:a|[ ,]){0,4}\\]|[-+0-9nil\\[\\] ]{0,6})";
        let counted = Cell::new(0);
        let same = runner.run(&strategy, |text| {
            if let Some(value) = edn::plain(&text) {
                assert_eq!(edn::parse_any(1, &text), Ok(value), "{text:?}");
                counted.set(counted.get() + 1);
            }
            Ok(())
        });
        same.unwrap();
        let plain = counted.get();
        println!("{plain} of 4000 texts are plain");
        assert!(plain > 1_000 && plain < 3_900, "{plain}");
    }
}
