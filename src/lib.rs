//! **seedbed**: write a distributed protocol once, as a pure state machine; then sample its large
//! worlds under seeds, exhaust its small worlds, and have every history that comes out judged.

pub mod catalogue;
pub mod ci;
pub mod cli;
pub mod consistency;
pub mod engine;
pub mod history;
#[allow(unsafe_code, reason = "locks give out what several threads share; each block says why")]
pub mod local;
pub mod object;
pub mod protocol;
pub mod protocols;
pub mod report;
pub mod script;
pub mod shell;
mod sync;
pub mod world;
