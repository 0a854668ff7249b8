//! What is kept, for people: events, deliveries, parked keys, and whether it all adds up.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{Audit, QueueError};
use crate::model::{Attempt, DeliveryId, Event, Lane, Reason, Request, Timestamp};

/// What is kept, to be looked at. Reading holds up nobody who writes.
///
/// Lists come in pages, the last accepted first. A page may have fewer entries than were asked for, even none, where much
/// had to be looked through: as long as it names a next one there may be more.
pub trait Archive: Send + Sync + std::fmt::Debug + 'static {
    /// Events, those before the number `before` where a page was read already.
    fn events(
        &self,
        selection: Selection,
        before: Option<u64>,
        max: usize,
    ) -> BoxFuture<'_, Result<Page<EventRecord>, QueueError>>;

    /// Every stored event that has this CloudEvents `id`, with its deliveries, the last accepted first: an id is unique
    /// to its source only, and where duplicates are not looked for not even there.
    fn event<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Vec<StoredEvent>, QueueError>>;

    /// Requests of which an event is kept that is meant, whole, those before the number `before` where a page was read
    /// already. A page ends early where they are large.
    fn requests(
        &self,
        selection: Selection,
        before: Option<u64>,
        max: usize,
    ) -> BoxFuture<'_, Result<Page<StoredRequest>, QueueError>>;

    /// Deliveries, those before the number `before` where a page was read already.
    fn deliveries(
        &self,
        selection: Selection,
        before: Option<u64>,
        max: usize,
    ) -> BoxFuture<'_, Result<Page<DeliveryRecord>, QueueError>>;

    /// The delivery of this id; the last accepted, should there be several.
    fn delivery(&self, id: DeliveryId) -> BoxFuture<'_, Result<Option<DeliveryRecord>, QueueError>>;

    /// Order keys that wait behind a dead letter, in the order of lanes and keys: those after `after` where a page was
    /// read already.
    fn parked(&self, after: Option<(Lane, Box<str>)>, max: usize) -> BoxFuture<'_, Result<Vec<ParkedKey>, QueueError>>;

    /// Counts what is stored, and puts it beside what the ledger says. Reads all of it: seconds for millions.
    fn audit(&self) -> BoxFuture<'_, Result<Audit, QueueError>>;
}

/// Which deliveries, or events by their deliveries, are meant: those for which everything holds that is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// In this state.
    pub state: Option<StateKind>,
    /// Of this route.
    pub route: Option<Box<str>>,
    /// Of the lanes of this name.
    pub delivery: Option<Box<str>>,
    /// Of an event of this type.
    pub kind: Option<Box<str>>,
    /// Dead for this reason.
    pub reason: Option<Reason>,
    /// In order with this.
    pub order_key: Option<Box<str>>,
    /// Accepted at this time or later.
    pub since: Option<Timestamp>,
    /// Accepted before this time.
    pub until: Option<Timestamp>,
}

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// What to ask for the next page with; `None` where this is the last.
    pub next: Option<u64>,
}

/// What a list shows of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventHead {
    /// Its number in this store: it counts up as events are accepted.
    pub number: u64,
    /// The CloudEvents `id`; empty where its record is lost.
    pub id: Box<str>,
    /// The CloudEvents `type`.
    pub kind: Box<str>,
    /// The CloudEvents `subject`.
    pub subject: Option<Box<str>>,
    /// Its route.
    pub route: Arc<str>,
}

/// An event in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// The event.
    pub head: EventHead,
    /// When its request was received.
    pub received_at: Timestamp,
    /// How many of its deliveries are pending.
    pub pending: u32,
    /// How many are delivered and kept.
    pub delivered: u32,
    /// How many are dead letters.
    pub dead: u32,
}

/// An event with all that is known of it.
#[derive(Debug)]
pub struct StoredEvent {
    /// Its number in this store.
    pub number: u64,
    /// The event, with its request.
    pub event: Arc<Event>,
    /// Its deliveries that are stored, in the order in which they were taken on.
    pub deliveries: Vec<DeliveryRecord>,
}

/// A request with what it has in this store.
#[derive(Debug)]
pub struct StoredRequest {
    /// Its number in this store: that of the first of its events which was new.
    pub number: u64,
    /// The request.
    pub request: Arc<Request>,
    /// The route that it came in on.
    pub route: Arc<str>,
    /// How many of its events are kept and meant.
    pub events: u32,
}

/// A delivery, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// Its number in this store: it counts up as deliveries are accepted.
    pub number: u64,
    /// Its id.
    pub id: DeliveryId,
    /// Its lane.
    pub lane: Lane,
    /// Its event.
    pub event: EventHead,
    /// What it is in order with.
    pub order_key: Option<Box<str>>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// When it was last replayed.
    pub replayed_at: Option<Timestamp>,
    /// How many attempts were made since it was accepted or replayed.
    pub attempts: u32,
    /// The last attempts, the oldest first, also those before a replay: at most [`Attempt::KEPT`].
    pub history: Vec<Attempt>,
    /// What became of it.
    pub state: State,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is not made yet.
    Pending {
        /// When it is to be made next; `None` where it waits for another of its order key.
        due_at: Option<Timestamp>,
    },
    /// It was made.
    Delivered {
        /// When.
        at: Timestamp,
        /// Until when it is kept.
        keep_until: Timestamp,
    },
    /// It was given up.
    Dead {
        /// When.
        at: Timestamp,
        /// Why.
        reason: Reason,
    },
}

/// What can become of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateKind {
    /// It is not made yet.
    Pending,
    /// It was made, and is kept.
    Delivered,
    /// It was given up.
    Dead,
}

/// An order key that waits behind a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedKey {
    /// The lane.
    pub lane: Lane,
    /// The key.
    pub key: Box<str>,
    /// Since when.
    pub since: Timestamp,
    /// The dead letter that it waits behind; `None` where that is gone.
    pub behind: Option<DeliveryId>,
    /// How many deliveries wait.
    pub waiting: u64,
}

// === impl Selection ===

impl Selection {
    /// Whether deliveries of a lane can be meant.
    #[must_use]
    pub fn means_lane(&self, lane: &Lane) -> bool {
        self.route.as_deref().is_none_or(|route| *route == *lane.route)
            && self.delivery.as_deref().is_none_or(|delivery| *delivery == *lane.delivery)
    }

    /// Whether a delivery is meant.
    #[must_use]
    pub fn means(&self, record: &DeliveryRecord) -> bool {
        let Self { state, route: _, delivery: _, kind, reason, order_key, since, until } = self;
        let of_reason = |wanted| matches!(record.state, State::Dead { reason, .. } if reason == wanted);
        state.is_none_or(|state| record.state.kind() == state)
            && self.means_lane(&record.lane)
            && kind.as_deref().is_none_or(|kind| *kind == *record.event.kind)
            && reason.is_none_or(of_reason)
            && (order_key.is_none() || record.order_key == *order_key)
            && since.is_none_or(|since| record.accepted_at >= since)
            && until.is_none_or(|until| record.accepted_at < until)
    }
}

// === impl State ===

impl State {
    /// Which one it is.
    #[must_use]
    pub const fn kind(&self) -> StateKind {
        match self {
            Self::Pending { .. } => StateKind::Pending,
            Self::Delivered { .. } => StateKind::Delivered,
            Self::Dead { .. } => StateKind::Dead,
        }
    }
}

// === impl StateKind ===

impl StateKind {
    /// Every one of them.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Dead];

    /// The word: in the API and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}
