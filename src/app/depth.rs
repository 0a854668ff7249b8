//! The ledger and how much waits in the queue, as metrics: brought up to date at each scrape.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use prometheus::{Gauge, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use crate::model::{Lane, Timestamp};
use crate::queue::{LaneCounts, Ledger, Queue, RouteCounts};
use crate::routing::RouteTable;
use crate::telemetry::{self, MetricsError};

/// The ledger and how much waits in the queue.
#[derive(Debug)]
pub(super) struct DepthMetrics {
    pending: IntGaugeVec,
    dead: IntGaugeVec,
    kept: IntGaugeVec,
    bytes: IntGaugeVec,
    oldest: Gauge,
    events: IntCounterVec,
    deliveries: IntCounterVec,
    lost: IntGauge,
    scraping: Mutex<()>,
}

const LANE: [&str; 2] = ["route", "delivery"];

// === impl DepthMetrics ===

impl DepthMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, MetricsError> {
        let gauge = |name: &str, help: &str, labels: &[&str]| {
            let gauge = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, MetricsError>(gauge)
        };
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, MetricsError>(counter)
        };
        let metrics = Self {
            pending: gauge("hookswitch_queue_pending", "Deliveries that wait to be made.", &LANE)?,
            dead: gauge("hookswitch_dead_letters", "Deliveries that were given up and wait for a person.", &LANE)?,
            kept: gauge(
                "hookswitch_queue_retained",
                "Deliveries that were made and are kept to be looked at and replayed.",
                &LANE,
            )?,
            bytes: gauge(
                "hookswitch_queue_bytes",
                "About how many bytes deliveries take, by state: pending, dead or retained.",
                &["state"],
            )?,
            oldest: Gauge::new(
                "hookswitch_queue_oldest_seconds",
                "Age of the oldest delivery that waits; 0 where none does.",
            )?,
            events: counter(
                "hookswitch_ledger_events_total",
                "Events since the store was made: received = accepted + filtered + duplicate + invalid.",
                &["route", "outcome"],
            )?,
            deliveries: counter(
                "hookswitch_ledger_deliveries_total",
                "Deliveries since the store was made: accepted = delivered + purged + lost + those pending + those dead.",
                &["route", "delivery", "outcome"],
            )?,
            lost: IntGauge::new(
                "hookswitch_ledger_lost_deliveries",
                "Deliveries that were accepted and are missing from the store, of which not even the lane is known.",
            )?,
            scraping: Mutex::new(()),
        };
        registry.register(Box::new(metrics.lost.clone()))?;
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
        self.fill(&queue.ledger(), table);
        telemetry::render(registry)
    }

    fn fill(&self, ledger: &Ledger, table: &RouteTable) {
        for gauge in [&self.pending, &self.dead, &self.kept, &self.bytes] {
            gauge.reset();
        }
        self.lost.set(i64::try_from(ledger.lost).unwrap_or(i64::MAX));
        self.events.reset();
        self.deliveries.reset();
        let configured: HashSet<&Lane> = table.lanes().collect();
        for lane in &configured {
            self.lane(lane, &ledger.lane(lane));
        }
        let has_any = |counts: &LaneCounts| counts.pending > 0 || counts.dead > 0 || counts.kept > 0;
        for (lane, counts) in ledger.lanes.iter().filter(|(lane, counts)| !configured.contains(lane) && has_any(counts))
        {
            self.lane(lane, counts);
        }
        for (state, bytes) in [
            ("pending", ledger.lanes.iter().map(|(_, counts)| counts.pending_bytes).sum::<u64>()),
            ("dead", ledger.lanes.iter().map(|(_, counts)| counts.dead_bytes).sum()),
            ("retained", ledger.lanes.iter().map(|(_, counts)| counts.kept_bytes).sum()),
        ] {
            self.bytes.with_label_values(&[state]).set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        for route in table.routes() {
            self.route(&route.name, &ledger.route(&route.name));
        }
    }

    fn lane(&self, lane: &Lane, counts: &LaneCounts) {
        let labels = [&*lane.route, &*lane.delivery];
        for (gauge, count) in [(&self.pending, counts.pending), (&self.dead, counts.dead), (&self.kept, counts.kept)] {
            gauge.with_label_values(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        for (outcome, count) in [
            ("accepted", counts.accepted),
            ("delivered", counts.delivered),
            ("purged", counts.purged),
            ("lost", counts.lost),
            ("replayed", counts.replayed),
        ] {
            // What rarely happens has a series once it has: there may be many lanes.
            if count > 0 || matches!(outcome, "accepted" | "delivered") {
                self.deliveries.with_label_values(&[&*lane.route, &*lane.delivery, outcome]).inc_by(count);
            }
        }
    }

    fn route(&self, route: &str, counts: &RouteCounts) {
        for (outcome, count) in [
            ("received", counts.received),
            ("accepted", counts.accepted),
            ("filtered", counts.filtered),
            ("duplicate", counts.duplicate),
            ("invalid", counts.invalid),
        ] {
            self.events.with_label_values(&[route, outcome]).inc_by(count);
        }
    }
}
