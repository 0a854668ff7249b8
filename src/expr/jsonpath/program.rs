//! The compiled form of a query: checked, and cheap to run.

use std::fmt;

use serde_json::Value;

use super::regexp::Regexp;
use crate::expr::json::JsonRef;

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::expr) struct Path {
    pub(in crate::expr) origin: Origin,
    pub(in crate::expr) steps: Steps,
}

/// Where a query starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::expr) enum Origin {
    /// `$`
    Root,
    /// `@`
    Current,
}

/// What a query does from there.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::expr) enum Steps {
    /// It finds one node at most (RFC 9535, section 2.3.5.1): the common case, and the fast one.
    Singular(Box<[Hop]>),
    /// It may find many.
    Many(Box<[Segment]>),
}

/// One step of a singular query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::expr) enum Hop {
    Name(Box<str>),
    /// Counted from the end where it is negative.
    Index(i64),
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::expr) enum Segment {
    Child(Box<[Selector]>),
    Descendant(Box<[Selector]>),
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::expr) enum Selector {
    Hop(Hop),
    Wildcard,
    Slice { start: Option<i64>, end: Option<i64>, step: i64 },
    Filter(Logical),
}

/// A logical expression (RFC 9535, section 2.3.5.1).
#[derive(Debug, Clone, PartialEq)]
pub(in crate::expr) enum Logical {
    Or(Box<[Self]>),
    And(Box<[Self]>),
    Not(Box<Self>),
    /// The query finds something.
    Exists(Path),
    Compare(Comparison),
    /// `match` and `search`.
    Matches {
        subject: Operand,
        pattern: Pattern,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::expr) struct Comparison {
    pub(in crate::expr) operator: Operator,
    pub(in crate::expr) left: Operand,
    pub(in crate::expr) right: Operand,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::expr) enum Operator {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// What has the type `ValueType` (RFC 9535, section 2.4.1).
#[derive(Debug, Clone, PartialEq)]
pub(in crate::expr) enum Operand {
    Literal(Value),
    /// A singular query.
    Query(Path),
    Length(Box<Self>),
    Count(Path),
    ValueOf(Path),
}

/// The second argument of `match` and `search`.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::expr) enum Pattern {
    Fixed(Regexp),
    /// A literal that is no I-Regexp: nothing matches it (RFC 9535, section 2.4.6).
    Void,
    /// Comes from the payload; never in production.
    Dynamic {
        source: Operand,
        extent: Extent,
    },
}

/// How much of the text a pattern has to match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::expr) enum Extent {
    /// All of it: `match`.
    Whole,
    /// Some of it: `search`.
    Part,
}

// === impl Hop ===

impl Hop {
    /// The name that it goes by.
    pub(in crate::expr) const fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Index(_) => None,
        }
    }

    /// The node that it leads to from `node`.
    pub(in crate::expr) fn from<'v>(&self, node: JsonRef<'v>) -> Option<JsonRef<'v>> {
        match self {
            Self::Name(name) => node.get(name),
            Self::Index(index) => node.element(position(*index, node.elements()?)?),
        }
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Name(name) if is_shorthand(name) => write!(f, ".{name}"),
            Self::Name(name) => write!(f, "['{}']", name.replace('\\', "\\\\").replace('\'', "\\'")),
        }
    }
}

// === impl Segment ===

impl Segment {
    /// Whether a filter is among its selectors.
    pub(in crate::expr) fn has_filter(&self) -> bool {
        let (Self::Child(selectors) | Self::Descendant(selectors)) = self;
        selectors.iter().any(|selector| matches!(selector, Selector::Filter(_)))
    }
}

// === impl Operator ===

impl Operator {
    /// The operator that says the same with its sides exchanged.
    pub(in crate::expr) const fn mirrored(self) -> Self {
        match self {
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
            Self::Eq | Self::Ne => self,
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        })
    }
}

/// Where in an array of `len` elements `index` points, if it points into it (RFC 9535, section 2.3.3.2).
pub(super) fn position(index: i64, len: usize) -> Option<usize> {
    match usize::try_from(index) {
        Ok(from_start) => Some(from_start),
        Err(_) => len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

fn is_shorthand(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}
