//! The pages of the database: how long its log is, and which are given back.

use super::desk::Desk;
use super::schema;

/// How many free pages are left to be used again: half a megabyte.
const SPARE_PAGES: i64 = 64;
/// How many pages are given back at once: each step is a commit.
const RECLAIM_PAGES: i64 = 256;

// === impl Desk ===

impl Desk {
    /// Fits the length of the log to the size that the database has now.
    pub(super) fn adapt(&self) -> rusqlite::Result<()> {
        schema::set_checkpoint(&self.connection)
    }

    /// How many pages of the database are free.
    pub(super) fn free_pages(&self) -> rusqlite::Result<i64> {
        self.sql("PRAGMA freelist_count")?.query_row([], |row| row.get(0))
    }

    /// Gives some of the free pages back to the file system. Whether there are more.
    pub(super) fn reclaim(&self) -> rusqlite::Result<bool> {
        let free = self.free_pages()?;
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
}
