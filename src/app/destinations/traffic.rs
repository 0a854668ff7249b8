//! What may go to a destination now: its breaker, its rate and its concurrency joined. Pure: the time and the dice are
//! arguments.

use tokio::time::Instant;

use super::breaker::{Breaker, Change, Era};
use super::health::Health;
use super::rate::Bucket;
use crate::config::Rate;
use crate::pipeline::deliver::Target;

/// What may go to a destination now.
#[derive(Debug)]
pub(super) struct Traffic {
    pub(super) breaker: Breaker,
    bucket: Bucket,
    rate: Option<Rate>,
    concurrency: usize,
    in_flight: usize,
    /// Whether the configuration has it still.
    removed: bool,
}

/// Whether an attempt may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It has begun. The era is for [`Traffic::leave`].
    Granted(Era),
    /// As many as may be are under way.
    Full,
    /// The rate allows none before then.
    TooSoon(Instant),
    /// The breaker allows none, or the destination is gone: whoever waits should let go of the delivery.
    Refused,
}

// === impl Traffic ===

impl Traffic {
    pub(super) fn new(target: &Target) -> Self {
        Self {
            breaker: Breaker::new(target.breaker.clone()),
            bucket: Bucket::new(target.rate),
            rate: target.rate,
            concurrency: target.concurrency,
            in_flight: 0,
            removed: false,
        }
    }

    /// Begins an attempt where nothing is against it. The rate is asked last: it counts what it lets through.
    pub(super) fn admit(&mut self, probe: Option<Era>, now: Instant) -> Admission {
        if self.removed {
            return Admission::Refused;
        }
        let Some(era) = self.breaker.admits(probe) else { return Admission::Refused };
        if self.in_flight >= self.concurrency {
            return Admission::Full;
        }
        match self.bucket.take(now) {
            Ok(()) => {
                self.in_flight += 1;
                Admission::Granted(era)
            }
            Err(again) => Admission::TooSoon(again),
        }
    }

    /// Ends an attempt that was granted.
    pub(super) fn leave(&mut self, era: Era, health: Health, now: Instant, dice: f64) -> Option<Change> {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.breaker.record(era, health, now, dice)
    }

    /// Takes what another configuration says. What is under way, what the rate let through and the breaker's state stay.
    pub(super) fn configure(&mut self, target: &Target, now: Instant) -> Option<Change> {
        self.removed = false;
        self.concurrency = target.concurrency;
        if self.rate != target.rate {
            self.rate = target.rate;
            self.bucket.configure(target.rate, now);
        }
        self.breaker.configure(target.breaker.clone(), now)
    }

    /// The configuration no longer has it. Should it come back, its breaker begins anew.
    pub(super) fn remove(&mut self) {
        self.removed = true;
        self.breaker.reset();
    }

    pub(super) const fn is_removed(&self) -> bool {
        self.removed
    }

    /// Whether nothing would be forgotten with it.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        self.in_flight == 0 && self.bucket.is_full(now)
    }

    pub(super) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(super) const fn concurrency(&self) -> usize {
        self.concurrency
    }

    pub(super) const fn rate(&self) -> Option<Rate> {
        self.rate
    }
}
