//! Could it happen within these bounds? A trace of a world without time says in which order things
//! happen. Bounds on clocks and delays say how far apart: a message arrives so long after it was
//! sent, a timer fires so long after it was armed, and neither waits beyond its bound. All of these
//! are differences of two times (Bellman, 1958): either there are times that keep them all, and the
//! trace is told once more with ticks between its steps; or some of the bounds contradict each
//! other, and they are named (a cycle of negative length).
//!
//! Times are whole ticks: if there is a solution, there is one in whole numbers. What is due at a
//! node that takes no inputs, or on a link that a partition holds, is due when that is over, so
//! some bounds are alternatives, and they are tried in turn. A message that the trace does not
//! deliver may arrive where nothing comes of it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::protocol::{Chance, Checkable, Delay, Input, Mark, NodeId, Outbox, Protocol};
use crate::world::{
    Action, Clocks, Happening, InFlight, Pending, Refused, Setup, Status, System, Tearing, World,
};

use super::verify::{Examiner, Violation};

/// That one time is at most so many ticks after another; below 0, that it is before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The one.
    pub later: usize,
    /// The other.
    pub earlier: usize,
    /// The ticks.
    pub most: i64,
    /// Why.
    pub why: String,
}

/// The earliest times that keep all bounds, the first of them 0; or bounds that contradict each
/// other, by their places.
///
/// # Errors
/// If there are no such times.
pub fn solve(times: usize, bounds: &[Bound]) -> Result<Vec<i64>, Vec<usize>> {
    let mut at = vec![0_i64; times];
    let mut raised_by: Vec<Option<usize>> = vec![None; times];
    let mut last = None;
    for _ in 0..=times {
        last = None;
        for (n, bound) in bounds.iter().enumerate() {
            let least = at[bound.later] - bound.most;
            if at[bound.earlier] < least {
                at[bound.earlier] = least;
                raised_by[bound.earlier] = Some(n);
                last = Some(bound.earlier);
            }
        }
        if last.is_none() {
            break;
        }
    }
    let Some(mut time) = last else {
        let first = at.first().copied().unwrap_or(0);
        return Ok(at.into_iter().map(|time| time - first).collect());
    };
    let cause = |time: usize| raised_by[time].expect("it was raised by a bound");
    for _ in 0..times {
        time = bounds[cause(time)].later;
    }
    let (mut cycle, begin) = (Vec::new(), time);
    while cycle.is_empty() || time != begin {
        cycle.push(cause(time));
        time = bounds[cause(time)].later;
    }
    Err(cycle)
}

/// What a search for times came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feasibility {
    /// It happens so.
    Possible(Timed),
    /// These bounds forbid it.
    Impossible(Vec<String>),
    /// There may be times, and none was found.
    Unknown(String),
}

/// A trace with its times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timed {
    /// The actions of the timed world, ticks and all.
    pub trace: Vec<String>,
    /// How many ticks each message and each timer took.
    pub took: Vec<(String, i64)>,
    /// What the trace breaks in the timed world.
    pub violation: Violation,
}

impl fmt::Display for Feasibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Feasibility::Possible(timed) => {
                let took = timed.took.iter().filter(|(_, ticks)| *ticks > 0);
                let took = took.map(|(what, ticks)| format!("{what} takes {ticks}"));
                let took = took.collect::<Vec<_>>().join("; ");
                let took = if took.is_empty() { "nothing takes any time".to_owned() } else { took };
                write!(f, "possible: {took}; broken: {}", timed.violation)
            }
            Feasibility::Impossible(why) => write!(f, "impossible: {}", why.join("; ")),
            Feasibility::Unknown(reason) => write!(f, "not known: {reason}"),
        }
    }
}

/// Something that waits.
#[derive(Clone, Debug)]
struct Wait<T> {
    what: T,
    born: usize,
    /// Since when it can happen, if it can.
    able: Option<usize>,
    least: i64,
    most: Option<i64>,
}

/// One of several sets of bounds has to be kept.
type Choice = Vec<Vec<Bound>>;

/// What waits, by the step in which it began, and the bounds so far.
struct Ledger<P: Protocol> {
    bounds: Arc<Setup<P>>,
    step: usize,
    flights: Vec<Wait<(NodeId, NodeId, P::Msg)>>,
    timers: Vec<Wait<(NodeId, P::Timer)>>,
    pauses: Vec<Wait<NodeId>>,
    called: Vec<Option<usize>>,
    choices: Vec<Choice>,
    /// What took from one step to another.
    took: Vec<(String, usize, usize)>,
}

/// So many combinations of alternatives are tried.
const TRIES: usize = 4_096;

impl<T> Wait<T> {
    /// That it is not overdue at a step.
    fn due(&self, step: usize, what: &str) -> Option<Choice> {
        let (most, able) = (self.most?, self.able?);
        let why = format!("{what} waits at most {most} from step {} on, to step {step}", self.born);
        let mut choice = vec![vec![Bound { later: step, earlier: self.born, most, why }]];
        if able > self.born {
            let why = format!("{what} happens at once when it can at step {able}");
            choice.push(vec![Bound { later: step, earlier: able, most: 0, why }]);
        }
        Some(choice)
    }

    /// That it does not happen too early at a step.
    fn ripe(&self, step: usize, what: &str) -> Bound {
        let why = format!("{what} takes at least {} from step {} on", self.least, self.born);
        Bound { later: self.born, earlier: step, most: -self.least, why }
    }
}

impl<P: Checkable> Ledger<P> {
    fn flight(flight: &(NodeId, NodeId, P::Msg)) -> String {
        format!("{:?} from {} to {}", flight.2, flight.0, flight.1)
    }

    fn timer(timer: &(NodeId, P::Timer)) -> String {
        format!("{}'s timer {:?}", timer.0, timer.1)
    }

    /// Something happens to what waited, in this step.
    fn ends<T>(&mut self, wait: &Wait<T>, what: &str, happens: bool) {
        self.choices.extend(wait.due(self.step, what));
        if happens {
            self.choices.push(vec![vec![wait.ripe(self.step, what)]]);
            self.took.push((what.to_owned(), wait.born, self.step));
        }
    }

    /// Takes the first such message, or the last.
    fn take(
        &mut self,
        flight: &(NodeId, NodeId, P::Msg),
        first: bool,
    ) -> Result<Wait<(NodeId, NodeId, P::Msg)>, Refused> {
        let is_it = |wait: &Wait<(NodeId, NodeId, P::Msg)>| wait.what == *flight;
        let found = match first {
            true => self.flights.iter().position(is_it),
            false => self.flights.iter().rposition(is_it),
        };
        let found = found.ok_or_else(|| Refused(format!("no {}", Self::flight(flight))))?;
        Ok(self.flights.remove(found))
    }

    fn take_timer(&mut self, timer: &(NodeId, P::Timer)) -> Option<Wait<(NodeId, P::Timer)>> {
        let found = self.timers.iter().position(|wait| wait.what == *timer)?;
        Some(self.timers.remove(found))
    }

    /// Notes what can happen after a step, and what can't any more.
    fn look(&mut self, system: &System<P>) {
        let up = |node: NodeId| system.node(node).status == Status::Up;
        let holds = system.setup.numbers.in_flight == InFlight::Held;
        let is_held = |from, to| holds && system.blocked(from, to);
        let step = self.step;
        let mut choices = Vec::new();
        for wait in &mut self.flights {
            let (from, to, _) = wait.what;
            let can = up(to) && !is_held(from, to);
            if !can && wait.able.is_some() {
                choices.extend(wait.due(step, &Self::flight(&wait.what)));
            }
            wait.able = can.then(|| wait.able.unwrap_or(step));
        }
        for wait in &mut self.timers {
            let can = up(wait.what.0);
            if !can && wait.able.is_some() {
                choices.extend(wait.due(step, &Self::timer(&wait.what)));
            }
            wait.able = can.then(|| wait.able.unwrap_or(step));
        }
        self.choices.append(&mut choices);
    }

    /// Does one step of a trace.
    fn act(&mut self, system: &mut System<P>, action: &Action<P>) -> Result<(), Refused> {
        use Happening::*;
        let mut outbox = Outbox::new(Chance::Listed(action.draws.clone()));
        let out = &mut outbox;
        let torn = action.torn.map_or(Tearing::Not, Tearing::At);
        match &action.did {
            Start => system.start(out, self),
            Tick(_) => return Err(Refused("the trace has ticks of its own".to_owned())),
            Deliver(from, to, msg) => {
                let flight = (*from, *to, msg.clone());
                let wait = self.take(&flight, true)?;
                self.ends(&wait, &Self::flight(&flight), true);
                system.step(*to, Input::Recv(*from, msg.clone()), torn, out, self);
            }
            Lose(from, to, msg) => {
                let flight = (*from, *to, msg.clone());
                let wait = self.take(&flight, false)?;
                self.ends(&wait, &Self::flight(&flight), false);
            }
            Duplicate(from, to, msg) => {
                let wait = self.take(&(*from, *to, msg.clone()), false)?;
                self.flights.extend([wait.clone(), wait]);
                self.flights.sort_by_key(|wait| wait.born);
            }
            Fire(node, timer) => {
                let timer = (*node, timer.clone());
                let wait = self.take_timer(&timer);
                let wait = wait.ok_or_else(|| Refused(format!("no {}", Self::timer(&timer))))?;
                self.ends(&wait, &Self::timer(&timer), true);
                system.step(*node, Input::Fired(timer.1), torn, out, self);
            }
            Call(call, node, op) => {
                let program = usize::from(call.process.0) % system.programs.len();
                system.call(program, (*node, op.clone()), torn, out, self);
            }
            Cancel(call) => {
                let program = usize::from(call.process.0) % system.programs.len();
                let least = i64::from(self.bounds.ticks(self.bounds.numbers.patience));
                if let Some(born) = self.called[program] {
                    let why = format!("{call} is given up after {least} at the earliest");
                    let bound = Bound { later: born, earlier: self.step, most: -least, why };
                    self.choices.push(vec![vec![bound]]);
                }
                system.cancel(program, torn, out, self);
            }
            Partition(cut) => {
                system.cut = Some(*cut);
                if system.setup.numbers.in_flight == InFlight::Dropped {
                    self.flights.retain(|wait| !system.blocked(wait.what.0, wait.what.1));
                }
            }
            Heal => system.cut = None,
            Crash(node, loses_saves) => system.crash(*node, *loses_saves, self),
            Restart(node) | Join(node) => drop(system.boot(*node, torn, out, self)),
            Pause(node) => self.pause(system, *node),
            Resume(node) => {
                system.resume(*node);
                self.resumed(*node);
            }
            Jump(node, by) => system.jump(*node, *by),
        }
        system.eager_calls(out, self);
        self.look(system);
        Ok(())
    }

    fn pause(&mut self, system: &mut System<P>, node: NodeId) {
        system.pause(node);
        let most = i64::from(self.bounds.ticks(self.bounds.numbers.pause));
        let most = (most > 0).then_some(most);
        let (born, able) = (self.step, Some(self.step));
        self.pauses.push(Wait { what: node, born, able, least: 0, most });
    }

    fn resumed(&mut self, node: NodeId) {
        if let Some(n) = self.pauses.iter().position(|wait| wait.what == node) {
            let wait = self.pauses.remove(n);
            self.ends(&wait, &format!("{node}'s pause"), false);
        }
    }
}

/// A message that the trace does not deliver arrives where nothing comes of it.
struct Arrival<P: Protocol> {
    /// Which choice this is part of, and which alternative of it.
    choice: (usize, usize),
    /// Its time.
    time: usize,
    /// The last step before which it may arrive.
    last: usize,
    action: Action<P>,
}

/// Looks for times at which a trace of `loose` happens in `tight`, which has the same scenario and
/// other bounds. Ticks in the trace are left out.
pub fn feasible<P: Checkable>(
    loose: &Arc<Setup<P>>,
    tight: &Arc<Setup<P>>,
    trace: &[Action<P>],
) -> Feasibility {
    let is_tick = |action: &&Action<P>| matches!(action.did, Happening::Tick(_));
    let trace: Vec<Action<P>> = trace.iter().filter(|action| !is_tick(action)).cloned().collect();
    let mut ledger = Ledger::new(tight);
    let mut system = System::new(Arc::clone(loose));
    for (step, action) in trace.iter().enumerate() {
        ledger.step = step;
        if let Err(refused) = ledger.act(&mut system, action) {
            return Feasibility::Unknown(refused.to_string());
        }
    }
    let Some(worlds) = worlds(loose, &trace) else {
        return Feasibility::Unknown("the trace can't be replayed".to_owned());
    };
    let (times, arrivals) = ledger.finish(&worlds);
    let after = |step: usize| Bound { later: step - 1, earlier: step, most: 0, why: String::new() };
    let mut bounds: Vec<Bound> = (1..trace.len()).map(after).collect();
    let (mut picked, mut tries) = (Vec::new(), TRIES);
    match search(times, &mut bounds, &ledger.choices, &mut picked, &mut tries) {
        Err(_) if tries == 0 => {
            Feasibility::Unknown(format!("{TRIES} combinations of alternatives were tried"))
        }
        Err(why) => Feasibility::Impossible(why),
        Ok(at) => {
            let is_picked = |arrival: &&Arrival<P>| picked[arrival.choice.0] == arrival.choice.1;
            let arrivals: Vec<_> = arrivals.iter().filter(is_picked).collect();
            let took = ledger.took.into_iter();
            let took = took.map(|(what, from, to)| (what, at[to] - at[from])).collect();
            match retell(tight, &trace, &at, &arrivals) {
                Ok((trace, violation)) => Feasibility::Possible(Timed { trace, took, violation }),
                Err(reason) => Feasibility::Unknown(reason),
            }
        }
    }
}

/// Times that keep all bounds, and one alternative of each choice.
fn search(
    times: usize,
    bounds: &mut Vec<Bound>,
    choices: &[Choice],
    picked: &mut Vec<usize>,
    tries: &mut usize,
) -> Result<Vec<i64>, Vec<String>> {
    let at = solve(times, bounds).map_err(|cycle| {
        let why = cycle.into_iter().map(|n| bounds[n].why.clone());
        why.filter(|why| !why.is_empty()).collect::<Vec<_>>()
    })?;
    let Some((choice, rest)) = choices.split_first() else { return Ok(at) };
    let (before, mut first) = (bounds.len(), None);
    for (n, alternative) in choice.iter().enumerate() {
        let is_forced = choice.len() == 1;
        if *tries == 0 {
            break;
        }
        *tries -= usize::from(!is_forced);
        bounds.extend_from_slice(alternative);
        picked.push(n);
        match search(times, bounds, rest, picked, tries) {
            Ok(at) => return Ok(at),
            Err(why) => drop(first.get_or_insert(why)),
        }
        picked.pop();
        bounds.truncate(before);
    }
    Err(first.unwrap_or_default())
}

/// The worlds of a trace, without time.
fn worlds<P: Checkable>(loose: &Arc<Setup<P>>, trace: &[Action<P>]) -> Option<Vec<World<P>>> {
    let (start, rest) = trace.split_first()?;
    let mut worlds = vec![World::started(loose, &start.draws)?.0];
    for action in rest {
        let next = worlds.last()?.after(action).ok()?;
        worlds.push(next);
    }
    Some(worlds)
}

/// Tells a trace with its times in the timed world: its actions, and what it breaks.
fn retell<P: Checkable>(
    tight: &Arc<Setup<P>>,
    trace: &[Action<P>],
    at: &[i64],
    arrivals: &[&Arrival<P>],
) -> Result<(Vec<String>, Violation), String> {
    let steps = trace.iter().enumerate().skip(1).map(|(n, action)| (n, 0, at[n], action));
    let mut events: Vec<_> = steps.collect();
    for arrival in arrivals {
        let time = at[arrival.time];
        let before = (0..=arrival.last).rev().find(|step| at[*step] <= time);
        events.push((before.unwrap_or(0), 1, time, &arrival.action));
    }
    events.sort_by_key(|(step, arrival, time, _)| (*step, *arrival, *time));
    let (mut world, start) =
        World::started(tight, &trace[0].draws).ok_or("the timed world starts otherwise")?;
    let (examiner, mut now) = (Examiner::new(tight), 0);
    let mut told = vec![start.to_string()];
    for (.., time, action) in events {
        let ticks = u32::try_from(time - now).map_err(|_| "time goes back".to_owned())?;
        if ticks > world.ticks_allowed() {
            return Err(format!("something is overdue before `{action}`"));
        }
        let ticks = ticks.min(world.ticks_left());
        if ticks > 0 {
            let tick = Action::from(Happening::Tick(ticks));
            world = world.after(&tick).map_err(|refused| refused.to_string())?;
            told.push(tick.to_string());
        }
        if !world.actions().contains(action) {
            return Err(format!("`{action}` is not enabled in the timed world"));
        }
        world = world.after(action).map_err(|refused| refused.to_string())?;
        told.push(action.to_string());
        now = time;
    }
    let violation = examiner.examine(&world);
    violation.map(|violation| (told, violation)).ok_or("nothing is broken in the end".to_owned())
}

impl<P: Checkable> Ledger<P> {
    fn new(bounds: &Arc<Setup<P>>) -> Self {
        Ledger {
            bounds: Arc::clone(bounds),
            step: 0,
            flights: Vec::new(),
            timers: Vec::new(),
            pauses: Vec::new(),
            called: vec![None; bounds.numbers.clients as usize],
            choices: Vec::new(),
            took: Vec::new(),
        }
    }

    /// That nothing is overdue at the end. Returns how many times there are, and the messages that
    /// may arrive though the trace does not deliver them.
    fn finish(&mut self, worlds: &[World<P>]) -> (usize, Vec<Arrival<P>>) {
        let (mut times, mut arrivals) = (worlds.len(), Vec::new());
        for wait in std::mem::take(&mut self.timers) {
            self.ends(&wait, &Self::timer(&wait.what), false);
        }
        for wait in std::mem::take(&mut self.pauses) {
            self.ends(&wait, &format!("{}'s pause", wait.what), false);
        }
        for wait in std::mem::take(&mut self.flights) {
            let what = Self::flight(&wait.what);
            let (Some(mut choice), Some(most)) = (wait.due(self.step, &what), wait.most) else {
                continue;
            };
            let (from, to, msg) = wait.what.clone();
            let action = Action::from(Happening::Deliver(from, to, msg));
            let runs =
                if wait.able == Some(wait.born) { idle(worlds, &wait, &action) } else { vec![] };
            for (first, last) in runs {
                let why = || format!("{what} arrives where nothing comes of it");
                let bound = |later, earlier, most| Bound { later, earlier, most, why: why() };
                let mut bounds = vec![bound(first, times, 0), wait.ripe(times, &what)];
                bounds.push(bound(times, wait.born, most));
                if last < self.step {
                    bounds.push(bound(times, last + 1, 0));
                }
                choice.push(bounds);
                let choice = (self.choices.len(), choice.len() - 1);
                arrivals.push(Arrival { choice, time: times, last, action: action.clone() });
                times += 1;
            }
            self.choices.push(choice);
        }
        (times, arrivals)
    }
}

/// From which steps to which nothing would come of a message that is in flight.
fn idle<P: Checkable>(
    worlds: &[World<P>],
    wait: &Wait<(NodeId, NodeId, P::Msg)>,
    action: &Action<P>,
) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (step, world) in worlds.iter().enumerate().skip(wait.born) {
        if world.actions().contains(action) {
            continue;
        }
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == step => *last = step,
            _ => runs.push((step, step)),
        }
    }
    runs
}

impl<P: Checkable> Pending<P> for Ledger<P> {
    fn sent(&mut self, from: NodeId, to: NodeId, msg: P::Msg) {
        let ticks = |units| i64::from(self.bounds.ticks(units));
        let (least, most) = match self.bounds.numbers.delay {
            _ if from == to => (0, Some(0)),
            Some((least, most)) => (ticks(least), Some(ticks(most))),
            None => (0, None),
        };
        let (born, able) = (self.step, None);
        self.flights.push(Wait { what: (from, to, msg), born, able, least, most });
    }

    fn armed(&mut self, node: NodeId, timer: P::Timer, delay: Delay) {
        self.disarmed(node, &timer);
        let numbers = &self.bounds.numbers;
        let drift = match numbers.clocks {
            Clocks::Bounded => i64::from(self.bounds.ticks(numbers.drift)),
            _ => 0,
        };
        let ticks = |units| i64::from(self.bounds.ticks(units));
        let least = (ticks(delay.lo) - drift).max(0);
        let most = Some(ticks(delay.hi) + drift);
        let (born, able) = (self.step, None);
        self.timers.push(Wait { what: (node, timer), born, able, least, most });
    }

    fn disarmed(&mut self, node: NodeId, timer: &P::Timer) {
        let timer = (node, timer.clone());
        if let Some(wait) = self.take_timer(&timer) {
            self.ends(&wait, &Self::timer(&timer), false);
        }
    }

    fn called(&mut self, program: usize) {
        self.called[program] = Some(self.step);
    }

    fn ended(&mut self, program: usize) {
        self.called[program] = None;
    }

    fn crashed(&mut self, node: NodeId) {
        let (gone, kept) =
            std::mem::take(&mut self.timers).into_iter().partition(|wait| wait.what.0 == node);
        self.timers = kept;
        let gone: Vec<_> = gone;
        gone.iter().for_each(|wait| self.ends(wait, &Self::timer(&wait.what), false));
        self.resumed(node);
    }

    fn marked(&mut self, _: NodeId, _: Mark) {}

    fn show_timers(&self, _: NodeId, _: &mut Outbox<P>) {}
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{RngCore, SeedableRng};

    use super::*;

    /// Whether some times from 0 to `most` keep all bounds.
    fn by_trying(times: usize, bounds: &[Bound], most: i64) -> bool {
        let keeps = |at: &[i64]| bounds.iter().all(|b| at[b.later] - at[b.earlier] <= b.most);
        let count = (most + 1).pow(times as u32);
        (0..count).any(|n| {
            let digit = |place: usize| n / (most + 1).pow(place as u32) % (most + 1);
            keeps(&(0..times).map(digit).collect::<Vec<_>>())
        })
    }

    #[test]
    fn random_bounds_are_solved_or_contradict_each_other() {
        let mut draw = ChaCha8Rng::seed_from_u64(8);
        let (mut solved, mut contradicted) = (0, 0);
        for _ in 0..2_000 {
            let times = 2 + draw.next_u32() as usize % 3;
            let many = 1 + draw.next_u32() as usize % (2 * times);
            let mut one = || {
                let [later, earlier] = [(); 2].map(|()| draw.next_u32() as usize % times);
                let most = i64::from(draw.next_u32() % 7) - 3;
                Bound { later, earlier, most, why: String::new() }
            };
            let bounds: Vec<Bound> = (0..many).map(|_| one()).collect();
            // A solution needs no more room than the bounds are long together.
            let possible = by_trying(times, &bounds, 9);
            match solve(times, &bounds) {
                Ok(at) => {
                    solved += 1;
                    assert!(bounds.iter().all(|b| at[b.later] - at[b.earlier] <= b.most));
                    assert!(possible, "{bounds:?}");
                }
                Err(cycle) => {
                    contradicted += 1;
                    let length: i64 = cycle.iter().map(|n| bounds[*n].most).sum();
                    assert!(length < 0, "a cycle of negative length forbids: {bounds:?}");
                    for (n, one) in cycle.iter().enumerate() {
                        let next = cycle[(n + 1) % cycle.len()];
                        assert_eq!(bounds[*one].later, bounds[next].earlier);
                    }
                    assert!(!possible, "{bounds:?}");
                }
            }
        }
        assert!(solved > 300 && contradicted > 300, "{solved} {contradicted}");
    }
}
