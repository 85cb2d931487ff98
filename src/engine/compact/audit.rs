//! What the memory says is compared with the interpreter, on a sample of the states: on the whole
//! world, with all that is in flight. It differs where a handler is no function of its node's state
//! and its input, since then one answer does not stand for all; and it would differ if an answer
//! depended on a part of the world that the interpreter did not note.

use crate::protocol::Checkable;

use super::memo::Sort;
use super::worker::{Shared, Sink, Worker};

/// All successors.
#[derive(Default)]
struct All(Vec<Vec<u8>>);

impl Sink for All {
    fn take(&mut self, record: &[u8], _: Sort) {
        self.0.push(record.to_vec());
    }
}

/// Expands a state once more, from memory and by the interpreter, and says how they differ.
pub fn difference<P: Checkable>(
    shared: &Shared<P>,
    worker: &mut Worker<'_, P>,
    record: &[u8],
) -> Option<String> {
    let counted = worker.transitions;
    let mut remembered = All::default();
    worker.expand(record, &mut remembered);
    worker.transitions = counted;
    let mut remembered = remembered.0;
    let world = shared.world_of(record);
    for action in world.actions() {
        let next = world.after(&action).expect("an enabled action can be done");
        let found = shared.record_of(&next);
        match remembered.iter().position(|other| *other == found) {
            Some(n) => drop(remembered.swap_remove(n)),
            None => return Some(format!("`{action}` had another outcome when it was tried again")),
        }
    }
    let gone = !remembered.is_empty();
    gone.then(|| {
        let steps = world.actions().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        format!("a step that was enabled is enabled no more; those that are: {steps}")
    })
}
