//! Filling packs: with the events of a flush, in the order of their numbers.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::super::codec;
use super::super::entry::{self, AgainEntry, Entry, MadeEntry};
use super::contents::{Contents, Member, Share, entries_sum, head_sum};
use crate::model::Attempt;

/// How many bytes a pack has, about: whoever changes an event in it has all of it put in rows.
const PACK: usize = 512 << 10;

/// Fills packs.
pub(in super::super) struct Filling<'a> {
    connection: &'a Connection,
    entries: Vec<u8>,
    contents: Contents,
    shares: BTreeMap<i64, Share>,
    /// From when to when what is in it ends.
    ends: Option<(i64, i64)>,
}

/// A delivery that was made and is kept.
pub(in super::super) struct Kept<'a> {
    pub(in super::super) made: &'a MadeEntry,
    /// The attempts that failed before.
    pub(in super::super) history: &'a [Attempt],
}

// === impl Filling ===

impl<'a> Filling<'a> {
    /// Fills packs in the transaction that is open.
    pub(in super::super) fn new(connection: &'a Connection) -> Self {
        let (entries, contents) = (Vec::new(), Contents::default());
        Self { connection, entries, contents, shares: BTreeMap::new(), ends: None }
    }

    /// Adds a request by its entry in the journal, with what is kept of it. Its events have greater numbers than those
    /// before.
    pub(in super::super) fn add<'k>(
        &mut self,
        append: &[u8],
        members: impl Iterator<Item = Member>,
        kept: impl Iterator<Item = Kept<'k>>,
    ) -> rusqlite::Result<()> {
        self.entries.extend_from_slice(append);
        self.contents.members.extend(members);
        for Kept { made, history } in kept {
            for attempt in history {
                let (row, lane, at) = (made.row, made.lane, attempt.at.as_millis());
                self.write(&Entry::Again(AgainEntry { row, lane, at, attempt: &codec::attempt(attempt) }))?;
            }
            self.write(&Entry::Made(made.clone()))?;
            self.count(made);
        }
        if self.entries.len() >= PACK { self.end_pack() } else { Ok(()) }
    }

    fn write(&mut self, entry: &Entry<'_>) -> rusqlite::Result<()> {
        self.entries = entry::encode(entry, std::mem::take(&mut self.entries)).map_err(unwritable)?;
        Ok(())
    }

    fn count(&mut self, made: &MadeEntry) {
        let share = self.shares.entry(made.lane).or_insert(Share { lane: made.lane, count: 0, bytes: 0 });
        share.count += 1;
        share.bytes += made.size;
        let until = made.keep_until.unwrap_or_default();
        let (from, to) = self.ends.unwrap_or((until, until));
        self.ends = Some((from.min(until), to.max(until)));
    }

    fn end_pack(&mut self) -> rusqlite::Result<()> {
        let mut contents = std::mem::take(&mut self.contents);
        let (Some(first), Some(last), Some((from, until))) =
            (contents.members.first(), contents.members.last(), self.ends.take())
        else {
            return Ok(());
        };
        let (row, last) = (first.event, last.event);
        contents.shares = std::mem::take(&mut self.shares).into_values().collect();
        let bytes: i64 = contents.shares.iter().map(|share| share.bytes).sum();
        let contents = postcard::to_allocvec(&contents).map_err(unwritable)?;
        self.connection
            .prepare_cached(
                "INSERT INTO packs (row, last, ends_from, ends_until, bytes, sum, entries_sum, contents, entries)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                row,
                last,
                from,
                until,
                bytes,
                head_sum(row, last, from, until, &contents),
                entries_sum(&self.entries),
                contents,
                self.entries,
            ])?;
        self.entries.clear();
        Ok(())
    }

    /// Stores what is not stored yet.
    pub(in super::super) fn finish(mut self) -> rusqlite::Result<()> {
        self.end_pack()
    }
}

fn unwritable(error: postcard::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
}
