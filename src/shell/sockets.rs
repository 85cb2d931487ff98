//! The shell on real sockets: one node in this process, and the programs that call at it.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use madsim::task;
use madsim::time::Instant;

use super::client::{self, Door};
use super::log::Log;
use super::node::{self, Home};
use crate::protocol::{NodeId, ProcessId, Protocol};
use crate::world::{Action, Links, Setup};

/// Where a node lives.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Which node it is.
    pub me: NodeId,
    /// The addresses of all nodes, this one's among them.
    pub peers: &'a [SocketAddr],
    /// Where its disk's files are.
    pub disk: &'a Path,
    /// Seeds what the protocol draws, and the lengths of timers.
    pub seed: u64,
}

/// Runs a node, and the programs whose first call goes to it, until the process ends. Each step is
/// told in one line when it begins, each call when it ends, and each program when it is done: one
/// that goes on at another node stops here, since it has no way into another process.
///
/// # Errors
/// If the address or the disk can't be used, or the scenario needs FIFO links: nobody remembers
/// here how far a link was before its node crashed.
pub fn serve<P: Protocol>(
    setup: &Arc<Setup<P>>,
    place: Place<'_>,
    tell: impl Fn(&str) + Send + Sync + 'static,
) -> io::Result<()> {
    let nodes = setup.numbers.nodes as usize;
    if place.peers.len() != nodes || place.me.index() >= nodes {
        let reason = format!("{} among {} addresses, of {nodes}", place.me, place.peers.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    if setup.links == Links::Fifo {
        let reason = "the scenario needs FIFO links, and datagrams keep no order";
        return Err(io::Error::new(io::ErrorKind::Unsupported, reason));
    }
    let tell: Arc<dyn Fn(&str) + Send + Sync> = Arc::new(tell);
    let told = Arc::clone(&tell);
    let sink = Box::new(move |action: &Action<P>| told(&action.to_string()));
    let door = Arc::new(Door::new());
    let home = Home {
        setup: Arc::clone(setup),
        me: place.me,
        peers: place.peers.to_vec(),
        dir: place.disk.to_owned(),
        seed: place.seed,
        born: Instant::now(),
        skew: 0,
        log: Arc::new(Log::new(setup, Vec::new(), Some(sink))),
        door: Arc::clone(&door),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        start_programs(setup, place.me, &door, &tell);
        node::run(home).await
    })
}

/// Starts the programs whose first call goes to this node.
fn start_programs<P: Protocol>(
    setup: &Arc<Setup<P>>,
    me: NodeId,
    door: &Arc<Door<P>>,
    tell: &Arc<dyn Fn(&str) + Send + Sync>,
) {
    let doors = NodeId::all(setup.nodes()).map(|node| (node == me).then(|| Arc::clone(door)));
    let doors = doors.collect::<Vec<_>>();
    let programs = u16::try_from(setup.numbers.clients).expect("numbers are validated");
    for program in 0..programs {
        let first = client::next(setup, program, ProcessId(program), 0, None);
        if first.is_none_or(|(node, _)| node != me) {
            continue;
        }
        let (setup, doors, tell) = (Arc::clone(setup), doors.clone(), Arc::clone(tell));
        task::spawn(async move {
            let told = Arc::clone(&tell);
            let told =
                Arc::new(move |call, outcome: &_| told(&format!("{call} ends: {outcome:?}")));
            match client::run(setup, program, doors, told).await {
                None => tell(&format!("program {program} is done")),
                Some(node) => tell(&format!("program {program} would go on at {node}")),
            }
        });
    }
}
