//! The journal: what is acknowledged, and not in the tables yet.
//!
//! Most deliveries are made a moment after they were accepted, and then nothing of them need be in a table but the key of
//! their event. So a group that is simple enough is written to the journal's file as one record, synced, and acknowledged.
//! What it changes is kept in memory as [`Recent`], and brought to the tables by whichever comes first: the next
//! transaction, somebody who looks, some thousand rows, some megabytes, a second. What was made by then never gets there.
//!
//! A transaction begins with that, and ends with another epoch of the journal, whose number is stored in the tables by the
//! same commit. So at each moment the tables and the records of the epoch that they name are all there is: opening reads
//! these records, and nothing is in both or in neither.
//!
//! Where nothing but the journal has grown, nobody waits for that: what is recent is *frozen*, the next epoch begins in the
//! other file, with the next number, and the storer brings what is frozen to the tables and names that epoch there. Until it
//! has, the tables name the epoch before, and opening reads the records of both, one after the other. Nothing is frozen
//! while something is.
//!
//! Only the tables take what is in an order, a new lane or route, an event that may be known without being remembered,
//! and what becomes a dead letter. A group with such a write is one transaction, as it is where the journal cannot be
//! written.

mod draft;
mod file;
mod lease;
mod recent;
mod recover;
mod store;
mod unstored;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::draft::{Drafting, Unfit};
use self::file::JournalFile;
use self::recent::{Change, RecentSettle};
use super::command::Write;
use super::desk::Desk;
use crate::model::Timestamp;

pub(super) use self::draft::Draft;
pub(super) use self::lease::{RecentLeases, lease};
pub(super) use self::recent::Recent;
pub(super) use self::recover::{UNKNOWN, recover, recover_stopped};
pub(super) use self::store::{Brought, store};
pub(super) use self::unstored::Unstored;

/// The journal and what is in it.
#[derive(Debug)]
pub(super) struct Journal {
    /// The one that is written.
    file: JournalFile,
    /// The other: nothing in it is needed, unless something is frozen.
    other: JournalFile,
    pub(super) recent: Recent,
    /// What was recent when the epoch began, and is being brought to the tables.
    frozen: Option<Arc<Recent>>,
    /// Whether the tables name the epoch that is written.
    is_named: bool,
    /// About how many rows in the tables what is recent becomes before it is brought there.
    pub(super) max_rows: usize,
    /// Whether a record may be in the file that was not acknowledged.
    torn: bool,
    /// Whether the tables may name another epoch already: that of a transaction whose sync failed, and which a start would
    /// find whole all the same.
    closed: bool,
    /// Whether the tables could not take what is in it.
    pub(super) stuck: bool,
    /// Whether the last record could not be written.
    failing: bool,
}

/// How many bytes an epoch has before it is brought to the tables. So large each file may become.
const BYTES: u64 = 64 << 20;
/// How many bytes requests take of which something is to get to the tables. With as much that is frozen, and a log for all of
/// it, as much as the reserve: that is what makes room for them.
const HELD: usize = 4 << 20;
/// So many times the rows, where something is being brought to the tables already: keys take memory and room, too.
const BEHIND: usize = 4;
/// How many claims wait for it: a lane's look into the tables goes past all of them.
const CLAIMS: usize = 1024;
/// How long.
const AGE: Duration = Duration::from_secs(1);

// === impl Journal ===

impl Journal {
    /// A journal without anything in it, in the files at `paths`. It is not written to before it has an epoch.
    pub(super) fn new([path, other]: [PathBuf; 2]) -> Self {
        Self::holding(JournalFile::new(path), JournalFile::new(other), Recent::default())
    }

    const fn holding(file: JournalFile, other: JournalFile, recent: Recent) -> Self {
        Self {
            file,
            other,
            recent,
            frozen: None,
            is_named: false,
            max_rows: usize::MAX,
            torn: false,
            closed: false,
            stuck: false,
            failing: false,
        }
    }

    /// Whether what is in it should be brought to the tables now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let old = self.recent.since().is_some_and(|since| now.duration_since(since) >= AGE);
        old || self.recent.rows() >= self.max_rows || self.is_overdue()
    }

    /// Whether it has to be, though something else is being brought there.
    pub(super) fn is_overdue(&self) -> bool {
        self.file.bytes() >= BYTES
            || self.recent.held() >= HELD
            || self.recent.rows() >= self.max_rows.saturating_mul(BEHIND)
            || self.recent.claimed() >= CLAIMS
    }

    /// How long until it should be, where nothing else happens.
    pub(super) fn due_in(&self, now: Instant) -> Option<Duration> {
        self.recent.since().map(|since| (since + AGE).saturating_duration_since(now))
    }

    /// Whether a transaction has to end with another epoch.
    pub(super) fn needs_epoch(&self) -> bool {
        self.torn || self.closed || self.file.epoch() == 0 || !self.is_stored()
    }

    /// Whether all that is in it is in the tables.
    pub(super) fn is_stored(&self) -> bool {
        self.recent.is_empty() && self.frozen.is_none()
    }

    /// All that is in it and may not be in the tables, what came first first.
    pub(super) fn unstored(&self) -> impl Iterator<Item = &Recent> + Clone {
        self.frozen.as_deref().into_iter().chain([&self.recent])
    }

    /// What was in it is in the tables, which name `epoch`.
    pub(super) fn rewind(&mut self, epoch: u64) {
        self.file.rewind(epoch);
        self.recent = Recent::default();
        self.frozen = None;
        self.is_named = true;
        self.torn = false;
        self.closed = false;
        self.stuck = false;
    }

    /// Begins the next epoch, in the other file, and answers what is to be brought to the tables with its name. `None` where
    /// only a transaction can.
    pub(super) fn freeze(&mut self) -> Option<(Arc<Recent>, u64)> {
        if !self.is_open() || self.torn || self.stuck || !self.is_named || self.frozen.is_some() {
            return None;
        }
        std::mem::swap(&mut self.file, &mut self.other);
        let epoch = next_epoch(self.other.epoch());
        self.file.rewind(epoch);
        let frozen = Arc::new(std::mem::take(&mut self.recent));
        self.frozen = Some(Arc::clone(&frozen));
        self.is_named = false;
        Some((frozen, epoch))
    }

    /// How many bytes of the files hold what is not in the tables.
    fn bytes(&self) -> u64 {
        self.file.bytes() + self.frozen.as_ref().map_or(0, |_| self.other.bytes())
    }

    /// What is frozen is in the tables, which name the epoch that began with it.
    pub(super) fn thaw(&mut self) {
        self.frozen = None;
        self.is_named = true;
    }

    /// Enters what a group that is written changes. The rows whose claims end with it.
    pub(super) fn enter(&mut self, draft: &mut Draft, unstored: &Unstored, now: Instant) -> Vec<i64> {
        self.recent.touch(now);
        self.recent.changes.add(&draft.counts);
        let record = Arc::new(std::mem::take(&mut draft.record));
        let mut ended = Vec::with_capacity(draft.changes.len());
        for change in draft.changes.drain(..) {
            if matches!(change, Change::Settle(RecentSettle::Again { .. })) {
                // Its lane comes back for it.
                unstored.want();
            }
            ended.extend(self.recent.enter(change, &record, now));
        }
        unstored.show_all(&self.recent);
        ended
    }

    /// Whether it can be written to.
    const fn is_open(&self) -> bool {
        self.file.epoch() != 0 && !self.closed
    }

    /// Takes nothing more in this epoch.
    pub(super) const fn close(&mut self) {
        self.closed = true;
    }

    /// Writes a group. It is on stable storage when this is `true`.
    pub(super) fn append(&mut self, draft: &mut Draft) -> bool {
        let written = self.file.append(&mut draft.record);
        let failed = std::mem::replace(&mut self.failing, written.is_err());
        let file = self.file.path().display();
        match (&written, failed) {
            (Err(error), false) => tracing::warn!(
                %file, %error,
                "the journal cannot be written: events go to the database at once, which is slower; check the disk, and whose the file is"
            ),
            (Ok(()), true) => tracing::info!(%file, "the journal can be written again"),
            _ => {}
        }
        self.torn |= self.failing;
        written.is_ok()
    }
}

/// How many bytes one record may have, about: what is larger goes to the tables at once.
const RECORD: usize = 4 << 20;
/// How many bytes what is recent takes in the tables for each in the journal, at most; and however little it is.
const SPREAD: u64 = 2;
const SPREAD_LEAST: u64 = 64 << 10;

/// A group as the journal can take it; `None` where the tables have to.
pub(super) fn draft(desk: &Desk, group: &[Write], now: Timestamp) -> rusqlite::Result<Option<Draft>> {
    let bytes = group.iter().map(Write::weight).sum();
    if !desk.journal.is_open() || bytes > RECORD {
        return Ok(None);
    }
    // One look for all keys: a lock each would be most of what a look costs.
    match desk.snapshot(|desk| Drafting::new(desk, bytes, now).group(group))? {
        Ok(draft) if !has_room(desk, &draft)? => Ok(None),
        Ok(draft) => Ok(Some(draft)),
        Err(Unfit::Sqlite(error)) => Err(error),
        Err(Unfit::Tables) => Ok(None),
        Err(Unfit::Encoding(error)) => {
            tracing::debug!(%error, "a group cannot be written down: the tables take it");
            Ok(None)
        }
    }
}

/// Whether the tables will have room for what is recent and this.
fn has_room(desk: &Desk, draft: &Draft) -> rusqlite::Result<bool> {
    let bytes = desk.journal.bytes() + draft.record.len() as u64;
    Ok(desk.room()?.is_none_or(|room| bytes * SPREAD + SPREAD_LEAST <= room))
}

/// The epoch that follows another in the other file: opening finds it by that.
const fn next_epoch(epoch: u64) -> u64 {
    // The tables have signed numbers, of which 0 is none.
    if epoch >= i64::MAX.unsigned_abs() { 1 } else { epoch + 1 }
}

/// A number that nobody can guess, and that no epoch had: from the operating system, by way of what keys hash maps.
pub(super) fn another_epoch() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    // The tables have signed numbers.
    (RandomState::new().build_hasher().finish() >> 1).max(1)
}

#[cfg(test)]
mod tests {
    use super::recent::RecentKey;
    use super::*;
    use crate::model::EventKey;

    fn named(epoch: u64) -> Journal {
        let mut journal = Journal::new(["a", "b"].map(PathBuf::from));
        journal.rewind(epoch);
        journal
    }

    #[test]
    fn the_next_epoch_follows_the_one_that_is_frozen_and_nothing_is_frozen_beside_it() {
        let mut journal = named(7);
        let (_, epoch) = journal.freeze().unwrap();
        assert_eq!(epoch, 8);
        assert!(journal.freeze().is_none() && !journal.is_stored());
        journal.thaw();
        assert!(journal.is_stored());
        assert_eq!(journal.freeze().unwrap().1, 9);
    }

    #[test]
    fn a_record_that_was_not_acknowledged_is_not_left_behind_in_an_epoch_that_a_start_may_read() {
        let mut journal = named(7);
        journal.torn = true;
        assert!(journal.freeze().is_none());
        journal.rewind(11);
        assert_eq!(journal.freeze().unwrap().1, 12);
    }

    #[test]
    fn what_is_recent_may_grow_while_something_is_stored_but_not_without_end() {
        let mut journal = named(7);
        journal.max_rows = 2;
        let mut states = Vec::new();
        for event in 1..=8 {
            let key = EventKey::new("r", &event.to_string());
            journal.recent.keys.insert(key, RecentKey { event, until: 1 });
            states.push((journal.is_due(Instant::now()), journal.is_overdue()));
        }
        assert_eq!(states[..2], [(false, false), (true, false)]);
        assert_eq!(states[6..], [(true, false), (true, true)]);
    }

    #[test]
    fn what_is_frozen_needs_room_as_long_as_it_is() {
        let mut journal = named(7);
        journal.file.resume(7, 100);
        journal.freeze().unwrap();
        journal.file.resume(8, 50);
        assert_eq!(journal.bytes(), 150);
        journal.thaw();
        assert_eq!(journal.bytes(), 50);
    }
}
