//! A destination's URL, with the event's values in it.
//!
//! An event decides which resource of a destination is called, never which destination: holes stand behind the
//! authority alone, values are percent-encoded, and what was rendered must still have the origin of the template.

use serde_json::Value;
use url::{Origin, Url};

use crate::config::{At, Problem, Problems};
use crate::expr::{Escape, RenderError, Text};

/// A compiled URL template.
#[derive(Debug)]
pub(super) struct Address {
    text: Text,
    origin: Origin,
    authority: Box<str>,
}

/// A rendered URL that may not be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It does not parse.
    #[error("the rendered url is not a URL: {0}")]
    Unparsable(url::ParseError),
    /// It has another scheme, host or port than the template.
    #[error("the rendered url leads to another origin than the one configured")]
    Origin,
    /// A value made `.` or `..` a segment of the path, which would call another resource.
    #[error("a value of the event makes `.` or `..` a segment of the url's path")]
    DotSegment,
}

// === impl Address ===

impl Address {
    /// Compiles `url:`.
    pub(super) fn compile(at: &At<String>, problems: &mut Problems) -> Option<Self> {
        let base = match base(&at.value) {
            Ok(base) => base,
            Err(flaw) => {
                problems.push(Problem::error(at.place, flaw.to_string()).expected(EXPECTED));
                return None;
            }
        };
        let text = match Text::parse(&at.value) {
            Ok(text) => text,
            Err(error) => {
                problems.push(Problem { expected: error.expected, ..Problem::error(at.place, error.message) });
                return None;
            }
        };
        if base.fragment().is_some() {
            problems.push(Problem::warning(at.place, "what stands behind `#` is never sent"));
        }
        let authority = match (base.host_str(), base.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        };
        Some(Self { text, origin: base.origin(), authority: authority.into() })
    }

    /// Host and port as configured: the part of the URL that never holds a secret or an event's value.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// Fills in the event's values. The outer error is the event's lack, the inner one a URL that may not be called.
    pub(super) fn render(&self, document: &Value) -> Result<Result<Url, AddressError>, RenderError> {
        let text = self.text.render(document, document, Escape::Url)?;
        Ok(self.check(&text))
    }

    fn check(&self, text: &str) -> Result<Url, AddressError> {
        let url = Url::parse(text).map_err(AddressError::Unparsable)?;
        if url.origin() != self.origin || has_user_info(&url) {
            return Err(AddressError::Origin);
        }
        if has_dot_segment(text) {
            return Err(AddressError::DotSegment);
        }
        Ok(url)
    }
}

const EXPECTED: &str = "an absolute http or https URL such as https://crm.internal/contacts/{$.data.id}";

/// What is wrong with a URL template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Flaw {
    #[error("this is not an http or https URL")]
    Scheme,
    #[error("the url has no host")]
    NoHost,
    #[error("a value of the event cannot choose the url's host or port: `{{` may stand behind the host alone")]
    HoleInAuthority,
    #[error("the url must not hold a user or a password: they belong into `auth`")]
    UserInfo,
    #[error("the url has a control character in it")]
    Control,
    #[error("the url has `.` or `..` as a segment of its path: write the path that it leads to")]
    DotSegment,
    #[error("this is not a URL: {0}")]
    Unparsable(url::ParseError),
}

/// The part of a URL template before its first brace, parsed: all of its authority, if it is sound.
fn base(template: &str) -> Result<Url, Flaw> {
    // The URL parser drops these in silence.
    if template.chars().any(char::is_control) {
        return Err(Flaw::Control);
    }
    let (scheme, rest) = template.split_once("://").ok_or(Flaw::Scheme)?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(Flaw::Scheme);
    }
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    if authority.contains(['{', '}']) {
        return Err(Flaw::HoleInAuthority);
    }
    if authority.contains('@') {
        return Err(Flaw::UserInfo);
    }
    // The URL parser would take the first segment of the path for the host.
    if authority.is_empty() {
        return Err(Flaw::NoHost);
    }
    let literal = template.split(['{', '}']).next().unwrap_or_default();
    if has_dot_segment(literal) && literal.len() == template.len() {
        return Err(Flaw::DotSegment);
    }
    Url::parse(literal).map_err(Flaw::Unparsable)
}

fn has_user_info(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// Whether the path of an absolute URL, as it is written, has a segment that the URL parser would resolve away
/// (WHATWG URL, "single-dot" and "double-dot URL path segment").
fn has_dot_segment(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    path.split(['/', '\\'])
        .skip(1)
        .any(|segment| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | ".."))
}
