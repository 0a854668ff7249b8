//! What the journal says: a record for each group, in postcard's encoding.

use serde::{Deserialize, Serialize};

use super::super::entry::{EventEntry, MadeEntry, RequestEntry};

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

/// Adds an entry to a record.
pub(super) fn encode(entry: &Entry<'_>, record: Vec<u8>) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_extend(entry, record)
}

/// The entries of a record, in order.
pub(super) fn decode(mut record: &[u8]) -> Result<Vec<Entry<'_>>, postcard::Error> {
    let mut entries = Vec::new();
    while !record.is_empty() {
        let (entry, rest) = postcard::take_from_bytes(record)?;
        entries.push(entry);
        record = rest;
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::super::entry::DeliveryEntry;
    use super::*;
    use crate::model::{Event, EventKey, Request, sample};

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
        let read = decode(&record).unwrap();
        assert_eq!(read, entries);
        let Some(Entry::Append(append)) = read.first() else { panic!("{read:?}") };
        let again = append.request.to_request();
        assert!(again == request, "the request");
        let event_again = append.events[0].to_event(&Arc::new(again));
        assert_eq!(event_again.attributes(), event.attributes());
        assert_eq!(event_again.data_bytes(), b"[1]");
        assert!(decode(&record[..record.len() - 1]).is_err());
    }
}
