//! How the calls of each object are written in recorded histories, in all formats alike: a function
//! and a value, and a key where the object has parts. `docs/histories.md` is this for people.

use std::fmt::Debug;

use edn_format::{Value, emit_str};

use super::import::{Datum, Event, Import, NilReads, Process, Words};
use crate::object::{
    CasRegister, Channel, Kv, Mutex, PriorityQueue, Queue, Register, RwLock, Semaphore, Set, Stack,
    cas_register, channel, kv, mutex, pool, register, rw_lock, semaphore, set,
};

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

/// Both values of a compare-and-set.
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

    fn words(op: &Self::Op, ret: Option<&Self::Ret>) -> Words {
        match (op, ret) {
            (register::Op::Read, Some(register::Ret::Value(value))) => Words::of("read", value),
            (register::Op::Read, _) => Words::of("read", &Datum::Nil),
            (register::Op::Write(value), _) => Words::of("write", value),
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
            (Op::Cas { .. }, "cas") if event.value == Value::Boolean(false) => {
                Ok(Some(Ret::Swapped(false)))
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

    fn words(op: &Self::Op, ret: Option<&Self::Ret>) -> Words {
        use cas_register::{Op, Ret};
        match (op, ret) {
            (Op::Read, Some(Ret::Value(value))) => Words::of("read", value),
            (Op::Read, _) => Words::of("read", &Datum::Nil),
            (Op::Write(value), _) => Words::of("write", value),
            (Op::Cas { .. }, Some(Ret::Swapped(false))) => Words::refused("cas"),
            (Op::Cas { from, to }, _) => {
                let value = Value::Vector(vec![from.into(), to.into()]);
                Words { value, ..Words::of("cas", &Datum::Nil) }
            }
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
            (kv::Act::Cas { .. }, "cas") if event.value == Value::Boolean(false) => {
                Ok(Some(kv::Ret::Swapped(false)))
            }
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

    fn words(Self::Op { key, act }: &Self::Op, ret: Option<&Self::Ret>) -> Words {
        let text = |text: &Option<String>| text.clone().map_or(Value::Nil, Value::String);
        let (function, value) = match (act, ret) {
            (kv::Act::Get, Some(kv::Ret::Value(value))) => ("get", text(value)),
            (kv::Act::Get, _) => ("get", Value::Nil),
            (kv::Act::Put(value), _) => ("put", Value::String(value.clone())),
            (kv::Act::Append(value), _) => ("append", Value::String(value.clone())),
            (kv::Act::Delete, _) => ("delete", Value::Nil),
            (kv::Act::Cas { .. }, Some(kv::Ret::Swapped(false))) => {
                let key = Some(Value::String(key.clone()));
                return Words { key, ..Words::refused("cas") };
            }
            (kv::Act::Cas { from, to }, _) => ("cas", Value::Vector(vec![text(from), text(to)])),
        };
        Words { key: Some(Value::String(key.clone())), value, ..Words::of(function, &Datum::Nil) }
    }
}

/// What the functions of a pool are called.
const QUEUE: [&str; 2] = ["enqueue", "dequeue"];
const STACK: [&str; 2] = ["push", "pop"];
const PRIORITY_QUEUE: [&str; 2] = ["insert", "delete-min"];

fn pool_op([put, take]: [&str; 2], event: &Event) -> Result<pool::Op<Datum>, String> {
    match event.function.as_str() {
        function if function == put && event.value == Value::Nil => {
            Err(format!("a :{put} needs a value"))
        }
        function if function == put => Ok(pool::Op::Put((&event.value).into())),
        function if function == take => Ok(pool::Op::Take),
        _ => unknown_function(event, &format!(":{put} and :{take}")),
    }
}

/// A take returns the value, or `nil` if there was none.
fn pool_ret(
    names: [&str; 2],
    op: &pool::Op<Datum>,
    event: &Event,
) -> Result<Option<pool::Ret<Datum>>, String> {
    match op {
        pool::Op::Put(_) if event.function == names[0] => {
            if event.value != Value::Nil {
                echoes(op, event, pool_op(names, event)?)?;
            }
            Ok(Some(pool::Ret::Done))
        }
        pool::Op::Take if event.function == names[1] => {
            let value = Datum::from(&event.value);
            Ok(Some(pool::Ret::Taken(Some(value).filter(|value| *value != Datum::Nil))))
        }
        _ => mismatch(op, event),
    }
}

fn pool_words(
    [put, take]: [&'static str; 2],
    op: &pool::Op<Datum>,
    ret: Option<&pool::Ret<Datum>>,
) -> Words {
    match (op, ret) {
        (pool::Op::Put(value), _) => Words::of(put, value),
        (pool::Op::Take, Some(pool::Ret::Taken(Some(value)))) => Words::of(take, value),
        (pool::Op::Take, _) => Words::of(take, &Datum::Nil),
    }
}

impl Import for Queue<Datum> {
    fn op(event: &Event) -> Result<Self::Op, String> {
        pool_op(QUEUE, event)
    }

    fn ret(op: &Self::Op, event: &Event, _nil: NilReads) -> Result<Option<Self::Ret>, String> {
        pool_ret(QUEUE, op, event)
    }

    fn words(op: &Self::Op, ret: Option<&Self::Ret>) -> Words {
        pool_words(QUEUE, op, ret)
    }
}

impl Import for Stack<Datum> {
    fn op(event: &Event) -> Result<Self::Op, String> {
        pool_op(STACK, event)
    }

    fn ret(op: &Self::Op, event: &Event, _nil: NilReads) -> Result<Option<Self::Ret>, String> {
        pool_ret(STACK, op, event)
    }

    fn words(op: &Self::Op, ret: Option<&Self::Ret>) -> Words {
        pool_words(STACK, op, ret)
    }
}

impl Import for PriorityQueue<Datum> {
    fn op(event: &Event) -> Result<Self::Op, String> {
        pool_op(PRIORITY_QUEUE, event)
    }

    fn ret(op: &Self::Op, event: &Event, _nil: NilReads) -> Result<Option<Self::Ret>, String> {
        pool_ret(PRIORITY_QUEUE, op, event)
    }

    fn words(op: &Self::Op, ret: Option<&Self::Ret>) -> Words {
        pool_words(PRIORITY_QUEUE, op, ret)
    }
}

impl Import for Set<Datum> {
    fn op(event: &Event) -> Result<Self::Op, String> {
        let value = || Datum::from(&event.value);
        match event.function.as_str() {
            "add" => Ok(set::Op::Add(value())),
            "remove" => Ok(set::Op::Remove(value())),
            "contains" => Ok(set::Op::Has(value())),
            _ => unknown_function(event, ":add, :remove and :contains"),
        }
    }

    /// The answer is true or false; any other value leaves it unknown.
    fn ret(op: &Self::Op, event: &Event, _nil: NilReads) -> Result<Option<Self::Ret>, String> {
        let function = Self::words(op, None).function;
        match event.value {
            _ if event.function != function => mismatch(op, event),
            Value::Boolean(answer) => Ok(Some(set::Ret(answer))),
            Value::Nil => Ok(None),
            _ => echoes(op, event, Self::op(event)?).map(|()| None),
        }
    }

    fn words(op: &Self::Op, ret: Option<&Self::Ret>) -> Words {
        let (function, value) = match op {
            set::Op::Add(value) => ("add", value),
            set::Op::Remove(value) => ("remove", value),
            set::Op::Has(value) => ("contains", value),
        };
        match ret {
            Some(set::Ret(answer)) => {
                Words { value: Value::Boolean(*answer), ..Words::of(function, value) }
            }
            None => Words::of(function, value),
        }
    }
}

/// Who calls: the process, or whom the value names.
fn who(event: &Event) -> Result<u32, String> {
    match (&event.value, event.process) {
        (Value::Nil, Process::Client(process)) => Ok(process),
        (Value::Integer(who), _) => u32::try_from(*who).map_err(|_| NO_HOLDER.to_owned()),
        _ => Err(NO_HOLDER.to_owned()),
    }
}

const NO_HOLDER: &str = "who holds a lock is a number from 0 on, or the process if it is left out";

/// The call of the same name returns; true if it was done, and not refused.
fn is_done(words: &Words, op: &impl Debug, event: &Event) -> Result<bool, String> {
    match &event.value {
        _ if event.function != words.function => mismatch(op, event),
        Value::Boolean(false) => Ok(false),
        value if *value == Value::Nil || *value == words.value => Ok(true),
        value => {
            let [call, value] = [words.function, &emit_str(value)];
            Err(format!("a :{call} returns nothing, or false if it was refused, and not {value}"))
        }
    }
}

/// A call as it is written, if it was done or refused.
fn done_or_refused(words: Words, done: bool) -> Words {
    if done { words } else { Words::refused(words.function) }
}

impl Import for Mutex {
    fn op(event: &Event) -> Result<Self::Op, String> {
        match event.function.as_str() {
            "acquire" => who(event).map(mutex::Op::Lock),
            "release" => who(event).map(mutex::Op::Unlock),
            _ => unknown_function(event, ":acquire and :release"),
        }
    }

    fn ret(op: &Self::Op, event: &Event, _nil: NilReads) -> Result<Option<Self::Ret>, String> {
        let done = is_done(&Self::words(op, None), op, event)?;
        Ok(Some(if done { mutex::Ret::Done } else { mutex::Ret::Refused }))
    }

    fn words(op: &Self::Op, ret: Option<&Self::Ret>) -> Words {
        let (function, who) = match op {
            mutex::Op::Lock(who) => ("acquire", *who),
            mutex::Op::Unlock(who) => ("release", *who),
        };
        let words = Words::of(function, &Datum::Number(who.into()));
        done_or_refused(words, ret != Some(&mutex::Ret::Refused))
    }
}

impl Import for RwLock {
    fn op(event: &Event) -> Result<Self::Op, String> {
        match event.function.as_str() {
            "acquire-read" => who(event).map(rw_lock::Op::Read),
            "acquire-write" => who(event).map(rw_lock::Op::Write),
            "release" => who(event).map(rw_lock::Op::Leave),
            _ => unknown_function(event, ":acquire-read, :acquire-write and :release"),
        }
    }

    fn ret(op: &Self::Op, event: &Event, _nil: NilReads) -> Result<Option<Self::Ret>, String> {
        let done = is_done(&Self::words(op, None), op, event)?;
        Ok(Some(if done { rw_lock::Ret::Done } else { rw_lock::Ret::Refused }))
    }

    fn words(op: &Self::Op, ret: Option<&Self::Ret>) -> Words {
        let (function, who) = match op {
            rw_lock::Op::Read(who) => ("acquire-read", *who),
            rw_lock::Op::Write(who) => ("acquire-write", *who),
            rw_lock::Op::Leave(who) => ("release", *who),
        };
        let words = Words::of(function, &Datum::Number(who.into()));
        done_or_refused(words, ret != Some(&rw_lock::Ret::Refused))
    }
}

impl Import for Semaphore {
    fn op(event: &Event) -> Result<Self::Op, String> {
        match event.function.as_str() {
            _ if event.value != Value::Nil => {
                Err("a semaphore gives and takes one permit at a time, without a value".to_owned())
            }
            "acquire" => Ok(semaphore::Op::Acquire),
            "release" => Ok(semaphore::Op::Release),
            _ => unknown_function(event, ":acquire and :release"),
        }
    }

    fn ret(op: &Self::Op, event: &Event, _nil: NilReads) -> Result<Option<Self::Ret>, String> {
        let done = is_done(&Self::words(op, None), op, event)?;
        Ok(Some(if done { semaphore::Ret::Done } else { semaphore::Ret::Refused }))
    }

    fn words(op: &Self::Op, ret: Option<&Self::Ret>) -> Words {
        let function = match op {
            semaphore::Op::Acquire => "acquire",
            semaphore::Op::Release => "release",
        };
        let words = Words::of(function, &Datum::Nil);
        done_or_refused(words, ret != Some(&semaphore::Ret::Refused))
    }
}

/// What a channel answers when it is closed; so this is no item.
const CLOSED: &str = "closed";

fn says_closed(value: &Value) -> bool {
    matches!(value, Value::String(text) if text == CLOSED)
}

/// An answer of `false` says that there is no room, or no item, *now*.
impl Import for Channel<Datum> {
    fn op(event: &Event) -> Result<Self::Op, String> {
        match (event.function.as_str(), &event.value) {
            ("send", Value::Nil | Value::Boolean(false)) => {
                Err("a :send needs an item, and neither nil nor false is one".to_owned())
            }
            ("send", item) if says_closed(item) => {
                Err(format!("{CLOSED:?} is no item: it is what a closed channel answers"))
            }
            ("send", item) => Ok(channel::Op::Send(item.into())),
            ("receive" | "close", Value::Nil) => Ok(match event.function.as_str() {
                "receive" => channel::Op::Receive,
                _ => channel::Op::Close,
            }),
            (call @ ("receive" | "close"), _) => Err(format!("a :{call} has no value")),
            _ => unknown_function(event, ":send, :receive and :close"),
        }
    }

    fn ret(op: &Self::Op, event: &Event, _nil: NilReads) -> Result<Option<Self::Ret>, String> {
        use channel::{Op, Ret};
        let value = &event.value;
        match op {
            _ if event.function != Self::words(op, None).function => mismatch(op, event),
            Op::Send(_) if says_closed(value) => Ok(Some(Ret::Closed)),
            Op::Send(_) if *value == Value::Boolean(false) => Ok(Some(Ret::Full)),
            Op::Send(_) if *value == Value::Nil => Ok(Some(Ret::Done)),
            Op::Send(_) => echoes(op, event, Self::op(event)?).map(|()| Some(Ret::Done)),
            Op::Receive if *value == Value::Nil => Ok(None),
            Op::Receive if says_closed(value) => Ok(Some(Ret::End)),
            Op::Receive if *value == Value::Boolean(false) => Ok(Some(Ret::Empty)),
            Op::Receive => Ok(Some(Ret::Item(value.into()))),
            Op::Close if *value == Value::Nil => Ok(Some(Ret::Done)),
            Op::Close => Err("a :close returns nothing".to_owned()),
        }
    }

    fn words(op: &Self::Op, ret: Option<&Self::Ret>) -> Words {
        use channel::{Op, Ret};
        let (function, value) = match op {
            Op::Send(item) => ("send", item),
            Op::Receive => ("receive", &Datum::Nil),
            Op::Close => ("close", &Datum::Nil),
        };
        let words = Words::of(function, value);
        match ret {
            Some(Ret::Full | Ret::Empty) => Words { value: Value::Boolean(false), ..words },
            Some(Ret::Closed | Ret::End) => {
                Words { value: Value::String(CLOSED.to_owned()), ..words }
            }
            Some(Ret::Item(item)) => Words::of(function, item),
            Some(Ret::Done) | None => words,
        }
    }
}
