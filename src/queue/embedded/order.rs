//! Order keys: of those that are pending with one key, one at most is due; the others are [`BLOCKED`].
//!
//! Which one that is follows from the numbers, which count up as deliveries are accepted: the least that may go on. A
//! parked key's may go on only up to the dead letter that parked it. Every change to a pending delivery that has a key
//! ends with a call here, in its transaction, so that a crash leaves no key without one that is due.

use rusqlite::{OptionalExtension, params};

use super::counts::Changes;
use super::desk::Desk;
use super::replay::{self, Table};
use super::tables::BLOCKED;
use crate::model::Timestamp;

/// When a delivery is due that becomes pending at `now`: then, or once it is let go on. A younger one of its key that is due,
/// and that nobody has, gives way to it.
pub(super) fn due_at(
    desk: &Desk,
    changes: &mut Changes,
    lane: i64,
    key: Option<&str>,
    row: i64,
    now: Timestamp,
) -> rusqlite::Result<i64> {
    let Some(key) = key else { return Ok(now.as_millis()) };
    if parked_behind(desk, lane, key)?.is_some_and(|behind| behind < row) {
        return Ok(BLOCKED);
    }
    let Some(active) = active(desk, lane, key)? else { return Ok(now.as_millis()) };
    let claim = if row < active { desk.claims.claim_free(active) } else { None };
    match claim {
        Some(claim) => {
            changes.supersede(claim);
            set_due(desk, active, BLOCKED)?;
            Ok(now.as_millis())
        }
        None => Ok(BLOCKED),
    }
}

/// Lets the next of a key go on, where none does. Whether there was one.
pub(super) fn promote(desk: &Desk, lane: i64, key: Option<&str>, now: Timestamp) -> rusqlite::Result<bool> {
    let Some(key) = key else { return Ok(false) };
    if active(desk, lane, key)?.is_some() {
        return Ok(false);
    }
    let Some(next) = first_blocked(desk, lane, key)? else { return Ok(false) };
    if parked_behind(desk, lane, key)?.is_some_and(|behind| behind < next) {
        return Ok(false);
    }
    set_due(desk, next, now.as_millis())?;
    Ok(true)
}

/// The delivery in `row` was put off: an older one of its key, that was replayed meanwhile, goes first. Whether there
/// is one.
pub(super) fn yield_to_older(
    desk: &Desk,
    lane: i64,
    key: Option<&str>,
    row: i64,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let Some(key) = key else { return Ok(false) };
    let older = first_blocked(desk, lane, key)?.filter(|blocked| *blocked < row);
    let Some(older) = older else { return Ok(false) };
    set_due(desk, row, BLOCKED)?;
    set_due(desk, older, now.as_millis())?;
    Ok(true)
}

/// Has what comes after the dead letter in `row` wait for a person.
pub(super) fn park(desk: &Desk, lane: i64, key: &str, row: i64, now: Timestamp) -> rusqlite::Result<()> {
    desk.sql(
        "INSERT INTO parked (lane, key, behind, since) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (lane, key) DO UPDATE SET behind = max(behind, excluded.behind)",
    )?
    .execute(params![lane, key, row, now.as_millis()])
    .map(|_| ())
}

/// The delivery in `row` is to be made again: should its key wait behind it, it no longer does.
pub(super) fn unpark_behind(desk: &Desk, lane: i64, key: Option<&str>, row: i64) -> rusqlite::Result<()> {
    let Some(key) = key else { return Ok(()) };
    desk.sql("DELETE FROM parked WHERE lane = ?1 AND key = ?2 AND behind = ?3")?
        .execute(params![lane, key, row])
        .map(|_| ())
}

/// Lets a parked key go on, with the dead letter that it waits behind or without. How many deliveries waited; `None`
/// where it is not parked.
pub(super) fn release(
    desk: &Desk,
    changes: &mut Changes,
    lane: i64,
    key: &str,
    replay: bool,
    now: Timestamp,
) -> rusqlite::Result<Option<u64>> {
    let behind: Option<i64> = desk
        .sql("DELETE FROM parked WHERE lane = ?1 AND key = ?2 RETURNING behind")?
        .query_row(params![lane, key], |row| row.get(0))
        .optional()?;
    let Some(behind) = behind else { return Ok(None) };
    let waited: i64 = desk
        .sql("SELECT count(*) FROM pending WHERE lane = ?1 AND key = ?2 AND due_at = ?3")?
        .query_row(params![lane, key, BLOCKED], |row| row.get(0))?;
    let there: bool =
        desk.sql("SELECT EXISTS (SELECT 1 FROM dead WHERE row = ?1)")?.query_row([behind], |row| row.get(0))?;
    if replay && there {
        replay::row_of(desk, changes, Table::Dead, behind, now)?;
    }
    promote(desk, lane, Some(key), now)?;
    Ok(Some(waited.unsigned_abs()))
}

/// Releases every key of a lane.
pub(super) fn unpark_all(desk: &Desk, lane: i64) -> rusqlite::Result<()> {
    desk.sql("DELETE FROM parked WHERE lane = ?1")?.execute([lane]).map(|_| ())
}

/// The one of a key that is due, now or later.
fn active(desk: &Desk, lane: i64, key: &str) -> rusqlite::Result<Option<i64>> {
    desk.sql("SELECT row FROM pending WHERE lane = ?1 AND key = ?2 AND due_at < ?3 LIMIT 1")?
        .query_row(params![lane, key, BLOCKED], |row| row.get(0))
        .optional()
}

fn first_blocked(desk: &Desk, lane: i64, key: &str) -> rusqlite::Result<Option<i64>> {
    desk.sql("SELECT row FROM pending WHERE lane = ?1 AND key = ?2 AND due_at = ?3 ORDER BY row LIMIT 1")?
        .query_row(params![lane, key, BLOCKED], |row| row.get(0))
        .optional()
}

fn parked_behind(desk: &Desk, lane: i64, key: &str) -> rusqlite::Result<Option<i64>> {
    desk.sql("SELECT behind FROM parked WHERE lane = ?1 AND key = ?2")?
        .query_row(params![lane, key], |row| row.get(0))
        .optional()
}

fn set_due(desk: &Desk, row: i64, due_at: i64) -> rusqlite::Result<()> {
    desk.sql("UPDATE pending SET due_at = ?2 WHERE row = ?1")?.execute([row, due_at]).map(|_| ())
}
