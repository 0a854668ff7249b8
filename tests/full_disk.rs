//! A disk without room: nothing that cannot be kept is acknowledged, and nothing that was acknowledged is lost.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};
use support::{Answer, Destination, Gateway, Response, sign};

const SECRET: &str = "a secret";

fn start(destination: &Destination, shell: &str) -> Gateway {
    Gateway::with(&format!(
        "
destinations:
  warehouse: {{ url: '{}', breaker: off, retry: {{ initial: 10ms, max: 100ms, max_attempts: 1000000 }} }}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: warehouse }}] }}
  - {{ name: loyalty, path: '/loyalty/{{hook}}', provider: bubblehouse, secret: {SECRET}, deliver: [{{ to: warehouse }}] }}
",
        destination.url("/")
    ))
    .shell(shell)
    .start()
}

fn post(gateway: &Gateway, id: &str) -> Response {
    gateway.post_json("/in", &json!({ "type": "t", "id": id, "padding": "x".repeat(400_000) }))
}

/// Sends events until one is refused; gives the ids that were acknowledged.
fn fill(gateway: &Gateway) -> BTreeSet<String> {
    let mut acknowledged = BTreeSet::new();
    for number in 0..1000 {
        let id = format!("fill-{number}");
        let response = post(gateway, &id);
        if response.status != 202 {
            assert_eq!(response.status, 503, "{}", response.text());
            assert_eq!(response.header("retry-after"), Some("5"));
            return acknowledged;
        }
        acknowledged.insert(id);
    }
    panic!("the disk is never full");
}

/// What probes and providers hear while nothing can be kept.
fn assert_refuses(gateway: &Gateway) {
    assert_eq!(gateway.admin("GET", "/readyz").status, 503);
    assert_eq!(gateway.admin("GET", "/healthz").status, 200, "a restart would not help");
    let event = json!({ "bhid": "e1", "time": "2024-12-26T18:05:42Z", "name": "Points Earned",
                        "customer": { "bhid": "c1" }, "padding": "x".repeat(400_000) });
    let response = gateway.post("/loyalty/SendEvent1", &sign::bubblehouse(SECRET), event.to_string().as_bytes());
    assert_eq!(serde_json::from_slice::<Value>(&response.body).unwrap(), json!({ "outcome": "failure" }));
    gateway.wait_for_log(&["ERROR", "cannot store events"]);
}

fn assert_arrived(destination: &Destination, acknowledged: &BTreeSet<String>) {
    let arrived: BTreeSet<String> =
        destination.arrived().iter().map(|arrived| arrived.json()["id"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(acknowledged.difference(&arrived).count(), 0, "acknowledged events are gone");
}

#[test]
fn what_finds_no_room_is_503_and_what_was_kept_arrives_after_a_restart() {
    let destination = Destination::start();
    destination.always("/", Answer::Status(500));
    // 512 bytes each: no file may be larger than 20 MiB. That is told as an error then, not by a signal.
    let mut gateway = start(&destination, "trap '' XFSZ; ulimit -f 40960; exec \"$@\"");
    let acknowledged = fill(&gateway);
    assert_refuses(&gateway);
    gateway.kill9();
    destination.always("/", Answer::Status(200));
    gateway.without_shell();
    gateway.restart();
    gateway.wait_until_drained();
    assert_arrived(&destination, &acknowledged);
    assert_eq!(post(&gateway, "after").status, 202);
}

/// It needs a disk of its own: a small one in memory, in a name space where that may be mounted. Where this machine
/// does not allow it, it says so.
#[test]
fn a_queue_that_filled_its_disk_empties_by_itself_and_takes_events_again() {
    let mount = "mkdir -p data && mount -t tmpfs -o size=32m none data";
    let probe = tempfile::tempdir().unwrap();
    let allowed = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", mount])
        .current_dir(&probe)
        .status()
        .is_ok_and(|status| status.success());
    if !allowed {
        eprintln!("left out: this machine allows no mount in a name space of its own");
        return;
    }
    let destination = Destination::start();
    destination.always("/", Answer::Status(500));
    let shell = format!("exec unshare --user --map-root-user --mount sh -c '{mount} && exec \"$@\"' sh \"$@\"");
    let gateway = start(&destination, &shell);
    let mut acknowledged = fill(&gateway);
    assert_refuses(&gateway);
    destination.always("/", Answer::Status(200));
    gateway.wait_until_drained();
    support::eventually("it is ready again", || (gateway.admin("GET", "/readyz").status == 200).then_some(()));
    assert_eq!(post(&gateway, "after").status, 202);
    acknowledged.insert("after".to_owned());
    gateway.wait_until_drained();
    assert_arrived(&destination, &acknowledged);
}
