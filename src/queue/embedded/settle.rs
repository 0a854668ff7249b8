//! How a delivery ends, or is put off.

use rusqlite::{ErrorCode, OptionalExtension, params};

use super::codec;
use super::desk::Desk;
use super::ledger::Changes;
use crate::model::{Attempt, DeliveryId, Lane, Reason, Timestamp};

/// What became of a delivery that was claimed.
#[derive(Debug)]
pub(super) struct Settle {
    pub(super) id: DeliveryId,
    pub(super) lane: Lane,
    pub(super) row: i64,
    pub(super) verdict: Verdict,
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It was made.
    Made,
    /// It is to be tried again.
    Again { at: Timestamp, attempt: Attempt },
    /// It is given up, at `at` or else when this is stored.
    Dead { reason: Reason, at: Option<Timestamp>, attempt: Option<Attempt> },
}

/// Enters what became of a delivery. Whether it was pending still, and not retired meanwhile.
pub(super) fn settle(desk: &Desk, changes: &mut Changes, settle: &Settle, now: Timestamp) -> rusqlite::Result<bool> {
    let Settle { id, row, verdict, .. } = settle;
    changes.settled(*row);
    match verdict {
        Verdict::Made => made(desk, changes, *row, *id),
        Verdict::Again { at, attempt } => again(desk, *row, *id, *at, attempt),
        Verdict::Dead { reason, at, attempt } => {
            if let Some(attempt) = attempt {
                record(desk, *row, *id, attempt)?;
            }
            bury(desk, changes, *row, *reason, at.unwrap_or(now))
        }
    }
}

/// Moves a pending delivery to the dead. Whether it was pending.
pub(super) fn bury(
    desk: &Desk,
    changes: &mut Changes,
    row: i64,
    reason: Reason,
    at: Timestamp,
) -> rusqlite::Result<bool> {
    let Some(lane) = lane_of(desk, row)? else { return Ok(false) };
    desk.sql(
        "INSERT INTO dead (row, id, lane, event, accepted_at, attempts, history, reason, died_at)
         SELECT 1 + coalesce((SELECT max(row) FROM dead), 0), id, lane, event, accepted_at, attempts, history, ?2, ?3
         FROM pending WHERE row = ?1",
    )?
    .execute(params![row, reason.as_str(), at.as_millis()])?;
    desk.sql("DELETE FROM pending WHERE row = ?1")?.execute([row])?;
    changes.pending(lane, -1);
    changes.dead(lane, 1);
    Ok(true)
}

/// Removes a dead letter where there is one.
pub(super) fn remove_dead(desk: &Desk, changes: &mut Changes, id: DeliveryId) -> rusqlite::Result<()> {
    let removed = desk
        .sql("DELETE FROM dead WHERE id = ?1 RETURNING lane, event")?
        .query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((lane, event)) = removed {
        changes.dead(lane, -1);
        release_event(desk, event)?;
    }
    Ok(())
}

fn made(desk: &Desk, changes: &mut Changes, row: i64, id: DeliveryId) -> rusqlite::Result<bool> {
    let removed = desk
        .sql("DELETE FROM pending WHERE row = ?1 RETURNING lane, event")?
        .query_row([row], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match removed {
        Some((lane, event)) => {
            changes.pending(lane, -1);
            release_event(desk, event).map(|()| true)
        }
        // It was retired during its last attempt, which reached the destination: it is no dead letter.
        None => remove_dead(desk, changes, id).map(|()| false),
    }
}

fn again(desk: &Desk, row: i64, id: DeliveryId, at: Timestamp, attempt: &Attempt) -> rusqlite::Result<bool> {
    record(desk, row, id, attempt)?;
    let updated = desk.sql("UPDATE pending SET due_at = ?2 WHERE row = ?1")?.execute(params![row, at.as_millis()])?;
    Ok(updated > 0)
}

/// Adds an attempt to a delivery's history, whether it is pending or was retired meanwhile.
fn record(desk: &Desk, row: i64, id: DeliveryId, attempt: &Attempt) -> rusqlite::Result<()> {
    let history: Option<Option<String>> = desk
        .sql("SELECT history FROM pending WHERE row = ?1 UNION ALL SELECT history FROM dead WHERE id = ?2 LIMIT 1")?
        .query_row(params![row, id.as_bytes()], |row| row.get(0))
        .optional()?;
    let history = codec::longer_history(history.flatten().as_deref(), attempt);
    let updated = desk
        .sql("UPDATE pending SET attempts = attempts + 1, history = ?2 WHERE row = ?1")?
        .execute(params![row, history])?;
    if updated == 0 {
        desk.sql("UPDATE dead SET attempts = attempts + 1, history = ?2 WHERE id = ?1")?
            .execute(params![id.as_bytes(), history])?;
    }
    Ok(())
}

fn lane_of(desk: &Desk, row: i64) -> rusqlite::Result<Option<i64>> {
    desk.sql("SELECT lane FROM pending WHERE row = ?1")?.query_row([row], |row| row.get(0)).optional()
}

/// Deletes an event that no delivery needs any more, and then its request.
fn release_event(desk: &Desk, event: i64) -> rusqlite::Result<()> {
    match delete_unneeded(desk, event) {
        // What is damaged stays where it is: the delivery has ended all the same.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            tracing::error!(%error, event, "a delivered event cannot be deleted: its record is damaged");
            Ok(())
        }
        result => result,
    }
}

fn delete_unneeded(desk: &Desk, event: i64) -> rusqlite::Result<()> {
    let request: Option<i64> = desk
        .sql(
            "DELETE FROM events WHERE row = ?1
             AND NOT EXISTS (SELECT 1 FROM pending WHERE event = ?1)
             AND NOT EXISTS (SELECT 1 FROM dead WHERE event = ?1) RETURNING request",
        )?
        .query_row([event], |row| row.get(0))
        .optional()?;
    if let Some(request) = request {
        desk.sql("DELETE FROM requests WHERE row = ?1 AND NOT EXISTS (SELECT 1 FROM events WHERE request = ?1)")?
            .execute([request])?;
    }
    Ok(())
}
