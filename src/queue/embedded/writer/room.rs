//! What the writer does for room: bounds, what failed for want of it, and giving it back.

use std::io;
use std::time::Instant;

use super::super::command::Write;
use super::super::failure::{is_damage, queue_error};
use super::super::settle::{Settle, Verdict};
use super::super::upkeep::Chore;
use super::{FIRST_PAUSE, LONGEST_PAUSE, Writer};
use crate::model::Timestamp;
use crate::queue::{Claims as _, QueueError};

/// How many steps of giving pages back come between two tries for the reserve: as much as that is.
const RECLAIMING_STEPS: usize = 8;
/// How many bytes of what was delivered are given up with each try for room, at least.
const GIVEN_UP: u64 = 16 << 20;

/// How many free pages are much: a quarter of a gigabyte.
const MUCH: i64 = 32 << 10;

impl Writer {
    /// What is kept gives way as soon as it is too much.
    pub(super) fn make_room(&mut self, now: Timestamp) {
        let most = self.bounds.max_kept;
        if self.chores.is_empty() && self.desk.counts.kept_bytes() > most {
            self.chores.push_back(Chore::make_room(now, most));
        }
    }

    /// What is recent could not be brought to the tables.
    pub(super) fn not_stored(&mut self, error: &rusqlite::Error) {
        if is_damage(error) {
            tracing::error!(%error, "what was accepted cannot be brought to the tables, because the database is damaged: restart the gateway");
            self.found_damage();
        } else {
            self.reserve.release();
        }
        self.door.set_trouble(Some(queue_error(error)));
        self.try_again_at.get_or_insert_with(|| Instant::now() + self.pause);
    }

    /// Tries what failed once more, and whether there is room for appends.
    pub(super) fn try_again(&mut self) {
        self.try_again_at = None;
        self.give_up_kept();
        let recent = self.store_recent();
        let unsettled = std::mem::take(&mut self.unsettled);
        self.commit(unsettled);
        self.let_go();
        if self.door.in_trouble() && self.unsettled.is_empty() && recent.is_ok() {
            let trouble = self.probe().err();
            self.door.set_trouble(trouble);
        }
        if self.unsettled.is_empty() && !self.door.in_trouble() {
            self.pause = FIRST_PAUSE;
            self.try_again_at = None;
        } else {
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            self.try_again_at = Some(Instant::now() + self.pause);
        }
    }

    /// A delivery that was put off need not wait for room beyond its time: it is made again, and only that it was tried
    /// is forgotten.
    fn let_go(&mut self) {
        let now = self.clock.now();
        for write in std::mem::take(&mut self.unsettled) {
            match write {
                Write::Settle { settle: Settle { verdict: Verdict::Again { at, .. }, claim, .. }, reply }
                    if at <= now =>
                {
                    self.desk.claims.give_back(claim);
                    reply.into_iter().for_each(|reply| drop(reply.send(Err(full()))));
                }
                other => self.unsettled.push(other),
            }
        }
    }

    /// Where there is no room, what was delivered has had its time: a part of it goes with each try.
    fn give_up_kept(&mut self) {
        let (kept, now) = (self.desk.counts.kept_bytes(), self.clock.now());
        if kept == 0 || !matches!(self.door.health(), Err(QueueError::Full { .. })) {
            return;
        }
        if self.bounds.check(&mut self.desk, now).is_err() {
            // It is not the disk that is full: what was delivered is in nobody's way.
            return;
        }
        let most = kept.saturating_sub(self.reserve.bytes().max(GIVEN_UP));
        let mut chore = Some(Chore::make_room(now, most));
        while let Some(next) = chore {
            chore = next.step(&mut self.desk);
        }
        self.untidy = true;
    }

    /// Whether there is room for appends, and for the reserve beside them.
    fn probe(&mut self) -> Result<(), QueueError> {
        if !self.reserve.is_taken() {
            // Nothing is given back by itself while something is to be tried again.
            self.reclaim();
            self.reserve.take().map_err(|error| no_reserve(&error))?;
        }
        self.bounds.check(&mut self.desk, self.clock.now())?;
        self.desk.probe().map_err(|error| queue_error(&error))
    }

    /// Gives what deliveries have left back to the file system, as far as that is a matter of moments.
    fn reclaim(&mut self) {
        for _ in 0..RECLAIMING_STEPS {
            self.tidy();
            if !self.untidy {
                break;
            }
        }
        if let Err(error) = self.desk.checkpoint() {
            tracing::debug!(%error, "the log cannot be moved into the database yet");
        }
    }

    /// Fits the log to the database, and gives a few free pages back where there are so many that a busy queue would keep the disk from others.
    pub(super) fn tidy_where_much(&mut self) {
        if let Err(error) = self.desk.adapt() {
            tracing::debug!(%error, "the size of the log cannot be set");
        }
        if self.desk.free_pages().is_ok_and(|free| free > MUCH) {
            self.tidy();
        }
    }

    /// Gives a few free pages back.
    pub(super) fn tidy(&mut self) {
        self.untidy = self.desk.reclaim().unwrap_or_else(|error| {
            tracing::warn!(%error, "free pages cannot be given back to the file system");
            false
        });
    }
}

/// Refuses the appends of a group; the rest comes back.
pub(super) fn refuse_appends(group: Vec<Write>, why: &QueueError) -> Vec<Write> {
    let mut rest = Vec::with_capacity(group.len());
    for write in group {
        match write {
            Write::Append { reply, .. } => drop(reply.send(Err(why.clone()))),
            other => rest.push(other),
        }
    }
    rest
}

/// The reserve cannot be taken.
pub(in super::super) fn no_reserve(error: &io::Error) -> QueueError {
    QueueError::Full { detail: format!("the disk has not room enough for the reserve: {error}") }
}

pub(super) fn full() -> QueueError {
    QueueError::Full { detail: "the disk is full".to_owned() }
}
