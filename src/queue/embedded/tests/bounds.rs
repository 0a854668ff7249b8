use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::{Embedded, Options};
use super::open;
use crate::model::Lane;
use crate::model::{Attempt, ManualClock, Reason, Request, Timestamp};
use crate::queue::conformance::sample::{self, Wanted, failure, lane, success};
use crate::queue::{Admission, Append, Archive, Lease, NewDelivery, Queue, QueueError, Retired};

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(NOW))
}

/// A home that may grow to half a megabyte.
fn small() -> (TempDir, Arc<Embedded>) {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { max_size: Some(528 << 10), reserve: 0, ..Options::new(directory.path()) };
    let queue = Embedded::open(options, clock()).unwrap();
    (directory, queue)
}

/// A request with one event, and a body of `size` bytes.
fn sized(key: &str, size: usize) -> Append {
    let mut batch = sample::one(key, &[lane("crm")]);
    let mut body = batch.request.body.to_vec();
    body.resize(size.max(body.len()), b' ');
    batch.request = Arc::new(Request { body: Bytes::from(body), ..Request::clone(&batch.request) });
    batch
}

fn to(lane: Lane) -> NewDelivery {
    NewDelivery { lane, order_key: None }
}

async fn fill(queue: &Embedded, size: usize) -> Vec<Lease> {
    let mut leases = Vec::new();
    for n in 0.. {
        match queue.append(sized(&format!("fill-{size}-{n}"), size)).await {
            Ok(appended) => leases.extend(appended.leases),
            Err(QueueError::Full { .. }) => break,
            Err(error) => panic!("{error}"),
        }
    }
    leases
}

#[tokio::test]
async fn a_full_store_refuses_whole_requests_and_takes_them_again_when_there_is_room() {
    let (directory, queue) = small();
    let mut leases = fill(&queue, 20_000).await;
    assert!(leases.len() > 10);
    assert!(matches!(queue.health(), Err(QueueError::Full { .. })));
    // Part of it would fit: nothing of it is kept, and its keys are not burnt.
    let until = NOW.after(std::time::Duration::from_secs(60));
    let mut batch = sized("late", 60_000);
    batch.events.iter_mut().for_each(|new| new.remember_until = Some(until));
    assert!(matches!(queue.append(batch).await, Err(QueueError::Full { .. })));
    assert_eq!(queue.ledger().pending(), leases.len() as u64);
    for lease in leases.drain(..8) {
        queue.ack(lease, success(1), None).await.unwrap();
    }
    let mut batch = sized("late", 60_000);
    batch.events.iter_mut().for_each(|new| new.remember_until = Some(until));
    assert_eq!(queue.append(batch).await.unwrap().admissions, [Admission::Accepted]);
    queue.health().unwrap();
    let kept = leases.len() as u64 + 1;
    drop(leases);
    queue.close().await.unwrap();
    assert_eq!(open(directory.path(), &clock()).ledger().pending(), kept);
}

#[tokio::test]
async fn one_request_that_does_not_fit_takes_none_of_its_group_with_it() {
    let (_directory, queue) = small();
    let appends = (0..60).map(|n| {
        let size = if n == 30 { 2 << 20 } else { 100 };
        queue.append(sized(&format!("e{n}"), size))
    });
    let results = join_all(appends).await;
    for (n, result) in results.iter().enumerate() {
        assert_eq!(result.is_err(), n == 30, "request {n} gave {result:?}");
    }
    // Those of the group that was rolled back were claimed twice, and given back once.
    drop(results);
    assert_eq!(queue.lease(&lane("crm"), 100, NOW).await.unwrap().leases.len(), 59);
}

#[tokio::test]
async fn an_outcome_that_finds_no_room_is_kept_until_there_is() {
    let (directory, queue) = small();
    let bulk = fill(&queue, 20_000).await;
    let mut leases = fill(&queue, 100).await;
    let last = leases.split_off(leases.len() / 2);
    let attempt = Attempt { detail: "x".repeat(Attempt::DETAIL_LIMIT).into(), ..failure(1) };
    let count = last.len();
    let later = NOW.after(std::time::Duration::from_secs(60));
    let retries = join_all(last.into_iter().map(|lease| queue.retry_at(lease, later, attempt.clone())));
    tokio::pin!(retries);
    // Asked after them, answered after each was tried.
    tokio::select! {
        biased;
        _ = &mut retries => panic!("there is room for {count} histories: the test shows nothing"),
        refused = queue.append(sized("late", 20_000)) => assert!(refused.is_err()),
    }
    for lease in bulk {
        queue.ack(lease, success(1), None).await.unwrap();
    }
    assert!(retries.await.iter().all(Result::is_ok));
    drop(leases);
    queue.close().await.unwrap();
    let leased = open(directory.path(), &clock()).lease(&lane("crm"), usize::MAX, later).await.unwrap();
    assert_eq!(leased.leases.iter().filter(|lease| lease.attempts == 1).count(), count);
}

#[tokio::test]
async fn a_retry_that_finds_no_room_is_let_go_when_its_time_has_come() {
    let (_directory, queue) = small();
    let bulk = fill(&queue, 20_000).await;
    let leases = fill(&queue, 100).await;
    let attempt = Attempt { detail: "x".repeat(Attempt::DETAIL_LIMIT).into(), ..failure(1) };
    let refused = join_all(leases.into_iter().map(|lease| queue.retry_at(lease, NOW, attempt.clone()))).await;
    let refused = refused.into_iter().filter(Result::is_err).count();
    assert!(refused > 0, "there is room for all: the test shows nothing");
    // It is to be had again at once, though the disk is as full as it was.
    let again = queue.lease(&lane("crm"), usize::MAX, NOW).await.unwrap().leases;
    assert!(again.iter().filter(|lease| lease.attempts == 0).count() >= refused);
    drop(bulk);
}

#[tokio::test]
async fn an_outcome_that_finds_no_room_is_given_up_by_close_and_the_delivery_is_made_again() {
    let (directory, queue) = small();
    drop(fill(&queue, 20_000).await);
    let leases = fill(&queue, 100).await;
    let all = queue.ledger().pending();
    let attempt = Attempt { detail: "x".repeat(Attempt::DETAIL_LIMIT).into(), ..failure(1) };
    let later = NOW.after(std::time::Duration::from_secs(60));
    let retries = join_all(leases.into_iter().map(|lease| queue.retry_at(lease, later, attempt.clone())));
    tokio::pin!(retries);
    tokio::select! {
        biased;
        _ = &mut retries => panic!("there is room for all: the test shows nothing"),
        refused = queue.append(sized("late", 20_000)) => assert!(refused.is_err()),
    }
    assert!(queue.close().await.is_err());
    assert!(retries.await.iter().any(Result::is_err));
    assert_eq!(open(directory.path(), &clock()).ledger().pending(), all);
}

#[tokio::test]
async fn nothing_is_left_of_what_was_delivered() {
    let directory = tempfile::tempdir().unwrap();
    let queue = open(directory.path(), &clock());
    let lanes = [lane("crm"), lane("erp")];
    let mut leases = Vec::new();
    for n in 0..40 {
        let mut batch = sized(&format!("e{n}"), 200_000);
        batch.events.iter_mut().for_each(|new| new.deliveries = lanes.clone().map(to).to_vec());
        leases.extend(queue.append(batch).await.unwrap().leases);
    }
    let path = directory.path().join("queue.db");
    let count = |table: &str| -> i64 {
        let database = Connection::open(&path).unwrap();
        database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    // Whoever looks finds what is recent in the tables.
    queue.oldest_pending().await.unwrap();
    assert_eq!((count("requests"), count("events"), count("pending")), (40, 40, 80));
    let (first, second): (Vec<_>, Vec<_>) = leases.into_iter().partition(|lease| lease.lane == lanes[0]);
    join_all(first.into_iter().map(|lease| queue.ack(lease, success(1), None)))
        .await
        .into_iter()
        .for_each(|settled| assert!(settled.unwrap().was_pending));
    queue.oldest_pending().await.unwrap();
    assert_eq!((count("requests"), count("events"), count("pending")), (40, 40, 40), "the other lane needs them");
    join_all(second.into_iter().map(|lease| queue.ack(lease, success(1), None)))
        .await
        .into_iter()
        .for_each(|settled| assert!(settled.unwrap().was_pending));
    queue.oldest_pending().await.unwrap();
    assert_eq!((count("requests"), count("events"), count("pending")), (0, 0, 0));
    queue.close().await.unwrap();
    let size = std::fs::metadata(&path).unwrap().len();
    assert!(size < 1 << 20, "{size} bytes are left of 8 MB");
    assert!(!directory.path().join("queue.db-wal").exists());
}

#[tokio::test]
async fn events_of_one_request_share_it_when_they_are_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let queue = open(directory.path(), &clock());
    let wanted: Vec<_> = (0..50).map(|n| Wanted::new(&format!("e{n}"), &[lane("crm")])).collect();
    drop(queue.append(sample::append(&wanted)).await.unwrap());
    let leases = queue.lease(&lane("crm"), 50, NOW).await.unwrap().leases;
    assert_eq!(leases.len(), 50);
    assert!(leases.iter().all(|lease| Arc::ptr_eq(lease.event.request(), leases[0].event.request())));
}

#[tokio::test]
async fn appends_that_come_together_share_commits() {
    let directory = tempfile::tempdir().unwrap();
    let queue = open(directory.path(), &clock());
    let registry = prometheus::Registry::new();
    queue.register(&registry).unwrap();
    let results = join_all((0..500).map(|n| queue.append(sized(&format!("e{n}"), 1_000)))).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(queue.ledger().pending(), 500);
    let families = registry.gather();
    let commits = families.iter().find(|family| family.name() == "hookswitch_queue_commits_total").unwrap();
    let commits = commits.get_metric()[0].get_counter().get_value();
    assert!((1.0..250.0).contains(&commits), "{commits} commits for 500 appends");
}

#[tokio::test]
async fn a_large_lane_is_retired_whole_while_appends_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let queue = open(directory.path(), &clock());
    for request in 0..13 {
        let wanted: Vec<_> = (0..100).map(|n| Wanted::new(&format!("e{request}-{n}"), &[lane("gone")])).collect();
        drop(queue.append(sample::append(&wanted)).await.unwrap());
    }
    let keep = [lane("crm")];
    let (retired, appended) = tokio::join!(queue.retire(&keep, NOW), queue.append(sample::one("new", &keep)));
    assert_eq!(retired.unwrap(), [Retired { lane: lane("gone"), reason: Reason::DeliveryRemoved, count: 1300 }]);
    assert_eq!(appended.unwrap().leases.len(), 1);
    let ledger = queue.ledger();
    assert_eq!((ledger.lane(&keep[0]).pending, ledger.lane(&lane("gone")).dead), (1, 1300));
}

#[tokio::test]
async fn an_append_that_nobody_waits_for_goes_on_and_leaves_no_claim() {
    let directory = tempfile::tempdir().unwrap();
    let queue = open(directory.path(), &clock());
    let mut append = queue.append(sample::one("a", &[lane("crm")]));
    // Polled once, so it is on its way; then the client has gone.
    tokio::select! {
        biased;
        _ = &mut append => {}
        () = std::future::ready(()) => {}
    }
    drop(append);
    queue.forget(NOW).await.unwrap();
    assert_eq!(queue.lease(&lane("crm"), 1, NOW).await.unwrap().leases.len(), 1);
}

#[tokio::test]
async fn what_waits_is_bounded_in_bytes_and_dead_letters_count() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { max_bytes: Some(300_000), reserve: 0, ..Options::new(directory.path()) };
    let queue = Embedded::open(options, clock()).unwrap();
    let mut leases = fill(&queue, 50_000).await;
    assert_eq!(leases.len(), 6, "each takes a little more than its body");
    assert!(matches!(queue.health(), Err(QueueError::Full { .. })));
    queue.count("orders".into(), crate::queue::Tally::default()).await.unwrap();
    let death = sample::death(Reason::Rejected, NOW);
    queue.dead_letter(leases.remove(0), death).await.unwrap();
    let error = queue.append(sized("late", 100)).await.unwrap_err();
    assert!(error.to_string().contains("queue.embedded.max_bytes"), "{error}");
    queue.ack(leases.remove(0), success(1), None).await.unwrap();
    assert_eq!(queue.append(sized("late", 100)).await.unwrap().admissions, [Admission::Accepted]);
    queue.health().unwrap();
    assert!(queue.audit().await.unwrap().is_clean());
}

#[tokio::test]
async fn what_waits_is_bounded_in_age() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), clock());
    let hour = std::time::Duration::from_secs(3600);
    let options = Options { max_age: Some(hour), reserve: 0, ..Options::new(directory.path()) };
    let queue = Embedded::open(options, Arc::<ManualClock>::clone(&clock)).unwrap();
    let lease = queue.append(sized("old", 100)).await.unwrap().leases.pop().unwrap();
    clock.advance(hour - std::time::Duration::from_secs(1));
    drop(queue.append(sized("young", 100)).await.unwrap());
    clock.advance(std::time::Duration::from_secs(1));
    let error = queue.append(sized("late", 100)).await.unwrap_err();
    assert!(error.to_string().contains("queue.embedded.max_age"), "{error}");
    queue.ack(lease, success(1), None).await.unwrap();
    clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(queue.append(sized("late", 100)).await.unwrap().admissions, [Admission::Accepted]);
}

#[tokio::test]
async fn what_was_delivered_gives_way_when_it_is_too_much() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { max_kept: 100_000, reserve: 0, ..Options::new(directory.path()) };
    let queue = Embedded::open(options, clock()).unwrap();
    let keep_until = |n: u64| Some(NOW.after(std::time::Duration::from_secs(60 + n)));
    for n in 0..20 {
        let lease = queue.append(sized(&format!("e{n}"), 10_000)).await.unwrap().leases.pop().unwrap();
        queue.ack(lease, success(1), keep_until(n)).await.unwrap();
    }
    queue.forget(NOW).await.unwrap();
    let counts = queue.ledger().lane(&lane("crm"));
    assert!(counts.kept_bytes <= 100_000 && counts.kept >= 8, "{counts:?}");
    assert!(queue.event("e0").await.unwrap().is_empty(), "the one to be kept the shortest goes first");
    assert_eq!(queue.event("e19").await.unwrap().len(), 1);
    assert!(queue.audit().await.unwrap().is_clean());
}

#[tokio::test]
async fn a_directory_is_audited_while_no_gateway_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let queue = open(directory.path(), &clock());
    let lease = queue.append(sized("a", 100)).await.unwrap().leases.pop().unwrap();
    assert!(matches!(Embedded::audit_stopped(directory.path()), Err(QueueError::InUse { .. })));
    queue.ack(lease, success(1), Some(NOW)).await.unwrap();
    queue.close().await.unwrap();
    let audit = Embedded::audit_stopped(directory.path()).unwrap();
    assert!(audit.is_clean());
    assert_eq!(audit.ledger.lane(&lane("crm")).delivered, 1);
    let database = Connection::open(directory.path().join("queue.db")).unwrap();
    database.execute("DELETE FROM done", []).unwrap();
    drop(database);
    assert!(!Embedded::audit_stopped(directory.path()).unwrap().is_clean());
    let nothing = tempfile::tempdir().unwrap();
    assert!(Embedded::audit_stopped(nothing.path()).is_err());
}

#[tokio::test]
async fn no_event_number_is_given_twice_not_even_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..3 {
        let queue = open(directory.path(), &clock());
        for n in 0..3 {
            let key = format!("e{round}-{n}");
            let lease = queue.append(sized(&key, 100)).await.unwrap().leases.pop().unwrap();
            assert!(seen.insert(queue.event(&key).await.unwrap()[0].number));
            queue.ack(lease, success(1), None).await.unwrap();
        }
        queue.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_lease_reads_no_more_bytes_than_it_may() {
    let directory = tempfile::tempdir().unwrap();
    let queue = open(directory.path(), &clock());
    for n in 0..10 {
        drop(queue.append(sized(&format!("e{n}"), 4 << 20)).await.unwrap());
    }
    let mut leased = 0;
    for _ in 0..3 {
        let part = queue.lease(&lane("crm"), 64, NOW).await.unwrap();
        assert!(part.leases.len() <= 5);
        assert_eq!(part.next_due.is_some(), leased + part.leases.len() < 10);
        leased += part.leases.len();
        for lease in part.leases {
            queue.ack(lease, success(1), None).await.unwrap();
        }
    }
    assert_eq!(leased, 10);
}
