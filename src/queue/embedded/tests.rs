//! The embedded home against the suite and against a model.

mod bounds;
mod conforms;
mod damage;
mod journals;
mod keys;
mod model;
mod packs;

use std::path::Path;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tempfile::TempDir;

use super::command::Command;
use super::{Embedded, Options};
use crate::model::{ManualClock, Timestamp};
use crate::queue::conformance::Bench;
use crate::queue::{Home as AnyHome, QueueError};

/// An embedded home in a directory of its own.
struct Home {
    directory: TempDir,
    clock: Arc<ManualClock>,
    queue: Arc<Embedded>,
    /// With what it is opened, also after a crash.
    options: Options,
    /// Homes that crashed: kept, so that nothing of theirs is closed in an orderly way while the test runs.
    crashed: Vec<(TempDir, Arc<Embedded>)>,
}

impl Home {
    fn new() -> Self {
        Self::open_with(|options| options)
    }

    /// One whose storer has something to do after each commit.
    fn storing_at_once() -> Self {
        Self::open_with(|options| Options { max_recent: 1, ..options })
    }

    /// One which has no more than two young keys for long.
    fn merging_at_once() -> Self {
        Self::open_with(|options| Options { max_recent: 1, max_young: 2, ..options })
    }

    fn open_with(change: impl FnOnce(Options) -> Options) -> Self {
        let directory = scratch();
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_700_000_000)));
        let options = change(Options::new(directory.path()));
        let queue = open_with(options.clone(), &clock);
        Self { directory, clock, queue, options, crashed: Vec::new() }
    }

    /// Waits for the storer, and has what is recent frozen without being stored where that is wanted.
    async fn hold_still(&self, freeze: bool) {
        let asked = self.queue.ask(|reply| {
            Command::Work(Box::new(move |desk| {
                desk.end_storing(true).unwrap();
                if freeze {
                    desk.journal.freeze().unwrap();
                }
                drop(reply.send(Ok(())));
            }))
        });
        // One that is closed is still.
        assert!(matches!(asked.await, Ok(()) | Err(QueueError::Closed)));
    }
}

impl Bench for Home {
    fn home(&self) -> Arc<dyn AnyHome> {
        Arc::<Embedded>::clone(&self.queue)
    }

    fn clock(&self) -> Arc<ManualClock> {
        Arc::clone(&self.clock)
    }

    /// The files as they lie while the home is open: what a power cut would leave.
    fn crash(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.hold_still(false).await;
            let image = scratch();
            // The journal first: what goes to the tables meanwhile is then there.
            for name in ["journal", "journal-2", "queue.db", "queue.db-wal", "uses"] {
                let from = self.directory.path().join(name);
                if from.exists() {
                    std::fs::copy(from, image.path().join(name)).unwrap();
                }
            }
            self.options.directory = image.path().to_owned();
            let queue = open_with(self.options.clone(), &self.clock);
            let directory = std::mem::replace(&mut self.directory, image);
            let queue = std::mem::replace(&mut self.queue, queue);
            self.crashed.push((directory, queue));
        })
    }
}

/// In memory where there is a file system for that: thousands of commits, of which none is to outlive the machine.
fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn open(directory: &Path, clock: &Arc<ManualClock>) -> Arc<Embedded> {
    open_with(Options::new(directory), clock)
}

fn open_with(options: Options, clock: &Arc<ManualClock>) -> Arc<Embedded> {
    let clock = Arc::<ManualClock>::clone(clock);
    // Many at once live in memory.
    Embedded::open(Options { reserve: 0, ..options }, clock).unwrap()
}
