//! Explores a program under loom, with and without the mistakes that it is known for.
//!
//! A [`Case`] is one small program. It is explored once as it should be, within a stated bound that
//! finishes, and must hold and reach its marks; then once for each broken variant, within the same
//! bound, and must break the property that the variant is known to break. Variants are explored
//! with no preemption first, then with one, and so on (Musuvathi and Qadeer, "Iterative Context
//! Bounding", PLDI 2007), so that the trace that is found has as few of them as can be.
//!
//! What comes out is text, which stands in `models/local/*.txt`; with `UPDATE=1` in the environment
//! the files are rewritten.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::{page, trace};

/// What loom itself finds out.
pub const NO_RACE: &str = "no data race";
/// The same.
pub const NO_HANG: &str = "nobody waits for ever";

/// How many steps an execution may take; one that takes more is taken to spin for ever.
const BRANCHES_MAX: usize = 1_000;
/// With how many preemptions a broken variant is explored at most, if its case has no bound.
const PREEMPTIONS_MAX: usize = 4;

/// A small program, and what is known of it.
pub struct Case {
    primitive: &'static str,
    about: &'static str,
    program: fn(),
    preemptions: Option<usize>,
    marks: &'static [&'static str],
    variants: Vec<Variant>,
}

struct Variant {
    name: &'static str,
    breaks: &'static str,
    /// Loom reports it, although it is correct.
    false_alarm: bool,
}

/// A program of some threads that use a primitive.
pub fn case(primitive: &'static str, about: &'static str, program: fn()) -> Case {
    Case { primitive, about, program, preemptions: None, marks: &[], variants: Vec::new() }
}

impl Case {
    /// Explores only executions with at most so many preemptions.
    pub fn preemptions(mut self, most: usize) -> Self {
        self.preemptions = Some(most);
        self
    }

    /// These cases must be reached, or that it holds says nothing.
    pub fn reaches(mut self, marks: &'static [&'static str]) -> Self {
        self.marks = marks;
        self
    }

    /// With this mistake, this property breaks.
    pub fn breaks(mut self, name: &'static str, breaks: &'static str) -> Self {
        self.variants.push(Variant { name, breaks, false_alarm: false });
        self
    }

    /// This variant is correct, and loom says that this property breaks.
    pub fn false_alarm(mut self, name: &'static str, breaks: &'static str) -> Self {
        self.variants.push(Variant { name, breaks, false_alarm: true });
        self
    }
}

/// How an exploration ends.
#[derive(Debug)]
enum Ending {
    Holds { executions: usize },
    Breaks { property: &'static str, execution: usize, lines: Vec<String> },
}

/// What a program panics with when it breaks a property.
struct Broken(&'static str);

thread_local! {
    static EXECUTIONS: Cell<usize> = const { Cell::new(0) };
    /// Of the current exploration, as text; a history that was judged is not judged again.
    static HISTORIES: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
    /// The history that was judged last, as `seedbed judge` reads it.
    static JUDGED: RefCell<Option<String>> = const { RefCell::new(None) };
    /// The histories that are kept, by the names of what they are of.
    static KEPT: RefCell<BTreeMap<&'static str, String>> = const { RefCell::new(BTreeMap::new()) };
}

/// Is this history, as text, one that was not seen before?
pub fn is_new_history(history: String) -> bool {
    HISTORIES.with_borrow_mut(|histories| histories.insert(history))
}

/// This history is judged now.
pub fn judges(history: String) {
    JUDGED.set(Some(history));
}

/// Ends the execution: this property is broken.
pub fn breaks(property: &'static str) -> ! {
    trace::abandon();
    panic_any(Broken(property));
}

/// A property that must be true here.
pub fn always(property: &'static str, holds: bool) {
    if !holds && !trace::is_abandoned() {
        breaks(property);
    }
}

/// A thread of the program.
pub struct Thread<T>(loom::thread::JoinHandle<T>);

/// Starts a thread of the program.
pub fn spawn<T: 'static>(name: &'static str, run: impl FnOnce() -> T + 'static) -> Thread<T> {
    let number = trace::new_thread(name);
    Thread(loom::thread::spawn(move || {
        trace::i_am(number);
        run()
    }))
}

impl<T> Thread<T> {
    /// Waits for its end.
    pub fn join(self) -> T {
        self.0.join().expect("a thread that fails ends the execution")
    }
}

/// Starts a thread for each name, and waits for all of them.
pub fn together<T: 'static>(names: &[&'static str], run: fn(&T), shared: T) -> Arc<T> {
    let shared = Arc::new(shared);
    let start = |name: &&'static str| {
        let shared = Arc::clone(&shared);
        spawn(name, move || run(&shared))
    };
    let threads: Vec<_> = names.iter().map(start).collect();
    threads.into_iter().for_each(Thread::join);
    shared
}

fn explore(program: fn(), variant: &'static str, preemptions: Option<usize>) -> Ending {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = BRANCHES_MAX;
    builder.preemption_bound = preemptions;
    trace::explore(variant);
    EXECUTIONS.set(0);
    HISTORIES.take();
    JUDGED.take();
    let run = move || {
        EXECUTIONS.set(EXECUTIONS.get() + 1);
        trace::begin();
        program();
    };
    let ended = catch_unwind(AssertUnwindSafe(|| builder.check(run)));
    let executions = EXECUTIONS.get();
    match ended {
        Ok(()) => Ending::Holds { executions },
        Err(panic) => {
            let property = property_of(panic.as_ref());
            Ending::Breaks { property, execution: executions, lines: trace::lines() }
        }
    }
}

/// Runs every execution of a program that can't fail; tells how many there are.
pub fn visit_all(preemptions: Option<usize>, program: impl Fn() + Send + Sync + 'static) -> usize {
    trace::explore("");
    EXECUTIONS.set(0);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.check(move || {
        EXECUTIONS.set(EXECUTIONS.get() + 1);
        trace::begin();
        program();
    });
    EXECUTIONS.get()
}

/// What is broken, by what was panicked with.
fn property_of(panic: &(dyn std::any::Any + Send)) -> &'static str {
    if let Some(Broken(property)) = panic.downcast_ref() {
        return property;
    }
    let words = panic.downcast_ref::<String>().map(String::as_str);
    let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
    let is = |part: &str| words.contains(part);
    if is("Causality violation") || is("writing to cell") || is("reading from cell") {
        NO_RACE
    } else if is("deadlock; threads") || is("maximum number of branches") {
        NO_HANG
    } else {
        panic!("loom ended with an unknown complaint: {words}")
    }
}

/// Explores a broken variant with as few preemptions as break it.
fn explore_variant(case: &Case, variant: &Variant) -> (Ending, usize) {
    let most = case.preemptions.unwrap_or(PREEMPTIONS_MAX);
    let mut ending = explore(case.program, variant.name, Some(0));
    for preemptions in 1..=most {
        if matches!(ending, Ending::Breaks { .. }) {
            return (ending, preemptions - 1);
        }
        ending = explore(case.program, variant.name, Some(preemptions));
    }
    (ending, most)
}

/// Explores the case and its variants, and tells what was found, and what should not have been.
fn tell(case: &Case, wrong: &mut Vec<String>) -> String {
    let mut text = format!("# {}\nexplore {}\n----\n", case.about, case.primitive);
    let ending = explore(case.program, "", case.preemptions);
    let bound = match case.preemptions {
        None => "all there are".to_owned(),
        Some(1) => "all with at most 1 preemption".to_owned(),
        Some(most) => format!("all with at most {most} preemptions"),
    };
    match ending {
        Ending::Holds { executions } => {
            let s = if executions == 1 { "" } else { "s" };
            let _ = writeln!(text, "holds: {executions} execution{s}, {bound}");
        }
        Ending::Breaks { .. } => {
            wrong.push(format!("{} is broken: {}\n{ending:#?}", case.primitive, case.about));
        }
    }
    let histories = HISTORIES.take().len();
    if histories > 0 {
        let _ = writeln!(text, "judged: {histories} histories");
    }
    keep_history(case.primitive);
    let reached = trace::marks();
    for mark in case.marks.iter().filter(|mark| !reached.contains(*mark)) {
        wrong.push(format!("{}: never reached {mark:?}: {}", case.primitive, case.about));
    }
    if !case.marks.is_empty() {
        let _ = writeln!(text, "reached: {}", case.marks.join(", "));
    }
    for variant in &case.variants {
        tell_variant(case, variant, &mut text, wrong);
    }
    text
}

fn tell_variant(case: &Case, variant: &Variant, text: &mut String, wrong: &mut Vec<String>) {
    let (ending, preemptions) = explore_variant(case, variant);
    let Ending::Breaks { property, execution, lines } = ending else {
        wrong.push(format!("{} was not found in: {}: {ending:?}", variant.name, case.about));
        return;
    };
    if property != variant.breaks {
        wrong.push(format!("{} breaks {property:?}: {lines:#?}", variant.name));
    }
    keep_history(variant.name);
    let verb = if variant.false_alarm { "seems to break" } else { "breaks" };
    let _ = writeln!(
        text,
        "\nexplore {}\n----\n{verb} {property:?} in {} steps; preemptions: {preemptions}; \
         execution: {execution}",
        variant.name,
        lines.len()
    );
    for line in lines {
        let _ = writeln!(text, "  {line}");
    }
}

/// Keeps the history that was judged last, if there is one, for the judges' own tests; of several
/// of one name the last.
fn keep_history(name: &'static str) {
    if let Some(history) = JUDGED.take() {
        KEPT.with_borrow_mut(|kept| kept.insert(name, history));
    }
}

/// Explores cases, and compares what was found with what stands in the file of that name.
///
/// # Panics
/// If something else was found: this is for tests.
pub fn test(file: &str, cases: &[Case]) {
    let mut wrong = Vec::new();
    let told: Vec<String> = cases.iter().map(|case| tell(case, &mut wrong)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    compare(file, &told.join("\n"));
    for (name, history) in KEPT.take() {
        compare(&format!("../histories/local/{}.jsonl", name.replace('/', ".")), &history);
    }
}

/// Compares a text with a file in `models/local`; with `UPDATE=1` the file is rewritten, and the
/// page with it, since the page is made of these files and no test knows which is written last.
///
/// # Panics
/// If they differ.
pub fn compare(file: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/local").join(file);
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if expected == found {
        return;
    }
    if updates() {
        let _alone = alone();
        std::fs::write(&path, found).expect("the file can be written");
        return page::rewrite();
    }
    let (mut old, mut new) = (expected.lines(), found.lines());
    let mut line = 1;
    let (old, new) = loop {
        match (old.next(), new.next()) {
            (old, new) if old != new => break (old, new),
            _ => line += 1,
        }
    };
    let (old, new) = (old.unwrap_or("the end"), new.unwrap_or("the end"));
    panic!("{}:{line}:\nexpected: {old}\nfound:    {new}\nUPDATE=1 rewrites it", path.display());
}

/// Are files to be rewritten?
pub fn updates() -> bool {
    std::env::var_os("UPDATE").is_some()
}

/// Nobody else rewrites a file while this is held.
pub fn alone() -> std::sync::MutexGuard<'static, ()> {
    static REWRITING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    REWRITING.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Counts who is inside, and breaks a property if too many are.
pub struct Inside {
    inside: crate::sync::AtomicUsize,
    most: usize,
    /// The largest number that was ever inside, in this execution; loom does not see it.
    seen: AtomicUsize,
}

impl Inside {
    /// At most so many may be inside.
    pub fn at_most(most: usize) -> Self {
        Inside { inside: crate::sync::AtomicUsize::new(0), most, seen: AtomicUsize::new(0) }
    }

    /// Somebody is inside while this runs.
    pub fn visit<R>(&self, property: &'static str, run: impl FnOnce() -> R) -> R {
        let others = self.inside.fetch_add(1, crate::sync::Ordering::Relaxed);
        self.seen.fetch_max(others + 1, Relaxed);
        always(property, others < self.most);
        let result = run();
        self.inside.fetch_sub(1, crate::sync::Ordering::Relaxed);
        result
    }

    /// How many were inside at once.
    pub fn seen(&self) -> usize {
        self.seen.load(Relaxed)
    }
}
