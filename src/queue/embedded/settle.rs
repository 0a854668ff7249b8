//! How a delivery ends, or is put off.

use rusqlite::{OptionalExtension, params};

use super::codec;
use super::counts::Changes;
use super::desk::Desk;
use super::{order, shelf};
use crate::model::{Attempt, DeliveryId, Lane, Reason, Timestamp};
use crate::queue::{Claim, Death, Settled};

/// What became of a delivery that was claimed.
#[derive(Debug)]
pub(super) struct Settle {
    pub(super) id: DeliveryId,
    pub(super) lane: Lane,
    pub(super) claim: Claim,
    pub(super) verdict: Verdict,
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It was made.
    Made { attempt: Attempt, keep_until: Option<Timestamp> },
    /// It is to be tried again.
    Again { at: Timestamp, attempt: Attempt },
    /// It is given up.
    Dead(Death),
    /// It is given up, because its record cannot be read.
    Unreadable,
}

/// What is to be known of a pending delivery that changes.
struct Pending {
    lane: i64,
    size: i64,
    key: Option<String>,
}

/// How a delivery that was given up waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Burial {
    pub(super) reason: Reason,
    pub(super) at: Timestamp,
    pub(super) park: bool,
}

/// What a damaged row is taken for where a column of it has another type than was written.
const AS_FAR_AS_IT_FITS: &str =
    "coalesce(CAST(id AS BLOB), zeroblob(16)), lane, coalesce(CAST(accepted_at AS INTEGER), 0),
    CAST(replayed_at AS INTEGER), coalesce(CAST(attempts AS INTEGER), 0), coalesce(CAST(size AS INTEGER), 0),
    coalesce(CAST(sum AS INTEGER), 0), CAST(key AS TEXT), NULL";

const LATE: Settled = Settled { was_pending: false, next_is_due: false, parked: false };

/// Enters what became of a delivery.
pub(super) fn settle(desk: &Desk, changes: &mut Changes, settle: &Settle, now: Timestamp) -> rusqlite::Result<Settled> {
    let Settle { id, claim, verdict, .. } = settle;
    let row = claim.row;
    if !desk.claims.stands(*claim) {
        if is_dead(desk, row, *id)? {
            late(desk, changes, row, verdict)?;
        }
        return Ok(LATE);
    }
    changes.settled(row);
    match verdict {
        Verdict::Made { attempt, keep_until } => made(desk, changes, row, attempt, *keep_until, now),
        Verdict::Again { at, attempt } => again(desk, row, *at, attempt, now),
        Verdict::Dead(Death { reason, at, attempt, park }) => {
            if let Some(attempt) = attempt {
                record(desk, "pending", row, attempt)?;
            }
            bury(desk, changes, row, Burial { reason: *reason, at: *at, park: *park }, now)
        }
        Verdict::Unreadable => bury(desk, changes, row, Burial { reason: Reason::Corrupt, at: now, park: false }, now),
    }
}

/// Moves a pending delivery to the dead.
pub(super) fn bury(
    desk: &Desk,
    changes: &mut Changes,
    row: i64,
    Burial { reason, at, park }: Burial,
    now: Timestamp,
) -> rusqlite::Result<Settled> {
    let columns = if reason == Reason::Corrupt {
        AS_FAR_AS_IT_FITS
    } else {
        "id, lane, accepted_at, replayed_at, attempts, size, sum, key, history"
    };
    desk.sql(&format!(
        "INSERT INTO dead (row, id, lane, accepted_at, replayed_at, attempts, size, sum, key, history, reason, died_at)
         SELECT row, {columns}, ?2, ?3 FROM pending WHERE row = ?1"
    ))?
    .execute(params![row, reason.as_str(), at.as_millis()])?;
    let Some(Pending { lane, size, key }) = remove_pending(desk, changes, row)? else { return Ok(LATE) };
    changes.lane(lane).enter_dead(size);
    let mut parked = false;
    if let Some(key) = key.as_deref().filter(|_| park) {
        order::park(desk, lane, key, row, now)?;
        parked = true;
    }
    let next_is_due = order::promote(desk, lane, key.as_deref(), now)?;
    Ok(Settled { was_pending: true, next_is_due, parked })
}

/// It was made: it leaves the pending.
pub(super) fn made(
    desk: &Desk,
    changes: &mut Changes,
    row: i64,
    attempt: &Attempt,
    keep_until: Option<Timestamp>,
    now: Timestamp,
) -> rusqlite::Result<Settled> {
    if let Some(keep_until) = keep_until {
        shelf::put(desk, "pending", row, attempt, keep_until)?;
    }
    let Some(Pending { lane, size, key }) = remove_pending(desk, changes, row)? else { return Ok(LATE) };
    changes.lane(lane).delivered += 1;
    match keep_until {
        Some(_) => changes.lane(lane).enter_kept(size),
        None => shelf::release_event(desk, row)?,
    }
    let next_is_due = order::promote(desk, lane, key.as_deref(), now)?;
    Ok(Settled { was_pending: true, next_is_due, parked: false })
}

/// It waits for another attempt.
pub(super) fn again(
    desk: &Desk,
    row: i64,
    at: Timestamp,
    attempt: &Attempt,
    now: Timestamp,
) -> rusqlite::Result<Settled> {
    record(desk, "pending", row, attempt)?;
    let updated: Option<(i64, Option<String>)> = desk
        .sql("UPDATE pending SET due_at = ?2 WHERE row = ?1 RETURNING lane, key")?
        .query_row(params![row, at.as_millis()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((lane, key)) = updated else { return Ok(LATE) };
    let next_is_due = order::yield_to_older(desk, lane, key.as_deref(), row, now)?;
    Ok(Settled { was_pending: true, next_is_due, parked: false })
}

/// What came of an attempt whose delivery was given up meanwhile. Should it be pending again, because it was replayed,
/// somebody else has it.
fn late(desk: &Desk, changes: &mut Changes, row: i64, verdict: &Verdict) -> rusqlite::Result<()> {
    match verdict {
        Verdict::Made { attempt, keep_until } => made_late(desk, changes, row, attempt, *keep_until),
        Verdict::Again { attempt, .. } | Verdict::Dead(Death { attempt: Some(attempt), .. }) => {
            record(desk, "dead", row, attempt)
        }
        Verdict::Dead(_) | Verdict::Unreadable => Ok(()),
    }
}

/// Whether the delivery is a dead letter. By its id too: its number may have come to another of its event.
fn is_dead(desk: &Desk, row: i64, id: DeliveryId) -> rusqlite::Result<bool> {
    desk.sql("SELECT EXISTS (SELECT 1 FROM dead WHERE row = ?1 AND id = ?2)")?
        .query_row(params![row, id.as_bytes()], |row| row.get(0))
}

/// It reached the destination after all: it is no dead letter.
fn made_late(
    desk: &Desk,
    changes: &mut Changes,
    row: i64,
    attempt: &Attempt,
    keep_until: Option<Timestamp>,
) -> rusqlite::Result<()> {
    if let Some(keep_until) = keep_until {
        shelf::put(desk, "dead", row, attempt, keep_until)?;
    }
    let Some((lane, size)) = remove_dead(desk, changes, row)? else { return Ok(()) };
    changes.lane(lane).delivered += 1;
    match keep_until {
        Some(_) => changes.lane(lane).enter_kept(size),
        None => shelf::release_event(desk, row)?,
    }
    Ok(())
}

/// Removes a dead letter, of which the caller says what it is now. Its lane and size, where there was one.
pub(super) fn remove_dead(desk: &Desk, changes: &mut Changes, row: i64) -> rusqlite::Result<Option<(i64, i64)>> {
    let removed = desk
        .sql("DELETE FROM dead WHERE row = ?1 RETURNING lane, size")?
        .query_row([row], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((lane, size)) = removed {
        changes.lane(lane).leave_dead(size);
    }
    Ok(removed)
}

/// Removes a pending delivery, of which the caller says what it is now.
fn remove_pending(desk: &Desk, changes: &mut Changes, row: i64) -> rusqlite::Result<Option<Pending>> {
    let removed = desk
        .sql(
            "DELETE FROM pending WHERE row = ?1 RETURNING lane, coalesce(CAST(size AS INTEGER), 0), CAST(key AS TEXT)",
        )?
        .query_row([row], |row| Ok(Pending { lane: row.get(0)?, size: row.get(1)?, key: row.get(2)? }))
        .optional()?;
    if let Some(Pending { lane, size, .. }) = &removed {
        changes.lane(*lane).leave_pending(*size);
    }
    Ok(removed)
}

/// Adds an attempt to the history of a delivery in `table`.
fn record(desk: &Desk, table: &str, row: i64, attempt: &Attempt) -> rusqlite::Result<()> {
    let history: Option<Option<String>> = desk
        .sql(&format!("SELECT history FROM {table} WHERE row = ?1"))?
        .query_row([row], |row| row.get(0))
        .optional()?;
    let Some(history) = history else { return Ok(()) };
    desk.sql(&format!("UPDATE {table} SET attempts = attempts + 1, history = ?2 WHERE row = ?1"))?
        .execute(params![row, codec::longer_history(history.as_deref(), attempt)])
        .map(|_| ())
}
