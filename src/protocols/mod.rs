//! The protocols, one file each: prose, types, one `match`, its scenarios. A line here registers
//! one.

use crate::catalogue::Catalogue;

pub mod consensus;
pub mod coordination;
pub mod layers;

/// The built-in scenarios.
pub fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::new();
    consensus::paxos::scenarios(&mut catalogue);
    layers::scenarios::scenarios(&mut catalogue);
    coordination::kv_lock::scenarios(&mut catalogue);
    catalogue
}
