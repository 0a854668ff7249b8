//! The grammar of JSON: what stands where the reader is, and what it goes past.

use std::borrow::Cow;

use serde_json::Number;

use super::Reader;
use crate::model::Needs;

/// How deep lists and objects may nest: as deep as in serde_json.
const DEEPEST: u8 = 127;
/// A number without an exponent and with fewer digits than this is a double's. serde_json refuses one that is none.
const SURELY_A_DOUBLE: usize = 300;
/// serde_json takes an object that begins with this name for something else.
const RAW_VALUE: &str = "$serde_json::private::RawValue";
/// A byte in each place of eight.
const EACH_BYTE: u64 = u64::MAX / 255;

/// A string as it stands in the text, without its quotes.
pub(super) struct Quoted<'t> {
    text: &'t str,
    from: usize,
    to: usize,
    escaped: bool,
}

// === impl Reader ===

impl<'t> Reader<'t> {
    /// Goes through one value of which nothing is needed: most are strings.
    #[inline(always)]
    pub(super) fn skip(&mut self) -> Option<()> {
        match self.token()? {
            b'"' => self.quoted().map(drop),
            other => self.skip_other(other),
        }
    }

    fn skip_other(&mut self, first: u8) -> Option<()> {
        match first {
            b'{' => self.nested(|reader| reader.skip_nested(true)),
            b'[' => self.nested(|reader| reader.skip_nested(false)),
            b'-' | b'0'..=b'9' => self.number().map(drop),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            _ => self.word("null"),
        }
    }

    fn skip_nested(&mut self, is_object: bool) -> Option<()> {
        let end = if is_object { b'}' } else { b']' };
        let mut more = self.opens(end)?;
        let mut first = is_object;
        while more {
            if is_object {
                self.name(&mut first)?;
            }
            self.skip()?;
            more = self.goes_on(end)?;
        }
        Some(())
    }

    #[inline]
    pub(super) fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth == DEEPEST {
            return None;
        }
        self.depth += 1;
        let value = read(self)?;
        self.depth -= 1;
        Some(value)
    }

    /// Goes into a list or an object. Whether there is something in it.
    #[inline]
    pub(super) fn opens(&mut self, end: u8) -> Option<bool> {
        self.at += 1;
        let empty = self.token()? == end;
        self.at += usize::from(empty);
        Some(!empty)
    }

    /// Goes behind a part of a list or an object. Whether another follows.
    #[inline]
    pub(super) fn goes_on(&mut self, end: u8) -> Option<bool> {
        let byte = self.token()?;
        self.at += 1;
        (byte == b',' || byte == end).then_some(byte == b',')
    }

    /// The name of a member, and the colon behind it. None for the `first` where that has serde_json take the object for
    /// something else.
    #[inline(always)]
    pub(super) fn name(&mut self, first: &mut bool) -> Option<Quoted<'t>> {
        (self.token()? == b'"').then_some(())?;
        let name = self.quoted()?;
        (self.token()? == b':').then_some(())?;
        self.at += 1;
        (!std::mem::take(first) || !name.is_raw_value()?).then_some(name)
    }

    /// A string whose escapes stand for characters. A quote is next.
    #[inline(always)]
    pub(super) fn quoted(&mut self) -> Option<Quoted<'t>> {
        self.at += 1;
        let from = self.at;
        let mut escaped = false;
        loop {
            self.at += plain(self.rest());
            match self.peek()? {
                b'"' => break,
                b'\\' => self.escape()?,
                _ => return None,
            }
            escaped = true;
        }
        let to = self.at;
        self.at += 1;
        Some(Quoted { text: self.text, from, to, escaped })
    }

    #[cold]
    fn escape(&mut self) -> Option<()> {
        self.at += 1;
        let byte = self.peek()?;
        self.at += 1;
        match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => match self.code_unit()? {
                0xd800..=0xdbff => {
                    self.word("\\u")?;
                    matches!(self.code_unit()?, 0xdc00..=0xdfff).then_some(())
                }
                0xdc00..=0xdfff => None,
                _ => Some(()),
            },
            _ => None,
        }
    }

    fn code_unit(&mut self) -> Option<u16> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
    }

    /// A number as it stands in the text, within what serde_json takes for one.
    pub(super) fn number(&mut self) -> Option<&'t str> {
        let from = self.at;
        self.at += usize::from(self.peek()? == b'-');
        let leading_zero = self.peek()? == b'0';
        let whole = self.digits()?;
        if leading_zero && whole > 1 {
            return None;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        let exponent = matches!(self.peek(), Some(b'e' | b'E'));
        if exponent {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let number = self.text.get(from..self.at)?;
        if exponent || number.len() >= SURELY_A_DOUBLE {
            serde_json::from_str::<Number>(number).ok()?;
        }
        Some(number)
    }

    fn digits(&mut self) -> Option<usize> {
        let rest = self.rest();
        let count = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        self.at += count;
        (count > 0).then_some(count)
    }

    #[inline]
    pub(super) fn word(&mut self, word: &str) -> Option<()> {
        let found = self.rest().starts_with(word.as_bytes());
        self.at += word.len();
        found.then_some(())
    }

    /// The next byte that is no white space.
    #[inline(always)]
    pub(super) fn token(&mut self) -> Option<u8> {
        let mut byte = self.peek()?;
        // Nearly all that is sent has none.
        while byte <= b' ' && matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
            self.at += 1;
            byte = self.peek()?;
        }
        Some(byte)
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn rest(&self) -> &'t [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
}

// === impl Quoted ===

impl<'t> Quoted<'t> {
    pub(super) fn text(&self) -> Option<Cow<'t, str>> {
        let inner = self.text.get(self.from..self.to)?;
        if !self.escaped {
            return Some(Cow::Borrowed(inner));
        }
        serde_json::from_str(&format!("\"{inner}\"")).ok().map(Cow::Owned)
    }

    /// Which of the names it is. The outer `None` is no name.
    #[inline(always)]
    pub(super) fn among(&self, needs: &Needs) -> Option<Option<usize>> {
        if self.escaped {
            return self.unescaped_among(needs);
        }
        let name = self.text.as_bytes().get(self.from..self.to)?;
        Some(needs.names.iter().position(|(known, _)| known.as_bytes() == name))
    }

    #[cold]
    fn unescaped_among(&self, needs: &Needs) -> Option<Option<usize>> {
        self.text().map(|name| needs.position(&name))
    }

    #[inline]
    pub(super) fn is_raw_value(&self) -> Option<bool> {
        if !self.escaped && self.to - self.from != RAW_VALUE.len() {
            return Some(false);
        }
        Some(self.text()? == RAW_VALUE)
    }
}

/// How many bytes stand before the first quote, backslash or control character: eight at a time.
#[inline(always)]
fn plain(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        // The lowest high bit that is set is right; one above it may be wrong by a borrow. With its second bit turned a quote
        // stands behind the control characters, and all others stay beyond them.
        let below = |word: u64, least: u8| word.wrapping_sub(EACH_BYTE * u64::from(least));
        let quotes_and_controls = below(word ^ (EACH_BYTE * 0x02), 0x21);
        let backslashes = below(word ^ (EACH_BYTE * u64::from(b'\\')), 1);
        let found = (quotes_and_controls | backslashes) & !word & (EACH_BYTE << 7);
        if found != 0 {
            return bytes.len() - rest.len() + (found.trailing_zeros() / 8) as usize;
        }
        rest = after;
    }
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    bytes.len() - rest.len() + rest.iter().position(special).unwrap_or(rest.len())
}
