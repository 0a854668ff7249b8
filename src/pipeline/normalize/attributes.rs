//! What the attributes of an event may look like.

use jiff::fmt::{rfc2822, strtime};

use crate::model::Timestamp;

/// Until the year 5138 seconds have at most 11 digits, and since 1973 milliseconds have more.
const FIRST_MILLISECONDS: i64 = 100_000_000_000;

/// Brings a time to RFC 3339, as CloudEvents wants it: RFC 3339 stays as it is. What is written otherwise becomes that in
/// UTC: seconds (with or without a fraction) and milliseconds since the Unix epoch, the dates of HTTP and mail
/// (RFC 9110, RFC 5322), and what is nearly RFC 3339. Anything else is no time: one without a zone is not guessed at.
pub(super) fn time(given: &str) -> Option<Box<str>> {
    let text = given.trim();
    if is_rfc3339(text) && Timestamp::from_rfc3339(text).is_some() {
        return Some(text.into());
    }
    let point = number(text).or_else(|| Timestamp::from_rfc3339(text)).or_else(|| date(text))?;
    Some(point.to_rfc3339().into())
}

/// Whether it is written as RFC 3339, section 5.6, wants it: parsers take more.
fn is_rfc3339(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shape = |pattern: &str, bytes: &[u8]| {
        pattern.len() == bytes.len()
            && pattern.bytes().zip(bytes).all(|(wanted, given)| match wanted {
                b'0' => given.is_ascii_digit(),
                _ => wanted == *given,
            })
    };
    let Some((head, rest)) = bytes.split_at_checked("0000-00-00T00:00:00".len()) else { return false };
    let zone = match rest.split_first() {
        Some((b'.', fraction)) => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return false;
            }
            fraction.get(digits..).unwrap_or_default()
        }
        _ => rest,
    };
    shape("0000-00-00T00:00:00", head) && (zone == b"Z" || shape("+00:00", zone) || shape("-00:00", zone))
}

fn number(text: &str) -> Option<Timestamp> {
    if let Ok(number) = text.parse::<i64>() {
        let seconds = number.abs() < FIRST_MILLISECONDS;
        return Some(if seconds { Timestamp::from_seconds(number) } else { Timestamp::from_millis(number) });
    }
    let (seconds, fraction) = text.split_once('.')?;
    let seconds: i64 = seconds.parse().ok().filter(|seconds| (0..FIRST_MILLISECONDS).contains(seconds))?;
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    Some(Timestamp::from_millis(seconds * 1000 + millis))
}

fn date(text: &str) -> Option<Timestamp> {
    let of_mail = rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    let nearly = || {
        // As Ruby and git write it.
        let text = text.strip_suffix(" UTC").map_or_else(|| text.to_owned(), |text| format!("{text} +0000"));
        let read = |format| strtime::parse(format, &text).and_then(|time| time.to_timestamp()).ok();
        read("%Y-%m-%d %H:%M:%S %z").or_else(|| read("%Y-%m-%dT%H:%M:%S%.f%z"))
    };
    let point = of_mail.or_else(nearly)?;
    Some(Timestamp::from_millis(point.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_brought_to_rfc_3339() {
        for (given, wanted) in [
            ("2024-12-26T18:05:42.915Z", Some("2024-12-26T18:05:42.915Z")),
            ("2024-12-26T19:05:42+01:00", Some("2024-12-26T19:05:42+01:00")),
            ("1735236342", Some("2024-12-26T18:05:42.000Z")),
            ("1735236342915", Some("2024-12-26T18:05:42.915Z")),
            ("1735236342.9", Some("2024-12-26T18:05:42.900Z")),
            ("1735236342.915374", Some("2024-12-26T18:05:42.915Z")),
            ("2024-12-26 18:05:42Z", Some("2024-12-26T18:05:42.000Z")),
            ("2024-12-26T19:05:42+0100", Some("2024-12-26T18:05:42.000Z")),
            ("2024-12-26T19:05:42.5+0100", Some("2024-12-26T18:05:42.500Z")),
            ("2024-12-26 18:05:42 UTC", Some("2024-12-26T18:05:42.000Z")),
            ("2024-12-26 19:05:42 +0100", Some("2024-12-26T18:05:42.000Z")),
            ("Thu, 26 Dec 2024 18:05:42 GMT", Some("2024-12-26T18:05:42.000Z")),
            ("Thu, 26 Dec 2024 19:05:42 +0100", Some("2024-12-26T18:05:42.000Z")),
            ("2024-12-26T18:05:42", None),
            ("2024-12-26 18:05:42", None),
            ("2024-12-26", None),
            ("2024-13-26T18:05:42Z", None),
            ("26.12.2024", None),
            ("1.", None),
            ("-1.5", None),
            ("", None),
        ] {
            assert_eq!(time(given).as_deref(), wanted, "{given}");
        }
    }

    #[test]
    fn only_the_form_of_rfc_3339_is_it() {
        for text in ["2024-12-26T18:05:42Z", "2024-12-26T18:05:42.1-00:30"] {
            assert!(is_rfc3339(text), "{text}");
        }
        for text in ["2024-12-26t18:05:42z", "2024-12-26T18:05:42.Z", "2024-12-26T18:05:42+01", "2024-12-26T18:05Z", ""]
        {
            assert!(!is_rfc3339(text), "{text}");
        }
    }
}
