//! The writer's own metrics.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntGauge, Registry, exponential_buckets};

/// The writer's own metrics.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    pub(super) commits: IntCounter,
    pub(super) duration: Histogram,
    pub(super) group_size: Histogram,
    pub(super) damaged: IntGauge,
}

// === impl Metrics ===

impl Metrics {
    pub(super) fn new() -> Result<Self, prometheus::Error> {
        Ok(Self {
            commits: IntCounter::new("hookswitch_queue_commits_total", "Transactions of the queue made durable.")?,
            duration: Histogram::with_opts(
                HistogramOpts::new(
                    "hookswitch_queue_commit_duration_seconds",
                    "How long a transaction of the queue took, the sync to stable storage included.",
                )
                .buckets(exponential_buckets(0.000_25, 2.0, 14)?),
            )?,
            group_size: Histogram::with_opts(
                HistogramOpts::new("hookswitch_queue_group_size", "How many commands one commit of the queue held.")
                    .buckets(exponential_buckets(1.0, 2.0, 11)?),
            )?,
            damaged: IntGauge::new(
                "hookswitch_queue_damaged",
                "1 where part of the queue's database cannot be read: a restart salvages the rest.",
            )?,
        })
    }

    pub(super) fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.commits.clone()))?;
        registry.register(Box::new(self.duration.clone()))?;
        registry.register(Box::new(self.group_size.clone()))?;
        registry.register(Box::new(self.damaged.clone()))
    }
}
