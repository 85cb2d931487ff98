//! Other names for the nodes and programs of a trace, so that a run that needs few of them is one
//! of a world that has few.
//!
//! A program of the new world calls the node that its script names, so the node at which the old
//! program called gets that name; the other nodes that the trace speaks of get the names that are
//! left, in every order, the old one first. A trace is text, and so is renaming it: what it means
//! is found out by following it.

use std::collections::{BTreeMap, BTreeSet};

/// New names: of nodes and of programs; what has none is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The nodes that stay.
    pub nodes: BTreeMap<u32, u32>,
    /// The programs that stay.
    pub programs: BTreeMap<u32, u32>,
}

/// A word of a step, as far as names go.
enum Token<'a> {
    Node(u32),
    Process(u32),
    Other(&'a str),
}

/// The tokens of a text, in order.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = is_word(first);
        let end = rest.find(|c| is_word(c) != word).unwrap_or(rest.len());
        let (token, after) = rest.split_at(end);
        let number = token.get(1..).and_then(|digits| digits.parse().ok());
        found.push(match (first, number) {
            ('n', Some(node)) => Token::Node(node),
            ('p', Some(process)) if after.starts_with('#') => Token::Process(process),
            _ => Token::Other(token),
        });
        rest = after;
    }
    found
}

impl Names {
    /// A step with the new names; `None` if it is about somebody who is left out. Where processes
    /// have retired, programs are counted by the number of clients, before and now.
    pub fn rename(&self, step: &str, (before, now): (u32, u32)) -> Option<String> {
        let mut renamed = String::with_capacity(step.len());
        for token in tokens(step) {
            match token {
                Token::Node(node) => renamed += &format!("n{}", self.nodes.get(&node)?),
                Token::Process(process) => {
                    let program = self.programs.get(&(process % before.max(1)))?;
                    let process = program + process / before.max(1) * now;
                    renamed += &format!("p{process}");
                }
                Token::Other(text) => renamed += text,
            }
        }
        Some(renamed)
    }
}

/// Whom a trace speaks of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cast {
    /// The nodes.
    pub nodes: BTreeSet<u32>,
    /// The programs that call, and the nodes at which they do first.
    pub callers: BTreeMap<u32, u32>,
}

impl Cast {
    /// Whom a trace of a world with so many clients speaks of, outside of what messages contain.
    pub fn of(trace: &[String], clients: u32) -> Cast {
        let mut cast = Cast::default();
        for step in trace {
            let outside = match (step.split_once(" gets "), step.rsplit_once(" from ")) {
                (Some((to, _)), Some((_, from))) => format!("{to} {from}"),
                _ => step.clone(),
            };
            let words = tokens(&outside);
            let nodes = words.iter().filter_map(|token| match token {
                Token::Node(node) => Some(*node),
                _ => None,
            });
            let nodes: Vec<u32> = nodes.collect();
            cast.nodes.extend(&nodes);
            if let (Some(Token::Process(process)), true) = (words.first(), step.contains(" calls "))
                && let Some(node) = nodes.last()
            {
                cast.callers.entry(process % clients.max(1)).or_insert(*node);
            }
        }
        cast
    }

    /// The names to try in a world whose programs call at `homes` and that has so many nodes; at
    /// most so many.
    pub fn renamings(&self, homes: &BTreeMap<u32, u32>, nodes: u32, most: usize) -> Vec<Names> {
        let callers: Vec<u32> = self.callers.keys().copied().collect();
        let programs: Vec<u32> = homes.keys().copied().collect();
        let mut found = Vec::new();
        for chosen in arrangements(&callers, &programs, most) {
            let mut forced = BTreeMap::new();
            for (caller, program) in &chosen {
                forced.entry(self.callers[caller]).or_insert(homes[program]);
            }
            let taken: BTreeSet<u32> = forced.values().copied().collect();
            let free: Vec<u32> = (0..nodes).filter(|node| !taken.contains(node)).collect();
            let others = self.nodes.iter().copied().filter(|node| !forced.contains_key(node));
            let others: Vec<u32> = others.collect();
            for rest in arrangements(&others, &free, most - found.len().min(most)) {
                let nodes = forced.iter().map(|(a, b)| (*a, *b)).chain(rest).collect();
                found.push(Names { nodes, programs: chosen.iter().copied().collect() });
            }
        }
        found
    }
}

/// The ways in which as many of `from` as possible get different names of `to`, those that change
/// least first; at most so many.
fn arrangements(from: &[u32], to: &[u32], most: usize) -> Vec<Vec<(u32, u32)>> {
    let mut found = vec![Vec::new()];
    for (n, name) in from.iter().enumerate() {
        let mut longer: Vec<Vec<(u32, u32)>> = Vec::new();
        for way in found {
            let free = to.iter().filter(|new| way.iter().all(|(_, taken)| taken != *new));
            let mut free: Vec<u32> = free.copied().collect();
            free.sort_by_key(|new| (new != name, *new));
            // Somebody must be left out once those that are left are more than the names.
            let may_go = from.len() - n > free.len();
            longer.extend(free.into_iter().map(|new| [&way[..], &[(*name, new)]].concat()));
            if may_go {
                longer.push(way);
            }
        }
        longer.truncate(most.max(1));
        found = longer;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(of: &[(u32, u32)]) -> BTreeMap<u32, u32> {
        of.iter().copied().collect()
    }

    #[test]
    fn names_change_wherever_they_stand() {
        let names = Names { nodes: pairs(&[(4, 1), (0, 0)]), programs: pairs(&[(3, 1)]) };
        let renamed = |step: &str| names.rename(step, (5, 2));
        let step = "n4 gets Ack(p8#1, [n0], nobody, 4) from n0";
        assert_eq!(renamed(step).as_deref(), Some("n1 gets Ack(p3#1, [n0], nobody, 4) from n0"));
        assert_eq!(
            renamed("n0's timer Wait(3) fires").as_deref(),
            Some("n0's timer Wait(3) fires")
        );
        assert_eq!(renamed("n2 crashes"), None);
        assert_eq!(renamed("p4#0 calls Read at n0"), None);
    }

    #[test]
    fn homes_decide_and_the_rest_is_tried() {
        let steps = ["start", "p3#0 calls Read at n4", "n2 gets Ask(n9) from n4"];
        let steps: Vec<_> = steps.into_iter().map(str::to_owned).collect();
        let cast = Cast::of(&steps, 5);
        assert_eq!(cast.nodes, BTreeSet::from([2, 4]), "contents are nobody");
        assert_eq!(cast.callers, pairs(&[(3, 4)]));
        let found = cast.renamings(&pairs(&[(0, 1), (1, 2)]), 3, 100);
        let names: Vec<_> = found.iter().map(|names| &names.nodes).collect();
        let with = |home, other| pairs(&[(4, home), (2, other)]);
        assert_eq!(names, [&with(1, 2), &with(1, 0), &with(2, 0), &with(2, 1)]);
        assert_eq!(cast.renamings(&pairs(&[(0, 0)]), 1, 100).len(), 1, "one is left out");
    }
}
