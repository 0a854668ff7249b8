//! `hookswitch audit`: the ledger beside what is stored, of a running gateway and of a stopped one's directory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use rusqlite::Connection;
use serde_json::json;
use support::{Answer, Destination, Gateway, Ran, hookswitch};

/// One event is delivered, one given up, one pending, one filtered, one sent twice.
fn with_some_of_everything(destination: &Destination) -> Gateway {
    destination.always("/gone", Answer::Status(410));
    destination.always("/down", Answer::Status(500));
    let gateway = Gateway::start(&format!(
        "
destinations:
  ok: {{ url: '{}' }}
  gone: {{ url: '{}' }}
  down: {{ url: '{}', retry: {{ initial: 1h, max: 1h }} }}
routes:
  - name: in
    path: /in
    auth: none
    filter: $.type != 'unwanted'
    deliver: [{{ to: ok }}, {{ to: gone }}, {{ to: down }}]
",
        destination.url("/ok"),
        destination.url("/gone"),
        destination.url("/down")
    ));
    for (kind, id) in [("t", "1"), ("unwanted", "2"), ("t", "1")] {
        assert_eq!(gateway.post_json("/in", &json!({ "type": kind, "id": id })).status, 202);
    }
    assert_eq!(gateway.post_json("/in", &json!({ "no": "type" })).status, 422);
    gateway.wait_for_metric("hookswitch_queue_pending", &[], 1.0);
    gateway.wait_for_metric("hookswitch_queue_retained", &[], 1.0);
    gateway.wait_for_metric("hookswitch_dead_letters", &[], 1.0);
    gateway
}

fn stop(gateway: &mut Gateway) {
    gateway.signal("TERM");
    assert!(gateway.wait_for_exit().success());
}

fn audit(arguments: &[&str], file: &std::path::Path) -> Ran {
    Ran::of(hookswitch().arg("audit").args(arguments).arg(file))
}

#[test]
fn a_running_gateway_is_audited() {
    let destination = Destination::start();
    let gateway = with_some_of_everything(&destination);
    let text = gateway.run(&["audit"]);
    assert!(text.printed().lines().all(|line| line.chars().count() <= 100), "{text:?}");
    for words in ["in/down", "in/gone", "in/ok", "clean"] {
        assert!(text.printed().contains(words), "{words}: {text:?}");
    }
    let report = gateway.run(&["audit", "--output", "json"]).json();
    assert_eq!(report["clean"], json!(true));
    let counts = ["received", "accepted", "filtered", "duplicate", "invalid", "difference"];
    let route = counts.map(|name| report["routes"][0][name].as_i64().unwrap());
    assert_eq!(route, [4, 1, 1, 1, 1, 0]);
    let lane = |delivery: &str| {
        let lanes = report["lanes"].as_array().unwrap();
        lanes.iter().find(|lane| lane["delivery"] == delivery).unwrap().clone()
    };
    assert_eq!(lane("ok")["stored"], json!({ "pending": 0, "dead": 0, "retained": 1 }));
    assert_eq!(lane("gone")["stored"], json!({ "pending": 0, "dead": 1, "retained": 0 }));
    assert_eq!(lane("down")["stored"], json!({ "pending": 1, "dead": 0, "retained": 0 }));
    // Its directory is its own.
    audit(&["--data"], &gateway.path("data")).assert_failed(1, &["in use"]);
}

#[test]
fn a_stopped_gateways_directory_is_audited() {
    let destination = Destination::start();
    let mut gateway = with_some_of_everything(&destination);
    stop(&mut gateway);
    let by_directory = audit(&["--output", "json", "--data"], &gateway.path("data"));
    assert_eq!(by_directory.json()["clean"], json!(true));
    let by_configuration = audit(&["--output", "json", "--config"], &gateway.path("routes.yaml"));
    assert_eq!(by_configuration.json(), by_directory.json());
    assert!(by_configuration.stderr.contains("no gateway answers"), "{by_configuration:?}");

    gateway.restart();
    gateway.kill9();
    let after_a_kill = audit(&["--output", "json", "--data"], &gateway.path("data"));
    assert_eq!(after_a_kill.json()["clean"], json!(true));
    gateway.restart();
    assert_eq!(gateway.run(&["audit"]).code, Some(0), "an audit leaves the directory as it was");

    audit(&["--data"], &gateway.path("nowhere")).assert_failed(1, &["nowhere"]);
    assert!(!gateway.path("nowhere").exists(), "an audit makes nothing");
}

#[test]
fn a_row_that_is_gone_is_missed() {
    let destination = Destination::start();
    for (table, names) in [
        ("pending", ["in/down", "pending"]),
        ("dead", ["in/gone", "dead"]),
        ("done", ["in/ok", "retained"]),
        ("events", ["", "have no event"]),
    ] {
        let mut gateway = with_some_of_everything(&destination);
        stop(&mut gateway);
        let connection = Connection::open(gateway.path("data").join("queue.db")).unwrap();
        assert_eq!(connection.execute(&format!("DELETE FROM {table}"), []).unwrap(), 1, "{table}");
        drop(connection);
        let text = audit(&["--data"], &gateway.path("data"));
        text.assert_failed(1, &["differ"]);
        let named = text.stdout.lines().find(|line| line.starts_with("difference: "));
        let named = named.unwrap_or_else(|| panic!("{table}: {text:?}"));
        assert!(names.iter().all(|name| named.contains(name)), "{table}: {named}");
        let json = audit(&["--output", "json", "--data"], &gateway.path("data"));
        assert_eq!(json.code, Some(1), "{table}");
        assert!(json.stdout.starts_with("{\"clean\":false"), "{json:?}");
    }
}
