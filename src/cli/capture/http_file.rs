//! `.http` files: requests as HTTP/1.1 writes them, and as editors' HTTP clients do.
//!
//! ```text
//! ### a paid order
//! POST https://hooks.example.com/hooks/acme HTTP/1.1
//! X-Acme-Signature: sha256=...
//!
//! {"type":"order.paid"}
//! ###
//! ```
//!
//! Lines end with LF or CRLF. Before a request there may be empty lines, lines that begin with `#` or `//`, and a `###` line
//! that separates it from the one before; among the header fields there may be `#` lines too. The body begins behind the
//! first empty line. With a `Content-Length` it is so many bytes, whatever they are. Without one it goes to the next line
//! that begins with `###` or to the end of the file, and the line breaks before that are no part of it: editors put them
//! there, and a body that does end with one says so by its `Content-Length`.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use http::{HeaderName, Method};

use super::{Captured, ParseError, Target, field};

/// A text, and how much of it was read.
struct Reader<'t> {
    rest: &'t [u8],
    /// The number of the next line, from 1.
    line: usize,
}

/// The request number `nth`, from 1.
pub(super) fn parse(text: &[u8], nth: usize) -> Result<Captured, ParseError> {
    let mut reader = Reader { rest: text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text), line: 1 };
    let mut found = 0;
    while let Some(captured) = reader.request()? {
        found += 1;
        if found == nth {
            return Ok(captured);
        }
    }
    Err(if found == 0 { ParseError::Nothing } else { ParseError::TooFew { wanted: nth, found } })
}

/// Every request.
pub(super) fn parse_all(text: &[u8]) -> Result<Vec<Captured>, ParseError> {
    let mut reader = Reader { rest: text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text), line: 1 };
    let mut all = Vec::new();
    while let Some(captured) = reader.request()? {
        all.push(captured);
    }
    if all.is_empty() { Err(ParseError::Nothing) } else { Ok(all) }
}

/// Whether a text begins with a request line.
pub(super) fn looks_like_it(text: &[u8]) -> bool {
    let mut reader = Reader { rest: text, line: 1 };
    reader.skip_to_request();
    let line = reader.next_line().unwrap_or_default();
    line.split(|byte| *byte == b' ').count() > 1 && request_line(line).is_some()
}

// === impl Reader ===

impl<'t> Reader<'t> {
    fn request(&mut self) -> Result<Option<Captured>, ParseError> {
        self.skip_to_request();
        let number = self.line;
        let Some(line) = self.next_line() else { return Ok(None) };
        if line.starts_with(b"@") || line.windows(2).any(|two| two == b"{{") {
            return Err(ParseError::Variable { line: number });
        }
        let (method, target) = request_line(line).ok_or(ParseError::RequestLine { line: number })?;
        let headers = self.headers()?;
        let body = self.body(&headers)?;
        Ok(Some(Captured { method, target: Some(target), headers, body }))
    }

    fn headers(&mut self) -> Result<HeaderMap, ParseError> {
        let mut headers = HeaderMap::new();
        while !self.at_separator() {
            let number = self.line;
            match self.next_line() {
                None => break,
                Some(line) if line.trim_ascii().is_empty() => break,
                Some(line) if is_comment(line) => {}
                Some(line) => {
                    let (name, value) = field(line).ok_or(ParseError::Header { line: number })?;
                    headers.append(name, value);
                }
            }
        }
        Ok(headers)
    }

    fn body(&mut self, headers: &HeaderMap) -> Result<Bytes, ParseError> {
        let line = self.line;
        let length = number(headers, &CONTENT_LENGTH);
        if let Some(announced) = length {
            let found = self.rest.len();
            let body = self.take(announced).ok_or(ParseError::Short { line, announced, found })?;
            let after = self.until_separator();
            if !after.trim_ascii().is_empty() {
                return Err(ParseError::Long { line: self.line, announced });
            }
            return Ok(Bytes::copy_from_slice(body));
        }
        let mut body = self.until_separator();
        while let Some(shorter) = body.strip_suffix(b"\n") {
            body = shorter.strip_suffix(b"\r").unwrap_or(shorter);
        }
        if headers.contains_key(TRANSFER_ENCODING) && is_chunked(body) {
            return Err(ParseError::Chunked { line });
        }
        if body.starts_with(b"< ") || body.starts_with(b"<@ ") {
            return Err(ParseError::Variable { line });
        }
        Ok(Bytes::copy_from_slice(body))
    }

    /// Passes over empty lines, comments and separators.
    fn skip_to_request(&mut self) {
        loop {
            let mut ahead = Reader { rest: self.rest, line: self.line };
            match ahead.next_line() {
                Some(line) if line.trim_ascii().is_empty() || is_comment(line) => *self = ahead,
                _ => return,
            }
        }
    }

    /// The next line without its end.
    fn next_line(&mut self) -> Option<&'t [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.iter().position(|byte| *byte == b'\n').map_or(self.rest.len(), |at| at + 1);
        let line = self.take(end)?;
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    fn at_separator(&self) -> bool {
        self.rest.starts_with(b"###")
    }

    fn until_separator(&mut self) -> &'t [u8] {
        let end = if self.at_separator() {
            0
        } else {
            self.rest.windows(4).position(|four| four == b"\n###").map_or(self.rest.len(), |at| at + 1)
        };
        self.take(end).unwrap_or_default()
    }

    fn take(&mut self, bytes: usize) -> Option<&'t [u8]> {
        let (taken, rest) = self.rest.split_at_checked(bytes)?;
        self.line += taken.iter().filter(|byte| **byte == b'\n').count();
        self.rest = rest;
        Some(taken)
    }
}

fn is_comment(line: &[u8]) -> bool {
    line.starts_with(b"#") || line.starts_with(b"//")
}

/// `POST /hooks/acme HTTP/1.1`, where the version may be left out, and the method of a GET.
fn request_line(line: &[u8]) -> Option<(Method, Target)> {
    let line = std::str::from_utf8(line).ok()?.trim();
    let line = match line.rsplit_once(' ') {
        Some((before, version)) if version.starts_with("HTTP/") => before.trim_end(),
        _ => line,
    };
    let (method, target) = line.split_once(' ').unwrap_or(("GET", line));
    let is_method = method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    let method = Method::from_bytes(method.as_bytes()).ok().filter(|_| is_method)?;
    Some((method, Target::of(target.trim())?))
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<usize> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// Whether it begins with the size of a chunk on a line of its own. A tool that has put a body together often leaves the
/// header as it was.
fn is_chunked(body: &[u8]) -> bool {
    let first = body.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let size = first.strip_suffix(b"\r").unwrap_or(first);
    body.len() > first.len() && !size.is_empty() && size.iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(text: &str, nth: usize) -> Captured {
        parse(text.as_bytes(), nth).unwrap_or_else(|why| panic!("{why}: {text:?}"))
    }

    fn fails(text: &str) -> ParseError {
        parse(text.as_bytes(), 1).err().unwrap_or_else(|| panic!("it is read: {text:?}"))
    }

    const TWO: &str = "### one\n# a comment\nPOST https://hooks.test/a?b=1 HTTP/1.1\nX-A: 1\n# between\nX-A: 2\nContent-Type:application/json\n\n\
                       {\"a\":\n\n 1}\n\n### two\n\nPUT /c\n\nsecond\n";

    #[test]
    fn several_requests_are_read_by_their_number() {
        for text in [TWO.to_owned(), TWO.replace('\n', "\r\n"), format!("\u{feff}{TWO}")] {
            let first = one(&text, 1);
            let target = first.target.unwrap();
            assert_eq!((first.method.as_str(), &*target.path, &*target.query), ("POST", "/a", "b=1"));
            let values: Vec<_> = first.headers.get_all("x-a").iter().collect();
            assert_eq!(values, ["1", "2"], "a field that stands twice is kept twice");
            let body = String::from_utf8(first.body.to_vec()).unwrap();
            assert_eq!(body.replace('\r', ""), "{\"a\":\n\n 1}");
            assert_eq!(body.contains('\r'), text.contains('\r'), "its own line breaks are kept");
            let second = one(&text, 2);
            assert_eq!((second.method.as_str(), &*second.body), ("PUT", &b"second"[..]));
            let third = parse(text.as_bytes(), 3).err();
            assert_eq!(third, Some(ParseError::TooFew { wanted: 3, found: 2 }));
        }
    }

    #[test]
    fn a_content_length_says_where_the_body_ends() {
        let text = "POST /a\nContent-Length: 9\n\na\n###\nb\n\n\n### next\nPOST /b\n\n";
        assert_eq!(&*one(text, 1).body, b"a\n###\nb\n\n");
        assert_eq!(&*one(text, 2).body, b"");
        assert_eq!(fails("POST /a\nContent-Length: 9\n\nab"), ParseError::Short { line: 4, announced: 9, found: 2 });
        assert_eq!(fails("POST /a\nContent-Length: 1\n\nab"), ParseError::Long { line: 4, announced: 1 });
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_line() {
        for (text, error) in [
            ("", ParseError::Nothing),
            ("\n\n### only a separator\n", ParseError::Nothing),
            ("{\"a\":1}", ParseError::RequestLine { line: 1 }),
            ("POST hooks\n\n", ParseError::RequestLine { line: 1 }),
            ("POST /a\nno header\n\n", ParseError::Header { line: 2 }),
            ("POST /a\nX-A: 1\n folded\n\n", ParseError::Header { line: 3 }),
            ("@host = x\nPOST /a\n\n", ParseError::Variable { line: 1 }),
            ("\nPOST {{host}}/a\n\n", ParseError::Variable { line: 2 }),
            ("POST /a\n\n< ./body.json\n", ParseError::Variable { line: 3 }),
            ("POST /a\nTransfer-Encoding: chunked\n\n2\r\nab\r\n0\r\n\r\n", ParseError::Chunked { line: 4 }),
        ] {
            assert_eq!(fails(text), error, "{text:?}");
        }
        assert_eq!(&*one("POST /a\nTransfer-Encoding: chunked\n\n{}", 1).body, b"{}");
    }

    #[test]
    fn the_least_is_a_target() {
        let captured = one("/a", 1);
        assert_eq!((captured.method.as_str(), &*captured.target.unwrap().path), ("GET", "/a"));
        assert!(captured.headers.is_empty() && captured.body.is_empty());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..200),
                "(POST|GET|###|#|/a|: |X-A|Content-Length: [0-9]{1,3}|\r?\n| |\\{\\}){0,40}".prop_map(String::into_bytes),
            ],
            nth in 0_usize..4,
        ) {
            let _ = parse(&bytes, nth);
            let _ = looks_like_it(&bytes);
        }

        #[test]
        fn any_body_of_a_known_length_comes_back(
            body in prop::collection::vec(any::<u8>(), 0..200), end in prop::sample::select(vec!["\n", "\r\n"]),
        ) {
            let head = format!("POST /a{end}Content-Length: {}{end}{end}", body.len());
            let text = [head.as_bytes(), &body, end.as_bytes()].concat();
            let captured = parse(&text, 1).map_err(|why| TestCaseError::fail(why.to_string()))?;
            prop_assert_eq!(&*captured.body, &*body);
        }

        #[test]
        fn a_body_without_a_line_break_at_its_end_comes_back(body in "[^\n#<][^#]{0,40}[^\r\n#]|") {
            let text = format!("POST /a\nX-A: b\n\n{body}\n\n###\n");
            let captured = parse(text.as_bytes(), 1).map_err(|why| TestCaseError::fail(why.to_string()))?;
            prop_assert_eq!(&*captured.body, body.as_bytes());
        }
    }
}
