//! What the person on call sees: metrics in good form, health, and an admin listener that is not anybody's.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use serde_json::json;
use support::metrics::has_sample;
use support::{Answer, Destination, Gateway, fixtures, hookswitch, http, sign};

fn routes(destination: &Destination) -> String {
    format!(
        "
destinations: {{ warehouse: {{ url: '{}', retry: {{ initial: 1ms, max: 5ms }} }} }}
routes:
  - {{ name: clients, path: /clients, provider: bspk, secret: s3cret, deliver: [{{ to: warehouse, types: ['client.*'] }}] }}
",
        destination.url("/")
    )
}

/// A gateway that has seen one of each: delivered after an error, filtered, refused, given up, waiting.
fn busy() -> (Destination, Gateway) {
    let destination = Destination::start();
    let gateway = Gateway::start(&routes(&destination));
    destination.answer_next([500, 200, 410].map(Answer::Status));
    let post = |secret: &str, name: &str| {
        let body = fixtures::one("bspk", name).body;
        gateway.post("/clients", &sign::bspk(secret), &body).status
    };
    assert_eq!(post("s3cret", "client.updated"), 202);
    gateway.wait_until_drained();
    assert_eq!(post("s3cret", "client.created"), 202);
    gateway.wait_for_metric("hookswitch_dead_letters", &[], 1.0);
    assert_eq!(post("s3cret", "file_import.finished"), 202);
    assert_eq!(post("wrong", "client.updated"), 401);
    assert_eq!(gateway.post_json("/nowhere", &json!({})).status, 404);
    (destination, gateway)
}

#[test]
fn every_promised_metric_is_there_with_its_labels() {
    let (_destination, gateway) = busy();
    let text = gateway.metrics();
    let count = |name: &str, labels: &[(&str, &str)]| support::metric(&text, name, labels);
    let clients = ("route", "clients");
    let line = [clients, ("delivery", "warehouse")];
    for (name, labels, value) in [
        ("hookswitch_requests_total", &[clients, ("status", "202")][..], 3.0),
        ("hookswitch_requests_total", &[clients, ("status", "401")], 1.0),
        ("hookswitch_requests_total", &[("status", "404")], 1.0),
        ("hookswitch_verifications_total", &[clients, ("secret", "default")], 3.0),
        ("hookswitch_verifications_total", &[clients], 4.0),
        ("hookswitch_events_total", &[clients, ("outcome", "accepted")], 2.0),
        ("hookswitch_events_total", &[clients, ("outcome", "filtered")], 1.0),
        ("hookswitch_deliveries_total", &[clients, ("destination", "warehouse"), ("outcome", "delivered")], 1.0),
        ("hookswitch_delivery_attempts_total", &[clients, ("reason", "server_error")], 1.0),
        ("hookswitch_delivery_attempts_total", &[clients, ("reason", "delivered")], 1.0),
        ("hookswitch_delivery_attempts_total", &[clients, ("destination", "warehouse"), ("reason", "rejected")], 1.0),
        ("hookswitch_delivery_duration_seconds_count", &[], 3.0),
        ("hookswitch_end_to_end_seconds_count", &[], 1.0),
        ("hookswitch_breaker_state", &[("destination", "warehouse")], 0.0),
        ("hookswitch_breaker_transitions_total", &[("destination", "warehouse"), ("to", "open")], 0.0),
        ("hookswitch_queue_pending", &line, 0.0),
        ("hookswitch_dead_letters", &line, 1.0),
        ("hookswitch_config_last_reload_successful", &[], 1.0),
        ("hookswitch_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0),
    ] {
        assert!(has_sample(&text, name), "{name} is missing");
        assert_eq!(count(name, labels), value, "{name}{labels:?}\n{text}");
    }
    for name in [
        "hookswitch_queue_oldest_seconds",
        "hookswitch_config_last_reload_success_timestamp_seconds",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
    ] {
        assert!(has_sample(&text, name), "{name} is missing");
    }
    assert!(!text.contains("nowhere"), "a label came from a request");
    assert!(!text.contains("s3cret"));
}

#[test]
fn a_route_has_its_series_before_its_first_request() {
    let destination = Destination::start();
    let gateway = Gateway::start(&routes(&destination));
    let text = gateway.metrics();
    for name in ["hookswitch_queue_pending", "hookswitch_dead_letters"] {
        assert!(has_sample(&text, name), "{name} has no zero: an alert on it would never fire\n{text}");
    }
}

#[test]
fn promtool_finds_no_fault_with_the_metrics() {
    let (_destination, gateway) = busy();
    let response = gateway.admin("GET", "/metrics");
    let kind = response.header("content-type").unwrap();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool: run tests/run.sh, which fetches it, or install the Debian package prometheus");
    promtool.stdin.take().unwrap().write_all(&response.body).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

#[test]
fn health_and_readiness_are_answered() {
    let destination = Destination::start();
    let gateway = Gateway::start(&routes(&destination));
    for path in ["/healthz", "/readyz"] {
        assert_eq!(gateway.admin("GET", path).status, 200, "{path}");
    }
    assert_eq!(gateway.admin("GET", "/nope").status, 404);
    assert_eq!(gateway.admin("POST", "/metrics").status, 405);
    // The two listeners are two: what is for operators is not on the side of the world.
    for path in ["/metrics", "/healthz", "/-/reload"] {
        let response = http::send(gateway.address(), "POST", path, &sign::headers(&[]), b"");
        assert_eq!(response.status, 404, "{path}");
    }
}

#[test]
fn a_log_line_names_route_and_reason_of_what_was_refused() {
    let (_destination, gateway) = busy();
    gateway.wait_for_log(&["clients", "401"]);
    gateway.wait_for_log(&["rejected", "clients", "warehouse"]);
    let log = gateway.log().join("\n");
    for private in ["s3cret", "mark.d@email.com", "Desmound"] {
        assert!(!log.contains(private), "{private} is in the log");
    }
}

#[test]
fn what_a_destination_quotes_of_the_payload_is_in_no_log() {
    let destination = Destination::start();
    let gateway = Gateway::start(&routes(&destination));
    destination.answer_next([Answer::Echo(500), Answer::Echo(422)]);
    let event = json!({ "event_name": "client.updated", "object": { "id": 1, "email": "a-private-address" } });
    assert_eq!(gateway.post("/clients", &sign::bspk("s3cret"), event.to_string().as_bytes()).status, 202);
    gateway.wait_for_log(&["attempt failed", "answered 500"]);
    gateway.wait_for_log(&["dead letter", "answered 422"]);
    let log = gateway.log().join("\n");
    assert!(!log.contains("a-private-address"), "{log}");
}

#[test]
fn an_admin_listener_that_others_can_reach_has_a_token() {
    let destination = Destination::start();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("routes.yaml");
    let text = format!("listen: 127.0.0.1:0\nadmin: {{ listen: 0.0.0.0:0 }}\n{}", routes(&destination));
    std::fs::write(&file, text).unwrap();
    let output = hookswitch().args(["check", "--config"]).arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("token"), "{said}");
}

#[test]
fn a_token_is_asked_for_where_there_is_one() {
    let destination = Destination::start();
    let gateway = Gateway::with(&routes(&destination))
        .admin("listen: 0.0.0.0:0, token: '${ADMIN_TOKEN}'")
        .env("ADMIN_TOKEN", "letmein")
        .start();
    let admin = SocketAddr::from(([127, 0, 0, 1], gateway.admin_address().port()));
    let reload = |headers: &sign::Headers| http::send(admin, "POST", "/-/reload", headers, b"").status;
    assert_eq!(reload(&sign::headers(&[])), 401);
    for token in ["", "wrong", "letmei", "letmeinn", "LETMEIN"] {
        assert_eq!(reload(&sign::bearer(token)), 401, "{token:?}");
    }
    assert_eq!(reload(&sign::bearer("letmein")), 200);
    let metrics = http::send(admin, "GET", "/metrics", &sign::bearer("letmein"), b"");
    assert_eq!(metrics.status, 200);
    // A kubelet carries no token.
    assert_eq!(http::send(admin, "GET", "/healthz", &sign::headers(&[]), b"").status, 200);
}
