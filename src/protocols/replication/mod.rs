//! Replicated data: what is written at one node is read at others.

pub mod abd;
pub mod master_slave;
