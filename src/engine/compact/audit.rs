//! What the memory says is compared with the interpreter, on a sample of the states: on the whole
//! world, with all that is in flight. It differs where a handler is no function of its node's state
//! and its input, since then one answer does not stand for all; and it would differ if an answer
//! depended on a part of the world that the interpreter did not note.

use crate::engine::levels::{All, Worker as Expands};
use crate::protocol::Checkable;

use super::worker::{Shared, Worker};

/// Expands a state once more, from memory and by the interpreter, and says how they differ.
pub fn difference<P: Checkable>(
    shared: &Shared<P>,
    worker: &mut Worker<'_, P>,
    record: &[u8],
) -> Option<String> {
    let mut remembered = All::default();
    worker.expand(record, &mut remembered);
    let world = shared.world_of(record);
    let steps = world.actions().into_iter().map(|action| {
        let next = world.after(&action).expect("an enabled action can be done");
        (action, shared.record_of(&next))
    });
    remembered.difference(steps, ToString::to_string)
}
