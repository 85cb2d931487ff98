//! A recipe over a service: two protocols and one node, which is a protocol again.
//!
//! The two share a node, so they crash together, and what passes between them is no message: it
//! takes no time and can't be lost. The order of effects is kept: what an invocation does to the
//! service comes where the recipe invoked it, so a crash that tears the step keeps a prefix of
//! what the two did together.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::hash::Hash;

use serde::{Deserialize, Serialize};

use crate::object::Object;
use crate::protocol::{Effect, Input, NodeId, Outbox, Protocol};

use super::{BELOW, Below, Recipe, Service};

/// Something of the recipe, or the same of the service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Layered<R, S> {
    /// The recipe's.
    Recipe(R),
    /// The service's.
    Service(S),
}

/// A node of a recipe over a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Over<R: Protocol, S: Protocol> {
    /// The upper layer.
    pub recipe: R,
    /// The lower layer.
    pub service: S,
    disks: (R::Disk, S::Disk),
}

type Said<R> = Below<<<R as Recipe>::Lower as Object>::Op, <<R as Recipe>::Lower as Object>::Ret>;

impl<R, S> Protocol for Over<R, S>
where
    R: Recipe,
    S: Service<Of = R::Lower>,
{
    type Config = (R::Config, S::Config);
    type Msg = S::Msg;
    type Timer = Layered<R::Timer, S::Timer>;
    type Disk = (R::Disk, S::Disk);
    type Op = R::Op;
    type Ret = R::Ret;

    fn boot(cfg: &Self::Config, me: NodeId, disks: Self::Disk, out: &mut Outbox<Self>) -> Self {
        let (mut service, mut recipe) = (None, None);
        let disk = disks.1.clone();
        let below = out.within(services, |out| service = Some(S::boot(&cfg.1, me, disk, out)));
        let disk = disks.0.clone();
        let above = out.within(recipes, |out| recipe = Some(R::boot(&cfg.0, me, disk, out)));
        let mut node = Over {
            recipe: recipe.expect("it has just booted"),
            service: service.expect("it has just booted"),
            disks,
        };
        let mut returned = VecDeque::new();
        node.perform_below(below, &mut returned, out);
        node.perform_above(cfg, above, &mut returned, out);
        node.settle(cfg, returned, out);
        node
    }

    fn step(&mut self, cfg: &Self::Config, input: Input<Self>, out: &mut Outbox<Self>) {
        let mut returned = VecDeque::new();
        match input {
            Input::Recv(from, msg) => {
                self.step_below(cfg, Input::Recv(from, msg), &mut returned, out);
            }
            Input::Fired(Layered::Service(timer)) => {
                self.step_below(cfg, Input::Fired(timer), &mut returned, out);
            }
            Input::Fired(Layered::Recipe(timer)) => {
                self.step_above(cfg, Input::Fired(timer), &mut returned, out);
            }
            Input::Call(call, op) => {
                self.step_above(cfg, Input::Call(call, op), &mut returned, out);
            }
            Input::Cancel(call) => self.step_above(cfg, Input::Cancel(call), &mut returned, out),
        }
        self.settle(cfg, returned, out);
    }
}

fn recipes<R: Clone, S>(timer: &Layered<R, S>) -> Option<R> {
    if let Layered::Recipe(timer) = timer { Some(timer.clone()) } else { None }
}

fn services<R, S: Clone>(timer: &Layered<R, S>) -> Option<S> {
    if let Layered::Service(timer) = timer { Some(timer.clone()) } else { None }
}

impl<R, S> Over<R, S>
where
    R: Recipe,
    S: Service<Of = R::Lower>,
{
    /// Hands answers up until there are none left.
    fn settle(
        &mut self,
        cfg: &<Self as Protocol>::Config,
        mut returned: VecDeque<Said<R>>,
        out: &mut Outbox<Self>,
    ) {
        while let Some(answer) = returned.pop_front() {
            self.step_above(cfg, Input::Recv(BELOW, answer), &mut returned, out);
        }
    }

    fn step_above(
        &mut self,
        cfg: &<Self as Protocol>::Config,
        input: Input<R>,
        returned: &mut VecDeque<Said<R>>,
        out: &mut Outbox<Self>,
    ) {
        let effects = out.within(recipes, |out| self.recipe.step(&cfg.0, input, out));
        self.perform_above(cfg, effects, returned, out);
    }

    fn step_below(
        &mut self,
        cfg: &<Self as Protocol>::Config,
        input: Input<S>,
        returned: &mut VecDeque<Said<R>>,
        out: &mut Outbox<Self>,
    ) {
        let effects = out.within(services, |out| self.service.step(&cfg.1, input, out));
        self.perform_below(effects, returned, out);
    }

    fn perform_above(
        &mut self,
        cfg: &<Self as Protocol>::Config,
        effects: Vec<Effect<R>>,
        returned: &mut VecDeque<Said<R>>,
        out: &mut Outbox<Self>,
    ) {
        for effect in effects {
            out.effects.push(match effect {
                Effect::Send(_, Below::Invoke(id, op)) => {
                    self.step_below(cfg, Input::Call(id, op), returned, out);
                    continue;
                }
                // Only the layer below says these; a recipe has nobody to say them to.
                Effect::Send(_, Below::Item(..) | Below::Returned(..)) => continue,
                Effect::Save(disk) => {
                    self.disks.0 = disk;
                    Effect::Save(self.disks.clone())
                }
                Effect::Sync => Effect::Sync,
                Effect::Arm(timer, delay) => Effect::Arm(Layered::Recipe(timer), delay),
                Effect::Disarm(timer) => Effect::Disarm(Layered::Recipe(timer)),
                Effect::Item(call, ret) => Effect::Item(call, ret),
                Effect::Reply(call, outcome) => Effect::Reply(call, outcome),
                Effect::Mark(mark) => Effect::Mark(mark),
            });
        }
    }

    fn perform_below(
        &mut self,
        effects: Vec<Effect<S>>,
        returned: &mut VecDeque<Said<R>>,
        out: &mut Outbox<Self>,
    ) {
        for effect in effects {
            out.effects.push(match effect {
                Effect::Item(id, ret) => {
                    returned.push_back(Below::Item(id, ret));
                    continue;
                }
                Effect::Reply(id, outcome) => {
                    returned.push_back(Below::Returned(id, outcome));
                    continue;
                }
                Effect::Save(disk) => {
                    self.disks.1 = disk;
                    Effect::Save(self.disks.clone())
                }
                Effect::Sync => Effect::Sync,
                Effect::Send(to, msg) => Effect::Send(to, msg),
                Effect::Arm(timer, delay) => Effect::Arm(Layered::Service(timer), delay),
                Effect::Disarm(timer) => Effect::Disarm(Layered::Service(timer)),
                Effect::Mark(mark) => Effect::Mark(mark),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Kv, kv};
    use crate::protocol::{CallId, Chance, ProcessId};
    use crate::protocols::layers::{Atomic, invocation};

    /// Saves before and after it invokes.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Diary;

    impl Protocol for Diary {
        type Config = ();
        type Msg = Below<kv::Op, kv::Ret>;
        type Timer = ();
        type Disk = u8;
        type Op = ();
        type Ret = kv::Ret;

        fn boot((): &(), _: NodeId, _: u8, _: &mut Outbox<Self>) -> Self {
            Diary
        }

        fn step(&mut self, (): &(), input: Input<Self>, out: &mut Outbox<Self>) {
            match input {
                Input::Call(call, ()) => {
                    out.save(1);
                    out.invoke(invocation(call, 3), kv::Op::put("k", "v"));
                    out.save(2);
                }
                Input::Recv(_, Below::Returned(id, outcome)) => {
                    let call = CallId { number: id.number / super::super::INVOCATIONS, ..id };
                    out.effects.push(Effect::Reply(call, outcome));
                }
                _ => {}
            }
        }
    }

    impl Recipe for Diary {
        type Lower = Kv;
    }

    #[test]
    fn an_invocation_takes_effect_where_the_recipe_made_it() {
        let cfg = ((), Kv);
        let mut out: Outbox<Over<Diary, Atomic<Kv>>> = Outbox::new(Chance::Listed(Vec::new()));
        let mut node = Over::boot(&cfg, NodeId(0), Default::default(), &mut out);
        let call = CallId { process: ProcessId(4), number: 2 };
        node.step(&cfg, Input::Call(call, ()), &mut out);
        let map = Some([("k".to_owned(), "v".to_owned())].into());
        let id = CallId { number: 19, ..call };
        let expected: Vec<Effect<Over<Diary, Atomic<Kv>>>> = vec![
            Effect::Save((1, None)),
            Effect::Save((1, map.clone())),
            Effect::Sync,
            Effect::Send(NodeId(0), (id, kv::Ret::Done)),
            Effect::Save((2, map)),
        ];
        assert_eq!(format!("{:?}", out.effects), format!("{expected:?}"));
        out.effects.clear();
        node.step(&cfg, Input::Recv(NodeId(0), (id, kv::Ret::Done)), &mut out);
        assert_eq!(format!("{:?}", out.effects), "[Reply(p4#2, Ok(Done))]");
    }
}
