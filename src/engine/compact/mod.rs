//! Exhaustive checking, exact and fast: the compact engine.
//!
//! Most of what happens in a distributed world happens at one node, and there are few states of one
//! node, few messages and few histories, though there are many combinations of them. So this engine
//! keeps each distinct part of a world once and names it by a number (`names`); a state is a
//! short vector of such numbers (`vector`), stored whole (`store`). The one interpreter of
//! `crate::world` is asked what a message does to a node in one state of that node only, and its
//! answer is remembered together with the parts of the world that it read (`memo`). Nothing of
//! the semantics is written here a second time.
//!
//! The search is breadth first, level by level (`search`, and `crate::engine::levels`). A level is
//! the same set of states whatever the order in which it was found, so counts, verdict and
//! counterexample do not depend on the number of threads: the counterexample is the first of the
//! shortest, in the order in which the world lists its actions.
//!
//! A search may be told to leave out what follows from the rest: of states that differ only in
//! interchangeable names all but one (`symmetry`), and of steps that don't touch each other all
//! but one order (`sleep`). Nothing of that is on unless it is asked for.
//!
//! Interning components is SPIN's COLLAPSE (Holzmann, 1997); remembering local steps by what they
//! read is LTSmin's transition cache, and Guerraoui and Yabandeh, "Model Checking a Networked
//! System Without the Network" (2011), is the nearest published relative.

mod audit;
mod graph;
mod judge;
mod lasso;
pub(super) mod memo;
pub(super) mod names;
mod search;
pub(super) mod sleep;
pub(super) mod store;
mod symmetry;
pub(super) mod vector;
mod worker;

pub use search::check;
