//! Reads as much of a JSON text as is needed, and checks all of it.
//!
//! What is not needed is gone through once and takes no memory. The grammar is that of serde_json, whose word is the last:
//! where this reader gives up it is asked, so that it may be stricter and must never be laxer.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::{Map, Number, Value};

use super::json::NOTHING;
use super::needs::Pruned;
use crate::model::{Excerpt, Needs};

/// How deep lists and objects may nest: as deep as in serde_json.
const DEEPEST: u8 = 127;
/// A number without an exponent and with fewer digits than this is a double's. serde_json refuses one that is none.
const SURELY_A_DOUBLE: usize = 300;
/// serde_json takes an object that begins with this name for something else.
const RAW_VALUE: &str = "$serde_json::private::RawValue";
/// A byte in each place of eight.
const EACH_BYTE: u64 = u64::MAX / 255;

/// Reads a text as far as `needs` says.
pub(super) fn read<'n>(text: &[u8], needs: &'n Needs) -> Option<Pruned<'n>> {
    let text = std::str::from_utf8(text).ok()?;
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0, depth: 0, marks: vec![None; needs.marks] };
    reader.token()?;
    let from = reader.at;
    let value = reader.value(needs)?;
    let range = from..reader.at;
    reader.token().is_none().then_some(Pruned { needs, value, range, marks: reader.marks })
}

struct Reader<'t> {
    text: &'t str,
    /// The same.
    bytes: &'t [u8],
    at: usize,
    depth: u8,
    marks: Vec<Option<Range<usize>>>,
}

/// A string as it stands in the text, without its quotes.
struct Quoted<'t> {
    text: &'t str,
    from: usize,
    to: usize,
    escaped: bool,
}

// === impl Reader ===

impl<'t> Reader<'t> {
    /// One value, as far as it is needed.
    fn value(&mut self, needs: &Needs) -> Option<Excerpt> {
        if needs.whole {
            return self.whole(needs).map(Excerpt::Value);
        }
        let first = self.token()?;
        let from = self.at;
        let value = match (first, needs.each.as_deref()) {
            (b'{', _) if needs.object => {
                self.nested(|reader| reader.object(needs)).map(|all| Excerpt::Value(Value::Object(all)))?
            }
            (b'{', _) => self.nested(|reader| reader.members(needs))?,
            (b'[', Some(each)) => self.nested(|reader| reader.elements(each))?,
            _ => self.skip().map(|()| Excerpt::NOTHING)?,
        };
        self.mark(needs, from);
        Some(value)
    }

    /// One value that is needed whole.
    fn whole(&mut self, needs: &Needs) -> Option<Value> {
        let first = self.token()?;
        let from = self.at;
        let value = match first {
            b'{' => self.nested(|reader| reader.object(needs)).map(Value::Object)?,
            b'[' => self.nested(Self::array)?,
            b'"' => Value::String(self.quoted()?.text()?.into_owned()),
            b'-' | b'0'..=b'9' => Value::Number(serde_json::from_str(self.number()?).ok()?),
            b't' => self.word("true").map(|()| Value::Bool(true))?,
            b'f' => self.word("false").map(|()| Value::Bool(false))?,
            _ => self.word("null").map(|()| Value::Null)?,
        };
        self.mark(needs, from);
        Some(value)
    }

    /// An object of which a few members are needed.
    fn members(&mut self, needs: &Needs) -> Option<Excerpt> {
        let mut members: Box<[Option<Excerpt>]> = needs.names.iter().map(|_| None).collect();
        let mut more = self.opens(b'}')?;
        let mut first = true;
        while more {
            let name = self.name()?;
            if std::mem::take(&mut first) && name.is_raw_value()? {
                return None;
            }
            match name.among(needs)?.and_then(|at| Some((members.get_mut(at)?, needs.names.get(at)?))) {
                Some((member, (_, needs))) => {
                    if member.is_some() {
                        self.unmark(needs);
                    }
                    *member = Some(self.value(needs)?);
                }
                None => self.skip()?,
            }
            more = self.goes_on(b'}')?;
        }
        Some(Excerpt::Members(members))
    }

    fn elements(&mut self, each: &Needs) -> Option<Excerpt> {
        let mut elements = Vec::new();
        let mut more = self.opens(b']')?;
        while more {
            elements.push(self.value(each)?);
            more = self.goes_on(b']')?;
        }
        Some(Excerpt::Elements(elements))
    }

    /// An object that is needed whole. The needs are for what is marked in it.
    fn object(&mut self, needs: &Needs) -> Option<Map<String, Value>> {
        let mut members = Map::new();
        let mut more = self.opens(b'}')?;
        let mut first = true;
        while more {
            let name = self.name()?;
            if std::mem::take(&mut first) && name.is_raw_value()? {
                return None;
            }
            let needs = name.among(needs)?.and_then(|at| needs.names.get(at)).map_or(&NOTHING, |(_, needs)| needs);
            self.unmark(needs);
            let value = self.whole(needs)?;
            members.insert(name.text()?.into_owned(), value);
            more = self.goes_on(b'}')?;
        }
        Some(members)
    }

    fn array(&mut self) -> Option<Value> {
        let mut elements = Vec::new();
        let mut more = self.opens(b']')?;
        while more {
            elements.push(self.whole(&NOTHING)?);
            more = self.goes_on(b']')?;
        }
        Some(Value::Array(elements))
    }

    fn mark(&mut self, needs: &Needs, from: usize) {
        if let Some(slot) = needs.mark.and_then(|mark| self.marks.get_mut(mark)) {
            *slot = Some(from..self.at);
        }
    }

    /// Of two equal names the last counts, and nothing of the first.
    fn unmark(&mut self, needs: &Needs) {
        needs.for_each_mark(&mut |mark| self.marks.get_mut(mark).into_iter().for_each(|slot| *slot = None));
    }

    /// Goes through one value of which nothing is needed.
    fn skip(&mut self) -> Option<()> {
        match self.token()? {
            b'"' => self.quoted().map(drop),
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
                let name = self.name()?;
                if std::mem::take(&mut first) && name.is_raw_value()? {
                    return None;
                }
            }
            self.skip()?;
            more = self.goes_on(end)?;
        }
        Some(())
    }

    #[inline]
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
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
    fn opens(&mut self, end: u8) -> Option<bool> {
        self.at += 1;
        let empty = self.token()? == end;
        self.at += usize::from(empty);
        Some(!empty)
    }

    /// Goes behind a part of a list or an object. Whether another follows.
    #[inline]
    fn goes_on(&mut self, end: u8) -> Option<bool> {
        let byte = self.token()?;
        self.at += 1;
        (byte == b',' || byte == end).then_some(byte == b',')
    }

    /// The name of a member, and the colon behind it.
    #[inline]
    fn name(&mut self) -> Option<Quoted<'t>> {
        (self.token()? == b'"').then_some(())?;
        let name = self.quoted()?;
        (self.token()? == b':').then_some(())?;
        self.at += 1;
        Some(name)
    }

    /// A string whose escapes stand for characters. A quote is next.
    #[inline]
    fn quoted(&mut self) -> Option<Quoted<'t>> {
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
    fn number(&mut self) -> Option<&'t str> {
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
    fn word(&mut self, word: &str) -> Option<()> {
        let found = self.rest().starts_with(word.as_bytes());
        self.at += word.len();
        found.then_some(())
    }

    /// The next byte that is no white space.
    #[inline]
    fn token(&mut self) -> Option<u8> {
        loop {
            match self.peek()? {
                b' ' | b'\n' | b'\t' | b'\r' => self.at += 1,
                byte => return Some(byte),
            }
        }
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
    fn text(&self) -> Option<Cow<'t, str>> {
        let inner = self.text.get(self.from..self.to)?;
        if !self.escaped {
            return Some(Cow::Borrowed(inner));
        }
        serde_json::from_str(&format!("\"{inner}\"")).ok().map(Cow::Owned)
    }

    /// Which of the names it is. The outer `None` is no name.
    #[inline]
    fn among(&self, needs: &Needs) -> Option<Option<usize>> {
        if self.escaped {
            return Some(needs.position(&self.text()?));
        }
        let name = self.text.as_bytes().get(self.from..self.to)?;
        Some(needs.names.iter().position(|(known, _)| known.as_bytes() == name))
    }

    #[inline]
    fn is_raw_value(&self) -> Option<bool> {
        if !self.escaped && self.to - self.from != RAW_VALUE.len() {
            return Some(false);
        }
        Some(self.text()? == RAW_VALUE)
    }
}

/// How many bytes stand before the first quote, backslash or control character: eight at a time.
#[inline]
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
