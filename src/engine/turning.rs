//! The point of no return of a run that breaks a property: the last step before which it could
//! still be kept.
//!
//! A state is lost if every way on from it, without any more faults, breaks the property: there is
//! no way to an end at which nothing goes on and nothing is broken, and none that goes round for
//! ever. The search goes back from the violation, state by state, and is exhaustive or says
//! nothing.

use std::collections::HashSet;

use crate::protocol::Checkable;
use crate::report::diagram::{self, Diagram};
use crate::world::{Action, Faults, World};

use super::verify::{Examiner, Violation};

/// The states that may be looked at to explain one run.
pub const STATES_MAX: usize = 30_000;

/// Longer runs are drawn without the point of no return.
const STEPS_MAX: usize = 120;

/// The diagram of a run, which also says from which step on a violation could not be avoided.
pub fn drawn<P: Checkable>(
    path: &[(World<P>, Option<Action<P>>)],
    violation: Option<&Violation>,
    examiner: &Examiner<P>,
    states_max: usize,
) -> (Diagram, Option<usize>) {
    let mut drawn = diagram::diagram(path, violation);
    let explained = violation.filter(|_| path.len() <= STEPS_MAX);
    let turn = explained.and_then(|_| point_of_no_return(path, examiner, states_max));
    drawn.no_return = turn.and_then(|step| drawn.rows.iter().position(|row| row.step >= step));
    (drawn, turn)
}

/// The step after which the property is lost, counted from 1, of a path whose last world breaks it;
/// `None` if that takes more states to say.
pub fn point_of_no_return<P: Checkable>(
    path: &[(World<P>, Option<Action<P>>)],
    examiner: &Examiner<P>,
    states_max: usize,
) -> Option<usize> {
    let first_broken = path.iter().position(|(world, _)| examiner.examine(world).is_some())?;
    let mut states_left = states_max;
    let mut lost = first_broken;
    while lost > 0 {
        match can_be_kept(&path[lost - 1].0, examiner, &mut states_left) {
            Some(true) => return Some(lost),
            Some(false) => lost -= 1,
            None => return None,
        }
    }
    Some(0)
}

/// One world on the way of the search: what may come next, the likeliest last.
struct Branch<P: Checkable> {
    world: World<P>,
    next: Vec<Action<P>>,
}

/// Whether some way on keeps the property; `None` if there are too many states.
#[expect(clippy::mutable_key_type, reason = "what a step has looked at is no part of a world")]
fn can_be_kept<P: Checkable>(
    world: &World<P>,
    examiner: &Examiner<P>,
    states_left: &mut usize,
) -> Option<bool> {
    let mut calm = world.clone();
    calm.system.left = Faults { joins: calm.system.left.joins, ..Faults::default() };
    let mut seen = HashSet::from([calm.clone()]);
    let mut way: Vec<Branch<P>> = vec![branch(calm)];
    while let Some(branch_now) = way.last_mut() {
        let Some(action) = branch_now.next.pop() else {
            way.pop();
            continue;
        };
        let next = branch_now.world.after(&action).expect("an enabled action can be done");
        if examiner.so_far(&next).is_some() {
            continue;
        }
        if !seen.insert(next.clone()) {
            if way.iter().any(|earlier| earlier.world == next) {
                return Some(true);
            }
            continue;
        }
        *states_left = states_left.checked_sub(1)?;
        let branch = branch(next);
        if branch.next.is_empty() && examiner.at_rest(&branch.world).is_none() {
            return Some(true);
        }
        way.push(branch);
    }
    // A world from which nothing goes on is at its end already.
    Some(seen.len() == 1 && !world.can_go_on() && examiner.at_rest(world).is_none())
}

fn branch<P: Checkable>(world: World<P>) -> Branch<P> {
    let mut next = world.actions();
    next.retain(|action| !action.is_fault());
    next.reverse();
    Branch { world, next }
}
