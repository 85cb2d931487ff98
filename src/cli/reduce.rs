//! `seedbed reduce`: what the reductions of the checker save, scenario by scenario, and whether
//! they find what a full search does.

use serde::Serialize;
use serde_json::json;

use crate::catalogue::Catalogue;
use crate::engine::check::CheckOptions;
use crate::engine::reduce::Reduce;
use crate::engine::{Engines, progress};
use crate::report::{Agreement, CheckReport};

use super::args::Many;
use super::run::chosen;
use super::{Bad, Status, publish, share, with_settings};

/// The successors that a search may meet at the most.
const STATES_MAX: usize = 6_000_000;

/// The table's file.
const TABLE: &str = "reduction.md";

/// Worlds beside the small ones: in many of these no two nodes or programs are alike.
const WORLDS: [(&str, &[&str]); 5] = [
    ("abd/single-writer", &["clients=3", "calls=1"]),
    ("lease-lock/fenced", &["nodes=5", "clients=3", "calls=1"]),
    ("lease-lock/believed", &["nodes=5", "clients=3"]),
    ("lease-lock/believed", &["nodes=6", "clients=4", "crashes=0", "torn=0", "lost_saves=0"]),
    ("paxos/yardstick", &["clients=4"]),
];

/// What one search found in one world.
#[derive(Debug, Serialize)]
struct Line {
    world: String,
    verdict: &'static str,
    states: usize,
    transitions: usize,
    symmetry: Saved,
    order: Saved,
    both: Saved,
}

/// What a reduced search met, and whether it found the same.
#[derive(Debug, Serialize)]
struct Saved {
    states: usize,
    transitions: usize,
    refused: Vec<String>,
    agrees: bool,
}

/// Measures the scenarios, and writes the table: of all of them into `reports`, of some only into
/// a folder that is named. It fails where a reduced search finds something else.
pub fn reduce(catalogue: &Catalogue, many: &Many) -> Status {
    let scenarios = chosen(catalogue, &many.globs)?;
    let mut lines = Vec::new();
    for scenario in scenarios.into_iter().filter(|scenario| scenario.checkable()) {
        let name = scenario.card().name;
        let more = WORLDS.iter().filter(|(world, _)| *world == name).map(|(_, set)| *set);
        for set in std::iter::once(&[][..]).chain(more) {
            lines.extend(one(scenario, set, many.jobs)?);
            if progress::interrupted() {
                eprintln!("seedbed: it was interrupted; no table is written");
                return Ok(Agreement::Undecided.status());
            }
        }
    }
    publish(many, TABLE, &table(&lines), &json!({ "reductions": lines }))?;
    let agree = |line: &Line| [&line.symmetry, &line.order, &line.both].iter().all(|s| s.agrees);
    let agreement =
        if lines.iter().all(agree) { Agreement::AsExpected } else { Agreement::Otherwise };
    Ok(agreement.status())
}

/// Searches a world in full and reduced; nothing where it is too large for a full search.
fn one(scenario: &dyn Engines, set: &[&str], threads: usize) -> Result<Option<Line>, Bad> {
    let card = scenario.card();
    let set: Vec<String> = set.iter().map(ToString::to_string).collect();
    let numbers = with_settings(scenario, &card.small, &set)?;
    let check = |reduce| {
        let options = CheckOptions { reduce, threads, ..CheckOptions::default() };
        let states_max = Some(STATES_MAX);
        scenario.check(&numbers, CheckOptions { states_max, ..options }).map_err(Bad::from)
    };
    let full = check(Reduce::None)?;
    if full.verdict == "incomplete" {
        eprintln!("seedbed: {}: {}", card.name, full.reason.unwrap_or_default());
        return Ok(None);
    }
    let [symmetry, order, both] = [Reduce::Symmetry, Reduce::Order, Reduce::Both];
    Ok(Some(Line {
        world: format!("`{}` {}", card.name, set.join(" ")).trim_end().to_owned(),
        verdict: full.verdict,
        states: full.states,
        transitions: full.transitions,
        symmetry: saved(&full, check(symmetry)?),
        order: saved(&full, check(order)?),
        both: saved(&full, check(both)?),
    }))
}

/// A reduced search finds the same verdict, trace and marks; and where a full one met all states,
/// what it met stands for these.
fn saved(full: &CheckReport, found: CheckReport) -> Saved {
    let same = found.verdict == full.verdict
        && found.property == full.property
        && (&found.trace, &found.marks) == (&full.trace, &full.marks);
    let reduction = found.reduction.expect("a reduction was asked for");
    let stands_for = (reduction.states, reduction.transitions);
    let all = !full.exhausted || stands_for == (full.states, full.transitions);
    Saved {
        states: found.states,
        transitions: found.transitions,
        refused: reduction.refused,
        agrees: same && all,
    }
}

fn table(lines: &[Line]) -> String {
    let mut table = "# What reductions save\n\n\
        Written by `seedbed reduce`. Every small world that can be searched in full, and some in \
        which more\nis alike: what a full search meets, and what is left of it by `check --reduce \
        symmetry`, `order` and\n`both`. Each of these found the same verdict, trace and marks as \
        the full search (!! where one did\nnot), and where that met all states, what they met \
        stands for as many states and transitions. Order\nsaves no states. A search that ends at a \
        violation met what it did up to its level.\n\n\
        | world | verdict | states | symmetry | transitions | symmetry | order | both |\n\
        |---|---|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for line in lines {
        let Line { world, verdict, states, transitions, symmetry, order, both } = line;
        let wrong = |saved: &Saved| if saved.agrees { "" } else { " !!" };
        let of_states = left(symmetry.states, *states) + wrong(symmetry);
        let shares = [symmetry, order, both].map(|s| left(s.transitions, *transitions) + wrong(s));
        let [by_symmetry, by_order, by_both] = shares;
        table += &format!(
            "| {world} | {verdict} | {states} | {of_states} | {transitions} | {by_symmetry} | \
             {by_order} | {by_both} |\n"
        );
    }
    table += "\n## Where symmetry is refused\n\n";
    let mut reasons: Vec<_> = lines.iter().flat_map(|line| &line.symmetry.refused).collect();
    reasons.sort();
    reasons.dedup();
    for reason in reasons {
        let refused = lines.iter().filter(|line| line.symmetry.refused.contains(reason));
        let refused: Vec<_> = refused.map(|line| line.world.as_str()).collect();
        let reason = reason.trim_start_matches("symmetry: ");
        table += &format!("- {reason}: {}\n", refused.join(", "));
    }
    table
}

/// What is left.
fn left(part: usize, whole: usize) -> String {
    if part == whole { "all".to_owned() } else { share(part, whole) + " %" }
}
