//! The connection that writes, with what each transaction needs.

use std::sync::Arc;
use std::time::Instant;

use rusqlite::{CachedStatement, Connection};

use super::append;
use super::ledger::{Changes, Ledger};
use super::metrics::Metrics;
use super::schema::NextRows;
use super::settle;
use super::writer::Write;
use crate::model::{Lane, Timestamp};
use crate::queue::Appended;

/// How many free pages are left to be used again: half a megabyte.
const SPARE_PAGES: i64 = 64;
/// How many pages are given back at once: each step is a commit.
const RECLAIM_PAGES: i64 = 256;

/// The connection that writes, with what each transaction needs.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) connection: Connection,
    pub(super) ledger: Arc<Ledger>,
    pub(super) next: NextRows,
    metrics: Metrics,
}

/// What a write did, once it is committed.
#[derive(Debug)]
pub(super) enum Done {
    Appended(Appended),
    /// Whether the delivery was pending still.
    Settled(bool),
}

// === impl Desk ===

impl Desk {
    pub(super) const fn new(connection: Connection, ledger: Arc<Ledger>, next: NextRows, metrics: Metrics) -> Self {
        Self { connection, ledger, next, metrics }
    }

    /// Commits all of the group or nothing.
    pub(super) fn commit(&mut self, group: &[Write], now: Timestamp) -> rusqlite::Result<Vec<Done>> {
        let done = self.transact(|desk, changes| {
            let apply = |write: &Write| match write {
                Write::Append { batch, .. } => append::append(desk, changes, batch, now).map(Done::Appended),
                Write::Settle { settle, .. } => settle::settle(desk, changes, settle, now).map(Done::Settled),
            };
            group.iter().map(apply).collect()
        })?;
        self.metrics.group_size.observe(group.len() as f64);
        Ok(done)
    }

    /// Runs `work` in a transaction, and enters what it changed in the ledger once it is durable.
    pub(super) fn transact<T>(
        &mut self,
        work: impl FnOnce(&mut Self, &mut Changes) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let began = Instant::now();
        let mut changes = Changes::default();
        self.run("BEGIN IMMEDIATE")?;
        let result = work(self, &mut changes).and_then(|value| self.run("COMMIT").map(|()| value));
        if result.is_ok() {
            self.metrics.commits.inc();
            self.metrics.duration.observe(began.elapsed().as_secs_f64());
            self.ledger.apply(changes);
        } else if !self.connection.is_autocommit() {
            // SQLite rolls some failures back by itself. Should this fail, the next BEGIN does, and says so.
            let _ = self.run("ROLLBACK");
        }
        result
    }

    /// A statement that is compiled once.
    pub(super) fn sql(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.connection.prepare_cached(sql)
    }

    /// The row of a lane, which is stored where it is new.
    pub(super) fn lane_row(&self, changes: &mut Changes, lane: &Lane) -> rusqlite::Result<i64> {
        if let Some(row) = self.ledger.lane_row(lane).or_else(|| changes.lane_row(lane)) {
            return Ok(row);
        }
        // Where it is stored but not known, a salvage found it.
        let row = self
            .sql(
                "INSERT INTO lanes (route, delivery) VALUES (?1, ?2)
                 ON CONFLICT (route, delivery) DO UPDATE SET route = excluded.route RETURNING row",
            )?
            .query_row((&*lane.route, &*lane.delivery), |row| row.get(0))?;
        changes.new_lane(lane.clone(), row);
        Ok(row)
    }

    /// Gives some of the free pages back to the file system. Whether there are more.
    pub(super) fn reclaim(&self) -> rusqlite::Result<bool> {
        let free: i64 = self.sql("PRAGMA freelist_count")?.query_row([], |row| row.get(0))?;
        if free <= SPARE_PAGES {
            return Ok(false);
        }
        let pages = (free - SPARE_PAGES).min(RECLAIM_PAGES);
        // Each step of the statement frees one page: `execute_batch` would stop after the first.
        let mut statement = self.connection.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
        Ok(free - pages > SPARE_PAGES)
    }

    /// Tries whether there is room: 64 KiB, stored and removed.
    pub(super) fn probe(&mut self) -> rusqlite::Result<()> {
        self.run("INSERT OR REPLACE INTO probe (row, filler) VALUES (1, zeroblob(65536))")?;
        self.run("DELETE FROM probe")
    }

    /// Moves as much of the log into the database as no reader needs, and cuts the database back to what it holds.
    pub(super) fn checkpoint(&self) -> rusqlite::Result<()> {
        self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
    }

    /// Moves the log into the database and closes it.
    pub(super) fn close(self) -> rusqlite::Result<()> {
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        self.connection.flush_prepared_statement_cache();
        self.connection.close().map_err(|(_, error)| error)
    }

    fn run(&self, sql: &str) -> rusqlite::Result<()> {
        self.sql(sql)?.execute([]).map(|_| ())
    }
}
