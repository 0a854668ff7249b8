//! Reading whole requests, for who wants to run them again.
//!
//! The number of a request is that of the first of its events which was new, and the events of a request have numbers one
//! after the other: those below a request's number belong to requests before it. Some of its events may be in rows while
//! others are in a pack; then it is read in both.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use super::browse::{EXAMINED, next_head, selected};
use super::codec::{self, CodecError};
use super::failure::is_damage;
use super::packs::{PackedEvent, PackedTraffic, Requests};
use crate::model::{Request, Timestamp};
use crate::queue::{EventHead, Page, Selection, StoredRequest};

/// After so many bytes of bodies a page ends, whatever it was asked for.
const PAGE_BYTES: usize = 4 << 20;

/// A page of requests, the last accepted first.
pub(super) fn requests(
    connection: &Connection,
    selection: &Selection,
    before: Option<u64>,
    max: usize,
) -> rusqlite::Result<Page<StoredRequest>> {
    let snapshot = connection.unchecked_transaction()?;
    let before = before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
    let mut reading = Reading { connection, selection, entries: Vec::new(), bytes: 0, examined: 0 };
    let (mut packs, mut packed) = (Requests::new(connection, before), Vec::new());
    let (mut in_row, mut next) = (last_row(connection, before)?, None);
    loop {
        while packed.is_empty() {
            match packs.next_pack()? {
                Some(read) => packed = read,
                None => break,
            }
        }
        let in_pack = packed.last().map(|packed| packed.row);
        let Some(row) = in_row.max(in_pack) else { break };
        let upper = next.unwrap_or(before);
        let packed = packed.pop_if(|packed| packed.row == row);
        reading.read(row, upper, in_row == Some(row), packed)?;
        if in_row == Some(row) {
            in_row = last_row(connection, row)?;
        }
        next = Some(row);
        if reading.is_full(max) {
            break;
        }
    }
    let is_full = reading.is_full(max);
    let entries = reading.entries;
    snapshot.finish()?;
    Ok(Page { entries, next: next.filter(|_| is_full).map(i64::unsigned_abs) })
}

/// A page as it fills.
struct Reading<'a> {
    connection: &'a Connection,
    selection: &'a Selection,
    entries: Vec<StoredRequest>,
    bytes: usize,
    examined: i64,
}

// === impl Reading ===

impl Reading<'_> {
    fn is_full(&self, max: usize) -> bool {
        self.entries.len() >= max || self.bytes >= PAGE_BYTES || self.examined >= EXAMINED
    }

    /// Reads the request in `row`, of which there may be events in rows up to `upper` and in a pack.
    fn read(&mut self, row: i64, upper: i64, has_row: bool, packed: Option<PackedTraffic>) -> rusqlite::Result<()> {
        let (whole, members) = packed.map(|packed| (packed.request, packed.events)).unzip();
        let in_pack = members.unwrap_or_default().into_iter();
        let in_pack =
            in_pack.map(|PackedEvent { head, received_at, deliveries }| (head, received_at, Some(deliveries)));
        let in_rows = if has_row { self.heads(row, upper)? } else { Vec::new() };
        let in_rows = in_rows.into_iter().map(|(head, received_at)| (head, received_at, None));
        // Of an event the times are those of its request.
        let of_deliveries = Selection { since: None, until: None, ..self.selection.clone() };
        let (mut events, mut route) = (0_u32, None);
        for (head, received_at, deliveries) in in_pack.chain(in_rows) {
            self.examined += 1;
            let of_event = Arc::clone(&head.route);
            let found = selected(self.connection, self.selection, &of_deliveries, head, received_at, deliveries)?;
            if found.is_some() {
                events += 1;
                route = Some(of_event);
            }
        }
        let Some(route) = route else { return Ok(()) };
        let whole = whole.map_or_else(|| self.request(row), |request| Ok(Some(request)))?;
        if let Some(request) = whole {
            self.bytes += request.body.len();
            let number = row.unsigned_abs();
            self.entries.push(StoredRequest { number, request: Arc::new(request), route, events });
        }
        Ok(())
    }

    fn heads(&self, row: i64, upper: i64) -> rusqlite::Result<Vec<(EventHead, Timestamp)>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT e.row, e.id, e.type, e.subject, e.route, r.received_at
             FROM events AS e JOIN requests AS r ON r.row = e.request
             WHERE e.row >= ?1 AND e.row < ?2 AND e.request = ?1 ORDER BY e.row",
        )?;
        let mut rows = statement.query([row, upper])?;
        let mut heads = Vec::new();
        while let Some(head) = next_head(&mut rows)? {
            heads.push(head);
        }
        Ok(heads)
    }

    /// The request in a row; one that is damaged is passed over.
    fn request(&self, row: i64) -> rusqlite::Result<Option<Request>> {
        let mut statement = self.connection.prepare_cached("SELECT * FROM requests WHERE row = ?1")?;
        let mut rows = statement.query([row])?;
        let Some(columns) = rows.next()? else { return Ok(None) };
        match codec::request(columns) {
            Ok(request) => Ok(Some(request)),
            Err(CodecError::Sqlite(error)) if !is_damage(&error) => Err(error),
            Err(error) => {
                tracing::warn!(row, %error, "the record of a request cannot be read: the others are shown");
                Ok(None)
            }
        }
    }
}

fn last_row(connection: &Connection, before: i64) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT row FROM requests WHERE row < ?1 ORDER BY row DESC LIMIT 1";
    connection.prepare_cached(sql)?.query_row([before], |row| row.get(0)).optional()
}
