//! Comparisons (RFC 9535, section 2.3.5.2.2).

use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::budget::Budget;
use super::program::Operator;
use crate::expr::EvalError;

/// What stands on one side of a comparison.
#[derive(Debug, Clone, Copy)]
pub(in crate::expr) enum Datum<'a> {
    /// The special result `Nothing`, and a query that finds nothing.
    Nothing,
    Value(&'a Value),
    /// What `length` and `count` give.
    Count(usize),
}

/// A number without the limits of either of its forms: every `u64` and `i64` is exact.
#[derive(Debug, Clone, Copy)]
enum Numeric {
    Whole(i128),
    Float(f64),
}

/// Whether `left operator right`.
pub(in crate::expr) fn compare(
    operator: Operator,
    left: Datum<'_>,
    right: Datum<'_>,
    budget: &mut Budget,
) -> Result<bool, EvalError> {
    match operator {
        Operator::Eq => equal(left, right, budget),
        Operator::Ne => equal(left, right, budget).map(|equal| !equal),
        Operator::Lt => less(left, right, budget),
        Operator::Gt => less(right, left, budget),
        Operator::Le => Ok(less(left, right, budget)? || equal(left, right, budget)?),
        Operator::Ge => Ok(less(right, left, budget)? || equal(left, right, budget)?),
    }
}

fn equal(left: Datum<'_>, right: Datum<'_>, budget: &mut Budget) -> Result<bool, EvalError> {
    match (left, right) {
        (Datum::Nothing, Datum::Nothing) => Ok(true),
        (Datum::Value(left), Datum::Value(right)) => equal_values(left, right, budget),
        _ => Ok(order(left.number(), right.number()) == Some(Ordering::Equal)),
    }
}

fn less(left: Datum<'_>, right: Datum<'_>, budget: &mut Budget) -> Result<bool, EvalError> {
    if let (Datum::Value(Value::String(left)), Datum::Value(Value::String(right))) = (left, right) {
        budget.read(left.len().min(right.len()))?;
        // Bytes of UTF-8 order as Unicode scalar values do.
        return Ok(left < right);
    }
    Ok(order(left.number(), right.number()) == Some(Ordering::Less))
}

/// Deep equality, with its own stack: the depth of a payload never is the depth of the program.
fn equal_values(left: &Value, right: &Value, budget: &mut Budget) -> Result<bool, EvalError> {
    let mut pending = Vec::new();
    let mut next = Some((left, right));
    budget.visit(1)?;
    while let Some((left, right)) = next {
        let equal = match (left, right) {
            (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
                budget.visit(left.len())?;
                pending.extend(left.iter().zip(right));
                true
            }
            (Value::Object(left), Value::Object(right)) if left.len() == right.len() => {
                budget.visit(left.len())?;
                left.iter().all(|(name, value)| right.get(name).map(|other| pending.push((value, other))).is_some())
            }
            _ => equal_scalars(left, right, budget)?,
        };
        if !equal {
            return Ok(false);
        }
        next = pending.pop();
    }
    Ok(true)
}

fn equal_scalars(left: &Value, right: &Value, budget: &mut Budget) -> Result<bool, EvalError> {
    match (left, right) {
        (Value::String(left), Value::String(right)) if left.len() == right.len() => {
            budget.read(left.len())?;
            Ok(left == right)
        }
        (Value::Number(left), Value::Number(right)) => {
            Ok(order(Some(left.into()), Some(right.into())) == Some(Ordering::Equal))
        }
        (Value::Bool(left), Value::Bool(right)) => Ok(left == right),
        (Value::Null, Value::Null) => Ok(true),
        _ => Ok(false),
    }
}

fn order(left: Option<Numeric>, right: Option<Numeric>) -> Option<Ordering> {
    match (left?, right?) {
        (Numeric::Whole(left), Numeric::Whole(right)) => Some(left.cmp(&right)),
        (Numeric::Float(left), Numeric::Float(right)) => left.partial_cmp(&right),
        (Numeric::Whole(left), Numeric::Float(right)) => order_whole_to_float(left, right),
        (Numeric::Float(left), Numeric::Whole(right)) => order_whole_to_float(right, left).map(Ordering::reverse),
    }
}

/// Exact: the whole part of the float decides, then its fraction. Bringing the integer to a float would
/// round it (2^53 + 1 would equal 2^53).
fn order_whole_to_float(whole: i128, float: f64) -> Option<Ordering> {
    // The cast saturates, and no `Whole` is near the ends of an i128.
    #[allow(clippy::cast_possible_truncation)]
    let truncated = float.trunc() as i128;
    Some(whole.cmp(&truncated).then(0.0.partial_cmp(&float.fract())?))
}

// === impl Datum ===

impl Datum<'_> {
    fn number(self) -> Option<Numeric> {
        match self {
            Self::Count(count) => i128::try_from(count).ok().map(Numeric::Whole),
            Self::Value(Value::Number(number)) => Some(number.into()),
            _ => None,
        }
    }
}

impl<'a> From<Option<&'a Value>> for Datum<'a> {
    fn from(found: Option<&'a Value>) -> Self {
        found.map_or(Self::Nothing, Self::Value)
    }
}

// === impl Numeric ===

impl From<&Number> for Numeric {
    fn from(number: &Number) -> Self {
        if let Some(whole) = number.as_i64() {
            Self::Whole(whole.into())
        } else if let Some(whole) = number.as_u64() {
            Self::Whole(whole.into())
        } else {
            Self::Float(number.as_f64().unwrap_or(f64::NAN))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(left: &Value, operator: Operator, right: &Value) -> bool {
        compare(operator, Datum::Value(left), Datum::Value(right), &mut Budget::for_evaluation()).unwrap()
    }

    #[test]
    fn numbers_of_different_forms_compare_by_their_exact_value() {
        assert!(holds(&json!(1), Operator::Eq, &json!(1.0)));
        assert!(holds(&json!(9_007_199_254_740_993_i64), Operator::Gt, &json!(9_007_199_254_740_992.0)));
        assert!(holds(&json!(u64::MAX), Operator::Gt, &json!(i64::MAX)));
        assert!(holds(&json!(u64::MAX), Operator::Lt, &json!(18_446_744_073_709_551_616.0)));
        assert!(holds(&json!(-1), Operator::Gt, &json!(-1.5)));
        assert!(holds(&json!(1.5), Operator::Gt, &json!(1)));
        assert!(holds(&json!(-0.0), Operator::Eq, &json!(0)));
        assert!(holds(&json!(1e300), Operator::Gt, &json!(u64::MAX)));
    }

    #[test]
    fn structures_are_equal_by_content_and_never_ordered() {
        let left = json!({"a": [1, {"b": null}], "c": "x"});
        let right = json!({"c": "x", "a": [1.0, {"b": null}]});
        assert!(holds(&left, Operator::Eq, &right));
        assert!(holds(&left, Operator::Le, &right));
        assert!(!holds(&left, Operator::Lt, &right));
        assert!(!holds(&left, Operator::Eq, &json!({"c": "x", "a": [1.0, {"b": 0}]})));
        assert!(!holds(&left, Operator::Eq, &json!({"c": "x"})));
    }

    #[test]
    fn nothing_equals_only_nothing() {
        let budget = &mut Budget::for_evaluation();
        assert!(compare(Operator::Eq, Datum::Nothing, Datum::Nothing, budget).unwrap());
        assert!(compare(Operator::Le, Datum::Nothing, Datum::Nothing, budget).unwrap());
        assert!(!compare(Operator::Lt, Datum::Nothing, Datum::Nothing, budget).unwrap());
        assert!(!compare(Operator::Eq, Datum::Nothing, Datum::Value(&Value::Null), budget).unwrap());
        assert!(compare(Operator::Ne, Datum::Nothing, Datum::Value(&Value::Null), budget).unwrap());
    }

    #[test]
    fn comparing_long_text_is_paid_for() {
        let text = Value::String("a".repeat(10_000_000));
        let same = text.clone();
        let spent = compare(Operator::Eq, Datum::Value(&text), Datum::Value(&same), &mut Budget::for_evaluation());
        assert!(matches!(spent, Err(EvalError::Budget { .. })));
    }
}
