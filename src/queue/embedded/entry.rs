//! What the records of the journal and packs consist of, in postcard's encoding.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use crate::model::{Attempt, Attributes, Event, EventKey, Evidence, Outcome, Reading, Request, RequestId, Timestamp};

/// One thing that was committed. Lanes and routes go by their rows, which never change.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Entry<'a> {
    /// A request with those of its events that are new.
    #[serde(borrow)]
    Append(AppendEntry<'a>),
    /// What came in on a route and what became of it.
    Count(CountEntry),
    /// A delivery was made.
    Made(MadeEntry),
    /// A delivery was put off.
    Again(AgainEntry<'a>),
    /// The same as `Append` of a request whose body is no JSON. Only in what is written: it is read as `Append`.
    AppendRead(&'a str, AppendEntry<'a>),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct AppendEntry<'a> {
    #[serde(borrow)]
    pub(super) request: RequestEntry<'a>,
    pub(super) accepted_at: i64,
    pub(super) events: Vec<EventEntry<'a>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct CountEntry {
    pub(super) route: i64,
    pub(super) received: u64,
    pub(super) accepted: u64,
    pub(super) duplicate: u64,
    pub(super) filtered: u64,
    pub(super) invalid: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct AgainEntry<'a> {
    pub(super) row: i64,
    pub(super) lane: i64,
    pub(super) at: i64,
    /// The attempt as JSON, as a delivery's history has it.
    pub(super) attempt: &'a str,
}

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
    /// How the body is read, where that is not JSON: written beside it.
    #[serde(skip)]
    reading: Option<Cow<'a, str>>,
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

/// Adds an entry.
pub(super) fn encode(entry: &Entry<'_>, entries: Vec<u8>) -> Result<Vec<u8>, postcard::Error> {
    match entry {
        Entry::Append(append) => match &append.request.reading {
            Some(reading) => postcard::to_extend(&Read(APPEND_READ, reading, append), entries),
            None => postcard::to_extend(entry, entries),
        },
        _ => postcard::to_extend(entry, entries),
    }
}

/// [`Entry::AppendRead`] of what is borrowed: a variant is its number.
#[derive(Serialize)]
struct Read<'e>(u32, &'e str, &'e AppendEntry<'e>);

/// Which of the variants it is.
const APPEND_READ: u32 = 4;

/// The entries in `bytes`, in order, each with where it stands.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<(Range<usize>, Entry<'_>)>, postcard::Error> {
    let (mut entries, mut start) = (Vec::new(), 0);
    while let Some(left) = bytes.get(start..).filter(|left| !left.is_empty()) {
        let (entry, rest) = postcard::take_from_bytes(left)?;
        let entry = match entry {
            Entry::AppendRead(reading, mut append) => {
                append.request.reading = Some(Cow::Borrowed(reading));
                Entry::Append(append)
            }
            entry => entry,
        };
        let end = bytes.len() - rest.len();
        entries.push((start..end, entry));
        start = end;
    }
    Ok(entries)
}

// === impl RequestEntry ===

impl<'a> RequestEntry<'a> {
    pub(super) fn of(request: &'a Request) -> Self {
        let Request { id, received_at, method, path, query, path_params, headers, body, evidence, json: _ } = request;
        let Evidence { scheme, secret, skew_ms, attempt, configuration, reading } = evidence;
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
            reading: (*reading != Reading::Json).then(|| Cow::Owned(reading.to_string())),
        }
    }

    /// When it came.
    pub(super) const fn received_at(&self) -> Timestamp {
        Timestamp::from_millis(self.received_at)
    }

    pub(super) fn to_request(&self) -> Request {
        let reading = self.reading.as_deref().map(Reading::from_text).unwrap_or_default();
        Request {
            json: reading.json(self.body),
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
                reading,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;

    #[test]
    fn what_was_written_is_read() {
        let request = Request {
            path_params: vec![("shop".into(), "é".into())],
            headers: [("content-type", "application/json"), ("x-a", "")].into_iter().collect(),
            ..sample::request(r#"{"a":[1]}"#)
        };
        let event =
            Event::new(sample::attributes("orders", "a.b"), Arc::new(request.clone()), 5..8, serde_json::Value::Null);
        let key = EventKey::new("orders", "7");
        let delivery = DeliveryEntry { id: [3; 16], lane: 4, size: 900 };
        let count = CountEntry { route: 1, received: 5, accepted: 1, duplicate: 1, filtered: 2, invalid: 1 };
        let made = MadeEntry {
            row: 7168,
            lane: 4,
            size: 900,
            keep_until: None,
            number: 1,
            began_at: 5,
            took: 6,
            status: Some(204),
        };
        let entries = [
            Entry::Append(AppendEntry {
                request: RequestEntry::of(&request),
                accepted_at: 77,
                events: vec![EventEntry::of(7, &event, key, Some(key), 99, vec![delivery])],
            }),
            Entry::Count(count),
            Entry::Made(made),
            Entry::Again(AgainEntry { row: 1, lane: 4, at: 2, attempt: "{}" }),
        ];
        let record = entries.iter().fold(Vec::new(), |record, entry| encode(entry, record).unwrap());
        let (places, read): (Vec<_>, Vec<_>) = decode(&record).unwrap().into_iter().unzip();
        assert_eq!(read, entries);
        assert_eq!(decode(&record[places[1].start..]).unwrap().len(), 3);
        let Some(Entry::Append(append)) = read.first() else { panic!("{read:?}") };
        let again = append.request.to_request();
        let form = Request {
            body: Bytes::from_static(b"a=1&b=2"),
            json: Some(Bytes::from_static(br#"{"a":"1","b":"2"}"#)),
            evidence: Evidence { reading: Reading::Form, ..Evidence::default() },
            ..request.clone()
        };
        let entry = AppendEntry { request: RequestEntry::of(&form), accepted_at: 77, events: Vec::new() };
        let written = encode(&Entry::Append(entry), Vec::new()).unwrap();
        let Some((_, Entry::Append(entry))) = decode(&written).unwrap().pop() else { panic!("{written:?}") };
        assert!(entry.request.to_request() == form, "a request whose body is no JSON");
        assert!(again == request, "the request");
        let event_again = append.events[0].to_event(&Arc::new(again));
        assert_eq!(event_again.attributes(), event.attributes());
        assert_eq!(event_again.data_bytes(), b"[1]");
        assert!(decode(&record[..record.len() - 1]).is_err());
    }
}
