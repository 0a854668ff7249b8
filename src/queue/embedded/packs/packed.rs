//! What is in a pack, as it is written down.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::super::entry::{EventEntry, MadeEntry, RequestEntry};

/// A request with those of its events that are in the pack, in order.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct PackedRequest<'a> {
    /// Its row.
    pub(super) row: i64,
    pub(super) accepted_at: i64,
    #[serde(borrow)]
    pub(super) request: RequestEntry<'a>,
    pub(super) events: Vec<PackedEntry<'a>>,
}

/// An event with its deliveries.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct PackedEntry<'a> {
    /// The deliveries that it was accepted with are not in it.
    #[serde(borrow)]
    pub(super) event: EventEntry<'a>,
    pub(super) deliveries: Vec<PackedDelivery<'a>>,
}

/// A delivery that was made and is kept.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct PackedDelivery<'a> {
    pub(super) id: [u8; 16],
    pub(super) made: MadeEntry,
    /// The attempts that failed before, as JSON.
    #[serde(borrow)]
    pub(super) history: Option<Cow<'a, str>>,
}

/// Adds a request to a pack.
pub(super) fn encode(request: &PackedRequest<'_>, entries: Vec<u8>) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_extend(request, entries)
}

/// The requests in a pack, in order.
pub(super) fn decode(mut entries: &[u8]) -> Result<Vec<PackedRequest<'_>>, postcard::Error> {
    let mut requests = Vec::new();
    while !entries.is_empty() {
        let (request, rest) = postcard::take_from_bytes(entries)?;
        requests.push(request);
        entries = rest;
    }
    Ok(requests)
}
