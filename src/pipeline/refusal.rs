//! The one place where an error becomes a status, and what a client is told of it.

use http::StatusCode;

use super::normalize::NotAnEvent;
use super::receive::ReceiveError;
use super::respond::Ending;
use super::verify::Rejection;
use crate::queue::QueueError;

/// Why a request was refused. Nothing of it was kept.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No route has its path.
    #[error("no route has this path")]
    NoRoute,
    /// The route takes POST.
    #[error("the route takes POST only")]
    Method,
    /// It could not be read to its end.
    #[error(transparent)]
    Receive(#[from] ReceiveError),
    /// It was not verified.
    #[error("not verified: {}", .0.as_str())]
    Unverified(Rejection),
    /// What it asked us to confirm could not be confirmed.
    #[error("the subscription could not be confirmed")]
    Unconfirmed,
    /// There is no event in it.
    #[error(transparent)]
    Invalid(NotAnEvent),
    /// The queue cannot keep it.
    #[error(transparent)]
    Unavailable(#[from] QueueError),
}

// === impl Refusal ===

impl Refusal {
    /// The status it has by itself, and what the provider may have its own answer for.
    #[must_use]
    pub const fn status(&self) -> (StatusCode, Option<Ending>) {
        match self {
            Self::NoRoute => (StatusCode::NOT_FOUND, None),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, None),
            Self::Receive(ReceiveError::Framing | ReceiveError::Broken) => (StatusCode::BAD_REQUEST, None),
            Self::Receive(ReceiveError::TooLarge { .. }) => (StatusCode::PAYLOAD_TOO_LARGE, None),
            Self::Receive(ReceiveError::Timeout) => (StatusCode::REQUEST_TIMEOUT, None),
            Self::Receive(ReceiveError::Busy) => (StatusCode::SERVICE_UNAVAILABLE, Some(Ending::Unavailable)),
            // We could not look; whoever sent it did nothing wrong.
            Self::Unverified(Rejection::KeyUnavailable) | Self::Unconfirmed => {
                (StatusCode::SERVICE_UNAVAILABLE, Some(Ending::Unavailable))
            }
            Self::Unverified(_) => (StatusCode::UNAUTHORIZED, Some(Ending::Unauthorized)),
            Self::Invalid(NotAnEvent::MediaType | NotAnEvent::ContentEncoding) => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, Some(Ending::Invalid))
            }
            Self::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, Some(Ending::Invalid)),
            Self::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, Some(Ending::Unavailable)),
        }
    }

    /// What the client is told: nothing that helps to forge, nothing of our inside. Where an event was looked for is
    /// configuration, and under `auth: none` anybody could ask for it: that is for the log.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::Unavailable(_) | Self::Unconfirmed | Self::Unverified(Rejection::KeyUnavailable) => {
                "unavailable, try again later".to_owned()
            }
            Self::Unverified(_) => "unauthorized".to_owned(),
            Self::Invalid(NotAnEvent::Missing { what, .. }) => format!("the event has no {what}"),
            Self::Invalid(NotAnEvent::NoEvents { .. }) => "there is no event in it".to_owned(),
            Self::Invalid(NotAnEvent::Eval(_)) => "the event has too many parts to be looked at".to_owned(),
            other => other.to_string(),
        }
    }

    /// The word for the log.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::NoRoute => "no_route",
            Self::Method => "method",
            Self::Receive(ReceiveError::Framing) => "framing",
            Self::Receive(ReceiveError::TooLarge { .. }) => "too_large",
            Self::Receive(ReceiveError::Timeout) => "timeout",
            Self::Receive(ReceiveError::Broken) => "broken_off",
            Self::Receive(ReceiveError::Busy) => "busy",
            Self::Unverified(rejection) => rejection.as_str(),
            Self::Unconfirmed => "unconfirmed",
            Self::Invalid(NotAnEvent::MediaType) => "media_type",
            Self::Invalid(NotAnEvent::ContentEncoding) => "content_encoding",
            Self::Invalid(NotAnEvent::NotJson { .. }) => "not_json",
            Self::Invalid(NotAnEvent::Missing { .. }) => "missing",
            Self::Invalid(NotAnEvent::NoEvents { .. }) => "no_events",
            Self::Invalid(NotAnEvent::TooManyEvents { .. }) => "too_many_events",
            Self::Invalid(NotAnEvent::Eval(_)) => "too_costly",
            Self::Unavailable(QueueError::Full { .. }) => "queue_full",
            Self::Unavailable(_) => "queue",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::EvalError;

    #[test]
    fn a_client_is_told_nothing_of_the_configuration() {
        let looked_at = || "$.event_name".to_owned();
        let limit = 77;
        for (refusal, told) in [
            (NotAnEvent::Missing { what: "type", looked_at: looked_at() }, "the event has no type"),
            (NotAnEvent::NoEvents { looked_at: looked_at() }, "there is no event in it"),
            (NotAnEvent::Eval(EvalError::Budget { limit }), "the event has too many parts to be looked at"),
            (NotAnEvent::NotJson { line: 2, column: 5 }, "the body is not JSON: line 2, column 5"),
        ] {
            assert_eq!(Refusal::Invalid(refusal).told(), told);
        }
        let detail = "disk I/O error in /var/lib/hookswitch".to_owned();
        assert_eq!(Refusal::Unavailable(QueueError::Store { detail }).told(), "unavailable, try again later");
        for rejection in [Rejection::Missing, Rejection::Mismatch] {
            assert_eq!(Refusal::Unverified(rejection).told(), "unauthorized");
        }
    }
}
