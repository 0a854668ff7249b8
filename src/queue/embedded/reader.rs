//! Reading: connections that cannot write, and what is asked of them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use tokio::sync::Semaphore;

use super::claims::{Claiming, Claims, Picked, Reading};
use super::codec::{self, CodecError, Record};
use super::failure::{is_damage, queue_error};
use super::schema;
use super::tables::BLOCKED;
use crate::model::{DeliveryId, Event, Lane, Request, Timestamp};
use crate::queue::{Claim, Lease, Leased, QueueError};

/// After so many bytes of bodies a lease ends, whatever it was asked for.
const READ_BYTES: usize = 16 << 20;
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
    pub(super) claim: Claim,
    pub(super) why: String,
}

/// What is picked from a lane's index, before anything of it is read.
#[derive(Debug)]
struct Due {
    picked: Vec<Picked>,
    next_due: Option<Timestamp>,
}

/// Reads the deliveries that were picked. A request is read once for all of its events.
struct Loader<'a> {
    connection: &'a Connection,
    lane: &'a Lane,
    requests: HashMap<i64, Arc<Request>>,
    /// How many bytes their bodies have.
    bytes: usize,
}

/// A delivery as it is stored.
struct Delivery {
    event: Arc<Event>,
    accepted_at: Timestamp,
    since: Timestamp,
    attempts: u32,
    /// `None` where it is in an order.
    size: Option<i64>,
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
    claims: &Arc<Claims>,
    lane: &Lane,
    lane_row: i64,
    max: usize,
    now: Timestamp,
) -> rusqlite::Result<Found> {
    let reading = claims.begin_reading();
    let snapshot = connection.unchecked_transaction()?;
    let due = pick(connection, claims, &reading, lane_row, max, now)?;
    let mut loader = Loader { connection, lane, requests: HashMap::new(), bytes: 0 };
    let mut found = Found { leased: Leased { leases: Vec::new(), next_due: due.next_due }, unreadable: Vec::new() };
    for picked in due.picked {
        if loader.bytes > READ_BYTES {
            // What is left of them goes back as it is dropped.
            found.leased.next_due = Some(now);
            break;
        }
        loader.load(picked, &mut found)?;
    }
    snapshot.finish()?;
    Ok(found)
}

/// When the oldest pending delivery was accepted, or replayed. Rows count up, so it is among the first: replayed ones may
/// stand in front of it.
pub(super) fn oldest_pending(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    connection
        .prepare_cached(
            "SELECT min(since) FROM (
             SELECT coalesce(replayed_at, accepted_at) AS since FROM pending ORDER BY row LIMIT 1000)",
        )?
        .query_row([], |row| Ok(row.get::<_, Option<i64>>(0)?.map(Timestamp::from_millis)))
}

/// Claims what is due, in the order of the index, and finds what is due next.
fn pick(
    connection: &Connection,
    claims: &Arc<Claims>,
    reading: &Reading<'_>,
    lane_row: i64,
    max: usize,
    now: Timestamp,
) -> rusqlite::Result<Due> {
    let mut due = Due { picked: Vec::new(), next_due: None };
    let mut statement = connection
        .prepare_cached("SELECT row, due_at FROM pending WHERE lane = ?1 AND due_at < ?2 ORDER BY due_at, row")?;
    let mut rows = statement.query([lane_row, BLOCKED])?;
    while let Some(row) = rows.next()? {
        let (row, due_at) = (row.get(0)?, Timestamp::from_millis(row.get(1)?));
        if due.picked.len() < max && due_at <= now {
            match claims.try_claim(row, reading) {
                Claiming::Done(picked) => due.picked.push(picked),
                Claiming::Taken => {}
                // It may be due again, sooner than this snapshot can tell: worth another look.
                Claiming::Settled => due.next_due = due.next_due.or(Some(due_at)),
            }
        } else if claims.is_free(row) {
            due.next_due = due.next_due.or(Some(due_at));
            break;
        }
    }
    Ok(due)
}

// === impl Loader ===

impl Loader<'_> {
    /// Reads one delivery. What cannot be read is put with the unreadable; only a failing disk is an error.
    fn load(&mut self, picked: Picked, found: &mut Found) -> rusqlite::Result<()> {
        let claim = picked.claim();
        let mut id = DeliveryId::from_bytes([0; 16]);
        match self.read(claim.row, &mut id) {
            Ok(Delivery { event, accepted_at, since, attempts, size }) => {
                let lane = self.lane.clone();
                found.leased.leases.push(Lease::new(id, lane, event, accepted_at, since, attempts, picked.keep(size)));
            }
            Err(CodecError::Sqlite(error)) if !is_damage(&error) => return Err(error),
            Err(error) => {
                drop(picked.keep(None));
                found.unreadable.push(Unreadable { id, lane: self.lane.clone(), claim, why: error.to_string() });
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
        codec::check_delivery(columns)?;
        let record = Record::read(columns, 4)?;
        let accepted_at = Timestamp::from_millis(columns.get(1)?);
        let (since, attempts) = (Timestamp::from_millis(columns.get(2)?), columns.get(3)?);
        let ordered = columns.get_ref(19)? != ValueRef::Null;
        let size = if ordered { None } else { Some(columns.get(18)?) };
        let request = self.request(record.request)?;
        let event = Arc::new(record.event(request)?);
        Ok(Delivery { event, accepted_at, since, attempts, size })
    }

    fn request(&mut self, row: i64) -> Result<Arc<Request>, CodecError> {
        if let Some(request) = self.requests.get(&row) {
            return Ok(Arc::clone(request));
        }
        let mut statement = self.connection.prepare_cached("SELECT * FROM requests WHERE row = ?1")?;
        let mut rows = statement.query([row])?;
        let request = Arc::new(codec::request(rows.next()?.ok_or(CodecError::Missing("request"))?)?);
        self.bytes += request.body.len();
        self.requests.insert(row, Arc::clone(&request));
        Ok(request)
    }
}
