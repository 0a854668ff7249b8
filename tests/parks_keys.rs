//! A dead letter parks its order key where the delivery says so: what comes after it waits for a person.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use serde_json::{Value, json};
use support::{Answer, Destination, Gateway};

fn start(destination: &Destination) -> Gateway {
    Gateway::start(&format!(
        "
destinations:
  crm: {{ url: '{}' }}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: crm, order_by: $.data.key, on_dead_letter: park }}] }}
",
        destination.url("/crm")
    ))
}

fn accept(gateway: &Gateway, key: &str, id: &str) {
    let response = gateway.post_json("/in", &json!({ "type": "t", "id": id, "key": key }));
    assert_eq!(response.status, 202, "{}", response.text());
}

fn ids(destination: &Destination) -> Vec<String> {
    destination.arrived().iter().map(|request| request.json()["id"].as_str().unwrap().to_owned()).collect()
}

/// Of the key `one`, `a` is dead, and `b` and `c` wait behind it.
fn park(destination: &Destination) -> Gateway {
    destination.answer_next([Answer::Status(410)]);
    let gateway = start(destination);
    accept(&gateway, "one", "a");
    gateway.wait_for_metric("hookswitch_dead_letters", &[], 1.0);
    gateway.wait_for_log(&["ERROR", "parked", "hookswitch keys list"]);
    for id in ["b", "c"] {
        accept(&gateway, "one", id);
    }
    gateway
}

fn release(gateway: &Gateway, arguments: &[&str]) -> support::Ran {
    gateway.run(&[&["keys", "release", "one", "--route", "in", "--delivery", "crm"], arguments].concat())
}

#[test]
fn what_waits_is_listed_and_other_keys_go_on() {
    let destination = Destination::start();
    let mut gateway = park(&destination);
    accept(&gateway, "two", "d");
    destination.wait_for(2);
    assert_eq!(ids(&destination), ["a", "d"]);
    let check = |gateway: &Gateway| {
        let keys = gateway.run(&["keys", "list", "--output", "json"]).lines();
        let dead = gateway.run(&["dead-letters", "list", "--output", "json"]).lines();
        assert_eq!((keys.len(), &keys[0]["key"], &keys[0]["waiting"]), (1, &json!("one"), &json!(2)));
        assert_eq!(keys[0]["behind"], dead[0]["id"]);
    };
    check(&gateway);
    let table = gateway.run(&["keys", "list"]);
    assert!(table.printed().contains("in/crm") && table.printed().lines().all(|line| line.chars().count() <= 100));
    let shown = gateway.run(&["events", "show", "b"]);
    assert!(shown.printed().contains("parked its order key one"), "{shown:?}");
    gateway.kill9();
    gateway.restart();
    check(&gateway);
    assert_eq!(ids(&destination), ["a", "d"], "a restart releases nothing");
    assert_eq!(gateway.run(&["audit"]).code, Some(0));
}

#[test]
fn a_key_is_released_without_its_dead_letter() {
    let destination = Destination::start();
    let gateway = park(&destination);
    let released = release(&gateway, &["--output", "json"]);
    assert_eq!(released.json(), json!({ "released": 2 }));
    gateway.wait_for_metric("hookswitch_queue_pending", &[], 0.0);
    assert_eq!(ids(&destination), ["a", "b", "c"]);
    assert_eq!(gateway.metric("hookswitch_dead_letters", &[]), 1.0, "it stays");
    release(&gateway, &[]).assert_failed(1, &["404", "not parked"]);
}

#[test]
fn a_key_is_released_with_its_dead_letter_first() {
    let destination = Destination::start();
    let gateway = park(&destination);
    assert_eq!(release(&gateway, &["--replay"]).code, Some(0));
    gateway.wait_for_metric("hookswitch_queue_pending", &[], 0.0);
    assert_eq!(ids(&destination), ["a", "a", "b", "c"]);
    assert_eq!(gateway.read("/keys"), json!({ "keys": [], "next": null }));
    assert_eq!(gateway.run(&["audit"]).code, Some(0));
}

#[test]
fn replaying_the_dead_letter_releases_its_key() {
    let destination = Destination::start();
    let gateway = park(&destination);
    let dead = gateway.run(&["dead-letters", "list", "--output", "json"]).lines();
    assert_eq!(gateway.run(&["dead-letters", "replay", dead[0]["id"].as_str().unwrap()]).code, Some(0));
    gateway.wait_for_metric("hookswitch_queue_pending", &[], 0.0);
    assert_eq!(ids(&destination), ["a", "a", "b", "c"]);
}

#[test]
fn parked_keys_are_read_page_by_page() {
    let destination = Destination::start();
    destination.always("/", Answer::Status(410));
    let gateway = start(&destination);
    let keys: Vec<String> = (0..12).map(|number| format!("key-{number:02}")).collect();
    for key in &keys {
        accept(&gateway, key, key);
    }
    gateway.wait_for_metric("hookswitch_dead_letters", &[], 12.0);
    let mut found: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = gateway.read(&format!("/keys?limit=5{cursor}"));
        found.extend(page["keys"].as_array().unwrap().iter().map(|key| key["key"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(found, keys.iter().map(|key| json!(key)).collect::<Vec<_>>());
}
