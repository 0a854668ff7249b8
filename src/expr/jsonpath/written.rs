//! A program as text: what a person would write for it, so that one part of an expression can be shown.

use std::fmt::{self, Display, Write};

use serde_json::Value;

use super::program::{Comparison, Extent, Logical, Operand, Origin, Path, Pattern, Segment, Selector, Steps};

/// Text in quotes, as an expression has it.
struct Quoted<'t>(&'t str);

/// An expression in parentheses, where it would mean something else without.
struct Enclosed<'l>(&'l Logical);

// === impl Path ===

impl Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char(if self.origin == Origin::Root { '$' } else { '@' })?;
        match &self.steps {
            Steps::Singular(hops) => hops.iter().try_for_each(|hop| write!(f, "{hop}")),
            Steps::Many(segments) => segments.iter().try_for_each(|segment| write!(f, "{segment}")),
        }
    }
}

// === impl Segment ===

impl Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Child(selectors) | Self::Descendant(selectors)) = self;
        if let (Self::Child(_), [Selector::Hop(hop)]) = (self, &**selectors) {
            return write!(f, "{hop}");
        }
        if matches!(self, Self::Descendant(_)) {
            f.write_str("..")?;
        }
        f.write_char('[')?;
        separated(f, ", ", selectors)?;
        f.write_char(']')
    }
}

// === impl Selector ===

impl Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = |bound: &Option<i64>| bound.map(|bound| bound.to_string()).unwrap_or_default();
        match self {
            Self::Hop(hop) => match hop.name() {
                Some(name) => write!(f, "{}", Quoted(name)),
                None => f.write_str(hop.to_string().trim_matches(['[', ']'])),
            },
            Self::Wildcard => f.write_char('*'),
            Self::Slice { start, end, step } => write!(f, "{}:{}:{step}", bound(start), bound(end)),
            Self::Filter(logical) => write!(f, "?{logical}"),
        }
    }
}

// === impl Logical ===

impl Display for Logical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Or(alternatives) => {
                let inner = alternatives.iter().map(|inner| match inner {
                    Self::Or(_) => Enclosed(inner).to_string(),
                    _ => inner.to_string(),
                });
                separated(f, " || ", &inner.collect::<Vec<_>>())
            }
            Self::And(conditions) => {
                let inner = conditions.iter().map(|inner| match inner {
                    Self::Or(_) | Self::And(_) => Enclosed(inner).to_string(),
                    _ => inner.to_string(),
                });
                separated(f, " && ", &inner.collect::<Vec<_>>())
            }
            Self::Not(inner) => match &**inner {
                Self::Exists(_) | Self::Matches { .. } => write!(f, "!{inner}"),
                _ => write!(f, "!{}", Enclosed(inner)),
            },
            Self::Exists(path) => write!(f, "{path}"),
            Self::Compare(Comparison { operator, left, right }) => write!(f, "{left} {operator} {right}"),
            Self::Matches { subject, pattern } => match pattern {
                Pattern::Fixed(regexp) => {
                    write!(f, "{}({subject}, {})", regexp.extent().function(), Quoted(regexp.source()))
                }
                Pattern::Void => write!(f, "match({subject}, …)"),
                Pattern::Dynamic { source, extent } => write!(f, "{}({subject}, {source})", extent.function()),
            },
        }
    }
}

impl Display for Enclosed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({})", self.0)
    }
}

// === impl Operand ===

impl Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(Value::String(text)) => write!(f, "{}", Quoted(text)),
            Self::Literal(other) => write!(f, "{other}"),
            Self::Query(path) => write!(f, "{path}"),
            Self::Length(inner) => write!(f, "length({inner})"),
            Self::Count(path) => write!(f, "count({path})"),
            Self::ValueOf(path) => write!(f, "value({path})"),
        }
    }
}

// === impl Extent ===

impl Extent {
    const fn function(self) -> &'static str {
        match self {
            Self::Whole => "match",
            Self::Part => "search",
        }
    }
}

// === impl Quoted ===

impl Display for Quoted<'_> {
    /// RFC 9535, section 2.3.1.1.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('\'')?;
        for character in self.0.chars() {
            match character {
                '\'' => f.write_str("\\'")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                control if control.is_control() => write!(f, "\\u{:04x}", u32::from(control))?,
                other => f.write_char(other)?,
            }
        }
        f.write_char('\'')
    }
}

fn separated<T: Display>(f: &mut fmt::Formatter<'_>, separator: &str, items: &[T]) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Compiler, parse_predicate};
    use super::*;
    use crate::expr::arbitrary::predicate;

    fn compiled(text: &str) -> Logical {
        Compiler::of_predicate().logical(&parse_predicate(text).unwrap()).unwrap()
    }

    #[test]
    fn an_expression_is_written_as_a_person_would() {
        for text in [
            "$.type == 'order.paid'",
            "$.data.total > 100 && ($.a || $.b)",
            "$.a && $.b || $.c",
            "!($.a == 1)",
            "!$.a",
            "match($.type, 'order\\\\..*')",
            "count($.items['*', 0]) != 2",
            "length($['odd name']) >= 1.5",
        ] {
            assert_eq!(compiled(text).to_string(), text);
        }
        assert_eq!(compiled("@.a[*]").to_string(), "$.a[*]");
        assert_eq!(compiled("$..a[?@.b == $.c]").to_string(), "$..['a'][?@.b == $.c]");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_what_it_was(text in predicate()) {
            let once = compiled(&text);
            prop_assert_eq!(compiled(&once.to_string()), once);
        }
    }
}
