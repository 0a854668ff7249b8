//! What takes long, in steps: between two of them appends go on.

use rusqlite::params;

use super::desk::Desk;
use super::failure::queue_error;
use super::settle;
use super::writer::Reply;
use crate::model::{Lane, Reason, Timestamp};

/// How many rows a step touches.
const STEP: i64 = 500;

/// What takes long.
#[derive(Debug)]
pub(super) struct Chore {
    task: Task,
    done: u64,
    reply: Reply<u64>,
}

#[derive(Debug)]
enum Task {
    /// Find out which lanes are to be emptied.
    Retire { kept: Vec<Lane>, at: Timestamp },
    /// Empty them, the last first.
    Empty { lanes: Vec<(i64, Reason)>, at: Timestamp },
    /// Forget keys.
    Forget { now: Timestamp },
}

/// How far a step came.
enum Step {
    More(Task, u64),
    Last(u64),
}

// === impl Chore ===

impl Chore {
    /// Gives up what is pending in lanes that are none of `kept`.
    pub(super) const fn retire(kept: Vec<Lane>, at: Timestamp, reply: Reply<u64>) -> Self {
        Self { task: Task::Retire { kept, at }, done: 0, reply }
    }

    /// Forgets keys whose window ended.
    pub(super) const fn forget(now: Timestamp, reply: Reply<u64>) -> Self {
        Self { task: Task::Forget { now }, done: 0, reply }
    }

    /// Does one step and commits it; answers after the last. The chore where there is more to do.
    pub(super) fn step(self, desk: &mut Desk) -> Option<Self> {
        let Self { task, done, reply } = self;
        let step = match task {
            Task::Retire { kept, at } => Ok(Step::More(Task::Empty { lanes: desk.ledger.strays(&kept), at }, 0)),
            Task::Empty { lanes, at } => empty(desk, lanes, at),
            Task::Forget { now } => forget(desk, now),
        };
        match step {
            Ok(Step::More(task, count)) => return Some(Self { task, done: done + count, reply }),
            Ok(Step::Last(count)) => drop(reply.send(Ok(done + count))),
            Err(error) => drop(reply.send(Err(queue_error(&error)))),
        }
        None
    }
}

fn empty(desk: &mut Desk, mut lanes: Vec<(i64, Reason)>, at: Timestamp) -> rusqlite::Result<Step> {
    let Some((lane, reason)) = lanes.pop() else { return Ok(Step::Last(0)) };
    let count = desk.transact(|desk, changes| {
        let rows: Vec<i64> = desk
            .sql("SELECT row FROM pending WHERE lane = ?1 ORDER BY due_at, row LIMIT ?2")?
            .query_map([lane, STEP], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for row in &rows {
            settle::bury(desk, changes, *row, reason, at)?;
            changes.settled(*row);
        }
        Ok(rows.len())
    })?;
    if i64::try_from(count).is_ok_and(|count| count == STEP) {
        lanes.push((lane, reason));
    }
    Ok(Step::More(Task::Empty { lanes, at }, count as u64))
}

fn forget(desk: &mut Desk, now: Timestamp) -> rusqlite::Result<Step> {
    let count = desk.transact(|desk, _| {
        desk.sql("DELETE FROM remembered WHERE key IN (SELECT key FROM remembered WHERE until <= ?1 LIMIT ?2)")?
            .execute(params![now.as_millis(), STEP])
    })?;
    let full = i64::try_from(count).is_ok_and(|count| count == STEP);
    let count = count as u64;
    Ok(if full { Step::More(Task::Forget { now }, count) } else { Step::Last(count) })
}
