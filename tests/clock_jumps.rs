//! A clock that jumps, by hours and days, under a running gateway.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use serde_json::json;
use support::load::{self, assert_arrived, event};
use support::{Answer, Destination, Faults, Gateway, Load, sign};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
const SECRET: &str = "a secret";

fn start(destination: &Destination, faults: &Faults, retry: &str) -> Gateway {
    let settings = Gateway::with(&format!(
        "
providers:
  acme:
    auth:
      hmac:
        hash: sha256
        signature: {{ from: 'header:X-Acme-Signature' }}
        timestamp: {{ from: 'header:X-Acme-Time', format: unix, tolerance: 5m }}
        content: '{{timestamp}}.{{body}}'
    event: {{ type: $.type, id: $.id }}
destinations:
  one: {{ url: '{}', breaker: off, retry: {{ {retry} }} }}
routes:
  - {{ name: in, path: /in, auth: none, dedup: 2h, deliver: [{{ to: one }}] }}
  - {{ name: signed, path: /signed, provider: acme, secret: {SECRET}, deliver: [{{ to: one }}] }}
",
        destination.url("/one")
    ));
    faults.under(settings).start()
}

const QUICK: &str = "initial: 10ms, max: 50ms, max_attempts: 1000000, max_age: 30d";

fn accept(gateway: &Gateway, id: &str) {
    assert_eq!(gateway.post_json("/in", &json!({ "type": "t", "id": id })).status, 202);
}

/// The status of a request that was signed so many seconds after our time.
fn signed_at(gateway: &Gateway, ahead: i64, id: &str) -> u16 {
    let (body, time) = (json!({ "type": "t", "id": id }).to_string(), (sign::unix_time() + ahead).to_string());
    let signature = hex::encode(sign::hmac_sha256(SECRET.as_bytes(), format!("{time}.{body}").as_bytes()));
    let headers = sign::headers(&[("X-Acme-Time", &time), ("X-Acme-Signature", &signature)]);
    gateway.post("/signed", &headers, body.as_bytes()).status
}

/// How often each event came.
fn times(destination: &Destination, id: &str) -> usize {
    destination.arrived().iter().filter(|arrived| arrived.json()["id"] == id).count()
}

/// Every attempt so far has failed, and one more.
fn wait_for_attempts(gateway: &Gateway) {
    let attempts = || gateway.metric("hookswitch_delivery_attempts_total", &[("reason", "server_error")]);
    let before = attempts();
    support::eventually("further attempts", || (attempts() > before).then_some(()));
}

#[test]
fn a_day_forward_makes_what_is_due_by_then_and_gives_nothing_up() {
    let (destination, faults) = (Destination::start(), Faults::new());
    // The next attempt lies up to an hour ahead.
    let gateway = start(&destination, &faults, "initial: 1h, max: 1h");
    destination.answer_next([Answer::Status(500)]);
    accept(&gateway, "waits");
    destination.wait_for(1);
    gateway.wait_for_metric("hookswitch_delivery_attempts_total", &[("reason", "server_error")], 1.0);
    faults.shift_clock(DAY);
    // Without any traffic the lane would look within a minute.
    accept(&gateway, "next");
    gateway.audit_is_clean();
    assert!(faults.clock_reads() > 0, "the clock did not jump");
    assert_eq!((times(&destination, "waits"), times(&destination, "next")), (2, 1));
    assert_eq!(gateway.metric("hookswitch_dead_letters", &[]), 0.0, "three days are not over yet");
}

#[test]
fn a_delivery_whose_age_is_over_after_a_jump_is_a_dead_letter_that_says_so() {
    let (destination, faults) = (Destination::start(), Faults::new());
    let gateway = start(&destination, &faults, "initial: 10ms, max: 50ms, max_attempts: 1000000, max_age: 6h");
    destination.always("/one", Answer::Status(500));
    accept(&gateway, "old");
    wait_for_attempts(&gateway);
    faults.shift_clock(DAY);
    gateway.wait_for_metric("hookswitch_dead_letters", &[], 1.0);
    gateway.wait_for_log(&["dead letter", "expired"]);
    gateway.audit_is_clean();
}

/// What was put off before the jump is looked at in `what_was_put_off_before_a_jump_back_is_made_soon`.
#[test]
fn hours_back_hold_up_nothing_that_comes_after() {
    let (destination, faults) = (Destination::start(), Faults::new());
    let mut gateway = start(&destination, &faults, QUICK);
    accept(&gateway, "before");
    gateway.wait_until_drained();
    faults.shift_clock(-6 * HOUR);
    accept(&gateway, "after");
    gateway.wait_until_drained();
    destination.answer_next((0..5).map(|_| Answer::Status(500)));
    accept(&gateway, "fails first");
    gateway.wait_until_drained();
    assert_eq!(times(&destination, "fails first"), 6);
    assert!(gateway.metric("hookswitch_queue_oldest_seconds", &[]) >= 0.0);
    gateway.audit_is_clean();
    // And what waits then comes after a restart at that time.
    destination.always("/one", Answer::Status(500));
    accept(&gateway, "waits");
    wait_for_attempts(&gateway);
    gateway.kill9();
    destination.always("/one", Answer::Status(200));
    gateway.restart();
    gateway.wait_until_drained();
    assert!(faults.clock_reads() > 0);
    assert_eq!(times(&destination, "before"), 1, "it was delivered before, and must not come again");
}

#[test]
fn what_was_put_off_before_a_jump_back_is_kept_and_made_at_the_latest_when_the_clock_is_right_again() {
    let (destination, faults) = (Destination::start(), Faults::new());
    let gateway = start(&destination, &faults, QUICK);
    destination.always("/one", Answer::Status(500));
    for id in 0..20 {
        accept(&gateway, &id.to_string());
    }
    wait_for_attempts(&gateway);
    faults.shift_clock(-6 * HOUR);
    destination.always("/one", Answer::Status(200));
    accept(&gateway, "after");
    destination.wait_until("what came after", |arrived| arrived.iter().any(|it| it.json()["id"] == "after"));
    faults.shift_clock(0);
    accept(&gateway, "again");
    gateway.audit_is_clean();
    assert_eq!(gateway.metric("hookswitch_dead_letters", &[]), 0.0);
}

/// A due time is stored as a time of day, so a clock that goes back by hours puts these off by as much.
#[test]
fn what_was_put_off_before_a_jump_back_is_made_soon() {
    let (destination, faults) = (Destination::start(), Faults::new());
    let mut gateway = start(&destination, &faults, QUICK);
    destination.always("/one", Answer::Status(500));
    accept(&gateway, "waits");
    wait_for_attempts(&gateway);
    faults.shift_clock(-6 * HOUR);
    gateway.kill9();
    destination.always("/one", Answer::Status(200));
    gateway.restart();
    gateway.wait_until_drained();
}

#[test]
fn a_signature_is_judged_by_the_clock_as_it_is() {
    let (destination, faults) = (Destination::start(), Faults::new());
    let gateway = start(&destination, &faults, QUICK);
    for (step, shift) in [0, DAY, -6 * HOUR, 0].into_iter().enumerate() {
        faults.shift_clock(shift);
        assert_eq!(signed_at(&gateway, shift, &format!("{step}-good")), 202, "at {shift}");
        for (wrong, id) in [(-HOUR, "stale"), (HOUR, "ahead")] {
            assert_eq!(signed_at(&gateway, shift + wrong, &format!("{step}-{id}")), 401, "{id} at {shift}");
        }
    }
    assert!(faults.clock_reads() > 0);
    gateway.wait_until_drained();
    assert_eq!(destination.arrived().len(), 4);
}

#[test]
fn an_event_id_is_remembered_for_its_window_by_the_clock() {
    let (destination, faults) = (Destination::start(), Faults::new());
    let mut gateway = start(&destination, &faults, QUICK);
    accept(&gateway, "one");
    gateway.wait_until_drained();
    // Back: the window only grows. Forward, within it and beyond it.
    for (shift, came) in [(-6 * HOUR, 1), (HOUR, 1), (3 * HOUR, 2), (HOUR, 2)] {
        faults.shift_clock(shift);
        accept(&gateway, "one");
        gateway.wait_until_drained();
        assert_eq!(times(&destination, "one"), came, "after {shift} s");
        gateway.restart();
        accept(&gateway, "one");
        gateway.wait_until_drained();
        assert_eq!(times(&destination, "one"), came, "after {shift} s and a restart");
    }
    assert!(faults.clock_reads() > 0);
}

#[test]
fn a_clock_that_jumps_about_under_load_loses_nothing() {
    let (destination, faults) = (Destination::start(), Faults::new());
    destination.answer_next((0..200).map(|number| Answer::Status(if number % 2 == 0 { 500 } else { 200 })));
    let mut gateway = start(&destination, &faults, QUICK);
    let load = Load::start(gateway.address(), 4, |sender, number| event("/in", &format!("{sender}-{number}"), 100));
    let jumps = if load::long() { 200 } else { 10 };
    for jump in 0..jumps {
        faults.shift_clock([0, DAY, -6 * HOUR, HOUR, -DAY][jump % 5]);
        load.wait_for_more(10);
    }
    faults.shift_clock(0);
    let outcome = load.stop();
    assert_eq!(outcome.refused, [0_u16; 0]);
    // What was put off while the clock was a day ahead is due tomorrow: it is kept, and made when the clock says so.
    faults.shift_clock(2 * DAY);
    gateway.restart();
    gateway.wait_until_drained();
    assert_arrived(&destination, "/one", &outcome.acknowledged);
    assert_eq!(gateway.metric("hookswitch_dead_letters", &[]), 0.0);
}
