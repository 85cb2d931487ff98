//! Clients: ordinary asynchronous programs, and the doors through which they call nodes.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;
use tokio::sync::mpsc::{self, UnboundedSender};

use super::node::Arrival;
use crate::protocol::{CallId, NodeId, Outcome, ProcessId, Protocol};
use crate::world::{Setup, Turn};

/// What a node tells a caller.
pub(super) enum Answer<R> {
    /// The call has been made: if the node dies now, nobody knows whether it happened.
    Taken,
    /// The call has ended.
    Ended(Outcome<R>),
}

/// The way in to a node; shut as long as the node is down.
///
/// Those who wait are woken in the order in which they came. (tokio's `watch` would wake them in an
/// order that depends on how many threads the process has had.)
pub(super) struct Door<P: Protocol> {
    inbox: Mutex<Option<UnboundedSender<Arrival<P>>>>,
    opened: Notify,
}

impl<P: Protocol> Door<P> {
    /// A shut door.
    pub(super) fn new() -> Self {
        Door { inbox: Mutex::new(None), opened: Notify::new() }
    }

    /// Calls go to this inbox from now on.
    pub(super) fn open(&self, inbox: UnboundedSender<Arrival<P>>) {
        *self.lock() = Some(inbox);
        self.opened.notify_waiters();
    }

    /// Calls wait from now on.
    pub(super) fn shut(&self) {
        *self.lock() = None;
    }

    /// Waits until the door is open.
    pub(super) async fn opened(&self) -> UnboundedSender<Arrival<P>> {
        loop {
            let opened = self.opened.notified();
            let inbox = self.lock().clone();
            match inbox {
                Some(inbox) => return inbox,
                None => opened.await,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<UnboundedSender<Arrival<P>>>> {
        self.inbox.lock().expect("nobody panics with a door in hand")
    }

    /// Tells the node that a program gives its open call up, if the node is up.
    pub(super) fn give_up(&self, program: u16) {
        if let Some(inbox) = &*self.lock() {
            let _ = inbox.send(Arrival::GiveUp(program));
        }
    }

    /// Makes a call, once the node is up, and waits for its end. A call that the node has not taken
    /// when it dies was never made, and waits again; one that it has taken ends as unknown.
    async fn call(&self, call: CallId, op: &P::Op) -> Outcome<P::Ret> {
        loop {
            let inbox = self.opened().await;
            let (answers, mut answer) = mpsc::unbounded_channel();
            if inbox.send(Arrival::Call(call, op.clone(), answers)).is_ok() {
                match answer.recv().await {
                    Some(Answer::Ended(outcome)) => return outcome,
                    Some(Answer::Taken) => {
                        return match answer.recv().await {
                            Some(Answer::Ended(outcome)) => outcome,
                            _ => Outcome::Unknown,
                        };
                    }
                    None => {}
                }
            }
            // The node is dying: the door has been shut, or will be before this task runs again.
            madsim::task::yield_now().await;
        }
    }
}

/// Who is told how a call ended.
pub(super) type Told<P> = Arc<dyn Fn(CallId, &Outcome<<P as Protocol>::Ret>) + Send + Sync>;

/// Runs one of the scenario's programs. When an outcome is unknown its process retires, and the
/// next one goes on. Returns the node that it would call next and to which there is no door here,
/// or nothing if it is done.
pub(super) async fn run<P: Protocol>(
    setup: Arc<Setup<P>>,
    program: u16,
    doors: Vec<Option<Arc<Door<P>>>>,
    told: Told<P>,
) -> Option<NodeId> {
    let programs = u16::try_from(setup.numbers.clients).expect("numbers are validated");
    let mut process = ProcessId(program);
    let mut last: Option<(P::Op, Outcome<P::Ret>)> = None;
    for number in 0.. {
        let (node, op) = next(&setup, program, process, number, last.as_ref())?;
        let Some(door) = &doors[node.index()] else { return Some(node) };
        let call = CallId { process, number };
        let outcome = door.call(call, &op).await;
        told(call, &outcome);
        if outcome == Outcome::Unknown {
            process.0 += programs;
        }
        last = Some((op, outcome));
    }
    None
}

/// What a program calls next, and where.
pub(super) fn next<P: Protocol>(
    setup: &Setup<P>,
    program: u16,
    process: ProcessId,
    number: u16,
    last: Option<&(P::Op, Outcome<P::Ret>)>,
) -> Option<(NodeId, P::Op)> {
    let last = last.map(|(op, outcome)| (op, outcome));
    (setup.script)(&Turn { program, process, number, last })
}
