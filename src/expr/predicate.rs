//! RFC 9535 logical expressions.

use super::jsonpath::{self, Budget, Compiler, Logical, Scope};
use super::{EvalError, Explanation, ExprError, JsonRef, Needs, contradiction, explain};

/// A compiled RFC 9535 logical expression (section 2.3.5.1); a bare path tests existence.
#[derive(Debug, Clone)]
pub struct Predicate(Logical);

// === impl Predicate ===

impl Predicate {
    /// Compiles the text of a logical expression.
    ///
    /// # Errors
    /// Where it is not valid and well-typed, or takes a pattern from the payload.
    pub fn parse(text: &str) -> Result<Self, ExprError> {
        Compiler::of_predicate().logical(&jsonpath::parse_predicate(text)?).map(Self)
    }

    /// Whether it holds with `$` (and `@`) being `root`.
    ///
    /// # Errors
    /// Where the evaluation visits too many nodes.
    pub fn holds<'v>(&self, root: impl Into<JsonRef<'v>>) -> Result<bool, EvalError> {
        jsonpath::holds(&self.0, Scope::at(root), &mut Budget::for_evaluation())
    }

    /// Why it holds, or does not: the verdict is that of [`Predicate::holds`].
    ///
    /// # Errors
    /// Where the evaluation visits too many nodes.
    pub fn explain<'v>(&self, root: impl Into<JsonRef<'v>>) -> Result<Explanation, EvalError> {
        explain::explain(&self.0, Scope::at(root), &mut Budget::for_evaluation())
    }

    /// Adds what it looks at.
    pub fn add_needs(&self, needs: &mut Needs) {
        needs.add_logical(&self.0);
    }

    /// Why it can hold for no event at all, where that is plain to see: `$.type` would have to be
    /// two things at once.
    #[must_use]
    pub fn never_holds(&self) -> Option<String> {
        contradiction::find(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::expr::arbitrary::{json_value, text};

    fn holds(text: &str, root: &Value) -> bool {
        Predicate::parse(text).unwrap().holds(root).unwrap()
    }

    #[test]
    fn a_bare_path_tests_existence_not_truth() {
        let root = json!({"consent": false, "items": [], "nothing": null});
        assert!(holds("$.consent", &root));
        assert!(holds("$.nothing", &root));
        assert!(!holds("$.other", &root));
        assert!(!holds("$.items[*]", &root));
        assert!(holds("!$.other && !$.items[0]", &root));
    }

    #[test]
    fn the_conditions_of_the_design_hold_where_they_should() {
        let root = json!({"type": "order.paid", "data": {"total": 101, "consent": true, "tags": ["a", "b"]}});
        assert!(holds(r"$.data.total > 100 && match($.type, 'order\\..*')", &root));
        assert!(holds("@.data.total > 100 && (@.type == 'x' || $.data.consent == true)", &root));
        assert!(!holds("match($.type, 'order')", &root));
        assert!(holds("search($.type, 'paid')", &root));
        assert!(holds("$.data.tags[?@ == 'b']", &root));
        assert!(holds("count($.data.tags[*]) == 2 && length($.type) == 10", &root));
    }

    #[test]
    fn an_evaluation_that_explodes_is_given_up() {
        let deep = (0..120).fold(json!(1), |inner, _| json!({ "a": inner }));
        let predicate = Predicate::parse("$..a..a..a..a == 1");
        assert!(predicate.is_err(), "a query that finds many cannot be compared");
        let predicate = Predicate::parse("count($..a..a..a..a) > 1 || true == true").unwrap();
        assert!(matches!(predicate.holds(&deep), Err(EvalError::Budget { .. })));
    }

    #[test]
    fn a_literal_is_no_condition() {
        for text in ["true", "1", "'a'", "", " ", "$.a ==", "$.a = 1", "a == 1", "$.a == b"] {
            assert!(Predicate::parse(text).is_err(), "{text}");
        }
    }

    /// Conditions over the names and values of `json_value`, some of which contradict each other.
    fn condition() -> impl Strategy<Value = String> {
        let operand = prop_oneof!["\\$\\.[abc]", "[0-3]", "'[abc]'", Just("null".to_owned()), Just("$".to_owned())];
        let operator = proptest::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
        let atom = prop_oneof![
            (operand.clone(), operator, operand).prop_map(|(left, op, right)| format!("{left} {op} {right}")),
            "!?\\$\\.[abc]",
            "!?match\\(\\$\\.[abc], '[abc]'\\)",
        ];
        atom.prop_recursive(3, 12, 3, |inner| {
            (proptest::collection::vec(inner, 1..4), any::<bool>(), any::<bool>()).prop_map(|(parts, and, not)| {
                format!("{}({})", if not { "!" } else { "" }, parts.join(if and { " && " } else { " || " }))
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_text_makes_the_parser_panic(text in text()) {
            let _ = Predicate::parse(&text);
        }

        #[test]
        fn the_opposite_holds_where_the_condition_does_not(condition in condition(), root in json_value()) {
            prop_assert_ne!(holds(&condition, &root), holds(&format!("!({condition})"), &root));
        }
    }

    proptest! {
        // Cheap, and a false alarm would refuse a good configuration: so more cases than elsewhere.
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn what_can_never_hold_does_not_hold(condition in condition(), root in json_value()) {
            let predicate = Predicate::parse(&condition).unwrap();
            if predicate.never_holds().is_some() {
                prop_assert!(!predicate.holds(&root).unwrap(), "{condition}");
            }
        }
    }
}
