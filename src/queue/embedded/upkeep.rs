//! What takes long, in steps: between two of them appends go on.

use std::time::Duration;

use super::command::Reply;
use super::counts::Changes;
use super::desk::Desk;
use super::failure::queue_error;
use super::settle::{self, Burial};
use super::tables::BLOCKED;
use super::{keys, order, shelf};
use crate::model::{Lane, Reason, Timestamp};
use crate::queue::{Forgotten, Retired};

/// How many rows a step touches.
const STEP: i64 = 500;

/// What takes long.
#[derive(Debug)]
pub(super) enum Chore {
    /// Find out which lanes are to be emptied.
    Retire { kept: Vec<Lane>, at: Timestamp, reply: Reply<Vec<Retired>> },
    /// Empty them, one after the other.
    Empty(Emptying, Reply<Vec<Retired>>),
    /// Has what was put off before the clock went back follow it.
    TurnBack { by: Duration, now: Timestamp, behind: i64 },
    /// Forget keys, then what was kept long enough.
    Forget { now: Timestamp, most: u64, done: Forgotten, keys: bool, reply: Option<Reply<Forgotten>> },
}

/// The lanes that are being emptied.
#[derive(Debug)]
pub(super) struct Emptying {
    lanes: Vec<(i64, Lane, Reason)>,
    at: Timestamp,
    /// What is done; the last may be added to.
    done: Vec<Retired>,
}

// === impl Chore ===

impl Chore {
    /// Gives up what is pending in lanes that are none of `kept`.
    pub(super) const fn retire(kept: Vec<Lane>, at: Timestamp, reply: Reply<Vec<Retired>>) -> Self {
        Self::Retire { kept, at, reply }
    }

    /// Forgets keys whose window ended, and removes what was kept long enough or is more than `most` bytes.
    pub(super) const fn forget(now: Timestamp, most: u64, reply: Reply<Forgotten>) -> Self {
        let done = Forgotten { keys: 0, delivered: 0 };
        Self::Forget { now, most, done, keys: true, reply: Some(reply) }
    }

    /// Removes what is kept beyond `most` bytes.
    pub(super) const fn make_room(now: Timestamp, most: u64) -> Self {
        let done = Forgotten { keys: 0, delivered: 0 };
        Self::Forget { now, most, done, keys: false, reply: None }
    }

    /// Moves what is due later than `now` by as much as the clock went back.
    pub(super) const fn turn_back(by: Duration, now: Timestamp) -> Self {
        Self::TurnBack { by, now, behind: -1 }
    }

    /// Does one step and commits it; answers after the last. The chore where there is more to do.
    pub(super) fn step(self, desk: &mut Desk) -> Option<Self> {
        match self {
            Self::Retire { kept, at, reply } => {
                let mut lanes = desk.counts.strays(&kept);
                // The last is taken first.
                lanes.sort_unstable_by(|(_, a, _), (_, b, _)| b.cmp(a));
                Some(Self::Empty(Emptying { lanes, at, done: Vec::new() }, reply))
            }
            Self::Empty(mut emptying, reply) => match emptying.step(desk) {
                Ok(()) if !emptying.lanes.is_empty() => Some(Self::Empty(emptying, reply)),
                Ok(()) => answer(Some(reply), Ok(emptying.done)),
                Err(error) => answer(Some(reply), Err(error)),
            },
            Self::TurnBack { by, now, behind } => match turn_back(desk, by, now, behind) {
                Ok(last) => last.map(|behind| Self::TurnBack { by, now, behind }),
                Err(error) => {
                    tracing::error!(%error, "retries that were put off before the clock went back wait too long");
                    None
                }
            },
            Self::Forget { now, most, mut done, keys, reply } => {
                let step = if keys { forget(desk, now) } else { clear(desk, now, most) };
                let (count, again) = match step {
                    Ok(count) => (count, count >= STEP.unsigned_abs()),
                    Err(error) => return answer(reply, Err(error)),
                };
                if keys {
                    done.keys += count;
                } else {
                    done.delivered += count;
                }
                match (keys, again) {
                    (false, false) => answer(reply, Ok(done)),
                    (keys, again) => Some(Self::Forget { now, most, done, keys: keys && again, reply }),
                }
            }
        }
    }
}

fn answer<T>(reply: Option<Reply<T>>, result: rusqlite::Result<T>) -> Option<Chore> {
    match reply {
        Some(reply) => drop(reply.send(result.map_err(|error| queue_error(&error)))),
        None => result.err().into_iter().for_each(|error| {
            tracing::warn!(%error, "deliveries that were made and kept long enough cannot be removed: they take up room");
        }),
    }
    None
}

// === impl Emptying ===

impl Emptying {
    fn step(&mut self, desk: &mut Desk) -> rusqlite::Result<()> {
        let Some((row, lane, reason)) = self.lanes.pop() else { return Ok(()) };
        let count = bury(desk, row, Burial { reason, at: self.at, park: false })?;
        match self.done.last_mut() {
            Some(last) if last.lane == lane => last.count += count,
            _ if count > 0 => self.done.push(Retired { lane: lane.clone(), reason, count }),
            _ => {}
        }
        if count == STEP.unsigned_abs() {
            self.lanes.push((row, lane, reason));
        }
        Ok(())
    }
}

fn bury(desk: &mut Desk, lane: i64, burial: Burial) -> rusqlite::Result<u64> {
    desk.transact(|desk, changes| {
        let rows: Vec<i64> = desk
            .sql("SELECT row FROM pending WHERE lane = ?1 ORDER BY due_at, row LIMIT ?2")?
            .query_map([lane, STEP], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for row in &rows {
            settle::bury(desk, changes, *row, burial, burial.at)?;
            changes.settled(*row);
        }
        if rows.len() < usize::try_from(STEP).unwrap_or(usize::MAX) {
            // Nobody waits behind anybody any more.
            order::unpark_all(desk, lane)?;
        }
        Ok(rows.len() as u64)
    })
}

/// Ends the windows of keys. Each is looked at once.
fn forget(desk: &mut Desk, now: Timestamp) -> rusqlite::Result<u64> {
    let most = usize::try_from(STEP).unwrap_or(usize::MAX);
    desk.transact(|desk, _| keys::end_windows(desk, now, most).map(|ended| ended as u64))
}

/// Goes on behind a row. The last one that was looked at; `None` at the end.
fn turn_back(desk: &mut Desk, by: Duration, now: Timestamp, behind: i64) -> rusqlite::Result<Option<i64>> {
    let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    desk.transact(|desk, _| {
        let rows: Vec<(i64, i64)> = desk
            .sql("SELECT row, due_at FROM pending WHERE row > ?1 ORDER BY row LIMIT ?2")?
            .query_map([behind, STEP], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        for (row, due_at) in rows.iter().filter(|(_, due_at)| *due_at > now.as_millis() && *due_at < BLOCKED) {
            let due_at = due_at.saturating_sub(by).max(now.as_millis());
            desk.sql("UPDATE pending SET due_at = ?2 WHERE row = ?1")?.execute([*row, due_at])?;
        }
        Ok(rows.last().map(|(row, _)| *row))
    })
}

fn clear(desk: &mut Desk, now: Timestamp, most: u64) -> rusqlite::Result<u64> {
    desk.transact(|desk, changes: &mut Changes| shelf::clear(desk, changes, now, most, STEP.unsigned_abs()))
}
