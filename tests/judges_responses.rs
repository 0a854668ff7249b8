//! `success:`, what a 2xx has to say to be a delivery.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use serde_json::json;
use support::{Answer, Destination, Gateway, check};

fn gateway(crm: &Destination, success: &str) -> Gateway {
    Gateway::start(&format!(
        "
destinations:
  crm: {{ url: '{}', retry: {{ initial: 1ms, max: 5ms, max_attempts: 10 }}, success: \"{success}\" }}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: crm }}] }}
",
        crm.url("/")
    ))
}

fn attempts(gateway: &Gateway, reason: &str) -> f64 {
    gateway.metric("hookswitch_delivery_attempts_total", &[("destination", "crm"), ("reason", reason)])
}

#[test]
fn a_2xx_that_says_it_failed_is_tried_again_until_it_says_otherwise() {
    let crm = Destination::start();
    crm.answer_next([
        Answer::Body(200, r#"{"ok":false}"#.into()),
        Answer::Body(200, "<html>busy</html>".into()),
        Answer::Status(204),
        Answer::Body(500, r#"{"ok":true}"#.into()),
        Answer::Body(200, r#"{"ok":true}"#.into()),
    ]);
    let gateway = gateway(&crm, "$.body.ok == true");
    gateway.post_json("/in", &json!({ "type": "t", "id": "1" }));
    let arrived = crm.wait_for(5);
    gateway.wait_until_drained();
    assert_eq!(crm.arrived().len(), 5);
    assert!(arrived.iter().all(|request| request.key() == arrived[0].key()));
    for (reason, count) in [("unsuccessful", 3.0), ("server_error", 1.0), ("delivered", 1.0)] {
        assert_eq!(attempts(&gateway, reason), count, "{reason}");
    }
}

#[test]
fn status_and_headers_can_decide_too() {
    let crm = Destination::start();
    crm.answer_next([Answer::Status(202), Answer::WithHeader(200, "X-State", "queued".into())]);
    let gateway = gateway(&crm, "$.status == 200 && $.headers['x-state'] == 'queued'");
    gateway.post_json("/in", &json!({ "type": "t", "id": "1" }));
    gateway.wait_until_drained();
    assert_eq!((attempts(&gateway, "unsuccessful"), attempts(&gateway, "delivered")), (1.0, 1.0));
}

#[test]
fn it_never_turns_a_refusal_into_a_success() {
    let crm = Destination::start();
    crm.always("/", Answer::Body(422, r#"{"ok":true}"#.into()));
    let gateway = gateway(&crm, "$.status == 422 || $.body.ok == true");
    gateway.post_json("/in", &json!({ "type": "t", "id": "1" }));
    gateway.wait_for_metric("hookswitch_dead_letters", &[], 1.0);
    assert_eq!(attempts(&gateway, "delivered"), 0.0);
}

#[test]
fn mistakes_are_found_at_their_place() {
    for success in ["$.body.ok ==", "true", "body.ok == true", "$.status == 1 && $.status == 2"] {
        let text = format!(
            "destinations:
  crm:
    url: https://crm.example.com/
    success: {success}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: crm }}] }}
"
        );
        check(&text, &[]).assert_problem(4, &[]);
    }
}
