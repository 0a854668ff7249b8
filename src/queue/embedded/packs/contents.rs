//! What a pack says of itself: enough to count it, and to let it go, without reading what is in it.

use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};

use super::super::codec::CodecError;
use super::super::sum::Sum;
use crate::model::EventKey;

/// What a pack says of itself.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Contents {
    pub(super) shares: Vec<Share>,
    /// In the order of their numbers.
    pub(super) members: Vec<Member>,
}

/// What a lane has in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Share {
    pub(in super::super) lane: i64,
    /// How many deliveries.
    pub(in super::super) count: i64,
    /// About how many bytes they take.
    pub(in super::super) bytes: i64,
}

/// An event in a pack.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Member {
    pub(super) event: i64,
    pub(super) key: [u8; 16],
    /// The key under which it is found by its id, where that is another.
    pub(super) alias: Option<[u8; 16]>,
}

/// A pack without its entries.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) row: i64,
    pub(super) last: i64,
    pub(super) contents: Contents,
}

/// When what is in a pack need not be kept any more, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct End {
    pub(in super::super) row: i64,
    /// The first of it.
    pub(in super::super) from: i64,
    /// All of it.
    pub(in super::super) until: i64,
    /// About how many bytes it takes.
    pub(in super::super) bytes: i64,
}

const HEAD: &str = "row, last, ends_from, ends_until, contents, sum";

/// Every pack's shares. Those of a pack that says what it cannot have are left out, with a word in the log.
pub(in super::super) fn all_shares(connection: &Connection) -> rusqlite::Result<Vec<Share>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {HEAD} FROM packs"))?;
    let mut rows = statement.query([])?;
    let mut shares = Vec::new();
    while let Some(row) = rows.next()? {
        match Head::read(row) {
            Ok(head) => shares.extend(head.contents.shares),
            Err(error) => {
                tracing::error!(%error, "a pack of events that were delivered cannot be counted, because its record is damaged")
            }
        }
    }
    Ok(shares)
}

/// The pack of which something ends first.
pub(in super::super) fn first_to_end(connection: &Connection) -> rusqlite::Result<Option<End>> {
    connection
        .prepare_cached("SELECT row, ends_from, ends_until, bytes FROM packs ORDER BY ends_from LIMIT 1")?
        .query_row([], |row| Ok(End { row: row.get(0)?, from: row.get(1)?, until: row.get(2)?, bytes: row.get(3)? }))
        .optional()
}

/// Whether an event is in a pack.
pub(in super::super) fn has_event(connection: &Connection, event: i64) -> rusqlite::Result<bool> {
    Ok(holding(connection, event)?.is_some())
}

/// The pack that has an event.
pub(super) fn holding(connection: &Connection, event: i64) -> rusqlite::Result<Option<Head>> {
    // What packs span does not overlap.
    let sql = format!("SELECT {HEAD} FROM packs WHERE row <= ?1 ORDER BY row DESC LIMIT 1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([event])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    if row.get::<_, i64>(1)? < event {
        return Ok(None);
    }
    let head = Head::read(row).map_err(altered)?;
    let is_member = head.contents.members.binary_search_by_key(&event, |member| member.event).is_ok();
    Ok(Some(head).filter(|_| is_member))
}

/// The pack in a row.
pub(super) fn in_row(connection: &Connection, row: i64) -> rusqlite::Result<Head> {
    let sql = format!("SELECT {HEAD} FROM packs WHERE row = ?1");
    connection.prepare_cached(&sql)?.query_row([row], |row| Head::read(row).map_err(altered))
}

/// The first pack that spans events of `from` to `to`: its row, and what it says.
pub(super) fn first_in(
    connection: &Connection,
    from: i64,
    to: i64,
) -> rusqlite::Result<Option<(i64, Result<Head, CodecError>)>> {
    let sql = format!(
        "SELECT {HEAD} FROM packs
         WHERE row >= coalesce((SELECT max(row) FROM packs WHERE row <= ?1), ?1) AND row <= ?2 AND last >= ?1
         ORDER BY row LIMIT 1"
    );
    connection.prepare_cached(&sql)?.query_row([from, to], |row| Ok((row.get(0)?, Head::read(row)))).optional()
}

/// The entries of the pack in a row.
pub(super) fn entries(connection: &Connection, row: i64) -> rusqlite::Result<Vec<u8>> {
    let (entries, sum): (Vec<u8>, i64) = connection
        .prepare_cached("SELECT entries, entries_sum FROM packs WHERE row = ?1")?
        .query_row([row], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if entries_sum(&entries) == sum { Ok(entries) } else { Err(altered(CodecError::Altered("pack"))) }
}

/// The checksum of a pack's head.
pub(super) fn head_sum(row: i64, last: i64, from: i64, until: i64, contents: &[u8]) -> i64 {
    Sum::default().int(row).int(last).int(from).int(until).bytes(contents).stored()
}

/// The checksum of a pack's entries.
pub(super) fn entries_sum(entries: &[u8]) -> i64 {
    Sum::default().bytes(entries).stored()
}

/// As the store has it: it is damaged.
pub(super) fn altered(error: CodecError) -> rusqlite::Error {
    match error {
        CodecError::Sqlite(error) => error,
        other => rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, other.into()),
    }
}

// === impl Member ===

impl Member {
    pub(in super::super) fn new(event: i64, key: EventKey, alias: Option<EventKey>) -> Self {
        Self { event, key: *key.as_bytes(), alias: alias.map(|alias| *alias.as_bytes()) }
    }
}

// === impl Head ===

impl Head {
    /// Reads the columns of [`HEAD`].
    pub(super) fn read(columns: &Row<'_>) -> Result<Self, CodecError> {
        let (row, last): (i64, i64) = (columns.get(0)?, columns.get(1)?);
        let contents = columns.get_ref(4)?.as_blob().map_err(|_| CodecError::Altered("pack"))?;
        if head_sum(row, last, columns.get(2)?, columns.get(3)?, contents) != columns.get::<_, i64>(5)? {
            return Err(CodecError::Altered("pack"));
        }
        let contents = postcard::from_bytes(contents).map_err(|_| CodecError::Altered("pack"))?;
        Ok(Self { row, last, contents })
    }
}
