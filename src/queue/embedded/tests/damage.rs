use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use futures_util::future::join_all;
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::{Embedded, Options};
use super::open;
use crate::model::{Clock, Lane, ManualClock, Reason, Timestamp};
use crate::queue::conformance::sample::{self, Wanted, lane};
use crate::queue::{Archive, DeliveryRecord, Queue, QueueError, Selection, State, StateKind};

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const EVENTS: usize = 2000;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(NOW))
}

/// A directory whose home had these events appended, in a request each, and was closed.
async fn filled(keys: impl IntoIterator<Item = String>) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let queue = open(directory.path(), &clock());
    let crm = [lane("crm")];
    for appended in join_all(keys.into_iter().map(|key| queue.append(sample::one(&key, &crm)))).await {
        drop(appended.unwrap());
    }
    queue.close().await.unwrap();
    directory
}

fn many() -> impl Iterator<Item = String> {
    (0..EVENTS).map(|n| format!("event-{n:04}"))
}

fn database(directory: &TempDir) -> Connection {
    Connection::open(directory.path().join("queue.db")).unwrap()
}

/// Overwrites a page in the middle of a table or index, as a failing disk would.
fn damage(directory: &TempDir, name: &str) {
    let pages: Vec<u64> = {
        let database = database(directory);
        let mut statement =
            database.prepare("SELECT pageno FROM dbstat WHERE name = ?1 AND pagetype = 'leaf' ORDER BY path").unwrap();
        let pages = statement.query_map([name], |row| row.get::<_, i64>(0)).unwrap();
        pages.map(|page| page.unwrap().unsigned_abs()).collect()
    };
    assert!(pages.len() >= 3, "{name} has only {} leaves: nothing would be left", pages.len());
    let mut file = OpenOptions::new().write(true).open(directory.path().join("queue.db")).unwrap();
    file.seek(SeekFrom::Start((pages[pages.len() / 2] - 1) * 8192)).unwrap();
    file.write_all(&[0xa5; 8192]).unwrap();
}

async fn leased(queue: &Embedded, lane: &Lane) -> BTreeSet<String> {
    let leased = queue.lease(lane, usize::MAX, NOW).await.unwrap();
    // What comes after a command in the channel is done after it.
    queue.forget(NOW).await.unwrap();
    leased.leases.iter().map(|lease| lease.event.id().to_owned()).collect()
}

async fn dead_letters(queue: &Embedded) -> Vec<DeliveryRecord> {
    let dead = Selection { state: Some(StateKind::Dead), ..Selection::default() };
    let (mut letters, mut before) = (Vec::new(), None);
    loop {
        let page = queue.deliveries(dead.clone(), before, 1000).await.unwrap();
        letters.extend(page.entries);
        before = page.next;
        if before.is_none() {
            return letters;
        }
    }
}

async fn corrupt(queue: &Embedded) -> usize {
    let letters = dead_letters(queue).await;
    assert!(letters.iter().all(|letter| matches!(letter.state, State::Dead { reason: Reason::Corrupt, .. })));
    letters.len()
}

fn set_aside(directory: &Path) -> usize {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_database = |name: &String| !name.ends_with("-wal") && !name.ends_with("-shm");
    names.filter(|name| name.starts_with("queue.db.corrupt-")).filter(is_database).count()
}

#[tokio::test]
async fn a_record_that_cannot_be_read_becomes_a_dead_letter_and_the_others_go_on() {
    let directory = filled(["json", "range", "event", "request", "headers", "whole"].map(str::to_owned)).await;
    database(&directory)
        .execute_batch(
            "UPDATE requests SET body = CAST(replace(CAST(body AS TEXT), ':', ';') AS BLOB) WHERE row = 1;
             UPDATE events SET data_length = 1000000 WHERE id = 'range';
             DELETE FROM events WHERE id = 'event';
             DELETE FROM requests WHERE row = 4;
             UPDATE requests SET headers = 'secret' WHERE row = 5;",
        )
        .unwrap();
    let queue = open(directory.path(), &clock());
    assert_eq!(leased(&queue, &lane("crm")).await, BTreeSet::from(["whole".to_owned()]));
    let mut letters = dead_letters(&queue).await;
    letters.sort_by(|a, b| a.event.id.cmp(&b.event.id));
    let seen: Vec<_> = letters.iter().map(|letter| (&*letter.event.id, letter.state)).collect();
    let corrupt = State::Dead { at: NOW, reason: Reason::Corrupt };
    assert_eq!(seen, ["", "headers", "json", "range", "request"].map(|id| (id, corrupt)));
    assert!(letters.iter().all(|letter| letter.lane == lane("crm")));
    assert_eq!(queue.ledger().lane(&lane("crm")).dead, 5);
}

#[tokio::test]
async fn a_damaged_page_of_bodies_costs_no_other_event() {
    let directory = filled(many()).await;
    damage(&directory, "requests");
    let queue = open(directory.path(), &clock());
    let whole = leased(&queue, &lane("crm")).await.len();
    assert!(whole > EVENTS / 2 && whole < EVENTS);
    assert_eq!(whole + corrupt(&queue).await, EVENTS);
    assert_eq!(set_aside(directory.path()), 1);
    assert_eq!(queue.ledger().lane(&lane("crm")).lost, 0, "each is dead or made");
}

#[tokio::test]
async fn a_damaged_page_of_deliveries_is_salvaged_by_the_next_start() {
    let directory = filled(many()).await;
    damage(&directory, "pending");
    let mut kept = None;
    for _ in 0..2 {
        let queue = open(directory.path(), &clock());
        assert_eq!(set_aside(directory.path()), 1);
        let whole = leased(&queue, &lane("crm")).await;
        assert!(whole.len() > EVENTS / 2 && whole.len() < EVENTS);
        assert!(kept.is_none_or(|kept| kept == whole));
        let counts = queue.ledger().lane(&lane("crm"));
        assert_eq!((counts.pending, counts.lost), (whole.len() as u64, (EVENTS - whole.len()) as u64));
        let audit = queue.audit().await.unwrap();
        assert_eq!((audit.found(&lane("crm")).pending, audit.without_delivery), (counts.pending, 0));
        assert!(!audit.is_clean(), "a loss is no clean audit");
        queue.close().await.unwrap();
        kept = Some(whole);
    }
}

#[tokio::test]
async fn altered_bytes_are_never_delivered() {
    let directory = filled(["body", "type", "lane", "due", "whole"].map(str::to_owned)).await;
    database(&directory)
        .execute_batch(
            "UPDATE requests SET body = CAST(replace(CAST(body AS TEXT), '0.10', '9.99') AS BLOB) WHERE row = 1;
             UPDATE events SET type = 'order.lost' WHERE id = 'type';
             UPDATE pending SET accepted_at = accepted_at + 1 WHERE row / 1024 = 3;",
        )
        .unwrap();
    let queue = open(directory.path(), &clock());
    assert_eq!(leased(&queue, &lane("crm")).await, BTreeSet::from(["due".to_owned(), "whole".to_owned()]));
    assert_eq!(corrupt(&queue).await, 3);
}

#[tokio::test]
async fn deliveries_whose_lane_cannot_be_read_are_kept_for_a_person() {
    let directory = filled(["a", "b"].map(str::to_owned)).await;
    database(&directory).execute_batch("DELETE FROM lanes; DELETE FROM lane_counts;").unwrap();
    let queue = open(directory.path(), &clock());
    let retired = queue.retire(&[lane("crm")], NOW).await.unwrap();
    assert_eq!((retired.len(), retired[0].count), (1, 2));
    assert!(retired[0].lane.delivery.starts_with("unknown-") && *retired[0].lane.route == *"orders");
    assert_eq!(queue.event("a").await.unwrap().len(), 1, "its event can be replayed");
}

#[tokio::test]
async fn a_time_that_was_altered_keeps_nothing_waiting() {
    let directory = filled(["a", "b", "c"].map(str::to_owned)).await;
    let hours = |n: u64| NOW.after(std::time::Duration::from_secs(n * 60 * 60)).as_millis();
    let database = database(&directory);
    for (row, due_at) in [(1, hours(400 * 24)), (2, hours(2))] {
        database.execute("UPDATE pending SET due_at = ?2 WHERE row / 1024 = ?1", [row, due_at]).unwrap();
    }
    drop(database);
    fs::write(directory.path().join("queue.db.damaged"), "").unwrap();
    let queue = open(directory.path(), &clock());
    assert_eq!(leased(&queue, &lane("crm")).await.len(), 3);
}

#[tokio::test]
async fn what_a_log_lost_is_missed_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let queue = open(directory.path(), &clock());
    for n in 0..10 {
        drop(queue.append(sample::one(&format!("e{n}"), &[lane("crm")])).await.unwrap());
    }
    let image = tempfile::tempdir().unwrap();
    for name in ["queue.db", "head"] {
        fs::copy(directory.path().join(name), image.path().join(name)).unwrap();
    }
    // The log is gone, and with it all ten.
    for _ in 0..2 {
        let left = open(image.path(), &clock());
        assert_eq!((left.ledger().lost, left.ledger().pending()), (10, 0));
        assert!(!left.audit().await.unwrap().is_clean());
        left.close().await.unwrap();
    }
    let left = open(image.path(), &clock());
    drop(left.append(sample::one("after", &[lane("crm")])).await.unwrap());
    left.close().await.unwrap();
    assert_eq!(open(image.path(), &clock()).ledger().lost, 10, "what comes after is not counted as lost");
}

#[tokio::test]
async fn retries_follow_a_clock_that_went_back() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), clock());
    let hours = |n: u64| std::time::Duration::from_secs(n * 60 * 60);
    let queue = open(directory.path(), &clock);
    let lease = queue.append(sample::one("a", &[lane("crm")])).await.unwrap().leases.pop().unwrap();
    let minute = std::time::Duration::from_secs(60);
    queue.retry_at(lease, NOW.after(minute), sample::failure(1)).await.unwrap();
    clock.set(Timestamp::from_seconds(NOW.as_seconds() - 7_200));
    queue.forget(clock.now()).await.unwrap();
    queue.forget(clock.now()).await.unwrap();
    let due = queue.lease(&lane("crm"), 1, clock.now()).await.unwrap().next_due;
    assert_eq!(due, Some(clock.now().after(minute)));
    queue.close().await.unwrap();
    // And one that went back while nobody ran.
    clock.advance(hours(5));
    let queue = open(directory.path(), &clock);
    let lease = queue.append(sample::one("b", &[lane("erp")])).await.unwrap().leases.pop().unwrap();
    queue.retry_at(lease, clock.now().after(minute), sample::failure(1)).await.unwrap();
    queue.close().await.unwrap();
    clock.set(Timestamp::from_seconds(clock.now().as_seconds() - 7_200));
    let queue = open(directory.path(), &clock);
    queue.forget(clock.now()).await.unwrap();
    queue.forget(clock.now()).await.unwrap();
    let due = queue.lease(&lane("erp"), 1, clock.now()).await.unwrap().next_due;
    assert_eq!(due, Some(clock.now().after(minute)));
}

#[tokio::test]
async fn a_damaged_index_costs_nothing() {
    let directory = filled(many()).await;
    damage(&directory, "pending_by_due");
    let queue = open(directory.path(), &clock());
    assert_eq!(set_aside(directory.path()), 1);
    assert_eq!(leased(&queue, &lane("crm")).await, many().collect());
    assert!(queue.audit().await.unwrap().is_clean());
}

#[tokio::test]
async fn an_order_of_which_part_is_lost_goes_on_with_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let queue = open(directory.path(), &clock());
    for n in 0..EVENTS {
        let wanted = Wanted::new(&format!("event-{n:04}"), &[lane("crm")]).in_order_with(&format!("key-{}", n % 7));
        drop(queue.append(sample::append(&[wanted])).await.unwrap());
    }
    queue.close().await.unwrap();
    // What is due of each key is lost.
    database(&directory).execute("DELETE FROM pending WHERE row / 1024 <= 7", []).unwrap();
    let queue = open(directory.path(), &clock());
    let due = leased(&queue, &lane("crm")).await;
    assert_eq!(due, (7..14).map(|n| format!("event-{n:04}")).collect());
    let audit = queue.audit().await.unwrap();
    assert_eq!((audit.stuck_keys, audit.ledger.lane(&lane("crm")).lost), (0, 7));
}

#[tokio::test]
async fn a_file_that_was_cut_off_costs_what_was_cut_off() {
    for (tenths, at_least) in [(7, EVENTS / 4), (1, 0)] {
        let directory = filled(many()).await;
        let file = OpenOptions::new().write(true).open(directory.path().join("queue.db")).unwrap();
        let length = file.metadata().unwrap().len();
        file.set_len(length / 10 * tenths).unwrap();
        let queue = open(directory.path(), &clock());
        let kept = leased(&queue, &lane("crm")).await.len() + corrupt(&queue).await;
        assert!((at_least..EVENTS).contains(&kept), "{kept} are kept of {EVENTS} in {tenths}/10 of the file");
        assert_eq!(set_aside(directory.path()), 1);
        assert_eq!(queue.append(sample::one("after", &[lane("erp")])).await.unwrap().leases.len(), 1);
        queue.close().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_no_database_is_set_aside_and_the_gateway_starts() {
    let directory = tempfile::tempdir().unwrap();
    for (round, garbage) in [b"not a database at all".repeat(1000), vec![0xff; 100_000]].into_iter().enumerate() {
        fs::write(directory.path().join("queue.db"), &garbage).unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(round as i64)));
        let queue = open(directory.path(), &clock);
        let appended = queue.append(sample::one("a", &[lane("crm")])).await.unwrap();
        assert_eq!(appended.leases.len(), 1);
        queue.close().await.unwrap();
        let aside = directory.path().join(format!("queue.db.corrupt-{round}"));
        assert_eq!(fs::read(aside).unwrap(), garbage);
    }
}

#[tokio::test]
async fn another_programs_database_is_set_aside_whole() {
    let directory = tempfile::tempdir().unwrap();
    database(&directory).execute_batch("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (7);").unwrap();
    open(directory.path(), &clock()).close().await.unwrap();
    let aside = directory.path().join(format!("queue.db.corrupt-{}", NOW.as_millis()));
    let theirs: i64 = Connection::open(aside).unwrap().query_row("SELECT a FROM theirs", [], |row| row.get(0)).unwrap();
    assert_eq!(theirs, 7);
}

#[tokio::test]
async fn a_salvage_that_was_interrupted_is_finished_or_begun_again() {
    let path = |directory: &TempDir, name| directory.path().join(name);
    // Before the damaged file was set aside: what was salvaged until then is no matter.
    let directory = filled(["a".to_owned()]).await;
    fs::write(path(&directory, "queue.db.salvage"), "half of it").unwrap();
    let queue = open(directory.path(), &clock());
    assert_eq!(leased(&queue, &lane("crm")).await.len(), 1);
    assert!(!path(&directory, "queue.db.salvage").exists());
    // After: the log of the damaged one must not be replayed into the new one.
    let directory = filled(["a".to_owned()]).await;
    fs::rename(path(&directory, "queue.db"), path(&directory, "queue.db.salvage")).unwrap();
    fs::write(path(&directory, "queue.db-wal"), "the log of another").unwrap();
    let queue = open(directory.path(), &clock());
    assert_eq!(leased(&queue, &lane("crm")).await.len(), 1);
    let aside = path(&directory, &format!("queue.db.corrupt-{}-wal", NOW.as_millis()));
    assert_eq!(fs::read(aside).unwrap(), b"the log of another");
}

#[tokio::test]
async fn a_directory_belongs_to_one_home() {
    let directory = tempfile::tempdir().unwrap();
    let queue = open(directory.path(), &clock());
    let second = Embedded::open(Options::new(directory.path()), clock());
    assert!(matches!(second, Err(QueueError::InUse { path }) if path == directory.path()));
    queue.close().await.unwrap();
    assert!(Embedded::open(Options::new(directory.path()), clock()).is_ok());
}

#[tokio::test]
async fn a_newer_format_is_refused_and_not_touched() {
    let directory = filled(["a".to_owned()]).await;
    database(&directory).pragma_update(None, "user_version", 99).unwrap();
    let before = fs::read(directory.path().join("queue.db")).unwrap();
    let refused = Embedded::open(Options::new(directory.path()), clock());
    assert!(matches!(refused, Err(QueueError::TooNew { found: 99, known: 5, .. })));
    assert_eq!(fs::read(directory.path().join("queue.db")).unwrap(), before);
}

#[tokio::test]
async fn an_older_format_is_refused_and_not_touched() {
    let directory = filled(["a".to_owned()]).await;
    database(&directory).pragma_update(None, "user_version", 1).unwrap();
    let refused = Embedded::open(Options::new(directory.path()), clock());
    assert!(matches!(refused, Err(QueueError::TooOld { found: 1, known: 5, .. })));
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_what_providers_sent() {
    use std::os::unix::fs::PermissionsExt;

    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("deep/data");
    let queue = open(&directory, &clock());
    drop(queue.append(sample::one("a", &[lane("crm")])).await.unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    for name in ["queue.db", "queue.db-wal", "queue.db-shm", "lock"] {
        assert_eq!(mode(&directory.join(name)), 0o600, "{name}");
    }
}
