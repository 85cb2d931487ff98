//! Trace files: one run, as a list of actions in plain words.
//!
//! An action is found again by its words among those that are enabled, so a file needs no grammar
//! of its own, can be read by a person, and can hold nothing that the world would not do.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::protocol::Checkable;
use crate::world::{Action, Happening, Numbers, Setup, World};

use super::verify::{Examiner, Violation};
use super::{follow, promised};

/// The version of trace files that this crate writes and reads.
pub const VERSION: u32 = 1;

/// A run, on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceFile {
    /// The version of this format.
    pub version: u32,
    /// The scenario.
    pub scenario: String,
    /// What the run came from: `check`, or `simulate` and the seed.
    pub from: String,
    /// What it breaks, if anything.
    pub violation: Option<Violation>,
    /// A scenario that keeps what this one breaks, as far as it can follow the trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_by: Option<String>,
    /// The numbers of the world that the trace is a path of.
    pub numbers: Numbers,
    /// The scenario's own numbers, where the trace is a log of the shell: that is a path of an
    /// asynchronous world, and what was configured by drift, delays and budgets stays so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosted: Option<Numbers>,
    /// The actions, in words.
    pub trace: Vec<String>,
    /// After how many of its steps the trace begins to go round for ever, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycle: Option<usize>,
}

/// A trace that can't be read or replayed.
#[derive(Debug, thiserror::Error)]
pub enum BadTrace {
    /// The file can't be read.
    #[error("{0}: {1}")]
    Unreadable(String, std::io::Error),
    /// It is no trace file.
    #[error("{file}:{line}: {reason}")]
    Malformed {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// It is of another version.
    #[error("{file}: this is a trace of version {found}, and this seedbed reads version {VERSION}")]
    Version {
        /// The file.
        file: String,
        /// Its version.
        found: u64,
    },
    /// Its numbers are those of no world.
    #[error("{file}: its numbers are those of no world: {reason}")]
    Numbers {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// A step is not enabled.
    #[error("step {step} of the trace, `{action}`, is not enabled there")]
    Disabled {
        /// Which step, from 0.
        step: usize,
        /// The step, in words.
        action: String,
    },
    /// The trace has no start.
    #[error("the trace does not begin with a start of this scenario, but with `{0}`")]
    Start(String),
}

impl TraceFile {
    /// Reads a file.
    ///
    /// # Errors
    /// If it can't be read, is malformed, or is of another version.
    pub fn read(path: &Path) -> Result<TraceFile, BadTrace> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| BadTrace::Unreadable(file.clone(), error))?;
        let malformed = |error: &serde_json::Error| BadTrace::Malformed {
            file: file.clone(),
            line: error.line(),
            reason: error.to_string(),
        };
        // The version first: a file of another version is not malformed.
        let value: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| malformed(&error))?;
        if let Some(found) = value.get("version").and_then(serde_json::Value::as_u64)
            && found != u64::from(VERSION)
        {
            return Err(BadTrace::Version { file, found });
        }
        let trace: TraceFile = serde_json::from_str(&text).map_err(|error| malformed(&error))?;
        let own = trace.hosted.as_ref().map_or(Ok(()), Numbers::validate);
        let numbers = trace.numbers.validate().and(own);
        numbers.map_err(|reason| BadTrace::Numbers { file: file.clone(), reason })?;
        Ok(trace)
    }

    /// Writes it to a file, which is replaced at once or not at all.
    ///
    /// # Errors
    /// If the folder or the file can't be written.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let json = serde_json::to_string_pretty(self).expect("a trace is plain data");
        crate::report::replace_file(path, &(json + "\n"))
    }
}

/// What a replay showed.
#[derive(Debug)]
pub struct Replayed<P: Checkable> {
    /// How the world starts.
    pub start: Action<P>,
    /// The worlds and the actions between them.
    pub path: Vec<(World<P>, Option<Action<P>>)>,
    /// What the last world, or one before it, breaks; or the whole path does.
    pub violation: Option<Violation>,
    /// After how many steps the path goes round, if it does.
    pub cycle: Option<usize>,
}

/// Replays a trace in the checker's world.
///
/// # Errors
/// If a step is not enabled.
pub fn replay<P: Checkable>(
    setup: &Arc<Setup<P>>,
    trace: &[String],
) -> Result<Replayed<P>, BadTrace> {
    let first = trace.first().map_or("", String::as_str);
    let start = World::started(setup, &follow::draws_of(first));
    let start = start.filter(|(_, action)| action.to_string() == first);
    let (mut world, start) = start.ok_or_else(|| BadTrace::Start(first.to_owned()))?;
    let examiner = Examiner::new(setup);
    let mut violation = examiner.examine(&world);
    let mut path = Vec::with_capacity(trace.len());
    for (step, words) in trace.iter().enumerate().skip(1) {
        let action = enabled(&world, words)
            .ok_or_else(|| BadTrace::Disabled { step, action: words.clone() })?;
        let next = world.after(&action).expect("an enabled action can be done");
        path.push((world, Some(action)));
        world = next;
        violation = violation.or_else(|| examiner.examine(&world));
    }
    path.push((world, None));
    Ok(Replayed { start, path, violation, cycle: None })
}

/// Replays a file's trace. What breaks in no state may be a promise that the file says is broken:
/// that is judged on the whole path.
///
/// # Errors
/// If a step is not enabled.
pub fn replay_file<P: Checkable>(
    setup: &Arc<Setup<P>>,
    file: &TraceFile,
) -> Result<Replayed<P>, BadTrace> {
    let mut replayed = replay(setup, &file.trace)?;
    replayed.cycle = file.cycle.filter(|cycle| *cycle + 1 < replayed.path.len());
    if replayed.violation.is_none() {
        let said = file.violation.as_ref().map(|violation| violation.property.as_str());
        let mut promises = setup.promises().filter(|(name, _)| Some(*name) == said);
        let broken = |promise| promised::broken(&replayed.path, replayed.cycle, promise);
        replayed.violation = promises.find_map(broken);
    }
    Ok(replayed)
}

/// The enabled action with these words.
fn enabled<P: Checkable>(world: &World<P>, words: &str) -> Option<Action<P>> {
    if let Some(ticks) = words.strip_prefix("tick ") {
        let ticks = ticks.parse().ok()?;
        let may = ticks > 0 && ticks <= world.ticks_allowed() && ticks <= world.ticks_left();
        return may.then(|| Happening::Tick(ticks).into());
    }
    world.actions().into_iter().find(|action| action.to_string() == words)
}

impl<P: Checkable> Replayed<P> {
    /// Its actions, the start first.
    pub fn actions(&self) -> Vec<Action<P>> {
        let steps = self.path.iter().filter_map(|(_, action)| action.clone());
        std::iter::once(self.start.clone()).chain(steps).collect()
    }

    /// The run, step by step, as text: each action, and what it changed.
    pub fn steps(&self) -> String {
        let mut text = String::new();
        for (n, step) in self.path.windows(2).enumerate() {
            let [(before, Some(action)), (after, _)] = step else { continue };
            if self.cycle == Some(n) {
                text += "      and from here on, again and again:\n";
            }
            let _ = writeln!(text, "{:>4}  {action}", n + 1);
            for line in crate::report::step::changes(before, after) {
                let _ = writeln!(text, "        {line}");
            }
        }
        match &self.violation {
            Some(violation) => text + &format!("broken: {violation}\n"),
            None => text + "nothing is broken\n",
        }
    }
}

/// The indices by which the explorer addresses the end of a path: of the start, and then of each
/// action among those enabled.
///
/// # Panics
/// If the path has an action that is not enabled.
pub fn explorer_path<P: Checkable>(setup: &Arc<Setup<P>>, replayed: &Replayed<P>) -> String {
    let first = &replayed.path[0].0;
    let start = World::starts(setup).position(|(world, _)| world == *first);
    let mut indices = vec![start.expect("a path begins where a world starts").to_string()];
    for (world, action) in &replayed.path {
        let Some(action) = action else { break };
        // The explorer knows ticks one by one.
        let (single, times) = match action.did {
            Happening::Tick(ticks) => (Happening::Tick(1).into(), ticks),
            _ => (action.clone(), 1),
        };
        let mut world = world.clone();
        for _ in 0..times {
            let index = world.actions().iter().position(|enabled| *enabled == single);
            indices.push(index.expect("the path was replayed").to_string());
            world = world.after(&single).expect("an enabled action can be done");
        }
    }
    indices.join("/")
}
