//! What is seen of secrets, as metrics: brought up to date at each scrape.

use std::collections::HashMap;
use std::sync::Arc;

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::{GaugeVec, IntCounterVec, Opts, Registry};

use crate::routing::{Route, RouteTable};
use crate::telemetry::MetricsError;

/// When each secret was last used.
///
/// Never is 0, and not a series that is missing: the guide of Prometheus has what may happen be there before it does, and
/// `time() - hookswitch_secret_last_used_timestamp_seconds > 86400` is then true also of a secret that was never used.
#[derive(Debug)]
pub(in crate::app) struct RotationMetrics {
    last_used: GaugeVec,
}

// === impl RotationMetrics ===

impl RotationMetrics {
    pub(in crate::app) fn register(registry: &Registry) -> Result<Self, MetricsError> {
        let last_used = GaugeVec::new(
            Opts::new(
                "hookswitch_secret_last_used_timestamp_seconds",
                "When a secret last verified a request, in seconds since the Unix epoch; 0 where it never did.",
            ),
            &["route", "secret"],
        )?;
        registry.register(Box::new(last_used.clone()))?;
        Ok(Self { last_used })
    }

    /// Brings it up to date. Every secret of the configuration is there, with a count of what it verified, though that be
    /// 0; and nothing of secrets and routes that the configuration no longer has.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 stay below 2^53 for 285,000 years")]
    pub(in crate::app) fn fill(&self, table: &RouteTable, verifications: &IntCounterVec) {
        for route in table.routes() {
            for secret in route.secrets.iter() {
                let _ = verifications.with_label_values(&[&*route.name, "verified", &*secret.name]);
                let last = secret.last_used().map_or(0.0, |last| last.as_millis() as f64 / 1000.0);
                self.last_used.with_label_values(&[&*route.name, &*secret.name]).set(last);
            }
        }
        let routes: HashMap<&str, &Arc<Route>> = table.routes().iter().map(|route| (&*route.name, route)).collect();
        // What names no secret is of a request that was refused, or needs none.
        let is_there = |labels: &HashMap<&str, &str>| {
            let (route, secret) = (labels.get("route"), labels.get("secret").copied().unwrap_or_default());
            route
                .and_then(|route| routes.get(route))
                .is_some_and(|route| secret.is_empty() || route.secrets.contains(secret))
        };
        remove_unless(&self.last_used, is_there);
        remove_unless(verifications, is_there);
    }
}

/// Removes every series whose labels do not stay.
fn remove_unless<B: MetricVecBuilder>(series: &MetricVec<B>, stays: impl Fn(&HashMap<&str, &str>) -> bool) {
    for family in series.collect() {
        for metric in family.get_metric() {
            let labels = metric.get_label().iter().map(|label| (label.name(), label.value())).collect();
            if !stays(&labels) {
                let _ = series.remove(&labels);
            }
        }
    }
}
