//! The engines: thin loops over one world.

pub mod check;
pub mod lift;
pub mod progress;
pub mod simulate;
pub mod verify;

use crate::catalogue::{Card, Scenario};
use crate::protocol::Checkable;

/// What every engine can do with a scenario, its protocol forgotten.
pub trait Engines: Send + Sync {
    /// The scenario's name and sizes.
    fn card(&self) -> &Card;
}

impl<P: Checkable> Engines for Scenario<P> {
    fn card(&self) -> &Card {
        &self.card
    }
}
