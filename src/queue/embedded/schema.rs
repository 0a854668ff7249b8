//! The tables, the settings of a connection, and what is read when a store is opened.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::failure::queue_error;
use crate::model::Lane;
use crate::queue::{Depth, QueueError};

/// The number of this layout.
pub(super) const FORMAT: i64 = 1;
/// `hksw`: tells `file` and us whose database it is.
const APPLICATION_ID: i64 = 0x686b_7377;
const PAGE_SIZE: u64 = 8192;
/// In pages: 4 MB. Measured; a longer log makes recovery and reads slower, a shorter one syncs the database too often.
const CHECKPOINT_PAGES: i64 = 500;
const LOG_BYTES: i64 = 32 << 20;
/// Only another program, such as a shell, can make us wait.
const BUSY: Duration = Duration::from_secs(5);
const STATEMENTS: usize = 64;

/// No column references another table: a delivery must be movable to `dead` though its event is gone.
const TABLES: &str = "
CREATE TABLE lanes (
    row INTEGER PRIMARY KEY, route TEXT NOT NULL, delivery TEXT NOT NULL, UNIQUE (route, delivery)
) STRICT;
CREATE TABLE requests (
    row INTEGER PRIMARY KEY, id BLOB NOT NULL, received_at INTEGER NOT NULL,
    method TEXT NOT NULL, path TEXT NOT NULL, query TEXT NOT NULL, path_params TEXT NOT NULL,
    headers TEXT NOT NULL, evidence TEXT NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE TABLE events (
    row INTEGER PRIMARY KEY, request INTEGER NOT NULL,
    id TEXT NOT NULL, source TEXT NOT NULL, type TEXT NOT NULL, subject TEXT, time TEXT,
    provider TEXT NOT NULL, route TEXT NOT NULL, data_start INTEGER NOT NULL, data_length INTEGER NOT NULL
) STRICT;
CREATE INDEX events_by_request ON events (request);
CREATE TABLE pending (
    row INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, lane INTEGER NOT NULL, event INTEGER NOT NULL,
    due_at INTEGER NOT NULL, accepted_at INTEGER NOT NULL, attempts INTEGER NOT NULL, history TEXT
) STRICT;
CREATE INDEX pending_by_due ON pending (lane, due_at, row);
CREATE INDEX pending_by_event ON pending (event);
CREATE TABLE dead (
    row INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, lane INTEGER NOT NULL, event INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL, attempts INTEGER NOT NULL, history TEXT,
    reason TEXT NOT NULL, died_at INTEGER NOT NULL
) STRICT;
CREATE INDEX dead_by_lane ON dead (lane);
CREATE INDEX dead_by_event ON dead (event);
CREATE TABLE remembered (key BLOB PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX remembered_by_until ON remembered (until);
CREATE TABLE probe (row INTEGER PRIMARY KEY, filler BLOB NOT NULL) STRICT;
";

/// The tables that have row numbers, each with its columns but the row.
pub(super) const ROW_TABLES: [(&str, &[&str]); 5] = [
    ("lanes", &["route", "delivery"]),
    ("requests", &["id", "received_at", "method", "path", "query", "path_params", "headers", "evidence", "body"]),
    (
        "events",
        &["request", "id", "source", "type", "subject", "time", "provider", "route", "data_start", "data_length"],
    ),
    ("pending", &["id", "lane", "event", "due_at", "accepted_at", "attempts", "history"]),
    ("dead", &["id", "lane", "event", "accepted_at", "attempts", "history", "reason", "died_at"]),
];

/// The row numbers that come next.
#[derive(Debug, Clone, Copy)]
pub(super) struct NextRows {
    pub(super) request: i64,
    pub(super) event: i64,
    pub(super) pending: i64,
}

/// What is known of a store once it is open.
#[derive(Debug)]
pub(super) struct Stock {
    pub(super) lanes: Vec<(i64, Depth)>,
    pub(super) next: NextRows,
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
    if found < FORMAT && !is_empty(&connection)? {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB);
        let error = rusqlite::Error::SqliteFailure(code, Some("its tables are not the queue's".to_owned()));
        return Err(OpenError::Sqlite(error));
    }
    set_up(&connection, path, max_size)?;
    if found < FORMAT {
        create(&connection)?;
    }
    let stock = take_stock(&connection)?;
    Ok((connection, stock))
}

/// Opens a connection that cannot write.
pub(super) fn open_reader(path: &PathBuf) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

fn set_up(connection: &Connection, path: &Path, max_size: Option<u64>) -> Result<(), OpenError> {
    // The first two count only before the first page is written, which switching to WAL does.
    connection.pragma_update(None, "page_size", i64::try_from(PAGE_SIZE).unwrap_or(i64::MAX))?;
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        let detail = format!("{} cannot have a write-ahead log: put it on a local file system", path.display());
        return Err(OpenError::Refused(QueueError::Store { detail }));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    // After a burst the log is cut back; else it would keep the largest size it ever had.
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    // Off for good: see TABLES. The bundled library has it on.
    connection.pragma_update(None, "foreign_keys", false)?;
    if let Some(bytes) = max_size {
        let pages = i64::try_from(bytes / PAGE_SIZE).unwrap_or(i64::MAX);
        connection.pragma_update(None, "max_page_count", pages.max(1))?;
    }
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))
}

/// One transaction, so that a crash leaves all of it or an empty file.
fn create(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    connection.execute_batch(TABLES)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// Counts what waits, and reads both ends of each table: so damage to the structure shows here, not in the middle of
/// the first append.
fn take_stock(connection: &Connection) -> rusqlite::Result<Stock> {
    for (table, columns) in ROW_TABLES {
        for order in ["ASC", "DESC"] {
            let sql = format!("SELECT {} FROM {table} ORDER BY row {order} LIMIT 1", columns.join(", "));
            let mut statement = connection.prepare(&sql)?;
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
        }
    }
    connection.query_row("SELECT count(*) FROM (SELECT key FROM remembered LIMIT 1)", [], |_| Ok(()))?;
    let next = NextRows {
        request: next_row(connection, "requests")?,
        event: next_row(connection, "events")?,
        pending: next_row(connection, "pending")?,
    };
    Ok(Stock { lanes: count(connection)?, next })
}

fn next_row(connection: &Connection, table: &str) -> rusqlite::Result<i64> {
    let last: i64 =
        connection.query_row(&format!("SELECT coalesce(max(row), 0) FROM {table}"), [], |row| row.get(0))?;
    Ok(last.saturating_add(1))
}

fn count(connection: &Connection) -> rusqlite::Result<Vec<(i64, Depth)>> {
    let mut statement = connection.prepare(
        "SELECT lanes.row, route, delivery, coalesce(p.n, 0), coalesce(d.n, 0) FROM lanes
         LEFT JOIN (SELECT lane, count(*) AS n FROM pending GROUP BY lane) AS p ON p.lane = lanes.row
         LEFT JOIN (SELECT lane, count(*) AS n FROM dead GROUP BY lane) AS d ON d.lane = lanes.row",
    )?;
    let lanes = statement.query_map([], |row| {
        let lane = Lane::new(row.get::<_, String>(1)?, row.get::<_, String>(2)?);
        let (pending, dead): (i64, i64) = (row.get(3)?, row.get(4)?);
        Ok((row.get(0)?, Depth { lane, pending: pending.unsigned_abs(), dead: dead.unsigned_abs() }))
    })?;
    lanes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_synced_and_free_pages_can_be_given_back() {
        let directory = tempfile::tempdir().unwrap();
        for opened in ["new", "again"] {
            let (connection, _) = open(&directory.path().join("queue.db"), None).unwrap();
            let setting = |name: &str| -> i64 { connection.pragma_query_value(None, name, |row| row.get(0)).unwrap() };
            assert_eq!(setting("synchronous"), 2, "FULL, {opened}");
            assert_eq!(setting("auto_vacuum"), 2, "INCREMENTAL, {opened}");
            assert_eq!((setting("page_size"), setting("wal_autocheckpoint")), (8192, 500), "{opened}");
            assert_eq!((setting("user_version"), setting("application_id")), (FORMAT, APPLICATION_ID), "{opened}");
        }
    }

    #[test]
    fn what_is_asked_at_work_goes_through_an_index() {
        let directory = tempfile::tempdir().unwrap();
        let (connection, _) = open(&directory.path().join("queue.db"), None).unwrap();
        for sql in [
            "SELECT row, due_at FROM pending WHERE lane = ?1 ORDER BY due_at, row",
            "DELETE FROM events WHERE row = ?1
             AND NOT EXISTS (SELECT 1 FROM pending WHERE event = ?1)
             AND NOT EXISTS (SELECT 1 FROM dead WHERE event = ?1)",
            "DELETE FROM requests WHERE row = ?1 AND NOT EXISTS (SELECT 1 FROM events WHERE request = ?1)",
            "SELECT key FROM remembered WHERE until <= ?1 LIMIT ?2",
            "DELETE FROM dead WHERE id = ?1",
        ] {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let parameters = statement.parameter_count();
            let plan = statement.query_map(rusqlite::params_from_iter(vec![0; parameters]), |row| row.get(3)).unwrap();
            let plan: Vec<String> = plan.map(Result::unwrap).collect();
            assert!(plan.iter().all(|step| !step.contains("SCAN") && !step.contains("TEMP B-TREE")), "{sql}: {plan:?}");
        }
    }
}
