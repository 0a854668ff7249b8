//! Where two values differ, path by path.

use serde::Serialize;
use serde_json::Value;

/// One place at which something is not what it was, or not what was expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where: `body.name`, `deliveries.crm.body.name`.
    pub path: String,
    /// What was there, or was expected.
    pub expected: String,
    /// What is there.
    pub got: String,
}

/// The longest value that is shown, in characters.
const LONGEST: usize = 200;
/// Stands for a value where there is none.
pub(super) const NOTHING: &str = "nothing";

/// Goes into objects and lists, so that a difference is no larger than what differs.
pub(super) fn values(
    at: &str,
    expected: Option<&Value>,
    got: Option<&Value>,
    found: &mut impl FnMut(&str, Option<&Value>, Option<&Value>),
) {
    match (expected, got) {
        (Some(Value::Object(expected)), Some(Value::Object(got))) => {
            for (name, value) in expected {
                values(&member(at, name), Some(value), got.get(name), found);
            }
            for (name, value) in got.iter().filter(|(name, _)| !expected.contains_key(*name)) {
                values(&member(at, name), None, Some(value), found);
            }
        }
        (Some(Value::Array(expected)), Some(Value::Array(got))) => {
            for index in 0..expected.len().max(got.len()) {
                values(&format!("{at}[{index}]"), expected.get(index), got.get(index), found);
            }
        }
        (Some(expected), Some(got)) if equal(expected, got) => {}
        (expected, got) => found(at, expected, got),
    }
}

/// A value as it is shown.
pub(super) fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), Value::to_string)
}

/// `1` is `1.0`: YAML and JSON write the same number in more than one way.
fn equal(expected: &Value, got: &Value) -> bool {
    match (expected, got) {
        (Value::Number(expected), Value::Number(got)) if expected.is_f64() || got.is_f64() => {
            expected.as_f64() == got.as_f64()
        }
        _ => expected == got,
    }
}

fn member(at: &str, name: &str) -> String {
    let is_plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    if is_plain { format!("{at}.{name}") } else { format!("{at}[{name:?}]") }
}

// === impl Difference ===

impl Difference {
    pub(super) fn new(path: &str, expected: &str, got: &str) -> Self {
        Self { path: path.to_owned(), expected: cut(expected), got: cut(got) }
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let kept: String = text.chars().take(LONGEST - 1).collect();
    format!("{kept}…")
}
