//! From I-Regexp (RFC 9485) to the language of the `regex` crate.
//!
//! A pattern is checked against the grammar and written anew, for the crate's own language is larger and
//! differs in what a `.`, a `&&` in a class or a `(?i)` means. As an extension, `^` and `$` are anchors, as the
//! compliance suite of JSONPath has them, and `\$` is a literal.

use std::iter::Peekable;
use std::str::Chars;

const ENDS_ESCAPED: &str = "it ends with a `\\`";

/// A pattern in the language of the `regex` crate.
#[derive(Debug)]
pub(super) struct Translated {
    pub(super) text: String,
    /// How many characters and classes it has, each as often as it is repeated by count: how many places of
    /// the pattern a match may have to keep in mind at once.
    pub(super) positions: usize,
}

/// Translates `pattern`; the error says what is wrong with it.
pub(super) fn translate(pattern: &str) -> Result<Translated, String> {
    let mut translation = Translation::new(pattern);
    while let Some(c) = translation.input.next() {
        translation.piece(c)?;
    }
    if !translation.groups.is_empty() {
        return Err("a `(` is not closed".to_owned());
    }
    Ok(Translated { text: translation.output, positions: translation.positions })
}

/// A pattern on its way from I-Regexp to the `regex` crate.
struct Translation<'p> {
    input: Peekable<Chars<'p>>,
    output: String,
    /// The positions outside of any group.
    positions: usize,
    /// For each group that is open, the positions before it.
    groups: Vec<usize>,
    /// The positions of what a quantifier would repeat, if one may come next.
    repeatable: Option<usize>,
}

// === impl Translation ===

impl<'p> Translation<'p> {
    fn new(pattern: &'p str) -> Self {
        let input = pattern.chars().peekable();
        Self { input, output: String::new(), positions: 0, groups: Vec::new(), repeatable: None }
    }

    fn piece(&mut self, c: char) -> Result<(), String> {
        match c {
            '(' => {
                self.groups.push(std::mem::take(&mut self.positions));
                self.sign("(?:");
            }
            ')' => {
                let before = self.groups.pop().ok_or("a `)` closes nothing: write `\\)`")?;
                let positions = std::mem::replace(&mut self.positions, before);
                self.atom(")", positions);
            }
            '|' => self.sign("|"),
            '^' => self.sign("^"),
            '$' => self.sign("$"),
            '.' => self.atom(r"[^\n\r]", 1),
            '*' | '+' | '?' => {
                self.repeated(c)?;
                self.output.push(c);
            }
            '{' => self.count()?,
            '[' => self.class()?,
            '\\' => self.escape()?,
            ']' | '}' => return Err(format!("a `{c}` closes nothing: write `\\{c}`")),
            _ => self.atom(&escaped(c), 1),
        }
        Ok(())
    }

    /// Writes what cannot be repeated.
    fn sign(&mut self, text: &str) {
        self.output.push_str(text);
        self.repeatable = None;
    }

    /// Writes what can be repeated.
    fn atom(&mut self, text: &str, positions: usize) {
        self.output.push_str(text);
        self.positions = self.positions.saturating_add(positions);
        self.repeatable = Some(positions);
    }

    /// What the quantifier `c` repeats.
    fn repeated(&mut self, c: char) -> Result<usize, String> {
        self.repeatable.take().ok_or_else(|| {
            format!("there is nothing for a `{c}` to repeat (`*?`, `(?i)` and the like are not I-Regexp)")
        })
    }

    /// What follows a `{`: `2}`, `2,}` or `2,5}`.
    fn count(&mut self) -> Result<(), String> {
        let repeated = self.repeated('{')?;
        let bounds = self.up_to_brace()?;
        let (least, most) = bounds.split_once(',').unwrap_or((&bounds, ""));
        let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        if least.is_empty() || !digits(least) || !digits(most) {
            return Err(format!("`{{{bounds}}}` is no repetition: it is `{{2}}`, `{{2,}}` or `{{2,5}}`"));
        }
        let number = |bound: &str| bound.parse().unwrap_or(usize::MAX);
        let times = if most.is_empty() { number(least) } else { number(most) };
        if times < number(least) {
            return Err(format!("`{{{bounds}}}` is the wrong way round"));
        }
        let further = times.saturating_sub(1);
        self.positions = self.positions.saturating_add(repeated.saturating_mul(further));
        self.output.push_str(&format!("{{{bounds}}}"));
        Ok(())
    }

    fn up_to_brace(&mut self) -> Result<String, String> {
        let mut text = String::new();
        loop {
            match self.input.next().ok_or("a `{` is not closed")? {
                '}' => return Ok(text),
                c => text.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<(), String> {
        match self.input.next().ok_or(ENDS_ESCAPED)? {
            c @ ('p' | 'P') => {
                let category = self.category(c)?;
                self.atom(&category, 1);
            }
            c => self.atom(&escaped(unescaped(c)?), 1),
        }
        Ok(())
    }

    /// What follows a `\p`: a general category of Unicode.
    fn category(&mut self, kind: char) -> Result<String, String> {
        let braced = self.input.next() == Some('{');
        let name = if braced { self.up_to_brace()? } else { String::new() };
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
        if !known {
            return Err(format!("`\\{kind}{{{name}}}` is no category of characters, such as `\\p{{Lu}}`"));
        }
        Ok(format!("\\{kind}{{{name}}}"))
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
                '\\' if let Some(kind) = self.input.next_if(|c| matches!(c, 'p' | 'P')) => {
                    let category = self.category(kind)?;
                    self.output.push_str(&category);
                }
                c => self.range(c)?,
            }
            empty = false;
        }
        self.atom("]", 1);
        Ok(())
    }

    /// One character of a class, or two with a `-` between.
    fn range(&mut self, first: char) -> Result<(), String> {
        let first = self.class_character(first)?;
        self.output.push_str(&escaped(first));
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
        self.output.push_str(&escaped(last));
        Ok(())
    }

    fn class_character(&mut self, c: char) -> Result<char, String> {
        match c {
            '\\' => unescaped(self.input.next().ok_or(ENDS_ESCAPED)?),
            '[' | '-' => Err(format!("a `{c}` in a class is written `\\{c}`")),
            _ => Ok(c),
        }
    }
}

fn escaped(c: char) -> String {
    regex::escape(c.encode_utf8(&mut [0; 4]))
}

/// The character that `c` means behind a `\`.
fn unescaped(c: char) -> Result<char, String> {
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
            "a{2",
            r"\p{L",
            "a{2,3",
            "a{3,2}",
            r"[\p{L}{1,9}",
            "[a",
        ] {
            assert!(translate(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn positions_count_repetitions() {
        for (pattern, positions) in [
            ("", 0),
            ("abc", 3),
            ("a*[bc].", 3),
            ("a{3}", 3),
            ("a{2,}b", 3),
            ("(ab|c{2,3}){0,4}", 20),
            ("(a)(b){1}", 2),
        ] {
            assert_eq!(translate(pattern).unwrap().positions, positions, "{pattern}");
        }
    }
}
