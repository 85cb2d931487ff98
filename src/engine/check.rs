//! Exhaustive checking: by the compact engine, or on stateright, which is its oracle.
//!
//! The world is the model: not `ActorModel`, whose timers carry no time, whose crashes fall only
//! between steps, and whose fingerprints collide. stateright 0.31 lets a later discovery overwrite
//! an earlier one, so a latch keeps the first: on one thread a breadth-first search meets states
//! in the order of their depth, and the first violation is a shortest one.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use stateright::{Checker, HasDiscoveries, Model, Path, Property as Expectation};

use crate::protocol::Checkable;
use crate::report::svg;
use crate::world::{Action, Setup, World};

use super::progress::Progress;
use super::reduce::{Flaw, Reduce, Reduction};
use super::turning;
use super::verify::{Examiner, Violation};

/// The states that the explorer looks at to explain one of the steps that it offers.
const EXPLORED_MAX: usize = 5_000;

/// Which search to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Search {
    /// The compact engine, breadth first: counterexamples are shortest on any number of threads.
    #[default]
    Compact,
    /// stateright, breadth first: counterexamples are shortest on one thread.
    StaterightBfs,
    /// stateright, depth first.
    StaterightDfs,
}

/// How to check.
#[derive(Clone, Copy, Debug)]
pub struct CheckOptions {
    /// Which search.
    pub search: Search,
    /// On how many threads.
    pub threads: usize,
    /// Stops once so many states have been generated.
    pub states_max: Option<usize>,
    /// Looks no deeper than so many states on a path.
    pub depth_max: Option<usize>,
    /// Stops once the process has used so many bytes.
    pub bytes_max: Option<u64>,
    /// Keeps states by 64-bit fingerprint, so that some may be lost, in the compact engine: then
    /// nothing is ever said to hold.
    pub fingerprints: bool,
    /// What the compact engine may leave out.
    pub reduce: Reduce,
    /// A defect of what it leaves out, on purpose.
    pub flaw: Flaw,
    /// Shows progress on standard error.
    pub progress: bool,
}

impl Default for CheckOptions {
    fn default() -> Self {
        CheckOptions {
            search: Search::default(),
            threads: 1,
            states_max: None,
            depth_max: None,
            bytes_max: None,
            fingerprints: false,
            reduce: Reduce::None,
            flaw: Flaw::None,
            progress: false,
        }
    }
}

/// What a search concluded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Every reachable state was judged, and no property is broken.
    Holds,
    /// A property is broken.
    Violated(Violation),
    /// The search was cut short, by this.
    Incomplete(String),
}

impl Verdict {
    /// As in JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::Violated(_) => "violated",
            Verdict::Incomplete(_) => "incomplete",
        }
    }
}

/// What a search found.
#[derive(Debug)]
pub struct Checked<P: Checkable> {
    /// The verdict.
    pub verdict: Verdict,
    /// Whether every reachable state was met, be it that a promise is broken, or that the search
    /// can't judge promises.
    pub exhausted: bool,
    /// Distinct states.
    pub states: usize,
    /// Transitions, the initial state included.
    pub transitions: usize,
    /// What was left out, if something was to be.
    pub reduction: Option<Reduction>,
    /// The longest path that was needed to reach a state; the initial state's is 1.
    pub depth: usize,
    /// Distinct histories that were judged.
    pub histories: usize,
    /// Seconds.
    pub seconds: f64,
    /// The marks that were put out on some transition.
    pub marks: BTreeSet<&'static str>,
    /// The path to the violation.
    pub trace: Vec<Action<P>>,
    /// After how many of its steps the trace begins to go round for ever, if it does.
    pub cycle: Option<usize>,
}

/// A world as a model of stateright's.
pub struct WorldModel<P: Checkable> {
    setup: Arc<Setup<P>>,
    examiner: Examiner<P>,
    marks: Mutex<BTreeSet<&'static str>>,
    found: Mutex<Option<Violation>>,
    latch: bool,
    latched: AtomicBool,
    stop: Arc<AtomicBool>,
}

impl<P: Checkable> WorldModel<P> {
    /// For a search that keeps the first violation, and stops when it is told.
    pub fn for_search(setup: &Arc<Setup<P>>, stop: Arc<AtomicBool>) -> Self {
        WorldModel {
            setup: Arc::clone(setup),
            examiner: Examiner::new(setup),
            marks: Mutex::default(),
            found: Mutex::default(),
            latch: true,
            latched: AtomicBool::new(false),
            stop,
        }
    }

    /// For the explorer, which asks about each state by itself.
    pub fn for_explorer(setup: &Arc<Setup<P>>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        WorldModel { latch: false, ..WorldModel::for_search(setup, stop) }
    }

    /// Remembers the marks that a world's last action put out.
    fn with_marks_taken(&self, mut world: World<P>) -> World<P> {
        let marks = std::mem::take(&mut world.waiting.marks);
        if !marks.is_empty() {
            let mut seen = self.marks.lock().expect("nothing here panics");
            seen.extend(marks.iter().map(|(_, mark)| mark.name));
        }
        world
    }

    fn is_safe(&self, world: &World<P>) -> bool {
        if self.latched.load(Ordering::Acquire) {
            return true;
        }
        let Some(violation) = self.examiner.examine(world) else { return true };
        let mut found = self.found.lock().expect("nothing here panics");
        if self.latch && found.is_some() {
            return true;
        }
        *found = Some(violation);
        self.latched.store(self.latch, Ordering::Release);
        false
    }
}

impl<P: Checkable> Model for WorldModel<P> {
    type State = World<P>;
    type Action = Action<P>;

    fn init_states(&self) -> Vec<World<P>> {
        let starts = World::starts(&self.setup);
        starts.map(|(world, _)| self.with_marks_taken(world)).collect()
    }

    fn actions(&self, world: &World<P>, actions: &mut Vec<Action<P>>) {
        actions.extend(world.actions());
    }

    fn next_state(&self, world: &World<P>, action: Action<P>) -> Option<World<P>> {
        let next = world.after(&action).expect("an enabled action can be done");
        Some(self.with_marks_taken(next))
    }

    fn within_boundary(&self, _: &World<P>) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn properties(&self) -> Vec<Expectation<Self>> {
        vec![Expectation::always("every property holds", WorldModel::is_safe)]
    }

    fn format_action(&self, action: &Action<P>) -> String {
        action.to_string()
    }

    fn format_step(&self, world: &World<P>, action: Action<P>) -> Option<String> {
        let next = world.after(&action).ok()?;
        let broken = self.examiner.examine(&next);
        let broken = broken.map_or(String::new(), |violation| format!("BROKEN {violation}\n\n"));
        Some(broken + &crate::report::step::tell(world, &action, &next))
    }

    fn as_svg(&self, path: Path<World<P>, Action<P>>) -> Option<String> {
        let path = path.into_vec();
        let broken = path.last().and_then(|(world, _)| self.examiner.examine(world));
        let (diagram, _) = turning::drawn(&path, broken.as_ref(), &self.examiner, EXPLORED_MAX);
        Some(svg::draw(&diagram, svg::Scale::Step))
    }
}

/// Exhausts the world of a set-up, or says what stopped it.
pub fn check<P: Checkable>(setup: &Arc<Setup<P>>, options: CheckOptions) -> Checked<P> {
    if options.search == Search::Compact {
        return super::compact::check(setup, options);
    }
    let begin = Instant::now();
    let stop = Arc::new(AtomicBool::new(false));
    let mut builder = WorldModel::for_search(setup, Arc::clone(&stop))
        .checker()
        .threads(options.threads)
        .finish_when(HasDiscoveries::AnyFailures);
    if let Some(states) = options.states_max {
        builder = builder.target_state_count(states);
    }
    if let Some(depth) = options.depth_max {
        builder = builder.target_max_depth(depth);
    }
    match options.search {
        Search::StaterightBfs => conclude(builder.spawn_bfs(), &stop, begin, options),
        Search::Compact | Search::StaterightDfs => {
            conclude(builder.spawn_dfs(), &stop, begin, options)
        }
    }
}

fn conclude<P: Checkable>(
    checker: impl Checker<WorldModel<P>>,
    stop: &AtomicBool,
    begin: Instant,
    options: CheckOptions,
) -> Checked<P> {
    let interrupted = wait(&checker, stop, options);
    let checker = checker.join();
    let (states, transitions) = (checker.unique_state_count(), checker.state_count());
    let model = checker.model();
    let found = model.found.lock().expect("no examiner panics").clone();
    let trace = checker.discoveries().into_values().next();
    let cut_short = interrupted.or_else(|| cut_short(&checker, options));
    let exhausted = found.is_none() && cut_short.is_none();
    // A promise is no predicate of a state, and stateright's own is not sound.
    let unjudged = || model.setup.promises().next().map(|(name, _)| name);
    let verdict = match (found, cut_short) {
        (Some(violation), _) => Verdict::Violated(violation),
        (None, Some(reason)) => Verdict::Incomplete(reason),
        (None, None) => match unjudged() {
            Some(name) => Verdict::Incomplete(format!("only `compact` can judge \"{name}\"")),
            None => Verdict::Holds,
        },
    };
    let trace = trace.map_or(Vec::new(), |path| with_start(model, path));
    Checked {
        verdict,
        exhausted,
        states,
        transitions,
        reduction: None,
        depth: checker.max_depth(),
        histories: model.examiner.histories(),
        seconds: begin.elapsed().as_secs_f64(),
        marks: model.marks.lock().expect("nothing here panics").clone(),
        trace,
        cycle: None,
    }
}

/// A path's actions, with the way in which its world starts.
fn with_start<P: Checkable>(
    model: &WorldModel<P>,
    path: Path<World<P>, Action<P>>,
) -> Vec<Action<P>> {
    let path = path.into_vec();
    let first = &path[0].0;
    let mut starts = World::starts(&model.setup);
    let start = starts.find(|(world, _)| world == first).map(|(_, action)| action);
    let start = start.expect("a path begins where a world starts");
    std::iter::once(start).chain(path.into_iter().filter_map(|(_, action)| action)).collect()
}

/// Waits for a search, shows its progress, and stops it when it is interrupted or uses too many
/// bytes: then its boundary closes, and it runs dry.
fn wait<P: Checkable>(
    checker: &impl Checker<WorldModel<P>>,
    stop: &AtomicBool,
    options: CheckOptions,
) -> Option<String> {
    let progress = Progress::start("states", None, options.progress);
    let mut reason = None;
    let mut pause = Duration::from_micros(200);
    while !checker.is_done() {
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
        progress.at(checker.unique_state_count() as u64);
        if super::progress::interrupted() {
            reason.get_or_insert_with(|| "it was interrupted".to_owned());
        }
        if let Some(most) = options.bytes_max
            && crate::report::peak_bytes() > most
        {
            reason.get_or_insert_with(|| format!("it used more than {most} bytes"));
        }
        if reason.is_some() {
            stop.store(true, Ordering::Relaxed);
        }
    }
    reason
}

/// What cut a search short that was not interrupted.
fn cut_short<P: Checkable>(
    checker: &impl Checker<WorldModel<P>>,
    options: CheckOptions,
) -> Option<String> {
    // stateright stops at the first block of states beyond its target, so a count at the target
    // may be complete or not: it counts as not.
    if let Some(most) = options.states_max
        && checker.state_count() >= most
    {
        return Some(format!("it stopped at {most} states"));
    }
    // A state at the deepest level allowed is neither judged nor expanded.
    if let Some(deepest) = options.depth_max
        && checker.max_depth() >= deepest
    {
        return Some(format!("it looked no deeper than {deepest}"));
    }
    let undecided = checker.model().examiner.undecided();
    (undecided > 0).then(|| format!("the judges gave up on {undecided} histories"))
}
