//! The protocols, one file each: prose, types, one `match`, its scenarios. A line here registers
//! one.

use crate::catalogue::Catalogue;

/// The built-in scenarios.
pub fn catalogue() -> Catalogue {
    Catalogue::new()
}
