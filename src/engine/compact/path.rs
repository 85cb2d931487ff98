//! The way to a violation. States know nothing of how they were reached; a level is only known to
//! be a range of records. So from the violating states of the last level the search goes back,
//! level by level, to all states from which they can be reached in time, and then forth from the
//! start by the first action that stays among these.

use std::collections::HashSet;

use crate::protocol::Checkable;
use crate::world::{Action, World};

use super::memo::Sort;
use super::store::Store;
use super::worker::{Shared, Sink, Worker};

/// Where the records of each shard begin that belong to a level, for each level; and where those of
/// the last one end.
pub type Levels = Vec<Vec<usize>>;

/// Whether one of a state's successors is among these.
struct Among<'a>(&'a HashSet<Vec<u8>>, bool);

impl Sink for Among<'_> {
    fn take(&mut self, record: &[u8], _: Sort) {
        self.1 = self.1 || self.0.contains(record);
    }
}

/// The first of the shortest paths to one of these states, which are of the last level.
pub fn shortest<P: Checkable>(
    shared: &Shared<P>,
    worker: &mut Worker<'_, P>,
    store: &Store,
    levels: &[Vec<usize>],
    goals: HashSet<Vec<u8>>,
) -> Vec<Action<P>> {
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
                let (length, _) = worker.expand(&records[begin..], &mut among);
                if among.1 {
                    here.insert(records[begin..begin + length].to_vec());
                }
                begin += length;
            }
        }
        ways.push(here);
    }
    let on_the_way = ways.pop().expect("there are goals");
    let mut starts = World::starts(&shared.setup);
    let start = starts.find(|(world, _)| on_the_way.contains(&shared.record_of(world)));
    let (mut world, action) = start.expect("a violation was reached from a start");
    let mut path = vec![action];
    while let Some(on_the_way) = ways.pop() {
        let mut actions = world.actions().into_iter();
        let step = actions.find_map(|action| {
            let next = world.after(&action).expect("an enabled action can be done");
            on_the_way.contains(&shared.record_of(&next)).then_some((action, next))
        });
        let (action, next) = step.expect("the way goes on");
        path.push(action);
        world = next;
    }
    path
}
