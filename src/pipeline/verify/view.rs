//! A request as the schemes look at it, whether it came in or is about to be signed.

use std::borrow::Cow;

use http::Method;
use serde_json::Value;

use super::Rejection;
use crate::config::{At, Problem, Problems};
use crate::expr::{RequestScope, Selected, Selector};
use crate::pipeline::Received;

/// A request as the schemes look at it.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) method: &'a Method,
    /// As sent, without the query.
    pub(super) path: &'a str,
    pub(super) scope: RequestScope<'a>,
}

// === impl View ===

impl<'a> View<'a> {
    /// `json` is the parsed body, where the scheme needs it and it is JSON.
    pub(super) fn of_received(received: &'a Received, json: Option<&'a Value>) -> Self {
        let scope = RequestScope { json, envelope: json, ..received.scope() };
        Self { method: &received.method, path: &received.path, scope }
    }

    /// The one value at `selector`; `None` where there is none.
    ///
    /// A value that is there twice is refused, not chosen from: whoever reads the request after us may
    /// choose the other.
    pub(super) fn one(&self, selector: &Selector) -> Result<Option<Cow<'a, str>>, Rejection> {
        match selector.select(&self.scope) {
            Ok(Selected::Nothing) => Ok(None),
            Ok(Selected::One(value)) => Ok(Some(value)),
            Ok(Selected::Several(_)) => Err(Rejection::Several),
            Err(_) => Err(Rejection::Malformed),
        }
    }
}

/// Whether `prefix` is the name of an authentication scheme in `Authorization`, which is compared without
/// regard to case (RFC 9110, section 11.1).
pub(super) fn is_scheme_name(selector: &Selector, prefix: &str) -> bool {
    selector.header_name() == Some("authorization") && prefix.ends_with(' ')
}

/// `text` without the `prefix` that has to stand before it.
pub(super) fn strip<'t>(text: &'t str, prefix: &str, any_case: bool) -> Result<&'t str, Rejection> {
    let (head, tail) = text.split_at_checked(prefix.len()).ok_or(Rejection::Malformed)?;
    let same = if any_case { head.eq_ignore_ascii_case(prefix) } else { head == prefix };
    if same && !tail.is_empty() { Ok(tail) } else { Err(Rejection::Malformed) }
}

/// Compiles a selector, or says what is wrong with it.
pub(super) fn compile_selector(text: &At<String>, problems: &mut Problems) -> Option<Selector> {
    match Selector::parse(text) {
        Ok(selector) => Some(selector),
        Err(error) => {
            let problem = Problem::error(text.place, error.message);
            problems.push(match error.expected {
                Some(expected) => problem.expected(expected),
                None => problem,
            });
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_has_to_be_there_and_something_after_it() {
        assert_eq!(strip("sha256=ab", "sha256=", false), Ok("ab"));
        for text in ["", "ab", "sha256=", "SHA256=ab", "sha25", "é"] {
            assert_eq!(strip(text, "sha256=", false), Err(Rejection::Malformed), "{text}");
        }
    }

    #[test]
    fn the_name_of_an_authentication_scheme_has_no_case() {
        assert_eq!(strip("bEARER ab", "Bearer ", true), Ok("ab"));
        assert_eq!(strip("Bearer\tab", "Bearer ", true), Err(Rejection::Malformed));
    }
}
