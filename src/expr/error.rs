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
    /// The evaluation was given up.
    #[error(transparent)]
    Eval(#[from] EvalError),
}
