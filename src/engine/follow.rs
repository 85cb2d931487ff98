//! Following a trace leniently: into a world in which some of its steps can't be taken.
//!
//! A step that is enabled is taken. One that is not may have a near relation that is: the same
//! message, timer or call with other contents, since a ballot, a token or a call's number changes
//! as soon as something before it is left out. What has no near relation is dropped.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use crate::protocol::Checkable;
use crate::world::{Action, Happening, Setup, World};

use super::verify::{Examiner, Violation};

/// The part of an action's words that stays when contents change: who does what, by which kind of
/// message, timer or call. Programs of `clients` are named rather than the processes that run them.
pub fn shape(words: &str, clients: u32) -> String {
    let (base, torn) = match words.split_once(", and crashes after ") {
        Some((base, _)) => (base, " torn"),
        None => (words, ""),
    };
    let base = base.split_once(", drawing ").map_or(base, |(base, _)| base);
    let (process, rest) = split_process(base, clients);
    let rest = match rest {
        _ if rest.starts_with("lost: ") || rest.starts_with("duplicated: ") => {
            let (verb, rest) = rest.split_once(' ').unwrap_or_default();
            format!("{verb} {}", kind_and_end(rest, " from "))
        }
        _ => match (rest.split_once(" gets "), rest.split_once("'s timer ")) {
            (Some((to, rest)), _) => format!("{to} gets {}", kind_and_end(rest, " from ")),
            (_, Some((node, rest))) => format!("{node} fires {}", kind_and_end(rest, " fires")),
            _ if rest.starts_with(" calls ") => "calls".to_owned(),
            _ => rest.to_owned(),
        },
    };
    format!("{process}{rest}{torn}")
}

/// The leading name of a value, and what stands from the last `mark` on.
fn kind_and_end(text: &str, mark: &str) -> String {
    let name = |c: char| c.is_alphanumeric() || c == '_';
    let kind = text.split(|c| !name(c)).next().unwrap_or_default();
    let end = text.rfind(mark).map_or("", |at| &text[at..]);
    // Plain numbers are contents too.
    let kind = if kind.starts_with(|c: char| c.is_ascii_digit()) { "" } else { kind };
    format!("{kind}{end}")
}

/// The program of a leading call's name, as in `p3#0 calls`, and the words after it.
fn split_process(words: &str, clients: u32) -> (String, &str) {
    let parsed = words.strip_prefix('p').and_then(|rest| {
        let (process, rest) = rest.split_once('#')?;
        let process: u32 = process.parse().ok()?;
        let verb = rest.find(' ')?;
        Some((format!("program {}", process % clients.max(1)), &rest[verb..]))
    });
    parsed.unwrap_or((String::new(), words))
}

/// How many characters two texts share at their beginnings and ends.
fn likeness(one: &str, other: &str) -> usize {
    let shared =
        |pairs: &mut dyn Iterator<Item = (u8, u8)>| pairs.take_while(|(a, b)| a == b).count();
    let ahead = shared(&mut one.bytes().zip(other.bytes()));
    ahead + shared(&mut one.bytes().rev().zip(other.bytes().rev()))
}

/// A step to be followed: its words, and how many clients the world had that they come from.
pub struct Wish<'a> {
    /// The words.
    pub words: &'a str,
    /// The clients.
    pub clients: u32,
}

/// The enabled action that is this step, or the nearest of its relations.
pub fn nearest<P: Checkable>(world: &World<P>, wish: &Wish<'_>) -> Option<Action<P>> {
    if let Some(ticks) = wish.words.strip_prefix("tick ") {
        let ticks: u32 = ticks.parse().ok()?;
        let ticks = ticks.min(world.ticks_allowed()).min(world.ticks_left());
        return (ticks > 0).then(|| Happening::Tick(ticks).into());
    }
    let enabled: Vec<_> = world.actions().into_iter().map(|a| (a.to_string(), a)).collect();
    if let Some((_, action)) = enabled.iter().find(|(words, _)| words == wish.words) {
        return Some(action.clone());
    }
    let clients = world.system.setup.numbers.clients;
    let wanted = shape(wish.words, wish.clients);
    let related = enabled.into_iter().filter(|(words, _)| shape(words, clients) == wanted);
    // Of several equally near ones it is the first, as they stand in the world's fixed order.
    let nearest = related.rev().max_by_key(|(words, _)| likeness(words, wish.words));
    nearest.map(|(_, action)| action)
}

/// How many messages a detour may be long.
const DETOUR_MAX: usize = 4;

/// The fewest messages that have to arrive before a step can be taken, and the step; nothing if
/// there are too many of them, or no steps are left to look for them.
#[expect(clippy::mutable_key_type, reason = "what a step has looked at is no part of a world")]
pub fn detour<P: Checkable>(
    world: &World<P>,
    step: impl Fn(&World<P>) -> Option<Action<P>>,
    steps_left: &mut u64,
) -> Vec<Action<P>> {
    let mut seen = HashSet::from([world.clone()]);
    let mut reached = VecDeque::from([(world.clone(), Vec::new())]);
    while let Some((world, path)) = reached.pop_front() {
        let arrives = |action: &Action<P>| {
            matches!(action.did, Happening::Deliver(..)) && action.torn.is_none()
        };
        for action in world.actions().into_iter().filter(arrives) {
            let Some(left) = steps_left.checked_sub(1) else { return Vec::new() };
            *steps_left = left;
            let next = world.after(&action).expect("an enabled action can be done");
            let mut path: Vec<Action<P>> = path.clone();
            path.push(action);
            if let Some(step) = step(&next) {
                path.push(step);
                return path;
            }
            if path.len() < DETOUR_MAX && seen.insert(next.clone()) {
                reached.push_back((next, path));
            }
        }
    }
    Vec::new()
}

/// The world that starts with these draws, as far as it draws so often and so much.
pub fn start<P: Checkable>(setup: &Arc<Setup<P>>, draws: &[u32]) -> (World<P>, Action<P>) {
    let (_, _, of) = World::start(setup, Vec::new());
    let draws = draws.iter().zip(of).map(|(taken, of)| (*taken).min(of - 1)).collect();
    let (world, action, _) = World::start(setup, draws);
    (world, action)
}

/// What became of a trace in a world that may refuse some of it.
#[derive(Clone, Debug)]
pub struct Followed {
    /// The steps that were taken, the start first.
    pub trace: Vec<String>,
    /// How many were wished for.
    pub of: usize,
    /// What the run breaks.
    pub violation: Option<Violation>,
}

/// Follows a trace leniently, to its end or to where something is broken.
pub fn follow<P: Checkable>(setup: &Arc<Setup<P>>, trace: &[String], clients: u32) -> Followed {
    let examiner = Examiner::new(setup);
    let (mut world, action) = start(setup, &draws_of(trace.first().map_or("", String::as_str)));
    let mut taken = vec![action.to_string()];
    let mut violation = examiner.so_far(&world);
    for words in trace.iter().skip(1) {
        if violation.is_some() {
            break;
        }
        let Some(action) = nearest(&world, &Wish { words, clients }) else { continue };
        world = world.after(&action).expect("an enabled action can be done");
        taken.push(action.to_string());
        violation = examiner.so_far(&world);
    }
    let violation = violation.or_else(|| examiner.at_rest(&world));
    Followed { trace: taken, of: trace.len(), violation }
}

/// The draws of a trace's first line.
pub fn draws_of(words: &str) -> Vec<u32> {
    let draws = words.split_once(", drawing ").map_or("", |(_, draws)| draws);
    draws.split(' ').filter_map(|draw| draw.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::shape;

    #[test]
    fn contents_are_no_part_of_a_shape() {
        for (one, other, same) in [
            ("n1 gets Ack(p0#1, 3) from n2", "n1 gets Ack(p0#0, 2) from n2", true),
            ("n1 gets Ack(p0#1, 3) from n2", "n1 gets Ack(p0#1, 3) from n0", false),
            ("n1 gets Ack(p0#1, 3) from n2", "n1 gets Nack(p0#1, 3) from n2", false),
            ("p4#2 calls Write(3) at n1", "p0#1 calls Read at n2", true),
            ("p4#2 calls Write(3) at n1", "p1#1 calls Read at n2", false),
            ("p4#2 is given up", "p0#0 is given up", true),
            ("n0's timer Retry(3) fires", "n0's timer Retry(4) fires", true),
            ("n0's timer Retry(3) fires, drawing 2", "n0's timer Lapse(3) fires", false),
            ("lost: Ack(1) from n1 to n2", "lost: Ack(2) from n1 to n2", true),
            ("lost: Ack(1) from n1 to n2", "duplicated: Ack(1) from n1 to n2", false),
            ("n1 gets 3 from n2, and crashes after 1 of its effects", "n1 gets 4 from n2", false),
            ("n1 crashes", "n1 restarts", false),
        ] {
            assert_eq!(shape(one, 2) == shape(other, 2), same, "{one} and {other}");
        }
    }
}
