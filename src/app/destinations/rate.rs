//! How many attempts are begun in a time: the generic cell rate algorithm. Pure: the time is an argument.
//!
//! Why not the governor crate: its limiter has no way to take over what another has let through, and a reload that
//! changes a rate must not fill the bucket again.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::Rate;

/// Lets so many through in a time, and at once a tenth of what a second allows, at least one.
///
/// In any stretch of time `t` no more than `rate * t + burst` get through. Where nobody came for a while, that is not
/// made up for beyond the burst.
#[derive(Debug)]
pub(super) struct Bucket {
    /// `None` lets everything through.
    pace: Option<Pace>,
    /// When the bucket is full again (the theoretical arrival time of ITU-T I.371): one interval later for each that got
    /// through.
    full_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Pace {
    /// From one to the next, rounded up: never a hair faster than the rate.
    interval: Duration,
    /// How far `full_at` may lie ahead for another to get through.
    tolerance: Duration,
}

/// The burst is what comes in this time at the rate.
const BURST: Duration = Duration::from_millis(100);

// === impl Bucket ===

impl Bucket {
    /// A full one.
    pub(super) fn new(rate: Option<Rate>) -> Self {
        Self { pace: rate.map(Pace::new), full_at: None }
    }

    /// Lets one through at `now`, or says when to come again.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        let Some(pace) = self.pace else { return Ok(()) };
        let missing = self.missing(now);
        if let Some(early) = missing.checked_sub(pace.tolerance)
            && !early.is_zero()
        {
            return Err(now + early);
        }
        self.full_at = Some(now + missing + pace.interval);
        Ok(())
    }

    /// Takes another rate. What got through counts on, as so many attempts.
    pub(super) fn configure(&mut self, rate: Option<Rate>, now: Instant) {
        let pace = rate.map(Pace::new);
        if let (Some(old), Some(new)) = (self.pace, pace) {
            let attempts = self.missing(now).as_secs_f64() / old.interval.as_secs_f64();
            let missing = Duration::try_from_secs_f64(attempts * new.interval.as_secs_f64()).unwrap_or(new.interval);
            self.full_at = Some(now + missing);
        }
        self.pace = pace;
    }

    /// Whether nothing got through that counts still.
    pub(super) fn is_full(&self, now: Instant) -> bool {
        self.pace.is_none() || self.missing(now).is_zero()
    }

    fn missing(&self, now: Instant) -> Duration {
        self.full_at.map_or(Duration::ZERO, |full_at| full_at.saturating_duration_since(now))
    }
}

// === impl Pace ===

impl Pace {
    fn new(rate: Rate) -> Self {
        // A rate of nothing is refused at load.
        let count = u64::from(rate.count.max(1));
        let per = u64::try_from(rate.per.as_nanos()).unwrap_or(u64::MAX);
        let interval = Duration::from_nanos(per.div_ceil(count).max(1));
        let burst = u32::try_from(BURST.as_nanos() / interval.as_nanos()).unwrap_or(u32::MAX).max(1);
        Self { interval, tolerance: interval.saturating_mul(burst - 1) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn per_second(count: u32) -> Rate {
        Rate { count, per: SECOND }
    }

    /// How many get through at once.
    fn at_once(bucket: &mut Bucket, now: Instant) -> usize {
        (0..1_000_000).take_while(|_| bucket.take(now).is_ok()).count()
    }

    #[test]
    fn the_burst_is_a_tenth_of_a_second_and_at_least_one() {
        let now = Instant::now();
        for (rate, burst) in [
            (per_second(100), 10),
            (per_second(1_000), 100),
            (per_second(19), 1),
            (per_second(1), 1),
            (Rate { count: 30, per: 60 * SECOND }, 1),
            (Rate { count: 1, per: 3_600 * SECOND }, 1),
        ] {
            assert_eq!(at_once(&mut Bucket::new(Some(rate)), now), burst, "{rate}");
        }
        assert_eq!(at_once(&mut Bucket::new(None), now), 1_000_000);
    }

    #[test]
    fn who_comes_when_told_gets_through() {
        let mut now = Instant::now();
        let start = now;
        let mut bucket = Bucket::new(Some(per_second(100)));
        for _ in 0..1_010 {
            if let Err(again) = bucket.take(now) {
                now = again;
                assert_eq!(bucket.take(now), Ok(()));
            }
        }
        assert_eq!(now - start, 10 * SECOND, "the first ten came at once, the rest at the rate");
    }

    #[test]
    fn another_rate_does_not_fill_the_bucket_and_holds_at_once() {
        let now = Instant::now();
        let mut bucket = Bucket::new(Some(per_second(100)));
        at_once(&mut bucket, now);
        bucket.configure(Some(per_second(100)), now);
        assert_eq!(at_once(&mut bucket, now), 0, "the same again");
        bucket.configure(Some(Rate { count: 1, per: 3_600 * SECOND }), now);
        bucket.configure(Some(per_second(1_000)), now);
        assert_eq!(at_once(&mut bucket, now), 90, "ten of the hundred were had");
        assert!(!bucket.is_full(now) && bucket.is_full(now + SECOND));
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate_and_the_burst(
            count in 1_u32..100_000,
            per in prop::sample::select(vec![1_u64, 60, 3_600]),
            pauses in prop::collection::vec(prop_oneof![Just(0), 0_u64..2_000, 0_u64..200_000_000, 0_u64..5_000_000_000], 1..200),
            reload in 0_usize..200,
        ) {
            let rate = Rate { count, per: Duration::from_secs(per) };
            let mut bucket = Bucket::new(Some(rate));
            let mut now = Instant::now();
            let mut through: Vec<Instant> = Vec::new();
            for (index, pause) in pauses.into_iter().enumerate() {
                now += Duration::from_nanos(pause);
                if index == reload {
                    bucket.configure(Some(rate), now);
                }
                match bucket.take(now) {
                    Ok(()) => through.push(now),
                    Err(again) => prop_assert!(again > now, "told to come at once"),
                }
            }
            let per_second = f64::from(count) / per as f64;
            let burst = (per_second / 10.0).floor().max(1.0);
            for (first, from) in through.iter().enumerate() {
                for (last, to) in through.iter().enumerate().skip(first) {
                    let got = (last - first + 1) as f64;
                    let allowed = per_second * (*to - *from).as_secs_f64() + burst;
                    // A reload rounds to a nanosecond.
                    prop_assert!(got <= allowed + 0.001 , "{got} in {:?}, {allowed} are allowed", *to - *from);
                }
            }
        }
    }
}
