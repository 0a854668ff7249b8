//! I-Regexp (RFC 9485), the regular expressions of `match` and `search`.

use regex::{Regex, RegexBuilder};

use super::budget::Budget;
use super::iregexp;
use super::program::Extent;
use crate::expr::EvalError;

/// The longest pattern.
const MAX_BYTES: usize = 1024;

/// The most positions that a pattern may have. What a match costs at worst grows with them.
const MAX_POSITIONS: usize = 1000;

/// The most memory that a compiled pattern may take, in bytes: `\p{L}{1,50}` fits, with its hundreds of
/// letters in each position.
const MAX_SIZE: usize = 1 << 22;

/// A compiled I-Regexp.
#[derive(Debug, Clone)]
pub(in crate::expr) struct Regexp {
    regex: Regex,
    positions: usize,
    /// As it was written.
    source: Box<str>,
    extent: Extent,
}

// === impl Regexp ===

impl Regexp {
    /// Compiles `pattern`; the error says what is wrong with it.
    pub(super) fn new(pattern: &str, extent: Extent) -> Result<Self, String> {
        if pattern.len() > MAX_BYTES {
            return Err(format!("it has {} bytes, and may have {MAX_BYTES}", pattern.len()));
        }
        let iregexp::Translated { text, positions } = iregexp::translate(pattern)?;
        if positions > MAX_POSITIONS {
            return Err(format!("with all repetitions it has {positions} characters, and may have {MAX_POSITIONS}"));
        }
        let anchored = match extent {
            Extent::Whole => format!(r"\A(?:{text})\z"),
            Extent::Part => text,
        };
        RegexBuilder::new(&anchored)
            .size_limit(MAX_SIZE)
            .build()
            .map(|regex| Self { regex, positions, source: pattern.into(), extent })
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => "it takes too much memory: repeat less".to_owned(),
                _ => "it repeats or nests in a way that cannot be compiled".to_owned(),
            })
    }

    /// The pattern as it was written.
    pub(super) const fn source(&self) -> &str {
        &self.source
    }

    /// How much of a text it has to match.
    pub(super) const fn extent(&self) -> Extent {
        self.extent
    }

    /// Whether `text` matches, for a price by the length of the text and the size of the pattern.
    pub(super) fn is_match(&self, text: &str, budget: &mut Budget) -> Result<bool, EvalError> {
        budget.match_text(text.len(), self.positions)?;
        Ok(self.regex.is_match(text))
    }
}

impl PartialEq for Regexp {
    fn eq(&self, other: &Self) -> bool {
        self.regex.as_str() == other.regex.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, extent: Extent, text: &str) -> bool {
        Regexp::new(pattern, extent).unwrap().is_match(text, &mut Budget::for_evaluation()).unwrap()
    }

    fn whole(pattern: &str, text: &str) -> bool {
        matches(pattern, Extent::Whole, text)
    }

    #[test]
    fn a_match_is_of_the_whole_text_and_a_search_of_a_part() {
        assert!(whole("a|b", "b"));
        assert!(!whole("a|ab", "abc"));
        assert!(!whole("a", "a\n"));
        assert!(matches("b+", Extent::Part, "abbc"));
    }

    #[test]
    fn a_dot_is_anything_but_the_end_of_a_line() {
        assert!(whole("a.b", "a\u{2028}b"));
        assert!(!whole("a.b", "a\nb"));
        assert!(!whole("a.b", "a\rb"));
        assert!(whole(r"a\.[.]", "a.."));
        assert!(!whole(r"a\.", "ab"));
    }

    #[test]
    fn classes_mean_what_the_rfc_says_and_not_what_the_crate_says() {
        assert!(whole("[a&&b]+", "a&b"));
        assert!(whole("[-a-c-]+", "a-b"));
        assert!(whole(r"[^\]\p{Lu}]", "a"));
        assert!(!whole(r"[^\]\p{Lu}]", "A"));
        assert!(whole("[a~~b#]+", "~#"));
    }

    #[test]
    fn a_pattern_that_takes_much_memory_or_time_is_refused() {
        for pattern in
            [r"((\p{L}{1,100}){1,100}){1,100}", "(([01]{1,50}){1,50})2", "(a{999999}){999999}", r"\p{L}{1,900}"]
        {
            assert!(Regexp::new(pattern, Extent::Part).is_err(), "{pattern}");
        }
        for pattern in ["a".repeat(2000), "(".repeat(500), format!("{}{}", "(".repeat(500), ")".repeat(500))] {
            assert!(Regexp::new(&pattern, Extent::Part).is_err());
        }
        for pattern in [r"\p{L}{1,50}", "[a-z]{1,999}", "[0-9a-f]{64}"] {
            assert!(Regexp::new(pattern, Extent::Whole).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn a_large_pattern_pays_more_for_the_same_text() {
        let text = "01".repeat(40_000);
        let spent = |pattern: &str| {
            Regexp::new(pattern, Extent::Part).unwrap().is_match(&text, &mut Budget::for_evaluation()).is_err()
        };
        assert!(!spent("[01]*12"));
        assert!(spent("[01]*1[01]{900}2"));
    }
}
