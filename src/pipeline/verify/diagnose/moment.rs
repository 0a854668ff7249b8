//! The signed time: in another format, or too far from now.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::mutation::{Change, Mutation};
use super::token::Token;
use super::trial::{Failure, Trial};
use crate::config::file::TimestampFormat;
use crate::model::Timestamp;
use crate::pipeline::verify::Rejection;

const FORMATS: [TimestampFormat; 4] =
    [TimestampFormat::Unix, TimestampFormat::UnixMs, TimestampFormat::Rfc3339, TimestampFormat::HttpDate];
/// From 2001 on, and a hundred years: what lies outside was read in the wrong unit.
const PLAUSIBLE: std::ops::Range<i64> = 978_307_200_000..4_133_980_800_000;
const HALF_HOUR: i64 = 30 * 60 * 1000;
/// The farthest time zone.
const FARTHEST_ZONE: i64 = 14 * 3_600_000;
/// How exactly a difference is one of time zones: clocks are that far apart, and a request is that long on its way.
const ON_THE_WAY: i64 = 60 * 1000;

/// The same time, written otherwise than the description says.
pub(super) fn mutations(trial: &Trial) -> Vec<Mutation> {
    let Some(rule) = trial.timestamp() else { return Vec::new() };
    let described = rule.format;
    let others = FORMATS.into_iter().filter(|format| *format != described);
    let mut mutations: Vec<Mutation> = others.map(|format| in_format(described, format)).collect();
    if let Some(name) = rule.from.strip_prefix("header:").and_then(|name| name.parse().ok()) {
        mutations.extend(scaled(&name, described));
    }
    mutations
}

fn in_format(described: TimestampFormat, format: TimestampFormat) -> Mutation {
    Mutation::several(vec![format_change(described, format)], move |trial| {
        let Some(Some(rule)) = trial.timestamp_mut() else { return false };
        rule.value.format = format;
        true
    })
}

fn format_change(described: TimestampFormat, format: TimestampFormat) -> Change {
    let (is, was) = (name(format), name(described));
    let id = match (described, format) {
        (TimestampFormat::Unix, TimestampFormat::UnixMs) | (TimestampFormat::UnixMs, TimestampFormat::Unix) => {
            "timestamp_unit"
        }
        _ => "timestamp_format",
    };
    Change::new(id, format!("the time is written as `{is}`, and the description reads `{was}`: say `format: {is}`"))
}

/// A time that was signed in one unit and sent in the other.
fn scaled(name: &HeaderName, described: TimestampFormat) -> Option<Mutation> {
    let (factor, format, words) = match described {
        TimestampFormat::Unix => (true, TimestampFormat::UnixMs, "milliseconds, and sent in seconds"),
        TimestampFormat::UnixMs => (false, TimestampFormat::Unix, "seconds, and sent in milliseconds"),
        TimestampFormat::Rfc3339 | TimestampFormat::HttpDate => return None,
    };
    let name = name.clone();
    let words = format!("the time was signed in {words}: the sender has to send what it signs");
    Some(Mutation::new("timestamp_scaled", words, move |trial| {
        let text = trial.request.headers.get(&name).and_then(|value| value.to_str().ok());
        let Some(number) = text.and_then(|text| text.parse::<i64>().ok()) else { return false };
        let number = if factor { number.saturating_mul(1000) } else { number / 1000 };
        trial.request.headers.insert(name.clone(), HeaderValue::from(number));
        let Some(Some(rule)) = trial.timestamp_mut() else { return false };
        rule.value.format = format;
        true
    }))
}

/// What is wrong with the time of a trial that holds at some time, and not at `now`.
pub(super) fn explain(trial: &Trial, now: Timestamp) -> Option<Change> {
    let Err(Failure::Refused(rejection)) = trial.judge(now) else { return None };
    match rejection {
        Rejection::Stale | Rejection::TooFarAhead => Some(away(trial, trial.signed_at(now)?, now)),
        Rejection::Expired | Rejection::NotYetValid => Some(outside(trial, rejection, now)),
        _ => None,
    }
}

/// Why a signed time is too far from now.
fn away(trial: &Trial, signed_at: Timestamp, now: Timestamp) -> Change {
    if let Some(change) = other_unit(trial, signed_at, now) {
        return change;
    }
    let off = signed_at.millis_from(now);
    let zones = off.saturating_add(HALF_HOUR / 2).div_euclid(HALF_HOUR).saturating_mul(HALF_HOUR);
    let to_the_minute = zones != 0 && zones.abs() <= FARTHEST_ZONE && (off - zones).abs() <= ON_THE_WAY;
    let (id, side) = if off < 0 { ("stale", "before") } else { ("ahead", "after") };
    let then = at(trial, signed_at);
    if to_the_minute {
        let words = format!(
            "the signature is right, but it was signed {} {side} now, a whole number of half hours: the sender probably takes \
             its local time for UTC, or this machine does. {then}",
            span(zones)
        );
        return Change::new("timestamp_zone", words);
    }
    let why = if off < 0 {
        "a request that waited, was replayed or was captured then; if it is new, one of the clocks is wrong"
    } else {
        "one of the clocks is wrong, or `--now` is"
    };
    Change::new(id, format!("the signature is right, but it was signed {} {side} now: {why}. {then}", span(off)))
}

/// Seconds taken for milliseconds, or the other way round.
fn other_unit(trial: &Trial, signed_at: Timestamp, now: Timestamp) -> Option<Change> {
    let described = trial.timestamp()?.format;
    let format = match described {
        TimestampFormat::Unix => TimestampFormat::UnixMs,
        TimestampFormat::UnixMs => TimestampFormat::Unix,
        TimestampFormat::Rfc3339 | TimestampFormat::HttpDate => return None,
    };
    let mut other = trial.clone();
    let there = !PLAUSIBLE.contains(&signed_at.as_millis()) && in_format(described, format).apply(&mut other);
    let read = other.signed_at(now).filter(|read| there && PLAUSIBLE.contains(&read.as_millis()))?;
    let mut change = format_change(described, format);
    if other.judge(now).is_err() {
        change.words.push_str(&format!(". Then it was signed at {read}: give that as `--now`"));
    }
    Some(change)
}

/// A token outside of the time that it says.
fn outside(trial: &Trial, rejection: Rejection, now: Timestamp) -> Change {
    let (id, claim) = if rejection == Rejection::Expired { ("expired", "exp") } else { ("not_yet_valid", "nbf") };
    let claims = Token::of(trial).map(|token| token.claims).unwrap_or_default();
    let time = |name: &str| claims.get(name)?.as_f64().map(from_seconds);
    let Some(limit) = time(claim) else {
        return Change::new(id, rejection.next_step());
    };
    let off = span(limit.millis_from(now));
    let inside = time("iat").or_else(|| time("nbf")).unwrap_or_else(|| limit.before(Duration::from_secs(1)));
    let inside = at(trial, if claim == "nbf" { limit } else { inside });
    let words = if claim == "exp" {
        format!("the signature is right, but the token's `exp` passed {off} before now. {inside}")
    } else {
        format!(
            "the signature is right, but the token's `nbf` is {off} after now: one of the clocks is wrong. {inside}"
        )
    };
    Change::new(id, words.trim_end())
}

/// The words for a time at which it would verify, if it would.
fn at(trial: &Trial, time: Timestamp) -> String {
    if trial.judge(time).is_ok() { format!("With `--now {time}` it verifies") } else { String::new() }
}

fn from_seconds(seconds: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
    let millis = (seconds * 1000.0) as i64;
    Timestamp::from_millis(millis)
}

/// A span for a person, in its two largest units.
pub(super) fn span(millis: i64) -> String {
    const UNITS: [(u64, &str); 5] =
        [(31_557_600, "year"), (86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
    let mut rest = millis.unsigned_abs() / 1000;
    let mut parts = Vec::new();
    for (seconds, name) in UNITS {
        let count = rest / seconds;
        rest %= seconds;
        if count > 0 {
            parts.push(format!("{count} {name}{}", if count == 1 { "" } else { "s" }));
        }
    }
    parts.truncate(2);
    if parts.is_empty() { "less than a second".to_owned() } else { parts.join(" ") }
}

const fn name(format: TimestampFormat) -> &'static str {
    match format {
        TimestampFormat::Unix => "unix",
        TimestampFormat::UnixMs => "unix_ms",
        TimestampFormat::Rfc3339 => "rfc3339",
        TimestampFormat::HttpDate => "http_date",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_its_two_largest_units() {
        assert_eq!(span(0), "less than a second");
        assert_eq!(span(-61_000), "1 minute 1 second");
        assert_eq!(span(3 * 86_400_000 + 3_600_000 + 5), "3 days 1 hour");
        assert_eq!(span(i64::MIN).split(' ').nth(1), Some("years"));
    }
}
