//! Templates: the shape of what goes out.

use serde_json::Value;

use super::{ExprError, RenderError};

/// A compiled template (DESIGN section 3, "Transform").
#[derive(Debug, Clone)]
pub struct Template(());

impl Template {
    /// Compiles a template.
    ///
    /// # Errors
    /// Everything wrong with it, each with the JSON Pointer (RFC 6901) of the part of `source` it is in.
    pub fn compile(_source: &Value) -> Result<Self, Vec<(String, ExprError)>> {
        todo!()
    }

    /// Renders it with `$` being `root`. `None` where the whole template is one path at which there is
    /// nothing.
    ///
    /// # Errors
    /// Where the event lacks what the template requires.
    pub fn render(&self, _root: &Value) -> Result<Option<Value>, RenderError> {
        todo!()
    }
}
