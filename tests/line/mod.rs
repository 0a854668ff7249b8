//! The stages as a library, for what measures them one by one: a configuration compiled as the gateway compiles it, and the
//! requests that come in on it. What the stages do is tested elsewhere; this only has to be the usual case.
#![allow(dead_code, unreachable_pub, reason = "each measurement uses its part of this")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a figure that cannot be had is a panic")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookswitch::app::configure_text;
use hookswitch::config::load::FixedSurroundings;
use hookswitch::model::{Attempt, DeliveryId, Event, Lane, ManualClock, Outcome, RequestId, Timestamp};
use hookswitch::pipeline::deliver::Outbound;
use hookswitch::pipeline::enqueue::{Origin, Wanted, enqueue};
use hookswitch::pipeline::normalize::{Normalized, Occurrence};
use hookswitch::pipeline::verify::Unsigned;
use hookswitch::pipeline::{Payload, Received, Verified};
use hookswitch::queue::embedded::{Embedded, Options};
use hookswitch::queue::{Appended, Lease, NewDelivery, Queue, QueueError, Settled, Tally};
use hookswitch::routing::{Delivery, Route, RouteTable};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};
use tempfile::TempDir;
use uuid::Uuid;

/// When everything happens.
pub const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);
/// BSPK, had it signatures and ids: the case that is measured beside the peers.
const BSPK: &str = "
providers:
  signed-bspk:
    auth: { hmac: { hash: sha256, signature: { from: 'header:X-Bspk-Signature', prefix: 'sha256=', encoding: hex } } }
    event: { type: $.event_name, id: 'header:X-Bspk-Event', time: $.object.updated_at, subject: $.object.id, data: $.object }
destinations:
  crm: { url: 'http://127.0.0.1:8081/clients' }
routes:
";
/// Where the requests go.
pub const PATH: &str = "/hooks/bspk";
const SECRET: &str = "a secret of thirty-two characters";
/// The header fields of a client that sends little.
const FIELDS: [(&str, &str); 7] = [
    ("host", "hooks.example.com"),
    ("user-agent", "bspk-webhooks/2.3"),
    ("accept", "*/*"),
    ("accept-encoding", "gzip"),
    ("content-type", "application/json"),
    ("content-length", "1624"),
    ("x-bspk-event", ""),
];

/// What a `deliver` entry has beside its destination.
pub const BY_TYPE: &str = "filter: $.type == 'client.updated'";
/// The same, where the data decides.
pub const BY_DATA: &str = "filter: $.type == 'client.updated' && $.data.consent == true";
const TRANSFORM: &str = "transform: {
  name: '{$.data.first_name} {$.data.last_name}', email: $.data.email, at: $.time,
  language: { $path: $.data.language, $default: EN }, city: { $path: '$.data.addresses[0].city', $default: unknown },
  interests: '$.data.interests[*]', store: $.data.current_store.external_id }";
/// Auth schemes that the four providers have beside HMAC.
pub const BEARER: &str = "{ token: { from: 'header:Authorization', prefix: 'Bearer ' } }";
pub const JWT: &str = "{ jwt: { algorithms: [HS256] } }";

/// One route of a compiled configuration, and a request that it takes.
pub struct Line {
    pub table: RouteTable,
    pub route: Arc<Route>,
    pub lane: Lane,
    signed: Unsigned,
}

impl Line {
    /// A signed `client.updated`, filtered and reshaped, on the last of so many routes.
    pub fn bspk(filter: &str, routes: usize) -> Self {
        let mut text = BSPK.to_owned();
        for number in 1..routes {
            text.push_str(&format!(
                "  - {{ name: r{number}, path: /hooks/r{number}, auth: none, deliver: [{{ to: crm }}] }}\n"
            ));
        }
        let delivery = format!("{{ to: crm, {filter}, {TRANSFORM} }}");
        text.push_str(&format!(
            "  - {{ name: bspk, path: {PATH}, provider: signed-bspk, secret: '{SECRET}', deliver: [{delivery}] }}\n"
        ));
        Self::new(&text)
    }

    /// The same request under another scheme, which stands in the route.
    pub fn with_auth(auth: &str) -> Self {
        let destinations = "destinations: { crm: { url: 'http://127.0.0.1:8081/clients' } }\n";
        let route =
            format!("{{ name: bspk, path: {PATH}, auth: {auth}, secret: '{SECRET}', deliver: [{{ to: crm }}] }}");
        Self::new(&format!("{destinations}routes: [{route}]"))
    }

    fn new(text: &str) -> Self {
        let configured = configure_text("routes.yaml", text, &FixedSurroundings::new());
        let table = configured.unwrap_or_else(|error| panic!("{error}")).table;
        let route = Arc::clone(table.find(PATH).unwrap().route);
        let mut signed = unsigned();
        route.verifier.sign(&mut signed, NOW).unwrap();
        Self { table, route, lane: Lane::new("bspk", "crm"), signed }
    }

    /// A request with an event id of its own.
    pub fn request(&self, number: u64) -> Received {
        let mut request = self.signed.clone();
        request.headers.insert("x-bspk-event", HeaderValue::try_from(event_id(number)).unwrap());
        request.received(NOW)
    }

    pub fn verify(&self, received: Received) -> Verified {
        self.route.verifier.verify(received, NOW).unwrap()
    }

    pub fn normalize(&self, verified: Verified, number: u64) -> Normalized {
        let id = RequestId(Uuid::from_u128(number.into()));
        self.route.normalizer.normalize(verified, id, &self.table.fingerprint).unwrap()
    }

    pub fn filter(&self, event: &Event) -> Vec<NewDelivery> {
        let deliveries = self.route.wants.deliveries(event).unwrap();
        assert_eq!(deliveries.len(), 1, "the event is wanted");
        deliveries
    }

    /// What the stages before it hand to `enqueue`.
    pub fn wanted(&self, number: u64) -> (Normalized, Vec<NewDelivery>) {
        let normalized = self.normalize(self.verify(self.request(number)), number);
        let deliveries = self.filter(first(&normalized));
        (normalized, deliveries)
    }

    /// As the gateway puts it together.
    pub async fn enqueue(
        &self,
        queue: &dyn Queue,
        (normalized, deliveries): (Normalized, Vec<NewDelivery>),
    ) -> Result<Appended, QueueError> {
        let Normalized { request, events } = normalized;
        let wanted = |occurrence: Occurrence| Wanted { event: occurrence.event, key: occurrence.key, deliveries };
        let wanted = events.into_iter().next().map(wanted).into_iter().collect();
        let origin = Origin {
            route: Arc::clone(&self.route.name),
            remember: self.route.remember,
            tally: Tally { received: 1, filtered: 0, invalid: 0 },
        };
        enqueue(queue, request, wanted, origin, NOW).await
    }

    /// The lease of an event that is stored now.
    pub async fn lease(&self, queue: &dyn Queue, number: u64) -> Lease {
        self.enqueue(queue, self.wanted(number)).await.unwrap().leases.pop().unwrap()
    }

    /// The id of the delivery that the event of this number causes.
    pub fn id(&self, number: u64) -> DeliveryId {
        DeliveryId::new(&event_id(number), &self.lane)
    }

    pub fn delivery(&self) -> &Arc<Delivery> {
        self.table.delivery(&self.lane).unwrap()
    }

    pub fn transform(&self, event: &Event) -> Payload {
        self.delivery().shape.render(event).unwrap()
    }

    pub fn outbound(&self, event: &Event, payload: Payload, id: DeliveryId) -> Outbound {
        Outbound::new(&self.delivery().target, event, payload, id, 1, NOW).unwrap()
    }

    /// What the gateway tells the queue of a delivery that was made.
    pub async fn settle(&self, queue: &dyn Queue, lease: Lease) -> Settled {
        let attempt = Attempt {
            number: 1,
            at: NOW,
            duration: Duration::from_millis(3),
            status: Some(200),
            outcome: Outcome::Delivered,
            detail: Box::default(),
        };
        let keep_until = self.delivery().retain.map(|span| NOW.after(span));
        queue.ack(lease, attempt, keep_until).await.unwrap()
    }
}

/// The one event of a request.
pub fn first(normalized: &Normalized) -> &Arc<Event> {
    &normalized.events.first().unwrap().event
}

/// A queue on the disk on which the project is: a machine's directory for temporary files may be memory.
pub fn queue() -> (Arc<Embedded>, TempDir) {
    let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let queue = Embedded::open(Options::new(directory.path()), Arc::new(ManualClock::new(NOW))).unwrap();
    (queue, directory)
}

fn event_id(number: u64) -> String {
    format!("evt-{number:012}")
}

fn unsigned() -> Unsigned {
    let field = |(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    Unsigned {
        method: Method::POST,
        path: PATH.into(),
        query: Box::default(),
        path_params: Vec::new(),
        headers: FIELDS.into_iter().map(field).collect::<HeaderMap>(),
        body: body(),
    }
}

/// The provider's sample, in the 1624 bytes that the peers were given.
fn body() -> Bytes {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/providers/bspk/client.updated.json");
    let sample: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut body = Vec::new();
    sample.serialize(&mut Serializer::with_formatter(&mut body, PrettyFormatter::with_indent(b" "))).unwrap();
    assert_eq!(body.len(), 1624, "the sample is another one");
    body.into()
}
