//! Reading what is in packs, for people. A damaged one must not hide the others.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use super::super::codec::{self, CodecError};
use super::super::entry::EventEntry;
use super::super::failure::is_damage;
use super::super::tables::{event_of, slots};
use super::contents;
use super::packed::{self, PackedDelivery, PackedRequest};
use crate::model::{DeliveryId, Event, Lane, Timestamp};
use crate::queue::{DeliveryRecord, EventHead, Selection, State};

/// An event in a pack, for a list.
#[derive(Debug)]
pub(in super::super) struct PackedEvent {
    pub(in super::super) head: EventHead,
    pub(in super::super) received_at: Timestamp,
    pub(in super::super) deliveries: Vec<DeliveryRecord>,
}

/// What is in packs, the last accepted first.
pub(in super::super) struct Backward<'a> {
    lanes: Lanes<'a>,
    /// Nothing from this event on.
    before: i64,
    /// What is left of the pack that is read, the first accepted first.
    read: Vec<PackedEvent>,
}

/// The names of lanes, as they are asked for.
pub(super) struct Lanes<'a> {
    connection: &'a Connection,
    known: HashMap<i64, Lane>,
}

/// The event of a number with its deliveries, where it is in a pack.
pub(in super::super) fn event(
    connection: &Connection,
    number: i64,
) -> Result<Option<(Event, Vec<DeliveryRecord>)>, CodecError> {
    let Some(head) = contents::holding(connection, number)? else { return Ok(None) };
    let entries = contents::entries(connection, head.row)?;
    for request in packed::decode(&entries)? {
        if let Some((event, deliveries)) = request.events().find(|(event, _)| event.number == number) {
            let records = Lanes::new(connection).records(&request, event, &deliveries)?;
            return Ok(Some((event.to_event(&Arc::new(request.append.request.to_request())), records)));
        }
    }
    Err(CodecError::Missing("event"))
}

/// Deliveries in packs that are meant, and the least row that was looked at, where that is not all of them: `examine` are
/// looked at for that, or some more.
pub(in super::super) fn deliveries(
    connection: &Connection,
    selection: &Selection,
    before: i64,
    max: usize,
    examine: i64,
) -> rusqlite::Result<(Vec<DeliveryRecord>, Option<i64>)> {
    let mut packs = Backward::new(connection, event_of(before.saturating_sub(1)) + 1);
    let (mut entries, mut examined) = (Vec::new(), 0);
    while let Some(PackedEvent { head, deliveries, .. }) = packs.next()? {
        for record in deliveries.into_iter().rev() {
            examined += 1;
            if record.number < before.unsigned_abs() && selection.means(&record) {
                entries.push(record);
            }
        }
        if entries.len() >= max || examined >= examine {
            return Ok((entries, i64::try_from(head.number).ok().map(|event| slots(event).0)));
        }
    }
    Ok((entries, None))
}

/// The delivery of this id, of an event in a pack.
pub(in super::super) fn delivery(
    connection: &Connection,
    number: i64,
    id: DeliveryId,
) -> rusqlite::Result<Option<DeliveryRecord>> {
    match event(connection, number) {
        Ok(found) => Ok(found.and_then(|(_, records)| records.into_iter().find(|record| record.id == id))),
        Err(CodecError::Sqlite(error)) => Err(error),
        Err(error) => {
            tracing::warn!(number, %error, "the record of an event cannot be read");
            Ok(None)
        }
    }
}

// === impl Backward ===

impl<'a> Backward<'a> {
    /// What is in packs of events before `before`.
    pub(in super::super) fn new(connection: &'a Connection, before: i64) -> Self {
        Self { lanes: Lanes::new(connection), before, read: Vec::new() }
    }

    /// The next.
    pub(in super::super) fn next(&mut self) -> rusqlite::Result<Option<PackedEvent>> {
        while self.read.is_empty() {
            let sql = "SELECT row FROM packs WHERE row < ?1 ORDER BY row DESC LIMIT 1";
            let connection = self.lanes.connection;
            let row: Option<i64> =
                connection.prepare_cached(sql)?.query_row([self.before], |row| row.get(0)).optional()?;
            let Some(row) = row else { return Ok(None) };
            match self.lanes.pack(row, self.before) {
                Ok(read) => self.read = read,
                Err(CodecError::Sqlite(error)) if !is_damage(&error) => return Err(error),
                Err(error) => {
                    tracing::warn!(row, %error, "a pack of events that were delivered cannot be read, because its record is damaged: the others are shown")
                }
            }
            self.before = row;
        }
        Ok(self.read.pop())
    }
}

// === impl Lanes ===

impl<'a> Lanes<'a> {
    pub(super) fn new(connection: &'a Connection) -> Self {
        Self { connection, known: HashMap::new() }
    }

    /// The events of a pack before `before`, the first accepted first.
    fn pack(&mut self, row: i64, before: i64) -> Result<Vec<PackedEvent>, CodecError> {
        let entries = contents::entries(self.connection, row)?;
        let mut events = Vec::new();
        for request in packed::decode(&entries)? {
            events.extend(self.events(&request)?.into_iter().filter(|event| event.head.number < before.unsigned_abs()));
        }
        Ok(events)
    }

    /// The events of a request that are kept, the first accepted first.
    pub(super) fn events(&mut self, request: &PackedRequest<'_>) -> Result<Vec<PackedEvent>, CodecError> {
        let received_at = request.append.request.received_at();
        let mut events = Vec::new();
        for (event, deliveries) in request.events() {
            let deliveries = self.records(request, event, &deliveries)?;
            events.push(PackedEvent { head: head(event, event.route().into()), received_at, deliveries });
        }
        Ok(events)
    }

    fn records(
        &mut self,
        request: &PackedRequest<'_>,
        event: &EventEntry<'_>,
        deliveries: &[&PackedDelivery],
    ) -> Result<Vec<DeliveryRecord>, CodecError> {
        deliveries.iter().map(|delivery| self.record(request.append.accepted_at, event, delivery)).collect()
    }

    fn record(
        &mut self,
        accepted_at: i64,
        event: &EventEntry<'_>,
        PackedDelivery { id, made, history }: &PackedDelivery,
    ) -> Result<DeliveryRecord, CodecError> {
        let lane = self.lane(made.lane)?;
        let last = made.attempt();
        let at = last.at.after(last.duration);
        let mut history = history.clone();
        codec::lengthen(&mut history, last);
        Ok(DeliveryRecord {
            number: made.row.unsigned_abs(),
            id: *id,
            event: head(event, Arc::clone(&lane.route)),
            lane,
            order_key: None,
            accepted_at: Timestamp::from_millis(accepted_at),
            replayed_at: None,
            attempts: made.number,
            history,
            state: State::Delivered { at, keep_until: Timestamp::from_millis(made.keep_until.unwrap_or_default()) },
        })
    }

    /// A lane that is not there has no name.
    fn lane(&mut self, row: i64) -> rusqlite::Result<Lane> {
        if let Some(lane) = self.known.get(&row) {
            return Ok(lane.clone());
        }
        let lane = self
            .connection
            .prepare_cached("SELECT route, delivery FROM lanes WHERE row = ?1")?
            .query_row([row], |row| Ok(Lane::new(row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
            .optional()?
            .unwrap_or_else(|| Lane::new("", ""));
        self.known.insert(row, lane.clone());
        Ok(lane)
    }
}

fn head(event: &EventEntry<'_>, route: Arc<str>) -> EventHead {
    let (id, kind, subject) = event.names();
    EventHead {
        number: event.number.unsigned_abs(),
        id: id.into(),
        kind: kind.into(),
        subject: subject.map(Into::into),
        route,
    }
}
