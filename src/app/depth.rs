//! How much waits in the queue, brought up to date at each scrape.

use std::sync::{Mutex, PoisonError};

use prometheus::{Gauge, IntGaugeVec, Opts, Registry};

use crate::model::Timestamp;
use crate::queue::{Depth, Queue};
use crate::routing::RouteTable;
use crate::telemetry::{self, MetricsError};

/// How much waits in the queue.
#[derive(Debug)]
pub(super) struct DepthMetrics {
    pending: IntGaugeVec,
    dead: IntGaugeVec,
    oldest: Gauge,
    scraping: Mutex<()>,
}

// === impl DepthMetrics ===

impl DepthMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, MetricsError> {
        let lanes = ["route", "delivery"];
        let metrics = Self {
            pending: IntGaugeVec::new(
                Opts::new("hookswitch_queue_pending", "Deliveries that wait to be made."),
                &lanes,
            )?,
            dead: IntGaugeVec::new(
                Opts::new("hookswitch_dead_letters", "Deliveries that were given up and wait for a person."),
                &lanes,
            )?,
            oldest: Gauge::new(
                "hookswitch_queue_oldest_seconds",
                "Age of the oldest delivery that waits; 0 where none does.",
            )?,
            scraping: Mutex::new(()),
        };
        registry.register(Box::new(metrics.pending.clone()))?;
        registry.register(Box::new(metrics.dead.clone()))?;
        registry.register(Box::new(metrics.oldest.clone()))?;
        Ok(metrics)
    }

    /// Writes every metric of `registry` out, with these brought up to date. Every configured lane is there, with 0
    /// where nothing waits, and any other that something waits in still.
    pub(super) async fn render(
        &self,
        registry: &Registry,
        queue: &dyn Queue,
        table: &RouteTable,
        now: Timestamp,
    ) -> Result<String, MetricsError> {
        match queue.oldest_pending().await {
            Ok(oldest) => self.oldest.set(oldest.map_or(0.0, |oldest| now.since(oldest).as_secs_f64())),
            Err(error) => tracing::warn!(%error, "cannot tell how old the oldest delivery is"),
        }
        // One scrape at a time: another must not find them half filled.
        let _scraping = self.scraping.lock().unwrap_or_else(PoisonError::into_inner);
        self.fill(queue.depths(), table);
        telemetry::render(registry)
    }

    fn fill(&self, depths: Vec<Depth>, table: &RouteTable) {
        let idle = table.lanes().map(|lane| Depth { lane: lane.clone(), pending: 0, dead: 0 });
        self.pending.reset();
        self.dead.reset();
        for depth in idle.chain(depths) {
            let labels = [&*depth.lane.route, &*depth.lane.delivery];
            self.pending.with_label_values(&labels).set(i64::try_from(depth.pending).unwrap_or(i64::MAX));
            self.dead.with_label_values(&labels).set(i64::try_from(depth.dead).unwrap_or(i64::MAX));
        }
    }
}
