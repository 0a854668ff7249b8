//! What a client is told, whatever came of its request: the answer to the byte, which the gateway sends and a rehearsal
//! shows.

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use serde::Serialize;
use serde_json::json;

use super::receive::ReceiveError;
use super::refusal::Refusal;
use super::respond::{Answer, Ending, Respond};
use super::verify::Rejection;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The status.
    pub status: u16,
    /// The header fields that we set.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// The answer of a route that says nothing else: the id of the event, and all where there are others.
#[derive(Serialize)]
struct Ids<'i> {
    id: Option<&'i str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ids: Option<&'i [&'i str]>,
}

/// What an event that was kept is answered with where the provider does not say.
const ACCEPTED: u16 = 202;

/// An answer without a body.
const NO_CONTENT: u16 = 204;

/// How long a provider is asked to wait, in seconds.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

// === impl Told ===

impl Told {
    /// What a provider hears of a request with these events, all of which were kept, known or not wanted.
    #[must_use]
    pub fn of(respond: &Respond, ending: Ending, ids: &[&str]) -> Self {
        Self::or_json(respond.render(ending, ACCEPTED, ids), || match ids {
            [id] => Ids { id: Some(id), ids: None }.to_bytes(),
            ids => Ids { id: ids.first().copied(), ids: Some(ids) }.to_bytes(),
        })
    }

    /// What a provider hears of a handshake.
    #[must_use]
    pub fn handshake(answer: Answer) -> Self {
        Self::or_json(answer, Bytes::new)
    }

    /// What a client hears of a request that was refused; `respond` is that of its route.
    #[must_use]
    pub fn refusal(refusal: &Refusal, respond: Option<&Respond>) -> Self {
        let (by_itself, ending) = refusal.status();
        let provided = respond.zip(ending).map(|(respond, ending)| respond.render(ending, by_itself.as_u16(), &[]));
        let answer = provided.unwrap_or_else(|| Answer::new(by_itself.as_u16()));
        let mut told = Self::or_json(answer, || Bytes::from(json!({ "error": refusal.told() }).to_string()));
        if matches!(refusal, Refusal::Receive(_)) {
            // What is left of the body is on the connection still: it cannot carry another request.
            told.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        match refusal {
            Refusal::Method => {
                told.headers.insert(ALLOW, HeaderValue::from_static("POST"));
            }
            Refusal::Unavailable(_)
            | Refusal::Unconfirmed
            | Refusal::Unverified(Rejection::KeyUnavailable)
            | Refusal::Receive(ReceiveError::Busy) => {
                told.headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
            }
            _ => {}
        }
        told
    }

    /// An answer; `json` is its body where the configuration gives it none.
    fn or_json(answer: Answer, json: impl FnOnce() -> Bytes) -> Self {
        let Answer { status, mut headers, body } = answer;
        // RFC 9110, section 15.3.5: a 204 has none.
        if status == NO_CONTENT {
            headers.remove(CONTENT_TYPE);
            return Self { status, headers, body: Bytes::new() };
        }
        let body = body.unwrap_or_else(|| {
            let body = json();
            if !body.is_empty() {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
            body
        });
        Self { status, headers, body }
    }
}

// === impl Ids ===

impl Ids<'_> {
    fn to_bytes(&self) -> Bytes {
        // Text is always JSON.
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::QueueError;

    #[test]
    fn who_may_come_back_is_told_when_and_who_was_not_read_to_the_end_to_hang_up() {
        let busy = Told::refusal(&Refusal::Receive(ReceiveError::Busy), None);
        assert_eq!(busy.status, 503);
        assert_eq!(
            (&busy.headers[RETRY_AFTER], &busy.headers[CONNECTION]),
            (&"5".parse().unwrap(), &"close".parse().unwrap())
        );
        let full = Told::refusal(&Refusal::Unavailable(QueueError::Full { detail: String::new() }), None);
        assert!(full.headers.contains_key(RETRY_AFTER) && !full.headers.contains_key(CONNECTION));
        let method = Told::refusal(&Refusal::Method, None);
        assert_eq!((method.status, &method.headers[ALLOW]), (405, &"POST".parse().unwrap()));
    }

    #[test]
    fn a_provider_that_does_not_say_hears_the_ids() {
        let told = |ids: &[&str]| Told::of(&Respond::default(), Ending::Accepted, ids);
        assert_eq!((told(&["a"]).status, &*told(&["a"]).body), (202, &br#"{"id":"a"}"#[..]));
        assert_eq!(&*told(&["a", "b"]).body, br#"{"id":"a","ids":["a","b"]}"#);
    }
}
