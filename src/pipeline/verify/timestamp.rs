//! When a request was signed, and whether that is near enough to now.

use std::borrow::Cow;
use std::time::Duration;

use super::Rejection;
use super::signature::Signature;
use crate::config::file::TimestampFormat;
use crate::config::{At, Problem, Problems, file};
use crate::expr::Selector;
use crate::model::Timestamp;
use crate::signing::{Message, compile_selector, parse_time, write_time};

const DEFAULT_TOLERANCE: Duration = Duration::from_secs(5 * 60);
const ITEM: &str = "signature:";

/// Where the signed time is and how old it may be.
#[derive(Debug)]
pub(super) struct TimestampRule {
    from: From,
    format: TimestampFormat,
    tolerance: Duration,
    symmetric: bool,
}

#[derive(Debug)]
enum From {
    Request(Selector),
    /// The key of an item of the signature's list.
    Signature(Box<str>),
}

/// A signed time.
#[derive(Debug)]
pub(super) struct Stamp<'a> {
    /// As sent: the signature covers this text.
    pub(super) text: Cow<'a, str>,
    pub(super) at: Timestamp,
}

// === impl TimestampRule ===

impl TimestampRule {
    pub(super) fn compile(
        file: &At<file::TimestampRule>,
        signature: Option<&Signature>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let tolerance = file.tolerance.as_ref().map_or(DEFAULT_TOLERANCE, |span| span.value.0);
        if let Some(span) = file.tolerance.as_ref().filter(|span| span.value.0.is_zero()) {
            problems.push(
                Problem::error(span.place, "a tolerance of nothing refuses every request").expected("such as `5m`"),
            );
        }
        let from = match file.from.strip_prefix(ITEM) {
            None => From::Request(compile_selector(&file.from, problems)?),
            Some("") => {
                let problem = Problem::error(file.from.place, "`signature:` names no item");
                problems.push(problem.expected("the key of an item of the signature's list, such as `signature:t`"));
                return None;
            }
            Some(_) if signature.is_some_and(|signature| !signature.has_keys()) => {
                let problem = Problem::error(file.from.place, "the signature is no list of keys and values");
                problems.push(problem.expected("`signature.list` with `pair` and `key`"));
                return None;
            }
            Some(key) => From::Signature(key.into()),
        };
        let symmetric = file.symmetric.unwrap_or(true);
        (!tolerance.is_zero()).then_some(Self { from, format: file.format, tolerance, symmetric })
    }

    /// How old a request may be.
    pub(super) const fn tolerance(&self) -> Duration {
        self.tolerance
    }

    pub(super) fn needs_json(&self) -> bool {
        matches!(&self.from, From::Request(selector) if selector.needs_json())
    }

    /// The name of the header it is in, in lower case, if it is in one.
    pub(super) fn header_name(&self) -> Option<&str> {
        match &self.from {
            From::Request(selector) => selector.header_name(),
            From::Signature(_) => None,
        }
    }

    /// The time that was signed together with the signatures in `given`.
    pub(super) fn read<'a>(
        &self,
        message: &Message<'a>,
        signature: &Signature,
        given: &Cow<'a, str>,
    ) -> Result<Stamp<'a>, Rejection> {
        let text = match &self.from {
            From::Request(selector) => message.one(selector)?,
            From::Signature(key) => signature.item(given, key)?.map(|text| Cow::Owned(text.to_owned())),
        };
        let text = text.filter(|text| !text.is_empty()).ok_or(Rejection::MissingTimestamp)?;
        let at = parse_time(self.format, &text).ok_or(Rejection::MalformedTimestamp)?;
        Ok(Stamp { text, at })
    }

    /// Whether `at` is near enough to `now`. The limit itself is near enough.
    pub(super) fn check(&self, at: Timestamp, now: Timestamp) -> Result<(), Rejection> {
        if now.since(at) > self.tolerance {
            Err(Rejection::Stale)
        } else if self.symmetric && at.since(now) > self.tolerance {
            Err(Rejection::TooFarAhead)
        } else {
            Ok(())
        }
    }

    /// `now` as a sender would write it; `None` where it cannot be written.
    pub(super) fn write(&self, now: Timestamp) -> Option<String> {
        write_time(self.format, now)
    }

    /// Where a sender puts it, unless it is an item of the signature.
    pub(super) const fn selector(&self) -> Option<&Selector> {
        match &self.from {
            From::Request(selector) => Some(selector),
            From::Signature(_) => None,
        }
    }

    /// The key of the signature's item that it is, if it is one.
    pub(super) fn item(&self) -> Option<&str> {
        match &self.from {
            From::Request(_) => None,
            From::Signature(key) => Some(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(tolerance: Duration, symmetric: bool) -> TimestampRule {
        TimestampRule { from: From::Signature("t".into()), format: TimestampFormat::Unix, tolerance, symmetric }
    }

    #[test]
    fn the_tolerance_holds_to_the_millisecond_on_both_sides() {
        let at = Timestamp::from_seconds(1_000);
        let both = rule(Duration::from_secs(5), true);
        assert_eq!(both.check(at, Timestamp::from_millis(1_005_000)), Ok(()));
        assert_eq!(both.check(at, Timestamp::from_millis(1_005_001)), Err(Rejection::Stale));
        assert_eq!(both.check(at, Timestamp::from_millis(995_000)), Ok(()));
        assert_eq!(both.check(at, Timestamp::from_millis(994_999)), Err(Rejection::TooFarAhead));
    }

    #[test]
    fn without_symmetry_only_the_past_is_refused() {
        let past_only = rule(Duration::from_secs(5), false);
        assert_eq!(past_only.check(Timestamp::from_seconds(9_999), Timestamp::from_seconds(1)), Ok(()));
        let old = past_only.check(Timestamp::from_seconds(1), Timestamp::from_seconds(9_999));
        assert_eq!(old, Err(Rejection::Stale));
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        let ever = rule(Duration::from_secs(5), true);
        let (first, last) = (Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX));
        assert_eq!(ever.check(first, last), Err(Rejection::Stale));
        assert_eq!(ever.check(last, first), Err(Rejection::TooFarAhead));
    }
}
