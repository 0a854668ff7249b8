//! Rows and what they are in memory.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Row, Statement, params};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::sum::Sum;
use crate::model::{
    Attempt, Attributes, DeliveryId, Event, EventKey, Evidence, Outcome, Reason, Request, RequestId, Timestamp,
};

/// A delivery with its event: the delivery's id, when it was accepted and since when its budget runs, its attempts, then
/// what [`Record::read`] takes.
pub(super) const SELECT_DELIVERY: &str =
    "SELECT p.id, p.accepted_at, coalesce(p.replayed_at, p.accepted_at), p.attempts,
     e.request, e.id, e.source, e.type, e.subject, e.time, e.provider, e.route, e.data_start, e.data_length, e.key, e.sum,
     p.row, p.lane, p.size, p.key, p.sum
     FROM pending AS p LEFT JOIN events AS e ON e.row = p.row / 1024 WHERE p.row = ?1";

/// An event, as [`Record::read`] takes it.
pub(super) const SELECT_EVENT: &str = "SELECT
     e.request, e.id, e.source, e.type, e.subject, e.time, e.provider, e.route, e.data_start, e.data_length, e.key, e.sum
     FROM events AS e WHERE e.row = ?1";

/// An event's row, without its request.
#[derive(Debug)]
pub(super) struct Record {
    /// The row of its request.
    pub(super) request: i64,
    attributes: Attributes,
    data_start: i64,
    data_length: i64,
}

/// A record that cannot be read, with why: never with what is in it.
#[derive(Debug, thiserror::Error)]
pub(super) enum CodecError {
    /// A field is not the JSON that was written.
    #[error("its {field} is not the JSON that was written, at column {column}")]
    Json {
        /// Which.
        field: &'static str,
        /// Where parsing stopped.
        column: usize,
    },
    /// The data does not lie in the body, or in what that is read as.
    #[error("its data does not lie within the request's body")]
    Range,
    /// An id does not have its size.
    #[error("its {0}'s id does not have 16 bytes")]
    Id(&'static str),
    /// What it needs is not there.
    #[error("its {0} is missing")]
    Missing(&'static str),
    /// Its bytes are not those that were written.
    #[error("the checksum of its {0} does not match: bytes were altered")]
    Altered(&'static str),
    /// SQLite cannot read it.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// What [`insert_request`] executes.
pub(super) const INSERT_REQUEST: &str =
    "INSERT INTO requests (row, id, received_at, method, path, query, path_params, headers, evidence, body, sum)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

/// What [`insert_event`] executes.
pub(super) const INSERT_EVENT: &str = "INSERT INTO events
     (row, request, key, id, source, type, subject, time, provider, route, data_start, data_length, sum)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

/// Stores a request.
pub(super) fn insert_request(insert: &mut Statement<'_>, row: i64, request: &Request) -> rusqlite::Result<()> {
    let (path_params, headers, evidence) =
        (json(&request.path_params)?, json(&request.headers)?, json(&request.evidence)?);
    let sum = Sum::default()
        .bytes(request.id.0.as_bytes())
        .int(request.received_at.as_millis())
        .text(&request.method)
        .text(&request.path)
        .text(&request.query)
        .text(&path_params)
        .text(&headers)
        .text(&evidence)
        .bytes(&request.body);
    insert.execute(params![
        row,
        request.id.0.as_bytes(),
        request.received_at.as_millis(),
        request.method,
        request.path,
        request.query,
        path_params,
        headers,
        evidence,
        &*request.body,
        sum.stored(),
    ])?;
    Ok(())
}

/// Stores an event of the request in row `request`.
pub(super) fn insert_event(
    insert: &mut Statement<'_>,
    row: i64,
    request: i64,
    key: EventKey,
    event: &Event,
) -> rusqlite::Result<()> {
    let Attributes { id, source, kind, subject, time, provider, route } = event.attributes();
    let data = event.data_range();
    let (start, length) =
        (i64::try_from(data.start).unwrap_or(i64::MAX), i64::try_from(data.len()).unwrap_or(i64::MAX));
    let sum = event_sum(request, key.as_bytes(), event.attributes(), start, length);
    insert.execute(params![
        row,
        request,
        key.as_bytes(),
        id,
        source,
        kind,
        subject,
        time,
        provider,
        route,
        start,
        length,
        sum,
    ])?;
    Ok(())
}

/// The checksum of a delivery: of what never changes while it is stored.
pub(super) fn delivery_sum(row: i64, id: &[u8], lane: i64, accepted_at: i64, size: i64, key: Option<&str>) -> i64 {
    Sum::default().int(row).bytes(id).int(lane).int(accepted_at).int(size).maybe(key).stored()
}

fn event_sum(request: i64, key: &[u8], attributes: &Attributes, start: i64, length: i64) -> i64 {
    let Attributes { id, source, kind, subject, time, provider, route } = attributes;
    Sum::default()
        .int(request)
        .bytes(key)
        .text(id)
        .text(source)
        .text(kind)
        .maybe(subject.as_deref())
        .maybe(time.as_deref())
        .text(provider)
        .text(route)
        .int(start)
        .int(length)
        .stored()
}

/// Reads a request from its columns, as they stand in `SELECT * FROM requests`.
pub(super) fn request(row: &Row<'_>) -> Result<Request, CodecError> {
    let text = |column: &str| row.get::<_, Box<str>>(column);
    let (id, body): (Vec<u8>, Vec<u8>) = (row.get("id")?, row.get("body")?);
    let received_at: i64 = row.get("received_at")?;
    let (method, path, query) = (text("method")?, text("path")?, text("query")?);
    let (path_params, headers, evidence) = (text("path_params")?, text("headers")?, text("evidence")?);
    let sum = Sum::default().bytes(&id).int(received_at).text(&method).text(&path).text(&query).text(&path_params);
    if sum.text(&headers).text(&evidence).bytes(&body).stored() != row.get::<_, i64>("sum")? {
        return Err(CodecError::Altered("request"));
    }
    let evidence: Evidence = parse("evidence", &evidence)?;
    Ok(Request {
        json: evidence.reading.json(&body),
        id: RequestId(Uuid::from_slice(&id).map_err(|_| CodecError::Id("request"))?),
        received_at: Timestamp::from_millis(received_at),
        method,
        path,
        query,
        path_params: parse("path parameters", &path_params)?,
        headers: parse("headers", &headers)?,
        body: Bytes::from(body),
        evidence,
    })
}

/// Whether a delivery is what was written, by the columns of [`SELECT_DELIVERY`].
pub(super) fn check_delivery(columns: &Row<'_>) -> Result<(), CodecError> {
    let (row, lane, size, key): (i64, i64, i64, Option<String>) =
        (columns.get(16)?, columns.get(17)?, columns.get(18)?, columns.get(19)?);
    let id: Vec<u8> = columns.get(0)?;
    let sum = delivery_sum(row, &id, lane, columns.get(1)?, size, key.as_deref());
    if sum == columns.get::<_, i64>(20)? { Ok(()) } else { Err(CodecError::Altered("delivery")) }
}

/// Reads a delivery's id.
pub(super) fn delivery_id(row: &Row<'_>, column: usize) -> Result<DeliveryId, CodecError> {
    let bytes: Vec<u8> = row.get(column)?;
    bytes.try_into().map(DeliveryId::from_bytes).map_err(|_| CodecError::Id("delivery"))
}

/// A history with one attempt more, as JSON: the last [`Attempt::KEPT`].
///
/// A history that cannot be read is begun anew: it is kept for people, and must not hold up what it belongs to.
pub(super) fn longer_history(stored: Option<&str>, attempt: &Attempt) -> String {
    let mut history = history(stored);
    lengthen(&mut history, attempt.clone());
    history_of(&history).unwrap_or_default()
}

/// Adds an attempt to a history, which keeps the last [`Attempt::KEPT`].
pub(super) fn lengthen(history: &mut Vec<Attempt>, attempt: Attempt) {
    history.push(attempt);
    let surplus = history.len().saturating_sub(Attempt::KEPT);
    history.drain(..surplus);
}

/// A history as JSON: the last [`Attempt::KEPT`]; `None` of none.
pub(super) fn history_of(attempts: &[Attempt]) -> Option<String> {
    let kept = attempts.get(attempts.len().saturating_sub(Attempt::KEPT)..).unwrap_or_default();
    // A list of plain fields: there is nothing in it that has no JSON.
    (!kept.is_empty()).then(|| serde_json::to_string(kept).unwrap_or_default())
}

/// An attempt as JSON.
pub(super) fn attempt(attempt: &Attempt) -> String {
    // As above.
    serde_json::to_string(attempt).unwrap_or_default()
}

/// The attempt that made a delivery: its number, when it began, how long it took and its status, from column `at` on.
pub(super) fn last_attempt(row: &Row<'_>, at: usize) -> rusqlite::Result<Attempt> {
    Ok(Attempt {
        number: row.get(at)?,
        at: Timestamp::from_millis(row.get(at + 1)?),
        duration: Duration::from_millis(row.get::<_, i64>(at + 2)?.unsigned_abs()),
        status: row.get(at + 3)?,
        outcome: Outcome::Delivered,
        detail: Box::default(),
    })
}

/// The attempts in a history, none where it cannot be read.
pub(super) fn history(stored: Option<&str>) -> Vec<Attempt> {
    stored.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

/// A reason from its word. One that a damaged row does not name is [`Reason::Corrupt`].
pub(super) fn reason(word: &str) -> Reason {
    Reason::ALL.into_iter().find(|reason| reason.as_str() == word).unwrap_or(Reason::Corrupt)
}

// === impl Record ===

impl Record {
    /// Reads the event's columns of [`SELECT_DELIVERY`] or [`SELECT_EVENT`], which begin at column `at`.
    pub(super) fn read(row: &Row<'_>, at: usize) -> Result<Self, CodecError> {
        let request: Option<i64> = row.get(at)?;
        let request = request.ok_or(CodecError::Missing("event"))?;
        let attributes = Attributes {
            id: row.get(at + 1)?,
            source: row.get(at + 2)?,
            kind: row.get(at + 3)?,
            subject: row.get(at + 4)?,
            time: row.get(at + 5)?,
            provider: row.get(at + 6)?,
            route: row.get(at + 7)?,
        };
        let (data_start, data_length): (i64, i64) = (row.get(at + 8)?, row.get(at + 9)?);
        let key: Vec<u8> = row.get(at + 10)?;
        if event_sum(request, &key, &attributes, data_start, data_length) != row.get::<_, i64>(at + 11)? {
            return Err(CodecError::Altered("event"));
        }
        Ok(Self { request, attributes, data_start, data_length })
    }

    /// The event, with its request.
    pub(super) fn event(self, request: Arc<Request>) -> Result<Event, CodecError> {
        let start = usize::try_from(self.data_start).map_err(|_| CodecError::Range)?;
        let length = usize::try_from(self.data_length).map_err(|_| CodecError::Range)?;
        let data = start..start.checked_add(length).ok_or(CodecError::Range)?;
        // What is no JSON is longer as such than it came.
        if request.document().get(data.clone()).is_none() {
            return Err(CodecError::Range);
        }
        // It was checked to be JSON when it came, and is what it was: its checksum says so.
        Ok(Event::unparsed(self.attributes, request, data))
    }
}

fn json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn parse<T: DeserializeOwned>(field: &'static str, json: &str) -> Result<T, CodecError> {
    // The parser's own message quotes what it read.
    serde_json::from_str(json).map_err(|error| CodecError::Json { field, column: error.column() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_keeps_the_last_attempts_and_survives_damage() {
        let attempt = |number| Attempt {
            number,
            at: Timestamp::from_millis(5),
            duration: Duration::from_millis(7),
            status: Some(500),
            outcome: Outcome::Retry(Reason::ServerError),
            detail: "no".into(),
        };
        let mut stored = "{damaged".to_owned();
        for number in 1..=15 {
            stored = longer_history(Some(&stored), &attempt(number));
        }
        let kept = history(Some(&stored));
        assert_eq!(kept.len(), Attempt::KEPT);
        assert_eq!(kept.first(), Some(&attempt(6)));
        assert_eq!(kept.last(), Some(&attempt(15)));
    }

    #[test]
    fn each_reason_is_read_back() {
        for each in Reason::ALL {
            assert_eq!(reason(each.as_str()), each);
        }
    }
}
