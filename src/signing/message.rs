//! A request as the schemes look at it, whether it came in or is about to be sent.

use std::borrow::Cow;

use super::SigningError;
use crate::config::{At, Problem, Problems};
use crate::expr::{RequestScope, Selected, Selector};

/// A request as the schemes look at it.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// As sent, without the query.
    pub path: &'a str,
    /// The rest of it. Its `json` is the parsed body, where the scheme needs it and it is JSON.
    pub scope: RequestScope<'a>,
}

// === impl Message ===

impl<'a> Message<'a> {
    /// The one value at `selector`; `None` where there is none.
    ///
    /// A value that is there twice is refused, not chosen from: whoever reads the request after us may
    /// choose the other.
    ///
    /// # Errors
    /// Where it is there twice, or cannot be looked for.
    pub fn one(&self, selector: &Selector) -> Result<Option<Cow<'a, str>>, SigningError> {
        match selector.select(&self.scope) {
            Ok(Selected::Nothing) => Ok(None),
            Ok(Selected::One(value)) => Ok(Some(value)),
            Ok(Selected::Several(_)) => Err(SigningError::Several),
            Err(_) => Err(SigningError::Malformed),
        }
    }
}

/// Compiles a selector, or says what is wrong with it; `None` then.
pub fn compile_selector(text: &At<String>, problems: &mut Problems) -> Option<Selector> {
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
