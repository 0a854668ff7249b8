//! `hookswitch jobs`.

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::listing::{Output, document};
use super::remote::{Which, ask};
use super::table::{self, Column, at, time_at};
use super::{Exit, Format, print, say};

/// Looks at replays and purges of many, stops them, has them go on.
#[derive(Debug, Args)]
pub(super) struct Jobs {
    #[command(subcommand)]
    action: What,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the last jobs, the newest first.
    List,
    /// Show how far one is.
    Show {
        /// Its number.
        id: u64,
    },
    /// Stop one.
    Stop {
        /// Its number.
        id: u64,
    },
    /// Have a stopped one go on where it was.
    Resume {
        /// Its number.
        id: u64,
    },
}

const COLUMNS: [Column; 6] = [
    Column { title: "JOB", width: 6, cell: |job| at(job, "/id") },
    Column { title: "BEGAN", width: 20, cell: |job| time_at(job, "/began_at") },
    Column { title: "ACTION", width: 6, cell: |job| at(job, "/action") },
    Column { title: "STATE", width: 7, cell: |job| at(job, "/state") },
    Column { title: "CHANGED", width: 10, cell: |job| at(job, "/changed") },
    Column { title: "OF WHAT", width: 46, cell: |job| meant(job) },
];

impl Jobs {
    pub(super) fn run(self) -> Exit {
        let Self { action, which, output } = self;
        ask(&which, async |remote| {
            let (id, verb) = match action {
                What::List => return Ok(list(&remote.get(&["jobs"], &[]).await?, &output)),
                What::Show { id } => {
                    let job = remote.get(&["jobs", &id.to_string()], &[]).await?;
                    return Ok(document(&job, &output, text));
                }
                What::Stop { id } => (id, "stop"),
                What::Resume { id } => (id, "resume"),
            };
            let job = remote.post(&["jobs", &id.to_string(), verb], Map::new()).await?;
            Ok(document(&job, &output, text))
        })
    }
}

fn list(page: &Value, output: &Output) -> Exit {
    let jobs = page.get("jobs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let printed = match output.format {
        Format::Json => jobs.iter().all(|job| print(&job.to_string())),
        Format::Text if jobs.is_empty() => {
            say("there are none");
            true
        }
        Format::Text => table::head(&COLUMNS) && jobs.iter().all(|job| table::row(&COLUMNS, job)),
    };
    if printed { Exit::Done } else { Exit::Failed }
}

fn text(job: &Value) -> Vec<String> {
    let line = |name: &str, value: String| format!("{name:<12} {value}");
    vec![
        line("job", at(job, "/id")),
        line("does", format!("{} {}", at(job, "/action"), meant(job))),
        line("state", at(job, "/state")),
        line("began", at(job, "/began_at")),
        line("done", at(job, "/done_at")),
        line("looked at", format!("{} of {}", at(job, "/examined"), at(job, "/total"))),
        line("changed", at(job, "/changed")),
    ]
}

/// A job's selection in a line.
fn meant(job: &Value) -> String {
    let given = job.get("selection").and_then(Value::as_object).into_iter().flatten();
    let given =
        given.map(|(name, value)| format!("{name}={}", value.as_str().map(table::printable).unwrap_or_default()));
    given.collect::<Vec<_>>().join(" ")
}
