//! JSON as other programs write it.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

/// How a program writes JSON.
pub(super) struct Style {
    /// The name of the near miss.
    pub(super) id: &'static str,
    /// What it looks like.
    pub(super) words: &'static str,
    /// Whether it is also tried with its keys sorted.
    pub(super) sorts: bool,
    space: Space,
    escapes: Escapes,
}

#[derive(Clone, Copy)]
enum Space {
    Compact,
    /// `, ` and `: `.
    Python,
    Indented(&'static [u8]),
}

/// What is escaped beside what must be.
#[derive(Clone, Copy, Default)]
struct Escapes {
    /// All that is not ASCII, as `\u00e9`.
    unicode: bool,
    /// `/`, as `\/`.
    slash: bool,
    /// `<`, `>` and `&`, as `\u003c`.
    html: bool,
}

/// Writes in a style. The empty words of `PrettyFormatter` are its own.
struct Writer<F> {
    inner: F,
    python: bool,
    escapes: Escapes,
}

const PLAIN: Escapes = Escapes { unicode: false, slash: false, html: false };
const ASCII: Escapes = Escapes { unicode: true, ..PLAIN };
const SLASH: Escapes = Escapes { slash: true, ..PLAIN };
const PHP: Escapes = Escapes { unicode: true, ..SLASH };
const GO: Escapes = Escapes { html: true, ..PLAIN };

// === impl Style ===

impl Style {
    pub(super) const ALL: [Self; 12] = [
        Self::new("body_json_compact", "without any white space", true, Space::Compact, PLAIN),
        Self::new(
            "body_json_spaced",
            "with a space after each comma and colon, as Python's json.dumps writes it",
            true,
            Space::Python,
            ASCII,
        ),
        Self::new("body_json_spaced", "with a space after each comma and colon", true, Space::Python, PLAIN),
        Self::new(
            "body_json_escaped",
            "without white space and with all but ASCII escaped",
            true,
            Space::Compact,
            ASCII,
        ),
        Self::new(
            "body_json_escaped",
            "without white space, with `/` and all but ASCII escaped, as PHP's json_encode writes it",
            false,
            Space::Compact,
            PHP,
        ),
        Self::new("body_json_escaped", "without white space and with `/` escaped", false, Space::Compact, SLASH),
        Self::new(
            "body_json_escaped",
            "without white space and with `<`, `>` and `&` escaped, as Go's json.Marshal writes it",
            true,
            Space::Compact,
            GO,
        ),
        Self::new("body_json_pretty", "indented by two spaces", true, Space::Indented(b"  "), PLAIN),
        Self::new("body_json_pretty", "indented by four spaces", true, Space::Indented(b"    "), PLAIN),
        Self::new("body_json_pretty", "indented by tabs", false, Space::Indented(b"\t"), PLAIN),
        Self::new(
            "body_json_pretty",
            "indented by two spaces and with all but ASCII escaped",
            false,
            Space::Indented(b"  "),
            ASCII,
        ),
        Self::new(
            "body_json_pretty",
            "indented by four spaces, with `/` and all but ASCII escaped, as PHP writes it",
            false,
            Space::Indented(b"    "),
            PHP,
        ),
    ];

    const fn new(id: &'static str, words: &'static str, sorts: bool, space: Space, escapes: Escapes) -> Self {
        Self { id, words, sorts, space, escapes }
    }

    /// A value in this style.
    pub(super) fn write(&self, value: &Value) -> Option<Vec<u8>> {
        match self.space {
            Space::Compact => self.write_with(CompactFormatter, value),
            Space::Python => self.write_with(CompactFormatter, value),
            Space::Indented(indent) => self.write_with(PrettyFormatter::with_indent(indent), value),
        }
    }

    fn write_with(&self, inner: impl Formatter, value: &Value) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        let writer = Writer { inner, python: matches!(self.space, Space::Python), escapes: self.escapes };
        value.serialize(&mut Serializer::with_formatter(&mut text, writer)).ok()?;
        Some(text)
    }
}

/// The same with the keys of each object sorted.
pub(super) fn sorted(value: &Value) -> Value {
    let mut value = value.clone();
    value.sort_all_objects();
    value
}

// === impl Escapes ===

impl Escapes {
    fn takes(self, char: char) -> bool {
        match char {
            '/' => self.slash,
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' if self.html => true,
            char => self.unicode && !char.is_ascii(),
        }
    }
}

// === impl Writer ===

impl<F: Formatter> Formatter for Writer<F> {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if self.python && !first { writer.write_all(b", ") } else { self.inner.begin_array_value(writer, first) }
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if self.python && !first { writer.write_all(b", ") } else { self.inner.begin_object_key(writer, first) }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.python { writer.write_all(b": ") } else { self.inner.begin_object_value(writer) }
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.end_object_value(writer)
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(|char| self.escapes.takes(char)) {
            let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
            writer.write_all(before.as_bytes())?;
            let mut chars = from.chars();
            match chars.next() {
                Some('/') => writer.write_all(b"\\/")?,
                Some(char) => {
                    for unit in char.encode_utf16(&mut [0; 2]) {
                        write!(writer, "\\u{unit:04x}")?;
                    }
                }
                None => {}
            }
            rest = chars.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_style_is_that_of_the_program_that_it_is_named_after() {
        let value = serde_json::from_str("{\"b\":[1,{}],\"a\":\"\u{e9}/<\u{1f600}\",\"c\":[]}").unwrap();
        let text = |index: usize| String::from_utf8(Style::ALL[index].write(&value).unwrap()).unwrap();
        // By Python's json.dumps and PHP's json_encode.
        assert_eq!(text(0), "{\"b\":[1,{}],\"a\":\"\u{e9}/<\u{1f600}\",\"c\":[]}");
        assert_eq!(text(1), r#"{"b": [1, {}], "a": "\u00e9/<\ud83d\ude00", "c": []}"#);
        assert_eq!(text(4), r#"{"b":[1,{}],"a":"\u00e9\/<\ud83d\ude00","c":[]}"#);
        assert_eq!(text(6), "{\"b\":[1,{}],\"a\":\"\u{e9}/\\u003c\u{1f600}\",\"c\":[]}");
        assert!(text(7).starts_with("{\n  \"b\": [\n    1,\n    {}\n  ],\n"));
        let all = sorted(&value);
        assert!(Style::ALL[0].write(&all).unwrap().starts_with(b"{\"a\""));
    }
}
