//! How fast a lane takes what it is handed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How fast a lane takes what it is handed. The lane alone writes it.
#[derive(Debug)]
pub(super) struct Pace {
    start: Instant,
    /// How many of a run were taken.
    taken: AtomicU64,
    /// When the run began, in microseconds since the start.
    began: AtomicU64,
    /// When the last was taken.
    last: AtomicU64,
    /// How long the run before took.
    took: AtomicU64,
}

/// So many are a run.
const RUN: u64 = 64;
/// A lane that takes a run in this time is quick. One that took nothing for as long is not.
const QUICK: Duration = Duration::from_millis(50);

// === impl Pace ===

impl Default for Pace {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self { start: Instant::now(), taken: zero(), began: zero(), last: zero(), took: zero() }
    }
}

impl Pace {
    /// So many more were taken.
    pub(super) fn took(&self, count: usize) {
        let now = self.now();
        if now - self.last.swap(now, Ordering::Relaxed) > micros(QUICK) {
            // Nothing came for a while: that says nothing of what comes now.
            self.began.store(now, Ordering::Relaxed);
            self.taken.store(0, Ordering::Relaxed);
            self.took.store(0, Ordering::Relaxed);
        }
        let taken = self.taken.fetch_add(count as u64, Ordering::Relaxed) + count as u64;
        if taken >= RUN {
            self.took.store(now - self.began.swap(now, Ordering::Relaxed), Ordering::Relaxed);
            self.taken.store(0, Ordering::Relaxed);
        }
    }

    /// Whether there is room in a moment for whoever finds none.
    pub(super) fn is_quick(&self) -> bool {
        let since = self.now().saturating_sub(self.last.load(Ordering::Relaxed));
        since.max(self.took.load(Ordering::Relaxed)) <= micros(QUICK)
    }

    fn now(&self) -> u64 {
        micros(self.start.elapsed())
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    /// Takes so many, one each `span`.
    async fn take(pace: &Pace, count: u64, span: Duration) {
        for _ in 0..count {
            advance(span).await;
            pace.took(1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_a_thousand_a_second_is_quick_and_who_takes_a_hundred_is_not() {
        let pace = Pace::default();
        take(&pace, 3 * RUN, Duration::from_micros(500)).await;
        assert!(pace.is_quick());
        take(&pace, 2 * RUN, Duration::from_millis(10)).await;
        assert!(!pace.is_quick());
        take(&pace, 2 * RUN, Duration::from_micros(500)).await;
        assert!(pace.is_quick());
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_is_not_quick_and_a_pause_is_not_held_against_who_goes_on() {
        let pace = Pace::default();
        take(&pace, RUN + 1, Duration::from_micros(500)).await;
        advance(2 * QUICK).await;
        assert!(!pace.is_quick());
        pace.took(1);
        assert!(pace.is_quick());
    }
}
