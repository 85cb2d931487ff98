//! Whether a run shows by itself that a promise is broken: it goes round in a cycle, or ends, and
//! is fair, and the promise is not kept. It is judged in the world alone, step by step, and shares
//! nothing with the search that finds such runs.

use std::collections::HashSet;

use crate::protocol::Checkable;
use crate::world::{Action, Happening, Promise, World};

use super::verify::Violation;

/// A path of worlds and the actions between them.
type Path<P> = [(World<P>, Option<Action<P>>)];

/// The states that are looked at to see that something can't be reached any more.
const STATES_MAX: usize = 100_000;

/// What is broken, if this promise is: by a path that begins to go round after so many steps, or
/// that ends.
pub fn broken<P: Checkable>(
    path: &Path<P>,
    cycle: Option<usize>,
    (name, promise): (&str, &Promise<P>),
) -> Option<Violation> {
    let last = path.len().checked_sub(1)?;
    let begin = cycle.unwrap_or(last);
    let made = match promise {
        Promise::Eventually(_) | Promise::Recurs(_) => 0,
        Promise::LeadsTo(from, _) => path.iter().rposition(|(world, _)| from(&world.system))?,
        Promise::StaysPossible(mark) => {
            let lost = is_lost(&path[last].0, mark);
            return lost.then(|| Violation::new(name, format!("\"{mark}\" is out of reach")));
        }
    };
    // Wherever it was made last, it is still made in the cycle; or else it holds all the way there.
    let open = |(world, _): &(World<P>, _)| match promise {
        Promise::Eventually(goal) | Promise::LeadsTo(_, goal) => !goal(&world.system),
        Promise::Recurs(_) | Promise::StaysPossible(_) => true,
    };
    let stays_open = path[made.min(begin)..].iter().all(open);
    let turns = last - begin;
    let reason = match (turns, promise) {
        (0, Promise::Recurs(_)) => return None,
        (0, _) => "nothing goes on any more but faults".to_owned(),
        (1, _) => format!("after step {begin} the next is repeated for ever"),
        _ => format!("after step {begin} the next {turns} are repeated for ever"),
    };
    let quiet = promise.mark().is_none_or(|mark| !puts_out(&path[begin..], mark));
    let shown = stays_open && quiet && is_fair(&path[begin..]);
    shown.then(|| Violation::new(name, reason))
}

/// Whether a path comes back to where it begins, and then goes on for ever; or has one world only,
/// and ends there; and every duty is done on it, or is not enabled somewhere.
fn is_fair<P: Checkable>(cycle: &Path<P>) -> bool {
    let (Some((first, _)), Some((last, _))) = (cycle.first(), cycle.last()) else { return false };
    let duties = |world: &World<P>| -> HashSet<Happening<P>> {
        let owed = world.actions().into_iter().filter(|action| !action.is_fault());
        owed.map(|action| action.did).collect()
    };
    let mut owed = duties(first);
    for (world, action) in cycle {
        let enabled = duties(world);
        owed.retain(|duty| enabled.contains(duty));
        if let Some(action) = action.as_ref().filter(|action| !action.is_fault()) {
            owed.remove(&action.did);
        }
    }
    first == last && owed.is_empty()
}

fn puts_out<P: Checkable>(path: &Path<P>, wanted: &str) -> bool {
    let after =
        |(world, action): &(World<P>, Option<Action<P>>)| world.after(action.as_ref()?).ok();
    let mut worlds = path.iter().filter_map(after);
    worlds.any(|world| world.waiting.marks.iter().any(|(_, mark)| mark.name == wanted))
}

/// Whether no step without a fault leads from a world to a mark, nor to where all programs are
/// done. It is exhaustive, or says no.
fn is_lost<P: Checkable>(world: &World<P>, wanted: &str) -> bool {
    let (mut seen, mut waiting) = (HashSet::from([world.clone()]), vec![world.clone()]);
    while let Some(world) = waiting.pop() {
        if !(0..world.system.programs.len()).any(|program| world.system.unfinished(program)) {
            return false;
        }
        for action in world.actions().into_iter().filter(|action| !action.is_fault()) {
            let next = world.after(&action).expect("an enabled action can be done");
            let marks = next.waiting.marks.iter();
            if marks.into_iter().any(|(_, mark)| mark.name == wanted) || seen.len() > STATES_MAX {
                return false;
            }
            if seen.insert(next.clone()) {
                waiting.push(next);
            }
        }
    }
    true
}
