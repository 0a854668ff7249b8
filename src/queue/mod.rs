//! Where deliveries wait: the trait, and its homes.
//!
//! Nothing above this module knows the store. The trait asks for nothing that only a local file can
//! do, so that a home shared by several gateways can stand beside [`embedded`].

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod embedded;
mod error;
mod lease;

use std::sync::Arc;

use futures_util::future::BoxFuture;

pub use error::QueueError;
pub use lease::{Claims, Lease};

use crate::model::{Attempt, DeliveryId, Event, Lane, Reason, Request, Timestamp};

/// A durable queue of deliveries, at least once.
///
/// A delivery is pending until it is acknowledged or dead; a pending one is *claimed* while a [`Lease`] of it
/// lives. A lease that is dropped gives its claim back; a claim ends with the process (a shared home: with its
/// term), and the delivery is leased again.
pub trait Queue: Send + Sync + std::fmt::Debug + 'static {
    /// Stores a request, its events and their deliveries: all of it or nothing.
    ///
    /// When this answers `Ok`, all of it is on stable storage. Idempotent by delivery id, and by event key where
    /// an event is to be remembered: the key is claimed in the same commit, so a request that could not be kept
    /// burns nothing. A dead letter that is appended again is pending again, as if new. What was appended comes back as leases, so that the common path never reads the store.
    fn append(&self, batch: Append) -> BoxFuture<'_, Result<Appended, QueueError>>;

    /// Leases up to `max` deliveries of `lane` that are due at `now` and not claimed, those due first first.
    fn lease<'a>(&'a self, lane: &'a Lane, max: usize, now: Timestamp) -> BoxFuture<'a, Result<Leased, QueueError>>;

    /// Ends a delivery that was made. `Ok` once this is durable. One that was retired while it was being made is then
    /// no dead letter either.
    ///
    /// Where this, [`Queue::retry_at`] or [`Queue::dead_letter`] finds no room, it is kept with its claim and answered
    /// once it could be stored. An error means that the delivery is made again, at the latest after a restart.
    fn ack(&self, lease: Lease) -> BoxFuture<'_, Result<(), QueueError>>;

    /// Puts a delivery off until `at`, with the attempt that failed. Nothing of it stays in memory.
    fn retry_at(&self, lease: Lease, at: Timestamp, attempt: Attempt) -> BoxFuture<'_, Result<(), QueueError>>;

    /// Ends a delivery that cannot be made: it waits among the dead letters. `attempt` is the last one, where
    /// there was one. Answers whether it was pending still: one that was retired meanwhile is a dead letter already, and
    /// was counted as that.
    fn dead_letter(
        &self,
        lease: Lease,
        reason: Reason,
        at: Timestamp,
        attempt: Option<Attempt>,
    ) -> BoxFuture<'_, Result<bool, QueueError>>;

    /// Dead-letters every pending delivery whose lane is none of `lanes`: with [`Reason::RouteRemoved`] where no
    /// lane of that route is left, else with [`Reason::DeliveryRemoved`]. Claimed ones, too: what comes of their last
    /// attempt is entered still. Answers which lanes had any, in their order, and how many.
    fn retire<'a>(&'a self, lanes: &'a [Lane], at: Timestamp) -> BoxFuture<'a, Result<Vec<Retired>, QueueError>>;

    /// How many deliveries wait in each lane that has any, pending or dead. Cheap: it is asked at each scrape.
    fn depths(&self) -> Vec<Depth>;

    /// When the oldest pending delivery was accepted.
    fn oldest_pending(&self) -> BoxFuture<'_, Result<Option<Timestamp>, QueueError>>;

    /// Dead letters, the newest first: up to `max`, those before `before` where a page was read already.
    fn dead_letters(&self, before: Option<u64>, max: usize) -> BoxFuture<'_, Result<Vec<DeadLetter>, QueueError>>;

    /// Forgets event keys whose window ended before `now`. Answers how many.
    fn forget(&self, now: Timestamp) -> BoxFuture<'_, Result<u64, QueueError>>;

    /// Whether an append is likely to be kept, for `/readyz`: the reason where it is not. It turns good by itself.
    fn health(&self) -> Result<(), QueueError>;

    /// Writes what is still to be written and closes. Calls after it fail with [`QueueError::Closed`].
    fn close(&self) -> BoxFuture<'_, Result<(), QueueError>>;
}

/// What one request brings: an atomic append.
#[derive(Debug)]
pub struct Append {
    /// The request, stored once.
    pub request: Arc<Request>,
    /// Its events, each with the lanes that want it: at least one.
    pub events: Vec<NewEvent>,
}

/// An event to append.
#[derive(Debug)]
pub struct NewEvent {
    /// The event.
    pub event: Arc<Event>,
    /// What makes it the same as another: unique to the request where duplicates are not looked for.
    pub key: String,
    /// Until when `key` is remembered; `None` where duplicates are not looked for.
    pub remember_until: Option<Timestamp>,
    /// The lanes it goes to. An event without any is accepted and leaves nothing behind, its key included.
    pub lanes: Vec<Lane>,
}

/// What an append did.
#[derive(Debug)]
pub struct Appended {
    /// For each event of the request, in order, whether it is new.
    pub admissions: Vec<Admission>,
    /// A lease of each delivery that is new.
    pub leases: Vec<Lease>,
}

/// Whether an event is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is, and stored.
    Accepted,
    /// Its key is remembered, or each of its deliveries is still pending: it was stored before.
    Duplicate,
}

/// What a lane has that is due.
#[derive(Debug)]
pub struct Leased {
    /// The leases.
    pub leases: Vec<Lease>,
    /// When the next pending delivery of the lane, that is neither claimed nor in `leases`, is due; it may be due
    /// already where there were more than `max`.
    pub next_due: Option<Timestamp>,
}

/// How many deliveries wait in a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depth {
    /// The lane.
    pub lane: Lane,
    /// Pending, claimed or not.
    pub pending: u64,
    /// Dead.
    pub dead: u64,
}

/// What was given up because nobody delivers to its lane any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retired {
    /// The lane.
    pub lane: Lane,
    /// Whether its route is gone, or its delivery alone.
    pub reason: Reason,
    /// How many deliveries.
    pub count: u64,
}

/// A delivery that ended without being made.
#[derive(Debug)]
pub struct DeadLetter {
    /// Where it stands among the dead letters, for the next page.
    pub position: u64,
    /// Its id.
    pub id: DeliveryId,
    /// Its lane.
    pub lane: Lane,
    /// The id of its event.
    pub event_id: String,
    /// Why.
    pub reason: Reason,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// When it was given up.
    pub died_at: Timestamp,
    /// How many attempts were made.
    pub attempts: u32,
    /// The last of them, the oldest first: at most [`Attempt::KEPT`].
    pub history: Vec<Attempt>,
}
