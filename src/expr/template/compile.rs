//! From what a person wrote to a template.

use serde_json::{Map, Value};

use super::{Name, Node, Otherwise};
use crate::expr::nearest::nearest;
use crate::expr::{ExprError, Query, Text};

/// How deep a template may nest: rendering recurses by it.
const MAX_DEPTH: usize = 64;

const PATH: &str = "$path";
const DEFAULT: &str = "$default";
const REQUIRED: &str = "$required";
const LITERAL: &str = "$literal";
const EACH: &str = "$each";
const DO: &str = "$do";

/// Every form that an object with `$` keys may have: the key it is known by, and those that go with it.
const FORMS: [(&str, &[&str]); 3] = [(PATH, &[DEFAULT, REQUIRED]), (LITERAL, &[]), (EACH, &[DO])];
const KEYS: [&str; 6] = [PATH, DEFAULT, REQUIRED, LITERAL, EACH, DO];

const FORMS_IN_WORDS: &str = "`{ $path, $default }`, `{ $path, $required: true }`, `{ $literal }` or `{ $each, $do }`";

/// Compiles `source`, or tells everything that is wrong with it.
pub(super) fn compile(source: &Value) -> Result<Node, Vec<(String, ExprError)>> {
    let mut compiler = Compiler::default();
    let node = compiler.node(source);
    if compiler.problems.is_empty() { Ok(node) } else { Err(compiler.problems) }
}

/// Goes through a template and notes every problem; after one, what it returns is of no use.
#[derive(Default)]
struct Compiler {
    /// Where it stands, as a JSON Pointer.
    pointer: String,
    depth: usize,
    /// Within how many `$do` it stands.
    items: usize,
    problems: Vec<(String, ExprError)>,
}

// === impl Compiler ===

impl Compiler {
    fn node(&mut self, source: &Value) -> Node {
        if self.depth > MAX_DEPTH {
            self.problem(ExprError::new(format!("the template nests deeper than {MAX_DEPTH} levels")));
            return NOTHING;
        }
        match source {
            Value::String(text) => self.string(text),
            Value::Array(elements) => Node::Array(
                elements
                    .iter()
                    .enumerate()
                    .map(|(index, element)| self.at(&index.to_string(), |this| this.node(element)))
                    .collect(),
            ),
            Value::Object(members) if members.keys().any(|key| key.starts_with('$')) => self.directive(members),
            Value::Object(members) => Node::Object(
                members.iter().map(|(key, value)| (Name::new(key), self.at(key, |this| this.node(value)))).collect(),
            ),
            Value::Null | Value::Bool(_) | Value::Number(_) => Node::Literal(source.clone()),
        }
    }

    fn string(&mut self, text: &str) -> Node {
        if text.starts_with('$') || (text.starts_with('@') && self.items > 0) {
            return self.query(text).map_or(NOTHING, |query| Node::Path { query, otherwise: Otherwise::Absent });
        }
        if text.starts_with('@') && Query::parse(text).is_ok() {
            self.problem(item_outside_of_do(text));
        }
        if !text.contains("{$") && !text.contains("{@") {
            return Node::Literal(text.into());
        }
        match Text::parse(text) {
            Ok(filled) if self.items == 0 && filled.starts_at_current() => self.problem(item_outside_of_do(text)),
            Ok(filled) => return Node::Text(filled),
            Err(error) => self.problem(error),
        }
        NOTHING
    }

    fn query(&mut self, text: &str) -> Option<Query> {
        match Query::parse(text) {
            Ok(query) if self.items == 0 && query.starts_at_current() => self.problem(item_outside_of_do(text)),
            Ok(query) => return Some(query),
            Err(error) => {
                let expected = error.expected.map(|expected| format!("{expected}; or ")).unwrap_or_default();
                let expected = format!("{expected}`{{ $literal: ... }}` for text that only looks like a path");
                self.problem(ExprError::new(error.message).expecting(expected));
            }
        }
        None
    }

    /// An object with `$` keys.
    fn directive(&mut self, members: &Map<String, Value>) -> Node {
        let Some((form, companions)) = FORMS.iter().find(|(form, _)| members.contains_key(*form)) else {
            for key in members.keys().filter(|key| key.starts_with('$')) {
                self.at(key, |this| this.problem(misplaced(key, None)));
            }
            return NOTHING;
        };
        for key in members.keys().filter(|key| key != form && !companions.contains(&key.as_str())) {
            self.at(key, |this| this.problem(misplaced(key, Some(form))));
        }
        match (*form, members.get(*form)) {
            (LITERAL, Some(value)) => Node::Literal(value.clone()),
            (EACH, Some(items)) => self.each(items, members.get(DO)),
            (_, Some(path)) => self.path(path, members),
            (_, None) => NOTHING,
        }
    }

    fn path(&mut self, path: &Value, members: &Map<String, Value>) -> Node {
        let query = self.query_member(PATH, path);
        let default = members.get(DEFAULT).map(|value| self.at(DEFAULT, |this| this.node(value)));
        let required = members.get(REQUIRED).and_then(|value| self.required(value, default.is_some()));
        let otherwise = match (default, required) {
            (Some(default), _) => Otherwise::Default(Box::new(default)),
            (None, Some(true)) => Otherwise::Required,
            (None, _) => Otherwise::Absent,
        };
        query.map_or(NOTHING, |query| Node::Path { query, otherwise })
    }

    fn required(&mut self, value: &Value, has_default: bool) -> Option<bool> {
        let required = value.as_bool();
        if required.is_none() {
            let error = ExprError::new("`$required` is neither true nor false").expecting("`true` or `false`");
            self.at(REQUIRED, |this| this.problem(error));
        } else if required == Some(true) && has_default {
            let error = ExprError::new("a path with a `$default` is never missing")
                .expecting("either `$required: true` or `$default`");
            self.at(REQUIRED, |this| this.problem(error));
        }
        required
    }

    fn each(&mut self, items: &Value, element: Option<&Value>) -> Node {
        let items = self.query_member(EACH, items);
        let Some(element) = element else {
            self.problem(ExprError::new("`$each` has no `$do`").expecting("`{ $each: <query>, $do: <template> }`"));
            return NOTHING;
        };
        self.items += 1;
        let element = Box::new(self.at(DO, |this| this.node(element)));
        self.items -= 1;
        items.map_or(NOTHING, |items| Node::Each { items, element })
    }

    /// The query that the member `key` has to be.
    fn query_member(&mut self, key: &str, value: &Value) -> Option<Query> {
        self.at(key, |this| match value.as_str() {
            Some(text) => this.query(text),
            None => {
                this.problem(
                    ExprError::new(format!("`{key}` is not text")).expecting("a JSONPath, such as `$.data.id`"),
                );
                None
            }
        })
    }

    /// Compiles what stands under `key`.
    fn at<T>(&mut self, key: &str, compile: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
        self.depth += 1;
        let compiled = compile(self);
        self.depth -= 1;
        self.pointer.truncate(length);
        compiled
    }

    fn problem(&mut self, error: ExprError) {
        self.problems.push((self.pointer.clone(), error));
    }
}

/// What stands where a problem was.
const NOTHING: Node = Node::Literal(Value::Null);

fn misplaced(key: &str, form: Option<&str>) -> ExprError {
    let known = KEYS.contains(&key);
    let message = match form {
        Some(form) if known || !key.starts_with('$') => format!("`{key}` does not go with `{form}`"),
        None if known => format!("`{key}` stands alone"),
        _ => format!("`{key}` is unknown: keys that start with `$` say how a value is made"),
    };
    let expected = match nearest(key, &KEYS) {
        Some(meant) if !known && key.starts_with('$') => format!("`{meant}`, perhaps"),
        _ => format!("{FORMS_IN_WORDS}; `$literal` also holds keys that start with `$`"),
    };
    ExprError::new(message).expecting(expected)
}

fn item_outside_of_do(text: &str) -> ExprError {
    ExprError::new(format!("`{text}` takes `@`, the item of an `$each`, outside of a `$do`"))
        .expecting("`$`, the event; or `{ $literal: ... }` for text that only looks like a path")
}
