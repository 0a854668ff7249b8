use std::time::Duration;

use rusqlite::Connection;

use super::super::Embedded;
use super::{Home, open};
use crate::model::{DeliveryId, Timestamp};
use crate::queue::conformance::sample::{self, failure, lane, success};
use crate::queue::{Archive, Control, Queue, Selection, StateKind};

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// A home of which these events were delivered, and are kept so long, in one pack.
async fn packed(kept: &[(&str, Duration)]) -> Home {
    let home = Home::new();
    // Whose lane is new goes to the tables.
    deliver(&home, "first", None).await;
    for (key, retain) in kept {
        deliver(&home, key, Some(*retain)).await;
    }
    home.queue.oldest_pending().await.unwrap();
    assert_eq!((count(&home, "packs"), count(&home, "done")), (1, 0));
    home
}

async fn deliver(home: &Home, key: &str, retain: Option<Duration>) {
    let lease = home.queue.append(sample::one(key, &[lane("crm")])).await.unwrap().leases.pop().unwrap();
    home.queue.ack(lease, success(1), retain.map(|retain| NOW.after(retain))).await.unwrap();
}

fn database(home: &Home) -> Connection {
    Connection::open(home.directory.path().join("queue.db")).unwrap()
}

fn count(home: &Home, table: &str) -> i64 {
    database(home).query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

async fn delivered(queue: &Embedded) -> Vec<(String, DeliveryId)> {
    let selection = Selection { state: Some(StateKind::Delivered), ..Selection::default() };
    let page = queue.deliveries(selection, None, 100).await.unwrap();
    page.entries.into_iter().map(|record| (record.event.id.to_string(), record.id)).collect()
}

async fn names(queue: &Embedded) -> Vec<String> {
    delivered(queue).await.into_iter().map(|(name, _)| name).collect()
}

#[tokio::test]
async fn what_is_packed_is_listed_and_replayed_out_of_it() {
    let home = Home::new();
    deliver(&home, "first", None).await;
    let lease = home.queue.append(sample::one("a", &[lane("crm")])).await.unwrap().leases.pop().unwrap();
    home.queue.retry_at(lease, NOW, failure(1)).await.unwrap();
    deliver(&home, "b", Some(DAY)).await;
    home.hold_still(false).await;
    assert_eq!(names(&home.queue).await, ["b"]);
    let (_, id) = delivered(&home.queue).await.pop().unwrap();
    assert_eq!(home.queue.delivery(id).await.unwrap().unwrap().attempts, 1);
    assert!(home.queue.replay(id, NOW).await.unwrap().unwrap().replayed);
    assert_eq!((count(&home, "packs"), count(&home, "done")), (0, 0));
    let leased = home.queue.lease(&lane("crm"), 10, NOW).await.unwrap().leases;
    assert_eq!(leased.iter().map(|lease| lease.event.id()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(home.queue.audit().await.unwrap().is_clean());
}

#[tokio::test]
async fn a_replay_leaves_the_others_of_its_pack_as_they_were() {
    let home = packed(&[("a", DAY), ("b", DAY), ("c", DAY)]).await;
    let before = home.queue.event("c").await.unwrap();
    let (_, id) = delivered(&home.queue).await.into_iter().find(|(name, _)| name == "b").unwrap();
    home.queue.replay(id, NOW).await.unwrap().unwrap();
    assert_eq!((count(&home, "packs"), count(&home, "done")), (0, 2));
    assert_eq!(names(&home.queue).await, ["c", "a"]);
    let after = home.queue.event("c").await.unwrap();
    assert_eq!(after[0].deliveries, before[0].deliveries);
    assert!(home.queue.audit().await.unwrap().is_clean());
}

#[tokio::test]
async fn a_pack_goes_whole_when_all_of_it_was_kept_long_enough() {
    let home = packed(&[("a", MINUTE), ("b", MINUTE)]).await;
    assert_eq!(home.queue.forget(NOW).await.unwrap().delivered, 0);
    assert_eq!(home.queue.forget(NOW.after(MINUTE)).await.unwrap().delivered, 2);
    assert_eq!((count(&home, "packs"), count(&home, "done"), count(&home, "keys")), (0, 0, 0));
    assert!(home.queue.audit().await.unwrap().is_clean());
}

#[tokio::test]
async fn of_a_pack_with_several_ends_each_goes_at_its_own() {
    let home = packed(&[("a", MINUTE), ("b", DAY)]).await;
    assert_eq!(home.queue.forget(NOW.after(MINUTE)).await.unwrap().delivered, 1);
    assert_eq!(names(&home.queue).await, ["b"]);
    assert!(home.queue.audit().await.unwrap().is_clean());
}

#[tokio::test]
async fn a_damaged_pack_hides_nothing_else_and_a_salvage_drops_it_alone() {
    for altered in ["entries = zeroblob(length(entries))", "contents = zeroblob(length(contents))", "last = last + 5"] {
        let home = packed(&[("a", DAY), ("b", DAY)]).await;
        deliver(&home, "c", Some(DAY)).await;
        home.queue.oldest_pending().await.unwrap();
        database(&home)
            .execute(&format!("UPDATE packs SET {altered} WHERE row = (SELECT min(row) FROM packs)"), [])
            .unwrap();
        let shown = names(&home.queue).await;
        assert!(shown.contains(&"c".to_owned()), "{altered}: {shown:?}");
        home.queue.close().await.unwrap();
        std::fs::write(home.directory.path().join("queue.db.damaged"), "").unwrap();
        let queue = open(home.directory.path(), &home.clock);
        assert_eq!(names(&queue).await, ["c"], "{altered}");
        assert_eq!(queue.ledger().lane(&lane("crm")).kept, 1, "{altered}");
        assert!(queue.audit().await.unwrap().is_clean(), "{altered}");
    }
}

#[tokio::test]
async fn a_damaged_pack_goes_when_its_time_has_come() {
    for altered in ["entries = zeroblob(length(entries))", "contents = zeroblob(length(contents))"] {
        let home = packed(&[("a", MINUTE)]).await;
        database(&home).execute(&format!("UPDATE packs SET {altered}"), []).unwrap();
        home.queue.forget(NOW.after(DAY)).await.unwrap();
        assert_eq!(count(&home, "packs"), 0, "{altered}");
    }
}

#[tokio::test]
async fn a_job_replays_what_is_packed_and_leaves_packs_of_other_lanes_closed() {
    use crate::queue::{Action, JobState};

    let home = packed(&[("a", DAY), ("b", DAY)]).await;
    for (delivery, changed, packs) in [("other", 0, 1), ("crm", 2, 0)] {
        let selection =
            Selection { state: Some(StateKind::Delivered), delivery: Some(delivery.into()), ..Selection::default() };
        let job = home.queue.begin(Action::Replay, selection, NOW.after(MINUTE)).await.unwrap();
        let step = home.queue.step(job.id, NOW.after(MINUTE)).await.unwrap().unwrap();
        assert_eq!((step.job.changed, step.job.state), (changed, JobState::Done), "{delivery}");
        assert_eq!(count(&home, "packs"), packs, "{delivery}");
    }
    assert!(home.queue.audit().await.unwrap().is_clean());
}
