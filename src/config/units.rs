//! Durations and sizes as people write them.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

use super::file::Window;

/// A length of time: `500ms`, `30s`, `5m`, `2h`, `3d`, or several of these from the longest unit to
/// the shortest, such as `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// An amount of memory in bytes: `512B`, `64KiB`, `1MiB`, `2GiB`, or in powers of ten `10KB`, `1MB`,
/// `1GB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// A text that is not a [`Span`]: it has no unit, an unknown one, units out of order, or is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {}", <Span as Unit>::EXPECTED)]
pub struct ParseSpanError;

/// A text that is not a [`ByteSize`]: it has no unit, an unknown one, or is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {}", <ByteSize as Unit>::EXPECTED)]
pub struct ParseByteSizeError;

/// Milliseconds in each unit of time, from the longest.
const TIMES: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Bytes in each unit of memory: first those in which a size is shown, from the largest.
const SIZES: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
];

/// The units in which a size is shown.
const SHOWN_SIZES: usize = 4;

/// What is written as text in the file and read by `FromStr`.
trait Unit: FromStr {
    /// What to write there instead.
    const EXPECTED: &'static str;
}

/// Reads a [`Unit`].
struct UnitVisitor<T>(PhantomData<T>);

// === impl Span ===

impl FromStr for Span {
    type Err = ParseSpanError;

    fn from_str(text: &str) -> Result<Self, ParseSpanError> {
        let mut rest = text;
        let mut millis: u64 = 0;
        let mut units = TIMES.iter();
        while !rest.is_empty() {
            let (count, unit, after) = split_amount(rest).ok_or(ParseSpanError)?;
            // `units` goes on where the last amount stopped: no unit twice, and none out of order.
            let (_, factor) = units.find(|(name, _)| *name == unit).ok_or(ParseSpanError)?;
            let amount = count.checked_mul(*factor).ok_or(ParseSpanError)?;
            millis = millis.checked_add(amount).ok_or(ParseSpanError)?;
            rest = after;
        }
        if text.is_empty() { Err(ParseSpanError) } else { Ok(Self(Duration::from_millis(millis))) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if millis == 0 {
            return f.write_str("0s");
        }
        for (unit, factor) in TIMES {
            let count = millis / factor;
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
            millis %= factor;
        }
        Ok(())
    }
}

impl Unit for Span {
    const EXPECTED: &'static str = "a duration such as 30s";
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(UnitVisitor(PhantomData))
    }
}

// === impl ByteSize ===

impl FromStr for ByteSize {
    type Err = ParseByteSizeError;

    fn from_str(text: &str) -> Result<Self, ParseByteSizeError> {
        let (count, unit, rest) = split_amount(text).ok_or(ParseByteSizeError)?;
        let (_, factor) = SIZES.iter().find(|(name, _)| *name == unit).ok_or(ParseByteSizeError)?;
        let bytes = count.checked_mul(*factor).ok_or(ParseByteSizeError)?;
        if rest.is_empty() { Ok(Self(bytes)) } else { Err(ParseByteSizeError) }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fitting =
            SIZES.iter().take(SHOWN_SIZES).find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor));
        match fitting {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => f.write_str("0B"),
        }
    }
}

impl Unit for ByteSize {
    const EXPECTED: &'static str = "a size such as 64KiB";
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(UnitVisitor(PhantomData))
    }
}

// === impl Window ===

impl FromStr for Window {
    type Err = ParseSpanError;

    /// `false` is `off` too: a YAML 1.1 editor may turn the one into the other.
    fn from_str(text: &str) -> Result<Self, ParseSpanError> {
        match text {
            "off" | "false" => Ok(Self::Off),
            _ => text.parse().map(Self::Span),
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Span(window) => window.fmt(f),
        }
    }
}

impl Unit for Window {
    const EXPECTED: &'static str = "`off` or a duration such as 24h";
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(UnitVisitor(PhantomData))
    }
}

// === impl UnitVisitor ===

impl<T: Unit> Visitor<'_> for UnitVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(|_| E::invalid_value(Unexpected::Other("text"), &self))
    }
}

/// The number and the unit that `text` starts with, and what comes after.
fn split_amount(text: &str) -> Option<(u64, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (count, rest) = text.split_at_checked(digits)?;
    let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at_checked(letters)?;
    Some((count.parse().ok()?, unit, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn millis(text: &str) -> Option<u64> {
        text.parse::<Span>().ok().map(|span| u64::try_from(span.0.as_millis()).unwrap())
    }

    #[test]
    fn durations_are_a_number_and_a_unit() {
        assert_eq!(millis("500ms"), Some(500));
        assert_eq!(millis("30s"), Some(30_000));
        assert_eq!(millis("5m"), Some(300_000));
        assert_eq!(millis("2h"), Some(7_200_000));
        assert_eq!(millis("3d"), Some(259_200_000));
        assert_eq!(millis("1h30m"), Some(5_400_000));
        assert_eq!(millis("0s"), Some(0));
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in
            ["", "30", "s", "-5s", "+5s", "1.5h", "30 s", "30S", "1m1h", "1s1s", "5w", "é", "99999999999999999d"]
        {
            assert_eq!(millis(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_binary_or_decimal_and_never_bare() {
        assert_eq!("512B".parse(), Ok(ByteSize(512)));
        assert_eq!("64KiB".parse(), Ok(ByteSize(65_536)));
        assert_eq!("1MB".parse(), Ok(ByteSize(1_000_000)));
        assert_eq!("2GiB".parse(), Ok(ByteSize(2_147_483_648)));
        for text in ["", "64", "64kib", "-1B", "1.5MiB", "1MiB2B", "99999999999GiB"] {
            assert_eq!(text.parse::<ByteSize>(), Err(ParseByteSizeError), "{text}");
        }
    }

    #[test]
    fn deduplication_is_off_in_either_spelling() {
        assert_eq!("off".parse(), Ok(Window::Off));
        assert_eq!("false".parse(), Ok(Window::Off));
        assert_eq!("24h".parse(), Ok(Window::Span(Span(Duration::from_secs(86_400)))));
        assert!("on".parse::<Window>().is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_duration_survives_a_round_trip(millis in 0..u64::MAX / 2) {
            let span = Span(Duration::from_millis(millis));
            prop_assert_eq!(span.to_string().parse(), Ok(span));
        }

        #[test]
        fn a_size_survives_a_round_trip(count in 0_u64..1 << 20, shift in 0_u32..40) {
            let size = ByteSize(count << shift);
            prop_assert_eq!(size.to_string().parse(), Ok(size));
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text in ".{0,12}") {
            let _ = (text.parse::<Span>(), text.parse::<ByteSize>(), text.parse::<Window>());
        }
    }
}
