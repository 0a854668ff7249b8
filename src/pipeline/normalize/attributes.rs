//! What the attributes of an event may look like.

use crate::model::Timestamp;

/// Brings a time to RFC 3339, as CloudEvents wants it: RFC 3339 stays as it is, seconds and milliseconds since the
/// Unix epoch are converted, anything else is no time.
pub(super) fn time(given: &str) -> Option<Box<str>> {
    if Timestamp::from_rfc3339(given).is_some() {
        return Some(given.into());
    }
    let number: i64 = given.parse().ok()?;
    // Until the year 5138 seconds have at most 11 digits, and since 1973 milliseconds have more.
    let point =
        if number.abs() < 100_000_000_000 { Timestamp::from_seconds(number) } else { Timestamp::from_millis(number) };
    Some(point.to_rfc3339().into())
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
            ("26.12.2024", None),
            ("", None),
        ] {
            assert_eq!(time(given).as_deref(), wanted, "{given}");
        }
    }
}
