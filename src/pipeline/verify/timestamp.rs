//! When a request was signed, and whether that is near enough to now.

use std::borrow::Cow;
use std::time::Duration;

use http::HeaderName;
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};

use super::Rejection;
use super::signature::Signature;
use super::view::{View, compile_selector};
use crate::config::file::TimestampFormat;
use crate::config::{At, Problem, Problems, file};
use crate::expr::Selector;
use crate::model::Timestamp;

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
        view: &View<'a>,
        signature: &Signature,
        given: &Cow<'a, str>,
    ) -> Result<Stamp<'a>, Rejection> {
        let text = match &self.from {
            From::Request(selector) => view.one(selector)?,
            From::Signature(key) => signature.item(given, key)?.map(|text| Cow::Owned(text.to_owned())),
        };
        let text = text.filter(|text| !text.is_empty()).ok_or(Rejection::MissingTimestamp)?;
        let at = parse(self.format, &text).ok_or(Rejection::MalformedTimestamp)?;
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
        match self.format {
            TimestampFormat::Unix => Some(now.as_seconds().to_string()),
            TimestampFormat::UnixMs => Some(now.as_millis().to_string()),
            TimestampFormat::Rfc3339 => Some(now.to_rfc3339()),
            TimestampFormat::HttpDate => http_date(jiff::Timestamp::from_millisecond(now.as_millis()).ok()?),
        }
    }

    /// The header in which a sender puts it, if it is in one.
    pub(super) fn header(&self) -> Option<HeaderName> {
        self.header_name()?.parse().ok()
    }

    /// The key of the signature's item that it is, if it is one.
    pub(super) fn item(&self) -> Option<&str> {
        match &self.from {
            From::Request(_) => None,
            From::Signature(key) => Some(key),
        }
    }
}

fn parse(format: TimestampFormat, text: &str) -> Option<Timestamp> {
    match format {
        TimestampFormat::Unix => digits(text).map(Timestamp::from_seconds),
        TimestampFormat::UnixMs => digits(text).map(Timestamp::from_millis),
        TimestampFormat::Rfc3339 => Timestamp::from_rfc3339(text),
        TimestampFormat::HttpDate => {
            let point = DateTimeParser::new().parse_timestamp(text).ok()?;
            // The parser takes e-mail's many forms; HTTP's senders write one (RFC 9110, section 5.6.7).
            (http_date(point)? == text).then(|| Timestamp::from_millis(point.as_millisecond()))
        }
    }
}

/// `i64::from_str` would take a sign.
fn digits(text: &str) -> Option<i64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn http_date(point: jiff::Timestamp) -> Option<String> {
    DateTimePrinter::new().timestamp_to_rfc9110_string(&point).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(tolerance: Duration, symmetric: bool) -> TimestampRule {
        TimestampRule { from: From::Signature("t".into()), format: TimestampFormat::Unix, tolerance, symmetric }
    }

    #[test]
    fn each_format_reads_its_own_writing_and_nothing_else() {
        let time = Timestamp::from_rfc3339("2021-07-23T09:00:00Z").unwrap();
        for (format, text, others) in [
            (
                TimestampFormat::Unix,
                "1627030800",
                vec!["", "+1627030800", "-1", "1627030800.0", " 1", "99999999999999999999"],
            ),
            (TimestampFormat::UnixMs, "1627030800000", vec!["", "+1", "1e3"]),
            (TimestampFormat::Rfc3339, "2021-07-23T09:00:00.000Z", vec!["", "2021-07-23", "1627030800"]),
            (
                TimestampFormat::HttpDate,
                "Fri, 23 Jul 2021 09:00:00 GMT",
                vec![
                    "",
                    "Thu, 23 Jul 2021 09:00:00 GMT",
                    "23 Jul 2021 09:00:00 GMT",
                    "Fri, 23 Jul 2021 09:00:00 +0000",
                ],
            ),
        ] {
            assert_eq!(TimestampRule { format, ..rule(DEFAULT_TOLERANCE, true) }.write(time).as_deref(), Some(text));
            assert_eq!(parse(format, text), Some(time), "{text}");
            for other in others {
                assert_eq!(parse(format, other), None, "{format:?} {other:?}");
            }
        }
        let offset = parse(TimestampFormat::Rfc3339, "2021-07-23T11:00:00+02:00");
        assert_eq!(offset, Some(time));
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
