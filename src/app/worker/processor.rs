//! Whether the processor is what everything waits for.

use std::time::Duration;

use tokio::runtime::{Handle, RuntimeMetrics};

/// The threads that run the tasks of this runtime.
#[derive(Debug)]
pub(super) struct Processor(RuntimeMetrics);

// === impl Processor ===

impl Processor {
    /// That of the task that asks.
    pub(super) fn current() -> Self {
        Self(Handle::current().metrics())
    }

    /// How long a thread was busy since the start, in the mean of all.
    pub(super) fn busy(&self) -> Duration {
        let threads = self.0.num_workers();
        let busy: Duration = (0..threads).map(|thread| self.0.worker_total_busy_duration(thread)).sum();
        u32::try_from(threads).ok().and_then(|threads| busy.checked_div(threads)).unwrap_or_default()
    }
}
