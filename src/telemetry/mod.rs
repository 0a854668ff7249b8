//! Logs and the metrics registry. Each module of the line owns its own metrics and registers them here.

mod logs;
mod registry;

pub use logs::{LogFormat, LogsError, init_logs};
pub use prometheus::Registry;
pub use registry::{MetricsError, new_registry, render};
