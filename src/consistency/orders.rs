//! The two searches for orders of any object's calls, against definitions that try everything: all
//! parts of an object at once; sequential consistency, with its cores, and with fences; memory that
//! runs out; and threads.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};

use super::linearizable::{Effort, judge_as_a_whole, judge_within};
use super::memory::Given;
use super::shrinking::{Erasure, erasures};
use super::{Calls, Model, Ruling, Sequenced, Verdict, interleave, model_named, witness};
use crate::history::{Call, History, Sync, SyncKind};
use crate::object::{
    CasRegister, Channel, Deed, Kind, Kv, Mutex, Object, Queue, Semaphore, Stack, cas_register,
    channel, kv, mutex, pool, semaphore,
};

/// Two drawers, each by itself, and a way to look at both or to empty both.
#[derive(Clone, Debug)]
struct Chest;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Act {
    Put(u8, u8),
    Look(u8),
    Sum,
    Empty,
}

impl Object for Chest {
    type State = BTreeMap<u8, u8>;
    type Op = Act;
    type Ret = u8;
    type Held = u8;

    fn init(&self) -> BTreeMap<u8, u8> {
        BTreeMap::new()
    }

    fn apply(&self, state: &mut BTreeMap<u8, u8>, op: &Act) -> u8 {
        match op {
            Act::Put(drawer, what) => return state.insert(*drawer, *what).unwrap_or(0),
            Act::Look(drawer) => return state.get(drawer).copied().unwrap_or(0),
            Act::Sum => (),
            Act::Empty => state.clear(),
        }
        state.values().sum()
    }

    fn reads(&self, op: &Act) -> bool {
        matches!(op, Act::Look(_) | Act::Sum)
    }

    fn part(&self, op: &Act) -> Option<String> {
        match op {
            Act::Put(drawer, _) | Act::Look(drawer) => Some(drawer.to_string()),
            Act::Sum | Act::Empty => None,
        }
    }
}

struct Draw(ChaCha8Rng);

impl Draw {
    fn new(seed: u64) -> Draw {
        Draw(ChaCha8Rng::seed_from_u64(seed))
    }

    fn below(&mut self, n: usize) -> usize {
        self.0.next_u32() as usize % n
    }
}

/// How many histories: `SEEDBED_CASES` multiplies.
fn cases(usual: usize) -> usize {
    let times = std::env::var("SEEDBED_CASES").ok().and_then(|times| times.parse().ok());
    usual * times.unwrap_or(1)
}

/// A random history: each call takes effect within its interval, or `late` a while after; some
/// answers are then replaced by others, the more the higher the `strain`.
fn random<O: Object>(
    object: &O,
    ops: &[O::Op],
    draw: &mut Draw,
    (size, strain): (usize, usize),
) -> Vec<Call<O::Op, O::Ret>> {
    let sessions = 2 + draw.below(2);
    let (mut state, mut now) = (object.init(), vec![0; sessions]);
    let mut calls: Vec<Call<O::Op, O::Ret>> = Vec::new();
    // A session goes on under another process after a call of unknown outcome.
    let mut process: Vec<u32> = (0..sessions as u32).collect();
    for at in 0..size {
        let session = draw.below(sessions);
        let op = ops[draw.below(ops.len())].clone();
        let mut ret = object.apply(&mut state, &op);
        if draw.below(40) < strain {
            let mut other = object.init();
            for _ in 0..draw.below(4) {
                object.apply(&mut other, &ops[draw.below(ops.len())]);
            }
            ret = object.apply(&mut other, &op);
        }
        let invoked = (3 * at as u64).max(now[session] + 1) + draw.below(2) as u64;
        let returned = invoked + draw.below(9) as u64;
        now[session] = returned;
        let call = match draw.below(8) {
            0 => {
                process[session] += 10;
                Call::open(process[session] - 10, op, invoked)
            }
            1 => Call::done(process[session], op, None, invoked, returned),
            _ => Call::done(process[session], op, Some(ret), invoked, returned),
        };
        calls.push(Call { session: session as u32, ..call });
    }
    calls.sort_by_key(|call| call.invoked);
    calls
}

/// Some of a history's calls as they are, and some set free.
fn partly<Op: Clone, Ret: Clone>(
    calls: &[Call<Op, Ret>],
    (bound, free): (&[usize], &[usize]),
) -> Vec<Call<Op, Ret>> {
    let fate = |index: usize| match (bound.contains(&index), free.contains(&index)) {
        (true, _) => Some(calls[index].clone()),
        // What never returned is as free as it can be, but for its place in its session.
        (_, true) if calls[index].returned.is_none() => Some(calls[index].clone()),
        (_, true) => {
            let session = 1_000 + index as u32;
            Some(Call { session, returned: None, ret: None, ..calls[index].clone() })
        }
        _ => None,
    };
    (0..calls.len()).filter_map(fate).collect()
}

type CallOf<O> = Call<<O as Object>::Op, <O as Object>::Ret>;
type Precedes<O> = fn(&CallOf<O>, &CallOf<O>) -> bool;

/// Whether calls have an order by definition, in which each comes after those that precede it.
fn ordered<O: Object>(
    object: &O,
    calls: &[Call<O::Op, O::Ret>],
    state: &O::State,
    precedes: Precedes<O>,
) -> bool {
    let must = |call: &&Call<O::Op, O::Ret>| call.returned.is_some();
    !calls.iter().any(|call| must(&call))
        || calls.iter().enumerate().any(|(index, next)| {
            let mut after = state.clone();
            let ret = object.apply(&mut after, &next.op);
            let legal = next.ret.as_ref().is_none_or(|told| *told == ret);
            let late = calls.iter().filter(must).any(|other| precedes(other, next));
            let rest = [&calls[..index], &calls[index + 1..]].concat();
            legal && !late && ordered(object, &rest, &after, precedes)
        })
}

/// Program order.
fn in_session<Op, Ret>(one: &Call<Op, Ret>, other: &Call<Op, Ret>) -> bool {
    one.session == other.session && one.invoked < other.invoked
}

/// What one kind of object's histories came to.
#[derive(Debug, Default)]
struct Balance {
    holds: usize,
    violated: usize,
    /// Calls of all cores, and of all histories that have one.
    core: usize,
    of: usize,
    /// Values and visits that were erased from what holds.
    erased: usize,
}

impl Balance {
    fn says(&self, what: &str) {
        println!("{what}: {self:?}");
        let all = self.holds + self.violated;
        assert!(5 * self.holds >= all && 5 * self.violated >= all, "{what}: {self:?}");
    }
}

/// Judges random histories for sequential consistency. No call can be left out of a core, nor set
/// free.
fn sequences<O: Object>(object: &O, ops: &[O::Op], rounds: usize, seed: u64) {
    let (mut draw, mut balance, mut strain) = (Draw::new(seed), Balance::default(), 10);
    for round in 0..rounds {
        let size = 3 + draw.below(5);
        let calls = random(object, ops, &mut draw, (size, strain));
        let all: Vec<usize> = (0..calls.len()).collect();
        let mut apart = calls.clone();
        for index in all.iter().copied().filter(|index| calls[*index].returned.is_none()) {
            // Its session went on without it.
            if calls[index + 1..].iter().any(|call| call.session == calls[index].session) {
                apart[index].session = 1_000 + index as u32;
            }
        }
        let fits = |bound: &[usize], free: &[usize]| {
            ordered(object, &partly(&apart, (bound, free)), &object.init(), in_session)
        };
        let expected = fits(&all, &[]);
        strain = if expected { (strain + 1).min(40) } else { strain.saturating_sub(1) };
        match interleave::judge(object, &calls, 1_000_000) {
            Sequenced::Order(order) => {
                assert!(expected, "{round}: {calls:#?}");
                witness::respects_sessions(object, &calls, &order).expect("a witness");
                for Erasure { gone, freed } in erasures::<O, false>(object, &apart) {
                    let bound = |call: &usize| !gone.contains(call) && !freed.contains(call);
                    let rest: Vec<_> = all.iter().copied().filter(bound).collect();
                    assert!(fits(&rest, &freed), "{round}: {gone:?} of {calls:#?}");
                    balance.erased += 1;
                }
                balance.holds += 1;
            }
            Sequenced::Core { calls: core, helpless, minimal, part } => {
                assert!(!expected, "{round}: {calls:#?}");
                assert!(minimal && !fits(&core, &helpless), "{round}: {core:?} of {calls:#?}");
                assert!(!helpless.iter().any(|call| object.reads(&calls[*call].op)), "{round}");
                let mut all = core.iter().chain(&helpless);
                assert!(part.is_none() || all.all(|c| object.part(&calls[*c].op) == part));
                for &gone in &core {
                    let rest: Vec<usize> = core.iter().copied().filter(|c| *c != gone).collect();
                    let freer = [&helpless[..], &[gone]].concat();
                    assert!(fits(&rest, &freer), "{round}: {gone} of {core:?} in {calls:#?}");
                }
                balance.violated += 1;
                balance.core += core.len();
                balance.of += calls.len();
            }
            Sequenced::Spent(..) => panic!("{round}: spent"),
        }
    }
    balance.says(&format!("sequential {object:?}"));
}

fn swaps() -> Vec<cas_register::Op<u32>> {
    use cas_register::Op::{Read, Write};
    vec![Read, Read, Write(1), Write(2), cas_register::Op::cas(1, 2), cas_register::Op::cas(2, 0)]
}

fn texts() -> Vec<kv::Op> {
    let of = |key: &str| {
        let swap = kv::Op::cas(key, Some("a"), Some("b"));
        [kv::Op::get(key), kv::Op::get(key), kv::Op::append(key, "a"), kv::Op::delete(key), swap]
    };
    [of("x"), of("y")].concat()
}

#[test]
fn sequential_orders_agree_with_the_definition() {
    use pool::Op::{Put, Take};
    sequences(&CasRegister { initial: 0 }, &swaps(), cases(600), 1);
    sequences(&Kv, &texts(), cases(600), 2);
    sequences(&Queue::default(), &[Put(1), Put(2), Put(3), Take, Take, Take], cases(600), 3);
    sequences(&Stack::default(), &[Put(1), Put(2), Put(3), Take, Take, Take], cases(600), 4);
    sequences(&Chest, &chest(), cases(600), 5);
}

#[test]
fn sequential_orders_of_visits_agree_with_the_definition() {
    use mutex::Op::{Lock, Unlock};
    sequences(&Mutex, &[Lock(0), Unlock(0), Lock(1), Unlock(1)], cases(600), 8);
    use semaphore::Op::{Acquire, Release};
    sequences(&Semaphore { permits: 1 }, &[Acquire, Release], cases(600), 9);
    use channel::Op::{Close, Receive, Send};
    let ops = [Send(1), Send(2), Send(3), Receive, Receive, Receive, Close];
    sequences(&Channel::new(1), &ops, cases(600), 10);
}

fn chest() -> Vec<Act> {
    let (put, look) = (Act::Put, Act::Look);
    vec![put(0, 1), put(0, 2), put(1, 1), put(1, 3), look(0), look(1), Act::Sum, Act::Empty]
}

/// All parts at once, and parts that some calls touch together, by the general search.
fn linearizes<O: Object>(object: &O, ops: &[O::Op], rounds: usize, seed: u64) {
    let (mut draw, mut balance, mut strain) = (Draw::new(seed), Balance::default(), 10);
    for round in 0..rounds {
        let size = 3 + draw.below(5);
        let calls = random(object, ops, &mut draw, (size, strain));
        let all: Vec<usize> = (0..calls.len()).collect();
        let fits = |bound: &[usize], free: &[usize]| {
            ordered(object, &partly(&calls, (bound, free)), &object.init(), Call::precedes)
        };
        let expected = fits(&all, &[]);
        strain = if expected { (strain + 1).min(40) } else { strain.saturating_sub(1) };
        let history = History::new(calls.clone()).expect("a history");
        match judge_as_a_whole(object, &history, Effort::steps(1_000_000)).verdict {
            Verdict::Holds(found) => {
                assert!(expected, "{round}: {calls:#?}");
                witness::confirms(object, &history, &found.order).expect("a witness");
                balance.holds += 1;
            }
            Verdict::Violated(core) => {
                assert!(!expected, "{round}: {calls:#?}");
                let (core, minimal) = ((core.calls, core.helpless), core.minimal);
                assert!(minimal && !fits(&core.0, &core.1), "{round}: {core:?} of {calls:#?}");
                for &gone in &core.0 {
                    let rest: Vec<_> = core.0.iter().copied().filter(|c| *c != gone).collect();
                    let freer = [&core.1[..], &[gone]].concat();
                    assert!(fits(&rest, &freer), "{round}: {gone} of {core:?}: {calls:#?}");
                }
                let idle = core.1.iter().any(|call| object.reads(&calls[*call].op));
                assert!(!idle, "{round}: what changes nothing can go from {core:?}: {calls:#?}");
                let of = |call: &usize| object.part(&calls[*call].op);
                let apart = calls.iter().all(|call| object.part(&call.op).is_some());
                let parts: BTreeSet<_> = core.0.iter().chain(&core.1).map(of).collect();
                // What is contradictory in itself is found where no call touches two parts.
                assert!(!apart || parts.len() == 1, "{round}: {core:?} of {calls:#?}");
                balance.violated += 1;
                balance.core += core.0.len();
                balance.of += calls.len();
            }
            Verdict::Unknown(unknown) => panic!("{round}: {unknown:?}"),
        }
    }
    balance.says(&format!("linearizable as a whole {object:?}"));
}

#[test]
fn parts_that_are_searched_together_agree_with_the_definition() {
    linearizes(&Kv, &texts(), cases(600), 6);
    linearizes(&Chest, &chest(), cases(1_000), 7);
}

/// Clients that are always busy, on several keys, some of which are hard.
fn busy(keys: usize, size: usize, draw: &mut Draw, lies: bool) -> History<kv::Op, kv::Ret> {
    let (mut calls, mut state) = (Vec::<Call<kv::Op, kv::Ret>>::new(), Kv.init());
    let (mut open, mut idle): (Vec<usize>, Vec<u32>) = (Vec::new(), (0..24).collect());
    let mut now = 0;
    while calls.len() < size || !open.is_empty() {
        now += 1;
        if let Some(process) = idle.pop_if(|_| calls.len() < size) {
            let key = draw.below(keys).to_string();
            let op = if draw.below(5) == 0 { kv::Op::get(key) } else { kv::Op::append(key, "a") };
            open.push(calls.len());
            calls.push(Call::open(process, op, now));
            continue;
        }
        let chosen = draw.below(open.len());
        let call = &mut calls[open[chosen]];
        if call.ret.is_none() {
            call.ret = Some(Kv.apply(&mut state, &call.op));
        } else {
            call.returned = Some(now);
            idle.push(call.process);
            open.swap_remove(chosen);
        }
    }
    if lies {
        let read = calls.iter().rposition(|call| call.op.act == kv::Act::Get).expect("a read");
        calls[read].ret = Some(kv::Ret::Value(Some("b".to_owned())));
    }
    History::new(calls).expect("a history")
}

#[test]
fn threads_change_nothing() {
    let mut draw = Draw::new(8);
    let mut kinds = [0; 3];
    for round in 0..cases(12) {
        let history = busy(5, 400, &mut draw, round % 3 == 0);
        let steps = [200_000, 2_000_000][round % 2];
        let judged =
            |threads| judge_within(&Kv, &history, Effort { threads, ..Effort::steps(steps) });
        let alone = judged(1);
        for threads in [2, 5] {
            assert_eq!(judged(threads), alone, "{round}");
        }
        kinds[match alone.verdict {
            Verdict::Holds(_) => 0,
            Verdict::Violated(_) => 1,
            Verdict::Unknown(_) => 2,
        }] += 1;
    }
    println!("{kinds:?} hold, are violated, are unknown");
}

/// Where several parts stay open, each has had the same share, however many were searched at once:
/// of the steps, and of the memory.
#[test]
fn threads_change_nothing_of_what_stays_unknown() {
    let mut draw = Draw::new(12);
    let mut calls = busy(3, 60, &mut draw, false).calls().to_vec();
    for (key, appends) in [("a", 20), ("b", 18), ("c", 22)] {
        calls.extend(hopeless(key, appends));
    }
    let history = History::new(calls).expect("a history");
    let steps = Effort::steps(300_000);
    for (effort, full) in
        [(steps, false), (Effort { steps: 1 << 40, bytes: 3 << 20, ..steps }, true)]
    {
        let judged = |threads| judge_within(&Kv, &history, Effort { threads, ..effort });
        let alone = judged(1);
        let Verdict::Unknown(unknown) = &alone.verdict else { panic!("{alone:?}") };
        println!("{unknown:?}");
        assert_eq!((unknown.full, unknown.parts_fine, unknown.parts), (full, 3, 6));
        assert!(full || unknown.steps <= effort.steps, "{unknown:?}");
        for threads in [2, 3, 4] {
            assert_eq!(judged(threads), alone, "{threads} threads");
        }
    }
}

/// Nobody reads what calls of unknown outcome append to a key, but for one lie.
fn hopeless(key: &str, appends: u32) -> Vec<Call<kv::Op, kv::Ret>> {
    let first = 100 * u32::from(key.as_bytes()[0]);
    let append = |process| {
        let op = kv::Op::append(key, "c".repeat(1 + process as usize));
        Call::open(first + process, op, 1)
    };
    let mut calls: Vec<_> = (1..=appends).map(append).collect();
    let lie = kv::Ret::Value(Some("b".to_owned()));
    calls.push(Call::done(first, kv::Op::get(key), Some(lie), 2, 3));
    calls
}

#[test]
fn memory_that_runs_out_is_told_with_what_was_proved() {
    let mut draw = Draw::new(9);
    let mut calls = hopeless("hard", 20);
    let easy = busy(3, 60, &mut draw, false);
    calls.extend(easy.calls().iter().cloned());
    let history = History::new(calls).expect("a history");
    for bytes in [1 << 20, 1 << 23] {
        let effort = Effort { bytes, ..Effort::steps(1 << 40) };
        match judge_within(&Kv, &history, effort).verdict {
            Verdict::Unknown(unknown) => {
                println!("{bytes} bytes: {unknown:?}");
                assert!(unknown.full && unknown.steps < bytes as u64, "{unknown:?}");
                assert_eq!((unknown.parts_fine, unknown.parts), (3, 4));
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Two cells of memory, and fences.
#[derive(Clone, Debug)]
struct Cells;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Access {
    Put(u8, u8),
    Look(u8),
    Fence,
}

impl Object for Cells {
    type State = [u8; 2];
    type Op = Access;
    type Ret = u8;
    type Held = u8;

    fn init(&self) -> [u8; 2] {
        [0; 2]
    }

    fn apply(&self, state: &mut [u8; 2], op: &Access) -> u8 {
        match op {
            Access::Put(cell, what) => state[usize::from(*cell)] = *what,
            Access::Look(cell) => return state[usize::from(*cell)],
            Access::Fence => (),
        }
        0
    }

    fn reads(&self, op: &Access) -> bool {
        !matches!(op, Access::Put(..))
    }

    fn part(&self, op: &Access) -> Option<String> {
        match op {
            Access::Put(cell, _) | Access::Look(cell) => Some(cell.to_string()),
            Access::Fence => None,
        }
    }

    fn kind(&self) -> Kind {
        Kind::Memory
    }

    fn initial(&self) -> Option<u8> {
        Some(0)
    }

    fn deed(&self, op: &Access, ret: Option<&u8>) -> Option<Deed<u8>> {
        match op {
            Access::Put(_, what) => Some(Deed::Write(*what)),
            Access::Look(_) => Some(Deed::Read(ret.copied())),
            Access::Fence => None,
        }
    }
}

/// Sessions that share two cells, a lock and a barrier, as if one after the other; then some reads
/// are told something else.
fn fenced(draw: &mut Draw, strain: usize) -> Vec<Call<Access, u8>> {
    let sessions = 2 + draw.below(2);
    let (mut state, mut holder, mut grant, mut episode) = (Cells.init(), None, 0, 0);
    let mut calls: Vec<Call<Access, u8>> = Vec::new();
    for at in 0..6 + draw.below(4) as u64 {
        let session = draw.below(sessions);
        let mut call = |session: usize, op: Access, sync: Option<(SyncKind, &str, u64)>| {
            let ret = Cells.apply(&mut state, &op);
            let sync = sync.map(|(kind, object, grant)| {
                Box::new(Sync { kind, object: object.to_owned(), grant })
            });
            let call = Call::done(session as u32, op, Some(ret), 2 * at, 2 * at + 1);
            calls.push(Call { sync, ..call });
        };
        match draw.below(7) {
            0 | 1 => call(session, Access::Put(draw.below(2) as u8, at as u8 + 1), None),
            2 | 3 => call(session, Access::Look(draw.below(2) as u8), None),
            4 if episode == 0 => {
                episode = 1;
                let sync = Some((SyncKind::Barrier, "b", episode));
                (0..sessions).for_each(|session| call(session, Access::Fence, sync));
            }
            _ if holder.is_none() => {
                (holder, grant) = (Some(session), grant + 1);
                call(session, Access::Fence, Some((SyncKind::Acquire, "l", grant)));
            }
            _ => {
                let session = holder.take().expect("it is held");
                call(session, Access::Fence, Some((SyncKind::Release, "l", grant)));
            }
        }
    }
    let puts: Vec<(u8, u8)> = calls.iter().filter_map(written).chain([(0, 0), (1, 0)]).collect();
    for call in &mut calls {
        if let Access::Look(cell) = call.op
            && draw.below(40) < strain
        {
            let of_cell: Vec<u8> =
                puts.iter().filter(|put| put.0 == cell).map(|put| put.1).collect();
            call.ret = Some(of_cell[draw.below(of_cell.len())]);
        }
    }
    calls
}

fn written(call: &Call<Access, u8>) -> Option<(u8, u8)> {
    if let Access::Put(cell, what) = call.op { Some((cell, what)) } else { None }
}

/// Whether an order of all calls explains the reads, keeps each session's order and, if fences
/// count, lets none of them end before those that it waits for began. Of each session so many
/// calls are over, and the next may have begun.
fn fences_fit(
    programs: &[Vec<&Call<Access, u8>>],
    stands: &[(usize, bool)],
    state: [u8; 2],
    fences: bool,
) -> bool {
    let over = |session: usize| stands[session].0 == programs[session].len();
    if (0..programs.len()).all(over) {
        return true;
    }
    let begun = |object: &str, kind: SyncKind, grant: u64| {
        programs.iter().zip(stands).all(|(program, (ended, begun))| {
            program.iter().enumerate().all(|(at, call)| {
                let one = call.sync.as_ref().is_some_and(|sync| {
                    (sync.object.as_str(), sync.kind, sync.grant) == (object, kind, grant)
                });
                !one || at < *ended || (at == *ended && *begun)
            })
        })
    };
    (0..programs.len()).filter(|session| !over(*session)).any(|session| {
        let (at, has_begun) = stands[session];
        let (call, mut stands, mut after) = (programs[session][at], stands.to_vec(), state);
        let legal = Cells.apply(&mut after, &call.op) == call.ret.expect("an answer");
        stands[session] = if has_begun { (at + 1, false) } else { (at, true) };
        let sync = call.sync.as_ref().filter(|_| fences);
        let waits = sync.is_some_and(|sync| match sync.kind {
            SyncKind::Acquire => !begun(&sync.object, SyncKind::Release, sync.grant - 1),
            SyncKind::Barrier => has_begun && !begun(&sync.object, SyncKind::Barrier, sync.grant),
            _ => false,
        });
        // What is no barrier begins and ends at once.
        let barrier = call.sync.as_ref().is_some_and(|sync| sync.kind == SyncKind::Barrier);
        if !barrier {
            stands[session] = (at + 1, false);
        }
        legal && !waits && fences_fit(programs, &stands, after, fences)
    })
}

/// Sequential consistency with locks, whose grants are told, and with barriers; and that
/// linearizability asks for neither.
#[test]
fn grants_and_barriers_count_for_sequential_order_and_not_for_real_time() {
    let (mut draw, mut balance, mut strain, mut decisive) =
        (Draw::new(10), Balance::default(), 10, 0);
    let (sequential, linearizable) = (model_named("sequential"), model_named("linearizable"));
    for round in 0..cases(600) {
        let history = History::new(fenced(&mut draw, strain)).expect("a history");
        let mut programs: BTreeMap<u32, Vec<&Call<Access, u8>>> = BTreeMap::new();
        history
            .calls()
            .iter()
            .for_each(|call| programs.entry(call.session).or_default().push(call));
        let programs: Vec<_> = programs.into_values().collect();
        let stands = vec![(0, false); programs.len()];
        let expected = fences_fit(&programs, &stands, [0; 2], true);
        let without = fences_fit(&programs, &stands, [0; 2], false);
        assert!(without || !expected);
        decisive += usize::from(without && !expected);
        strain = if expected { (strain + 1).min(40) } else { strain.saturating_sub(1) };
        let judge = |model: Option<&Model>, history: &History<Access, u8>| {
            model.expect("a model").judge(&Calls::new(&Cells, history, Given::default()), 1_000_000)
        };
        match judge(sequential, &history) {
            Ruling::Holds { .. } => assert!(expected, "{round}: {history:#?}"),
            Ruling::Violated { minimal, core, .. } => {
                assert!(!expected && minimal && !core.is_empty(), "{round}: {history:#?}");
            }
            other => panic!("{round}: {other:?}"),
        }
        balance.holds += usize::from(expected);
        balance.violated += usize::from(!expected);
        let bare = history.calls().iter().filter(|call| call.sync.is_none()).cloned().collect();
        let bare = judge(linearizable, &History::new(bare).expect("a history"));
        assert_eq!(judge(linearizable, &history).heading(), bare.heading(), "{round}");
    }
    balance.says("sequential with fences");
    println!("{decisive} are violated for their fences alone");
    assert!(decisive * 50 > balance.violated, "{decisive}");
}

/// The second checker believes no order that is out of turn, incomplete or wrong.
#[test]
fn a_wrong_order_of_sessions_is_refuted() {
    use cas_register::{Op, Ret};
    let object = CasRegister { initial: 0 };
    let write = |at: u64| Call::done(0, Op::Write(at as u32), Some(Ret::Done), at, at);
    let read = Call::done(1, Op::Read, Some(Ret::Value(1)), 0, 9);
    let calls = [write(1), write(2), read];
    let told = |order: &[usize]| witness::respects_sessions(&object, &calls, order);
    assert_eq!(told(&[0, 2, 1]), Ok(()));
    for (order, reason) in [
        (&[1, 0, 2][..], "before one of its session's past"),
        (&[0, 1, 2], "which should be"),
        (&[0, 2], "takes no effect"),
        (&[0, 2, 1, 1], "takes effect twice"),
        (&[0, 2, 1, 3], "there is no call 3"),
    ] {
        assert!(told(order).unwrap_err().contains(reason), "{order:?}: {:?}", told(order));
    }
}
