//! What was delivered and is kept for a while, and how what nobody needs any more goes.

use rusqlite::{ErrorCode, OptionalExtension, params};

use super::counts::Changes;
use super::desk::Desk;
use super::tables::{event_of, slots};
use crate::model::{Attempt, Timestamp};

/// Copies a delivery from `table` to what is kept. The caller removes it there.
pub(super) fn put(
    desk: &Desk,
    table: &str,
    row: i64,
    attempt: &Attempt,
    keep_until: Timestamp,
) -> rusqlite::Result<()> {
    desk.sql(&format!(
        "INSERT INTO done (row, id, lane, accepted_at, replayed_at, attempts, size, key, history,
         began_at, took, status, keep_until)
         SELECT row, id, lane, accepted_at, replayed_at, ?2, size, key, history, ?3, ?4, ?5, ?6
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

/// Removes up to `max` deliveries that need not be kept at `now`, or, where more than `most` bytes are kept, those that
/// are to be kept the shortest. How many.
pub(super) fn clear(desk: &Desk, changes: &mut Changes, now: Timestamp, most: u64, max: i64) -> rusqlite::Result<u64> {
    let mut surplus = i64::try_from(desk.counts.kept_bytes().saturating_sub(most)).unwrap_or(i64::MAX);
    let rows: Vec<(i64, i64, i64, i64)> = desk
        .sql("SELECT row, lane, size, keep_until FROM done ORDER BY keep_until LIMIT ?1")?
        .query_map([max], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut cleared = 0;
    for (row, lane, size, keep_until) in rows {
        if keep_until > now.as_millis() && surplus <= 0 {
            break;
        }
        surplus -= size;
        desk.sql("DELETE FROM done WHERE row = ?1")?.execute([row])?;
        changes.lane(lane).from_kept(size);
        release_event(desk, row)?;
        cleared += 1;
    }
    Ok(cleared)
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
    // One that is remembered still stays until it is forgotten.
    let forget = "DELETE FROM keys WHERE key = ?1 AND event = ?2 AND until = 0";
    desk.sql(forget)?.execute(params![key, event])?;
    let alias = crate::model::EventKey::alias(&route, &id);
    desk.sql(forget)?.execute(params![alias.as_bytes(), event])?;
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
