//! The shell: the asynchronous program that would be deployed. It hosts a protocol's nodes on
//! sockets, timers and files, and ordinary asynchronous clients beside them.
//!
//! One text runs twice, through madsim's API. With `--cfg madsim` the executor, the network, the
//! clock and the files are madsim's: `host` runs a scenario under a seed, with the scheduler left
//! free, and kills, pauses, cuts off and loses what the scenario's budgets allow. Without the cfg
//! they are tokio's: `serve` runs one node in this process, on a real socket.
//!
//! Both log what they do in the alphabet of the world, in the order in which steps *begin*. A step
//! takes time here, since its effects happen one by one with other nodes' steps between them; the
//! world does it at once. That is no contradiction: nothing can depend on an effect before it has
//! happened, so to let all effects happen when the step begins is one of the asynchronous world's
//! paths. The log must be such a path (it must *lift*): a shell that lost the order of effects,
//! answered a call twice, delivered what was never sent or woke up with a wrong disk would be
//! refused.
//!
//! Nothing that the network loses is sent again. Messages are numbered on their link; where a
//! scenario asks for FIFO links, one that overtakes others waits for them, and if one of those was
//! lost it waits for ever: what was lost is still in flight in the asynchronous world, and a FIFO
//! link carries nothing past it. On real sockets a scenario with FIFO links is refused.
//!
//! What the shell assumes: datagrams may be lost, late and out of order, but are not duplicated
//! and not corrupted without notice; a file that has been synced keeps its bytes.

// What only a supervisor asks for has no use on real sockets.
#[cfg_attr(not(madsim), allow(dead_code))]
mod client;
mod disk;
#[cfg_attr(not(madsim), allow(dead_code))]
mod log;
#[cfg_attr(not(madsim), allow(dead_code))]
mod node;
mod socket;
mod wire;

#[cfg(madsim)]
mod madsim;
#[cfg(not(madsim))]
mod sockets;

#[cfg(madsim)]
pub use self::madsim::{ShellRun, Tally, host};
#[cfg(not(madsim))]
pub use self::sockets::{Place, serve};

#[cfg(all(test, madsim))]
mod tests;
