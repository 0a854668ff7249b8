//! What takes long, in steps: between two of them appends go on.

use rusqlite::params;

use super::desk::Desk;
use super::failure::queue_error;
use super::settle;
use super::writer::Reply;
use crate::model::{Lane, Reason, Timestamp};
use crate::queue::Retired;

/// How many rows a step touches.
const STEP: i64 = 500;

/// What takes long.
#[derive(Debug)]
pub(super) enum Chore {
    /// Find out which lanes are to be emptied.
    Retire { kept: Vec<Lane>, at: Timestamp, reply: Reply<Vec<Retired>> },
    /// Empty them, one after the other.
    Empty(Emptying, Reply<Vec<Retired>>),
    /// Forget keys.
    Forget { now: Timestamp, done: u64, reply: Reply<u64> },
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

    /// Forgets keys whose window ended.
    pub(super) const fn forget(now: Timestamp, reply: Reply<u64>) -> Self {
        Self::Forget { now, done: 0, reply }
    }

    /// Does one step and commits it; answers after the last. The chore where there is more to do.
    pub(super) fn step(self, desk: &mut Desk) -> Option<Self> {
        match self {
            Self::Retire { kept, at, reply } => {
                let mut lanes = desk.ledger.strays(&kept);
                // The last is taken first.
                lanes.sort_unstable_by(|(_, a, _), (_, b, _)| b.cmp(a));
                Some(Self::Empty(Emptying { lanes, at, done: Vec::new() }, reply))
            }
            Self::Empty(mut emptying, reply) => match emptying.step(desk) {
                Ok(()) if !emptying.lanes.is_empty() => Some(Self::Empty(emptying, reply)),
                Ok(()) => answer(reply, Ok(emptying.done)),
                Err(error) => answer(reply, Err(error)),
            },
            Self::Forget { now, done, reply } => match forget(desk, now) {
                Ok(count) if count == STEP.unsigned_abs() => Some(Self::Forget { now, done: done + count, reply }),
                Ok(count) => answer(reply, Ok(done + count)),
                Err(error) => answer(reply, Err(error)),
            },
        }
    }
}

fn answer<T>(reply: Reply<T>, result: rusqlite::Result<T>) -> Option<Chore> {
    drop(reply.send(result.map_err(|error| queue_error(&error))));
    None
}

// === impl Emptying ===

impl Emptying {
    fn step(&mut self, desk: &mut Desk) -> rusqlite::Result<()> {
        let Some((row, lane, reason)) = self.lanes.pop() else { return Ok(()) };
        let count = bury(desk, row, reason, self.at)?;
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

fn bury(desk: &mut Desk, lane: i64, reason: Reason, at: Timestamp) -> rusqlite::Result<u64> {
    desk.transact(|desk, changes| {
        let rows: Vec<i64> = desk
            .sql("SELECT row FROM pending WHERE lane = ?1 ORDER BY due_at, row LIMIT ?2")?
            .query_map([lane, STEP], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for row in &rows {
            settle::bury(desk, changes, *row, reason, at)?;
            changes.settled(*row);
        }
        Ok(rows.len() as u64)
    })
}

fn forget(desk: &mut Desk, now: Timestamp) -> rusqlite::Result<u64> {
    desk.transact(|desk, _| {
        desk.sql("DELETE FROM remembered WHERE key IN (SELECT key FROM remembered WHERE until <= ?1 LIMIT ?2)")?
            .execute(params![now.as_millis(), STEP])
            .map(|count| count as u64)
    })
}
