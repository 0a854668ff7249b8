//! Rows and what they are in memory.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Row, params};
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::desk::Desk;
use crate::model::{
    Attempt, Attributes, DeliveryId, Event, EventKey, Headers, Outcome, Reason, Request, RequestId, Timestamp,
};

/// A delivery with its event: the delivery's id, when it was accepted and since when its budget runs, its attempts, then
/// what [`Record::read`] takes.
pub(super) const SELECT_DELIVERY: &str =
    "SELECT p.id, p.accepted_at, coalesce(p.replayed_at, p.accepted_at), p.attempts,
     e.request, e.id, e.source, e.type, e.subject, e.time, e.provider, e.route, e.data_start, e.data_length
     FROM pending AS p LEFT JOIN events AS e ON e.row = p.row / 1024 WHERE p.row = ?1";

/// An event, as [`Record::read`] takes it.
pub(super) const SELECT_EVENT: &str = "SELECT
     e.request, e.id, e.source, e.type, e.subject, e.time, e.provider, e.route, e.data_start, e.data_length
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
    /// The data does not lie in the body.
    #[error("its data does not lie within the request's body")]
    Range,
    /// An id does not have its size.
    #[error("its {0}'s id does not have 16 bytes")]
    Id(&'static str),
    /// What it needs is not there.
    #[error("its {0} is missing")]
    Missing(&'static str),
    /// SQLite cannot read it.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// Stores a request.
pub(super) fn insert_request(desk: &Desk, row: i64, request: &Request) -> rusqlite::Result<()> {
    desk.sql(
        "INSERT INTO requests (row, id, received_at, method, path, query, path_params, headers, evidence, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        row,
        request.id.0.as_bytes(),
        request.received_at.as_millis(),
        request.method,
        request.path,
        request.query,
        json(&request.path_params)?,
        json(&request.headers)?,
        json(&request.evidence)?,
        &*request.body,
    ])?;
    Ok(())
}

/// Stores an event of the request in row `request`.
pub(super) fn insert_event(desk: &Desk, row: i64, request: i64, key: EventKey, event: &Event) -> rusqlite::Result<()> {
    let Attributes { id, source, kind, subject, time, provider, route } = event.attributes();
    let data = event.data_range();
    desk.sql(
        "INSERT INTO events
         (row, request, key, id, source, type, subject, time, provider, route, data_start, data_length)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
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
        i64::try_from(data.start).unwrap_or(i64::MAX),
        i64::try_from(data.len()).unwrap_or(i64::MAX),
    ])?;
    Ok(())
}

/// Reads a request from its columns, as they stand in `SELECT * FROM requests`.
pub(super) fn request(row: &Row<'_>) -> Result<Request, CodecError> {
    let id: Vec<u8> = row.get("id")?;
    let body: Vec<u8> = row.get("body")?;
    let headers: Headers = parse("headers", &row.get::<_, String>("headers")?)?;
    Ok(Request {
        id: RequestId(Uuid::from_slice(&id).map_err(|_| CodecError::Id("request"))?),
        received_at: Timestamp::from_millis(row.get("received_at")?),
        method: row.get("method")?,
        path: row.get("path")?,
        query: row.get("query")?,
        path_params: parse("path parameters", &row.get::<_, String>("path_params")?)?,
        headers,
        body: Bytes::from(body),
        evidence: parse("evidence", &row.get::<_, String>("evidence")?)?,
    })
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
    history.push(attempt.clone());
    let surplus = history.len().saturating_sub(Attempt::KEPT);
    history.drain(..surplus);
    // A list of plain fields: there is nothing in it that has no JSON.
    serde_json::to_string(&history).unwrap_or_default()
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
        Ok(Self { request, attributes, data_start: row.get(at + 8)?, data_length: row.get(at + 9)? })
    }

    /// The event, with its request.
    pub(super) fn event(self, request: Arc<Request>) -> Result<Event, CodecError> {
        let start = usize::try_from(self.data_start).map_err(|_| CodecError::Range)?;
        let length = usize::try_from(self.data_length).map_err(|_| CodecError::Range)?;
        let data = start..start.checked_add(length).ok_or(CodecError::Range)?;
        let bytes = request.body.get(data.clone()).ok_or(CodecError::Range)?;
        let value = match bytes {
            [] => Value::Null,
            bytes => serde_json::from_slice(bytes)
                .map_err(|error| CodecError::Json { field: "data", column: error.column() })?,
        };
        Ok(Event::new(self.attributes, request, data, value))
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
