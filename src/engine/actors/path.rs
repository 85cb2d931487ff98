//! The way to a state: back, level by level, to all states from which it can be reached in time,
//! and then forth from the start by the first of stateright's own actions that stays among these.

use std::collections::HashSet;

use stateright::Model;

use crate::engine::compact::store::Store;

use super::worker::{Deed, Shared, Sink, Worker};
use super::{Acting, ActionOf, Past};

/// Whether one of a state's successors is among these.
struct Among<'a>(&'a HashSet<Vec<u8>>, bool);

impl Sink for Among<'_> {
    fn take(&mut self, record: &[u8], _: Deed) {
        self.1 = self.1 || self.0.contains(record);
    }
}

/// The first of the shortest paths to one of these states, which are of the last of these levels;
/// `None` where stateright does not find it, since an actor is not pure.
pub fn shortest<A: Acting, C, H: Past>(
    shared: &Shared<'_, A, C, H>,
    worker: &mut Worker<'_, A, C, H>,
    store: &Store,
    levels: &[Vec<usize>],
    goals: HashSet<Vec<u8>>,
) -> Option<Vec<ActionOf<A>>> {
    let mut ways = vec![goals];
    for level in levels.windows(2).rev().skip(1) {
        let ahead = ways.last().expect("there are goals");
        let mut here = HashSet::new();
        let [begins, ends] = level else { unreachable!("a window has two ends") };
        for (shard, (begin, end)) in begins.iter().zip(ends).enumerate() {
            let records = store.shard(shard).records(*begin, *end).to_vec();
            let mut begin = 0;
            while begin < records.len() {
                let mut among = Among(ahead, false);
                let length = worker.expand(&records[begin..], &mut among);
                if among.1 {
                    here.insert(records[begin..begin + length].to_vec());
                }
                begin += length;
            }
        }
        ways.push(here);
    }
    forth(shared, ways)
}

fn forth<A: Acting, C, H: Past>(
    shared: &Shared<'_, A, C, H>,
    mut ways: Vec<HashSet<Vec<u8>>>,
) -> Option<Vec<ActionOf<A>>> {
    let model = shared.model();
    ways.pop();
    let mut starts = model.init_states();
    let mut system = starts.pop().expect("a system of actors has one start");
    let mut path = Vec::new();
    while let Some(on_the_way) = ways.pop() {
        let mut steps = model.next_steps(&system).into_iter();
        let (action, next) =
            steps.find(|(_, next)| on_the_way.contains(&shared.record_of(next)))?;
        path.push(action);
        system = next;
    }
    Some(path)
}
