//! From the parser's AST to a program, with the checks that RFC 9535 asks for beyond its grammar: functions
//! and their arguments are well-typed (section 2.4.3), compared queries are singular, numbers are I-JSON.

use jsonpath_rust::parser::model as ast;
use serde_json::{Number, Value};

use super::program::{
    Comparison, Extent, Hop, Logical, Operand, Operator, Origin, Path, Pattern, Segment, Selector, Steps,
};
use super::regexp::Regexp;
use crate::expr::ExprError;

/// The integers that I-JSON has (RFC 7493, section 2.2): up to 2^53 - 1.
const MAX_INTEGER: u64 = (1 << 53) - 1;

const PATTERN_FORM: &str = "a pattern in quotes, as in `match($.type, 'order[.].*')`";

/// Where patterns of `match` and `search` may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::expr) enum Patterns {
    /// From the configuration: each is compiled once, and a wrong one is an error.
    Literal,
    /// From the payload too, and a wrong one matches nothing, as RFC 9535 has it.
    Anywhere,
}

/// Compiles the parts of one expression.
#[derive(Debug, Clone, Copy)]
pub(in crate::expr) struct Compiler {
    patterns: Patterns,
    /// What `@` means where the compiler stands.
    current: Origin,
}

// === impl Compiler ===

impl Compiler {
    pub(in crate::expr) const fn of_query(patterns: Patterns) -> Self {
        Self { patterns, current: Origin::Current }
    }

    /// In a predicate, `@` means what `$` means, outside of the filters in it.
    pub(in crate::expr) const fn of_predicate() -> Self {
        Self { patterns: Patterns::Literal, current: Origin::Root }
    }

    pub(in crate::expr) fn path(self, origin: Origin, segments: &[ast::Segment]) -> Result<Path, ExprError> {
        let segments: Vec<Segment> = segments.iter().map(|segment| self.segment(segment)).collect::<Result<_, _>>()?;
        let hops: Option<Box<[Hop]>> = segments.iter().map(Segment::as_hop).collect();
        let steps = hops.map_or_else(|| Steps::Many(segments.into()), Steps::Singular);
        Ok(Path { origin, steps })
    }

    fn segment(self, segment: &ast::Segment) -> Result<Segment, ExprError> {
        match segment {
            ast::Segment::Descendant(inner) => Ok(Segment::Descendant(self.selectors(inner)?)),
            _ => Ok(Segment::Child(self.selectors(segment)?)),
        }
    }

    fn selectors(self, segment: &ast::Segment) -> Result<Box<[Selector]>, ExprError> {
        match segment {
            ast::Segment::Selector(selector) => Ok(Box::new([self.selector(selector)?])),
            ast::Segment::Selectors(selectors) => selectors.iter().map(|selector| self.selector(selector)).collect(),
            ast::Segment::Descendant(_) => Err(ExprError::new("a `..` stands right behind a `..`")),
        }
    }

    fn selector(self, selector: &ast::Selector) -> Result<Selector, ExprError> {
        Ok(match selector {
            ast::Selector::Name(name) => Selector::Hop(Hop::Name(name.as_str().into())),
            ast::Selector::Index(index) => Selector::Hop(Hop::Index(integer(*index)?)),
            ast::Selector::Wildcard => Selector::Wildcard,
            ast::Selector::Slice(start, end, step) => Selector::Slice {
                start: start.map(integer).transpose()?,
                end: end.map(integer).transpose()?,
                step: integer(step.unwrap_or(1))?,
            },
            ast::Selector::Filter(filter) => {
                Selector::Filter(Self { current: Origin::Current, ..self }.logical(filter)?)
            }
        })
    }

    pub(in crate::expr) fn logical(self, filter: &ast::Filter) -> Result<Logical, ExprError> {
        let each = |filters: &[ast::Filter]| -> Result<Box<[Logical]>, ExprError> {
            filters.iter().map(|filter| self.logical(filter)).collect()
        };
        match filter {
            ast::Filter::Or(filters) => Ok(Logical::Or(each(filters)?)),
            ast::Filter::And(filters) => Ok(Logical::And(each(filters)?)),
            ast::Filter::Atom(ast::FilterAtom::Filter { expr, not }) => Ok(self.logical(expr)?.negated_if(*not)),
            ast::Filter::Atom(ast::FilterAtom::Test { expr, not }) => Ok(self.test(expr)?.negated_if(*not)),
            ast::Filter::Atom(ast::FilterAtom::Comparison(comparison)) => self.comparison(comparison),
        }
    }

    fn test(self, test: &ast::Test) -> Result<Logical, ExprError> {
        match test {
            ast::Test::RelQuery(segments) => Ok(Logical::Exists(self.path(self.current, segments)?)),
            ast::Test::AbsQuery(query) => Ok(Logical::Exists(self.path(Origin::Root, &query.segments)?)),
            ast::Test::Function(function) => self.test_function(function),
        }
    }

    fn test_function(self, function: &ast::TestFunction) -> Result<Logical, ExprError> {
        let (subject, pattern, extent) = match function {
            ast::TestFunction::Match(subject, pattern) => (subject, pattern, Extent::Whole),
            ast::TestFunction::Search(subject, pattern) => (subject, pattern, Extent::Part),
            ast::TestFunction::Custom(name, _) => return Err(unknown_function(name)),
            ast::TestFunction::Length(_) | ast::TestFunction::Count(_) | ast::TestFunction::Value(_) => {
                return Err(ExprError::new("the function gives a value, which by itself is neither true nor false")
                    .expecting("a comparison, as in `length($.name) > 0`"));
            }
        };
        Ok(Logical::Matches { subject: self.argument(subject)?, pattern: self.pattern(pattern, extent)? })
    }

    fn pattern(self, argument: &ast::FnArg, extent: Extent) -> Result<Pattern, ExprError> {
        match (self.argument(argument)?, self.patterns) {
            (Operand::Literal(Value::String(text)), patterns) => match (Regexp::new(&text, extent), patterns) {
                (Ok(regexp), _) => Ok(Pattern::Fixed(regexp)),
                (Err(_), Patterns::Anywhere) => Ok(Pattern::Void),
                (Err(reason), Patterns::Literal) => {
                    Err(ExprError::new(format!("the pattern `{text}` is wrong: {reason}")).expecting(PATTERN_FORM))
                }
            },
            (Operand::Literal(_), Patterns::Anywhere) => Ok(Pattern::Void),
            (source, Patterns::Anywhere) => Ok(Pattern::Dynamic { source, extent }),
            (Operand::Literal(_), Patterns::Literal) => {
                Err(ExprError::new("the pattern is not text").expecting(PATTERN_FORM))
            }
            (_, Patterns::Literal) => {
                Err(ExprError::new("the pattern comes from the payload, so that a sender could choose a costly one")
                    .expecting(PATTERN_FORM))
            }
        }
    }

    fn comparison(self, comparison: &ast::Comparison) -> Result<Logical, ExprError> {
        let (left, right) = comparison.vals();
        let operator = match comparison {
            ast::Comparison::Eq(..) => Operator::Eq,
            ast::Comparison::Ne(..) => Operator::Ne,
            ast::Comparison::Gt(..) => Operator::Gt,
            ast::Comparison::Gte(..) => Operator::Ge,
            ast::Comparison::Lt(..) => Operator::Lt,
            ast::Comparison::Lte(..) => Operator::Le,
        };
        Ok(Logical::Compare(Comparison { operator, left: self.comparable(left)?, right: self.comparable(right)? }))
    }

    fn comparable(self, comparable: &ast::Comparable) -> Result<Operand, ExprError> {
        match comparable {
            ast::Comparable::Literal(value) => Ok(Operand::Literal(literal(value)?)),
            ast::Comparable::Function(function) => self.value_function(function),
            ast::Comparable::SingularQuery(query) => {
                let (origin, segments) = match query {
                    ast::SingularQuery::Current(segments) => (self.current, segments),
                    ast::SingularQuery::Root(segments) => (Origin::Root, segments),
                };
                let hops = segments.iter().map(|segment| match segment {
                    ast::SingularQuerySegment::Name(name) => Ok(Hop::Name(name.as_str().into())),
                    ast::SingularQuerySegment::Index(index) => integer(*index).map(Hop::Index),
                });
                let steps = Steps::Singular(hops.collect::<Result<_, _>>()?);
                Ok(Operand::Query(Path { origin, steps }))
            }
        }
    }

    /// A function whose result is a value.
    fn value_function(self, function: &ast::TestFunction) -> Result<Operand, ExprError> {
        match function {
            ast::TestFunction::Length(argument) => Ok(Operand::Length(Box::new(self.argument(argument)?))),
            ast::TestFunction::Count(argument) => self.query_argument(argument).map(Operand::Count),
            ast::TestFunction::Value(argument) => self.query_argument(argument).map(Operand::ValueOf),
            ast::TestFunction::Custom(name, _) => Err(unknown_function(name)),
            ast::TestFunction::Match(..) | ast::TestFunction::Search(..) => {
                Err(ExprError::new("`match` and `search` are true or false, where a value is needed")
                    .expecting("the function by itself, as in `match($.type, 'order.*')`"))
            }
        }
    }

    /// An argument of the type `ValueType`.
    fn argument(self, argument: &ast::FnArg) -> Result<Operand, ExprError> {
        match argument {
            ast::FnArg::Literal(value) => Ok(Operand::Literal(literal(value)?)),
            ast::FnArg::Filter(_) => Err(ExprError::new("a condition stands where a function takes a value")),
            ast::FnArg::Test(test) => match &**test {
                ast::Test::Function(function) => self.value_function(function),
                _ => match self.query_argument(argument)? {
                    path @ Path { steps: Steps::Singular(_), .. } => Ok(Operand::Query(path)),
                    Path { steps: Steps::Many(_), .. } => {
                        Err(ExprError::new("a function that takes one value is given a query that may find many")
                            .expecting("a query without `*`, `..`, slices and filters, or `value(...)` around it"))
                    }
                },
            },
        }
    }

    /// An argument of the type `NodesType`.
    fn query_argument(self, argument: &ast::FnArg) -> Result<Path, ExprError> {
        match argument {
            ast::FnArg::Test(test) => match &**test {
                ast::Test::RelQuery(segments) => self.path(self.current, segments),
                ast::Test::AbsQuery(query) => self.path(Origin::Root, &query.segments),
                ast::Test::Function(_) => Err(needs_query()),
            },
            _ => Err(needs_query()),
        }
    }
}

fn literal(value: &ast::Literal) -> Result<Value, ExprError> {
    Ok(match value {
        ast::Literal::Int(whole) => Value::from(*whole),
        ast::Literal::Float(float) => Number::from_f64(*float)
            .map(Value::Number)
            .ok_or_else(|| ExprError::new("a number is too large for JSON to hold"))?,
        ast::Literal::String(text) => Value::from(text.as_str()),
        ast::Literal::Bool(bool) => Value::from(*bool),
        ast::Literal::Null => Value::Null,
    })
}

fn integer(number: i64) -> Result<i64, ExprError> {
    if number.unsigned_abs() > MAX_INTEGER {
        return Err(ExprError::new(format!("{number} is out of range")).expecting("an integer of less than 2^53"));
    }
    Ok(number)
}

fn unknown_function(name: &str) -> ExprError {
    ExprError::new(format!("there is no function `{name}`"))
        .expecting("`length`, `count`, `match`, `search` or `value` (RFC 9535, section 2.4)")
}

fn needs_query() -> ExprError {
    ExprError::new("`count` and `value` take a query").expecting("a query, as in `count($.items[*]) > 1`")
}

// === impl Segment ===

impl Segment {
    fn as_hop(&self) -> Option<Hop> {
        match self {
            Self::Child(selectors) => match &**selectors {
                [Selector::Hop(hop)] => Some(hop.clone()),
                _ => None,
            },
            Self::Descendant(_) => None,
        }
    }
}

// === impl Logical ===

impl Logical {
    fn negated_if(self, negated: bool) -> Self {
        if negated { Self::Not(Box::new(self)) } else { self }
    }
}
