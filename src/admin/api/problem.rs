//! What the API says to a request that it refuses: RFC 9457.

use std::fmt::Display;

use http::StatusCode;
use http::header::{ALLOW, CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::{Map, Value};

use crate::admin::answer::{Answer, respond, with};
use crate::config::nearest;
use crate::queue::QueueError;

/// Why a request was refused. Nothing was changed by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::admin) struct Problem {
    kind: Kind,
    detail: String,
    /// The parameter or the key of the body that is wrong.
    field: Option<String>,
    /// The methods that the path takes.
    allow: Option<String>,
}

/// The problem types: the last part of `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    BadRequest,
    Unauthorized,
    Forbidden,
    NoSuchPath,
    NotFound,
    MethodNotAllowed,
    Timeout,
    Conflict,
    TooLarge,
    MediaType,
    Unavailable,
}

const MEDIA_TYPE: &str = "application/problem+json";
/// How long a client is asked to wait, in seconds.
const RETRY_AFTER_SECONDS: &str = "5";

// === impl Problem ===

impl Problem {
    fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), field: None, allow: None }
    }

    /// 400: a parameter, or a key of the body, is wrong.
    pub(super) fn field(field: &str, detail: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), ..Self::new(Kind::BadRequest, detail) }
    }

    /// 400: nothing of this name is known here.
    pub(super) fn unknown(field: &str, what: &str, known: &[&str]) -> Self {
        let hint = match nearest(field, known.iter().copied()) {
            Some(meant) => format!("; did you mean `{meant}`?"),
            None if known.is_empty() => format!("; there is no {what} here"),
            None => format!("; known here: {}", known.join(", ")),
        };
        Self::field(field, format!("there is no {what} `{field}`{hint}"))
    }

    /// 400: the request as a whole is wrong.
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(Kind::BadRequest, detail)
    }

    /// 401.
    pub(in crate::admin) fn unauthorized() -> Self {
        Self::new(Kind::Unauthorized, "the admin token is missing or wrong")
    }

    /// 403: a page of another site asks on behalf of whoever looks at it.
    pub(super) fn another_site() -> Self {
        Self::new(Kind::Forbidden, "a page of another site may not change anything here")
    }

    /// 403: without a token nobody can be told from anybody.
    pub(super) fn needs_token() -> Self {
        let detail =
            "whole requests are given only to who has the admin token, and this gateway has none: set `admin.token`";
        Self::new(Kind::Forbidden, detail)
    }

    /// 404: the path leads nowhere.
    pub(super) fn no_such_path(path: &str) -> Self {
        let detail = format!("there is nothing at `{path}`: /api/v1/openapi.json says what there is");
        Self::new(Kind::NoSuchPath, detail)
    }

    /// 404: what the path names is not there.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, detail)
    }

    /// 405.
    pub(super) fn method(allowed: &[&str]) -> Self {
        let allow = allowed.join(", ");
        Self { allow: Some(allow.clone()), ..Self::new(Kind::MethodNotAllowed, format!("{allow} only")) }
    }

    /// 408.
    pub(super) fn timeout() -> Self {
        Self::new(Kind::Timeout, "the body did not come in time")
    }

    /// 409: as things are, it cannot be.
    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, detail)
    }

    /// The same, where the request could have said more.
    pub(super) fn for_field(self, field: &str) -> Self {
        Self { field: Some(field.to_owned()), ..self }
    }

    /// 413.
    pub(super) fn too_large(limit: usize) -> Self {
        Self::new(Kind::TooLarge, format!("a body here has at most {limit} bytes"))
    }

    /// 415.
    pub(super) fn media_type() -> Self {
        Self::new(Kind::MediaType, "the body has to be JSON, with Content-Type: application/json")
    }

    pub(in crate::admin) fn answer(&self) -> Answer {
        let (status, word, title) = self.kind.told();
        let mut body = Map::new();
        body.insert("type".to_owned(), Value::from(format!("urn:hookswitch:problem:{word}")));
        body.insert("title".to_owned(), Value::from(title));
        body.insert("status".to_owned(), Value::from(status.as_u16()));
        body.insert("detail".to_owned(), Value::from(&*self.detail));
        if let Some(field) = &self.field {
            body.insert("field".to_owned(), Value::from(&**field));
        }
        let mut answer = respond(status, MEDIA_TYPE, Value::Object(body).to_string());
        if let Some(allow) = &self.allow {
            answer = with(answer, ALLOW, allow);
        }
        match self.kind {
            Kind::Unavailable => with(answer, RETRY_AFTER, RETRY_AFTER_SECONDS),
            Kind::Unauthorized => with(answer, WWW_AUTHENTICATE, "Bearer"),
            // What is left of the body is on the connection still: it cannot carry another request.
            Kind::Timeout | Kind::TooLarge => with(answer, CONNECTION, "close"),
            _ => answer,
        }
    }
}

impl From<QueueError> for Problem {
    fn from(error: QueueError) -> Self {
        let kind = match error {
            QueueError::Refused { .. } => Kind::Conflict,
            _ => Kind::Unavailable,
        };
        Self::new(kind, error.to_string())
    }
}

/// A text that is not one of a few words.
pub(super) fn not_one_of(field: &str, given: &str, words: &[&str]) -> Problem {
    let hint = nearest(given, words.iter().copied()).map(|meant| format!("; did you mean `{meant}`?"));
    Problem::field(
        field,
        format!("`{field}` is `{given}`, which is none of {}{}", words.join(", "), hint.unwrap_or_default()),
    )
}

/// Nothing has this id.
pub(super) fn nothing(what: &str, id: impl Display) -> Problem {
    Problem::not_found(format!("there is no {what} `{id}`: it may have been purged, or kept for its time"))
}

// === impl Kind ===

impl Kind {
    const fn told(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "bad-request", "The request is not understood"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "Not authorized"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "Not allowed"),
            Self::NoSuchPath => (StatusCode::NOT_FOUND, "no-such-path", "No such path"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The path does not take this method")
            }
            Self::Timeout => (StatusCode::REQUEST_TIMEOUT, "timeout", "The request took too long"),
            Self::Conflict => (StatusCode::CONFLICT, "conflict", "Not possible in this state"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large"),
            Self::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "The body is not JSON"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The store cannot be used"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_store_says_is_the_callers_fault_or_worth_another_try() {
        let answer = |error: QueueError| Problem::from(error).answer();
        let full = answer(QueueError::Full { detail: "10 GiB wait".to_owned() });
        assert_eq!((full.status().as_u16(), full.headers().contains_key(RETRY_AFTER)), (503, true));
        let refused = answer(QueueError::Refused { detail: "no".to_owned() });
        assert_eq!((refused.status().as_u16(), refused.headers().contains_key(RETRY_AFTER)), (409, false));
    }
}
