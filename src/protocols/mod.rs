//! The protocols, one file each: prose, types, one `match`, its scenarios. A line here registers
//! one.

pub mod consensus;
#[cfg(test)]
mod expected;
pub mod membership;
pub mod replication;

use crate::catalogue::Catalogue;

/// The built-in scenarios.
pub fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::new();
    membership::gossip::scenarios(&mut catalogue);
    replication::master_slave::scenarios(&mut catalogue);
    consensus::paxos::scenarios(&mut catalogue);
    catalogue
}
