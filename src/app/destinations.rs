//! What a destination has at run time, across reloads: the attempts that may be under way to it at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::pipeline::deliver::Target;

/// The run-time state of destinations, by name.
#[derive(Debug, Default)]
pub(super) struct Destinations(Mutex<HashMap<Arc<str>, Slots>>);

#[derive(Debug)]
struct Slots {
    concurrency: usize,
    free: Arc<Semaphore>,
}

/// The right to one attempt; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Slot(#[expect(dead_code, reason = "held, not read")] Option<OwnedSemaphorePermit>);

// === impl Destinations ===

impl Destinations {
    /// Waits until one more attempt may be made to a destination. Those who wait are served in turn, so no lane of
    /// a destination starves another.
    pub(super) async fn slot(&self, target: &Target) -> Slot {
        let free = self.free(target);
        Slot(free.acquire_owned().await.ok())
    }

    fn free(&self, target: &Target) -> Arc<Semaphore> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slots = all.entry(Arc::clone(&target.name)).or_insert_with(|| Slots::new(target.concurrency));
        if slots.concurrency != target.concurrency {
            // Attempts under way keep their old slots: for a moment both bounds count together.
            *slots = Slots::new(target.concurrency);
        }
        Arc::clone(&slots.free)
    }
}

impl Slots {
    fn new(concurrency: usize) -> Self {
        Self { concurrency, free: Arc::new(Semaphore::new(concurrency)) }
    }
}
