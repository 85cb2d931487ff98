//! In-process primitives, written once over loom or the standard library.
//!
//! Locks made of reads and writes alone ([`peterson`], [`bakery`]); locks that spin
//! ([`test_and_set`], [`ticket`], [`mcs`], [`clh`]); locks whose waiters sleep ([`mutex`],
//! [`rw_lock`], [`semaphore`]), all of them on one queue of sleepers ([`parking`]); and what
//! threads coordinate with ([`condvar`], [`once`], [`wait_group`], [`barrier`], [`buffer`],
//! [`channel`], [`rendezvous`], [`select`], [`workers`]).
//!
//! Every file is compiled twice, see `crate::sync`. Each famous mistake is a switch,
//! `broken("ticket/wrap-around")`, which is read in one place and is the constant `false` in the
//! library; `models/local` makes each mistake in turn, and loom finds it. What is guaranteed, and
//! in how many executions, stands in `docs/local.md`, which a test keeps true.
//!
//! ```
//! use seedbed::local::{channel::Channel, mutex::Mutex};
//!
//! let (total, numbers) = (Mutex::new(0), Channel::new(16));
//! std::thread::scope(|scope| {
//!     for _ in 0..3 {
//!         scope.spawn(|| {
//!             while let Some(number) = numbers.receive() {
//!                 *total.lock().unwrap() += number;
//!             }
//!         });
//!     }
//!     (1..=100).for_each(|number| numbers.send(number).unwrap());
//!     numbers.close();
//! });
//! assert_eq!(total.into_inner().unwrap(), 5050);
//! ```
//!
//! This is the only folder with `unsafe` code, and each such block says why it is sound.

pub mod bakery;
pub mod barrier;
pub mod buffer;
pub mod channel;
pub mod clh;
pub mod condvar;
pub mod guarded;
pub mod mcs;
pub mod mutex;
pub mod once;
pub mod parking;
pub mod peterson;
pub mod rendezvous;
pub mod rw_lock;
pub mod select;
pub mod semaphore;
pub mod test_and_set;
pub mod ticket;
pub mod wait_group;
pub mod workers;
