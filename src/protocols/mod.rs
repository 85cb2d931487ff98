//! The protocols, one file each: prose, types, one `match`, its scenarios. A line here registers
//! one.

pub mod exclusion;
pub mod replication;
#[cfg(test)]
mod small;

use crate::catalogue::Catalogue;

/// The built-in scenarios.
pub fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::new();
    replication::abd::scenarios(&mut catalogue);
    exclusion::lease_lock::scenarios(&mut catalogue);
    catalogue
}
