//! Why a condition can never hold, where that is plain to see.
//!
//! No solver: what it finds is certain, and what it does not find may still be impossible. It looks at the
//! conditions that have to hold together, and asks of each node whether any value would satisfy all that is
//! said of it.

use serde_json::Value;

use super::jsonpath::{Budget, Comparison, Datum, Logical, Operand, Operator, Origin, Path, Steps, compare};

/// Why `logical` can hold for nothing at all.
pub(super) fn find(logical: &Logical) -> Option<String> {
    match logical {
        Logical::Or(alternatives) => {
            let reasons: Vec<String> = alternatives.iter().map(find).collect::<Option<_>>()?;
            let mut reasons = reasons.into_iter();
            let first = reasons.next()?;
            Some(
                reasons.filter(|reason| *reason != first).fold(first.clone(), |all, reason| format!("{all}; {reason}")),
            )
        }
        Logical::And(_) => {
            let mut together = Vec::new();
            flatten(logical, &mut together);
            together.iter().find_map(|condition| find(condition)).or_else(|| find_among(&together))
        }
        Logical::Not(inner) if constant(inner) == Some(true) => {
            Some("a condition is the opposite of what always holds".to_owned())
        }
        Logical::Compare(comparison) => find_in_comparison(comparison),
        _ => None,
    }
}

/// What a condition says of one node, the value of a singular query.
#[derive(Debug, Clone, Copy)]
struct Claim<'l> {
    path: &'l Path,
    says: Says<'l>,
}

#[derive(Debug, Clone, Copy)]
enum Says<'l> {
    Present,
    Absent,
    Is(Operator, &'l Value),
}

/// The conditions that all have to hold, those of nested conjunctions among them.
fn flatten<'l>(logical: &'l Logical, together: &mut Vec<&'l Logical>) {
    match logical {
        Logical::And(conditions) => conditions.iter().for_each(|condition| flatten(condition, together)),
        _ => together.push(logical),
    }
}

fn find_among(together: &[&Logical]) -> Option<String> {
    let opposite = |condition: &&Logical| match condition {
        Logical::Not(inner) => together.contains(&&**inner),
        _ => false,
    };
    let claims: Vec<Claim<'_>> = together.iter().filter_map(|condition| Claim::of(condition)).collect();
    pairs(&claims).find_map(|(one, other)| one.contradicts(other)).or_else(|| {
        together.iter().any(opposite).then(|| "a condition and its opposite would have to hold at once".to_owned())
    })
}

fn pairs<'c, 'l>(claims: &'c [Claim<'l>]) -> impl Iterator<Item = (Claim<'l>, Claim<'l>)> + 'c {
    claims.iter().enumerate().flat_map(|(index, one)| claims.iter().skip(index + 1).map(|other| (*one, *other)))
}

fn find_in_comparison(comparison: &Comparison) -> Option<String> {
    if constant_comparison(comparison) == Some(false) {
        return Some(match (&comparison.left, &comparison.right) {
            (Operand::Literal(left), Operand::Literal(right)) => {
                format!("`{} {} {}` is never true", show(left), comparison.operator, show(right))
            }
            _ => format!("nothing is `{}` itself", comparison.operator),
        });
    }
    let claim = Claim::of_comparison(comparison)?;
    match claim.says {
        Says::Is(operator @ (Operator::Lt | Operator::Gt), literal) if !is_ordered(literal) => {
            Some(format!("nothing is `{operator}` {}: only numbers and strings are ordered", show(literal)))
        }
        _ => None,
    }
}

/// What a condition is for every event, where that is plain.
fn constant(logical: &Logical) -> Option<bool> {
    match logical {
        Logical::Compare(comparison) => constant_comparison(comparison),
        Logical::Not(inner) => constant(inner).map(|holds| !holds),
        _ => None,
    }
}

fn constant_comparison(comparison: &Comparison) -> Option<bool> {
    match (&comparison.left, &comparison.right) {
        (Operand::Literal(left), Operand::Literal(right)) => {
            holds(comparison.operator, Datum::Value(left), Datum::Value(right))
        }
        (left, right) if left == right => {
            Some(!matches!(comparison.operator, Operator::Ne | Operator::Lt | Operator::Gt))
        }
        _ => None,
    }
}

fn holds(operator: Operator, left: Datum<'_>, right: Datum<'_>) -> Option<bool> {
    compare(operator, left, right, &mut Budget::for_evaluation()).ok()
}

const fn is_ordered(literal: &Value) -> bool {
    matches!(literal, Value::Number(_) | Value::String(_))
}

fn show(literal: &Value) -> String {
    match literal {
        Value::String(text) => format!("'{text}'"),
        other => other.to_string(),
    }
}

fn show_path(path: &Path) -> String {
    let Steps::Singular(hops) = &path.steps else { return "the query".to_owned() };
    let origin = if path.origin == Origin::Root { '$' } else { '@' };
    hops.iter().fold(origin.to_string(), |shown, hop| format!("{shown}{hop}"))
}

// === impl Claim ===

impl<'l> Claim<'l> {
    fn of(condition: &'l Logical) -> Option<Self> {
        match condition {
            Logical::Exists(path @ Path { steps: Steps::Singular(_), .. }) => Some(Self { path, says: Says::Present }),
            Logical::Not(inner) => match &**inner {
                Logical::Exists(path @ Path { steps: Steps::Singular(_), .. }) => {
                    Some(Self { path, says: Says::Absent })
                }
                _ => None,
            },
            Logical::Compare(comparison) => Self::of_comparison(comparison),
            _ => None,
        }
    }

    fn of_comparison(comparison: &'l Comparison) -> Option<Self> {
        let (path, operator, literal) = match (&comparison.left, &comparison.right) {
            (Operand::Query(path), Operand::Literal(literal)) => (path, comparison.operator, literal),
            (Operand::Literal(literal), Operand::Query(path)) => (path, comparison.operator.mirrored(), literal),
            _ => return None,
        };
        let operator = match operator {
            // What has no order is `<=` itself alone.
            Operator::Le | Operator::Ge if !is_ordered(literal) => Operator::Eq,
            _ => operator,
        };
        Some(Self { path, says: Says::Is(operator, literal) })
    }

    /// Why both cannot be true.
    fn contradicts(self, other: Self) -> Option<String> {
        if self.path != other.path || !(self.says.excludes(other.says) || other.says.excludes(self.says)) {
            return None;
        }
        Some(format!(
            "`{}` would have to be {} and {} at once",
            show_path(self.path),
            self.says.in_words(),
            other.says.in_words()
        ))
    }
}

// === impl Says ===

impl Says<'_> {
    /// Whether nothing of which this is true is what `other` says.
    fn excludes(self, other: Self) -> bool {
        match self {
            Self::Absent => !other.admits(Datum::Nothing),
            Self::Is(Operator::Eq, literal) => !other.admits(Datum::Value(literal)),
            Self::Is(lower @ (Operator::Gt | Operator::Ge), from) => match other {
                Self::Is(upper @ (Operator::Lt | Operator::Le), to) => !leaves_room(lower, from, upper, to),
                _ => false,
            },
            _ => false,
        }
    }

    fn admits(self, value: Datum<'_>) -> bool {
        match self {
            Self::Present => !matches!(value, Datum::Nothing),
            Self::Absent => matches!(value, Datum::Nothing),
            // Where it cannot be told, it may.
            Self::Is(operator, literal) => holds(operator, value, Datum::Value(literal)).unwrap_or(true),
        }
    }

    fn in_words(self) -> String {
        match self {
            Self::Present => "there".to_owned(),
            Self::Absent => "absent".to_owned(),
            Self::Is(Operator::Eq, literal) => show(literal),
            Self::Is(operator, literal) => format!("{operator} {}", show(literal)),
        }
    }
}

/// Whether a bound from below and one from above, both of a kind that has an order, leave room for a value.
fn leaves_room(lower: Operator, from: &Value, upper: Operator, to: &Value) -> bool {
    let between = if lower == Operator::Ge && upper == Operator::Le { Operator::Le } else { Operator::Lt };
    // Unordered literals have become `==` or are refused by themselves.
    !is_ordered(from) || !is_ordered(to) || holds(between, Datum::Value(from), Datum::Value(to)).unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use crate::expr::Predicate;

    fn reason(text: &str) -> Option<String> {
        Predicate::parse(text).unwrap().never_holds()
    }

    #[test]
    fn plain_contradictions_are_found() {
        for text in [
            "$.a == 1 && $.a == 2",
            "1 == $.a && @.a == '1'",
            "$.a == 5 && $.a > 7",
            "$.a == 5 && ($.b && 7 < $.a)",
            "$.a == 5 && $.a != 5.0",
            "$.a > 7 && $.a < 7",
            "$.a >= 'b' && $.a < 'b'",
            "$.a > 1 && $.a < 'b'",
            "$.a && !$.a",
            "!$.a && $.a == null",
            "match($.a, 'x') && !match($.a, 'x')",
            "($.a || $.b) && !(@.a || @.b)",
            "1 == 2",
            "!(1 == 1)",
            "$.a != $.a",
            "$.a < true",
            "$.a <= true && $.a == 1",
            "1 == 2 || ($.a == 1 && $.a == 2)",
            "$.b && 'a' > 'b'",
        ] {
            assert!(reason(text).is_some(), "{text}");
        }
    }

    #[test]
    fn what_can_hold_raises_no_alarm() {
        for text in [
            "$.a == 1 || $.a == 2",
            "$.a == 1 && $.b == 2",
            "$.a == 1 && $.a == 1.0",
            "$.a >= 7 && $.a <= 7",
            "$.a > 7 && $.a < 8",
            "$.a != 1 && $.a != 2",
            "!$.a && $.a != 1",
            "$.a[0] == 1 && $.a[-1] == 2",
            "1 == 2 || $.a",
            "!(1 == 2)",
            "$.a == $.a",
            "$.a <= $.a",
            "$[?@.a == 1] && $[?@.a == 2]",
            "match($.a, 'x') && !search($.a, 'x')",
            "match($.a, 'x') && !match($.a, 'y')",
        ] {
            assert_eq!(reason(text), None, "{text}");
        }
    }

    #[test]
    fn the_reason_is_a_sentence() {
        assert_eq!(
            reason("$.type == 'a' && $.type == 'b'").as_deref(),
            Some("`$.type` would have to be 'a' and 'b' at once")
        );
        assert_eq!(
            reason("$.data['x y'] == 5 && $.data['x y'] > 7").as_deref(),
            Some("`$.data['x y']` would have to be 5 and > 7 at once")
        );
        assert_eq!(reason("1 > 2").as_deref(), Some("`1 > 2` is never true"));
        assert_eq!(reason("$.a < $.a").as_deref(), Some("nothing is `<` itself"));
    }
}
