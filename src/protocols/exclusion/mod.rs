//! Mutual exclusion: locks, with leases and without.

pub mod lease_lock;
