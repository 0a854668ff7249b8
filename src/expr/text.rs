//! Text with JSONPath in braces.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::holes::{self, Piece};
use super::jsonpath::{Budget, Scope};
use super::{ExprError, JsonRef, Needs, Query, RenderError};

/// All but the unreserved characters of RFC 3986, section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Text with holes: `https://crm.internal/contacts/{$.data.external_id}`. `{{` and `}}` are
/// literal braces. A hole's path is a singular query; `{@.x}` starts at the current node.
#[derive(Debug, Clone)]
pub struct Text(Box<[Piece<Query>]>);

/// What is done to a value before it goes into text. The text around it stays as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// Nothing.
    None,
    /// All but RFC 3986's unreserved characters are percent-encoded, so that a value is always one
    /// path segment or one query value.
    Url,
}

// === impl Text ===

impl Text {
    /// Compiles text.
    ///
    /// # Errors
    /// Where a brace is not closed, or what is in it is not a singular query.
    pub fn parse(text: &str) -> Result<Self, ExprError> {
        holes::cut(text, singular_query).map(Self)
    }

    /// The text itself, where it has no holes.
    #[must_use]
    pub fn as_literal(&self) -> Option<&str> {
        match &*self.0 {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Adds what its holes look at.
    pub fn add_needs(&self, needs: &mut Needs) {
        for piece in &self.0 {
            if let Piece::Hole(query) = piece {
                query.add_needs(needs);
            }
        }
    }

    /// Fills the holes. Strings go in as they are, numbers and booleans as JSON writes them.
    ///
    /// # Errors
    /// Where a path finds nothing, null, an object or an array; and, with [`Escape::Url`], where a value in
    /// the path of the URL is `.` or `..`, which leads to another place however it is encoded.
    pub fn render<'v>(
        &self,
        root: impl Into<JsonRef<'v>>,
        current: impl Into<JsonRef<'v>>,
        escape: Escape,
    ) -> Result<String, RenderError> {
        let scope = Scope { root: root.into(), current: current.into() };
        self.render_within(scope, escape, &mut Budget::for_rendering())
    }

    pub(super) fn render_within(
        &self,
        scope: Scope<'_>,
        escape: Escape,
        budget: &mut Budget,
    ) -> Result<String, RenderError> {
        let mut rendered = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => {
                    budget.read(text.len())?;
                    rendered.push_str(text);
                }
                Piece::Hole(query) => {
                    let value = fill(query, scope, budget)?;
                    budget.read(value.len())?;
                    match escape {
                        Escape::None => rendered.push_str(&value),
                        Escape::Url => push_url_part(&mut rendered, &value, query)?,
                    }
                }
            }
        }
        Ok(rendered)
    }

    /// Whether a hole starts at the current node, `@`.
    pub(super) fn starts_at_current(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Hole(query) if query.starts_at_current()))
    }
}

fn singular_query(hole: &str) -> Result<Query, ExprError> {
    let query = Query::parse(hole)?;
    if !query.is_singular() {
        return Err(ExprError::new(format!("`{hole}` may find many values, where text takes one"))
            .expecting("a path of names and indices, such as `{$.data.items[0].id}`"));
    }
    Ok(query)
}

fn fill<'v>(query: &Query, scope: Scope<'v>, budget: &mut Budget) -> Result<Cow<'v, str>, RenderError> {
    let path = || query.as_str().to_owned();
    match query.first_within(scope, budget)? {
        Some(Value::Null) | None => Err(RenderError::Missing { path: path() }),
        Some(value) => as_text(value).ok_or_else(|| RenderError::NotText { path: path() }),
    }
}

/// From here on not every integer is a double (2^53). Those up to 2^64 are kept as integers.
const INEXACT: f64 = 9_007_199_254_740_992.0;

/// A string as it is, a number or boolean as JSON writes it; null, objects and arrays are no text, nor is a number so
/// large that its last digits were lost: as an id or in a URL it would be another one's.
pub fn as_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) if number.is_f64() && number.as_f64().is_none_or(|f| f.abs() >= INEXACT) => None,
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(bool) => Some(Cow::Borrowed(if *bool { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn push_url_part(url: &mut String, value: &str, query: &Query) -> Result<(), RenderError> {
    let in_path = !url.contains(['?', '#']);
    if in_path && matches!(value, "." | "..") {
        return Err(RenderError::DotSegment { path: query.as_str().to_owned() });
    }
    url.extend(utf8_percent_encode(value, RESERVED));
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::expr::arbitrary::text;

    fn render(text: &str, root: &Value, escape: Escape) -> Result<String, RenderError> {
        Text::parse(text).unwrap().render(root, root, escape)
    }

    #[test]
    fn holes_are_filled_with_scalars_as_json_writes_them() {
        let root = json!({"name": "Ann", "n": 1.5, "ok": true, "list": [7]});
        let text = "{$.name}: {$.n}, {$.ok}, {$.list[-1]} {{x}}";
        assert_eq!(render(text, &root, Escape::None).as_deref(), Ok("Ann: 1.5, true, 7 {x}"));
    }

    #[test]
    fn a_number_whose_last_digits_were_lost_is_no_text() {
        let text = |json: &str| as_text(&serde_json::from_str(json).unwrap()).map(Cow::into_owned);
        for exact in ["18446744073709551615", "-9223372036854775808", "9007199254740993", "0.5"] {
            assert_eq!(text(exact).as_deref(), Some(exact));
        }
        for lost in ["18446744073709551616", "-9223372036854775809", "1e300"] {
            assert_eq!(text(lost), None, "{lost}");
        }
    }

    #[test]
    fn what_is_not_there_is_an_error_and_never_the_word_null() {
        let root = json!({"nothing": null, "list": [], "object": {}});
        let missing = |path: &str| Err(RenderError::Missing { path: path.to_owned() });
        assert_eq!(render("a{$.other}", &root, Escape::None), missing("$.other"));
        assert_eq!(render("a{$.nothing}", &root, Escape::None), missing("$.nothing"));
        for path in ["$.list", "$.object"] {
            let not_text = Err(RenderError::NotText { path: path.to_owned() });
            assert_eq!(render(&format!("{{{path}}}"), &root, Escape::None), not_text);
        }
    }

    #[test]
    fn a_value_in_a_url_stays_one_segment() {
        let root = json!({"id": "a/b?c#d%é ~", "empty": ""});
        let url = "https://x.test/{$.id}/{$.empty}?q={$.id}";
        assert_eq!(
            render(url, &root, Escape::Url).as_deref(),
            Ok("https://x.test/a%2Fb%3Fc%23d%25%C3%A9%20~/?q=a%2Fb%3Fc%23d%25%C3%A9%20~")
        );
    }

    #[test]
    fn a_value_cannot_climb_in_the_path_of_a_url() {
        for dots in [".", ".."] {
            let root = json!({ "id": dots });
            let refused = Err(RenderError::DotSegment { path: "$.id".to_owned() });
            assert_eq!(render("https://x.test/a/{$.id}/b", &root, Escape::Url), refused);
            let query = format!("https://x.test/?a={dots}");
            assert_eq!(render("https://x.test/?a={$.id}", &root, Escape::Url), Ok(query));
        }
        let root = json!({"id": "a..b"});
        assert_eq!(render("/{$.id}", &root, Escape::Url).as_deref(), Ok("/a..b"));
    }

    #[test]
    fn a_hole_takes_a_singular_query_alone() {
        for text in ["{$.a[*]}", "{$..a}", "{name}", "{}", "{\"a\": 1}"] {
            assert!(Text::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn text_without_holes_is_known_as_such() {
        assert_eq!(Text::parse("a {{b}}").unwrap().as_literal(), Some("a {b}"));
        assert_eq!(Text::parse("").unwrap().as_literal(), Some(""));
        assert_eq!(Text::parse("{$.a}").unwrap().as_literal(), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_text_makes_the_parser_panic(text in text()) {
            let _ = Text::parse(&text);
        }

        #[test]
        fn text_without_holes_renders_as_itself(text in "[^{}]*") {
            for escape in [Escape::None, Escape::Url] {
                prop_assert_eq!(render(&text, &Value::Null, escape), Ok(text.clone()));
            }
        }

        #[test]
        fn a_value_in_a_url_comes_back_as_it_was(value in any::<String>()) {
            prop_assume!(value != "." && value != "..");
            let url = render("https://x.test/a/{$}/b", &json!(value), Escape::Url).unwrap();
            let url = url::Url::parse(&url).unwrap();
            let segments: Vec<_> = url.path_segments().unwrap().collect();
            prop_assert_eq!(segments.len(), 3);
            prop_assert_eq!(percent_encoding::percent_decode_str(segments[1]).decode_utf8().unwrap(), value);
        }
    }
}
