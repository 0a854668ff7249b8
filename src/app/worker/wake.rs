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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn the_earliest_time_that_was_told_counts_once() {
        let wake = Wake::default();
        assert_eq!(wake.take(), None);
        for millis in [30, 10, 20] {
            wake.by(at(millis));
        }
        assert_eq!(wake.take(), Some(at(10)));
        assert_eq!(wake.take(), None, "it was taken");
        wake.by(at(40));
        assert_eq!(wake.take(), Some(at(40)));
    }

    #[tokio::test]
    async fn who_was_told_before_waiting_does_not_wait() {
        let wake = Wake::default();
        wake.by(at(1));
        wake.told().await;
        assert_eq!(wake.take(), Some(at(1)));
    }

    #[tokio::test]
    async fn who_waits_is_told() {
        let wake = Wake::default();
        let (told, ()) = tokio::join!(
            async {
                wake.told().await;
                wake.take()
            },
            async { wake.by(at(7)) }
        );
        assert_eq!(told, Some(at(7)));
    }
}
