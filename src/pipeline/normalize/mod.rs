//! The third stage: the events of a verified request.

mod attributes;
mod cloudevents;
mod forms;
mod mapped;
mod media;
mod spans;

use std::ops::Range;
use std::sync::Arc;

use http::{HeaderName, header};
use serde_json::Value;

use self::cloudevents::Open;
use self::mapped::Mapping;
use crate::config::{At, Problems, file};
use crate::expr::{EvalError, Needs, kept};
use crate::model::{Attributes, Event, Evidence, Excerpt, Headers, Reading as BodyReading, Request, RequestId};
use crate::pipeline::{Received, Verified};

/// Where in a route's requests its events are, compiled.
#[derive(Debug)]
pub struct Normalizer {
    provider: Arc<str>,
    route: Arc<str>,
    reading: Reading,
    left_out: Vec<HeaderName>,
}

/// A request's events.
#[derive(Debug)]
pub struct Normalized {
    /// The request, shared by its events.
    pub request: Arc<Request>,
    /// Its events: at least one.
    pub events: Vec<Occurrence>,
}

/// An event, and what makes it the same as another of its route.
#[derive(Debug)]
pub struct Occurrence {
    /// The event.
    pub event: Arc<Event>,
    /// What makes it the same as another: its id, with the sender's `source` where the sender names one.
    pub key: String,
}

/// Why a verified request has no events. Never holds anything of the request's body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAnEvent {
    /// The media type is not JSON.
    #[error("the content type is not JSON")]
    MediaType,
    /// The body is compressed.
    #[error("the body has a content encoding: events are taken uncompressed")]
    ContentEncoding,
    /// The body is not JSON.
    #[error("the body is not JSON: line {line}, column {column}")]
    NotJson {
        /// Where, from 1.
        line: usize,
        /// Where, from 1 in the line (0 before it).
        column: usize,
    },
    /// What makes an event is not there.
    #[error("the event has no {what}: looked at {looked_at}")]
    Missing {
        /// The attribute.
        what: &'static str,
        /// Where it was looked for, as the configuration has it.
        looked_at: String,
    },
    /// The request is a batch of nothing.
    #[error("there is no event in it: {looked_at} finds nothing")]
    NoEvents {
        /// Where they were looked for, as the configuration has it.
        looked_at: String,
    },
    /// The batch is too large.
    #[error("the batch has more than {limit} events")]
    TooManyEvents {
        /// The most that one request may have.
        limit: usize,
    },
    /// A query was given up.
    #[error(transparent)]
    Eval(#[from] EvalError),
}

/// The most events that one request may have: they are stored in one transaction.
const MAX_EVENTS: usize = 10_000;
/// The most that the events of one request may take in memory beside their data, in bytes: each has the request's head
/// in its document, so a long head and many small events multiply.
const MAX_HEADS: usize = 64 << 20;
/// What an event takes in memory beside its data and the head, in bytes, about.
const EVENT_OVERHEAD: usize = 1024;

#[derive(Debug)]
enum Reading {
    /// As the provider says.
    Mapped(Box<Mapping>),
    /// A CloudEvents request for what it is, any other JSON by `$.type` and `$.id`.
    Open(Box<Open>),
}

/// What is known of an event before its request is put together.
#[derive(Debug)]
struct Draft {
    id: Box<str>,
    kind: Box<str>,
    subject: Option<Box<str>>,
    time: Option<Box<str>>,
    /// The sender's own `source`, where the request is a CloudEvents one.
    source: Option<Box<str>>,
    data: Range<usize>,
    /// What goes with the event of its document.
    kept: Option<Kept>,
}

/// An event's data as far as it was read, and what that is needed for.
#[derive(Debug)]
struct Kept {
    /// What is needed of the document: of its data as much as was read.
    needs: Arc<Needs>,
    data: Excerpt,
}

// === impl Normalizer ===

impl Normalizer {
    /// Compiles where the events of a route are. `map` is its provider's; without one the route takes CloudEvents
    /// and any other JSON with a `type`. `credentials` are the header fields that are not to be kept.
    pub fn compile(
        route: &Arc<str>,
        provider: Option<(&str, &At<file::EventMap>)>,
        credentials: &[HeaderName],
        problems: &mut Problems,
    ) -> Option<Self> {
        let reading = match provider {
            Some((_, map)) => Reading::Mapped(Box::new(Mapping::compile(map, problems)?)),
            None => Reading::Open(Box::new(Open::new()?)),
        };
        Some(Self {
            provider: provider.map(|(name, _)| name).unwrap_or_default().into(),
            route: Arc::clone(route),
            reading,
            left_out: NEVER_KEPT.iter().chain(credentials).cloned().collect(),
        })
    }

    /// The same for a route where `needs` is what its deliveries look at in an event's document. It is read once then, and
    /// goes with the event.
    #[must_use]
    pub fn keeping(mut self, needs: &Needs) -> Self {
        let data = needs.of_member("data");
        if data.is_nothing() {
            return self;
        }
        match &mut self.reading {
            Reading::Mapped(mapping) => mapping.keep(needs, &data),
            Reading::Open(open) => open.keep(needs, &data),
        }
        self
    }

    /// The events of a verified request, which is named `id`. The fingerprint of the `configuration` in force is kept with
    /// them.
    ///
    /// # Errors
    /// Where it is not JSON, or there is no event in it: then nothing of it is to be kept.
    pub fn normalize(
        &self,
        verified: Verified,
        id: RequestId,
        configuration: &Arc<str>,
    ) -> Result<Normalized, NotAnEvent> {
        let body = match &self.reading {
            Reading::Mapped(mapping) => mapping.body(verified.received())?,
            Reading::Open(_) => BodyReading::Json,
        };
        let json = body.json(&verified.received().body);
        let drafts = match &self.reading {
            Reading::Mapped(mapping) => {
                mapping.read(verified.received(), json.as_deref().unwrap_or(&verified.received().body))?
            }
            Reading::Open(open) => open.read(verified.received())?,
        };
        let (received, evidence) = verified.into_parts();
        let attempt = match &self.reading {
            Reading::Mapped(mapping) => mapping.attempt(&received),
            Reading::Open(_) => None,
        };
        let evidence = Evidence { attempt, configuration: Arc::clone(configuration), reading: body, ..evidence };
        let head = head_bytes(&received);
        let limit = most_events(head + received.query.len());
        if drafts.len() > limit {
            return Err(NotAnEvent::TooManyEvents { limit });
        }
        let request = Arc::new(Request { json, ..self.keep(received, head, evidence, id) });
        let events = drafts.into_iter().map(|draft| self.occurrence(draft, &request)).collect();
        Ok(Normalized { request, events })
    }

    fn keep(&self, received: Received, head: usize, evidence: Evidence, id: RequestId) -> Request {
        let mut headers = Headers::with_capacity(received.headers.len(), head);
        for (name, value) in &received.headers {
            if let Ok(value) = value.to_str()
                && !self.left_out.contains(name)
            {
                headers.push(name.as_str(), value);
            }
        }
        Request {
            id,
            received_at: received.received_at,
            method: received.method.as_str().into(),
            path: received.path,
            query: received.query,
            path_params: received.path_params,
            headers,
            body: received.body,
            evidence,
            json: None,
        }
    }

    fn occurrence(&self, draft: Draft, request: &Arc<Request>) -> Occurrence {
        let key = match &draft.source {
            Some(source) => format!("{source}\n{}", draft.id),
            None => String::from(&*draft.id),
        };
        let attributes = Attributes {
            id: draft.id,
            source: draft.source.unwrap_or_else(|| request.path.clone()),
            kind: draft.kind,
            subject: draft.subject,
            time: draft.time,
            provider: Arc::clone(&self.provider),
            route: Arc::clone(&self.route),
        };
        let event = Event::unparsed(attributes, Arc::clone(request), draft.data);
        let event = match draft.kept {
            Some(Kept { needs, data }) => kept(event, &needs, data),
            None => event,
        };
        Occurrence { event: Arc::new(event), key }
    }
}

/// Credentials wherever they turn up, and what belongs to one connection (RFC 9110, section 7.6.1).
const NEVER_KEPT: [HeaderName; 9] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::PROXY_AUTHORIZATION,
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Whether a header field is kept of no request, whatever its route says.
#[must_use]
pub fn is_never_kept(name: &HeaderName) -> bool {
    NEVER_KEPT.contains(name)
}

/// What is needed of a document, where as much is read of its data as is said of that: it is kept in the order of what it was
/// read for.
fn with_data(document: &Needs, data: &Needs) -> Arc<Needs> {
    let mut needs = document.clone();
    if needs.by_name().is_some() {
        *needs.name("data") = data.clone();
    }
    Arc::new(needs)
}

/// What the header fields of a request take, in bytes.
fn head_bytes(received: &Received) -> usize {
    received.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

/// How many events a request may have, where its head takes so many bytes.
fn most_events(head: usize) -> usize {
    MAX_EVENTS.min(MAX_HEADS / (EVENT_OVERHEAD + head))
}

/// Parses a body, within serde_json's bound of 128 levels.
fn parse(body: &[u8]) -> Result<Value, NotAnEvent> {
    serde_json::from_slice(body).map_err(|error| NotAnEvent::NotJson { line: error.line(), column: error.column() })
}

#[cfg(test)]
mod tests;
