//! What a person, or the admin listener, gets to see of a destination.

use std::sync::Arc;

use crate::config::Rate;
use crate::model::Timestamp;

/// A destination at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationReport {
    /// Its name.
    pub name: Arc<str>,
    /// Whether attempts are made.
    pub breaker: BreakerState,
    /// Since when that is so: since the start, or since it was added, where it never changed.
    pub since: Timestamp,
    /// Failed attempts in a row, failed probes included; 0 after one that was answered.
    pub consecutive_failures: u32,
    /// When the next probe may be made, where the breaker is open. It is made once a delivery is due.
    pub next_probe: Option<Timestamp>,
    /// Attempts under way, also those that were begun when more were allowed.
    pub in_flight: usize,
    /// How many may be.
    pub concurrency: usize,
    /// How many may be begun in a time; `None` for as many as come.
    pub rate: Option<Rate>,
}

/// The state of a destination's breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// Attempts are made as usual.
    Closed,
    /// One attempt is made, or will be once a delivery is due: what comes of it decides.
    HalfOpen,
    /// No attempts are made for a while.
    Open,
}

// === impl BreakerState ===

impl BreakerState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Closed, Self::HalfOpen, Self::Open];

    /// The word: in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }

    /// The value of the metric `hookswitch_breaker_state`.
    #[must_use]
    pub const fn as_number(self) -> i64 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }
}
