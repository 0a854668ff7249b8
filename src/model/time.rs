//! Points in time, and where they come from.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A point in time: milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Where the time comes from. Behaviour that depends on the time takes one of these, so that a
/// test can say what time it is.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// A clock that stands still until it is moved: for tests and for replaying a captured request.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

// === impl Timestamp ===

impl Timestamp {
    /// The point `millis` milliseconds after the Unix epoch (before it, where negative).
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The point `seconds` seconds after the Unix epoch, or the latest representable one.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This point moved `by` later, or the latest representable one.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(by))
    }

    /// The point so long before this one.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero where it is not after it (a clock can jump back).
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }

    /// Milliseconds from `other` to this point: negative where this one is earlier.
    #[must_use]
    pub const fn millis_from(self, other: Self) -> i64 {
        self.0.saturating_sub(other.0)
    }

    /// As RFC 3339 in UTC with milliseconds; the epoch where the point lies outside of what
    /// RFC 3339 can say.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        let point = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        format!("{point:.3}")
    }

    /// Reads RFC 3339, with any offset.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let point: jiff::Timestamp = text.parse().ok()?;
        Some(Self(point.as_millisecond()))
    }

    /// Reads what a person writes for a time: RFC 3339, or whole seconds since the Unix epoch.
    #[must_use]
    pub fn from_rfc3339_or_seconds(text: &str) -> Option<Self> {
        match text.parse::<i64>() {
            Ok(seconds) => Some(Self(seconds.checked_mul(1000)?)),
            Err(_) => Self::from_rfc3339(text),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

// === impl Clock ===

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    fn now(&self) -> Timestamp {
        let now = std::time::SystemTime::now();
        let millis = match now.duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |m| -m),
        };
        Timestamp(millis)
    }
}

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.0))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().after(by));
    }

    /// Sets the clock, back or forward.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_survives_a_round_trip_and_any_offset() {
        let point = Timestamp::from_rfc3339("2021-07-23T11:00:00.250+02:00").unwrap();
        assert_eq!(point.to_rfc3339(), "2021-07-23T09:00:00.250Z");
        assert_eq!(Timestamp::from_rfc3339(&point.to_rfc3339()), Some(point));
        assert_eq!(Timestamp::from_rfc3339("yesterday"), None);
        assert_eq!(Timestamp::from_rfc3339_or_seconds("-5"), Some(Timestamp::from_seconds(-5)));
        assert_eq!(Timestamp::from_rfc3339_or_seconds(&i64::MAX.to_string()), None);
        assert_eq!(Timestamp::from_rfc3339_or_seconds("2021-07-23T09:00:00.25Z"), Some(point));
    }

    #[test]
    fn a_clock_that_jumped_back_gives_no_negative_duration() {
        let later = Timestamp::from_millis(2_000);
        let earlier = Timestamp::from_millis(500);
        assert_eq!(later.since(earlier), Duration::from_millis(1_500));
        assert_eq!(earlier.since(later), Duration::ZERO);
        assert_eq!(earlier.millis_from(later), -1_500);
    }
}
