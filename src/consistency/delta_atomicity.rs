//! Δ-atomicity (Golab, Li and Shah, "Analyzing consistency properties for fun and profit", PODC
//! 2011): the history is linearizable if each read counts as invoked Δ earlier. So every read
//! returns what was the last value at most Δ before it began, and the smallest Δ of a history is
//! the largest staleness of its reads, in the unit of its clock. 0 is linearizable.
//!
//! It takes times that measure, not only order. Times are whole units: where a smallest Δ lies
//! between two, it is the larger.
//!
//! Two clusters of a key contradict each other if in each something returned before the last of the
//! other was invoked. With a larger Δ the last comes earlier, so what contradicts does so up to
//! some Δ; the smallest that is enough is found by halves, with one pass over the zones each time:
//! n log n steps, and n for each bit of Δ.

use super::staleness::{Allowed, Cluster, Measure, Timed};

/// The measure.
pub const MEASURE: Measure = Measure {
    name: "delta-atomicity",
    about: "the smallest time such that each read returns what was the last value that long ago",
    least: 0,
    clocked: true,
    allows: |delta| Allowed { earlier: delta, lag: 0 },
    tell,
};

fn tell(core: &Timed<'_>, delta: u64) -> String {
    let clusters = core.clusters().unwrap_or_default();
    let mut pairs = clusters
        .iter()
        .flat_map(|key| key.iter().flat_map(move |one| key.iter().map(move |other| (one, other))));
    let told = pairs.find_map(|(one, other)| {
        let stale = lateness(core, one, other).filter(|late| *late + 1 >= delta)?;
        let (first, last, write) = (other.first?, one.last?, other.write?);
        let memory = core.memory;
        Some(format!(
            "{} was invoked {stale} after the return of {}; so {} was the last write before it, \
             unless that comes first, for which as much would be needed.",
            memory.name(last),
            memory.name(first),
            memory.name(write),
        ))
    });
    told.unwrap_or_else(|| format!("With less than {delta} no order explains these."))
}

/// How long before the last read of one cluster something of the other had returned.
fn lateness(core: &Timed<'_>, one: &Cluster, other: &Cluster) -> Option<u64> {
    let time = |moment: u64| core.clock.time(moment);
    let last = time(core.memory.accesses[one.last?].invoked);
    let first = time(core.memory.accesses[other.first?].returned?);
    (one.write != other.write).then(|| last.checked_sub(first)).flatten()
}
