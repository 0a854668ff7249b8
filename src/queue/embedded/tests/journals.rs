use std::fs;

use rusqlite::Connection;

use super::super::Embedded;
use super::super::command::{Command, Reply};
use super::{Home, open};
use crate::model::Timestamp;
use crate::queue::conformance::Bench;
use crate::queue::conformance::sample::{self, Wanted, failure, lane, success};
use crate::queue::{Admission, Append, Archive, Lease, Leased, Queue};

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);

/// One event, whose key is remembered for an hour.
fn remembered(key: &str) -> Append {
    sample::append(&[Wanted::new(key, &[lane("crm")]).remembered(NOW.after(HOUR))])
}

/// A home whose lane and route are known, so that what comes is simple, with nothing waiting.
async fn ready() -> Home {
    let home = Home::new();
    let lease = home.queue.append(remembered("first")).await.unwrap().leases.pop().unwrap();
    home.queue.ack(lease, success(1), None).await.unwrap();
    home.queue.oldest_pending().await.unwrap();
    home
}

async fn accept(home: &Home, key: &str) -> Lease {
    home.queue.append(remembered(key)).await.unwrap().leases.pop().unwrap()
}

fn count(home: &Home, table: &str) -> i64 {
    let database = Connection::open(home.directory.path().join("queue.db")).unwrap();
    database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

async fn due(queue: &Embedded) -> Vec<(String, u32)> {
    let leased = queue.lease(&lane("crm"), usize::MAX, NOW).await.unwrap();
    leased.leases.iter().map(|lease| (lease.event.id().to_owned(), lease.attempts)).collect()
}

#[tokio::test]
async fn what_was_delivered_before_it_got_to_the_tables_leaves_its_key_there_alone() {
    let home = ready().await;
    let (one, other, kept) = (accept(&home, "a").await, accept(&home, "b").await, accept(&home, "c").await);
    assert_eq!(count(&home, "events"), 0, "they are in the journal");
    home.queue.ack(one, success(1), None).await.unwrap();
    home.queue.ack(kept, success(1), Some(NOW.after(HOUR))).await.unwrap();
    home.queue.oldest_pending().await.unwrap();
    assert_eq!((count(&home, "keys"), count(&home, "events"), count(&home, "requests")), (4, 1, 1));
    assert_eq!((count(&home, "pending"), count(&home, "done"), count(&home, "packs")), (1, 0, 1));
    for key in ["first", "a", "b", "c"] {
        assert_eq!(home.queue.append(remembered(key)).await.unwrap().admissions, [Admission::Duplicate], "{key}");
    }
    let ledger = home.queue.ledger();
    let counts = ledger.lane(&lane("crm"));
    assert_eq!((counts.accepted, counts.delivered, counts.pending, counts.kept), (4, 3, 1, 1));
    assert!(home.queue.audit().await.unwrap().is_clean());
    drop(other);
}

#[tokio::test]
async fn what_is_in_the_journal_outlives_a_crash_with_what_became_of_it() {
    let mut home = ready().await;
    let (made, again, waiting) = (accept(&home, "a").await, accept(&home, "b").await, accept(&home, "c").await);
    home.queue.ack(made, success(1), Some(NOW.after(HOUR))).await.unwrap();
    home.queue.retry_at(again, NOW, failure(1)).await.unwrap();
    let before = home.queue.ledger();
    home.crash().await;
    assert_eq!(home.queue.ledger(), before);
    assert_eq!(due(&home.queue).await, [("b".to_owned(), 1), ("c".to_owned(), 0)]);
    for key in ["a", "b", "c"] {
        assert_eq!(home.queue.append(remembered(key)).await.unwrap().admissions, [Admission::Duplicate], "{key}");
    }
    assert!(home.queue.audit().await.unwrap().is_clean());
    drop(waiting);
    // Once more, now that all of it is in the tables: nothing is entered twice.
    let before = home.queue.ledger();
    home.crash().await;
    assert_eq!(home.queue.ledger(), before);
    assert!(home.queue.audit().await.unwrap().is_clean());
}

#[tokio::test]
async fn what_became_of_deliveries_in_the_tables_outlives_a_crash_too() {
    let mut home = ready().await;
    for key in ["a", "b", "c"] {
        drop(accept(&home, key).await);
    }
    let mut leases = home.queue.lease(&lane("crm"), 3, NOW).await.unwrap().leases.into_iter();
    home.queue.ack(leases.next().unwrap(), success(1), None).await.unwrap();
    home.queue.retry_at(leases.next().unwrap(), NOW, failure(1)).await.unwrap();
    home.crash().await;
    assert_eq!(due(&home.queue).await, [("b".to_owned(), 1), ("c".to_owned(), 0)]);
    assert!(home.queue.audit().await.unwrap().is_clean());
}

#[tokio::test]
async fn what_is_being_stored_outlives_a_crash_with_what_came_after() {
    for stored_meanwhile in [false, true] {
        let mut home = ready().await;
        let (made, again, kept) = (accept(&home, "a").await, accept(&home, "b").await, accept(&home, "c").await);
        home.hold_still(true).await;
        // Their events are in one file, what becomes of them in the other.
        home.queue.ack(made, success(1), None).await.unwrap();
        home.queue.retry_at(again, NOW, failure(1)).await.unwrap();
        home.queue.ack(kept, success(1), Some(NOW.after(HOUR))).await.unwrap();
        drop(accept(&home, "d").await);
        assert_eq!(home.queue.append(remembered("a")).await.unwrap().admissions, [Admission::Duplicate]);
        if stored_meanwhile {
            home.queue.oldest_pending().await.unwrap();
        }
        let before = home.queue.ledger();
        home.crash().await;
        assert_eq!(home.queue.ledger(), before);
        assert_eq!(due(&home.queue).await, [("b".to_owned(), 1), ("d".to_owned(), 0)]);
        for key in ["a", "b", "c", "d"] {
            assert_eq!(home.queue.append(remembered(key)).await.unwrap().admissions, [Admission::Duplicate], "{key}");
        }
        assert_eq!(home.queue.event("c").await.unwrap().len(), 1);
        assert!(home.queue.audit().await.unwrap().is_clean());
    }
}

#[tokio::test]
async fn a_database_that_does_not_know_its_journal_reads_both_files_of_it() {
    let mut home = ready().await;
    drop(accept(&home, "a").await);
    home.hold_still(true).await;
    drop(accept(&home, "b").await);
    home.crash().await;
    let image = tempfile::tempdir().unwrap();
    let (crashed, _queue) = home.crashed.pop().unwrap();
    for name in ["journal", "journal-2", "queue.db", "queue.db-wal"] {
        fs::copy(crashed.path().join(name), image.path().join(name)).unwrap();
    }
    Connection::open(image.path().join("queue.db")).unwrap().execute("UPDATE numbers SET journal = -1", []).unwrap();
    let queue = open(image.path(), &home.clock);
    assert_eq!(due(&queue).await, [("a".to_owned(), 0), ("b".to_owned(), 0)]);
}

#[tokio::test]
async fn what_is_in_memory_is_leased_from_there_also_where_the_tables_cannot_take_it() {
    for stuck in [false, true] {
        let home = ready().await;
        let later = NOW.after(HOUR);
        drop(accept(&home, "a").await);
        let held = accept(&home, "b").await;
        for (key, at) in [("c", NOW), ("d", later)] {
            let again = accept(&home, key).await;
            home.queue.retry_at(again, at, failure(1)).await.unwrap();
        }
        let set_stuck = |reply: Reply<()>| {
            Command::Work(Box::new(move |desk| {
                desk.journal.stuck = stuck;
                drop(reply.send(Ok(())));
            }))
        };
        home.queue.ask(set_stuck).await.unwrap();
        let Leased { leases, next_due } = home.queue.lease(&lane("crm"), 10, NOW).await.unwrap();
        let seen: Vec<_> = leases.iter().map(|lease| (lease.event.id(), lease.attempts)).collect();
        assert_eq!((seen, next_due), (vec![("a", 0), ("c", 1)], Some(later)));
        assert!(home.queue.lease(&lane("crm"), 10, NOW).await.unwrap().leases.is_empty(), "nothing is leased twice");
        assert!(home.queue.claims.unstored.any(), "nothing was stored for that");
        for lease in leases {
            home.queue.ack(lease, success(2), None).await.unwrap();
        }
        drop(held);
        assert_eq!(due(&home.queue).await, [("b".to_owned(), 0)]);
        assert!(home.queue.audit().await.unwrap().is_clean());
    }
}

#[tokio::test]
async fn a_lease_has_so_many_as_it_may_and_says_that_there_are_more() {
    let home = ready().await;
    for key in ["a", "b", "c", "d"] {
        drop(accept(&home, key).await);
        if key == "b" {
            home.queue.store_recent().await;
        }
    }
    for seen in [&["a", "b"][..], &["a"], &["a", "b", "c"]] {
        let Leased { leases, next_due } = home.queue.lease(&lane("crm"), seen.len(), NOW).await.unwrap();
        let ids: Vec<_> = leases.iter().map(|lease| lease.event.id()).collect();
        assert_eq!((&*ids, next_due), (seen, Some(NOW)), "of two in the tables and two in memory");
    }
    let Leased { leases, next_due } = home.queue.lease(&lane("crm"), 4, NOW).await.unwrap();
    assert_eq!((leases.len(), next_due), (4, None));
}

#[tokio::test]
async fn what_was_put_off_since_it_was_stored_is_leased_at_its_time() {
    let home = ready().await;
    let later = NOW.after(HOUR);
    drop(accept(&home, "a").await);
    home.queue.store_recent().await;
    for (attempts, at) in [(0, NOW), (1, later)] {
        let Leased { mut leases, .. } = home.queue.lease(&lane("crm"), 10, NOW).await.unwrap();
        let lease = leases.pop().unwrap();
        assert_eq!(lease.attempts, attempts);
        home.queue.retry_at(lease, at, failure(attempts + 1)).await.unwrap();
    }
    let found = home.queue.lease(&lane("crm"), 10, NOW).await.unwrap();
    assert!(found.leases.is_empty() && found.next_due == Some(later));
    assert_eq!(home.queue.lease(&lane("crm"), 10, later).await.unwrap().leases[0].attempts, 2);
}

#[tokio::test]
async fn a_damaged_record_costs_its_own_group_and_is_counted() {
    let home = ready().await;
    let mut ends = Vec::new();
    for key in ["a", "b", "c"] {
        drop(accept(&home, key).await);
        ends.push(fs::read(home.directory.path().join("journal")).unwrap().len());
    }
    let image = tempfile::tempdir().unwrap();
    for name in ["queue.db", "queue.db-wal", "journal", "head"] {
        fs::copy(home.directory.path().join(name), image.path().join(name)).unwrap();
    }
    let path = image.path().join("journal");
    let mut bytes = fs::read(&path).unwrap();
    bytes[(ends[0] + ends[1]) / 2] ^= 1;
    fs::write(&path, bytes).unwrap();
    let queue = open(image.path(), &home.clock);
    assert_eq!(due(&queue).await, [("a".to_owned(), 0), ("c".to_owned(), 0)]);
    assert_eq!(queue.ledger().lost, 1);
    // Its key is not burnt: the provider may send it again.
    assert_eq!(queue.append(remembered("b")).await.unwrap().admissions, [Admission::Accepted]);
}

#[tokio::test]
async fn a_database_that_does_not_know_its_journal_any_more_takes_what_it_has_not() {
    let mut home = ready().await;
    for key in ["a", "b"] {
        drop(accept(&home, key).await);
    }
    home.crash().await;
    home.queue.oldest_pending().await.unwrap();
    // As after a salvage: the epoch is lost, and what the journal holds is in the tables already, but for one.
    home.queue.close().await.unwrap();
    let database = Connection::open(home.directory.path().join("queue.db")).unwrap();
    database
        .execute_batch(
            "UPDATE numbers SET journal = -1;
             DELETE FROM keys WHERE event = (SELECT max(row) FROM events);
             DELETE FROM pending WHERE row = (SELECT max(row) FROM pending);
             DELETE FROM requests WHERE row = (SELECT max(row) FROM requests);
             DELETE FROM events WHERE row = (SELECT max(row) FROM events);
             UPDATE lane_counts SET accepted = accepted - 1, pending = pending - 1;",
        )
        .unwrap();
    drop(database);
    let queue = open(home.directory.path(), &home.clock);
    assert_eq!(due(&queue).await, [("a".to_owned(), 0), ("b".to_owned(), 0)]);
}

#[tokio::test]
async fn an_audit_of_a_stopped_home_counts_what_is_in_the_journal() {
    let mut home = ready().await;
    drop(accept(&home, "a").await);
    home.crash().await;
    let (directory, _queue) = home.crashed.pop().unwrap();
    let image = tempfile::tempdir().unwrap();
    for name in ["journal", "queue.db", "queue.db-wal"] {
        fs::copy(directory.path().join(name), image.path().join(name)).unwrap();
    }
    let audit = Embedded::audit_stopped(image.path()).unwrap();
    assert!(audit.is_clean());
    assert_eq!(audit.ledger.lane(&lane("crm")).pending, 1);
}
