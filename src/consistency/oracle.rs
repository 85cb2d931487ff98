//! The definition of linearizability, tried literally, against the search: it shares nothing with
//! it but the history and the object.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::linearizable::{classifier, judge, linearizable};
use super::search::{Board, Fate, Found, Limits};
use super::shrinking::{Erasure, erasures};
use super::{Core, Verdict, reason, witness};
use crate::history::{Call, History};
use crate::object::{
    CasRegister, Channel, Kv, Mutex, Object, PriorityQueue, Queue, Register, RwLock, Semaphore,
    Set, Stack, cas_register, channel, kv, mutex, pool, register, rw_lock, semaphore, set,
};

/// Is there a set of calls with all that returned, and an order of it, that is legal and respects
/// real time? All orders of all sets are tried; one that is illegal already is not prolonged.
fn by_definition<O: Object>(object: &O, calls: &[Call<O::Op, O::Ret>]) -> bool {
    fn prolong<O: Object>(
        object: &O,
        calls: &[Call<O::Op, O::Ret>],
        order: &mut Vec<usize>,
        state: &O::State,
    ) -> bool {
        let left = |index: &usize| !order.contains(index);
        let rest: Vec<usize> = (0..calls.len()).filter(left).collect();
        if rest.iter().all(|index| calls[*index].returned.is_none()) {
            return true;
        }
        rest.iter().any(|&next| {
            let mut after = state.clone();
            let ret = object.apply(&mut after, &calls[next].op);
            let is_legal = calls[next].ret.as_ref().is_none_or(|told| *told == ret);
            let is_late = rest.iter().any(|other| {
                calls[*other].returned.is_some_and(|returned| returned < calls[next].invoked)
            });
            if !is_legal || is_late {
                return false;
            }
            order.push(next);
            let found = prolong(object, calls, order, &after);
            order.pop();
            found
        })
    }
    prolong(object, calls, &mut Vec::new(), &object.init())
}

struct Draw(ChaCha8Rng);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0.next_u32() as usize % n
    }
}

/// A random history of up to 7 calls of up to 4 processes, some of them of unknown outcome. The
/// object answers at a moment within each call; then, in most histories, some answers are replaced.
fn random<O: Object>(
    object: &O,
    op: &impl Fn(&mut Draw, usize) -> O::Op,
    draw: &mut Draw,
) -> History<O::Op, O::Ret> {
    let processes = 1 + draw.below(4) as u32;
    let (mut open, mut calls) = (Vec::<(usize, bool)>::new(), Vec::<Call<O::Op, O::Ret>>::new());
    let (mut now, mut state, mut fresh) = (0, object.init(), 0);
    let size = 1 + draw.below(7);
    while calls.len() < size || !open.is_empty() {
        // Times sometimes stand still, so that events meet.
        now += draw.below(4).min(1) as u64;
        let busy = |process| open.iter().any(|(call, _)| calls[*call].process == process);
        let process = fresh + draw.below(processes as usize) as u32;
        let is_over = |process| {
            let mut own = calls.iter().filter(|call| call.process == process);
            own.any(|call| call.returned.is_none_or(|returned| returned >= now))
        };
        if calls.len() < size && !busy(process) && !is_over(process) && draw.below(2) == 0 {
            let op = op(draw, calls.len() + 1);
            open.push((calls.len(), false));
            calls.push(Call::open(process, op, now));
        } else if !open.is_empty() {
            let chosen = draw.below(open.len());
            let (call, done) = open[chosen];
            if !done {
                calls[call].ret = Some(object.apply(&mut state, &calls[call].op));
                open[chosen].1 = true;
            } else {
                open.remove(chosen);
                match draw.below(12) {
                    0 => calls[call].ret = None,
                    1 | 2 => (calls[call].returned, calls[call].ret) = (Some(now), None),
                    _ => calls[call].returned = Some(now),
                }
                if calls[call].returned.is_none() {
                    fresh += processes;
                }
            }
        } else if is_over(process) {
            now += 1;
        }
    }
    distort(object, op, &mut calls, draw);
    History::new(calls).expect("a history")
}

/// Replaces some answers by ones that their operations might give in another state.
fn distort<O: Object>(
    object: &O,
    op: &impl Fn(&mut Draw, usize) -> O::Op,
    calls: &mut [Call<O::Op, O::Ret>],
    draw: &mut Draw,
) {
    if draw.below(6) == 0 {
        return;
    }
    for _ in 0..1 + draw.below(calls.len()) {
        let mut state = object.init();
        for _ in 0..1 + draw.below(3) {
            let unlike = 1 + draw.below(calls.len());
            object.apply(&mut state, &op(draw, unlike));
        }
        let call = &mut calls[draw.below(calls.len())];
        if call.ret.is_some() {
            call.ret = Some(object.apply(&mut state, &call.op));
        }
    }
}

/// The history is fine up to the return that a core names, and not with it, by definition.
fn breaks_there<O: Object>(object: &O, history: &History<O::Op, O::Ret>, core: &Core) -> bool {
    let end = history.calls()[core.stuck].returned.expect("a return");
    let up_to = |is_over: &dyn Fn(u64) -> bool| {
        let mut calls = history.calls().to_vec();
        calls.retain(|call| call.invoked <= end && object.part(&call.op) == core.part);
        for call in calls.iter_mut().filter(|call| !call.returned.is_some_and(is_over)) {
            (call.returned, call.ret) = (None, None);
        }
        by_definition(object, &calls)
    };
    up_to(&|returned| returned < end) && !up_to(&|returned| returned <= end)
}

/// A core's partial order explains the history up to the return that it names.
fn explains<O: Object>(object: &O, history: &History<O::Op, O::Ret>, core: &Core) -> bool {
    let end = history.calls()[core.stuck].returned.expect("a return");
    let mut calls = history.calls().to_vec();
    for call in &mut calls {
        let is_over = call.returned.is_some_and(|returned| returned < end);
        if !is_over || object.part(&call.op) != core.part {
            (call.returned, call.ret) = (None, None);
        }
    }
    // Only the order matters here, so processes don't.
    (0..).zip(&mut calls).for_each(|(process, call)| call.process = process);
    let prefix = History::new(calls).expect("a history");
    witness::confirms(object, &prefix, &core.partial).is_ok()
}

/// A core contradicts itself, by definition: with its free calls free, and nothing else.
fn contradicts<O: Object>(object: &O, history: &History<O::Op, O::Ret>, core: &Core) -> bool {
    let bound = core.calls.iter().map(|index| history.calls()[*index].clone());
    let free = core.helpless.iter().map(|index| free(&history.calls()[*index], true));
    !by_definition(object, &bound.chain(free).collect::<Vec<_>>())
}

/// How many histories a test tries: a number, times what the environment says.
fn cases(rounds: u32) -> u32 {
    let times = std::env::var("SEEDBED_CASES").ok().map(|times| times.parse::<u32>());
    rounds * times.map_or(1, |times| times.expect("SEEDBED_CASES is a number"))
}

#[derive(Debug, Default)]
struct Balance {
    rounds: u32,
    holds: u32,
    open: u32,
    /// Judged by another procedure than the general search.
    fast: u32,
    smaller_cores: u32,
    /// Explained edge by edge.
    reasons: u32,
    /// Values and visits that were erased from what holds.
    erased: u32,
}

fn compare<O: Object>(object: &O, rounds: u32, op: impl Fn(&mut Draw, usize) -> O::Op) -> Balance {
    let mut draw = Draw(ChaCha8Rng::seed_from_u64(7));
    let mut balance = Balance { rounds, ..Balance::default() };
    for round in 0..rounds {
        let history = random(object, &op, &mut draw);
        let expected = by_definition(object, history.calls());
        balance.open += u32::from(history.calls().iter().any(|call| call.returned.is_none()));
        let judged = judge(object, &history, 1_000_000);
        assert!(judged.refuted.is_empty(), "round {round}: {judged:?} on {history:#?}");
        let searched = judged.procedures.contains(classifier::SEARCH);
        balance.fast += u32::from(!searched);
        match judged.verdict {
            Verdict::Holds(found) => {
                assert!(expected, "round {round}: {history:#?} is not linearizable");
                witness::confirms(object, &history, &found.order).expect("a witness");
                respects(object, &history, &found.order);
                balance.erased += erases(object, history.calls());
                balance.holds += 1;
            }
            Verdict::Violated(core) => {
                assert!(!expected, "round {round}: {history:#?} is linearizable");
                is_a_core(object, &history, &core, searched);
                let reason = reason::circle(object, history.calls(), &core.calls, &core.helpless);
                balance.reasons += u32::from(reason.is_some());
                balance.smaller_cores += u32::from(core.calls.len() < history.calls().len());
            }
            Verdict::Unknown(unknown) => panic!("round {round}: {unknown:?}"),
        }
    }
    println!("{object:?}: {balance:?}");
    let Balance { holds, open, smaller_cores, .. } = balance;
    assert!(holds * 5 >= rounds && (rounds - holds) * 5 >= rounds, "{balance:?}");
    assert!(open * 5 >= rounds && smaller_cores * 20 > rounds, "{balance:?}");
    balance
}

/// A call, perhaps set free.
fn free<Op: Clone, Ret: Clone>(call: &Call<Op, Ret>, is_free: bool) -> Call<Op, Ret> {
    match is_free {
        true => Call { returned: None, ret: None, ..call.clone() },
        false => call.clone(),
    }
}

/// What may be erased leaves what holds as it is, at the end and in the middle of a history.
fn erases<O: Object>(object: &O, calls: &[Call<O::Op, O::Ret>]) -> u32 {
    let mut erased = 0;
    let middle = calls[calls.len() / 2].invoked;
    for end in [middle, u64::MAX] {
        let mut calls = calls.to_vec();
        calls.retain(|call| call.invoked <= end);
        for call in calls.iter_mut().filter(|call| call.returned.is_some_and(|at| at > end)) {
            (call.returned, call.ret) = (None, None);
        }
        for Erasure { gone, freed } in erasures::<O, true>(object, &calls) {
            let rest = (0..calls.len()).filter(|call| !gone.contains(call));
            let rest: Vec<_> = rest.map(|n| free(&calls[n], freed.contains(&n))).collect();
            assert!(by_definition(object, &rest), "{gone:?} can't be erased from {calls:#?}");
            erased += 1;
        }
    }
    erased
}

/// What is derived about who comes before whom is so in a legal order.
fn respects<O: Object>(object: &O, history: &History<O::Op, O::Ret>, order: &[usize]) {
    let parts = history.calls().iter().map(|call| object.part(&call.op));
    if parts.clone().any(|part| part != parts.clone().next().flatten()) {
        return;
    }
    for edge in reason::forced(object, history.calls()).into_iter().flatten() {
        let place = |call: usize| order.iter().position(|other| *other == call);
        let after = edge.after.expect("nothing comes before the start");
        if let (Some(before), Some(after)) = (edge.before.map(place).unwrap_or(None), place(after))
        {
            assert!(before < after, "{edge:?} is not so in {order:?} of {history:#?}");
        }
    }
}

fn is_a_core<O: Object>(object: &O, history: &History<O::Op, O::Ret>, core: &Core, searched: bool) {
    assert!(core.minimal && contradicts(object, history, core), "{core:?} of {history:#?}");
    if searched {
        assert!(breaks_there(object, history, core), "{core:?} of {history:#?}");
        assert!(explains(object, history, core), "{core:?} of {history:#?}");
    }
    // With one call less it is a core no more, in the way that cores shrink.
    for &call in &core.calls {
        let calls = core.calls.iter().copied().filter(|other| *other != call);
        let helpless = core.helpless.iter().copied().chain([call]);
        let freer = Core { calls: calls.collect(), helpless: helpless.collect(), ..core.clone() };
        assert!(!contradicts(object, history, &freer), "{core:?} of {history:#?}");
    }
}

/// One of some operations, whichever call it is.
fn any_of<Op: Clone>(ops: Vec<Op>) -> impl Fn(&mut Draw, usize) -> Op {
    move |draw, _| ops[draw.below(ops.len())].clone()
}

#[test]
fn registers_agree_with_the_definition() {
    use register::Op::{Read, Write};
    let ops = vec![Read, Read, Read, Write(0), Write(1), Write(2)];
    compare(&Register { initial: 0 }, cases(10_000), any_of(ops));
}

#[test]
fn registers_of_unique_values_agree_with_the_definition() {
    use register::Op::{Read, Write};
    let op = |draw: &mut Draw, n| if draw.below(2) == 0 { Read } else { Write(n) };
    let balance = compare(&Register { initial: 0 }, cases(10_000), op);
    assert_eq!(balance.fast, balance.rounds);
}

#[test]
fn cas_registers_agree_with_the_definition() {
    use cas_register::Op::{self, Read, Write};
    let ops = vec![Read, Read, Write(1), Write(2), Op::cas(1, 2), Op::cas(2, 0), Op::cas(0, 1)];
    compare(&CasRegister { initial: 0 }, cases(10_000), any_of(ops));
}

#[test]
fn cas_registers_of_unique_values_agree_with_the_definition() {
    use cas_register::Op::{self, Read, Write};
    let op = |draw: &mut Draw, n: usize| match draw.below(4) {
        0 => Read,
        1 => Write(n),
        _ => Op::cas(draw.below(n), n),
    };
    let balance = compare(&CasRegister { initial: 0 }, cases(10_000), op);
    assert!(balance.fast * 2 > balance.rounds, "{balance:?}");
}

#[test]
fn maps_agree_with_the_definition() {
    let mut ops = Vec::new();
    for key in ["a", "b"] {
        ops.extend([kv::Op::get(key), kv::Op::get(key), kv::Op::get(key), kv::Op::put(key, "x")]);
        ops.extend([kv::Op::append(key, "y"), kv::Op::append(key, "z"), kv::Op::delete(key)]);
        ops.push(kv::Op::cas(key, Some("x"), None));
        ops.push(kv::Op::cas(key, None, Some("y")));
    }
    compare(&Kv, cases(10_000), any_of(ops));
}

#[test]
fn sets_agree_with_the_definition() {
    use set::Op::{Add, Has, Remove};
    let ops = vec![Add(1), Has(1), Has(1), Remove(1), Add(2), Has(2), Remove(2)];
    let balance = compare(&Set::default(), cases(10_000), any_of(ops));
    assert!(balance.fast * 5 > balance.rounds * 2, "{balance:?}");
}

/// Half of the calls put in, a value of their own or sometimes one that may not be.
fn pool_op(unique: bool) -> impl Fn(&mut Draw, usize) -> pool::Op<usize> {
    move |draw, n| match draw.below(2) {
        0 if unique => pool::Op::Put(n * 5 % 11),
        0 => pool::Op::Put(draw.below(3)),
        _ => pool::Op::Take,
    }
}

fn pools_agree<O: Object<Op = pool::Op<usize>>>(object: &O) {
    let balance = compare(object, cases(20_000), pool_op(true));
    assert!(balance.fast * 10 > balance.rounds * 7, "{balance:?}");
    compare(object, cases(3_000), pool_op(false));
}

#[test]
fn queues_agree_with_the_definition() {
    pools_agree(&Queue::default());
}

#[test]
fn stacks_agree_with_the_definition() {
    pools_agree(&Stack::default());
}

#[test]
fn priority_queues_agree_with_the_definition() {
    pools_agree(&PriorityQueue::default());
}

#[test]
fn what_threads_share_agrees_with_the_definition() {
    use mutex::Op::{Lock, Unlock};
    let ops = vec![Lock(0), Unlock(0), Lock(0), Unlock(0), Lock(1), Unlock(1)];
    let balance = compare(&Mutex, cases(5_000), any_of(ops));
    assert!(balance.erased > balance.rounds / 2);
    use rw_lock::Op::{Leave, Read, Write};
    let ops = vec![Read(0), Write(0), Leave(0), Read(1), Leave(1), Leave(0)];
    let balance = compare(&RwLock, cases(5_000), any_of(ops));
    assert!(balance.erased > balance.rounds / 2);
    use semaphore::Op::{Acquire, Release};
    for permits in 1..=2 {
        let ops = vec![Acquire, Acquire, Release];
        let balance = compare(&Semaphore { permits }, cases(5_000), any_of(ops));
        assert!(balance.erased > balance.rounds / 2);
    }
    use channel::Op::{Close, Receive, Send};
    let ops = vec![Send(1), Send(2), Send(1), Receive, Receive, Receive, Close];
    let balance = compare(&Channel::new(1), cases(5_000), any_of(ops));
    assert!(balance.erased > balance.rounds / 2);
}

/// Five threads that come and leave, or send and receive, and wait for each other. One call far
/// from the beginning returns what it should not, while nobody else is about to come or to leave.
fn contended<O: Object>(
    object: &O,
    op: impl Fn(u32, usize) -> O::Op,
    leaves: impl Fn(&O::Op) -> bool,
    wrongly: impl Fn(&O::State, &O::Op) -> Option<O::Ret>,
) -> History<O::Op, O::Ret> {
    let (mut draw, mut state, mut right) =
        (Draw(ChaCha8Rng::seed_from_u64(5)), object.init(), true);
    let (mut calls, mut turns) = (Vec::<Call<O::Op, O::Ret>>::new(), [0; 5]);
    let mut open: [Option<usize>; 5] = [None; 5];
    for now in 0..3_000 {
        let thread = draw.below(5);
        let Some(index) = open[thread] else {
            open[thread] = Some(calls.len());
            let asked = op(thread as u32, turns[thread]);
            calls.push(Call::open(thread as u32, asked, now));
            turns[thread] += 1;
            continue;
        };
        let stays = |other: &usize| {
            let call = &calls[*other];
            *other == index || call.ret.is_none() && !leaves(&call.op)
        };
        let mut may = right && calls.len() > 120;
        may &= calls[index].ret.is_none() && open.iter().flatten().all(stays);
        let wrong = wrongly(&state, &calls[index].op).filter(|_| may);
        let call = &mut calls[index];
        if call.ret.is_some() {
            (call.returned, open[thread]) = (Some(now), None);
        } else if wrong.is_some() {
            (call.ret, call.returned, open[thread], right) = (wrong, Some(now), None, false);
        } else {
            let mut after = state.clone();
            let ret = object.apply(&mut after, &call.op);
            if !object.silent(&call.op, &ret) {
                (state, call.ret) = (after, Some(ret));
            }
        }
    }
    assert!(!right, "nothing went wrong");
    for call in calls.iter_mut().filter(|call| call.returned.is_none()) {
        call.ret = None;
    }
    History::new(calls).expect("a history")
}

/// Long histories of locks and channels in which one call goes wrong: so many calls show it.
#[test]
fn one_wrong_call_of_many_has_a_short_core() {
    fn core<O: Object>(object: &O, history: &History<O::Op, O::Ret>) -> (usize, usize) {
        let Verdict::Violated(core) = linearizable(object, history, 10_000_000) else {
            panic!("it is violated");
        };
        assert!(core.minimal && contradicts(object, history, &core), "{core:?}");
        println!("{object:?}: {} of {} calls", core.calls.len(), core.prefix);
        (core.calls.len(), core.helpless.len())
    }
    let comes = |n: usize| n.is_multiple_of(2);
    use mutex::Op::{Lock, Unlock};
    let op = |who, n| if comes(n) { Lock(who) } else { Unlock(who) };
    let double = |holder: &Option<u32>, op: &mutex::Op| {
        (holder.is_some() && matches!(op, Lock(_))).then_some(mutex::Ret::Done)
    };
    assert_eq!(core(&Mutex, &contended(&Mutex, op, |op| matches!(op, Unlock(_)), double)), (2, 0));
    use rw_lock::Op::{Leave, Read, Write};
    let op = |who, n| match comes(n) {
        true if who == 0 => Write(who),
        true => Read(who),
        false => Leave(who),
    };
    let beside = |inside: &rw_lock::Inside, op: &rw_lock::Op| {
        let read = matches!(inside, rw_lock::Inside::Readers(readers) if !readers.is_empty());
        (read && matches!(op, Write(_))).then_some(rw_lock::Ret::Done)
    };
    assert_eq!(core(&RwLock, &contended(&RwLock, op, |op| matches!(op, Leave(_)), beside)), (2, 0));
    use semaphore::Op::{Acquire, Release};
    let op = |_, n| if comes(n) { Acquire } else { Release };
    let too_many = |free: &usize, op: &semaphore::Op| {
        (*free == 0 && *op == Acquire).then_some(semaphore::Ret::Done)
    };
    let object = Semaphore { permits: 3 };
    assert_eq!(core(&object, &contended(&object, op, |op| *op == Release, too_many)), (4, 0));
    use channel::Op::{Receive, Send};
    let op = |who, n| if who < 3 { Send(10 * n + who as usize) } else { Receive };
    let object = Channel::new(3);
    let second = |contents: &channel::Contents<usize>, op: &channel::Op<usize>| {
        let mut contents = contents.clone();
        let first = object.apply(&mut contents, &Receive);
        let second = object.apply(&mut contents, &Receive);
        (*op == Receive && first != second && !object.silent(op, &second)).then_some(second)
    };
    // Two sends, what came out too early, and perhaps somebody who still waits to receive.
    let (bound, free) = core(&object, &contended(&object, op, |op| *op == Receive, second));
    assert!(bound + free <= 4, "{bound} calls, and {free} that are free");
}

/// Clients that are always busy with a register, and never write a value twice.
fn busy(clients: u32, size: usize) -> Vec<Call<register::Op<usize>, register::Ret<usize>>> {
    use register::Op::{Read, Write};
    let mut draw = Draw(ChaCha8Rng::seed_from_u64(3));
    let (mut calls, mut state, mut now) = (Vec::<Call<_, _>>::new(), 0, 0);
    let (mut idle, mut open): (Vec<u32>, Vec<usize>) = ((0..clients).collect(), Vec::new());
    while calls.len() < size || !open.is_empty() {
        now += 1;
        if let Some(process) = idle.pop_if(|_| calls.len() < size) {
            let op = if draw.below(2) == 0 { Read } else { Write(calls.len() + 1) };
            open.push(calls.len());
            calls.push(Call::open(process, op, now));
            continue;
        }
        let chosen = draw.below(open.len());
        let call = &mut calls[open[chosen]];
        if call.ret.is_none() {
            call.ret = Some(Register { initial: 0 }.apply(&mut state, &call.op));
        } else {
            call.returned = Some(now);
            idle.push(call.process);
            open.swap_remove(chosen);
        }
    }
    calls
}

#[test]
fn long_histories_of_busy_clients_are_judged() {
    let object = Register { initial: 0 };
    let mut calls = busy(10, 2_000);
    let history = History::new(calls.clone()).unwrap();
    let Verdict::Holds(found) = linearizable(&object, &history, 1_000_000) else {
        panic!("it holds");
    };
    witness::confirms(&object, &history, &found.order).unwrap();
    let mut board = Board::new(&object, history.calls());
    let (found, _) = board.search(&[Fate::Bound; 2_000], Limits::steps(1_000));
    assert!(matches!(found, Found::Spent(_)));

    // A read near the end returns the first value: that, its write and another are enough.
    let last = calls.iter().rposition(|call| call.op == register::Op::Read).unwrap();
    let first = calls.iter().find_map(|call| match call.op {
        register::Op::Write(value) => Some(value),
        register::Op::Read => None,
    });
    calls[last].ret = first.map(register::Ret::Value);
    let history = History::new(calls).unwrap();
    let Verdict::Violated(core) = linearizable(&object, &history, 10_000_000) else {
        panic!("it is violated");
    };
    assert!(core.minimal && core.calls.len() == 3 && core.helpless.len() <= 1, "{core:?}");
    assert!(contradicts(&object, &history, &core) && core.calls.contains(&last));
    assert_eq!(core.stuck, last);
}

#[test]
fn a_wrong_witness_is_refuted() {
    let object = Register { initial: 0 };
    let history = History::new(busy(3, 20)).unwrap();
    let Verdict::Holds(found) = linearizable(&object, &history, 1_000) else { panic!("it holds") };
    let order = found.order;
    let refused = |order: &[usize]| witness::confirms(&object, &history, order).unwrap_err();
    assert!(refused(&order[1..]).contains("takes no effect"));
    assert!(refused(&[&order[..], &[order[0]]].concat()).contains("twice"));
    assert!(refused(&[&order[..], &[20]].concat()).contains("no call 20"));
    let mut calls = history.calls().to_vec();
    let read = calls.iter().position(|call| call.op == register::Op::Read).unwrap();
    calls[read].ret = Some(register::Ret::Value(99));
    let lying = History::new(calls).unwrap();
    let reason = witness::confirms(&object, &lying, &order).unwrap_err();
    assert!(reason.contains("which should be"));
    // Blind writes are legal in any order, but real time is not.
    let mut calls = history.calls().to_vec();
    for call in &mut calls {
        (call.op, call.ret) = (register::Op::Write(1), Some(register::Ret::Done));
    }
    let writes = History::new(calls).unwrap();
    let reversed: Vec<usize> = order.iter().rev().copied().collect();
    witness::confirms(&object, &writes, &order).unwrap();
    let reason = witness::confirms(&object, &writes, &reversed).unwrap_err();
    assert!(reason.contains("that it precedes"));
}
