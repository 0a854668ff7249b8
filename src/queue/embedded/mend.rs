//! After rows were lost: what is left is put in order, what was lost is named and entered in the ledger.

use rusqlite::Connection;

use super::journal::UNKNOWN;
use super::keys;
use super::packs::{self, Share};
use super::tables::{BLOCKED, NO_DELIVERY, SLOTS};
use crate::model::Timestamp;

/// How many events without deliveries are named in the log; all are counted.
const NAMED: i64 = 1000;

const NO_LANE: &str = "lane NOT IN (SELECT row FROM lanes)";

/// Puts a salvaged database in order.
pub(super) fn mend(to: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    packs::mend(to)?;
    let young = keys::mend(to)?;
    name_lanes(to)?;
    drop_strays(to)?;
    limit_times(to, now)?;
    free_keys(to)?;
    number(to, young)?;
    balance(to)
}

/// Deliveries whose lane cannot be read are kept in one of the name that is left of it, `unknown-` and the end of their ids:
/// no configuration has it, so they become dead letters, and their events can be replayed.
fn name_lanes(to: &Connection) -> rusqlite::Result<()> {
    for table in ["pending", "dead", "done"] {
        let named = to.execute(
            &format!(
                "INSERT INTO lanes (row, route, delivery)
                 SELECT d.lane, coalesce(max(e.route), 'unknown'), 'unknown-' || d.lane || '-' || lower(hex(substr(d.id, 12)))
                 FROM {table} AS d LEFT JOIN events AS e ON e.row = d.row / {SLOTS}
                 WHERE d.lane NOT IN (SELECT row FROM lanes) GROUP BY d.lane ON CONFLICT DO NOTHING"
            ),
            [],
        )?;
        if named > 0 {
            tracing::error!(
                table,
                lanes = named,
                "to where deliveries were going cannot be read: they become dead letters of `unknown-…`, replay their events"
            );
        }
    }
    Ok(())
}

/// A time may be one that was altered, by hours as well as by years: what was put off is tried now.
fn limit_times(to: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    to.execute(
        "UPDATE pending SET due_at = ?1 WHERE due_at > ?1 AND (due_at < ?2 OR key IS NULL)",
        [now.as_millis(), BLOCKED],
    )
    .map(|_| ())
}

/// Names the events whose deliveries were lost and removes them: nothing would ever come for them. Deliveries of which
/// the lane was lost cannot be made by anybody either; a delivery whose event was lost stays, and becomes a dead letter.
fn drop_strays(to: &Connection) -> rusqlite::Result<()> {
    for table in ["pending", "dead", "done"] {
        let lost = to.execute(&format!("DELETE FROM {table} WHERE {NO_LANE}"), [])?;
        if lost > 0 {
            tracing::error!(table, lost, "deliveries are lost: to where they were going cannot be read");
        }
    }
    // A damaged page may show what a delivery was before. What is pending is to be made.
    to.execute("DELETE FROM dead WHERE row IN (SELECT row FROM pending)", [])?;
    to.execute("DELETE FROM done WHERE row IN (SELECT row FROM pending UNION ALL SELECT row FROM dead)", [])?;
    let mut statement = to.prepare(&format!("SELECT route, id FROM events AS e WHERE {NO_DELIVERY} LIMIT {NAMED}"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (route, event): (String, String) = (row.get(0)?, row.get(1)?);
        tracing::error!(route, event, "the deliveries of an event are lost");
    }
    let lost = to.execute(&format!("DELETE FROM events AS e WHERE {NO_DELIVERY}"), [])?;
    to.execute("DELETE FROM requests WHERE row NOT IN (SELECT request FROM events)", [])?;
    if lost > 0 {
        tracing::error!(lost, "events are lost: their deliveries cannot be read");
    }
    Ok(())
}

/// Of each order key exactly one is due, unless it is parked: see the module `order`.
fn free_keys(to: &Connection) -> rusqlite::Result<()> {
    to.execute(
        "UPDATE pending SET due_at = ?1 WHERE key IS NOT NULL AND due_at < ?1 AND EXISTS (
         SELECT 1 FROM pending AS o WHERE o.lane = pending.lane AND o.key = pending.key AND o.due_at < ?1
         AND o.row < pending.row)",
        [BLOCKED],
    )?;
    to.execute(
        "UPDATE pending SET due_at = accepted_at WHERE row IN (
         SELECT first FROM (SELECT lane, key, min(row) AS first FROM pending WHERE key IS NOT NULL
         GROUP BY lane, key HAVING min(due_at) = ?1) AS k
         WHERE NOT EXISTS (SELECT 1 FROM parked WHERE lane = k.lane AND key = k.key AND behind < k.first))",
        [BLOCKED],
    )?;
    Ok(())
}

/// No event number that may have been given is given again.
fn number(to: &Connection, young: i64) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT OR REPLACE INTO numbers (row, lost, journal, next_event)
         SELECT 1, coalesce((SELECT lost FROM numbers WHERE row = 1), 0),
         coalesce((SELECT journal FROM numbers WHERE row = 1), {UNKNOWN}), max(
         coalesce((SELECT next_event FROM numbers WHERE row = 1), 1),
         {young} + 1, coalesce((SELECT max(row) FROM events), 0) + 1, coalesce((SELECT max(event) FROM keys), 0) + 1,
         coalesce((SELECT max(row) FROM pending), 0) / {SLOTS} + 1, coalesce((SELECT max(row) FROM dead), 0) / {SLOTS} + 1,
         coalesce((SELECT max(row) FROM done), 0) / {SLOTS} + 1, coalesce((SELECT max(last) FROM packs), 0) + 1)"
    );
    to.execute(&sql, []).map(|_| ())
}

/// Counts what is left. What the ledger had more was lost.
fn balance(to: &Connection) -> rusqlite::Result<()> {
    to.execute("INSERT INTO lane_counts (row) SELECT row FROM lanes WHERE true ON CONFLICT DO NOTHING", [])?;
    for (table, count, bytes) in
        [("pending", "pending", "pending_bytes"), ("dead", "dead", "dead_bytes"), ("done", "kept", "kept_bytes")]
    {
        to.execute(
            &format!(
                "UPDATE lane_counts SET
                 {count} = (SELECT count(*) FROM {table} WHERE lane = lane_counts.row),
                 {bytes} = (SELECT coalesce(sum(size), 0) FROM {table} WHERE lane = lane_counts.row)"
            ),
            [],
        )?;
    }
    for Share { lane, count, bytes } in packs::all_shares(to)? {
        to.execute(
            "UPDATE lane_counts SET kept = kept + ?2, kept_bytes = kept_bytes + ?3 WHERE row = ?1",
            [lane, count, bytes],
        )?;
    }
    // Where the counts themselves were lost, what is there was accepted at least.
    to.execute(
        "UPDATE lane_counts SET accepted = max(accepted, delivered + dead + pending + purged),
         lost = max(accepted, delivered + dead + pending + purged) - delivered - dead - pending - purged",
        [],
    )?;
    let mut statement = to.prepare(
        "SELECT route, delivery, lost FROM lanes JOIN lane_counts USING (row) WHERE lost > 0 ORDER BY route, delivery",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (route, delivery, lost): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        tracing::error!(route, delivery, lost, "deliveries that were accepted are lost: the ledger counts them so");
    }
    Ok(())
}
