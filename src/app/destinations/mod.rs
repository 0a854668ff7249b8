//! What a destination has at run time, over all of its lanes and across reloads: a breaker, a rate, and the attempts under
//! way to it. Nothing of it outlives the process.
//!
//! [`breaker`], [`rate`] and `window` are pure; `traffic` joins them; [`destination`] has the line in which attempts wait
//! for their turn. The time that they are given is monotonic: a clock that is set moves no cool-down. What people see, in
//! logs and in a [`DestinationReport`], is by the [`Clock`].

mod breaker;
mod destination;
mod health;
mod metrics;
mod rate;
mod report;
mod traffic;
mod window;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(super) use destination::{Pass, Permit, Probe, Shut};
pub(super) use metrics::BreakerMetrics;
pub use report::{BreakerState, DestinationReport};

use self::destination::Destination;
use crate::model::Clock;
use crate::pipeline::deliver::Target;

/// The run-time state of destinations, by name.
#[derive(Debug)]
pub(super) struct Destinations {
    all: Mutex<HashMap<Arc<str>, Arc<Destination>>>,
    around: Arc<Surroundings>,
}

/// What a destination takes from outside.
struct Surroundings {
    clock: Arc<dyn Clock>,
    /// Uniform in 0.0 to 1.0, for the jitter of cool-downs.
    dice: fn() -> f64,
    metrics: BreakerMetrics,
}

// === impl Destinations ===

impl Destinations {
    /// None yet.
    pub(super) fn new(clock: Arc<dyn Clock>, dice: fn() -> f64, metrics: BreakerMetrics) -> Self {
        Self { all: Mutex::default(), around: Arc::new(Surroundings { clock, dice, metrics }) }
    }

    /// The state of a destination. It has the settings of the last [`Destinations::align`].
    pub(super) fn of(&self, target: &Target) -> Arc<Destination> {
        let mut all = self.all();
        if let Some(known) = all.get(&target.name) {
            return Arc::clone(known);
        }
        let new = Arc::new(Destination::new(target, Arc::clone(&self.around)));
        all.insert(Arc::clone(&target.name), Arc::clone(&new));
        new
    }

    /// Brings the settings in line with the configuration in force. A destination that it no longer has is forgotten,
    /// unless attempts to it are under way or count by its rate still: then a later call does it, and should it come back
    /// before that these count.
    pub(super) fn align<'t>(&self, targets: impl Iterator<Item = &'t Arc<Target>>) {
        let mut kept = HashSet::new();
        for target in targets {
            self.of(target).configure(target);
            kept.insert(Arc::clone(&target.name));
        }
        self.all().retain(|name, destination| kept.contains(name) || !destination.remove());
    }

    /// Brings the breakers, and with them their metrics, up to date with the time.
    pub(super) fn poll(&self) {
        self.known().iter().for_each(|destination| destination.poll());
    }

    /// How each destination of the configuration is, by name.
    pub(super) fn report(&self) -> Vec<DestinationReport> {
        let mut reports: Vec<DestinationReport> =
            self.known().iter().filter_map(|destination| destination.report()).collect();
        reports.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        reports
    }

    fn known(&self) -> Vec<Arc<Destination>> {
        self.all().values().cloned().collect()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<Destination>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
