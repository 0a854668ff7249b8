//! The append: a request, its events and their deliveries.

use std::sync::Arc;

use rusqlite::params;

use super::codec;
use super::counts::Changes;
use super::desk::Desk;
use super::keys::{self, Known, NewKey};
use super::tables::{BLOCKED, SLOTS, slots};
use super::{order, replay};
use crate::model::{DeliveryId, EventKey, Timestamp};
use crate::queue::{Admission, Append, Appended, Lease, NewDelivery, NewEvent, RouteCounts, Tally};

/// What one request, event or delivery is taken to weigh beside the body, in bytes: rows and indexes.
const OVERHEAD: usize = 256;

/// An append under way: its request is stored with the first event that is.
struct Appending<'a> {
    desk: &'a mut Desk,
    changes: &'a mut Changes,
    batch: &'a Append,
    request: Option<i64>,
    /// About how many bytes an event takes, as its share of the request.
    share: usize,
    leases: Vec<Lease>,
    now: Timestamp,
}

/// About how much memory an append holds, in bytes.
pub(super) fn weight(batch: &Append) -> usize {
    let rows: usize = batch.events.iter().map(|new| 1 + new.deliveries.len()).sum();
    request_weight(batch) + OVERHEAD * (1 + rows)
}

fn request_weight(batch: &Append) -> usize {
    let fields: usize = batch.request.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    batch.request.body.len() + fields
}

/// About how many bytes an event of `batch` takes, as its share of the request.
pub(super) fn share(batch: &Append) -> usize {
    request_weight(batch) / batch.events.len().max(1) + OVERHEAD
}

/// About how many bytes each of an event's deliveries takes.
pub(super) fn delivery_size(share: usize, deliveries: usize) -> i64 {
    i64::try_from(share / deliveries.max(1) + OVERHEAD).unwrap_or(i64::MAX)
}

/// Stores what is new of `batch`. The leases it returns are claims, taken before the commit shows the rows to readers;
/// dropping them after a failed commit gives them back.
pub(super) fn append(
    desk: &mut Desk,
    changes: &mut Changes,
    batch: &Append,
    now: Timestamp,
) -> rusqlite::Result<Appended> {
    let share = share(batch);
    let mut appending = Appending { desk, changes, batch, request: None, share, leases: Vec::new(), now };
    let admissions: Vec<_> = batch.events.iter().map(|new| appending.event(new)).collect::<rusqlite::Result<_>>()?;
    let leases = appending.leases;
    count(desk, changes, &batch.route, batch.tally, &admissions)?;
    Ok(Appended { admissions, leases })
}

/// Counts what came in and what became of it.
pub(super) fn count(
    desk: &Desk,
    changes: &mut Changes,
    route: &Arc<str>,
    tally: Tally,
    admissions: &[Admission],
) -> rusqlite::Result<()> {
    let row = desk.route_row(changes, route)?;
    changes.add_to_route(row, counted(tally, admissions));
    Ok(())
}

/// What a route's counts are more by a request.
pub(super) fn counted(Tally { received, filtered, invalid }: Tally, admissions: &[Admission]) -> RouteCounts {
    let accepted = admissions.iter().filter(|admission| **admission == Admission::Accepted).count() as u64;
    RouteCounts { received, accepted, filtered, duplicate: admissions.len() as u64 - accepted, invalid }
}

// === impl Appending ===

impl Appending<'_> {
    fn event(&mut self, new: &NewEvent) -> rusqlite::Result<Admission> {
        if new.deliveries.is_empty() {
            return Ok(Admission::Accepted);
        }
        let key = EventKey::new(&self.batch.route, &new.key);
        let known = keys::known(self.desk, key)?;
        if new.remember_until.is_some() && known.iter().any(|known| known.until > self.now.as_millis()) {
            return Ok(Admission::Duplicate);
        }
        let wanted = self.not_pending(new, &known)?;
        if new.remember_until.is_some() {
            self.end_windows(key, &known)?;
        }
        if wanted.is_empty() {
            // All of its deliveries are still pending: it is known by them.
            self.remember_again(key, new, &known)?;
            return Ok(Admission::Duplicate);
        }
        self.store(new, key, &wanted)?;
        Ok(Admission::Accepted)
    }

    /// Stores an event with deliveries.
    fn store(&mut self, new: &NewEvent, key: EventKey, wanted: &[&NewDelivery]) -> rusqlite::Result<()> {
        let event = self.desk.next_event()?;
        let request = self.request(event)?;
        codec::insert_event(&mut *self.desk.sql(codec::INSERT_EVENT)?, event, request, key, &new.event)?;
        let until = new.remember_until.map_or(0, Timestamp::as_millis);
        keys::insert(self.desk, NewKey { key, event, until })?;
        if new.key != new.event.id() {
            let alias = EventKey::alias(&self.batch.route, new.event.id());
            keys::insert(self.desk, NewKey { key: alias, event, until: 0 })?;
        }
        let size = delivery_size(self.share, wanted.len());
        for (slot, delivery) in (0..SLOTS).zip(wanted) {
            self.delivery(new, key, slots(event).0 + slot, size, delivery)?;
        }
        Ok(())
    }

    fn delivery(
        &mut self,
        new: &NewEvent,
        key: EventKey,
        row: i64,
        size: i64,
        NewDelivery { lane, order_key }: &NewDelivery,
    ) -> rusqlite::Result<()> {
        let id = DeliveryId::of(key, &lane.delivery);
        let lane_row = self.desk.lane_row(self.changes, lane)?;
        let due_at = order::due_at(self.desk, self.changes, lane_row, order_key.as_deref(), row, self.now)?;
        let accepted_at = self.now.as_millis();
        let sum = codec::delivery_sum(row, id.as_bytes(), lane_row, accepted_at, size, order_key.as_deref());
        self.desk
            .sql(
                "INSERT INTO pending (row, id, lane, due_at, accepted_at, attempts, size, sum, key)
                 VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8)",
            )?
            .execute(params![row, id.as_bytes(), lane_row, due_at, accepted_at, size, sum, order_key])?;
        self.changes.lane(lane_row).accept(size);
        if due_at < BLOCKED {
            let event = Arc::clone(&new.event);
            let hold = self.desk.claims.claim(row, order_key.is_none().then_some(size));
            self.leases.push(Lease::new(id, lane.clone(), event, self.now, self.now, 0, hold));
        }
        Ok(())
    }

    fn request(&mut self, event: i64) -> rusqlite::Result<i64> {
        if let Some(row) = self.request {
            return Ok(row);
        }
        codec::insert_request(&mut *self.desk.sql(codec::INSERT_REQUEST)?, event, &self.batch.request)?;
        self.request = Some(event);
        Ok(event)
    }

    /// The deliveries of an event that are not pending already. The dead letters of the others give way: they live again,
    /// with the new event.
    fn not_pending<'n>(&mut self, new: &'n NewEvent, known: &[Known]) -> rusqlite::Result<Vec<&'n NewDelivery>> {
        if known.is_empty() {
            return Ok(new.deliveries.iter().collect());
        }
        let mut wanted = Vec::with_capacity(new.deliveries.len());
        for delivery in &new.deliveries {
            let lane = self.desk.lane_row(self.changes, &delivery.lane)?;
            if self.in_table("pending", known, lane)?.is_empty() {
                for row in self.in_table("dead", known, lane)? {
                    replay::purge(self.desk, self.changes, row)?;
                }
                wanted.push(delivery);
            }
        }
        Ok(wanted)
    }

    /// The deliveries of known events to a lane that are in a table.
    fn in_table(&self, table: &str, known: &[Known], lane: i64) -> rusqlite::Result<Vec<i64>> {
        let mut found = Vec::new();
        for Known { event, .. } in known {
            let (first, last) = slots(*event);
            found.extend(self.find(table, first, last, lane)?);
        }
        Ok(found)
    }

    fn find(&self, table: &str, first: i64, last: i64, lane: i64) -> rusqlite::Result<Option<i64>> {
        let sql = format!("SELECT row FROM {table} WHERE row BETWEEN ?1 AND ?2 AND lane = ?3");
        let mut statement = self.desk.sql(&sql)?;
        let mut rows = statement.query([first, last, lane])?;
        rows.next()?.map(|row| row.get(0)).transpose()
    }

    /// A window that has ended gives way to the new one.
    fn end_windows(&self, key: EventKey, known: &[Known]) -> rusqlite::Result<()> {
        let ended = known.iter().filter(|known| known.until > 0 && known.until <= self.now.as_millis());
        for Known { event, .. } in ended {
            keys::end_window(self.desk, key, *event)?;
        }
        Ok(())
    }

    fn remember_again(&self, key: EventKey, new: &NewEvent, known: &[Known]) -> rusqlite::Result<()> {
        let (Some(until), Some(known)) = (new.remember_until, known.last()) else { return Ok(()) };
        keys::remember(self.desk, key, known.event, until.as_millis())
    }
}
