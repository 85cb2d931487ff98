//! One node of a little cluster on real sockets: `node ME DIRECTORY PORT PORT PORT` runs node ME
//! and prints what it does, until its standard input ends. Start one process for each of the ports.
//!
//! It has to be built without `--cfg madsim`, which this repository sets for its own tests:
//! `RUSTFLAGS= CARGO_TARGET_DIR=target/sockets cargo run --example node -- 0 /tmp 7001 7002 7003`

#[cfg(madsim)]
fn main() {
    eprintln!("this build is for the simulator, whose network has no sockets; build it with");
    eprintln!("RUSTFLAGS= CARGO_TARGET_DIR=target/sockets cargo build --example node");
    std::process::exit(2);
}

#[cfg(not(madsim))]
fn main() {
    if let Err(reason) = sockets::run() {
        eprintln!("node: {reason}");
        std::process::exit(2);
    }
}

/// A counter at node 0 that the others ask to count, again and again until it answers.
#[cfg(not(madsim))]
mod sockets {
    use std::collections::BTreeMap;
    use std::io::Write;
    use std::net::{Ipv4Addr, SocketAddr};
    use std::path::Path;
    use std::sync::Arc;

    use seedbed::protocol::{CallId, Input, NodeId, Outbox, Protocol};
    use seedbed::shell::{Place, serve};
    use seedbed::world::{Numbers, Setup};
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Hash)]
    struct Counter {
        counted: Counted,
        asking: BTreeMap<CallId, u32>,
    }

    /// The count, and what it was after each call, so that one that is asked again counts once.
    #[derive(
        Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
    )]
    struct Counted {
        count: u32,
        after: BTreeMap<CallId, u32>,
    }

    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    enum Msg {
        Count(CallId, u32),
        Counted(CallId, u32),
    }

    const COUNTER: NodeId = NodeId(0);

    impl Protocol for Counter {
        type Config = ();
        type Msg = Msg;
        type Timer = CallId;
        type Disk = Counted;
        type Op = u32;
        type Ret = u32;

        fn boot(_: &(), _: NodeId, disk: Counted, _: &mut Outbox<Self>) -> Self {
            Counter { counted: disk, asking: BTreeMap::new() }
        }

        fn step(&mut self, _: &(), input: Input<Self>, out: &mut Outbox<Self>) {
            match input {
                Input::Call(call, more) => {
                    self.asking.insert(call, more);
                    out.send(COUNTER, Msg::Count(call, more));
                    out.arm(call, 5);
                }
                Input::Fired(call) => {
                    out.send(COUNTER, Msg::Count(call, self.asking[&call]));
                    out.arm(call, 5);
                }
                Input::Recv(from, Msg::Count(call, more)) => {
                    if !self.counted.after.contains_key(&call) {
                        self.counted.count += more;
                        self.counted.after.insert(call, self.counted.count);
                        out.save(self.counted.clone());
                        out.sync();
                    }
                    out.send(from, Msg::Counted(call, self.counted.after[&call]));
                }
                Input::Recv(_, Msg::Counted(call, count)) => {
                    if self.asking.remove(&call).is_some() {
                        out.disarm(call);
                        out.reply(call, count);
                    }
                }
                Input::Cancel(call) => {
                    self.asking.remove(&call);
                    out.disarm(call);
                }
            }
        }
    }

    pub fn run() -> Result<(), String> {
        let args = std::env::args().skip(1).collect::<Vec<_>>();
        let [me, disk, ports @ ..] = args.as_slice() else {
            return Err("usage: node ME DIRECTORY PORT...".to_owned());
        };
        let me = me.parse().map(NodeId).map_err(|e| format!("`{me}` is no node: {e}"))?;
        let address = |port: &String| match port.parse() {
            Ok(port) => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
            Err(e) => Err(format!("`{port}` is no port: {e}")),
        };
        let peers = ports.iter().map(address).collect::<Result<Vec<_>, _>>()?;
        let nodes = u32::try_from(peers.len()).map_err(|e| e.to_string())?;
        let numbers = Numbers { nodes, clients: nodes, calls: 5, ..Numbers::default() };
        let setup = Setup::<Counter>::new((), &numbers, |turn| {
            let node = NodeId(u8::try_from(turn.program).ok()?);
            (turn.number < 5).then_some((node, 1))
        });
        std::thread::spawn(|| {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            std::process::exit(0);
        });
        let place = Place { me, peers: &peers, disk: Path::new(disk), seed: 0 };
        let tell = |line: &str| {
            let _ = writeln!(std::io::stdout(), "{line}");
        };
        serve(&Arc::new(setup), place, tell).map_err(|e| e.to_string())
    }
}
