//! The metrics registry and how it is written out.

use prometheus::process_collector::ProcessCollector;
use prometheus::{IntGauge, Opts, Registry, TextEncoder};

/// A metric that cannot be registered or written out: a mistake in this program.
pub type MetricsError = prometheus::Error;

/// A registry with what every process has: `hookswitch_build_info` and `process_*`.
///
/// # Errors
/// Where a metric of that name is there already.
pub fn new_registry() -> Result<Registry, MetricsError> {
    let registry = Registry::new();
    registry.register(Box::new(ProcessCollector::for_self()))?;
    let build = IntGauge::with_opts(
        Opts::new("hookswitch_build_info", "A constant 1; the label says which version runs.")
            .const_label("version", env!("CARGO_PKG_VERSION")),
    )?;
    build.set(1);
    registry.register(Box::new(build))?;
    Ok(registry)
}

/// Everything in the registry in the Prometheus text format, version 0.0.4.
///
/// # Errors
/// Where a metric cannot be written.
pub fn render(registry: &Registry) -> Result<String, MetricsError> {
    TextEncoder::new().encode_to_string(&registry.gather())
}
