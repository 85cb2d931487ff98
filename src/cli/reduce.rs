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
        for set in worlds(scenario.card().name) {
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

/// The settings of a scenario's worlds: none, which is its small world, and more.
fn worlds(name: &str) -> impl Iterator<Item = &'static [&'static str]> {
    let more = WORLDS.iter().filter(move |(world, _)| *world == name).map(|(_, set)| *set);
    std::iter::once(&[][..]).chain(more)
}

/// What the table calls a world.
fn title(name: &str, set: &[&str]) -> String {
    format!("`{name}` {}", set.join(" ")).trim_end().to_owned()
}

/// Searches a world in full and reduced; nothing where it is too large for a full search.
fn one(scenario: &dyn Engines, set: &[&str], threads: usize) -> Result<Option<Line>, Bad> {
    let card = scenario.card();
    let settings: Vec<String> = set.iter().map(ToString::to_string).collect();
    let numbers = with_settings(scenario, &card.small, &settings)?;
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
        world: title(card.name, set),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::kept;
    use crate::protocols::catalogue;

    /// Worlds with so few states are searched again.
    const FEW: usize = 3_000;

    fn saved(states: usize, transitions: usize) -> Saved {
        Saved { states, transitions, refused: Vec::new(), agrees: true }
    }

    /// The lines of a table that no search disagrees in.
    fn parsed(text: &str) -> Option<Vec<Line>> {
        let line = |cells: Vec<&str>| {
            let &[world, verdict, states, of_states, transitions, symmetry, order, both] =
                &cells[..]
            else {
                return None;
            };
            let (states, transitions) = (states.parse().ok()?, transitions.parse().ok()?);
            let part = |cell: &str, whole| match cell {
                "all" => Some(whole),
                share => kept::part(share.strip_suffix(" %")?, whole),
            };
            Some(Line {
                world: world.to_owned(),
                verdict: ["holds", "violated"].into_iter().find(|word| *word == verdict)?,
                states,
                transitions,
                symmetry: saved(part(of_states, states)?, part(symmetry, transitions)?),
                order: saved(states, part(order, transitions)?),
                both: saved(states, part(both, transitions)?),
            })
        };
        let mut lines = kept::rows(text).map(line).collect::<Option<Vec<_>>>()?;
        for refused in text.lines().filter_map(|line| line.strip_prefix("- ")) {
            let (reason, worlds) = refused.rsplit_once(": ")?;
            for world in worlds.split(", ") {
                let line = lines.iter_mut().find(|line| line.world == world)?;
                line.symmetry.refused.push(reason.to_owned());
            }
        }
        Some(lines)
    }

    /// What a table says that is not so: of its form, of which worlds there are, of what the other
    /// report has of them, and of where symmetry saves nothing, which is where it is refused.
    fn stale(text: &str) -> Option<String> {
        let Some(lines) = parsed(text) else { return Some("a row can't be read".to_owned()) };
        if table(&lines) != text {
            return Some("it is not as it is written".to_owned());
        }
        let catalogue = catalogue();
        let names = catalogue.iter().filter(|s| s.checkable()).map(|s| s.card().name);
        let titles = names.flat_map(|name| worlds(name).map(move |set| title(name, set)));
        if !titles.eq(lines.iter().map(|line| line.world.clone())) {
            return Some("its rows are not the catalogue's worlds".to_owned());
        }
        let guarantees = kept::guarantees().scenarios;
        let wrong = lines.iter().find(|line| {
            let all = line.symmetry.transitions == line.transitions;
            let named = |name: &str| line.world == title(name, &[]);
            let known = guarantees.iter().find(|other| named(&other.scenario));
            let known = known.and_then(|other| other.checked.as_ref());
            let same = known.is_none_or(|checked| {
                let counts = (Some(line.states), Some(line.transitions));
                checked.verdict == line.verdict
                    && (checked.states.is_none() || (checked.states, checked.transitions) == counts)
            });
            !same || all == line.symmetry.refused.is_empty()
        });
        wrong.map(|line| format!("{} is not so", line.world))
    }

    /// The rows of the smallest worlds, made anew.
    fn fresh(lines: &[Line]) -> Vec<String> {
        let catalogue = catalogue();
        let mut again = Vec::new();
        for scenario in catalogue.iter().filter(|scenario| scenario.checkable()) {
            let name = scenario.card().name;
            let few = |set: &&[&str]| {
                let mut few = lines.iter().filter(|line| line.states <= FEW);
                few.any(|line| line.world == title(name, set))
            };
            let searched = worlds(name).filter(few).map(|set| one(scenario, set, 1));
            again.extend(searched.map(|line| line.expect("it is searched").expect("in full")));
        }
        kept::lines(&table(&again)).map(str::to_owned).collect()
    }

    #[test]
    fn the_kept_table_is_about_this_code() {
        let text = kept::read(TABLE);
        assert_eq!(stale(&text), None, "`seedbed reduce` writes it anew");
        let fresh = fresh(&parsed(&text).expect("it is not stale"));
        assert!(fresh.len() > 10, "{fresh:?}");
        for row in fresh {
            assert!(kept::lines(&text).any(|kept| kept == row), "`seedbed reduce` has: {row}");
        }
    }

    /// Each word of the table that is changed is noticed, and each row that is left out or added.
    #[test]
    fn a_stale_table_is_noticed() {
        let text = kept::read(TABLE);
        let [first, last] = [kept::lines(&text).next(), kept::lines(&text).last()]
            .map(|row| format!("{}\n", row.expect("there are rows")));
        let states = first.split(" | ").nth(2).expect("a cell");
        let world = last[2..].split(" | ").next().expect("a cell");
        let without = text.replace(&last, "");
        let edits = [
            (text.replace("Order\nsaves", "Order saves"), "as it is written"),
            (text.replacen("| holds |", "| survives |", 1), "can't be read"),
            (text.replacen(" % |", "% |", 1), "can't be read"),
            (text.replacen("| holds |", "| violated |", 1), "is not so"),
            (text.replacen(states, "7", 1), "is not so"),
            (text.replacen("50.0 %", "all", 2), "is not so"),
            (without.clone(), "can't be read"),
            (without.replace(&format!(", {world}"), ""), "the catalogue's"),
            (text.replace(world, "`no/such`"), "the catalogue's"),
        ];
        kept::noticed(&text, stale, &edits);
    }
}
