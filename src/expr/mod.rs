//! Compiled expressions: queries, predicates, templates and selectors. Pure.
//!
//! What a person wrote is parsed and checked once, when the configuration is compiled; what runs
//! per event are the types below. Every evaluation has a node budget, so that no expression and no
//! payload costs more than a bounded time.
//!
//! The rooms, from the ground up:
//!
//! | room | holds |
//! | --- | --- |
//! | `error` | what can be wrong with an expression, and what can go wrong with a right one |
//! | `json` | a value as expressions see it, also where only parts of it were kept |
//! | `jsonpath` | RFC 9535 itself: text to checked program, and the evaluator |
//! | `query`, `predicate` | the two public faces of a program: what it finds, and whether it holds |
//! | `contradiction` | why a predicate can never hold |
//! | `explain` | why one holds or does not, of one document |
//! | `holes` | text with holes, before anybody knows what is in them |
//! | `text` | holes that are JSONPath: URLs, header values, strings of a template |
//! | `template` | the shape of what goes out |
//! | `selector`, `choices` | how a value is taken from a request, and what if it is not there |
//! | `needs`, `pruned` | which parts of a document expressions look at, and a reader that keeps only those |
//! | `view` | an event's document, as far as it is needed |
//! | `mask` | what of an event's document is shown to nobody |
//! | `nearest` | "did you mean" |
//!
//! Deliberately absent: patterns (`match`, `search`) that come from the payload, functions that RFC 9535
//! does not have, and anything that reads a clock, a file or the network.

#[cfg(test)]
mod arbitrary;
mod choices;
mod contradiction;
mod error;
mod explain;
mod holes;
mod json;
mod jsonpath;
mod mask;
mod nearest;
mod needs;
mod predicate;
mod pruned;
mod query;
mod selector;
mod template;
mod text;
mod view;

pub use choices::Choices;
pub use error::{EvalError, ExprError, RenderError};
pub use explain::{Cause, Explanation, Seen};
pub use json::JsonRef;
pub use mask::{HIDDEN, Mask, MaskError, hides_part};
pub use needs::Pruned;
pub use predicate::Predicate;
pub use query::{Found, Query, Step};
pub use selector::{RequestScope, Selected, Selector};
pub use template::Template;
pub use text::{Escape, Text, as_text};
pub use view::{View, kept, view};

pub use crate::model::Needs;
