//! RFC 9535 logical expressions.

use serde_json::Value;

use super::{EvalError, ExprError};

/// A compiled RFC 9535 logical expression (section 2.3.5.1); a bare path tests existence.
#[derive(Debug, Clone)]
pub struct Predicate(());

impl Predicate {
    /// Compiles the text of a logical expression.
    ///
    /// # Errors
    /// Where it is not valid and well-typed, or takes a pattern from the payload.
    pub fn parse(_text: &str) -> Result<Self, ExprError> {
        todo!()
    }

    /// Whether it holds with `$` (and `@`) being `root`.
    ///
    /// # Errors
    /// Where the evaluation visits too many nodes.
    pub fn holds(&self, _root: &Value) -> Result<bool, EvalError> {
        todo!()
    }

    /// Why it can hold for no event at all, where that is plain to see: `$.type` would have to be
    /// two things at once.
    #[must_use]
    pub fn never_holds(&self) -> Option<String> {
        todo!()
    }
}
