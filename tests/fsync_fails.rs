//! A sync that fails: what is not on disk is not acknowledged, and what was acknowledged is there, before and after.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use support::faults::{ALWAYS, EIO, ENOSPC};
use support::load::{self, assert_arrived, assert_come_back, event};
use support::{Destination, Fault, Faults, Gateway, Load, Response, sign};

const SECRET: &str = "a secret";

fn start(destination: &Destination, faults: &Faults) -> Gateway {
    let settings = Gateway::with(&format!(
        "
destinations: {{ one: {{ url: '{}', breaker: off, retry: {{ initial: 10ms, max: 100ms, max_attempts: 1000000 }} }} }}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: one }}] }}
  - {{ name: loyalty, path: '/loyalty/{{hook}}', provider: bubblehouse, secret: {SECRET}, deliver: [{{ to: one }}] }}
",
        destination.url("/one")
    ));
    let gateway = faults.under(settings).start();
    faults.below_queue_of(&gateway);
    gateway
}

fn post(gateway: &Gateway, id: &str) -> Response {
    gateway.post_json("/in", &json!({ "type": "t", "id": id }))
}

fn post_loyalty(gateway: &Gateway, id: &str) -> Value {
    let event = json!({ "bhid": id, "time": "2024-12-26T18:05:42Z", "name": "Points Earned",
                        "customer": { "bhid": "c1" } });
    let response = gateway.post("/loyalty/SendEvent1", &sign::bubblehouse(SECRET), event.to_string().as_bytes());
    serde_json::from_slice(&response.body).unwrap()
}

fn wait_until_ready(gateway: &Gateway) {
    support::eventually("it is ready again", || (gateway.admin("GET", "/readyz").status == 200).then_some(()));
}

/// How often each event came.
fn times(destination: &Destination, id: &str) -> usize {
    destination.arrived().iter().filter(|arrived| arrived.json()["id"] == id).count()
}

#[test]
fn what_is_not_synced_is_503_and_the_providers_retry_is_accepted_once() {
    for fault in [Fault::Sync, Fault::Write] {
        let (destination, faults) = (Destination::start(), Faults::new());
        let mut gateway = start(&destination, &faults);
        assert_eq!(post(&gateway, "before").status, 202);
        gateway.wait_until_drained();

        faults.arm_write(EIO, 0);
        faults.arm(fault, ALWAYS);
        assert_come_back(&post(&gateway, "refused"));
        assert!(faults.struck(fault) > 0, "{fault:?} did not happen");
        assert_eq!(post_loyalty(&gateway, "points"), json!({ "outcome": "failure" }));
        assert_eq!(gateway.admin("GET", "/readyz").status, 503);
        assert_eq!(gateway.admin("GET", "/healthz").status, 200, "a restart would not help");
        gateway.wait_for_log(&["ERROR", "cannot store events"]);
        assert_eq!(times(&destination, "refused"), 0, "it was delivered, and refused");

        // By itself, without any request.
        faults.clear();
        wait_until_ready(&gateway);
        gateway.wait_for_log(&["can store events again"]);
        for _ in 0..2 {
            assert_eq!(post(&gateway, "refused").status, 202);
            assert_eq!(post_loyalty(&gateway, "points"), json!({ "outcome": "sent" }));
        }
        gateway.audit_is_clean();
        gateway.kill9();
        gateway.restart();
        gateway.wait_until_drained();
        for id in ["before", "refused", "points"] {
            assert_eq!(times(&destination, id), 1, "{id} after {fault:?}");
        }
    }
}

/// Each sync that fails takes some of what is under way with it, whatever it belongs to: the log, a checkpoint, an ack.
#[test]
fn syncs_and_writes_that_fail_now_and_then_under_load_lose_nothing() {
    let rounds = if load::long() { 40 } else { 2 };
    let (destination, faults) = (Destination::start(), Faults::new());
    let mut gateway = start(&destination, &faults);
    let mut acknowledged = BTreeSet::new();
    let mut refused = 0;
    for round in 0..rounds {
        // Bodies large enough that the log is moved into the database in between.
        let load = Load::start(gateway.address(), 4, move |sender, number| {
            event("/in", &format!("{round}-{sender}-{number}"), 20_000)
        });
        for fault in [Fault::Sync, Fault::Write, Fault::ShortWrite, Fault::Sync] {
            for count in [1, 3, 10] {
                let struck = faults.struck(fault);
                faults.arm_write(if count == 3 { EIO } else { ENOSPC }, 0);
                faults.arm(fault, count);
                support::eventually("the fault", || (faults.struck(fault) >= struck + count).then_some(()));
                load.wait_for_more(20);
            }
        }
        if round % 2 == 0 {
            // Dies while it fails.
            faults.arm(Fault::Sync, ALWAYS);
            support::eventually("the fault", || (gateway.admin("GET", "/readyz").status == 503).then_some(()));
        }
        gateway.kill9();
        faults.clear();
        let outcome = load.stop();
        assert!(outcome.refused.iter().all(|status| *status == 503), "{:?}", outcome.refused);
        refused += outcome.refused.len();
        acknowledged.extend(outcome.acknowledged);
        gateway.restart();
    }
    assert!(refused > 0, "no fault reached a provider");
    gateway.audit_is_clean();
    assert_arrived(&destination, "/one", &acknowledged);
    assert_eq!(gateway.metric("hookswitch_dead_letters", &[]), 0.0);
}

/// The log of a transaction whose sync failed is on the disk, whole: a start after that takes it for true, and with it that
/// the journal is done with. What is acknowledged after it must not stand in that journal.
#[test]
fn what_is_accepted_after_a_transaction_whose_sync_failed_outlives_a_kill() {
    let (destination, faults) = (Destination::start(), Faults::new());
    let mut gateway = start(&destination, &faults);
    assert_eq!(post(&gateway, "before").status, 202);
    gateway.wait_until_drained();
    gateway.read("/events");
    for round in 0..5 {
        assert_eq!(post(&gateway, &format!("recent-{round}")).status, 202);
        gateway.wait_until_drained();
        faults.arm(Fault::Sync, 1);
        // It has nothing to do, but takes along what is recent.
        let purge = json!({ "action": "purge", "all": true });
        assert_eq!(gateway.api("POST", "/jobs", &purge).status, 503);
        faults.clear();
        support::eventually("it takes events", || {
            (post(&gateway, &format!("after-{round}")).status == 202).then_some(())
        });
        gateway.kill9();
        gateway.restart();
        let ledger = gateway.read("/ledger");
        assert_eq!(ledger["lost"], 0, "{ledger}");
        gateway.audit_is_clean();
    }
    for round in 0..5 {
        for id in [format!("recent-{round}"), format!("after-{round}")] {
            assert!(times(&destination, &id) >= 1, "{id}");
            assert_eq!(gateway.post_json("/in", &json!({ "type": "t", "id": id })).status, 202);
        }
    }
    gateway.audit_is_clean();
    let accepted = gateway.metric("hookswitch_events_total", &[("route", "in"), ("outcome", "accepted")]);
    assert_eq!(accepted, 0.0, "each was known");
}

#[test]
fn a_disk_that_is_slow_to_sync_delays_the_answer_and_nothing_else() {
    let (destination, faults) = (Destination::start(), Faults::new());
    let gateway = start(&destination, &faults);
    faults.delay_sync(300);
    let load = Load::start(gateway.address(), 8, |sender, number| event("/in", &format!("{sender}-{number}"), 100));
    load.wait_for_more(16);
    assert_eq!(gateway.admin("GET", "/readyz").status, 200);
    let outcome = load.stop();
    assert!(faults.delayed() > 0);
    assert_eq!(outcome.refused, [0_u16; 0]);
    faults.clear();
    gateway.audit_is_clean();
    assert_arrived(&destination, "/one", &outcome.acknowledged);
}

#[test]
fn a_start_on_a_disk_that_does_not_sync_says_so_and_loses_nothing() {
    let (destination, faults) = (Destination::start(), Faults::new());
    destination.hold();
    let mut gateway = start(&destination, &faults);
    assert_eq!(post(&gateway, "kept").status, 202);
    gateway.kill9();
    faults.arm(Fault::Sync, ALWAYS);
    // Either it refuses to start and says why, or it starts and is not ready to take anything.
    match gateway.try_restart() {
        Err(said) => assert!(said.contains("cannot open the queue") && said.contains("check the disk"), "{said}"),
        Ok(()) => {
            assert_come_back(&post(&gateway, "refused"));
        }
    }
    assert!(faults.struck(Fault::Sync) > 0);
    faults.clear();
    destination.release();
    gateway.restart();
    gateway.wait_until_drained();
    assert_eq!(post(&gateway, "after").status, 202);
    gateway.wait_until_drained();
    for id in ["kept", "after"] {
        // `kept` was held at the destination when the gateway died: once or twice.
        assert!(times(&destination, id) >= 1, "{id}");
    }
}
