//! Filling packs: with the events of a flush, in the order of their numbers.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::super::codec;
use super::super::entry::{EventEntry, MadeEntry, RequestEntry};
use super::contents::{Contents, Member, Share, entries_sum, head_sum};
use super::packed::{self, PackedDelivery, PackedEntry, PackedRequest};
use crate::model::{Attempt, DeliveryId, Event, EventKey};

/// How many bytes a pack has, about: whoever changes an event in it has all of it put in rows.
const PACK: usize = 512 << 10;

/// Fills packs.
pub(in super::super) struct Filling<'a> {
    connection: &'a Connection,
    request: Option<PackedRequest<'a>>,
    entries: Vec<u8>,
    contents: Contents,
    shares: BTreeMap<i64, Share>,
    /// From when to when what is in it ends.
    ends: Option<(i64, i64)>,
}

/// An event to be packed.
pub(in super::super) struct Whole<'a> {
    pub(in super::super) number: i64,
    /// The row of its request.
    pub(in super::super) request: i64,
    pub(in super::super) key: EventKey,
    pub(in super::super) alias: Option<EventKey>,
    pub(in super::super) accepted_at: i64,
    pub(in super::super) event: &'a Event,
}

/// One of its deliveries.
pub(in super::super) struct Kept<'a> {
    pub(in super::super) id: DeliveryId,
    pub(in super::super) made: &'a MadeEntry,
    /// The attempts that failed before.
    pub(in super::super) history: &'a [Attempt],
}

// === impl Filling ===

impl<'a> Filling<'a> {
    /// Fills packs in the transaction that is open.
    pub(in super::super) fn new(connection: &'a Connection) -> Self {
        let (entries, contents) = (Vec::new(), Contents::default());
        Self { connection, request: None, entries, contents, shares: BTreeMap::new(), ends: None }
    }

    /// Adds an event, which has a greater number than those before.
    pub(in super::super) fn add(
        &mut self,
        whole: &Whole<'a>,
        kept: impl Iterator<Item = Kept<'a>>,
    ) -> rusqlite::Result<()> {
        if self.request.as_ref().is_some_and(|request| request.row != whole.request) {
            self.end_request()?;
        }
        let deliveries = kept.map(|kept| self.delivery(&kept)).collect();
        let Whole { number, request, key, alias, accepted_at, event } = *whole;
        let event_entry = EventEntry::of(number, event, key, alias, 0, Vec::new());
        let member = Member { event: number, key: *key.as_bytes(), alias: alias.map(|alias| *alias.as_bytes()) };
        self.contents.members.push(member);
        self.request
            .get_or_insert_with(|| PackedRequest {
                row: request,
                accepted_at,
                request: RequestEntry::of(event.request()),
                events: Vec::new(),
            })
            .events
            .push(PackedEntry { event: event_entry, deliveries });
        Ok(())
    }

    fn delivery(&mut self, Kept { id, made, history }: &Kept<'a>) -> PackedDelivery<'a> {
        let share = self.shares.entry(made.lane).or_insert(Share { lane: made.lane, count: 0, bytes: 0 });
        share.count += 1;
        share.bytes += made.size;
        let until = made.keep_until.unwrap_or_default();
        let (from, to) = self.ends.unwrap_or((until, until));
        self.ends = Some((from.min(until), to.max(until)));
        let history = codec::history_of(history).map(Cow::Owned);
        PackedDelivery { id: *id.as_bytes(), made: (*made).clone(), history }
    }

    fn end_request(&mut self) -> rusqlite::Result<()> {
        let Some(request) = self.request.take() else { return Ok(()) };
        self.entries = packed::encode(&request, std::mem::take(&mut self.entries)).map_err(unwritable)?;
        if self.entries.len() >= PACK { self.end_pack() } else { Ok(()) }
    }

    fn end_pack(&mut self) -> rusqlite::Result<()> {
        let mut contents = std::mem::take(&mut self.contents);
        let (Some(first), Some(last), Some((from, until))) =
            (contents.members.first(), contents.members.last(), self.ends.take())
        else {
            return Ok(());
        };
        let (row, last) = (first.event, last.event);
        contents.shares = std::mem::take(&mut self.shares).into_values().collect();
        let bytes: i64 = contents.shares.iter().map(|share| share.bytes).sum();
        let contents = postcard::to_allocvec(&contents).map_err(unwritable)?;
        self.connection
            .prepare_cached(
                "INSERT INTO packs (row, last, ends_from, ends_until, bytes, sum, entries_sum, contents, entries)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                row,
                last,
                from,
                until,
                bytes,
                head_sum(row, last, from, until, &contents),
                entries_sum(&self.entries),
                contents,
                self.entries,
            ])?;
        self.entries.clear();
        Ok(())
    }

    /// Stores what is not stored yet.
    pub(in super::super) fn finish(mut self) -> rusqlite::Result<()> {
        self.end_request()?;
        self.end_pack()
    }
}

fn unwritable(error: postcard::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
}
