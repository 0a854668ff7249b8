//! Making deliveries again that had ended, and removing dead letters.

use rusqlite::{OptionalExtension, params};

use super::counts::Changes;
use super::desk::Desk;
use super::tables::{BLOCKED, event_of, slots};
use super::{codec, keys, order, packs, settle, shelf};
use crate::model::{DeliveryId, EventKey, Lane, Timestamp};
use crate::queue::{NewDelivery, Replayed};

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Pending,
    Dead,
    Done,
}

const TABLES: [Table; 3] = [Table::Pending, Table::Dead, Table::Done];

/// What a delivery that is not there yet is taken to weigh, in bytes: its event is stored already.
const ROW: i64 = 256;

/// Replays the delivery of this id. `None` where there is none.
pub(super) fn one(
    desk: &Desk,
    changes: &mut Changes,
    id: DeliveryId,
    now: Timestamp,
) -> rusqlite::Result<Option<Replayed>> {
    for event in keys::events_of_id(&desk.connection, &desk.young, id)? {
        packs::open_holding(&desk.connection, event)?;
    }
    let Some((table, row)) = find(desk, id)? else { return Ok(None) };
    row_of(desk, changes, table, row, now).map(Some)
}

/// Has an event delivered to each of these lanes. `None` where there is no such event.
pub(super) fn event(
    desk: &Desk,
    changes: &mut Changes,
    event: i64,
    to: &[NewDelivery],
    now: Timestamp,
) -> rusqlite::Result<Option<Vec<Replayed>>> {
    packs::open_holding(&desk.connection, event)?;
    let key: Option<[u8; 16]> =
        desk.sql("SELECT key FROM events WHERE row = ?1")?.query_row([event], |row| row.get(0)).optional()?;
    let Some(key) = key.map(EventKey::from_bytes) else { return Ok(None) };
    let mut to_lane = |delivery: &NewDelivery| match of_lane(desk, changes, event, &delivery.lane)? {
        Some((table, row)) => row_of(desk, changes, table, row, now),
        None => further(desk, changes, event, key, delivery, now),
    };
    to.iter().map(&mut to_lane).collect::<rusqlite::Result<Vec<_>>>().map(Some)
}

/// Replays the delivery in a row.
pub(super) fn row_of(
    desk: &Desk,
    changes: &mut Changes,
    table: Table,
    row: i64,
    now: Timestamp,
) -> rusqlite::Result<Replayed> {
    let name = table.name();
    let (id, lane, size, key): (_, i64, i64, Option<String>) = desk
        .sql(&format!("SELECT id, lane, size, key FROM {name} WHERE row = ?1"))?
        .query_row([row], |row| Ok((codec::delivery_id(row, 0), row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let id = id.unwrap_or(DeliveryId::from_bytes([0; 16]));
    let named = desk.counts.lane(lane).unwrap_or_else(|| Lane::new("", ""));
    if table == Table::Pending {
        return Ok(Replayed { id, lane: named, replayed: false, waits: is_blocked(desk, row)? });
    }
    order::unpark_behind(desk, lane, key.as_deref(), row)?;
    let due_at = order::due_at(desk, changes, lane, key.as_deref(), row, now)?;
    let history = history(desk, table, row)?;
    desk.sql(&format!(
        "INSERT INTO pending (row, id, lane, due_at, accepted_at, replayed_at, attempts, size, sum, key, history)
         SELECT row, id, lane, ?2, accepted_at, ?3, 0, size, sum, key, ?4 FROM {name} WHERE row = ?1"
    ))?
    .execute(params![row, due_at, now.as_millis(), history])?;
    desk.sql(&format!("DELETE FROM {name} WHERE row = ?1"))?.execute([row])?;
    let change = changes.lane(lane);
    change.replayed += 1;
    change.enter_pending(size);
    match table {
        Table::Done => {
            change.accepted += 1;
            change.leave_kept(size);
        }
        _ => change.leave_dead(size),
    }
    Ok(Replayed { id, lane: named, replayed: true, waits: due_at == BLOCKED })
}

/// Removes a dead letter for good. Whether there was one.
pub(super) fn purge(desk: &Desk, changes: &mut Changes, row: i64) -> rusqlite::Result<bool> {
    let Some((lane, _)) = settle::remove_dead(desk, changes, row)? else { return Ok(false) };
    changes.lane(lane).purged += 1;
    shelf::release_event(desk, row)?;
    Ok(true)
}

/// Where the delivery of an id stands: the last accepted, should there be several.
pub(super) fn find(desk: &Desk, id: DeliveryId) -> rusqlite::Result<Option<(Table, i64)>> {
    for event in keys::events_of_id(&desk.connection, &desk.young, id)? {
        let (first, last) = slots(event);
        for table in TABLES {
            let sql = format!("SELECT row FROM {} WHERE row BETWEEN ?1 AND ?2 AND id = ?3", table.name());
            let row = desk.sql(&sql)?.query_row(params![first, last, id.as_bytes()], |row| row.get(0)).optional()?;
            if let Some(row) = row {
                return Ok(Some((table, row)));
            }
        }
    }
    Ok(None)
}

fn of_lane(desk: &Desk, changes: &mut Changes, event: i64, lane: &Lane) -> rusqlite::Result<Option<(Table, i64)>> {
    let lane = desk.lane_row(changes, lane)?;
    let (first, last) = slots(event);
    for table in TABLES {
        let sql = format!("SELECT row FROM {} WHERE row BETWEEN ?1 AND ?2 AND lane = ?3", table.name());
        if let Some(row) = desk.sql(&sql)?.query_row([first, last, lane], |row| row.get(0)).optional()? {
            return Ok(Some((table, row)));
        }
    }
    Ok(None)
}

/// A delivery of an event to a lane that it did not go to, or that has forgotten it.
fn further(
    desk: &Desk,
    changes: &mut Changes,
    event: i64,
    key: EventKey,
    NewDelivery { lane, order_key }: &NewDelivery,
    now: Timestamp,
) -> rusqlite::Result<Replayed> {
    let id = DeliveryId::of(key, &lane.delivery);
    let lane_row = desk.lane_row(changes, lane)?;
    let row = free_slot(desk, event)?;
    let due_at = order::due_at(desk, changes, lane_row, order_key.as_deref(), row, now)?;
    let sum = codec::delivery_sum(row, id.as_bytes(), lane_row, now.as_millis(), ROW, order_key.as_deref());
    desk.sql(
        "INSERT INTO pending (row, id, lane, due_at, accepted_at, replayed_at, attempts, size, sum, key)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5, 0, ?6, ?7, ?8)",
    )?
    .execute(params![row, id.as_bytes(), lane_row, due_at, now.as_millis(), ROW, sum, order_key])?;
    let change = changes.lane(lane_row);
    change.accepted += 1;
    change.replayed += 1;
    change.enter_pending(ROW);
    Ok(Replayed { id, lane: lane.clone(), replayed: true, waits: due_at == BLOCKED })
}

/// A number that no delivery of the event has. Where all were given, storing fails: there are more than a route has
/// deliveries.
fn free_slot(desk: &Desk, event: i64) -> rusqlite::Result<i64> {
    let (first, last) = slots(event);
    let taken: Option<i64> = desk
        .sql(
            "SELECT max(row) FROM (
             SELECT max(row) AS row FROM pending WHERE row BETWEEN ?1 AND ?2
             UNION ALL SELECT max(row) FROM dead WHERE row BETWEEN ?1 AND ?2
             UNION ALL SELECT max(row) FROM done WHERE row BETWEEN ?1 AND ?2)",
        )?
        .query_row([first, last], |row| row.get(0))?;
    let row = taken.map_or(first, |taken| taken + 1);
    if event_of(row) == event { Ok(row) } else { Err(rusqlite::Error::IntegralValueOutOfRange(0, row)) }
}

fn is_blocked(desk: &Desk, row: i64) -> rusqlite::Result<bool> {
    desk.sql("SELECT due_at = ?2 FROM pending WHERE row = ?1")?.query_row([row, BLOCKED], |row| row.get(0))
}

/// The history that goes on: of a delivery that was made, with the attempt that made it.
fn history(desk: &Desk, table: Table, row: i64) -> rusqlite::Result<Option<String>> {
    if table != Table::Done {
        let sql = format!("SELECT history FROM {} WHERE row = ?1", table.name());
        return desk.sql(&sql)?.query_row([row], |row| row.get(0));
    }
    desk.sql("SELECT history, attempts, began_at, took, status FROM done WHERE row = ?1")?.query_row([row], |row| {
        let history: Option<String> = row.get(0)?;
        Ok(Some(codec::longer_history(history.as_deref(), &codec::last_attempt(row, 1)?)))
    })
}

// === impl Table ===

impl Table {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Dead => "dead",
            Self::Done => "done",
        }
    }
}
