//! Opening packs, and letting them go.

use std::sync::Arc;

use rusqlite::Connection;

use super::super::codec::{self, CodecError};
use super::super::counts::Changes;
use super::super::desk::Desk;
use super::super::failure::is_damage;
use super::super::keys;
use super::super::shelf;
use super::contents::{self, Contents, Share, altered};
use super::packed::{self, PackedDelivery, PackedRequest};
use crate::model::EventKey;

/// Opens the pack that has an event, if one has it: what is in it is then in rows of its own.
pub(in super::super) fn open_holding(connection: &Connection, event: i64) -> rusqlite::Result<()> {
    contents::holding(connection, event)?.map_or(Ok(()), |head| open(connection, head.row))
}

/// Opens the first pack that spans events of `from` to `to` and has a share that is wanted. Whether there was one.
pub(in super::super) fn open_next(
    desk: &Desk,
    mut from: i64,
    to: i64,
    wanted: impl Fn(&Share) -> bool,
) -> rusqlite::Result<bool> {
    while let Some((row, head)) = contents::first_in(&desk.connection, from, to)? {
        let opened = match head {
            Ok(head) if !head.contents.shares.iter().any(&wanted) => {
                from = head.last + 1;
                continue;
            }
            Ok(_) => open(&desk.connection, row),
            Err(error) => Err(altered(error)),
        };
        match opened {
            Err(error) if is_damage(&error) => {
                tracing::error!(%error, "a pack of events that were delivered cannot be read and is passed over: restart the gateway, which salvages what can be read");
                desk.found_damage.set(true);
                from = from.max(row) + 1;
            }
            other => return other.map(|()| true),
        }
    }
    Ok(false)
}

/// Opens the pack in a row.
pub(in super::super) fn open(connection: &Connection, row: i64) -> rusqlite::Result<()> {
    let entries = contents::entries(connection, row)?;
    let requests = packed::decode(&entries).map_err(altered)?;
    requests.iter().try_for_each(|request| put_in_rows(connection, request))?;
    delete(connection, row)
}

/// Lets the pack in a row go with all that is in it. How many deliveries that was.
pub(in super::super) fn drop_whole(desk: &Desk, changes: &mut Changes, row: i64) -> rusqlite::Result<u64> {
    let contents = match contents::in_row(&desk.connection, row) {
        Ok(head) => head.contents,
        Err(error) if is_damage(&error) => {
            tracing::error!(
                %error,
                "a pack of events that were delivered goes uncounted, because its record is damaged: restart the gateway, which \
                 counts what is kept"
            );
            desk.found_damage.set(true);
            Contents::default()
        }
        Err(error) => return Err(error),
    };
    let mut dropped = 0;
    for share in &contents.shares {
        let change = changes.lane(share.lane);
        change.kept -= share.count;
        change.kept_bytes -= share.bytes;
        dropped += share.count.unsigned_abs();
    }
    for member in &contents.members {
        for key in [Some(member.key), member.alias].into_iter().flatten() {
            keys::release(desk, EventKey::from_bytes(key), member.event)?;
        }
    }
    delete(&desk.connection, row)?;
    Ok(dropped)
}

pub(super) fn delete(connection: &Connection, row: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM packs WHERE row = ?1")?.execute([row]).map(|_| ())
}

fn put_in_rows(connection: &Connection, packed: &PackedRequest<'_>) -> rusqlite::Result<()> {
    let row = packed.row().ok_or_else(|| altered(CodecError::Altered("pack")))?;
    let request = Arc::new(packed.append.request.to_request());
    // All of it may have rows, where a salvage finds what was before.
    let unless_there = |sql: &str| connection.prepare_cached(&format!("{sql} ON CONFLICT DO NOTHING"));
    codec::insert_request(&mut *unless_there(codec::INSERT_REQUEST)?, row, &request)?;
    let (mut insert_event, mut insert_done) = (unless_there(codec::INSERT_EVENT)?, unless_there(shelf::INSERT_DONE)?);
    for (event, deliveries) in packed.events() {
        let key = EventKey::from_bytes(event.key);
        codec::insert_event(&mut insert_event, event.number, row, key, &event.to_event(&request))?;
        for PackedDelivery { id, made, history } in deliveries {
            let history = codec::history_of(history);
            shelf::insert_done(&mut insert_done, *id, packed.append.accepted_at, history.as_deref(), made)?;
        }
    }
    Ok(())
}
