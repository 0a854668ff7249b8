//! The admin API, under `/api/v1`: a file a resource. `openapi.json` is its description, which `tests/openapi.rs` holds
//! against [`ENDPOINTS`].

mod audit;
mod dead_letters;
mod deliveries;
mod destinations;
mod endpoints;
mod events;
mod fields;
mod jobs;
mod keys;
mod problem;
mod requests;
mod secrets;
mod selection;
mod show;
mod sight;
mod story;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use tokio::sync::Semaphore;

use self::endpoints::Operation;
use self::fields::Fields;
pub(super) use self::problem::Problem;
use super::answer::{Answer, JSON, respond};
use crate::app::Gateway;
use crate::model::DeliveryId;
use crate::pipeline::receive::AmbiguousLength;
use crate::queue::{Audit, Home};

pub use self::endpoints::{ENDPOINTS, Endpoint};

/// The API over a running gateway.
#[derive(Debug)]
pub(super) struct Api {
    gateway: Arc<Gateway>,
    /// Who may read the store now. Few at once: a list may look through much, and lanes read there too.
    reading: Semaphore,
    /// Who may audit now: it reads everything.
    auditing: Semaphore,
}

/// A request for one of the endpoints.
struct Call {
    /// What stands for `{id}` in the path, decoded; empty where nothing does.
    id: String,
    fields: Fields,
}

/// The most bytes of a body.
const MAX_BODY: usize = 64 << 10;
/// How many requests read the store at once.
const READERS: usize = 2;
const OPENAPI: &str = include_str!("../openapi.json");

/// An audit as the API shows it: also for an audit of a directory that no gateway has open.
#[must_use]
pub fn audit_report(audit: &Audit) -> serde_json::Value {
    audit::report(audit)
}

// === impl Api ===

impl Api {
    pub(super) fn new(gateway: Arc<Gateway>) -> Self {
        Self { gateway, reading: Semaphore::new(READERS), auditing: Semaphore::new(1) }
    }

    /// Answers a request that was let in.
    pub(super) async fn handle(&self, request: Request<Incoming>) -> Answer {
        let path = request.uri().path().to_owned();
        match self.try_handle(&path, request).await {
            Ok(answer) => answer,
            Err(problem) => problem.answer(),
        }
    }

    async fn try_handle(&self, path: &str, request: Request<Incoming>) -> Result<Answer, Problem> {
        let (endpoint, id) = endpoints::find(path, request.method())?;
        let id =
            percent_decode_str(id).decode_utf8().map_err(|_| Problem::field("id", "`id` is not UTF-8"))?.into_owned();
        let mut fields = Fields::of_query(request.uri().query().unwrap_or_default(), endpoint.query)?;
        if endpoint.changes() {
            from_here(request.headers())?;
            let (headers, body) = self.read(request).await?;
            fields = Fields::of_body(&body, &headers, endpoint.body)?;
        }
        self.operate(endpoint.operation, &Call { id, fields }).await
    }

    async fn operate(&self, operation: Operation, call: &Call) -> Result<Answer, Problem> {
        match operation {
            Operation::Events => events::list(self, call).await,
            Operation::Event => events::show(self, call).await,
            Operation::EventBody => events::body(self, call).await,
            Operation::ReplayEvent => events::replay(self, call).await,
            Operation::Requests => requests::list(self, call).await,
            Operation::Deliveries => deliveries::list(self, call).await,
            Operation::Delivery => deliveries::show(self, call).await,
            Operation::ReplayDelivery => deliveries::replay(self, call).await,
            Operation::DeadLetters => dead_letters::list(self, call).await,
            Operation::DeadLetter => dead_letters::show(self, call).await,
            Operation::ReplayDeadLetter => dead_letters::replay(self, call).await,
            Operation::PurgeDeadLetter => dead_letters::purge(self, call).await,
            Operation::Jobs => jobs::list(self, call).await,
            Operation::BeginJob => jobs::begin(self, call).await,
            Operation::Job => jobs::show(self, call).await,
            Operation::StopJob => jobs::switch(self, call, false).await,
            Operation::ResumeJob => jobs::switch(self, call, true).await,
            Operation::Keys => keys::list(self, call).await,
            Operation::ReleaseKey => keys::release(self, call).await,
            Operation::Destinations => Ok(destinations::list(self)),
            Operation::Secrets => secrets::list(self, call),
            Operation::Ledger => Ok(audit::ledger(self)),
            Operation::Audit => audit::audit(self).await,
            Operation::OpenApi => Ok(respond(StatusCode::OK, JSON, OPENAPI)),
        }
    }

    /// The store, to change it or to look one thing up.
    fn store(&self) -> &dyn Home {
        &**self.gateway.store()
    }

    /// Reads the store, once it is this request's turn.
    async fn reading<T>(&self, read: impl Future<Output = T>) -> T {
        // It is never closed.
        let _turn = self.reading.acquire().await;
        read.await
    }

    /// Reads a body, within bounds.
    async fn read(&self, request: Request<Incoming>) -> Result<(HeaderMap, Bytes), Problem> {
        let (head, body) = request.into_parts();
        if head.extensions.get::<AmbiguousLength>().is_some() {
            return Err(Problem::bad_request("the request has both Content-Length and Transfer-Encoding"));
        }
        let timeout = self.gateway.table().settings.limits.body_timeout;
        #[expect(clippy::disallowed_methods, reason = "it is limited")]
        let reading = Limited::new(body, MAX_BODY).collect();
        match tokio::time::timeout(timeout, reading).await {
            Ok(Ok(body)) => Ok((head.headers, body.to_bytes())),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::too_large(MAX_BODY)),
            Ok(Err(_)) => Err(Problem::bad_request("the body broke off")),
            Err(_) => Err(Problem::timeout()),
        }
    }
}

/// Refuses what a page of another site sends on behalf of whoever looks at it (Fetch Metadata): a listener on loopback
/// has no token that would keep it out.
fn from_here(headers: &HeaderMap) -> Result<(), Problem> {
    let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    if matches!(site, None | Some("same-origin" | "none")) { Ok(()) } else { Err(Problem::another_site()) }
}

// === impl Call ===

impl Call {
    fn delivery_id(&self) -> Result<DeliveryId, Problem> {
        self.id.parse().map_err(|error| Problem::field("id", format!("`id` is no delivery's: {error}")))
    }
}

// === impl Endpoint ===

impl Endpoint {
    /// Whether it changes something. Those that do take a body.
    fn changes(&self) -> bool {
        self.method != Method::GET
    }
}
