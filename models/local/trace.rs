//! What happened in one execution, step by step, in words.
//!
//! Loom runs all threads of a model on one real thread, so the record is a thread-local list. It is
//! cleared when an execution begins and read when one fails. Atomics have no names, but they are
//! made somewhere: `next: AtomicUsize::new(0)` makes `next`, and if several are made at one place
//! they are `next[0]`, `next[1]` and so on, in the order in which they were made.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};
use std::panic::Location;
use std::path::Path;

use loom::sync::atomic::Ordering;

use super::turns;

/// A value, as it is shown; the highest that there is stands for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    Flag(bool),
    Number(u64),
}

impl Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shown::Flag(flag) => write!(f, "{flag}"),
            Shown::Number(u64::MAX) => write!(f, "MAX"),
            Shown::Number(number) => write!(f, "{number}"),
        }
    }
}

/// What a thread does to an object, or by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Reads(Shown, Ordering),
    Writes(Shown, Ordering),
    Swaps(Shown, Shown, Ordering),
    FindsInstead(Shown, Shown, Ordering),
    Fences(Ordering),
    Looks,
    Changes,
    Locks,
    Unlocks,
    Waits,
    Wakes,
    NotifiesOne,
    NotifiesAll,
    Sleeps,
    WakesUp(usize),
    Says(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Event {
    thread: usize,
    object: Option<Object>,
    what: What,
}

/// What was made in this execution: its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object(usize);

#[derive(Default)]
struct Record {
    events: Vec<Event>,
    objects: Vec<&'static Location<'static>>,
    threads: Vec<&'static str>,
    panicking: BTreeSet<usize>,
}

thread_local! {
    static RECORD: RefCell<Record> = RefCell::default();
    /// Marks are kept from one execution to the next.
    static MARKS: RefCell<BTreeSet<&'static str>> = RefCell::default();
    static ABANDONED: Cell<bool> = const { Cell::new(false) };
    static BROKEN: Cell<&'static str> = const { Cell::new("") };
}

loom::thread_local! {
    static ME: Cell<usize> = Cell::new(0);
}

/// An exploration begins, in which this mistake is made, or none.
pub fn explore(variant: &'static str) {
    BROKEN.set(variant);
    MARKS.take();
}

/// An execution begins.
pub fn begin() {
    ABANDONED.set(false);
    turns::begin();
    RECORD.with_borrow_mut(|record| {
        record.events.clear();
        record.objects.clear();
        record.threads.clear();
        record.threads.push("main");
        record.panicking.clear();
    });
}

/// Is this mistake to be made?
pub fn is_broken(variant: &str) -> bool {
    BROKEN.get() == variant
}

/// An interesting case was reached.
pub fn mark(name: &'static str) {
    MARKS.with_borrow_mut(|marks| marks.insert(name));
}

/// The cases that were reached.
pub fn marks() -> BTreeSet<&'static str> {
    MARKS.with_borrow(Clone::clone)
}

/// The execution has failed: nothing more is to be asked or told.
pub fn abandon() {
    ABANDONED.set(true);
}

/// Has the execution failed?
pub fn is_abandoned() -> bool {
    ABANDONED.get()
}

/// The number of the thread that runs.
pub fn me() -> usize {
    if is_abandoned() { 0 } else { ME.with(Cell::get) }
}

/// Makes room for a thread of this name.
pub fn new_thread(name: &'static str) -> usize {
    RECORD.with_borrow_mut(|record| {
        record.threads.push(name);
        record.threads.len() - 1
    })
}

/// The thread that runs has this number.
pub fn i_am(number: usize) {
    ME.with(|me| me.set(number));
}

/// The thread that runs is to be taken for one that panics, or no longer.
pub fn panics(now: bool) {
    let me = me();
    RECORD.with_borrow_mut(|record| match now {
        true => record.panicking.insert(me),
        false => record.panicking.remove(&me),
    });
}

/// Is the thread that runs to be taken for one that panics?
pub fn is_panicking() -> bool {
    let me = me();
    RECORD.with_borrow(|record| record.panicking.contains(&me))
}

/// Writes down what the thread does.
pub fn tell(object: Option<Object>, what: What) {
    if is_abandoned() {
        return;
    }
    let event = Event { thread: me(), object, what };
    RECORD.with_borrow_mut(|record| record.events.push(event));
}

/// Writes down what the thread says.
pub fn say(words: impl Into<String>) {
    tell(None, What::Says(words.into()));
}

impl Object {
    /// Something was made here.
    pub fn new(place: &'static Location<'static>) -> Object {
        RECORD.with_borrow_mut(|record| {
            record.objects.push(place);
            Object(record.objects.len() - 1)
        })
    }

    /// Writes down what the thread does to it.
    pub fn tell(self, what: What) {
        tell(Some(self), what);
    }
}

impl Default for Object {
    #[track_caller]
    fn default() -> Self {
        Object::new(Location::caller())
    }
}

/// The execution so far, one line a step; a look that finds what it found before is left out.
pub fn lines() -> Vec<String> {
    RECORD.with_borrow(|record| {
        let names = record.names();
        let mut last: BTreeMap<usize, &Event> = BTreeMap::new();
        let mut lines = Vec::new();
        for event in &record.events {
            if last.insert(event.thread, event) == Some(event) {
                continue;
            }
            let object = event.object.map_or("", |object| &names[object.0]);
            lines.push(record.line(event, object));
        }
        lines
    })
}

impl Record {
    fn line(&self, event: &Event, object: &str) -> String {
        let who = self.threads[event.thread];
        let order = |order: &Ordering| format!("{order:?}").to_lowercase();
        let what = match &event.what {
            What::Reads(value, o) => format!("reads {object}: {value} ({})", order(o)),
            What::Writes(value, o) => format!("writes {object} = {value} ({})", order(o)),
            What::Swaps(old, new, o) => format!("swaps {object}: {old} -> {new} ({})", order(o)),
            What::FindsInstead(hoped, found, _) => {
                format!("finds {object} = {found} instead of {hoped}")
            }
            What::Fences(o) => format!("fences ({})", order(o)),
            What::Looks => format!("looks at {object}"),
            What::Changes => format!("changes {object}"),
            What::Locks => format!("locks {object}"),
            What::Unlocks => format!("unlocks {object}"),
            What::Waits => format!("waits for {object}"),
            What::Wakes => format!("was woken by {object}"),
            What::NotifiesOne => format!("notifies one that waits for {object}"),
            What::NotifiesAll => format!("notifies all that wait for {object}"),
            What::Sleeps => "sleeps".to_owned(),
            What::WakesUp(other) => format!("wakes {}", self.threads[*other]),
            What::Says(words) => words.clone(),
        };
        format!("{who} {what}")
    }

    /// The objects' names.
    fn names(&self) -> Vec<String> {
        let mut files = BTreeMap::new();
        let plain: Vec<String> = self.objects.iter().map(|place| name(place, &mut files)).collect();
        let nth = |n: usize| plain[..n].iter().filter(|other| **other == plain[n]).count();
        let alone = |n: usize| plain.iter().filter(|other| **other == plain[n]).count() == 1;
        let name = |n: usize| match alone(n) {
            true => plain[n].clone(),
            false => format!("{}[{}]", plain[n], nth(n)),
        };
        (0..plain.len()).map(name).collect()
    }
}

/// The field or variable that is made at a place: the last `name:` or `let name =` before it.
fn name(place: &Location<'static>, files: &mut BTreeMap<String, String>) -> String {
    let text = files.entry(place.file().to_owned()).or_insert_with(|| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(place.file());
        std::fs::read_to_string(&file).unwrap_or_default()
    });
    let lines: Vec<&str> = text.lines().take(place.line() as usize).collect();
    let Some((last, before)) = lines.split_last() else { return "it".to_owned() };
    let here = &last[..last.len().min(place.column() as usize - 1)];
    let found = named(here).or_else(|| before.iter().rev().take(3).find_map(|line| named(line)));
    found.unwrap_or_else(|| "it".to_owned())
}

fn named(text: &str) -> Option<String> {
    let field = text.rmatch_indices(':').map(|(at, _)| at).find(|at| {
        let around = (text[..*at].ends_with(':'), text[at + 1..].starts_with(':'));
        around == (false, false)
    });
    let end = field.or_else(|| text.starts_with_let().and_then(|()| text.find(" =")))?;
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let start = text[..end].rfind(|c| !is_part(c)).map_or(0, |at| at + 1);
    (start < end).then(|| text[start..end].to_owned())
}

trait StartsWithLet {
    fn starts_with_let(&self) -> Option<()>;
}

impl StartsWithLet for str {
    fn starts_with_let(&self) -> Option<()> {
        self.trim_start().starts_with("let ").then_some(())
    }
}

#[test]
fn objects_have_the_names_of_what_they_are_made_for() {
    let named = |text| named(text).unwrap_or_default();
    assert_eq!(named("        TestAndSet { locked: "), "locked");
    assert_eq!(named("let wants = [(); 2].map(|()| "), "wants");
    assert_eq!(named("Sleeper { thread: thread::current(), woken: "), "woken");
    assert_eq!(named("    busy: (0..=seats).map(|_| "), "busy");
    assert_eq!(named("thread::current()"), "");
}
