//! Whether a database is sound: what a start looks at before it relies on it.

use rusqlite::Connection;

/// The largest database that is looked through at each start, in bytes: a fraction of a second.
const LOOKED_THROUGH: u64 = 256 << 20;

/// What of a pending delivery stands in the table and in the index by which lanes find it. Remainders: the sum of ten
/// million of them is no overflow.
const FINGERPRINT: &str = "count(*), sum(row % 1000003), sum(lane), sum(due_at % 1000003)";

/// Looks through a database that is small enough for that. What is wrong with it, where something is.
pub(super) fn look_through(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    let size: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    if pages.saturating_mul(size).unsigned_abs() > LOOKED_THROUGH {
        return Ok(None);
    }
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Ok(Some(found));
    }
    pending(connection)
}

/// Whether the table of the pending deliveries and its index say the same: one that the index has lost would never be
/// made, and nothing would show it.
pub(super) fn pending(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let sums = |from: &str| -> rusqlite::Result<[Option<i64>; 4]> {
        connection.query_row(&format!("SELECT {FINGERPRINT} FROM {from}"), [], |row| {
            Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?])
        })
    };
    let agree = sums("pending NOT INDEXED")? == sums("pending INDEXED BY pending_by_due")?;
    Ok((!agree).then(|| "the pending deliveries and their index differ".to_owned()))
}
