//! Ordered fallbacks: several ways to one value.

use std::borrow::Cow;

use super::holes::{self, Piece};
use super::{EvalError, ExprError, Needs, Predicate, RequestScope, Selector};

/// Ordered fallbacks: of several ways to a value, the first that gives one. A way is a selector, text with
/// selectors in braces, or a fixed value under a predicate.
#[derive(Debug, Clone)]
pub struct Choices(Vec<Way>);

#[derive(Debug, Clone)]
enum Way {
    Selector(Selector),
    Text(Box<[Piece<Selector>]>),
    ValueWhen { value: Box<str>, when: Box<Predicate> },
}

// === impl Choices ===

impl Choices {
    /// No way to a value: what is left out of a configuration.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Adds a way: a selector, or text with selectors in braces (`{envelope:$.event.id}:{$.uuid}`; every
    /// one of them has to give a value).
    ///
    /// # Errors
    /// Where the text is neither.
    pub fn or_select(self, text: &str) -> Result<Self, ExprError> {
        let way = match Selector::parse(text) {
            Ok(selector) => Way::Selector(selector),
            Err(_) if text.contains('{') => {
                let pieces = holes::cut(text, Selector::parse)?;
                if !pieces.iter().any(|piece| matches!(piece, Piece::Hole(_))) {
                    return Err(ExprError::new(format!("`{text}` takes nothing from the request"))
                        .expecting("a selector in braces, such as `{$.id}`"));
                }
                Way::Text(pieces)
            }
            Err(error) => return Err(error),
        };
        Ok(self.or(way))
    }

    /// Adds a way: `value`, where `when` holds with `$` being the scope's `json`.
    ///
    /// # Errors
    /// Where `when` is not a predicate, or `value` is empty.
    pub fn or_value_when(self, value: &str, when: &str) -> Result<Self, ExprError> {
        if value.is_empty() {
            return Err(ExprError::new("the value is empty"));
        }
        let when = Box::new(Predicate::parse(when)?);
        Ok(self.or(Way::ValueWhen { value: value.into(), when }))
    }

    /// The first value that one of the ways gives, never empty. A string of the payload is borrowed.
    ///
    /// # Errors
    /// Where a query visits too many nodes.
    pub fn choose<'a>(&self, scope: &RequestScope<'a>) -> Result<Option<Cow<'a, str>>, EvalError> {
        for way in &self.0 {
            if let Some(value) = way.take(scope)? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// The same of those values that `read` makes something of.
    ///
    /// # Errors
    /// Where a query visits too many nodes.
    pub fn choose_as<T>(
        &self,
        scope: &RequestScope<'_>,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, EvalError> {
        for way in &self.0 {
            if let Some(read) = way.take(scope)?.and_then(|value| read(&value)) {
                return Ok(Some(read));
            }
        }
        Ok(None)
    }

    /// Whether one of the ways looks into the parsed body.
    #[must_use]
    pub fn needs_json(&self) -> bool {
        self.0.iter().any(|way| match way {
            Way::Selector(selector) => selector.needs_json(),
            Way::Text(pieces) => pieces.iter().any(|piece| matches!(piece, Piece::Hole(hole) if hole.needs_json())),
            Way::ValueWhen { .. } => true,
        })
    }

    /// The header fields that its ways look at, in lower case.
    #[must_use]
    pub fn headers(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for way in &self.0 {
            match way {
                Way::Selector(selector) => names.extend(selector.looks_at_header()),
                Way::Text(pieces) => names.extend(pieces.iter().filter_map(|piece| match piece {
                    Piece::Literal(_) => None,
                    Piece::Hole(selector) => selector.looks_at_header(),
                })),
                Way::ValueWhen { .. } => {}
            }
        }
        names
    }

    /// Adds what its ways look at in the parsed body, where that is the envelope too.
    pub fn add_needs(&self, needs: &mut Needs) {
        for way in &self.0 {
            match way {
                Way::Selector(selector) => selector.add_needs(needs),
                Way::ValueWhen { when, .. } => when.add_needs(needs),
                Way::Text(pieces) => pieces.iter().for_each(|piece| match piece {
                    Piece::Literal(_) => {}
                    Piece::Hole(selector) => selector.add_needs(needs),
                }),
            }
        }
    }

    fn or(mut self, way: Way) -> Self {
        self.0.push(way);
        self
    }
}

// === impl Way ===

impl Way {
    fn take<'a>(&self, scope: &RequestScope<'a>) -> Result<Option<Cow<'a, str>>, EvalError> {
        match self {
            Self::Selector(selector) => selector.select(scope).map(super::Selected::into_value),
            Self::Text(pieces) => fill(pieces, scope).map(|text| text.map(Cow::Owned)),
            Self::ValueWhen { value, when } => match scope.json {
                Some(json) if when.holds(json)? => Ok(Some(Cow::Owned(value.to_string()))),
                _ => Ok(None),
            },
        }
    }
}

fn fill(pieces: &[Piece<Selector>], scope: &RequestScope<'_>) -> Result<Option<String>, EvalError> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Literal(literal) => text.push_str(literal),
            Piece::Hole(selector) => match selector.select(scope)?.into_value() {
                Some(value) => text.push_str(&value),
                None => return Ok(None),
            },
        }
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::expr::arbitrary::text;

    fn choose(choices: &Choices, json: Option<&Value>, envelope: Option<&Value>) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert("x-type", HeaderValue::from_static("from-header"));
        let (json, envelope) = (json.map(Into::into), envelope.map(Into::into));
        let scope = RequestScope {
            method: &http::Method::POST,
            headers: &headers,
            query: "",
            path_params: &[],
            body: b"",
            json,
            envelope,
            whole: json,
            data: b"",
        };
        choices.choose(&scope).unwrap().map(Cow::into_owned)
    }

    #[test]
    fn the_first_way_that_gives_a_value_wins() {
        let choices =
            Choices::none().or_select("$.a").unwrap().or_select("$.b").unwrap().or_select("header:X-Type").unwrap();
        assert_eq!(choose(&choices, Some(&json!({"a": "1", "b": "2"})), None).as_deref(), Some("1"));
        assert_eq!(choose(&choices, Some(&json!({"a": "", "b": 2})), None).as_deref(), Some("2"));
        assert_eq!(choose(&choices, Some(&json!({"a": null})), None).as_deref(), Some("from-header"));
        assert_eq!(choose(&choices, None, None).as_deref(), Some("from-header"));
    }

    #[test]
    fn no_way_gives_nothing() {
        assert_eq!(choose(&Choices::none(), Some(&json!({"a": 1})), None), None);
    }

    #[test]
    fn text_needs_every_one_of_its_selectors() {
        let choices = Choices::none().or_select("{envelope:$.event.id}:{$.uuid}").unwrap();
        let envelope = json!({"event": {"id": "e1"}});
        assert_eq!(choose(&choices, Some(&json!({"uuid": 7})), Some(&envelope)).as_deref(), Some("e1:7"));
        assert_eq!(choose(&choices, Some(&json!({})), Some(&envelope)), None);
        assert_eq!(choose(&choices, Some(&json!({"uuid": 7})), None), None);
    }

    #[test]
    fn a_fixed_value_is_taken_where_its_condition_holds() {
        let choices = Choices::none().or_value_when("ping", "$.zen").unwrap().or_value_when("other", "!$.zen").unwrap();
        assert_eq!(choose(&choices, Some(&json!({"zen": 1})), None).as_deref(), Some("ping"));
        assert_eq!(choose(&choices, Some(&json!({})), None).as_deref(), Some("other"));
        assert_eq!(choose(&choices, None, None), None);
    }

    #[test]
    fn a_string_of_the_payload_is_borrowed() {
        let headers = HeaderMap::new();
        let json = json!({"s": "text"});
        let scope = RequestScope {
            method: &http::Method::POST,
            headers: &headers,
            query: "",
            path_params: &[],
            body: b"",
            json: Some((&json).into()),
            envelope: None,
            whole: None,
            data: b"",
        };
        let choices = Choices::none().or_select("$.s").unwrap();
        assert!(matches!(choices.choose(&scope), Ok(Some(Cow::Borrowed("text")))));
    }

    #[test]
    fn what_is_no_way_is_refused() {
        for text in ["", "plain", "{plain}", "{{a}}", "{$.a", "hedaer:X"] {
            assert!(Choices::none().or_select(text).is_err(), "{text}");
        }
        assert!(Choices::none().or_value_when("", "$.a").is_err());
        assert!(Choices::none().or_value_when("a", "$.a ==").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_text_makes_the_parser_panic(text in text()) {
            let _ = Choices::none().or_select(&text);
        }
    }
}
