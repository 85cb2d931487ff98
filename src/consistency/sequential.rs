//! Sequential consistency (Lamport, "How to Make a Multiprocessor Computer That Correctly Executes
//! Multiprocess Programs", IEEE TC 1979): the calls have one order, in which each session's come in
//! the order in which it made them, and every answer is right.
//!
//! It is linearizability without real time, and not local: each key by itself may be sequentially
//! consistent, and all together not. To decide it is NP-complete even where no value is written
//! twice (Gibbons and Korach, SIAM J. Comp. 1997). So first comes what is necessary and cheap, one
//! after the other: `cache`, `causal-convergence`, `causal`. Most violations show there, with a
//! small core. Then an order is searched for, with memory and a budget. Calls that are more than
//! reads and writes, such as compare-and-set, are searched by the object's own rules.

use super::memory::{
    self, Memory, Search, View, Views, interleaving, program_order, returns, synchronised,
};
use super::model::{Fast, Judge, Model, Ruling, Shortcut, Weak};
use super::subject::{Sequenced, Subject};
use super::{cache, causal, causal_convergence, linearizability};

/// The model.
pub const MODEL: Model = Model {
    name: "sequential",
    about: "one order of all calls explains all answers and respects each session's order",
    implies: &["causal", "causal-convergence", "processor", "prefix", "weak-ordering"],
    needs: &[],
    judge: Judge::Object(judge),
};

const READS_AND_WRITES: Weak = Weak {
    views,
    fast: Some(Shortcut { name: "necessary conditions, then search", decide }),
    ignores: None,
};

fn judge(subject: &dyn Subject, budget: u64) -> Ruling {
    match subject.memory() {
        Ok(memory) => READS_AND_WRITES.judge(memory, budget),
        // What respects real time respects program order, and that is often quicker to find.
        Err(_) if linearizability::holds(subject, budget / 10) => Ruling::Holds {
            algorithm: "linearizable".to_owned(),
            why: "An order that even respects real time explains every answer.".to_owned(),
        },
        Err(_) => of_calls(subject, budget),
    }
}

/// One view, of everything.
pub(super) fn views(memory: &Memory) -> Views {
    let members: Vec<usize> = (0..memory.accesses.len()).collect();
    let mut edges = program_order(memory, |_| true);
    edges.extend(returns(memory, memory.reads()));
    edges.extend(synchronised(memory, |_| true));
    let reads = memory.reads().collect();
    let title = "everybody".to_owned();
    let view = View { title, members, edges, reads, mode: memory::Mode::Placed };
    Views { views: vec![view], agreed: memory.writes_by_key() }
}

/// Decides it for reads and writes.
pub(super) fn decide(memory: &Memory, budget: u64) -> Fast {
    for necessary in [cache::decide, causal_convergence::decide, causal::decide] {
        if necessary(memory, budget) == Fast::Violated {
            return Fast::Violated;
        }
    }
    let programs: Vec<Vec<usize>> =
        memory.programs().into_iter().map(|program| program.collect()).collect();
    match interleaving(memory, &programs, budget) {
        Search::Order(order) => Fast::Holds(Some(vec![order])),
        Search::None => Fast::Violated,
        Search::Spent => Fast::Spent(format!(
            "cache, causal-convergence and causal hold, which are necessary; {budget} steps found \
             no order"
        )),
    }
}

/// The verdict of a model that sequential consistency implies: it holds if that does.
pub(super) fn suffices(memory: &Memory, budget: u64) -> Fast {
    match decide(memory, budget) {
        Fast::Holds(Some(orders)) => {
            let confirmed = memory::confirms(memory, &views(memory), &orders);
            if confirmed.is_ok() { Fast::Holds(None) } else { Fast::Open }
        }
        _ => Fast::Open,
    }
}

/// Decides it by the object's own rules.
fn of_calls(subject: &dyn Subject, budget: u64) -> Ruling {
    let algorithm = "search".to_owned();
    match subject.sequenced(budget) {
        Sequenced::Order(order) => Ruling::Holds {
            algorithm,
            why: format!("An order of {} calls explains every answer.", order.len()),
        },
        Sequenced::Spent(0, _) => Ruling::Unknown(format!("no order was found in {budget} steps")),
        Sequenced::Spent(fine, parts) => Ruling::Unknown(format!(
            "{fine} of {parts} parts have an order by themselves, which is necessary; {budget} \
             steps found none of all calls"
        )),
        Sequenced::Core { calls, helpless, minimal, part } => {
            let alone =
                part.map(|part| format!("On {part:?} alone, no")).unwrap_or("No".to_owned());
            Ruling::Violated {
                algorithm,
                story: vec![format!(
                    "{alone} order that respects each session's own explains the answers of these \
                     {} calls{}.",
                    calls.len(),
                    match helpless.len() {
                        0 => String::new(),
                        1 => ", whenever one other update took effect, if it ever did".to_owned(),
                        n => format!(", whenever {n} other updates took effect, if they ever did"),
                    }
                )],
                core: calls,
                free: helpless,
                minimal,
                circle: Vec::new(),
            }
        }
    }
}
