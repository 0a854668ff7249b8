//! What an event is to be in order with.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::config::{At, Problem, Problems};
use crate::expr::{EvalError, JsonRef, Needs, Query};

/// `order_by:`, compiled: events of one lane for which it finds the same value are delivered first in, first out.
#[derive(Debug)]
pub struct OrderBy(Query);

/// The longest key that is kept as it is, in bytes; of a longer one its hash is.
const LONGEST: usize = 200;

// === impl OrderBy ===

impl OrderBy {
    /// Compiles a path.
    pub fn compile(path: &At<String>, problems: &mut Problems) -> Option<Self> {
        let expected = "a path to one value, such as $.data.customer.id";
        match Query::parse(path) {
            Ok(query) if query.is_singular() => Some(Self(query)),
            Ok(_) => {
                let problem = Problem::error(path.place, "this finds several values, and an event has one place");
                problems.push(problem.expected(expected));
                None
            }
            Err(error) => {
                let problem = Problem::error(path.place, error.message);
                problems.push(problem.expected(error.expected.unwrap_or_else(|| expected.to_owned())));
                None
            }
        }
    }

    /// Where in an event's document its keys are taken from.
    #[must_use]
    pub const fn path(&self) -> &Query {
        &self.0
    }

    pub(super) fn add_needs(&self, needs: &mut Needs) {
        self.0.add_needs(needs);
    }

    /// The key of an event with this document. Where there is nothing, or null, the event is in order with no other.
    ///
    /// # Errors
    /// Where the path visits too many nodes of the event.
    pub fn key<'v>(&self, document: impl Into<JsonRef<'v>>) -> Result<Option<Box<str>>, EvalError> {
        let document = document.into();
        let key: Box<str> = match self.0.first(document, document)? {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text.as_str().into(),
            Some(other) => other.to_string().into(),
        };
        Ok(Some(if key.len() <= LONGEST { key } else { hashed(&key) }))
    }
}

fn hashed(key: &str) -> Box<str> {
    format!("sha256:{}", hex::encode(Sha256::digest(key))).into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(path: &str, data: &Value) -> Option<String> {
        let mut problems = Problems::new();
        OrderBy::compile(&At::nowhere(path.into()), &mut problems)
            .unwrap()
            .key(&json!({ "data": data }))
            .unwrap()
            .map(Into::into)
    }

    #[test]
    fn a_key_is_the_values_text_and_nothing_where_there_is_none() {
        assert_eq!(key("$.data.id", &json!({ "id": "c1" })), Some("c1".into()));
        assert_eq!(key("$.data.id", &json!({ "id": 17 })), Some("17".into()));
        assert_eq!(key("$.data.id", &json!({ "id": { "a": [1] } })), Some(r#"{"a":[1]}"#.into()));
        assert_eq!(key("$.data.id", &json!({ "id": null })), None);
        assert_eq!(key("$.data.id", &json!({})), None);
        assert_eq!(key("$.data.id", &json!({ "id": "" })), Some(String::new()));
    }

    #[test]
    fn a_long_key_is_kept_as_its_hash() {
        let (one, other) = ("x".repeat(201), "x".repeat(202));
        let long = key("$.data", &json!(one)).unwrap();
        assert!(long.starts_with("sha256:") && long.len() < LONGEST);
        assert_ne!(key("$.data", &json!(other)).unwrap(), long);
        assert_eq!(key("$.data", &json!("x".repeat(200))).unwrap().len(), 200);
    }

    #[test]
    fn a_path_that_finds_several_is_a_problem() {
        for path in ["$.data[*]", "$..id", "data.id", "$.data["] {
            let mut problems = Problems::new();
            assert!(OrderBy::compile(&At::nowhere(path.into()), &mut problems).is_none());
            assert!(problems.any_error(), "{path}");
        }
    }
}
