//! A route without a provider takes a CloudEvents request for what it is, in each of its three modes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use serde_json::{Value, json};
use support::sign::{self, Headers};
use support::{Destination, Gateway};

fn start() -> (Destination, Gateway) {
    let destination = Destination::start();
    let gateway = Gateway::start(&format!(
        "
destinations: {{ warehouse: {{ url: '{}' }} }}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: warehouse }}] }}
",
        destination.url("/")
    ));
    (destination, gateway)
}

fn content_type(value: &str) -> Headers {
    sign::headers(&[("Content-Type", value)])
}

fn event(id: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/sensors/7", "type": "com.example.reading", "subject": "room 1",
        "time": "2026-01-02T03:04:05Z", "datacontenttype": "application/json", "data": { "celsius": 21.5 },
    })
}

fn assert_says(found: &Value, id: &str) {
    for name in ["type", "subject", "time", "data"] {
        assert_eq!(found[name], event(id)[name], "{name}");
    }
    assert_eq!(found["id"], id);
}

#[test]
fn structured() {
    let (destination, gateway) = start();
    let headers = content_type("application/cloudevents+json; charset=UTF-8");
    assert_eq!(gateway.post("/in", &headers, event("e1").to_string().as_bytes()).status, 202);
    assert_says(&destination.wait_for(1)[0].json(), "e1");
}

#[test]
fn binary() {
    let (destination, gateway) = start();
    let headers = sign::headers(&[
        ("Content-Type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "e2"),
        ("ce-source", "/sensors/7"),
        ("ce-type", "com.example.reading"),
        ("ce-subject", "room%201"),
        ("ce-time", "2026-01-02T03:04:05Z"),
    ]);
    assert_eq!(gateway.post("/in", &headers, br#"{"celsius":21.5}"#).status, 202);
    assert_says(&destination.wait_for(1)[0].json(), "e2");
}

#[test]
fn a_batch() {
    let (destination, gateway) = start();
    let headers = content_type("application/cloudevents-batch+json");
    let batch = json!([event("e3"), event("e4")]).to_string();
    assert_eq!(gateway.post("/in", &headers, batch.as_bytes()).status, 202);
    let mut arrived: Vec<Value> = destination.wait_for(2).iter().map(support::Arrived::json).collect();
    arrived.sort_by_key(|event| event["id"].to_string());
    assert_says(&arrived[0], "e3");
    assert_says(&arrived[1], "e4");
}

#[test]
fn other_json_without_an_id_is_known_by_its_bytes() {
    let (destination, gateway) = start();
    for body in [r#"{"type":"t","n":1}"#, r#"{"type":"t","n":2}"#, r#"{"type":"t","n":1}"#] {
        assert_eq!(gateway.post("/in", &[], body.as_bytes()).status, 202);
    }
    destination.wait_for(2);
    gateway.wait_until_drained();
    assert_eq!(destination.arrived().len(), 2);
}

#[test]
fn ids_that_differ_in_their_last_digit_are_two() {
    let (destination, gateway) = start();
    for id in ["18446744073709551614", "18446744073709551615", "12345678901234567890123", "12345678901234567890124"] {
        assert_eq!(gateway.post("/in", &[], format!(r#"{{"type":"t","id":{id}}}"#).as_bytes()).status, 202);
    }
    let arrived = destination.wait_for(4);
    let text = |number: usize| String::from_utf8_lossy(&arrived[number].body).into_owned();
    let all: Vec<String> = (0..4).map(text).collect();
    for exact in [r#""id":"18446744073709551615""#, r#"{"type":"t","id":12345678901234567890124}"#] {
        assert!(all.iter().any(|text| text.contains(exact)), "{exact}: {all:?}");
    }
}

#[test]
fn whoever_sends_cloudevents_may_ask_first_whether_it_may() {
    let (destination, gateway) = start();
    let ask = |headers: &[(&str, &str)]| {
        let headers = sign::headers(headers);
        support::http::send(gateway.address(), "OPTIONS", "/in", &headers, b"")
    };
    let allowed = ask(&[("WebHook-Request-Origin", "eventemitter.example.com"), ("WebHook-Request-Rate", "120")]);
    assert_eq!(
        (allowed.status, allowed.header("webhook-allowed-origin"), allowed.header("webhook-allowed-rate")),
        (200, Some("eventemitter.example.com"), Some("120"))
    );
    let refused = ask(&[("Origin", "eventemitter.example.com")]);
    assert_eq!((refused.status, refused.header("allow")), (405, Some("POST")));
    assert!(destination.arrived().is_empty());
}
