//! What a signature covers: text with `{body}`, `{timestamp}` and other parts of the request in braces.

use std::borrow::Cow;

use super::{Message, SigningError};
use crate::config::{At, Place, Problem, Problems};
use crate::expr::{Choices, ExprError, Query, Selector};

/// The parts that are words. Any other part is a selector.
const WORDS: [&str; 5] = ["body", "timestamp", "id", "method", "url"];
const KINDS: [&str; 5] = ["header:", "query:", "path:", "form:", "body:"];
const EXPECTED: &str = "`{body}`, `{timestamp}`, `{id}`, `{method}`, `{url}`, `{header:Name}`, `{query:name}`, \
                        `{path:name}`, `{form:name}` or `{$.path}`";

/// What a signature covers.
#[derive(Debug)]
pub struct Content(Vec<Part>);

/// What a scheme's description refers to outside of itself.
#[derive(Debug)]
pub struct Context<'a> {
    /// Where the scheme is described.
    pub place: Place,
    /// Where `{id}` is: the provider's event id, or the id of what goes out.
    pub id: &'a Choices,
    /// What stands before the path in `{url}`, where that is known.
    pub public_url: Option<&'a str>,
}

#[derive(Debug)]
enum Part {
    Literal(Box<str>),
    Body,
    Timestamp,
    Id(Choices),
    Method,
    /// With the address that the provider was given.
    Url(Box<str>),
    Field(Selector),
    Json(Query),
}

/// A piece of the text as it is written.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'t> {
    Literal(Cow<'t, str>),
    Hole(&'t str),
}

// === impl Content ===

impl Content {
    /// The body and nothing else.
    #[must_use]
    pub fn body() -> Self {
        Self(vec![Part::Body])
    }

    /// Compiles `content:`. `timestamped` is whether there is a rule for the signed time. `None` and a problem where it
    /// is none.
    pub fn compile(
        text: &At<String>,
        context: &Context<'_>,
        timestamped: bool,
        problems: &mut Problems,
    ) -> Option<Self> {
        let pieces = match pieces(text) {
            Ok(pieces) => pieces,
            Err(message) => {
                problems.push(Problem::error(text.place, message).expected("`{{` and `}}` for literal braces"));
                return None;
            }
        };
        if !pieces.iter().any(|piece| matches!(piece, Piece::Hole(_))) {
            problems.push(
                Problem::error(text.place, "`content` has nothing of the request: one signature would do for all")
                    .expected(EXPECTED),
            );
            return None;
        }
        let parts: Vec<_> = pieces
            .into_iter()
            .map(|piece| match piece {
                Piece::Literal(text) => Some(Part::Literal(text.into())),
                Piece::Hole(name) => match part(name, context, timestamped) {
                    Ok(part) => Some(part),
                    Err(problem) => {
                        problems.push(Problem { place: text.place, ..problem });
                        None
                    }
                },
            })
            .collect();
        parts.into_iter().collect::<Option<_>>().map(Self)
    }

    /// Whether the body has to be parsed for it.
    #[must_use]
    pub fn needs_json(&self) -> bool {
        self.0.iter().any(|part| match part {
            Part::Json(_) => true,
            Part::Id(choices) => choices.needs_json(),
            Part::Field(selector) => selector.needs_json(),
            _ => false,
        })
    }

    /// Whether the header `name` (lower case), as the place of the signed time, is covered.
    #[must_use]
    pub fn covers_time_in(&self, name: &str) -> bool {
        self.0.iter().any(|part| match part {
            Part::Timestamp => true,
            Part::Field(selector) => selector.header_name() == Some(name),
            _ => false,
        })
    }

    /// The signed bytes, cut into parts that borrow from the request: a body is never copied. `time` is the signed
    /// time as it is written.
    ///
    /// # Errors
    /// Where the request lacks something that is covered.
    pub fn parts<'a>(
        &'a self,
        message: &Message<'a>,
        time: Option<&'a str>,
    ) -> Result<Vec<Cow<'a, [u8]>>, SigningError> {
        self.0.iter().map(|part| part.bytes(message, time)).collect()
    }
}

// === impl Part ===

impl Part {
    fn bytes<'a>(&'a self, message: &Message<'a>, time: Option<&'a str>) -> Result<Cow<'a, [u8]>, SigningError> {
        match self {
            Self::Literal(text) => Ok(borrowed(text)),
            Self::Body => Ok(Cow::Borrowed(message.scope.body)),
            Self::Timestamp => time.map(borrowed).ok_or(SigningError::MissingTimestamp),
            Self::Id(choices) => match choices.choose(&message.scope) {
                Ok(Some(id)) => Ok(bytes(id)),
                Ok(None) => Err(SigningError::Incomplete),
                Err(_) => Err(SigningError::Malformed),
            },
            Self::Method => Ok(borrowed(message.method.as_str())),
            Self::Url(base) if message.scope.query.is_empty() => Ok(bytes(format!("{base}{}", message.path).into())),
            Self::Url(base) => Ok(bytes(format!("{base}{}?{}", message.path, message.scope.query).into())),
            Self::Field(selector) => message.one(selector)?.map(bytes).ok_or(SigningError::Incomplete),
            Self::Json(query) => json_text(query, message),
        }
    }
}

fn borrowed(text: &str) -> Cow<'_, [u8]> {
    Cow::Borrowed(text.as_bytes())
}

fn bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => borrowed(text),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// The signed text at a path of the body. A member that is null or not there is signed as no text; an object
/// or an array never is, or one could be put where the sender had nothing.
fn json_text<'a>(query: &Query, message: &Message<'a>) -> Result<Cow<'a, [u8]>, SigningError> {
    let root = message.scope.json.ok_or(SigningError::Incomplete)?;
    match query.first(root, root).map_err(|_| SigningError::Malformed)? {
        None | Some(serde_json::Value::Null) => Ok(Cow::Borrowed(&[])),
        Some(serde_json::Value::String(text)) => Ok(borrowed(text)),
        Some(value @ (serde_json::Value::Bool(_) | serde_json::Value::Number(_))) => {
            Ok(Cow::Owned(value.to_string().into_bytes()))
        }
        Some(serde_json::Value::Array(_) | serde_json::Value::Object(_)) => Err(SigningError::Incomplete),
    }
}

/// Compiles what is in a pair of braces. The problem has no place yet.
fn part(name: &str, context: &Context<'_>, timestamped: bool) -> Result<Part, Problem> {
    let error = |message: String| Problem::error(context.place, message);
    match name {
        "body" => Ok(Part::Body),
        "method" => Ok(Part::Method),
        "id" => Ok(Part::Id(context.id.clone())),
        "timestamp" if timestamped => Ok(Part::Timestamp),
        "timestamp" => Err(error("`content` has `{timestamp}`, but there is no `timestamp`".into())
            .expected("`timestamp` beside `content`")),
        "url" => match context.public_url {
            Some(base) => Ok(Part::Url(base.trim_end_matches('/').into())),
            None => Err(error("`content` has `{url}`, but there is no `public_url`".into())
                .expected("`public_url: https://...` at the top of the file: the address that the provider was given")),
        },
        path if path.starts_with('$') => match Query::parse(path) {
            Ok(query) if query.is_singular() => Ok(Part::Json(query)),
            Ok(_) => Err(error(format!("`{{{path}}}` in `content` can find more than one value"))
                .expected("a path to one value, such as `{$.id}`")),
            Err(wrong) => Err(expression(context, wrong)),
        },
        field if KINDS.iter().any(|kind| field.starts_with(kind)) => {
            Selector::parse(field).map(Part::Field).map_err(|wrong| expression(context, wrong))
        }
        other => Err(error(format!("`content` has `{{{other}}}`, which is no part of a request"))
            .expected(EXPECTED)
            .suggest(other, WORDS)),
    }
}

fn expression(context: &Context<'_>, wrong: ExprError) -> Problem {
    let problem = Problem::error(context.place, wrong.message);
    match wrong.expected {
        Some(expected) => problem.expected(expected),
        None => problem,
    }
}

/// Cuts the text at its braces. A brace in the quotes of a JSONPath is part of the path.
fn pieces(text: &str) -> Result<Vec<Piece<'_>>, &'static str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        literal(&mut pieces, before);
        if let Some(after) = from.strip_prefix("{{") {
            literal(&mut pieces, "{");
            rest = after;
        } else if let Some(after) = from.strip_prefix("}}") {
            literal(&mut pieces, "}");
            rest = after;
        } else {
            let inside = from.strip_prefix('{').ok_or("`content` has a `}` that closes nothing")?;
            let end = closing(inside).ok_or("`content` has a `{` that is not closed")?;
            let (name, after) = inside.split_at(end);
            pieces.push(Piece::Hole(name));
            rest = after.strip_prefix('}').unwrap_or(after);
        }
    }
    literal(&mut pieces, rest);
    Ok(pieces)
}

fn literal<'t>(pieces: &mut Vec<Piece<'t>>, text: &'t str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Literal(before)) => before.to_mut().push_str(text),
        _ => pieces.push(Piece::Literal(Cow::Borrowed(text))),
    }
}

fn closing(inside: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, char) in inside.char_indices() {
        match (quote, char) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), char) if char == open => quote = None,
            (Some(_), _) => {}
            (None, '}') => return Some(at),
            (None, '\'' | '"') => quote = Some(char),
            (None, _) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_its_braces() {
        let literal = |text| Piece::Literal(Cow::Borrowed(text));
        for (text, expected) in [
            (
                "v0:{timestamp}:{body}",
                vec![literal("v0:"), Piece::Hole("timestamp"), literal(":"), Piece::Hole("body")],
            ),
            ("{body}{timestamp}", vec![Piece::Hole("body"), Piece::Hole("timestamp")]),
            ("{{{body}}}.", vec![literal("{"), Piece::Hole("body"), literal("}.")]),
            ("{$['}\\'}']}x", vec![Piece::Hole("$['}\\'}']"), literal("x")]),
            ("", vec![]),
        ] {
            assert_eq!(pieces(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_brace_without_its_other_half_is_an_error() {
        for text in ["{body", "{", "body}", "a}b{body}", "{$['}]"] {
            assert!(pieces(text).is_err(), "{text}");
        }
    }
}
