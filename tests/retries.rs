//! What becomes of a delivery that does not succeed at once.
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
use support::{Answer, Arrived, Destination, Gateway, sign};

fn routes(destination: &Destination, settings: &str) -> String {
    format!(
        "
destinations:
  crm:
    url: '{}'
{settings}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: crm }}] }}
",
        destination.url("/crm")
    )
}

const QUICK: &str = "    retry: { initial: 1ms, max: 5ms }";

fn accept(gateway: &Gateway, id: &str) {
    let response = gateway.post_json("/in", &json!({ "type": "t", "id": id }));
    assert_eq!(response.status, 202, "{}", response.text());
}

fn attempts(gateway: &Gateway, reason: &str) -> f64 {
    let labels = [("route", "in"), ("destination", "crm"), ("reason", reason)];
    gateway.metric("hookswitch_delivery_attempts_total", &labels)
}

fn assert_same_delivery(arrived: &[Arrived]) {
    let keys: HashSet<String> = arrived.iter().map(Arrived::key).collect();
    assert_eq!(keys.len(), 1, "attempts of one delivery have one Idempotency-Key");
    assert!(arrived.iter().all(|attempt| attempt.body == arrived[0].body), "attempts differ in their body");
}

#[test]
fn an_error_is_tried_again_until_it_is_delivered() {
    let destination = Destination::start();
    let gateway = Gateway::start(&routes(&destination, QUICK));
    destination.answer_next([500, 503, 404, 429].map(Answer::Status));
    accept(&gateway, "1");
    let arrived = destination.wait_for(5);
    gateway.wait_until_drained();
    assert_eq!(destination.arrived().len(), 5, "a delivered event is not delivered again");
    assert_same_delivery(&arrived);
    let reasons = [("server_error", 2.0), ("client_error", 1.0), ("rate_limited", 1.0), ("delivered", 1.0)];
    for (reason, count) in reasons {
        assert_eq!(attempts(&gateway, reason), count, "{reason}");
    }
    assert_eq!(gateway.metric("hookswitch_dead_letters", &[]), 0.0);
    let labels = [("route", "in"), ("delivery", "crm"), ("destination", "crm"), ("outcome", "delivered")];
    assert_eq!(gateway.metric("hookswitch_deliveries_total", &labels), 1.0);
}

#[test]
fn a_destination_that_never_answers_is_given_up_on_in_time() {
    let destination = Destination::start();
    let gateway = Gateway::start(&routes(&destination, &format!("    timeout: 200ms\n{QUICK}")));
    destination.answer_next([Answer::Hang]);
    accept(&gateway, "1");
    assert_same_delivery(&destination.wait_for(2));
    gateway.wait_until_drained();
    assert_eq!(attempts(&gateway, "timeout"), 1.0);
}

#[test]
fn a_broken_connection_is_tried_again() {
    let destination = Destination::start();
    let gateway = Gateway::start(&routes(&destination, QUICK));
    destination.answer_next([Answer::Close]);
    accept(&gateway, "1");
    assert_same_delivery(&destination.wait_for(2));
    gateway.wait_until_drained();
}

#[test]
fn retry_after_is_honoured() {
    let destination = Destination::start();
    let gateway = Gateway::start(&routes(&destination, QUICK));
    destination.answer_next([Answer::WithHeader(503, "Retry-After", "2".to_owned())]);
    accept(&gateway, "1");
    let arrived = destination.wait_for(2);
    // Never sooner than asked; how much later is nobody's promise.
    let waited = arrived[1].at.duration_since(arrived[0].at);
    assert!(waited >= Duration::from_secs(2), "tried again after {waited:?}");
    assert_same_delivery(&arrived);
}

#[test]
fn retry_after_may_be_a_date() {
    let destination = Destination::start();
    let gateway = Gateway::start(&routes(&destination, QUICK));
    let later = jiff::Timestamp::from_second(sign::unix_time() + 3).unwrap();
    let date = later.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    destination.answer_next([Answer::WithHeader(429, "Retry-After", date)]);
    accept(&gateway, "1");
    let arrived = destination.wait_for(2);
    assert!(sign::unix_time() >= later.as_second(), "tried again too soon");
    assert_same_delivery(&arrived);
}

#[test]
fn a_final_answer_is_not_tried_again() {
    for status in [400, 410, 413, 422] {
        let destination = Destination::start();
        let gateway = Gateway::start(&routes(&destination, QUICK));
        destination.answer_next([Answer::Status(status)]);
        accept(&gateway, "1");
        gateway.wait_for_metric("hookswitch_dead_letters", &[("route", "in"), ("delivery", "crm")], 1.0);
        gateway.wait_until_drained();
        assert_eq!(destination.arrived().len(), 1, "{status}");
        assert_eq!(attempts(&gateway, "rejected"), 1.0, "{status}");
    }
}

#[test]
fn what_is_final_is_the_files_to_say() {
    let destination = Destination::start();
    let gateway = Gateway::start(&routes(&destination, "    retry: { initial: 1ms, max: 5ms, give_up_on: [404] }"));
    destination.answer_next([400, 404].map(Answer::Status));
    accept(&gateway, "1");
    gateway.wait_for_metric("hookswitch_dead_letters", &[("route", "in"), ("delivery", "crm")], 1.0);
    assert_eq!(destination.arrived().len(), 2, "400 is tried again, 404 is not");
}

#[test]
fn a_redirect_is_never_followed() {
    for status in [301, 302, 303, 307, 308] {
        let destination = Destination::start();
        let gateway = Gateway::start(&routes(&destination, QUICK));
        destination.answer_next([Answer::WithHeader(status, "Location", destination.url("/elsewhere"))]);
        accept(&gateway, "1");
        gateway.wait_for_metric("hookswitch_dead_letters", &[("route", "in"), ("delivery", "crm")], 1.0);
        let paths: Vec<String> = destination.arrived().into_iter().map(|arrived| arrived.path).collect();
        assert_eq!(paths, ["/crm"], "{status}");
        assert_eq!(attempts(&gateway, "redirect"), 1.0, "{status}");
    }
}

#[test]
fn attempts_come_to_an_end() {
    let destination = Destination::start();
    let gateway = Gateway::start(&routes(&destination, "    retry: { initial: 1ms, max: 5ms, max_attempts: 3 }"));
    destination.always("/crm", Answer::Status(500));
    accept(&gateway, "1");
    gateway.wait_for_metric("hookswitch_dead_letters", &[("route", "in"), ("delivery", "crm")], 1.0);
    gateway.wait_until_drained();
    assert_eq!(destination.arrived().len(), 3);
    gateway.wait_for_log(&["attempts_exhausted"]);
}

#[test]
fn age_comes_to_an_end() {
    let destination = Destination::start();
    let settings = "    breaker: off\n    retry: { initial: 50ms, max: 50ms, max_attempts: 1000000, max_age: 300ms }";
    let gateway = Gateway::start(&routes(&destination, settings));
    destination.always("/crm", Answer::Status(500));
    accept(&gateway, "1");
    gateway.wait_for_metric("hookswitch_dead_letters", &[("route", "in"), ("delivery", "crm")], 1.0);
    gateway.wait_for_log(&["expired"]);
}

#[test]
fn what_a_destination_missed_while_it_was_down_comes_after_a_restart_of_the_gateway() {
    let destination = Destination::start();
    let mut gateway = Gateway::start(&routes(
        &destination,
        "    breaker: off\n    retry: { initial: 10ms, max: 100ms, max_attempts: 1000000 }",
    ));
    destination.answer_next([Answer::Status(500)]);
    accept(&gateway, "1");
    let key = destination.wait_for(1)[0].key();
    let address = destination.stop();
    support::eventually("an attempt that finds nobody", || (attempts(&gateway, "connect") > 0.0).then_some(()));
    for id in ["2", "3"] {
        accept(&gateway, id);
    }
    gateway.kill9();
    let destination = Destination::start_at(address);
    gateway.restart();
    let arrived = destination.wait_for(3);
    gateway.wait_until_drained();
    let ids: HashSet<String> = arrived.iter().map(|arrived| arrived.json()["id"].to_string()).collect();
    assert_eq!(ids.len(), 3, "{ids:?}");
    let again = arrived.iter().find(|arrived| arrived.json()["id"] == "1").unwrap();
    assert_eq!(again.key(), key, "the key is the same after a restart");
}

#[test]
fn dead_letters_are_there_after_a_restart() {
    let destination = Destination::start();
    let mut gateway = Gateway::start(&routes(&destination, QUICK));
    destination.answer_next([Answer::Status(410)]);
    accept(&gateway, "1");
    let labels = [("route", "in"), ("delivery", "crm")];
    gateway.wait_for_metric("hookswitch_dead_letters", &labels, 1.0);
    gateway.kill9();
    gateway.restart();
    gateway.wait_for_metric("hookswitch_dead_letters", &labels, 1.0);
    assert_eq!(destination.arrived().len(), 1);
}

#[test]
fn a_slow_destination_does_not_hold_up_another() {
    let (slow, quick) = (Destination::start(), Destination::start());
    let gateway = Gateway::start(&format!(
        "
destinations:
  slow: {{ url: '{}', concurrency: 1 }}
  quick: {{ url: '{}' }}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: slow }}, {{ to: quick }}] }}
",
        slow.url("/"),
        quick.url("/")
    ));
    slow.hold();
    for id in 0..20 {
        accept(&gateway, &id.to_string());
    }
    quick.wait_for(20);
    assert_eq!(slow.wait_for(1).len(), 1, "concurrency: 1 lets one through at a time");
    slow.release();
    slow.wait_for(20);
    gateway.wait_until_drained();
}
