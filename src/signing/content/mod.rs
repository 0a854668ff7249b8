//! What a signature covers: text with `{body}`, `{timestamp}` and other parts of the request in braces.

mod fields;
mod hole;
mod url;

use std::borrow::Cow;

use http::HeaderName;

use self::url::UrlText;
use super::{Message, SigningError};
use crate::config::{At, Place, Problem, Problems, file};
use crate::expr::{Choices, Query, Selector};

/// What a signature covers.
#[derive(Debug)]
pub struct Content(Vec<Part>);

/// What a scheme's description refers to outside of itself.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Where the scheme is described.
    pub place: Place,
    /// Where `{id}` is: the provider's event id, or the id of what goes out.
    pub id: &'a Choices,
    /// What stands before the path in `{url}`, where that is known.
    pub public_url: Option<&'a str>,
    /// How `{url}` is written.
    pub url: Option<&'a file::UrlRule>,
    /// Which of the words there is something for.
    pub holes: Holes,
}

/// Which words have something to stand for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holes {
    /// `{timestamp}`: there is a rule for the signed time.
    pub timestamp: bool,
    /// `{secret}`: the secret's text may be in what is signed or hashed.
    pub secret: bool,
    /// `{signature}`: there is one to be shown.
    pub signature: bool,
}

/// What fills the words.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fill<'a> {
    /// The signed time as it is written.
    pub time: Option<&'a str>,
    /// The secret's text.
    pub secret: Option<&'a str>,
    /// A signature as it is written.
    pub signature: Option<&'a str>,
    /// In which of its [variants](Content::variants) the content is.
    pub variant: usize,
}

#[derive(Debug)]
enum Part {
    Literal(Box<str>),
    Body,
    Timestamp,
    Id(Choices),
    Method,
    /// The path and the query as sent.
    PathAndQuery,
    /// With the address that the provider was given.
    Url(UrlText),
    Secret,
    Signature,
    /// The CRC-32 of the body, in decimal.
    Crc32,
    FormSorted,
    /// The header fields that this one names.
    Headers(HeaderName),
    Field(Selector),
    Json(Query),
    /// The same where it has to be there.
    Required(Query),
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

    /// Compiles `content:`. `None` and a problem where it is none.
    pub fn compile(text: &At<String>, context: &Context<'_>, problems: &mut Problems) -> Option<Self> {
        let content = Self::cut(text, problems, |name| hole::part(name, context))?;
        if !content.0.iter().any(Part::is_of_the_request) {
            problems.push(
                Problem::error(text.place, "`content` has nothing of the request: one signature would do for all")
                    .expected(hole::EXPECTED),
            );
            return None;
        }
        Some(content)
    }

    /// Compiles text that is shown, not signed: it may have nothing of the request, and what it names has to be there.
    pub fn compile_shown(text: &At<String>, context: &Context<'_>, problems: &mut Problems) -> Option<Self> {
        Self::cut(text, problems, |name| {
            hole::part(name, context).map(|part| match part {
                Part::Json(query) => Part::Required(query),
                part => part,
            })
        })
    }

    fn cut(text: &At<String>, problems: &mut Problems, part: impl Fn(&str) -> Result<Part, Problem>) -> Option<Self> {
        let pieces = match pieces(text) {
            Ok(pieces) => pieces,
            Err(message) => {
                problems.push(Problem::error(text.place, message).expected("`{{` and `}}` for literal braces"));
                return None;
            }
        };
        let parts: Vec<_> = pieces
            .into_iter()
            .map(|piece| match piece {
                Piece::Literal(text) => Some(Part::Literal(text.into())),
                Piece::Hole(name) => match part(name) {
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
            Part::Json(_) | Part::Required(_) => true,
            Part::Id(choices) => choices.needs_json(),
            Part::Field(selector) => selector.needs_json(),
            _ => false,
        })
    }

    /// The header fields that it covers, in lower case; `None` where the request itself says which.
    #[must_use]
    pub fn headers(&self) -> Option<Vec<&str>> {
        let mut names = Vec::new();
        for part in &self.0 {
            match part {
                Part::Headers(_) => return None,
                Part::Field(selector) => names.extend(selector.looks_at_header()),
                Part::Id(choices) => names.extend(choices.headers()),
                _ => {}
            }
        }
        Some(names)
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

    /// Whether the body is covered: all of it, or the fields of a form.
    #[must_use]
    pub fn covers_body(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Body | Part::FormSorted))
    }

    /// Whether anything of the body is covered.
    #[must_use]
    pub fn covers_some_of_the_body(&self) -> bool {
        self.0.iter().any(|part| match part {
            Part::Body | Part::FormSorted | Part::Crc32 | Part::Json(_) => true,
            Part::Field(selector) => selector.reads_body(),
            _ => false,
        })
    }

    /// Whether the body of this request is covered by its fields.
    #[must_use]
    pub fn covers_form_of(&self, message: &Message<'_>) -> bool {
        self.0.iter().any(|part| matches!(part, Part::FormSorted)) && fields::is_form(message.scope.headers)
    }

    /// Whether the secret's text is in it, so that there is another for each secret.
    #[must_use]
    pub fn has_secret(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Secret))
    }

    /// In how many ways the sender may have written it.
    #[must_use]
    pub fn variants(&self) -> usize {
        let urls = self.0.iter().filter_map(|part| match part {
            Part::Url(url) => Some(url.variants()),
            _ => None,
        });
        urls.max().unwrap_or(1)
    }

    /// The signed bytes, cut into parts that borrow from the request: a body is never copied.
    ///
    /// # Errors
    /// Where the request lacks something that is covered.
    pub fn parts<'a>(&'a self, message: &Message<'a>, fill: Fill<'a>) -> Result<Vec<Cow<'a, [u8]>>, SigningError> {
        self.0.iter().map(|part| part.bytes(message, fill)).collect()
    }

    /// The same as text; `None` where something is missing, or the body is no text.
    #[must_use]
    pub fn text(&self, message: &Message<'_>, fill: Fill<'_>) -> Option<String> {
        let mut text = String::new();
        for part in &self.0 {
            text.push_str(std::str::from_utf8(&part.bytes(message, fill).ok()?).ok()?);
        }
        Some(text)
    }
}

// === impl Part ===

impl Part {
    fn is_of_the_request(&self) -> bool {
        !matches!(self, Self::Literal(_) | Self::Secret | Self::Signature)
    }

    fn bytes<'a>(&'a self, message: &Message<'a>, fill: Fill<'a>) -> Result<Cow<'a, [u8]>, SigningError> {
        match self {
            Self::Literal(text) => Ok(borrowed(text)),
            Self::Body => Ok(Cow::Borrowed(message.scope.body)),
            Self::Timestamp => fill.time.map(borrowed).ok_or(SigningError::MissingTimestamp),
            Self::Secret => fill.secret.map(borrowed).ok_or(SigningError::Incomplete),
            Self::Signature => fill.signature.map(borrowed).ok_or(SigningError::Incomplete),
            Self::Id(choices) => match choices.choose(&message.scope) {
                Ok(Some(id)) => Ok(bytes(id)),
                Ok(None) => Err(SigningError::Incomplete),
                Err(_) => Err(SigningError::Malformed),
            },
            Self::Method => Ok(borrowed(message.scope.method.as_str())),
            Self::PathAndQuery if message.scope.query.is_empty() => Ok(borrowed(message.path)),
            Self::PathAndQuery => Ok(bytes(format!("{}?{}", message.path, message.scope.query).into())),
            Self::Url(url) => {
                url.write(message, fill.variant).map(|url| bytes(url.into())).ok_or(SigningError::Incomplete)
            }
            Self::Crc32 => Ok(bytes(crc32fast::hash(message.scope.body).to_string().into())),
            Self::FormSorted => Ok(bytes(fields::form_sorted(message.scope.headers, message.scope.body).into())),
            Self::Headers(list) => fields::named_headers(message.scope.headers, list)
                .map(|text| bytes(text.into()))
                .ok_or(SigningError::Incomplete),
            Self::Field(selector) => message.one(selector)?.map(bytes).ok_or(SigningError::Incomplete),
            Self::Json(query) => json_text(query, message),
            Self::Required(query) => json_text(query, message)
                .and_then(|text| Some(text).filter(|text| !text.is_empty()).ok_or(SigningError::Incomplete)),
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
