//! Histories: who called what, when, and what came back.
//!
//! A history is the only thing that a judge sees. Each call has an interval, from its invocation
//! to its return; one call precedes another if it returned *before* the other was invoked, and
//! calls whose intervals meet are concurrent (Herlihy and Wing, TOPLAS 1990). Times only order
//! events, they measure nothing; an invocation and a return at one time count as concurrent.
//!
//! A call that failed did not happen, so it is not in the history. A call whose outcome is unknown
//! never returns: it may take effect at any time after its invocation, or never.

mod clock;
pub mod edn;
pub mod export;
pub mod import;
pub mod jepsen_log;
pub mod json_lines;
pub mod label;
mod vocabulary;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use clock::Clock;
pub use label::{Happening, Mark, Sync, SyncKind};

/// One call of a process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Call<Op, Ret> {
    /// Who called.
    pub process: u32,
    /// The session that the call belongs to: its process's, if nobody says otherwise. A session may
    /// go on under another process, after one whose last call had an unknown outcome.
    pub session: u32,
    /// The node that served it.
    pub node: Option<u32>,
    /// How it synchronises, if it does.
    pub sync: Option<Box<Sync>>,
    /// What was called.
    pub op: Op,
    /// What came back; `None` beside a return means that any answer is legal.
    pub ret: Option<Ret>,
    /// When it was invoked.
    pub invoked: u64,
    /// When it returned; `None` means that it may take effect at any later time, or never.
    pub returned: Option<u64>,
    /// The line of the recorded history that invokes it.
    pub line: Option<usize>,
    /// The line of the recorded history where it returns.
    pub return_line: Option<usize>,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It returned.
    Ok,
    /// It did not happen.
    Failed,
    /// It may take effect at any later time, or never.
    Unknown,
}

impl<Op, Ret> Call<Op, Ret> {
    /// A call that has not returned; the session is the process's own.
    pub fn open(process: u32, op: Op, invoked: u64) -> Self {
        Call {
            process,
            session: process,
            node: None,
            sync: None,
            op,
            ret: None,
            invoked,
            returned: None,
            line: None,
            return_line: None,
        }
    }

    /// A call that returned; without an answer, any is legal.
    pub fn done(process: u32, op: Op, ret: Option<Ret>, invoked: u64, returned: u64) -> Self {
        Call { ret, returned: Some(returned), ..Call::open(process, op, invoked) }
    }

    /// What became of a call that is in a history, where none is that failed.
    pub fn outcome(&self) -> Outcome {
        self.returned.map_or(Outcome::Unknown, |_| Outcome::Ok)
    }

    /// True if this call returned before the other was invoked.
    pub fn precedes(&self, other: &Self) -> bool {
        self.returned.is_some_and(|returned| returned < other.invoked)
    }
}

/// Calls in the order of their invocations, each process making one call at a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct History<Op, Ret> {
    calls: Vec<Call<Op, Ret>>,
    failed: Vec<Call<Op, Ret>>,
    marks: Vec<Mark>,
    clock: Option<Clock>,
}

/// Why calls, or events, are no history.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HistoryError {
    /// Only an open call can return.
    #[error("process {0} returns from a call, but none of its calls is open")]
    ReturnWithoutCall(u32),
    /// A process makes one call at a time, and none after a call whose outcome is unknown.
    #[error("process {0} makes a call while its last one, {1}, has not returned")]
    TwoOpenCalls(u32, String),
    /// Time goes forward.
    #[error("time runs backwards: {0} comes after {1}")]
    TimeRunsBackwards(u64, u64),
    /// Time goes forward within a call, too.
    #[error("a call of process {0} returns before it is invoked")]
    ReturnsTooEarly(u32),
    /// An answer comes with a return.
    #[error("a call of process {0} has an answer, but no return")]
    AnswerWithoutReturn(u32),
}

impl<Op, Ret> History<Op, Ret> {
    /// Makes a history of calls in any order.
    pub fn new(mut calls: Vec<Call<Op, Ret>>) -> Result<Self, HistoryError> {
        calls.sort_by_key(|call| call.invoked);
        let mut last: BTreeMap<u32, &Call<Op, Ret>> = BTreeMap::new();
        for call in &calls {
            if call.returned.is_some_and(|returned| returned < call.invoked) {
                return Err(HistoryError::ReturnsTooEarly(call.process));
            }
            if call.returned.is_none() && call.ret.is_some() {
                return Err(HistoryError::AnswerWithoutReturn(call.process));
            }
            if let Some(before) = last.insert(call.process, call)
                && !before.precedes(call)
            {
                return Err(HistoryError::TwoOpenCalls(call.process, before.place()));
            }
        }
        Ok(History { calls, failed: Vec::new(), marks: Vec::new(), clock: None })
    }

    /// The same history, with what no judge of calls looks at: calls that did not happen, and what
    /// befell the system. Both are sorted by time.
    pub fn beside(mut self, failed: Vec<Call<Op, Ret>>, marks: Vec<Mark>) -> Self {
        (self.failed, self.marks) = (failed, marks);
        self.failed.sort_by_key(|call| call.invoked);
        self.marks.sort_by_key(|mark| mark.time);
        self
    }

    /// The same history, whose moments a clock measured.
    pub fn measured(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The clock, if one measured.
    pub fn clock(&self) -> Option<&Clock> {
        self.clock.as_ref()
    }

    /// The calls, in the order of their invocations.
    pub fn calls(&self) -> &[Call<Op, Ret>] {
        &self.calls
    }

    /// The calls that failed, as far as they were recorded: they did not happen.
    pub fn failed(&self) -> &[Call<Op, Ret>] {
        &self.failed
    }

    /// What befell the system meanwhile.
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// How many processes made calls.
    pub fn processes(&self) -> usize {
        let mut names: Vec<u32> = self.calls.iter().map(|call| call.process).collect();
        names.sort_unstable();
        names.dedup();
        names.len()
    }
}

impl<Op, Ret> Call<Op, Ret> {
    fn place(&self) -> String {
        match self.line {
            Some(line) => format!("of line {line}"),
            None => format!("invoked at {}", self.invoked),
        }
    }
}

/// Makes a history of events, in the order in which they are told.
///
/// Behind a lock it records threads. A call is told before it is made, and its answer after it has
/// come, so its interval is never shorter than it was, and what a judge rejects is wrong.
///
/// ```
/// use std::fs::File;
///
/// use seedbed::consistency::judge::{BUDGET, judge_file};
/// use seedbed::history::{Recorder, export::to_json_lines};
/// use seedbed::object::mutex::{Mutex, Op, Ret};
///
/// let lock = seedbed::local::mutex::Mutex::new(());
/// let recorder = std::sync::Mutex::new(Recorder::default());
/// std::thread::scope(|scope| {
///     for me in 0..3 {
///         let (lock, recorder) = (&lock, &recorder);
///         scope.spawn(move || {
///             let told = || recorder.lock().unwrap();
///             told().invoke(me, Op::Lock(me), None).unwrap();
///             let guard = lock.lock().unwrap();
///             told().returns(me, Some(Ret::Done), None).unwrap();
///             told().invoke(me, Op::Unlock(me), None).unwrap();
///             drop(guard);
///             told().returns(me, Some(Ret::Done), None).unwrap();
///         });
///     }
/// });
/// let history = recorder.into_inner().unwrap().finish()?;
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("mutex.jsonl");
/// to_json_lines::<Mutex>(&history, &mut File::create(&file)?)?;
/// // What `seedbed judge mutex.jsonl --object mutex` does.
/// let judgement = judge_file(&file, "mutex", &["linearizable"], None, BUDGET)?;
/// assert_eq!(judgement.exit_status(), 0, "{judgement}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Recorder<Op, Ret> {
    calls: Vec<Call<Op, Ret>>,
    /// Which calls failed, in the order in which they did.
    failed: Vec<usize>,
    marks: Vec<Mark>,
    /// For each process its last call, until that returns or fails.
    open: BTreeMap<u32, usize>,
    now: u64,
    /// What the clock said last.
    told: Option<u64>,
    /// Whether it said that of the event to come.
    fresh: bool,
    /// The times of the events so far, if each was told with one.
    clock: Option<Clock>,
}

impl<Op, Ret> Default for Recorder<Op, Ret> {
    fn default() -> Self {
        let (calls, failed, marks) = (Vec::new(), Vec::new(), Vec::new());
        let (open, clock) = (BTreeMap::new(), Some(Clock::default()));
        Recorder { calls, failed, marks, open, now: 0, told: None, fresh: false, clock }
    }
}

impl<Op, Ret> Recorder<Op, Ret> {
    /// A process makes a call.
    pub fn invoke(
        &mut self,
        process: u32,
        op: Op,
        line: Option<usize>,
    ) -> Result<&mut Call<Op, Ret>, HistoryError> {
        if let Some(open) = self.open.get(&process) {
            return Err(HistoryError::TwoOpenCalls(process, self.calls[*open].place()));
        }
        let (invoked, index) = (self.tick(), self.calls.len());
        self.open.insert(process, index);
        self.calls.push(Call { line, ..Call::open(process, op, invoked) });
        Ok(&mut self.calls[index])
    }

    /// The process's open call.
    pub fn open(&self, process: u32) -> Result<&Call<Op, Ret>, HistoryError> {
        let index = self.open.get(&process).ok_or(HistoryError::ReturnWithoutCall(process))?;
        Ok(&self.calls[*index])
    }

    /// The process's open call returns, with an answer or with one that nobody knows.
    pub fn returns(
        &mut self,
        process: u32,
        ret: Option<Ret>,
        line: Option<usize>,
    ) -> Result<&mut Call<Op, Ret>, HistoryError> {
        let now = self.tick();
        let index = self.open.remove(&process).ok_or(HistoryError::ReturnWithoutCall(process))?;
        let call = &mut self.calls[index];
        (call.ret, call.returned, call.return_line) = (ret, Some(now), line);
        Ok(call)
    }

    /// The process's open call did not happen, and never will.
    pub fn fails(&mut self, process: u32, line: Option<usize>) -> Result<(), HistoryError> {
        let now = self.tick();
        let index = self.open.remove(&process).ok_or(HistoryError::ReturnWithoutCall(process))?;
        (self.calls[index].returned, self.calls[index].return_line) = (Some(now), line);
        self.failed.push(index);
        Ok(())
    }

    /// Nobody will ever know about the process's open call. The process makes no other.
    pub fn gives_up(&mut self, process: u32) -> Result<(), HistoryError> {
        self.fresh = false;
        self.open(process).map(|_| ())
    }

    /// Something befalls the system.
    pub fn happens(&mut self, what: Happening, node: Option<u32>, line: Option<usize>) {
        let time = self.tick();
        self.marks.push(Mark { time, what, node, line });
    }

    /// The history; calls that are still open stay so.
    pub fn finish(mut self) -> Result<History<Op, Ret>, HistoryError> {
        self.failed.sort_unstable();
        let (mut failed, mut place) = (self.failed.into_iter().peekable(), 0);
        let fails = |_: &mut Call<Op, Ret>| {
            place += 1;
            failed.next_if_eq(&(place - 1)).is_some()
        };
        // In place: calls are most of what a long history takes.
        let gone = self.calls.extract_if(.., fails).collect();
        let history = History::new(self.calls)?.beside(gone, self.marks);
        Ok(match self.clock {
            Some(clock) => history.measured(clock),
            None => history,
        })
    }

    /// The next event is at this time, by a clock that never goes back. Of events at one time, the
    /// one that is told first was first.
    pub fn clock(&mut self, time: u64) -> Result<(), HistoryError> {
        let before = self.told.replace(time).unwrap_or(0);
        self.fresh = true;
        self.now = self.now.max(time.saturating_sub(1));
        match time < before {
            true => Err(HistoryError::TimeRunsBackwards(time, before)),
            false => Ok(()),
        }
    }

    /// How many calls were made.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// True if no call was made.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    fn tick(&mut self) -> u64 {
        self.now += 1;
        match (self.told, &mut self.clock) {
            (Some(time), Some(clock)) if std::mem::take(&mut self.fresh) => {
                clock.tell(self.now, time);
            }
            _ => self.clock = None,
        }
        self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(process: u32, invoked: u64, returned: Option<u64>) -> Call<(), ()> {
        Call { ret: returned.map(|_| ()), returned, ..Call::open(process, (), invoked) }
    }

    #[test]
    fn calls_are_sorted_and_validated() {
        let history = History::new(vec![call(1, 3, Some(5)), call(0, 1, Some(4))]).unwrap();
        assert_eq!(history.calls()[0].process, 0);
        assert_eq!(history.processes(), 2);
        let early = History::new(vec![call(0, 5, Some(4))]);
        assert_eq!(early, Err(HistoryError::ReturnsTooEarly(0)));
        for first in [Some(3), Some(4), None] {
            let overlapping = History::new(vec![call(0, 1, first), call(0, 3, Some(4))]);
            assert!(matches!(overlapping, Err(HistoryError::TwoOpenCalls(0, _))), "{first:?}");
        }
        let mut open = call(2, 1, None);
        open.ret = Some(());
        assert_eq!(History::new(vec![open]), Err(HistoryError::AnswerWithoutReturn(2)));
    }

    #[test]
    fn events_make_calls() {
        let mut events: Recorder<char, u32> = Recorder::default();
        events.invoke(0, 'a', None).unwrap();
        events.invoke(1, 'b', None).unwrap();
        events.invoke(2, 'c', None).unwrap();
        assert!(matches!(events.invoke(0, 'd', None), Err(HistoryError::TwoOpenCalls(0, _))));
        events.fails(1, None).unwrap();
        events.returns(0, Some(7), None).unwrap();
        let second = events.returns(0, None, None).map(|call| call.op);
        assert_eq!(second, Err(HistoryError::ReturnWithoutCall(0)));
        assert_eq!(events.fails(3, None), Err(HistoryError::ReturnWithoutCall(3)));
        events.gives_up(2).unwrap();
        events.happens(Happening::Fault("kill".to_owned()), Some(3), None);
        assert!(matches!(events.invoke(2, 'd', None), Err(HistoryError::TwoOpenCalls(2, _))));
        let history = events.finish().unwrap();
        let ops: Vec<_> = history.calls().iter().map(|call| (call.op, call.ret)).collect();
        assert_eq!(ops, [('a', Some(7)), ('c', None)]);
        assert_eq!(history.calls()[1].outcome(), Outcome::Unknown);
        assert_eq!((history.failed()[0].op, history.marks()[0].node), ('b', Some(3)));
    }
}
