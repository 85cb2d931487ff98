//! Toy protocols: the smallest that show one rule each, told by the words of their actions.

use std::collections::BTreeSet;

use seedbed::protocol::{CallId, Input, NodeId, Outbox, Protocol};
use seedbed::world::{Numbers, Setup, World};

/// What a toy does when it starts.
pub type Boot = fn(&mut Toy, u8, &mut Outbox<Toy>);
/// What a toy does with an input.
pub type Step = fn(&mut Toy, Input<Toy>, &mut Outbox<Toy>);

/// A node that does what its two functions say, and remembers what it was told to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Toy {
    pub me: NodeId,
    pub log: Vec<u32>,
    pub calls: Vec<CallId>,
}

impl Protocol for Toy {
    type Config = (Boot, Step);
    type Msg = u8;
    type Timer = u8;
    type Disk = u8;
    type Op = u8;
    type Ret = u8;

    fn boot((boot, _): &Self::Config, me: NodeId, disk: u8, out: &mut Outbox<Self>) -> Self {
        let mut toy = Toy { me, log: Vec::new(), calls: Vec::new() };
        boot(&mut toy, disk, out);
        toy
    }

    fn step(&mut self, (_, step): &Self::Config, input: Input<Self>, out: &mut Outbox<Self>) {
        step(self, input, out);
    }
}

pub const N0: NodeId = NodeId(0);
pub const N1: NodeId = NodeId(1);

/// Boots and does nothing.
pub fn idle(_: &mut Toy, _: u8, _: &mut Outbox<Toy>) {}

/// Remembers messages as they are, timers from 100 and operations from 200 on, and the calls that
/// are open.
pub fn listen(toy: &mut Toy, input: Input<Toy>, _: &mut Outbox<Toy>) {
    match input {
        Input::Recv(_, msg) => toy.log.push(msg.into()),
        Input::Fired(timer) => toy.log.push(100 + u32::from(timer)),
        Input::Call(call, op) => {
            toy.log.push(200 + u32::from(op));
            toy.calls.push(call);
        }
        Input::Cancel(call) => toy.calls.retain(|open| *open != call),
    }
}

/// Takes no notice of anything.
pub fn ignore(_: &mut Toy, _: Input<Toy>, _: &mut Outbox<Toy>) {}

/// A world of toys: program `p` makes its calls 0, 1, ... at node `p`, or at the last node.
pub fn toys(numbers: Numbers, boot: Boot, step: Step) -> Setup<Toy> {
    let (calls, last) = (numbers.calls, numbers.nodes - 1);
    Setup::new((boot, step), &numbers, move |turn| {
        let node = u8::try_from(u32::from(turn.program).min(last)).unwrap();
        let op = u8::try_from(turn.number).unwrap();
        (u32::from(turn.number) < calls).then_some((NodeId(node), op))
    })
}

/// Numbers of a world in which nobody calls.
pub fn quiet(nodes: u32) -> Numbers {
    Numbers { nodes, clients: 0, ..Numbers::default() }
}

/// The only way in which a world starts.
pub fn start(setup: Setup<Toy>) -> World<Toy> {
    let mut starts: Vec<_> = World::starts(&setup.into()).collect();
    assert_eq!(starts.len(), 1, "the start draws nothing");
    starts.remove(0).0
}

/// The actions that are enabled, in words.
pub fn words(world: &World<Toy>) -> Vec<String> {
    world.actions().iter().map(ToString::to_string).collect()
}

/// Whether an action is enabled.
#[track_caller]
pub fn can(world: &World<Toy>, action: &str) -> bool {
    let words = words(world);
    let distinct: BTreeSet<_> = words.iter().collect();
    assert_eq!(distinct.len(), words.len(), "an action is listed twice in {words:?}");
    words.iter().any(|enabled| enabled == action)
}

/// The world after these actions, each of which must be enabled.
#[track_caller]
pub fn go(world: &World<Toy>, actions: &[&str]) -> World<Toy> {
    let mut world = world.clone();
    for wanted in actions {
        let enabled = world.actions();
        let action = enabled.iter().find(|action| action.to_string() == *wanted);
        let action = action.unwrap_or_else(|| panic!("`{wanted}` is not among {enabled:?}"));
        world = world.after(action).unwrap();
    }
    world
}

/// What a node remembers.
#[track_caller]
pub fn log_of(world: &World<Toy>, node: u8) -> &[u32] {
    &world.system.state(NodeId(node)).expect("it is up").log
}
