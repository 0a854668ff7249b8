//! The append: a request, its events and their deliveries.

use std::sync::Arc;

use rusqlite::params;
use sha2::{Digest, Sha256};

use super::codec;
use super::desk::Desk;
use super::ledger::Changes;
use super::settle;
use crate::model::{DeliveryId, Lane, Timestamp};
use crate::queue::{Admission, Append, Appended, Lease, NewEvent};

/// What one event or delivery is taken to weigh beside the body, in bytes.
const OVERHEAD: usize = 512;

/// An append under way: its request is stored with the first event that is.
struct Appending<'a> {
    desk: &'a mut Desk,
    changes: &'a mut Changes,
    batch: &'a Append,
    request: Option<i64>,
    leases: Vec<Lease>,
    now: Timestamp,
}

/// About how much memory an append holds, in bytes.
pub(super) fn weight(batch: &Append) -> usize {
    let fields: usize = batch.request.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    let rows: usize = batch.events.iter().map(|new| 1 + new.lanes.len()).sum();
    batch.request.body.len() + fields + OVERHEAD * (1 + rows)
}

/// Stores what is new of `batch`. The leases it returns are claims, taken before the commit shows the rows to readers;
/// dropping them after a failed commit gives them back.
pub(super) fn append(
    desk: &mut Desk,
    changes: &mut Changes,
    batch: &Append,
    now: Timestamp,
) -> rusqlite::Result<Appended> {
    let mut appending = Appending { desk, changes, batch, request: None, leases: Vec::new(), now };
    let admissions = batch.events.iter().map(|new| appending.event(new)).collect::<rusqlite::Result<_>>()?;
    Ok(Appended { admissions, leases: appending.leases })
}

// === impl Appending ===

impl Appending<'_> {
    fn event(&mut self, new: &NewEvent) -> rusqlite::Result<Admission> {
        if new.lanes.is_empty() {
            return Ok(Admission::Accepted);
        }
        if let Some(until) = new.remember_until
            && !self.remember(new, until)?
        {
            return Ok(Admission::Duplicate);
        }
        let event = self.desk.next.event;
        let leases_before = self.leases.len();
        for lane in &new.lanes {
            self.delivery(new, event, lane)?;
        }
        if self.leases.len() == leases_before {
            // All of its deliveries are still pending: it is known by them.
            return Ok(Admission::Duplicate);
        }
        self.desk.next.event += 1;
        let request = self.request()?;
        codec::insert_event(self.desk, event, request, &new.event)?;
        Ok(Admission::Accepted)
    }

    /// Claims the event's key. Whether it was free.
    fn remember(&self, new: &NewEvent, until: Timestamp) -> rusqlite::Result<bool> {
        let key = remembered_key(&new.event.attributes().route, &new.key);
        let changed = self
            .desk
            .sql(
                "INSERT INTO remembered (key, until) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET until = excluded.until WHERE remembered.until <= ?3",
            )?
            .execute(params![key, until.as_millis(), self.now.as_millis()])?;
        Ok(changed > 0)
    }

    fn delivery(&mut self, new: &NewEvent, event: i64, lane: &Lane) -> rusqlite::Result<()> {
        let id = DeliveryId::new(&new.key, lane);
        let lane_row = self.desk.lane_row(self.changes, lane)?;
        let row = self.desk.next.pending;
        let inserted = self
            .desk
            .sql(
                "INSERT INTO pending (row, id, lane, event, due_at, accepted_at, attempts)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?5, 0) ON CONFLICT (id) DO NOTHING",
            )?
            .execute(params![row, id.as_bytes(), lane_row, event, self.now.as_millis()])?;
        if inserted == 0 {
            return Ok(());
        }
        self.desk.next.pending += 1;
        self.changes.pending(lane_row, 1);
        // Appended again after it was given up: it lives again, with the new event.
        settle::remove_dead(self.desk, self.changes, id)?;
        self.desk.ledger.claim(row);
        let event = Arc::clone(&new.event);
        self.leases.push(Lease::new(id, lane.clone(), event, self.now, 0, row, self.desk.ledger.claims()));
        Ok(())
    }

    fn request(&mut self) -> rusqlite::Result<i64> {
        if let Some(row) = self.request {
            return Ok(row);
        }
        let row = self.desk.next.request;
        self.desk.next.request += 1;
        codec::insert_request(self.desk, row, &self.batch.request)?;
        self.request = Some(row);
        Ok(row)
    }
}

/// The first 16 bytes of SHA-256 over route and key: rows of one size, however long the keys.
fn remembered_key(route: &str, key: &str) -> Vec<u8> {
    let mut hash = Sha256::new();
    // The length in front keeps ("ab", "c") and ("a", "bc") apart.
    hash.update((route.len() as u64).to_be_bytes());
    hash.update(route.as_bytes());
    hash.update(key.as_bytes());
    hash.finalize().iter().take(16).copied().collect()
}
