//! Reading: connections that cannot write, and what is asked of them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::Semaphore;

use super::codec::{self, CodecError, Record};
use super::failure::{is_damage, queue_error};
use super::ledger::{Claim, Claiming, Ledger, Reading};
use super::schema;
use crate::model::{DeliveryId, Event, Lane, Request, Timestamp};
use crate::queue::{DeadLetter, Lease, Leased, QueueError};

/// How many read at once.
const READERS: u32 = 4;

/// Connections that cannot write, opened as they are needed.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    turns: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

/// What a lane has that is due.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) leased: Leased,
    pub(super) unreadable: Vec<Unreadable>,
}

/// A delivery whose record cannot be read. It is claimed.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) id: DeliveryId,
    pub(super) lane: Lane,
    pub(super) row: i64,
    pub(super) why: String,
}

/// What is picked from a lane's index, before anything of it is read.
#[derive(Debug)]
struct Picked {
    claims: Vec<Claim>,
    next_due: Option<Timestamp>,
}

/// Reads the deliveries that were picked. A request is read once for all of its events.
struct Loader<'a> {
    connection: &'a Connection,
    ledger: &'a Arc<Ledger>,
    lane: &'a Lane,
    requests: HashMap<i64, Arc<Request>>,
}

/// A delivery as it is stored.
struct Delivery {
    event: Arc<Event>,
    accepted_at: Timestamp,
    attempts: u32,
}

// === impl Readers ===

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, turns: Arc::new(Semaphore::new(READERS as usize)), idle: Arc::default() }
    }

    /// Runs `work` with a connection, on a thread that may block.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, QueueError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| QueueError::Closed)?;
        let (path, idle) = (self.path.clone(), Arc::clone(&self.idle));
        let task = tokio::task::spawn_blocking(move || {
            // Bound to what runs here: should nobody wait any more, it still ends before the next has its turn.
            let _turn = turn;
            let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = kept.map_or_else(|| schema::open_reader(&path), Ok)?;
            let value = work(&connection)?;
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            Ok(value)
        });
        match task.await {
            Ok(result) => result.map_err(|error| queue_error(&error)),
            Err(_) => Err(QueueError::Store { detail: "a read was broken off".to_owned() }),
        }
    }

    /// Waits for who reads, and closes the connections.
    pub(super) async fn close(&self) {
        let all = self.turns.acquire_many(READERS).await;
        self.turns.close();
        drop(all);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Leases what is due in a lane.
pub(super) fn lease(
    connection: &Connection,
    ledger: &Arc<Ledger>,
    lane: &Lane,
    lane_row: i64,
    max: usize,
    now: Timestamp,
) -> rusqlite::Result<Found> {
    let reading = ledger.begin_reading();
    let snapshot = connection.unchecked_transaction()?;
    let picked = pick(connection, ledger, &reading, lane_row, max, now)?;
    let mut loader = Loader { connection, ledger, lane, requests: HashMap::new() };
    let mut found = Found { leased: Leased { leases: Vec::new(), next_due: picked.next_due }, unreadable: Vec::new() };
    for claim in picked.claims {
        loader.load(claim, &mut found)?;
    }
    snapshot.finish()?;
    Ok(found)
}

/// When the oldest pending delivery was accepted. Rows count up, so it is the first.
pub(super) fn oldest_pending(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    connection
        .prepare_cached("SELECT accepted_at FROM pending ORDER BY row LIMIT 1")?
        .query_row([], |row| row.get(0).map(Timestamp::from_millis))
        .optional()
}

/// A page of dead letters, the newest first.
pub(super) fn dead_letters(
    connection: &Connection,
    before: Option<u64>,
    max: usize,
) -> rusqlite::Result<Vec<DeadLetter>> {
    let before = before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    // What is damaged elsewhere must not hide a dead letter: the joins may find nothing.
    let mut statement = connection.prepare_cached(
        "SELECT d.row, d.id, l.route, l.delivery, e.id, d.reason, d.accepted_at, d.died_at, d.attempts, d.history
         FROM dead AS d LEFT JOIN lanes AS l ON l.row = d.lane LEFT JOIN events AS e ON e.row = d.event
         WHERE d.row < ?1 ORDER BY d.row DESC LIMIT ?2",
    )?;
    let letters = statement.query_map(params![before, max], |row| {
        let text = |column| row.get::<_, Option<String>>(column).map(Option::unwrap_or_default);
        Ok(DeadLetter {
            position: row.get::<_, i64>(0)?.unsigned_abs(),
            id: codec::delivery_id(row, 1).unwrap_or(DeliveryId::from_bytes([0; 16])),
            lane: Lane::new(text(2)?, text(3)?),
            event_id: text(4)?,
            reason: codec::reason(&text(5)?),
            accepted_at: Timestamp::from_millis(row.get(6)?),
            died_at: Timestamp::from_millis(row.get(7)?),
            attempts: row.get(8)?,
            history: codec::history(row.get::<_, Option<String>>(9)?.as_deref()),
        })
    })?;
    letters.collect()
}

/// Claims what is due, in the order of the index, and finds what is due next.
fn pick(
    connection: &Connection,
    ledger: &Arc<Ledger>,
    reading: &Reading<'_>,
    lane_row: i64,
    max: usize,
    now: Timestamp,
) -> rusqlite::Result<Picked> {
    let mut picked = Picked { claims: Vec::new(), next_due: None };
    let mut statement =
        connection.prepare_cached("SELECT row, due_at FROM pending WHERE lane = ?1 ORDER BY due_at, row")?;
    let mut rows = statement.query([lane_row])?;
    while let Some(row) = rows.next()? {
        let (row, due_at) = (row.get(0)?, Timestamp::from_millis(row.get(1)?));
        if picked.claims.len() < max && due_at <= now {
            match ledger.try_claim(row, reading) {
                Claiming::Done(claim) => picked.claims.push(claim),
                Claiming::Taken => {}
                // It may be due again, sooner than this snapshot can tell: worth another look.
                Claiming::Settled => picked.next_due = picked.next_due.or(Some(due_at)),
            }
        } else if ledger.is_free(row) {
            picked.next_due = picked.next_due.or(Some(due_at));
            break;
        }
    }
    Ok(picked)
}

// === impl Loader ===

impl Loader<'_> {
    /// Reads one delivery. What cannot be read is put with the unreadable; only a failing disk is an error.
    fn load(&mut self, claim: Claim, found: &mut Found) -> rusqlite::Result<()> {
        let row = claim.row();
        let mut id = DeliveryId::from_bytes([0; 16]);
        match self.read(row, &mut id) {
            Ok(Delivery { event, accepted_at, attempts }) => {
                claim.keep();
                let lane = self.lane.clone();
                found.leased.leases.push(Lease::new(id, lane, event, accepted_at, attempts, row, self.ledger.claims()));
            }
            Err(CodecError::Sqlite(error)) if !is_damage(&error) => return Err(error),
            Err(error) => {
                claim.keep();
                found.unreadable.push(Unreadable { id, lane: self.lane.clone(), row, why: error.to_string() });
            }
        }
        Ok(())
    }

    /// Reads the delivery in `row`; `id` is set as soon as it is known, for the log.
    fn read(&mut self, row: i64, id: &mut DeliveryId) -> Result<Delivery, CodecError> {
        let mut statement = self.connection.prepare_cached(codec::SELECT_DELIVERY)?;
        let mut rows = statement.query([row])?;
        let columns = rows.next()?.ok_or(CodecError::Missing("row"))?;
        *id = codec::delivery_id(columns, 0)?;
        let record = Record::read(columns, 3)?;
        let (accepted_at, attempts) = (Timestamp::from_millis(columns.get(1)?), columns.get(2)?);
        let request = self.request(record.request)?;
        let event = Arc::new(record.event(request)?);
        Ok(Delivery { event, accepted_at, attempts })
    }

    fn request(&mut self, row: i64) -> Result<Arc<Request>, CodecError> {
        if let Some(request) = self.requests.get(&row) {
            return Ok(Arc::clone(request));
        }
        let mut statement = self.connection.prepare_cached("SELECT * FROM requests WHERE row = ?1")?;
        let mut rows = statement.query([row])?;
        let request = Arc::new(codec::request(rows.next()?.ok_or(CodecError::Missing("request"))?)?);
        self.requests.insert(row, Arc::clone(&request));
        Ok(request)
    }
}
