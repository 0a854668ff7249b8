//! What the workers count.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};

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

/// What is counted of a lane's deliveries that succeed, found once: each by its labels is a search among as many as there are
/// lanes, and most of those are not in the processor's cache.
#[derive(Debug, Default)]
pub(super) struct LaneMetrics(ArcSwapOption<Succeeding>);

/// The same, for the destination that the lane has.
#[derive(Debug)]
struct Succeeding {
    destination: Arc<str>,
    deliveries: IntCounter,
    attempts: IntCounter,
    duration: Histogram,
    end_to_end: Histogram,
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

    pub(super) fn attempted(
        &self,
        of_lane: &LaneMetrics,
        lane: &Lane,
        target: &Target,
        outcome: Outcome,
        duration: Duration,
    ) {
        if outcome == Outcome::Delivered {
            let succeeding = self.succeeding(of_lane, lane, target);
            succeeding.attempts.inc();
            succeeding.duration.observe(duration.as_secs_f64());
        } else {
            self.attempts.with_label_values(&[&*lane.route, &*target.name, outcome.reason_label()]).inc();
            self.duration.with_label_values(&[&*target.name]).observe(duration.as_secs_f64());
        }
    }

    pub(super) fn delivered(&self, of_lane: &LaneMetrics, lane: &Lane, target: &Target, waited: Duration) {
        let succeeding = self.succeeding(of_lane, lane, target);
        succeeding.deliveries.inc();
        succeeding.end_to_end.observe(waited.as_secs_f64());
    }

    fn succeeding(&self, of_lane: &LaneMetrics, lane: &Lane, target: &Target) -> Arc<Succeeding> {
        if let Some(known) = of_lane.0.load_full().filter(|known| known.destination == target.name) {
            return known;
        }
        let Lane { route, delivery } = lane;
        let found = Arc::new(Succeeding {
            destination: Arc::clone(&target.name),
            deliveries: self.deliveries.with_label_values(&[&**route, &**delivery, &*target.name, "delivered"]),
            attempts: self.attempts.with_label_values(&[&**route, &*target.name, Outcome::Delivered.reason_label()]),
            duration: self.duration.with_label_values(&[&*target.name]),
            end_to_end: self.end_to_end.with_label_values(&[&**route, &*target.name]),
        });
        of_lane.0.store(Some(Arc::clone(&found)));
        found
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
