//! RFC 9535 queries.

use serde_json::Value;

use super::{EvalError, ExprError};

/// A compiled RFC 9535 query.
#[derive(Debug, Clone)]
pub struct Query(());

/// One step of a normalized path (RFC 9535, section 2.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A member of an object.
    Name(String),
    /// An element of an array.
    Index(usize),
}

/// A node that a query found, and where.
#[derive(Debug, Clone)]
pub struct Found<'v> {
    /// Its normalized path from the root.
    pub path: Vec<Step>,
    /// The node.
    pub value: &'v Value,
}

impl Query {
    /// Compiles the text of a query, `$...` (or `@...`, which starts at the current node).
    ///
    /// # Errors
    /// Where it is not valid and well-typed RFC 9535, or takes a pattern from the payload.
    pub fn parse(_text: &str) -> Result<Self, ExprError> {
        todo!()
    }

    /// Whether it can find one node at most (RFC 9535, section 2.3.5.1).
    #[must_use]
    pub fn is_singular(&self) -> bool {
        todo!()
    }

    /// The first node found. `$` is `root`, `@` is `current`.
    ///
    /// # Errors
    /// Where the evaluation visits too many nodes.
    pub fn first<'v>(&self, _root: &'v Value, _current: &'v Value) -> Result<Option<&'v Value>, EvalError> {
        todo!()
    }

    /// Every node found, in order.
    ///
    /// # Errors
    /// Where the evaluation visits too many nodes.
    pub fn all<'v>(&self, _root: &'v Value, _current: &'v Value) -> Result<Vec<&'v Value>, EvalError> {
        todo!()
    }

    /// Every node found, each with its normalized path. Only for queries over a root.
    ///
    /// # Errors
    /// Where the evaluation visits too many nodes.
    pub fn locate<'v>(&self, _root: &'v Value) -> Result<Vec<Found<'v>>, EvalError> {
        todo!()
    }
}
