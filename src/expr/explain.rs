//! Why a predicate holds, or does not: the smallest parts of it that decided, and what they saw.
//!
//! It goes the way of the evaluation, part by part and with the same budget, so that its verdict is the evaluation's own.

use serde::Serialize;
use serde_json::Value;

use super::EvalError;
use super::jsonpath::{Budget, Comparison, Datum, Logical, Operand, Path, Scope, Steps, datum, holds, reaches, values};

/// Why a predicate holds, or does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Whether it holds.
    pub holds: bool,
    /// What decided: where it does not hold, what would have had to be otherwise.
    pub because: Vec<Cause>,
}

/// A part of an expression that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// The part, as a person would write it.
    pub text: String,
    /// Whether it holds by itself.
    pub holds: bool,
    /// What it looked at.
    pub saw: Vec<Seen>,
}

/// What a part of an expression looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// The path or the function.
    pub what: String,
    /// What was there, as JSON and cut to a bounded length; `None` where nothing was.
    pub value: Option<String>,
}

/// The longest text of a part or a value, in characters.
const LONGEST: usize = 120;

/// Explains a logical expression.
pub(super) fn explain(logical: &Logical, scope: Scope<'_>, budget: &mut Budget) -> Result<Explanation, EvalError> {
    match logical {
        Logical::Or(parts) => first(parts, true, scope, budget),
        Logical::And(parts) => first(parts, false, scope, budget),
        Logical::Not(inner) if matches!(**inner, Logical::Or(_) | Logical::And(_) | Logical::Not(_)) => {
            let inner = explain(inner, scope, budget)?;
            Ok(Explanation { holds: !inner.holds, because: inner.because })
        }
        leaf => {
            let holds = holds(leaf, scope, budget)?;
            let text = cut(&leaf.to_string());
            Ok(Explanation { holds, because: vec![Cause { text, holds, saw: seen(leaf, scope) }] })
        }
    }
}

/// The first part that is as `decisive` decides for all of them; without one, they decided together.
fn first(parts: &[Logical], decisive: bool, scope: Scope<'_>, budget: &mut Budget) -> Result<Explanation, EvalError> {
    let mut together = Vec::new();
    for part in parts {
        let part = explain(part, scope, budget)?;
        if part.holds == decisive {
            return Ok(part);
        }
        together.extend(part.because);
    }
    Ok(Explanation { holds: !decisive, because: together })
}

fn seen(leaf: &Logical, scope: Scope<'_>) -> Vec<Seen> {
    match leaf {
        Logical::Not(inner) => seen(inner, scope),
        Logical::Exists(path) => vec![Seen { what: cut(&path.to_string()), value: found(path, scope) }],
        Logical::Compare(Comparison { left, right, .. }) => {
            [left, right].into_iter().filter_map(|o| of(o, scope)).collect()
        }
        Logical::Matches { subject, .. } => of(subject, scope).into_iter().collect(),
        Logical::Or(_) | Logical::And(_) => Vec::new(),
    }
}

/// What a query that is asked for existence alone finds.
fn found(path: &Path, scope: Scope<'_>) -> Option<String> {
    match &path.steps {
        Steps::Singular(hops) => {
            let node = reaches(path.origin, hops, scope)?;
            // Of a node that need only be there nothing more may be known.
            Some(node.value().map_or_else(|| "…".to_owned(), shown))
        }
        Steps::Many(_) => match values(path, scope, &mut Budget::for_evaluation()).ok()?.as_slice() {
            [] => None,
            [one] => Some(shown(one)),
            several => Some(format!("{} found", several.len())),
        },
    }
}

/// A literal says what it is already.
fn of(operand: &Operand, scope: Scope<'_>) -> Option<Seen> {
    if matches!(operand, Operand::Literal(_)) {
        return None;
    }
    // For a person, after the verdict: the evaluation has paid for itself.
    let value = match datum(operand, scope, &mut Budget::for_evaluation()).ok()? {
        Datum::Nothing => None,
        Datum::Value(value) => Some(shown(value)),
        Datum::Count(count) => Some(count.to_string()),
    };
    Some(Seen { what: cut(&operand.to_string()), value })
}

fn shown(value: &Value) -> String {
    cut(&value.to_string())
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let kept: String = text.chars().take(LONGEST - 1).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use crate::expr::Predicate;
    use crate::expr::arbitrary::{json_value, predicate};

    /// The deciding parts, each with what it saw.
    fn because(text: &str, root: &Value) -> Vec<String> {
        let predicate = Predicate::parse(text).unwrap();
        let explanation = predicate.explain(root).unwrap();
        let line = |cause: &super::Cause| {
            let saw: Vec<String> = cause
                .saw
                .iter()
                .map(|seen| format!("{}={}", seen.what, seen.value.as_deref().unwrap_or("nothing")))
                .collect();
            format!("{} [{}] {}", cause.text, cause.holds, saw.join(" "))
        };
        explanation.because.iter().map(line).collect()
    }

    #[test]
    fn the_part_that_decided_is_named_with_what_it_saw() {
        let root = json!({"type": "a", "n": 3, "tags": ["x", "y"]});
        assert_eq!(because("$.type == 'a' && $.n > 5", &root), ["$.n > 5 [false] $.n=3"]);
        assert_eq!(
            because("$.type == 'b' && $.n > 5 || $.gone", &root),
            ["$.type == 'b' [false] $.type=\"a\"", "$.gone [false] $.gone=nothing"]
        );
        assert_eq!(because("$.n == 3 || $.gone", &root), ["$.n == 3 [true] $.n=3"]);
        assert_eq!(
            because("!($.n == 3 && $.tags)", &root),
            ["$.n == 3 [true] $.n=3", "$.tags [true] $.tags=[\"x\",\"y\"]"]
        );
        assert_eq!(because("!$.n", &root), ["!$.n [false] $.n=3"]);
        assert_eq!(
            because("count($.tags[*]) > length($.type)", &json!({"type": "abc", "tags": []}))[0],
            "count($.tags[*]) > length($.type) [false] count($.tags[*])=0 length($.type)=3"
        );
        assert_eq!(because("match($.type, 'b.*')", &root), ["match($.type, 'b.*') [false] $.type=\"a\""]);
        assert_eq!(because("$.tags[?@ == 'z']", &root), ["$.tags[?@ == 'z'] [false] $.tags[?@ == 'z']=nothing"]);
    }

    #[test]
    fn what_it_saw_is_of_bounded_length() {
        let root = json!({"a": "x".repeat(10_000)});
        let line = &because("$.a == 1", &root)[0];
        assert!(line.ends_with('…') && line.chars().count() < 200, "{line}");
    }

    proptest! {
        #[test]
        fn the_verdict_is_that_of_the_evaluation(text in predicate(), root in json_value()) {
            let predicate = Predicate::parse(&text).unwrap();
            let explained = predicate.explain(&root);
            prop_assert_eq!(explained.as_ref().map(|explained| explained.holds).map_err(|e| *e), predicate.holds(&root));
            prop_assert!(explained.is_err() || !explained.unwrap().because.is_empty());
        }
    }
}
