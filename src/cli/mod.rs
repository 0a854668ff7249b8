//! The command line, a file a command. People read stderr, programs read stdout.

mod check;
mod demo;
mod open_files;
mod providers;
mod run;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::telemetry::{self, LogFormat};

/// A declarative webhook gateway: verify, filter, reshape and fan out, durably, at least once.
#[derive(Debug, Parser)]
#[command(name = "hookswitch", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    logs: Logs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway. SIGHUP reloads, SIGTERM drains and stops.
    Serve(serve::Serve),
    /// The whole line in one command: signed samples of each provider go in, what arrives is printed.
    Demo(demo::Demo),
    /// Say whether a configuration would load, with every problem of it. Exit code 0 or 1.
    Check(check::Check),
    /// List the built-in providers, or print one.
    Providers(providers::Providers),
}

#[derive(Debug, Args)]
struct Logs {
    /// How log lines are written, to stderr.
    #[arg(long, value_enum, default_value_t = Format::Text, global = true, env = "HOOKSWITCH_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Format,
    /// From which level up: error, warn, info, debug, trace, or directives such as `info,hookswitch::app=debug`.
    #[arg(long, default_value = "info", global = true, env = "HOOKSWITCH_LOG", value_name = "LEVEL")]
    log_level: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration.
    #[arg(long, short, default_value = "routes.yaml", env = "HOOKSWITCH_CONFIG", value_name = "FILE")]
    config: PathBuf,
}

/// What a command came to: its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// 0: done.
    Done,
    /// 1: the check failed, or the gateway could not start or stop in order.
    Failed,
    /// 2: wrong usage.
    Usage,
}

/// Runs one command.
#[must_use]
pub fn main(cli: Cli) -> ExitCode {
    let format = match cli.logs.log_format {
        Format::Text => LogFormat::Text,
        Format::Json => LogFormat::Json,
    };
    if let Err(error) = telemetry::init_logs(format, &cli.logs.log_level) {
        say(&format!("hookswitch: {error}"));
        return Exit::Usage.into();
    }
    let exit = match cli.command {
        Command::Serve(serve) => serve.run(),
        Command::Demo(demo) => demo.run(),
        Command::Check(check) => check.run(),
        Command::Providers(providers) => providers.run(),
    };
    exit.into()
}

/// Writes a line for a person.
fn say(line: &str) {
    use std::io::Write;
    // Nobody reads stderr: then nobody misses the line.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Writes a line for a program. Whether it could be: a closed pipe is no reason to panic.
fn print(line: &str) -> bool {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush()).is_ok()
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
        })
    }
}
