//! A scenario's numbers: its size, its clocks and its fault budgets; all that `--set` can change.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::cut::CutKind;

/// How clocks run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clocks {
    /// Anything that waits may wait for any time: there are no ticks.
    #[default]
    Asynchronous,
    /// A timer of length `L` takes exactly `L`.
    Perfect,
    /// A timer of length `L` takes between `L - drift` and `L + drift`.
    Bounded,
}

/// What a partition does to the messages that are in flight on a cut link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InFlight {
    /// They wait until the partition heals, as do those sent meanwhile.
    #[default]
    Held,
    /// They are lost, as are those sent meanwhile.
    Dropped,
    /// They still arrive; those sent meanwhile are lost.
    Delivered,
}

/// The fault budgets: how many of each kind may happen, and how strong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Faults {
    /// Messages lost.
    pub losses: u32,
    /// Messages duplicated.
    pub duplicates: u32,
    /// Partitions, one at a time.
    pub partitions: u32,
    /// Crashes.
    pub crashes: u32,
    /// How many of the crashes may tear a step.
    pub torn: u32,
    /// How many of the crashes may lose the unsynced saves.
    pub lost_saves: u32,
    /// Pauses.
    pub pauses: u32,
    /// Jumps of a node's clock, each by at most `jump` units.
    pub jumps: u32,
    /// Calls given up by their process.
    pub cancels: u32,
    /// Nodes that join late.
    pub joins: u32,
}

impl Faults {
    /// Every budget with its name.
    pub fn budgets(&self) -> [(&'static str, u32); 10] {
        [
            ("losses", self.losses),
            ("duplicates", self.duplicates),
            ("partitions", self.partitions),
            ("crashes", self.crashes),
            ("torn", self.torn),
            ("lost_saves", self.lost_saves),
            ("pauses", self.pauses),
            ("jumps", self.jumps),
            ("cancels", self.cancels),
            ("joins", self.joins),
        ]
    }
}

/// All numbers of a scenario. Times are in the scenario's units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// Nodes, those that join late included.
    pub nodes: u32,
    /// Client programs.
    pub clients: u32,
    /// Calls that each program makes.
    pub calls: u32,
    /// Ticks a unit.
    pub scale: u32,
    /// How timers run.
    pub clocks: Clocks,
    /// By how much a timer may be off, under bounded clocks.
    pub drift: u32,
    /// The bounds of a message's delay, if there are any.
    pub delay: Option<(u32, u32)>,
    /// The longest pause, where there are ticks.
    pub pause: u32,
    /// How long a process waits before it may give a call up, where there are ticks.
    pub patience: u32,
    /// Node clocks differ by at most this at the start.
    pub skew: u32,
    /// A node's clock jumps by at most this.
    pub jump: u32,
    /// When node clocks stop.
    pub horizon: u32,
    /// What a partition does to messages in flight.
    pub in_flight: InFlight,
    /// The kinds of partition.
    pub cuts: Vec<CutKind>,
    /// The fault budgets.
    #[serde(flatten)]
    pub faults: Faults,
}

impl Default for Numbers {
    fn default() -> Self {
        Numbers {
            nodes: 3,
            clients: 2,
            calls: 1,
            scale: 1,
            clocks: Clocks::Asynchronous,
            drift: 0,
            delay: None,
            pause: 0,
            patience: 0,
            skew: 0,
            jump: 0,
            horizon: 0,
            in_flight: InFlight::Held,
            cuts: vec![CutKind::Isolate],
            faults: Faults::default(),
        }
    }
}

/// A setting that can't be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadNumber {
    /// It has no `=`.
    #[error("`{0}` is not of the form key=value")]
    Form(String),
    /// No number has this name.
    #[error("there is no number `{0}`; there are: {1}")]
    Unknown(String, String),
    /// The scenario decides this number itself.
    #[error("`{key}={asked}` can't be had: the scenario makes it {made}")]
    Decided {
        /// The number.
        key: String,
        /// What was asked for.
        asked: String,
        /// What the scenario makes of it.
        made: String,
    },
    /// The numbers don't go together.
    #[error("with these numbers there is no such world: {0}")]
    Together(String),
    /// The value is of the wrong kind or out of range.
    #[error("`{value}` is no value for `{key}`: {reason}")]
    Value {
        /// The number.
        key: String,
        /// What was given.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Numbers {
    /// Sets one number from `key=value`, the value as in JSON or as a bare word.
    ///
    /// # Errors
    /// If there is no such number, or the value is of the wrong kind or out of range.
    pub fn set(&mut self, setting: &str) -> Result<(), BadNumber> {
        let (key, value) =
            setting.split_once('=').ok_or_else(|| BadNumber::Form(setting.to_owned()))?;
        let bad = |reason: String| BadNumber::Value {
            key: key.to_owned(),
            value: value.to_owned(),
            reason,
        };
        let mut table = serde_json::to_value(&*self).expect("numbers are plain values");
        let table = table.as_object_mut().expect("numbers are a table");
        if !table.contains_key(key) {
            let known = table.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(BadNumber::Unknown(key.to_owned(), known));
        }
        let parsed = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        table.insert(key.to_owned(), parsed);
        let changed: Numbers = serde_json::from_value(table.clone().into())
            .map_err(|e| bad(e.to_string().trim_end_matches(" at line 0 column 0").to_owned()))?;
        changed.validate().map_err(bad)?;
        *self = changed;
        Ok(())
    }

    /// One number, as JSON.
    pub fn get(&self, key: &str) -> Option<serde_json::Value> {
        serde_json::to_value(self).expect("numbers are plain values").get(key).cloned()
    }

    /// Says what is wrong with the numbers, if anything is.
    ///
    /// # Errors
    /// In words.
    pub fn validate(&self) -> Result<(), String> {
        let at_most = |name: &str, number: u32, most: u32| {
            if number > most { Err(format!("{name} is at most {most}")) } else { Ok(()) }
        };
        if self.nodes == 0 || self.scale == 0 {
            return Err("it is at least 1".to_owned());
        }
        if self.delay.is_some_and(|(shortest, longest)| shortest > longest) {
            return Err("the shortest delay is longer than the longest".to_owned());
        }
        at_most("nodes", self.nodes, 64)?;
        at_most("clients", self.clients, 500)?;
        at_most("calls", self.calls, 10_000)?;
        at_most("scale", self.scale, 1_000_000)?;
        for (fault, budget) in self.faults.budgets() {
            at_most(fault, budget, 10_000)?;
        }
        if self.faults.joins >= self.nodes {
            return Err("some node must be there from the start: joins is below nodes".to_owned());
        }
        // A process that lost an open call is replaced by a new one, and all are numbered.
        let lives = 1 + self.faults.crashes + self.faults.cancels;
        if self.clients * lives > u32::from(u16::MAX) {
            return Err("clients times crashes and cancelled calls is too large".to_owned());
        }
        for (name, time) in [
            ("drift", self.drift),
            ("delay", self.delay.map_or(0, |(_, longest)| longest)),
            ("pause", self.pause),
            ("patience", self.patience),
            ("skew", self.skew),
            ("jump", self.jump),
            ("horizon", self.horizon),
        ] {
            at_most(name, time, 1_000_000)?;
            if u64::from(time) * u64::from(self.scale) > u64::from(u32::MAX / 4) {
                return Err(format!("{name} times scale is too large"));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Numbers {
    /// Only what differs from the default, as `key=value`, but always the size.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = |numbers: &Numbers| serde_json::to_value(numbers).expect("plain values");
        let (own, default) = (table(self), table(&Numbers::default()));
        let own = own.as_object().expect("numbers are a table");
        let size = ["nodes", "clients", "calls"];
        let shown = size.into_iter().chain(
            own.keys().map(String::as_str).filter(|k| !size.contains(k) && own[*k] != default[*k]),
        );
        let words = shown.map(|key| format!("{key}={}", own[key].to_string().replace('"', "")));
        f.write_str(&words.collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked() {
        let mut numbers = Numbers::default();
        numbers.set("crashes=2").unwrap();
        numbers.set("clocks=perfect").unwrap();
        numbers.set("delay=[1,3]").unwrap();
        numbers.set("cuts=[\"split\"]").unwrap();
        let expected =
            "nodes=3 clients=2 calls=1 clocks=perfect crashes=2 cuts=[split] delay=[1,3]";
        assert_eq!(numbers.to_string(), expected);
        for silly in
            ["crashes", "crash=1", "crashes=-1", "nodes=0", "nodes=65", "delay=[3,1]", "joins=3"]
        {
            assert!(numbers.clone().set(silly).is_err(), "{silly} was taken");
        }
    }
}
