//! How stale reads are, as numbers: the smallest k for which a history is k-atomic, and the
//! smallest Δ for which it is Δ-atomic. Each has a file; here is what they have in common.
//!
//! Both ask for one order of the calls that respects real time, as linearizability does, and both
//! are *local*: the number of a history is the largest among those of its keys (Golab, Li and Shah,
//! PODC 2011). Both look at *clusters*, a write with the reads that returned it, and of each at
//! three moments only: when its write was invoked, when the first of it returned, and when the last
//! was invoked (between the last two is the cluster's *zone*; Gibbons and Korach, SIAM J. Comp.
//! 1997). An order of the clusters is an order of the calls: each read goes where it must be at the
//! earliest.
//!
//! If a read returns what nobody wrote, or what was written only after it, no number is enough. If
//! values repeat, the number is the smallest over all matchings of reads with writes, by search.

use super::Subject;
use super::epochs::{Moment, Placed, Span, clash, place};
use super::memory::{self, Memory, Settled, Source, Verdict};
use super::model::{EFFORT, Need};
use super::{delta_atomicity, k_atomicity};
use crate::history::Clock;

/// A number that tells how stale the reads of a history are.
pub struct Measure {
    /// Its name on the command line and in reports.
    pub name: &'static str,
    /// What it says, in one sentence.
    pub about: &'static str,
    /// The number of a history that is linearizable.
    pub least: u64,
    /// Whether it takes a clock that measures.
    pub clocked: bool,
    /// When a read counts as invoked, and how far it may lag behind, for a number.
    pub allows: fn(number: u64) -> Allowed,
    /// Why a history needs so much: one from which nothing can be left out.
    pub tell: fn(&Timed<'_>, number: u64) -> String,
}

/// What a number allows to reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// By so much earlier they count as invoked.
    pub earlier: u64,
    /// So many clusters may come between a read and what it returned.
    pub lag: usize,
}

/// Every measure.
pub const MEASURES: [&Measure; 2] = [&k_atomicity::MEASURE, &delta_atomicity::MEASURE];

/// Finds a measure by its name.
pub fn measure_named(name: &str) -> Option<&'static Measure> {
    MEASURES.into_iter().find(|measure| measure.name == name)
}

/// What was found about a history and a measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Amount {
    /// This, and no less.
    Exactly {
        /// The number.
        number: u64,
        /// Calls that need so much by themselves, and none can be left out; none if no read is
        /// stale.
        core: Vec<usize>,
        /// Why it is not less.
        why: String,
    },
    /// No number is enough.
    Never {
        /// Calls that show it.
        core: Vec<usize>,
        /// Why.
        why: String,
    },
    /// The budget ran out.
    Unknown {
        /// So much is proved to be needed.
        at_least: u64,
        /// So much is proved to be enough, if anything is.
        at_most: Option<u64>,
        /// What is missing.
        why: String,
    },
    /// The history does not provide what the measure needs.
    NotApplicable(String),
}

/// A write and the reads that returned it, or the initial value and those.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// The write; none wrote the initial value.
    pub write: Option<usize>,
    /// The access of these that returned first; nothing returned before the initial value was
    /// there.
    pub first: Option<usize>,
    /// The read that was invoked last.
    pub last: Option<usize>,
}

/// A memory and the times of its accesses.
pub struct Timed<'a> {
    /// The memory; its reads are matched.
    pub memory: &'a Memory,
    /// What its moments are.
    pub clock: &'a Clock,
}

impl Measure {
    /// Measures a history, within a number of steps.
    pub fn of(&self, subject: &dyn Subject, budget: u64) -> Amount {
        let unsaid = |what| Amount::NotApplicable(format!("the history does not say {what}"));
        match (subject.memory(), subject.clock()) {
            (Err(reason), _) => Amount::NotApplicable(reason.clone()),
            (Ok(memory), _) if !memory.timed => unsaid(Need::Timing.to_string()),
            (Ok(_), None) if self.clocked => unsaid("at what time each call was made".to_owned()),
            (Ok(memory), clock) => self.number(memory, clock.unwrap_or(&Clock::default()), budget),
        }
    }

    fn number(&self, memory: &Memory, clock: &Clock, budget: u64) -> Amount {
        let ask = |part: &Memory, number: u64| match self.orders(part, clock, number, budget) {
            Settled::Holds(..) => Ok(true),
            Settled::Violated(_) => Ok(false),
            Settled::Unknown(why) => Err(why),
        };
        if ask(memory, u64::MAX) == Ok(false) {
            let never = |part: &Memory| ask(part, u64::MAX) == Ok(false);
            let core = memory::shrink(memory, EFFORT, never).memory;
            let why = "A read returned what nobody had begun to write when it returned.".to_owned();
            return Amount::Never { core: core.calls(), why };
        }
        let (at_least, at_most, open) = least(self.least, |number| {
            self.quick(memory, clock, number).map_or_else(|| ask(memory, number), Ok)
        });
        match (at_most, open) {
            (Some(number), None) => {
                self.confirm(memory, clock, number, budget);
                let less = |part: &Memory| ask(part, number - 1) == Ok(false);
                let needs = (number > self.least).then(|| memory::shrink(memory, EFFORT, less));
                let (core, why) =
                    needs.map_or((Vec::new(), "No read is stale.".to_owned()), |core| {
                        let timed = Timed { memory: &core.memory, clock };
                        (core.memory.calls(), (self.tell)(&timed, number))
                    });
                Amount::Exactly { number, core, why }
            }
            (at_most, why) => Amount::Unknown { at_least, at_most, why: why.unwrap_or_default() },
        }
    }

    /// What a pass over the zones tells, where no value is written twice and no read may lag.
    fn quick(&self, memory: &Memory, clock: &Clock, number: u64) -> Option<bool> {
        let allowed = (self.allows)(number);
        let is_unclear = memory.reads().any(|read| memory.sources[read] == Source::Unclear);
        if is_unclear || allowed.lag > 0 {
            return None;
        }
        let timed = Timed { memory, clock };
        let clusters = timed.clusters()?;
        Some(clusters.iter().all(|key| clash(&timed.spans(key, allowed)).is_none()))
    }

    /// For each key an order of the accesses that a number allows.
    fn orders(
        &self,
        memory: &Memory,
        clock: &Clock,
        number: u64,
        budget: u64,
    ) -> Settled<Vec<Vec<usize>>> {
        let allowed = (self.allows)(number);
        memory::settle(memory, budget, |memory| {
            let timed = Timed { memory, clock };
            let Some(clusters) = timed.clusters() else { return Verdict::Violated };
            let mut orders = Vec::new();
            for key in &clusters {
                let spans = timed.spans(key, allowed);
                if allowed.lag == 0 && clash(&spans).is_some() {
                    return Verdict::Violated;
                }
                match place(&spans, allowed.lag, budget) {
                    Placed::Order(order) => orders.push(order),
                    Placed::Never => return Verdict::Violated,
                    Placed::Spent => {
                        return Verdict::Unknown(format!("no order was found in {budget} steps"));
                    }
                }
            }
            Verdict::Holds(timed.accesses(&clusters, &orders, allowed))
        })
    }

    /// Has the second checker confirm that a number is enough.
    fn confirm(&self, memory: &Memory, clock: &Clock, number: u64, budget: u64) {
        let Settled::Holds(matched, orders) = self.orders(memory, clock, number, budget) else {
            panic!("a number that is enough has an order");
        };
        if let Err(reason) = confirms(&matched, clock, &orders, (self.allows)(number)) {
            panic!(
                "a witness is refuted by the second checker, a defect of this program: {reason}"
            );
        }
    }
}

/// The least number of which a question says yes, asked from the least there is: first in growing
/// steps, then by halves, since most numbers are small. What is proved to be needed, what to be
/// enough, and why it stopped before these met, if it did.
fn least(
    least: u64,
    mut ask: impl FnMut(u64) -> Result<bool, String>,
) -> (u64, Option<u64>, Option<String>) {
    let (mut at_least, mut at_most, mut step) = (least, None, 0_u64);
    while at_most != Some(at_least) {
        let tried = match at_most {
            None => at_least.saturating_add(step),
            Some(most) => at_least + (most - at_least) / 2,
        };
        match ask(tried) {
            Ok(true) => at_most = Some(tried),
            Ok(false) => {
                at_least = tried.saturating_add(1);
                step = step.saturating_mul(2).saturating_add(1);
            }
            Err(why) => return (at_least, at_most, Some(why)),
        }
    }
    (at_least, at_most, None)
}

impl Timed<'_> {
    /// When an access was invoked.
    fn invoked(&self, access: usize, allowed: Allowed) -> Moment {
        let one = &self.memory.accesses[access];
        let time = self.clock.time(one.invoked);
        match one.reads() && allowed.earlier > 0 {
            // After nothing that happened at that time.
            true => (time.saturating_add(1).saturating_sub(allowed.earlier), 0),
            false => (time.saturating_add(1), one.invoked),
        }
    }

    /// When it returned.
    fn returned(&self, access: usize) -> Moment {
        let returned = self.memory.accesses[access].returned;
        let time = |moment| self.clock.time(moment).saturating_add(1);
        returned.map_or((u64::MAX, u64::MAX), |moment| (time(moment), moment))
    }

    /// For each key its clusters, the initial value's first; nothing if a read returned what nobody
    /// had begun to write by then.
    pub fn clusters(&self) -> Option<Vec<Vec<Cluster>>> {
        let memory = self.memory;
        let mut clusters = vec![vec![Cluster::default()]; memory.keys.len()];
        let mut number = vec![0; memory.accesses.len()];
        for write in memory.writes() {
            let of_key = &mut clusters[memory.accesses[write].key];
            number[write] = of_key.len();
            of_key.push(Cluster { write: Some(write), first: Some(write), last: None });
        }
        for read in memory.reads() {
            let place = match memory.sources[read] {
                Source::Initial => 0,
                Source::Write(write)
                    if !memory.accesses[read].precedes(&memory.accesses[write]) =>
                {
                    number[write]
                }
                _ => return None,
            };
            let cluster = &mut clusters[memory.accesses[read].key][place];
            let earlier = |first: usize| self.returned(read) < self.returned(first);
            cluster.first = cluster.first.map(|first| if earlier(first) { read } else { first });
            let later = |last: usize| memory.accesses[last].invoked < memory.accesses[read].invoked;
            cluster.last = Some(cluster.last.filter(|last| !later(*last)).unwrap_or(read));
        }
        Some(clusters)
    }

    /// The moments of clusters that matter.
    pub fn spans(&self, clusters: &[Cluster], allowed: Allowed) -> Vec<Span> {
        let span = |cluster: &Cluster| {
            let begins = cluster.write.map_or((0, 0), |write| self.invoked(write, allowed));
            let ends = cluster.first.map_or((0, 0), |first| self.returned(first));
            let last = cluster.last.map(|last| self.invoked(last, allowed));
            Span { begins, ends, needed: last.map_or(begins, |last| last.max(begins)) }
        };
        clusters.iter().map(span).collect()
    }

    /// Orders of clusters as orders of accesses: a read comes after the last cluster of which
    /// something returned before it was invoked, and after its own.
    fn accesses(
        &self,
        clusters: &[Vec<Cluster>],
        orders: &[Vec<usize>],
        allowed: Allowed,
    ) -> Vec<Vec<usize>> {
        let memory = self.memory;
        let mut places = vec![0; memory.accesses.len()];
        let mut last: Vec<Vec<(Moment, usize)>> = vec![Vec::new(); memory.keys.len()];
        for ((key, order), last) in clusters.iter().zip(orders).zip(&mut last) {
            let spans = self.spans(key, allowed);
            for (place, cluster) in order.iter().enumerate() {
                key[*cluster].write.into_iter().for_each(|write| places[write] = place);
                last.push((spans[*cluster].ends, place));
            }
            last.sort_unstable();
            let mut latest = 0;
            last.iter_mut().for_each(|(_, place)| {
                latest = latest.max(*place);
                *place = latest;
            });
        }
        for read in memory.reads() {
            let over = &last[memory.accesses[read].key];
            let invoked = self.invoked(read, allowed);
            let before = over.partition_point(|(ends, _)| *ends < invoked).checked_sub(1);
            let own = match memory.sources[read] {
                Source::Write(write) => places[write],
                _ => 0,
            };
            places[read] = before.map_or(own, |before| over[before].1.max(own));
        }
        let mut orders = vec![Vec::new(); memory.keys.len()];
        let touching = memory.reads().chain(memory.writes());
        touching.for_each(|access| orders[memory.accesses[access].key].push(access));
        for order in &mut orders {
            order.sort_by_key(|access| {
                let reads = memory.accesses[*access].reads();
                (places[*access], reads, self.invoked(*access, allowed), *access)
            });
        }
        orders
    }
}

/// The second opinion on a number, which shares nothing with any search: each key's order names
/// each of its accesses once, respects real time but for how much earlier reads count as invoked,
/// and each read returns one of the last writes before it.
fn confirms(
    memory: &Memory,
    clock: &Clock,
    orders: &[Vec<usize>],
    allowed: Allowed,
) -> Result<(), String> {
    let mut missing = vec![true; memory.accesses.len()];
    for order in orders {
        let (mut made, mut latest) = (vec![Source::Initial], (0, 0));
        for &access in order {
            let one = &memory.accesses[access];
            if !std::mem::replace(&mut missing[access], false) {
                return Err(format!("access {access} comes twice"));
            }
            let ended = one.returned.map(|end| (clock.time(end), end));
            if ended.is_some_and(|ended| ended < latest) {
                return Err(format!("access {access} comes after one that it precedes"));
            }
            let early = if one.reads() { allowed.earlier } else { 0 };
            let invoked = clock.time(one.invoked).saturating_sub(early);
            latest = latest.max((invoked, if early > 0 { 0 } else { one.invoked }));
            let mut last = made.iter().rev().take(allowed.lag + 1);
            if one.writes() {
                made.push(Source::Write(access));
            } else if !last.any(|source| *source == memory.sources[access]) {
                return Err(format!("access {access} is too stale"));
            }
        }
    }
    match memory.reads().chain(memory.writes()).find(|access| missing[*access]) {
        Some(access) => Err(format!("access {access} has no place")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consistency::memory::Given;
    use crate::history::{Call, History};
    use crate::object::register::{Op, Register, Ret};

    /// The second checker believes no order that is too stale, out of time or incomplete.
    #[test]
    fn a_wrong_order_is_refuted() {
        let write = |value: u8, at: u64| Call::done(0, Op::Write(value), Some(Ret::Done), at, at);
        let read = Call::done(1, Op::Read, Some(Ret::Value(1)), 5, 6);
        let history = History::new(vec![write(1, 1), write(2, 3), read]).unwrap();
        let memory = Memory::of(&Register { initial: 0 }, &history, &Given::default()).unwrap();
        let (clock, allowed) = (Clock::default(), |lag, earlier| Allowed { earlier, lag });
        let told = |order: &[usize], allowed: Allowed| {
            confirms(&memory, &clock, &[order.to_vec()], allowed)
        };
        assert_eq!(told(&[0, 1, 2], allowed(1, 0)), Ok(()));
        assert_eq!(told(&[0, 2, 1], allowed(0, 2)), Ok(()));
        for (order, allowed, reason) in [
            (&[0, 1, 2][..], allowed(0, 0), "access 2 is too stale"),
            (&[0, 2, 1], allowed(0, 0), "access 1 comes after one that it precedes"),
            (&[0, 2, 1], allowed(0, 1), "access 1 comes after one that it precedes"),
            (&[0, 1], allowed(1, 0), "access 2 has no place"),
            (&[0, 1, 1, 2], allowed(1, 0), "access 1 comes twice"),
        ] {
            assert_eq!(told(order, allowed).unwrap_err(), reason, "{order:?}");
        }
    }
}
