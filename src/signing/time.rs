//! The signed time as text.

use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};

use crate::config::file::TimestampFormat;
use crate::model::Timestamp;

/// A time as a sender would write it; `None` where it cannot be written.
#[must_use]
pub fn write_time(format: TimestampFormat, time: Timestamp) -> Option<String> {
    match format {
        TimestampFormat::Unix => Some(time.as_seconds().to_string()),
        TimestampFormat::UnixMs => Some(time.as_millis().to_string()),
        TimestampFormat::Rfc3339 => Some(time.to_rfc3339()),
        TimestampFormat::HttpDate => http_date(jiff::Timestamp::from_millisecond(time.as_millis()).ok()?),
    }
}

/// Reads a time as [`write_time`] writes it; `None` where the text is another form.
#[must_use]
pub fn parse_time(format: TimestampFormat, text: &str) -> Option<Timestamp> {
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
            assert_eq!(write_time(format, time).as_deref(), Some(text));
            assert_eq!(parse_time(format, text), Some(time), "{text}");
            for other in others {
                assert_eq!(parse_time(format, other), None, "{format:?} {other:?}");
            }
        }
        let offset = parse_time(TimestampFormat::Rfc3339, "2021-07-23T11:00:00+02:00");
        assert_eq!(offset, Some(time));
    }
}
