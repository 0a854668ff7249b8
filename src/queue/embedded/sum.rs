//! Checksums of records: SQLite has none of its own, and hands out altered bytes as it finds them.

/// The CRC-32 of a record's fields, as it is stored beside them.
#[derive(Debug, Default)]
pub(super) struct Sum(crc32fast::Hasher);

// === impl Sum ===

impl Sum {
    /// Adds a field. Its length goes first, so that no byte can pass from one field to the next unseen.
    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds a field of text.
    pub(super) fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// Adds a field of text that may be missing.
    pub(super) fn maybe(self, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.int(1).text(text),
            None => self.int(0),
        }
    }

    /// Adds a number.
    pub(super) fn int(mut self, number: i64) -> Self {
        self.0.update(&number.to_le_bytes());
        self
    }

    /// What is stored.
    pub(super) fn stored(self) -> i64 {
        i64::from(self.0.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_ends_where_it_ends() {
        let sum = |a: &str, b: Option<&str>| Sum::default().text(a).maybe(b).stored();
        assert_eq!(sum("ab", Some("c")), sum("ab", Some("c")));
        for (a, b) in [("a", Some("bc")), ("ab", Some("d")), ("abc", None), ("ab", Some(""))] {
            assert_ne!(sum(a, b), sum("ab", Some("c")), "{a} {b:?}");
        }
    }
}
