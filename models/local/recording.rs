//! Records what threads ask of an object, for the judges.
//!
//! The same text serves loom's threads and real ones. A call is told before it is made, and its
//! answer after it has come, in the order in which this happens; so a call's interval is never
//! shorter than it was, and what the judge rejects is wrong.

use std::sync::{Arc, Mutex};

use seedbed::consistency::Verdict;
use seedbed::consistency::linearizable::linearizable;
use seedbed::consistency::witness;
use seedbed::history::{History, Recorder};
use seedbed::object::Object;

/// Far more than any of these histories needs.
const BUDGET: u64 = 1_000_000;

/// Records calls.
pub struct Recording<O: Object> {
    events: Arc<Mutex<Recorder<O::Op, O::Ret>>>,
    /// Is called before each event.
    tick: Arc<dyn Fn() + Send + Sync>,
}

impl<O: Object> Clone for Recording<O> {
    fn clone(&self) -> Self {
        Recording { events: Arc::clone(&self.events), tick: Arc::clone(&self.tick) }
    }
}

impl<O: Object> Recording<O> {
    /// Records; before each event it calls `tick`.
    pub fn new(tick: impl Fn() + Send + Sync + 'static) -> Self {
        Recording { events: Arc::new(Mutex::new(Recorder::default())), tick: Arc::new(tick) }
    }

    /// A process makes a call, which yields a result and what the object answered.
    pub fn call<R>(&self, process: u32, op: O::Op, call: impl FnOnce() -> (R, O::Ret)) -> R {
        (self.tick)();
        let events = || self.events.lock().expect("nobody panics while recording");
        events().invoke(process, op, None).expect("a process makes one call at a time");
        let (result, ret) = call();
        (self.tick)();
        events().returns(process, Some(ret), None).expect("the call is open");
        result
    }

    /// What was recorded.
    pub fn finish(&self) -> History<O::Op, O::Ret> {
        let events = self.events.lock().expect("nobody panics while recording").clone();
        events.finish().expect("calls begin and end in order")
    }
}

/// Is the history linearizable? If the judge says so, a second checker confirms it.
pub fn is_linearizable<O: Object>(object: &O, history: &History<O::Op, O::Ret>) -> bool {
    match linearizable(object, history, BUDGET) {
        Verdict::Holds(found) => {
            witness::confirms(object, history, &found.order).expect("the witness is one");
            true
        }
        Verdict::Violated(_) => false,
        Verdict::Unknown(unknown) => panic!("the budget is too small: {unknown:?}"),
    }
}
