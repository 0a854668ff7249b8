//! The header fields of a request as they are kept.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Header fields in the order they came in, names in lower case (RFC 9110, section 5.1: names are
/// case-insensitive). A name may stand more than once.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// Names and values, one behind the other: a request has a dozen, and this is one allocation.
    text: String,
    /// Where in it each name and its value ends.
    ends: Vec<(usize, usize)>,
}

// === impl Headers ===

impl Headers {
    /// No fields.
    #[must_use]
    pub const fn new() -> Self {
        Self { text: String::new(), ends: Vec::new() }
    }

    /// No fields yet, and room for so many with so many bytes.
    #[must_use]
    pub fn with_capacity(fields: usize, bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), ends: Vec::with_capacity(fields) }
    }

    /// Adds a field at the end; the name is brought to lower case.
    pub fn push(&mut self, name: &str, value: &str) {
        let from = self.text.len();
        self.text.push_str(name);
        let name = self.text.len();
        if let Some(name) = self.text.get_mut(from..) {
            name.make_ascii_lowercase();
        }
        self.text.push_str(value);
        self.ends.push((name, self.text.len()));
    }

    /// The first value under `name` (lower case).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// Every field, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let text = |from, to| self.text.get(from..to).unwrap_or_default();
        self.ends.iter().scan(0, move |from, (name, value)| {
            let field = (text(*from, *name), text(*name, *value));
            *from = *value;
            Some(field)
        })
    }

    /// How many fields there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut headers = Self::new();
        for (name, value) in fields {
            headers.push(name.as_ref(), value.as_ref());
        }
        headers
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// As a list of pairs.
impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<(String, String)>::deserialize(deserializer).map(Self::from_iter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_kept_in_order_and_found_in_lower_case() {
        let headers = Headers::from_iter([("X-Shop", "ä"), ("", ""), ("accept", ""), ("x-SHOP", "B")]);
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("x-shop", "ä"), ("", ""), ("accept", ""), ("x-shop", "B")]);
        assert_eq!((headers.get("x-shop"), headers.get("accept"), headers.get("X-Shop")), (Some("ä"), Some(""), None));
        assert!(headers.len() == 4 && !headers.is_empty() && Headers::new().is_empty());
    }

    #[test]
    fn they_are_written_as_pairs_and_read_again() {
        let headers = Headers::from_iter([("a", "1"), ("b", ""), ("a", "2")]);
        let text = serde_json::to_string(&headers).unwrap();
        assert_eq!(text, r#"[["a","1"],["b",""],["a","2"]]"#);
        assert_eq!(serde_json::from_str::<Headers>(&text).unwrap(), headers);
    }
}
