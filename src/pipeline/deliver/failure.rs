//! Why there was no complete answer: the client's errors as reasons. By the type and kind of each cause, never by its
//! text.

use std::error::Error;
use std::io;
use std::iter;

use super::guard::RefusedAddress;
use crate::model::{Outcome, Reason};

/// What a failed exchange comes to.
pub(super) fn outcome(error: &reqwest::Error) -> Outcome {
    match reason(error) {
        reason @ Reason::InvalidRequest => Outcome::DeadLetter(reason),
        reason => Outcome::Retry(reason),
    }
}

/// The innermost cause, for a person. The error itself is left out: it shows the URL.
pub(super) fn root_cause(error: &reqwest::Error) -> Option<String> {
    causes(error).last().map(ToString::to_string)
}

/// Why a failed exchange failed.
pub(super) fn reason(error: &reqwest::Error) -> Reason {
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
    cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof)
}

/// Every cause of an error, the outermost first. `io::Error::source` skips the error that it wraps, which is the one
/// that tells, so that is looked into by hand.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    iter::successors(error.source(), |&cause| match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => cause.source(),
    })
}
