//! Consensus: several nodes choose one value, and never another.

pub mod paxos;
pub mod synod;
