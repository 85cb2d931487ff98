//! Lifting: a log of the simulator or the shell, as a path of the checker.
//!
//! A step lifts only if it is in the list of actions that are enabled. Left out are what are no
//! transitions: deliveries that change nothing where those stay in flight, and ticks that change
//! nothing.

use std::fmt;
use std::sync::Arc;

use crate::protocol::Checkable;
use crate::world::{Action, Happening, Setup, World};

/// A log that is no path of the checker: at which step, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("step {step} does not lift: {action}: {reason}")]
pub struct Unliftable {
    /// The step's index in the log.
    pub step: usize,
    /// The action, in words.
    pub action: String,
    /// Why it is not enabled.
    pub reason: String,
}

/// A path: its actions, the start first, and the world at its end.
pub struct Lifted<P: Checkable> {
    /// The actions that are transitions.
    pub path: Vec<Action<P>>,
    /// Where they lead.
    pub world: World<P>,
}

impl<P: Checkable> fmt::Debug for Lifted<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:#?}", self.path)?;
        write!(f, "{:?}", self.world)
    }
}

/// Lifts a log into the world of `setup`.
///
/// # Errors
/// At the first step that is not enabled.
pub fn lift<P: Checkable>(
    setup: &Arc<Setup<P>>,
    log: &[Action<P>],
) -> Result<Lifted<P>, Unliftable> {
    let refuse = |step: usize, action: &Action<P>, reason: &str| Unliftable {
        step,
        action: action.to_string(),
        reason: reason.to_owned(),
    };
    let Some((start, rest)) = log.split_first() else {
        let start = Happening::<P>::Start.into();
        return Err(refuse(0, &start, "the log is empty"));
    };
    let world = World::started(setup, &start.draws).filter(|(_, begun)| begun == start);
    let (mut world, _) = world.ok_or_else(|| refuse(0, start, "no world starts like this"))?;
    let mut path = vec![start.clone()];
    for (step, action) in rest.iter().enumerate() {
        let refuse = |reason: &str| refuse(step + 1, action, reason);
        let Some(enabled) = enabled(&world, action).map_err(|reason| refuse(&reason))? else {
            continue;
        };
        for action in enabled {
            world.unshare(&action);
            world.apply(&action).map_err(|refused| refuse(&refused.0))?;
            path.push(action);
        }
    }
    Ok(Lifted { path, world })
}

/// The action as a transition of this world: `None` if it is none.
fn enabled<P: Checkable>(
    world: &World<P>,
    action: &Action<P>,
) -> Result<Option<Vec<Action<P>>>, String> {
    if let Happening::Tick(ticks) = action.did {
        if ticks > world.ticks_allowed() {
            return Err(format!("something is urgent after {} ticks", world.ticks_allowed()));
        }
        let ticks = ticks.min(world.ticks_left());
        return Ok((ticks > 0).then(|| vec![Happening::Tick(ticks).into()]));
    }
    if world.is_no_op(action) {
        return Ok(None);
    }
    let listed = world.actions().contains(action);
    if listed { Ok(Some(vec![action.clone()])) } else { Err("it is not enabled".to_owned()) }
}

/// The same log where a unit has one tick: times are floored, which keeps inclusive bounds.
pub fn at_scale_one<P: Checkable>(log: &[Action<P>], scale: u32) -> Vec<Action<P>> {
    let (mut elapsed, mut floored) = (0u64, Vec::with_capacity(log.len()));
    for action in log {
        let Happening::Tick(ticks) = action.did else {
            floored.push(action.clone());
            continue;
        };
        let before = elapsed / u64::from(scale);
        elapsed += u64::from(ticks);
        let units = elapsed / u64::from(scale) - before;
        if let Some(units) = u32::try_from(units).ok().filter(|units| *units > 0) {
            floored.push(Happening::Tick(units).into());
        }
    }
    floored
}
