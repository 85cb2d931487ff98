//! The guarantee matrix: a row for each scenario, a column for each kind of fault, and in each cell
//! what is known of the two together. `run` fills it; the README, `guarantees.json` and the page
//! show it.

use serde::Serialize;

use crate::engine::columns::{BrokenCell, ColumnOptions, Exhausted, Fault};
use crate::engine::{Engines, regressions};

/// What is known of a scenario under one kind of fault alone.
#[derive(Clone, Debug, Serialize)]
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
    },
    /// Seeds of the large world were tried, and nothing breaks.
    Survived {
        /// How many.
        runs: u64,
        /// Runs in which the fault changed how some call ended.
        mattered: u64,
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
    /// world where that was exhausted with all faults together and holds.
    pub fn of(
        scenario: &dyn Engines,
        fault: Fault,
        states: Option<usize>,
        options: ColumnOptions,
    ) -> Cell {
        let small = &scenario.card().small;
        let claimed = fault.alone(small).is_some();
        let exhausted = match states.filter(|_| claimed) {
            // With fewer faults a world does no more than it did with all of them.
            Some(states) => Some((states, true)),
            None => match scenario.exhaust(fault, options) {
                Exhausted::Breaks(broken) => return Cell::Broken(broken),
                Exhausted::Holds(states) => Some((states, false)),
                Exhausted::Not => None,
            },
        };
        let sampled = scenario.sample(fault, options);
        if let Some(broken) = sampled.as_ref().and_then(|sampled| sampled.broken.clone()) {
            return Cell::Broken(broken);
        }
        let (runs, mattered) = sampled.map_or((0, 0), |sampled| (sampled.runs, sampled.mattered));
        match exhausted {
            Some((states, together)) => Cell::Holds { states, together, runs, mattered },
            None if runs == 0 => Cell::NotClaimed,
            None if mattered == 0 && fault != Fault::None => Cell::Vacuous { runs },
            None => Cell::Survived { runs, mattered },
        }
    }

    /// The cell in the README.
    fn sign(&self) -> String {
        match self {
            Cell::Holds { .. } => "●".to_owned(),
            Cell::Survived { .. } => "○".to_owned(),
            Cell::Broken(broken) => format!("✗{}", broken.trace.len().saturating_sub(1)),
            Cell::Vacuous { .. } => "–".to_owned(),
            Cell::NotClaimed => String::new(),
        }
    }
}

/// What breaks without any fault breaks within every budget of faults, too.
pub fn inherit(cells: &mut [(Fault, Cell)]) {
    let calm = cells.iter().find_map(|(fault, cell)| match cell {
        Cell::Broken(broken) if *fault == Fault::None => Some(broken.clone()),
        _ => None,
    });
    let Some(calm) = calm else { return };
    for (_, cell) in cells {
        let longer = match cell {
            Cell::NotClaimed => false,
            Cell::Broken(own) => own.trace.len() > calm.trace.len(),
            Cell::Holds { .. } | Cell::Survived { .. } | Cell::Vacuous { .. } => true,
        };
        if longer {
            *cell = Cell::Broken(calm.clone());
        }
    }
}

/// One scenario's row.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The scenario.
    pub scenario: String,
    /// What it shows.
    pub about: &'static str,
    /// The property that it is there to break.
    pub breaks: Option<&'static str>,
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
        Row { scenario: card.name.to_owned(), about: card.about, breaks, regression, cells }
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
are known. –: vacuous, the fault changed nothing in any run. Empty: the scenario has no budget for
it. Each column is one kind of fault alone, over links that keep their order.
[The page](reports/guarantees.html) draws every broken cell's trace.
";
