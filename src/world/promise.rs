//! Promises: what must come to pass, where a property says what must never be.
//!
//! A promise is broken by a run that goes on for ever, so no single state shows it, and no run of
//! the simulator's, which ends: the checker decides it, on the graph of all states. What it takes
//! for granted is weak fairness: what stays possible is done in the end. That is owed to each
//! message's arrival, each timer, each program's next call, and to the passing of time and the end
//! of faults. Faults are owed to nobody, nor is any value that chance may draw.

use std::sync::Arc;

use crate::protocol::Protocol;

use super::System;

type OfSystem<P> = Arc<dyn Fn(&System<P>) -> bool + Send + Sync>;

/// What every fair run must do, or be able to do.
pub enum Promise<P: Protocol> {
    /// It comes to this at least once.
    Eventually(OfSystem<P>),
    /// Whenever the first holds, the second does, then or later.
    LeadsTo(OfSystem<P>, OfSystem<P>),
    /// As long as a run goes on, this mark is put out again and again.
    Recurs(&'static str),
    /// As long as some program is not done, this mark can still be reached, without a fault.
    StaysPossible(&'static str),
}

impl<P: Protocol> Promise<P> {
    /// The mark that it is about, if it is about one.
    pub fn mark(&self) -> Option<&'static str> {
        match self {
            Promise::Recurs(mark) | Promise::StaysPossible(mark) => Some(mark),
            Promise::Eventually(_) | Promise::LeadsTo(..) => None,
        }
    }
}

/// A derive would ask `P` itself to be copied.
impl<P: Protocol> Clone for Promise<P> {
    fn clone(&self) -> Self {
        match self {
            Promise::Eventually(goal) => Promise::Eventually(Arc::clone(goal)),
            Promise::LeadsTo(from, to) => Promise::LeadsTo(Arc::clone(from), Arc::clone(to)),
            Promise::Recurs(mark) => Promise::Recurs(mark),
            Promise::StaysPossible(mark) => Promise::StaysPossible(mark),
        }
    }
}
