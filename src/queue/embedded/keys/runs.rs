//! The runs in which keys are stored first, and up to which of them each slice is merged.

use std::collections::HashSet;

use rusqlite::{Connection, params};

use super::super::desk::Desk;
use super::super::schema::damaged;
use super::super::sum::Sum;
use super::young::{Inner, SLICES};
use super::{NewKey, Young};
use crate::model::EventKey;

/// In place of the time: the key was taken out.
const REMOVED: i64 = -1;
/// How many bytes an entry has: the key, the event and the time, the latter two in big-endian order.
const ENTRY: usize = 32;

/// Stores a run, unless there is nothing in it.
pub(super) fn insert(
    desk: &Desk,
    run: i64,
    keys: &[NewKey],
    removed: &HashSet<(EventKey, i64)>,
) -> rusqlite::Result<()> {
    if keys.is_empty() && removed.is_empty() {
        return Ok(());
    }
    let mut entries = Vec::with_capacity(ENTRY * (keys.len() + removed.len()));
    let removed = removed.iter().map(|(key, event)| NewKey { key: *key, event: *event, until: REMOVED });
    for NewKey { key, event, until } in removed.chain(keys.iter().copied()) {
        entries.extend_from_slice(key.as_bytes());
        entries.extend_from_slice(&event.to_be_bytes());
        entries.extend_from_slice(&until.to_be_bytes());
    }
    desk.sql("INSERT INTO key_runs (row, sum, entries) VALUES (?1, ?2, ?3)")?
        .execute(params![run, sum(run, &entries), entries])
        .map(|_| ())
}

/// Notes up to which run a slice is merged.
pub(super) fn mark(desk: &Desk, slice: usize, run: i64) -> rusqlite::Result<()> {
    desk.sql("INSERT INTO key_marks (row, run) VALUES (?1, ?2) ON CONFLICT (row) DO UPDATE SET run = excluded.run")?
        .execute(params![i64::try_from(slice).unwrap_or(i64::MAX), run])
        .map(|_| ())
}

/// Deletes runs of which all is merged.
pub(super) fn delete(desk: &Desk, until: i64) -> rusqlite::Result<()> {
    desk.sql("DELETE FROM key_runs WHERE row <= ?1")?.execute([until]).map(|_| ())
}

// === impl Young ===

impl Young {
    /// Reads what is young in a store.
    pub(in super::super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut marks = vec![0; SLICES];
        let mut statement = connection.prepare("SELECT row, run FROM key_marks")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let slice = usize::try_from(row.get::<_, i64>(0)?).ok();
            if let Some(mark) = slice.and_then(|slice| marks.get_mut(slice)) {
                *mark = row.get(1)?;
            }
        }
        let mut inner = Inner::new(marks);
        each_run(connection, |run, entries| {
            let entries = entries.ok_or_else(|| damaged(format!("run {run} of keys was altered")))?;
            inner.add_run(run, entries.len());
            for key in entries {
                match key {
                    key if inner.is_merged(key.key, run) => {}
                    NewKey { key, event, until: REMOVED } => inner.take_out((key, event)),
                    key => inner.put(key),
                }
            }
            Ok(())
        })?;
        Ok(Self::new(inner))
    }
}

/// Deletes runs that cannot be read. The greatest number of an event in the others; 0 where there is none.
pub(in super::super) fn mend(to: &Connection) -> rusqlite::Result<i64> {
    let (mut greatest, mut lost) = (0, Vec::new());
    each_run(to, |run, entries| {
        match entries {
            Some(entries) => greatest = entries.iter().map(|key| key.event).fold(greatest, i64::max),
            None => lost.push(run),
        }
        Ok(())
    })?;
    for run in &lost {
        to.execute("DELETE FROM key_runs WHERE row = ?1", [run])?;
    }
    if !lost.is_empty() {
        tracing::error!(
            runs = lost.len(),
            "keys of events are lost: one that its provider sends again is delivered again, with the same `Idempotency-Key`, and \
             is not found by its id; have destinations that must not act twice compare that"
        );
    }
    Ok(greatest)
}

/// Reads all runs in order; `None` of one that was altered.
fn each_run(
    connection: &Connection,
    mut look: impl FnMut(i64, Option<Vec<NewKey>>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT row, sum, entries FROM key_runs ORDER BY row")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (run, stored): (i64, i64) = (row.get(0)?, row.get(1)?);
        let entries = match row.get_ref(2)?.as_blob() {
            Ok(entries) if sum(run, entries) == stored => decode(entries),
            _ => None,
        };
        look(run, entries)?;
    }
    Ok(())
}

fn decode(entries: &[u8]) -> Option<Vec<NewKey>> {
    let (entries, rest) = entries.as_chunks::<ENTRY>();
    let entry = |entry: &[u8; ENTRY]| {
        let (key, numbers) = entry.split_first_chunk()?;
        let (event, until) = numbers.split_first_chunk()?;
        let [event, until] = [*event, *until.first_chunk()?].map(i64::from_be_bytes);
        Some(NewKey { key: EventKey::from_bytes(*key), event, until })
    };
    entries.iter().map(entry).collect::<Option<Vec<_>>>().filter(|_| rest.is_empty())
}

fn sum(run: i64, entries: &[u8]) -> i64 {
    Sum::default().int(run).bytes(entries).stored()
}
