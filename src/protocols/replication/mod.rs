//! Protocols that keep copies of one object.

pub mod master_slave;
