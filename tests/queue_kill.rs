//! The embedded queue against `kill -9`.
//!
//! The test runs itself a second time as a child that appends as fast as it can and prints each key once its append was
//! acknowledged; the parent kills it in the middle, and looks for every key that was printed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers fail like the test")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use hookswitch::model::{Attributes, Event, Evidence, Headers, Lane, Request, RequestId, SystemClock, Timestamp};
use hookswitch::queue::embedded::{Embedded, Options};
use hookswitch::queue::{Append, Archive, NewDelivery, NewEvent, Queue, Tally};
use serde_json::json;
use uuid::Uuid;

const DIRECTORY: &str = "HOOKSWITCH_KILL_TEST_DIRECTORY";
const PRODUCERS: usize = 16;
const LATE: Timestamp = Timestamp::from_millis(i64::MAX);

#[tokio::test]
async fn every_acknowledged_append_outlives_a_kill() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        append_for_ever(Path::new(&directory)).await;
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    // Each round kills at another point of the log and of its checkpoints, and starts from what the last left.
    for (round, kill_after) in [1, 40, 300, 1500, 777].into_iter().enumerate() {
        acknowledged.extend(keys_before_the_kill(directory.path(), kill_after));
        let queue = open(directory.path());
        let mut found = BTreeSet::new();
        for lane in lanes() {
            let leased = queue.lease(&lane, usize::MAX, LATE).await.unwrap();
            let keys: BTreeSet<_> = leased.leases.iter().map(|lease| lease.event.id().to_owned()).collect();
            assert_eq!(keys.len(), leased.leases.len());
            found.insert(keys);
        }
        // What was not acknowledged may be there, too, but not for one lane only.
        assert_eq!(found.len(), 1, "a request is kept in part, in round {round}");
        let found = found.pop_first().unwrap();
        let lost: Vec<_> = acknowledged.difference(&found).collect();
        assert!(lost.is_empty(), "in round {round} of {} acknowledged events are lost: {lost:?}", acknowledged.len());
        let audit = queue.audit().await.unwrap();
        assert!(audit.is_clean(), "in round {round}: {audit:#?}");
        queue.close().await.unwrap();
    }
    assert!(acknowledged.len() > 2_500);
}

/// Runs the child until it printed `count` keys, kills it, and answers all that it printed.
fn keys_before_the_kill(directory: &Path, count: usize) -> BTreeSet<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "every_acknowledged_append_outlives_a_kill", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut keys = BTreeSet::new();
    while keys.len() < count {
        let line = lines.next().expect("the child ended by itself").unwrap();
        keys.extend(line.strip_prefix("kept ").map(str::to_owned));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What was printed between the last line read and the kill was acknowledged as well. A torn line was not.
    for line in lines.map_while(Result::ok) {
        keys.extend(line.strip_prefix("kept ").filter(|key| key.len() == 36).map(str::to_owned));
    }
    keys
}

async fn append_for_ever(directory: &Path) {
    let queue = open(directory);
    let producers = (0..PRODUCERS).map(|_| async {
        let mut key = Uuid::now_v7().to_string();
        while queue.append(request(&key)).await.is_ok() {
            // Where nobody reads any more, the parent has gone: this panics, and the child ends.
            writeln!(std::io::stdout().lock(), "kept {key}").unwrap();
            key = Uuid::now_v7().to_string();
        }
    });
    futures_util::future::join_all(producers).await;
}

fn open(directory: &Path) -> Arc<Embedded> {
    Embedded::open(Options::new(directory), Arc::new(SystemClock)).unwrap()
}

fn lanes() -> [Lane; 2] {
    ["crm", "erp"].map(|delivery| Lane::new("orders", delivery))
}

fn request(key: &str) -> Append {
    let value = json!({ "key": key, "filler": "x".repeat(1400) });
    let body = Bytes::from(value.to_string());
    let request = Arc::new(Request {
        id: RequestId(Uuid::now_v7()),
        received_at: Timestamp::from_seconds(1_700_000_000),
        method: "POST".into(),
        path: "/hooks/orders".into(),
        query: "".into(),
        path_params: Vec::new(),
        headers: Headers::new(),
        body: body.clone(),
        evidence: Evidence::default(),
        json: None,
    });
    let attributes = Attributes {
        id: key.into(),
        source: "/hooks/orders".into(),
        kind: "order.paid".into(),
        subject: None,
        time: None,
        provider: "".into(),
        route: "orders".into(),
    };
    let event = Arc::new(Event::new(attributes, Arc::clone(&request), 0..body.len(), value));
    let deliveries = lanes().map(|lane| NewDelivery { lane, order_key: None }).to_vec();
    let new = NewEvent { event, key: key.to_owned(), remember_until: None, deliveries };
    let tally = Tally { received: 1, ..Tally::default() };
    Append { request, route: "orders".into(), tally, events: vec![new] }
}
