//! Compiled expressions: queries, predicates, templates and selectors. Pure.
//!
//! What a person wrote is parsed and checked once, when the configuration is compiled; what runs
//! per event are the types below. Every evaluation has a node budget, so that no expression and no
//! payload costs more than a bounded time.

mod error;
mod predicate;
mod query;
mod selector;
mod template;
mod text;

pub use error::{EvalError, ExprError, RenderError};
pub use predicate::Predicate;
pub use query::{Found, Query, Step};
pub use selector::{Choices, RequestScope, Selected, Selector};
pub use template::Template;
pub use text::{Escape, Text};
