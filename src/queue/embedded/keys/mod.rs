//! Which events there were: the keys by which one that comes again is known, and by which events are found.
//!
//! A key is a hash, so each of a thousand new ones belongs on another page of the table `keys`: written there at once they
//! would cost a page each, and once there are millions that is most of what storing costs. So keys that the storer brings are
//! *young* first: in memory, by slices of the hash ([`Young`]), and in the table `key_runs`, one row for all that came
//! together. With each run the storer merges as many slices, in turn, as come to be too much: what one has gathered goes into
//! `keys` in the order of that tree, many to a page, and `key_marks` says up to which run. So runs and marks say which keys
//! are young, and a start reads just these.
//!
//! What the writer itself stores goes into `keys` at once. A young key that changes is *removed*, which is an entry of a run,
//! too, and goes into `keys` where it stays. Nothing of a run is ever changed.
//!
//! The index of `keys` by their ends has these in steps of eight seconds, and the keys in order within: what is merged
//! together stands together there as well, and so does what is forgotten together.

mod runs;
mod young;

use rusqlite::{Connection, params};

use super::desk::Desk;
use super::give_way::give_way;
use super::packs;
use crate::model::{DeliveryId, EventKey, Timestamp};

pub(super) use self::runs::mend;
pub(super) use self::young::{Plan, Written, Young};

/// A key, and an event that is known by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NewKey {
    pub(super) key: EventKey,
    /// Its number.
    pub(super) event: i64,
    /// Until when it is remembered, in milliseconds since the Unix epoch; 0 where it is there as long as its event is.
    pub(super) until: i64,
}

/// An event that is known by some key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Known {
    pub(super) event: i64,
    pub(super) until: i64,
}

/// Stores a key in the table. One may be there, where a salvage did not find up to where its slice was merged.
const INSERT: &str = "INSERT INTO keys (key, event, until) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
const DELETE: &str = "DELETE FROM keys WHERE key = ?1 AND event = ?2";
/// By the index `keys_by_until`, in its steps.
pub(super) const ENDED: &str = "SELECT key, event FROM keys WHERE until > 0 AND until >> 13 <= ?1 >> 13 AND until <= ?1
     ORDER BY until >> 13, key LIMIT ?2";

/// What is stored of events under a key, the last accepted last.
pub(super) fn known(desk: &Desk, key: EventKey) -> rusqlite::Result<Vec<Known>> {
    let mut known = desk
        .sql("SELECT event, until FROM keys WHERE key = ?1")?
        .query_map([key.as_bytes()], |row| Ok(Known { event: row.get(0)?, until: row.get(1)? }))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    if desk.young.known(key, &mut known) {
        known.sort_unstable();
    }
    Ok(known)
}

/// Whether an event is stored, or known to have been.
pub(super) fn has_event(desk: &Desk, key: EventKey, event: i64) -> rusqlite::Result<bool> {
    Ok(is_in_row(desk, event)? || known(desk, key)?.iter().any(|known| known.event == event))
}

fn is_in_row(desk: &Desk, event: i64) -> rusqlite::Result<bool> {
    desk.sql("SELECT EXISTS (SELECT 1 FROM events WHERE row = ?1)")?.query_row([event], |row| row.get(0))
}

/// The numbers of the events that can have the delivery of this id, the last accepted first.
pub(super) fn events_of_id(connection: &Connection, young: &Young, id: DeliveryId) -> rusqlite::Result<Vec<i64>> {
    events_between(connection, young, &[id.event_keys()])
}

/// The numbers of the events with keys in any of these ranges, which are each of one slice; the last accepted first. To be
/// called before anything else is read of a snapshot: what is young is looked for first, and what is not any more is then in
/// the table.
pub(super) fn events_between(
    connection: &Connection,
    young: &Young,
    ranges: &[(EventKey, EventKey)],
) -> rusqlite::Result<Vec<i64>> {
    let mut events: Vec<i64> = Vec::new();
    for (least, greatest) in ranges {
        young.add_events_between(*least, *greatest, &mut events);
    }
    let mut statement = connection.prepare_cached("SELECT event FROM keys WHERE key BETWEEN ?1 AND ?2")?;
    for (least, greatest) in ranges {
        let mut rows = statement.query([least.as_bytes(), greatest.as_bytes()])?;
        while let Some(row) = rows.next()? {
            events.push(row.get(0)?);
        }
    }
    events.sort_unstable_by_key(|event| std::cmp::Reverse(*event));
    events.dedup();
    Ok(events)
}

/// Stores a key in the table.
pub(super) fn insert(desk: &Desk, NewKey { key, event, until }: NewKey) -> rusqlite::Result<()> {
    desk.sql(INSERT)?.execute(params![key.as_bytes(), event, until]).map(|_| ())
}

/// Stores keys in the table, in the order of the tree: neighbours are written together.
pub(super) fn insert_all(desk: &Desk, mut keys: Vec<NewKey>) -> rusqlite::Result<()> {
    keys.sort_unstable();
    insert_in_order(desk, keys.into_iter())
}

fn insert_in_order(desk: &Desk, keys: impl Iterator<Item = NewKey>) -> rusqlite::Result<()> {
    let mut insert = desk.sql(INSERT)?;
    for (place, NewKey { key, event, until }) in keys.enumerate() {
        give_way(place);
        insert.execute(params![key.as_bytes(), event, until])?;
    }
    Ok(())
}

/// What the storer stores: a run of these keys and of what was removed, and the slices that are to be merged.
pub(super) fn store(desk: &Desk, plan: Plan, keys: Vec<NewKey>) -> rusqlite::Result<Written> {
    let removed = desk.young.removed();
    runs::insert(desk, plan.run, &keys, &removed)?;
    for (slice, keys) in &plan.merge {
        insert_in_order(desk, keys.iter().filter(|key| !removed.contains(&(key.key, key.event))).copied())?;
        runs::mark(desk, *slice, plan.mark())?;
    }
    if !plan.merge.is_empty() {
        runs::delete(desk, plan.least_mark)?;
    }
    Ok(Written { plan, keys })
}

/// What a transaction of the writer has removed from what is young, as a run. `None` where that is nothing.
pub(super) fn store_removed(desk: &Desk) -> rusqlite::Result<Option<Written>> {
    let removed = desk.young.removed();
    if removed.is_empty() {
        return Ok(None);
    }
    let plan = desk.young.plan_run();
    runs::insert(desk, plan.run, &[], &removed)?;
    Ok(Some(Written { plan, keys: Vec::new() }))
}

/// The keys of an event that is not there any more. One that is remembered stays until it is forgotten.
pub(super) fn release(desk: &Desk, key: EventKey, event: i64) -> rusqlite::Result<()> {
    match desk.young.until(key, event) {
        Some(0) => desk.young.remove(key, event),
        Some(_) => {}
        None => {
            desk.sql("DELETE FROM keys WHERE key = ?1 AND event = ?2 AND until = 0")?
                .execute(params![key.as_bytes(), event])?;
        }
    }
    Ok(())
}

/// Ends the windows of some of the keys that are remembered no more. How many: none where there are none.
pub(super) fn end_windows(desk: &Desk, now: Timestamp, most: usize) -> rusqlite::Result<usize> {
    let young = desk.young.ended(now.as_millis(), most);
    let left = i64::try_from(most - young.len()).unwrap_or(i64::MAX);
    let stored: Vec<(Vec<u8>, i64)> = desk
        .sql(ENDED)?
        .query_map([now.as_millis(), left], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (key, event) in &young {
        end_window(desk, *key, *event)?;
    }
    for (key, event) in &stored {
        match key.as_slice().try_into() {
            Ok(key) => end_window(desk, EventKey::from_bytes(key), *event)?,
            // Of a damaged page: nobody asks for it.
            Err(_) => desk.sql(DELETE)?.execute(params![key, event]).map(|_| ())?,
        }
    }
    Ok(young.len() + stored.len())
}

/// A key is remembered no more. As long as its event is there it stays, so that this can be found.
pub(super) fn end_window(desk: &Desk, key: EventKey, event: i64) -> rusqlite::Result<()> {
    if is_in_row(desk, event)? || packs::has_event(&desk.connection, event)? {
        return remember(desk, key, event, 0);
    }
    if desk.young.until(key, event).is_some() {
        desk.young.remove(key, event);
        return Ok(());
    }
    desk.sql(DELETE)?.execute(params![key.as_bytes(), event]).map(|_| ())
}

/// A key is remembered until another time.
pub(super) fn remember(desk: &Desk, key: EventKey, event: i64, until: i64) -> rusqlite::Result<()> {
    if desk.young.until(key, event).is_some() {
        desk.young.remove(key, event);
        return insert(desk, NewKey { key, event, until });
    }
    desk.sql("UPDATE keys SET until = ?3 WHERE key = ?1 AND event = ?2")?
        .execute(params![key.as_bytes(), event, until])
        .map(|_| ())
}
