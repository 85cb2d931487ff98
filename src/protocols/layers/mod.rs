//! Layers: a recipe is written once and runs over any service that has the object it needs.
//!
//! A *recipe* is a protocol whose only correspondent is the layer below it: it sends [`Below`] an
//! invocation of a sequential object's operation, and hears what it returned. A *service* is any
//! protocol whose calls are the operations of that object. [`Over`] pairs the two into a protocol
//! again. There are three services: [`Atomic`] applies every operation at the moment it is
//! invoked, so that a recipe's own interleavings are exhausted cheaply; [`Single`] is a server at
//! the end of links that may lose and repeat; [`Replicated`] is a log decided by Paxos.
//!
//! Both boundaries are judged. What the recipe promises is judged by its own monitors; that a
//! service is its object is judged by the scenarios of the services themselves, where processes
//! call it directly.

pub mod atomic;
pub mod over;
pub mod replicated;
pub mod scenarios;
pub mod sessions;
pub mod single;

pub use atomic::Atomic;
pub use over::{Layered, Over};
pub use replicated::Replicated;
pub use sessions::Sessions;
pub use single::Single;

use serde::{Deserialize, Serialize};

use crate::object::Object;
use crate::protocol::{CallId, NodeId, Outbox, Outcome, Protocol};

/// Where a recipe's messages go and come from; it is no node.
pub const BELOW: NodeId = NodeId(u8::MAX);

/// How many invocations one call of a recipe may make.
pub const INVOCATIONS: u16 = 8;

/// What a recipe and the layer below it say to each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Below<Op, Ret> {
    /// Downwards: do this.
    Invoke(CallId, Op),
    /// Upwards: an item of a long answer.
    Item(CallId, Ret),
    /// Upwards: it has ended.
    Returned(CallId, Outcome<Ret>),
}

/// A protocol over an object that it does not implement.
pub trait Recipe:
    Protocol<Msg = Below<<Self::Lower as Object>::Op, <Self::Lower as Object>::Ret>>
{
    /// The object.
    type Lower: Object;
}

/// A protocol that implements an object: what processes call are the object's operations.
pub trait Service:
    Protocol<Op = <Self::Of as Object>::Op, Ret = <Self::Of as Object>::Ret>
{
    /// The object.
    type Of: Object;
}

/// The name of a call's `n`-th invocation. Since it is made from the call's own name, a node that
/// has lost its state in a crash never uses a name twice.
///
/// # Panics
/// If one call makes too many invocations, or its program too many calls.
pub fn invocation(call: CallId, n: u16) -> CallId {
    assert!(n < INVOCATIONS, "{call} makes more than {INVOCATIONS} invocations");
    let number = call.number.checked_mul(INVOCATIONS).expect("a program makes few calls");
    CallId { number: number + n, ..call }
}

impl<R: Recipe> Outbox<R> {
    /// Invokes an operation of the layer below.
    pub fn invoke(&mut self, id: CallId, op: <R::Lower as Object>::Op) {
        self.send(BELOW, Below::Invoke(id, op));
    }
}
