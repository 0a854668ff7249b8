//! The tables, and how their rows are numbered.

/// How many deliveries an event can have, replays to further lanes included.
pub(super) const SLOTS: i64 = 1024;

/// When a delivery is due that waits for another of its order key.
pub(super) const BLOCKED: i64 = i64::MAX;

/// Of an event `e`, in SQL: no delivery needs it.
pub(super) const NO_DELIVERY: &str =
    "NOT EXISTS (SELECT 1 FROM pending WHERE row BETWEEN e.row * 1024 AND e.row * 1024 + 1023)
    AND NOT EXISTS (SELECT 1 FROM dead WHERE row BETWEEN e.row * 1024 AND e.row * 1024 + 1023)
    AND NOT EXISTS (SELECT 1 FROM done WHERE row BETWEEN e.row * 1024 AND e.row * 1024 + 1023)";

/// The numbers of all deliveries that the event of this number can have.
pub(super) const fn slots(event: i64) -> (i64, i64) {
    (event * SLOTS, event * SLOTS + SLOTS - 1)
}

/// The number of the event of a delivery.
pub(super) const fn event_of(row: i64) -> i64 {
    row / SLOTS
}

/// No column references another table: a delivery must be movable to `dead` though its event is gone.
pub(super) const TABLES: &str = "
CREATE TABLE lanes (
    row INTEGER PRIMARY KEY, route TEXT NOT NULL, delivery TEXT NOT NULL, UNIQUE (route, delivery)
) STRICT;
CREATE TABLE lane_counts (
    row INTEGER PRIMARY KEY,
    accepted INTEGER NOT NULL DEFAULT 0, delivered INTEGER NOT NULL DEFAULT 0, dead INTEGER NOT NULL DEFAULT 0,
    pending INTEGER NOT NULL DEFAULT 0, purged INTEGER NOT NULL DEFAULT 0, lost INTEGER NOT NULL DEFAULT 0,
    replayed INTEGER NOT NULL DEFAULT 0, kept INTEGER NOT NULL DEFAULT 0,
    pending_bytes INTEGER NOT NULL DEFAULT 0, dead_bytes INTEGER NOT NULL DEFAULT 0,
    kept_bytes INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE route_counts (
    row INTEGER PRIMARY KEY, route TEXT NOT NULL UNIQUE,
    received INTEGER NOT NULL DEFAULT 0, accepted INTEGER NOT NULL DEFAULT 0, filtered INTEGER NOT NULL DEFAULT 0,
    duplicate INTEGER NOT NULL DEFAULT 0, invalid INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE requests (
    row INTEGER PRIMARY KEY, id BLOB NOT NULL, received_at INTEGER NOT NULL,
    method TEXT NOT NULL, path TEXT NOT NULL, query TEXT NOT NULL, path_params TEXT NOT NULL,
    headers TEXT NOT NULL, evidence TEXT NOT NULL, sum INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE TABLE events (
    row INTEGER PRIMARY KEY, request INTEGER NOT NULL, key BLOB NOT NULL,
    id TEXT NOT NULL, source TEXT NOT NULL, type TEXT NOT NULL, subject TEXT, time TEXT,
    provider TEXT NOT NULL, route TEXT NOT NULL, data_start INTEGER NOT NULL, data_length INTEGER NOT NULL,
    sum INTEGER NOT NULL
) STRICT;
CREATE TABLE keys (
    key BLOB NOT NULL, event INTEGER NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (key, event)
) STRICT, WITHOUT ROWID;
CREATE TABLE pending (
    row INTEGER PRIMARY KEY, id BLOB NOT NULL, lane INTEGER NOT NULL, due_at INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL, replayed_at INTEGER, attempts INTEGER NOT NULL, size INTEGER NOT NULL,
    sum INTEGER NOT NULL, key TEXT, history TEXT
) STRICT;
CREATE INDEX pending_by_due ON pending (lane, due_at, row);
CREATE INDEX pending_by_key ON pending (lane, key, due_at, row) WHERE key IS NOT NULL;
CREATE TABLE dead (
    row INTEGER PRIMARY KEY, id BLOB NOT NULL, lane INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL, replayed_at INTEGER, attempts INTEGER NOT NULL, size INTEGER NOT NULL,
    sum INTEGER NOT NULL, key TEXT, history TEXT, reason TEXT NOT NULL, died_at INTEGER NOT NULL
) STRICT;
CREATE TABLE done (
    row INTEGER PRIMARY KEY, id BLOB NOT NULL, lane INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL, replayed_at INTEGER, attempts INTEGER NOT NULL, size INTEGER NOT NULL,
    sum INTEGER NOT NULL, key TEXT, history TEXT, began_at INTEGER NOT NULL, took INTEGER NOT NULL, status INTEGER,
    keep_until INTEGER NOT NULL
) STRICT;
CREATE INDEX done_by_end ON done (keep_until);
CREATE TABLE packs (
    row INTEGER PRIMARY KEY, last INTEGER NOT NULL, ends_from INTEGER NOT NULL, ends_until INTEGER NOT NULL,
    bytes INTEGER NOT NULL, sum INTEGER NOT NULL, entries_sum INTEGER NOT NULL, contents BLOB NOT NULL,
    entries BLOB NOT NULL
) STRICT;
CREATE INDEX packs_by_end ON packs (ends_from);
CREATE TABLE parked (
    lane INTEGER NOT NULL, key TEXT NOT NULL, behind INTEGER NOT NULL, since INTEGER NOT NULL,
    PRIMARY KEY (lane, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE jobs (
    row INTEGER PRIMARY KEY, action TEXT NOT NULL, selection TEXT NOT NULL, state TEXT NOT NULL,
    began_at INTEGER NOT NULL, done_at INTEGER, behind INTEGER NOT NULL, examined INTEGER NOT NULL,
    total INTEGER NOT NULL, changed INTEGER NOT NULL
) STRICT;
CREATE TABLE numbers (
    row INTEGER PRIMARY KEY, next_event INTEGER NOT NULL, lost INTEGER NOT NULL, journal INTEGER NOT NULL
) STRICT;
INSERT INTO numbers (row, next_event, lost, journal) VALUES (1, 1, 0, 0);
CREATE TABLE probe (row INTEGER PRIMARY KEY, filler BLOB NOT NULL) STRICT;
";

/// What is new in format 5. The index is as coarse as the module `keys` says, and holds all that is asked of it.
pub(super) const KEY_TABLES: &str = "
CREATE INDEX keys_by_until ON keys (until >> 13, key, event, until) WHERE until > 0;
CREATE TABLE key_runs (row INTEGER PRIMARY KEY, sum INTEGER NOT NULL, entries BLOB NOT NULL) STRICT;
CREATE TABLE key_marks (row INTEGER PRIMARY KEY, run INTEGER NOT NULL) STRICT;
";

/// A table that has row numbers.
pub(super) struct RowTable {
    pub(super) name: &'static str,
    /// Its columns but the row.
    pub(super) columns: &'static str,
}

/// The tables that have row numbers and are worth salvaging, those that others need first.
pub(super) const ROW_TABLES: [RowTable; 13] = [
    RowTable { name: "lanes", columns: "route, delivery" },
    RowTable {
        name: "lane_counts",
        columns: "accepted, delivered, dead, pending, purged, lost, replayed, kept, pending_bytes, dead_bytes, kept_bytes",
    },
    RowTable { name: "route_counts", columns: "route, received, accepted, filtered, duplicate, invalid" },
    RowTable { name: "numbers", columns: "next_event, lost, journal" },
    RowTable {
        name: "requests",
        columns: "id, received_at, method, path, query, path_params, headers, evidence, sum, body",
    },
    RowTable {
        name: "events",
        columns: "request, key, id, source, type, subject, time, provider, route, data_start, data_length, sum",
    },
    RowTable {
        name: "pending",
        columns: "id, lane, due_at, accepted_at, replayed_at, attempts, size, sum, key, history",
    },
    RowTable {
        name: "dead",
        columns: "id, lane, accepted_at, replayed_at, attempts, size, sum, key, history, reason, died_at",
    },
    RowTable {
        name: "done",
        columns: "id, lane, accepted_at, replayed_at, attempts, size, sum, key, history, began_at, took, status, keep_until",
    },
    RowTable { name: "packs", columns: "last, ends_from, ends_until, bytes, sum, entries_sum, contents, entries" },
    RowTable { name: "key_runs", columns: "sum, entries" },
    RowTable { name: "key_marks", columns: "run" },
    RowTable { name: "jobs", columns: "action, selection, state, began_at, done_at, behind, examined, total, changed" },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_events_deliveries_stand_together_and_apart_from_others() {
        assert_eq!((slots(7), slots(8).0), ((7168, 8191), 8192));
        assert!([7168, 8000, 8191].into_iter().all(|row| event_of(row) == 7));
    }
}
