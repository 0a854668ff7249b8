//! `success:`, what a 2xx has to say to be a delivery.

use http::HeaderMap;
use serde_json::{Map, Value};

use crate::config::{At, Problem, Problems};
use crate::expr::Predicate;

/// What a 2xx has to say to be a delivery. Of what is no 2xx it is never asked.
#[derive(Debug)]
pub(super) struct Judge(Predicate);

/// A 2xx as it is judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged<'r> {
    pub(super) status: u16,
    pub(super) headers: &'r HeaderMap,
    /// All of it, or `None` where it is longer than what is read.
    pub(super) body: Option<&'r [u8]>,
}

/// Why a 2xx is no delivery, for a person. Nothing of the response is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Objection {
    #[error("`success` does not hold")]
    DoesNotHold,
    #[error("`success` does not hold: the response is longer than what is read of it, so it has no `body`")]
    TooLong,
    #[error("`success` does not hold: the response is not JSON, so it has no `body`")]
    NotJson,
    #[error("`success` visits too many nodes of the response")]
    Budget,
}

// === impl Judge ===

impl Judge {
    /// Compiles `success:`. `None` and a problem where it is none.
    pub(super) fn compile(text: &At<String>, problems: &mut Problems) -> Option<Self> {
        let predicate = match Predicate::parse(text) {
            Ok(predicate) => predicate,
            Err(error) => {
                problems.push(Problem::expression(text.place, "`success`", &error.message, error.expected));
                return None;
            }
        };
        if let Some(why) = predicate.never_holds() {
            problems.push(Problem::error(text.place, format!("no response is ever a success: {why}")));
            return None;
        }
        Some(Self(predicate))
    }

    /// Whether a 2xx says what it has to.
    pub(super) fn judge(&self, response: &Judged<'_>) -> Result<(), Objection> {
        let body = response.body.map(serde_json::from_slice::<Value>);
        let lack = match (&body, response.body) {
            (None, _) => Objection::TooLong,
            (Some(Err(_)), Some(bytes)) if !bytes.is_empty() => Objection::NotJson,
            _ => Objection::DoesNotHold,
        };
        let root = document(response, body.and_then(Result::ok));
        match self.0.holds(&root) {
            Ok(true) => Ok(()),
            Ok(false) => Err(lack),
            Err(_) => Err(Objection::Budget),
        }
    }
}

/// What `$` is. A body that is not JSON is not there; a header field that is there several times is one list
/// (RFC 9110, section 5.3).
fn document(response: &Judged<'_>, body: Option<Value>) -> Value {
    let mut headers = Map::new();
    for name in response.headers.keys() {
        let values = response.headers.get_all(name).iter();
        let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        headers.insert(name.as_str().to_owned(), values.join(", ").into());
    }
    let mut document = Map::new();
    document.insert("status".to_owned(), response.status.into());
    document.insert("headers".to_owned(), headers.into());
    document.extend(body.map(|body| ("body".to_owned(), body)));
    document.into()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn judge(success: &str, fields: &[(&'static str, &'static str)], body: Option<&[u8]>) -> Result<(), Objection> {
        let mut problems = Problems::new();
        let judge = Judge::compile(&At::nowhere(success.to_owned()), &mut problems).unwrap();
        assert!(problems.is_empty());
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        judge.judge(&Judged { status: 202, headers: &headers, body })
    }

    #[test]
    fn status_headers_and_body_are_what_is_judged() {
        let fields = [("x-state", "queued"), ("x-part", "a"), ("x-part", "b")];
        for success in [
            "$.body.ok == true",
            "$.status == 202",
            "$.headers['x-state'] == 'queued'",
            "$.headers['x-part'] == 'a, b'",
            "!$.body.errors[0] && $.body.items[?@.id == 1]",
        ] {
            let body = br#"{"ok":true,"errors":[],"items":[{"id":1}]}"#;
            assert_eq!(judge(success, &fields, Some(body)), Ok(()), "{success}");
        }
        assert_eq!(judge("$.body.ok == true", &[], Some(br#"{"ok":false}"#)), Err(Objection::DoesNotHold));
        assert_eq!(judge("$.body.ok == true", &[], Some(br#"{"ok":"true"}"#)), Err(Objection::DoesNotHold));
    }

    #[test]
    fn a_body_that_is_not_json_or_not_whole_is_not_there() {
        for (body, objection) in [
            (Some(&b"<html>ok</html>"[..]), Objection::NotJson),
            (Some(b"{\"ok\":tr"), Objection::NotJson),
            (Some(b""), Objection::DoesNotHold),
            (None, Objection::TooLong),
        ] {
            assert_eq!(judge("$.body", &[], body), Err(objection), "{body:?}");
            assert_eq!(judge("!$.body", &[], body), Ok(()), "{body:?}");
        }
        let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
        assert_eq!(judge("$.body", &[], Some(&deep)), Err(Objection::NotJson));
    }

    #[test]
    fn what_is_no_condition_or_can_never_hold_is_a_problem() {
        for success in ["", "true", "$.body.ok ==", "body.ok", "$.status == 200 && $.status == 201"] {
            let mut problems = Problems::new();
            assert!(Judge::compile(&At::nowhere(success.to_owned()), &mut problems).is_none(), "{success}");
            assert_eq!(problems.sorted().len(), 1, "{success}");
        }
    }
}
