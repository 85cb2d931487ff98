//! Every interleaving of the in-process primitives, explored by loom.
//!
//! `src/local` is included here a second time, over [`crate::sync`], which is loom and writes down
//! what each thread does. A file of this folder has the small programs of some primitives; the text
//! file beside it has what was found: how many executions there are, and for each mistake the
//! interleaving that shows it.

mod coordination;
mod defects;
mod explore;
mod histories;
mod litmus;
mod locks;
mod page;
mod programs;
mod recording;
mod stress;
mod threads;
pub mod trace;
pub mod turns;
