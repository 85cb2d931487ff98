//! Zones: linearizability of a register whose values are written once each, in O(n log n)
//! (Gibbons and Korach, "Testing Shared Memories", SIAM J. Computing 1997). Compare-and-set is
//! contracted into chains first.
//!
//! All calls about one value have to stand together in any legal order: they form a *block*. A swap
//! that succeeded ends the block of the value that it found and begins that of the value that it
//! left, so the two blocks are one; inside, the order is given. Between blocks only two moments
//! matter: `first`, the earliest return in it, and `last`, the latest invocation. Block A must come
//! before B if A's `first` is before B's `last`, and the history is linearizable exactly if no two
//! blocks must each come before the other and each block is in order by itself. Then the blocks, in
//! the order of min(first, last), are a legal order.
//!
//! A swap that was refused only says which value was *not* there. It is put into a gap of the order
//! found. If it fits into none, that proves nothing, and this procedure declines.

use super::deeds::{Deeds, INITIAL, Schedule, Sketch, Timed};
use crate::object::Deed;

const NONE: u32 = u32::MAX;

/// Decides, if values are unique and no returned swap's answer is unknown.
pub fn decide(deeds: &Deeds) -> Option<Sketch> {
    let mut roles = Roles::of(deeds)?;
    if let Some(call) = roles.take_what_is_needed(&deeds.timed) {
        return Some(roles.contradiction(vec![call], &deeds.timed));
    }
    let mut blocks = match roles.blocks(&deeds.timed) {
        Ok(blocks) => blocks,
        Err(suspects) => return Some(roles.contradiction(suspects, &deeds.timed)),
    };
    blocks.sort_by_key(|block| (block.first.min(block.last), block.first < block.last));
    let mut cover: Option<&Block> = None;
    for block in &blocks {
        if let Some(cover) = cover.filter(|cover| block.first < cover.last) {
            let suspects = roles.entangled(cover, block, &deeds.timed);
            return Some(roles.contradiction(suspects, &deeds.timed));
        }
        cover = cover.filter(|cover| cover.last >= block.last).or(Some(block));
    }
    let by_end = |block: &Block| (block.first.max(block.last), block.first >= block.last);
    roles.schedule(&blocks, &deeds.timed).or_else(|| {
        blocks.sort_by_key(by_end);
        roles.schedule(&blocks, &deeds.timed)
    })
}

/// Who does what to which value.
struct Roles {
    /// For each value the call that writes it; none writes the initial one.
    writer: Vec<u32>,
    /// For each value its successful swap to another.
    leaver: Vec<u32>,
    /// Returned reads, sorted by value and then by invocation; those of `v` begin at `starts[v]`.
    reads: Vec<u32>,
    starts: Vec<u32>,
    /// For each value the call that shows that it was there: one that saw it, or one that wrote it
    /// and returned. Writers of unknown outcome count only if there is one.
    shown: Vec<u32>,
    /// Swaps that were refused, after the values that they did not find.
    refusals: Vec<(u32, u32)>,
    /// Calls that any moment suits.
    free: Vec<u32>,
}

/// Calls that stand together.
struct Block {
    /// The value with which it begins.
    root: u32,
    first: u64,
    last: u64,
}

impl Roles {
    fn of(deeds: &Deeds) -> Option<Roles> {
        let mut writer = vec![NONE; deeds.values];
        let (mut found, mut refusals, mut free) = (Vec::new(), Vec::new(), Vec::new());
        let mut shown = vec![NONE; deeds.values];
        for (call, timed) in (0..).zip(&deeds.timed) {
            let mut write = |value: u32| {
                if !timed.open() {
                    shown[value as usize] = call;
                }
                let before = std::mem::replace(&mut writer[value as usize], call);
                (before == NONE && value != INITIAL).then_some(())
            };
            match timed.deed {
                Deed::Read(_) if timed.open() => (),
                Deed::Read(None) => free.push(call),
                Deed::Read(Some(value)) => found.push((value, call)),
                Deed::Write(value) => write(value)?,
                Deed::Swap { from, to, done: Some(true) } if from == to => found.push((to, call)),
                Deed::Swap { from, to, .. } if from == to && timed.open() => (),
                Deed::Swap { from, done: Some(false), .. } => refusals.push((from, call)),
                Deed::Swap { done: None, .. } if !timed.open() => return None,
                Deed::Swap { to, .. } => write(to)?,
                _ => return None,
            }
        }
        let mut starts = vec![0; deeds.values + 1];
        found.iter().for_each(|(value, _)| starts[*value as usize + 1] += 1);
        (0..deeds.values).for_each(|value| starts[value + 1] += starts[value]);
        let (mut next, mut reads) = (starts.clone(), vec![0; found.len()]);
        for (value, call) in found {
            reads[next[value as usize] as usize] = call;
            next[value as usize] += 1;
            shown[value as usize] = call;
        }
        let leaver = vec![NONE; deeds.values];
        refusals.sort_unstable();
        Some(Roles { writer, leaver, reads, starts, shown, refusals, free })
    }

    /// Finds out which values were there, as swaps show. Returns a call that saw a value which
    /// nobody wrote.
    fn take_what_is_needed(&mut self, timed: &[Timed]) -> Option<usize> {
        let mut todo: Vec<usize> = (0..self.shown.len()).collect();
        todo.retain(|value| self.shown[*value] != NONE);
        while let Some(value) = todo.pop() {
            match timed.get(self.writer[value] as usize).map(|writer| writer.deed) {
                None if value != INITIAL as usize => return Some(self.shown[value] as usize),
                Some(Deed::Swap { from, .. }) if self.shown[from as usize] == NONE => {
                    self.shown[from as usize] = self.writer[value];
                    todo.push(from as usize);
                }
                _ => (),
            }
        }
        None
    }

    /// Adds to calls at fault what shows that those of unknown outcome took effect.
    fn contradiction(&self, mut calls: Vec<usize>, timed: &[Timed]) -> Sketch {
        let mut next = 0;
        while let Some(&call) = calls.get(next) {
            next += 1;
            if let Deed::Write(value) | Deed::Swap { to: value, .. } = timed[call].deed
                && timed[call].open()
                && !calls.contains(&(self.shown[value as usize] as usize))
            {
                calls.push(self.shown[value as usize] as usize);
            }
        }
        Sketch::Contradiction(calls)
    }

    fn reads_of(&self, value: usize) -> &[u32] {
        &self.reads[self.starts[value] as usize..self.starts[value + 1] as usize]
    }

    /// The blocks that begin with the initial value or with a write. Of calls that can stand in no
    /// block, or in no order within their block, those at fault are returned.
    fn blocks(&mut self, timed: &[Timed]) -> Result<Vec<Block>, Vec<usize>> {
        let mut roots = vec![INITIAL];
        let mut swaps = 0;
        for value in 0..self.shown.len() {
            let call = self.writer[value];
            if call == NONE || self.shown[value] == NONE {
                continue;
            }
            let Deed::Swap { from, .. } = timed[call as usize].deed else {
                roots.push(value as u32);
                continue;
            };
            swaps += 1;
            let other = std::mem::replace(&mut self.leaver[from as usize], call);
            if other != NONE {
                let mut suspects = vec![other as usize, call as usize];
                suspects.extend(self.writers_before(from, timed));
                return Err(suspects);
            }
        }
        let mut blocks = Vec::with_capacity(roots.len());
        for root in roots {
            let first = if root == INITIAL { 0 } else { u64::MAX };
            let mut block = Block { root, first, last: 0 };
            let mut wrong = None;
            for call in self.members(root, timed) {
                let call_timed = &timed[call];
                swaps -= usize::from(self.swaps(call_timed));
                if call_timed.to < block.last {
                    wrong = wrong.or(Some(call));
                }
                block.first = block.first.min(call_timed.to);
                block.last = block.last.max(call_timed.from);
            }
            if let Some(call) = wrong {
                return Err(self.disorder(&block, call, timed));
            }
            blocks.push(block);
        }
        // Swaps that no root leads to go round in a circle.
        if swaps > 0 { Err(self.circle(&blocks, timed)) } else { Ok(blocks) }
    }

    fn swaps(&self, timed: &Timed) -> bool {
        matches!(timed.deed, Deed::Swap { from, to, .. } if from != to)
    }

    /// The calls of a block, in their order.
    fn members<'a>(&'a self, root: u32, timed: &'a [Timed]) -> impl Iterator<Item = usize> + 'a {
        let values = std::iter::successors(Some(root), move |value| {
            let leaver = timed.get(self.leaver[*value as usize] as usize)?;
            let Deed::Swap { to, .. } = leaver.deed else { return None };
            Some(to)
        });
        values
            .flat_map(|value| {
                let writer = Some(self.writer[value as usize]).filter(|call| *call != NONE);
                writer.into_iter().chain(self.reads_of(value as usize).iter().copied())
            })
            .map(|call| call as usize)
    }

    /// The calls that write a value and those that it was made from.
    fn writers_before(&self, value: u32, timed: &[Timed]) -> Vec<usize> {
        let mut seen = vec![false; self.writer.len()];
        let writers = std::iter::successors(Some(value), |value| {
            let Deed::Swap { from, .. } = timed.get(self.writer[*value as usize] as usize)?.deed
            else {
                return None;
            };
            (!std::mem::replace(&mut seen[from as usize], true)).then_some(from)
        });
        let writers = writers.map(|value| self.writer[value as usize]);
        writers.filter(|call| *call != NONE).map(|call| call as usize).collect()
    }

    /// A call returned before another was invoked that has to stand before it, in one block.
    fn disorder(&self, block: &Block, call: usize, timed: &[Timed]) -> Vec<usize> {
        let late =
            self.members(block.root, timed).find(|other| timed[*other].from > timed[call].to);
        let updates = |call: &usize| !matches!(timed[*call].deed, Deed::Read(_));
        let until = self.members(block.root, timed).take_while(|other| *other != call);
        let mut suspects: Vec<usize> = until.filter(updates).collect();
        suspects.extend(late);
        suspects.push(call);
        suspects.sort_unstable();
        suspects.dedup();
        suspects
    }

    fn circle(&self, blocks: &[Block], timed: &[Timed]) -> Vec<usize> {
        let mut reached = vec![false; timed.len()];
        for block in blocks {
            self.members(block.root, timed).for_each(|call| reached[call] = true);
        }
        let lost = |call: &u32| {
            *call != NONE && !reached[*call as usize] && self.swaps(&timed[*call as usize])
        };
        let start = self.leaver.iter().find(|call| lost(call)).map(|call| timed[*call as usize]);
        match start.map(|timed| timed.deed) {
            Some(Deed::Swap { from, .. }) => self.writers_before(from, timed),
            _ => Vec::new(),
        }
    }

    /// The few calls that show that each of two blocks must come before the other, with the updates
    /// that hold the blocks together.
    fn entangled(&self, one: &Block, other: &Block, timed: &[Timed]) -> Vec<usize> {
        let updates = |block: &Block| {
            let is_update = |call: &usize| !matches!(timed[*call].deed, Deed::Read(_));
            self.members(block.root, timed).filter(is_update).collect::<Vec<_>>()
        };
        let mut suspects = [updates(one), updates(other)].concat();
        for (before, after) in [(one, other), (other, one)] {
            // What is among the suspects anyway is preferred.
            let earliest = |call: &usize| (timed[*call].to, !suspects.contains(call));
            let by_update = |call: &usize| timed[*call].to < after.last && suspects.contains(call);
            let first = self.members(before.root, timed).find(by_update);
            let first = first.or(self.members(before.root, timed).min_by_key(earliest));
            let end = first.map_or(0, |call| timed[call].to);
            let by_update = |call: &usize| end < timed[*call].from && suspects.contains(call);
            let last = self.members(after.root, timed).find(by_update);
            let last =
                last.or(self.members(after.root, timed).max_by_key(|call| timed[*call].from));
            suspects.extend(first.into_iter().chain(last));
        }
        suspects
    }

    /// Every call at its moment. Values come as late as they can, but for refused swaps: one that
    /// begins after its value came has to end after that value went. The later a value comes, the
    /// fewer of these there are; so as late as possible is best throughout.
    fn schedule(&self, blocks: &[Block], timed: &[Timed]) -> Option<Sketch> {
        let mut line: Vec<usize> = Vec::with_capacity(timed.len());
        blocks.iter().for_each(|block| line.extend(self.members(block.root, timed)));
        let mut latest = vec![u64::MAX; line.len() + 1];
        for (place, call) in line.iter().enumerate().rev() {
            latest[place] = latest[place + 1].min(timed[*call].to);
        }
        let mut schedule = Schedule::default();
        // From when on each value is there, and from when on no more.
        let mut there = vec![(u64::MAX, u64::MAX); self.shown.len()];
        there[INITIAL as usize].0 = 0;
        let (mut earliest, mut now, mut held) = (0, 0, INITIAL);
        for (place, &call) in line.iter().enumerate() {
            earliest = earliest.max(timed[call].from);
            if let Deed::Write(value) | Deed::Swap { to: value, .. } = timed[call].deed
                && value != held
            {
                let waits = self.refusals_of(held).map(|call| &timed[call]);
                let waits = waits.filter(|refusal| refusal.from > now).map(|refusal| refusal.to);
                now = waits.fold(latest[place], u64::min);
                (now >= earliest).then_some(())?;
                there[held as usize].1 = now;
                held = value;
                there[held as usize].0 = now;
            }
            schedule.place(now.max(timed[call].from), 1, call);
        }
        for &(value, call) in &self.refusals {
            let Timed { from, to, .. } = timed[call as usize];
            let (since, until) = there[value as usize];
            match () {
                () if from <= since => schedule.place(from, 0, call as usize),
                () if to >= until => schedule.place(from.max(until), 2, call as usize),
                () => return None,
            }
        }
        for &call in &self.free {
            schedule.place(timed[call as usize].from, 2, call as usize);
        }
        Some(schedule.order())
    }

    fn refusals_of(&self, value: u32) -> impl Iterator<Item = usize> + '_ {
        let start = self.refusals.partition_point(|(refused, _)| *refused < value);
        let of_value =
            self.refusals[start..].iter().take_while(move |(refused, _)| *refused == value);
        of_value.map(|(_, call)| *call as usize)
    }
}
