//! One request, from its head to its answer: the intake half of the line, stage by stage.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use uuid::Builder;

use super::finished::Finished;
use super::rescue;
use super::shared::Shared;
use crate::model::{Event, RequestId, Timestamp};
use crate::pipeline::enqueue::{Origin, Wanted, enqueue};
use crate::pipeline::handshake::{Handshaken, Moment};
use crate::pipeline::normalize::{Normalized, NotAnEvent};
use crate::pipeline::receive::{BodyShare, Bounds};
use crate::pipeline::respond::Ending;
use crate::pipeline::{Received, Refusal, Told, Verified};
use crate::queue::{Admission, QueueError, Tally};
use crate::routing::{Route, RouteTable};

/// How many events of a request ended how.
#[derive(Debug, Default)]
struct Outcomes {
    accepted: u64,
    duplicate: u64,
    filtered: u64,
}

/// Takes one request of `route` from its head to its answer.
///
/// # Errors
/// Where it is refused: then nothing of it is kept.
pub(super) async fn exchange(
    shared: &Arc<Shared>,
    table: &RouteTable,
    route: &Arc<Route>,
    path_params: Vec<(Box<str>, Box<str>)>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Refusal> {
    if request.method() != Method::POST && !route.handshakes.take(request.method()) {
        return Err(Refusal::Method);
    }
    let (head, body) = request.into_parts();
    let bounds = Bounds { max_body: route.max_body, body_timeout: table.settings.limits.body_timeout };
    let (received, share) = Received::read(head, body, path_params, bounds, &shared.bodies, &*shared.clock).await?;
    if let Some(handshaken) = route.handshakes.answer(&received, Moment::BeforeAuth) {
        return Ok(respond(Told::handshake(handshaken.answer)));
    }
    let verified = verify(shared, route, received).await?;
    if let Some(handshaken) = route.handshakes.answer(verified.received(), Moment::AfterAuth) {
        return confirm(shared, route, handshaken).await;
    }
    if verified.received().method != Method::POST {
        return Err(Refusal::Method);
    }
    let now = verified.received().received_at;
    let normalized = match route.normalizer.normalize(verified, request_id(now), &table.fingerprint) {
        Ok(normalized) => normalized,
        Err(why) => return Err(invalid(shared, route, why).await),
    };
    // A client that hangs up takes this future with it, but not the deliveries that are on their way to the disk: they
    // must come to their lanes still.
    let storing = Finished::new(store(Arc::clone(shared), Arc::clone(route), normalized, now, share));
    // Whoever is on call must not take a mistake of ours for a stop.
    AssertUnwindSafe(storing).catch_unwind().await.unwrap_or_else(|_| {
        let detail = "storing a request panicked: please report what stands above".to_owned();
        Err(Refusal::Unavailable(QueueError::Store { detail }))
    })
}

async fn verify(shared: &Shared, route: &Route, received: Received) -> Result<Verified, Refusal> {
    let now = received.received_at;
    if route.verifier.lacks(&received, now).is_some() {
        fetch_key(shared, route, &received).await;
    }
    let verifications = &shared.metrics.verifications;
    match route.verifier.verify(received, now) {
        Ok(verified) => {
            let secret = verified.evidence().secret.as_deref().unwrap_or_default();
            route.secrets.used(secret, now);
            verifications.with_label_values(&[&*route.name, "verified", secret]).inc();
            Ok(verified)
        }
        Err(rejection) => {
            verifications.with_label_values(&[&*route.name, rejection.as_str(), ""]).inc();
            Err(Refusal::Unverified(rejection))
        }
    }
}

/// Has the verifier know the key that it lacks, where that can be had. Why it cannot be, it says itself.
async fn fetch_key(shared: &Shared, route: &Route, received: &Received) {
    let Some(fetching) = route.verifier.fetching() else { return };
    // One asks, and the others find it known.
    let _fetching = fetching.lock().await;
    let now = shared.clock.now();
    let Some(wanted) = route.verifier.lacks(received, now).filter(|_| route.verifier.may_ask(now)) else { return };
    let answer = shared.fetch.key(&wanted.request).await;
    if let Err(error) = &answer {
        let host = wanted.request.url.host_str().unwrap_or_default();
        tracing::warn!(route = &*route.name, host, %error, "a key of the provider's could not be fetched: the request is refused, and the provider asked to send it again");
    }
    route.verifier.learn(&wanted, answer.as_deref().ok(), shared.clock.now());
}

/// Visits the address that a handshake confirms by, and answers.
async fn confirm(shared: &Shared, route: &Route, handshaken: Handshaken) -> Result<Response<Full<Bytes>>, Refusal> {
    if let Some(address) = &handshaken.confirm {
        let host = address.host_str().unwrap_or_default();
        match shared.fetch.visit(address).await {
            Ok(()) => tracing::info!(route = &*route.name, host, "confirmed a subscription"),
            Err(error) => {
                tracing::warn!(route = &*route.name, host, %error, "a subscription could not be confirmed: the provider is asked to send it again");
                return Err(Refusal::Unconfirmed);
            }
        }
    }
    Ok(respond(Told::handshake(handshaken.answer)))
}

/// Counts a request in which there is no event. It is refused also where that cannot be stored: there is nothing to lose.
async fn invalid(shared: &Shared, route: &Route, why: NotAnEvent) -> Refusal {
    shared.metrics.events.with_label_values(&[&*route.name, "invalid"]).inc();
    let tally = Tally { received: 1, filtered: 0, invalid: 1 };
    if let Err(error) = shared.queue.count(Arc::clone(&route.name), tally).await {
        tracing::warn!(route = &*route.name, %error, "a request without an event could not be counted in the ledger");
    }
    Refusal::Invalid(why)
}

/// Filters, enqueues, hands what is new to the workers, and answers. The memory of the body is given back at the end.
async fn store(
    shared: Arc<Shared>,
    route: Arc<Route>,
    normalized: Normalized,
    now: Timestamp,
    _share: BodyShare,
) -> Result<Response<Full<Bytes>>, Refusal> {
    let events: Vec<Arc<Event>> = normalized.events.iter().map(|occurrence| Arc::clone(&occurrence.event)).collect();
    let mut outcomes = Outcomes::default();
    let mut wanted = Vec::with_capacity(normalized.events.len());
    for occurrence in normalized.events {
        let deliveries = match route.wants.deliveries(&occurrence.event) {
            Ok(deliveries) => deliveries,
            Err(error) => return Err(invalid(&shared, &route, error.into()).await),
        };
        if deliveries.is_empty() {
            outcomes.filtered += 1;
        } else {
            wanted.push(Wanted { event: occurrence.event, key: occurrence.key, deliveries });
        }
    }
    let origin = Origin {
        route: Arc::clone(&route.name),
        remember: route.remember,
        tally: Tally { received: events.len() as u64, filtered: outcomes.filtered, invalid: 0 },
    };
    let appended = enqueue(&*shared.queue, normalized.request, wanted, origin, now).await?;
    shared.lanes.dispatch(appended.leases).await;
    for admission in appended.admissions {
        match admission {
            Admission::Accepted => outcomes.accepted += 1,
            Admission::Duplicate => outcomes.duplicate += 1,
        }
    }
    outcomes.count(&shared, &route);
    let ids: Vec<&str> = events.iter().map(|event| event.id()).collect();
    Ok(respond(Told::of(&route.respond, outcomes.ending(), &ids)))
}

/// Version 7, so that ids sort by the time that the clock says. It is no secret: random numbers of the process do, without
/// asking the kernel for each.
fn request_id(now: Timestamp) -> RequestId {
    let millis = u64::try_from(now.as_millis()).unwrap_or_default();
    let mut random = [0; 10];
    fastrand::fill(&mut random);
    RequestId(Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}

/// An answer as it is sent.
pub(super) fn respond(told: Told) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(told.body));
    *response.status_mut() = rescue::status(told.status);
    *response.headers_mut() = told.headers;
    response
}

// === impl Outcomes ===

impl Outcomes {
    const fn ending(&self) -> Ending {
        if self.accepted > 0 {
            Ending::Accepted
        } else if self.duplicate > 0 {
            Ending::Duplicate
        } else {
            Ending::Filtered
        }
    }

    fn count(&self, shared: &Shared, route: &Route) {
        for (outcome, count) in
            [("accepted", self.accepted), ("duplicate", self.duplicate), ("filtered", self.filtered)]
        {
            if count > 0 {
                shared.metrics.events.with_label_values(&[&*route.name, outcome]).inc_by(count);
            }
        }
    }
}
