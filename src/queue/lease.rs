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
    /// Since when its budget runs: when it was accepted, or else last replayed.
    pub since: Timestamp,
    /// How many attempts were made since then, before this one.
    pub attempts: u32,
    hold: Option<Hold>,
}

/// A claim, and whom to give it back to. Whoever drops it without doing so keeps it.
#[derive(Clone)]
pub struct Hold {
    /// The claim.
    pub claim: Claim,
    /// Whose it is.
    pub claims: Weak<dyn Claims>,
}

/// Which claim a lease holds: what its home calls the delivery, and which of the claims on it this is. A delivery that
/// was given up under its lease and replayed is claimed anew, and the old lease must not end the new claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The home's number of the delivery.
    pub row: i64,
    /// Counts the home's claims.
    pub turn: u64,
    /// About how many bytes the home counts for it; `None` where others may wait for it in its order, or that is not known.
    pub size: Option<i64>,
}

/// A home's side of its leases.
pub trait Claims: Send + Sync {
    /// Takes back a claim.
    fn give_back(&self, claim: Claim);
}

// === impl Lease ===

impl Lease {
    /// A lease of an event's delivery. For homes.
    pub const fn new(
        id: DeliveryId,
        lane: Lane,
        event: Arc<Event>,
        accepted_at: Timestamp,
        since: Timestamp,
        attempts: u32,
        hold: Hold,
    ) -> Self {
        Self { id, lane, event, accepted_at, since, attempts, hold: Some(hold) }
    }

    /// Takes the claim out of the lease, whose home now answers for it: dropping it gives nothing back. For homes.
    #[must_use]
    pub fn into_claim(mut self) -> Option<Claim> {
        self.hold.take().map(|hold| hold.claim)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(Hold { claim, claims }) = self.hold.take()
            && let Some(claims) = claims.upgrade()
        {
            claims.give_back(claim);
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
