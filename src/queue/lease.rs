//! A delivery taken from the queue.

use std::fmt;
use std::sync::{Arc, Weak};

use crate::model::{DeliveryId, Event, Lane, Timestamp};

/// A delivery taken from the queue. It is consumed by value by the queue's `ack`, `retry_at` or `dead_letter`;
/// where it is dropped instead, by a cancelled task or a panic, the delivery goes back and is leased again.
#[must_use = "a lease that is dropped goes back to the queue"]
pub struct Lease {
    /// The delivery's id.
    pub id: DeliveryId,
    /// The lane it waits in.
    pub lane: Lane,
    /// Its event.
    pub event: Arc<Event>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// How many attempts were made before this one.
    pub attempts: u32,
    row: i64,
    claims: Option<Weak<dyn Claims>>,
}

/// A home's side of its leases.
pub trait Claims: Send + Sync {
    /// Takes back the claim on the delivery that the home knows as `row`.
    fn give_back(&self, lane: &Lane, row: i64);
}

// === impl Lease ===

impl Lease {
    /// A lease of the delivery that its home knows as `row`. For homes.
    pub fn new(
        id: DeliveryId,
        lane: Lane,
        event: Arc<Event>,
        accepted_at: Timestamp,
        attempts: u32,
        row: i64,
        claims: Weak<dyn Claims>,
    ) -> Self {
        Self { id, lane, event, accepted_at, attempts, row, claims: Some(claims) }
    }

    /// Takes the claim out of the lease, whose home now answers for it: dropping it gives nothing back. For homes.
    pub fn into_row(mut self) -> i64 {
        self.claims = None;
        self.row
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(claims) = self.claims.take().and_then(|claims| claims.upgrade()) {
            claims.give_back(&self.lane, self.row);
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("id", &self.id)
            .field("lane", &self.lane)
            .field("event", &self.event.id())
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}
