//! Text with JSONPath in braces.

use serde_json::Value;

use super::{ExprError, RenderError};

/// Text with holes: `https://crm.internal/contacts/{$.data.external_id}`. `{{` and `}}` are
/// literal braces. A hole's path is a singular query; `{@.x}` starts at the current node.
#[derive(Debug, Clone)]
pub struct Text(());

/// What is done to a value before it goes into text. The text around it stays as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// Nothing.
    None,
    /// All but RFC 3986's unreserved characters are percent-encoded, so that a value is always one
    /// path segment or one query value.
    Url,
}

impl Text {
    /// Compiles text.
    ///
    /// # Errors
    /// Where a brace is not closed, or what is in it is not a singular query.
    pub fn parse(_text: &str) -> Result<Self, ExprError> {
        todo!()
    }

    /// The text itself, where it has no holes.
    #[must_use]
    pub fn as_literal(&self) -> Option<&str> {
        todo!()
    }

    /// Fills the holes. Strings go in as they are, numbers and booleans as JSON writes them.
    ///
    /// # Errors
    /// Where a path finds nothing, null, an object or an array.
    pub fn render(&self, _root: &Value, _current: &Value, _escape: Escape) -> Result<String, RenderError> {
        todo!()
    }
}
