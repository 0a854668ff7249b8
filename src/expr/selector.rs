//! Selectors: how a value is taken from a request.

use std::borrow::Cow;

use http::HeaderMap;
use serde_json::Value;

use super::{EvalError, ExprError};

/// A compiled selector: `$.json.path`, `envelope:$.json.path`, `header:Name`, `query:name`, `path:name`,
/// `form:name`, `body:sha256`, `data:sha256`.
#[derive(Debug, Clone)]
pub struct Selector(());

/// Ordered fallbacks: of several ways to a value, the first that gives one. A way is a selector, text with
/// selectors in braces, or a fixed value under a predicate.
#[derive(Debug, Clone)]
pub struct Choices(());

/// What selectors look at.
#[derive(Debug, Clone, Copy)]
pub struct RequestScope<'a> {
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
    pub json: Option<&'a Value>,
    /// What `envelope:$` is: what holds the split element; the same as `json` where nothing is split.
    pub envelope: Option<&'a Value>,
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
    /// The request has it more than once (a header field, a query parameter): the first.
    Several(Cow<'a, str>),
}

impl Selector {
    /// Compiles a selector.
    ///
    /// # Errors
    /// Where it is none.
    pub fn parse(_text: &str) -> Result<Self, ExprError> {
        todo!()
    }

    /// The header that it reads, in lower case, if it reads one.
    #[must_use]
    pub fn header_name(&self) -> Option<&str> {
        todo!()
    }

    /// Whether it looks into the parsed body (`$...` or `envelope:$...`).
    #[must_use]
    pub fn needs_json(&self) -> bool {
        todo!()
    }

    /// Takes the value.
    ///
    /// # Errors
    /// Where a query visits too many nodes.
    pub fn select<'a>(&self, _scope: &RequestScope<'a>) -> Result<Selected<'a>, EvalError> {
        todo!()
    }
}

impl Choices {
    /// No way to a value: what is left out of a configuration.
    #[must_use]
    pub const fn none() -> Self {
        Self(())
    }

    /// Adds a way: a selector, or text with selectors in braces (`{envelope:$.event.id}:{$.uuid}`; every
    /// one of them has to give a value).
    ///
    /// # Errors
    /// Where the text is neither.
    pub fn or_select(self, _text: &str) -> Result<Self, ExprError> {
        todo!()
    }

    /// Adds a way: `value`, where `when` holds with `$` being the scope's `json`.
    ///
    /// # Errors
    /// Where `when` is not a predicate.
    pub fn or_value_when(self, _value: &str, _when: &str) -> Result<Self, ExprError> {
        todo!()
    }

    /// The first value that one of the ways gives, never empty.
    ///
    /// # Errors
    /// Where a query visits too many nodes.
    pub fn choose<'a>(&self, _scope: &RequestScope<'a>) -> Result<Option<Cow<'a, str>>, EvalError> {
        todo!()
    }
}
