//! `hookswitch serve`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::run::{RunError, Running};
use super::{ConfigFile, Exit, print, say};
use crate::app::watch::Watch;
use crate::app::{Configured, configure};
use crate::config::load::ProcessSurroundings;
use crate::config::render;
use crate::queue::QueueError;

/// Runs the gateway.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    file: ConfigFile,
    /// Also reload when the content of the configuration itself changes. A change of a file that it takes a secret from,
    /// `${file:...}`, is always followed.
    #[arg(long)]
    watch: bool,
}

impl Serve {
    pub(super) fn run(self) -> Exit {
        // Before the file is read: a change after that is noticed.
        let mut watch = match Watch::new(self.watch.then_some(&*self.file.config)) {
            Ok(watch) => watch,
            Err(error) => {
                say(&format!("hookswitch: {error}"));
                return Exit::Failed;
            }
        };
        let configured = match configure(&self.file.config, &ProcessSurroundings) {
            Ok(configured) => configured,
            Err(error) => {
                say(&error.to_string());
                return Exit::Failed;
            }
        };
        watch.follow(configured.inputs.clone());
        if !configured.warnings.is_empty() {
            say(&render::render_text(&configured.source, &configured.warnings));
        }
        let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                say(&format!("hookswitch: cannot start: {error}"));
                return Exit::Failed;
            }
        };
        runtime.block_on(self.serve(configured, watch))
    }

    async fn serve(self, configured: Configured, mut watch: Watch) -> Exit {
        // Signals are caught from before the first request is taken.
        let signals = (signal(SignalKind::hangup()), signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
        let (Ok(hangup), Ok(mut terminate), Ok(mut interrupt)) = signals else {
            say("hookswitch: cannot catch signals");
            return Exit::Failed;
        };
        let running = match Running::start(configured.table, &self.file.config, Box::new(ProcessSurroundings)).await {
            Ok(running) => running,
            Err(error) => return cannot_start(&error),
        };
        tracing::info!(listening = %running.listening, admin = %running.admin, config = %self.file.config.display(), "started");
        // Whoever asked for port 0 learns here which one it is.
        let _ = print(&json!({ "listening": running.listening, "admin": running.admin }).to_string());
        watch.follow_all(running.gateway.inputs());
        until_stopped(&running, watch, hangup, &mut terminate, &mut interrupt).await;
        tokio::select! {
            stopped = running.stop() => stop_result(stopped),
            _ = terminate.recv() => stopped_at_once(),
            _ = interrupt.recv() => stopped_at_once(),
        }
    }
}

fn stop_result(stopped: Result<(), QueueError>) -> Exit {
    match stopped {
        Ok(()) => {
            tracing::info!("stopped");
            Exit::Done
        }
        Err(error) => {
            tracing::error!(%error, "the queue could not be closed in order; what was acknowledged is kept all the same");
            Exit::Failed
        }
    }
}

/// A second signal: somebody does not want to wait for the grace period.
fn stopped_at_once() -> Exit {
    tracing::warn!("stopped at once by a second signal: what was under way is pending, and made after the next start");
    Exit::Failed
}

fn cannot_start(error: &RunError) -> Exit {
    say(&format!("hookswitch: {error}"));
    Exit::Failed
}

/// Reloads at each SIGHUP and each change of what is watched, until SIGTERM or SIGINT.
async fn until_stopped(
    running: &Running,
    mut watch: Watch,
    mut hangup: Signal,
    terminate: &mut Signal,
    interrupt: &mut Signal,
) {
    loop {
        tokio::select! {
            _ = terminate.recv() => return,
            _ = interrupt.recv() => return,
            _ = hangup.recv() => {}
            changed = watch.changed() => tell(&changed),
        }
        // What went wrong is logged there, and in the metrics.
        let _ = running.gateway.reload().await;
    }
}

/// Names what changed, and nothing of what is in it.
fn tell(changed: &[PathBuf]) {
    let files: Vec<String> = changed.iter().map(|path| path.display().to_string()).collect();
    tracing::info!(files = files.join(", "), "the content of what the configuration is made of has changed: reloading");
}
