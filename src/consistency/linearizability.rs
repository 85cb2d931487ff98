//! Linearizability (Herlihy and Wing, TOPLAS 1990) as one of the models: every call takes effect at
//! one moment between its invocation and its return, and the answers are those of the object in
//! that order. How it is judged stands in `linearizable`; here its verdict takes the common form.

use super::Verdict;
use super::model::{Judge, Model, Need, Ruling};
use super::subject::Subject;

/// The model.
pub const MODEL: Model = Model {
    name: "linearizable",
    about: "one order of all calls explains all answers and respects real time",
    implies: &["sequential", "regular"],
    needs: &[Need::Timing],
    judge: Judge::Object(judge),
};

/// Whether it is known to hold.
pub(super) fn holds(subject: &dyn Subject, budget: u64) -> bool {
    subject.is_timed() && matches!(subject.linearized(budget).verdict, Verdict::Holds(_))
}

fn judge(subject: &dyn Subject, budget: u64) -> Ruling {
    let judged = subject.linearized(budget);
    let algorithm = judged.procedures.into_iter().collect::<Vec<_>>().join(" + ");
    match judged.verdict {
        Verdict::Holds(found) => Ruling::Holds {
            algorithm,
            why: format!("An order of {} calls respects real time.", found.order.len()),
        },
        Verdict::Violated(core) => Ruling::Violated {
            algorithm,
            story: vec![subject.tell(&core)],
            core: core.calls,
            free: core.helpless,
            minimal: core.minimal,
            circle: Vec::new(),
        },
        Verdict::Unknown(unknown) => Ruling::Unknown(format!(
            "the {} ran out after {} steps; {} of {} parts are explained",
            if unknown.full { "memory" } else { "budget" },
            unknown.steps,
            unknown.parts_fine,
            unknown.parts
        )),
    }
}
