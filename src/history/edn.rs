//! Jepsen's histories in EDN: one map an event, with `:process`, `:type`, `:f`, `:value`, and
//! `:key` where the value doesn't say which part of the object is meant. The maps stand one a
//! line, or in a vector, or in several, with comments anywhere.
//!
//! This module cuts the text into the maps, with the lines where they begin; the crate
//! `edn-format` reads each of them. A file of any size needs memory for one map, and a map has a
//! greatest size and depth, so that no text can exhaust the memory or the stack.

use std::io::BufRead;

use edn_format::{Keyword, Parser, ParserOptions, Value};

use super::import::{Beside, Event, Fault, Kind, Process, faulty, unreadable};
use super::{Sync, SyncKind};

/// The most bytes that one event may have.
pub const LONGEST: usize = 1 << 20;

/// How deep collections and tags of one event may be nested.
const DEEPEST: usize = 64;

/// Hands every event of a text to `sink`, in order.
pub fn events(
    input: impl BufRead,
    mut sink: impl FnMut(Event) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut forms = Forms::new(input);
    while let Some((line, text)) = forms.next_form()? {
        let text = String::from_utf8(text).map_err(|_| faulty(line, "the event is not UTF-8"))?;
        match text.strip_prefix("#_") {
            None => sink(event(line, parse(line, &text)?)?)?,
            Some(dropped) if dropped.trim_start().starts_with('{') => (),
            Some(_) => return Err(faulty(line, "here only a map may be dropped")),
        }
    }
    Ok(())
}

/// Reads one EDN value.
pub fn parse(line: usize, text: &str) -> Result<Value, Fault> {
    match plain(text) {
        Some(value) => Ok(value),
        None => parse_any(line, text),
    }
}

/// Reads what most values are, without a parser: nothing, a number, or a few numbers in a vector.
/// Whatever is not so plain is none of its business.
pub(super) fn plain(text: &str) -> Option<Value> {
    if let Some(inner) = text.strip_prefix('[') {
        let words = inner.strip_suffix(']')?.split(' ').filter(|word| !word.is_empty());
        return words.map(plain_word).collect::<Option<_>>().map(Value::Vector);
    }
    plain_word(text)
}

fn plain_word(word: &str) -> Option<Value> {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let is_number = (1..=18).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (word == "0" || !digits.starts_with('0'));
    match word {
        "nil" => Some(Value::Nil),
        _ if is_number => word.parse().ok().map(Value::Integer),
        _ => None,
    }
}

/// Reads any EDN value.
pub(super) fn parse_any(line: usize, text: &str) -> Result<Value, Fault> {
    if text.len() > LONGEST || !is_shallow(text) {
        return Err(faulty(line, format!("the value is longer than {LONGEST} bytes, or too deep")));
    }
    let is_vast = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_digit() || "+-".contains(c))
            && word.ends_with('M')
            && word.contains(['e', 'E'])
    };
    // A short text such as 1e999999999M would be a number of a gigabyte.
    if text.split(|c: char| !c.is_alphanumeric() && !"+-.".contains(c)).any(is_vast) {
        return Err(faulty(line, "exact decimal numbers with an exponent are not supported"));
    }
    let mut parser = Parser::from_str(text, ParserOptions::default());
    match (parser.next(), parser.next()) {
        (Some(Ok(value)), None) => Ok(value),
        (Some(Err(error)), _) => Err(faulty(line, format!("this is not EDN: {error}"))),
        (None, _) => Err(faulty(line, "here a value is missing")),
        (Some(Ok(_)), Some(_)) => Err(faulty(line, "here is more than one value")),
    }
}

/// Brackets and tags bound how deep the parser can go. Brackets within strings are counted too,
/// which can only make this too strict, and is made up for by those that close.
fn is_shallow(text: &str) -> bool {
    let mut cutter = Cutter::default();
    let (mut depth, mut tags) = (0_usize, 0_usize);
    for &byte in text.as_bytes() {
        match cutter.step(byte) {
            Step::Opens => depth += 1,
            Step::Closes => depth = depth.saturating_sub(1),
            Step::Tag => tags += 1,
            _ => (),
        }
        if depth > DEEPEST || tags > DEEPEST {
            return false;
        }
    }
    true
}

fn event(line: usize, value: Value) -> Result<Event, Fault> {
    let mut map = match value {
        Value::Map(map) => map,
        Value::TaggedElement(_, inner) => match *inner {
            Value::Map(map) => map,
            _ => return Err(faulty(line, "an event is a map")),
        },
        _ => return Err(faulty(line, "an event is a map")),
    };
    let mut take = |name: &str| map.remove(&Value::Keyword(Keyword::from_name(name)));
    let mut need =
        |name: &str| take(name).ok_or_else(|| faulty(line, format!("the event has no :{name}")));
    let process = process(line, &need("process")?)?;
    let kind = kind(line, &need("type")?)?;
    let function = name(line, ":f", &need("f")?)?;
    let (key, value) = (take("key"), take("value").unwrap_or(Value::Nil));
    let beside = Beside {
        time: take("time").map(|time| number(line, "time", &time)).transpose()?,
        session: take("session").map(|session| number(line, "session", &session)).transpose()?,
        node: take("node").as_ref().and_then(node),
        sync: take("sync").map(|label| sync(line, label)).transpose()?,
    };
    Ok(Event { line, process, kind, function, key, value, beside })
}

fn number<N: TryFrom<i64>>(line: usize, what: &str, value: &Value) -> Result<N, Fault> {
    let number = if let Value::Integer(number) = value { N::try_from(*number).ok() } else { None };
    number.ok_or_else(|| faulty(line, format!("the {what} is no number, or out of range")))
}

/// A node is a number, or a name that ends with one; other names tell nothing here.
fn node(value: &Value) -> Option<u32> {
    match value {
        Value::Integer(number) => u32::try_from(*number).ok(),
        Value::String(name) => {
            let digits = name.rfind(|c: char| !c.is_ascii_digit()).map_or(0, |last| last + 1);
            name.get(digits..)?.parse().ok()
        }
        _ => None,
    }
}

fn sync(line: usize, value: Value) -> Result<Sync, Fault> {
    let Value::Map(mut map) = value else { return Err(faulty(line, "a :sync is a map")) };
    let mut need = |name: &str| {
        let value = map.remove(&Value::Keyword(Keyword::from_name(name)));
        value.ok_or_else(|| faulty(line, format!("the :sync has no :{name}")))
    };
    let kind = match name(line, ":kind", &need("kind")?)?.as_str() {
        "acquire" => SyncKind::Acquire,
        "release" => SyncKind::Release,
        "barrier" => SyncKind::Barrier,
        "both" => SyncKind::Both,
        _ => return Err(faulty(line, "the :kind is none of :acquire, :release, :barrier, :both")),
    };
    let Value::String(object) = need("object")? else {
        return Err(faulty(line, "the :object of a :sync is a text"));
    };
    Ok(Sync { kind, object, grant: number(line, "grant", &need("grant")?)? })
}

/// Who does something: a client has a number, and everybody else a name.
pub fn process(line: usize, value: &Value) -> Result<Process, Fault> {
    match value {
        Value::Integer(number) => match u32::try_from(*number) {
            Ok(number) => Ok(Process::Client(number)),
            Err(_) => Err(faulty(line, format!("{number} is out of range for a process"))),
        },
        Value::Keyword(_) => Ok(Process::Other),
        _ => Err(faulty(line, "a process is a number, or a keyword such as :nemesis")),
    }
}

/// What kind of event it is.
pub fn kind(line: usize, value: &Value) -> Result<Kind, Fault> {
    match name(line, ":type", value)?.as_str() {
        "invoke" => Ok(Kind::Invoke),
        "ok" => Ok(Kind::Ok),
        "fail" => Ok(Kind::Fail),
        "info" => Ok(Kind::Info),
        _ => Err(faulty(line, "the type is none of :invoke, :ok, :fail and :info")),
    }
}

/// The name that a keyword is, without its colon.
pub fn name(line: usize, what: &str, value: &Value) -> Result<String, Fault> {
    match value {
        Value::Keyword(keyword) if keyword.namespace().is_none() => Ok(keyword.name().to_owned()),
        _ => Err(faulty(line, format!("the {what} is not a keyword"))),
    }
}

/// Where in EDN's grammar a byte stands: enough of it to find where a form ends.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Within {
    #[default]
    Plain,
    Text,
    TextEscape,
    Comment,
    /// After a backslash, which quotes one character.
    Character,
    /// After a hash, which begins a set, or else a tag or a form to be dropped.
    Hash,
}

/// What a byte does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Opens,
    Closes,
    Tag,
    Blank,
    Comment,
    Other,
}

#[derive(Debug, Default)]
struct Cutter {
    within: Within,
}

impl Cutter {
    fn step(&mut self, byte: u8) -> Step {
        let was = std::mem::take(&mut self.within);
        match (was, byte) {
            (Within::Comment, b'\n') => return Step::Blank,
            (Within::Comment, _) => {
                self.within = Within::Comment;
                return Step::Comment;
            }
            (Within::Text, b'\\') => self.within = Within::TextEscape,
            (Within::Text, b'"') | (Within::Character, _) => (),
            (Within::Text | Within::TextEscape, _) => self.within = Within::Text,
            (Within::Hash, byte) if byte != b'{' => {
                self.plain(byte);
                return Step::Tag;
            }
            (Within::Hash | Within::Plain, _) => return self.plain(byte),
        }
        Step::Other
    }

    fn plain(&mut self, byte: u8) -> Step {
        match byte {
            b'{' | b'[' | b'(' => return Step::Opens,
            b'}' | b']' | b')' => return Step::Closes,
            b'"' => self.within = Within::Text,
            b'\\' => self.within = Within::Character,
            b'#' => self.within = Within::Hash,
            b';' => {
                self.within = Within::Comment;
                return Step::Comment;
            }
            b',' => return Step::Blank,
            byte if byte.is_ascii_whitespace() => return Step::Blank,
            _ => (),
        }
        Step::Other
    }
}

/// Cuts a text into the forms that stand in no collection but a vector or list around them all.
struct Forms<R> {
    input: R,
    line: usize,
    /// Where the vector around the events began, while there is one.
    vector: Option<usize>,
}

impl<R: BufRead> Forms<R> {
    fn new(input: R) -> Self {
        Forms { input, line: 1, vector: None }
    }

    fn byte(&mut self) -> Result<Option<u8>, Fault> {
        let buffer = self.input.fill_buf().map_err(|error| unreadable(self.line, &error))?;
        let Some(&byte) = buffer.first() else { return Ok(None) };
        self.input.consume(1);
        Ok(Some(byte))
    }

    fn next_form(&mut self) -> Result<Option<(usize, Vec<u8>)>, Fault> {
        let mut cutter = Cutter::default();
        loop {
            let Some(byte) = self.byte()? else {
                return match self.vector {
                    Some(line) => Err(faulty(line, "the vector that begins here never ends")),
                    None => Ok(None),
                };
            };
            let step = cutter.step(byte);
            match (step, byte) {
                (Step::Blank | Step::Comment, _) => (),
                (_, b'[' | b'(') if self.vector.is_none() => self.vector = Some(self.line),
                (_, b']' | b')') if self.vector.is_some() => self.vector = None,
                (_, b'{' | b'#') => return self.rest_of_form(cutter, byte).map(Some),
                _ => return Err(faulty(self.line, "here a map should begin, an event")),
            }
            self.line += usize::from(byte == b'\n');
        }
    }

    /// Reads on to the bracket that closes the form's first.
    fn rest_of_form(&mut self, mut cutter: Cutter, first: u8) -> Result<(usize, Vec<u8>), Fault> {
        let (start, mut text) = (self.line, vec![first]);
        let mut depth = usize::from(first == b'{');
        loop {
            let Some(byte) = self.byte()? else {
                return Err(faulty(start, "the event that begins here never ends"));
            };
            self.line += usize::from(byte == b'\n');
            text.push(byte);
            let step = cutter.step(byte);
            let opens = step == Step::Opens || (step == Step::Tag && b"([".contains(&byte));
            if opens {
                depth += 1;
            } else if step == Step::Closes {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Ok((start, text));
                }
            }
            if text.len() > LONGEST || depth > DEEPEST {
                let reason = format!("the event is longer than {LONGEST} bytes, or too deep");
                return Err(faulty(start, reason));
            }
        }
    }
}
