//! RFC 9535, JSONPath: the language, without its faces.
//!
//! ```text
//! text --syntax--> AST (of the jsonpath-rust crate) --compile--> program --evaluate--> nodes, or a verdict
//! ```
//!
//! The crate parses; the rest is ours, because its evaluator gives wrong answers, has no bound on its cost
//! and accepts what is not well-typed. `syntax` also refuses what the crate's parser would take amiss.
//! No path is built as text while a program runs, nodes are borrowed, and a singular query allocates nothing.

mod budget;
mod compare;
mod compile;
mod evaluate;
mod iregexp;
mod program;
mod regexp;
mod syntax;
mod written;

pub(super) use budget::Budget;
pub(super) use compare::{Datum, compare};
pub(super) use compile::{Compiler, Patterns};
pub(super) use evaluate::{Located, Node, Scope, datum, exists, holds, nodes, reaches, singular, values};
pub(super) use program::{
    Comparison, Hop, Logical, Operand, Operator, Origin, Path, Pattern, Segment, Selector, Steps,
};
pub(super) use syntax::{parse_predicate, parse_query};
