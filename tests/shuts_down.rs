//! SIGTERM: no new work, what is under way ends, what waits is kept.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::net::TcpStream;

use serde_json::json;
use support::{Answer, Connection, Destination, Gateway};

fn start(destination: &Destination, grace: &str) -> Gateway {
    Gateway::with(&format!(
        "
destinations:
  warehouse: {{ url: '{}', breaker: off, retry: {{ initial: 1ms, max: 10ms, max_attempts: 1000000 }} }}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: warehouse }}] }}
",
        destination.url("/")
    ))
    .top(&format!("limits: {{ shutdown_grace: {grace} }}"))
    .start()
}

fn accept(gateway: &Gateway, id: &str) {
    assert_eq!(gateway.post_json("/in", &json!({ "type": "t", "id": id })).status, 202);
}

#[test]
fn a_request_under_way_is_finished_while_new_ones_are_refused() {
    let destination = Destination::start();
    let mut gateway = start(&destination, "10m");
    let body = r#"{"type":"t","id":"in flight"}"#;
    let mut connection = Connection::open(gateway.address()).unwrap();
    let head = format!(
        "POST /in HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    connection.write(head.as_bytes()).unwrap();
    connection.write(&body.as_bytes()[..5]).unwrap();
    // A whole request behind it, so that the first bytes have been read when the signal comes.
    accept(&gateway, "before");
    gateway.signal("TERM");
    let address = gateway.address();
    support::eventually("the listener's end", || TcpStream::connect(address).is_err().then_some(()));
    connection.write(&body.as_bytes()[5..]).unwrap();
    let response = connection.response().unwrap().expect("an answer");
    assert_eq!(response.status, 202);
    assert_eq!(gateway.wait_for_exit().code(), Some(0));

    gateway.restart();
    let arrived = destination.wait_until("the acknowledged events", |arrived| {
        arrived.iter().any(|arrived| arrived.json()["id"] == "in flight")
    });
    assert!(arrived.iter().any(|arrived| arrived.json()["id"] == "before"));
}

#[test]
fn an_attempt_under_way_is_finished_and_not_made_again() {
    let destination = Destination::start();
    let mut gateway = start(&destination, "10m");
    destination.hold();
    accept(&gateway, "1");
    destination.wait_for(1);
    gateway.signal("TERM");
    let address = gateway.address();
    support::eventually("the listener's end", || TcpStream::connect(address).is_err().then_some(()));
    destination.release();
    assert_eq!(gateway.wait_for_exit().code(), Some(0));
    gateway.restart();
    gateway.wait_until_drained();
    assert_eq!(destination.arrived().len(), 1);
}

#[test]
fn an_attempt_that_outlasts_the_grace_is_made_again_after_the_restart() {
    let destination = Destination::start();
    let mut gateway = start(&destination, "200ms");
    destination.answer_next([Answer::Hang]);
    accept(&gateway, "1");
    destination.wait_for(1);
    gateway.signal("TERM");
    assert_eq!(gateway.wait_for_exit().code(), Some(0));
    gateway.restart();
    let arrived = destination.wait_for(2);
    assert_eq!(arrived[0].key(), arrived[1].key());
    gateway.wait_until_drained();
}

#[test]
fn what_waits_for_its_retry_is_kept() {
    let destination = Destination::start();
    destination.always("/", Answer::Status(500));
    let mut gateway = start(&destination, "10m");
    for id in ["1", "2", "3"] {
        accept(&gateway, id);
    }
    destination.wait_for(3);
    gateway.signal("TERM");
    assert_eq!(gateway.wait_for_exit().code(), Some(0));
    let before = destination.arrived().len();
    destination.always("/", Answer::Status(200));
    gateway.restart();
    gateway.wait_until_drained();
    assert_eq!(destination.arrived().len(), before + 3);
}

#[test]
fn an_idle_connection_holds_nothing_up() {
    let destination = Destination::start();
    let mut gateway = start(&destination, "10m");
    let mut connection = Connection::open(gateway.address()).unwrap();
    connection.write(b"GET /nope HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(connection.response().unwrap().expect("an answer").status, 404);
    gateway.signal("TERM");
    assert_eq!(gateway.wait_for_exit().code(), Some(0));
    assert!(matches!(connection.response(), Ok(None) | Err(_)), "the connection is closed");
}

#[test]
fn a_second_signal_does_not_wait_for_the_grace_period() {
    let destination = Destination::start();
    destination.answer_next([Answer::Hang]);
    let mut gateway = start(&destination, "10m");
    accept(&gateway, "slow");
    destination.wait_for(1);
    gateway.signal("TERM");
    let address = gateway.address();
    support::eventually("the listener's end", || TcpStream::connect(address).is_err().then_some(()));
    gateway.signal("INT");
    assert_eq!(gateway.wait_for_exit().code(), Some(1), "it did not stop in order, and says so");
    gateway.restart();
    destination.wait_until("what was pending", |arrived| arrived.len() == 2);
}
