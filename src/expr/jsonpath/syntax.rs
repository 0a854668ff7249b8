//! From text to the parser's AST: the only door to the jsonpath-rust crate.
//!
//! The text is bounded and looked through before the parser sees it, for three reasons: the parser recurses;
//! it backtracks, three times for each level of nested function calls that turn out wrong; and it skips blanks
//! where RFC 9535 has none (it reads `$.first name` as one name, and a no-break space at the end of a name as
//! nothing).

use jsonpath_rust::parser::errors::JsonPathError;
use jsonpath_rust::parser::model::{Filter, JpQuery, Segment, Selector};
use jsonpath_rust::parser::parse_json_path;

use super::program::Origin;
use crate::expr::ExprError;

/// The longest expression. The longest of the compliance suite has 70 bytes.
const MAX_BYTES: usize = 4096;

/// How deep brackets and parentheses may stand in one another. The parser, the compiler and the evaluator
/// recurse by it.
const MAX_NESTING: usize = 32;

/// How deep function calls may stand in one another; the parser takes up to three to the power of it.
const MAX_CALLS: usize = 5;

/// How much of the rest an error quotes.
const QUOTED: usize = 24;

const FORM: &str = "a JSONPath as in RFC 9535: `$.data.name`, `$.items[0]`, `$.items[*].id`, `$['odd name']`";
const PREDICATE_FORM: &str =
    "a condition as in RFC 9535: `$.type == 'a' && $.data.total > 100`, `!$.data.test`, `match($.type, 'order.*')`";
const PREDICATE_OPENING: &str = "$[?";

/// Parses a query; `@` in the place of its `$` makes it start at the current node.
pub(in crate::expr) fn parse_query(text: &str) -> Result<(Origin, JpQuery), ExprError> {
    check_shape(text)?;
    if text.trim() != text {
        return Err(ExprError::new(format!("there is a blank before or after `{}`", excerpt(text))).expecting(FORM));
    }
    let (origin, rest) = match (text.strip_prefix('$'), text.strip_prefix('@')) {
        (Some(rest), _) => (Origin::Root, rest),
        (_, Some(rest)) => (Origin::Current, rest),
        _ => return Err(ExprError::new(format!("`{}` does not start with `$`", excerpt(text))).expecting(FORM)),
    };
    let query = parse_json_path(&format!("${rest}")).map_err(|error| explain(&error, text, 0).expecting(FORM))?;
    Ok((origin, query))
}

/// Parses a logical expression.
pub(in crate::expr) fn parse_predicate(text: &str) -> Result<Filter, ExprError> {
    let hint = |error: ExprError| match slip(text) {
        Some(expected) => error.expecting(expected),
        None => error,
    };
    check_shape(text).map_err(hint)?;
    let query = parse_json_path(&format!("{PREDICATE_OPENING}{text}]"))
        .map_err(|error| hint(explain(&error, text, PREDICATE_OPENING.len()).expecting(PREDICATE_FORM)))?;
    // Text that closes the bracket (`@.a][?@.b`, `@.a, 'b'`) would be something else than one condition.
    let mut segments = query.segments.into_iter();
    match (segments.next(), segments.next()) {
        (Some(Segment::Selector(Selector::Filter(filter))), None) => Ok(filter),
        _ => Err(ExprError::new("this is more than one condition").expecting(PREDICATE_FORM)),
    }
}

fn check_shape(text: &str) -> Result<(), ExprError> {
    if text.len() > MAX_BYTES {
        return Err(ExprError::new(format!(
            "an expression of {} bytes is too long: it may have {MAX_BYTES}",
            text.len()
        )));
    }
    let mut shape = Shape::default();
    text.chars().try_for_each(|c| shape.take(c))
}

/// What has been seen of an expression's outer shape.
#[derive(Default)]
struct Shape {
    /// The brackets that are open, and whether each is a function call's.
    open: Vec<bool>,
    /// The string literal that is open, by its quote.
    quote: Option<char>,
    escaped: bool,
    /// The last character that was not blank.
    last: char,
    blank: bool,
}

/// What was probably meant, by who has written the operators of another language.
fn slip(text: &str) -> Option<String> {
    if text.contains(r"\.") && !text.contains(r"\\.") {
        return Some(r"`\\.` or `[.]` for a dot in a pattern: in quotes, a `\` is doubled".to_owned());
    }
    [(" = ", "=="), (" and ", "&&"), (" or ", "||"), (" AND ", "&&"), (" OR ", "||"), ("not ", "!")]
        .into_iter()
        .find(|(slip, _)| text.contains(slip))
        .map(|(slip, meant)| format!("`{meant}` in the place of `{}`", slip.trim()))
}

/// The parser's error, told by where it stopped. `opening` is the length of what was put before `text`.
fn explain(error: &JsonPathError, text: &str, opening: usize) -> ExprError {
    let shown = excerpt(text);
    let place = match error {
        JsonPathError::InvalidJsonPath(reason) => return ExprError::new(lower_first(reason)),
        JsonPathError::PestError(_) => stopped_at(&error.to_string(), text, opening),
        _ => None,
    };
    let Some(place) = place else { return ExprError::new(format!("`{shown}` makes no sense")) };
    let rest: String = text.chars().skip(place).collect();
    if rest.trim().is_empty() {
        return ExprError::new(format!("`{shown}` ends too early"));
    }
    ExprError::new(format!("`{shown}` makes no sense from character {} on: `{}`", place + 1, excerpt(&rest)))
}

/// How many characters of `text` were read, by the place in a pest error (` --> line:column`), whose own type
/// is not ours to name.
fn stopped_at(message: &str, text: &str, opening: usize) -> Option<usize> {
    let (line, rest) = message.split_once("--> ")?.1.split_once(':')?;
    let column: usize = rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    let lines_before = line.parse::<usize>().ok()?.checked_sub(1)?;
    let before: usize = text.split('\n').take(lines_before).map(|line| line.chars().count() + 1).sum();
    let opening = if lines_before == 0 { opening } else { 0 };
    (before + column).checked_sub(opening + 1)
}

/// The start of `text`, on one line.
fn excerpt(text: &str) -> String {
    let mut chars = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut start: String = chars.by_ref().take(QUOTED).collect();
    if chars.next().is_some() {
        start.push('…');
    }
    start
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

// === impl Shape ===

impl Shape {
    fn take(&mut self, c: char) -> Result<(), ExprError> {
        if let Some(quote) = self.quote {
            if self.escaped {
                self.escaped = false;
            } else if c == '\\' {
                self.escaped = true;
            } else if c == quote {
                self.quote = None;
            }
            return Ok(());
        }
        if matches!(c, ' ' | '\t' | '\n' | '\r') {
            self.blank = true;
            return Ok(());
        }
        self.take_visible(c)?;
        (self.last, self.blank) = (c, false);
        Ok(())
    }

    fn take_visible(&mut self, c: char) -> Result<(), ExprError> {
        if c.is_whitespace() {
            let message = format!("there is a blank that JSONPath does not know (U+{:04X})", u32::from(c));
            return Err(ExprError::new(message).expecting("a plain space, or quotes around the name"));
        }
        if self.blank && is_name(c) && (is_name(self.last) || self.last == '.') {
            return Err(ExprError::new("there is a blank within a name, or between two names")
                .expecting("quotes around a name with a blank: `$['first name']`"));
        }
        match c {
            '\'' | '"' => self.quote = Some(c),
            '(' | '[' => self.open.push(c == '(' && is_name(self.last)),
            ')' | ']' => {
                self.open.pop();
            }
            _ => {}
        }
        if self.open.len() > MAX_NESTING || self.open.iter().filter(|call| **call).count() > MAX_CALLS {
            return Err(ExprError::new(format!(
                "this is nested too deep: brackets may be {MAX_NESTING} deep, function calls {MAX_CALLS}"
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_closes_the_bracket_is_no_condition() {
        for text in ["@.a][?@.b", "@.a]['b'", "@.a, ?@.b", "@.a, 'b'", "@.a][0", "@.a].b[?@.c", ""] {
            assert!(parse_predicate(text).is_err(), "{text}");
        }
        assert!(parse_predicate("$['a]b'] == ']'").is_ok());
    }

    #[test]
    fn blanks_where_rfc_9535_has_none_are_refused() {
        for text in ["$.first name", "$.a\u{a0}", "$.\u{a0}a", "$. a", "$.. a", "$[?@. a == 1]", "$[?@.a b == 1]"] {
            assert!(parse_query(text).is_err(), "{text}");
        }
        for text in ["$ .a", "$[ 'a' ]", "$['first name']", "$[?@.a  ==  1]", "$['a\u{a0}']"] {
            assert!(parse_query(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn hostile_nesting_is_an_error_at_once() {
        for unit in ["(", "[", "$[?", "$[?(", "length(", "$[?length(", "$[?match(value(", "!(", "@[?!"] {
            for count in [4, 5, 30, 31, 32, 40, 1000, 100_000] {
                let text = unit.repeat(count);
                assert!(parse_predicate(&text).is_err());
                assert!(parse_query(&format!("$[?{text}")).is_err());
            }
        }
    }

    #[test]
    fn an_error_says_where_reading_stopped() {
        let error = parse_query("$.a[").unwrap_err();
        assert_eq!(error.message, "`$.a[` ends too early");
        let error = parse_query("$.a-b").unwrap_err();
        assert_eq!(error.message, "`$.a-b` makes no sense from character 4 on: `-b`");
        let error = parse_predicate("$.type = 'a'").unwrap_err();
        assert_eq!(error.message, "`$.type = 'a'` makes no sense from character 8 on: `= 'a'`");
        assert_eq!(error.expected.as_deref(), Some("`==` in the place of `=`"));
        let error = parse_predicate("$.a == 1\n&& $.é = 2\n").unwrap_err();
        assert_eq!(error.message, "`$.a == 1 && $.é = 2` makes no sense from character 17 on: `= 2`");
        let error = parse_predicate(r"match($.type, 'order\..*')").unwrap_err();
        assert!(error.expected.unwrap().contains("doubled"));
        let error = parse_query("$.a ").unwrap_err();
        assert_eq!(error.message, "there is a blank before or after `$.a`");
        let error = parse_predicate("$.a and $.b").unwrap_err();
        assert_eq!(error.expected.as_deref(), Some("`&&` in the place of `and`"));
    }
}
