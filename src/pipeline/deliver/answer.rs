//! How a try ended.

use std::time::Duration;

use http::StatusCode;
use http::header::{HeaderMap, RETRY_AFTER};
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use super::excerpt::{excerpt, one_line};
use super::failure::Failure;
use super::judge::{Judged, Objection};
use super::oauth::NoToken;
use super::{OutboundError, Target};
use crate::model::{Attempt, Outcome, Reason, Secret, Timestamp};

/// How a try ended, before the retry policy has its say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status, where there was an answer.
    pub status: Option<u16>,
    /// Delivered, or why not: `Retry` where another try may do better, `DeadLetter` where it cannot.
    pub outcome: Outcome,
    /// How long the destination asks us to wait (`Retry-After`), at most a day.
    pub retry_after: Option<Duration>,
    /// What happened, in a sentence for a person: at most `Attempt::DETAIL_LIMIT` bytes, never anything we sent.
    pub detail: Box<str>,
    /// The start of the response's body, where it was no success. A destination may well quote there what it was sent:
    /// it is kept with the delivery, which holds that too, and is for no log.
    pub excerpt: Box<str>,
}

/// A response as far as it was read.
#[derive(Debug)]
pub(super) struct Response {
    /// Its status.
    pub(super) status: StatusCode,
    /// What it asks us to wait.
    pub(super) retry_after: Option<Duration>,
    /// Its header fields.
    pub(super) headers: HeaderMap,
    /// The start of its body.
    pub(super) start: Vec<u8>,
    /// Whether that is all of it.
    pub(super) whole: bool,
    /// What kept it from being read to its end, or to the most that is read.
    pub(super) broken: Option<Failure>,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// RFC 9110, section 5.6.7: the form that is sent, and the two that are still to be understood.
const HTTP_DATES: [&str; 3] = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

// === impl Answer ===

impl Answer {
    /// The attempt as it is kept: attempt `number` (the first is 1), begun `at`, and how it ended once the retry
    /// policy had its say.
    #[must_use]
    pub fn to_attempt(&self, number: u32, at: Timestamp, duration: Duration, outcome: Outcome) -> Attempt {
        let detail = match &*self.excerpt {
            "" => self.detail.clone(),
            excerpt => bounded(format!("{}: {excerpt}", self.detail)),
        };
        Attempt { number, at, duration, status: self.status, outcome, detail }
    }

    /// Of an attempt that could not be made.
    pub(super) fn not_sent(error: &OutboundError) -> Self {
        Self::without_status(Outcome::DeadLetter(error.reason()), error.to_string())
    }

    /// Of an attempt that was not made for want of an access token.
    pub(super) fn no_token(error: NoToken) -> Self {
        let NoToken { reason, detail, retry_after } = error;
        Self { retry_after, ..Self::without_status(Outcome::Retry(reason), detail) }
    }

    /// The same of a destination that refused an access token, where the next attempt has another: that the status is one
    /// to give up on says nothing of that.
    pub(super) fn of_a_refused_token(self) -> Self {
        let detail = bounded(format!("{}: the access token is replaced", self.detail));
        Self { outcome: Outcome::Retry(Reason::Oauth), detail, ..self }
    }

    /// Of an attempt without a response.
    pub(super) fn failed(failure: &Failure, target: &Target) -> Self {
        let outcome = failure.outcome();
        let host = target.authority();
        let what = match outcome {
            Outcome::Retry(Reason::Dns) => format!("the name of {host} could not be resolved"),
            Outcome::Retry(Reason::Connect) => format!("no connection to {host}"),
            Outcome::Retry(Reason::Tls) => format!("no TLS with {host}"),
            Outcome::Retry(Reason::RefusedAddress) => format!("the name of {host} is refused"),
            Outcome::Retry(Reason::Timeout) => {
                return Self::without_status(outcome, format!("no answer from {host} within {:?}", target.timeout));
            }
            Outcome::DeadLetter(_) => "the request cannot be sent".to_owned(),
            _ => format!("no HTTP answer from {host}"),
        };
        Self::without_status(outcome, with_cause(what, failure))
    }

    /// Of an attempt with a response. The status decides: what comes behind it matters for 2xx alone, where an
    /// answer that breaks off may be one that the destination did not stand by, and one that says that it failed did.
    /// What is echoed of `secrets` is masked.
    pub(super) fn received(response: &Response, target: &Target, secrets: &[Secret]) -> Self {
        let status = response.status.as_u16();
        let by_status = outcome_of(response.status);
        let (outcome, detail) = match (&response.broken, by_status) {
            (Some(failure), Outcome::Delivered) => (failure.outcome(), broken_off(status, failure, target)),
            (None, Outcome::Delivered) => match judged(response, target) {
                Ok(()) => (by_status, format!("answered {status}")),
                Err(objection) => (Outcome::Retry(Reason::Unsuccessful), format!("answered {status}, but {objection}")),
            },
            (_, _) => (by_status, format!("answered {status}")),
        };
        let excerpt = match (by_status, outcome) {
            (Outcome::Delivered, Outcome::Delivered) => String::new(),
            (Outcome::Delivered, _) if response.broken.is_some() => String::new(),
            _ => excerpt(&response.start, secrets),
        };
        let retry_after = response.retry_after.filter(|_| outcome != Outcome::Delivered);
        Self { status: Some(status), outcome, retry_after, detail: bounded(detail), excerpt: bounded(excerpt) }
    }

    fn without_status(outcome: Outcome, detail: String) -> Self {
        Self { status: None, outcome, retry_after: None, detail: bounded(detail), excerpt: Box::default() }
    }
}

/// Whether a 2xx says what it has to.
fn judged(response: &Response, target: &Target) -> Result<(), Objection> {
    let Some(judge) = &target.judge else { return Ok(()) };
    let body = response.whole.then_some(&*response.start);
    judge.judge(&Judged { status: response.status.as_u16(), headers: &response.headers, body })
}

/// What a status comes to, before the retry policy has its say.
fn outcome_of(status: StatusCode) -> Outcome {
    match status.as_u16() {
        200..=299 => Outcome::Delivered,
        300..=399 => Outcome::DeadLetter(Reason::Redirect),
        429 => Outcome::Retry(Reason::RateLimited),
        400..=499 => Outcome::Retry(Reason::ClientError),
        500..=599 => Outcome::Retry(Reason::ServerError),
        _ => Outcome::Retry(Reason::UnexpectedStatus),
    }
}

fn broken_off(status: u16, failure: &Failure, target: &Target) -> String {
    match failure.outcome() {
        Outcome::Retry(Reason::Timeout) => {
            format!("answered {status}, but the response did not end within {:?}", target.timeout)
        }
        _ => with_cause(format!("answered {status}, but the response broke off"), failure),
    }
}

fn with_cause(what: String, failure: &Failure) -> String {
    match &failure.cause {
        Some(cause) => format!("{what}: {}", one_line(cause)),
        None => what,
    }
}

fn bounded(mut detail: String) -> Box<str> {
    detail.truncate(detail.floor_char_boundary(Attempt::DETAIL_LIMIT));
    detail.into()
}

/// `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date, taken from `now`. At most a day; what is neither is
/// not there.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // Only too many digits can be wrong with it.
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        http_date(value)?.since(now)
    };
    Some(wait.min(DAY))
}

fn http_date(text: &str) -> Option<Timestamp> {
    let date = HTTP_DATES.iter().find_map(|form| strtime::parse(form, text).ok()?.to_datetime().ok())?;
    let point = date.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some(Timestamp::from_millis(point.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// 1994-11-06T08:49:37Z, the example of RFC 9110.
    const THEN: i64 = 784_111_777;

    fn asked(value: &str, now: i64) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
        retry_after(&headers, Timestamp::from_seconds(now)).map(|wait| wait.as_secs())
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_in_each_form_of_a_date() {
        assert_eq!(asked("120", THEN), Some(120));
        assert_eq!(asked(" 0 ", THEN), Some(0));
        for date in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(asked(date, THEN - 90), Some(90), "{date}");
            assert_eq!(asked(date, THEN + 90), Some(0), "{date} has passed");
        }
    }

    #[test]
    fn retry_after_is_at_most_a_day() {
        let day = Some(24 * 60 * 60);
        assert_eq!(asked("86401", THEN), day);
        assert_eq!(asked("99999999999999999999999999", THEN), day);
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:37 GMT", 0), day);
    }

    #[test]
    fn a_retry_after_that_is_neither_form_asks_for_nothing() {
        for value in ["", "soon", "-5", "1.5", "1h", "06 Nov 1994", "Sun, 31 Feb 1994 08:49:37 GMT"] {
            assert_eq!(asked(value, THEN), None, "{value:?}");
        }
    }

    #[test]
    fn every_status_has_its_outcome() {
        for (status, outcome) in [
            (101, Outcome::Retry(Reason::UnexpectedStatus)),
            (200, Outcome::Delivered),
            (202, Outcome::Delivered),
            (299, Outcome::Delivered),
            (300, Outcome::DeadLetter(Reason::Redirect)),
            (304, Outcome::DeadLetter(Reason::Redirect)),
            (400, Outcome::Retry(Reason::ClientError)),
            (429, Outcome::Retry(Reason::RateLimited)),
            (499, Outcome::Retry(Reason::ClientError)),
            (500, Outcome::Retry(Reason::ServerError)),
            (599, Outcome::Retry(Reason::ServerError)),
            (600, Outcome::Retry(Reason::UnexpectedStatus)),
            (999, Outcome::Retry(Reason::UnexpectedStatus)),
        ] {
            assert_eq!(outcome_of(StatusCode::from_u16(status).unwrap()), outcome, "{status}");
        }
    }

    #[test]
    fn the_detail_is_bounded_between_characters() {
        let detail = bounded("€".repeat(1000));
        assert!(detail.len() <= Attempt::DETAIL_LIMIT);
        assert!(detail.chars().all(|character| character == '€'));
    }
}
