//! Reading whole requests out of packs.

use rusqlite::{Connection, OptionalExtension};

use super::super::codec::CodecError;
use super::super::failure::is_damage;
use super::contents;
use super::packed;
use super::view::{Lanes, PackedEvent};
use crate::model::Request;

/// A request in a pack, with those of its events that are kept there.
#[derive(Debug)]
pub(in super::super) struct PackedTraffic {
    /// The row that it would have.
    pub(in super::super) row: i64,
    pub(in super::super) request: Request,
    pub(in super::super) events: Vec<PackedEvent>,
}

/// The requests in packs, pack by pack, the last accepted first.
pub(in super::super) struct Requests<'a> {
    connection: &'a Connection,
    lanes: Lanes<'a>,
    /// No request from this one on.
    before: i64,
    /// No pack from this one on.
    pack: i64,
}

// === impl Requests ===

impl<'a> Requests<'a> {
    /// Those before `before`.
    pub(in super::super) fn new(connection: &'a Connection, before: i64) -> Self {
        Self { connection, lanes: Lanes::new(connection), before, pack: before }
    }

    /// Those of the next pack, the first accepted first; `None` where there is no other.
    pub(in super::super) fn next_pack(&mut self) -> rusqlite::Result<Option<Vec<PackedTraffic>>> {
        let sql = "SELECT row FROM packs WHERE row < ?1 ORDER BY row DESC LIMIT 1";
        let row = self.connection.prepare_cached(sql)?.query_row([self.pack], |row| row.get(0)).optional()?;
        let Some(row) = row else { return Ok(None) };
        self.pack = row;
        match self.read(row) {
            Ok(read) => Ok(Some(read)),
            Err(CodecError::Sqlite(error)) if !is_damage(&error) => Err(error),
            Err(error) => {
                tracing::warn!(row, %error, "a pack of events that were delivered cannot be read, because its record is damaged: the others are shown");
                Ok(Some(Vec::new()))
            }
        }
    }

    fn read(&mut self, pack: i64) -> Result<Vec<PackedTraffic>, CodecError> {
        let entries = contents::entries(self.connection, pack)?;
        let mut read = Vec::new();
        for packed in packed::decode(&entries)? {
            let row = packed.row().ok_or(CodecError::Missing("request"))?;
            if row < self.before {
                let events = self.lanes.events(&packed)?;
                read.push(PackedTraffic { row, request: packed.append.request.to_request(), events });
            }
        }
        Ok(read)
    }
}
