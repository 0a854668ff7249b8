//! Templates: the shape of what goes out.

mod compile;
mod render;
mod write;

use std::fmt;

use serde_json::Value;

use super::jsonpath::{Budget, Scope};
use super::{ExprError, JsonRef, Needs, Query, RenderError, Text};

/// A compiled template (DESIGN section 3, "Transform").
#[derive(Clone)]
pub struct Template(Node);

/// A part of a template.
#[derive(Clone)]
enum Node {
    /// Goes out as it is.
    Literal(Value),
    /// One JSONPath: the value, or the array of matches.
    Path {
        query: Query,
        otherwise: Otherwise,
    },
    /// A string with holes.
    Text(Text),
    Array(Vec<Self>),
    Object(Vec<(Name, Self)>),
    /// One element for each item.
    Each {
        items: Query,
        element: Box<Self>,
    },
}

/// The name of a member.
#[derive(Clone)]
struct Name {
    text: String,
    /// The same as JSON, with the colon behind it.
    written: Box<str>,
}

/// What becomes of a path at which there is nothing.
#[derive(Clone)]
enum Otherwise {
    /// A singular path is left out; of any other, there are no matches.
    Absent,
    Default(Box<Node>),
    Required,
}

// === impl Template ===

impl Template {
    /// Compiles a template.
    ///
    /// # Errors
    /// Everything wrong with it, each with the JSON Pointer (RFC 6901) of the part of `source` it is in.
    pub fn compile(source: &Value) -> Result<Self, Vec<(String, ExprError)>> {
        compile::compile(source).map(Self)
    }

    /// The same as JSON text: what [`Template::render`] gives, as it is written. `false`, and nothing is written, where that is
    /// `None`.
    ///
    /// # Errors
    /// Where the event lacks what the template requires.
    pub fn write<'v>(&self, root: impl Into<JsonRef<'v>>, text: &mut Vec<u8>) -> Result<bool, RenderError> {
        write::write(&self.0, Scope::at(root), &mut Budget::for_rendering(), text)
    }

    /// Adds what it looks at.
    pub fn add_needs(&self, needs: &mut Needs) {
        self.0.add_needs(needs);
    }

    /// Renders it with `$` being `root`. `None` where the whole template is one path at which there is
    /// nothing.
    ///
    /// # Errors
    /// Where the event lacks what the template requires.
    pub fn render<'v>(&self, root: impl Into<JsonRef<'v>>) -> Result<Option<Value>, RenderError> {
        render::render(&self.0, Scope::at(root), &mut Budget::for_rendering())
    }
}

// === impl Name ===

impl Name {
    fn new(text: &str) -> Self {
        Self { text: text.to_owned(), written: format!("{}:", Value::from(text)).into() }
    }
}

// === impl Node ===

impl Node {
    /// What starts at an item of an `$each` looks into what that takes whole.
    fn add_needs(&self, needs: &mut Needs) {
        match self {
            Self::Literal(_) => {}
            Self::Path { query, otherwise } => {
                query.add_needs(needs);
                if let Otherwise::Default(default) = otherwise {
                    default.add_needs(needs);
                }
            }
            Self::Text(text) => text.add_needs(needs),
            Self::Array(elements) => elements.iter().for_each(|element| element.add_needs(needs)),
            Self::Object(members) => members.iter().for_each(|(_, member)| member.add_needs(needs)),
            Self::Each { items, element } => {
                items.add_needs(needs);
                element.add_needs(needs);
            }
        }
    }
}

/// Without its content: its literals may have had a secret interpolated.
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::expr::EvalError;
    use crate::expr::arbitrary::{json_value, small_query, text};

    fn event() -> Value {
        json!({
            "type": "order.paid",
            "data": {
                "first_name": "Ann", "email": null, "total": 12.5,
                "interests": ["art", "sea"],
                "lines": [{"sku": "a", "n": 1}, {"sku": "b"}],
            },
        })
    }

    fn render(source: Value) -> Result<Option<Value>, RenderError> {
        Template::compile(&source).unwrap().render(&event())
    }

    fn problems(source: Value) -> Vec<(String, ExprError)> {
        Template::compile(&source).err().unwrap_or_default()
    }

    fn pointers(source: Value) -> Vec<String> {
        problems(source).into_iter().map(|(pointer, _)| pointer).collect()
    }

    #[test]
    fn a_string_that_is_one_path_gives_the_value_or_the_matches() {
        let template = json!({
            "total": "$.data.total", "email": "$.data.email", "skus": "$.data.lines[*].sku",
            "none": "$.data.lines[*].color", "whole": "$.data.lines[0]", "missing": "$.data.city",
        });
        let expected = json!({
            "total": 12.5, "email": null, "skus": ["a", "b"], "none": [], "whole": {"sku": "a", "n": 1},
        });
        assert_eq!(render(template), Ok(Some(expected)));
    }

    #[test]
    fn the_order_of_keys_is_that_of_the_template() {
        let rendered = render(json!({"z": 1, "a": "$.type", "m": {}})).unwrap().unwrap();
        assert_eq!(rendered.to_string(), r#"{"z":1,"a":"order.paid","m":{}}"#);
    }

    #[test]
    fn what_is_missing_is_left_out_of_an_array_and_of_the_whole() {
        assert_eq!(render(json!(["$.type", "$.missing", 3])), Ok(Some(json!(["order.paid", 3]))));
        assert_eq!(render(json!("$.missing")), Ok(None));
        assert_eq!(render(json!({"a": "$.missing"})), Ok(Some(json!({}))));
    }

    #[test]
    fn strings_with_holes_are_filled_and_others_stay() {
        assert_eq!(render(json!("Hi {$.data.first_name}!")), Ok(Some(json!("Hi Ann!"))));
        for text in ["plain", "", "{a}", "{{a}}", " $.type", "costs 5$", "@home"] {
            assert_eq!(render(json!(text)), Ok(Some(json!(text))));
        }
        let missing = RenderError::Missing { path: "$.data.email".to_owned() };
        assert_eq!(render(json!("to {$.data.email}")), Err(missing));
    }

    #[test]
    fn a_default_stands_in_for_nothing_but_not_for_null() {
        let with = |path: &str| json!({"$path": path, "$default": {"from": "$.type"}});
        assert_eq!(render(with("$.data.city")), Ok(Some(json!({"from": "order.paid"}))));
        assert_eq!(render(with("$.data.lines[*].color")), Ok(Some(json!({"from": "order.paid"}))));
        assert_eq!(render(with("$.data.email")), Ok(Some(Value::Null)));
        assert_eq!(render(json!({"$path": "$.data.total", "$default": 0})), Ok(Some(json!(12.5))));
    }

    #[test]
    fn a_required_path_that_finds_nothing_is_an_error() {
        for path in ["$.data.city", "$.data.lines[*].color"] {
            let missing = Err(RenderError::Missing { path: path.to_owned() });
            assert_eq!(render(json!({"a": {"$path": path, "$required": true}})), missing);
            assert!(render(json!({"a": {"$path": path, "$required": false}})).is_ok());
        }
        assert_eq!(render(json!({"$path": "$.type", "$required": true})), Ok(Some(json!("order.paid"))));
    }

    #[test]
    fn a_literal_is_not_looked_into() {
        let literal = json!({"$path": "$5", "a": ["$.type", "{$.type}"]});
        assert_eq!(render(json!({"$literal": literal.clone()})), Ok(Some(literal)));
    }

    #[test]
    fn each_item_gives_an_element() {
        let each = |items: &str, element: Value| render(json!({"$each": items, "$do": element}));
        let element = json!({"sku": "@.sku", "n": {"$path": "@.n", "$default": 0}, "label": "{$.type}/{@.sku}"});
        let expected = json!([
            {"sku": "a", "n": 1, "label": "order.paid/a"},
            {"sku": "b", "n": 0, "label": "order.paid/b"},
        ]);
        assert_eq!(each("$.data.lines[*]", element.clone()), Ok(Some(expected.clone())));
        assert_eq!(each("$.data.lines", element), Ok(Some(expected)));
        assert_eq!(each("$.data.lines", json!("@.n")), Ok(Some(json!([1]))));
        assert_eq!(each("$.data.first_name", json!("@")), Ok(Some(json!(["Ann"]))));
        assert_eq!(each("$.data.missing", json!("@")), Ok(Some(json!([]))));
    }

    #[test]
    fn an_each_may_stand_in_an_each() {
        let inner = json!({"$each": "@.n", "$do": {"n": "@", "type": "$.type"}});
        let outer = json!({"$each": "$.data.lines[?@.n]", "$do": inner});
        assert_eq!(render(outer), Ok(Some(json!([[{"n": 1, "type": "order.paid"}]]))));
    }

    #[test]
    fn every_problem_is_told_with_its_place() {
        let template = json!({
            "price": "$5.00",
            "a/b": ["{$.x[*]}", {"$path": 1}],
            "typo": {"$path": "$.a", "$defualt": 1},
            "mixed": {"$path": "$.a", "name": 1},
            "each": {"$each": "$.a"},
            "stray": "@.a",
            "hole": "x {@.a}",
        });
        assert_eq!(
            pointers(template),
            ["/price", "/a~1b/0", "/a~1b/1/$path", "/typo/$defualt", "/mixed/name", "/each", "/stray", "/hole"]
        );
    }

    #[test]
    fn the_problems_say_what_to_do() {
        let only = |source| problems(source).into_iter().next().unwrap().1;
        assert!(only(json!("$5.00")).expected.unwrap().contains("$literal"));
        assert!(only(json!({"$path": "$.a", "$defualt": 1})).expected.unwrap().contains("`$default`"));
        assert!(only(json!({"$each": "$.a", "$do": "@here"})).expected.unwrap().contains("$literal"));
    }

    #[test]
    fn directives_that_do_not_go_together_are_refused() {
        for source in [
            json!({"$default": 1}),
            json!({"$do": 1}),
            json!({"$path": "$.a", "$literal": 1}),
            json!({"$path": "$.a", "$do": 1}),
            json!({"$path": "$.a", "$required": "yes"}),
            json!({"$path": "$.a", "$required": true, "$default": 1}),
            json!({"$literal": 1, "$default": 1}),
        ] {
            assert!(!problems(source.clone()).is_empty(), "{source}");
        }
    }

    #[test]
    fn debug_shows_no_literal_for_it_may_be_a_secret() {
        let template = Template::compile(&json!({"token": "s3cret", "auth": "Bearer s3cret {$.type}"})).unwrap();
        assert!(!format!("{template:?}").contains("s3cret"));
        let text = Text::parse("Bearer s3cret {$.type}").unwrap();
        assert!(!format!("{text:?}").contains("s3cret"));
        assert!(format!("{text:?}").contains("$.type"));
    }

    #[test]
    fn a_template_that_nests_too_deep_is_refused() {
        let deep = (0..1000).fold(json!(1), |inner, _| Value::Array(vec![inner]));
        assert_eq!(problems(deep).len(), 1);
    }

    #[test]
    fn a_template_that_multiplies_the_payload_is_given_up() {
        let root = json!({"items": vec!["0123456789"; 3000]});
        let template = Template::compile(&json!({"$each": "$.items", "$do": "$.items"})).unwrap();
        assert!(matches!(template.render(&root), Err(RenderError::Eval(EvalError::Budget { .. }))));
        let root = json!({"items": vec![0; 3000], "text": "x".repeat(1_000_000)});
        let template = Template::compile(&json!({"$each": "$.items", "$do": "{$.text}"})).unwrap();
        assert!(matches!(template.render(&root), Err(RenderError::Eval(EvalError::Budget { .. }))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_string_makes_the_compiler_panic(text in text()) {
            let _ = Template::compile(&json!({"a": text.clone(), "$path": text.clone(), text: 1}));
        }

        #[test]
        fn a_literal_renders_as_itself(value in json_value()) {
            prop_assert_eq!(render(json!({"$literal": value.clone()})), Ok(Some(value.clone())));
            // No string of `json_value` is a path or has a hole.
            prop_assert_eq!(render(value.clone()), Ok(Some(value)));
        }

        #[test]
        fn what_is_written_is_what_is_rendered(value in json_value(), path in small_query(), required: bool) {
            let template = Template::compile(&json!({
                "one": path, "list": ["$.a", "$.nothing", path, 1],
                "hole": { "$path": "$.a", "$default": { "x": "{$.b}" } },
                "must": { "$path": path, "$required": required },
                "each": { "$each": path, "$do": { "a": "@.a", "b": "@.nothing", "all": "@" } },
                "\"\u{7}é": { "$literal": value.clone() }, "inner": { "nothing": "$.nothing" },
            })).unwrap();
            let bare = Template::compile(&json!(path)).unwrap();
            for template in [template, bare] {
                let mut text = b"before".to_vec();
                let written = template.write(&value, &mut text).map(|written| {
                    assert!(written || text == b"before");
                    written.then(|| String::from_utf8(text.split_off(6)).unwrap())
                });
                let rendered = template.render(&value).map(|value| value.map(|value| value.to_string()));
                prop_assert_eq!(written, rendered);
            }
        }

        #[test]
        fn the_template_of_the_root_is_the_identity(value in json_value()) {
            let template = Template::compile(&json!("$")).unwrap();
            prop_assert_eq!(template.render(&value), Ok(Some(value)));
        }
    }
}
