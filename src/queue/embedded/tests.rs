//! The embedded home against the suite and against a model.

mod bounds;
mod conforms;
mod damage;
mod journals;
mod model;

use std::path::Path;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tempfile::TempDir;

use super::{Embedded, Options};
use crate::model::{ManualClock, Timestamp};
use crate::queue::Home as AnyHome;
use crate::queue::conformance::Bench;

/// An embedded home in a directory of its own.
struct Home {
    directory: TempDir,
    clock: Arc<ManualClock>,
    queue: Arc<Embedded>,
    /// Homes that crashed: kept, so that nothing of theirs is closed in an orderly way while the test runs.
    crashed: Vec<(TempDir, Arc<Embedded>)>,
}

impl Home {
    fn new() -> Self {
        let directory = scratch();
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_700_000_000)));
        let queue = open(directory.path(), &clock);
        Self { directory, clock, queue, crashed: Vec::new() }
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
            let image = scratch();
            // The journal first: what goes to the tables meanwhile is then there.
            for name in ["journal", "queue.db", "queue.db-wal"] {
                let from = self.directory.path().join(name);
                if from.exists() {
                    std::fs::copy(from, image.path().join(name)).unwrap();
                }
            }
            let queue = open(image.path(), &self.clock);
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
    let clock = Arc::<ManualClock>::clone(clock);
    // Many at once live in memory.
    Embedded::open(Options { reserve: 0, ..Options::new(directory) }, clock).unwrap()
}
