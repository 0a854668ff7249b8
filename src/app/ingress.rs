//! The webhook listener: what it counts, and which route a request is for.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

use super::exchange;
use super::rescue;
use super::server::Handler;
use super::shared::Shared;
use crate::pipeline::Refusal;
use crate::telemetry::MetricsError;

/// The webhook listener's handler.
#[derive(Debug)]
pub struct Ingress {
    shared: Arc<Shared>,
}

/// What ingress counts. Labels come from the configuration, never from a request: the `route` of a request that
/// none takes is empty.
#[derive(Debug, Clone)]
pub struct IngressMetrics {
    /// `hookswitch_requests_total{route,status}`
    pub requests: IntCounterVec,
    /// `hookswitch_request_duration_seconds{route}`: from the request's head to its answer.
    pub duration: HistogramVec,
    /// `hookswitch_verifications_total{route,result,secret}`
    pub verifications: IntCounterVec,
    /// `hookswitch_events_total{route,outcome}`
    pub events: IntCounterVec,
}

// === impl Ingress ===

impl Ingress {
    /// A handler over what the gateway shares.
    #[must_use]
    pub const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl Handler for Ingress {
    async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let started = tokio::time::Instant::now();
        let table = self.shared.table.load_full();
        let metrics = &self.shared.metrics;
        let Some(matched) = table.find(request.uri().path()) else {
            let response = rescue::answer(&Refusal::NoRoute, None);
            metrics.count("", &response);
            return response;
        };
        let route = Arc::clone(matched.route);
        let response = match exchange::exchange(&self.shared, &table, &route, matched.path_params, request).await {
            Ok(response) => response,
            Err(refusal) => rescue::answer(&refusal, Some(&route)),
        };
        metrics.count(&route.name, &response);
        metrics.duration.with_label_values(&[&route.name]).observe(started.elapsed().as_secs_f64());
        response
    }
}

// === impl IngressMetrics ===

impl IngressMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// Where they are registered already.
    pub fn register(registry: &Registry) -> Result<Self, MetricsError> {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, MetricsError>(counter)
        };
        let duration = HistogramVec::new(
            HistogramOpts::new("hookswitch_request_duration_seconds", "Time from a request's head to its answer.")
                .buckets(LATENCY_BUCKETS.to_vec()),
            &["route"],
        )?;
        registry.register(Box::new(duration.clone()))?;
        Ok(Self {
            requests: counter(
                "hookswitch_requests_total",
                "Requests answered, by route and status.",
                &["route", "status"],
            )?,
            verifications: counter(
                "hookswitch_verifications_total",
                "Requests verified or not, by route, result and the name of the secret that matched.",
                &["route", "result", "secret"],
            )?,
            events: counter(
                "hookswitch_events_total",
                "Events of verified requests, by route and outcome.",
                &["route", "outcome"],
            )?,
            duration,
        })
    }

    fn count<B>(&self, route: &str, response: &Response<B>) {
        self.requests.with_label_values(&[route, response.status().as_str()]).inc();
    }
}

/// From a stored event on a fast disk to a provider's patience, in seconds.
const LATENCY_BUCKETS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
