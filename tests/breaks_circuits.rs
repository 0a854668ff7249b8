//! A destination that fails is left alone until a probe says that it is well again; what waits for it waits in the queue.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::collections::HashSet;
use std::time::Duration;

use serde_json::json;
use support::{Answer, Arrived, Destination, Gateway};

const STATE: &str = "hookswitch_breaker_state";
const CLOSED: f64 = 0.0;
const HALF_OPEN: f64 = 1.0;
const OPEN: f64 = 2.0;

fn routes(destination: &Destination, settings: &str) -> String {
    format!(
        "
destinations:
  crm: {{ url: '{}', {settings} }}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: crm }}] }}
  - {{ name: other, path: /other, auth: none, deliver: [{{ to: crm }}] }}
",
        destination.url("/crm")
    )
}

/// Retries come at once, so that nothing but the breaker keeps them from the destination.
fn breaker(settings: &str) -> String {
    format!("retry: {{ initial: 1ms, max: 1ms, max_attempts: 1000000 }}, breaker: {{ {settings} }}")
}

fn accept(gateway: &Gateway, path: &str, ids: impl IntoIterator<Item = usize>) {
    for id in ids {
        let response = gateway.post_json(path, &json!({ "type": "t", "id": id.to_string() }));
        assert_eq!(response.status, 202, "{}", response.text());
    }
}

fn ids(arrived: &[Arrived]) -> HashSet<String> {
    arrived.iter().map(|arrived| arrived.json()["id"].to_string()).collect()
}

fn reload(gateway: &Gateway, routes: &str) {
    gateway.write_routes(routes);
    assert_eq!(gateway.admin("POST", "/-/reload").status, 200);
}

fn transitions(gateway: &Gateway, to: &str) -> f64 {
    gateway.metric("hookswitch_breaker_transitions_total", &[("destination", "crm"), ("to", to)])
}

#[test]
fn an_open_breaker_spends_no_attempts_and_gives_up_no_delivery() {
    let destination = Destination::start();
    let retry = "retry: { initial: 1ms, max: 1ms, max_attempts: 4 }";
    let with =
        |failures: u32| format!("{retry}, breaker: {{ failures: {failures}, cool_down: 1h, max_cool_down: 1h }}");
    let gateway = Gateway::start(&routes(&destination, &with(3)));
    assert_eq!(gateway.metric(STATE, &[("destination", "crm")]), CLOSED);
    destination.always("/crm", Answer::Status(500));
    accept(&gateway, "/in", 0..1);
    gateway.wait_for_metric(STATE, &[("destination", "crm")], OPEN);
    gateway.wait_for_log(&["breaker open", "crm", "3 attempts in a row failed", "server_error", "probe_at"]);
    accept(&gateway, "/in", 1..80);
    accept(&gateway, "/other", 0..80);
    gateway.wait_for_metric("hookswitch_queue_pending", &[("route", "in")], 80.0);
    assert_eq!(destination.arrived().len(), 3, "no attempt while it is open");
    assert_eq!(gateway.metric("hookswitch_delivery_attempts_total", &[]), 3.0);
    assert_eq!(gateway.metric("hookswitch_dead_letters", &[]), 0.0);

    // A reload keeps it open, whatever else it changes; one that switches it off lets go of everything that waited.
    destination.always("/crm", Answer::Status(200));
    reload(&gateway, &routes(&destination, &with(2)));
    assert_eq!(gateway.metric(STATE, &[("destination", "crm")]), OPEN);
    assert_eq!(destination.arrived().len(), 3);
    reload(&gateway, &routes(&destination, "breaker: off"));
    gateway.wait_until_drained();
    assert_eq!(destination.arrived().len(), 163);
    assert_eq!(gateway.metric("hookswitch_dead_letters", &[]), 0.0, "the fourth attempt would have been the last");
}

#[test]
fn one_probe_at_a_time_finds_out_when_it_is_well_again() {
    let destination = Destination::start();
    let settings = breaker("failures: 2, cool_down: 20ms, max_cool_down: 40ms");
    let gateway = Gateway::start(&routes(&destination, &settings));
    destination.answer_next([500; 6].map(Answer::Status));
    accept(&gateway, "/in", 0..20);
    accept(&gateway, "/other", 20..40);
    gateway.wait_until_drained();
    let arrived = destination.arrived();
    assert_eq!(ids(&arrived).len(), 40);
    gateway.wait_for_log(&["breaker closed", "crm"]);
    gateway.wait_for_metric(STATE, &[("destination", "crm")], CLOSED);
    assert_eq!(transitions(&gateway, "closed"), 1.0);
    let (open, half_open) = (transitions(&gateway, "open"), transitions(&gateway, "half_open"));
    assert_eq!(open, half_open, "each time that it was open it was probed");
    assert_eq!(gateway.metric("hookswitch_dead_letters", &[]), 0.0);
}

#[test]
fn while_a_probe_is_under_way_nothing_else_is_attempted() {
    let (old, new) = (Destination::start(), Destination::start());
    let settings = breaker("failures: 1, cool_down: 1h, max_cool_down: 1h");
    let gateway = Gateway::start(&routes(&old, &settings));
    old.always("/", Answer::Status(503));
    accept(&gateway, "/in", 0..1);
    gateway.wait_for_metric(STATE, &[("destination", "crm")], OPEN);
    // Where it goes elsewhere it is probed at once.
    new.hold();
    reload(&gateway, &routes(&new, &settings));
    new.wait_for(1);
    accept(&gateway, "/in", 1..40);
    accept(&gateway, "/other", 40..80);
    gateway.wait_for_metric("hookswitch_queue_pending", &[], 80.0);
    assert_eq!(gateway.metric(STATE, &[("destination", "crm")]), HALF_OPEN);
    reload(&gateway, &routes(&new, &settings));
    assert_eq!(new.arrived().len(), 1, "one probe");
    new.release();
    gateway.wait_until_drained();
    assert_eq!(ids(&new.arrived()).len(), 80);
    assert_eq!((old.arrived().len(), gateway.metric(STATE, &[("destination", "crm")])), (1, CLOSED));
}

#[test]
fn answers_about_the_event_open_nothing() {
    let destination = Destination::start();
    let gateway = Gateway::start(&routes(&destination, &breaker("failures: 1, cool_down: 1h, max_cool_down: 1h")));
    destination.answer_next([404, 422, 401, 302].map(Answer::Status));
    accept(&gateway, "/in", 0..4);
    gateway.wait_until_drained();
    assert_eq!(gateway.metric(STATE, &[("destination", "crm")]), CLOSED);
    assert_eq!(transitions(&gateway, "open"), 0.0);
    let text = gateway.metrics();
    assert!(
        text.contains("hookswitch_breaker_transitions_total{destination=\"crm\",to=\"open\"} 0"),
        "it has its zero"
    );
}

#[test]
fn a_failure_rate_opens_it_where_successes_come_in_between() {
    let destination = Destination::start();
    let settings = breaker("failures: 100, rate: 50%, window: 1h, min_attempts: 6, cool_down: 1h, max_cool_down: 1h");
    let gateway = Gateway::start(&routes(&destination, &format!("concurrency: 1, {settings}")));
    destination.answer_next([200, 500, 200, 500, 200, 500].map(Answer::Status));
    accept(&gateway, "/in", 0..20);
    gateway.wait_for_metric(STATE, &[("destination", "crm")], OPEN);
    gateway.wait_for_log(&["breaker open", "3 of the last 6 attempts failed"]);
    assert_eq!(destination.arrived().len(), 6);
}

#[test]
fn a_retry_after_holds_back_the_whole_destination() {
    let destination = Destination::start();
    let gateway = Gateway::start(&routes(&destination, "concurrency: 1, retry: { initial: 1ms, max: 1ms }"));
    destination.answer_next([Answer::WithHeader(429, "Retry-After", "1".to_owned())]);
    accept(&gateway, "/in", 0..5);
    gateway.wait_for_log(&["breaker open", "Retry-After", "rate_limited"]);
    accept(&gateway, "/other", 5..10);
    gateway.wait_until_drained();
    let arrived = destination.arrived();
    assert_eq!(arrived.len(), 11);
    let waited = arrived[1].at.duration_since(arrived[0].at);
    assert!(waited >= Duration::from_secs(1), "another delivery came after {waited:?}");
}

#[test]
fn a_destination_that_hangs_holds_up_neither_another_nor_intake_nor_metrics() {
    let (hanging, healthy) = (Destination::start(), Destination::start());
    let gateway = Gateway::start(&format!(
        "
destinations:
  hanging: {{ url: '{}', concurrency: 2 }}
  healthy: {{ url: '{}' }}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: hanging }}, {{ to: healthy }}] }}
",
        hanging.url("/"),
        healthy.url("/")
    ));
    hanging.always("/", Answer::Hang);
    accept(&gateway, "/in", 0..150);
    healthy.wait_for(150);
    gateway.wait_for_metric("hookswitch_queue_pending", &[("delivery", "healthy")], 0.0);
    assert_eq!(gateway.metric("hookswitch_queue_pending", &[("delivery", "hanging")]), 150.0);
    assert_eq!(gateway.admin("GET", "/readyz").status, 200);
    assert_eq!(hanging.wait_for(2).len(), 2, "no more at once than `concurrency`");
}

#[test]
fn concurrency_is_kept_across_reloads() {
    let destination = Destination::start();
    let with = |concurrency: u32| routes(&destination, &format!("concurrency: {concurrency}"));
    let gateway = Gateway::start(&with(3));
    destination.hold();
    accept(&gateway, "/in", 0..20);
    accept(&gateway, "/other", 20..40);
    destination.wait_for(3);
    for concurrency in [2, 3, 1, 3] {
        reload(&gateway, &with(concurrency));
        assert_eq!(destination.arrived().len(), 3, "those under way count against the new bound");
    }
    reload(&gateway, &with(5));
    assert_eq!(destination.wait_for(5).len(), 5);
    destination.release();
    gateway.wait_until_drained();
}
