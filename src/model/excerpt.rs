//! A document as far as it was needed.

use serde_json::Value;

/// A part of a document, as far as [`Needs`](super::Needs) say. Most is looked at by name: those objects are lists, in which
/// nothing is hashed.
#[derive(Debug, Clone, PartialEq)]
pub enum Excerpt {
    /// All of it; null where nothing of it is needed.
    Value(Value),
    /// An object: the members that the needs name, each with the place that its name has among theirs.
    Members(Vec<(usize, Self)>),
    /// A list: its elements, as far as each is needed.
    Elements(Vec<Self>),
}

// === impl Excerpt ===

impl Excerpt {
    /// Nothing of anything.
    pub const NOTHING: Self = Self::Value(Value::Null);
}
