//! The in-process primitives alone: see `Cargo.toml`.

#[path = "../../../src/local/mod.rs"]
pub mod local;
#[path = "../../../src/sync.rs"]
mod sync;
