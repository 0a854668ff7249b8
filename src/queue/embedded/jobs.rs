//! Replays and purges of many deliveries: each step is one transaction, and writes how far the job is.

use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::codec;
use super::counts::Changes;
use super::desk::Desk;
use super::packs::{self, Share};
use super::replay::{self, Table};
use super::tables::event_of;
use crate::model::{Lane, Reason, Timestamp};
use crate::queue::{Action, Job, JobId, JobState, LaneCounts, Selection, StateKind, Step};

/// How many deliveries a step looks at: appends wait for it.
const STEP: i64 = 256;
/// How many jobs are remembered.
const REMEMBERED: i64 = 100;

const COLUMNS: &str = "row, action, selection, state, began_at, done_at, behind, examined, total, changed";

/// A job with where it is.
struct Stored {
    job: Job,
    /// It has looked at everything up to this row.
    behind: i64,
}

/// A selection as it is stored.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct StoredSelection {
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<Box<str>>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_key: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
}

/// What of a delivery decides whether a job means it.
struct Candidate {
    row: i64,
    lane: i64,
    accepted_at: i64,
    key: Option<String>,
    ended_at: i64,
    reason: Option<Reason>,
}

/// Begins a job.
pub(super) fn begin(desk: &Desk, action: Action, selection: &Selection, at: Timestamp) -> rusqlite::Result<Job> {
    let total: u64 = desk.counts.ledger().lanes.iter().map(|(_, counts)| about(selection, counts)).sum();
    desk.sql("DELETE FROM jobs WHERE state = 'done' AND row <= (SELECT max(row) FROM jobs) - ?1")?
        .execute([REMEMBERED])?;
    let id: i64 = desk
        .sql(
            "INSERT INTO jobs (row, action, selection, state, began_at, behind, examined, total, changed)
             SELECT 1 + coalesce(max(row), 0), ?1, ?2, 'running', ?3, -1, 0, ?4, 0 FROM jobs RETURNING row",
        )?
        .query_row(
            params![action.as_str(), StoredSelection::of(selection).text(), at.as_millis(), total.cast_signed()],
            |row| row.get(0),
        )?;
    Ok(Job {
        id: JobId(id.unsigned_abs()),
        action,
        selection: selection.clone(),
        state: JobState::Running,
        began_at: at,
        done_at: None,
        examined: 0,
        total,
        changed: 0,
    })
}

/// How much of a lane a job has to look at, whether it means the lane or not: it goes in the order of acceptance.
const fn about(selection: &Selection, counts: &LaneCounts) -> u64 {
    match selection.state {
        Some(StateKind::Delivered) => counts.kept,
        _ => counts.dead,
    }
}

/// Does a step of a job that runs.
pub(super) fn step(desk: &Desk, changes: &mut Changes, id: JobId, now: Timestamp) -> rusqlite::Result<Option<Step>> {
    let Some(mut stored) = find(desk, id)? else { return Ok(None) };
    if stored.job.state != JobState::Running {
        return Ok(Some(Step { job: stored.job, lanes: Vec::new() }));
    }
    let table = if stored.job.selection.state == Some(StateKind::Delivered) { Table::Done } else { Table::Dead };
    let candidates = candidates(desk, table, &stored)?;
    let mut lanes: Vec<Lane> = Vec::new();
    for candidate in &candidates {
        stored.behind = candidate.row;
        stored.job.examined += 1;
        let Some(lane) = meant(desk, &stored.job, candidate)? else { continue };
        match stored.job.action {
            Action::Replay => {
                replay::row_of(desk, changes, table, candidate.row, now)?;
                if !lanes.contains(&lane) {
                    lanes.push(lane);
                }
            }
            Action::Purge => {
                replay::purge(desk, changes, candidate.row)?;
            }
        }
        stored.job.changed += 1;
    }
    if candidates.len() < usize::try_from(STEP).unwrap_or(usize::MAX) {
        stored.job.state = JobState::Done;
        stored.job.done_at = Some(now);
    }
    save(desk, &stored)?;
    Ok(Some(Step { job: stored.job, lanes }))
}

/// Stops a job, or has it go on.
pub(super) fn switch(desk: &Desk, id: JobId, run: bool) -> rusqlite::Result<Option<Job>> {
    let Some(mut stored) = find(desk, id)? else { return Ok(None) };
    if stored.job.state != JobState::Done {
        stored.job.state = if run { JobState::Running } else { JobState::Stopped };
        save(desk, &stored)?;
    }
    Ok(Some(stored.job))
}

/// The last jobs, the newest first.
pub(super) fn list(connection: &rusqlite::Connection) -> rusqlite::Result<Vec<Job>> {
    let sql = format!("SELECT {COLUMNS} FROM jobs ORDER BY row DESC LIMIT ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let jobs = statement.query_map([REMEMBERED], |row| Ok(Stored::read(row).map(|stored| stored.job)))?;
    // One that cannot be read must not hide the others.
    Ok(jobs.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().filter_map(Result::ok).collect())
}

fn find(desk: &Desk, JobId(id): JobId) -> rusqlite::Result<Option<Stored>> {
    let Ok(id) = i64::try_from(id) else { return Ok(None) };
    desk.sql(&format!("SELECT {COLUMNS} FROM jobs WHERE row = ?1"))?.query_row([id], Stored::read).optional()
}

fn save(desk: &Desk, Stored { job, behind }: &Stored) -> rusqlite::Result<()> {
    desk.sql("UPDATE jobs SET state = ?2, done_at = ?3, behind = ?4, examined = ?5, changed = ?6 WHERE row = ?1")?
        .execute(params![
            job.id.0.cast_signed(),
            job.state.as_str(),
            job.done_at.map(Timestamp::as_millis),
            behind,
            job.examined.cast_signed(),
            job.changed.cast_signed(),
        ])
        .map(|_| ())
}

/// The next deliveries that a job is to look at. Those in packs get rows for that, where the job may mean them.
fn candidates(desk: &Desk, table: Table, Stored { job, behind }: &Stored) -> rusqlite::Result<Vec<Candidate>> {
    let wanted = |share: &Share| desk.counts.lane(share.lane).is_none_or(|lane| job.selection.means_lane(&lane));
    loop {
        let rows = in_rows(desk, table, *behind)?;
        let full = rows.len() >= usize::try_from(STEP).unwrap_or(usize::MAX);
        let last = rows.last().filter(|_| full).map_or(i64::MAX, |last| event_of(last.row));
        let packed = table == Table::Done && packs::open_next(desk, event_of(*behind), last, wanted)?;
        if !packed {
            return Ok(rows);
        }
    }
}

fn in_rows(desk: &Desk, table: Table, behind: i64) -> rusqlite::Result<Vec<Candidate>> {
    let (ended_at, reason) = match table {
        Table::Dead => ("died_at", "reason"),
        _ => ("began_at + took", "NULL"),
    };
    let sql = format!(
        "SELECT row, lane, accepted_at, key, {ended_at}, {reason} FROM {} WHERE row > ?1 ORDER BY row LIMIT ?2",
        table.name()
    );
    desk.sql(&sql)?
        .query_map([behind, STEP], |row| {
            Ok(Candidate {
                row: row.get(0)?,
                lane: row.get(1)?,
                accepted_at: row.get(2)?,
                key: row.get(3)?,
                ended_at: row.get(4)?,
                reason: row.get::<_, Option<String>>(5)?.as_deref().map(codec::reason),
            })
        })?
        .collect()
}

/// The lane of a delivery that a job means.
fn meant(desk: &Desk, job: &Job, candidate: &Candidate) -> rusqlite::Result<Option<Lane>> {
    let Selection { state: _, route: _, delivery: _, kind, reason, order_key, since, until } = &job.selection;
    let Some(lane) = desk.counts.lane(candidate.lane) else { return Ok(None) };
    let fits = candidate.ended_at <= job.began_at.as_millis()
        && job.selection.means_lane(&lane)
        && reason.is_none_or(|reason| candidate.reason == Some(reason))
        && order_key.as_deref().is_none_or(|key| candidate.key.as_deref() == Some(key))
        && since.is_none_or(|since| candidate.accepted_at >= since.as_millis())
        && until.is_none_or(|until| candidate.accepted_at < until.as_millis());
    if fits && let Some(kind) = kind {
        let of_event: Option<String> = desk
            .sql("SELECT type FROM events WHERE row = ?1")?
            .query_row([event_of(candidate.row)], |row| row.get(0))
            .optional()?;
        return Ok(Some(lane).filter(|_| of_event.as_deref() == Some(kind)));
    }
    Ok(Some(lane).filter(|_| fits))
}

// === impl Stored ===

impl Stored {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let count = |column| row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or(0));
        let action: String = row.get(1)?;
        let state: String = row.get(3)?;
        let job = Job {
            id: JobId(count(0)?),
            action: if action == Action::Purge.as_str() { Action::Purge } else { Action::Replay },
            // One that cannot be read must not come to mean everything.
            selection: StoredSelection::parse(&row.get::<_, String>(2)?).map_err(|error| {
                rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, error.into())
            })?,
            state: match &*state {
                "running" => JobState::Running,
                "done" => JobState::Done,
                _ => JobState::Stopped,
            },
            began_at: Timestamp::from_millis(row.get(4)?),
            done_at: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_millis),
            examined: count(7)?,
            total: count(8)?,
            changed: count(9)?,
        };
        Ok(Self { job, behind: row.get(6)? })
    }
}

// === impl StoredSelection ===

impl StoredSelection {
    fn of(selection: &Selection) -> Self {
        let Selection { state, route, delivery, kind, reason, order_key, since, until } = selection.clone();
        Self {
            state: state.map(|state| state.as_str().to_owned()),
            route,
            delivery,
            kind,
            reason,
            order_key,
            since: since.map(Timestamp::as_millis),
            until: until.map(Timestamp::as_millis),
        }
    }

    fn text(&self) -> String {
        // Plain fields: there is nothing in them that has no JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn parse(text: &str) -> Result<Selection, serde_json::Error> {
        let Self { state, route, delivery, kind, reason, order_key, since, until } = serde_json::from_str(text)?;
        Ok(Selection {
            state: state.and_then(|word| StateKind::ALL.into_iter().find(|kind| kind.as_str() == word)),
            route,
            delivery,
            kind,
            reason,
            order_key,
            since: since.map(Timestamp::from_millis),
            until: until.map(Timestamp::from_millis),
        })
    }
}
