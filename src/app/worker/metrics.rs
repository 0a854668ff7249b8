//! What the workers count.

use std::time::Duration;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

use crate::model::{Lane, Outcome};
use crate::pipeline::deliver::Target;
use crate::telemetry::MetricsError;

/// What the workers count.
#[derive(Debug, Clone)]
pub struct DeliveryMetrics {
    deliveries: IntCounterVec,
    attempts: IntCounterVec,
    duration: HistogramVec,
    end_to_end: HistogramVec,
}

/// From a neighbour's answer to the default timeout, in seconds.
const ATTEMPT_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0, 30.0];
/// From memory to the end of three days of retries, in seconds.
const END_TO_END_BUCKETS: [f64; 12] =
    [0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 300.0, 3_600.0, 21_600.0, 259_200.0];

// === impl DeliveryMetrics ===

impl DeliveryMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// Where they are registered already.
    pub fn register(registry: &Registry) -> Result<Self, MetricsError> {
        let metrics = Self {
            deliveries: IntCounterVec::new(
                Opts::new("hookswitch_deliveries_total", "Deliveries that ended, by outcome: delivered or dead."),
                &["route", "delivery", "destination", "outcome"],
            )?,
            attempts: IntCounterVec::new(
                Opts::new(
                    "hookswitch_delivery_attempts_total",
                    "Attempts, by what came of them: delivered, or the reason why not.",
                ),
                &["route", "destination", "reason"],
            )?,
            duration: HistogramVec::new(
                HistogramOpts::new("hookswitch_delivery_duration_seconds", "Time that one attempt took.")
                    .buckets(ATTEMPT_BUCKETS.to_vec()),
                &["destination"],
            )?,
            end_to_end: HistogramVec::new(
                HistogramOpts::new(
                    "hookswitch_end_to_end_seconds",
                    "Time from the receipt of an event to its delivery.",
                )
                .buckets(END_TO_END_BUCKETS.to_vec()),
                &["route", "destination"],
            )?,
        };
        registry.register(Box::new(metrics.deliveries.clone()))?;
        registry.register(Box::new(metrics.attempts.clone()))?;
        registry.register(Box::new(metrics.duration.clone()))?;
        registry.register(Box::new(metrics.end_to_end.clone()))?;
        Ok(metrics)
    }

    pub(super) fn attempted(&self, lane: &Lane, target: &Target, outcome: Outcome, duration: Duration) {
        self.attempts.with_label_values(&[&*lane.route, &*target.name, outcome.reason_label()]).inc();
        self.duration.with_label_values(&[&*target.name]).observe(duration.as_secs_f64());
    }

    pub(super) fn delivered(&self, lane: &Lane, target: &Target, waited: Duration) {
        self.deliveries.with_label_values(&[&*lane.route, &*lane.delivery, &*target.name, "delivered"]).inc();
        self.end_to_end.with_label_values(&[&*lane.route, &*target.name]).observe(waited.as_secs_f64());
    }

    /// Also for deliveries that no attempt was made of: then `destination` is empty.
    pub(super) fn dead(&self, lane: &Lane, destination: &str, count: u64) {
        self.deliveries.with_label_values(&[&*lane.route, &*lane.delivery, destination, "dead"]).inc_by(count);
    }

    #[cfg(test)]
    pub(super) fn attempts_of(&self, route: &str, destination: &str, reason: crate::model::Reason) -> u64 {
        self.attempts.with_label_values(&[route, destination, reason.as_str()]).get()
    }
}
