//! `hookswitch events show`: the whole story of an event, in the order of time, without its payload.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use serde_json::json;
use support::{Answer, Destination, Gateway, fixtures, sign};

fn start(destination: &Destination) -> Gateway {
    Gateway::start(&format!(
        "
destinations:
  crm: {{ url: '{}', retry: {{ initial: 1ms, max: 5ms }} }}
  erp: {{ url: '{}' }}
routes:
  - name: in
    path: /in
    provider: bspk
    secrets: {{ new: n3w-s3cret, old: 0ld-s3cret }}
    deliver: [{{ to: crm }}, {{ to: erp }}]
",
        destination.url("/crm"),
        destination.url("/erp")
    ))
}

/// What stands in the sample of a person.
const PERSON: &str = "mark.d@email.com";

/// Sends an event; gives its id.
fn accept(gateway: &Gateway) -> String {
    let response = gateway.post("/in", &sign::bspk("0ld-s3cret"), &fixtures::one("bspk", "client.updated").body);
    assert_eq!(response.status, 202, "{}", response.text());
    response.json()["id"].as_str().unwrap().to_owned()
}

/// The story as (delivery, what).
fn told(gateway: &Gateway, id: &str, delivery: &str) -> Vec<String> {
    let shown = gateway.run(&["events", "show", id, "--output", "json"]).json();
    let story = shown["events"][0]["story"].as_array().unwrap();
    let times: Vec<&str> = story.iter().filter_map(|entry| entry["at"].as_str()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let entries = story.iter().filter(|entry| entry["delivery"].as_str().is_none_or(|name| name == delivery));
    entries.map(|entry| entry["what"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_story_is_told_from_the_request_to_the_last_attempt() {
    let destination = Destination::start();
    destination.always("/erp", Answer::Status(410));
    let gateway = start(&destination);
    destination.answer_next([Answer::Status(500), Answer::Status(503)]);
    let id = accept(&gateway);
    gateway.wait_until_drained();
    assert_eq!(told(&gateway, &id, "crm"), ["received", "accepted", "attempt", "attempt", "attempt", "delivered"]);
    assert_eq!(told(&gateway, &id, "erp"), ["received", "accepted", "attempt", "dead"]);

    assert_eq!(gateway.run(&["events", "replay", &id, "--delivery", "crm"]).code, Some(0));
    gateway.wait_until_drained();
    let again = told(&gateway, &id, "crm");
    assert_eq!(again[5..], ["replayed", "attempt", "delivered"], "{again:?}");

    let text = gateway.run(&["events", "show", &id]);
    for words in [
        "route        in",
        "secret old",
        "POST /in",
        "attempt 1: status 500 after",
        "server_error",
        "given up: rejected",
        "delivered, kept until",
        "replayed",
    ] {
        assert!(text.printed().contains(words), "{words} is not in {}", text.stdout);
    }
}

#[test]
fn a_story_has_its_evidence_and_neither_secret_nor_payload() {
    let destination = Destination::start();
    let gateway = start(&destination);
    let id = accept(&gateway);
    gateway.wait_until_drained();
    let shown = gateway.run(&["events", "show", &id, "--output", "json"]);
    let received = &shown.json()["events"][0]["received"];
    let body = fixtures::one("bspk", "client.updated").body;
    assert!(String::from_utf8_lossy(&body).contains(PERSON));
    assert_eq!(
        (&received["method"], &received["path"], &received["bytes"]),
        (&json!("POST"), &json!("/in"), &json!(body.len()))
    );
    assert_eq!((&received["evidence"]["scheme"], &received["evidence"]["secret"]), (&json!("token"), &json!("old")));
    assert!(received["headers"].as_array().unwrap().iter().any(|header| header["name"] == "content-type"));
    let text = gateway.run(&["events", "show", &id]);
    for printed in [shown.printed(), text.printed()] {
        assert!(!printed.contains("s3cret") && !printed.contains(PERSON), "{printed}");
    }
}

#[test]
fn what_is_to_come_is_told_last() {
    let destination = Destination::start();
    destination.always("/", Answer::Status(500));
    let gateway = Gateway::start(&format!(
        "
destinations:
  crm: {{ url: '{}', retry: {{ initial: 1h, max: 1h }} }}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: crm, order_by: $.data.key }}] }}
",
        destination.url("/crm")
    ));
    for id in ["1", "2"] {
        assert_eq!(gateway.post_json("/in", &json!({ "type": "t", "id": id, "key": "k" })).status, 202);
    }
    let first = support::eventually("the first attempt to be kept", || {
        Some(told(&gateway, "1", "crm")).filter(|told| told.contains(&"attempt".to_owned()))
    });
    assert_eq!(first, ["received", "accepted", "attempt", "due"]);
    assert_eq!(told(&gateway, "2", "crm"), ["received", "accepted", "waiting"]);
    let text = gateway.run(&["events", "show", "2"]);
    assert!(text.printed().contains("waits for an earlier one of its order key k"), "{text:?}");
}
