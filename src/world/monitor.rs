//! Monitors: state machines that watch a world's events, and are part of its state.

use std::any::Any;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};

use crate::protocol::{CallId, Mark, NodeId, Outcome, Protocol};

use super::Renaming;

/// What a monitor may watch.
#[derive(Debug)]
pub enum Event<'a, P: Protocol> {
    /// A process made a call.
    Called(CallId, NodeId, &'a P::Op),
    /// A call put out one item of its long answer.
    Item(CallId, &'a P::Ret),
    /// A call ended.
    Ended(CallId, &'a Outcome<P::Ret>),
    /// A node put out a mark.
    Marked(NodeId, Mark),
    /// A node sent a message, lost or not.
    Sent(NodeId, NodeId, &'a P::Msg),
    /// A node started, or started again.
    Booted(NodeId),
    /// A node crashed.
    Crashed(NodeId),
}

/// A state machine over a world's events; it says when a property is broken, and how.
pub trait Monitor<P: Protocol>: Clone + Eq + Hash + Debug + Send + Sync + 'static {
    /// Watches one event.
    ///
    /// # Errors
    /// The way in which the property is broken.
    fn observe(&mut self, cfg: &P::Config, event: &Event<'_, P>) -> Result<(), String>;

    /// The monitor under other names; as it stands it names nobody that could be renamed.
    fn renamed(&self, _: &Renaming) -> Self {
        self.clone()
    }
}

/// A monitor whose type is forgotten, so that a world can hold any.
pub trait Watch<P: Protocol>: Debug + Send + Sync {
    /// See [`Monitor::observe`].
    ///
    /// # Errors
    /// The way in which the property is broken.
    fn watch(&mut self, cfg: &P::Config, event: &Event<'_, P>) -> Result<(), String>;
    /// A copy.
    fn copy(&self) -> Box<dyn Watch<P>>;
    /// See [`Monitor::renamed`].
    fn under(&self, by: &Renaming) -> Box<dyn Watch<P>>;
    /// Whether another monitor is of the same type and in the same state.
    fn same(&self, other: &dyn Watch<P>) -> bool;
    /// Feeds the state to a hasher.
    fn feed(&self, hasher: &mut dyn Hasher);
    /// The monitor itself, for `same`.
    fn as_any(&self) -> &dyn Any;
}

impl<P: Protocol, M: Monitor<P>> Watch<P> for M {
    fn watch(&mut self, cfg: &P::Config, event: &Event<'_, P>) -> Result<(), String> {
        self.observe(cfg, event)
    }

    fn copy(&self) -> Box<dyn Watch<P>> {
        Box::new(self.clone())
    }

    fn under(&self, by: &Renaming) -> Box<dyn Watch<P>> {
        Box::new(self.renamed(by))
    }

    fn same(&self, other: &dyn Watch<P>) -> bool {
        other.as_any().downcast_ref::<M>() == Some(self)
    }

    fn feed(&self, mut hasher: &mut dyn Hasher) {
        self.hash(&mut hasher);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl<P: Protocol> Clone for Box<dyn Watch<P>> {
    fn clone(&self) -> Self {
        (**self).copy()
    }
}

impl<P: Protocol> PartialEq for Box<dyn Watch<P>> {
    fn eq(&self, other: &Self) -> bool {
        (**self).same(&**other)
    }
}

impl<P: Protocol> Eq for Box<dyn Watch<P>> {}

impl<P: Protocol> Hash for Box<dyn Watch<P>> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).feed(state);
    }
}
