//! What a plain scalar is: the core schema of YAML 1.2.2, section 10.3.2.

use super::{Form, Scalar};

/// A scalar by the core schema.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::config) enum Resolved {
    /// `null`, `~`, or nothing.
    Null,
    /// `true` or `false`. `yes`, `on` and the like are text.
    Bool(bool),
    /// A whole number below zero.
    Negative(i64),
    /// A whole number.
    Unsigned(u64),
    /// Any other number, or a whole one that is too large.
    Float(f64),
    /// Anything else.
    Text,
}

// === impl Scalar ===

impl Scalar {
    /// What it is as written: only a plain scalar is anything but text.
    pub(in crate::config) fn resolve(&self) -> Resolved {
        match self.form {
            Form::Plain => resolve(&self.text),
            Form::Quoted | Form::Interpolated => Resolved::Text,
        }
    }

    /// What it is where something other than text is wanted: what was interpolated may be a number too,
    /// though it must often stand in quotes.
    pub(in crate::config) fn resolve_wanted(&self) -> Resolved {
        match self.form {
            Form::Plain | Form::Interpolated => resolve(&self.text),
            Form::Quoted => Resolved::Text,
        }
    }
}

fn resolve(text: &str) -> Resolved {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Resolved::Null,
        "true" | "True" | "TRUE" => Resolved::Bool(true),
        "false" | "False" | "FALSE" => Resolved::Bool(false),
        _ => whole(text).or_else(|| float(text)).unwrap_or(Resolved::Text),
    }
}

fn whole(text: &str) -> Option<Resolved> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(octal) = text.strip_prefix("0o") {
        return in_base(octal, 8);
    }
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        return in_base(hexadecimal, 16);
    }
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    if text.starts_with('-') {
        return text.parse().ok().map(Resolved::Negative);
    }
    digits.parse().ok().map(Resolved::Unsigned)
}

fn in_base(digits: &str, base: u32) -> Option<Resolved> {
    // `from_str_radix` takes a sign, the schema does not.
    if digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(digits, base).ok().map(Resolved::Unsigned)
}

fn float(text: &str) -> Option<Resolved> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let value = match unsigned {
        ".inf" | ".Inf" | ".INF" => f64::INFINITY,
        ".nan" | ".NaN" | ".NAN" => f64::NAN,
        // `parse` also takes words such as `infinity`.
        _ if unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') => unsigned.parse().ok()?,
        _ => return None,
    };
    Some(Resolved::Float(if text.starts_with('-') { -value } else { value }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_core_schema_names_is_no_text() {
        assert_eq!(resolve(""), Resolved::Null);
        assert_eq!(resolve("~"), Resolved::Null);
        assert_eq!(resolve("True"), Resolved::Bool(true));
        assert_eq!(resolve("017"), Resolved::Unsigned(17));
        assert_eq!(resolve("0o17"), Resolved::Unsigned(15));
        assert_eq!(resolve("0xff"), Resolved::Unsigned(255));
        assert_eq!(resolve("-3"), Resolved::Negative(-3));
        assert_eq!(resolve("1e3"), Resolved::Float(1_000.0));
        assert_eq!(resolve("-.inf"), Resolved::Float(f64::NEG_INFINITY));
        assert_eq!(resolve("18446744073709551616"), Resolved::Float(18_446_744_073_709_551_616.0));
        for text in ["yes", "no", "on", "off", "infinity", "nan", "1_000", "0x+1", "1:30", ".", "--1", "30s", "é"] {
            assert_eq!(resolve(text), Resolved::Text, "{text}");
        }
    }
}
