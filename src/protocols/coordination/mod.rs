//! Coordination: what processes build on an object that all of them can reach.

pub mod election;
pub mod kv_lock;
