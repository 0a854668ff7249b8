//! What of an event goes to whom, and in which shape.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use serde_json::{Value, json};
use support::{Arrived, Destination, Gateway, sign};

/// One route under `auth: none` whose `deliver` entries go to `/NAME` each.
fn gateway(destination: &Destination, deliver: &str) -> Gateway {
    Gateway::start(&format!(
        "
destinations:
  warehouse: {{ url: '{}/' }}
  by-name: {{ url: '{}/{{$.data.to}}' }}
routes:
  - name: in
    path: /in/{{shop}}
    auth: none
    deliver:
{deliver}",
        destination.url(""),
        destination.url(""),
    ))
}

/// A gateway with one delivery, and what it makes of one event.
fn deliver_one(deliver: &str, event: &Value) -> Arrived {
    let destination = Destination::start();
    let gateway = gateway(&destination, deliver);
    let response = gateway.post_json("/in/berlin", event);
    assert_eq!(response.status, 202, "{}", response.text());
    destination.wait_for(1).remove(0)
}

#[test]
fn each_delivery_gets_the_events_it_wants() {
    let destination = Destination::start();
    let filters = [
        ("everything", ""),
        ("by-type", "types: ['order.*']"),
        ("by-types", "types: [customer.created, '*.deleted']"),
        ("by-value", "filter: $.type == 'order.created' && $.data.total > 100"),
        ("by-existence", "filter: $.data.vip"),
        ("by-pattern", r"filter: match($.type, 'order\\..*')"),
        ("by-path", "filter: $.path.shop == 'berlin' && $.query.kind == 'test' && $.headers['x-shop'] == 'yes'"),
        ("all", "filter: { all: [$.data.total > 10, $.data.total < 100] }"),
        ("any", "filter: { any: [$.data.total > 100, { types: ['customer.*'] }] }"),
        ("not", "filter: { not: [{ types: ['order.*'] }, $.data.vip] }"),
        ("block", "filter: { types: ['order.*'], not: [$.data.total > 100] }"),
        ("nothing", "filter: $.data.total > 1000000"),
    ];
    let mut destinations = String::from("destinations:\n");
    let mut deliver = String::new();
    for (name, filter) in filters {
        destinations.push_str(&format!("  {name}: {{ url: '{}' }}\n", destination.url(&format!("/{name}"))));
        deliver.push_str(&format!("      - to: {name}\n"));
        if !filter.is_empty() {
            deliver.push_str(&format!("        {filter}\n"));
        }
    }
    let gateway = Gateway::start(&format!(
        "{destinations}routes:\n  - name: in\n    path: /in/{{shop}}\n    auth: none\n    deliver:\n{deliver}"
    ));
    for event in [
        json!({ "id": "1", "type": "order.created", "total": 250 }),
        json!({ "id": "2", "type": "order.created", "total": 50, "vip": null }),
        json!({ "id": "3", "type": "order.deleted" }),
        json!({ "id": "4", "type": "customer.created", "vip": false }),
        json!({ "id": "5", "type": "reorder.created", "total": "250" }),
    ] {
        let headers = sign::headers(&[("X-Shop", "yes")]);
        let response = gateway.post("/in/berlin?kind=test", &headers, event.to_string().as_bytes());
        assert_eq!(response.status, 202, "{}", response.text());
    }
    let expected = [
        ("everything", "12345"),
        ("by-type", "123"),
        ("by-types", "34"),
        ("by-value", "1"),
        // A bare path tests existence: null and false are there.
        ("by-existence", "24"),
        ("by-pattern", "123"),
        ("by-path", "12345"),
        ("all", "2"),
        ("any", "14"),
        ("not", "5"),
        ("block", "23"),
        ("nothing", ""),
    ];
    let total = expected.iter().map(|(_, ids)| ids.len()).sum();
    destination.wait_for(total);
    gateway.wait_until_drained();
    let arrived = destination.arrived();
    for (name, ids) in expected {
        let mut got: Vec<String> = arrived
            .iter()
            .filter(|arrived| arrived.path == format!("/{name}"))
            .map(|arrived| arrived.json()["id"].as_str().unwrap().to_owned())
            .collect();
        got.sort();
        assert_eq!(got.concat(), ids, "{name}");
    }
    let keys: std::collections::HashSet<String> = arrived.iter().map(Arrived::key).collect();
    assert_eq!(keys.len(), total, "two deliveries share an Idempotency-Key");
}

#[test]
fn a_routes_own_filter_comes_first() {
    let destination = Destination::start();
    let gateway = Gateway::start(&format!(
        "
destinations: {{ warehouse: {{ url: '{}' }} }}
routes:
  - name: in
    path: /in
    auth: none
    filter: {{ types: ['order.*'] }}
    deliver: [{{ to: warehouse }}]
",
        destination.url("/")
    ));
    for kind in ["other", "order.created"] {
        assert_eq!(gateway.post_json("/in", &json!({ "type": kind, "id": kind })).status, 202);
    }
    destination.wait_for(1);
    gateway.wait_until_drained();
    assert_eq!(destination.arrived().len(), 1);
    assert_eq!(destination.arrived()[0].json()["type"], "order.created");
}

#[test]
fn a_transform_is_the_shape_of_what_goes_out() {
    let deliver = r#"
      - to: warehouse
        transform:
          name: "{$.data.first} {$.data.last}"
          email: $.data.email
          missing: $.data.nothing
          nothing_is_a_value: $.data.empty
          city: { $path: "$.data.addresses[0].city", $default: unknown }
          street: { $path: "$.data.addresses[0].street", $default: unknown }
          id: { $path: $.data.number, $required: true }
          interests: $.data.interests[*]
          cities: $..city
          none: $.data.nothing[*]
          literal: { $literal: { $path: $.not.a.path, price: "{$.x}" } }
          lines: { $each: "$.data.lines[*]", $do: { sku: "@.sku", label: "{@.sku} of {$.data.number}", n: "@.quantity" } }
          kind: $.type
          shop: $.path.shop
          nested: { deep: [$.data.number, "{$.data.number}", fixed, 7, true, null] }
          braces: "{{literal}} {$.data.number}"
          no_hole: "{{as it is}}"
"#;
    let event = json!({
        "id": "1", "type": "order.created", "number": 1204, "first": "Zoë", "last": "标记", "email": "z@example.com",
        "empty": null, "addresses": [{ "city": "Köln" }], "interests": ["Surf", "Golfing"],
        "lines": [{ "sku": "A", "quantity": 1.50 }, { "sku": "B" }],
    });
    let arrived = deliver_one(deliver, &event);
    assert_eq!(
        arrived.json(),
        json!({
            "name": "Zoë 标记",
            "email": "z@example.com",
            "nothing_is_a_value": null,
            "city": "Köln",
            "street": "unknown",
            "id": 1204,
            "interests": ["Surf", "Golfing"],
            "cities": ["Köln"],
            "none": [],
            "literal": { "$path": "$.not.a.path", "price": "{$.x}" },
            "lines": [{ "sku": "A", "label": "A of 1204", "n": 1.5 }, { "sku": "B", "label": "B of 1204" }],
            "kind": "order.created",
            "shop": "berlin",
            "nested": { "deep": [1204, "1204", "fixed", 7, true, null] },
            "braces": "{literal} 1204",
            "no_hole": "{{as it is}}",
        })
    );
    assert_eq!(arrived.header("content-type"), Some("application/json"));
    let order: Vec<String> = arrived.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(&order[..3], ["name", "email", "nothing_is_a_value"], "keys keep the order of the file");
}

#[test]
fn a_value_in_a_url_is_one_segment_whatever_it_holds() {
    let event = json!({ "id": "1", "type": "t", "to": "a/b c?d=e&f#g%h/../é" });
    let arrived = deliver_one("      - to: by-name\n", &event);
    assert_eq!(arrived.path, "/a%2Fb%20c%3Fd%3De%26f%23g%25h%2F..%2F%C3%A9");
}

#[test]
fn a_destination_says_method_headers_and_who_we_are() {
    let destination = Destination::start();
    let url = destination.url("/x");
    let gateway = Gateway::with(&format!(
        "
destinations:
  bearer:
    url: '{url}'
    method: PUT
    headers: {{ X-Fixed: yes please, X-Order: 'order {{$.data.number}}' }}
    auth: {{ bearer: '${{TOKEN}}' }}
  basic: {{ url: '{url}', auth: {{ basic: {{ username: me, password: '${{TOKEN}}' }} }} }}
  header: {{ url: '{url}', auth: {{ header: {{ name: X-Api-Key, value: '${{TOKEN}}' }} }} }}
routes:
  - name: in
    path: /in
    auth: none
    deliver: [{{ to: bearer }}, {{ to: basic }}, {{ to: header }}]
"
    ))
    .env("TOKEN", "t0ken")
    .start();
    assert_eq!(gateway.post_json("/in", &json!({ "id": "1", "type": "t", "number": 7 })).status, 202);
    let arrived = destination.wait_for(3);
    let with = |name: &str, value: &str| arrived.iter().find(|arrived| arrived.header(name) == Some(value));
    let bearer = with("authorization", "Bearer t0ken").expect("a bearer token");
    assert_eq!((bearer.method.as_str(), bearer.header("x-order")), ("PUT", Some("order 7")));
    assert_eq!(bearer.header("x-fixed"), Some("yes please"));
    let basic = with("authorization", &format!("Basic {}", sign::base64(b"me:t0ken"))).expect("basic credentials");
    assert_eq!(basic.method, "POST");
    assert!(with("x-api-key", "t0ken").is_some());
}

#[test]
fn each_format_says_the_same_event() {
    let destination = Destination::start();
    let mut destinations = String::from("destinations:\n");
    let mut deliver = String::new();
    for format in ["cloudevents", "cloudevents-binary", "raw", "json"] {
        destinations.push_str(&format!("  {format}: {{ url: '{}' }}\n", destination.url(&format!("/{format}"))));
        deliver.push_str(&format!("      - {{ to: {format}, format: {format} }}\n"));
    }
    let gateway = Gateway::start(&format!(
        "{destinations}routes:\n  - name: in\n    path: /in\n    provider: bspk\n    secret: s3cret\n    deliver:\n{deliver}"
    ));
    // Odd spacing, an exponent and a long number: raw is byte for byte.
    let body = "{ \"event_name\":\t\"client.updated\",\n \"object\" : {\"id\":7,\"n\":1.0e2,\"big\":12345678901234567890,\"é\":\"\\u00e9\"} }\n";
    let mut headers = sign::bspk("s3cret");
    headers.extend(sign::headers(&[("Content-Type", "application/json; charset=utf-8")]));
    assert_eq!(gateway.post("/in", &headers, body.as_bytes()).status, 202);
    let arrived = destination.wait_for(4);
    let at = |path: &str| arrived.iter().find(|arrived| arrived.path == path).unwrap();
    let object = serde_json::from_str::<Value>(body).unwrap()["object"].clone();

    let structured = at("/cloudevents");
    assert!(structured.header("content-type").unwrap().starts_with("application/cloudevents+json"));
    assert_eq!(structured.json()["data"], object);

    let binary = at("/cloudevents-binary");
    assert_eq!(binary.header("ce-specversion"), Some("1.0"));
    assert_eq!(binary.header("ce-type"), Some("client.updated"));
    assert_eq!(binary.header("ce-id"), structured.json()["id"].as_str());
    assert_eq!(binary.header("ce-subject"), Some("7"));
    assert_eq!(binary.header("ce-route"), Some("in"));
    assert_eq!(binary.header("content-type"), Some("application/json"));
    assert_eq!(binary.json(), object);

    let raw = at("/raw");
    assert_eq!(raw.body, body.as_bytes());
    assert_eq!(raw.header("content-type"), Some("application/json; charset=utf-8"));

    let data = at("/json");
    assert_eq!(data.json(), object);
    assert_eq!(data.header("content-type"), Some("application/json"));

    for arrived in &arrived {
        assert_eq!(arrived.header("x-bspk-secret"), None, "an inbound credential went out");
    }
}

#[test]
fn an_event_that_lacks_what_a_transform_requires_becomes_a_dead_letter() {
    for template in ["{ id: { $path: $.data.number, $required: true } }", "{ text: 'number {$.data.number}' }"] {
        let destination = Destination::start();
        let deliver = format!("      - to: warehouse\n        name: shaped\n        transform: {template}\n");
        let gateway = gateway(&destination, &deliver);
        assert_eq!(gateway.post_json("/in/a", &json!({ "id": "1", "type": "t", "payload": "priv4te" })).status, 202);
        gateway.wait_for_metric("hookswitch_dead_letters", &[("route", "in"), ("delivery", "shaped")], 1.0);
        gateway.wait_until_drained();
        let line = gateway.wait_for_log(&["transform", "shaped"]);
        assert!(!line.contains("priv4te"), "a payload is in the log: {line}");
        // The next event is whole, and goes out.
        assert_eq!(gateway.post_json("/in/a", &json!({ "id": "2", "type": "t", "number": 7 })).status, 202);
        let arrived = destination.wait_for(1);
        assert_eq!(arrived.len(), 1);
        assert!(String::from_utf8_lossy(&arrived[0].body).contains('7'));
    }
}

#[test]
fn an_event_that_lacks_what_a_url_asks_for_becomes_a_dead_letter() {
    let destination = Destination::start();
    let gateway = gateway(&destination, "      - to: by-name\n");
    assert_eq!(gateway.post_json("/in/a", &json!({ "id": "1", "type": "t" })).status, 202);
    gateway.wait_for_metric("hookswitch_dead_letters", &[("route", "in"), ("delivery", "by-name")], 1.0);
    assert!(destination.arrived().is_empty());
}
