//! What is recent, brought to the tables.

use rusqlite::{Statement, params};

use super::super::codec;
use super::super::counts::Changes;
use super::super::desk::Desk;
use super::super::failure::is_damage;
use super::super::packs::{Filling, Kept, Whole};
use super::super::tables::slots;
use super::super::{settle, shelf};
use super::recent::{Recent, RecentDelivery, RecentEvent, RecentSettle};
use crate::model::{EventKey, Timestamp};

/// Brings all of it to the tables, in the transaction that is open. Answers the rows whose claims end with that.
///
/// `lenient` passes over deliveries whose own record is damaged: they keep their claims, and the next start salvages.
pub(in super::super) fn store(recent: &Recent, desk: &Desk, lenient: bool) -> rusqlite::Result<Vec<i64>> {
    if recent.is_empty() {
        return Ok(Vec::new());
    }
    // These make room.
    let mut ended = Vec::with_capacity(recent.stored.len());
    for settle in &recent.stored {
        match store_settle(desk, settle) {
            Ok(()) => ended.push(settle.row()),
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
    store_keys(recent, desk)?;
    recent.changes.store(&desk.connection)?;
    Ok(ended)
}

const INSERT_PENDING: &str = "INSERT INTO pending (row, id, lane, due_at, accepted_at, attempts, size, sum, history)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
fn store_events(recent: &Recent, desk: &Desk) -> rusqlite::Result<()> {
    let mut insert_request = desk.sql(codec::INSERT_REQUEST)?;
    let mut insert_event = desk.sql(codec::INSERT_EVENT)?;
    let (mut insert_pending, mut insert_done) = (desk.sql(INSERT_PENDING)?, desk.sql(shelf::INSERT_DONE)?);
    let mut packs = Filling::new(&desk.connection);
    let mut request = None;
    for (number, event) in &recent.events {
        if event.is_made() {
            pack(&mut packs, *number, event)?;
            continue;
        }
        if request != Some(event.request) {
            codec::insert_request(&mut insert_request, event.request, event.event.request())?;
            request = Some(event.request);
        }
        codec::insert_event(&mut insert_event, *number, event.request, event.key, &event.event)?;
        for (row, delivery) in (slots(*number).0..).zip(&event.deliveries) {
            match delivery {
                Some(RecentDelivery { id, history, made: Some(made), .. }) => {
                    let history = codec::history_of(history);
                    shelf::insert_done(&mut insert_done, *id, event.accepted_at, history.as_deref(), made)?;
                }
                Some(delivery) => insert_pending_row(&mut insert_pending, row, event, delivery)?,
                None => {}
            }
        }
    }
    packs.finish()
}

fn pack<'a>(packs: &mut Filling<'a>, number: i64, recent: &'a RecentEvent) -> rusqlite::Result<()> {
    let RecentEvent { request, key, alias, event, accepted_at, deliveries } = recent;
    let whole = Whole { number, request: *request, key: *key, alias: *alias, accepted_at: *accepted_at, event };
    let kept = deliveries.iter().flatten().filter_map(|RecentDelivery { id, history, made, .. }| {
        made.as_ref().map(|made| Kept { id: *id, made, history })
    });
    packs.add(&whole, kept)
}

fn insert_pending_row(
    insert: &mut Statement<'_>,
    row: i64,
    RecentEvent { accepted_at, .. }: &RecentEvent,
    delivery: &RecentDelivery,
) -> rusqlite::Result<()> {
    let RecentDelivery { id, lane, size, due_at, history, .. } = delivery;
    let sum = codec::delivery_sum(row, id.as_bytes(), *lane, *accepted_at, *size, None);
    let attempts = history.last().map_or(0, |attempt| attempt.number);
    let history = codec::history_of(history);
    insert.execute(params![row, id.as_bytes(), lane, due_at, accepted_at, attempts, size, sum, history]).map(|_| ())
}

/// In the order of the tree: neighbours are written together.
fn store_keys(recent: &Recent, desk: &Desk) -> rusqlite::Result<()> {
    let mut keys: Vec<(EventKey, i64, i64)> = Vec::with_capacity(recent.keys.len());
    let known = recent.keys.iter().map(|(key, known)| (*key, known.event, known.until));
    // One that is not remembered is there as long as its event.
    keys.extend(known.filter(|(_, event, until)| *until > 0 || recent.events.contains_key(event)));
    let aliases = recent.events.iter().filter_map(|(number, event)| Some((event.alias?, *number, 0)));
    keys.extend(aliases);
    keys.sort_unstable();
    let mut insert = desk.sql("INSERT INTO keys (key, event, until) VALUES (?1, ?2, ?3)")?;
    for (key, event, until) in keys {
        insert.execute(params![key.as_bytes(), event, until])?;
    }
    Ok(())
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
