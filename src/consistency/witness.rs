//! The second opinion on a witness: it shares no code with any search, and is short enough to be
//! checked by eye. It says yes only if the order is legal, respects real time, names every call at
//! most once and every call that returned.

use std::collections::BTreeMap;

use crate::history::{Call, History};
use crate::object::Object;

/// Checks that an order of calls makes a history linearizable.
pub fn confirms<O: Object>(
    object: &O,
    history: &History<O::Op, O::Ret>,
    order: &[usize],
) -> Result<(), String> {
    explains(object, history.calls(), order)
}

/// Checks that an order explains these calls.
pub fn explains<O: Object>(
    object: &O,
    calls: &[Call<O::Op, O::Ret>],
    order: &[usize],
) -> Result<(), String> {
    let mut missing: Vec<bool> = calls.iter().map(|call| call.returned.is_some()).collect();
    let mut taken = vec![false; calls.len()];
    let mut state = object.init();
    let mut latest_invocation = 0;
    for &index in order {
        let call = calls.get(index).ok_or_else(|| format!("there is no call {index}"))?;
        if std::mem::replace(&mut taken[index], true) {
            return Err(format!("call {index} takes effect twice"));
        }
        missing[index] = false;
        if call.returned.is_some_and(|returned| returned < latest_invocation) {
            return Err(format!("call {index} takes effect after a call that it precedes"));
        }
        latest_invocation = latest_invocation.max(call.invoked);
        let ret = object.apply(&mut state, &call.op);
        if call.ret.as_ref().is_some_and(|told| *told != ret) {
            return Err(format!("call {index} answers {:?}, which should be {ret:?}", call.ret));
        }
    }
    match missing.iter().position(|missing| *missing) {
        Some(index) => Err(format!("call {index} returned and takes no effect")),
        None => Ok(()),
    }
}

/// Checks that an order explains calls and respects each session's order. Of calls that never
/// returned, only a session's last has a place in that.
pub fn respects_sessions<O: Object>(
    object: &O,
    calls: &[Call<O::Op, O::Ret>],
    order: &[usize],
) -> Result<(), String> {
    let mut places = vec![None; calls.len()];
    let mut state = object.init();
    for (place, &index) in order.iter().enumerate() {
        let call = calls.get(index).ok_or_else(|| format!("there is no call {index}"))?;
        if places[index].replace(place).is_some() {
            return Err(format!("call {index} takes effect twice"));
        }
        let ret = object.apply(&mut state, &call.op);
        if call.ret.as_ref().is_some_and(|told| *told != ret) {
            return Err(format!("call {index} answers {:?}, which should be {ret:?}", call.ret));
        }
    }
    let mut latest = BTreeMap::new();
    for (index, call) in calls.iter().enumerate() {
        let own = |other: &Call<O::Op, O::Ret>| other.session == call.session;
        match (call.returned, places[index]) {
            (Some(_), None) => return Err(format!("call {index} returned and takes no effect")),
            (None, None) => continue,
            (None, _) if calls[index + 1..].iter().any(own) => continue,
            _ if latest.get(&call.session) > Some(&places[index]) => {
                return Err(format!("call {index} takes effect before one of its session's past"));
            }
            _ => latest.insert(call.session, places[index]),
        };
    }
    Ok(())
}
