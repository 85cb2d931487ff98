//! Seeded walks: paths of the same model, one for each seed, by stateright's own rules. A walk
//! depends on its seed alone, since stateright lists actions in their order. What a walk breaks is
//! saved as its actions, in words, and made smaller by leaving actions out.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::ops::Range;
use std::path::Path;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};
use stateright::actor::ActorModelState;
use stateright::{Expectation, Model};

use crate::engine::progress;
use crate::engine::trace::BadTrace;

use super::{Acting, ActionOf, Actors, Past};

/// The version of walks that this crate writes and reads.
const VERSION: u64 = 1;

/// A path that a seed has drawn, or a smaller one that breaks the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk<T> {
    /// The seed.
    pub seed: u64,
    /// The property that it breaks, at its end.
    pub broken: Option<&'static str>,
    /// Its actions: stateright's `Path::from_actions` can go it.
    pub actions: Vec<T>,
}

/// What many walks have found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walked<T> {
    /// How many seeds.
    pub seeds: u64,
    /// How many steps.
    pub steps: u64,
    /// The properties of `sometimes` that were seen.
    pub seen: BTreeSet<&'static str>,
    /// The first seed that breaks a property.
    pub broken: Option<Walk<T>>,
}

/// A walk on disk.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    version: u64,
    seed: u64,
    broken: Option<String>,
    actions: Vec<String>,
}

impl<A: Acting, C, H: Past> Actors<A, C, H> {
    /// Walks by each of these seeds, at most so many steps, up to the first that breaks something.
    pub fn simulate(&self, seeds: Range<u64>, steps: usize) -> Walked<ActionOf<A>> {
        let mut walked = Walked { seeds: 0, steps: 0, seen: BTreeSet::new(), broken: None };
        for seed in seeds.take_while(|_| !progress::interrupted()) {
            let walk = self.walk(seed, steps, &mut walked.seen);
            walked.seeds += 1;
            walked.steps += walk.actions.len() as u64;
            if walk.broken.is_some() {
                walked.broken = Some(walk);
                break;
            }
        }
        walked
    }

    fn walk(
        &self,
        seed: u64,
        steps: usize,
        seen: &mut BTreeSet<&'static str>,
    ) -> Walk<ActionOf<A>> {
        let mut draw = ChaCha8Rng::seed_from_u64(seed);
        let mut walk = Walk { seed, broken: None, actions: Vec::new() };
        let mut starts = self.model.init_states();
        starts.retain(|start| Model::within_boundary(&self.model, start));
        let Some(mut system) = starts.pop() else { return walk };
        let mut judge = Judge::new(self);
        let mut actions = Vec::new();
        loop {
            walk.broken = judge.broken_by(&system, seen);
            if walk.broken.is_some() || walk.actions.len() >= steps {
                return walk;
            }
            self.model.actions(&system, &mut actions);
            let may_end = loop {
                if actions.is_empty() {
                    break true;
                }
                let n = ((u128::from(draw.next_u64()) * actions.len() as u128) >> 64) as usize;
                let action = actions.swap_remove(n);
                if let Some(next) = self.after(&system, &action) {
                    system = next;
                    walk.actions.push(action);
                    break false;
                }
            };
            if may_end {
                walk.broken = judge.never_met();
                return walk;
            }
            actions.clear();
        }
    }

    /// The state after an action that is enabled, unless it changes nothing or leaves the model.
    fn after(
        &self,
        system: &ActorModelState<A, H>,
        action: &ActionOf<A>,
    ) -> Option<ActorModelState<A, H>> {
        let next = self.model.next_state(system, action.clone());
        next.filter(|next| Model::within_boundary(&self.model, next))
    }

    /// A smaller walk that breaks the same: none of its actions can be left out. A walk that breaks
    /// a property of `eventually` stays as it is.
    pub fn shrink(&self, walk: &Walk<ActionOf<A>>) -> Walk<ActionOf<A>> {
        let mut smallest = walk.clone();
        let Some(broken) = walk.broken else { return smallest };
        let is_that = |other: &str| other == broken;
        let mut properties = self.model.properties.iter();
        let property = properties.find(|property| is_that(property.name));
        if property.is_none_or(|property| property.expectation != Expectation::Always) {
            return smallest;
        }
        let mut length = smallest.actions.len().next_power_of_two();
        while length > 0 {
            let before = smallest.actions.len();
            let mut begin = 0;
            while begin < smallest.actions.len() {
                let end = (begin + length).min(smallest.actions.len());
                let kept = smallest.actions[..begin].iter().chain(&smallest.actions[end..]);
                match self.follow(kept, broken) {
                    Some(actions) => smallest.actions = actions,
                    None => begin += length,
                }
            }
            length = if length == 1 && smallest.actions.len() < before { 1 } else { length / 2 };
        }
        smallest
    }

    /// The actions, among these, that could be taken until a property was broken.
    fn follow<'a>(
        &self,
        actions: impl Iterator<Item = &'a ActionOf<A>>,
        broken: &str,
    ) -> Option<Vec<ActionOf<A>>>
    where
        A: 'a,
    {
        let mut properties = self.model.properties.iter();
        let property = properties.find(|property| property.name == broken)?;
        let mut system = self.model.init_states().pop()?;
        let (mut taken, mut enabled) = (Vec::new(), Vec::new());
        for action in actions {
            enabled.clear();
            self.model.actions(&system, &mut enabled);
            let is_enabled = enabled.contains(action);
            let Some(next) = is_enabled.then(|| self.after(&system, action)).flatten() else {
                continue;
            };
            system = next;
            taken.push(action.clone());
            if !(property.condition)(&self.model, &system) {
                return Some(taken);
            }
        }
        None
    }

    /// Reads a walk of this model from a file.
    ///
    /// # Errors
    /// If the file can't be read, is malformed, or is no walk of this model.
    pub fn read_walk(&self, path: &Path) -> Result<Walk<ActionOf<A>>, BadTrace> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| BadTrace::Unreadable(file.clone(), error))?;
        let saved: Result<Saved, _> = serde_json::from_str(&text);
        let saved = saved.map_err(|error| BadTrace::Malformed {
            file: file.clone(),
            line: error.line(),
            reason: error.to_string(),
        })?;
        let malformed = |reason| Err(BadTrace::Malformed { file, line: 1, reason });
        if saved.version != VERSION {
            return malformed(format!("a walk of version {}, not {VERSION}", saved.version));
        }
        let mut names = self.model.properties.iter().map(|property| property.name);
        let broken = saved.broken.as_ref().map(|broken| names.find(|name| name == broken));
        let Some(broken) = broken.map_or(Some(None), |found| found.map(Some)) else {
            return malformed(format!("the model has no property {:?}", saved.broken));
        };
        let mut walk = Walk { seed: saved.seed, broken, actions: Vec::new() };
        let mut system = self.model.init_states().pop();
        for (step, words) in saved.actions.into_iter().enumerate() {
            let steps = system.iter().flat_map(|system| self.model.next_steps(system));
            let found = steps.into_iter().find(|(action, _)| format!("{action:?}") == words);
            let (action, next) = found.ok_or(BadTrace::Disabled { step, action: words })?;
            walk.actions.push(action);
            system = Some(next);
        }
        Ok(walk)
    }
}

impl<T: Debug> Walk<T> {
    /// Writes it to a file, which is replaced at once or not at all.
    ///
    /// # Errors
    /// If the folder or the file can't be written.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let actions = self.actions.iter().map(|action| format!("{action:?}")).collect();
        let broken = self.broken.map(str::to_owned);
        let saved = Saved { version: VERSION, seed: self.seed, broken, actions };
        let json = serde_json::to_string_pretty(&saved).expect("a walk is plain data");
        crate::report::replace_file(path, &(json + "\n"))
    }
}

/// Judges the states of one walk.
struct Judge<'a, A: Acting, C, H: Past> {
    actors: &'a Actors<A, C, H>,
    /// The last history, for which the properties that read no more were judged.
    history: Option<H>,
    /// For each property, whether its condition was ever met.
    is_met: Vec<bool>,
}

impl<'a, A: Acting, C, H: Past> Judge<'a, A, C, H> {
    fn new(actors: &'a Actors<A, C, H>) -> Self {
        Judge { actors, history: None, is_met: vec![false; actors.model.properties.len()] }
    }

    /// Which property a state breaks.
    fn broken_by(
        &mut self,
        system: &ActorModelState<A, H>,
        seen: &mut BTreeSet<&'static str>,
    ) -> Option<&'static str> {
        let Actors { model, by_history, .. } = self.actors;
        let is_known = self.history.as_ref() == Some(&system.history);
        for (n, property) in model.properties.iter().enumerate() {
            let name = property.name;
            let is_settled = match property.expectation {
                Expectation::Always => false,
                Expectation::Sometimes => seen.contains(name),
                Expectation::Eventually => self.is_met[n],
            };
            if is_settled || is_known && by_history.contains(name) {
                continue;
            }
            self.is_met[n] = (property.condition)(model, system);
            match property.expectation {
                Expectation::Always if !self.is_met[n] => return Some(name),
                Expectation::Sometimes if self.is_met[n] => drop(seen.insert(name)),
                _ => {}
            }
        }
        if !is_known {
            self.history = Some(system.history.clone());
        }
        None
    }

    /// Which property of `eventually` was never met, where the walk has come to an end.
    fn never_met(&self) -> Option<&'static str> {
        let mut properties = self.actors.model.properties.iter().zip(&self.is_met);
        let never = properties.find(|(property, is_met)| {
            property.expectation == Expectation::Eventually && !**is_met
        });
        never.map(|(property, _)| property.name)
    }
}
