//! How fast a lane takes what it is handed, and whether it is worth waiting for.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How fast a lane takes what it is handed. The lane alone writes it, but for who waits.
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
    /// How long the processor had been busy when the run began.
    busy: AtomicU64,
    /// Whether somebody waited in the run.
    waited: AtomicBool,
    /// Until when nobody is to wait: it was full while the processor was idle.
    held_up_until: AtomicU64,
}

/// So many are a run.
const RUN: u64 = 64;
/// A lane that takes a run in this time is quick. One that took nothing for as long is not.
const QUICK: Duration = Duration::from_millis(50);
/// So much of a run, in percent, the processor is busy where it is what everything waits for.
const BUSY: u64 = 80;
/// A lane that is full while the processor is idle is so by its destination, which has its own pace, its rate or its
/// concurrency: for so long nobody waits for it.
const HELD_UP: Duration = Duration::from_secs(5);

// === impl Pace ===

impl Default for Pace {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            start: Instant::now(),
            taken: zero(),
            began: zero(),
            last: zero(),
            took: zero(),
            busy: zero(),
            waited: AtomicBool::new(false),
            held_up_until: zero(),
        }
    }
}

impl Pace {
    /// So many more were taken; `busy` is for how long the processor has been busy by now, whenever it began.
    pub(super) fn took(&self, count: usize, busy: impl Fn() -> Duration) {
        let now = self.now();
        if now - self.last.swap(now, Ordering::Relaxed) > micros(QUICK) {
            // Nothing came for a while: that says nothing of what comes now.
            self.begin(now, busy());
            self.took.store(0, Ordering::Relaxed);
        }
        let taken = self.taken.fetch_add(count as u64, Ordering::Relaxed) + count as u64;
        if taken >= RUN {
            let span = now - self.began.load(Ordering::Relaxed);
            let (busy, before) = (busy(), self.busy.load(Ordering::Relaxed));
            let was_idle = micros(busy).saturating_sub(before) * 100 < span * BUSY;
            if self.waited.load(Ordering::Relaxed) && was_idle {
                self.held_up_until.store(now + micros(HELD_UP), Ordering::Relaxed);
            }
            self.took.store(span, Ordering::Relaxed);
            self.begin(now, busy);
        }
    }

    /// Whether there is room in a moment for whoever finds none, and it is the processor that is short.
    pub(super) fn is_worth_waiting(&self) -> bool {
        let now = self.now();
        let since = now.saturating_sub(self.last.load(Ordering::Relaxed));
        let is_quick = since.max(self.took.load(Ordering::Relaxed)) <= micros(QUICK);
        is_quick && now >= self.held_up_until.load(Ordering::Relaxed)
    }

    /// Somebody waits.
    pub(super) fn keeps_waiting(&self) {
        self.waited.store(true, Ordering::Relaxed);
    }

    fn begin(&self, now: u64, busy: Duration) {
        self.began.store(now, Ordering::Relaxed);
        self.taken.store(0, Ordering::Relaxed);
        self.busy.store(micros(busy), Ordering::Relaxed);
        self.waited.store(false, Ordering::Relaxed);
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

    /// A lane, and a processor that was busy for some time.
    #[derive(Default)]
    struct Case {
        pace: Pace,
        busy: Duration,
    }

    impl Case {
        /// Takes so many, one each `span`, of which the processor is busy for a part in percent.
        async fn take(&mut self, count: u64, span: Duration, busy: u32) {
            for _ in 0..count {
                advance(span).await;
                self.busy += span * busy / 100;
                self.pace.took(1, || self.busy);
            }
        }

        /// Who is told so waits.
        fn is_worth_waiting(&self) -> bool {
            let worth = self.pace.is_worth_waiting();
            if worth {
                self.pace.keeps_waiting();
            }
            worth
        }
    }

    const HALF: Duration = Duration::from_micros(500);

    #[tokio::test(start_paused = true)]
    async fn who_takes_two_thousand_a_second_is_waited_for_and_who_takes_a_hundred_is_not() {
        let mut case = Case::default();
        case.take(3 * RUN, HALF, 100).await;
        assert!(case.is_worth_waiting());
        case.take(2 * RUN, Duration::from_millis(10), 100).await;
        assert!(!case.is_worth_waiting());
        case.take(2 * RUN, HALF, 100).await;
        assert!(case.is_worth_waiting());
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_is_not_waited_for_and_a_pause_is_not_held_against_who_goes_on() {
        let mut case = Case::default();
        case.take(RUN + 1, HALF, 100).await;
        advance(2 * QUICK).await;
        assert!(!case.is_worth_waiting());
        case.take(1, Duration::ZERO, 100).await;
        assert!(case.is_worth_waiting());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_a_destination_while_the_processor_is_idle() {
        let mut case = Case::default();
        case.take(3 * RUN, HALF, 30).await;
        assert!(case.is_worth_waiting(), "it may be the processor: nobody waited yet");
        case.take(RUN, HALF, 30).await;
        assert!(!case.is_worth_waiting());
        case.take(RUN, HALF, 30).await;
        assert!(!case.is_worth_waiting());
    }

    #[tokio::test(start_paused = true)]
    async fn whether_it_is_the_destination_is_looked_at_again() {
        let mut case = Case::default();
        case.take(RUN, HALF, 30).await;
        assert!(case.is_worth_waiting());
        case.take(RUN, HALF, 30).await;
        assert!(!case.is_worth_waiting());
        case.take(10_000, HALF, 100).await;
        assert!(case.is_worth_waiting());
        case.take(RUN, HALF, 100).await;
        assert!(case.is_worth_waiting(), "now it is the processor");
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_processor_says_nothing_where_nobody_waited() {
        let mut case = Case::default();
        case.take(10 * RUN, HALF, 1).await;
        case.take(RUN / 2, HALF, 100).await;
        assert!(case.is_worth_waiting());
    }
}
