//! Requests, events and deliveries as they are written down together, in postcard's encoding: in the journal, and in packs.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use crate::model::{Attempt, Attributes, Event, EventKey, Evidence, Outcome, Request, RequestId, Timestamp};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RequestEntry<'a> {
    id: [u8; 16],
    received_at: i64,
    method: &'a str,
    path: &'a str,
    query: &'a str,
    #[serde(borrow)]
    path_params: Vec<(&'a str, &'a str)>,
    headers: Vec<(&'a str, &'a str)>,
    #[serde(serialize_with = "as_bytes")]
    body: &'a [u8],
    scheme: &'a str,
    secret: Option<&'a str>,
    skew_ms: Option<i64>,
    attempt: Option<u32>,
    configuration: &'a str,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct EventEntry<'a> {
    pub(super) number: i64,
    pub(super) key: [u8; 16],
    pub(super) alias: Option<[u8; 16]>,
    pub(super) until: i64,
    id: &'a str,
    source: &'a str,
    kind: &'a str,
    subject: Option<&'a str>,
    time: Option<&'a str>,
    provider: &'a str,
    route: &'a str,
    data_start: u64,
    data_end: u64,
    pub(super) deliveries: Vec<DeliveryEntry>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct DeliveryEntry {
    pub(super) id: [u8; 16],
    pub(super) lane: i64,
    pub(super) size: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct MadeEntry {
    pub(super) row: i64,
    pub(super) lane: i64,
    pub(super) size: i64,
    pub(super) keep_until: Option<i64>,
    pub(super) number: u32,
    pub(super) began_at: i64,
    pub(super) took: u64,
    pub(super) status: Option<u16>,
}

/// A slice is a list to serde, of which each byte is written by itself.
fn as_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

// === impl RequestEntry ===

impl<'a> RequestEntry<'a> {
    pub(super) fn of(request: &'a Request) -> Self {
        let Request { id, received_at, method, path, query, path_params, headers, body, evidence } = request;
        let Evidence { scheme, secret, skew_ms, attempt, configuration } = evidence;
        Self {
            id: *id.0.as_bytes(),
            received_at: received_at.as_millis(),
            method,
            path,
            query,
            path_params: path_params.iter().map(|(name, value)| (&**name, &**value)).collect(),
            headers: headers.iter().collect(),
            body,
            scheme,
            secret: secret.as_deref(),
            skew_ms: *skew_ms,
            attempt: *attempt,
            configuration,
        }
    }

    /// When it came.
    pub(super) const fn received_at(&self) -> Timestamp {
        Timestamp::from_millis(self.received_at)
    }

    pub(super) fn to_request(&self) -> Request {
        Request {
            id: RequestId(Uuid::from_bytes(self.id)),
            received_at: Timestamp::from_millis(self.received_at),
            method: self.method.into(),
            path: self.path.into(),
            query: self.query.into(),
            path_params: self.path_params.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            headers: self.headers.iter().copied().collect(),
            body: Bytes::copy_from_slice(self.body),
            evidence: Evidence {
                scheme: self.scheme.into(),
                secret: self.secret.map(Into::into),
                skew_ms: self.skew_ms,
                attempt: self.attempt,
                configuration: self.configuration.into(),
            },
        }
    }
}

// === impl EventEntry ===

impl<'a> EventEntry<'a> {
    pub(super) fn of(
        number: i64,
        event: &'a Event,
        key: EventKey,
        alias: Option<EventKey>,
        until: i64,
        deliveries: Vec<DeliveryEntry>,
    ) -> Self {
        let Attributes { id, source, kind, subject, time, provider, route } = event.attributes();
        let data = event.data_range();
        Self {
            number,
            key: *key.as_bytes(),
            alias: alias.map(|alias| *alias.as_bytes()),
            until,
            id,
            source,
            kind,
            subject: subject.as_deref(),
            time: time.as_deref(),
            provider,
            route,
            data_start: data.start as u64,
            data_end: data.end as u64,
            deliveries,
        }
    }

    /// Its id, type and subject.
    pub(super) const fn names(&self) -> (&'a str, &'a str, Option<&'a str>) {
        (self.id, self.kind, self.subject)
    }

    /// The route that it came in on.
    pub(super) const fn route(&self) -> &'a str {
        self.route
    }

    /// The event.
    pub(super) fn to_event(&self, request: &Arc<Request>) -> Event {
        let attributes = Attributes {
            id: self.id.into(),
            source: self.source.into(),
            kind: self.kind.into(),
            subject: self.subject.map(Into::into),
            time: self.time.map(Into::into),
            provider: self.provider.into(),
            route: self.route.into(),
        };
        let position = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        Event::unparsed(attributes, Arc::clone(request), position(self.data_start)..position(self.data_end))
    }
}

// === impl MadeEntry ===

impl MadeEntry {
    pub(super) fn attempt(&self) -> Attempt {
        Attempt {
            number: self.number,
            at: Timestamp::from_millis(self.began_at),
            duration: Duration::from_millis(self.took),
            status: self.status,
            outcome: Outcome::Delivered,
            detail: Box::default(),
        }
    }
}
