//! Opening a store that may be damaged: what can still be read is copied into a new one.

use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params_from_iter};

use super::failure::is_damage;
use super::files::Directory;
use super::mend;
use super::schema::{self, OpenError, Stock};
use super::tables::{ROW_TABLES, RowTable};
use super::verify;
use crate::model::Timestamp;
use crate::queue::QueueError;

/// After so many rows in a row that cannot be read, a table is given up, but for its other end.
const MISSES: u32 = 20_000;
/// After so many rows the log is let go: else it would grow as large as the database.
const BATCH: u64 = 10_000;

/// How a table was copied.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Copied {
    kept: u64,
    /// At most this many: row numbers that could not be read.
    lost: u64,
    /// Whether part of the table could not be reached, and nobody knows how many rows it had.
    broken_off: bool,
}

/// Opens the database of `directory`, salvaging it first where it is damaged.
pub(super) fn open(
    directory: &Directory,
    max_size: Option<u64>,
    now: Timestamp,
) -> Result<(Connection, Stock), QueueError> {
    finish_interrupted(directory, now)?;
    let path = directory.database();
    directory.prepare(&path)?;
    let mut opened = schema::open(&path, max_size).and_then(looked_through);
    if let Some(damage) = damage(directory, &opened) {
        // Not to be open while it is set aside.
        drop(opened);
        salvage(directory, &damage, now)?;
        opened = schema::open(&path, max_size);
    }
    let opened = opened?;
    directory.salvage_done()?;
    Ok(opened)
}

/// A database that opens may be damaged in its middle.
fn looked_through(opened: (Connection, Stock)) -> Result<(Connection, Stock), OpenError> {
    match verify::look_through(&opened.0)? {
        None => Ok(opened),
        Some(damage) => Err(schema::damaged(damage).into()),
    }
}

fn damage<T>(directory: &Directory, opened: &Result<T, OpenError>) -> Option<String> {
    match opened {
        Err(OpenError::Sqlite(error)) if is_damage(error) => Some(error.to_string()),
        Ok(_) if directory.salvage_wanted() => Some("found at work by the last process".to_owned()),
        _ => None,
    }
}

/// A salvage that a crash interrupted: complete exactly if the damaged database is set aside already.
fn finish_interrupted(directory: &Directory, now: Timestamp) -> Result<(), QueueError> {
    let (path, salvaged) = (directory.database(), directory.salvage());
    if !salvaged.exists() {
        return Ok(());
    }
    if path.exists() {
        return directory.remove_database(&salvaged);
    }
    // The damaged one's log may still be there, and must not be replayed into the new one.
    directory.rename_database(&path, &directory.aside(now.as_millis()))?;
    directory.rename_database(&salvaged, &path)
}

fn salvage(directory: &Directory, damage: &str, now: Timestamp) -> Result<(), QueueError> {
    let (path, new, aside) = (directory.database(), directory.salvage(), directory.aside(now.as_millis()));
    tracing::error!(
        damage, file = %path.display(), aside = %aside.display(),
        "the queue's database is damaged: it is set aside, and what can be read of it is kept"
    );
    directory.prepare(&new)?;
    let (connection, _) = schema::open(&new, None)?;
    copy_all(&path, &connection, now).map_err(OpenError::from)?;
    // The log is moved into the file and synced: it is whole before the old one goes. Closing would not say that it is not.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(OpenError::from)?;
    connection.close().map_err(|(_, error)| OpenError::from(error))?;
    directory.rename_database(&path, &aside)?;
    directory.rename_database(&new, &path)
}

/// Copies what can be read. Fails only where the new database cannot be written.
fn copy_all(from: &Path, to: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    // It is not changed: somebody may want to try with other tools.
    let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    let Ok(source) = source else {
        tracing::error!("nothing of the damaged database could be read");
        return Ok(());
    };
    // Nothing is written through it: this lets SQLite read a file that was cut off, which it refuses else.
    if let Err(error) = source.pragma_update(None, "writable_schema", true) {
        tracing::warn!(%error, "a database that was cut off cannot be read");
    }
    to.execute_batch("BEGIN")?;
    // There is a row in it that is to be copied.
    to.execute("DELETE FROM numbers", [])?;
    for table in &ROW_TABLES {
        report(table.name, copy_rows(&source, to, table)?);
    }
    report("keys", copy_keys(&source, to, "keys", "key, event, until")?);
    report("parked", copy_keys(&source, to, "parked", "lane, key, behind, since")?);
    mend::mend(to, now)?;
    to.execute_batch("COMMIT")
}

fn report(table: &str, Copied { kept, lost, broken_off }: Copied) {
    if lost > 0 || broken_off {
        tracing::error!(table, kept, lost, broken_off, "rows of the damaged database are lost");
    } else {
        tracing::warn!(table, kept, "a table of the damaged database was copied whole");
    }
}

/// Copies a table by row number; after a row that cannot be read, it looks for the next that can.
fn copy_rows(source: &Connection, to: &Connection, table: &RowTable) -> rusqlite::Result<Copied> {
    let (table, names) = (table.name, table.columns);
    let read = format!("SELECT row, {names} FROM {table} WHERE row >= ?1 ORDER BY row");
    let insert = insert(table, &format!("row, {names}"));
    let mut copied = Copied::default();
    let last = last_row(source, table).unwrap_or(i64::MAX);
    let (mut next, mut misses) = (i64::MIN, 0);
    while misses < MISSES {
        match copy_run(source, to, &read, &insert, &mut next, &mut copied)? {
            Run::End => return Ok(copied),
            Run::Broken { progress: true } => misses = 0,
            Run::Broken { progress: false } => misses += 1,
        }
        copied.lost += 1;
        // The first row is not known where even that cannot be read: rows count from 1.
        next = next.max(0).saturating_add(1);
        if next > last {
            return Ok(copied);
        }
    }
    // Too large a gap to go through: once more, from the other end.
    copied.broken_off = true;
    next = next.max(0);
    copy_run(source, to, &format!("{read} DESC"), &insert, &mut next, &mut copied)?;
    Ok(copied)
}

enum Run {
    End,
    Broken { progress: bool },
}

/// Copies rows from `next` on until the end or the first that cannot be read. `next` is left behind the last copied.
fn copy_run(
    source: &Connection,
    to: &Connection,
    read: &str,
    insert: &str,
    next: &mut i64,
    copied: &mut Copied,
) -> rusqlite::Result<Run> {
    let mut progress = false;
    let Ok(mut statement) = source.prepare_cached(read) else {
        copied.broken_off = true;
        return Ok(Run::End);
    };
    let (width, backward) = (statement.column_count(), read.ends_with("DESC"));
    let Ok(mut rows) = statement.query([*next]) else { return Ok(Run::Broken { progress }) };
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(Run::End),
            Err(_) => return Ok(Run::Broken { progress }),
        };
        let Ok(values) = (0..width).map(|column| row.get(column)).collect::<rusqlite::Result<Vec<Value>>>() else {
            return Ok(Run::Broken { progress });
        };
        let Some(Value::Integer(number)) = values.first() else { return Ok(Run::Broken { progress }) };
        // A damaged tree leads astray, and perhaps round and round: what was passed does not come again.
        if *number < *next {
            return Ok(Run::Broken { progress });
        }
        if !backward {
            *next = number.saturating_add(1);
        }
        progress = true;
        store(to, insert, values, copied)?;
    }
}

/// A table without row numbers: forward to the first row that cannot be read, then backward from the other end.
fn copy_keys(source: &Connection, to: &Connection, table: &str, columns: &str) -> rusqlite::Result<Copied> {
    let insert = insert(table, columns);
    let mut copied = Copied::default();
    for order in ["ASC", "DESC"] {
        // The first two columns are the primary key.
        let read = format!("SELECT {columns} FROM {table} ORDER BY 1 {order}, 2 {order}");
        let Ok(mut statement) = source.prepare(&read) else {
            return Ok(Copied { broken_off: true, ..copied });
        };
        let width = statement.column_count();
        let Ok(mut rows) = statement.query([]) else { continue };
        loop {
            match rows.next() {
                Ok(Some(row)) => {
                    let values = (0..width).map(|column| row.get(column)).collect::<rusqlite::Result<Vec<Value>>>();
                    match values {
                        Ok(values) => store(to, &insert, values, &mut copied)?,
                        Err(_) => copied.lost += 1,
                    }
                }
                Ok(None) => return Ok(copied),
                Err(_) => break,
            }
        }
        copied.broken_off = true;
    }
    Ok(copied)
}

fn insert(table: &str, columns: &str) -> String {
    let places = vec!["?"; columns.split(',').count()].join(", ");
    format!("INSERT INTO {table} ({columns}) VALUES ({places}) ON CONFLICT DO NOTHING")
}

/// Stores a row. One that does not fit, because a damaged page shows another's bytes, is lost.
fn store(to: &Connection, insert: &str, values: Vec<Value>, copied: &mut Copied) -> rusqlite::Result<()> {
    match to.prepare_cached(insert)?.execute(params_from_iter(values)) {
        Ok(_) => {
            copied.kept += 1;
            if copied.kept.is_multiple_of(BATCH) {
                to.execute_batch("COMMIT; BEGIN")?;
            }
        }
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) => copied.lost += 1,
        Err(error) => return Err(error),
    }
    Ok(())
}

fn last_row(source: &Connection, table: &str) -> Option<i64> {
    source.query_row(&format!("SELECT max(row) FROM {table}"), [], |row| row.get(0)).optional().ok().flatten()
}
