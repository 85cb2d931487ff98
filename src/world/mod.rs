//! The world: nodes, network, timers, clocks, disks, faults, processes and monitors, over plain
//! values. `docs/semantics.md` is its law; each rule names the test that fails without it.
//!
//! A [`System`] is all of a world but what waits: nodes, disks, processes, budgets, history and
//! monitors. It interprets effects, and hands whatever has to wait (a message, a timer) to a
//! [`Pending`]. The checker's [`World`] keeps what waits as intervals of ticks and lists every
//! action that is enabled; the simulator keeps it in a queue by due tick and takes the first.

mod action;
mod cut;
mod digest;
mod enabled;
mod monitor;
mod numbers;
mod parts;
mod promise;
mod record;
mod seen;
mod settle;
mod setup;
mod symmetry;
mod system;
mod time;
mod waiting;

pub use action::{Action, Happening, Torn};
pub use cut::{Cut, CutKind};
pub use digest::{Digest, digest_of};
pub use enabled::{Topic, goes_after, is_newest};
pub use monitor::{Event, Monitor, Watch};
pub use numbers::{BadNumber, Clocks, Faults, InFlight, Numbers};
pub use parts::Content;
pub use promise::Promise;
pub use record::{Entry, HistoryForm, Record};
pub use seen::{Part, Seen};
pub use setup::{CALLS_END, Expect, Judge, Judged, Links, Property, Script, Setup, Turn};
pub use symmetry::{Interchange, Renaming, Symmetry};
pub use system::{Node, Pending, Program, Status, System, Tearing};
pub use time::Interval;
pub use waiting::{Flight, Refused, Waiting, World, stays_before};
