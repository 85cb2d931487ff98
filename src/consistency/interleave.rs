//! An order of calls on any object that respects program order: the search for sequential
//! consistency where calls are more than reads and writes.
//!
//! Where the sessions stand and what state the object is in say all about the future, so no such
//! pair is searched twice. A call that changes nothing is taken as soon as its answer is right.

use std::collections::HashSet;

use crate::history::Call;
use crate::object::Object;

/// How many moments are remembered; that bounds the memory that a search takes.
const REMEMBERED: u64 = 1_000_000;

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interleaved {
    /// An order: indices of calls.
    Order(Vec<usize>),
    /// There is none.
    None,
    /// The budget ran out.
    Spent,
}

/// Searches for an order of calls, or of those with these indices alone, within a number of steps.
pub fn interleave<O: Object>(
    object: &O,
    calls: &[Call<O::Op, O::Ret>],
    only: Option<&[usize]>,
    budget: u64,
) -> Interleaved {
    let chosen: Vec<usize> = only.map_or_else(|| (0..calls.len()).collect(), <[usize]>::to_vec);
    let mut sessions = std::collections::BTreeMap::<u32, Vec<usize>>::new();
    // A call of unknown outcome may take effect at any time, or never: it stands alone, unless it
    // is the last of its session, where that makes no difference to the others.
    for &index in &chosen {
        let call = &calls[index];
        if call.returned.is_some() || !object.reads(&call.op) {
            sessions.entry(call.session).or_default().push(index);
        }
    }
    let mut programs = Vec::new();
    for session in sessions.into_values() {
        let last = session.len() - 1;
        let (mut program, mut lonely) = (Vec::new(), Vec::new());
        for (at, index) in session.into_iter().enumerate() {
            match calls[index].returned.is_none() && at < last {
                true => lonely.push(vec![index]),
                false => program.push(index),
            }
        }
        programs.push(program);
        programs.extend(lonely);
    }
    let mut walk =
        Walk { object, calls, programs, tried: HashSet::new(), left: budget.min(REMEMBERED) };
    let mut order = Vec::new();
    let stands = vec![0; walk.programs.len()];
    match walk.prolong(stands, object.init(), &mut order) {
        Some(true) => Interleaved::Order(order),
        Some(false) => Interleaved::None,
        None => Interleaved::Spent,
    }
}

struct Walk<'a, O: Object> {
    object: &'a O,
    calls: &'a [Call<O::Op, O::Ret>],
    programs: Vec<Vec<usize>>,
    tried: HashSet<(Vec<u32>, O::State)>,
    left: u64,
}

/// A moment of the search: where the sessions stand, the state, and what may be called next.
struct Moment<S> {
    stands: Vec<u32>,
    state: S,
    taken: usize,
    open: Vec<usize>,
}

impl<O: Object> Walk<'_, O> {
    /// Whether an order of the rest exists; nothing if the budget runs out.
    fn prolong(
        &mut self,
        stands: Vec<u32>,
        state: O::State,
        order: &mut Vec<usize>,
    ) -> Option<bool> {
        let mut moments = Vec::new();
        let mut next = Some((stands, state));
        loop {
            if let Some((mut stands, state)) = next.take() {
                self.take_silent(&mut stands, &state, order);
                if self.is_done(&stands) {
                    return Some(true);
                }
                let fresh = self.tried.insert((stands.clone(), state.clone()));
                let open = if fresh { self.open(&stands) } else { Vec::new() };
                moments.push(Moment { stands, state, taken: order.len(), open });
            }
            let Some(moment) = moments.last_mut() else { return Some(false) };
            order.truncate(moment.taken);
            let Some(program) = moment.open.pop() else {
                moments.pop();
                continue;
            };
            self.left = self.left.checked_sub(1)?;
            let index = self.programs[program][moment.stands[program] as usize];
            let mut state = moment.state.clone();
            let ret = self.object.apply(&mut state, &self.calls[index].op);
            if self.calls[index].ret.as_ref().is_none_or(|told| *told == ret) {
                let mut stands = moment.stands.clone();
                stands[program] += 1;
                order.push(index);
                next = Some((stands, state));
            }
        }
    }

    fn next(&self, stands: &[u32], program: usize) -> Option<usize> {
        self.programs[program].get(stands[program] as usize).copied()
    }

    fn is_done(&self, stands: &[u32]) -> bool {
        (0..self.programs.len()).all(|program| {
            self.next(stands, program).is_none_or(|index| self.calls[index].returned.is_none())
        })
    }

    fn take_silent(&self, stands: &mut [u32], state: &O::State, order: &mut Vec<usize>) {
        let mut again = true;
        while std::mem::take(&mut again) {
            for program in 0..self.programs.len() {
                while let Some(index) = self.next(stands, program) {
                    let call = &self.calls[index];
                    let mut after = state.clone();
                    let ret = self.object.apply(&mut after, &call.op);
                    // An answer that nobody heard might have been another one later.
                    let right = match &call.ret {
                        Some(told) => *told == ret && self.object.silent(&call.op, &ret),
                        None => call.returned.is_some() && self.object.reads(&call.op),
                    };
                    if !right {
                        break;
                    }
                    order.push(index);
                    stands[program] += 1;
                    again = true;
                }
            }
        }
    }

    /// The sessions that have a call left; the one that called first comes last.
    fn open(&self, stands: &[u32]) -> Vec<usize> {
        let mut open: Vec<usize> =
            (0..self.programs.len()).filter(|at| self.next(stands, *at).is_some()).collect();
        let invoked = |at: &usize| self.next(stands, *at).map(|index| self.calls[index].invoked);
        open.sort_by_key(|at| std::cmp::Reverse(invoked(at)));
        open
    }
}
