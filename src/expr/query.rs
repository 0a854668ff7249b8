//! RFC 9535 queries.

use serde_json::Value;

use super::json::WayStep;
use super::jsonpath::{self, Budget, Compiler, Hop, Located, Node, Origin, Path, Patterns, Scope, Steps};
use super::{EvalError, ExprError, JsonRef, Needs};

/// A compiled RFC 9535 query.
#[derive(Debug, Clone)]
pub struct Query {
    source: Box<str>,
    path: Path,
}

/// One step of a normalized path (RFC 9535, section 2.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A member of an object.
    Name(String),
    /// An element of an array.
    Index(usize),
}

/// A node that a query found, and where.
#[derive(Debug, Clone)]
pub struct Found<'v> {
    /// Its normalized path from the root.
    pub path: Vec<Step>,
    /// The node.
    pub value: &'v Value,
}

// === impl Query ===

impl Query {
    /// Compiles the text of a query, `$...` (or `@...`, which starts at the current node).
    ///
    /// # Errors
    /// Where it is not valid and well-typed RFC 9535, or takes a pattern from the payload.
    pub fn parse(text: &str) -> Result<Self, ExprError> {
        Self::compile(text, Patterns::Literal)
    }

    /// Compiles the text of a query with the whole language of RFC 9535, where the pattern of `match` and
    /// `search` may come from the payload and be compiled anew for each node. For tools and for the compliance
    /// suite: who sends the payload chooses what a pattern costs, and the node budget does not bound it.
    ///
    /// # Errors
    /// Where it is not valid and well-typed RFC 9535.
    pub fn parse_rfc9535(text: &str) -> Result<Self, ExprError> {
        Self::compile(text, Patterns::Anywhere)
    }

    /// The text that it was compiled from.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether it can find one node at most (RFC 9535, section 2.3.5.1).
    #[must_use]
    pub const fn is_singular(&self) -> bool {
        matches!(self.path.steps, Steps::Singular(_))
    }

    /// The first node found. `$` is `root`, `@` is `current`. A singular query allocates nothing.
    ///
    /// # Errors
    /// Where the evaluation visits too many nodes.
    pub fn first<'v>(
        &self,
        root: impl Into<JsonRef<'v>>,
        current: impl Into<JsonRef<'v>>,
    ) -> Result<Option<&'v Value>, EvalError> {
        let scope = Scope { root: root.into(), current: current.into() };
        self.first_within(scope, &mut Budget::for_evaluation())
    }

    /// Whether it finds a node, be that null. [`add_presence`](Self::add_presence) is what this needs.
    ///
    /// # Errors
    /// Where the evaluation visits too many nodes.
    pub fn exists<'v>(&self, root: impl Into<JsonRef<'v>>, current: impl Into<JsonRef<'v>>) -> Result<bool, EvalError> {
        let scope = Scope { root: root.into(), current: current.into() };
        jsonpath::exists(&self.path, scope, &mut Budget::for_evaluation())
    }

    /// Every node found, in order.
    ///
    /// # Errors
    /// Where the evaluation visits too many nodes.
    pub fn all<'v>(
        &self,
        root: impl Into<JsonRef<'v>>,
        current: impl Into<JsonRef<'v>>,
    ) -> Result<Vec<&'v Value>, EvalError> {
        let scope = Scope { root: root.into(), current: current.into() };
        self.all_within(scope, &mut Budget::for_evaluation())
    }

    /// Every node found, each with its normalized path. Only for queries over a root.
    ///
    /// # Errors
    /// Where the evaluation visits too many nodes.
    pub fn locate<'v>(&self, root: &'v Value) -> Result<Vec<Found<'v>>, EvalError> {
        self.locate_within(root, &mut Budget::for_evaluation())
    }

    pub(super) fn locate_within<'v>(&self, root: &'v Value, budget: &mut Budget) -> Result<Vec<Found<'v>>, EvalError> {
        let located = jsonpath::nodes(&self.path, Located::root(root.into()), root.into(), budget)?;
        located
            .into_iter()
            .filter_map(|node| node.value().value().map(|value| (node.way(), value)))
            .map(|(way, value)| {
                budget.visit(way.len())?;
                Ok(Found { path: way.into_iter().map(Step::from).collect(), value })
            })
            .collect()
    }

    /// The names that it follows from the root, where it follows nothing else.
    #[must_use]
    pub fn names(&self) -> Option<Vec<&str>> {
        let Steps::Singular(hops) = &self.path.steps else { return None };
        if self.starts_at_current() {
            return None;
        }
        let names = hops.iter().map(|hop| match hop {
            Hop::Name(name) => Some(&**name),
            Hop::Index(_) => None,
        });
        names.collect()
    }

    /// Adds what it looks at, where it starts at the root.
    pub fn add_needs(&self, needs: &mut Needs) {
        needs.add_path(&self.path);
    }

    /// Adds what there must be to see whether it finds anything.
    pub fn add_presence(&self, needs: &mut Needs) {
        needs.add_presence(&self.path);
    }

    pub(super) const fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it starts at the current node, `@`.
    pub(super) const fn starts_at_current(&self) -> bool {
        matches!(self.path.origin, Origin::Current)
    }

    pub(super) fn first_within<'v>(
        &self,
        scope: Scope<'v>,
        budget: &mut Budget,
    ) -> Result<Option<&'v Value>, EvalError> {
        match &self.path.steps {
            Steps::Singular(hops) => Ok(jsonpath::singular(self.path.origin, hops, scope)),
            Steps::Many(_) => self.all_within(scope, budget).map(|found| found.first().copied()),
        }
    }

    pub(super) fn all_within<'v>(&self, scope: Scope<'v>, budget: &mut Budget) -> Result<Vec<&'v Value>, EvalError> {
        jsonpath::values(&self.path, scope, budget)
    }

    fn compile(text: &str, patterns: Patterns) -> Result<Self, ExprError> {
        let (origin, ast) = jsonpath::parse_query(text)?;
        let path = Compiler::of_query(patterns).path(origin, &ast.segments)?;
        Ok(Self { source: text.into(), path })
    }
}

// === impl Step ===

impl From<WayStep<'_>> for Step {
    fn from(step: WayStep<'_>) -> Self {
        match step {
            WayStep::Name(name) => Self::Name(name.to_owned()),
            WayStep::Index(index) => Self::Index(index),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::expr::arbitrary::{json_value, small_query, text};

    fn nested(depth: usize) -> Value {
        (0..depth).fold(json!(1), |inner, _| [("a", inner)].into_iter().collect())
    }

    #[test]
    fn dollar_is_the_root_and_at_is_the_current_node() {
        let root = json!({"limit": 2, "items": [{"n": 1}, {"n": 3}]});
        let current = &root["items"][1];
        assert_eq!(Query::parse("@.n").unwrap().first(&root, current), Ok(Some(&json!(3))));
        assert_eq!(Query::parse("$.limit").unwrap().first(&root, current), Ok(Some(&json!(2))));
        let items = json!({"items": [{"n": 1}, {"n": 3}]});
        let query = Query::parse("@.items[?@.n > $.limit].n").unwrap();
        assert_eq!(query.all(&root, &items), Ok(vec![&json!(3)]));
    }

    #[test]
    fn only_a_query_of_names_and_indices_is_singular() {
        for (text, singular) in
            [("$", true), ("$.a[0]['b']", true), ("@", true), ("$.*", false), ("$..a", false), ("$['a','b']", false)]
        {
            assert_eq!(Query::parse(text).unwrap().is_singular(), singular, "{text}");
        }
    }

    #[test]
    fn a_pattern_from_the_payload_is_refused() {
        for text in ["$[?match(@, $.regex)]", "$[?search(@.a, value($..['regex']))]", "$[?match(@, 1)]"] {
            let error = Query::parse(text).unwrap_err();
            assert!(error.message.contains("pattern"), "{error}");
            assert!(Query::parse_rfc9535(text).is_ok());
        }
    }

    #[test]
    fn ill_typed_functions_are_refused() {
        for text in [
            "$[?length(@.a)]",
            "$[?length(@.*) > 1]",
            "$[?count(1) > 1]",
            "$[?count(length(@.a)) > 1]",
            "$[?value(@.a)]",
            "$[?match(@.a, 'a') == true]",
            "$[?length(match(@.a, 'a')) > 1]",
            "$[?in(@.a, @.b)]",
            "$[?@.* == 1]",
            "$[?@.a == 1e999]",
            "$[9007199254740992]",
        ] {
            assert!(Query::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_evaluation_that_explodes_is_given_up() {
        let deep = nested(120);
        let wide = Value::from(vec![1; 2000]);
        let branching = json!({"a": wide, "b": wide});
        for (text, root) in [
            ("$..a..a..a..a", &deep),
            ("$[?@..a..a..a..a]", &deep),
            ("$..[?$..[?$..a]]", &deep),
            ("$.a[?$.b[?@ == 2]]", &branching),
            ("$.a[?$.a == $.b]", &branching),
            ("$.a[?count($.b[*]) > 3000]", &branching),
        ] {
            let query = Query::parse(text).unwrap();
            assert!(matches!(query.all(root, root), Err(EvalError::Budget { .. })), "{text}");
        }
    }

    #[test]
    fn going_through_long_text_again_and_again_is_given_up() {
        let root = json!({"text": "x".repeat(100_000), "items": vec![0; 2000]});
        for text in ["$.items[?length($.text) == 1]", "$.items[?match($.text, 'y')]", "$.items[?$.text < $.text]"] {
            let query = Query::parse(text).unwrap();
            assert!(matches!(query.all(&root, &root), Err(EvalError::Budget { .. })), "{text}");
        }
    }

    #[test]
    fn a_payload_much_deeper_than_the_parser_allows_does_not_overflow() {
        let root = nested(2000);
        let query = Query::parse("$..[?@ == 1]").unwrap();
        assert_eq!(query.all(&root, &root), Ok(vec![&json!(1)]));
        let query = Query::parse("$[?@ == @]").unwrap();
        assert_eq!(query.all(&root, &root).map(|found| found.len()), Ok(1));
    }

    #[test]
    fn filters_may_be_nested_as_deep_as_the_parser_lets_them() {
        let root = nested(100);
        for (open, close) in [("@[?", "]"), ("(", ")"), ("!(!(", "))"), ("@[?!(", ")]")] {
            let levels = 30 / close.len();
            let text = format!("$[?{}@.a{}]", open.repeat(levels), close.repeat(levels));
            assert!(Query::parse(&text).unwrap().all(&root, &root).is_ok(), "{text}");
        }
        let text = format!("{}$..a{}", "$..[?".repeat(14), "]".repeat(14));
        assert!(matches!(Query::parse(&text).unwrap().all(&root, &root), Err(EvalError::Budget { .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_text_makes_the_parser_panic(text in text()) {
            let _ = Query::parse(&text);
            let _ = Query::parse_rfc9535(&text);
        }

        #[test]
        fn located_paths_lead_to_what_all_finds(root in json_value(), text in small_query()) {
            let query = Query::parse(&text).unwrap();
            let Ok(all) = query.all(&root, &root) else { return Ok(()) };
            let located = query.locate(&root).unwrap();
            prop_assert_eq!(located.len(), all.len());
            for (found, value) in located.iter().zip(&all) {
                prop_assert!(std::ptr::eq(found.value, *value));
                let mut node = &root;
                for step in &found.path {
                    node = match step {
                        Step::Name(name) => &node[name.as_str()],
                        Step::Index(index) => &node[*index],
                    };
                }
                prop_assert!(std::ptr::eq(node, *value));
            }
        }

        #[test]
        fn the_first_is_the_first_of_all_and_a_singular_query_finds_one_at_most(
            root in json_value(),
            text in small_query(),
        ) {
            let query = Query::parse(&text).unwrap();
            let Ok(all) = query.all(&root, &root) else { return Ok(()) };
            prop_assert_eq!(query.first(&root, &root).unwrap(), all.first().copied());
            prop_assert!(!query.is_singular() || all.len() <= 1);
        }

        #[test]
        fn a_filter_and_its_opposite_split_the_children(root in json_value(), name in "[abc]", number in 0..3) {
            let find = |text: String| Query::parse(&text).unwrap().all(&root, &root).unwrap();
            let all = find("$[*]".to_owned());
            for condition in [format!("@.{name}"), format!("@.{name} == {number}"), format!("@ < {number}")] {
                let with = find(format!("$[?{condition}]"));
                let without = find(format!("$[?!({condition})]"));
                prop_assert_eq!(with.len() + without.len(), all.len());
            }
        }
    }
}
