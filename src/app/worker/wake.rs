//! A lane's alarm clock.

use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::Notify;

use crate::model::Timestamp;

/// When a lane should next look into the queue, told from outside of it.
#[derive(Debug)]
pub(super) struct Wake {
    /// Milliseconds since the Unix epoch; `i64::MAX` for never.
    at: AtomicI64,
    told: Notify,
}

// === impl Wake ===

impl Default for Wake {
    fn default() -> Self {
        Self { at: AtomicI64::new(i64::MAX), told: Notify::new() }
    }
}

impl Wake {
    /// The lane should look by `at` at the latest.
    pub(super) fn by(&self, at: Timestamp) {
        self.at.fetch_min(at.as_millis(), Ordering::AcqRel);
        self.told.notify_one();
    }

    /// What was told since the last time.
    pub(super) fn take(&self) -> Option<Timestamp> {
        let at = self.at.swap(i64::MAX, Ordering::AcqRel);
        (at != i64::MAX).then(|| Timestamp::from_millis(at))
    }

    /// Waits until something is told.
    pub(super) async fn told(&self) {
        self.told.notified().await;
    }
}
