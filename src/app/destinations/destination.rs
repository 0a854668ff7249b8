//! One destination at run time: a line before it, and its state.
//!
//! Who wants to begin an attempt stands in line, first come first served, whatever lane it comes from. The first in line
//! waits until the rate and the concurrency allow one more; nobody holds a place under the concurrency, or a part of the
//! rate, while it waits. Where the breaker opens everybody leaves the line, and their deliveries go back to the queue.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::time::Instant;

use super::Surroundings;
use super::breaker::{Cause, Change, Era, Gate};
use super::health::Health;
use super::report::DestinationReport;
use super::traffic::{Admission, Traffic};
use crate::model::Timestamp;
use crate::pipeline::deliver::{Answer, Target};

/// One destination at run time.
#[derive(Debug)]
pub(in crate::app) struct Destination {
    name: Arc<str>,
    state: Mutex<Known>,
    /// Held by the first in line.
    line: tokio::sync::Mutex<()>,
    /// Tells the first in line to look again.
    first: Notify,
    /// Tells lanes before a shut gate to look again.
    gate: Arc<Notify>,
    around: Arc<Surroundings>,
}

#[derive(Debug)]
struct Known {
    traffic: Traffic,
    /// Since when the breaker is in its state.
    since: Timestamp,
    /// Where attempts go.
    authority: Box<str>,
}

/// Whether a lane may take deliveries from the queue.
#[derive(Debug)]
pub(in crate::app) enum Pass {
    /// As many as it has room for.
    Free,
    /// One, to be attempted with this.
    Probe(Probe),
    /// None for now.
    Shut(Shut),
}

/// The right to the one attempt that a half-open breaker allows. Where it is dropped instead, another may have it.
#[derive(Debug)]
pub(in crate::app) struct Probe {
    destination: Arc<Destination>,
    /// `None` once it is used.
    era: Option<Era>,
}

/// A gate that is shut.
#[derive(Debug)]
pub(in crate::app) struct Shut {
    until: Option<Instant>,
    changed: OwnedNotified,
}

/// The right to one attempt; where it is dropped, nothing is known of how that ended.
#[derive(Debug)]
pub(in crate::app) struct Permit {
    destination: Arc<Destination>,
    /// `None` once it has ended.
    era: Option<Era>,
}

// === impl Destination ===

impl Destination {
    pub(super) fn new(target: &Target, around: Arc<Surroundings>) -> Self {
        let since = around.clock.now();
        let known = Known { traffic: Traffic::new(target), since, authority: target.authority().into() };
        Self {
            name: Arc::clone(&target.name),
            state: Mutex::new(known),
            line: tokio::sync::Mutex::default(),
            first: Notify::new(),
            gate: Arc::default(),
            around,
        }
    }

    /// Whether a lane may take deliveries from the queue now.
    pub(in crate::app) fn pass(self: &Arc<Self>) -> Pass {
        // Before the state is looked at: a change after that is not missed.
        let changed = Arc::clone(&self.gate).notified_owned();
        let gate = self.with(|traffic, now| {
            let change = traffic.breaker.poll(now);
            // Whoever asks about one that is gone has yet to see the configuration in force; it is refused in line.
            let gate = if traffic.is_removed() { Gate::Open } else { traffic.breaker.gate() };
            (gate, change)
        });
        match gate {
            Gate::Open => Pass::Free,
            Gate::Probe(era) => Pass::Probe(Probe { destination: Arc::clone(self), era: Some(era) }),
            Gate::Shut(until) => Pass::Shut(Shut { until, changed }),
        }
    }

    /// Stands in line until an attempt may begin. `None` where none may for longer than a line is for: the delivery
    /// belongs back into the queue. Cancel-safe: who is cancelled leaves the line.
    pub(in crate::app) async fn admit(self: &Arc<Self>, mut probe: Option<Probe>) -> Option<Permit> {
        let mine = |probe: &Probe| if Arc::ptr_eq(&probe.destination, self) { probe.era } else { None };
        let _first_in_line = self.line.lock().await;
        loop {
            let era = probe.as_ref().and_then(mine);
            match self.with(|traffic, now| (traffic.admit(era, now), None)) {
                Admission::Granted(era) => {
                    if let Some(probe) = &mut probe {
                        probe.use_as(era);
                    }
                    return Some(Permit { destination: Arc::clone(self), era: Some(era) });
                }
                Admission::Refused => return None,
                Admission::Full => self.first.notified().await,
                Admission::TooSoon(again) => {
                    tokio::select! {
                        () = self.first.notified() => {}
                        () = tokio::time::sleep_until(again) => {}
                    }
                }
            }
        }
    }

    /// Takes what another configuration says. One that goes elsewhere now is tried at once, whatever opened its breaker.
    pub(super) fn configure(&self, target: &Target) {
        self.with(|traffic, now| ((), traffic.configure(target, now)));
        let mut known = self.known();
        if *known.authority != *target.authority() {
            known.authority = target.authority().into();
            known.traffic.breaker.probe_now(Instant::now());
        }
        self.around.metrics.show(&self.name, known.traffic.breaker.state());
        drop(known);
        self.look_again();
    }

    /// The configuration no longer has it. Answers whether it can be forgotten.
    pub(super) fn remove(&self) -> bool {
        let mut known = self.known();
        let idle = known.traffic.is_idle(Instant::now());
        known.traffic.remove();
        self.around.metrics.hide(&self.name);
        drop(known);
        self.look_again();
        idle
    }

    /// Half-opens the breaker where the time has come, though no delivery asks: what people see is then so.
    pub(super) fn poll(&self) {
        self.with(|traffic, now| ((), traffic.breaker.poll(now)));
    }

    /// How it is now. `None` where the configuration no longer has it.
    pub(super) fn report(&self) -> Option<DestinationReport> {
        self.poll();
        let known = self.known();
        let traffic = &known.traffic;
        (!traffic.is_removed()).then(|| DestinationReport {
            name: Arc::clone(&self.name),
            breaker: traffic.breaker.state(),
            since: known.since,
            consecutive_failures: traffic.breaker.failures(),
            next_probe: traffic.breaker.open_until().map(|until| self.on_the_wall(until)),
            in_flight: traffic.in_flight(),
            concurrency: traffic.concurrency(),
            rate: traffic.rate(),
        })
    }

    fn leave(&self, era: Era, health: Health) {
        let dice = (self.around.dice)();
        self.with(|traffic, now| ((), traffic.leave(era, health, now, dice)));
        self.first.notify_one();
        if health == Health::Unknown {
            // It may have been the probe, whose place is free then.
            self.gate.notify_waiters();
        }
    }

    /// Does something with the state, and tells whom it concerns that the breaker changed by it.
    fn with<T>(&self, act: impl FnOnce(&mut Traffic, Instant) -> (T, Option<Change>)) -> T {
        let mut known = self.known();
        let (answer, change) = act(&mut known.traffic, Instant::now());
        if let Some(change) = change {
            let state = known.traffic.breaker.state();
            let before = std::mem::replace(&mut known.since, self.around.clock.now());
            // Under the lock: of two changes the later one is shown.
            self.around.metrics.changed(&self.name, state);
            drop(known);
            self.look_again();
            self.say(change, before);
        }
        answer
    }

    fn look_again(&self) {
        self.first.notify_one();
        self.gate.notify_waiters();
    }

    fn say(&self, change: Change, before: Timestamp) {
        let destination = &*self.name;
        let now = self.around.clock.now();
        match change {
            Change::Opened(cause, wait) => {
                let (probe_at, reason) = (now.after(wait), cause.reason());
                tracing::warn!(
                    destination, reason = %reason, %probe_at,
                    "breaker open: {cause}; no attempts until it is probed, deliveries wait in the queue; {}",
                    reason.next_step()
                );
            }
            Change::HalfOpened => tracing::debug!(destination, "breaker half-open: the next delivery is the probe"),
            Change::Closed => {
                let seconds_in_last_state = now.since(before).as_secs();
                tracing::info!(destination, seconds_in_last_state, "breaker closed: attempts are made as usual");
            }
        }
    }

    /// When an instant is by the clock on the wall.
    fn on_the_wall(&self, instant: Instant) -> Timestamp {
        self.around.clock.now().after(instant.saturating_duration_since(Instant::now()))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // A panic while it is held leaves it as it was, but for a count.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Probe ===

impl Probe {
    /// An attempt has begun with it, or the breaker has closed meanwhile.
    fn use_as(&mut self, era: Era) {
        self.era.take_if(|mine| *mine == era);
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let Some(era) = self.era else { return };
        let given_back = self.destination.known().traffic.breaker.give_back(era);
        if given_back {
            self.destination.gate.notify_waiters();
        }
    }
}

// === impl Shut ===

impl Shut {
    /// Waits until it is worth asking again; at most this long.
    pub(in crate::app) async fn over(self, at_most: Duration) {
        let most = Instant::now() + at_most;
        tokio::select! {
            () = self.changed => {}
            () = tokio::time::sleep_until(self.until.map_or(most, |until| until.min(most))) => {}
        }
    }
}

// === impl Permit ===

impl Permit {
    /// The attempt has ended.
    pub(in crate::app) fn end(mut self, answer: &Answer) {
        if let Some(era) = self.era.take() {
            self.destination.leave(era, Health::of(answer));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(era) = self.era.take() {
            self.destination.leave(era, Health::Unknown);
        }
    }
}

// === impl Cause ===

impl Cause {
    const fn reason(self) -> crate::model::Reason {
        match self {
            Self::InARow(_, reason) | Self::Rate(_, reason) | Self::Asked(reason) | Self::Probe(reason) => reason,
        }
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InARow(1, _) => f.write_str("an attempt failed"),
            Self::InARow(failures, _) => write!(f, "{failures} attempts in a row failed"),
            Self::Rate(counts, _) => write!(f, "{} of the last {} attempts failed", counts.failed, counts.attempts),
            Self::Asked(_) => f.write_str("it asks to be left alone (Retry-After)"),
            Self::Probe(_) => f.write_str("the probe failed"),
        }
    }
}
