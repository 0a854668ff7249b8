//! Parts of signed content that are made of several fields of a request.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use http::{HeaderMap, HeaderName, header};
use url::form_urlencoded;

/// `{form_sorted}`: the fields of a form, name and value one after the other without anything between, in the order of
/// the names; of a field that is there more than once each value once, in order. No text where the body is no form.
///
/// Twilio: "sort the list of POST variables alphabetically by parameter name, append name and value with no delimiters"
/// (<https://www.twilio.com/docs/usage/security>), and its libraries for fields that are there twice.
pub(super) fn form_sorted(headers: &HeaderMap, body: &[u8]) -> String {
    if !is_form(headers) {
        return String::new();
    }
    let mut fields: BTreeMap<Cow<'_, str>, Vec<Cow<'_, str>>> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        fields.entry(name).or_default().push(value);
    }
    let mut text = String::with_capacity(body.len());
    for (name, mut values) in fields {
        values.sort_unstable();
        values.dedup();
        for value in values {
            text.push_str(&name);
            text.push_str(&value);
        }
    }
    text
}

/// Whether a request says that its body is a form.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// `{headers:NAME}`: the header fields that the one called `list` names, each as `name:value` with the name in lower case,
/// with `;` between them. `None` where one of them is not there, or there more than once.
///
/// Contentful: <https://www.contentful.com/developers/docs/webhooks/request-verification/>.
pub(super) fn named_headers(headers: &HeaderMap, list: &HeaderName) -> Option<String> {
    let names = one(headers, list)?;
    let mut text = String::new();
    for name in names.split(',').map(str::trim) {
        let field: HeaderName = name.parse().ok()?;
        let separator = if text.is_empty() { "" } else { ";" };
        write!(text, "{separator}{field}:{}", one(headers, &field)?).ok()?;
    }
    Some(text)
}

fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut fields = headers.get_all(name).iter();
    let value = fields.next()?;
    if fields.next().is_some() { None } else { std::str::from_utf8(value.as_bytes()).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_form_is_signed_in_the_order_of_its_names() {
        let form = headers(&[("content-type", "application/x-www-form-urlencoded; charset=UTF-8")]);
        assert_eq!(form_sorted(&form, b"b=2&a=x+y&b=1&b=2&A=%C3%A9"), "A\u{e9}ax yb1b2");
        assert_eq!(form_sorted(&headers(&[("content-type", "application/json")]), b"b=2"), "");
        assert_eq!(form_sorted(&HeaderMap::new(), b"b=2"), "");
    }

    #[test]
    fn headers_are_signed_as_they_are_named() {
        let signed = headers(&[("x-list", "x-b, X-A"), ("x-a", "1"), ("x-b", "two words"), ("x-c", "3")]);
        let named = |headers: &HeaderMap| named_headers(headers, &HeaderName::from_static("x-list"));
        assert_eq!(named(&signed).as_deref(), Some("x-b:two words;x-a:1"));
        assert_eq!(named(&headers(&[("x-list", "x-gone")])), None);
        assert_eq!(named(&headers(&[("x-list", "x-a"), ("x-a", "1"), ("x-a", "2")])), None);
        assert_eq!(named(&headers(&[("x-list", "")])), None);
        assert_eq!(named(&HeaderMap::new()), None);
    }
}
