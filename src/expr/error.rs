//! What can be wrong with an expression, and what can go wrong with a right one.

/// An expression that cannot be compiled: the person who wrote it has to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExprError {
    /// What is wrong, without a capital and a full stop.
    pub message: String,
    /// What was expected, where that helps.
    pub expected: Option<String>,
}

/// An evaluation that was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// It visited more nodes than an expression may.
    #[error("the expression visits more than {limit} nodes of this payload: make it more specific")]
    Budget {
        /// How many it may visit.
        limit: usize,
    },
}

/// A template that asks for what the event does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// A `$required` path, or a path in text, finds nothing.
    #[error("the event has nothing at {path}")]
    Missing {
        /// The path as the configuration has it.
        path: String,
    },
    /// A path in text finds an object or an array.
    #[error("the event has an object or an array at {path}, where text is needed")]
    NotText {
        /// The path as the configuration has it.
        path: String,
    },
    /// A path in a URL finds `.` or `..`, which would lead to another place than the configuration
    /// names: URL parsers resolve them even where they are percent-encoded.
    #[error("the event has `.` or `..` at {path}, which cannot be a part of a URL's path")]
    DotSegment {
        /// The path as the configuration has it.
        path: String,
    },
    /// The evaluation was given up.
    #[error(transparent)]
    Eval(#[from] EvalError),
}

// === impl ExprError ===

impl ExprError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), expected: None }
    }

    pub(super) fn expecting(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }
}
