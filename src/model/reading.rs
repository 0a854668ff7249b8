//! Bodies that are not JSON, as JSON.

use std::fmt;

use bytes::Bytes;
use serde_json::{Map, Value};

/// How a body is read as JSON. What it says depends on the bytes alone, so that a body that was kept is read again the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Reading {
    /// It is JSON.
    #[default]
    Json,
    /// A form (WHATWG URL, section 5): its fields are an object of strings; a field that is there more than once is a list.
    Form,
    /// JSON in this field of a form.
    FormField(Box<str>),
    /// JSON Lines: a JSON text a line. They are a list.
    Lines,
}

// === impl Reading ===

impl Reading {
    /// The body as JSON, where it is something else; nothing where it is not what it is read as.
    #[must_use]
    pub fn json(&self, body: &[u8]) -> Option<Bytes> {
        match self {
            Self::Json => None,
            Self::Form => Some(Bytes::from(form(body).to_string())),
            Self::FormField(name) => {
                let mut fields = url::form_urlencoded::parse(body);
                let value = fields.find(|(known, _)| known == &**name).map(|(_, value)| value.into_owned());
                Some(Bytes::from(value.unwrap_or_default()))
            }
            Self::Lines => Some(lines(body)),
        }
    }

    /// Reads what [`fmt::Display`] writes.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        match text {
            "form" => Self::Form,
            "lines" => Self::Lines,
            _ => text.strip_prefix("form:").map_or(Self::Json, |name| Self::FormField(name.into())),
        }
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json => f.write_str("json"),
            Self::Form => f.write_str("form"),
            Self::FormField(name) => write!(f, "form:{name}"),
            Self::Lines => f.write_str("lines"),
        }
    }
}

fn form(body: &[u8]) -> Value {
    let mut fields = Map::new();
    for (name, value) in url::form_urlencoded::parse(body) {
        let value = Value::from(value);
        match fields.get_mut(&*name) {
            None => {
                fields.insert(name.into_owned(), value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(one) => *one = Value::Array(vec![one.take(), value]),
        }
    }
    Value::Object(fields)
}

/// The lines as a list, byte for byte: what an event's data are is not written anew.
fn lines(body: &[u8]) -> Bytes {
    let mut list = Vec::with_capacity(body.len() + 2);
    list.push(b'[');
    for line in body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
        if list.len() > 1 {
            list.push(b',');
        }
        list.extend_from_slice(line);
    }
    list.push(b']');
    list.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(reading: &Reading, body: &str) -> String {
        String::from_utf8(reading.json(body.as_bytes()).unwrap().to_vec()).unwrap()
    }

    #[test]
    fn a_form_is_an_object_of_strings_in_its_order() {
        assert_eq!(
            json(&Reading::Form, "To=%2B1555&Body=a+b%26c&To=2&To=3"),
            r#"{"To":["+1555","2","3"],"Body":"a b&c"}"#
        );
        assert_eq!(json(&Reading::Form, ""), "{}");
    }

    #[test]
    fn a_field_of_a_form_is_taken_as_it_is() {
        let payload = Reading::FormField("payload".into());
        assert_eq!(json(&payload, "a=1&payload=%7B%22n%22%3A+1.50%7D&payload=2"), r#"{"n": 1.50}"#);
        assert_eq!(json(&payload, "a=1"), "");
    }

    #[test]
    fn lines_are_a_list_whose_elements_are_not_written_anew() {
        assert_eq!(json(&Reading::Lines, "{\"n\": 1.50}\r\n\n {\"n\":2} \n"), r#"[{"n": 1.50},{"n":2}]"#);
        assert_eq!(json(&Reading::Lines, ""), "[]");
        // What is no JSON stays none, and is found where it is read.
        assert_eq!(json(&Reading::Lines, "{\"a\":\n1}"), "[{\"a\":,1}]");
    }

    #[test]
    fn what_is_written_of_it_is_read_again() {
        for reading in [Reading::Json, Reading::Form, Reading::FormField("a b".into()), Reading::Lines] {
            assert_eq!(Reading::from_text(&reading.to_string()), reading);
        }
        assert_eq!(Reading::from_text(""), Reading::Json);
        assert!(Reading::Json.json(b"{}").is_none());
    }
}
