//! The protocols, one file each: prose, types, one `match`, its scenarios. A line here registers
//! one.

pub mod consensus;
pub mod coordination;
pub mod exclusion;
pub mod layers;
pub mod membership;
pub mod memory;
pub mod replication;

use crate::catalogue::Catalogue;

/// The built-in scenarios.
pub fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::new();
    memory::dsm::scenarios(&mut catalogue);
    memory::pram::scenarios(&mut catalogue);
    memory::lazy_release::scenarios(&mut catalogue);
    replication::abd::scenarios(&mut catalogue);
    replication::master_slave::scenarios(&mut catalogue);
    exclusion::lease_lock::scenarios(&mut catalogue);
    consensus::paxos::scenarios(&mut catalogue);
    layers::scenarios::scenarios(&mut catalogue);
    coordination::kv_lock::scenarios(&mut catalogue);
    coordination::election::scenarios(&mut catalogue);
    membership::gossip::scenarios(&mut catalogue);
    catalogue
}
