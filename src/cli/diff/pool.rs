//! Threads that compare: each takes the next page, and counts for itself.

use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::kept::{self, Unreadable};
use crate::rehearsal::diff::{Sides, Specimen, Tally};

/// What a thread takes at once.
pub(super) enum Work {
    /// The entries of a page of the API, as JSON.
    Kept(Box<str>),
    /// Captured requests.
    Captured(Vec<Specimen>),
}

/// Threads that compare.
pub(super) struct Pool {
    sides: Arc<Sides>,
    work: SyncSender<(u64, Work)>,
    threads: Vec<JoinHandle<Result<Tally, Unreadable>>>,
    pushed: std::cell::Cell<u64>,
    most: usize,
}

/// Why the threads did not come to an end of it.
#[derive(Debug, thiserror::Error)]
pub(super) enum PoolError {
    #[error("a comparison panicked: please report what stands above")]
    Panicked,
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("the comparison ended early")]
    Gone,
}

/// Pages that wait for a thread: who reads them waits where there are more, so that they take no more memory.
const WAITING: usize = 2;

// === impl Pool ===

impl Pool {
    /// Starts a thread for each core. Of each kind so many examples are kept.
    pub(super) fn start(sides: Sides, most: usize) -> std::io::Result<Self> {
        let sides = Arc::new(sides);
        let (work, waiting) = sync_channel(WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let threads = (0..cores).map(|_| {
            let (sides, waiting) = (Arc::clone(&sides), Arc::clone(&waiting));
            thread::Builder::new().name("diff".to_owned()).spawn(move || compare(&sides, &waiting, most))
        });
        let threads = threads.collect::<std::io::Result<_>>()?;
        Ok(Self { sides, work, threads, pushed: std::cell::Cell::new(0), most })
    }

    /// What is compared.
    pub(super) fn sides(&self) -> &Sides {
        &self.sides
    }

    /// Has a page compared. Waits where enough wait already.
    pub(super) fn push(&self, work: Work) -> Result<(), PoolError> {
        let number = self.pushed.get();
        self.pushed.set(number + 1);
        self.work.send((number, work)).map_err(|_| PoolError::Gone)
    }

    /// Waits for all of it.
    pub(super) fn finish(self) -> Result<(Arc<Sides>, Tally), PoolError> {
        let Self { sides, work, threads, pushed: _, most } = self;
        drop(work);
        let mut all = Tally::new(most);
        for thread in threads {
            all = all.and(thread.join().map_err(|_| PoolError::Panicked)??);
        }
        Ok((sides, all))
    }
}

fn compare(sides: &Sides, waiting: &Mutex<Receiver<(u64, Work)>>, most: usize) -> Result<Tally, Unreadable> {
    let mut tally = Tally::new(most);
    let mut failed = None;
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((page, work)) = next else { break };
        let specimens = match work {
            Work::Captured(specimens) => Ok(specimens),
            Work::Kept(entries) => kept::specimens(&entries),
        };
        match specimens {
            Ok(specimens) => {
                for (index, specimen) in specimens.into_iter().enumerate() {
                    tally.add((page, index), sides.compare(specimen));
                }
            }
            // The pages that come still have to be taken, or who reads them would wait.
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(tally), Err)
}
