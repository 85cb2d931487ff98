//! Shrinking: from a run that breaks a property to a small one that breaks it too.
//!
//! A candidate is a smaller world, or a trace with some steps left out (delta debugging: Zeller
//! and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002). It is followed
//! leniently in the world, so it is a run of the protocol or it is nothing, and it counts if it
//! breaks the same property first and is smaller: fewer faults, then calls, processes, nodes,
//! steps, ticks. What is left can't be made smaller by leaving out any one step, nor any calls that
//! one program makes in a row, nor by giving its nodes and programs other names, so that it is one
//! of a world that has few of them. It may still be long, since programs make their calls in order,
//! and what goes wrong in the tenth needs nine others: so fresh seeds of smaller worlds are tried,
//! the smallest first, and what fails there is shrunk in the same way. For small worlds the checker
//! then finds a shortest run with the same numbers, which nothing can beat.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

use crate::protocol::Checkable;
use crate::world::{Action, Faults, Happening, Numbers, Setup, World};

use super::afresh;
use super::check::{self, CheckOptions, Verdict};
use super::follow;
use super::lift::at_scale_one;
use super::rename::Cast;
use super::simulate::CALLS_RETURN;
use super::trace::{self, BadTrace};
use super::verify::{Examiner, Violation};

/// The rounds of fair exchange in which open calls must return.
const ROUNDS_TO_RETURN: usize = 64;

/// Into how many parts a long run is cut at first.
const COARSE: usize = 32;

/// Runs of more steps keep their names, and which calls their programs make.
const SHORT: usize = 80;

/// How many other names are tried in each smaller world.
const RENAMINGS_MAX: usize = 200;

/// How hard to try.
#[derive(Clone, Copy, Debug)]
pub struct ShrinkOptions {
    /// How many steps all candidates together may take, and how many events fresh seeds.
    pub steps_max: u64,
    /// How many states the checker may generate to find a shortest run; 0 leaves it out.
    pub states_max: usize,
}

impl Default for ShrinkOptions {
    fn default() -> Self {
        ShrinkOptions { steps_max: 1_000_000, states_max: 400_000 }
    }
}

/// How large a run is; of two runs the smaller one has fewer faults, then fewer calls, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Size {
    /// Faults that happen.
    pub faults: usize,
    /// Calls that are made.
    pub calls: usize,
    /// Client programs.
    pub processes: u32,
    /// Nodes.
    pub nodes: u32,
    /// Steps, the start left out; a unit of time that passes is one, as it is for the checker.
    pub steps: usize,
    /// Ticks that pass, and how far chance and clocks go beyond the least.
    pub numbers: u64,
}

impl Size {
    /// The size of a run of a world with these numbers.
    pub fn of<P: Checkable>(numbers: &Numbers, actions: &[Action<P>]) -> Size {
        let count = |wanted: fn(&Action<P>) -> bool| actions.iter().filter(|a| wanted(a)).count();
        let steps = actions.iter().map(|action| match action.did {
            Happening::Start => 0,
            Happening::Tick(ticks) => ticks.div_ceil(numbers.scale.max(1)) as usize,
            _ => 1,
        });
        let ticks = actions.iter().map(|action| match action.did {
            Happening::Tick(ticks) => ticks,
            Happening::Jump(_, by) => by.unsigned_abs(),
            _ => action.draws.iter().sum(),
        });
        Size {
            faults: count(Action::is_fault),
            calls: count(|action| matches!(action.did, Happening::Call(..))),
            processes: numbers.clients,
            nodes: numbers.nodes,
            steps: steps.sum(),
            numbers: ticks.map(u64::from).sum::<u64>() + assumptions(numbers),
        }
    }
}

/// How much the world may do that the run need not use.
fn assumptions(numbers: &Numbers) -> u64 {
    let Numbers { drift, pause, patience, skew, jump, horizon, calls, .. } = numbers;
    [drift, pause, patience, skew, jump, horizon, calls].into_iter().map(|n| u64::from(*n)).sum()
}

/// A run that breaks something.
#[derive(Debug)]
pub struct Broken<P: Checkable> {
    /// The numbers of its world.
    pub numbers: Numbers,
    /// Its actions, the start first.
    pub actions: Vec<Action<P>>,
    /// What the last of them breaks.
    pub violation: Violation,
}

/// What shrinking came to.
#[derive(Debug)]
pub struct Shrunk<P: Checkable> {
    /// The smallest run that was found by leaving things out.
    pub smallest: Broken<P>,
    /// The size of the run before.
    pub before: Size,
    /// Its size after.
    pub after: Size,
    /// How many candidates were followed.
    pub tried: u64,
    /// Whether the budget of steps ran out before nothing more could be left out.
    pub gave_up: bool,
}

/// Why a trace can't be shrunk.
#[derive(Debug, thiserror::Error)]
pub enum Unshrinkable {
    /// It can't be replayed.
    #[error(transparent)]
    Trace(#[from] BadTrace),
    /// It breaks nothing.
    #[error("the trace breaks nothing, so there is nothing to shrink")]
    NothingBroken,
}

/// Shrinks a trace of a world with these numbers.
///
/// `nodes_min` is the least number of nodes with which the scenario makes sense.
///
/// # Errors
/// If the trace is not one of the scenario's, or breaks nothing.
pub fn shrink<P: Checkable>(
    build: &dyn Fn(&Numbers) -> Arc<Setup<P>>,
    numbers: &Numbers,
    words: &[String],
    nodes_min: u32,
    options: ShrinkOptions,
) -> Result<Shrunk<P>, Unshrinkable> {
    let setup = build(numbers);
    let replayed = trace::replay(&setup, words)?;
    let actions = replayed.actions();
    let mut violation = replayed.violation;
    if violation.is_none() {
        let end = &replayed.path.last().expect("a path has an end").0;
        violation = calls_that_hang(end);
    }
    let violation = violation.ok_or(Unshrinkable::NothingBroken)?;
    let before = Size::of(numbers, &actions);
    let broken = Broken { numbers: numbers.clone(), actions, violation };
    let mut shrinker = Shrinker::of(build, nodes_min, broken, options.steps_max);
    shrinker.shrink();
    let gave_up = shrinker.steps_left == 0;
    shrinker.afresh(numbers.scale, options.steps_max);
    shrinker.ticks_apart();
    let after = shrinker.size();
    Ok(Shrunk { smallest: shrinker.best, before, after, tried: shrinker.tried, gave_up })
}

/// A shortest run that breaks the same property in the same world, by the checker; `None` if the
/// world is too large for it.
pub fn shortest<P: Checkable>(
    setup: &Arc<Setup<P>>,
    property: &str,
    options: ShrinkOptions,
) -> Option<Broken<P>> {
    if options.states_max == 0 {
        return None;
    }
    let states_max = Some(options.states_max);
    let found = check::check(setup, CheckOptions { states_max, ..CheckOptions::default() });
    match found.verdict {
        Verdict::Violated(violation) if violation.property == property => {
            let numbers = setup.numbers.clone();
            Some(Broken { numbers, actions: found.trace, violation })
        }
        _ => None,
    }
}

/// The open calls that don't return once all has healed.
fn calls_that_hang<P: Checkable>(world: &World<P>) -> Option<Violation> {
    let open: Vec<_> = world.system.programs.iter().filter_map(|program| program.open).collect();
    if open.is_empty() || !world.system.setup.finishes {
        return None;
    }
    let rest = world.settle(ROUNDS_TO_RETURN)?;
    let hangs = rest.system.programs.iter().filter_map(|program| program.open);
    let hangs: Vec<_> = hangs.map(|(call, node)| format!("{call} is open at {node}")).collect();
    (!hangs.is_empty()).then(|| Violation::new(CALLS_RETURN, hangs.join(", ")))
}

struct Shrinker<'a, P: Checkable> {
    build: &'a dyn Fn(&Numbers) -> Arc<Setup<P>>,
    nodes_min: u32,
    property: String,
    setup: Arc<Setup<P>>,
    examiner: Examiner<P>,
    /// The worlds of the best run, one after each action; empty until there is a first candidate.
    worlds: Vec<World<P>>,
    best: Broken<P>,
    /// Whether messages may arrive that are not in a candidate, where a call waits for them.
    detours: bool,
    tried: u64,
    steps_left: u64,
}

/// A candidate that was followed to where it breaks the property.
struct Followed<P: Checkable> {
    actions: Vec<Action<P>>,
    worlds: Vec<World<P>>,
    violation: Violation,
}

impl<'a, P: Checkable> Shrinker<'a, P> {
    fn of(
        build: &'a dyn Fn(&Numbers) -> Arc<Setup<P>>,
        nodes_min: u32,
        best: Broken<P>,
        steps_left: u64,
    ) -> Self {
        let setup = build(&best.numbers);
        Shrinker {
            build,
            nodes_min,
            property: best.violation.property.clone(),
            examiner: Examiner::new(&setup),
            setup,
            worlds: Vec::new(),
            best,
            detours: false,
            tried: 0,
            steps_left,
        }
    }

    fn size(&self) -> Size {
        Size::of(&self.best.numbers, &self.best.actions)
    }

    fn shrink(&mut self) {
        self.cut_to_the_violation();
        self.coarser_time();
        // Candidates cost as many steps as they are long, so a long run first loses large parts.
        self.leave_out(|action| !action.is_fault() && !is_call(action), COARSE);
        self.leave_out(|_| true, COARSE);
        loop {
            let before = self.size();
            self.smaller_world();
            self.leave_out(Action::is_fault, usize::MAX);
            self.leave_out(is_call, usize::MAX);
            self.leave_out(|_| true, usize::MAX);
            self.earlier_calls();
            self.smaller_values();
            self.fewer_names();
            if self.steps_left == 0 || self.size() == before {
                return;
            }
        }
    }

    /// Fresh seeds of smaller worlds, with ticks as fine as they were.
    fn afresh(&mut self, scale: u32, events_left: u64) {
        let mut fresh = afresh::Fresh { seed: 0, events_left, in_vain: 0 };
        while fresh.goes_on() && self.elsewhere(scale, &mut fresh) {}
    }

    /// Runs a few seeds of each smaller world. What fails and shrinks to less than what there is
    /// takes its place; the worlds of the next round are smaller still. Says whether there are any.
    fn elsewhere(&mut self, scale: u32, fresh: &mut afresh::Fresh) -> bool {
        let before = fresh.seed;
        for world in afresh::smaller_worlds(&self.best.numbers, &self.size(), self.nodes_min) {
            let world = Numbers { scale, ..world };
            for _ in 0..afresh::SEEDS {
                if !fresh.goes_on() {
                    return true;
                }
                self.tried += 1;
                let Some(run) = fresh.run(self.build, &world, &self.property) else { continue };
                let mut other = Shrinker::of(self.build, self.nodes_min, run, fresh.events_left);
                other.shrink();
                self.tried += other.tried;
                fresh.events_left = other.steps_left;
                fresh.in_vain += 1;
                // A run that can't be followed to where it breaks the property has no worlds.
                if !other.worlds.is_empty() && other.size() < self.size() {
                    *self = Shrinker { tried: self.tried, steps_left: self.steps_left, ..other };
                    fresh.in_vain = 0;
                    return true;
                }
            }
        }
        fresh.seed > before
    }

    /// The same run with a step for each tick, as the checker's have it.
    fn ticks_apart(&mut self) {
        let apart = |action: &Action<P>| match action.did {
            Happening::Tick(ticks) => vec![Happening::Tick(1).into(); ticks as usize],
            _ => vec![action.clone()],
        };
        if self.best.numbers.scale == 1 {
            let run: Vec<_> = self.best.actions.iter().flat_map(apart).collect();
            self.steps_left += run.len() as u64;
            if let Some(followed) = self.follow(&self.setup.clone(), &run, 0) {
                self.accept(followed);
            }
        }
    }

    /// The run itself as a candidate: whatever comes after the violation goes.
    fn cut_to_the_violation(&mut self) {
        let whole = self.best.actions.clone();
        if let Some(followed) = self.follow(&self.setup.clone(), &whole, 0) {
            self.accept(followed);
        }
    }

    fn accept(&mut self, followed: Followed<P>) {
        self.best.numbers = self.setup.numbers.clone();
        self.best.actions = followed.actions;
        self.best.violation = followed.violation;
        self.worlds = followed.worlds;
    }

    /// A trace in the same world, if it is smaller.
    fn attempt(&mut self, wanted: &[Action<P>]) -> bool {
        let shared = self.best.actions.iter().zip(wanted).take_while(|(a, b)| a == b).count();
        let shared = shared.min(self.worlds.len());
        let setup = Arc::clone(&self.setup);
        match self.follow(&setup, wanted, shared) {
            Some(followed) if self.is_smaller(&setup.numbers, &followed.actions) => {
                self.accept(followed);
                true
            }
            _ => false,
        }
    }

    /// A trace in another world, if it is smaller.
    fn attempt_in(&mut self, numbers: &Numbers, wanted: &[Action<P>]) -> bool {
        let setup = (self.build)(numbers);
        self.moves_to(&setup, Size::lt, |it| it.follow(&setup, wanted, 0))
    }

    /// Moves to another world, if what is followed there breaks the property and is small enough.
    fn moves_to(
        &mut self,
        setup: &Arc<Setup<P>>,
        small_enough: fn(&Size, &Size) -> bool,
        follow: impl FnOnce(&mut Self) -> Option<Followed<P>>,
    ) -> bool {
        let examiner = std::mem::replace(&mut self.examiner, Examiner::new(setup));
        let followed = follow(self).filter(|followed| {
            small_enough(&Size::of(&setup.numbers, &followed.actions), &self.size())
        });
        let Some(followed) = followed else {
            self.examiner = examiner;
            return false;
        };
        self.setup = Arc::clone(setup);
        self.accept(followed);
        true
    }

    fn is_smaller(&self, numbers: &Numbers, actions: &[Action<P>]) -> bool {
        Size::of(numbers, actions) < self.size()
    }

    /// Follows a trace leniently to where it breaks the property; its first `shared` actions are
    /// those of the best run.
    fn follow(
        &mut self,
        setup: &Arc<Setup<P>>,
        wanted: &[Action<P>],
        shared: usize,
    ) -> Option<Followed<P>> {
        let clients = self.setup.numbers.clients;
        let begun = match shared {
            0 => vec![follow::start(setup, &wanted.first()?.draws)],
            _ => self.worlds.iter().cloned().zip(wanted.iter().cloned()).take(shared).collect(),
        };
        let detours = self.detours;
        let by_action = |world: &World<P>, n: usize, steps_left: &mut u64| {
            let step = |world: &World<P>| near(world, &wanted[n], clients);
            match step(world) {
                Some(action) => vec![action],
                None if detours && caller_waits(world, &wanted[n], clients) => {
                    follow::detour(world, step, steps_left)
                }
                None => Vec::new(),
            }
        };
        self.follow_from(begun, shared.max(1)..wanted.len(), by_action)
    }

    /// Goes on from a run that has begun, by the steps that `pick` finds for these numbers.
    fn follow_from(
        &mut self,
        begun: Vec<(World<P>, Action<P>)>,
        rest: Range<usize>,
        pick: impl Fn(&World<P>, usize, &mut u64) -> Vec<Action<P>>,
    ) -> Option<Followed<P>> {
        self.tried += 1;
        let (mut worlds, mut actions): (Vec<_>, Vec<_>) = begun.into_iter().unzip();
        for n in rest {
            self.steps_left = self.steps_left.checked_sub(1)?;
            let world = worlds.last().expect("there is a start");
            for action in pick(world, n, &mut self.steps_left) {
                let world = worlds.last().expect("there is a start");
                let next = world.after(&action).expect("an enabled action can be done");
                let broken = self.examiner.so_far(&next);
                actions.push(action);
                worlds.push(next);
                if let Some(violation) = broken {
                    let same = violation.property == self.property;
                    return same.then_some(Followed { actions, worlds, violation });
                }
            }
        }
        let end = worlds.last().expect("there is a start");
        let violation = if self.property == CALLS_RETURN {
            calls_that_hang(end)
        } else {
            self.examiner.at_rest(end)
        };
        let violation = violation.filter(|violation| violation.property == self.property)?;
        Some(Followed { actions, worlds, violation })
    }

    /// One tick a unit, with times floored.
    fn coarser_time(&mut self) {
        let scale = self.best.numbers.scale;
        if scale > 1 {
            let floored = at_scale_one(&self.best.actions, scale);
            self.attempt_in(&Numbers { scale: 1, ..self.best.numbers.clone() }, &floored);
        }
    }

    /// Budgets that are what the run spends, and fewer clients, calls, nodes and units of time.
    fn smaller_world(&mut self) {
        let spent = Numbers { faults: spent(&self.best), ..self.best.numbers.clone() };
        if spent != self.best.numbers {
            self.in_other_numbers(&spent);
        }
        self.lower(|n| &mut n.clients, 1);
        self.lower(|n| &mut n.calls, 1);
        self.lower(|n| &mut n.nodes, self.nodes_min);
        let times: [fn(&mut Numbers) -> &mut u32; 6] = [
            |n| &mut n.drift,
            |n| &mut n.skew,
            |n| &mut n.jump,
            |n| &mut n.pause,
            |n| &mut n.patience,
            |n| &mut n.horizon,
        ];
        for time in times {
            self.lower(time, 0);
        }
    }

    /// The same run in a world with other numbers. Where calls are fewer, they may be the last ones
    /// of each program, or all come first, or without the time that passed between.
    fn in_other_numbers(&mut self, numbers: &Numbers) -> bool {
        let run = self.best.actions.clone();
        if self.follow_in(numbers, &run) {
            return true;
        }
        let fewer = numbers.calls < self.best.numbers.calls;
        let ways = || [with_last_calls(&run, numbers), with_calls_first(&run), without_ticks(&run)];
        fewer && ways().iter().any(|way| self.follow_in(numbers, way))
    }

    /// Whether a run in a world with other numbers breaks the property, and is no larger.
    fn follow_in(&mut self, numbers: &Numbers, wanted: &[Action<P>]) -> bool {
        let setup = (self.build)(numbers);
        self.moves_to(&setup, Size::le, |it| it.follow(&setup, wanted, 0))
    }

    /// Lowers one number as far as the run allows: to the least, or by halves.
    fn lower(&mut self, number: fn(&mut Numbers) -> &mut u32, least: u32) {
        let mut numbers = self.best.numbers.clone();
        let (mut low, mut high) = (least, *number(&mut numbers));
        while low < high && self.steps_left > 0 {
            let middle = if low == least { low } else { low + (high - low) / 2 };
            *number(&mut numbers) = middle;
            if self.in_other_numbers(&numbers) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
    }

    /// Leaves out steps of a kind: first all of them, then halves, and so on into so many parts, or
    /// one by one; the last ones first, since what comes late depends on what comes early.
    fn leave_out(&mut self, kind: fn(&Action<P>) -> bool, parts: usize) {
        let indices = |actions: &[Action<P>]| -> Vec<usize> {
            (1..actions.len()).filter(|n| kind(&actions[*n])).collect()
        };
        let mut chunk = indices(&self.best.actions).len();
        let least = chunk.div_ceil(parts);
        while chunk > 0 && chunk >= least {
            let mut end = indices(&self.best.actions).len();
            while end > 0 && self.steps_left > 0 {
                let of_kind = indices(&self.best.actions);
                end = end.min(of_kind.len());
                let left_out = &of_kind[end.saturating_sub(chunk)..end];
                let numbered = self.best.actions.iter().enumerate();
                let kept = numbered.filter(|(n, _)| left_out.binary_search(n).is_err());
                let wanted: Vec<_> = kept.map(|(_, action)| action.clone()).collect();
                self.attempt(&wanted);
                end = end.saturating_sub(chunk);
            }
            chunk = if chunk == 1 { 0 } else { chunk.div_ceil(2) };
        }
    }

    /// Leaves out a few calls of one program in a row, wherever they are and however many: since it
    /// makes its calls in order, it then makes the earlier ones where it made the later ones. What
    /// these wait for may come another way.
    fn earlier_calls(&mut self) {
        let clients = self.best.numbers.clients;
        if self.best.actions.len() > SHORT {
            return;
        }
        self.detours = true;
        for program in 0..clients {
            let calls = |run: &[Action<P>]| -> Vec<usize> {
                (0..run.len()).filter(|n| caller(&run[*n], clients) == Some(program)).collect()
            };
            for few in (1..=calls(&self.best.actions).len()).rev() {
                let mut from = 0;
                while let Some(row) = calls(&self.best.actions).get(from..from + few) {
                    let numbered = self.best.actions.iter().cloned().enumerate();
                    let kept = numbered.filter(|(n, _)| !row.contains(n));
                    let wanted: Vec<_> = kept.map(|(_, action)| action).collect();
                    from += usize::from(!self.attempt(&wanted));
                }
            }
        }
        self.detours = false;
    }

    /// The same run by fewer programs at fewer nodes, under other names.
    fn fewer_names(&mut self) {
        let numbers = self.best.numbers.clone();
        if self.best.actions.len() > SHORT {
            return;
        }
        let trace: Vec<String> = self.best.actions.iter().map(Action::to_string).collect();
        let cast = Cast::of(&trace, numbers.clients);
        let callers = u32::try_from(cast.callers.len()).unwrap_or(numbers.clients);
        let fewest = callers.clamp(1, numbers.clients);
        for clients in fewest..=numbers.clients {
            for nodes in self.nodes_min..=numbers.nodes {
                let fewer = Numbers { clients, nodes, ..numbers.clone() };
                if fewer != numbers && self.under_other_names(&fewer, &trace, &cast) {
                    return;
                }
            }
        }
    }

    /// Tries other names in a world with these numbers, until the run gets smaller by some.
    fn under_other_names(&mut self, numbers: &Numbers, trace: &[String], cast: &Cast) -> bool {
        let setup = (self.build)(numbers);
        if setup.numbers != *numbers || setup.fits().is_err() {
            return false;
        }
        let (world, _) = follow::start(&setup, &self.best.actions[0].draws);
        let calls = world.actions().into_iter().filter_map(|action| match action.did {
            Happening::Call(call, node, _) => Some((call.process.0.into(), node.0.into())),
            _ => None,
        });
        let homes: BTreeMap<u32, u32> = calls.collect();
        let clients = (self.setup.numbers.clients, numbers.clients);
        for names in cast.renamings(&homes, numbers.nodes, RENAMINGS_MAX) {
            let steps = trace.iter().skip(1).filter_map(|step| names.rename(step, clients));
            let wanted: Vec<String> = steps.collect();
            if self.attempt_by_words(&setup, &wanted) {
                return true;
            }
        }
        false
    }

    /// A trace in words in another world, if it is smaller.
    fn attempt_by_words(&mut self, setup: &Arc<Setup<P>>, wanted: &[String]) -> bool {
        let clients = setup.numbers.clients;
        let by_words = |world: &World<P>, n: usize, _: &mut u64| {
            let wish = follow::Wish { words: &wanted[n], clients };
            follow::nearest(world, &wish).into_iter().collect()
        };
        let begun = vec![follow::start(setup, &self.best.actions[0].draws)];
        self.moves_to(setup, Size::lt, |it| it.follow_from(begun, 0..wanted.len(), by_words))
    }

    /// Fewer ticks, the first values that chance may draw, jumps by one.
    fn smaller_values(&mut self) {
        for n in 0..self.best.actions.len() {
            let Some(action) = self.best.actions.get(n).cloned() else { return };
            let smaller = match action.did {
                Happening::Tick(ticks) if ticks > 1 => {
                    vec![Happening::Tick(1).into(), Happening::Tick(ticks / 2).into()]
                }
                Happening::Jump(node, by) if by.abs() > 1 => {
                    vec![Happening::Jump(node, by.signum()).into()]
                }
                _ if action.draws.iter().any(|draw| *draw > 0) => {
                    vec![Action { draws: vec![0; action.draws.len()], ..action }]
                }
                _ => Vec::new(),
            };
            for action in smaller {
                let mut wanted = self.best.actions.clone();
                wanted[n] = action;
                if self.attempt(&wanted) {
                    break;
                }
            }
        }
    }
}

fn is_call<P: Checkable>(action: &Action<P>) -> bool {
    matches!(action.did, Happening::Call(..))
}

/// Whether a call can't be made because the one before it is still open.
fn caller_waits<P: Checkable>(world: &World<P>, wish: &Action<P>, clients: u32) -> bool {
    let programs = &world.system.programs;
    let program = caller(wish, clients).and_then(|program| programs.get(program as usize));
    program.is_some_and(|program| program.open.is_some())
}

/// The program that makes a call.
fn caller<P: Checkable>(action: &Action<P>, clients: u32) -> Option<u32> {
    match action.did {
        Happening::Call(call, ..) => Some(u32::from(call.process.0) % clients.max(1)),
        _ => None,
    }
}

/// A run with no more than the last calls of each program.
fn with_last_calls<P: Checkable>(run: &[Action<P>], numbers: &Numbers) -> Vec<Action<P>> {
    let mut left: BTreeMap<u32, u32> = BTreeMap::new();
    let mut kept: Vec<_> = run.iter().rev().cloned().collect();
    kept.retain(|action| {
        let Some(program) = caller(action, numbers.clients) else { return true };
        let left = left.entry(program).or_insert(numbers.calls);
        let stays = *left > 0;
        *left = left.saturating_sub(1);
        stays
    });
    kept.reverse();
    kept
}

/// A run that begins with its calls.
fn with_calls_first<P: Checkable>(run: &[Action<P>]) -> Vec<Action<P>> {
    let mut moved = run.to_vec();
    moved.sort_by_key(|action| (!matches!(action.did, Happening::Start), !is_call(action)));
    moved
}

/// A run in which no time passes.
fn without_ticks<P: Checkable>(run: &[Action<P>]) -> Vec<Action<P>> {
    let ticks = |action: &&Action<P>| !matches!(action.did, Happening::Tick(_));
    run.iter().filter(ticks).cloned().collect()
}

/// The enabled action that is this one, or the nearest of its relations.
fn near<P: Checkable>(world: &World<P>, wish: &Action<P>, clients: u32) -> Option<Action<P>> {
    if !matches!(wish.did, Happening::Tick(_)) && world.actions().contains(wish) {
        return Some(wish.clone());
    }
    follow::nearest(world, &follow::Wish { words: &wish.to_string(), clients })
}

/// The faults that a run spends.
fn spent<P: Checkable>(run: &Broken<P>) -> Faults {
    let mut faults = Faults::default();
    for action in &run.actions {
        match &action.did {
            Happening::Lose(..) => faults.losses += 1,
            Happening::Duplicate(..) => faults.duplicates += 1,
            Happening::Partition(_) => faults.partitions += 1,
            Happening::Crash(_, loses) => {
                faults.crashes += 1;
                faults.lost_saves += u32::from(*loses);
            }
            Happening::Pause(_) => faults.pauses += 1,
            Happening::Jump(..) => faults.jumps += 1,
            Happening::Cancel(_) => faults.cancels += 1,
            _ => {}
        }
        if let Some(torn) = action.torn {
            faults.crashes += 1;
            faults.torn += 1;
            faults.lost_saves += u32::from(torn.loses_saves);
        }
    }
    // Who has not joined yet is no part of the run; there is no smaller number to be had.
    Faults { joins: run.numbers.faults.joins, ..faults }
}
