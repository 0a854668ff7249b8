//! What is in the journal and not in the tables yet, as the tables are to have it.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use super::super::counts::Changes;
use super::super::entry::{AppendEntry, Entry, MadeEntry};
use super::super::tables::{SLOTS, event_of};
use crate::model::{Attempt, DeliveryId, EventKey, Timestamp};

/// What is in the journal and not in the tables yet.
#[derive(Debug, Default)]
pub(in super::super) struct Recent {
    /// The requests of which something is to get to the tables, by the number of their first event.
    pub(super) requests: BTreeMap<i64, RecentRequest>,
    /// Every event that came, by its key.
    pub(super) keys: HashMap<EventKey, RecentKey>,
    /// What became of deliveries that are in the tables.
    pub(super) stored: Vec<RecentSettle>,
    /// What the ledger in the tables does not count yet.
    pub(super) changes: Changes,
    /// How many events wait for deliveries.
    waiting: usize,
    /// About how many bytes `requests` take.
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

/// A request, as the journal has it: nothing else of it need stay in memory.
#[derive(Debug)]
pub(super) struct RecentRequest {
    record: Arc<Vec<u8>>,
    /// Where in the record its entry stands.
    place: Range<usize>,
    /// Those with consecutive numbers, from its own on.
    pub(super) events: Vec<RecentEvent>,
}

#[derive(Debug)]
pub(super) struct RecentEvent {
    pub(super) key: EventKey,
    /// The key under which it is found by its id, where that is another.
    pub(super) alias: Option<EventKey>,
    /// Until when it is remembered, or 0.
    pub(super) until: i64,
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
    /// A request came, with these events; where in the record it stands.
    Request { row: i64, place: Range<usize>, events: Vec<RecentEvent> },
    /// Something became of a delivery.
    Settle(RecentSettle),
}

/// What an event takes in memory beside the record, in bytes, about.
const EACH: usize = 512;

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
        self.keys.len() + 3 * self.waiting
    }

    /// About how many bytes the requests take.
    pub(super) const fn held(&self) -> usize {
        self.held
    }

    /// How many claims end once this is in the tables.
    pub(super) const fn claimed(&self) -> usize {
        self.stored.len()
    }

    /// The first delivery that may be here and not in the tables; the greatest number where there is none.
    pub(in super::super) fn first_row(&self) -> i64 {
        self.requests.first_key_value().map_or(i64::MAX, |(event, _)| event.saturating_mul(SLOTS))
    }

    /// The delivery in `row`, where it is here and was not made yet.
    pub(super) fn pending(&self, row: i64) -> Option<&RecentDelivery> {
        let slot = usize::try_from(row % SLOTS).ok()?;
        let (first, request) = self.requests.range(..=event_of(row)).next_back()?;
        let event = request.events.get(usize::try_from(event_of(row) - first).ok()?)?;
        event.deliveries.get(slot)?.as_ref().filter(|delivery| delivery.made.is_none())
    }

    /// Enters a change that is in the journal, in `record`. The row whose claim ends with it.
    pub(super) fn enter(&mut self, change: Change, record: &Arc<Vec<u8>>, now: Instant) -> Option<i64> {
        self.touch(now);
        match change {
            Change::Request { row, place, events } => {
                let known = (row..).zip(&events).map(|(event, new)| (new.key, RecentKey { event, until: new.until }));
                self.keys.extend(known);
                let request = RecentRequest { record: Arc::clone(record), place, events };
                self.waiting += request.events.len();
                self.held += request.weight();
                self.requests.insert(row, request);
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
        let (first, request) = self.requests.range_mut(..=event_of(row)).next_back()?;
        let first = *first;
        let event = request.events.get_mut(usize::try_from(event_of(row) - first).ok()?)?;
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
        if event.is_made() {
            self.waiting -= 1;
        }
        if !request.events.iter().any(RecentEvent::is_needed) {
            self.held -= request.weight();
            self.requests.remove(&first);
        }
        Some(row)
    }
}

// === impl RecentRequest ===

impl RecentRequest {
    /// Its entry.
    pub(super) fn entry(&self) -> &[u8] {
        self.record.get(self.place.clone()).unwrap_or_default()
    }

    /// It, read again; `None` where it is not what was written.
    pub(super) fn append(&self) -> Option<AppendEntry<'_>> {
        match postcard::take_from_bytes(self.entry()) {
            Ok((Entry::Append(append), _)) => Some(append),
            _ => None,
        }
    }

    /// Whether nothing of it is to be made any more.
    pub(super) fn is_made(&self) -> bool {
        self.events.iter().all(RecentEvent::is_made)
    }

    /// About how many bytes it takes.
    fn weight(&self) -> usize {
        self.place.len() + EACH * self.events.len()
    }
}

// === impl RecentEvent ===

impl RecentEvent {
    /// Whether nothing of it is to be made any more.
    fn is_made(&self) -> bool {
        self.deliveries.iter().flatten().all(|delivery| delivery.made.is_some())
    }

    /// Whether there is something of it.
    pub(super) fn is_needed(&self) -> bool {
        self.deliveries.iter().any(Option::is_some)
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
