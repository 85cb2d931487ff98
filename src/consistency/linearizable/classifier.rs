//! The classifier: the cheapest complete procedure for a part of an object.
//!
//! Each fast procedure says by itself whether it applies; the first that does answers. Its answer
//! is a certificate that is checked here before anybody believes it, so at worst time is lost: an
//! order is replayed by the second checker, and calls that are said to contradict each other are
//! searched for an order. Where no procedure applies, or one is refuted, the general search
//! decides.

use super::deeds::{Deeds, Sketch};
use super::{priority_queue, queue, set, stack, zones};
use crate::consistency::search::{Board, Fate, Found, Limits, Spent};
use crate::consistency::{Core, contradiction, witness};
use crate::history::Call;
use crate::object::{Kind, Object};

/// A fast procedure: its name, the kind of object that it knows, and how it decides.
pub type Procedure = (&'static str, Kind, fn(&Deeds) -> Option<Sketch>);

/// The procedures, and what they need.
pub const PROCEDURES: [Procedure; 5] = [
    ("zones", Kind::Memory, zones::decide), // each value is written once
    ("presence", Kind::Set, set::decide),   // added once, removed once
    ("overtaking", Kind::Queue, queue::decide), // each value is put in once
    ("nesting", Kind::Stack, stack::decide), // each value is put in once
    ("gaps", Kind::PriorityQueue, priority_queue::decide), // each value is put in once
];

/// The procedure that is always complete, if its budget is large enough.
pub const SEARCH: &str = "wing-gong-lowe";

/// What was found out about one part.
#[derive(Debug)]
pub struct Decision {
    /// The procedure that answered.
    pub procedure: &'static str,
    /// Its answer.
    pub answer: Answer,
    /// The steps that a search took.
    pub steps: u64,
    /// A procedure's answer that was refuted: a defect, and made up for.
    pub refuted: Option<&'static str>,
}

/// An answer about one part, in indices of its calls.
#[derive(Debug)]
pub enum Answer {
    /// An order that explains the calls.
    Order(Vec<usize>),
    /// Calls that no order explains.
    Core(Core),
    /// The limits were reached.
    Spent(Spent),
}

/// Judges the calls of one part.
pub fn decide<O: Object>(object: &O, calls: &[Call<O::Op, O::Ret>], limits: Limits) -> Decision {
    let known = PROCEDURES.iter().find(|(_, kind, _)| *kind == object.kind());
    let sketch = known.and_then(|(name, _, procedure)| {
        let deeds = Deeds::of(object, calls)?;
        Some((*name, procedure(&deeds)?))
    });
    let (procedure, answer) = match sketch {
        None => return by_search(object, calls, limits, None),
        Some((name, Sketch::Order(order))) => {
            let confirmed = witness::explains(object, calls, &order).is_ok();
            (name, confirmed.then_some(Answer::Order(order)))
        }
        Some((name, Sketch::Contradiction(suspects))) => {
            (name, core_among(object, calls, suspects, limits).map(Answer::Core))
        }
    };
    match answer {
        Some(answer) => Decision { procedure, answer, steps: 0, refuted: None },
        None => by_search(object, calls, limits, Some(procedure)),
    }
}

/// The core among few calls, if they have no order.
fn core_among<O: Object>(
    object: &O,
    calls: &[Call<O::Op, O::Ret>],
    mut suspects: Vec<usize>,
    limits: Limits,
) -> Option<Core> {
    suspects.sort_unstable();
    suspects.dedup();
    let few: Vec<_> = suspects.iter().map(|call| calls[*call].clone()).collect();
    match by_search(object, &few, limits, None).answer {
        Answer::Core(core) => Some(core.named(None, &suspects)),
        _ => None,
    }
}

/// Judges calls by the search, whatever the object.
pub fn by_search<O: Object>(
    object: &O,
    calls: &[Call<O::Op, O::Ret>],
    limits: Limits,
    refuted: Option<&'static str>,
) -> Decision {
    let mut board = Board::new(object, calls);
    let (found, steps) = board.search(&vec![Fate::Bound; calls.len()], limits);
    let answer = match found {
        Found::Order(order) => Answer::Order(order),
        Found::Spent(spent) => Answer::Spent(spent),
        Found::Stuck(stuck) => {
            Answer::Core(contradiction::explain(&mut board, object, calls, stuck.call, steps))
        }
    };
    Decision { procedure: SEARCH, answer, steps, refuted }
}
