//! Logs by `tracing`, to stderr: stdout belongs to programs.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::TryInitError;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// A JSON object a line, for programs.
    Json,
}

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogsError {
    /// The level is not one.
    #[error(
        "the log level cannot be read: {0}; say error, warn, info, debug or trace, or `info,hookswitch::app=debug`"
    )]
    Level(#[from] ParseError),
    /// A subscriber is installed already.
    #[error(transparent)]
    Installed(#[from] TryInitError),
}

/// Sends the logs of this process to stderr, from `level` up: a level, or the directives of `tracing`'s `EnvFilter`.
///
/// # Errors
/// Where `level` cannot be read, or logs were set up before.
pub fn init_logs(format: LogFormat, level: &str) -> Result<(), LogsError> {
    use tracing_subscriber::util::SubscriberInitExt;

    let filter = EnvFilter::try_new(level)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).finish().try_init()?,
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}
