//! What is in the journal and not in the tables yet, as the tables are to have it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use super::super::counts::Changes;
use super::super::entry::MadeEntry;
use super::super::tables::{SLOTS, event_of};
use crate::model::{Attempt, DeliveryId, Event, EventKey, Timestamp};

/// What is in the journal and not in the tables yet.
#[derive(Debug, Default)]
pub(in super::super) struct Recent {
    /// The events that a delivery needs still, by number.
    pub(super) events: BTreeMap<i64, RecentEvent>,
    /// Every event that came, by its key.
    pub(super) keys: HashMap<EventKey, RecentKey>,
    /// What became of deliveries that are in the tables.
    pub(super) stored: Vec<RecentSettle>,
    /// What the ledger in the tables does not count yet.
    pub(super) changes: Changes,
    /// How many of `events` are made.
    made: usize,
    /// About how many bytes `events` take.
    held: usize,
    /// Since when there is something.
    since: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct RecentKey {
    pub(super) event: i64,
    /// Until when it is remembered; 0 where it is not.
    pub(super) until: i64,
}

#[derive(Debug)]
pub(super) struct RecentEvent {
    /// The row of its request.
    pub(super) request: i64,
    pub(super) key: EventKey,
    /// The key under which it is found by its id, where that is another.
    pub(super) alias: Option<EventKey>,
    pub(super) event: Arc<Event>,
    pub(super) accepted_at: i64,
    /// By slot; `None` where it was made and is not kept.
    pub(super) deliveries: Vec<Option<RecentDelivery>>,
}

#[derive(Debug)]
pub(super) struct RecentDelivery {
    pub(super) id: DeliveryId,
    pub(super) lane: i64,
    pub(super) size: i64,
    pub(super) due_at: i64,
    /// The attempts that failed so far.
    pub(super) history: Vec<Attempt>,
    /// How it was made; then it is kept.
    pub(super) made: Option<MadeEntry>,
}

/// What became of a delivery.
#[derive(Debug)]
pub(super) enum RecentSettle {
    /// It was made.
    Made(MadeEntry),
    /// It was put off until `at`.
    Again { row: i64, lane: i64, at: Timestamp, attempt: Attempt },
}

/// A change of what is recent.
#[derive(Debug)]
pub(super) enum Change {
    /// An event came; until when it is remembered, or 0.
    Event {
        number: i64,
        until: i64,
        event: RecentEvent,
    },
    Settle(RecentSettle),
}

/// What an event takes in memory beside its data, in bytes, about.
const EACH: usize = 2 << 10;

// === impl Recent ===

impl Recent {
    /// Whether there is nothing.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.since.is_none()
    }

    /// Since when there is something.
    pub(in super::super) const fn since(&self) -> Option<Instant> {
        self.since
    }

    /// How many rows this is in the tables, about.
    pub(super) fn rows(&self) -> usize {
        // A request, an event and a delivery; what was made goes into packs.
        self.keys.len() + 3 * (self.events.len() - self.made)
    }

    /// About how many bytes the events take.
    pub(super) const fn held(&self) -> usize {
        self.held
    }

    /// How many claims end once this is in the tables.
    pub(super) const fn claimed(&self) -> usize {
        self.stored.len()
    }

    /// The first delivery that may be here and not in the tables; the greatest number where there is none.
    pub(super) fn first_row(&self) -> i64 {
        self.events.first_key_value().map_or(i64::MAX, |(event, _)| event.saturating_mul(SLOTS))
    }

    /// The delivery in `row`, where it is here and was not made yet.
    pub(super) fn pending(&self, row: i64) -> Option<&RecentDelivery> {
        let slot = usize::try_from(row % SLOTS).ok()?;
        let delivery = self.events.get(&event_of(row))?.deliveries.get(slot)?.as_ref()?;
        delivery.made.is_none().then_some(delivery)
    }

    /// Enters a change that is in the journal. The row whose claim ends with it.
    pub(super) fn enter(&mut self, change: Change, now: Instant) -> Option<i64> {
        self.touch(now);
        match change {
            Change::Event { number, until, event } => {
                self.keys.insert(event.key, RecentKey { event: number, until });
                self.held += event.weight();
                self.events.insert(number, event);
                None
            }
            Change::Settle(settle) => self.settle(settle),
        }
    }

    /// There is something since `now` at the latest.
    pub(super) fn touch(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    fn settle(&mut self, settle: RecentSettle) -> Option<i64> {
        let row = settle.row();
        if self.pending(row).is_none() {
            self.stored.push(settle);
            return None;
        }
        let event = self.events.get_mut(&event_of(row))?;
        let place = event.deliveries.get_mut(usize::try_from(row % SLOTS).ok()?)?;
        match (settle, &mut *place) {
            (RecentSettle::Made(made), Some(delivery)) if made.keep_until.is_some() => delivery.made = Some(made),
            (RecentSettle::Made(_), place) => *place = None,
            (RecentSettle::Again { at, attempt, .. }, Some(delivery)) => {
                delivery.due_at = at.as_millis();
                delivery.history.push(attempt);
            }
            (RecentSettle::Again { .. }, None) => {}
        }
        if event.deliveries.iter().all(Option::is_none) {
            self.held -= event.weight();
            self.events.remove(&event_of(row));
        } else if event.is_made() {
            self.made += 1;
        }
        Some(row)
    }
}

// === impl RecentEvent ===

impl RecentEvent {
    /// Whether nothing of it is to be made any more.
    pub(super) fn is_made(&self) -> bool {
        self.deliveries.iter().flatten().all(|delivery| delivery.made.is_some())
    }

    /// About how many bytes it takes.
    fn weight(&self) -> usize {
        EACH + self.event.data_range().len()
    }
}

// === impl RecentSettle ===

impl RecentSettle {
    /// The delivery.
    pub(super) const fn row(&self) -> i64 {
        match self {
            Self::Made(made) => made.row,
            Self::Again { row, .. } => *row,
        }
    }

    /// Its lane.
    pub(super) const fn lane(&self) -> i64 {
        match self {
            Self::Made(made) => made.lane,
            Self::Again { lane, .. } => *lane,
        }
    }
}
