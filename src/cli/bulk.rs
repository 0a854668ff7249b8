//! Replays and purges of many: begins the job, and shows how far it is until it is done.

use std::io::IsTerminal;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::listing::{Filters, Output, State, document};
use super::remote::{Remote, RemoteError};
use super::table::at;
use super::{Exit, say};

/// One delivery, or those that filters mean.
#[derive(Debug, Args)]
pub(super) struct Meant {
    /// The id of one. Without it, all that the filters mean.
    id: Option<String>,
    #[command(flatten)]
    filters: Filters,
    /// All of them.
    #[arg(long)]
    all: bool,
    /// Do not wait for the end: print the job, and leave it to the gateway.
    #[arg(long)]
    detach: bool,
    #[command(flatten)]
    output: Output,
}

/// What is done to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Replay,
    Purge,
}

/// How often a job is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How often it is told how far it is, where no terminal shows the last line alone.
const TELL: Duration = Duration::from_secs(5);

// === impl Meant ===

impl Meant {
    /// Does it. `resource` is where one of them is, `state` in which they all are.
    pub(super) async fn act(
        &self,
        remote: &Remote,
        action: Action,
        resource: &str,
        state: State,
    ) -> Result<Exit, RemoteError> {
        let mut body = self.filters.body();
        match &self.id {
            Some(_) if self.all || self.detach || !body.is_empty() => {
                usage("an id means one delivery: it goes with no filter, no --all and no --detach")
            }
            Some(id) => self.act_on_one(remote, action, resource, id).await,
            None if body.is_empty() && !self.all => usage("say which: an id, a filter, or --all"),
            None if self.all && !body.is_empty() => usage("--all and a filter contradict each other"),
            None => {
                body.insert("action".to_owned(), Value::from(action.as_str()));
                body.insert("state".to_owned(), Value::from(state.as_str()));
                if self.all {
                    body.insert("all".to_owned(), Value::from(true));
                }
                // From before the job begins: whoever breaks off means the job, too.
                let interrupt = signal(SignalKind::interrupt());
                let interrupt = interrupt.map_err(|_| RemoteError::Broken("cannot catch signals".to_owned()))?;
                let job = remote.post(&["jobs"], body).await?;
                self.follow(remote, job, interrupt).await
            }
        }
    }

    async fn act_on_one(&self, remote: &Remote, action: Action, resource: &str, id: &str) -> Result<Exit, RemoteError> {
        match action {
            Action::Replay => {
                let replayed = remote.post(&[resource, id, "replay"], Map::new()).await?;
                Ok(document(&replayed, &self.output, |replayed| vec![replayed_line(replayed)]))
            }
            Action::Purge => {
                remote.delete(&[resource, id]).await?;
                say(&format!("purged {id}"));
                Ok(Exit::Done)
            }
        }
    }

    async fn follow(&self, remote: &Remote, mut job: Value, mut interrupt: Signal) -> Result<Exit, RemoteError> {
        let id = at(&job, "/id");
        if self.detach {
            return Ok(document(&job, &self.output, |_| {
                vec![format!("job {id} runs; `hookswitch jobs show {id}` says how far it is")]
            }));
        }
        let mut progress = Progress::new();
        while at(&job, "/state") == "running" {
            progress.tell(&job);
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = interrupt.recv() => {
                    job = remote.post(&["jobs", &id, "stop"], Map::new()).await?;
                    break;
                }
            }
            job = remote.get(&["jobs", &id], &[]).await.inspect_err(|_| {
                say(&format!("job {id} goes on with the gateway; `hookswitch jobs show {id}` says how far it is"));
            })?;
        }
        progress.end(&job);
        let exit = document(&job, &self.output, |job| vec![ended_line(job)]);
        let done = at(&job, "/state") == "done";
        if !done {
            say(&format!("`hookswitch jobs resume {id}` has it go on where it was"));
        }
        Ok(if done { exit } else { Exit::Failed })
    }
}

/// What became of a replay.
pub(super) fn replayed_line(replayed: &Value) -> String {
    let what = match (replayed.get("replayed"), replayed.get("waits")) {
        (Some(Value::Bool(false)), _) => "is pending already",
        (_, Some(Value::Bool(true))) => "is pending, and waits for others of its order key",
        _ => "is pending again",
    };
    format!("{} {}/{} {what}", at(replayed, "/id"), at(replayed, "/route"), at(replayed, "/delivery"))
}

fn ended_line(job: &Value) -> String {
    let did = if at(job, "/action") == "purge" { "purged" } else { "replayed" };
    format!(
        "job {} is {}: {did} {} of {} looked at",
        at(job, "/id"),
        at(job, "/state"),
        at(job, "/changed"),
        at(job, "/examined")
    )
}

fn usage(why: &str) -> Result<Exit, RemoteError> {
    Err(RemoteError::Usage(why.to_owned()))
}

// === impl Action ===

impl Action {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Purge => "purge",
        }
    }
}

/// Tells on stderr how far a job is.
struct Progress {
    began: Instant,
    told: Option<Instant>,
    terminal: bool,
}

// === impl Progress ===

impl Progress {
    fn new() -> Self {
        Self { began: Instant::now(), told: None, terminal: std::io::stderr().is_terminal() }
    }

    fn tell(&mut self, job: &Value) {
        let now = Instant::now();
        if !self.terminal && self.told.is_some_and(|told| now.duration_since(told) < TELL) {
            return;
        }
        self.told = Some(now);
        self.write(job);
    }

    fn end(&self, job: &Value) {
        self.write(job);
        if self.terminal {
            say("");
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "shown to people, in whole numbers")]
    fn write(&self, job: &Value) {
        let count = |name: &str| job.get(name).and_then(Value::as_u64).unwrap_or_default();
        let rate = count("examined") as f64 / self.began.elapsed().as_secs_f64().max(0.001);
        let line = format!(
            "job {}: {} of {} looked at, {} changed, {rate:.0}/s",
            count("id"),
            count("examined"),
            count("total"),
            count("changed")
        );
        if self.terminal {
            use std::io::Write;
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K{line}");
        } else {
            say(&line);
        }
    }
}
