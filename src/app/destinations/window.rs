//! How many attempts failed lately. Pure: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// Counts attempts over a stretch of time that ends now. It moves on by tenths of its length, so that what it holds is
/// the same however many attempts there are.
#[derive(Debug)]
pub(super) struct Window {
    length: Duration,
    /// When `current` began.
    since: Option<Instant>,
    /// The tenth that `since` begins, by its place in `slots`.
    current: usize,
    slots: [Counts; SLOTS],
}

/// Attempts, and those of them that failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) attempts: u32,
    pub(super) failed: u32,
}

const SLOTS: usize = 10;

// === impl Window ===

impl Window {
    pub(super) fn new(length: Duration) -> Self {
        Self { length, since: None, current: 0, slots: [Counts::default(); SLOTS] }
    }

    /// Forgets everything, and is this long from now on.
    pub(super) fn clear(&mut self, length: Duration) {
        *self = Self::new(length);
    }

    /// Counts an attempt that ended `now`.
    pub(super) fn count(&mut self, failed: bool, now: Instant) {
        self.move_on(now);
        if let Some(slot) = self.slots.get_mut(self.current) {
            slot.attempts = slot.attempts.saturating_add(1);
            slot.failed = slot.failed.saturating_add(u32::from(failed));
        }
    }

    /// What ended within the length of the window before `now`.
    pub(super) fn counts(&mut self, now: Instant) -> Counts {
        self.move_on(now);
        self.slots.iter().fold(Counts::default(), |sum, slot| Counts {
            attempts: sum.attempts.saturating_add(slot.attempts),
            failed: sum.failed.saturating_add(slot.failed),
        })
    }

    fn move_on(&mut self, now: Instant) {
        let slot = (self.length / 10).max(Duration::from_nanos(1));
        let since = *self.since.get_or_insert(now);
        let steps = now.saturating_duration_since(since).as_nanos() / slot.as_nanos();
        for _ in 0..steps.min(SLOTS as u128) {
            self.current = (self.current + 1) % SLOTS;
            if let Some(slot) = self.slots.get_mut(self.current) {
                *slot = Counts::default();
            }
        }
        let moved = u32::try_from(steps).ok().and_then(|steps| slot.checked_mul(steps));
        match moved {
            Some(moved) if steps <= SLOTS as u128 => self.since = since.checked_add(moved),
            _ => self.since = Some(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut window = Window::new(Duration::from_secs(30));
        window.count(true, at(0));
        window.count(false, at(10));
        assert_eq!(window.counts(at(26)), Counts { attempts: 2, failed: 1 });
        assert_eq!(window.counts(at(30)), Counts { attempts: 1, failed: 0 });
        assert_eq!(window.counts(at(40)), Counts::default());
        window.count(true, at(1_000_000));
        assert_eq!(window.counts(at(1_000_000)), Counts { attempts: 1, failed: 1 });
    }

    proptest! {
        #[test]
        fn it_counts_what_a_list_would_to_a_tenth(
            events in prop::collection::vec((0_u64..8_000, any::<bool>()), 1..100)
        ) {
            let length = Duration::from_secs(10);
            let mut window = Window::new(length);
            let mut now = Instant::now();
            let mut all: Vec<(Instant, bool)> = Vec::new();
            for (pause, failed) in events {
                now += Duration::from_millis(pause);
                window.count(failed, now);
                all.push((now, failed));
                let younger = |than: Duration| all.iter().filter(|(at, _)| now - *at < than).count();
                let counted = window.counts(now).attempts as usize;
                prop_assert!(counted <= younger(length), "{counted} counted, {} there", younger(length));
                prop_assert!(counted >= younger(length * 9 / 10));
            }
        }
    }
}
