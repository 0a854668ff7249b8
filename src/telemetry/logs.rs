//! Logs by `tracing`, to stderr: stdout belongs to programs.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, ParseError};
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
    #[error("`{0}` is no log level: say off, error, warn, info, debug or trace, or `info,hookswitch::app=debug`")]
    Level(String),
    /// The directives are none.
    #[error(
        "the log level cannot be read: {0}; say error, warn, info, debug or trace, or `info,hookswitch::app=debug`"
    )]
    Directives(#[from] ParseError),
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

    let filter = filter(level)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).finish().try_init()?,
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}

/// `EnvFilter` takes a word that is no level for the name of a module, and then nothing else is logged.
fn filter(level: &str) -> Result<EnvFilter, LogsError> {
    let words = level.split(',').map(str::trim).filter(|directive| !directive.contains(['=', '[']));
    for word in words {
        word.parse::<LevelFilter>().map_err(|_| LogsError::Level(word.to_owned()))?;
    }
    Ok(EnvFilter::try_new(level)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_or_directives_are_taken() {
        for level in ["error", "INFO", "off", "info,hookswitch::app=debug", "warn,hyper=off"] {
            assert!(filter(level).is_ok(), "{level}");
        }
    }

    #[test]
    fn a_misspelt_level_is_refused_and_does_not_silence_the_log() {
        for level in ["wran", "info,debgu", "hookswitch", "info,hookswitch=loud"] {
            assert!(filter(level).is_err(), "{level}");
        }
    }
}
