//! Views: one order of many programs' accesses in which every read returns what was written last.
//!
//! Lamport's sequential consistency (1979) asks for one view of all accesses; Lipton and Sandberg's
//! pipelined memory (1988) asks for one view for each process, of its own accesses and everybody's
//! writes. Both are questions to [`explains`]. The search is exact and meant for the histories of
//! this folder's worlds: it remembers where it has been, and takes a read as soon as it is true,
//! since a read changes nothing and so never has to wait.

use std::collections::{BTreeMap, BTreeSet};

use crate::protocol::Protocol;
use crate::world::Record;

/// The name of a variable.
pub type Var = u8;
/// What a variable holds; 0 at first.
pub type Data = u32;

/// One access to the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The variable.
    pub var: Var,
    /// What was read or written.
    pub data: Data,
    /// Whether it is a write.
    pub writes: bool,
    /// Whether it returned; a write that did not may have happened or not.
    pub returned: bool,
}

/// Whether one order of all accesses, with each program's in its own order, explains every read.
pub fn explains(programs: &[Vec<Access>]) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![(vec![0; programs.len()], BTreeMap::new())];
    while let Some((mut at, memory)) = open.pop() {
        let next = |at: &[usize], n: usize| programs[n].get(at[n]).copied();
        for n in 0..programs.len() {
            let is_true = |access: Access| {
                !access.writes && memory.get(&access.var).copied().unwrap_or(0) == access.data
            };
            while next(&at, n).is_some_and(is_true) {
                at[n] += 1;
            }
        }
        if (0..programs.len()).all(|n| next(&at, n).is_none_or(|access| !access.returned)) {
            return true;
        }
        if !seen.insert((at.clone(), memory.clone())) {
            continue;
        }
        for n in 0..programs.len() {
            if let Some(Access { var, data, writes: true, .. }) = next(&at, n) {
                let (mut at, mut memory) = (at.clone(), memory.clone());
                at[n] += 1;
                memory.insert(var, data);
                open.push((at, memory));
            }
        }
    }
    false
}

/// The accesses of a history, process by process. `as_access` tells what a call is to the memory,
/// but for whether it returned; a read that did not return says nothing.
pub fn programs<P: Protocol>(
    record: &Record<P>,
    as_access: impl Fn(&P::Op, Option<&P::Ret>) -> Option<Access>,
) -> Vec<Vec<Access>> {
    let mut programs: BTreeMap<_, Vec<Access>> = BTreeMap::new();
    for entry in record.entries() {
        if let Some(access) = as_access(&entry.op, entry.ret.as_ref()) {
            programs.entry(entry.call.process).or_default().push(access);
        }
    }
    programs.into_values().collect()
}

/// Whether one view of all accesses explains them: the memory is sequentially consistent.
pub fn is_sequential(programs: &[Vec<Access>]) -> bool {
    explains(programs)
}

/// The first process, if there is one, that no view of its own accesses and everybody's writes
/// explains: the memory is not pipelined.
pub fn not_pipelined(programs: &[Vec<Access>]) -> Option<usize> {
    let writes = |program: &Vec<Access>| -> Vec<Access> {
        program.iter().filter(|access| access.writes).copied().collect()
    };
    (0..programs.len()).find(|me| {
        let view = programs.iter().enumerate();
        let view: Vec<_> =
            view.map(|(n, p)| if n == *me { p.clone() } else { writes(p) }).collect();
        !explains(&view)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(text: &str) -> Vec<Access> {
        let accesses = text.split_whitespace().map(|word| {
            let digit = |n: usize| u32::from(word.as_bytes()[n] - b'0');
            let (writes, returned) = (word.starts_with('w'), !word.ends_with('?'));
            Access { var: digit(1) as Var, data: digit(2), writes, returned }
        });
        accesses.collect()
    }

    fn programs(texts: &[&str]) -> Vec<Vec<Access>> {
        texts.iter().map(|text| program(text)).collect()
    }

    #[test]
    fn the_classical_histories_are_told_apart() {
        let stores_cross = programs(&["w01 r10", "w11 r00"]);
        assert!(!is_sequential(&stores_cross));
        assert_eq!(not_pipelined(&stores_cross), None);
        let new_then_old = programs(&["w01 w02", "r02 r01"]);
        assert!(!is_sequential(&new_then_old));
        assert_eq!(not_pipelined(&new_then_old), Some(1));
        let message = programs(&["w01 w11", "r11 r00"]);
        assert_eq!(not_pipelined(&message), Some(1));
        let seen_in_two_orders = programs(&["w01", "w02", "r01 r02", "r02 r01"]);
        assert!(!is_sequential(&seen_in_two_orders));
        assert_eq!(not_pipelined(&seen_in_two_orders), None);
        assert!(is_sequential(&programs(&["w01 r10", "w11 r01"])));
    }

    #[test]
    fn an_open_write_may_have_happened_or_not() {
        assert!(is_sequential(&programs(&["w01?", "r01"])));
        assert!(is_sequential(&programs(&["w01?", "r00"])));
        assert!(!is_sequential(&programs(&["w01?", "r01 r00"])));
        assert!(!is_sequential(&programs(&["w01", "r02"])));
    }
}
