//! The settings of a connection, and what is read when a store is opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::failure::queue_error;
use super::keys::Young;
use super::tables::{KEY_TABLES, ROW_TABLES, TABLES};
use crate::model::Lane;
use crate::queue::{LaneCounts, QueueError, RouteCounts};

/// The number of this layout.
pub(super) const FORMAT: i64 = 5;
/// The layout before, which is brought to this one.
const BEFORE: i64 = 4;
/// `hksw`: tells `file` and us whose database it is.
const APPLICATION_ID: i64 = 0x686b_7377;
pub(super) const PAGE_SIZE: u64 = 8192;
/// SQLite's number for `auto_vacuum = INCREMENTAL`.
const INCREMENTAL: i64 = 2;
/// In pages: 1 MB. Measured: what waits for a commit waits for this, too, some 4 ms of each 4 MB; a shorter log syncs the
/// database too often.
const CHECKPOINT_PAGES: i64 = 128;
/// Of a database of a gigabyte and more, in pages: 32 MB.
const MOST_CHECKPOINT_PAGES: i64 = 4096;
/// The log has at most this part of the pages of the database.
const CHECKPOINT_PART: i64 = 32;
const LOG_BYTES: i64 = 32 << 20;
/// In KiB. Enough for the inner pages of all trees where ten million deliveries wait; what the leaves would need is left to
/// the operating system.
const CACHE_KIB: i64 = 16 << 10;
/// Only another program, such as a shell, can make us wait.
const BUSY: Duration = Duration::from_secs(5);
const STATEMENTS: usize = 64;

/// What is known of a store once it is open.
#[derive(Debug)]
pub(super) struct Stock {
    pub(super) lanes: Vec<(i64, Lane, LaneCounts)>,
    pub(super) routes: Vec<(i64, Arc<str>, RouteCounts)>,
    /// The first event number that was never given.
    pub(super) next_event: i64,
    /// How many deliveries were lost of which not even the lane is known.
    pub(super) lost: u64,
    /// The epoch of the journal that holds what is not here; 0 for none.
    pub(super) journal: i64,
    /// The keys that came last.
    pub(super) young: Young,
}

/// Why a store could not be opened.
#[derive(Debug)]
pub(super) enum OpenError {
    /// SQLite says so; the file may be damaged.
    Sqlite(rusqlite::Error),
    /// Trying to mend it would be wrong.
    Refused(QueueError),
}

// === impl OpenError ===

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<OpenError> for QueueError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Sqlite(error) => queue_error(&error),
            OpenError::Refused(error) => error,
        }
    }
}

/// Opens the connection that writes, makes the tables where there are none, and reads what is to be known.
pub(super) fn open(path: &Path, max_size: Option<u64>) -> Result<(Connection, Stock), OpenError> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY)?;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > FORMAT {
        let error = QueueError::TooNew { path: path.to_owned(), found, known: FORMAT };
        return Err(OpenError::Refused(error));
    }
    if (1..BEFORE).contains(&found) {
        return Err(OpenError::Refused(QueueError::TooOld { path: path.to_owned(), found, known: FORMAT }));
    }
    if found < BEFORE && !is_empty(&connection)? {
        return Err(OpenError::Sqlite(damaged("its tables are not the queue's".to_owned())));
    }
    set_up(&connection, path, max_size)?;
    match found {
        FORMAT => {}
        BEFORE => migrate(&connection)?,
        _ => create(&connection)?,
    }
    let stock = take_stock(&connection)?;
    Ok((connection, stock))
}

/// Opens another connection that writes, to what is open already.
pub(super) fn open_another(path: &Path, max_size: Option<u64>) -> Result<Connection, OpenError> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    set_up(&connection, path, max_size)?;
    Ok(connection)
}

/// Opens a connection that cannot write.
pub(super) fn open_reader(path: &PathBuf) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    keep_statements(&connection)?;
    Ok(connection)
}

/// Statements are compiled once. Without the guarantee the bundled library compiles them again for other parameters: that
/// was a fifth of what it takes to deliver from the tables.
fn keep_statements(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

fn set_up(connection: &Connection, path: &Path, max_size: Option<u64>) -> Result<(), OpenError> {
    // The first two count only before the first page is written, which switching to WAL does. Saying the second again
    // writes to the database: a start on a full disk must not.
    connection.pragma_update(None, "page_size", i64::try_from(PAGE_SIZE).unwrap_or(i64::MAX))?;
    if connection.pragma_query_value(None, "auto_vacuum", |row| row.get::<_, i64>(0))? != INCREMENTAL {
        connection.pragma_update(None, "auto_vacuum", INCREMENTAL)?;
    }
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        let detail = format!("{} cannot have a write-ahead log: put it on a local file system", path.display());
        return Err(OpenError::Refused(QueueError::Store { detail }));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    set_checkpoint(connection)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    // After a burst the log is cut back; else it would keep the largest size it ever had.
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    // Off for good: see TABLES. The bundled library has it on.
    connection.pragma_update(None, "foreign_keys", false)?;
    if let Some(bytes) = max_size {
        let pages = i64::try_from(bytes / PAGE_SIZE).unwrap_or(i64::MAX);
        connection.pragma_update(None, "max_page_count", pages.max(1))?;
    }
    Ok(keep_statements(connection)?)
}

/// What is salvaged.
pub(super) fn damaged(detail: String) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB), Some(detail))
}

/// Sets after how many pages the log is moved into the database: the more pages that has, the rarer the same one is written
/// again, and the more of them it takes for neighbours to be written together.
pub(super) fn set_checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    let checkpoint = (pages / CHECKPOINT_PART).clamp(CHECKPOINT_PAGES, MOST_CHECKPOINT_PAGES);
    connection.pragma_update(None, "wal_autocheckpoint", checkpoint)
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))
}

/// One transaction, so that a crash leaves all of it or an empty file.
fn create(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    connection.execute_batch(TABLES)?;
    connection.execute_batch(KEY_TABLES)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// Brings the layout before to this one, in one transaction: the index of keys is made anew.
fn migrate(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    connection.execute_batch("DROP INDEX keys_by_until")?;
    connection.execute_batch(KEY_TABLES)?;
    connection.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// Reads the counts, and both ends of each table: so damage to the structure shows here, not in the middle of the first
/// append. What is pending is counted through its index, which is small, and must be what the ledger says: a delivery
/// that is lost is lost here, and not without a word.
fn take_stock(connection: &Connection) -> rusqlite::Result<Stock> {
    for table in ROW_TABLES {
        for order in ["ASC", "DESC"] {
            read_through(
                connection,
                &format!("SELECT {} FROM {} ORDER BY row {order} LIMIT 1", table.columns, table.name),
            )?;
        }
    }
    read_through(connection, "SELECT event FROM keys LIMIT 1")?;
    read_through(connection, "SELECT behind FROM parked LIMIT 1")?;
    let lanes = lanes(connection)?;
    let pending: i64 =
        connection.query_row("SELECT count(*) FROM pending INDEXED BY pending_by_due", [], |row| row.get(0))?;
    let counted: u64 = lanes.iter().map(|(_, _, counts)| counts.pending).sum();
    if pending.unsigned_abs() != counted {
        return Err(damaged(format!("{pending} deliveries are pending, and the ledger says {counted}")));
    }
    let (next_event, lost) = numbers(connection)?;
    let journal = connection.query_row("SELECT journal FROM numbers WHERE row = 1", [], |row| row.get(0))?;
    let (routes, young) = (routes(connection)?, Young::load(connection)?);
    Ok(Stock { lanes, routes, next_event, lost, journal, young })
}

fn read_through(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

/// The next event number, and how many deliveries were lost of which not even the lane is known.
pub(super) fn numbers(connection: &Connection) -> rusqlite::Result<(i64, u64)> {
    connection.query_row("SELECT next_event, lost FROM numbers WHERE row = 1", [], |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
    })
}

/// Every lane with its row and its counts.
pub(super) fn lanes(connection: &Connection) -> rusqlite::Result<Vec<(i64, Lane, LaneCounts)>> {
    let mut statement = connection.prepare(
        "SELECT row, route, delivery, accepted, delivered, dead, pending, purged, lost, replayed, kept,
         pending_bytes, dead_bytes, kept_bytes FROM lanes JOIN lane_counts USING (row)",
    )?;
    let lanes = statement.query_map([], |row| {
        let lane = Lane::new(row.get::<_, String>(1)?, row.get::<_, String>(2)?);
        let count = |column| row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or(0));
        let counts = LaneCounts {
            accepted: count(3)?,
            delivered: count(4)?,
            dead: count(5)?,
            pending: count(6)?,
            purged: count(7)?,
            lost: count(8)?,
            replayed: count(9)?,
            kept: count(10)?,
            pending_bytes: count(11)?,
            dead_bytes: count(12)?,
            kept_bytes: count(13)?,
        };
        Ok((row.get(0)?, lane, counts))
    })?;
    lanes.collect()
}

/// Every route with its row and its counts.
pub(super) fn routes(connection: &Connection) -> rusqlite::Result<Vec<(i64, Arc<str>, RouteCounts)>> {
    let mut statement =
        connection.prepare("SELECT row, route, received, accepted, filtered, duplicate, invalid FROM route_counts")?;
    let routes = statement.query_map([], |row| {
        let count = |column| row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or(0));
        let counts = RouteCounts {
            received: count(2)?,
            accepted: count(3)?,
            filtered: count(4)?,
            duplicate: count(5)?,
            invalid: count(6)?,
        };
        Ok((row.get(0)?, row.get::<_, String>(1)?.into(), counts))
    })?;
    routes.collect()
}

#[cfg(test)]
mod tests {
    use super::super::keys;
    use super::*;

    #[test]
    fn a_commit_is_synced_and_free_pages_can_be_given_back() {
        let directory = tempfile::tempdir().unwrap();
        for opened in ["new", "again"] {
            let (connection, _) = open(&directory.path().join("queue.db"), None).unwrap();
            let setting = |name: &str| -> i64 { connection.pragma_query_value(None, name, |row| row.get(0)).unwrap() };
            assert_eq!(setting("synchronous"), 2, "FULL, {opened}");
            assert_eq!(setting("auto_vacuum"), 2, "INCREMENTAL, {opened}");
            assert_eq!((setting("page_size"), setting("wal_autocheckpoint")), (8192, 128), "{opened}");
            assert_eq!((setting("user_version"), setting("application_id")), (FORMAT, APPLICATION_ID), "{opened}");
        }
    }

    #[test]
    fn what_is_asked_at_work_goes_through_an_index() {
        let directory = tempfile::tempdir().unwrap();
        let (connection, _) = open(&directory.path().join("queue.db"), None).unwrap();
        for sql in [
            "SELECT row, due_at FROM pending WHERE lane = ?1 AND due_at < ?2 ORDER BY due_at, row",
            "SELECT row FROM pending WHERE lane = ?1 AND key = ?2 AND due_at < ?3 LIMIT 1",
            "SELECT row FROM pending WHERE lane = ?1 AND key = ?2 AND due_at = ?3 ORDER BY row LIMIT 1",
            "SELECT EXISTS (SELECT 1 FROM pending WHERE row BETWEEN ?1 AND ?2)
             OR EXISTS (SELECT 1 FROM dead WHERE row BETWEEN ?1 AND ?2)
             OR EXISTS (SELECT 1 FROM done WHERE row BETWEEN ?1 AND ?2)",
            "SELECT request FROM events WHERE row >= ?1 ORDER BY row LIMIT 1",
            "SELECT row FROM packs WHERE row <= ?1 ORDER BY row DESC LIMIT 1",
            "SELECT row FROM packs WHERE row >= coalesce((SELECT max(row) FROM packs WHERE row <= ?1), ?1)
             AND row <= ?2 AND last >= ?1 ORDER BY row LIMIT 1",
            "SELECT row, lane, size, keep_until FROM done WHERE keep_until < ?1 ORDER BY keep_until LIMIT ?2",
            "SELECT event, until FROM keys WHERE key = ?1",
            "SELECT event FROM keys WHERE key BETWEEN ?1 AND ?2",
            keys::ENDED,
            "SELECT behind FROM parked WHERE lane = ?1 AND key = ?2",
        ] {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let parameters = statement.parameter_count();
            let plan = statement.query_map(rusqlite::params_from_iter(vec![0; parameters]), |row| row.get(3)).unwrap();
            let plan: Vec<String> = plan.map(Result::unwrap).collect();
            assert!(
                plan.iter().all(
                    |step| (!step.contains("SCAN") || step == "SCAN CONSTANT ROW") && !step.contains("TEMP B-TREE")
                ),
                "{sql}: {plan:?}"
            );
        }
    }
}
