//! Shared memory: what a read may return when many nodes write.

pub mod dsm;
pub mod lazy_release;
pub mod pram;
mod second_opinion;
pub mod variables;
