//! A refused request: what is logged of it, and its answer.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;

use super::exchange::respond;
use crate::pipeline::{Refusal, Told};
use crate::routing::Route;

/// Answers a refused request, and logs it where the route is known.
pub(super) fn answer(refusal: &Refusal, route: Option<&Route>) -> Response<Full<Bytes>> {
    let (by_itself, _) = refusal.status();
    let name = route.map(|route| &*route.name).unwrap_or_default();
    log(refusal, name, by_itself);
    respond(Told::refusal(refusal, route.map(|route| &route.respond)))
}

/// A status by number; 500 where there is no such status, which the configuration rules out.
pub(super) fn status(number: u16) -> StatusCode {
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn log(refusal: &Refusal, route: &str, status: StatusCode) {
    let status = status.as_u16();
    match refusal {
        Refusal::NoRoute => tracing::debug!(status, "refused: {refusal}"),
        Refusal::Unavailable(_) => tracing::error!(route, status, reason = refusal.label(), "refused: {refusal}"),
        Refusal::Unverified(rejection) => {
            tracing::warn!(route, status, reason = refusal.label(), "refused: {refusal}: {}", rejection.next_step());
        }
        _ => tracing::warn!(route, status, reason = refusal.label(), "refused: {refusal}"),
    }
}
