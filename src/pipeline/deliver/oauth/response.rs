//! What a token endpoint answers.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::model::Secret;

/// What a token endpoint answered.
#[derive(Debug)]
pub(super) enum Answered {
    /// A token, and how long it is to be used.
    Token { value: Secret, lifetime: Duration },
    /// None, and why, for a person. Nothing of the response is in it but what RFC 6749 names.
    Refused(String),
}

/// RFC 6749, section 5.1.
#[derive(Deserialize)]
struct Granted {
    access_token: Secret,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    expires_in: Option<Value>,
}

/// RFC 6749, section 5.2.
#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// The most that is read of a response, in bytes.
const LIMIT: usize = 64 * 1024;
/// How long a token is used whose server does not say how long it is good.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(5 * 60);
/// The longest that any is used.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// How long before its end a token is replaced at most: time for the request that carries it.
const MARGIN: Duration = Duration::from_secs(60);

/// The words that an endpoint may give for an error: no others are shown, as it may well quote what it was sent.
const ERRORS: [&str; 8] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "access_denied",
    "temporarily_unavailable",
];

/// Reads a response to its bound. What is longer is cut off, and then is no JSON.
pub(super) async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = LIMIT.saturating_sub(body.len());
        if chunk.len() > room {
            return Ok(Vec::new());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What the endpoint says.
pub(super) fn parse(status: StatusCode, body: &[u8]) -> Answered {
    if !status.is_success() {
        let word = serde_json::from_slice::<Refusal>(body).ok();
        let word = word.and_then(|refusal| ERRORS.into_iter().find(|known| *known == refusal.error));
        let word = word.map(|word| format!(" ({word})")).unwrap_or_default();
        return Answered::Refused(format!("answered {}{word}", status.as_u16()));
    }
    // The parser's own error would quote the response.
    let Ok(granted) = serde_json::from_slice::<Granted>(body) else {
        return Answered::Refused(format!("answered {} without an `access_token`", status.as_u16()));
    };
    if granted.access_token.is_empty() {
        return Answered::Refused("answered an empty `access_token`".to_owned());
    }
    // A type that we do not know must not be used (RFC 6749, section 7.1). That there is none is common.
    if granted.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Answered::Refused("answered a token of another type than `Bearer`".to_owned());
    }
    let expires_in = granted.expires_in.as_ref().and_then(seconds).unwrap_or(DEFAULT_LIFETIME).min(LONGEST);
    let margin = MARGIN.min(expires_in / 5);
    Answered::Token { value: granted.access_token, lifetime: expires_in.saturating_sub(margin) }
}

/// Seconds as a number, or, as some servers have it, as text.
fn seconds(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds.max(0.0)).ok().or(Some(LONGEST)).filter(|_| seconds.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifetime(body: &str) -> Option<u64> {
        match parse(StatusCode::OK, body.as_bytes()) {
            Answered::Token { value, lifetime } => {
                assert_eq!(value.expose(), "t0ken");
                Some(lifetime.as_secs())
            }
            Answered::Refused(_) => None,
        }
    }

    fn refused(status: u16, body: &str) -> String {
        match parse(StatusCode::from_u16(status).unwrap(), body.as_bytes()) {
            Answered::Token { .. } => panic!("a token"),
            Answered::Refused(why) => why,
        }
    }

    #[test]
    fn a_token_is_used_until_shortly_before_it_expires() {
        for (expires_in, used) in [
            ("3600", 3540),
            ("300", 240),
            ("100", 80),
            ("10", 8),
            ("0", 0),
            ("-5", 0),
            ("\"3600\"", 3540),
            ("3600.0", 3540),
            ("null", 240),
            ("\"soon\"", 240),
            ("1e300", 86_340),
            ("99999999999999999999", 86_340),
        ] {
            let body = format!(r#"{{"access_token":"t0ken","token_type":"bearer","expires_in":{expires_in}}}"#);
            assert_eq!(lifetime(&body), Some(used), "{expires_in}");
        }
        assert_eq!(lifetime(r#"{"access_token":"t0ken","more":[1]}"#), Some(240));
    }

    #[test]
    fn what_is_no_token_of_a_known_type_is_refused() {
        for body in [
            "",
            "ok",
            "{}",
            "[]",
            r#"{"access_token":""}"#,
            r#"{"access_token":7}"#,
            r#"{"access_token":"t0ken","token_type":"mac"}"#,
        ] {
            assert!(!refused(200, body).contains("t0ken"), "{body}");
        }
    }

    #[test]
    fn of_an_error_nothing_is_shown_but_the_words_of_the_standard() {
        assert_eq!(
            refused(401, r#"{"error":"invalid_client","error_description":"hunter2"}"#),
            "answered 401 (invalid_client)"
        );
        assert_eq!(refused(400, r#"{"error":"hunter2"}"#), "answered 400");
        assert_eq!(refused(503, "<html>"), "answered 503");
        assert_eq!(refused(302, ""), "answered 302");
    }
}
