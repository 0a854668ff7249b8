//! Where deliveries wait: the traits, and their homes.
//!
//! A home is four traits. [`Queue`] is the line's: what is appended, leased and ended. [`Archive`] is for people: what
//! is kept, and whether it adds up. [`Control`] is what people do about it. [`Notes`] are what the gateway wants to know
//! again after a restart. Nothing above this module knows the store.
//! The traits ask for nothing that only a local file can do, so that a home shared by several gateways can stand
//! beside [`embedded`].

mod archive;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod control;
pub mod embedded;
mod error;
mod lease;
mod ledger;
mod notes;

use std::sync::Arc;

use futures_util::future::BoxFuture;

pub use archive::{
    Archive, DeliveryRecord, EventHead, EventRecord, Page, ParkedKey, Selection, State, StateKind, StoredEvent,
    StoredRequest,
};
pub use control::{Action, Control, Job, JobId, JobState, Replayed, Step};
pub use error::QueueError;
pub use lease::{Claim, Claims, Hold, Lease};
pub use ledger::{Audit, Found, LaneCounts, Ledger, RouteCounts, Tally};
pub use notes::{Notes, SecretUse};

use crate::model::{Attempt, Event, Lane, Reason, Request, Timestamp};

/// All that a home is.
pub trait Home: Queue + Archive + Control + Notes {}

impl<H: Queue + Archive + Control + Notes> Home for H {}

/// A durable queue of deliveries, at least once.
///
/// A delivery is pending until it is delivered or dead; a pending one is *claimed* while a [`Lease`] of it
/// lives. A lease that is dropped gives its claim back; a claim ends with the process (a shared home: with its
/// term), and the delivery is leased again.
///
/// Deliveries of one lane that have the same order key are made first in, first out: of those that are pending, one at
/// most can be leased, and it is the one that was accepted first, but for one that was claimed before an older one was
/// replayed. A key that is *parked* waits behind the dead letter that parked it, until that is replayed or the key is
/// released.
///
/// What is counted in the [`Ledger`] is written in the same commit as what it counts.
pub trait Queue: Send + Sync + std::fmt::Debug + 'static {
    /// Stores a request, its events and their deliveries: all of it or nothing.
    ///
    /// When this answers `Ok`, all of it is on stable storage. Idempotent by delivery id, and by event key where
    /// an event is to be remembered: the key is claimed in the same commit, so a request that could not be kept
    /// burns nothing. A dead letter that is appended again is pending again, as if new. What was appended and need not
    /// wait for another of its order key comes back as leases, so that the common path never reads the store.
    fn append(&self, batch: Append) -> BoxFuture<'_, Result<Appended, QueueError>>;

    /// Counts events of which nothing is stored. Durable when it answers `Ok`.
    fn count(&self, route: Arc<str>, tally: Tally) -> BoxFuture<'_, Result<(), QueueError>>;

    /// Leases up to `max` deliveries of `lane` that are due at `now` and not claimed, those due first first; but what came, or
    /// was put off, lately (within about a second, where the store can be written) may come after all others.
    fn lease<'a>(&'a self, lane: &'a Lane, max: usize, now: Timestamp) -> BoxFuture<'a, Result<Leased, QueueError>>;

    /// Ends a delivery that was made by `attempt`. `Ok` once this is durable. It is kept to be looked at and replayed
    /// until `keep_until`, or not at all. One that was retired while it was being made is then no dead letter either.
    ///
    /// Where this, [`Queue::retry_at`] or [`Queue::dead_letter`] finds no room, it is kept with its claim and answered
    /// once it could be stored; one that was put off is not kept beyond the time that it was put off to. An error means that
    /// the delivery is made again, at the latest after a restart.
    fn ack(
        &self,
        lease: Lease,
        attempt: Attempt,
        keep_until: Option<Timestamp>,
    ) -> BoxFuture<'_, Result<Settled, QueueError>>;

    /// Puts a delivery off until `at`, with the attempt that failed. Nothing of it stays in memory.
    fn retry_at(&self, lease: Lease, at: Timestamp, attempt: Attempt) -> BoxFuture<'_, Result<Settled, QueueError>>;

    /// Ends a delivery that cannot be made: it waits among the dead letters.
    fn dead_letter(&self, lease: Lease, death: Death) -> BoxFuture<'_, Result<Settled, QueueError>>;

    /// Dead-letters every pending delivery whose lane is none of `lanes`: with [`Reason::RouteRemoved`] where no
    /// lane of that route is left, else with [`Reason::DeliveryRemoved`]. Claimed ones, too: what comes of their last
    /// attempt is entered still. Keys parked there are released. Answers which lanes had any, in their order, and how
    /// many.
    fn retire<'a>(&'a self, lanes: &'a [Lane], at: Timestamp) -> BoxFuture<'a, Result<Vec<Retired>, QueueError>>;

    /// What was counted so far. Cheap: it is asked at each scrape.
    fn ledger(&self) -> Ledger;

    /// When the oldest pending delivery was accepted, or replayed.
    fn oldest_pending(&self) -> BoxFuture<'_, Result<Option<Timestamp>, QueueError>>;

    /// Forgets event keys whose window ended before `now`, and what was delivered and need not be kept any longer.
    fn forget(&self, now: Timestamp) -> BoxFuture<'_, Result<Forgotten, QueueError>>;

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
    /// The route it came in on.
    pub route: Arc<str>,
    /// How many events it had, and how many of those are not among `events`.
    pub tally: Tally,
    /// Its events that somebody wants.
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
    /// Where it goes. An event without any is accepted and leaves nothing behind, its key included.
    pub deliveries: Vec<NewDelivery>,
}

/// A delivery to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// Its lane.
    pub lane: Lane,
    /// What it is to be in order with; `None` where it need not wait for others.
    pub order_key: Option<Box<str>>,
}

/// What an append did.
#[derive(Debug)]
pub struct Appended {
    /// For each event of the request, in order, whether it is new.
    pub admissions: Vec<Admission>,
    /// A lease of each delivery that is new and need not wait for others of its key.
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
    /// already where there were more than `max`, or more bytes than are read at once. One that waits for another of its key is not due.
    pub next_due: Option<Timestamp>,
}

/// How a delivery ends that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death {
    /// Why.
    pub reason: Reason,
    /// When.
    pub at: Timestamp,
    /// The last attempt, where there was one.
    pub attempt: Option<Attempt>,
    /// Whether what comes after it with the same order key waits until a person has looked at it.
    pub park: bool,
}

/// What the end, or the putting off, of a delivery did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// Whether it was pending still: one that was retired meanwhile is a dead letter already, and was counted as that.
    pub was_pending: bool,
    /// Whether another delivery of its lane, that had to wait for it, is due now.
    pub next_is_due: bool,
    /// Whether its order key is parked now.
    pub parked: bool,
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

/// What was forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Event keys whose window ended.
    pub keys: u64,
    /// Deliveries that were made and need not be kept any longer.
    pub delivered: u64,
}
