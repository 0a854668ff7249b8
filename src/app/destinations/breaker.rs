//! The circuit breaker of a destination: a state machine. Pure: the time and the dice are arguments.
//!
//! | from | to | when |
//! | --- | --- | --- |
//! | closed | open, for `cool_down` | `failures` attempts in a row failed, or the failure rate is reached |
//! | closed | open, for that long | a 429 or a 503 asked for it by `Retry-After` |
//! | open | half-open | that time is over |
//! | half-open | closed | the probe was answered |
//! | half-open | open, for up to twice as long as before | the probe failed |
//!
//! Where it is open no attempts are made; where it is half-open, one at a time: the probe. A probe that comes to nothing
//! (its transform failed, nothing was due) leaves the place to another. An attempt that began in an earlier state ends
//! without a say: the state that it speaks of is over.

use std::time::Duration;

use tokio::time::Instant;

use super::health::Health;
use super::report::BreakerState;
use super::window::{Counts, Window};
use crate::model::Reason;
use crate::pipeline::deliver::BreakerPolicy;

/// The breaker of one destination.
#[derive(Debug)]
pub(super) struct Breaker {
    /// `None` where it is off: always closed.
    policy: Option<BreakerPolicy>,
    state: State,
    /// Counts the states.
    era: Era,
    /// Failed attempts in a row, failed probes included.
    failures: u32,
    lately: Window,
    /// Failed probes in a row.
    reopened: u32,
}

/// In which of its states a breaker is. An attempt, or a probe, belongs to the one in which it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Era(u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Open { until: Instant },
    HalfOpen { probing: bool },
}

/// Whether deliveries may be taken from the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// As many as there is room for.
    Open,
    /// One, as the probe, which is the asker's now.
    Probe(Era),
    /// None: not before then, or where that is not known not before the breaker changes.
    Shut(Option<Instant>),
}

/// The state changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It is open for so long.
    Opened(Cause, Duration),
    /// A probe may be made.
    HalfOpened,
    /// Attempts are made as usual.
    Closed,
}

/// Why it opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// So many attempts in a row failed, the last for this reason.
    InARow(u32, Reason),
    /// Too many of the attempts in the window failed, the last for this reason.
    Rate(Counts, Reason),
    /// A `Retry-After` asked for it.
    Asked(Reason),
    /// The probe failed for this reason.
    Probe(Reason),
}

/// The most that an instant is put off: beyond any process's life, and within what an instant can hold.
const MOST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

// === impl Breaker ===

impl Breaker {
    /// A closed one.
    pub(super) fn new(policy: Option<BreakerPolicy>) -> Self {
        let lately = Window::new(window(policy.as_ref()));
        Self { policy, state: State::Closed, era: Era::default(), failures: 0, lately, reopened: 0 }
    }

    pub(super) const fn state(&self) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// Failed attempts in a row.
    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }

    /// When it half-opens.
    pub(super) const fn open_until(&self) -> Option<Instant> {
        match self.state {
            State::Open { until } => Some(until),
            State::Closed | State::HalfOpen { .. } => None,
        }
    }

    /// Half-opens it where the time has come.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Change> {
        let State::Open { until } = self.state else { return None };
        (now >= until).then(|| self.go(State::HalfOpen { probing: false }, Change::HalfOpened))
    }

    /// Whether deliveries may be taken from the queue. To be asked after [`Breaker::poll`].
    pub(super) const fn gate(&mut self) -> Gate {
        match &mut self.state {
            State::Closed => Gate::Open,
            State::Open { until } => Gate::Shut(Some(*until)),
            State::HalfOpen { probing: true } => Gate::Shut(None),
            State::HalfOpen { probing } => {
                *probing = true;
                Gate::Probe(self.era)
            }
        }
    }

    /// Whether an attempt may begin: any where it is closed, else the probe alone. Then the era it belongs to.
    pub(super) fn admits(&self, probe: Option<Era>) -> Option<Era> {
        match self.state {
            State::Closed => Some(self.era),
            State::Open { .. } => None,
            State::HalfOpen { .. } => probe.filter(|era| *era == self.era),
        }
    }

    /// Whether a probe that is given back here is the one under way.
    pub(super) fn give_back(&mut self, era: Era) -> bool {
        let mine = era == self.era && self.state == State::HalfOpen { probing: true };
        if mine {
            self.state = State::HalfOpen { probing: false };
        }
        mine
    }

    /// Enters how an attempt ended. `dice` is uniform in 0.0 to 1.0.
    pub(super) fn record(&mut self, era: Era, health: Health, now: Instant, dice: f64) -> Option<Change> {
        if era != self.era {
            return None;
        }
        let policy = self.policy.as_ref()?.clone();
        match (self.state, health) {
            (State::Open { .. }, _) => None,
            (_, Health::Unknown) => {
                self.give_back(era);
                None
            }
            (State::HalfOpen { .. }, Health::Well) => Some(self.close()),
            (State::HalfOpen { .. }, Health::Failed(reason, asked)) => {
                Some(self.reopen(&policy, reason, asked, now, dice))
            }
            (State::Closed, Health::Well) => {
                self.failures = 0;
                self.count(&policy, false, now);
                None
            }
            (State::Closed, Health::Failed(reason, asked)) => self.failed(&policy, reason, asked, now),
        }
    }

    /// Takes other settings. It stays in its state, but not for longer than they say; off closes it.
    pub(super) fn configure(&mut self, policy: Option<BreakerPolicy>, now: Instant) -> Option<Change> {
        if policy == self.policy {
            return None;
        }
        if window(policy.as_ref()) != window(self.policy.as_ref()) {
            self.lately.clear(window(policy.as_ref()));
        }
        self.policy = policy;
        match (&self.policy, &mut self.state) {
            (None, State::Open { .. } | State::HalfOpen { .. }) => Some(self.close()),
            (Some(policy), State::Open { until }) => {
                *until = later(now, policy.max_cool_down).min(*until);
                None
            }
            (_, _) => None,
        }
    }

    /// What it opened for may be mended: it is tried now.
    pub(super) fn probe_now(&mut self, now: Instant) {
        if let State::Open { until } = &mut self.state {
            *until = now;
        }
    }

    /// Closes it, and forgets what it counted. No attempt under way has a say any more.
    pub(super) fn reset(&mut self) {
        self.close();
    }

    fn failed(
        &mut self,
        policy: &BreakerPolicy,
        reason: Reason,
        asked: Option<Duration>,
        now: Instant,
    ) -> Option<Change> {
        self.failures = self.failures.saturating_add(1);
        self.count(policy, true, now);
        if let Some(asked) = asked {
            return Some(self.open(Cause::Asked(reason), asked.min(policy.max_cool_down), now));
        }
        if self.failures >= policy.failures {
            return Some(self.open(Cause::InARow(self.failures, reason), policy.cool_down, now));
        }
        let rate = policy.rate?;
        let counts = self.lately.counts(now);
        let too_many = u64::from(counts.failed) * 100 >= u64::from(counts.attempts) * u64::from(rate.percent);
        (counts.attempts >= rate.min_attempts && too_many)
            .then(|| self.open(Cause::Rate(counts, reason), policy.cool_down, now))
    }

    /// Twice as long as before, at most `max_cool_down`; between half of that and all of it, so that many gateways do
    /// not come at once, and never sooner than `cool_down`.
    fn reopen(
        &mut self,
        policy: &BreakerPolicy,
        reason: Reason,
        asked: Option<Duration>,
        now: Instant,
        dice: f64,
    ) -> Change {
        self.failures = self.failures.saturating_add(1);
        self.reopened = self.reopened.saturating_add(1);
        let most = 1_u32
            .checked_shl(self.reopened)
            .and_then(|factor| policy.cool_down.checked_mul(factor))
            .map_or(policy.max_cool_down, |long| long.min(policy.max_cool_down));
        let least = (most / 2).max(policy.cool_down).min(most);
        let jitter = (most - least).as_secs_f64() * dice.clamp(0.0, 1.0);
        let wait = least + Duration::try_from_secs_f64(jitter).unwrap_or_default();
        let wait = wait.max(asked.unwrap_or_default()).min(policy.max_cool_down);
        self.open(Cause::Probe(reason), wait, now)
    }

    fn open(&mut self, cause: Cause, wait: Duration, now: Instant) -> Change {
        self.go(State::Open { until: later(now, wait) }, Change::Opened(cause, wait))
    }

    fn close(&mut self) -> Change {
        self.failures = 0;
        self.reopened = 0;
        self.go(State::Closed, Change::Closed)
    }

    fn go(&mut self, state: State, change: Change) -> Change {
        self.state = state;
        self.era.0 += 1;
        self.lately.clear(window(self.policy.as_ref()));
        change
    }

    fn count(&mut self, policy: &BreakerPolicy, failed: bool, now: Instant) {
        if policy.rate.is_some() {
            self.lately.count(failed, now);
        }
    }
}

fn window(policy: Option<&BreakerPolicy>) -> Duration {
    policy.and_then(|policy| policy.rate).map_or(Duration::ZERO, |rate| rate.window)
}

fn later(now: Instant, by: Duration) -> Instant {
    now.checked_add(by.min(MOST)).unwrap_or(now)
}

#[cfg(test)]
mod tests;
