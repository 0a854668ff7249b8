//! The configuration reloaded ten times a second under load: nothing is lost, and auth never drops.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use support::load::{self, Sent, assert_arrived};
use support::{Destination, Gateway, Load, http, sign};

const SECRET: &str = "the secret";

/// One of the configurations that follow each other: what is sent is verified by each, and each has the lanes.
fn routes(destination: &Destination, round: usize) -> String {
    // What changes: a route beside, another secret beside, concurrency, and the order.
    let beside = if round.is_multiple_of(3) {
        "  - { name: beside, path: /beside, auth: none, deliver: [{ to: two }] }\n"
    } else {
        ""
    };
    let secrets = match round % 2 {
        0 => format!("secret: '{SECRET}'"),
        _ => format!("secrets: {{ now: '{SECRET}', next: 'other-{round}' }}"),
    };
    format!(
        "
providers:
  acme:
    auth: {{ hmac: {{ hash: sha256, signature: {{ from: 'header:X-Sparkbox-Signature', prefix: 'sha256=' }} }} }}
    event: {{ type: $.type, id: $.id }}
destinations:
  one: {{ url: '{}', concurrency: {} }}
  two: {{ url: '{}' }}
routes:
{beside}  - {{ name: in, path: /in, provider: acme, {secrets}, deliver: [{{ to: one }}, {{ to: two }}] }}
",
        destination.url("/one"),
        8 + round % 5,
        destination.url("/two")
    )
}

fn body(id: &str) -> Vec<u8> {
    json!({ "type": "order.paid", "id": id }).to_string().into_bytes()
}

/// Sends what is signed wrong or not at all; gives the answers.
fn forge(gateway: &Gateway, until: Instant) -> thread::JoinHandle<Vec<u16>> {
    let address = gateway.address();
    thread::spawn(move || {
        let mut statuses = Vec::new();
        let mut number = 0;
        while Instant::now() < until {
            let body = body(&format!("forged-{number}"));
            let headers = match number % 3 {
                0 => sign::sparkbox("a wrong secret", &body),
                1 => Vec::new(),
                _ => sign::sparkbox("", &body),
            };
            number += 1;
            statuses.push(http::send(address, "POST", "/in", &headers, &body).status);
        }
        statuses
    })
}

#[test]
fn a_storm_of_reloads_loses_nothing_and_never_drops_auth() {
    let lasts = Duration::from_secs(if load::long() { 60 } else { 3 });
    let destination = Destination::start();
    let gateway = Gateway::start(&routes(&destination, 0));
    let load = Load::start(gateway.address(), 3, |sender, number| {
        let id = format!("{sender}-{number}");
        let body = body(&id);
        Sent { path: "/in".to_owned(), headers: sign::sparkbox(SECRET, &body), body, ids: vec![id] }
    });
    let until = Instant::now() + lasts;
    let forged = forge(&gateway, until);
    let mut rounds = 0;
    while Instant::now() < until {
        rounds += 1;
        // A file that is wrong now and then: it changes nothing.
        if rounds % 7 == 0 {
            gateway.write_file("routes.yaml", "routes: [{ name: in, path: /in, auth: nothing }]\n");
        } else {
            gateway.write_routes(&routes(&destination, rounds));
        }
        gateway.signal("HUP");
        thread::sleep(Duration::from_millis(100));
    }
    let outcome = load.stop();
    let forged = forged.join().unwrap();
    gateway.write_routes(&routes(&destination, 1));
    assert_eq!(gateway.admin("POST", "/-/reload").status, 200);

    let reloads = gateway.log().iter().filter(|line| line.contains("configuration reloaded")).count();
    assert!(reloads >= 5, "{reloads} reloads in {rounds} signals");
    assert_eq!(outcome.refused, [0_u16; 0], "signed right, and refused");
    assert!(forged.len() > 20 && forged.iter().all(|status| *status == 401), "forged, and not refused: {forged:?}");
    assert!(outcome.acknowledged.len() > 50);
    gateway.audit_is_clean();
    for path in ["/one", "/two"] {
        assert_arrived(&destination, path, &outcome.acknowledged);
    }
    assert!(!destination.arrived().iter().any(|arrived| String::from_utf8_lossy(&arrived.body).contains("forged")));
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let (accepted, refused) = (outcome.acknowledged.len() as f64, forged.len() as f64);
    let text = gateway.metrics();
    let count = |status| support::metric(&text, "hookswitch_requests_total", &[("route", "in"), ("status", status)]);
    assert_eq!((count("202"), count("401")), (accepted, refused));
    assert_eq!(support::metric(&text, "hookswitch_events_total", &[("outcome", "accepted")]), accepted);
    let delivered = [("route", "in"), ("outcome", "delivered")];
    assert_eq!(support::metric(&text, "hookswitch_deliveries_total", &delivered), 2.0 * accepted);
    assert_eq!(support::metric(&text, "hookswitch_dead_letters", &[]), 0.0);
}

/// A route that comes and goes under load: each event is refused, delivered, or a dead letter that says why.
#[test]
fn what_was_accepted_for_a_route_that_comes_and_goes_is_delivered_or_dead() {
    let destination = Destination::start();
    let with = |route: bool| {
        let coming = if route { "  - { name: in, path: /in, auth: none, deliver: [{ to: one }] }\n" } else { "" };
        format!(
            "
destinations: {{ one: {{ url: '{}' }} }}
routes:
  - {{ name: stays, path: /stays, auth: none, deliver: [{{ to: one }}] }}
{coming}",
            destination.url("/one")
        )
    };
    let gateway = Gateway::start(&with(true));
    let load =
        Load::start(gateway.address(), 3, |sender, number| load::event("/in", &format!("{sender}-{number}"), 10));
    load.wait_for_more(20);
    for round in 0..if load::long() { 300 } else { 20 } {
        gateway.write_routes(&with(round % 2 == 1));
        gateway.signal("HUP");
        thread::sleep(Duration::from_millis(50));
    }
    gateway.write_routes(&with(true));
    assert_eq!(gateway.admin("POST", "/-/reload").status, 200);
    load.wait_for_more(20);
    let outcome = load.stop();
    assert!(outcome.refused.iter().all(|status| *status == 404), "{:?}", outcome.refused);
    gateway.audit_is_clean();
    let missing = load::missing(&destination, "/one", &outcome.acknowledged);
    #[expect(clippy::cast_precision_loss, reason = "hundreds")]
    let missing = missing.len() as f64;
    // One that was made and then retired is both: at least once.
    let dead = gateway.metric("hookswitch_dead_letters", &[]);
    assert!(missing <= dead, "{missing} never came, and {dead} are dead letters");
}
