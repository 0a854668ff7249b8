//! The command line, a file a command. People read stderr, programs read stdout.

mod audit;
mod bulk;
mod capture;
mod check;
mod completions;
mod dead_letters;
mod deliveries;
mod demo;
mod diagnosed;
mod diff;
mod dry_run;
mod events;
mod jobs;
mod keys;
mod listing;
mod man;
mod open_files;
mod providers;
mod rehearsed;
mod remote;
mod run;
mod schema;
mod secrets;
mod send;
mod serve;
mod table;
mod test;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::model::Timestamp;
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
    /// Say what the gateway would do with a request, and why: nothing is sent and nothing is kept. Exit code 0, 1 or 2.
    Try(dry_run::Try),
    /// Sign a request as its provider would and post it, rightly or tampered with. Exit code 0, 1 or 2.
    Send(send::Send),
    /// Say what another configuration would do otherwise with what a running gateway has kept, or with captured requests:
    /// nothing is sent. Exit code 0, 1 where `--fail-on` says so, or 2.
    Diff(Box<diff::Diff>),
    /// Run tests of a configuration: requests, and what is to come of them. Exit code 0, 1 or 2.
    Test(test::Test),
    /// Say whether a captured request is verified, and if not, what nearly matched. Exit code 0, 1 or 2.
    Verify(Box<verify::Verify>),
    /// List the built-in providers, or print one.
    Providers(providers::Providers),
    /// Print the JSON Schema of the configuration, for editors and for `check-jsonschema`.
    Schema(schema::Schema),
    /// Look at events of a running gateway: their stories, their bytes; have them delivered again.
    Events(events::Events),
    /// Look at deliveries of a running gateway; replay them.
    Deliveries(deliveries::Deliveries),
    /// Look at what was given up; replay or purge it.
    DeadLetters(dead_letters::DeadLetters),
    /// Look at replays and purges of many; stop them, have them go on.
    Jobs(jobs::Jobs),
    /// Look at order keys that wait behind a dead letter; let them go on.
    Keys(keys::Keys),
    /// See which secrets of the routes are in use still: when an old one may be removed.
    Secrets(secrets::Secrets),
    /// Prove that nothing is missing: the ledger beside what is stored. Exit code 0 or 1.
    Audit(audit::Audit),
    /// Print the completions of a shell.
    Completions(completions::Completions),
    /// Print the manual, all commands on one page, or write a page for each.
    Man(man::Man),
}

#[derive(Debug, Args)]
struct Logs {
    /// How log lines are written, to stderr.
    #[arg(long, value_enum, default_value_t = Format::Text, global = true, env = "HOOKSWITCH_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Format,
    /// From which level up: off, error, warn, info, debug, trace, or directives such as `info,hookswitch::app=debug`.
    /// [default: info for `serve`, `check` and `providers`, else error]
    #[arg(long, global = true, env = "HOOKSWITCH_LOG", value_name = "LEVEL")]
    log_level: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration.
    #[arg(long, short, global = true, default_value = "routes.yaml", env = "HOOKSWITCH_CONFIG", value_name = "FILE")]
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
    let level = cli.logs.log_level.as_deref().unwrap_or_else(|| cli.command.log_level());
    if let Err(error) = telemetry::init_logs(format, level) {
        say(&format!("hookswitch: {error}"));
        return Exit::Usage.into();
    }
    let exit = match cli.command {
        Command::Serve(serve) => serve.run(),
        Command::Demo(demo) => demo.run(),
        Command::Check(check) => check.run(),
        Command::Try(dry_run) => dry_run.run(),
        Command::Send(send) => send.run(),
        Command::Diff(diff) => diff.run(),
        Command::Test(test) => test.run(),
        Command::Verify(verify) => verify.run(),
        Command::Providers(providers) => providers.run(),
        Command::Schema(schema) => schema.run(),
        Command::Events(events) => events.run(),
        Command::Deliveries(deliveries) => deliveries.run(),
        Command::DeadLetters(dead_letters) => dead_letters.run(),
        Command::Jobs(jobs) => jobs.run(),
        Command::Keys(keys) => keys.run(),
        Command::Secrets(secrets) => secrets.run(),
        Command::Audit(audit) => audit.run(),
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
    };
    exit.into()
}

// === impl Command ===

impl Command {
    /// From which level up it logs where it was not told. What others say to a person on the same terminal comes first.
    const fn log_level(&self) -> &'static str {
        match self {
            Self::Serve(_) | Self::Check(_) | Self::Providers(_) => "info",
            _ => "error",
        }
    }
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

/// A time on the command line: RFC 3339, or seconds since 1970.
fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::from_rfc3339_or_seconds(text)
        .ok_or_else(|| "a time is RFC 3339, such as 2026-01-31T12:00:00Z, or seconds since 1970".to_owned())
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
