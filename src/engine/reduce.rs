//! What an exhaustive search may leave out, since it can tell it from the rest; and what it saved.

use serde::{Deserialize, Serialize};

/// Which reductions a search makes, where they are sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Reduce {
    /// None: it meets all states, by all steps.
    #[default]
    None,
    /// It meets one of all states that differ only in interchangeable names.
    Symmetry,
    /// It takes steps that don't touch what others do in some of their orders only.
    Order,
    /// Both of these.
    Both,
}

impl Reduce {
    /// Whether interchangeable names are one to it.
    pub fn symmetry(self) -> bool {
        matches!(self, Reduce::Symmetry | Reduce::Both)
    }

    /// Whether it takes steps in some of their orders only.
    pub fn order(self) -> bool {
        matches!(self, Reduce::Order | Reduce::Both)
    }
}

/// A defect that a reduction may be given, so that a test can show that it would be noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flaw {
    /// There is none.
    #[default]
    None,
    /// Of a state's images not the least is met, but the first with the least parts, whatever is
    /// in flight.
    RoughImage,
    /// All steps of different nodes and programs are taken to commute.
    TakesAllForApart,
    /// A step sleeps for another, and the other for it.
    BothOrders,
    /// A seat sleeps on though a message has come for it.
    SleepsThroughMail,
}

/// What a reduction left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reduction {
    /// What was asked for.
    pub reduce: Reduce,
    /// Under how many names a state was one: 1 where nothing is interchangeable.
    pub names: usize,
    /// The distinct states for which those stand that were met and expanded.
    pub states: usize,
    /// The transitions between these, the initial state included.
    pub transitions: usize,
    /// Why something that was asked for could not be done: there the search was a full one.
    pub refused: Vec<String>,
}

impl std::fmt::Display for Reduction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Reduction { names, states, transitions, refused, .. } = self;
        for reason in refused {
            writeln!(f, "  not reduced by {reason}")?;
        }
        write!(f, "  stands for {states} states and {transitions} transitions")?;
        if *names > 1 { write!(f, ", each under {names} names") } else { Ok(()) }
    }
}
