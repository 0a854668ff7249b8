//! Why there was no complete answer: the clients' errors as reasons. By the type and kind of each cause, never by its
//! text.

use std::error::Error;
use std::io;
use std::iter;

use super::direct::DirectError;
use super::guard::{RefusedAddress, Unresolved};
use crate::model::{Outcome, Reason};

/// Why an exchange failed, whichever client made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// What it is counted as.
    pub(super) reason: Reason,
    /// The innermost cause, for a person. It never shows the URL.
    pub(super) cause: Option<String>,
}

// === impl Failure ===

impl Failure {
    /// It took too long.
    pub(super) const fn timeout() -> Self {
        Self { reason: Reason::Timeout, cause: None }
    }

    /// There is no request target in the URL.
    pub(super) fn no_request_target() -> Self {
        Self { reason: Reason::InvalidRequest, cause: Some("Parsed Url is not a valid Uri".to_owned()) }
    }

    /// What it comes to.
    pub(super) const fn outcome(&self) -> Outcome {
        match self.reason {
            Reason::InvalidRequest => Outcome::DeadLetter(Reason::InvalidRequest),
            reason => Outcome::Retry(reason),
        }
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        // The error itself is left out of the causes: it shows the URL.
        Self { reason: reason(&error), cause: root_cause(&error) }
    }
}

impl From<DirectError> for Failure {
    fn from(error: DirectError) -> Self {
        let reason = match &error {
            DirectError::Connect(_) if causes(&error).any(|cause| cause.is::<RefusedAddress>()) => {
                Reason::RefusedAddress
            }
            DirectError::Connect(_) if causes(&error).any(|cause| cause.is::<Unresolved>()) => Reason::Dns,
            DirectError::Connect(_) | DirectError::ConnectTimeout(_) => Reason::Connect,
            DirectError::Exchange(_) if causes(&error).any(timed_out) => Reason::Timeout,
            DirectError::Exchange(_) => Reason::BrokenResponse,
        };
        Self { reason, cause: root_cause(&error) }
    }
}

/// The innermost cause, for a person.
pub(super) fn root_cause(error: &(dyn Error + 'static)) -> Option<String> {
    causes(error).last().map(ToString::to_string)
}

fn reason(error: &reqwest::Error) -> Reason {
    if error.is_builder() {
        return Reason::InvalidRequest;
    }
    if causes(error).any(|cause| cause.is::<RefusedAddress>()) {
        return Reason::RefusedAddress;
    }
    if causes(error).any(|cause| cause.is::<rustls::Error>()) {
        return Reason::Tls;
    }
    if error.is_connect() {
        return match () {
            () if error.is_dns() => Reason::Dns,
            () if causes(error).any(closed_in_handshake) => Reason::Tls,
            () => Reason::Connect,
        };
    }
    if error.is_timeout() {
        return Reason::Timeout;
    }
    Reason::BrokenResponse
}

/// While connecting, nothing but a TLS handshake reads: only there can the other side's end come too early.
fn closed_in_handshake(cause: &(dyn Error + 'static)) -> bool {
    is_io(cause, io::ErrorKind::UnexpectedEof)
}

/// What was sent was never acknowledged.
fn timed_out(cause: &(dyn Error + 'static)) -> bool {
    is_io(cause, io::ErrorKind::TimedOut)
}

fn is_io(cause: &(dyn Error + 'static), kind: io::ErrorKind) -> bool {
    cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == kind)
}

/// Every cause of an error, the outermost first. `io::Error::source` skips the error that it wraps, which is the one
/// that tells, so that is looked into by hand.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    iter::successors(error.source(), |&cause| match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => cause.source(),
    })
}
