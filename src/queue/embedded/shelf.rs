//! What was delivered and is kept for a while, and how what nobody needs any more goes.

use rusqlite::{ErrorCode, OptionalExtension, Statement, params};

use super::codec;
use super::counts::Changes;
use super::desk::Desk;
use super::entry::MadeEntry;
use super::failure::is_damage;
use super::keys;
use super::packs::{self, End};
use super::tables::{event_of, slots};
use crate::model::{Attempt, DeliveryId, EventKey, Timestamp};

/// A pack that has at most one part in so many of what may be kept goes whole where that is too much.
const PARTS: u64 = 64;
/// How many milliseconds longer than it need be part of a pack may be kept.
const SPREAD: i64 = 60_000;

/// Removing what need not be kept any more.
struct Clearing<'a> {
    desk: &'a Desk,
    changes: &'a mut Changes,
    /// In milliseconds since the Unix epoch.
    now: i64,
    /// How many bytes too much are kept.
    surplus: i64,
    cleared: u64,
}

/// Copies a delivery from `table` to what is kept. The caller removes it there.
pub(super) fn put(
    desk: &Desk,
    table: &str,
    row: i64,
    attempt: &Attempt,
    keep_until: Timestamp,
) -> rusqlite::Result<()> {
    desk.sql(&format!(
        "INSERT INTO done (row, id, lane, accepted_at, replayed_at, attempts, size, sum, key, history,
         began_at, took, status, keep_until)
         SELECT row, id, lane, accepted_at, replayed_at, ?2, size, sum, key, history, ?3, ?4, ?5, ?6
         FROM {table} WHERE row = ?1"
    ))?
    .execute(params![
        row,
        attempt.number,
        attempt.at.as_millis(),
        i64::try_from(attempt.duration.as_millis()).unwrap_or(i64::MAX),
        attempt.status,
        keep_until.as_millis(),
    ])
    .map(|_| ())
}

/// What [`insert_done`] executes.
pub(super) const INSERT_DONE: &str = "INSERT INTO done
     (row, id, lane, accepted_at, attempts, size, sum, history, began_at, took, status, keep_until)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

/// Stores a delivery that was made before it had a row.
pub(super) fn insert_done(
    insert: &mut Statement<'_>,
    id: DeliveryId,
    accepted_at: i64,
    history: Option<&str>,
    made: &MadeEntry,
) -> rusqlite::Result<()> {
    let MadeEntry { row, lane, size, keep_until, number, began_at, took, status } = made;
    let sum = codec::delivery_sum(*row, id.as_bytes(), *lane, accepted_at, *size, None);
    let took = i64::try_from(*took).unwrap_or(i64::MAX);
    insert
        .execute(params![
            row,
            id.as_bytes(),
            lane,
            accepted_at,
            number,
            size,
            sum,
            history,
            began_at,
            took,
            status,
            keep_until
        ])
        .map(|_| ())
}

/// Removes up to about `max` deliveries that need not be kept at `now`, or, where more than `most` bytes are kept, those
/// that are to be kept the shortest. How many.
pub(super) fn clear(desk: &Desk, changes: &mut Changes, now: Timestamp, most: u64, max: u64) -> rusqlite::Result<u64> {
    let surplus = i64::try_from(desk.counts.kept_bytes().saturating_sub(most)).unwrap_or(i64::MAX);
    let mut clearing = Clearing { desk, changes, now: now.as_millis(), surplus, cleared: 0 };
    loop {
        // What ends first goes first, in rows or packed.
        let pack = packs::first_to_end(&desk.connection)?;
        let go_on = clearing.rows(pack.map_or(i64::MAX, |pack| pack.from), max)?;
        match pack {
            Some(pack) if go_on && clearing.cleared < max && clearing.pack(pack, most)? => {}
            _ => return Ok(clearing.cleared),
        }
    }
}

// === impl Clearing ===

impl Clearing<'_> {
    /// Removes deliveries with rows that end before `before`. Whether what ends later is to be looked at.
    fn rows(&mut self, before: i64, max: u64) -> rusqlite::Result<bool> {
        let room = i64::try_from(max.saturating_sub(self.cleared)).unwrap_or(i64::MAX);
        let rows: Vec<(i64, i64, i64, i64)> = self
            .desk
            .sql("SELECT row, lane, size, keep_until FROM done WHERE keep_until < ?1 ORDER BY keep_until LIMIT ?2")?
            .query_map([before, room], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
            .collect::<rusqlite::Result<_>>()?;
        for (row, lane, size, keep_until) in rows {
            if keep_until > self.now && self.surplus <= 0 {
                return Ok(false);
            }
            self.surplus -= size;
            self.desk.sql("DELETE FROM done WHERE row = ?1")?.execute([row])?;
            self.changes.lane(lane).leave_kept(size);
            release_event(self.desk, row)?;
            self.cleared += 1;
        }
        Ok(true)
    }

    /// Removes a pack, or opens it where only part of it is to go. Whether there may be more to do.
    fn pack(&mut self, End { row, from, until, bytes }: End, most: u64) -> rusqlite::Result<bool> {
        let is_small = bytes.unsigned_abs().saturating_mul(PARTS) <= most;
        if until <= self.now || (self.surplus > 0 && is_small) {
            self.surplus -= bytes;
            self.cleared += packs::drop_whole(self.desk, self.changes, row)?;
            return Ok(true);
        }
        let is_mixed = from <= self.now && until - from > SPREAD;
        if self.surplus <= 0 && !is_mixed {
            return Ok(false);
        }
        match packs::open(&self.desk.connection, row) {
            Err(error) if is_damage(&error) => {
                tracing::error!(%error, "deliveries that were made are kept no longer: their record is damaged");
                self.desk.found_damage.set(true);
                self.cleared += packs::drop_whole(self.desk, self.changes, row)?;
                Ok(true)
            }
            result => result.map(|()| true),
        }
    }
}

/// Deletes the event of a delivery that went, where no other needs it, and then its request.
pub(super) fn release_event(desk: &Desk, row: i64) -> rusqlite::Result<()> {
    let event = event_of(row);
    match delete_unneeded(desk, event) {
        // What is damaged stays where it is: the delivery has ended all the same.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            tracing::error!(%error, event, "an event that nobody needs cannot be deleted: its record is damaged");
            Ok(())
        }
        result => result,
    }
}

fn delete_unneeded(desk: &Desk, event: i64) -> rusqlite::Result<()> {
    let (first, last) = slots(event);
    let needed: bool = desk
        .sql(
            "SELECT EXISTS (SELECT 1 FROM pending WHERE row BETWEEN ?1 AND ?2)
             OR EXISTS (SELECT 1 FROM dead WHERE row BETWEEN ?1 AND ?2)
             OR EXISTS (SELECT 1 FROM done WHERE row BETWEEN ?1 AND ?2)",
        )?
        .query_row([first, last], |row| row.get(0))?;
    if needed {
        return Ok(());
    }
    let deleted: Option<(i64, Vec<u8>, String, String)> = desk
        .sql("DELETE FROM events WHERE row = ?1 RETURNING request, key, route, id")?
        .query_row([event], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((request, key, route, id)) = deleted else { return Ok(()) };
    // Of a damaged page it may have another length: then nobody asks for it.
    let key = key.as_slice().try_into().ok().map(EventKey::from_bytes);
    for key in key.into_iter().chain([EventKey::alias(&route, &id)]) {
        keys::release(desk, key, event)?;
    }
    // A request's events stand together, and it has the number of the first.
    let next: Option<i64> = desk
        .sql("SELECT request FROM events WHERE row >= ?1 ORDER BY row LIMIT 1")?
        .query_row([request], |row| row.get(0))
        .optional()?;
    if next != Some(request) {
        desk.sql("DELETE FROM requests WHERE row = ?1")?.execute([request])?;
    }
    Ok(())
}
