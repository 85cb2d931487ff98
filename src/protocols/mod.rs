//! The protocols, one file each: prose, types, one `match`, its scenarios. A line here registers
//! one.

pub mod exclusion;
#[cfg(test)]
mod small;

use crate::catalogue::Catalogue;

/// The built-in scenarios.
pub fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::new();
    exclusion::lease_lock::scenarios(&mut catalogue);
    catalogue
}
