//! Protocols that keep copies of one object.

pub mod abd;
pub mod master_slave;
