//! Requests that were captured: from a `.http` file, a HAR file, or a file that is the body alone.
//!
//! A body is taken byte for byte, because signatures are: `http_file` says what that means where people write files by
//! hand.

mod har;
mod http_file;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use bytes::Bytes;
use clap::ValueEnum;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};

use crate::pipeline::verify::Unsigned;

/// A request that was captured. There may be a credential in it: it has no `Debug`.
#[derive(Clone)]
pub(super) struct Captured {
    /// `POST` where only the body was captured.
    pub(super) method: Method,
    /// Path and query; `None` where only the body was captured.
    pub(super) target: Option<Target>,
    /// Every header field, in order.
    pub(super) headers: HeaderMap,
    /// The body, byte for byte.
    pub(super) body: Bytes,
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// The path as sent.
    pub(super) path: String,
    /// The query as sent, without the `?`; empty where there is none.
    pub(super) query: String,
}

/// What a file with a captured request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// The body alone.
    Body,
    /// A request as HTTP/1.1 writes it, or as editors do; several are separated by `###`.
    Http,
    /// An HTTP archive, as browsers and proxies export it.
    Har,
}

/// Why there is no captured request.
#[derive(Debug, thiserror::Error)]
pub(super) enum CaptureError {
    #[error("cannot read {name}: {source}")]
    Read {
        name: String,
        #[source]
        source: io::Error,
    },
    #[error("cannot read {name}: it is larger than {} MiB", MOST >> 20)]
    TooLarge { name: String },
    #[error("{name}: {why}")]
    Parse { name: String, why: ParseError },
}

/// What is wrong with the text of a captured request.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ParseError {
    #[error("there is no request in it")]
    Nothing,
    #[error("there is no request number {wanted} in it: it has {found}")]
    TooFew { wanted: usize, found: usize },
    #[error("line {line}: this is no request line, such as `POST /hooks/acme`")]
    RequestLine { line: usize },
    #[error("line {line}: this is no header, such as `Content-Type: application/json`")]
    Header { line: usize },
    #[error("line {line}: variables and files are not filled in here: write out what they stand for")]
    Variable { line: usize },
    #[error("line {line}: the body has {found} bytes, and Content-Length says {announced}")]
    Short { line: usize, announced: usize, found: usize },
    #[error("line {line}: the body goes on after the {announced} bytes that Content-Length says")]
    Long { line: usize, announced: usize },
    #[error("line {line}: the body is in chunks: write it out whole, and leave Transfer-Encoding out")]
    Chunked { line: usize },
    #[error("this is no HAR file: {0}")]
    NotHar(String),
    #[error("entry {entry}: {what}")]
    Entry { entry: usize, what: String },
}

/// The largest file.
const MOST: u64 = 256 << 20;

/// Reads the request number `nth`, from 1, of a file; `-` is stdin. What its form is follows from its name, and of stdin from
/// what it holds, unless it is said.
pub(super) fn read(file: &Path, form: Option<Form>, nth: usize) -> Result<Captured, CaptureError> {
    let is_stdin = file == Path::new("-");
    let name = if is_stdin { "stdin".to_owned() } else { file.display().to_string() };
    let bytes = if is_stdin { bounded(io::stdin().lock(), &name) } else { contents(file, &name) }?;
    let form = form.unwrap_or_else(|| if is_stdin { Form::sniffed(&bytes) } else { Form::of_name(file) });
    parse(bytes, form, nth).map_err(|why| CaptureError::Parse { name, why })
}

/// Reads every request of a file.
pub(super) fn read_all(file: &Path) -> Result<Vec<Captured>, CaptureError> {
    let name = file.display().to_string();
    let bytes = contents(file, &name)?;
    let all = match Form::of_name(file) {
        Form::Http => http_file::parse_all(&bytes),
        Form::Har => har::parse_all(&bytes),
        Form::Body => parse(bytes, Form::Body, 1).map(|captured| vec![captured]),
    };
    all.map_err(|why| CaptureError::Parse { name, why })
}

/// The request number `nth`, from 1, of a text.
pub(super) fn parse(bytes: Vec<u8>, form: Form, nth: usize) -> Result<Captured, ParseError> {
    match form {
        Form::Http => http_file::parse(&bytes, nth),
        Form::Har => har::parse(&bytes, nth),
        Form::Body if nth > 1 => Err(ParseError::TooFew { wanted: nth, found: 1 }),
        Form::Body => {
            Ok(Captured { method: Method::POST, target: None, headers: HeaderMap::new(), body: bytes.into() })
        }
    }
}

// === impl Captured ===

impl Captured {
    /// As a request, with these header fields in place of those of the same names. `target` is another one than was captured.
    /// Where none was, the path is left empty if the route is known otherwise: its own is taken then; else `None`.
    pub(super) fn into_request(
        self,
        target: Option<Target>,
        route_is_known: bool,
        fields: Vec<(HeaderName, HeaderValue)>,
    ) -> Option<Unsigned> {
        let Self { method, target: captured, mut headers, body } = self;
        let is_bare = captured.is_none();
        let routes_own = || route_is_known.then(|| Target { path: String::new(), query: String::new() });
        let Target { path, query } = target.or(captured).or_else(routes_own)?;
        put(&mut headers, fields, is_bare);
        Some(Unsigned { method, path: path.into(), query: query.into(), path_params: Vec::new(), headers, body })
    }
}

/// Sets fields in place of those of the same names. A bare body is JSON where nothing else is said.
fn put(headers: &mut HeaderMap, given: Vec<(HeaderName, HeaderValue)>, is_bare: bool) {
    for (name, _) in &given {
        headers.remove(name);
    }
    for (name, value) in given {
        headers.append(name, value);
    }
    if is_bare {
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    }
}

/// A header field as the command line has it.
pub(super) fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    field(text.as_bytes()).ok_or_else(|| "a header is written as `Name: value`".to_owned())
}

fn contents(file: &Path, name: &str) -> Result<Vec<u8>, CaptureError> {
    let file = File::open(file).map_err(|source| CaptureError::Read { name: name.to_owned(), source })?;
    bounded(file, name)
}

fn bounded(from: impl Read, name: &str) -> Result<Vec<u8>, CaptureError> {
    let mut bytes = Vec::new();
    let read = from.take(MOST + 1).read_to_end(&mut bytes);
    read.map_err(|source| CaptureError::Read { name: name.to_owned(), source })?;
    if bytes.len() as u64 > MOST {
        return Err(CaptureError::TooLarge { name: name.to_owned() });
    }
    Ok(bytes)
}

/// A field of `Name: value`.
pub(super) fn field(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    let value = value.get(1..)?.trim_ascii();
    Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?))
}

// === impl Form ===

impl Form {
    pub(super) fn of_name(file: &Path) -> Self {
        let extension = file.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        match extension.as_deref() {
            Some("http" | "rest") => Self::Http,
            Some("har") => Self::Har,
            _ => Self::Body,
        }
    }

    fn sniffed(bytes: &[u8]) -> Self {
        if http_file::looks_like_it(bytes) {
            Self::Http
        } else if har::looks_like_it(bytes) {
            Self::Har
        } else {
            Self::Body
        }
    }
}

// === impl Target ===

impl Target {
    /// Of a path or a URL, as it stands in a request line. Nothing of it is resolved or encoded anew: it may be signed.
    pub(super) fn of(text: &str) -> Option<Self> {
        let (text, _) = text.split_once('#').unwrap_or((text, ""));
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if ["http", "https"].contains(&&*scheme.to_ascii_lowercase()) => {
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                rest.get(end..)?
            }
            _ if text.starts_with('/') => text,
            _ => return None,
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path = if path.is_empty() { "/" } else { path };
        // What no request line can carry is none.
        format!("{path}?{query}").parse::<Uri>().ok()?;
        Some(Self { path: path.to_owned(), query: query.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_kept_as_it_was_sent() {
        let target = |text: &str| Target::of(text).map(|target| (target.path, target.query));
        let is = |path: &str, query: &str| Some((path.to_owned(), query.to_owned()));
        assert_eq!(target("/hooks/a%2Fb?x=1&y=%20"), is("/hooks/a%2Fb", "x=1&y=%20"));
        assert_eq!(target("https://hooks.example.com:8443/a?b#c"), is("/a", "b"));
        assert_eq!(target("http://hooks.example.com"), is("/", ""));
        assert_eq!(target("HTTP://x?y"), is("/", "y"));
        for wrong in ["hooks", "", "ftp://x/", "/a b", "{{host}}/a"] {
            assert_eq!(target(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn stdin_is_taken_for_what_it_holds_and_a_file_for_its_name() {
        for (text, form) in [
            ("POST /x HTTP/1.1\r\n\r\n", Form::Http),
            ("\n# a comment\nPOST https://x/y\n\n{}", Form::Http),
            (r#"{"log":{"entries":[]}}"#, Form::Har),
            (r#"{"log":"x"}"#, Form::Body),
            ("{}", Form::Body),
            ("POST the letter", Form::Body),
            ("", Form::Body),
        ] {
            assert_eq!(Form::sniffed(text.as_bytes()), form, "{text}");
        }
        for (name, form) in [("a.http", Form::Http), ("b.HAR", Form::Har), ("c.json", Form::Body), ("d", Form::Body)] {
            assert_eq!(Form::of_name(Path::new(name)), form);
        }
    }

    #[test]
    fn a_body_alone_is_byte_for_byte_what_the_file_holds() {
        let captured = parse(b"{}\n\xff".to_vec(), Form::Body, 1).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(&*captured.body, b"{}\n\xff");
        assert_eq!(parse(Vec::new(), Form::Body, 2).err(), Some(ParseError::TooFew { wanted: 2, found: 1 }));
    }
}
