//! Text with holes, before anybody knows what is in them.
//!
//! `{...}` is a hole, `{{` and `}}` are literal braces. A brace in quotes within a hole belongs to what is in
//! the hole: `{$['a}b']}`.

use std::fmt;

use super::ExprError;

const FORM: &str = "`{{` and `}}` where braces are meant";

/// A piece of text with holes.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Piece<H> {
    /// Stays as it is.
    Literal(Box<str>),
    /// Is filled.
    Hole(H),
}

/// Cuts `text` into literal pieces, none of them empty and no two side by side, and holes, each of which
/// `compile` makes of what stands between its braces.
pub(super) fn cut<H>(text: &str, compile: impl Fn(&str) -> Result<H, ExprError>) -> Result<Box<[Piece<H>]>, ExprError> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, brace) = rest.split_at(at);
        literal.push_str(before);
        if let Some(after) = brace.strip_prefix("{{") {
            literal.push('{');
            rest = after;
        } else if let Some(after) = brace.strip_prefix("}}") {
            literal.push('}');
            rest = after;
        } else if let Some(inner) = brace.strip_prefix('{') {
            let (hole, after) = split_hole(inner)?;
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal).into()));
            }
            pieces.push(Piece::Hole(compile(hole).map_err(hint_at_braces)?));
            rest = after;
        } else {
            return Err(ExprError::new("a `}` closes nothing").expecting(FORM));
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal.into()));
    }
    Ok(pieces.into())
}

/// What is in the hole, and what follows it.
fn split_hole(inner: &str) -> Result<(&str, &str), ExprError> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c == '}' => {
                let (hole, after) = inner.split_at(at);
                return Ok((hole, after.strip_prefix('}').unwrap_or(after)));
            }
            None => {}
        }
    }
    Err(ExprError::new("a `{` is not closed").expecting(FORM))
}

fn hint_at_braces(error: ExprError) -> ExprError {
    let expected = error.expected.map_or_else(|| FORM.to_owned(), |expected| format!("{expected}; or {FORM}"));
    ExprError { message: error.message, expected: Some(expected) }
}

// === impl Piece ===

/// Without the literal text, which may have had a secret interpolated.
impl<H: fmt::Debug> fmt::Debug for Piece<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(text) => write!(f, "Literal({} bytes)", text.len()),
            Self::Hole(hole) => f.debug_tuple("Hole").field(hole).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Result<Vec<Piece<String>>, ExprError> {
        cut(text, |hole| Ok(hole.to_owned())).map(Vec::from)
    }

    fn literal(text: &str) -> Piece<String> {
        Piece::Literal(text.into())
    }

    fn hole(text: &str) -> Piece<String> {
        Piece::Hole(text.to_owned())
    }

    #[test]
    fn text_is_cut_at_its_holes() {
        assert_eq!(pieces("a{b}{c}d"), Ok(vec![literal("a"), hole("b"), hole("c"), literal("d")]));
        assert_eq!(pieces("plain"), Ok(vec![literal("plain")]));
        assert_eq!(pieces(""), Ok(vec![]));
    }

    #[test]
    fn doubled_braces_are_literal() {
        assert_eq!(pieces("{{a}} {b}}}"), Ok(vec![literal("{a} "), hole("b"), literal("}")]));
        assert_eq!(pieces("{{{b}}}"), Ok(vec![literal("{"), hole("b"), literal("}")]));
    }

    #[test]
    fn a_brace_in_quotes_belongs_to_the_hole() {
        assert_eq!(pieces("{$['a}b']}c"), Ok(vec![hole("$['a}b']"), literal("c")]));
        assert_eq!(pieces(r#"{$["\"}"]}"#), Ok(vec![hole(r#"$["\"}"]"#)]));
    }

    #[test]
    fn an_open_or_a_lonely_brace_is_an_error() {
        for text in ["{", "a{b", "}", "a}b", "{'}", "{{}"] {
            assert!(pieces(text).is_err(), "{text}");
        }
    }
}
