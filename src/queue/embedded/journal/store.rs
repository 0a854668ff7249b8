//! What is recent, brought to the tables.

use std::sync::Arc;

use rusqlite::{Statement, params};

use super::super::codec;
use super::super::counts::Changes;
use super::super::desk::Desk;
use super::super::failure::is_damage;
use super::super::give_way::give_way;
use super::super::keys::NewKey;
use super::super::packs::{Filling, Kept, Member};
use super::super::tables::slots;
use super::super::{settle, shelf};
use super::recent::{Recent, RecentDelivery, RecentRequest, RecentSettle};
use crate::model::Timestamp;

/// What came of it.
#[derive(Debug, Default)]
pub(in super::super) struct Brought {
    /// The rows whose claims end with it.
    pub(in super::super) ended: Vec<i64>,
    /// The keys of events that came, which are yet to be stored.
    pub(in super::super) keys: Vec<NewKey>,
}

/// Brings all of it to the tables but for the keys, in the transaction that is open.
///
/// `lenient` passes over deliveries whose own record is damaged: they keep their claims, and the next start salvages.
pub(in super::super) fn store<'a>(
    unstored: impl Iterator<Item = &'a Recent>,
    desk: &Desk,
    lenient: bool,
) -> rusqlite::Result<Brought> {
    let mut brought = Brought::default();
    for recent in unstored.filter(|recent| !recent.is_empty()) {
        store_one(recent, desk, lenient, &mut brought)?;
    }
    Ok(brought)
}

fn store_one(recent: &Recent, desk: &Desk, lenient: bool, brought: &mut Brought) -> rusqlite::Result<()> {
    // These make room.
    for (place, settle) in recent.stored.iter().enumerate() {
        give_way(place);
        match store_settle(desk, settle) {
            Ok(()) => brought.ended.push(settle.row()),
            Err(error) if lenient && is_damage(&error) => {
                let lane = desk.counts.lane(settle.lane());
                let (route, delivery) = lane.as_ref().map(|lane| (&*lane.route, &*lane.delivery)).unzip();
                tracing::error!(
                    %error, route, delivery, row = settle.row(),
                    "the outcome of a delivery cannot be stored, because its record is damaged: restart the gateway, which \
                     salvages what can be read"
                );
            }
            Err(error) => return Err(error),
        }
    }
    store_events(recent, desk)?;
    keys(recent, &mut brought.keys);
    recent.changes.store(&desk.connection)
}

const INSERT_PENDING: &str = "INSERT INTO pending (row, id, lane, due_at, accepted_at, attempts, size, sum, history)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

fn store_events(recent: &Recent, desk: &Desk) -> rusqlite::Result<()> {
    let mut packs = Filling::new(&desk.connection);
    for (place, (row, request)) in recent.requests.iter().enumerate() {
        give_way(place);
        if request.is_made() {
            pack(&mut packs, *row, request)?;
        } else {
            store_rows(desk, *row, request)?;
        }
    }
    packs.finish()
}

fn pack(packs: &mut Filling<'_>, row: i64, request: &RecentRequest) -> rusqlite::Result<()> {
    let needed = (row..).zip(&request.events).filter(|(_, event)| event.is_needed());
    let members = needed.map(|(number, event)| Member::new(number, event.key, event.alias));
    let deliveries = request.events.iter().flat_map(|event| event.deliveries.iter().flatten());
    let kept =
        deliveries.filter_map(|delivery| delivery.made.as_ref().map(|made| Kept { made, history: &delivery.history }));
    packs.add(request.entry(), members, kept)
}

/// An entry that was read or written by this process.
fn unreadable() -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure("what the journal holds of a request cannot be read".into())
}

fn store_rows(desk: &Desk, row: i64, recent: &RecentRequest) -> rusqlite::Result<()> {
    let append = recent.append().ok_or_else(unreadable)?;
    let request = Arc::new(append.request.to_request());
    codec::insert_request(&mut *desk.sql(codec::INSERT_REQUEST)?, row, &request)?;
    let mut insert_event = desk.sql(codec::INSERT_EVENT)?;
    let (mut insert_pending, mut insert_done) = (desk.sql(INSERT_PENDING)?, desk.sql(shelf::INSERT_DONE)?);
    for (entry, event) in append.events.iter().zip(&recent.events).filter(|(_, event)| event.is_needed()) {
        codec::insert_event(&mut insert_event, entry.number, row, event.key, &entry.to_event(&request))?;
        for (slot, delivery) in (slots(entry.number).0..).zip(&event.deliveries) {
            match delivery {
                Some(RecentDelivery { id, history, made: Some(made), .. }) => {
                    let history = codec::history_of(history);
                    shelf::insert_done(&mut insert_done, *id, append.accepted_at, history.as_deref(), made)?;
                }
                Some(delivery) => insert_pending_row(&mut insert_pending, slot, append.accepted_at, delivery)?,
                None => {}
            }
        }
    }
    Ok(())
}

fn insert_pending_row(
    insert: &mut Statement<'_>,
    row: i64,
    accepted_at: i64,
    delivery: &RecentDelivery,
) -> rusqlite::Result<()> {
    let RecentDelivery { id, lane, size, due_at, history, .. } = delivery;
    let sum = codec::delivery_sum(row, id.as_bytes(), *lane, accepted_at, *size, None);
    let attempts = history.last().map_or(0, |attempt| attempt.number);
    let history = codec::history_of(history);
    insert.execute(params![row, id.as_bytes(), lane, due_at, accepted_at, attempts, size, sum, history]).map(|_| ())
}

fn keys(recent: &Recent, keys: &mut Vec<NewKey>) {
    keys.reserve(recent.keys.len());
    let known = recent.keys.iter().map(|(key, known)| NewKey { key: *key, event: known.event, until: known.until });
    keys.extend(known.filter(|key| key.until > 0));
    for (row, request) in &recent.requests {
        for (number, event) in (*row..).zip(&request.events).filter(|(_, event)| event.is_needed()) {
            // One that is not remembered is there as long as its event.
            let unremembered = Some(event.key).filter(|_| event.until == 0);
            keys.extend(unremembered.into_iter().chain(event.alias).map(|key| NewKey { key, event: number, until: 0 }));
        }
    }
}

fn store_settle(desk: &Desk, settle: &RecentSettle) -> rusqlite::Result<()> {
    // The ledger has counted it.
    let mut counted = Changes::default();
    match settle {
        RecentSettle::Made(made) => {
            let (attempt, keep_until) = (made.attempt(), made.keep_until.map(Timestamp::from_millis));
            // The time is for what waits for it in an order: nothing does.
            settle::made(desk, &mut counted, made.row, &attempt, keep_until, attempt.at).map(|_| ())
        }
        RecentSettle::Again { row, at, attempt, .. } => settle::again(desk, *row, *at, attempt, *at).map(|_| ()),
    }
}
