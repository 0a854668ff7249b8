//! Reading what is kept, for people. What is damaged elsewhere must not hide what is asked for: joins may find nothing.

use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, Rows, params, params_from_iter};

use super::codec::{self, CodecError, Record};
use super::keys::{self, Young};
use super::packs::{self, Backward, PackedEvent};
use super::tables::{BLOCKED, event_of, slots};
use crate::model::{DeliveryId, EventKey, Lane, Timestamp};
use crate::queue::{DeliveryRecord, EventHead, EventRecord, Page, ParkedKey, Selection, State, StateKind, StoredEvent};

/// How many rows are looked through for a page.
pub(super) const EXAMINED: i64 = 10_000;

/// What every table of deliveries has, with what belongs to it elsewhere: see [`record`].
const COMMON: &str = "d.row, d.id, l.route, l.delivery, e.id, e.type, e.subject, d.key, d.accepted_at, d.replayed_at,
    d.attempts, d.history";
const JOINS: &str = "LEFT JOIN lanes AS l ON l.row = d.lane LEFT JOIN events AS e ON e.row = d.row / 1024";

/// A condition with its values, in the order of its question marks.
#[derive(Default)]
struct Condition {
    sql: String,
    values: Vec<Value>,
}

/// A page of deliveries, the last accepted first.
pub(super) fn deliveries(
    connection: &Connection,
    selection: &Selection,
    before: Option<u64>,
    max: usize,
) -> rusqlite::Result<Page<DeliveryRecord>> {
    let snapshot = connection.unchecked_transaction()?;
    let before = before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
    let condition = Condition::of(selection);
    let (mut entries, mut bound) = (Vec::new(), None);
    for state in StateKind::ALL {
        if selection.state.is_some_and(|wanted| wanted != state) {
            continue;
        }
        // Of a table that is not read to its end, nothing is known below the last row that was looked at.
        bound = bound.max(examined_to(connection, state, before)?);
        entries.extend(matching(connection, state, &condition, before, max)?);
    }
    if selection.state.is_none_or(|state| state == StateKind::Delivered) {
        let (packed, examined_to) = packs::deliveries(connection, selection, before, max, EXAMINED)?;
        bound = bound.max(examined_to);
        entries.extend(packed);
    }
    snapshot.finish()?;
    entries.sort_unstable_by_key(|record| std::cmp::Reverse(record.number));
    let bound = bound.map(i64::unsigned_abs);
    entries.retain(|record| bound.is_none_or(|bound| record.number >= bound));
    let full = entries.len() >= max;
    entries.truncate(max);
    let next = if full { entries.last().map(|record| record.number) } else { bound };
    Ok(Page { entries, next })
}

/// The delivery of an id; the last accepted, should there be several.
pub(super) fn delivery(
    connection: &Connection,
    young: &Young,
    id: DeliveryId,
) -> rusqlite::Result<Option<DeliveryRecord>> {
    let snapshot = connection.unchecked_transaction()?;
    for event in keys::events_of_id(connection, young, id)? {
        let stored = of_event(connection, event)?.into_iter().find(|record| record.id == id);
        let found = stored.map_or_else(|| packs::delivery(connection, event, id), |found| Ok(Some(found)))?;
        if found.is_some() {
            return Ok(found);
        }
    }
    snapshot.finish()?;
    Ok(None)
}

/// Every stored event of an id on any of these routes.
pub(super) fn event(
    connection: &Connection,
    young: &Young,
    routes: &[Arc<str>],
    id: &str,
) -> rusqlite::Result<Vec<StoredEvent>> {
    let snapshot = connection.unchecked_transaction()?;
    let keys = routes.iter().flat_map(|route| [EventKey::new(route, id), EventKey::alias(route, id)]);
    let numbers = keys::events_between(connection, young, &keys.map(|key| (key, key)).collect::<Vec<_>>())?;
    let mut events = Vec::new();
    for number in numbers {
        match stored_event(connection, number) {
            Ok(Some(found)) if found.event.id() == id => events.push(found),
            Ok(_) => {}
            Err(CodecError::Sqlite(error)) => return Err(error),
            Err(error) => tracing::warn!(number, %error, "the record of an event cannot be read"),
        }
    }
    snapshot.finish()?;
    Ok(events)
}

/// A page of events, the last accepted first.
pub(super) fn events(
    connection: &Connection,
    selection: &Selection,
    before: Option<u64>,
    max: usize,
) -> rusqlite::Result<Page<EventRecord>> {
    let snapshot = connection.unchecked_transaction()?;
    let before = before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
    let mut statement = connection.prepare_cached(
        "SELECT e.row, e.id, e.type, e.subject, e.route, r.received_at
         FROM events AS e LEFT JOIN requests AS r ON r.row = e.request WHERE e.row < ?1 ORDER BY e.row DESC LIMIT ?2",
    )?;
    let mut rows = statement.query([before, EXAMINED])?;
    // Of an event the times are those of its request.
    let of_deliveries = Selection { since: None, until: None, ..selection.clone() };
    let mut packs = Backward::new(connection, before);
    let (mut in_row, mut in_pack) = (next_head(&mut rows)?, packs.next()?);
    let (mut entries, mut next, mut examined) = (Vec::new(), None, 0);
    loop {
        let is_newer = |packed: &PackedEvent| in_row.as_ref().is_none_or(|(head, _)| head.number < packed.head.number);
        let (head, received_at, deliveries) = if let Some(packed) = in_pack.take_if(|packed| is_newer(packed)) {
            in_pack = packs.next()?;
            (packed.head, packed.received_at, Some(packed.deliveries))
        } else if let Some((head, received_at)) = in_row.take() {
            in_row = next_head(&mut rows)?;
            (head, received_at, None)
        } else {
            break;
        };
        examined += 1;
        let number = head.number;
        if let Some(record) = selected(connection, selection, &of_deliveries, head, received_at, deliveries)? {
            entries.push(record);
        }
        if entries.len() >= max || examined >= EXAMINED {
            next = Some(number);
            break;
        }
    }
    drop(rows);
    drop(statement);
    snapshot.finish()?;
    Ok(Page { entries, next })
}

pub(super) fn next_head(rows: &mut Rows<'_>) -> rusqlite::Result<Option<(EventHead, Timestamp)>> {
    let Some(row) = rows.next()? else { return Ok(None) };
    let head = EventHead {
        number: row.get::<_, i64>(0)?.unsigned_abs(),
        id: row.get(1)?,
        kind: row.get(2)?,
        subject: row.get(3)?,
        route: row.get::<_, String>(4)?.into(),
    };
    let received_at = Timestamp::from_millis(row.get::<_, Option<i64>>(5)?.unwrap_or_default());
    Ok(Some((head, received_at)))
}

/// Keys that wait behind dead letters, in the order of lanes and keys.
pub(super) fn parked(
    connection: &Connection,
    after: Option<&(Lane, Box<str>)>,
    max: usize,
) -> rusqlite::Result<Vec<ParkedKey>> {
    let snapshot = connection.unchecked_transaction()?;
    let mut statement = connection.prepare_cached(
        "SELECT l.route, l.delivery, p.key, p.since, d.id,
         (SELECT count(*) FROM pending AS w WHERE w.lane = p.lane AND w.key = p.key)
         FROM parked AS p JOIN lanes AS l ON l.row = p.lane LEFT JOIN dead AS d ON d.row = p.behind
         WHERE (l.route, l.delivery, p.key) > (?1, ?2, ?3) ORDER BY l.route, l.delivery, p.key LIMIT ?4",
    )?;
    let (route, delivery, key) = after.map_or(("", "", ""), |(lane, key)| (&*lane.route, &*lane.delivery, key));
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let keys = statement.query_map(params![route, delivery, key, max], |row| {
        Ok(ParkedKey {
            lane: Lane::new(row.get::<_, String>(0)?, row.get::<_, String>(1)?),
            key: row.get(2)?,
            since: Timestamp::from_millis(row.get(3)?),
            behind: row.get::<_, Option<[u8; 16]>>(4)?.map(DeliveryId::from_bytes),
            waiting: row.get::<_, i64>(5)?.unsigned_abs(),
        })
    })?;
    let keys = keys.collect();
    drop(statement);
    snapshot.finish()?;
    keys
}

/// The least row that is looked at for a page, where that is not all of the table.
fn examined_to(connection: &Connection, state: StateKind, before: i64) -> rusqlite::Result<Option<i64>> {
    let sql = format!("SELECT row FROM {} WHERE row < ?1 ORDER BY row DESC LIMIT 1 OFFSET ?2", table(state));
    connection.prepare_cached(&sql)?.query_row([before, EXAMINED - 1], |row| row.get(0)).optional()
}

fn matching(
    connection: &Connection,
    state: StateKind,
    condition: &Condition,
    before: i64,
    max: usize,
) -> rusqlite::Result<Vec<DeliveryRecord>> {
    let sql = format!(
        "SELECT {COMMON}, {} FROM (SELECT * FROM {} WHERE row < ? ORDER BY row DESC LIMIT ?) AS d {JOINS}
         WHERE {} ORDER BY d.row DESC LIMIT ?",
        own(state),
        table(state),
        condition.sql_for(state)
    );
    let values = [Value::from(before), Value::from(EXAMINED)]
        .into_iter()
        .chain(condition.values.iter().cloned())
        .chain([Value::from(i64::try_from(max).unwrap_or(i64::MAX))]);
    let mut statement = connection.prepare_cached(&sql)?;
    let records = statement.query_map(params_from_iter(values), |row| record(row, state))?;
    records.collect()
}

/// The deliveries of an event that have rows, in the order in which they were taken on.
fn of_event(connection: &Connection, event: i64) -> rusqlite::Result<Vec<DeliveryRecord>> {
    let (first, last) = slots(event);
    let mut records = Vec::new();
    for state in StateKind::ALL {
        let sql =
            format!("SELECT {COMMON}, {} FROM {} AS d {JOINS} WHERE d.row BETWEEN ?1 AND ?2", own(state), table(state));
        let mut statement = connection.prepare_cached(&sql)?;
        let found = statement.query_map([first, last], |row| record(row, state))?;
        records.extend(found.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    records.sort_unstable_by_key(|record| record.number);
    Ok(records)
}

fn stored_event(connection: &Connection, number: i64) -> Result<Option<StoredEvent>, CodecError> {
    let mut statement = connection.prepare_cached(codec::SELECT_EVENT)?;
    let mut rows = statement.query([number])?;
    let Some(columns) = rows.next()? else {
        let packed = packs::event(connection, number)?;
        return Ok(packed.map(|(event, deliveries)| StoredEvent {
            number: number.unsigned_abs(),
            event: Arc::new(event),
            deliveries,
        }));
    };
    let record = Record::read(columns, 0)?;
    let mut requests = connection.prepare_cached("SELECT * FROM requests WHERE row = ?1")?;
    let mut found = requests.query([record.request])?;
    let request = codec::request(found.next()?.ok_or(CodecError::Missing("request"))?)?;
    let event = Arc::new(record.event(Arc::new(request))?);
    Ok(Some(StoredEvent { number: number.unsigned_abs(), event, deliveries: of_event(connection, number)? }))
}

/// An event in a list, where a selection means it, and one of its deliveries what is asked of those.
pub(super) fn selected(
    connection: &Connection,
    selection: &Selection,
    of_deliveries: &Selection,
    head: EventHead,
    received_at: Timestamp,
    deliveries: Option<Vec<DeliveryRecord>>,
) -> rusqlite::Result<Option<EventRecord>> {
    let Selection { state, route, delivery, kind, reason, order_key, since, until } = selection;
    let fits = route.as_deref().is_none_or(|route| *route == *head.route)
        && kind.as_deref().is_none_or(|kind| *kind == *head.kind)
        && since.is_none_or(|since| received_at >= since)
        && until.is_none_or(|until| received_at < until);
    if !fits {
        return Ok(None);
    }
    let number = i64::try_from(head.number).unwrap_or(i64::MAX);
    let deliveries = deliveries.map_or_else(|| of_event(connection, number), Ok)?;
    let all = state.is_none() && delivery.is_none() && reason.is_none() && order_key.is_none();
    if !all && !deliveries.iter().any(|record| of_deliveries.means(record)) {
        return Ok(None);
    }
    let count = |kind| deliveries.iter().filter(|record| record.state.kind() == kind).fold(0_u32, |count, _| count + 1);
    let (pending, delivered, dead) = (count(StateKind::Pending), count(StateKind::Delivered), count(StateKind::Dead));
    Ok(Some(EventRecord { head, received_at, pending, delivered, dead }))
}

const fn table(state: StateKind) -> &'static str {
    match state {
        StateKind::Pending => "pending",
        StateKind::Delivered => "done",
        StateKind::Dead => "dead",
    }
}

/// What only this table has.
const fn own(state: StateKind) -> &'static str {
    match state {
        StateKind::Pending => "d.due_at",
        StateKind::Delivered => "d.attempts, d.began_at, d.took, d.status, d.keep_until",
        StateKind::Dead => "d.died_at, d.reason",
    }
}

/// Reads the columns of [`COMMON`], then those of [`own`].
fn record(row: &Row<'_>, state: StateKind) -> rusqlite::Result<DeliveryRecord> {
    let text = |column| row.get::<_, Option<Box<str>>>(column).map(Option::unwrap_or_default);
    let number: i64 = row.get(0)?;
    let lane = Lane::new(&*text(2)?, &*text(3)?);
    let event = EventHead {
        number: event_of(number).unsigned_abs(),
        id: text(4)?,
        kind: text(5)?,
        subject: row.get(6)?,
        route: Arc::clone(&lane.route),
    };
    let mut history = codec::history(row.get::<_, Option<String>>(11)?.as_deref());
    let state = match state {
        StateKind::Pending => {
            let due_at: i64 = row.get(12)?;
            State::Pending { due_at: (due_at != BLOCKED).then(|| Timestamp::from_millis(due_at)) }
        }
        StateKind::Delivered => {
            let last = codec::last_attempt(row, 12)?;
            let at = last.at.after(last.duration);
            codec::lengthen(&mut history, last);
            State::Delivered { at, keep_until: Timestamp::from_millis(row.get(16)?) }
        }
        StateKind::Dead => State::Dead { at: Timestamp::from_millis(row.get(12)?), reason: codec::reason(&text(13)?) },
    };
    Ok(DeliveryRecord {
        number: number.unsigned_abs(),
        id: codec::delivery_id(row, 1).unwrap_or(DeliveryId::from_bytes([0; 16])),
        lane,
        event,
        order_key: row.get(7)?,
        accepted_at: Timestamp::from_millis(row.get(8)?),
        replayed_at: row.get::<_, Option<i64>>(9)?.map(Timestamp::from_millis),
        attempts: row.get(10)?,
        history,
        state,
    })
}

// === impl Condition ===

impl Condition {
    fn of(selection: &Selection) -> Self {
        let Selection { state: _, route, delivery, kind, reason, order_key, since, until } = selection;
        let mut condition = Self::default();
        let mut add = |sql: &str, value: Option<Value>| {
            if let Some(value) = value {
                condition.sql.push_str(" AND ");
                condition.sql.push_str(sql);
                condition.values.push(value);
            }
        };
        let text = |text: &Option<Box<str>>| text.as_deref().map(|text| Value::from(text.to_owned()));
        add("l.route = ?", text(route));
        add("l.delivery = ?", text(delivery));
        add("e.type = ?", text(kind));
        add("d.key = ?", text(order_key));
        add("d.accepted_at >= ?", since.map(|since| Value::from(since.as_millis())));
        add("d.accepted_at < ?", until.map(|until| Value::from(until.as_millis())));
        // Last: only one table has it.
        add("d.reason = ?", reason.map(|reason| Value::from(reason.as_str().to_owned())));
        condition
    }

    /// The condition on a table. Nothing that is not dead has a reason.
    fn sql_for(&self, state: StateKind) -> String {
        let sql = match state {
            StateKind::Dead => self.sql.clone(),
            _ => self.sql.replace("d.reason = ?", "NULL = ?"),
        };
        format!("true{sql}")
    }
}
