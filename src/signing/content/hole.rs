//! What can stand in the braces of signed content.

use super::url::UrlText;
use super::{Context, Part};
use crate::config::Problem;
use crate::expr::{ExprError, Query, Selector};

/// The parts that are words. Any other part is a selector.
const WORDS: [&str; 9] = ["body", "timestamp", "id", "method", "path", "url", "crc32", "form_sorted", "secret"];
const KINDS: [&str; 5] = ["header:", "query:", "path:", "form:", "body:"];
pub(super) const EXPECTED: &str = "`{body}`, `{timestamp}`, `{id}`, `{method}`, `{path}`, `{url}`, `{crc32}`, `{form_sorted}`, \
                                   `{headers:Name}`, `{header:Name}`, `{query:name}`, `{path:name}`, `{form:name}` or `{$.path}`";

/// Compiles what is in a pair of braces. The problem has no place yet.
pub(super) fn part(name: &str, context: &Context<'_>) -> Result<Part, Problem> {
    let error = |message: String| Problem::error(context.place, message);
    match name {
        "body" => Ok(Part::Body),
        "method" => Ok(Part::Method),
        "path" => Ok(Part::PathAndQuery),
        "crc32" => Ok(Part::Crc32),
        "form_sorted" => Ok(Part::FormSorted),
        "id" => Ok(Part::Id(context.id.clone())),
        "timestamp" if context.holes.timestamp => Ok(Part::Timestamp),
        "timestamp" => Err(error("`content` has `{timestamp}`, but there is no `timestamp`".into())
            .expected("`timestamp` beside `content`")),
        "secret" if context.holes.secret => Ok(Part::Secret),
        "secret" => Err(error("`{secret}` is for `keyed_hash` and `rsa`: elsewhere the secret is the key".into())
            .expected("`content` without it")),
        "signature" if context.holes.signature => Ok(Part::Signature),
        "url" => match context.public_url {
            Some(base) => Ok(Part::Url(UrlText::new(base, context.url))),
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
        other => match other.strip_prefix("headers:").map(str::parse) {
            Some(Ok(list)) => Ok(Part::Headers(list)),
            Some(Err(_)) => Err(error(format!("`{other}` names no header"))
                .expected("the header that lists the signed ones, such as `{headers:X-Signed-Headers}`")),
            None => Err(error(format!("`content` has `{{{other}}}`, which is no part of a request"))
                .expected(EXPECTED)
                .suggest(other, WORDS)),
        },
    }
}

fn expression(context: &Context<'_>, wrong: ExprError) -> Problem {
    let problem = Problem::error(context.place, wrong.message);
    match wrong.expected {
        Some(expected) => problem.expected(expected),
        None => problem,
    }
}
