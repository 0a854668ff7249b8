//! A group, as the journal is to have it: what is simple enough to be committed without the tables.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::super::append;
use super::super::claims::Claims;
use super::super::codec;
use super::super::command::Write;
use super::super::counts::{Changes, Counts, KnownLane};
use super::super::desk::{Desk, Done};
use super::super::entry::{
    self, AgainEntry, AppendEntry, CountEntry, DeliveryEntry, Entry, EventEntry, MadeEntry, RequestEntry,
};
use super::super::keys;
use super::super::settle::{Settle, Verdict};
use super::super::tables::slots;
use super::file::HEAD;
use super::recent::{Change, Recent, RecentDelivery, RecentEvent, RecentKey, RecentSettle};
use crate::model::{Attempt, DeliveryId, EventKey, Lane, Timestamp};
use crate::queue::{Admission, Append, Appended, Claim, Lease, NewEvent, Settled, Tally};

/// A group, as the journal is to have it.
#[derive(Debug, Default)]
pub(in super::super) struct Draft {
    /// With room for the record's head.
    pub(super) record: Vec<u8>,
    /// What becomes recent.
    pub(super) changes: Vec<Change>,
    /// What the ledger counts.
    pub(in super::super) counts: Changes,
    /// What each write did.
    pub(in super::super) done: Vec<Done>,
    /// The event numbers that are left.
    pub(in super::super) numbers: Range<i64>,
    /// The keys of the events in it.
    keys: HashMap<EventKey, RecentKey>,
}

/// Of a write that only the tables can take.
#[derive(Debug)]
pub(super) enum Unfit {
    /// It needs the tables: something of it is in an order, new to the ledger, or known already.
    Tables,
    /// The tables could not be read.
    Sqlite(rusqlite::Error),
    /// It cannot be written down.
    Encoding(postcard::Error),
}

/// Where a write is looked at.
pub(super) struct Drafting<'a> {
    desk: &'a Desk,
    recent: &'a Recent,
    now: Timestamp,
    draft: Draft,
}

impl From<rusqlite::Error> for Unfit {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<postcard::Error> for Unfit {
    fn from(error: postcard::Error) -> Self {
        Self::Encoding(error)
    }
}

// === impl Drafting ===

impl<'a> Drafting<'a> {
    /// A draft with room for a record of so many bytes.
    pub(super) fn new(desk: &'a Desk, bytes: usize, now: Timestamp) -> Self {
        // Bodies are most of it: none is to be copied again because another did not fit.
        let mut record = Vec::with_capacity(HEAD + bytes);
        record.resize(HEAD, 0);
        let draft = Draft { record, numbers: desk.free_numbers(), ..Draft::default() };
        Self { desk, recent: &desk.journal.recent, now, draft }
    }

    /// Adds the writes of a group.
    pub(super) fn group(mut self, group: &[Write]) -> Result<Draft, Unfit> {
        for write in group {
            let done = match write {
                Write::Append { batch, .. } => Done::Appended(self.append(batch)?),
                Write::Count { route, tally, .. } => {
                    self.count(route, *tally, &[])?;
                    Done::Counted
                }
                Write::Settle { settle, .. } => Done::Settled(self.settle(settle)?),
            };
            self.draft.done.push(done);
        }
        Ok(self.draft)
    }

    fn append(&mut self, batch: &Append) -> Result<Appended, Unfit> {
        self.unless_stuck()?;
        let share = append::share(batch);
        let mut admissions = Vec::with_capacity(batch.events.len());
        let (mut entries, mut events) =
            (Vec::with_capacity(batch.events.len()), Vec::with_capacity(batch.events.len()));
        let mut leases = Vec::new();
        for new in &batch.events {
            let admission = self.admit(batch, new)?;
            admissions.push(admission.as_ref().map_or(Admission::Duplicate, |_| Admission::Accepted));
            if let Some(key) = admission
                && !new.deliveries.is_empty()
            {
                let (entry, event) = self.event(batch, new, key, share, &mut leases)?;
                entries.push(entry);
                events.push(event);
            }
        }
        if let Some(row) = entries.first().map(|first| first.number) {
            let (start, request) = (self.draft.record.len(), RequestEntry::of(&batch.request));
            self.write(&Entry::Append(AppendEntry { request, accepted_at: self.now.as_millis(), events: entries }))?;
            self.draft.changes.push(Change::Request { row, place: start..self.draft.record.len(), events });
        }
        self.count(&batch.route, batch.tally, &admissions)?;
        Ok(Appended { admissions, leases })
    }

    /// The key of an event that is new; `None` of one that is remembered.
    fn admit(&self, batch: &Append, new: &NewEvent) -> Result<Option<EventKey>, Unfit> {
        let key = EventKey::new(&batch.route, &new.key);
        if new.deliveries.is_empty() {
            return Ok(Some(key));
        }
        let remembered = |until: i64| new.remember_until.is_some() && until > self.now.as_millis();
        let unstored = || self.desk.journal.unstored().find_map(|recent| recent.keys.get(&key));
        match self.draft.keys.get(&key).or_else(unstored) {
            Some(known) if remembered(known.until) => return Ok(None),
            Some(_) => return Err(Unfit::Tables),
            None => {}
        }
        let known = keys::known(self.desk, key)?;
        match known.iter().any(|known| remembered(known.until)) {
            true => Ok(None),
            false if known.is_empty() => Ok(Some(key)),
            false => Err(Unfit::Tables),
        }
    }

    fn event<'b>(
        &mut self,
        batch: &Append,
        new: &'b NewEvent,
        key: EventKey,
        share: usize,
        leases: &mut Vec<Lease>,
    ) -> Result<(EventEntry<'b>, RecentEvent), Unfit> {
        let number = self.draft.numbers.next().ok_or(Unfit::Tables)?;
        let until = new.remember_until.map_or(0, Timestamp::as_millis);
        let alias = (new.key != new.event.id()).then(|| EventKey::alias(&batch.route, new.event.id()));
        let size = append::delivery_size(share, new.deliveries.len());
        let accepted_at = self.now.as_millis();
        let mut entries = Vec::with_capacity(new.deliveries.len());
        let mut deliveries = Vec::with_capacity(new.deliveries.len());
        for (row, delivery) in (slots(number).0..=slots(number).1).zip(&new.deliveries) {
            if delivery.order_key.is_some() {
                return Err(Unfit::Tables);
            }
            let KnownLane { row: lane, mark } = self.counts().known_lane(&delivery.lane).ok_or(Unfit::Tables)?;
            let id = DeliveryId::marked(key, mark);
            entries.push(DeliveryEntry { id: *id.as_bytes(), lane, size });
            deliveries.push(Some(RecentDelivery {
                id,
                lane,
                size,
                due_at: accepted_at,
                history: Vec::new(),
                made: None,
            }));
            self.draft.counts.lane(lane).accept(size);
            let hold = self.claims().claim(row, Some(size));
            let event = Arc::clone(&new.event);
            leases.push(Lease::new(id, delivery.lane.clone(), event, self.now, self.now, 0, hold));
        }
        self.draft.keys.insert(key, RecentKey { event: number, until });
        let entry = EventEntry::of(number, &new.event, key, alias, until, entries);
        Ok((entry, RecentEvent { key, alias, until, deliveries }))
    }

    fn count(&mut self, route: &Arc<str>, tally: Tally, admissions: &[Admission]) -> Result<(), Unfit> {
        self.unless_stuck()?;
        let row = self.counts().route_row(route).ok_or(Unfit::Tables)?;
        let change = append::counted(tally, admissions);
        self.draft.counts.add_to_route(row, change);
        self.write(&Entry::Count(CountEntry {
            route: row,
            received: change.received,
            accepted: change.accepted,
            duplicate: change.duplicate,
            filtered: change.filtered,
            invalid: change.invalid,
        }))
    }

    fn settle(&mut self, settle: &Settle) -> Result<Settled, Unfit> {
        let Settle { lane, claim, verdict, .. } = settle;
        let size = claim.size.filter(|_| self.claims().stands(*claim)).ok_or(Unfit::Tables)?;
        // A recent delivery that was made is no more for the tables than it was.
        if !matches!(verdict, Verdict::Made { .. }) || self.recent.pending(claim.row).is_none() {
            self.unless_stuck()?;
        }
        let lane = self.lane(lane)?;
        match verdict {
            Verdict::Made { attempt, keep_until } => self.made(lane, *claim, size, attempt, *keep_until)?,
            Verdict::Again { at, attempt } => self.again(lane, *claim, *at, attempt)?,
            Verdict::Dead(_) | Verdict::Unreadable => return Err(Unfit::Tables),
        }
        Ok(Settled { was_pending: true, next_is_due: false, parked: false })
    }

    fn made(
        &mut self,
        lane: i64,
        claim: Claim,
        size: i64,
        attempt: &Attempt,
        keep_until: Option<Timestamp>,
    ) -> Result<(), Unfit> {
        self.draft.counts.lane(lane).make(size, keep_until.is_some());
        let made = MadeEntry {
            row: claim.row,
            lane,
            size,
            keep_until: keep_until.map(Timestamp::as_millis),
            number: attempt.number,
            began_at: attempt.at.as_millis(),
            took: u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX),
            status: attempt.status,
        };
        self.write(&Entry::Made(made.clone()))?;
        self.draft.changes.push(Change::Settle(RecentSettle::Made(made)));
        Ok(())
    }

    fn again(&mut self, lane: i64, Claim { row, .. }: Claim, at: Timestamp, attempt: &Attempt) -> Result<(), Unfit> {
        let json = codec::attempt(attempt);
        self.write(&Entry::Again(AgainEntry { row, lane, at: at.as_millis(), attempt: &json }))?;
        self.draft.changes.push(Change::Settle(RecentSettle::Again { row, lane, at, attempt: attempt.clone() }));
        Ok(())
    }

    /// Nothing more is taken than the tables have room for.
    const fn unless_stuck(&self) -> Result<(), Unfit> {
        if self.desk.journal.stuck { Err(Unfit::Tables) } else { Ok(()) }
    }

    fn lane(&self, lane: &Lane) -> Result<i64, Unfit> {
        self.counts().lane_row(lane).ok_or(Unfit::Tables)
    }

    fn write(&mut self, entry: &Entry<'_>) -> Result<(), Unfit> {
        let record = std::mem::take(&mut self.draft.record);
        self.draft.record = entry::encode(entry, record)?;
        Ok(())
    }

    const fn claims(&self) -> &Arc<Claims> {
        &self.desk.claims
    }

    const fn counts(&self) -> &Arc<Counts> {
        &self.desk.counts
    }
}
