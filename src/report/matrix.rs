//! The guarantee matrix: a row for each scenario, a column for each kind of fault, and in each cell
//! what is known of the two together. `run` fills it; the README, `guarantees.json` and the page
//! show it.

use serde::{Deserialize, Serialize};

use crate::engine::columns::{BrokenCell, ColumnOptions, Exhausted, Fault, Sampled};
use crate::engine::{Engines, regressions};

/// What is known of a scenario under one kind of fault alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Cell {
    /// Every interleaving of the small world was tried, and nothing breaks.
    Holds {
        /// Distinct states.
        states: usize,
        /// Whether all of the scenario's faults were tried together, this one among them.
        together: bool,
        /// Runs of the large world that survived it, too.
        runs: u64,
        /// Runs in which the fault changed how some call ended.
        mattered: u64,
        /// Runs of which not everything was judged.
        undecided: u64,
    },
    /// Seeds of the large world were tried, and nothing breaks.
    Survived {
        /// How many.
        runs: u64,
        /// Runs in which the fault changed how some call ended.
        mattered: u64,
    },
    /// Nothing is known to break; but of some runs not everything was judged.
    Undecided {
        /// How many runs.
        runs: u64,
        /// Runs in which the fault changed how some call ended.
        mattered: u64,
        /// Runs of which not everything was judged.
        undecided: u64,
        /// What was open in the first of them.
        open: String,
    },
    /// Something breaks.
    Broken(BrokenCell),
    /// Nothing breaks, and in no run did the fault change anything.
    Vacuous {
        /// How many runs.
        runs: u64,
    },
    /// The scenario does not claim to stand this kind of fault.
    NotClaimed,
}

impl Cell {
    /// What is known of a scenario under this kind of fault; `states` is the size of its small
    /// world where that was exhausted with all faults together and holds; `calm` is what breaks
    /// without any fault, since that breaks within every budget of faults, too.
    pub fn of(
        scenario: &dyn Engines,
        fault: Fault,
        states: Option<usize>,
        calm: Option<&BrokenCell>,
        options: ColumnOptions,
    ) -> Cell {
        let small = &scenario.card().small;
        let claimed = fault.alone(small).is_some();
        let exhausted = match states.filter(|_| claimed && fault.is_part_of(small)) {
            // With fewer faults a world does no more than it did with all of them.
            Some(states) => Some((states, true)),
            None => match scenario.exhaust(fault, options) {
                Exhausted::Breaks(broken) => return Cell::Broken(*broken),
                Exhausted::Holds(states) => Some((states, false)),
                Exhausted::Not => None,
            },
        };
        if let Some(calm) =
            calm.filter(|_| claimed || fault.alone(&scenario.card().large).is_some())
        {
            return Cell::Broken(calm.clone());
        }
        let sampled = scenario.sample(fault, options).unwrap_or_default();
        Cell::sampled(fault, exhausted, sampled)
    }

    /// What seeds add to what was exhausted, if anything was: its states, and whether with all of
    /// the scenario's faults together.
    fn sampled(fault: Fault, exhausted: Option<(usize, bool)>, sampled: Sampled) -> Cell {
        let Sampled { runs, mattered, undecided, open, broken } = sampled;
        match (broken, exhausted, open) {
            (Some(broken), ..) => Cell::Broken(broken),
            (_, Some((states, together)), _) => {
                Cell::Holds { states, together, runs, mattered, undecided }
            }
            (.., Some(open)) => Cell::Undecided { runs, mattered, undecided, open },
            _ if runs == 0 => Cell::NotClaimed,
            _ if mattered == 0 && fault != Fault::None => Cell::Vacuous { runs },
            _ => Cell::Survived { runs, mattered },
        }
    }

    /// The cell in the README.
    fn sign(&self) -> String {
        match self {
            Cell::Holds { .. } => "●".to_owned(),
            Cell::Survived { .. } => "○".to_owned(),
            Cell::Undecided { .. } => "?".to_owned(),
            Cell::Broken(broken) => format!("✗{}", broken.trace.len().saturating_sub(1)),
            Cell::Vacuous { .. } => "–".to_owned(),
            Cell::NotClaimed => String::new(),
        }
    }
}

/// One scenario's row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The scenario.
    pub scenario: String,
    /// What it shows.
    pub about: String,
    /// The property that it is there to break.
    pub breaks: Option<String>,
    /// The regression file of its shortest trace.
    pub regression: Option<String>,
    /// A cell for each kind of fault.
    pub cells: Vec<(Fault, Cell)>,
}

impl Row {
    /// The row of a scenario with these cells.
    pub fn new(scenario: &dyn Engines, cells: Vec<(Fault, Cell)>) -> Row {
        let card = scenario.card();
        let breaks = scenario.expect(&card.small).broken();
        let name = regressions::file_name(card.name);
        let file = |_| format!("reports/{}/{name}", regressions::FOLDER);
        let regression = breaks.filter(|_| scenario.checkable()).map(file);
        let (scenario, about) = (card.name.to_owned(), card.about.to_owned());
        Row { scenario, about, breaks: breaks.map(str::to_owned), regression, cells }
    }
}

/// The heads of the README's columns: short, so that sixteen fit.
const HEADS: [&str; 16] = [
    "none", "loss", "dup", "reord", "split", "isol", "1-way", "bridge", "ring", "pause", "crash",
    "torn", "lost", "skew", "drift", "jump",
];

/// The matrix in Markdown, compact.
pub fn markdown(rows: &[Row]) -> String {
    let mut text = format!("| | {} |\n|---|{}\n", HEADS.join(" | "), ":-:|".repeat(HEADS.len()));
    for row in rows {
        let cells: Vec<_> = row.cells.iter().map(|(_, cell)| cell.sign()).collect();
        text += &format!("| `{}` | {} |\n", row.scenario, cells.join(" | "));
    }
    text + LEGEND
}

const LEGEND: &str = "
● holds: every interleaving of the small world was tried. ○ survived: seeds of the large world were
tried, and in some of them the fault changed an outcome. ✗*n*: broken, in *n* steps, the least that
are known. –: vacuous, the fault changed nothing in any run. ?: seeds broke nothing, and of some not
everything was judged. Empty: the scenario has no budget for it. Each column is one kind of fault
alone, over links that keep their order; a budget of partitions is tried with each kind of them.
[The page](reports/guarantees.html) draws every broken cell's trace.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(exhausted: Option<(usize, bool)>, mattered: u64, undecided: u64) -> String {
        let open = (undecided > 0).then(|| "a judge gave up on the history".to_owned());
        let sampled = Sampled { runs: 10, mattered, undecided, open, broken: None };
        Cell::sampled(Fault::Loss, exhausted, sampled).sign()
    }

    #[test]
    fn what_was_not_judged_is_not_survived() {
        assert_eq!(cell(None, 3, 0), "○");
        assert_eq!(cell(None, 0, 0), "–");
        assert_eq!(cell(None, 3, 1), "?");
        assert_eq!(cell(None, 0, 1), "?");
        assert_eq!(cell(Some((9, true)), 3, 1), "●", "the small world was exhausted all the same");
        let none = Cell::sampled(Fault::Loss, None, Sampled::default());
        assert!(matches!(none, Cell::NotClaimed));
    }
}
