//! Selectors: how a value is taken from a request.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, Method};
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use super::nearest::nearest;
use super::text::as_text;
use super::{EvalError, ExprError, JsonRef, Needs, Query};

const FORMS: &str = "`$.json.path`, `envelope:$.json.path`, `body:$.json.path`, `header:Name`, `query:name`, `path:name`, \
                     `form:name`, `method`, `body:sha256`, `data:sha256` or `sha256:` and one of these";
const KINDS: [&str; 8] = ["header", "query", "path", "form", "body", "data", "envelope", "sha256"];

/// A compiled selector: `$.json.path`, `envelope:$.json.path`, `body:$.json.path`, `header:Name`, `query:name`, `path:name`,
/// `form:name`, `method`, `body:sha256`, `data:sha256`, or `sha256:` and one of these.
#[derive(Debug, Clone)]
pub struct Selector(Place);

/// Where in a request a value stands.
#[derive(Debug, Clone)]
enum Place {
    Header(HeaderName),
    QueryParameter(Box<str>),
    PathParameter(Box<str>),
    FormField(Box<str>),
    BodySha256,
    DataSha256,
    Json(Query),
    Envelope(Query),
    Whole(Query),
    Method,
    /// The hash of what that finds.
    Sha256(Box<Selector>),
}

/// What selectors look at.
#[derive(Debug, Clone, Copy)]
pub struct RequestScope<'a> {
    /// The method.
    pub method: &'a Method,
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// The query as sent, without the `?`.
    pub query: &'a str,
    /// The values of the route's path parameters.
    pub path_params: &'a [(Box<str>, Box<str>)],
    /// The body.
    pub body: &'a [u8],
    /// What `$` is: the parsed body, or the split element; `None` before the body is parsed, or where it is
    /// not JSON.
    pub json: Option<JsonRef<'a>>,
    /// What `envelope:$` is: what holds the split element; the same as `json` where nothing is split.
    pub envelope: Option<JsonRef<'a>>,
    /// What `body:$` is: the parsed body, whatever is split.
    pub whole: Option<JsonRef<'a>>,
    /// The bytes that `data:sha256` hashes: those of the event's data.
    pub data: &'a [u8],
}

/// What a selector found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selected<'a> {
    /// Nothing.
    Nothing,
    /// One value. A JSON string as it is; a number or boolean as JSON writes it; null, objects and arrays are
    /// nothing.
    One(Cow<'a, str>),
    /// The request has it more than once (a header field, a query parameter, the values that a JSONPath with
    /// a `*` finds): the first.
    Several(Cow<'a, str>),
}

// === impl Selector ===

impl Selector {
    /// Compiles a selector.
    ///
    /// # Errors
    /// Where it is none.
    pub fn parse(text: &str) -> Result<Self, ExprError> {
        if text.starts_with('$') {
            return Query::parse(text).map(|query| Self(Place::Json(query)));
        }
        if text == "method" {
            return Ok(Self(Place::Method));
        }
        let Some((kind, name)) = text.split_once(':') else { return Err(unknown(text, text)) };
        match (kind, name) {
            ("envelope", path) if path.starts_with('$') => Query::parse(path).map(Place::Envelope),
            ("body", path) if path.starts_with('$') => Query::parse(path).map(Place::Whole),
            ("header", name) => HeaderName::from_bytes(name.as_bytes()).map(Place::Header).map_err(|_| {
                ExprError::new(format!("`{name}` is no name of a header")).expecting("such as `header:X-Signature`")
            }),
            ("sha256", inner) => Self::parse(inner).map(|inner| Place::Sha256(Box::new(inner))),
            ("body", "sha256") => Ok(Place::BodySha256),
            ("data", "sha256") => Ok(Place::DataSha256),
            ("query" | "path" | "form", "") => {
                Err(ExprError::new(format!("`{text}` lacks a name")).expecting(format!("such as `{kind}:token`")))
            }
            ("query", name) => Ok(Place::QueryParameter(name.into())),
            ("path", name) => Ok(Place::PathParameter(name.into())),
            ("form", name) => Ok(Place::FormField(name.into())),
            _ => Err(unknown(text, kind)),
        }
        .map(Self)
    }

    /// The header that it reads, in lower case, if it reads one.
    #[must_use]
    pub fn header_name(&self) -> Option<&str> {
        match &self.0 {
            Place::Header(name) => Some(name.as_str()),
            _ => None,
        }
    }

    /// The same, also where it takes the hash of one.
    #[must_use]
    pub fn looks_at_header(&self) -> Option<&str> {
        match &self.0 {
            Place::Sha256(inner) => inner.looks_at_header(),
            _ => self.header_name(),
        }
    }

    /// The query parameter that it reads, if it reads one.
    #[must_use]
    pub fn query_parameter(&self) -> Option<&str> {
        match &self.0 {
            Place::QueryParameter(name) => Some(name),
            _ => None,
        }
    }

    /// The member of the body that it reads, by the names on the way there, if it reads one.
    #[must_use]
    pub fn body_member(&self) -> Option<Vec<&str>> {
        match &self.0 {
            Place::Json(query) => query.names().filter(|names| !names.is_empty()),
            _ => None,
        }
    }

    /// Whether it reads something of the body.
    #[must_use]
    pub fn reads_body(&self) -> bool {
        match &self.0 {
            Place::BodySha256 | Place::DataSha256 | Place::FormField(_) => true,
            Place::Sha256(inner) => inner.reads_body(),
            _ => self.needs_json(),
        }
    }

    /// The path parameter that it reads, if it reads one.
    #[must_use]
    pub fn path_parameter(&self) -> Option<&str> {
        match &self.0 {
            Place::PathParameter(name) => Some(name),
            _ => None,
        }
    }

    /// Whether it looks into the parsed body (`$...`, `envelope:$...` or `body:$...`).
    #[must_use]
    pub fn needs_json(&self) -> bool {
        match &self.0 {
            Place::Json(_) | Place::Envelope(_) | Place::Whole(_) => true,
            Place::Sha256(inner) => inner.needs_json(),
            _ => false,
        }
    }

    /// Adds what it looks at in the parsed body, where that is the envelope too.
    pub fn add_needs(&self, needs: &mut Needs) {
        match &self.0 {
            Place::Json(query) | Place::Envelope(query) | Place::Whole(query) => query.add_needs(needs),
            Place::Sha256(inner) => inner.add_needs(needs),
            _ => {}
        }
    }

    /// Takes the value, which never is empty: an empty one is nothing.
    ///
    /// # Errors
    /// Where a query visits too many nodes.
    pub fn select<'a>(&self, scope: &RequestScope<'a>) -> Result<Selected<'a>, EvalError> {
        match &self.0 {
            Place::Header(name) => Ok(select_header(scope.headers, name)),
            Place::QueryParameter(name) => Ok(select_field(scope.query.as_bytes(), name)),
            Place::FormField(name) => Ok(select_field(scope.body, name)),
            Place::PathParameter(name) => {
                let values = scope.path_params.iter().filter(|(known, _)| known == name);
                Ok(Selected::of(values.map(|(_, value)| Cow::Borrowed(&**value))))
            }
            Place::BodySha256 => Ok(Selected::One(sha256(scope.body).into())),
            Place::DataSha256 => Ok(Selected::One(sha256(scope.data).into())),
            Place::Json(query) => select_json(query, scope.json),
            Place::Envelope(query) => select_json(query, scope.envelope),
            Place::Whole(query) => select_json(query, scope.whole),
            Place::Sha256(inner) => Ok(match inner.select(scope)? {
                Selected::Nothing => Selected::Nothing,
                Selected::One(value) => Selected::One(sha256(value.as_bytes()).into()),
                Selected::Several(value) => Selected::Several(sha256(value.as_bytes()).into()),
            }),
            Place::Method => Ok(Selected::One(scope.method.as_str().into())),
        }
    }
}

fn unknown(text: &str, kind: &str) -> ExprError {
    let forms = format!("one of {FORMS}");
    let expected = match nearest(kind, &KINDS) {
        Some(meant) if meant != kind => format!("`{meant}:`, perhaps; a selector is {forms}"),
        _ => forms,
    };
    ExprError::new(format!("`{text}` is no selector")).expecting(expected)
}

/// A field with a value that is not UTF-8 is nothing: whatever it says, it cannot be compared with text.
fn select_header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Selected<'a> {
    let fields = headers.get_all(name);
    let values = || fields.iter().map(|value| std::str::from_utf8(value.as_bytes()));
    if values().any(|text| text.is_err()) {
        return Selected::Nothing;
    }
    Selected::of(values().flatten().map(Cow::Borrowed))
}

fn select_field<'a>(encoded: &'a [u8], name: &str) -> Selected<'a> {
    let fields = form_urlencoded::parse(encoded);
    Selected::of(fields.filter(|(known, _)| known == name).map(|(_, value)| value))
}

fn select_json<'a>(query: &Query, root: Option<JsonRef<'a>>) -> Result<Selected<'a>, EvalError> {
    let Some(root) = root else { return Ok(Selected::Nothing) };
    if query.is_singular() {
        return Ok(Selected::of(query.first(root, root)?.and_then(as_text).into_iter()));
    }
    Ok(Selected::of(query.all(root, root)?.into_iter().filter_map(as_text)))
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

// === impl Selected ===

impl<'a> Selected<'a> {
    /// The value: of several, the first.
    #[must_use]
    pub fn into_value(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Nothing => None,
            Self::One(value) | Self::Several(value) => Some(value),
        }
    }

    /// An empty value is no value, and yet counts where it stands beside another: a request that says two
    /// things is not taken for one that says one.
    fn of(mut values: impl Iterator<Item = Cow<'a, str>>) -> Self {
        let Some(first) = values.next() else { return Self::Nothing };
        let Some(second) = values.next() else {
            return if first.is_empty() { Self::Nothing } else { Self::One(first) };
        };
        [first, second].into_iter().chain(values).find(|value| !value.is_empty()).map_or(Self::Nothing, Self::Several)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::expr::arbitrary::text;

    fn empty_scope(headers: &HeaderMap) -> RequestScope<'_> {
        RequestScope {
            method: &Method::POST,
            headers,
            query: "",
            path_params: &[],
            body: b"",
            json: None,
            envelope: None,
            whole: None,
            data: b"",
        }
    }

    fn select<'a>(text: &str, scope: &RequestScope<'a>) -> Selected<'a> {
        Selector::parse(text).unwrap().select(scope).unwrap()
    }

    fn one(text: &str) -> Selected<'_> {
        Selected::One(text.into())
    }

    fn several(text: &str) -> Selected<'_> {
        Selected::Several(text.into())
    }

    #[test]
    fn a_header_is_found_in_any_case_and_counted() {
        let mut headers = HeaderMap::new();
        headers.append("x-signature", HeaderValue::from_static("abc"));
        headers.append("x-twice", HeaderValue::from_static(""));
        headers.append("x-twice", HeaderValue::from_static("b"));
        headers.append("x-empty", HeaderValue::from_static(""));
        headers.append("x-bytes", HeaderValue::from_bytes(b"a\xff").unwrap());
        headers.append("x-bytes-last", HeaderValue::from_static("a"));
        headers.append("x-bytes-last", HeaderValue::from_static("b"));
        headers.append("x-bytes-last", HeaderValue::from_bytes(b"a\xff").unwrap());
        headers.append("x-utf8", HeaderValue::from_bytes("é".as_bytes()).unwrap());
        let scope = empty_scope(&headers);
        assert_eq!(select("header:X-Signature", &scope), one("abc"));
        assert_eq!(select("header:X-TWICE", &scope), several("b"));
        assert_eq!(select("header:X-Utf8", &scope), one("é"));
        for name in ["X-Empty", "X-Bytes", "X-Bytes-Last", "X-Other"] {
            assert_eq!(select(&format!("header:{name}"), &scope), Selected::Nothing);
        }
        assert_eq!(Selector::parse("header:X-Signature").unwrap().header_name(), Some("x-signature"));
    }

    #[test]
    fn query_and_form_are_decoded_and_counted() {
        let headers = HeaderMap::new();
        let scope = RequestScope { query: "t=a%2Fb+c&t2=1&t2=2&e=", body: b"na%20me=x%26y", ..empty_scope(&headers) };
        assert_eq!(select("query:t", &scope), one("a/b c"));
        assert_eq!(select("query:t2", &scope), several("1"));
        assert_eq!(select("query:e", &scope), Selected::Nothing);
        assert_eq!(select("form:na me", &scope), one("x&y"));
        assert_eq!(select("form:t", &scope), Selected::Nothing);
    }

    #[test]
    fn a_path_parameter_is_found_by_its_name() {
        let headers = HeaderMap::new();
        let params = [("hook".into(), "orders".into())];
        let scope = RequestScope { path_params: &params, ..empty_scope(&headers) };
        assert_eq!(select("path:hook", &scope), one("orders"));
        assert_eq!(select("path:Hook", &scope), Selected::Nothing);
    }

    #[test]
    fn hashes_are_lower_case_hex_of_body_and_data() {
        let headers = HeaderMap::new();
        let scope = RequestScope { body: b"abc", ..empty_scope(&headers) };
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(select("body:sha256", &scope), one(abc));
        assert_eq!(select("data:sha256", &scope), one(empty));
        let scope = RequestScope { query: "q=abc", ..empty_scope(&headers) };
        assert_eq!(select("sha256:query:q", &scope), one(abc));
        assert_eq!(select("sha256:query:other", &scope), Selected::Nothing);
    }

    #[test]
    fn json_gives_scalars_and_nothing_else() {
        let headers = HeaderMap::new();
        let json = json!({"s": "text", "n": 1.50, "b": false, "null": null, "o": {}, "a": ["x"], "m": [null, "1", 2], "e": ""});
        let (envelope, whole) = (json!({"s": "outer"}), json!({"s": "outermost"}));
        let scope =
            RequestScope { json: Some((&json).into()), envelope: Some((&envelope).into()), ..empty_scope(&headers) };
        let scope = RequestScope { whole: Some((&whole).into()), ..scope };
        assert_eq!(select("body:$.s", &scope), one("outermost"));
        assert_eq!(select("method", &scope), one("POST"));
        assert_eq!(select("$.s", &scope), one("text"));
        assert_eq!(select("$.n", &scope), one("1.5"));
        assert_eq!(select("$.b", &scope), one("false"));
        assert_eq!(select("$.a[*]", &scope), one("x"));
        assert_eq!(select("$.m[*]", &scope), several("1"));
        assert_eq!(select("envelope:$.s", &scope), one("outer"));
        for path in ["$.null", "$.o", "$.a", "$.e", "$.other"] {
            assert_eq!(select(path, &scope), Selected::Nothing);
        }
        assert_eq!(select("$.s", &empty_scope(&headers)), Selected::Nothing);
    }

    #[test]
    fn a_string_of_the_payload_is_borrowed() {
        let headers = HeaderMap::new();
        let json = json!({"s": "text"});
        let scope = RequestScope { json: Some((&json).into()), ..empty_scope(&headers) };
        assert!(matches!(select("$.s", &scope), Selected::One(Cow::Borrowed("text"))));
    }

    #[test]
    fn only_json_needs_json() {
        for (text, needs) in [
            ("$.a", true),
            ("envelope:$.a", true),
            ("body:$.a", true),
            ("method", false),
            ("header:A", false),
            ("body:sha256", false),
        ] {
            assert_eq!(Selector::parse(text).unwrap().needs_json(), needs);
        }
    }

    #[test]
    fn what_is_no_selector_is_told_the_forms_and_the_nearest() {
        for text in
            ["", "type", "hedaer:X", "header:", "header:a b", "query:", "body:md5", "envelope:x", "@.a", "$.a b"]
        {
            assert!(Selector::parse(text).is_err(), "{text}");
        }
        let expected = Selector::parse("hedaer:X").unwrap_err().expected.unwrap();
        assert!(expected.starts_with("`header:`, perhaps"), "{expected}");
        assert!(Selector::parse("type").unwrap_err().expected.unwrap().contains("`$.json.path`"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_text_makes_the_parser_panic(text in text()) {
            let _ = Selector::parse(&text);
        }
    }
}
