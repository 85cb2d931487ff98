//! The shell on madsim: one simulated machine for each node, and a supervisor that does to them
//! what the scenario's budgets allow.
//!
//! First comes a storm, then everything heals, and the programs get time to finish. Kills come at
//! any time, many of them right after a step has begun, so that steps are torn; where the scenario
//! allows no torn step (or no more) they wait until the node is between two steps.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use madsim::net::NetSim;
use madsim::runtime::{Handle, NodeHandle, Runtime};
use madsim::task::{self, JoinHandle, yield_now};
use madsim::time::{Duration, Instant, sleep, sleep_until, timeout};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::client::{self, Door};
use super::log::Log;
use super::node::{self, Home};
use crate::protocol::{NodeId, Protocol};
use crate::world::{Action, Cut, Setup};

/// The streams of chance that are no node's: above those of all nodes.
const FAULTS: u64 = 1 << 60;
const SKEWS: u64 = FAULTS + 1;

/// How long the programs may go on once all has healed, in simulated time.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of a run.
pub struct ShellRun<P: Protocol> {
    /// What the nodes did, the start first.
    pub log: Vec<Action<P>>,
    /// The asynchronous world of which the log must be a path.
    pub world: Arc<Setup<P>>,
    /// Whether every program came to its end.
    pub finished: bool,
    /// How many of what there were.
    pub tally: Tally,
}

/// How many messages and faults a run had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that nodes sent, those to themselves included.
    pub sent: u64,
    /// Datagrams that the network took, and neither lost nor cut off.
    pub carried: u64,
    /// Nodes killed, torn steps included.
    pub crashes: u32,
    /// Steps torn by a kill.
    pub torn: u32,
    /// Nodes paused.
    pub pauses: u32,
    /// Partitions.
    pub partitions: u32,
    /// Nodes that joined late.
    pub joins: u32,
    /// Calls given up.
    pub cancels: u32,
    /// Lost datagrams in a thousand, during the storm.
    pub loss_rate: u32,
}

/// What the supervisor does, and when in the storm.
struct Planned {
    at: Duration,
    what: Fault,
}

#[derive(Clone, Copy)]
enum Fault {
    Kill(NodeId, Aim),
    Restart(NodeId),
    Pause(NodeId),
    Resume(NodeId),
    Cut(Cut),
    Heal,
    Join(NodeId),
    GiveUp(u16),
}

/// When exactly a kill strikes.
#[derive(Clone, Copy)]
enum Aim {
    /// At once.
    Now,
    /// So many turns of the scheduler after a step has begun.
    InStep(u32),
    /// So long after a step has begun: sending takes time.
    AfterStep(Duration),
}

/// Hosts a scenario's nodes and programs under a seed.
///
/// # Panics
/// If a node, a client or the runtime panics.
pub fn host<P: Protocol>(setup: &Arc<Setup<P>>, seed: u64) -> ShellRun<P> {
    let setup = Arc::clone(setup);
    // A thread of its own: madsim makes what the standard library keeps in a thread deterministic
    // only if the thread is new.
    let thread = std::thread::spawn(move || {
        let mut chance = stream(seed, FAULTS);
        let mut config = madsim::Config::default();
        let slowest = Duration::from_millis(2 + chance.below(40));
        config.net.send_latency = Duration::from_millis(1)..slowest;
        let runtime = Runtime::with_seed_and_config(seed, config);
        let handle = runtime.handle().clone();
        runtime.block_on(async { Cluster::new(setup, seed, handle).live(chance).await })
    });
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// All machines, and the hand that hurts them.
struct Cluster<P: Protocol> {
    setup: Arc<Setup<P>>,
    seed: u64,
    handle: Handle,
    net: Arc<NetSim>,
    born: Instant,
    skews: Vec<u32>,
    log: Arc<Log<P>>,
    doors: Vec<Arc<Door<P>>>,
    machines: Vec<Option<NodeHandle>>,
    tally: Tally,
}

impl<P: Protocol> Cluster<P> {
    fn new(setup: Arc<Setup<P>>, seed: u64, handle: Handle) -> Self {
        let nodes = setup.numbers.nodes as usize;
        let skewed = if setup.numbers.skew > 0 { nodes } else { 0 };
        let mut chance = stream(seed, SKEWS);
        let skew = u64::from(setup.numbers.skew) + 1;
        let skews = (0..skewed).map(|_| u32::try_from(chance.below(skew)).unwrap_or(0)).collect();
        Cluster {
            log: Arc::new(Log::new(&setup, Vec::clone(&skews), None)),
            doors: (0..nodes).map(|_| Arc::new(Door::new())).collect(),
            machines: vec![None; nodes],
            net: NetSim::current(),
            born: Instant::now(),
            tally: Tally::default(),
            setup,
            seed,
            handle,
            skews,
        }
    }

    /// Starts, storms, heals and waits.
    async fn live(mut self, mut chance: ChaCha8Rng) -> ShellRun<P> {
        let late = self.setup.numbers.faults.joins.min(self.setup.numbers.nodes);
        let first = self.setup.numbers.nodes - late;
        for node in NodeId::all(u8::try_from(first).expect("numbers are validated")) {
            self.build(node);
        }
        // A world starts as a whole: no fault before all first nodes are up.
        for door in &self.doors[..first as usize] {
            door.opened().await;
        }
        let programs = self.start_programs();
        self.storm(&mut chance).await;
        self.heal_all();
        let finished = timeout(PATIENCE, async {
            for program in programs {
                program.await.expect("no program is cancelled");
            }
        });
        let finished = finished.await.is_ok();
        self.report(finished)
    }

    fn report(self, finished: bool) -> ShellRun<P> {
        let spent = self.log.spent();
        let tally = Tally {
            sent: self.log.messages(),
            carried: self.net.stat().msg_count,
            crashes: spent.crashes,
            torn: spent.torn,
            cancels: spent.cancels,
            ..self.tally
        };
        let (log, world) = self.log.close(&self.setup);
        ShellRun { log, world, finished, tally }
    }

    /// Builds a node's machine, which boots at once.
    fn build(&mut self, node: NodeId) {
        let peers = NodeId::all(self.setup.nodes()).map(address).collect::<Vec<_>>();
        let (setup, log) = (Arc::clone(&self.setup), Arc::clone(&self.log));
        let door = Arc::clone(&self.doors[node.index()]);
        let skew = self.skews.get(node.index()).copied().unwrap_or(0);
        let (seed, born) = (self.seed, self.born);
        let boot = move || {
            let home = Home {
                setup: Arc::clone(&setup),
                me: node,
                peers: peers.clone(),
                dir: PathBuf::from("/"),
                seed,
                born,
                skew,
                log: Arc::clone(&log),
                door: Arc::clone(&door),
            };
            async move { node::run(home).await.expect("machines have a network and a disk") }
        };
        let machine = self.handle.create_node().name(node.to_string()).ip(address(node).ip());
        self.machines[node.index()] = Some(machine.init(boot).build());
    }

    fn start_programs(&self) -> Vec<JoinHandle<Option<NodeId>>> {
        let programs = u16::try_from(self.setup.numbers.clients).expect("numbers are validated");
        let doors = self.doors.iter().cloned().map(Some).collect::<Vec<_>>();
        let run = |program| {
            client::run(Arc::clone(&self.setup), program, doors.clone(), Arc::new(|_, _| {}))
        };
        (0..programs).map(|program| task::spawn(run(program))).collect()
    }

    async fn storm(&mut self, chance: &mut ChaCha8Rng) {
        if self.setup.numbers.faults.losses > 0 {
            self.tally.loss_rate = u32::try_from(chance.below(200)).unwrap_or(0);
            let rate = f64::from(self.tally.loss_rate) / 1000.0;
            self.net.update_config(|net| net.packet_loss_rate = rate);
        }
        let began = Instant::now();
        for Planned { at, what } in plan(&self.setup, chance) {
            sleep_until(began + at).await;
            self.inflict(what).await;
        }
    }

    /// Does what is planned, unless it makes no sense any more.
    async fn inflict(&mut self, fault: Fault) {
        match fault {
            Fault::Kill(node, aim) => self.kill(node, aim).await,
            Fault::Restart(node) => self.restart(node),
            Fault::Pause(node) if self.log.is_up(node) => {
                self.tally.pauses += 1;
                self.handle.pause(self.machine(node));
            }
            Fault::Pause(_) => {}
            Fault::Resume(node) => self.resume(node),
            Fault::Cut(cut) => {
                self.tally.partitions += 1;
                self.set_cut(Some(cut));
            }
            Fault::Heal => self.set_cut(None),
            Fault::Join(node) => {
                self.tally.joins += 1;
                self.build(node);
            }
            Fault::GiveUp(program) => {
                // Only the node at which the program's call is open heeds it.
                self.doors.iter().for_each(|door| door.give_up(program));
            }
        }
    }

    /// Kills a node that is up, in the middle of a step if the aim and the budget say so.
    async fn kill(&mut self, node: NodeId, aim: Aim) {
        let moment = Duration::from_millis(50);
        match aim {
            Aim::Now => {}
            Aim::InStep(turns) => {
                let _ = timeout(moment, self.log.next_step(node)).await;
                for _ in 0..turns {
                    yield_now().await;
                }
            }
            Aim::AfterStep(time) => {
                let _ = timeout(moment, self.log.next_step(node)).await;
                sleep(time).await;
            }
        }
        for _ in 0..1_000 {
            if self.may_kill(node) {
                break;
            }
            self.resume(node);
            sleep(Duration::from_millis(1)).await;
        }
        if self.log.is_up(node) && self.may_kill(node) {
            self.doors[node.index()].shut();
            self.handle.kill(self.machine(node));
            self.log.killed(node);
        }
    }

    fn may_kill(&self, node: NodeId) -> bool {
        let may_tear = self.log.spent().torn < self.setup.numbers.faults.torn;
        may_tear || !self.log.is_in_step(node)
    }

    /// Starts a node again that has been killed.
    fn restart(&self, node: NodeId) {
        if self.machines[node.index()].is_some() && !self.log.is_up(node) {
            // Killed once more, since it may be starting just now, and only a kill frees the port.
            self.handle.kill(self.machine(node));
            self.handle.restart(self.machine(node));
        }
    }

    fn resume(&self, node: NodeId) {
        if self.machines[node.index()].is_some() {
            self.handle.resume(self.machine(node));
        }
    }

    fn heal_all(&self) {
        self.set_cut(None);
        self.net.update_config(|net| net.packet_loss_rate = 0.0);
        for node in NodeId::all(self.setup.nodes()) {
            self.resume(node);
            self.restart(node);
        }
    }

    /// Clogs the links that a partition cuts, and no others.
    fn set_cut(&self, cut: Option<Cut>) {
        let nodes = self.setup.nodes();
        for (from, to) in NodeId::all(nodes).flat_map(|a| NodeId::all(nodes).map(move |b| (a, b))) {
            let (Some(here), Some(there)) =
                (&self.machines[from.index()], &self.machines[to.index()])
            else {
                continue;
            };
            if cut.is_some_and(|cut| cut.blocks(nodes, from, to)) {
                self.net.clog_link(here.id(), there.id());
            } else {
                self.net.unclog_link(here.id(), there.id());
            }
        }
    }

    fn machine(&self, node: NodeId) -> madsim::task::NodeId {
        self.machines[node.index()].as_ref().expect("the machine has been built").id()
    }
}

/// Draws the storm: how many faults of each kind, when, whom they hit, and when they end.
fn plan<P: Protocol>(setup: &Setup<P>, chance: &mut ChaCha8Rng) -> Vec<Planned> {
    let (numbers, budget) = (&setup.numbers, &setup.numbers.faults);
    let length = 100 + chance.below(100 * u64::from(numbers.calls.clamp(1, 50)));
    let mut plan = Vec::new();
    let mut add = |at: u64, what| plan.push(Planned { at: Duration::from_millis(at), what });
    let first_late = numbers.nodes - budget.joins.min(numbers.nodes);
    for node in first_late..numbers.nodes {
        let node = NodeId(u8::try_from(node).expect("numbers are validated"));
        add(chance.below(length), Fault::Join(node));
    }
    for _ in 0..chance.share(budget.crashes) {
        let (node, at) = (chance.node(numbers.nodes), chance.below(length));
        add(at, Fault::Kill(node, chance.aim()));
        add(at + 1 + chance.below(length), Fault::Restart(node));
    }
    for _ in 0..chance.share(budget.pauses) {
        let (node, at) = (chance.node(numbers.nodes), chance.below(length));
        add(at, Fault::Pause(node));
        add(at + 1 + chance.below(100), Fault::Resume(node));
    }
    let cuts = Cut::all(&numbers.cuts, setup.nodes());
    for _ in 0..chance.share(if cuts.is_empty() { 0 } else { budget.partitions }) {
        let at = chance.below(length);
        add(at, Fault::Cut(cuts[chance.index(cuts.len())]));
        add(at + 1 + chance.below(length), Fault::Heal);
    }
    for _ in 0..chance.share(if numbers.clients == 0 { 0 } else { budget.cancels }) {
        let program = chance.index(numbers.clients as usize);
        let program = u16::try_from(program).expect("numbers are validated");
        add(chance.below(length), Fault::GiveUp(program));
    }
    plan.sort_by_key(|planned| planned.at);
    plan
}

/// What the supervisor draws.
trait Draws {
    /// A number below `n`.
    fn below(&mut self, n: u64) -> u64;

    /// An index below `n`.
    fn index(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).unwrap_or(0)
    }

    /// One of so many nodes.
    fn node(&mut self, nodes: u32) -> NodeId {
        NodeId(u8::try_from(self.below(u64::from(nodes))).expect("numbers are validated"))
    }

    /// How much of a budget is used; often all of it.
    fn share(&mut self, budget: u32) -> u32 {
        let budget = budget.min(32);
        u32::try_from(self.below(2 * u64::from(budget) + 1)).unwrap_or(budget).min(budget)
    }

    /// When a kill strikes.
    fn aim(&mut self) -> Aim {
        match self.below(3) {
            0 => Aim::Now,
            1 => Aim::InStep(u32::try_from(self.below(12)).unwrap_or(0)),
            _ => Aim::AfterStep(Duration::from_millis(1 + self.below(4))),
        }
    }
}

impl Draws for ChaCha8Rng {
    fn below(&mut self, n: u64) -> u64 {
        u64::try_from((u128::from(self.next_u64()) * u128::from(n)) >> 64).unwrap_or(0)
    }
}

fn stream(seed: u64, purpose: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(purpose);
    rng
}

/// Where a node listens.
fn address(node: NodeId) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1 + node.0)), 7)
}
