//! Sequential objects: pure machines with one move.
//!
//! One text serves three times: it is the specification that a judge holds a history against, the
//! state of a server, and the machine that consensus replicates. So an object knows nothing of
//! processes, time or messages; Herlihy and Wing (TOPLAS 1990) call it the sequential
//! specification. Beside the move itself, an object may tell a judge about its structure: which
//! parts are independent, and which calls leave no trace. These are promises. A false one makes
//! verdicts wrong, so the tests in this file hold every object to them.

pub mod cas_register;
pub mod channel;
pub mod deed;
pub mod kv;
pub mod mutex;
pub mod pool;
pub mod priority_queue;
pub mod queue;
pub mod register;
pub mod rw_lock;
pub mod semaphore;
pub mod set;
pub mod stack;

pub use cas_register::CasRegister;
pub use channel::Channel;
pub use deed::{Deed, Kind};
pub use kv::Kv;
pub use mutex::Mutex;
pub use priority_queue::PriorityQueue;
pub use queue::Queue;
pub use register::Register;
pub use rw_lock::RwLock;
pub use semaphore::Semaphore;
pub use set::Set;
pub use stack::Stack;

use std::fmt::Debug;

use crate::protocol::Value;

/// A beginning or an end of a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Who visits; nothing if that is whoever calls.
    pub who: Option<u32>,
    /// True if the visitor comes, false if it leaves.
    pub comes: bool,
}

/// A sequential object.
pub trait Object: Clone + Debug + Send + Sync + 'static {
    /// What the object is between operations.
    type State: Value;
    /// What may be asked of it.
    type Op: Value;
    /// What it answers.
    type Ret: Value;
    /// What it holds, as its deeds name it.
    type Held: Value;

    /// The state before the first operation.
    fn init(&self) -> Self::State;

    /// The object's one move: changes the state and answers.
    fn apply(&self, state: &mut Self::State, op: &Self::Op) -> Self::Ret;

    /// True only if the operation never changes any state.
    fn reads(&self, op: &Self::Op) -> bool;

    /// True only if an operation that gives this answer has changed nothing, whatever the state
    /// was: a read, or an attempt that was refused.
    fn silent(&self, op: &Self::Op, _ret: &Self::Ret) -> bool {
        self.reads(op)
    }

    /// The part of the object that an operation touches, where parts never influence one another
    /// (a map's key). An object with parts names one for every operation that touches only one;
    /// a history with an operation that names none is not split.
    fn part(&self, _op: &Self::Op) -> Option<String> {
        None
    }

    /// The value that a call is about, such that erasing *all* calls about one value from a legal
    /// order of calls leaves a legal order. Calls that name none must stay legal in that, too,
    /// unless they `owe` their answer.
    fn about(&self, _op: &Self::Op, _ret: Option<&Self::Ret>) -> Option<String> {
        None
    }

    /// Whether an operation that is not refused begins or ends a visit, and whose. If nobody leaves
    /// who hasn't come, then erasing a visitor's calls from a moment when it was outside to the
    /// next such moment, or to the end, leaves a legal order, but for calls that `owe` their
    /// answer.
    fn visit(&self, _op: &Self::Op) -> Option<Visit> {
        None
    }

    /// True for an answer that somebody's visit, or a value, may be the reason of: a refusal since
    /// somebody is inside, or since there is no room. If the answer is not known: might it be one?
    fn owes(&self, _op: &Self::Op, _ret: Option<&Self::Ret>) -> bool {
        false
    }

    /// What kind of object each of its parts is. Whether a call is a deed of that kind is told by
    /// `deed`, so this alone promises nothing.
    fn kind(&self) -> Kind {
        Kind::Other
    }

    /// What each part of a memory holds before the first write.
    fn initial(&self) -> Option<Self::Held> {
        None
    }

    /// The call as a deed upon its part, if it is one of the object's kind.
    fn deed(&self, _op: &Self::Op, _ret: Option<&Self::Ret>) -> Option<Deed<Self::Held>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{RngCore, SeedableRng};

    /// Walks an object at random, and holds it to its promises on every step.
    fn keeps_promises<O: Object>(object: &O, ops: &[O::Op]) {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut silent, mut erased) = (0, 0);
        for _ in 0..2_000 {
            let mut state = object.init();
            let mut walk = Vec::new();
            for _ in 0..rng.next_u32() % 8 {
                let op = &ops[rng.next_u32() as usize % ops.len()];
                let before = state.clone();
                let ret = object.apply(&mut state, op);
                if object.reads(op) || object.silent(op, &ret) {
                    assert_eq!(before, state, "{op:?} changes the state and said that it won't");
                    silent += 1;
                }
                let owes = object.owes(op, Some(&ret));
                assert!(object.silent(op, &ret) || !owes, "{op:?} can't be left out");
                walk.push((op.clone(), ret));
            }
            for part in walk.iter().map(|(op, _)| object.part(op)) {
                let only = walk.iter().filter(|(op, _)| object.part(op) == part);
                assert!(part.is_none() || legal(object, only), "{part:?} is no part: {walk:?}");
            }
            for value in walk.iter().filter_map(|(op, ret)| object.about(op, Some(ret))) {
                let value = Some(value);
                let stays = |(op, ret): &&(O::Op, O::Ret)| {
                    object.about(op, Some(ret)) != value && !object.owes(op, Some(ret))
                };
                let rest = walk.iter().filter(stays);
                assert!(legal(object, rest), "{value:?} can't be erased: {walk:?}");
                erased += 1;
            }
        }
        assert!(silent > 0);
        assert!(erased > 0 || ops.iter().all(|op| object.about(op, None).is_none()));
    }

    fn legal<'a, O: Object>(
        object: &O,
        mut walk: impl Iterator<Item = &'a (O::Op, O::Ret)>,
    ) -> bool {
        let mut state = object.init();
        walk.all(|(op, ret)| object.apply(&mut state, op) == *ret)
    }

    #[test]
    fn registers_keep_their_promises() {
        use register::Op::{Read, Write};
        keeps_promises(&Register { initial: 0 }, &[Read, Write(0), Write(1), Write(2)]);
        use cas_register::Op as Cas;
        let ops = [Cas::Read, Cas::Write(1), Cas::cas(1, 2), Cas::cas(2, 2), Cas::cas(0, 1)];
        keeps_promises(&CasRegister { initial: 0 }, &ops);
    }

    #[test]
    fn what_threads_share_keeps_its_promises() {
        use mutex::Op::{Lock, Unlock};
        keeps_promises(&Mutex, &[Lock(0), Unlock(0), Lock(1), Unlock(1)]);
        use rw_lock::Op::{Leave, Read, Write};
        let ops = [Read(0), Write(0), Leave(0), Read(1), Write(1), Leave(1)];
        keeps_promises(&RwLock, &ops);
        use semaphore::Op::{Acquire, Release};
        keeps_promises(&Semaphore { permits: 2 }, &[Acquire, Release]);
        use channel::Op::{Close, Receive, Send};
        keeps_promises(&Channel::new(2), &[Send(1), Send(2), Receive, Close]);
    }

    #[test]
    fn a_map_keeps_its_promises() {
        let mut ops = Vec::new();
        for key in ["a", "b"] {
            ops.extend([kv::Op::get(key), kv::Op::put(key, "x"), kv::Op::append(key, "y")]);
            ops.extend([kv::Op::delete(key), kv::Op::cas(key, Some("x"), None)]);
            ops.extend([kv::Op::cas(key, None, Some("y")), kv::Op::cas(key, None, None)]);
        }
        keeps_promises(&Kv, &ops);
    }

    #[test]
    fn collections_keep_their_promises() {
        use pool::Op::{Put, Take};
        let ops = [Put(1), Put(2), Put(3), Take, Take];
        keeps_promises(&Queue::default(), &ops);
        keeps_promises(&Stack::default(), &ops);
        keeps_promises(&PriorityQueue::default(), &ops);
        use set::Op::{Add, Has, Remove};
        let ops = [Add(1), Add(2), Remove(1), Remove(2), Has(1), Has(2)];
        keeps_promises(&Set::default(), &ops);
    }

    #[test]
    fn collections_take_out_in_their_own_order() {
        use pool::Op::{Put, Take};
        fn taken<O: Object<Op = pool::Op<u32>, Ret = pool::Ret<u32>>>(object: &O) -> Vec<u32> {
            let mut state = object.init();
            let ops = [Put(2), Put(1), Put(2), Put(3), Take, Take, Take, Take, Take];
            let rets = ops.iter().map(|op| object.apply(&mut state, op));
            rets.filter_map(|ret| if let pool::Ret::Taken(value) = ret { value } else { None })
                .collect()
        }
        assert_eq!(taken(&Queue::default()), [2, 1, 2, 3]);
        assert_eq!(taken(&Stack::default()), [3, 2, 1, 2]);
        assert_eq!(taken(&PriorityQueue::default()), [1, 2, 2, 3]);
    }

    #[test]
    #[should_panic(expected = "can't be erased")]
    fn a_false_promise_is_noticed() {
        #[derive(Clone, Debug)]
        struct Liar;
        impl Object for Liar {
            type State = u32;
            type Op = u32;
            type Ret = u32;
            type Held = u32;
            fn init(&self) -> u32 {
                0
            }
            fn apply(&self, state: &mut u32, op: &u32) -> u32 {
                *state += op;
                *state
            }
            fn reads(&self, op: &u32) -> bool {
                *op == 0
            }
            fn about(&self, op: &u32, _ret: Option<&u32>) -> Option<String> {
                Some(op.to_string())
            }
        }
        keeps_promises(&Liar, &[0, 1, 2]);
    }
}
