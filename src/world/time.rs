//! Time left, as an interval of whole ticks.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How long something still waits: it may happen once `lo` is 0, and must before `hi` passes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Interval {
    /// At least so many ticks.
    pub lo: u32,
    /// At most so many ticks; `Interval::FOREVER` where there is no bound.
    pub hi: u32,
}

impl Interval {
    /// No bound.
    pub const FOREVER: u32 = u32::MAX;
    /// At any time, or never.
    pub const ANY_TIME: Interval = Interval { lo: 0, hi: Interval::FOREVER };
    /// Before the next tick.
    pub const AT_ONCE: Interval = Interval { lo: 0, hi: 0 };

    /// Whether it may happen now.
    pub fn ready(self) -> bool {
        self.lo == 0
    }

    /// Whether it must happen before the next tick.
    pub fn urgent(self) -> bool {
        self.hi == 0
    }

    /// After `ticks` ticks, not below 0.
    #[must_use]
    pub fn after(self, ticks: u32) -> Interval {
        let hi = if self.hi == Interval::FOREVER { self.hi } else { self.hi.saturating_sub(ticks) };
        Interval { lo: self.lo.saturating_sub(ticks), hi }
    }

    /// How many ticks still change this interval.
    pub fn life(self) -> u32 {
        if self.hi == Interval::FOREVER { self.lo } else { self.hi }
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hi {
            Interval::FOREVER => write!(f, "[{}, inf)", self.lo),
            hi => write!(f, "[{}, {hi}]", self.lo),
        }
    }
}
