//! Requests and events to append.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use crate::model::{Attempt, Attributes, Event, Evidence, Lane, Outcome, Reason, Request, RequestId, Timestamp};
use crate::queue::{Append, Death, NewDelivery, NewEvent, Tally};

/// An event to append: its key, until when that is remembered, and where it goes.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The key, which is the event's id, too.
    pub key: String,
    /// Until when the key is remembered.
    pub remember_until: Option<Timestamp>,
    /// The lanes, all of one route: the event's.
    pub lanes: Vec<Lane>,
    /// What it is in order with, in each of them.
    pub order_key: Option<Box<str>>,
}

// === impl Wanted ===

impl Wanted {
    /// An event whose key is not remembered.
    #[must_use]
    pub fn new(key: &str, lanes: &[Lane]) -> Self {
        Self { key: key.to_owned(), remember_until: None, lanes: lanes.to_vec(), order_key: None }
    }

    /// The same, with its key remembered.
    #[must_use]
    pub fn remembered(self, until: Timestamp) -> Self {
        Self { remember_until: Some(until), ..self }
    }

    /// The same, in order with others of this key.
    #[must_use]
    pub fn in_order_with(self, key: &str) -> Self {
        Self { order_key: Some(key.into()), ..self }
    }
}

/// A request with these events: its body is a JSON array, each element an event's data.
#[must_use]
pub fn append(wanted_events: &[Wanted]) -> Append {
    let mut body = "[".to_owned();
    let mut ranges = Vec::new();
    for wanted in wanted_events {
        // Unusual spacing and the order of keys must come back byte for byte.
        let data = format!("{{ \"z\":1,  \"key\": \"{}\", \"a\": 0.10 }}", wanted.key);
        ranges.push(body.len()..body.len() + data.len());
        body.push_str(&data);
        body.push(',');
    }
    body.pop();
    body.push(']');
    let request = Arc::new(Request {
        id: RequestId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001)),
        received_at: Timestamp::from_millis(1_700_000_000_123),
        method: "POST".into(),
        path: "/hooks/shop/7".into(),
        query: "v=1&v=2".into(),
        path_params: vec![("shop".into(), "7".into())],
        headers: [("Content-Type", "application/json"), ("X-Twice", "a"), ("X-Twice", "b")].into_iter().collect(),
        body: Bytes::from(body),
        evidence: Evidence {
            scheme: "hmac".into(),
            secret: Some("new".into()),
            skew_ms: Some(-42),
            attempt: Some(2),
            configuration: "5eed".into(),
            ..Evidence::default()
        },
        json: None,
    });
    let events = wanted_events.iter().zip(ranges).map(|(wanted, range)| {
        let value = serde_json::from_slice(&request.body[range.clone()]).unwrap();
        let event = Event::new(attributes(wanted), Arc::clone(&request), range, value);
        NewEvent {
            event: Arc::new(event),
            key: wanted.key.clone(),
            remember_until: wanted.remember_until,
            deliveries: wanted.lanes.iter().map(|lane| delivery(wanted, lane)).collect(),
        }
    });
    let route = route_of(wanted_events);
    let tally = Tally { received: wanted_events.len() as u64, ..Tally::default() };
    let events = events.collect();
    Append { request, route, tally, events }
}

/// A request with one event.
#[must_use]
pub fn one(key: &str, lanes: &[Lane]) -> Append {
    append(&[Wanted::new(key, lanes)])
}

fn delivery(wanted: &Wanted, lane: &Lane) -> NewDelivery {
    NewDelivery { lane: lane.clone(), order_key: wanted.order_key.clone() }
}

fn route_of(events: &[Wanted]) -> Arc<str> {
    events
        .iter()
        .flat_map(|wanted| &wanted.lanes)
        .next()
        .map_or_else(|| "orders".into(), |lane| Arc::clone(&lane.route))
}

/// An attempt that was made.
#[must_use]
pub fn success(number: u32) -> Attempt {
    Attempt { status: Some(204), outcome: Outcome::Delivered, detail: "".into(), ..failure(number) }
}

/// An end without an attempt.
#[must_use]
pub fn death(reason: Reason, at: Timestamp) -> Death {
    Death { reason, at, attempt: None, park: false }
}

/// An attempt that failed.
#[must_use]
pub fn failure(number: u32) -> Attempt {
    Attempt {
        number,
        at: Timestamp::from_millis(1_700_000_000_000 + i64::from(number)),
        duration: Duration::from_millis(37),
        status: Some(503),
        outcome: Outcome::Retry(Reason::ServerError),
        detail: "503 Service Unavailable: \"later\"".into(),
    }
}

/// A lane of the route `orders`.
#[must_use]
pub fn lane(delivery: &str) -> Lane {
    Lane::new("orders", delivery)
}

fn attributes(wanted: &Wanted) -> Attributes {
    Attributes {
        id: wanted.key.as_str().into(),
        source: "/hooks/shop/7".into(),
        kind: "order.paid".into(),
        subject: Some("order/7".into()),
        time: None,
        provider: "shop".into(),
        route: wanted.lanes.first().map_or_else(|| "orders".into(), |lane| Arc::clone(&lane.route)),
    }
}
