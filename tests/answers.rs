//! What is answered to each kind of request, and how little a client can cost.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::io::Write;
use std::thread;

use serde_json::json;
use support::sign::{self, Headers};
use support::{Connection, Destination, Gateway, Response, fixtures, http};

const SECRET: &str = "a secret";

fn open_route(destination: &Destination) -> String {
    format!(
        "
destinations:
  warehouse: {{ url: '{}' }}
routes:
  - name: open
    path: /open
    auth: none
    deliver: [{{ to: warehouse }}]
  - name: clients
    path: /clients
    provider: bspk
    secret: {SECRET}
    deliver: [{{ to: warehouse }}]
  - name: loyalty
    path: /loyalty/{{hook}}
    provider: bubblehouse
    secret: {SECRET}
    deliver: [{{ to: warehouse, types: ['Points*'] }}]
",
        destination.url("/events")
    )
}

fn start() -> (Destination, Gateway) {
    let destination = Destination::start();
    let gateway = Gateway::start(&open_route(&destination));
    (destination, gateway)
}

fn plain() -> Headers {
    Headers::new()
}

/// Nothing but what this sends has become an event.
fn assert_nothing_else_arrived(destination: &Destination, gateway: &Gateway) {
    let before = destination.arrived().len();
    assert_eq!(before, 0, "{:?}", destination.arrived());
    assert_eq!(gateway.post_json("/open", &json!({ "type": "marker", "id": "marker" })).status, 202);
    destination.wait_for(1);
    gateway.wait_until_drained();
    assert_eq!(destination.arrived().len(), 1);
}

#[test]
fn an_event_is_accepted_with_its_id() {
    let (destination, gateway) = start();
    let response = gateway.post_json("/open", &json!({ "type": "order.created", "id": "evt_1" }));
    assert_eq!(response.status, 202);
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert!(response.json()["id"].as_str().is_some_and(|id| !id.is_empty()));
    let event = destination.wait_for(1)[0].json();
    assert_eq!((&event["id"], &event["type"]), (&json!("evt_1"), &json!("order.created")));
    assert_eq!(gateway.metric("hookswitch_requests_total", &[("route", "open"), ("status", "202")]), 1.0);
}

#[test]
fn an_unknown_path_is_404() {
    let (_destination, gateway) = start();
    for path in ["/", "/nope", "/open/", "/open/more", "/OPEN", "/loyalty/SendEvent1/more"] {
        assert_eq!(gateway.post_json(path, &json!({ "type": "x" })).status, 404, "{path}");
    }
    let metrics = gateway.metrics();
    assert!(!metrics.contains("nope"), "a label came from a request");
}

#[test]
fn another_method_is_405_and_hears_which_is_allowed() {
    let (_destination, gateway) = start();
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        let response = http::send(gateway.address(), method, "/open", &plain(), b"");
        assert_eq!(response.status, 405, "{method}");
        assert_eq!(response.header("allow"), Some("POST"), "{method}");
    }
}

#[test]
fn a_body_that_says_it_is_too_large_is_413_before_it_is_sent() {
    let (destination, gateway) = start();
    let mut connection = Connection::open(gateway.address()).unwrap();
    let head = format!(
        "POST /open HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        64 * 1024 * 1024
    );
    connection.write(head.as_bytes()).unwrap();
    assert_eq!(connection.response().unwrap().expect("an answer").status, 413);
    assert_nothing_else_arrived(&destination, &gateway);
}

#[test]
fn a_body_that_turns_out_too_large_is_413() {
    let (destination, gateway) = start();
    let mut connection = Connection::open(gateway.address()).unwrap();
    connection
        .write(
            b"POST /open HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
        .unwrap();
    let mut writer = connection.writer().unwrap();
    let writing = thread::spawn(move || {
        let mut chunk = b"10000\r\n".to_vec();
        chunk.resize(chunk.len() + 0x10000, b' ');
        chunk.extend(b"\r\n");
        // 64 MiB, or until the other side has had enough.
        for _ in 0..1024 {
            if writer.write_all(&chunk).is_err() {
                return;
            }
        }
        let _ = writer.write_all(b"0\r\n\r\n");
    });
    assert_eq!(connection.response().unwrap().expect("an answer").status, 413);
    drop(connection);
    writing.join().unwrap();
    assert_nothing_else_arrived(&destination, &gateway);
}

#[test]
fn a_route_may_have_a_bound_of_its_own() {
    let destination = Destination::start();
    let routes = open_route(&destination).replace("auth: none", "auth: none\n    max_body: 1KiB");
    let gateway = Gateway::start(&routes);
    let of_length = |length: usize| {
        let frame = r#"{"type":"t","id":"i","x":""}"#.len();
        format!(r#"{{"type":"t","id":"i","x":"{}"}}"#, "a".repeat(length - frame))
    };
    assert_eq!(gateway.post("/open", &plain(), of_length(1024).as_bytes()).status, 202);
    assert_eq!(gateway.post("/open", &plain(), of_length(1025).as_bytes()).status, 413);
}

#[test]
fn another_media_type_is_415() {
    let (destination, gateway) = start();
    for kind in ["text/plain", "application/xml", "multipart/form-data; boundary=x"] {
        let headers = sign::headers(&[("Content-Type", kind)]);
        assert_eq!(gateway.post("/open", &headers, br#"{"type":"t"}"#).status, 415, "{kind}");
    }
    assert_nothing_else_arrived(&destination, &gateway);
}

#[test]
fn json_in_any_of_its_media_types_is_taken() {
    let (destination, gateway) = start();
    for (number, kind) in
        ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.acme+json"]
            .iter()
            .enumerate()
    {
        let headers = sign::headers(&[("Content-Type", kind)]);
        let body = json!({ "type": "t", "id": number.to_string() }).to_string();
        assert_eq!(gateway.post("/open", &headers, body.as_bytes()).status, 202, "{kind}");
    }
    destination.wait_for(4);
}

#[test]
fn what_is_not_json_or_holds_no_event_is_422() {
    let (destination, gateway) = start();
    let deep = "[".repeat(200_000);
    let deep_and_closed = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    for body in
        ["", "{", "nonsense", "{\"type\":\"t\"} more", "\u{feff}{", "[]", "{}", "null", "17", "\"text\"", "{\"a\":1}"]
    {
        let headers = sign::headers(&[("Content-Type", "application/json")]);
        let response = gateway.post("/open", &headers, body.as_bytes());
        assert_eq!(response.status, 422, "{body:?}: {}", response.text());
    }
    for body in [deep.as_bytes(), deep_and_closed.as_bytes(), b"{\"type\":\"\xff\"}"] {
        assert_eq!(gateway.post("/open", &plain(), body).status, 422);
    }
    let without_its_name = br#"{"object":{"id":1}}"#;
    assert_eq!(gateway.post("/clients", &sign::bspk(SECRET), without_its_name).status, 422);
    assert_nothing_else_arrived(&destination, &gateway);
}

#[test]
fn who_is_not_verified_never_learns_whether_the_body_is_good() {
    let (_destination, gateway) = start();
    for body in [&b"nonsense"[..], b"{}", br#"{"event_name":"client.updated","object":{"id":1}}"#] {
        assert_eq!(gateway.post("/clients", &sign::bspk("wrong"), body).status, 401);
    }
}

#[test]
fn a_duplicate_is_answered_as_if_accepted_and_delivered_once() {
    let (destination, gateway) = start();
    let body = fixtures::one("bspk", "client.updated").body;
    let answers: Vec<Response> = (0..3).map(|_| gateway.post("/clients", &sign::bspk(SECRET), &body)).collect();
    for answer in &answers {
        assert_eq!(answer.status, 202);
        assert!(answer.json()["id"].is_string());
    }
    destination.wait_for(1);
    gateway.wait_until_drained();
    assert_eq!(destination.arrived().len(), 1);
    assert_eq!(gateway.metric("hookswitch_events_total", &[("route", "clients"), ("outcome", "duplicate")]), 2.0);
}

#[test]
fn a_duplicate_is_known_after_a_restart() {
    let (destination, mut gateway) = start();
    let event = json!({ "type": "t", "id": "once" });
    assert_eq!(gateway.post_json("/open", &event).status, 202);
    destination.wait_for(1);
    gateway.wait_until_drained();
    gateway.restart();
    assert_eq!(gateway.post_json("/open", &event).status, 202);
    gateway.wait_until_drained();
    assert_eq!(gateway.metric("hookswitch_events_total", &[("outcome", "duplicate")]), 1.0);
    assert_eq!(destination.arrived().len(), 1);
}

#[test]
fn an_event_that_no_delivery_wants_is_answered_as_if_accepted() {
    let destination = Destination::start();
    let routes = open_route(&destination).replace("[{ to: warehouse }]", "[{ to: warehouse, types: ['order.*'] }]");
    let gateway = Gateway::start(&routes);
    assert_eq!(gateway.post_json("/open", &json!({ "type": "other", "id": "1" })).status, 202);
    assert_eq!(gateway.metric("hookswitch_events_total", &[("route", "open"), ("outcome", "filtered")]), 1.0);
    assert!(destination.arrived().is_empty());
}

#[test]
fn bubblehouse_hears_an_outcome() {
    let (destination, gateway) = start();
    let ask = |hook: &str, body: &str| {
        let response = gateway.post(&format!("/loyalty/{hook}"), &sign::bubblehouse(SECRET), body.as_bytes());
        let outcome = serde_json::from_slice(&response.body).unwrap_or(json!(null));
        (response.status, outcome["outcome"].as_str().map(str::to_owned))
    };
    let event = |bhid: &str, name: &str| {
        json!({ "bhid": bhid, "time": "2024-12-26T18:05:42Z", "name": name, "customer": { "bhid": "c1" } }).to_string()
    };
    let said = |outcome: &str| (200, Some(outcome.to_owned()));
    assert_eq!(ask("SendEvent1", &event("e1", "Points Earned")), said("sent"));
    assert_eq!(ask("SendEvent1", &event("e1", "Points Earned")), said("sent"), "a duplicate");
    assert_eq!(ask("SendEvent1", &event("e2", "Birthday")), said("skipped"), "no delivery wants it");
    // A 4xx would hold the provider's whole queue.
    assert_eq!(ask("SendEvent1", "{\"name\":\"no id\"}"), said("invalid_data"));
    assert_eq!(ask("SendEvent1", "not JSON"), said("invalid_data"));
    assert_eq!(ask("SendEvent2", &event("e3", "Points Earned")).0, 404, "an unknown hook");
    let unverified = gateway.post("/loyalty/SendEvent1", &sign::bubblehouse("wrong"), b"{}");
    assert_eq!(unverified.status, 401);

    let hello = gateway.post("/loyalty/Hello1", &sign::bubblehouse(SECRET), br#"{"magic":"xyzzy"}"#);
    assert_eq!((hello.status, &hello.json()["magic"]), (200, &json!("xyzzy")));
    assert!(hello.json()["hooks"].to_string().contains("SendEvent1"), "{}", hello.text());
    let unverified_hello = gateway.post("/loyalty/Hello1", &sign::bubblehouse("wrong"), br#"{"magic":"xyzzy"}"#);
    assert_eq!(unverified_hello.status, 401);

    destination.wait_for(1);
    gateway.wait_until_drained();
    assert_eq!(destination.arrived().len(), 1);
}

#[test]
fn a_request_whose_length_cannot_be_told_is_refused() {
    let (destination, gateway) = start();
    let body = r#"{"type":"t","id":"odd"}"#;
    for framing in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x10\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
    ] {
        let mut connection = Connection::open(gateway.address()).unwrap();
        let head = format!("POST /open HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{framing}\r\n{body}");
        connection.write(head.as_bytes()).unwrap();
        if let Ok(Some(response)) = connection.response() {
            assert!((400..500).contains(&response.status), "{framing}: {response:?}");
        }
    }
    assert_nothing_else_arrived(&destination, &gateway);
}

/// RFC 9112, section 6.1: Content-Length together with Transfer-Encoding is how one request is smuggled in behind another.
#[test]
fn a_request_with_two_lengths_is_refused_with_all_behind_it() {
    let (destination, gateway) = start();
    let body = |id: &str| json!({ "type": "t", "id": id }).to_string();
    let smuggled = body("smuggled");
    let behind = format!(
        "POST /open HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{smuggled}",
        smuggled.len()
    );
    for (number, lengths) in [
        "Content-Length: LENGTH\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: LENGTH\r\n",
    ]
    .iter()
    .enumerate()
    {
        let seen = body(&format!("seen-{number}"));
        let chunked = format!("{:x}\r\n{seen}\r\n0\r\n\r\n", seen.len());
        // Read by its Content-Length the first request ends with `behind`, by its Transfer-Encoding before it.
        let lengths = lengths.replace("LENGTH", &(chunked.len() + behind.len()).to_string());
        let mut connection = Connection::open(gateway.address()).unwrap();
        let head = format!("POST /open HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{lengths}\r\n");
        connection.write((head + &chunked + &behind).as_bytes()).unwrap();
        if let Ok(Some(response)) = connection.response() {
            assert_eq!(response.status, 400, "{response:?}");
        }
        assert!(matches!(connection.response(), Ok(None) | Err(_)), "a second request was read on that connection");
    }
    assert_nothing_else_arrived(&destination, &gateway);
}

#[test]
fn a_flood_of_header_fields_is_431() {
    let (destination, gateway) = start();
    let many: Headers = (0..5000).map(|number| (format!("X-{number}"), "x".to_owned())).collect();
    let large: Headers = vec![("X-Large".to_owned(), "x".repeat(1024 * 1024))];
    for headers in [many, large] {
        let mut connection = Connection::open(gateway.address()).unwrap();
        let mut head = "POST /open HTTP/1.1\r\nHost: x\r\n".to_owned();
        for (name, value) in &headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("Content-Length: 0\r\n\r\n");
        let mut writer = connection.writer().unwrap();
        let writing = thread::spawn(move || {
            let _ = writer.write_all(head.as_bytes());
        });
        if let Ok(Some(response)) = connection.response() {
            assert_eq!(response.status, 431);
        }
        drop(connection);
        writing.join().unwrap();
    }
    assert_nothing_else_arrived(&destination, &gateway);
}

#[test]
fn a_client_that_dawdles_over_its_head_is_let_go() {
    let destination = Destination::start();
    let gateway = Gateway::with(&open_route(&destination)).top("limits: { header_timeout: 300ms }").start();
    for start in [&b""[..], b"POST /op", b"POST /open HTTP/1.1\r\nHost: x\r\nX-Slow: "] {
        let mut connection = Connection::open(gateway.address()).unwrap();
        connection.write(start).unwrap();
        // The connection's own deadline is far longer: it ends because the gateway ends it.
        match connection.response() {
            Ok(None) => {}
            Ok(Some(response)) => assert_eq!(response.status, 408),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
        }
    }
    assert_nothing_else_arrived(&destination, &gateway);
}

#[test]
fn a_client_that_dawdles_over_its_body_is_408_or_let_go() {
    let destination = Destination::start();
    let gateway = Gateway::with(&open_route(&destination)).top("limits: { body_timeout: 300ms }").start();
    let mut connection = Connection::open(gateway.address()).unwrap();
    connection
        .write(b"POST /open HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        .unwrap();
    match connection.response() {
        Ok(None) => {}
        Ok(Some(response)) => assert_eq!(response.status, 408),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
    }
    assert_nothing_else_arrived(&destination, &gateway);
}

#[test]
fn connections_beyond_the_bound_wait_or_are_closed_and_the_gateway_goes_on() {
    let destination = Destination::start();
    let gateway =
        Gateway::with(&open_route(&destination)).top("limits: { max_connections: 4, header_timeout: 300ms }").start();
    let idle: Vec<Connection> = (0..16).map(|_| Connection::open(gateway.address()).unwrap()).collect();
    assert_eq!(http::send(gateway.admin_address(), "GET", "/healthz", &plain(), b"").status, 200);
    // Idle ones are let go by the timeout, so the next webhook gets its turn.
    support::eventually("a webhook behind idle connections", || {
        let body = br#"{"type":"marker","id":"marker"}"#;
        let response = http::try_send(gateway.address(), "POST", "/open", &plain(), body).ok()?;
        (response.status == 202).then_some(())
    });
    drop(idle);
    destination.wait_for(1);
}

#[test]
fn clients_do_not_take_the_last_open_file() {
    let destination = Destination::start();
    let gateway = Gateway::with(&open_route(&destination)).shell("ulimit -n 128; exec \"$@\"").start();
    gateway.wait_for_log(&["WARN", "limits.max_connections", "64"]);
    assert_eq!(gateway.post_json("/open", &json!({ "type": "t", "id": "1" })).status, 202);
    let idle: Vec<Connection> = (0..150).map(|_| Connection::open(gateway.address()).unwrap()).collect();
    assert_eq!(http::send(gateway.admin_address(), "GET", "/readyz", &plain(), b"").status, 200);
    assert!(gateway.log().iter().all(|line| !line.contains("cannot accept")), "{:?}", gateway.log());
    drop(idle);
    destination.wait_for(1);
}

#[test]
fn a_connection_may_carry_several_requests() {
    let (destination, gateway) = start();
    let mut connection = Connection::open(gateway.address()).unwrap();
    for number in 0..3 {
        let body = json!({ "type": "t", "id": number.to_string() }).to_string();
        let head = format!(
            "POST /open HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        connection.write(head.as_bytes()).unwrap();
        assert_eq!(connection.response().unwrap().expect("an answer").status, 202);
    }
    destination.wait_for(3);
}

#[test]
fn what_was_kept_for_a_client_that_went_away_is_delivered() {
    const EVENTS: usize = 200;
    let (destination, gateway) = start();
    let body = |number: usize| format!(r#"{{"type":"t","id":"{number}"}}"#);
    for number in 0..EVENTS {
        let mut connection = Connection::open(gateway.address()).unwrap();
        let body = body(number);
        let head = format!("POST /open HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        connection.write(head.as_bytes()).unwrap();
        // It does not wait for the answer.
        drop(connection);
    }
    // The provider tries again. What was kept the first time is a duplicate now: nothing else will deliver it.
    for number in 0..EVENTS {
        assert_eq!(gateway.post("/open", &plain(), body(number).as_bytes()).status, 202);
    }
    gateway.wait_until_drained();
    let arrived: Vec<serde_json::Value> =
        destination.arrived().iter().map(|arrived| arrived.json()["id"].clone()).collect();
    let missing: Vec<usize> = (0..EVENTS).filter(|number| !arrived.contains(&number.to_string().into())).collect();
    assert!(missing.is_empty(), "{missing:?} never came");
}
