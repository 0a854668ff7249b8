//! The connection that writes, with what each transaction needs.

use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{CachedStatement, Connection};

use super::append;
use super::claims::Claims;
use super::command::Write;
use super::counts::{Changes, Counts};
use super::failure::is_damage;
use super::journal::{self, Brought, Journal, Recent};
use super::keys::{self, Young};
use super::metrics::Metrics;
use super::schema;
use super::settle;
use super::storer::Storer;
use crate::model::{Lane, Timestamp};
use crate::queue::{Appended, Claims as _, Settled};

/// How many event numbers are set aside at once: so their end is stored rarely.
const RESERVE: i64 = 1 << 20;

/// The connection that writes, with what each transaction needs.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) connection: Connection,
    pub(super) claims: Arc<Claims>,
    pub(super) counts: Arc<Counts>,
    pub(super) journal: Journal,
    pub(super) young: Arc<Young>,
    /// Who brings what is recent to the tables meanwhile.
    pub(super) storer: Option<Storer>,
    metrics: Metrics,
    /// Whether part of the database could not be read.
    pub(super) found_damage: Cell<bool>,
    /// How large the database may become, in bytes.
    pub(super) max_size: Option<u64>,
    next_event: i64,
    /// Below this, event numbers may be given: it is stored before the first of them is.
    reserved: i64,
}

/// What a write did, once it is committed.
#[derive(Debug)]
pub(super) enum Done {
    Appended(Appended),
    Counted,
    Settled(Settled),
}

// === impl Desk ===

impl Desk {
    pub(super) const fn new(
        connection: Connection,
        claims: Arc<Claims>,
        counts: Arc<Counts>,
        next_event: i64,
        journal: Journal,
        young: Arc<Young>,
        metrics: Metrics,
    ) -> Self {
        Self {
            connection,
            claims,
            counts,
            journal,
            young,
            storer: None,
            metrics,
            found_damage: Cell::new(false),
            max_size: None,
            next_event,
            reserved: next_event,
        }
    }

    /// A desk at the same tables, for the storer: it gives no numbers and writes no journal.
    pub(super) fn another(&self, connection: Connection, journal: Journal) -> Self {
        let (claims, counts, young) = (Arc::clone(&self.claims), Arc::clone(&self.counts), Arc::clone(&self.young));
        Self::new(connection, claims, counts, self.next_event, journal, young, self.metrics.clone())
    }

    /// Commits all of the group or nothing: to the journal, or where that does not do to the tables.
    pub(super) fn commit(&mut self, group: &[Write], now: Timestamp) -> rusqlite::Result<Vec<Done>> {
        if let Some(done) = self.commit_to_journal(group, now)? {
            return Ok(done);
        }
        let done = self.transact(|desk, changes| {
            let apply = |write: &Write| match write {
                Write::Append { batch, .. } => append::append(desk, changes, batch, now).map(Done::Appended),
                Write::Count { route, tally, .. } => {
                    append::count(desk, changes, route, *tally, &[]).map(|()| Done::Counted)
                }
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
        // What it could not store is stored below.
        let _ = self.end_storing(true);
        let mut changes = Changes::default();
        let reserved = self.reserved;
        let epoch = self.journal.needs_epoch().then(journal::another_epoch);
        let ended = self.begin(self.journal.unstored(), epoch);
        let ended = ended.inspect_err(|_| self.journal.stuck = true)?;
        let mut result = work(self, &mut changes)
            .and_then(|value| changes.store(&self.connection).map(|()| value))
            .and_then(|value| keys::store_removed(self).map(|removed| (value, removed)))
            .and_then(|value| self.run("COMMIT").inspect_err(|_| self.journal.close()).map(|()| value));
        if let Ok((_, removed)) = &mut result {
            self.young.commit(removed.take());
            self.metrics.commits.inc();
            self.metrics.duration.observe(began.elapsed().as_secs_f64());
            if let Some(epoch) = epoch {
                self.journal.rewind(epoch);
                self.claims.unstored.clear();
            }
            let settled = self.counts.apply(changes);
            self.claims.settled(&settled);
            self.claims.settled(&ended);
        } else {
            self.reserved = reserved;
            changes.into_superseded().into_iter().for_each(|claim| self.claims.give_back(claim));
            self.abandon();
        }
        result.map(|(value, _)| value)
    }

    /// Brings what is recent to the tables.
    pub(super) fn store_recent(&mut self) -> rusqlite::Result<()> {
        if self.journal.is_stored() {
            self.claims.unstored.clear();
            return Ok(());
        }
        self.transact(|_, _| Ok(()))
    }

    /// Has what is recent brought to the tables while appends go on. Waits for what was begun before, and says how that
    /// went.
    pub(super) fn begin_storing(&mut self) -> rusqlite::Result<()> {
        self.end_storing(true)?;
        if self.journal.recent.is_empty() {
            return Ok(());
        }
        if let Some(storer) = &mut self.storer
            && let Some((recent, epoch)) = self.journal.freeze()
            && storer.begin(recent, epoch, self.young.plan())
        {
            return Ok(());
        }
        self.store_recent()
    }

    /// Enters that what was begun is in the tables, where it is; waits for it where that is asked for.
    pub(super) fn end_storing(&mut self, wait: bool) -> rusqlite::Result<()> {
        let Some(stored) = self.storer.as_mut().and_then(|storer| storer.end(wait)) else { return Ok(()) };
        if stored.found_damage {
            self.found_damage.set(true);
        }
        let (ended, keys) = stored.result.inspect_err(|_| self.journal.stuck = true)?;
        self.metrics.commits.inc();
        self.young.commit(Some(keys));
        self.journal.thaw();
        self.claims.unstored.move_on(self.journal.recent.first_row());
        self.claims.settled(&ended);
        Ok(())
    }

    /// Whether something is being stored.
    pub(super) fn is_storing(&self) -> bool {
        self.storer.as_ref().is_some_and(Storer::is_busy)
    }

    /// Whether what is recent should be brought to the tables now. While the storer is busy there is no hurry: who waits for it
    /// has everybody wait, and the more is stored at once, the fewer pages are written for each.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        if self.is_storing() { self.journal.is_overdue() } else { self.journal.is_due(now) }
    }

    /// How long until it should be, where nothing else happens. `None` also while the storer is busy: its end is looked for.
    pub(super) fn due_in(&self, now: Instant) -> Option<Duration> {
        self.journal.due_in(now).filter(|_| !self.is_storing())
    }

    /// Brings what is frozen to the tables: the storer's work, at its own desk. Answers the rows whose claims end with it, and
    /// what became of keys.
    pub(super) fn store_frozen(
        &self,
        recent: &Recent,
        epoch: u64,
        keys: keys::Plan,
    ) -> rusqlite::Result<(Vec<i64>, keys::Written)> {
        let brought = self.bring([recent].into_iter())?;
        keys::store(self, keys, brought.keys)
            .and_then(|written| self.name_epoch(epoch).map(|()| written))
            .and_then(|written| self.run("COMMIT").map(|()| (brought.ended, written)))
            .inspect_err(|_| self.abandon())
    }

    /// Begins a transaction with what is recent, and with the name of the epoch that begins with it. Answers the rows whose
    /// claims end with it.
    fn begin<'a>(
        &self,
        recent: impl Iterator<Item = &'a Recent> + Clone,
        epoch: Option<u64>,
    ) -> rusqlite::Result<Vec<i64>> {
        let brought = self.bring(recent)?;
        keys::insert_all(self, brought.keys)
            .and_then(|()| epoch.map_or(Ok(()), |epoch| self.name_epoch(epoch)))
            .map(|()| brought.ended)
            .inspect_err(|_| self.abandon())
    }

    /// Begins a transaction with what is recent, but for its keys.
    fn bring<'a>(&self, recent: impl Iterator<Item = &'a Recent> + Clone) -> rusqlite::Result<Brought> {
        self.run("BEGIN IMMEDIATE")?;
        match journal::store(recent.clone(), self, false) {
            Err(error) if is_damage(&error) => {
                // What is damaged must not keep the rest.
                self.abandon();
                self.run("BEGIN IMMEDIATE")?;
                self.found_damage.set(true);
                journal::store(recent, self, true)
            }
            result => result,
        }
        .inspect_err(|_| self.abandon())
    }

    /// How many bytes more the tables may take; `None` for as many as the disk has.
    pub(super) fn room(&self) -> rusqlite::Result<Option<u64>> {
        let Some(max) = self.max_size else { return Ok(None) };
        let number = |sql: &str| self.sql(sql)?.query_row([], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs);
        let used = (number("PRAGMA page_count")? - number("PRAGMA freelist_count")?) * schema::PAGE_SIZE;
        Ok(Some(max.saturating_sub(used)))
    }

    /// Runs `look` on one state of the tables.
    pub(super) fn snapshot<T>(&self, look: impl FnOnce(&Self) -> T) -> rusqlite::Result<T> {
        self.run("BEGIN")?;
        let seen = look(self);
        // Nothing was written: there is nothing to keep or to lose.
        self.roll_back();
        Ok(seen)
    }

    /// Nothing of the transaction under way is kept.
    fn abandon(&self) {
        self.young.roll_back();
        self.roll_back();
    }

    fn roll_back(&self) {
        if !self.connection.is_autocommit() {
            // SQLite rolls some failures back by itself. Should this fail, the next BEGIN does, and says so.
            let _ = self.run("ROLLBACK");
        }
    }

    fn name_epoch(&self, epoch: u64) -> rusqlite::Result<()> {
        self.sql("UPDATE numbers SET journal = ?1 WHERE row = 1")?.execute([epoch.cast_signed()]).map(|_| ())
    }

    /// Commits a group to the journal; `None` where the tables have to take it.
    fn commit_to_journal(&mut self, group: &[Write], now: Timestamp) -> rusqlite::Result<Option<Vec<Done>>> {
        let began = Instant::now();
        let Some(mut draft) = journal::draft(self, group, now)? else { return Ok(None) };
        self.next_event = draft.numbers.start;
        if !self.journal.append(&mut draft) {
            return Ok(None);
        }
        let ended = self.journal.enter(&mut draft, &self.claims.unstored, began);
        self.claims.settled(&ended);
        self.counts.apply(draft.counts);
        self.metrics.commits.inc();
        self.metrics.duration.observe(began.elapsed().as_secs_f64());
        self.metrics.group_size.observe(group.len() as f64);
        Ok(Some(draft.done))
    }

    /// The numbers that may be given to events without another word.
    pub(super) const fn free_numbers(&self) -> Range<i64> {
        self.next_event..self.reserved
    }

    /// No number below this is given any more.
    pub(super) fn not_below(&mut self, next_event: i64) {
        self.next_event = self.next_event.max(next_event);
    }

    /// A number for an event. None is given twice, not even after a restart: what was forgotten of an event must not
    /// come to another's name.
    pub(super) fn next_event(&mut self) -> rusqlite::Result<i64> {
        if self.next_event >= self.reserved {
            self.reserved = self.next_event + RESERVE;
            self.sql("UPDATE numbers SET next_event = ?1 WHERE row = 1")?.execute([self.reserved])?;
        }
        self.next_event += 1;
        Ok(self.next_event - 1)
    }

    /// A statement that is compiled once.
    pub(super) fn sql(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.connection.prepare_cached(sql)
    }

    /// The row of a lane, which is stored where it is new.
    pub(super) fn lane_row(&self, changes: &mut Changes, lane: &Lane) -> rusqlite::Result<i64> {
        if let Some(row) = self.counts.lane_row(lane).or_else(|| changes.lane_row(lane)) {
            return Ok(row);
        }
        let row = self
            .sql(
                "INSERT INTO lanes (route, delivery) VALUES (?1, ?2)
                 ON CONFLICT (route, delivery) DO UPDATE SET route = excluded.route RETURNING row",
            )?
            .query_row((&*lane.route, &*lane.delivery), |row| row.get(0))?;
        self.sql("INSERT INTO lane_counts (row) VALUES (?1) ON CONFLICT DO NOTHING")?.execute([row])?;
        changes.new_lane(lane.clone(), row);
        Ok(row)
    }

    /// The row of a route, which is stored where it is new.
    pub(super) fn route_row(&self, changes: &mut Changes, route: &Arc<str>) -> rusqlite::Result<i64> {
        if let Some(row) = self.counts.route_row(route).or_else(|| changes.route_row(route)) {
            return Ok(row);
        }
        let row = self
            .sql(
                "INSERT INTO route_counts (route) VALUES (?1)
                 ON CONFLICT (route) DO UPDATE SET route = excluded.route RETURNING row",
            )?
            .query_row([&**route], |row| row.get(0))?;
        changes.new_route(Arc::clone(route), row);
        Ok(row)
    }

    /// Shows in the metrics that part of the database cannot be read.
    pub(super) fn damaged(&self) {
        self.metrics.damaged.set(1);
    }

    /// Moves the log into the database and closes it.
    pub(super) fn close(mut self) -> rusqlite::Result<()> {
        self.store_recent()?;
        if let Some(mut storer) = self.storer.take() {
            storer.stop();
        }
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        self.connection.flush_prepared_statement_cache();
        self.connection.close().map_err(|(_, error)| error)
    }

    pub(super) fn run(&self, sql: &str) -> rusqlite::Result<()> {
        self.sql(sql)?.execute([]).map(|_| ())
    }
}
