//! Replays and purges of many deliveries, as they run: a task for each, which does it step by step.
//!
//! Where a job is stands in the store alone. A gateway that stops, or is killed, leaves it running there, and the next
//! start goes on with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::shared::Shared;
use crate::queue::{Job, JobId, JobState, QueueError};

/// The jobs that run in this process.
#[derive(Debug)]
pub(super) struct Jobs {
    shared: Arc<Shared>,
    running: Mutex<HashMap<JobId, Asked>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Whether somebody asked for a job since its task last looked: then it may run again though it was found stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Before,
    Since,
}

/// How long a job rests after the store could not take a step, at first and at most.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

// === impl Jobs ===

impl Jobs {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, running: Mutex::default(), tasks: TaskTracker::new(), stop: CancellationToken::new() }
    }

    /// Goes on with the jobs that an earlier process left running.
    pub(super) async fn resume(self: &Arc<Self>) {
        match self.shared.queue.jobs().await {
            Ok(jobs) => {
                for job in jobs.iter().filter(|job| job.state == JobState::Running) {
                    tracing::info!(
                        job = job.id.0,
                        action = job.action.as_str(),
                        changed = job.changed,
                        "a job goes on"
                    );
                    self.run(job.id);
                }
            }
            Err(error) => tracing::error!(%error, "cannot read which jobs were running: resume them by hand"),
        }
    }

    /// Runs a job, unless it does already.
    pub(super) fn run(self: &Arc<Self>, id: JobId) {
        if self.running().insert(id, Asked::Since).is_none() {
            let jobs = Arc::clone(self);
            self.tasks.spawn(async move { jobs.work(id).await });
        }
    }

    /// Has every job end after the step that it is at.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn work(&self, id: JobId) {
        let mut pause = PAUSE;
        while !self.stop.is_cancelled() {
            self.running().insert(id, Asked::Before);
            match self.step(id).await {
                Ok(true) => {
                    pause = PAUSE;
                    // Nothing of a step waits where the store answers at once: others have their turn.
                    tokio::task::yield_now().await;
                }
                Ok(false) if self.ended(id) => return,
                Ok(false) => {}
                Err(QueueError::Closed) => break,
                Err(error) => {
                    tracing::warn!(job = id.0, %error, pause_seconds = pause.as_secs_f64(), "a job waits for the store");
                    self.stop.run_until_cancelled(tokio::time::sleep(pause)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        self.running().remove(&id);
    }

    /// Does a step. Whether there is another.
    async fn step(&self, id: JobId) -> Result<bool, QueueError> {
        let now = self.shared.clock.now();
        let Some(step) = self.shared.queue.step(id, now).await? else { return Ok(false) };
        self.shared.wake(&step.lanes).await;
        if step.job.state == JobState::Running {
            return Ok(true);
        }
        let Job { action, state, examined, changed, .. } = step.job;
        tracing::info!(job = id.0, action = action.as_str(), state = state.as_str(), examined, changed, "a job ended");
        Ok(false)
    }

    /// Whether a job that was found stopped or done is at its end: nobody had it go on meanwhile.
    fn ended(&self, id: JobId) -> bool {
        let mut running = self.running();
        let ended = running.get(&id) != Some(&Asked::Since);
        if ended {
            running.remove(&id);
        }
        ended
    }

    fn running(&self) -> MutexGuard<'_, HashMap<JobId, Asked>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
