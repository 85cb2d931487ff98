//! The point of no return of a run that breaks a property: the last step before which it could
//! still be kept.
//!
//! A state is lost if every way on from it, without any more faults, breaks the property: there is
//! no way to an end at which nothing goes on and nothing is broken, and none that goes round for
//! ever. The search goes back from the violation, state by state, and is exhaustive or says
//! nothing.

use std::collections::HashSet;

use crate::protocol::Checkable;
use crate::world::{Action, Faults, World};

use super::verify::Examiner;

/// The states that may be looked at in all.
const STATES_MAX: usize = 30_000;

/// The step after which the property is lost, counted from 1, of a path whose last world breaks it;
/// `None` if the worlds are too large to say.
pub fn point_of_no_return<P: Checkable>(
    path: &[(World<P>, Option<Action<P>>)],
    examiner: &Examiner<P>,
) -> Option<usize> {
    let first_broken = path.iter().position(|(world, _)| examiner.examine(world).is_some())?;
    let mut states_left = STATES_MAX;
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
