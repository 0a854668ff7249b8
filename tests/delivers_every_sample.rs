//! Every sample of the four providers goes through the real binary to a real destination.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::collections::HashSet;

use serde_json::Value;
use support::{Arrived, Destination, Gateway, fixtures, sign};

const SPARKBOX: &str = "a Sparkbox secret";
const ORDERSPACE: &str = "UNxdW7ugYl8PCKjVGkoXkHARkCoFT3eXpdpDsF1s";
const BUBBLEHOUSE: &str = "a Bubblehouse secret";
const BSPK: &str = "a BSPK secret";

fn gateway(provider: &str, path: &str, secret: &str, destination: &Destination) -> Gateway {
    Gateway::with(&format!(
        "
destinations:
  warehouse: {{ url: '{}' }}
routes:
  - name: {provider}-route
    path: {path}
    provider: {provider}
    secret: ${{SECRET}}
    deliver: [{{ to: warehouse }}]
",
        destination.url("/events")
    ))
    .env("SECRET", secret)
    .start()
}

/// What is true of each event, whoever sent it.
fn assert_is_cloudevent(arrived: &Arrived, provider: &str, path: &str) -> Value {
    assert_eq!(arrived.method, "POST");
    assert_eq!(arrived.path, "/events");
    let content_type = arrived.header("content-type").expect("a content type");
    assert!(content_type.starts_with("application/cloudevents+json"), "{content_type}");
    let key = arrived.key();
    assert!(key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit()), "{key}");
    let event = arrived.json();
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["datacontenttype"], "application/json");
    assert_eq!(event["provider"], provider);
    assert_eq!(event["route"], format!("{provider}-route"));
    assert_eq!(event["source"], path);
    assert!(event["id"].as_str().is_some_and(|id| !id.is_empty()), "{event}");
    event
}

/// What a split has to make of a list: one event for each element, each once, each with an id of its own.
fn assert_one_event_each(name: &str, events: &[Value], elements: &[&Value]) {
    assert_eq!(events.len(), elements.len(), "{name}");
    for element in elements {
        let count = events.iter().filter(|event| event["data"] == **element).count();
        assert_eq!(count, 1, "{name}: {element}");
    }
    let ids: HashSet<&str> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), events.len(), "{name}: events share an id");
}

fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[test]
fn bspk() {
    let destination = Destination::start();
    let gateway = gateway("bspk", "/hooks/bspk", BSPK, &destination);
    for (sent, fixture) in fixtures::all("bspk").iter().enumerate() {
        let response = gateway.post("/hooks/bspk", &sign::bspk(BSPK), &fixture.body);
        assert_eq!(response.status, 202, "{}: {}", fixture.name, response.text());
        assert!(response.json()["id"].is_string(), "{}", response.text());

        let arrived = destination.wait_for(sent + 1);
        let event = assert_is_cloudevent(&arrived[sent], "bspk", "/hooks/bspk");
        let (body, name) = (fixture.json(), &fixture.name);
        let object = &body["object"];
        assert_eq!(event["type"], body["event_name"], "{name}");
        assert_eq!(event["data"], *object, "{name}");
        assert_eq!(event["subject"], as_text(&object["id"]), "{name}");
        assert_eq!(event["id"], sign::sha256_hex(&fixture.body), "{name}");
        let time = object.get("updated_at").or_else(|| object.get("finished_at"));
        assert_eq!(event.get("time"), time, "{name}");
    }
}

#[test]
fn sparkbox() {
    let destination = Destination::start();
    let gateway = gateway("sparkbox", "/hooks/sparkbox", SPARKBOX, &destination);
    let mut sent = 0;
    for fixture in fixtures::all("sparkbox") {
        let (body, name) = (fixture.json(), &fixture.name);
        let mut headers = sign::sparkbox(SPARKBOX, &fixture.body);
        // The document contradicts itself on where the type is. The sample's place comes first.
        headers.extend(sign::headers(&[
            ("X-Event-Type", "not.the.type"),
            ("X-Hook-UUID", "123e4567-e89b-12d3-a456-426614174001"),
            ("X-Attempt-Number", "3"),
        ]));
        let response = gateway.post("/hooks/sparkbox", &headers, &fixture.body);
        assert_eq!(response.status, 202, "{name}: {}", response.text());

        let items: Vec<&Value> = body["data"].as_array().unwrap().iter().collect();
        let arrived = destination.wait_for(sent + items.len());
        let events: Vec<Value> = arrived[sent..]
            .iter()
            .map(|arrived| assert_is_cloudevent(arrived, "sparkbox", "/hooks/sparkbox"))
            .collect();
        sent += items.len();
        assert_one_event_each(name, &events, &items);
        for event in &events {
            assert_eq!(event["type"], body["event"]["event_type"], "{name}");
            assert_eq!(event["time"], body["event"]["timestamp"], "{name}");
            let id = event["id"].as_str().unwrap();
            for part in [&body["event"]["id"], &event["data"]["uuid"]] {
                assert!(id.contains(part.as_str().unwrap()), "{name}: {part} is not in {id}");
            }
        }
    }
}

#[test]
fn sparkbox_with_its_type_in_the_places_its_document_names() {
    let destination = Destination::start();
    let gateway = gateway("sparkbox", "/hooks/sparkbox", SPARKBOX, &destination);
    let in_list = r#"{"event":{"id":"e1","type":"model.approved"},"data":[{"uuid":"u1"}]}"#;
    let in_header = r#"{"event":{"id":"e2"},"data":[{"uuid":"u1"}]}"#;
    for body in [in_list, in_header] {
        let mut headers = sign::sparkbox(SPARKBOX, body.as_bytes());
        headers.extend(sign::headers(&[("X-Event-Type", "model.retracted")]));
        let response = gateway.post("/hooks/sparkbox", &headers, body.as_bytes());
        assert_eq!(response.status, 202, "{}", response.text());
    }
    let mut types: Vec<String> =
        destination.wait_for(2).iter().map(|arrived| as_text(&arrived.json()["type"])).collect();
    types.sort();
    assert_eq!(types, ["model.approved", "model.retracted"]);
}

#[test]
fn orderspace_in_both_envelopes() {
    let destination = Destination::start();
    let gateway = gateway("orderspace", "/hooks/orderspace", ORDERSPACE, &destination);
    let fixtures = fixtures::all("orderspace");
    assert_eq!(fixtures.len(), 14 + 2, "14 types of event, a mixed list and a batch of 50");
    let mut sent = 0;
    let mut types = HashSet::new();
    for fixture in fixtures {
        let (body, name) = (fixture.json(), &fixture.name);
        let response = gateway.post("/hooks/orderspace", &sign::orderspace(ORDERSPACE, &fixture.body), &fixture.body);
        assert!((200..300).contains(&response.status), "{name}: {} {}", response.status, response.text());

        let expected = entities(&body);
        let arrived = destination.wait_for(sent + expected.len());
        let events: Vec<Value> = arrived[sent..]
            .iter()
            .map(|arrived| assert_is_cloudevent(arrived, "orderspace", "/hooks/orderspace"))
            .collect();
        sent += expected.len();
        let elements: Vec<&Value> = expected.iter().map(|(_, entity)| *entity).collect();
        assert_one_event_each(name, &events, &elements);
        for event in &events {
            let data = &event["data"];
            let (kind, _) = expected.iter().find(|(_, entity)| **entity == *data).unwrap();
            assert_eq!(event["type"], *kind, "{name}");
            let subject = ["id", "sku", "invoice_id"].iter().find_map(|key| data.get(key)).unwrap();
            assert_eq!(event["subject"], *subject, "{name}");
            types.insert((*kind).to_owned());
        }
    }
    assert_eq!(types.len(), 14, "{types:?}");
}

/// The entities of a body, with their types, in either envelope.
fn entities(body: &Value) -> Vec<(&str, &Value)> {
    let envelopes: Vec<&Value> = match body.as_array() {
        Some(list) => list.iter().collect(),
        None => vec![body],
    };
    let mut found = Vec::new();
    for envelope in envelopes {
        let kind = envelope["event"].as_str().unwrap();
        for value in envelope["data"].as_object().unwrap().values() {
            match value.as_array() {
                Some(list) => found.extend(list.iter().map(|entity| (kind, entity))),
                None => found.push((kind, value)),
            }
        }
    }
    found
}

#[test]
fn an_orderspace_update_that_changes_a_figure_alone_is_an_event_of_its_own() {
    let destination = Destination::start();
    let gateway = gateway("orderspace", "/hooks/orderspace", ORDERSPACE, &destination);
    // Neither has an id or a time: what it says is all there is to tell it by.
    for on_hand in ["20.0", "19.0", "20.0"] {
        let body = format!(
            r#"{{"event":"inventory_level.updated","data":{{"inventory_levels":[{{"sku":"AD01-10","on_hand":{on_hand}}}]}}}}"#
        );
        let headers = sign::orderspace(ORDERSPACE, body.as_bytes());
        assert!(gateway.post("/hooks/orderspace", &headers, body.as_bytes()).status < 300);
    }
    destination.wait_for(2);
    gateway.wait_until_drained();
    assert_eq!(destination.arrived().len(), 2, "the third says what the first said: a duplicate");
}

#[test]
fn bubblehouse() {
    let destination = Destination::start();
    let path = "/hooks/bubblehouse/{hook}";
    let gateway = gateway("bubblehouse", path, BUBBLEHOUSE, &destination);
    let mut sent = 0;
    for fixture in fixtures::all("bubblehouse") {
        let (body, name) = (fixture.json(), &fixture.name);
        let hook = format!("/hooks/bubblehouse/{}", name.split('.').next().unwrap());
        let response = gateway.post(&hook, &sign::bubblehouse(BUBBLEHOUSE), &fixture.body);
        assert_eq!(response.status, 200, "{name}: {}", response.text());
        if name == "Hello1" {
            assert_eq!(response.json()["magic"], body["magic"]);
            let hooks = response.json()["hooks"].to_string();
            assert!(hooks.contains("SendEvent1"), "{hooks}");
            continue;
        }
        assert_eq!(response.json()["outcome"], "sent", "{name}");
        let arrived = destination.wait_for(sent + 1);
        let event = assert_is_cloudevent(&arrived[sent], "bubblehouse", &hook);
        sent += 1;
        assert_eq!(event["data"], body, "{name}");
        assert_eq!(event["id"], body["bhid"], "{name}");
        assert_eq!(event["time"], body["time"], "{name}");
        assert_eq!(event["subject"], body["customer"]["bhid"], "{name}");
        let kind = event["type"].as_str().unwrap();
        assert!(!kind.is_empty(), "{name}");
        if body["customer_only"] == true {
            assert_ne!(event["type"], body["name"], "the name is to be ignored where customer_only is true");
        } else {
            assert_eq!(event["type"], body["name"], "{name}");
        }
    }
    gateway.wait_until_drained();
    assert_eq!(destination.arrived().len(), 2, "Hello1 is answered and never becomes an event");
}
