//! What the judges are compared with: the search that everybody has, as plain as it is usually
//! written, and the testers of stateright, which this project's explorer builds on.

use std::collections::{HashMap, HashSet};

use seedbed::history::Call;
use seedbed::object::{Object, register};
use stateright::semantics::register::{Register, RegisterOp, RegisterRet};
use stateright::semantics::{
    ConsistencyTester, LinearizabilityTester, SequentialConsistencyTester,
};

/// Wing and Gong's search with Lowe's memory of configurations: a list of events from which calls
/// are lifted, a bit for every call of the history, states cloned and hashed. None if it took more
/// than so many steps.
pub fn plain_search<O: Object>(
    object: &O,
    calls: &[Call<O::Op, O::Ret>],
    most: usize,
) -> Option<bool> {
    let mut times: Vec<(u64, bool, usize)> = Vec::new();
    for (index, call) in calls.iter().enumerate() {
        times.push((call.invoked, false, index));
        times.push((call.returned.unwrap_or(u64::MAX), true, index));
    }
    times.sort_unstable();
    // Places in the list are from 1 on; 0 is its beginning, and its end.
    let mut place = vec![[0; 2]; calls.len()];
    for (at, (_, returns, call)) in (1..).zip(&times) {
        place[*call][usize::from(*returns)] = at;
    }
    let last = times.len();
    let mut next: Vec<usize> = (1..=last).chain([0]).collect();
    let mut before: Vec<usize> = std::iter::once(last).chain(0..last).collect();
    let mut taken = vec![0_u64; calls.len().div_ceil(64)];
    let (mut state, mut stack) = (object.init(), Vec::<(usize, O::State)>::new());
    let mut seen: HashMap<Vec<u64>, HashSet<O::State>> = HashMap::new();
    let (mut at, mut steps) = (next[0], 0);
    while next[0] != 0 {
        steps += 1;
        if steps > most {
            return None;
        }
        let (_, returns, call) = times[at - 1];
        if returns {
            let Some((undone, old)) = stack.pop() else { return Some(false) };
            state = old;
            taken[undone / 64] &= !(1 << (undone % 64));
            for entry in [place[undone][1], place[undone][0]] {
                (next[before[entry]], before[next[entry]]) = (entry, entry);
            }
            at = next[place[undone][0]];
            continue;
        }
        let mut after = state.clone();
        let ret = object.apply(&mut after, &calls[call].op);
        let mut now = taken.clone();
        now[call / 64] |= 1 << (call % 64);
        let legal = calls[call].ret.as_ref().is_none_or(|told| *told == ret);
        if !legal || !seen.entry(now.clone()).or_default().insert(after.clone()) {
            at = next[at];
            continue;
        }
        stack.push((call, std::mem::replace(&mut state, after)));
        taken = now;
        for entry in place[call] {
            (next[before[entry]], before[next[entry]]) = (next[entry], before[entry]);
        }
        at = next[0];
    }
    Some(true)
}

/// Tells a tester of stateright what happened, in the order of time.
fn tell<T: ConsistencyTester<u32, Register<u64>>>(
    tester: &mut T,
    calls: &[Call<register::Op<u64>, register::Ret<u64>>],
) -> bool {
    let mut times: Vec<(u64, bool, usize)> = Vec::new();
    for (index, call) in calls.iter().enumerate() {
        times.push((call.invoked, false, index));
        times.extend(call.returned.map(|returned| (returned, true, index)));
    }
    times.sort_unstable();
    for (_, returns, index) in times {
        let call = &calls[index];
        let told = match (&call.op, &call.ret, returns) {
            (register::Op::Read, _, false) => tester.on_invoke(call.process, RegisterOp::Read),
            (register::Op::Write(value), _, false) => {
                tester.on_invoke(call.process, RegisterOp::Write(*value))
            }
            (_, Some(register::Ret::Value(value)), true) => {
                tester.on_return(call.process, RegisterRet::ReadOk(*value))
            }
            (_, _, true) => tester.on_return(call.process, RegisterRet::WriteOk),
        };
        told.expect("events in turn");
    }
    tester.is_consistent()
}

/// Stateright's tester of linearizability.
pub fn stateright_linearizable(calls: &[Call<register::Op<u64>, register::Ret<u64>>]) -> bool {
    tell(&mut LinearizabilityTester::new(Register(0)), calls)
}

/// Stateright's tester of sequential consistency.
pub fn stateright_sequential(calls: &[Call<register::Op<u64>, register::Ret<u64>>]) -> bool {
    tell(&mut SequentialConsistencyTester::new(Register(0)), calls)
}
