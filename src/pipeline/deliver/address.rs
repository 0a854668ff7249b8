//! A destination's URL, with the event's values in it.
//!
//! An event decides which resource of a destination is called, never which destination: holes stand behind the
//! authority alone, values are percent-encoded, and what was rendered must still have the origin of the template.

use std::ops::Deref;
use std::sync::Arc;

use http::Uri;
use url::{Origin, Position, Url};

use crate::config::{At, Problem, Problems};
use crate::expr::{Escape, JsonRef, Needs, RenderError, Text, view};
use crate::model::Event;

/// A compiled URL template.
#[derive(Debug)]
pub(super) struct Address {
    text: Text,
    base: Url,
    origin: Origin,
    authority: Box<str>,
    empty_segments: usize,
    needs: Needs,
    /// What it comes to where no event has a say in it.
    fixed: Option<Result<RenderedUrl, AddressError>>,
}

/// A URL that may be called.
#[derive(Debug, Clone)]
pub struct RenderedUrl(Arc<Rendered>);

#[derive(Debug)]
struct Rendered {
    url: Url,
    /// Its request target, where that was made beforehand.
    target: Option<Uri>,
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
    /// `.` or `..` came to be a segment of its path, which would call another resource.
    #[error("the rendered url has `.` or `..` as a segment of its path")]
    DotSegment,
    /// An empty value left a segment of the path empty, which would call the collection in place of one of its members.
    #[error("an empty value of the event leaves a segment of the url's path empty")]
    EmptySegment,
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
        let empty_segments = segments(&at.value).filter(|segment| segment.is_empty()).count();
        let origin = base.origin();
        let mut needs = Needs::nothing();
        text.add_needs(&mut needs);
        let mut address = Self { text, base, origin, authority: authority.into(), empty_segments, needs, fixed: None };
        let fixed = address.text.as_literal().map(|literal| address.check(literal));
        address.fixed = fixed.map(|checked| checked.map(RenderedUrl::prepared));
        Some(address)
    }

    /// Host and port as configured: the part of the URL that never holds a secret or an event's value.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// Its URL as far as no event has a say in it: scheme, host and port at least.
    pub(super) const fn base(&self) -> &Url {
        &self.base
    }

    /// What stands before its path.
    pub(super) fn origin(&self) -> String {
        self.origin.ascii_serialization()
    }

    /// What it looks at in an event's document.
    pub(super) const fn needs(&self) -> &Needs {
        &self.needs
    }

    /// Fills in the event's values. The outer error is the event's lack, the inner one a URL that may not be called.
    pub(super) fn render(&self, event: &Event) -> Result<Result<RenderedUrl, AddressError>, RenderError> {
        if let Some(fixed) = &self.fixed {
            return Ok(fixed.clone());
        }
        Ok(self.fill(&view(event, &self.needs))?.map(RenderedUrl::new))
    }

    fn fill<'v>(&self, document: impl Into<JsonRef<'v>>) -> Result<Result<Url, AddressError>, RenderError> {
        let document = document.into();
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
        if segments(text).filter(|segment| segment.is_empty()).count() > self.empty_segments {
            return Err(AddressError::EmptySegment);
        }
        Ok(url)
    }
}

// === impl RenderedUrl ===

impl RenderedUrl {
    /// For one call.
    fn new(url: Url) -> Self {
        Self(Arc::new(Rendered { url, target: None }))
    }

    /// For many calls.
    fn prepared(url: Url) -> Self {
        let target = request_target(&url);
        Self(Arc::new(Rendered { url, target }))
    }

    /// What the request line of a call says (RFC 9112, section 3.2.1); `None` where HTTP has no room for it.
    pub(super) fn request_target(&self) -> Option<Uri> {
        self.0.target.clone().or_else(|| request_target(&self.0.url))
    }
}

impl Deref for RenderedUrl {
    type Target = Url;

    fn deref(&self) -> &Url {
        &self.0.url
    }
}

fn request_target(url: &Url) -> Option<Uri> {
    url[Position::BeforePath..Position::AfterQuery].parse().ok()
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
    segments(url).any(|segment| matches!(&*segment.to_ascii_lowercase().replace("%2e", "."), "." | ".."))
}

/// The segments of the path of an absolute URL as it is written.
fn segments(url: &str) -> impl Iterator<Item = &str> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    path.split(['/', '\\']).skip(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn compiled(url: &str) -> Address {
        let mut problems = Problems::new();
        Address::compile(&At::nowhere(url.into()), &mut problems).unwrap_or_else(|| panic!("{url}: {problems:?}"))
    }

    fn refused(url: &str) -> bool {
        let mut problems = Problems::new();
        let none = Address::compile(&At::nowhere(url.into()), &mut problems).is_none();
        assert_eq!(none, problems.any_error(), "{url}: {problems:?}");
        none
    }

    fn rendered(url: &str, value: &str) -> Result<String, AddressError> {
        compiled(url).fill(&json!({ "v": value })).unwrap().map(String::from)
    }

    #[test]
    fn a_value_is_one_segment_or_one_query_value() {
        assert_eq!(rendered("https://crm/c/{$.v}/x", "a/b?c#d"), Ok("https://crm/c/a%2Fb%3Fc%23d/x".into()));
        assert_eq!(rendered("https://crm/c?q={$.v}", "a&b=ü %2F"), Ok("https://crm/c?q=a%26b%3D%C3%BC%20%252F".into()));
        assert_eq!(rendered("http://[::1]:81/{$.v}", "@evil:1"), Ok("http://[::1]:81/%40evil%3A1".into()));
    }

    #[test]
    fn no_value_makes_a_segment_that_climbs_to_another_resource() {
        for (url, value) in [
            ("https://crm/c/{$.v}/x", ".."),
            ("https://crm/c/{$.v}", "."),
            ("https://crm/c/.{$.v}", "."),
            ("https://crm/c/%2E{$.v}?x=1", "."),
        ] {
            let called = compiled(url).fill(&json!({ "v": value }));
            assert!(!matches!(called, Ok(Ok(_))), "{url} with {value}: {called:?}");
        }
        assert_eq!(rendered("https://crm/c/%2e.{$.v}/x", ""), Err(AddressError::DotSegment));
        assert_eq!(rendered("https://crm/c?q={$.v}", ".."), Ok("https://crm/c?q=..".into()));
        assert_eq!(rendered("https://crm/c/{$.v}", "..."), Ok("https://crm/c/...".into()));
    }

    #[test]
    fn an_empty_value_does_not_call_the_collection() {
        assert_eq!(rendered("https://crm/c/{$.v}", ""), Err(AddressError::EmptySegment));
        assert_eq!(rendered("https://crm/{$.v}/x?y=1", ""), Err(AddressError::EmptySegment));
        assert_eq!(rendered("https://crm//c-{$.v}/?q={$.v}", ""), Ok("https://crm//c-/?q=".into()));
    }

    #[test]
    fn what_an_event_lacks_is_its_own_error() {
        assert!(compiled("https://crm/{$.v}").fill(&json!({})).is_err());
    }

    #[test]
    fn a_value_of_the_event_never_stands_before_the_path() {
        for url in [
            "https://{$.v}/x",
            "https://{$.v}",
            "https://crm.{$.v}.example/x",
            "https://crm:{$.v}/x",
            "https://crm{$.v}",
            "https://{$.v}@crm/x",
            "{$.v}://crm/x",
            "{$.v}",
            "http{$.v}://crm/",
            "https://{{v}}/x",
        ] {
            assert!(refused(url), "{url}");
        }
    }

    #[test]
    fn only_an_absolute_http_url_without_a_user_is_taken() {
        for url in [
            "",
            "crm.internal/x",
            "/x",
            "//crm/x",
            "ftp://crm/x",
            "file:///etc/passwd",
            "https:/crm",
            "https:crm",
            "https://",
            "https:///x",
            "https://?x",
            "https://\\crm/x",
            "https://user:pass@crm/x",
            "https://token@crm/x",
            "https://crm:99999/",
            "https://crm:x/",
            "https://cr m/",
            "https://[::1/",
            " https://crm/",
            "https://crm/\nx",
            "https://crm/\tx",
            "https://crm/a/../b",
            "https://crm/%2e%2E/b",
        ] {
            assert!(refused(url), "{url:?}");
        }
        for url in ["http://crm", "HTTPS://crm/x", "https://crm?x={$.v}", "http://127.0.0.1:8080/a.b/..c?d=../e"] {
            assert!(!refused(url), "{url:?}");
        }
    }

    #[test]
    fn no_problem_repeats_the_url() {
        let mut problems = Problems::new();
        for url in ["https://user:hunter2@crm/x", "https://{hunter2}/", "https://crm:hunter2/"] {
            Address::compile(&At::nowhere(url.into()), &mut problems);
        }
        assert!(!format!("{problems:?}").contains("hunter2"), "{problems:?}");
    }

    #[test]
    fn a_fragment_is_a_warning() {
        let mut problems = Problems::new();
        assert!(Address::compile(&At::nowhere("https://crm/#top".into()), &mut problems).is_some());
        assert!(!problems.is_empty() && !problems.any_error());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_value_leads_to_another_origin_or_another_resource(value in any::<String>()) {
            let address = compiled("https://crm.example/a/{$.v}/b?c={$.v}");
            if let Ok(Ok(url)) = address.fill(&json!({ "v": &value })) {
                prop_assert_eq!(url.origin().ascii_serialization(), "https://crm.example");
                let segments: Vec<&str> = url.path_segments().unwrap().collect();
                prop_assert_eq!(segments.len(), 3);
                prop_assert_eq!((segments[0], segments[2]), ("a", "b"));
                let query: Vec<_> = url.query_pairs().collect();
                prop_assert_eq!(query, [("c".into(), value.into())]);
            }
        }
    }
}
