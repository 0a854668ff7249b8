//! What the journal holds when the home is opened.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::super::counts::{Changes, Counts};
use super::super::desk::Desk;
use super::super::entry::{self, AgainEntry, AppendEntry, Entry};
use super::super::failure::queue_error;
use super::super::files::Directory;
use super::super::keys;
use super::super::metrics::Metrics;
use super::super::schema;
use super::file::{Found, JournalFile};
use super::recent::{Change, Recent, RecentDelivery, RecentEvent, RecentSettle};
use super::{Journal, next_epoch};
use crate::model::{DeliveryId, EventKey, Timestamp};
use crate::queue::{QueueError, RouteCounts};

/// What the tables say where they do not know the journal's epoch any more: what was salvaged may be in both.
pub(in super::super) const UNKNOWN: i64 = -1;

/// Enters into `desk` what its journal holds of the epoch that the tables name and of the next, and brings it to them.
pub(in super::super) fn recover(desk: &mut Desk, named: i64) -> Result<(), QueueError> {
    let [mut written, mut other] =
        [&desk.journal.file, &desk.journal.other].map(|file| file.path().to_owned()).map(JournalFile::new);
    let epochs = match named {
        0 => Vec::new(),
        UNKNOWN => last_epochs(&written, &other)?,
        named => vec![named.cast_unsigned(), next_epoch(named.cast_unsigned())],
    };
    written.resume(epochs.first().copied().unwrap_or_default(), 0);
    let mut recovery = Recovery { desk, recent: Recent::default(), unsure: named == UNKNOWN, now: Instant::now() };
    for epoch in epochs {
        for _ in 0..2 {
            std::mem::swap(&mut written, &mut other);
            let found = written.read(epoch).map_err(|error| unreadable(written.path(), &error))?;
            if found.end > 0 {
                written.resume(epoch, found.end);
                recovery.enter_all(written.path(), found)?;
                break;
            }
        }
    }
    let recent = recovery.recent;
    desk.journal = Journal::holding(written, other, recent);
    desk.claims.unstored.show_all(&desk.journal.recent);
    if !desk.journal.recent.is_empty() {
        desk.claims.unstored.want();
    }
    if let Err(error) = desk.store_recent() {
        tracing::warn!(%error, "what the journal holds cannot be brought to the tables yet");
    }
    Ok(())
}

fn unreadable(path: &Path, error: &std::io::Error) -> QueueError {
    QueueError::Store { detail: format!("{} cannot be read: {error}", path.display()) }
}

/// The epochs that the files begin with, in order: of one that follows the other both, else that which was written last.
fn last_epochs(one: &JournalFile, other: &JournalFile) -> Result<Vec<u64>, QueueError> {
    let mut found = Vec::new();
    for file in [one, other] {
        let first = file.first_epoch().map_err(|error| unreadable(file.path(), &error))?;
        let written_at = std::fs::metadata(file.path()).and_then(|metadata| metadata.modified()).ok();
        found.extend(first.map(|epoch| (written_at, epoch)));
    }
    found.sort_unstable();
    Ok(match found.as_slice() {
        [(_, a), (_, b)] if next_epoch(*a) == *b => vec![*a, *b],
        [(_, b), (_, a)] if next_epoch(*a) == *b => vec![*a, *b],
        other => other.last().map(|(_, epoch)| *epoch).into_iter().collect(),
    })
}

/// Brings what a killed process left in the journal to the tables, as the next start would. Where that cannot be done the
/// audit says what it finds without.
pub(in super::super) fn recover_stopped(directory: &Directory) {
    let paths = directory.journal();
    if !paths.iter().any(|path| path.exists()) {
        return;
    }
    let recovered =
        schema::open(&directory.database(), None).map_err(QueueError::from).and_then(|(connection, stock)| {
            let counts = Arc::new(Counts::new(stock.lanes, stock.routes, stock.lost));
            let metrics = Metrics::new().map_err(|error| QueueError::Store { detail: error.to_string() })?;
            let mut desk = Desk::new(
                connection,
                Arc::default(),
                counts,
                stock.next_event,
                Journal::new(paths),
                Arc::new(stock.young),
                metrics,
            );
            recover(&mut desk, stock.journal)?;
            desk.close().map_err(|error| queue_error(&error))
        });
    if let Err(error) = recovered {
        tracing::warn!(%error, "the journal cannot be brought to the tables: what is in it is not audited");
    }
}

struct Recovery<'a> {
    desk: &'a mut Desk,
    recent: Recent,
    unsure: bool,
    now: Instant,
}

// === impl Recovery ===

impl Recovery<'_> {
    /// Enters all records of an epoch.
    fn enter_all(&mut self, path: &Path, found: Found) -> Result<(), QueueError> {
        let mut damaged = found.gaps;
        for record in found.records {
            let record = Arc::new(record);
            match entry::decode(&record) {
                Ok(entries) => {
                    entries.into_iter().try_for_each(|(place, entry)| self.enter(entry, &record, place))?;
                }
                Err(_) => damaged += 1,
            }
        }
        if damaged > 0 {
            tracing::error!(
                file = %path.display(), damaged,
                "the journal is damaged: what was acknowledged by so many commits is lost; providers may send their events again"
            );
        }
        Ok(())
    }

    /// Enters what stands at `place` of a record.
    fn enter(&mut self, entry: Entry<'_>, record: &Arc<Vec<u8>>, place: Range<usize>) -> Result<(), QueueError> {
        let mut counts = Changes::default();
        match entry {
            Entry::Append(append) | Entry::AppendRead(_, append) => {
                if let Some(change) = self.append(&append, place, &mut counts)? {
                    self.recent.enter(change, record, self.now);
                }
            }
            Entry::Count(count) => counts.add_to_route(
                count.route,
                RouteCounts {
                    received: count.received,
                    accepted: count.accepted,
                    duplicate: count.duplicate,
                    filtered: count.filtered,
                    invalid: count.invalid,
                },
            ),
            Entry::Made(made) => {
                counts.lane(made.lane).make(made.size, made.keep_until.is_some());
                self.recent.enter(Change::Settle(RecentSettle::Made(made)), record, self.now);
            }
            Entry::Again(again) => {
                if let Ok(attempt) = serde_json::from_str(again.attempt) {
                    let AgainEntry { row, lane, .. } = again;
                    let settle = RecentSettle::Again { row, lane, at: Timestamp::from_millis(again.at), attempt };
                    self.recent.enter(Change::Settle(settle), record, self.now);
                }
            }
        }
        self.recent.touch(self.now);
        self.recent.changes.add(&counts);
        self.desk.counts.apply(counts);
        Ok(())
    }

    /// The request that came; `None` where all of it is in the tables already.
    fn append(
        &mut self,
        append: &AppendEntry<'_>,
        place: Range<usize>,
        counts: &mut Changes,
    ) -> Result<Option<Change>, QueueError> {
        let mut events = Vec::with_capacity(append.events.len());
        for entry in &append.events {
            self.desk.not_below(entry.number + 1);
            let key = EventKey::from_bytes(entry.key);
            let mut deliveries = Vec::with_capacity(entry.deliveries.len());
            let is_there =
                self.unsure && keys::has_event(self.desk, key, entry.number).map_err(|error| queue_error(&error))?;
            for delivery in entry.deliveries.iter().filter(|_| !is_there) {
                counts.lane(delivery.lane).accept(delivery.size);
                deliveries.push(Some(RecentDelivery {
                    id: DeliveryId::from_bytes(delivery.id),
                    lane: delivery.lane,
                    size: delivery.size,
                    due_at: append.accepted_at,
                    history: Vec::new(),
                    made: None,
                }));
            }
            let alias = entry.alias.map(EventKey::from_bytes);
            events.push(RecentEvent { key, alias, until: entry.until, deliveries });
        }
        let row = append.events.first().map(|first| first.number);
        let is_needed = events.iter().any(RecentEvent::is_needed);
        Ok(row.filter(|_| is_needed).map(|row| Change::Request { row, place, events }))
    }
}
