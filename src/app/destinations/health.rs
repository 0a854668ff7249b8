//! What an attempt says about its destination, rather than about its event.

use std::time::Duration;

use crate::model::{Outcome, Reason};
use crate::pipeline::deliver::Answer;

/// What an attempt says about its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// It takes requests: it answered, if only to refuse this event.
    Well,
    /// It fails, with why; and how long it asks to be left alone, where it does.
    Failed(Reason, Option<Duration>),
    /// Nothing: the request was not sent, or not to its end.
    Unknown,
}

/// Statuses whose `Retry-After` is about the destination as a whole (RFC 6585, section 4; RFC 9110, section 15.6.4).
const ABOUT_ALL: [u16; 2] = [429, 503];

// === impl Health ===

impl Health {
    pub(super) fn of(answer: &Answer) -> Self {
        match answer.outcome {
            Outcome::Delivered => Self::Well,
            // Without a token nothing can be sent; one that the destination refused says that it answers.
            Outcome::Retry(Reason::Oauth) if answer.status.is_none() => Self::Failed(Reason::Oauth, None),
            Outcome::Retry(reason) | Outcome::DeadLetter(reason) if is_failure(reason) => {
                let about_all = answer.status.is_some_and(|status| ABOUT_ALL.contains(&status));
                Self::Failed(reason, answer.retry_after.filter(|asked| about_all && !asked.is_zero()))
            }
            _ if answer.status.is_some() => Self::Well,
            _ => Self::Unknown,
        }
    }
}

/// Whether a reason is the destination's failure. Any other 4xx is about the event or our credentials, a 3xx about the
/// configuration, and what was not sent about the transform.
const fn is_failure(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Dns
            | Reason::Connect
            | Reason::RefusedAddress
            | Reason::Tls
            | Reason::Timeout
            | Reason::BrokenResponse
            | Reason::RateLimited
            | Reason::ServerError
            | Reason::UnexpectedStatus
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(outcome: Outcome, status: Option<u16>, retry_after: Option<u64>) -> Health {
        let retry_after = retry_after.map(Duration::from_secs);
        Health::of(&Answer { status, outcome, retry_after, detail: "".into(), excerpt: "".into() })
    }

    #[test]
    fn what_is_about_the_event_is_no_failure_of_the_destination() {
        for (outcome, status) in [
            (Outcome::Delivered, Some(200)),
            (Outcome::Retry(Reason::ClientError), Some(404)),
            (Outcome::Retry(Reason::ClientError), Some(422)),
            (Outcome::DeadLetter(Reason::Redirect), Some(301)),
            (Outcome::Retry(Reason::Oauth), Some(401)),
            (Outcome::Retry(Reason::Unsuccessful), Some(200)),
        ] {
            assert_eq!(health(outcome, status, None), Health::Well, "{status:?}");
        }
        for reason in [Reason::Transform, Reason::InvalidRequest] {
            assert_eq!(health(Outcome::DeadLetter(reason), None, None), Health::Unknown, "{reason}");
        }
    }

    #[test]
    fn what_keeps_every_event_from_it_is_a_failure() {
        for reason in [
            Reason::Dns,
            Reason::Connect,
            Reason::RefusedAddress,
            Reason::Tls,
            Reason::Oauth,
            Reason::Timeout,
            Reason::BrokenResponse,
        ] {
            assert_eq!(health(Outcome::Retry(reason), None, None), Health::Failed(reason, None), "{reason}");
        }
        let broken_off = health(Outcome::Retry(Reason::Timeout), Some(200), None);
        assert_eq!(broken_off, Health::Failed(Reason::Timeout, None));
        let error = health(Outcome::Retry(Reason::ServerError), Some(500), Some(9));
        assert_eq!(error, Health::Failed(Reason::ServerError, None), "a 500 speaks for its request alone");
    }

    #[test]
    fn a_429_and_a_503_may_ask_to_be_left_alone() {
        let nine = Some(Duration::from_secs(9));
        let limited = |asked| health(Outcome::Retry(Reason::RateLimited), Some(429), asked);
        assert_eq!(limited(Some(9)), Health::Failed(Reason::RateLimited, nine));
        assert_eq!(limited(Some(0)), Health::Failed(Reason::RateLimited, None));
        assert_eq!(limited(None), Health::Failed(Reason::RateLimited, None));
        let busy = health(Outcome::Retry(Reason::ServerError), Some(503), Some(9));
        assert_eq!(busy, Health::Failed(Reason::ServerError, nine));
    }
}
