//! I-Regexp (RFC 9485), the regular expressions of `match` and `search`.
//!
//! A pattern is checked against the grammar and written anew for the `regex` crate, whose own language is
//! larger and differs in what a `.`, a `&&` in a class or a `(?i)` means. As an extension, `^` and `$` are
//! anchors, as the compliance suite has them.

use std::iter::Peekable;
use std::str::Chars;

use regex::{Regex, RegexBuilder};

use super::program::Extent;

/// The longest pattern.
const MAX_BYTES: usize = 1024;

/// The most memory that a compiled pattern may take, in bytes: `[a-z]{1,1000}` fits, `(\p{L}{1,100}){1,100}`
/// does not.
const MAX_SIZE: usize = 1 << 20;

/// A compiled I-Regexp.
#[derive(Debug, Clone)]
pub(in crate::expr) struct Regexp(Regex);

// === impl Regexp ===

impl Regexp {
    /// Compiles `pattern`; the error says what is wrong with it.
    pub(super) fn new(pattern: &str, extent: Extent) -> Result<Self, String> {
        if pattern.len() > MAX_BYTES {
            return Err(format!("a pattern may have {MAX_BYTES} bytes"));
        }
        let translated = Translation::of(pattern)?;
        let anchored = match extent {
            Extent::Whole => format!(r"\A(?:{translated})\z"),
            Extent::Part => translated,
        };
        RegexBuilder::new(&anchored).size_limit(MAX_SIZE).dfa_size_limit(MAX_SIZE).build().map(Self).map_err(|error| {
            match error {
                regex::Error::CompiledTooBig(_) => "it takes too much memory: repeat less".to_owned(),
                _ => "it repeats or nests in a way that cannot be compiled".to_owned(),
            }
        })
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl PartialEq for Regexp {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// A pattern on its way from I-Regexp to the `regex` crate.
struct Translation<'p> {
    input: Peekable<Chars<'p>>,
    output: String,
    /// How many groups are open.
    groups: usize,
    /// Whether a quantifier may come next.
    quantifiable: bool,
}

// === impl Translation ===

impl<'p> Translation<'p> {
    fn of(pattern: &'p str) -> Result<String, String> {
        let mut this =
            Self { input: pattern.chars().peekable(), output: String::new(), groups: 0, quantifiable: false };
        while let Some(c) = this.input.next() {
            this.piece(c)?;
        }
        if this.groups > 0 {
            return Err("a `(` is not closed".to_owned());
        }
        Ok(this.output)
    }

    fn piece(&mut self, c: char) -> Result<(), String> {
        match c {
            '(' => {
                self.groups += 1;
                self.put("(?:", false);
            }
            ')' => {
                self.groups = self.groups.checked_sub(1).ok_or("a `)` closes nothing: write `\\)`")?;
                self.put(")", true);
            }
            '|' => self.put("|", false),
            '^' => self.put("^", false),
            '$' => self.put("$", false),
            '.' => self.put(r"[^\n\r]", true),
            '*' | '+' | '?' | '{' => self.quantifier(c)?,
            '[' => self.class()?,
            '\\' => self.escape()?,
            ']' | '}' => return Err(format!("a `{c}` closes nothing: write `\\{c}`")),
            _ => self.literal(c),
        }
        Ok(())
    }

    fn put(&mut self, text: &str, quantifiable: bool) {
        self.output.push_str(text);
        self.quantifiable = quantifiable;
    }

    fn literal(&mut self, c: char) {
        let escaped = regex::escape(c.encode_utf8(&mut [0; 4]));
        self.put(&escaped, true);
    }

    fn quantifier(&mut self, c: char) -> Result<(), String> {
        if !self.quantifiable {
            return Err(format!("there is nothing for a `{c}` to repeat (`*?`, `(?i)` and the like are not I-Regexp)"));
        }
        self.output.push(c);
        self.quantifiable = false;
        if c != '{' {
            return Ok(());
        }
        let bounds: String = self.input.by_ref().take_while(|c| *c != '}').collect();
        let (least, most) = bounds.split_once(',').unwrap_or((&bounds, ""));
        let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        if least.is_empty() || !digits(least) || !digits(most) {
            return Err(format!("`{{{bounds}` is no repetition: it is `{{2}}`, `{{2,}}` or `{{2,5}}`"));
        }
        self.output.push_str(&bounds);
        self.output.push('}');
        Ok(())
    }

    fn escape(&mut self) -> Result<(), String> {
        match self.input.next() {
            Some(c @ ('p' | 'P')) => self.category(c),
            Some(c) => {
                let c = escaped_character(c)?;
                self.literal(c);
                Ok(())
            }
            None => Err("it ends with a `\\`".to_owned()),
        }
    }

    /// `\p{Lu}`: a general category of Unicode.
    fn category(&mut self, kind: char) -> Result<(), String> {
        let braced = self.input.next() == Some('{');
        let name: String = self.input.by_ref().take_while(|c| *c != '}').collect();
        let mut letters = name.chars();
        let minor = match letters.next() {
            Some('L') => "lmotu",
            Some('M') => "cen",
            Some('N') => "dlo",
            Some('P') => "cdefios",
            Some('Z') => "lps",
            Some('S') => "ckmo",
            Some('C') => "cfno",
            _ => "",
        };
        let known = !minor.is_empty() && letters.next().is_none_or(|c| minor.contains(c)) && letters.next().is_none();
        if !braced || !known {
            return Err(format!("`\\{kind}{{{name}}}` is no category of characters, such as `\\p{{Lu}}`"));
        }
        self.put(&format!("\\{kind}{{{name}}}"), true);
        Ok(())
    }

    /// What follows a `[`.
    fn class(&mut self) -> Result<(), String> {
        self.output.push('[');
        if self.input.next_if_eq(&'^').is_some() {
            self.output.push('^');
        }
        let mut empty = true;
        if self.input.next_if_eq(&'-').is_some() {
            self.output.push_str("\\-");
            empty = false;
        }
        loop {
            match self.input.next().ok_or("a `[` is not closed")? {
                ']' if empty => return Err("a `[]` holds nothing: write `\\]` for a bracket in it".to_owned()),
                ']' => break,
                '-' if self.input.peek() == Some(&']') => self.output.push_str("\\-"),
                '\\' if matches!(self.input.peek(), Some('p' | 'P')) => self.escape()?,
                c => self.range(c)?,
            }
            empty = false;
        }
        self.put("]", true);
        Ok(())
    }

    /// One character of a class, or two with a `-` between.
    fn range(&mut self, first: char) -> Result<(), String> {
        let first = self.class_character(first)?;
        self.literal(first);
        let mut ahead = self.input.clone();
        if ahead.next() != Some('-') || matches!(ahead.next(), Some(']') | None) {
            return Ok(());
        }
        self.input.next();
        self.output.push('-');
        let last = self.input.next().ok_or("a `[` is not closed")?;
        let last = self.class_character(last)?;
        if last < first {
            return Err(format!("the range `{first}-{last}` is the wrong way round"));
        }
        self.literal(last);
        Ok(())
    }

    fn class_character(&mut self, c: char) -> Result<char, String> {
        match c {
            '\\' => escaped_character(self.input.next().ok_or("it ends with a `\\`")?),
            '[' | '-' => Err(format!("a `{c}` in a class is written `\\{c}`")),
            _ => Ok(c),
        }
    }
}

fn escaped_character(c: char) -> Result<char, String> {
    match c {
        'n' => Ok('\n'),
        'r' => Ok('\r'),
        't' => Ok('\t'),
        '(' | ')' | '*' | '+' | '-' | '.' | '?' | '[' | '\\' | ']' | '^' | '{' | '|' | '}' | '$' => Ok(c),
        'd' => Err("`\\d` is not in I-Regexp: write `[0-9]`".to_owned()),
        'w' => Err("`\\w` is not in I-Regexp: write `[A-Za-z0-9_]`".to_owned()),
        's' => Err("`\\s` is not in I-Regexp: write `[ \\t\\n\\r]`".to_owned()),
        _ => Err(format!("`\\{c}` is not in I-Regexp (RFC 9485)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(pattern: &str, text: &str) -> bool {
        Regexp::new(pattern, Extent::Whole).unwrap().is_match(text)
    }

    #[test]
    fn a_match_is_of_the_whole_text_and_a_search_of_a_part() {
        assert!(whole("a|b", "b"));
        assert!(!whole("a|ab", "abc"));
        assert!(!whole("a", "a\n"));
        assert!(Regexp::new("b+", Extent::Part).unwrap().is_match("abbc"));
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
    fn what_is_not_i_regexp_is_refused() {
        for pattern in [
            "(?i)a",
            "a*?",
            "a**",
            "*",
            "(",
            ")",
            "[",
            "]",
            "[]",
            "[z-a]",
            "{2}",
            "a{",
            "a{,2}",
            "a{x}",
            r"\d",
            r"\b",
            r"\p{Greek}",
            r"\pL",
            r"\",
            "[[a]]",
            "[+--]",
            "[a--b]",
            "a{3,2}",
            r"[\p{L}{1,9}",
            "[a",
        ] {
            assert!(Regexp::new(pattern, Extent::Whole).is_err(), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_takes_much_memory_is_refused() {
        assert!(Regexp::new(r"((\p{L}{1,100}){1,100}){1,100}", Extent::Part).is_err());
        assert!(Regexp::new(&"a".repeat(2000), Extent::Part).is_err());
        assert!(Regexp::new(&"(".repeat(500), Extent::Part).is_err());
        assert!(Regexp::new(&format!("{}{}", "(".repeat(500), ")".repeat(500)), Extent::Part).is_err());
    }
}
