//! stand-in until merged
use super::World;
use crate::protocol::Checkable;
impl<P: Checkable> World<P> {
    /// stand-in
    pub fn settle(&self, _: usize) -> Option<World<P>> {
        Some(self.clone())
    }
}
