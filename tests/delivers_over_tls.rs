//! Delivery over TLS: which destinations are trusted, and that HTTP/2 carries it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;
#[path = "support/tls/mod.rs"]
mod tls;

use std::collections::HashSet;
use std::fs::{self, File};
use std::panic::AssertUnwindSafe;
use std::process::Stdio;

use serde_json::json;
use support::{Arrived, Gateway, eventually};
use tls::{Arrival, Authority, Ending, Identity, TlsDestination};

const HTTP2: &[&str] = &["h2", "http/1.1"];

/// A gateway that trusts this authority and no other.
fn gateway(destination: &TlsDestination, trusted: &Authority) -> Gateway {
    let routes = format!(
        "
destinations:
  crm: {{ url: '{}', breaker: off, retry: {{ initial: 10ms, max: 50ms, max_attempts: 1000000 }} }}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: crm }}] }}
",
        destination.url("/crm")
    );
    // By its path from the gateway's directory, in which it runs.
    let settings = Gateway::with(&routes).file("authority.pem", &trusted.pem());
    settings.env("SSL_CERT_FILE", "authority.pem").env("SSL_CERT_DIR", "").start()
}

fn accept(gateway: &Gateway, id: &str) {
    let response = gateway.post_json("/in", &json!({ "type": "t", "id": id }));
    assert_eq!(response.status, 202, "{}", response.text());
}

fn attempts(gateway: &Gateway, reason: &str) -> f64 {
    let labels = [("route", "in"), ("destination", "crm"), ("reason", reason)];
    gateway.metric("hookswitch_delivery_attempts_total", &labels)
}

fn distinct<T: Eq + std::hash::Hash>(arrived: &[Arrival], of: impl Fn(&Arrival) -> T) -> usize {
    arrived.iter().map(of).collect::<HashSet<T>>().len()
}

fn key(arrival: &Arrival) -> String {
    arrival.request.key()
}

#[test]
fn deliveries_share_one_connection_of_http2() {
    let authority = Authority::called("ours");
    let destination = TlsDestination::start(authority.certify("localhost").server(HTTP2));
    let gateway = gateway(&destination, &authority);
    // Which protocol a destination speaks is known from its first connection on.
    accept(&gateway, "first");
    gateway.wait_until_drained();
    destination.hold();
    for id in 0..8 {
        accept(&gateway, &id.to_string());
    }
    // None has been answered: what has arrived is under way at once.
    let arrived = destination.wait_for(9);
    destination.release();
    gateway.wait_until_drained();
    assert_eq!(destination.connections(), 1);
    assert!(arrived.iter().all(|arrival| arrival.protocol.as_deref() == Some("h2")), "{arrived:?}");
    assert_eq!(distinct(&arrived, key), 9);
    let Arrived { method, path, .. } = &arrived[0].request;
    assert_eq!((&**method, &**path), ("POST", "/crm"));
    assert_eq!(arrived[0].request.json()["id"], "first");
    assert_eq!(attempts(&gateway, "delivered"), 9.0);
}

#[test]
fn a_destination_that_speaks_only_http1_keeps_its_connection() {
    for protocols in [&["http/1.1"] as &[_], &[]] {
        let authority = Authority::called("ours");
        let destination = TlsDestination::start(authority.certify("localhost").server(protocols));
        let gateway = gateway(&destination, &authority);
        for id in ["1", "2", "3"] {
            accept(&gateway, id);
            gateway.wait_until_drained();
        }
        let arrived = destination.arrived();
        assert_eq!((arrived.len(), destination.connections()), (3, 1), "{protocols:?}");
        assert!(arrived.iter().all(|arrival| arrival.protocol.as_deref() == protocols.first().copied()));
    }
}

/// Nothing goes to who shows this, and what waits goes to the same address once it shows a good certificate.
fn is_not_trusted(shown: &Identity, authority: &Authority, cause: &str) {
    let destination = TlsDestination::start(shown.server(HTTP2));
    let gateway = gateway(&destination, authority);
    accept(&gateway, "1");
    eventually("a second attempt", || (attempts(&gateway, "tls") >= 2.0).then_some(()));
    gateway.wait_for_log(&["attempt failed", "invalid peer certificate", cause]);
    assert!(destination.arrived().is_empty(), "delivered to a stranger");
    destination.become_another(authority.certify("localhost").server(HTTP2));
    assert_eq!(destination.wait_for(1)[0].request.json()["id"], "1");
    gateway.wait_until_drained();
    assert_eq!(attempts(&gateway, "delivered"), 1.0);
    assert_eq!(gateway.metric("hookswitch_dead_letters", &[]), 0.0);
}

#[test]
fn a_certificate_of_an_unknown_authority_is_not_trusted() {
    let stranger = Authority::called("a stranger").certify("localhost");
    is_not_trusted(&stranger, &Authority::called("ours"), "UnknownIssuer");
}

#[test]
fn a_certificate_that_is_over_is_not_trusted() {
    let authority = Authority::called("ours");
    is_not_trusted(&authority.certify_of_old("localhost"), &authority, "expired");
}

#[test]
fn a_certificate_of_another_host_is_not_trusted() {
    let authority = Authority::called("ours");
    is_not_trusted(&authority.certify("elsewhere.test"), &authority, "not valid for name");
}

#[test]
fn a_response_that_breaks_off_is_not_a_delivery() {
    // After a reset the connection is as good as before; after the others it is gone.
    for (ending, connections) in [(Ending::Reset, 1), (Ending::GoAway, 2), (Ending::Cut, 2)] {
        let authority = Authority::called("ours");
        let destination = TlsDestination::start(authority.certify("localhost").server(HTTP2));
        let gateway = gateway(&destination, &authority);
        destination.end_next([ending]);
        accept(&gateway, "1");
        gateway.wait_until_drained();
        let arrived = destination.arrived();
        assert_eq!((arrived.len(), destination.connections()), (2, connections), "{ending:?}");
        assert_eq!(distinct(&arrived, key), 1, "{ending:?}: attempts of one delivery have one Idempotency-Key");
        for (reason, count) in [("broken_response", 1.0), ("delivered", 1.0)] {
            assert_eq!(attempts(&gateway, reason), count, "{ending:?}: {reason}");
        }
    }
}

#[test]
fn a_connection_that_ends_in_order_costs_no_attempt() {
    let authority = Authority::called("ours");
    let destination = TlsDestination::start(authority.certify("localhost").server(HTTP2));
    let gateway = gateway(&destination, &authority);
    destination.end_next([Ending::LastOfConnection]);
    accept(&gateway, "1");
    destination.wait_for(1);
    destination.wait_until_left();
    accept(&gateway, "2");
    gateway.wait_until_drained();
    let arrived = destination.arrived();
    assert_eq!((arrived.len(), distinct(&arrived, |arrival| arrival.connection)), (2, 2));
    assert_eq!(attempts(&gateway, "delivered"), 2.0);
}

#[test]
fn no_authority_at_all_stops_the_start_and_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = support::hookswitch()
        .args(["serve", "--config"])
        .arg(support::fixtures::root().join("routes.example.yaml"))
        .envs([("SSL_CERT_FILE", "missing.pem"), ("SSL_CERT_DIR", "")])
        .envs([("LISTEN", "127.0.0.1:0"), ("ADMIN_LISTEN", "127.0.0.1:0"), ("DATA_DIR", "data")])
        .current_dir(directory.path())
        .stderr(Stdio::from(File::create(directory.path().join("said")).unwrap()))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let ended = std::panic::catch_unwind(AssertUnwindSafe(|| eventually("its end", || child.try_wait().unwrap())));
    let _ = child.kill();
    assert_eq!(ended.unwrap().code(), Some(1));
    let said = fs::read_to_string(directory.path().join("said")).unwrap();
    assert!(said.contains("SSL_CERT_FILE"), "{said}");
}
