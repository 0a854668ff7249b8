//! Packs after rows were lost.

use rusqlite::{Connection, OptionalExtension};

use super::super::failure::is_damage;
use super::contents;
use super::open::{delete, open};

/// Leaves no pack that cannot be read, none of which an event has rows too, and none of a lane that was lost.
pub(in super::super) fn mend(to: &Connection) -> rusqlite::Result<()> {
    let mut statement = to.prepare("SELECT row FROM packs")?;
    let rows: Vec<i64> = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut lost = 0_u64;
    for row in rows {
        match mend_pack(to, row) {
            Err(error) if is_damage(&error) => {
                lost += 1;
                delete(to, row)?;
            }
            result => result?,
        }
    }
    if lost > 0 {
        tracing::error!(lost, "packs of events that were delivered are lost: their records are damaged");
    }
    Ok(())
}

fn mend_pack(to: &Connection, row: i64) -> rusqlite::Result<()> {
    let head = contents::in_row(to, row)?;
    contents::entries(to, row)?;
    let exists = |sql: &str, row: i64| -> rusqlite::Result<bool> {
        to.prepare_cached(sql)?.query_row([row], |_| Ok(())).optional().map(|found| found.is_some())
    };
    for member in &head.contents.members {
        // A damaged page may show what was before the pack was opened.
        if exists("SELECT 1 FROM events WHERE row = ?1", member.event)? {
            return open(to, row);
        }
    }
    for share in &head.contents.shares {
        if !exists("SELECT 1 FROM lanes WHERE row = ?1", share.lane)? {
            return open(to, row);
        }
    }
    Ok(())
}
