//! Reading values back from how Rust shows them (`{:?}`), so that drawings can be brief, states can
//! be compared part by part, and other tools get structure rather than text.

use std::fmt;

/// A value, as far as its text shows what it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A word: a number, a name, a string with its quotes, a node or a call.
    Word(String),
    /// A struct, by its fields.
    Struct(String, Vec<(String, Value)>),
    /// A tuple or a variant with values; the name is empty for a plain tuple.
    Tuple(String, Vec<Value>),
    /// `[..]`
    List(Vec<Value>),
    /// `{..}` with keys.
    Map(Vec<(Value, Value)>),
    /// `{..}` without keys.
    Set(Vec<Value>),
}

/// Reads a value; a text that is none of Rust's is a word.
pub fn parse(text: &str) -> Value {
    let mut reader = Reader { rest: text.trim() };
    match reader.value() {
        Some(value) if reader.rest.trim().is_empty() => value,
        _ => Value::Word(text.to_owned()),
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, token: char) -> bool {
        self.skip();
        let eaten = self.rest.strip_prefix(token);
        self.rest = eaten.unwrap_or(self.rest);
        eaten.is_some()
    }

    /// A word ends where something else begins; a quoted one at its closing quote.
    fn word(&mut self) -> &'a str {
        self.skip();
        let end = if self.rest.starts_with('"') {
            let mut escaped = false;
            let quote = self.rest.char_indices().skip(1).find(|(_, c)| {
                let ends = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                ends
            });
            quote.map_or(self.rest.len(), |(at, _)| at + 1)
        } else {
            self.rest.find(|c: char| " ,:()[]{}\n".contains(c)).unwrap_or(self.rest.len())
        };
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn value(&mut self) -> Option<Value> {
        self.skip();
        if self.eat('[') {
            return Some(Value::List(self.many(']', Self::value)?));
        }
        if self.eat('{') {
            return self.braces();
        }
        let name = self.word().to_owned();
        if self.rest.starts_with('(') {
            self.eat('(');
            return Some(Value::Tuple(name, self.many(')', Self::value)?));
        }
        if !name.is_empty() && self.rest.starts_with(" {") {
            self.eat('{');
            return Some(Value::Struct(name, self.many('}', Self::field)?));
        }
        (!name.is_empty()).then_some(Value::Word(name))
    }

    fn field(&mut self) -> Option<(String, Value)> {
        let name = self.word().to_owned();
        self.eat(':').then(|| self.value()).flatten().map(|value| (name, value))
    }

    /// A map if its first entry has a key, otherwise a set.
    fn braces(&mut self) -> Option<Value> {
        let entry = |reader: &mut Self| {
            let key = reader.value()?;
            let value = if reader.eat(':') { Some(reader.value()?) } else { None };
            Some((key, value))
        };
        let entries = self.many('}', entry)?;
        if entries.iter().any(|(_, value)| value.is_some()) {
            let pairs = entries.into_iter().map(|(key, value)| Some((key, value?)));
            return Some(Value::Map(pairs.collect::<Option<_>>()?));
        }
        Some(Value::Set(entries.into_iter().map(|(key, _)| key).collect()))
    }

    fn many<T>(&mut self, close: char, one: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut items = Vec::new();
        while !self.eat(close) {
            items.push(one(self)?);
            if !self.eat(',') && !self.rest.trim_start().starts_with(close) {
                return None;
            }
        }
        Some(items)
    }
}

/// Without the names of structs and fields.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, values: &mut dyn Iterator<Item = String>| {
            f.write_str(&values.collect::<Vec<_>>().join(", "))
        };
        match self {
            Value::Word(word) => f.write_str(word),
            Value::Struct(_, fields) => {
                f.write_str("(")?;
                list(f, &mut fields.iter().map(|(_, value)| value.to_string()))?;
                f.write_str(")")
            }
            Value::Tuple(name, values) => {
                write!(f, "{name}(")?;
                list(f, &mut values.iter().map(Value::to_string))?;
                f.write_str(")")
            }
            Value::List(values) => {
                f.write_str("[")?;
                list(f, &mut values.iter().map(Value::to_string))?;
                f.write_str("]")
            }
            Value::Map(pairs) => {
                f.write_str("{")?;
                list(f, &mut pairs.iter().map(|(key, value)| format!("{key}: {value}")))?;
                f.write_str("}")
            }
            Value::Set(values) => {
                f.write_str("{")?;
                list(f, &mut values.iter().map(Value::to_string))?;
                f.write_str("}")
            }
        }
    }
}

/// A value's text without the names of structs and fields.
pub fn brief(text: &str) -> String {
    match parse(text) {
        // A message that is one struct keeps its name.
        Value::Struct(name, fields) => {
            Value::Tuple(name, fields.into_iter().map(|(_, value)| value).collect()).to_string()
        }
        value => value.to_string(),
    }
}

/// The parts in which two values differ: where, and what was there before and after.
pub fn difference(before: &Value, after: &Value) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    differ("", before, after, &mut found);
    found
}

fn differ(at: &str, old: &Value, new: &Value, found: &mut Vec<(String, String, String)>) {
    if old == new {
        return;
    }
    let inner = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    match (old, new) {
        (Value::Struct(a, old), Value::Struct(b, new)) if a == b && old.len() == new.len() => {
            for ((name, old), (_, new)) in old.iter().zip(new) {
                differ(&inner(name), old, new, found);
            }
        }
        (Value::Tuple(a, old), Value::Tuple(b, new))
            if a == b && old.len() == new.len() && !a.is_empty() =>
        {
            for (n, (old, new)) in old.iter().zip(new).enumerate() {
                differ(&inner(&format!("{a}.{n}")), old, new, found);
            }
        }
        (Value::Map(old), Value::Map(new)) => {
            let lookup = |map: &[(Value, Value)], key: &Value| {
                map.iter().find(|(k, _)| k == key).map(|(_, value)| value.clone())
            };
            let nothing = Value::Word("-".to_owned());
            let fresh = new.iter().filter(|(key, _)| lookup(old, key).is_none());
            for (key, _) in old.iter().chain(fresh) {
                let (one, other) = (lookup(old, key), lookup(new, key));
                let (one, other) =
                    (one.unwrap_or(nothing.clone()), other.unwrap_or(nothing.clone()));
                differ(&inner(&format!("[{key}]")), &one, &other, found);
            }
        }
        _ => found.push((at.to_owned(), old.to_string(), new.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rust_shows_is_read_back() {
        let text = "Node { stamp: Stamp { number: 1, writer: 2 }, open: {p0#1: Some(3)}, \
                    heard: {n1, n2}, log: [(1, true), (2, false)], name: \"a, (b\", none: None }";
        let Value::Struct(name, fields) = parse(text) else { panic!("{:?}", parse(text)) };
        assert_eq!((name.as_str(), fields.len()), ("Node", 6));
        assert!(matches!(&fields[1].1, Value::Map(pairs) if pairs.len() == 1));
        assert!(matches!(&fields[2].1, Value::Set(values) if values.len() == 2));
        assert_eq!(fields[4].1, Value::Word("\"a, (b\"".to_owned()));
        assert_eq!(
            brief(text),
            "Node((1, 2), {p0#1: Some(3)}, {n1, n2}, [(1, true), (2, false)], \"a, (b\", None)"
        );
    }

    #[test]
    fn what_is_none_of_rusts_stays_as_it_is() {
        for text in ["", "[0, inf)", "a b c", "(1, 2", "{a: 1, b}"] {
            assert_eq!(parse(text), Value::Word(text.to_owned()));
        }
    }

    #[test]
    fn only_what_differs_is_told() {
        let (old, new) = (
            parse("N { a: 1, b: {1: 2, 3: 4}, c: P { d: 5 } }"),
            parse("N { a: 1, b: {1: 2, 5: 6}, c: P { d: 7 } }"),
        );
        let told: Vec<_> = difference(&old, &new)
            .into_iter()
            .map(|(at, old, new)| format!("{at}: {old} -> {new}"))
            .collect();
        assert_eq!(told, ["b.[3]: 4 -> -", "b.[5]: - -> 6", "c.d: 5 -> 7"]);
    }
}
