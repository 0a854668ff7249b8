//! The storer: a thread that brings what is recent to the tables, while the writer goes on with the journal.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread::JoinHandle;

use super::desk::Desk;
use super::journal::Recent;
use super::keys::{Plan, Written};
use crate::queue::QueueError;

/// The writer's side of the storer.
#[derive(Debug)]
pub(super) struct Storer {
    /// `None` once it is told to end.
    jobs: Option<Sender<Job>>,
    results: Receiver<Stored>,
    thread: Option<JoinHandle<()>>,
    busy: bool,
}

/// What is to be brought to the tables.
#[derive(Debug)]
struct Job {
    recent: Arc<Recent>,
    /// The epoch that the tables are to name.
    epoch: u64,
    /// What is to become of keys.
    keys: Plan,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Stored {
    /// The rows whose claims end with it, and what became of keys.
    pub(super) result: rusqlite::Result<(Vec<i64>, Written)>,
    /// Whether part of the database could not be read.
    pub(super) found_damage: bool,
}

/// After so many jobs the log is fitted to the size that the database has.
const ADAPT: u32 = 16;

// === impl Storer ===

impl Storer {
    /// Starts the thread, which writes with a desk of its own.
    pub(super) fn start(desk: Desk) -> Result<Self, QueueError> {
        let (jobs, taken) = mpsc::channel();
        let (done, results) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("queue-storer".to_owned())
            .spawn(move || work(&desk, &taken, &done))
            .map_err(|error| QueueError::Store { detail: format!("no thread for the storer: {error}") })?;
        Ok(Self { jobs: Some(jobs), results, thread: Some(thread), busy: false })
    }

    /// Whether it has something to do.
    pub(super) const fn is_busy(&self) -> bool {
        self.busy
    }

    /// Gives it something to do. Whether it took that: not while it is busy, nor once it has ended.
    pub(super) fn begin(&mut self, recent: Arc<Recent>, epoch: u64, keys: Plan) -> bool {
        if self.busy {
            return false;
        }
        self.busy = self.jobs.as_ref().is_some_and(|jobs| jobs.send(Job { recent, epoch, keys }).is_ok());
        self.busy
    }

    /// What came of what it had to do; `None` where it has nothing to do, or, unless this is to wait, is not done yet.
    pub(super) fn end(&mut self, wait: bool) -> Option<Stored> {
        if !self.busy {
            return None;
        }
        let result =
            if wait { self.results.recv().map_err(|_| TryRecvError::Disconnected) } else { self.results.try_recv() };
        match result {
            Ok(stored) => {
                self.busy = false;
                Some(stored)
            }
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                self.busy = false;
                let error = rusqlite::Error::ToSqlConversionFailure("the thread that stores has ended".into());
                Some(Stored { result: Err(error), found_damage: false })
            }
        }
    }

    /// Ends the thread. Its connection is closed when this returns.
    pub(super) fn stop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // It had nothing left to say.
            let _ = thread.join();
        }
    }
}

impl Drop for Storer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn work(desk: &Desk, jobs: &Receiver<Job>, done: &Sender<Stored>) {
    let mut since_adapted = 0;
    while let Ok(Job { recent, epoch, keys }) = jobs.recv() {
        let result = desk.store_frozen(&recent, epoch, keys);
        // The writer frees it, who made it.
        drop(recent);
        let stored = Stored { result, found_damage: desk.found_damage.take() };
        if done.send(stored).is_err() {
            return;
        }
        since_adapted += 1;
        if since_adapted >= ADAPT {
            since_adapted = 0;
            if let Err(error) = desk.adapt() {
                tracing::debug!(%error, "the size of the log cannot be set");
            }
        }
    }
}
