//! Tables for people: at most 100 columns, and nothing in a cell that moves the cursor.

use serde_json::Value;

use super::print;

/// A column of a table.
pub(super) struct Column {
    pub(super) title: &'static str,
    /// In characters. What is longer is cut, and ends with `…`.
    pub(super) width: usize,
    /// What stands in it.
    pub(super) cell: fn(&Value) -> String,
}

/// Prints the titles.
pub(super) fn head(columns: &[Column]) -> bool {
    print(&line(columns, |column| column.title.to_owned()))
}

/// Prints a row.
pub(super) fn row(columns: &[Column], entry: &Value) -> bool {
    print(&line(columns, |column| (column.cell)(entry)))
}

/// What stands at a JSON pointer (RFC 6901), as text; empty where nothing does.
pub(super) fn at(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => printable(text),
        Some(other) => printable(&other.to_string()),
    }
}

/// The same of a time, without milliseconds: still RFC 3339.
pub(super) fn time_at(value: &Value, pointer: &str) -> String {
    let text = at(value, pointer);
    text.split_once('.').map_or_else(|| text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

/// Text without characters that would move a terminal's cursor or turn the direction of writing.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\n' | '\r' | '\t' => ' ',
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' => '\u{fffd}',
            control if control.is_control() => '\u{fffd}',
            other => other,
        })
        .collect()
}

/// Text of at most that many characters.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

fn line(columns: &[Column], cell: impl Fn(&Column) -> String) -> String {
    let mut line = String::new();
    for column in columns {
        let cell = cut(&cell(column), column.width);
        line.push_str(&format!("{cell:<width$} ", width = column.width));
    }
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_has_its_width_whatever_is_in_it() {
        let columns = [
            Column { title: "ID", width: 4, cell: |entry| at(entry, "/id") },
            Column { title: "AT", width: 20, cell: |entry| time_at(entry, "/at") },
        ];
        let entry = json!({ "id": "é\u{1b}[31mlong", "at": "2026-01-31T12:00:00.123Z" });
        assert_eq!(line(&columns, |column| (column.cell)(&entry)), "é\u{fffd}[… 2026-01-31T12:00:00Z");
        assert_eq!(line(&columns, |column| column.title.to_owned()), "ID   AT");
        assert_eq!(at(&json!({ "n": 5, "none": null }), "/n"), "5");
        assert_eq!(at(&json!({ "none": null }), "/none"), "");
    }
}
