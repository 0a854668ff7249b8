use std::time::Duration;

use rusqlite::{Connection, params};

use super::super::{Embedded, Options};
use super::{Home, open_with};
use crate::model::Timestamp;
use crate::queue::conformance::Bench;
use crate::queue::conformance::sample::{self, Wanted, lane, success};
use crate::queue::{Admission, Append, Archive, Forgotten, Queue};

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

fn remembered(key: &str, time: Duration) -> Append {
    sample::append(&[Wanted::new(key, &[lane("crm")]).remembered(NOW.after(time))])
}

/// Has an event accepted and delivered, and the storer store what came before.
async fn deliver(home: &Home, key: &str, time: Duration) {
    let lease = home.queue.append(remembered(key, time)).await.unwrap().leases.pop().unwrap();
    home.queue.ack(lease, success(1), None).await.unwrap();
    home.hold_still(false).await;
}

/// A home with these keys, and the one of an event that came first.
async fn home_of(max_young: usize, keys: &[String]) -> Home {
    let home = Home::open_with(|options| Options { max_recent: 1, max_young, ..options });
    // Whose lane is new goes to the tables, and its key where it stays.
    for key in ["first"].into_iter().chain(keys.iter().map(String::as_str)) {
        deliver(&home, key, DAY).await;
    }
    home
}

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("key-{number}")).collect()
}

fn database(home: &Home) -> Connection {
    Connection::open(home.directory.path().join("queue.db")).unwrap()
}

fn count(home: &Home, table: &str) -> i64 {
    database(home).query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

async fn assert_known(queue: &Embedded, keys: &[String]) {
    for key in keys {
        let appended = queue.append(remembered(key, DAY)).await.unwrap();
        assert_eq!(appended.admissions, [Admission::Duplicate], "{key}");
    }
}

#[tokio::test]
async fn a_key_is_known_while_it_is_young_and_once_it_is_merged_and_after_crashes() {
    let keys = keys(40);
    for (max_young, merged) in [(1000, 0..=0), (20, 10..=39), (0, 35..=39)] {
        let mut home = home_of(max_young, &keys).await;
        let in_table = count(&home, "keys") - 1;
        assert!(merged.contains(&in_table), "of at most {max_young} young keys {in_table} are merged");
        assert_known(&home.queue, &keys).await;
        home.crash().await;
        assert_known(&home.queue, &keys).await;
        home.queue.close().await.unwrap();
        home.queue = open_with(home.options.clone(), &home.clock);
        assert_known(&home.queue, &keys).await;
    }
}

#[tokio::test]
async fn runs_go_when_all_slices_are_merged_past_them() {
    // As many merges as there are slices.
    let home = home_of(0, &keys(600)).await;
    let runs = count(&home, "key_runs");
    assert!(runs < 300, "{runs} runs are left of 600");
    assert_known(&home.queue, &keys(600)).await;
}

#[tokio::test]
async fn a_young_key_is_forgotten_at_its_end_and_stays_forgotten() {
    let mut home = home_of(1000, &keys(3)).await;
    deliver(&home, "short", HOUR).await;
    assert_eq!(count(&home, "keys"), 1, "the others are young");
    let then = NOW.after(HOUR);
    home.clock.advance(HOUR);
    assert_eq!(home.queue.forget(then).await.unwrap(), Forgotten { keys: 1, delivered: 0 });
    home.crash().await;
    assert_eq!(home.queue.forget(then).await.unwrap(), Forgotten { keys: 0, delivered: 0 });
    assert_known(&home.queue, &keys(3)).await;
    let again = home.queue.append(remembered("short", DAY)).await.unwrap();
    assert_eq!(again.admissions, [Admission::Accepted]);
}

#[tokio::test]
async fn an_event_is_found_by_its_id_while_its_key_is_young() {
    let home = home_of(1000, &keys(1)).await;
    let lease = home.queue.append(sample::one("kept", &[lane("crm")])).await.unwrap().leases.pop().unwrap();
    let id = lease.id;
    home.queue.ack(lease, success(1), Some(NOW.after(HOUR))).await.unwrap();
    home.hold_still(false).await;
    assert_eq!(count(&home, "keys"), 1, "it is young");
    assert_eq!(home.queue.event("kept").await.unwrap().len(), 1);
    assert_eq!(home.queue.delivery(id).await.unwrap().map(|record| record.id), Some(id));
    // Once it is kept no longer, its key goes with it.
    home.queue.forget(NOW.after(HOUR)).await.unwrap();
    assert!(home.queue.event("kept").await.unwrap().is_empty());
    assert!(home.queue.append(sample::one("kept", &[lane("crm")])).await.unwrap().admissions == [Admission::Accepted]);
}

#[tokio::test]
async fn a_run_that_was_altered_costs_its_own_keys() {
    let keys = keys(5);
    let home = home_of(1000, &keys).await;
    home.queue.close().await.unwrap();
    let middle: i64 = database(&home)
        .query_row("SELECT row FROM key_runs ORDER BY row LIMIT 1 OFFSET 2", [], |row| row.get(0))
        .unwrap();
    database(&home)
        .execute("UPDATE key_runs SET entries = zeroblob(length(entries)) WHERE row = ?1", params![middle])
        .unwrap();
    let queue = open_with(home.options.clone(), &home.clock);
    let others: Vec<_> = keys.iter().enumerate().filter(|(place, _)| *place != 2).map(|(_, key)| key.clone()).collect();
    assert_known(&queue, &others).await;
    let lost = queue.append(remembered(&keys[2], DAY)).await.unwrap();
    assert_eq!(lost.admissions, [Admission::Accepted]);
    assert!(queue.audit().await.unwrap().is_clean());
}

#[tokio::test]
async fn a_number_that_only_a_run_knows_is_not_given_again_after_a_salvage() {
    let home = home_of(1000, &keys(5)).await;
    home.queue.close().await.unwrap();
    let greatest = |home: &Home| -> i64 {
        database(home).query_row("SELECT next_event FROM numbers", [], |row| row.get(0)).unwrap()
    };
    assert!(greatest(&home) > 6);
    database(&home).execute("UPDATE numbers SET next_event = 1", []).unwrap();
    std::fs::write(home.directory.path().join("queue.db.damaged"), "").unwrap();
    let queue = open_with(home.options.clone(), &home.clock);
    queue.close().await.unwrap();
    assert!(greatest(&home) > 6, "{}", greatest(&home));
}

/// As it was before keys had runs.
const BEFORE: &str = "
DROP TABLE key_runs; DROP TABLE key_marks; DROP INDEX keys_by_until;
CREATE INDEX keys_by_until ON keys (until) WHERE until > 0;
PRAGMA user_version = 4;";

#[tokio::test]
async fn the_format_before_is_brought_to_this_one() {
    let keys = keys(5);
    let home = home_of(0, &keys).await;
    // Then all of them are in the table.
    for key in &keys {
        deliver(&home, &format!("{key} of another"), DAY).await;
    }
    home.queue.close().await.unwrap();
    database(&home).execute_batch(BEFORE).unwrap();
    let all = count(&home, "keys").unsigned_abs();
    let queue = open_with(home.options.clone(), &home.clock);
    assert_known(&queue, &keys).await;
    assert_eq!(queue.forget(NOW.after(DAY)).await.unwrap().keys, all);
}
