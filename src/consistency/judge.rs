//! Judging a recorded history: all of `seedbed judge` but the command line.
//!
//! Whatever a search says is not taken on trust: a witness is confirmed by the second checker
//! before a model is said to hold.

use std::fmt::{self, Debug, Display};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;
use thiserror::Error;

use super::linearizable;
use super::memory::Given;
use super::outputs::{OutputError, Outputs, Shown};
use super::profile::{Known, Profile};
use super::reason;
use super::staleness::{Amount, MEASURES, Measure};
use super::{Calls, Core, Model, Ruling, Unknown, Verdict, models, witness};
use crate::history::import::{Datum, Format, Import, ImportError, read_file};
use crate::history::{Call, History};
use crate::object::{
    CasRegister, Channel, Kv, Mutex, Object, PriorityQueue, Queue, Register, RwLock, Semaphore,
    Set, Stack,
};

/// The objects that can be asked for; two of them with a number from 1 on.
pub const OBJECTS: [&str; 11] = [
    "register",
    "cas-register",
    "kv",
    "queue",
    "stack",
    "set",
    "priority-queue",
    "mutex",
    "rw-lock",
    "semaphore:PERMITS",
    "channel:ROOM",
];

/// The steps that a judge makes if nobody says otherwise.
pub const BUDGET: u64 = 20_000_000;

/// What was found about one history.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// The file.
    pub file: PathBuf,
    /// The object that it was judged as.
    pub object: String,
    /// How many calls the history has; failed ones don't count.
    pub operations: usize,
    /// How many processes made them.
    pub processes: usize,
    /// What was found for each model.
    pub models: Vec<Finding>,
    /// How stale reads are.
    pub numbers: Vec<Number>,
    /// The strongest of them that hold, and why not more; told if there are several.
    pub profile: Option<Profile>,
}

/// How stale the reads of one history are, by one measure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Number {
    /// The measure.
    pub measure: String,
    /// The number, if it is known and there is one.
    pub number: Option<u64>,
    /// `holds` if it is known, `violated` if none is enough, `unknown` or `not-applicable`.
    pub verdict: Answer,
    /// So much is proved to be needed.
    pub at_least: Option<u64>,
    /// So much is proved to be enough.
    pub at_most: Option<u64>,
    /// Why, in plain words.
    pub explanation: String,
    /// The calls that need so much by themselves.
    pub core: Vec<CoreCall>,
    /// How long it took, without reading the file.
    pub seconds: f64,
}

/// What was found about one history and one model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The model.
    pub model: String,
    /// `holds`, `violated`, `unknown` or `not-applicable`.
    pub verdict: Answer,
    /// How it was found.
    pub algorithm: String,
    /// Why, in plain words; step by step in lines.
    pub explanation: String,
    /// The calls that contradict the model; empty unless it is violated.
    pub core: Vec<CoreCall>,
    /// How long it took, without reading the file.
    pub seconds: f64,
}

/// The answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The model holds.
    Holds,
    /// It is violated.
    Violated,
    /// The budget ran out.
    Unknown,
    /// The history does not provide what the model needs.
    NotApplicable,
}

/// A call of a core, to be read by people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CoreCall {
    /// Who called.
    pub process: u32,
    /// What.
    pub op: String,
    /// What came back; nothing if that is unknown, or doesn't matter.
    pub ret: Option<String>,
    /// The line of the call.
    pub line: Option<usize>,
    /// The line of its return.
    pub return_line: Option<usize>,
    /// True if it contradicts nothing, but can't be left out of the argument either: whenever it
    /// took effect, if it did, the others contradict each other.
    pub free: bool,
}

/// Why there is no judgement.
#[derive(Debug, Error)]
pub enum JudgeError {
    /// The file is no history.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// A file can't be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// Nobody knows this object.
    #[error("there is no object {0:?}; there are {1}")]
    UnknownObject(String, String),
    /// Nobody knows this model.
    #[error("there is no model {0:?}; there are {1}")]
    UnknownModel(String, String),
    /// Nobody knows this format.
    #[error("there is no format {0:?}; there are {1}")]
    UnknownFormat(String, String),
    /// The two checkers disagree: a defect of this program, not of the history.
    #[error("the witness that {model} holds is refuted by the second checker: {reason}")]
    Refuted {
        /// The model.
        model: String,
        /// What is wrong with the witness.
        reason: String,
    },
}

/// Finds a format by its name.
pub fn format_named(name: &str) -> Result<Format, JudgeError> {
    let found = Format::ALL.iter().find(|(known, _)| *known == name);
    found.map(|(_, format)| *format).ok_or_else(|| {
        JudgeError::UnknownFormat(name.to_owned(), listed(Format::ALL.iter().map(|(name, _)| name)))
    })
}

/// Judges a recorded history. A model `all` means all that are built.
pub fn judge_file(
    file: &Path,
    object: &str,
    models: &[&str],
    format: Option<Format>,
    budget: u64,
) -> Result<Judgement, JudgeError> {
    let beside = (&Given::default(), &Outputs::default());
    judge_and_write(file, object, models, format, budget, beside)
}

/// Judges a recorded history, of which something may be given beside, and writes what else is
/// wanted.
pub fn judge_and_write(
    file: &Path,
    object: &str,
    models: &[&str],
    format: Option<Format>,
    budget: u64,
    (given, outputs): (&Given, &Outputs),
) -> Result<Judgement, JudgeError> {
    let (models, measures) = named(models)?;
    let (models, measures) = (&*models, &*measures);
    let task = Task { file, name: object, models, measures, format, budget, given, outputs };
    let (name, number) = match object.split_once(':') {
        Some((name, number)) => (name, number.parse().ok().filter(|number| *number > 0)),
        None => (object, Some(0)),
    };
    match (name, number) {
        ("register", Some(0)) => task.judge(&Register::<Datum>::default()),
        ("cas-register", Some(0)) => task.judge(&CasRegister::<Datum>::default()),
        ("kv", Some(0)) => task.judge(&Kv),
        ("queue", Some(0)) => task.judge(&Queue::<Datum>::default()),
        ("stack", Some(0)) => task.judge(&Stack::<Datum>::default()),
        ("set", Some(0)) => task.judge(&Set::<Datum>::default()),
        ("priority-queue", Some(0)) => task.judge(&PriorityQueue::<Datum>::default()),
        ("mutex", Some(0)) => task.judge(&Mutex),
        ("rw-lock", Some(0)) => task.judge(&RwLock),
        ("semaphore", Some(permits @ 1..)) => task.judge(&Semaphore { permits }),
        ("channel", Some(room @ 1..)) => task.judge(&Channel::<Datum>::new(room)),
        _ => Err(JudgeError::UnknownObject(object.to_owned(), listed(OBJECTS.iter()))),
    }
}

type Chosen = (Vec<&'static Model>, Vec<&'static Measure>);

/// The models and measures of these names, each once.
fn named(names: &[&str]) -> Result<Chosen, JudgeError> {
    let is_named = |name: &str| names.iter().any(|one| *one == name || *one == "all");
    let known = || {
        let models = models().iter().map(|model| &model.name);
        models.chain(MEASURES.iter().map(|measure| &measure.name)).chain(&["all"])
    };
    if let Some(unknown) = names.iter().find(|name| known().all(|other| other != *name)) {
        return Err(JudgeError::UnknownModel((*unknown).to_owned(), listed(known())));
    }
    let models = models().iter().copied().filter(|model| is_named(model.name));
    let measures = MEASURES.into_iter().filter(|measure| is_named(measure.name));
    Ok((models.collect(), measures.collect()))
}

fn listed<'a>(names: impl Iterator<Item = &'a &'a str>) -> String {
    names.copied().collect::<Vec<_>>().join(", ")
}

struct Task<'a> {
    file: &'a Path,
    name: &'a str,
    models: &'a [&'static Model],
    measures: &'a [&'static Measure],
    format: Option<Format>,
    budget: u64,
    given: &'a Given,
    outputs: &'a Outputs,
}

impl Task<'_> {
    fn judge<O: Import>(&self, object: &O) -> Result<Judgement, JudgeError> {
        let history = read_file::<O>(self.file, self.format)?;
        let subject = Calls::new(object, &history, self.given.clone());
        let found = self.models.iter().map(|model| match model.name {
            "linearizable" if !self.given.untimed => {
                find(object, &history, model.name, self.budget)
            }
            _ => Ok(ruled(&subject, &history, model, self.budget)),
        });
        let found: Vec<(Finding, Option<Shown>)> = found.collect::<Result<_, _>>()?;
        let (models, shown): (Vec<Finding>, Vec<Option<Shown>>) = found.into_iter().unzip();
        // Of several models the strongest comes first.
        let shown = shown.into_iter().flatten().next().unwrap_or_else(|| {
            let verdict = |finding: &Finding| format!("{}: {}", finding.model, finding.verdict);
            let words = models.iter().map(verdict).collect::<Vec<_>>().join(", ");
            Shown { words, ..Shown::default() }
        });
        self.outputs.write::<O>(self.file, &history, &shown)?;
        let measured = |measure: &&Measure| number(&subject, &history, measure, self.budget);
        let numbers: Vec<Number> = self.measures.iter().map(measured).collect();
        Ok(Judgement {
            file: self.file.to_owned(),
            object: self.name.to_owned(),
            operations: history.calls().len(),
            processes: history.processes(),
            profile: (models.len() > 1).then(|| profile(&models, &numbers)),
            models,
            numbers,
        })
    }
}

/// Measures how stale a history's reads are.
fn number<O: Object>(
    subject: &Calls<'_, O>,
    history: &History<O::Op, O::Ret>,
    measure: &Measure,
    budget: u64,
) -> Number {
    let started = Instant::now();
    let amount = measure.of(subject, budget);
    let seconds = started.elapsed().as_secs_f64();
    let (verdict, at_least, at_most, core, explanation) = match amount {
        Amount::Exactly { number, core, why } => {
            (Answer::Holds, Some(number), Some(number), core, why)
        }
        Amount::Never { core, why } => (Answer::Violated, None, None, core, why),
        Amount::Unknown { at_least, at_most, why } => {
            (Answer::Unknown, Some(at_least), at_most, Vec::new(), sentence(&why))
        }
        Amount::NotApplicable(why) => {
            (Answer::NotApplicable, None, None, Vec::new(), sentence(&why))
        }
    };
    Number {
        measure: measure.name.to_owned(),
        number: at_least.filter(|_| verdict == Answer::Holds),
        verdict,
        at_least,
        at_most,
        explanation,
        core: shown(history, &core, &[]),
        seconds,
    }
}

fn profile(models: &[Finding], numbers: &[Number]) -> Profile {
    let known = models.iter().map(|finding| {
        let known = match finding.verdict {
            Answer::Holds => Known::Holds,
            Answer::NotApplicable => Known::NotApplicable,
            Answer::Violated | Answer::Unknown => Known::Fails(&finding.explanation),
        };
        (finding.model.as_str(), known)
    });
    let numbers = numbers.iter().filter(|number| number.verdict != Answer::NotApplicable);
    let numbers = numbers.map(|number| format!("{}: {}", number.measure, number.amount()));
    Profile::of(&known.collect::<Vec<_>>(), numbers.collect())
}

/// Judges a history against any model.
fn ruled<O: Object>(
    subject: &Calls<'_, O>,
    history: &History<O::Op, O::Ret>,
    model: &Model,
    budget: u64,
) -> (Finding, Option<Shown>) {
    let (started, mut drawn) = (Instant::now(), None);
    let (verdict, algorithm, explanation, core) = match model.judge(subject, budget) {
        Ruling::Holds { algorithm, why } => (Answer::Holds, algorithm, why, Vec::new()),
        Ruling::Unknown(why) => (Answer::Unknown, String::new(), sentence(&why), Vec::new()),
        Ruling::NotApplicable(why) => {
            (Answer::NotApplicable, String::new(), sentence(&why), Vec::new())
        }
        Ruling::Violated { algorithm, core, free, minimal, story, circle } => {
            let words = format!("not {}", model.name);
            let (calls, helpless) = (core.clone(), free.clone());
            let core_shown = Core { calls, helpless, minimal, ..Core::default() };
            drawn = Some(Shown { words, core: core_shown, edges: circle, story: story.clone() });
            let mut story = story.join("\n");
            if !minimal {
                story.push_str("\nThe core may not be minimal.");
            }
            (Answer::Violated, algorithm, story, shown(history, &core, &free))
        }
    };
    let seconds = started.elapsed().as_secs_f64();
    let model = model.name.to_owned();
    (Finding { model, verdict, algorithm, explanation, core, seconds }, drawn)
}

/// A reason as a sentence.
fn sentence(reason: &str) -> String {
    let (first, rest) = reason.split_at(reason.chars().next().map_or(0, char::len_utf8));
    format!("{}{rest}.", first.to_uppercase())
}

/// Judges whether a history is linearizable.
fn find<O: Object>(
    object: &O,
    history: &History<O::Op, O::Ret>,
    model: &str,
    budget: u64,
) -> Result<(Finding, Option<Shown>), JudgeError> {
    let (started, mut drawn) = (Instant::now(), None);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let effort = linearizable::Effort { threads, ..linearizable::Effort::steps(budget) };
    let judged = linearizable::judge_within(object, history, effort);
    let (answer, explanation, core) = match &judged.verdict {
        Verdict::Holds(found) => {
            witness::confirms(object, history, &found.order)
                .map_err(|reason| JudgeError::Refuted { model: model.to_owned(), reason })?;
            (Answer::Holds, why_it_holds(history, found.order.len()), Vec::new())
        }
        Verdict::Violated(core) => {
            let mut why = why_it_is_violated(history, core);
            let circle = reason::circle(object, history.calls(), &core.calls, &core.helpless);
            let edges = circle.unwrap_or_default();
            for edge in &edges {
                why = format!("{why}\n{}", reason::in_words(edge, history.calls()));
            }
            let (words, story) = (format!("not {model}"), vec![why.clone()]);
            drawn = Some(Shown { words, core: core.clone(), edges, story });
            (Answer::Violated, why, core_calls(history, core))
        }
        Verdict::Unknown(unknown) => {
            (Answer::Unknown, why_it_is_unknown(history, unknown), Vec::new())
        }
    };
    let finding = Finding {
        model: model.to_owned(),
        verdict: answer,
        algorithm: judged.procedures.into_iter().collect::<Vec<_>>().join(" + "),
        explanation,
        core,
        seconds: started.elapsed().as_secs_f64(),
    };
    Ok((finding, drawn))
}

fn why_it_holds<Op, Ret>(history: &History<Op, Ret>, ordered: usize) -> String {
    let left_out = match history.calls().len() - ordered {
        0 => String::new(),
        open => format!("; {open} of unknown outcome need not have happened"),
    };
    format!("An order of {ordered} calls explains every answer and respects real time{left_out}.")
}

pub(super) fn why_it_is_violated<Op: Debug, Ret: Debug>(
    history: &History<Op, Ret>,
    core: &Core,
) -> String {
    let stuck = &history.calls()[core.stuck];
    let part = core.part.as_ref().map(|part| format!(" On {part:?} alone:")).unwrap_or_default();
    let ends = match core.states.as_slice() {
        [] => String::new(),
        states => format!(", but each leaves one of these states: {}", states.join("; ")),
    };
    let helpless = match core.helpless.len() {
        0 => String::new(),
        1 => " It stands whenever one other update took effect, if it ever did.".to_owned(),
        n => format!(" It stands whenever {n} other updates took effect, if they ever did."),
    };
    let minimal = match core.minimal {
        true => "no further reduction that is known to be sound keeps the contradiction",
        false => "the budget ran out before every reduction was tried",
    };
    format!(
        "No order of the calls explains every answer.{part} {} can't return so: an order of the \
         {} made by then can explain what came before{ends}. The contradiction is in {}; \
         {minimal}.{helpless}",
        Told(stuck),
        counted(core.prefix),
        counted(core.calls.len()),
    )
}

fn counted(calls: usize) -> String {
    if calls == 1 { "one call".to_owned() } else { format!("{calls} calls") }
}

fn why_it_is_unknown<Op, Ret>(history: &History<Op, Ret>, unknown: &Unknown) -> String {
    format!(
        "The {} ran out after {} steps. {} of {} parts are explained; in another an order of \
         {} calls explains a beginning. The history has {} calls.",
        if unknown.full { "memory" } else { "budget" },
        unknown.steps,
        unknown.parts_fine,
        unknown.parts,
        unknown.explained,
        history.calls().len(),
    )
}

fn core_calls<Op: Debug, Ret: Debug>(history: &History<Op, Ret>, core: &Core) -> Vec<CoreCall> {
    shown(history, &core.calls, &core.helpless)
}

fn shown<Op: Debug, Ret: Debug>(
    history: &History<Op, Ret>,
    bound: &[usize],
    free: &[usize],
) -> Vec<CoreCall> {
    let bound = bound.iter().map(|index| (*index, false));
    let free = free.iter().map(|index| (*index, true));
    let shown = bound.chain(free).map(|(index, free)| {
        let call = &history.calls()[index];
        let ret = call.ret.as_ref().filter(|_| !free);
        CoreCall {
            process: call.process,
            op: format!("{:?}", call.op),
            ret: ret.map(|ret| format!("{ret:?}")),
            line: call.line,
            return_line: call.return_line,
            free,
        }
    });
    shown.collect()
}

/// A call in a sentence.
struct Told<'a, Op, Ret>(&'a Call<Op, Ret>);

impl<Op: Debug, Ret: Debug> Display for Told<'_, Op, Ret> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = self.0;
        let lines = Lines(call.line, call.return_line);
        write!(f, "Process {}'s {:?}{lines}", call.process, call.op)?;
        call.ret.as_ref().map_or(Ok(()), |ret| write!(f, ", answered {ret:?},"))
    }
}

/// Where a call stands in its file.
struct Lines(Option<usize>, Option<usize>);

impl Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Some(from), Some(to)) => write!(f, " (lines {from} to {to})"),
            (Some(from), None) => write!(f, " (line {from})"),
            (None, _) => Ok(()),
        }
    }
}

impl Number {
    /// The number, or what is known of it.
    pub fn amount(&self) -> String {
        match (self.verdict, self.at_least, self.at_most) {
            (Answer::Holds, Some(number), _) => number.to_string(),
            (Answer::Unknown, Some(least), Some(most)) => format!("from {least} to {most}"),
            (Answer::Unknown, Some(least), None) => format!("{least} or more"),
            (Answer::Violated, ..) => "none is enough".to_owned(),
            _ => self.verdict.to_string(),
        }
    }
}

impl Judgement {
    /// What the command ends with: 0 if every model that applies holds, 1 if one is violated, 3 if
    /// one is unknown, or none applies. A number is no verdict, unless none is enough.
    pub fn exit_status(&self) -> u8 {
        let models = self.models.iter().map(|finding| finding.verdict);
        let all = || models.clone().chain(self.numbers.iter().map(|number| number.verdict));
        let any = |answer| all().any(|verdict| verdict == answer);
        let none = all().all(|verdict| verdict == Answer::NotApplicable);
        match (any(Answer::Violated), any(Answer::Unknown) || none) {
            (true, _) => 1,
            (false, true) => 3,
            (false, false) => 0,
        }
    }
}

impl Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Answer::Holds => "holds",
            Answer::Violated => "violated",
            Answer::Unknown => "unknown",
            Answer::NotApplicable => "not applicable",
        })
    }
}

impl Display for CoreCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} {}", self.process, self.op)?;
        match (&self.ret, self.free) {
            (Some(ret), _) => write!(f, " -> {ret}")?,
            (None, true) => write!(f, ", whenever it took effect, if it did")?,
            (None, false) => (),
        }
        write!(f, "{}", Lines(self.line, self.return_line))
    }
}

impl Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, object) = (self.file.display(), &self.object);
        writeln!(f, "{file}: {object}, {} calls, {} processes", self.operations, self.processes)?;
        for finding in &self.models {
            let (model, verdict) = (&finding.model, finding.verdict);
            match finding.algorithm.as_str() {
                "" => writeln!(f, "{model}: {verdict}")?,
                algorithm => {
                    writeln!(f, "{model}: {verdict} ({algorithm}, {:.3} s)", finding.seconds)?
                }
            }
            for line in finding.explanation.lines() {
                writeln!(f, "  {line}")?;
            }
            for call in &finding.core {
                writeln!(f, "  {call}")?;
            }
        }
        for number in &self.numbers {
            let (measure, amount) = (&number.measure, number.amount());
            match number.verdict {
                Answer::NotApplicable => writeln!(f, "{measure}: {amount}")?,
                _ => writeln!(f, "{measure}: {amount} ({:.3} s)", number.seconds)?,
            }
            writeln!(f, "  {}", number.explanation)?;
            for call in &number.core {
                writeln!(f, "  {call}")?;
            }
        }
        if let Some(profile) = &self.profile {
            write!(f, "{profile}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consistency::model::{Need, model_named};
    use std::fs;
    use std::io::{Write, stderr};

    const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/histories");
    const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/histories");

    /// Judges every line of a table of file, object and verdict.
    fn judge_all(folder: &Path, table: &str, object_of: impl Fn(&str) -> String) -> usize {
        let started = Instant::now();
        let (mut slowest, mut count) = ((0.0, String::new()), 0);
        for line in table.lines() {
            let (file, expected) = (line.split('\t').next(), line.split('\t').next_back());
            let file = file.expect("a file");
            let object = object_of(line);
            let expected = match expected {
                Some("linearizable" | "holds") => Answer::Holds,
                Some("violation" | "violated") => Answer::Violated,
                other => panic!("{line}: {other:?} is no verdict"),
            };
            let judgement =
                judge_file(&folder.join(file), &object, &["linearizable"], None, BUDGET).unwrap();
            let found = &judgement.models[0];
            assert_eq!(found.verdict, expected, "{judgement}");
            assert_eq!(found.core.is_empty(), expected == Answer::Holds, "{judgement}");
            if found.seconds > slowest.0 {
                slowest = (found.seconds, file.to_owned());
            }
            count += 1;
        }
        let (folder, seconds) = (folder.display(), started.elapsed().as_secs_f64());
        println!(
            "{folder}: {count} in {seconds:.2} s, slowest {} in {:.3} s",
            slowest.1, slowest.0
        );
        count
    }

    #[test]
    fn our_own_histories_are_judged_right() {
        let folder = Path::new(OWN);
        let table = fs::read_to_string(folder.join("verdicts.tsv")).unwrap();
        let object = |line: &str| line.split('\t').nth(1).expect("an object").to_owned();
        assert_eq!(judge_all(folder, &table, object), 22);
    }

    #[test]
    fn recorded_histories_are_judged_right() {
        let named = std::env::var("SEEDBED_HISTORIES").ok();
        let folder = Path::new(named.as_deref().unwrap_or(RECORDED));
        let Ok(table) = fs::read_to_string(folder.join("verdicts.tsv")) else {
            assert!(named.is_none(), "SEEDBED_HISTORIES has no verdicts.tsv: {}", folder.display());
            // Written directly, since a test that passes hides what it prints.
            let place = folder.display();
            writeln!(stderr(), "\nNOT JUDGED: {place} holds no recorded histories").unwrap();
            return;
        };
        let object = |line: &str| match line.split('/').next() {
            Some("kv") => "kv".to_owned(),
            Some("redis") => "register".to_owned(),
            _ => "cas-register".to_owned(),
        };
        assert!(judge_all(folder, &table, object) > 0);
    }

    /// What is linearizable satisfies everything that this implies; what is not has a profile.
    #[test]
    fn recorded_histories_satisfy_what_their_verdicts_imply() {
        let named = std::env::var("SEEDBED_HISTORIES").ok();
        let folder = Path::new(named.as_deref().unwrap_or(RECORDED));
        let Ok(table) = fs::read_to_string(folder.join("verdicts.tsv")) else { return };
        let implied = model_named("linearizable").unwrap().implied();
        let (mut held, mut strongest) = (0, std::collections::BTreeMap::<String, usize>::new());
        for line in table.lines() {
            let (file, verdict) = line.split_once('\t').expect("a file and its verdict");
            let object = match file.split('/').next() {
                Some("kv") => "kv",
                Some("redis") => "register",
                _ => "cas-register",
            };
            let judged = judge_file(&folder.join(file), object, &["all"], None, 1_000_000);
            let judged = judged.unwrap();
            for finding in &judged.models {
                let weaker = implied.iter().any(|model| model.name == finding.model);
                let wrong = verdict == "linearizable" && weaker;
                assert!(!wrong || finding.verdict != Answer::Violated, "{judged}");
                held += usize::from(finding.verdict == Answer::Holds);
            }
            let profile = judged.profile.expect("a profile");
            *strongest.entry(profile.strongest.join(", ")).or_default() += 1;
        }
        println!(
            "{held} verdicts hold; the strongest models of how many histories: {strongest:#?}"
        );
        assert!(held > 0);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let file = Path::new(OWN).join("register-fresh.log");
        let judge = |object: &str, model: &str| judge_file(&file, object, &[model], None, BUDGET);
        assert!(matches!(judge("registre", "all"), Err(JudgeError::UnknownObject(..))));
        for object in ["mutex:1", "semaphore", "semaphore:0", "semaphore:x", "channel:-1", ""] {
            let answer = judge(object, "all");
            assert!(matches!(answer, Err(JudgeError::UnknownObject(..))), "{object}: {answer:?}");
        }
        assert!(matches!(judge("register", "linear"), Err(JudgeError::UnknownModel(..))));
        assert!(matches!(judge("kv", "all"), Err(JudgeError::Import(error)) if error.line == 1));
        assert!(matches!(format_named("csv"), Err(JudgeError::UnknownFormat(..))));
        assert_eq!(judge("register", "linearizable").unwrap().exit_status(), 0);
        assert_eq!(judge("register", "entry").unwrap().exit_status(), 3);
    }

    #[test]
    fn a_judgement_says_where_the_contradiction_is() {
        let file = Path::new(OWN).join("register-stale.log");
        let judgement =
            judge_file(&file, "register", &["linearizable", "linearizable"], None, BUDGET);
        let judgement = judgement.unwrap();
        assert_eq!((judgement.models.len(), judgement.exit_status()), (1, 1));
        let json = serde_json::to_value(&judgement).unwrap();
        assert_eq!(json["models"][0]["verdict"], "violated");
        let lines = json["models"][0]["core"].as_array().unwrap().iter();
        let lines: Vec<_> = lines.map(|call| call["line"].as_u64().unwrap()).collect();
        assert_eq!(lines, [1, 3, 6]);
        let text = judgement.to_string();
        assert!(
            text.contains("Process 1's Read (lines 6 to 7), answered Value(1), can't return so"),
            "{text}"
        );
        assert!(text.contains("leaves one of these states: 2."), "{text}");
    }

    /// What a model needs and the file lacks makes it *not applicable*, never *holds*; with it,
    /// there is a verdict. The file has all that may be lacking.
    #[test]
    fn what_a_file_lacks_is_not_taken_for_granted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("all.jsonl");
        let sync = r#","sync":{"kind":"release","object":"l","grant":1}"#;
        let quiet = "{\"process\":\"all\",\"type\":\"info\",\"f\":\"quiescence\",\"time\":5}\n";
        let put = |kind: &str, key: &str, time: u8, sync: &str| {
            format!(
                "{{\"process\":0,\"type\":\"{kind}\",\"f\":\"put\",\"key\":\"{key}\",\
                 \"value\":\"1\",\"time\":{time}{sync}}}\n"
            )
        };
        let first = [put("invoke", "x", 1, ""), put("ok", "x", 2, "")].concat();
        let second = [put("invoke", "l", 3, sync), put("ok", "l", 4, "")].concat();
        let whole = &format!("{first}{second}{quiet}");
        let given = Given { untimed: false, guards: [("x".into(), "l".into())].into() };
        let judge = |text: &str, model: &str, given: &Given| {
            fs::write(&file, text).unwrap();
            let beside = (given, &Outputs::default());
            let judged = judge_and_write(&file, "kv", &[model], None, BUDGET, beside).unwrap();
            let models = judged.models.iter().map(|finding| finding.verdict);
            let numbers = judged.numbers.iter().map(|number| number.verdict);
            let verdict = models.chain(numbers).next().unwrap();
            assert_eq!(verdict == Answer::NotApplicable, judged.exit_status() == 3, "{judged}");
            (verdict, judged.to_string())
        };
        let says = |text: &str, model: &str, why: &str| {
            let told = format!("\n{model}: not applicable\n  The history does not say {why}.\n");
            assert!(text.ends_with(&told), "{told} is not what is said: {text}");
        };
        let mut lacking = 0;
        for model in models() {
            assert_eq!(judge(whole, model.name, &given).0, Answer::Holds, "{}", model.name);
            for need in model.needs {
                let (text, given) = match need {
                    Need::Timing => (whole.clone(), Given { untimed: true, ..given.clone() }),
                    Need::Labels => (whole.replace(sync, ""), given.clone()),
                    Need::Guards => (whole.clone(), Given::default()),
                    Need::Quiescence => (whole.replace(quiet, ""), given.clone()),
                };
                let (found, told) = judge(&text, model.name, &given);
                assert_eq!(found, Answer::NotApplicable, "{} without {need}", model.name);
                says(&told, model.name, &need.to_string());
                lacking += 1;
            }
        }
        assert_eq!(lacking, 10);
        let bare: String = (1..6)
            .fold(whole.to_owned(), |text, time| text.replace(&format!(",\"time\":{time}"), ""));
        let untimed = Given { untimed: true, ..Given::default() };
        let (untold, unmeasured) = (Need::Timing.to_string(), "at what time each call was made");
        for (measure, text, given, lacking) in [
            ("k-atomicity", whole, &given, None),
            ("k-atomicity", &bare, &given, None),
            ("k-atomicity", whole, &untimed, Some(&*untold)),
            ("delta-atomicity", whole, &given, None),
            ("delta-atomicity", &bare, &given, Some(unmeasured)),
            ("delta-atomicity", whole, &untimed, Some(&*untold)),
        ] {
            let (found, told) = judge(text, measure, given);
            assert_eq!(found == Answer::Holds, lacking.is_none(), "{measure}: {told}");
            lacking.into_iter().for_each(|why| says(&told, measure, why));
        }
    }

    /// An append is neither a read nor a write, so only models of any object judge it.
    #[test]
    fn what_is_neither_read_nor_write_is_not_applicable() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("append.jsonl");
        let event = |kind: &str| {
            format!(
                "{{\"process\":0,\"type\":\"{kind}\",\"f\":\"append\",\"key\":\"x\",\
                 \"value\":\"1\"}}\n"
            )
        };
        fs::write(&file, event("invoke") + &event("ok")).unwrap();
        for model in models() {
            let judged = judge_file(&file, "kv", &[model.name], None, BUDGET).unwrap();
            let (finding, told) = (&judged.models[0], judged.to_string());
            if ["linearizable", "sequential"].contains(&model.name) {
                assert_eq!(finding.verdict, Answer::Holds, "{told}");
                continue;
            }
            assert_eq!((finding.verdict, judged.exit_status()), (Answer::NotApplicable, 3));
            assert!(told.contains("\n  The model is about reads and writes, and "), "{told}");
            assert!(told.ends_with(" is neither.\n"), "{told}");
        }
    }

    #[test]
    fn a_judgement_says_how_stale_reads_are() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stale.jsonl");
        let call = |process: u8, f: &str, value: u8, from: u64, to: u64| {
            let asked = if f == "write" { value.to_string() } else { "null".to_owned() };
            format!(
                "{{\"process\":{process},\"type\":\"invoke\",\"f\":\"{f}\",\"value\":{asked},\
                 \"time\":{from}}}\n{{\"process\":{process},\"type\":\"ok\",\"f\":\"{f}\",\
                 \"value\":{value},\"time\":{to}}}\n"
            )
        };
        let writes = [call(0, "write", 1, 10, 20), call(0, "write", 2, 30, 40)].concat();
        let text = [writes, call(0, "write", 3, 50, 60), call(1, "read", 1, 100, 110)].concat();
        fs::write(&file, text).unwrap();
        let judged = judge_file(&file, "register", &["all"], None, BUDGET).unwrap();
        let numbers: Vec<_> = judged.numbers.iter().map(|number| number.number).collect();
        assert_eq!(numbers, [Some(3), Some(60)], "{judged}");
        let text = judged.to_string();
        assert!(
            text.contains("How stale reads are: k-atomicity: 3, delta-atomicity: 60."),
            "{text}"
        );
        assert!(text.contains("was invoked 60 after the return of"), "{text}");
        let json = serde_json::to_value(&judged).unwrap();
        assert_eq!(json["numbers"][0]["core"].as_array().unwrap().len(), 4, "{json}");
        assert_eq!(json["numbers"][1]["core"].as_array().unwrap().len(), 3, "{json}");
    }

    #[test]
    fn a_spent_budget_is_no_verdict() {
        let file = Path::new(OWN).join("kv-appends.edn");
        let judgement = judge_file(&file, "kv", &["linearizable"], None, 0).unwrap();
        assert_eq!((judgement.models[0].verdict, judgement.exit_status()), (Answer::Unknown, 3));
    }
}
