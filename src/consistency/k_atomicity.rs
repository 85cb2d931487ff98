//! k-atomicity (Aiyer, Alvisi and Bazzi, DISC 2005): the calls have one order that respects real
//! time, in which each read returns one of the last k writes of its key before it. The initial
//! value counts as written before everything. 1-atomic is linearizable; the smallest k of a history
//! says how many writes its reads lag behind.
//!
//! 1-atomicity is decided by zones (Gibbons and Korach, SIAM J. Comp. 1997), n log n. 2-atomicity
//! by epochs, as in the algorithm LBT of Golab, Hurwitz and Li ("On the k-atomicity-verification
//! problem", ICDCS 2013). For more no polynomial algorithm is known, but in special cases (Golab,
//! Li, Lopez-Ortiz and Nishimura, CCGrid 2015), and epochs are searched with a budget; often two
//! bounds make that needless: clusters sorted by their ends are an order, and what lies wholly
//! between the end of a cluster and its last read comes between them in any order. See `epochs.rs`.

use super::epochs::Span;
use super::staleness::{Allowed, Measure, Timed};

/// The measure.
pub const MEASURE: Measure = Measure {
    name: "k-atomicity",
    about: "the smallest k such that each read returns one of the last k writes of its key",
    least: 1,
    clocked: false,
    allows: |k| Allowed { earlier: 0, lag: usize::try_from(k - 1).unwrap_or(usize::MAX) },
    tell,
};

fn tell(core: &Timed<'_>, k: u64) -> String {
    let plain = Allowed { earlier: 0, lag: 0 };
    let memory = core.memory;
    for key in core.clusters().unwrap_or_default() {
        let spans = core.spans(&key, plain);
        for (cluster, Span { ends, needed, .. }) in key.iter().zip(&spans) {
            let within = |span: &Span| span.begins > *ends && span.ends < *needed;
            let between = key.iter().zip(&spans).filter(|(_, span)| within(span));
            let between: Vec<String> =
                between.filter_map(|(other, _)| Some(memory.name(other.write?))).collect();
            if let Some(last) = cluster.last.filter(|_| between.len() as u64 + 1 >= k) {
                return format!(
                    "Before {}, and after what it returned was there, there were {}.",
                    memory.name(last),
                    between.join(", then "),
                );
            }
        }
    }
    format!("In any order of these, a read comes after {} later writes or more.", k - 1)
}
