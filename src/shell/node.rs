//! One node: boots from its disk, and then takes one input after the other from one inbox, into
//! which its socket, its timers and its callers put them. The effects of a step happen in their
//! order, each complete before the next one begins; a kill may come between any two.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use madsim::task::{self, JoinHandle, yield_now};
use madsim::time::{self, Duration, Instant};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use tokio::sync::mpsc::{self, UnboundedSender};

use super::client::{Answer, Door};
use super::disk::Disk;
use super::log::Log;
use super::socket::Socket;
use crate::protocol::{
    CallId, Chance, Delay, Effect, Input, NodeId, Outbox, Outcome, Protocol, Reading,
};
use crate::world::{Happening, Links, Setup};

/// How long a scenario's unit of time is.
pub(super) const UNIT: Duration = Duration::from_millis(10);

/// What a node needs to know of where it lives.
pub(super) struct Home<P: Protocol> {
    pub(super) setup: Arc<Setup<P>>,
    pub(super) me: NodeId,
    /// The addresses of all nodes, this one's among them.
    pub(super) peers: Vec<SocketAddr>,
    /// Where its disk's files are.
    pub(super) dir: PathBuf,
    pub(super) seed: u64,
    /// When the world started, and by how much this node's clock was ahead then.
    pub(super) born: Instant,
    pub(super) skew: u32,
    pub(super) log: Arc<Log<P>>,
    pub(super) door: Arc<Door<P>>,
}

/// What comes into a node.
pub(super) enum Arrival<P: Protocol> {
    /// A message from a node, with its number on the link.
    Message(NodeId, u64, P::Msg),
    /// A timer has run down; it counts if it has not been armed anew since.
    Timer(P::Timer, u64),
    /// A call, and where its answers go.
    Call(CallId, P::Op, UnboundedSender<Answer<P::Ret>>),
    /// A program gives its open call up.
    GiveUp(u16),
}

/// A timer that is running.
struct Armed {
    generation: u64,
    due: Instant,
    longest: u32,
    sleeper: JoinHandle<()>,
}

struct Node<P: Protocol> {
    home: Home<P>,
    state: P,
    disk: Disk,
    socket: Arc<Socket>,
    inbox: UnboundedSender<Arrival<P>>,
    timers: BTreeMap<P::Timer, Armed>,
    generation: u64,
    callers: BTreeMap<CallId, UnboundedSender<Answer<P::Ret>>>,
    /// What has overtaken others on a FIFO link, and has to wait for them.
    early: BTreeMap<(NodeId, u64), P::Msg>,
    chance: Chance,
    clock: ChaCha8Rng,
}

/// Runs a node for as long as it lives.
///
/// # Errors
/// If its address or its disk can't be used.
pub(super) async fn run<P: Protocol>(home: Home<P>) -> io::Result<()> {
    let socket = Arc::new(Socket::bind(home.me, &home.peers).await?);
    let (disk, saved) = Disk::open(&home.dir, &home.me.to_string()).await?;
    let (inbox, mut arrivals) = mpsc::unbounded_channel();
    task::spawn(hear(Arc::clone(&socket), inbox.clone()));
    let mut node = boot(home, disk, saved, socket, inbox).await?;
    while let Some(arrival) = arrivals.recv().await {
        node.take(arrival).await?;
    }
    Ok(())
}

/// Puts what the socket receives into the inbox. A task of its own, since to give up waiting for a
/// datagram may lose one.
async fn hear<P: Protocol>(socket: Arc<Socket>, inbox: UnboundedSender<Arrival<P>>) {
    loop {
        let (from, number, msg) = socket.receive().await;
        if inbox.send(Arrival::Message(from, number, msg)).is_err() {
            return;
        }
    }
}

/// A stream of chance of its own for each node, each of its lives, and each purpose.
fn stream<P: Protocol>(home: &Home<P>, purpose: u64) -> ChaCha8Rng {
    let life = u64::from(home.log.boots(home.me));
    let mut rng = ChaCha8Rng::seed_from_u64(home.seed);
    rng.set_stream(life << 16 | u64::from(home.me.0) << 8 | purpose);
    rng
}

async fn boot<P: Protocol>(
    home: Home<P>,
    disk: Disk,
    saved: P::Disk,
    socket: Arc<Socket>,
    inbox: UnboundedSender<Arrival<P>>,
) -> io::Result<Node<P>> {
    let (chance, clock) = (stream(&home, 0), stream(&home, 1));
    let now = home.log.clock_at_boot(home.me, elapsed(&home));
    let mut out = Outbox::new(Chance::Drawn(Box::new(chance)));
    out.clock = now + home.skew;
    let state = P::boot(&home.setup.config, home.me, saved, &mut out);
    home.log.boot(home.me, now, &out.draws, out.effects.len());
    let mut node = Node {
        home,
        state,
        disk,
        socket,
        inbox: inbox.clone(),
        timers: BTreeMap::new(),
        generation: 0,
        callers: BTreeMap::new(),
        early: BTreeMap::new(),
        chance: out.chance,
        clock,
    };
    node.perform(out.effects).await?;
    node.home.door.open(inbox);
    Ok(node)
}

/// The units of time since the world started, up to the scenario's horizon.
fn elapsed<P: Protocol>(home: &Home<P>) -> u32 {
    let units = home.born.elapsed().as_millis() / UNIT.as_millis();
    u32::try_from(units).unwrap_or(u32::MAX).min(home.setup.numbers.horizon)
}

impl<P: Protocol> Node<P> {
    /// Takes one input.
    async fn take(&mut self, arrival: Arrival<P>) -> io::Result<()> {
        let me = self.home.me;
        match arrival {
            Arrival::Message(from, number, msg) if self.home.setup.links == Links::Fifo => {
                self.early.insert((from, number), msg);
                self.take_in_order(from).await
            }
            Arrival::Message(from, _, msg) => self.receive(from, msg).await,
            Arrival::Timer(timer, generation) => {
                if self.timers.get(&timer).is_none_or(|armed| armed.generation != generation) {
                    return Ok(());
                }
                self.timers.remove(&timer);
                self.step(Happening::Fire(me, timer.clone()), Input::Fired(timer)).await
            }
            Arrival::Call(call, op, answers) => {
                let _ = answers.send(Answer::Taken);
                self.callers.insert(call, answers);
                self.step(Happening::Call(call, me, op.clone()), Input::Call(call, op)).await
            }
            Arrival::GiveUp(program) => {
                let programs = self.home.setup.numbers.clients;
                let of = |call: &CallId| u32::from(call.process.0) % programs;
                let mut open = self.callers.keys().copied();
                let Some(call) = open.find(|call| of(call) == u32::from(program)) else {
                    return Ok(());
                };
                self.step(Happening::Cancel(call), Input::Cancel(call)).await?;
                self.end(call, Outcome::Unknown);
                Ok(())
            }
        }
    }

    /// Takes what a FIFO link has brought, as far as nothing before it is missing. What is missing
    /// for good holds up the link for ever, as one that is still in flight does in the world.
    async fn take_in_order(&mut self, from: NodeId) -> io::Result<()> {
        loop {
            let next = self.home.log.next_arrival(from, self.home.me);
            let Some(msg) = self.early.remove(&(from, next)) else { return Ok(()) };
            self.receive(from, msg).await?;
        }
    }

    async fn receive(&mut self, from: NodeId, msg: P::Msg) -> io::Result<()> {
        let did = Happening::Deliver(from, self.home.me, msg.clone());
        self.step(did, Input::Recv(from, msg)).await
    }

    async fn step(&mut self, did: Happening<P>, input: Input<P>) -> io::Result<()> {
        let now = elapsed(&self.home);
        let chance = std::mem::replace(&mut self.chance, Chance::Listed(Vec::new()));
        let mut out = Outbox::new(chance);
        out.clock = now + self.home.skew;
        if self.home.setup.stopwatch {
            let timers = self.timers.iter();
            out.timers = timers.map(|(timer, armed)| (timer.clone(), armed.reading())).collect();
        }
        self.state.step(&self.home.setup.config, input, &mut out);
        self.chance = out.chance;
        self.home.log.begin(self.home.me, did, now, &out.draws, out.effects.len());
        self.perform(out.effects).await
    }

    /// Performs the effects of a step in their order. A killer of nodes gets a chance before each.
    async fn perform(&mut self, effects: Vec<Effect<P>>) -> io::Result<()> {
        for effect in effects {
            yield_now().await;
            self.perform_one(effect).await?;
            self.home.log.performed(self.home.me);
        }
        self.home.log.finished(self.home.me);
        Ok(())
    }

    async fn perform_one(&mut self, effect: Effect<P>) -> io::Result<()> {
        match effect {
            Effect::Save(disk) => {
                self.disk.save(&disk).await?;
                // A scenario that loses no unsynced saves assumes a disk without a cache.
                if self.home.setup.numbers.faults.lost_saves == 0 {
                    self.disk.sync().await?;
                }
            }
            Effect::Sync => self.disk.sync().await?,
            Effect::Send(to, msg) => {
                let me = self.home.me;
                let number = self.home.log.next_sent(me, to);
                if to == me {
                    let _ = self.inbox.send(Arrival::Message(to, number, msg));
                } else {
                    self.socket.send(to, number, &msg).await;
                }
                self.home.log.sent(me, to);
            }
            Effect::Arm(timer, delay) => self.arm(timer, delay),
            Effect::Disarm(timer) => {
                if let Some(armed) = self.timers.remove(&timer) {
                    armed.sleeper.abort();
                }
            }
            Effect::Reply(call, outcome) => self.end(call, outcome),
            // Items and marks are for histories and monitors, which read the log.
            Effect::Item(..) | Effect::Mark(_) => {}
        }
        Ok(())
    }

    /// Ends a call, if it is open.
    fn end(&mut self, call: CallId, outcome: Outcome<P::Ret>) {
        if let Some(answers) = self.callers.remove(&call) {
            let _ = answers.send(Answer::Ended(outcome));
        }
    }

    fn arm(&mut self, timer: P::Timer, delay: Delay) {
        self.generation += 1;
        let (generation, inbox, name) = (self.generation, self.inbox.clone(), timer.clone());
        let length = between(&mut self.clock, UNIT * delay.lo, UNIT * delay.hi);
        let sleeper = task::spawn(async move {
            time::sleep(length).await;
            let _ = inbox.send(Arrival::Timer(name, generation));
        });
        let due = Instant::now() + length;
        let armed = Armed { generation, due, longest: delay.hi, sleeper };
        if let Some(replaced) = self.timers.insert(timer, armed) {
            replaced.sleeper.abort();
        }
    }
}

impl Armed {
    /// What a stopwatch shows: whole units left.
    fn reading(&self) -> Reading {
        let left = self.due.saturating_duration_since(Instant::now());
        let left = u32::try_from(left.as_millis() / UNIT.as_millis()).unwrap_or(u32::MAX);
        Reading { lo: 0, hi: self.longest, shown: Some(left) }
    }
}

/// A length of time between two bounds, in whole microseconds.
fn between(rng: &mut ChaCha8Rng, lo: Duration, hi: Duration) -> Duration {
    let range = (hi - lo).as_micros() + 1;
    let drawn = (u128::from(rng.next_u64()) * range) >> 64;
    lo + Duration::from_micros(u64::try_from(drawn).unwrap_or(0))
}
