//! Durations, sizes, rates and shares as people write them.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

use super::file::{Off, Window};

/// A length of time: `500ms`, `30s`, `5m`, `2h`, `3d`, or several of these from the longest unit to
/// the shortest, such as `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// An amount of memory in bytes: `512B`, `64KiB`, `1MiB`, `2GiB`, or in powers of ten `10KB`, `1MB`,
/// `1GB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// So many in a unit of time: `100/s`, `30/m`, `1000/h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In which time: a second, a minute or an hour.
    pub per: Duration,
}

/// A share of the whole: `50%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(pub u32);

/// A text that is not a [`Span`]: it has no unit, an unknown one, units out of order, or is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {}", <Span as Unit>::EXPECTED)]
pub struct ParseSpanError;

/// A text that is not a [`ByteSize`]: it has no unit, an unknown one, or is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {}", <ByteSize as Unit>::EXPECTED)]
pub struct ParseByteSizeError;

/// A text that is not a [`Rate`]: it has no unit, an unknown one, or no whole number in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {}", <Rate as Unit>::EXPECTED)]
pub struct ParseRateError;

/// A text that is not a [`Percent`]: it has no `%`, or no whole number in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {}", <Percent as Unit>::EXPECTED)]
pub struct ParsePercentError;

/// A text that is not [`Off`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {}", <Off as Unit>::EXPECTED)]
pub struct ParseOffError;

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

/// Seconds in each unit that a rate may be in.
const PERIODS: [(&str, u64); 3] = [("s", 1), ("m", 60), ("h", 3_600)];

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

// === impl Rate ===

impl FromStr for Rate {
    type Err = ParseRateError;

    fn from_str(text: &str) -> Result<Self, ParseRateError> {
        let (count, unit) = text.split_once('/').ok_or(ParseRateError)?;
        let (_, seconds) = PERIODS.iter().find(|(name, _)| *name == unit).ok_or(ParseRateError)?;
        Ok(Self { count: whole(count).ok_or(ParseRateError)?, per: Duration::from_secs(*seconds) })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = PERIODS.iter().find(|(_, seconds)| *seconds == self.per.as_secs()).map_or("s", |(name, _)| name);
        write!(f, "{}/{unit}", self.count)
    }
}

impl Unit for Rate {
    const EXPECTED: &'static str = "a rate such as 100/s, 30/m or 1000/h";
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(UnitVisitor(PhantomData))
    }
}

// === impl Percent ===

impl FromStr for Percent {
    type Err = ParsePercentError;

    fn from_str(text: &str) -> Result<Self, ParsePercentError> {
        text.strip_suffix('%').and_then(whole).map(Self).ok_or(ParsePercentError)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl Unit for Percent {
    const EXPECTED: &'static str = "a share such as 50%";
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(UnitVisitor(PhantomData))
    }
}

// === impl Off ===

impl FromStr for Off {
    type Err = ParseOffError;

    /// `false` is `off` too: a YAML 1.1 editor may turn the one into the other.
    fn from_str(text: &str) -> Result<Self, ParseOffError> {
        if matches!(text, "off" | "false") { Ok(Self) } else { Err(ParseOffError) }
    }
}

impl Unit for Off {
    const EXPECTED: &'static str = "`off`, or a mapping such as { failures: 10, cool_down: 10s }";
}

impl<'de> Deserialize<'de> for Off {
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

/// A whole number in digits alone, which `FromStr` is not content with: it takes a sign.
fn whole(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
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

    #[test]
    fn rates_are_a_whole_number_in_a_second_a_minute_or_an_hour() {
        for (text, count, seconds) in [("100/s", 100, 1), ("30/m", 30, 60), ("1000/h", 1_000, 3_600), ("0/s", 0, 1)] {
            let rate = Rate { count, per: Duration::from_secs(seconds) };
            assert_eq!(text.parse(), Ok(rate));
            assert_eq!(rate.to_string(), text);
        }
        for text in
            ["", "100", "/s", "100/", "-1/s", "+1/s", "1.5/s", "100 / s", "100/S", "1/d", "1/s/s", "5000000000/s"]
        {
            assert_eq!(text.parse::<Rate>(), Err(ParseRateError), "{text}");
        }
    }

    #[test]
    fn shares_are_a_whole_number_of_percent() {
        assert_eq!("50%".parse(), Ok(Percent(50)));
        assert_eq!(Percent(50).to_string(), "50%");
        for text in ["", "%", "50", "0.5", "-5%", "+5%", "5 %", "5%%"] {
            assert_eq!(text.parse::<Percent>(), Err(ParsePercentError), "{text}");
        }
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
            let _ = (text.parse::<Rate>(), text.parse::<Percent>());
        }
    }
}
