//! Counting what is stored, to be put beside the ledger.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::failure::queue_error;
use super::files::Directory;
use super::packs::{self, Share};
use super::tables::{BLOCKED, NO_DELIVERY};
use super::{Embedded, journal, schema};
use crate::model::Lane;
use crate::queue::{Audit, Found, Ledger, QueueError};

impl Embedded {
    /// Audits the home in a directory that no gateway has open, once what is in its journal is in the tables.
    ///
    /// # Errors
    ///
    /// [`QueueError::InUse`] where one has: ask that one. [`QueueError::Store`] where it cannot be read.
    pub fn audit_stopped(directory: &Path) -> Result<Audit, QueueError> {
        let claimed = Directory::claim_existing(directory)?;
        journal::recover_stopped(&claimed);
        stopped(&claimed.database())
    }
}

/// Audits a store that no gateway has open. It is not changed.
fn stopped(path: &Path) -> Result<Audit, QueueError> {
    // Not read-only: after a crash the log has to be taken into account, for which SQLite makes its index anew.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| queue_error(&error))?;
    let format: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(|error| queue_error(&error))?;
    if format != schema::FORMAT {
        let detail = format!("{} has format {format}, this is {}", path.display(), schema::FORMAT);
        return Err(QueueError::Store { detail });
    }
    let audit = read(&connection).map_err(|error| queue_error(&error));
    // Closing moves the log into the database, which the next start would do.
    connection.close().map_err(|(_, error)| queue_error(&error))?;
    audit
}

/// Audits what a connection sees: one snapshot.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Audit> {
    let snapshot = connection.unchecked_transaction()?;
    let (stored_lanes, stored_routes) = (schema::lanes(connection)?, schema::routes(connection)?);
    let mut found: Vec<(Lane, Found)> = Vec::new();
    for (row, lane, _) in &stored_lanes {
        let count = |table: &str| -> rusqlite::Result<u64> {
            let sql = format!("SELECT count(*) FROM {table} WHERE lane = ?1");
            connection.prepare_cached(&sql)?.query_row([row], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
        };
        found.push((lane.clone(), Found { pending: count("pending")?, dead: 0, kept: 0 }));
    }
    let mut positions: HashMap<i64, usize> =
        stored_lanes.iter().enumerate().map(|(position, (row, ..))| (*row, position)).collect();
    let mut add = |lane: i64, more: Found| {
        let position = *positions.entry(lane).or_insert_with(|| {
            // Of a lane that is not there: nobody's, and so never in the ledger.
            found.push((Lane::new("?", lane.to_string()), Found::default()));
            found.len() - 1
        });
        if let Some((_, found)) = found.get_mut(position) {
            found.dead += more.dead;
            found.kept += more.kept;
        }
    };
    for table in ["dead", "done"] {
        let mut statement = connection.prepare(&format!("SELECT lane, count(*) FROM {table} GROUP BY lane"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (lane, count) = (row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs());
            let (dead, kept) = if table == "dead" { (count, 0) } else { (0, count) };
            add(lane, Found { pending: 0, dead, kept });
        }
    }
    for Share { lane, count, .. } in packs::all_shares(connection)? {
        add(lane, Found { kept: count.unsigned_abs(), ..Found::default() });
    }
    let mut ledger = Ledger {
        routes: stored_routes.into_iter().map(|(_, route, counts)| (route, counts)).collect(),
        lanes: stored_lanes.into_iter().map(|(_, lane, counts)| (lane, counts)).collect(),
        lost: schema::numbers(connection)?.1,
    };
    ledger.routes.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    ledger.lanes.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    found.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let audit = Audit {
        ledger,
        found,
        without_event: without_event(connection)?,
        without_delivery: without_delivery(connection)?,
        stuck_keys: stuck_keys(connection)?,
    };
    snapshot.finish()?;
    Ok(audit)
}

fn without_event(connection: &Connection) -> rusqlite::Result<u64> {
    let mut count = 0;
    for table in ["pending", "dead", "done"] {
        // A dead letter may well be one because its event cannot be read.
        let but = if table == "dead" { "AND reason <> 'corrupt'" } else { "" };
        let sql = format!(
            "SELECT count(*) FROM {table} AS d
             WHERE NOT EXISTS (SELECT 1 FROM events WHERE events.row = d.row / 1024) {but}"
        );
        count += connection.query_row(&sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs();
    }
    Ok(count)
}

fn without_delivery(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = format!("SELECT count(*) FROM events AS e WHERE {NO_DELIVERY}");
    connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
}

/// Keys of which nothing is due, though something waits that nobody is asked to release.
fn stuck_keys(connection: &Connection) -> rusqlite::Result<u64> {
    connection
        .query_row(
            "SELECT count(*) FROM (
             SELECT lane, key, min(row) AS first FROM pending WHERE key IS NOT NULL GROUP BY lane, key
             HAVING min(due_at) = ?1) AS k
             WHERE NOT EXISTS (SELECT 1 FROM parked WHERE lane = k.lane AND key = k.key AND behind < k.first)",
            [BLOCKED],
            |row| row.get::<_, i64>(0),
        )
        .map(i64::unsigned_abs)
}
