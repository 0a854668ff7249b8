//! Reload: build everything that can fail, then swap.

use std::path::PathBuf;
use std::sync::Arc;

use prometheus::{Gauge, IntGauge, IntGaugeVec, Opts, Registry};
use tokio::sync::watch;

use super::configuration::{ConfigurationError, Configured, configure};
use super::inputs::Inputs;
use super::shared::Shared;
use crate::config::load::Surroundings;
use crate::config::render;
use crate::telemetry::MetricsError;

/// Reloads the configuration of a running gateway.
pub struct Reloader {
    path: PathBuf,
    surroundings: Box<dyn Surroundings + Send + Sync>,
    shared: Arc<Shared>,
    metrics: ReloadMetrics,
    /// The files that the last readings took something from.
    inputs: watch::Sender<Inputs>,
    /// As of the start: whoever is given a copy sees every reading since.
    readings: watch::Receiver<Inputs>,
}

/// Why a reload changed nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// The file has problems.
    #[error("the configuration was not reloaded, the old one stays in force:\n{0}")]
    Configuration(#[from] Box<ConfigurationError>),
    /// Fields differ that cannot change in a running process.
    #[error("the configuration was not reloaded, the old one stays in force: {} cannot change in a running process: restart it", fields.join(", "))]
    Fixed {
        /// The fields, as the file names them.
        fields: Vec<&'static str>,
    },
}

#[derive(Debug)]
pub(super) struct ReloadMetrics {
    successful: IntGauge,
    at: Gauge,
    info: IntGaugeVec,
}

// === impl Reloader ===

impl Reloader {
    pub(super) fn new(
        path: PathBuf,
        surroundings: Box<dyn Surroundings + Send + Sync>,
        shared: Arc<Shared>,
        metrics: ReloadMetrics,
    ) -> Self {
        metrics.succeeded(&shared);
        let (inputs, readings) = watch::channel(Inputs::default());
        Self { path, surroundings, shared, metrics, inputs, readings }
    }

    /// Reads the file again and puts it in force. On any problem nothing changes.
    ///
    /// # Errors
    /// Where the file has problems, or differs in what cannot change in a running process.
    pub async fn reload(&self) -> Result<(), ReloadError> {
        let _gate = self.shared.gate.lock().await;
        let result = self.try_reload().await;
        match &result {
            Ok(()) => {
                self.metrics.succeeded(&self.shared);
                let fingerprint = &*self.shared.table.load().fingerprint;
                tracing::info!(file = %self.path.display(), fingerprint, "configuration reloaded");
            }
            Err(error) => {
                self.metrics.successful.set(0);
                tracing::error!(file = %self.path.display(), "{error}");
            }
        }
        result
    }

    /// The files that readings take something from, from the first reload on.
    pub(super) fn inputs(&self) -> watch::Receiver<Inputs> {
        self.readings.clone()
    }

    async fn try_reload(&self) -> Result<(), ReloadError> {
        let configured = configure(&self.path, &*self.surroundings);
        let Configured { table, warnings, source, inputs } = configured.inspect_err(|error| {
            self.inputs.send_modify(|inputs| inputs.add(error.inputs.clone()));
        })?;
        let fields = self.shared.table.load().settings.fixed_fields_that_differ(&table.settings);
        if !fields.is_empty() {
            self.inputs.send_modify(|known| known.add(inputs));
            return Err(ReloadError::Fixed { fields });
        }
        self.inputs.send_replace(inputs);
        if !warnings.is_empty() {
            tracing::warn!("{}", render::render_text(&source, &warnings));
        }
        let before = self.shared.table.load_full();
        table.keep(&before);
        self.shared.rotation.begin(&table, Some(&before), self.shared.clock.now()).await;
        self.shared.table.store(Arc::new(table));
        let ending = self.shared.lanes.align();
        if !ending.is_empty() {
            // What is under way to a removed destination may take its whole timeout: the reload does not wait for it.
            let shared = Arc::clone(&self.shared);
            tokio::spawn(async move {
                for ended in ending {
                    ended.cancelled().await;
                }
                shared.retire_removed_lanes().await;
            });
        }
        Ok(())
    }
}

impl std::fmt::Debug for Reloader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reloader").field("path", &self.path).finish_non_exhaustive()
    }
}

// === impl ReloadMetrics ===

impl ReloadMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, MetricsError> {
        let metrics = Self {
            successful: IntGauge::new(
                "hookswitch_config_last_reload_successful",
                "Whether the last attempt to load the configuration succeeded.",
            )?,
            at: Gauge::new(
                "hookswitch_config_last_reload_success_timestamp_seconds",
                "When the configuration in force was loaded, in seconds since the Unix epoch.",
            )?,
            info: IntGaugeVec::new(
                Opts::new(
                    "hookswitch_config_info",
                    "A constant 1; the label is the fingerprint of the configuration in force.",
                ),
                &["fingerprint"],
            )?,
        };
        registry.register(Box::new(metrics.info.clone()))?;
        registry.register(Box::new(metrics.successful.clone()))?;
        registry.register(Box::new(metrics.at.clone()))?;
        Ok(metrics)
    }

    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 stay below 2^53 for 285,000 years")]
    fn succeeded(&self, shared: &Shared) {
        self.successful.set(1);
        self.info.reset();
        self.info.with_label_values(&[&*shared.table.load().fingerprint]).set(1);
        self.at.set(shared.clock.now().as_millis() as f64 / 1000.0);
    }
}
