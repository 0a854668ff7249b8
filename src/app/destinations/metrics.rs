//! What is counted of breakers.

use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

use super::report::BreakerState;
use crate::telemetry::MetricsError;

/// What is counted of breakers.
#[derive(Debug, Clone)]
pub(in crate::app) struct BreakerMetrics {
    state: IntGaugeVec,
    transitions: IntCounterVec,
}

// === impl BreakerMetrics ===

impl BreakerMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// Where they are registered already.
    pub(in crate::app) fn register(registry: &Registry) -> Result<Self, MetricsError> {
        let metrics = Self {
            state: IntGaugeVec::new(
                Opts::new(
                    "hookswitch_breaker_state",
                    "Whether attempts are made: 0 closed (as usual), 1 half-open (one, to see), 2 open (none for a while).",
                ),
                &["destination"],
            )?,
            transitions: IntCounterVec::new(
                Opts::new("hookswitch_breaker_transitions_total", "How often a breaker went to a state."),
                &["destination", "to"],
            )?,
        };
        registry.register(Box::new(metrics.state.clone()))?;
        registry.register(Box::new(metrics.transitions.clone()))?;
        Ok(metrics)
    }

    /// A destination has its series before anything happens to it.
    pub(super) fn show(&self, destination: &str, state: BreakerState) {
        self.state.with_label_values(&[destination]).set(state.as_number());
        for to in BreakerState::ALL {
            self.transitions.with_label_values(&[destination, to.as_str()]);
        }
    }

    pub(super) fn changed(&self, destination: &str, to: BreakerState) {
        self.state.with_label_values(&[destination]).set(to.as_number());
        self.transitions.with_label_values(&[destination, to.as_str()]).inc();
    }

    /// The destination is gone: its state would be told for ever.
    pub(super) fn hide(&self, destination: &str) {
        let _ = self.state.remove_label_values(&[destination]);
    }
}
