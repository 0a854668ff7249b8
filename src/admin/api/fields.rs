//! What a request gives: the parameters of its query, or the keys of its body. What is not known is refused.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use super::problem::Problem;

/// Names with values, of which each is one that is known.
#[derive(Debug, Default)]
pub(super) struct Fields(Map<String, Value>);

// === impl Fields ===

impl Fields {
    /// The parameters of a query.
    pub(super) fn of_query(query: &str, known: &[&str]) -> Result<Self, Problem> {
        let mut fields = Map::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if !known.contains(&&*name) {
                return Err(Problem::unknown(&name, "parameter", known));
            }
            let twice = fields.insert(name.to_string(), Value::from(&*value)).is_some();
            if twice {
                return Err(Problem::field(&name, format!("`{name}` stands there twice")));
            }
        }
        Ok(Self(fields))
    }

    /// The keys of a body; none where there is no body.
    pub(super) fn of_body(body: &Bytes, headers: &HeaderMap, known: &[&str]) -> Result<Self, Problem> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            return Err(Problem::media_type());
        }
        let fields: Map<String, Value> = serde_json::from_slice(body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Problem::bad_request(format!("the body is not a JSON object: line {line}, column {column}"))
        })?;
        match fields.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(Problem::unknown(key, "key", known)),
            None => Ok(Self(fields)),
        }
    }

    /// A text; `None` where it is not given, or null.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Problem> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Err(Problem::field(name, format!("`{name}` is empty"))),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Problem::field(name, format!("`{name}` has to be text"))),
        }
    }

    /// A text that has to be there.
    pub(super) fn needed(&self, name: &str) -> Result<&str, Problem> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    /// Yes or no; `None` where it is not given.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(Problem::field(name, format!("`{name}` has to be true or false"))),
        }
    }

    /// A number from 0, as a number or in digits; `None` where it is not given.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Problem> {
        let number = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(digits)) => digits.parse().ok(),
            Some(other) => other.as_u64(),
        };
        number.map(Some).ok_or_else(|| Problem::field(name, format!("`{name}` has to be a whole number from 0")))
    }
}

/// A key has to be there and is not.
pub(super) fn missing(name: &str) -> Problem {
    Problem::field(name, format!("`{name}` is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &'static str) -> Result<Fields, Problem> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, "application/json; charset=utf-8".parse().unwrap())]);
        Fields::of_body(&Bytes::from_static(text.as_bytes()), &headers, &["delivery", "all", "number"])
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        let known = ["route", "limit"];
        assert_eq!(Fields::of_query("route=a%20b&limit=2", &known).unwrap().text("route"), Ok(Some("a b")));
        for (query, field) in [("rout=a", "rout"), ("route=a&route=b", "route"), ("=", "")] {
            let problem = Fields::of_query(query, &known).unwrap_err();
            assert_eq!(problem, problem.clone().for_field(field), "{query}");
        }
        let problem = body(r#"{"delivry": "crm"}"#).unwrap_err();
        assert_eq!(problem, Problem::unknown("delivry", "key", &["delivery", "all", "number"]));
    }

    #[test]
    fn a_value_of_another_type_is_refused() {
        let fields = body(r#"{"delivery": 7, "all": "yes", "number": -1}"#).unwrap();
        assert!(fields.text("delivery").is_err() && fields.flag("all").is_err() && fields.number("number").is_err());
        let fields = body(r#"{"delivery": null, "all": true, "number": 3}"#).unwrap();
        assert_eq!(
            (fields.text("delivery"), fields.flag("all"), fields.number("number")),
            (Ok(None), Ok(Some(true)), Ok(Some(3)))
        );
        assert!(fields.needed("delivery").is_err());
    }

    #[test]
    fn a_body_is_a_json_object_that_says_so() {
        assert!(body("").is_ok() && body("{}").is_ok());
        for broken in ["[]", "{", "null", "{} {}"] {
            assert!(body(broken).is_err(), "{broken}");
        }
        let unlabelled = Fields::of_body(&Bytes::from_static(b"{}"), &HeaderMap::new(), &[]);
        assert_eq!(unlabelled.unwrap_err(), Problem::media_type());
    }
}
