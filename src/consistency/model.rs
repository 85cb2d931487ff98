//! What a consistency model is to this program, and the list of all.
//!
//! A model is one file, and one line of the list below. The file says where the model comes from,
//! what it implies, what it needs to be told, and what it asks for: its views of a history (see
//! `memory/views.rs`), which are its definition. Where histories are long, a faster way to the same
//! answer stands beside them.

use std::fmt;

use super::memory::{self, Found, Memory, Settled, Source, Told, Verdict as Matched, Views};
use super::reason::Edge;
use super::subject::Subject;

/// A consistency model.
pub struct Model {
    /// Its name on the command line and in reports.
    pub name: &'static str,
    /// What it says, in one sentence.
    pub about: &'static str,
    /// The models that hold wherever it holds and can be judged, but for those that these imply.
    pub implies: &'static [&'static str],
    /// What a history must provide.
    pub needs: &'static [Need],
    /// How it is judged.
    pub judge: Judge,
}

/// What a history may or may not provide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Which calls returned before which others, of any session, were made.
    Timing,
    /// Which accesses synchronise.
    Labels,
    /// Which object of synchronisation guards which key.
    Guards,
    /// A mark at quiescence.
    Quiescence,
}

impl fmt::Display for Need {
    /// What the history says if it provides this.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Need::Timing => "which calls returned before which others were made",
            Need::Labels => "which calls synchronise",
            Need::Guards => "which lock guards which key",
            Need::Quiescence => "when the system was quiescent",
        })
    }
}

/// How a model is judged.
pub enum Judge {
    /// On any object.
    Object(fn(&dyn Subject, u64) -> Ruling),
    /// On reads and writes.
    Memory(Weak),
}

/// A model of reads and writes.
pub struct Weak {
    /// What it asks for.
    pub views: fn(&Memory) -> Views,
    /// How it is decided, where not by the solver.
    pub fast: Option<Shortcut>,
    /// For each access whether the model says nothing about it, whatever it returned.
    pub ignores: Option<fn(&Memory) -> Vec<bool>>,
}

/// A faster way to the verdict.
pub struct Shortcut {
    /// What it is called in answers.
    pub name: &'static str,
    /// The way.
    pub decide: fn(&Memory, u64) -> Fast,
}

/// What a faster way finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fast {
    /// The model holds; with an order for each view, if it has any to show.
    Holds(Option<Vec<Vec<usize>>>),
    /// It is violated.
    Violated,
    /// This way does not tell.
    Open,
    /// No way within the budget would tell.
    Spent(String),
}

/// What was found about a history and a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// The model allows it.
    Holds {
        /// How it was found.
        algorithm: String,
        /// What shows it.
        why: String,
    },
    /// It does not.
    Violated {
        /// How it was found.
        algorithm: String,
        /// Calls that contradict the model by themselves: indices.
        core: Vec<usize>,
        /// Of these, calls that contradict it whatever they did.
        free: Vec<usize>,
        /// Whether it was tried to leave out each of them.
        minimal: bool,
        /// Why, sentence by sentence.
        story: Vec<String>,
        /// The circle of calls by itself, where there is one to be drawn.
        circle: Vec<Edge>,
    },
    /// The budget ran out; and what is known.
    Unknown(String),
    /// The history does not provide what the model needs.
    NotApplicable(String),
}

impl Ruling {
    /// Under which heading it stands.
    pub fn heading(&self) -> &'static str {
        match self {
            Ruling::Holds { .. } => "holds",
            Ruling::Violated { .. } => "violated",
            Ruling::Unknown(_) => "unknown",
            Ruling::NotApplicable(_) => "not applicable",
        }
    }
}

/// Every model. A line here and a file beside this one add another.
macro_rules! models {
    ($($file:ident),* $(,)?) => {
        /// Every consistency model, in the order of reports: the strongest come first.
        pub fn models() -> &'static [&'static Model] {
            static MODELS: &[&Model] = &[$(&super::$file::MODEL),*];
            MODELS
        }
    };
}

models![
    linearizability,
    regular,
    safe,
    sequential,
    processor,
    causal,
    causal_convergence,
    weak_causal,
    pram,
    cache,
    slow,
    prefix,
    read_your_writes,
    monotonic_reads,
    monotonic_writes,
    writes_follow_reads,
    eventual,
    weak_ordering,
    release_sc,
    release_pc,
    lazy_release,
    entry,
];

/// Finds a model by its name.
pub fn model_named(name: &str) -> Option<&'static Model> {
    models().iter().copied().find(|model| model.name == name)
}

impl Model {
    /// Judges a history, within a number of steps.
    pub fn judge(&self, subject: &dyn Subject, budget: u64) -> Ruling {
        match &self.judge {
            Judge::Object(judge) => match self.missing(subject.is_timed(), None) {
                Some(missing) => Ruling::NotApplicable(missing),
                None => judge(subject, budget),
            },
            Judge::Memory(weak) => match subject.memory() {
                Err(reason) => Ruling::NotApplicable(reason.clone()),
                Ok(memory) => match self.missing(memory.timed, Some(memory)) {
                    Some(missing) => Ruling::NotApplicable(missing),
                    None => weak.judge(memory, budget),
                },
            },
        }
    }

    /// What the model needs and the history does not provide.
    fn missing(&self, timed: bool, memory: Option<&Memory>) -> Option<String> {
        let provided = |need: &Need| match need {
            Need::Timing => timed,
            Need::Labels => memory.is_some_and(|m| m.accesses.iter().any(|one| one.syncs())),
            Need::Guards => memory.is_some_and(|memory| memory.guarded),
            Need::Quiescence => memory.is_some_and(|memory| memory.quiet.is_some()),
        };
        let missing = self.needs.iter().find(|need| !provided(need))?;
        Some(format!("the history does not say {missing}"))
    }

    /// Every model that this one implies, by any number of steps.
    pub fn implied(&self) -> Vec<&'static Model> {
        let mut found: Vec<&'static Model> = Vec::new();
        let mut open: Vec<&str> = self.implies.to_vec();
        while let Some(name) = open.pop() {
            let Some(model) = model_named(name) else { continue };
            if !found.iter().any(|known| known.name == name) {
                found.push(model);
                open.extend(model.implies);
            }
        }
        found
    }
}

/// The size of histories up to which the solver is asked.
const SOLVER_LIMIT: usize = 4_000;
/// The size of histories up to which the solver shows why a model holds.
const SHOWN: usize = 100;
/// Steps that shrinking to a core may take.
pub(super) const EFFORT: u64 = 30_000_000;

impl Weak {
    /// Judges a memory.
    pub fn judge(&self, memory: &Memory, budget: u64) -> Ruling {
        let judged = self.ignores.map(|ignores| {
            let ignored = ignores(memory);
            memory.keep(|access| !ignored[access]).0
        });
        let memory = judged.as_ref().unwrap_or(memory);
        if let Some(read) = memory.reads().find(|read| memory.sources[*read] == Source::Nobody) {
            return Ruling::Violated {
                algorithm: "sources".to_owned(),
                core: vec![memory.accesses[read].call],
                free: Vec::new(),
                minimal: true,
                story: vec![format!("Nobody wrote what came back from {}.", memory.name(read))],
                circle: Vec::new(),
            };
        }
        let mut algorithm = "saturation";
        let settled = memory::settle(memory, budget, |memory| {
            let (name, found) = self.decide(memory, budget);
            algorithm = name;
            found
        });
        match settled {
            Settled::Unknown(why) => Ruling::Unknown(why),
            Settled::Violated(_) => self.violated(memory, algorithm, budget),
            Settled::Holds(matched, orders) => {
                let orders = orders.or_else(|| self.orders(&matched, budget));
                let why = self.confirmed(&matched, orders);
                Ruling::Holds { algorithm: algorithm.to_owned(), why }
            }
        }
    }

    /// Whether a model holds for a memory whose reads are matched, and by which way that was found.
    fn decide(
        &self,
        memory: &Memory,
        budget: u64,
    ) -> (&'static str, Matched<Option<Vec<Vec<usize>>>>) {
        if let Some(fast) = &self.fast {
            match (fast.decide)(memory, budget) {
                Fast::Holds(orders) => return (fast.name, Matched::Holds(orders)),
                Fast::Violated => return (fast.name, Matched::Violated),
                Fast::Spent(why) => return (fast.name, Matched::Unknown(why)),
                Fast::Open => {}
            }
        }
        let size = memory.accesses.len();
        if size > SOLVER_LIMIT {
            let why = format!(
                "what is necessary holds, and what would be sufficient does not; beyond these, \
                 {size} accesses are too many for the solver, which takes {SOLVER_LIMIT}"
            );
            return ("saturation", Matched::Unknown(why));
        }
        let found = match memory::solve(memory, &(self.views)(memory), budget) {
            Found::Orders(orders) => Matched::Holds(Some(orders)),
            Found::Contradiction(_) => Matched::Violated,
            Found::Spent => Matched::Unknown(format!("no order was found in {budget} steps")),
        };
        ("saturation", found)
    }

    /// Orders that show that a model holds, where the way to that had none to show: by the solver,
    /// if the history is short.
    fn orders(&self, memory: &Memory, budget: u64) -> Option<Vec<Vec<usize>>> {
        if memory.accesses.len() > SHOWN {
            return None;
        }
        match memory::solve(memory, &(self.views)(memory), budget) {
            Found::Orders(orders) => Some(orders),
            Found::Spent => None,
            Found::Contradiction(story) => panic!(
                "the solver refutes what a faster way found, a defect of this program: {}",
                story.lines.join(" ")
            ),
        }
    }

    /// What shows that a model holds: orders, which the second checker confirms.
    fn confirmed(&self, memory: &Memory, orders: Option<Vec<Vec<usize>>>) -> String {
        let Some(orders) = orders else {
            return "Nothing in it contradicts the model.".to_owned();
        };
        let views = (self.views)(memory);
        if let Err(reason) = memory::confirms(memory, &views, &orders) {
            panic!(
                "a witness is refuted by the second checker, a defect of this program: {reason}"
            );
        }
        match orders.len() {
            1 => "An order of the accesses explains every read.".to_owned(),
            views => format!("For each of {views} views an order explains its reads."),
        }
    }

    fn violated(&self, memory: &Memory, algorithm: &'static str, budget: u64) -> Ruling {
        let core = memory::shrink(memory, EFFORT, |part| {
            let judged = memory::settle(part, budget, |part| self.decide(part, budget).1);
            matches!(judged, Settled::Violated(_))
        });
        let told = self.story(&core.memory, budget);
        Ruling::Violated {
            algorithm: algorithm.to_owned(),
            core: core.memory.calls(),
            free: Vec::new(),
            minimal: core.minimal,
            story: told.lines,
            circle: told.circle,
        }
    }

    /// Why a core contradicts the model.
    fn story(&self, core: &Memory, budget: u64) -> Told {
        let mut story = Told::default();
        let mut memory = core.clone();
        if core.reads().any(|read| core.sources[read] == Source::Unclear) {
            story.lines.push(
                "Some values were written more than once; whichever write each read returned, \
                 there is a contradiction. This is one:"
                    .to_owned(),
            );
            let settled = memory::settle(core, budget, |part| self.decide(part, budget).1);
            if let Settled::Violated(matched) = settled {
                memory = matched;
            }
        }
        match memory::solve(&memory, &(self.views)(&memory), budget) {
            Found::Contradiction(told) => {
                story.lines.extend(told.lines);
                story.circle = told.circle;
            }
            _ => story.lines.push("No order explains what the reads returned.".to_owned()),
        }
        story
    }
}
