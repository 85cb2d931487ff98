//! A clock that measures: what the moments of a history are in the recorder's own unit.
//!
//! The moments of a history only order its events, and no two events have the same one. A
//! recorder's clock may stand still over several events, though, and then moments run ahead of it.
//! For those events the clock is kept beside, so that lengths of time can be told as they were.

use serde::Serialize;

/// The clock of a history every event of which was told with its time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Clock {
    /// The moments that are not their own time, and the time of each; in order.
    ahead: Vec<(u64, u64)>,
}

impl Clock {
    /// The time of a moment.
    pub fn time(&self, moment: u64) -> u64 {
        let found = self.ahead.binary_search_by_key(&moment, |(moment, _)| *moment);
        found.map_or(moment, |at| self.ahead[at].1)
    }

    /// An event had this moment and this time; moments only grow.
    pub(super) fn tell(&mut self, moment: u64, time: u64) {
        if moment != time {
            self.ahead.push((moment, time));
        }
    }
}
