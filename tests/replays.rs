//! What was given up or delivered is made again: one, by filter, or all; and what is not wanted is purged.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::{Answer, Destination, Gateway, eventually};

/// Two deliveries of each event; those with one key are in order at the first.
fn routes(destination: &Destination) -> String {
    format!(
        "
destinations:
  crm: {{ url: '{}' }}
  erp: {{ url: '{}' }}
routes:
  - name: in
    path: /in
    auth: none
    deliver:
      - {{ to: crm, order_by: $.data.key }}
      - {{ to: erp, filter: \"$.type != 'private'\" }}
",
        destination.url("/crm"),
        destination.url("/erp")
    )
}

fn accept(gateway: &Gateway, kind: &str, id: &str) {
    let response = gateway.post_json("/in", &json!({ "type": kind, "id": id, "key": "one" }));
    assert_eq!(response.status, 202, "{}", response.text());
}

fn arrived_at(destination: &Destination, path: &str) -> Vec<String> {
    let arrived = destination.arrived();
    let there = arrived.iter().filter(|request| request.path == path);
    there.map(|request| request.json()["id"].as_str().unwrap().to_owned()).collect()
}

fn lane(gateway: &Gateway, delivery: &str) -> Value {
    let ledger = gateway.read("/ledger");
    let lanes = ledger["lanes"].as_array().unwrap();
    lanes.iter().find(|lane| lane["delivery"] == delivery).cloned().unwrap_or_else(|| panic!("{ledger}"))
}

#[test]
fn dead_letters_are_replayed_by_filter_in_their_order_with_a_fresh_budget() {
    let destination = Destination::start();
    destination.always("/", Answer::Status(410));
    let gateway = Gateway::start(&routes(&destination));
    let ids: Vec<String> = (0..20).map(|number| format!("e{number:02}")).collect();
    for id in &ids {
        accept(&gateway, "t", id);
    }
    gateway.wait_for_metric("hookswitch_dead_letters", &[], 40.0);
    let dead = gateway.run(&["dead-letters", "list", "--delivery", "crm", "--output", "json"]).lines();
    assert_eq!(dead.len(), 20);
    let id = dead[0]["id"].as_str().unwrap();
    let shown = gateway.run(&["dead-letters", "show", id]);
    for words in ["reason       rejected", "status 410", "next step"] {
        assert!(shown.printed().contains(words), "{shown:?}");
    }

    destination.always("/", Answer::Status(200));
    let before = arrived_at(&destination, "/crm").len();
    let replayed =
        gateway.run(&["dead-letters", "replay", "--delivery", "crm", "--reason", "rejected", "--since", "1h"]);
    assert!(replayed.printed().contains("job 1 is done: replayed 20"), "{replayed:?}");
    gateway.wait_for_metric("hookswitch_queue_pending", &[], 0.0);
    assert_eq!(arrived_at(&destination, "/crm")[before..], ids[..]);
    assert_eq!((&lane(&gateway, "crm")["dead"], &lane(&gateway, "erp")["dead"]), (&json!(0), &json!(20)));
    let shown = gateway.run(&["deliveries", "show", id, "--output", "json"]).json();
    assert_eq!((&shown["attempts"], &shown["state"]), (&json!(1), &json!("delivered")));
    assert_eq!(shown["history"].as_array().unwrap().len(), 2, "the attempt before is remembered");
    // There is nothing left to replay, which is no failure.
    assert_eq!(gateway.run(&["dead-letters", "replay", "--delivery", "crm"]).code, Some(0));
    assert_eq!(gateway.run(&["jobs", "list", "--output", "json"]).lines().len(), 2);
}

#[test]
fn one_dead_letter_is_replayed_or_purged_by_its_id() {
    let destination = Destination::start();
    destination.always("/", Answer::Status(410));
    let gateway = Gateway::start(&routes(&destination));
    accept(&gateway, "t", "1");
    gateway.wait_for_metric("hookswitch_dead_letters", &[], 2.0);
    destination.always("/", Answer::Status(200));
    let id = |delivery: &str| {
        let list = gateway.run(&["dead-letters", "list", "--delivery", delivery, "--output", "json"]).lines();
        list[0]["id"].as_str().unwrap().to_owned()
    };
    let (crm, erp) = (id("crm"), id("erp"));
    assert!(gateway.run(&["dead-letters", "replay", &crm]).printed().contains("in/crm is pending again"));
    gateway.wait_until_drained();
    assert_eq!(arrived_at(&destination, "/crm").len(), 2);
    gateway.run(&["dead-letters", "replay", &crm]).assert_failed(1, &["409", "delivered"]);
    gateway.run(&["dead-letters", "purge", &crm]).assert_failed(1, &["409", "delivered"]);
    assert_eq!(gateway.run(&["dead-letters", "purge", &erp]).code, Some(0));
    gateway.run(&["dead-letters", "purge", &erp]).assert_failed(1, &["404"]);
    assert_eq!((&lane(&gateway, "erp")["dead"], &lane(&gateway, "erp")["purged"]), (&json!(0), &json!(1)));
    assert_eq!(gateway.run(&["audit"]).code, Some(0));
}

#[test]
fn a_delivered_event_is_delivered_again_to_all_who_want_it_or_to_one_who_did_not() {
    let destination = Destination::start();
    let gateway = Gateway::start(&routes(&destination));
    accept(&gateway, "t", "1");
    accept(&gateway, "private", "2");
    destination.wait_for(3);
    gateway.wait_until_drained();
    let keys = |path: &str| -> Vec<String> {
        destination.arrived().iter().filter(|request| request.path == path).map(support::Arrived::key).collect()
    };
    let before = keys("/erp")[0].clone();
    assert_eq!(gateway.run(&["events", "replay", "1"]).printed().lines().count(), 2);
    destination.wait_for(5);
    gateway.wait_until_drained();
    assert_eq!(keys("/erp"), [before.clone(), before], "it is the same delivery");

    assert_eq!(gateway.run(&["events", "replay", "2"]).printed().lines().count(), 1, "erp does not want it");
    assert_eq!(gateway.run(&["events", "replay", "2", "--delivery", "erp"]).code, Some(0));
    destination.wait_for(7);
    gateway.wait_until_drained();
    assert_eq!(arrived_at(&destination, "/erp"), ["1", "1", "2"]);
    gateway.run(&["events", "replay", "2", "--delivery", "er"]).assert_failed(2, &["did you mean `erp`?"]);
    assert_eq!(gateway.run(&["deliveries", "replay", "--delivery", "erp"]).code, Some(0), "all that erp got");
    destination.wait_for(9);
    gateway.wait_until_drained();
    let mut again = arrived_at(&destination, "/erp").split_off(3);
    again.sort();
    assert_eq!(again, ["1", "2"]);
    let crm = lane(&gateway, "crm");
    assert_eq!((&crm["accepted"], &crm["delivered"], &crm["difference"]), (&json!(4), &json!(4), &json!(0)));
    assert_eq!(gateway.run(&["audit"]).code, Some(0));
}

#[test]
fn what_nobody_delivers_any_more_is_not_replayed_into_nowhere() {
    let destination = Destination::start();
    destination.always("/", Answer::Status(410));
    let gateway = Gateway::start(&routes(&destination));
    accept(&gateway, "t", "1");
    gateway.wait_for_metric("hookswitch_dead_letters", &[], 2.0);
    let crm_alone = routes(&destination).replace("- { to: erp", "#");
    gateway.write_routes(&crm_alone.replace("  erp: ", "  # "));
    assert_eq!(gateway.admin("POST", "/-/reload").status, 200);
    let list = gateway.run(&["dead-letters", "list", "--delivery", "erp", "--output", "json"]).lines();
    let id = list[0]["id"].as_str().unwrap();
    gateway.run(&["dead-letters", "replay", id]).assert_failed(1, &["409", "in/erp"]);
    assert_eq!(gateway.run(&["dead-letters", "replay", "--delivery", "erp"]).code, Some(0));
    gateway.wait_for_metric("hookswitch_queue_pending", &[], 0.0);
    let list = gateway.run(&["dead-letters", "list", "--delivery", "erp", "--output", "json"]).lines();
    assert_eq!(list[0]["reason"], "delivery_removed");
    assert_eq!(gateway.run(&["audit"]).code, Some(0));
}

/// Leaves that many dead letters of a delivery that is there: they are given up at once, by a reload without it.
fn many_dead(gateway: &Gateway, destination: &Destination, count: usize) -> usize {
    destination.hold();
    for first in (0..count).step_by(500) {
        let batch: Vec<Value> = (first..(first + 500).min(count))
            .map(|number| json!({ "specversion": "1.0", "type": "t", "source": "/s", "id": format!("e{number}") }))
            .collect();
        let headers = support::sign::headers(&[("Content-Type", "application/cloudevents-batch+json")]);
        assert_eq!(gateway.post("/in", &headers, Value::from(batch).to_string().as_bytes()).status, 202);
    }
    gateway.write_routes(&one_slow(destination, "other"));
    assert_eq!(gateway.admin("POST", "/-/reload").status, 200);
    // What is under way ends first.
    destination.release();
    gateway.wait_for_log(&["dead letters", "delivery_removed"]);
    gateway.wait_for_metric("hookswitch_queue_pending", &[("delivery", "slow")], 0.0);
    gateway.write_routes(&one_slow(destination, "slow"));
    assert_eq!(gateway.admin("POST", "/-/reload").status, 200);
    let dead = lane(gateway, "slow")["dead"].as_u64().unwrap();
    usize::try_from(dead).unwrap()
}

fn one_slow(destination: &Destination, name: &str) -> String {
    format!(
        "
destinations:
  d: {{ url: '{}', concurrency: 1 }}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: d, name: {name} }}] }}
",
        destination.url("/")
    )
}

#[test]
fn a_job_is_stopped_and_goes_on_where_it_was() {
    let destination = Destination::start();
    let gateway = Gateway::start(&one_slow(&destination, "slow"));
    let dead = many_dead(&gateway, &destination, 10_000);
    let mut purging = gateway
        .command(&["dead-letters", "purge", "--all"])
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(purging.stderr.take().unwrap());
    let mut first = String::new();
    said.read_line(&mut first).unwrap();
    assert!(first.contains(&format!("job 1: 0 of {dead}")), "{first}");
    // Many steps are to be made, and a stop waits for one at most.
    assert!(Command::new("kill").arg("-INT").arg(purging.id().to_string()).status().unwrap().success());
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(purging.wait().unwrap().code(), Some(1), "{rest}");
    assert!(rest.contains("`hookswitch jobs resume 1`"), "{rest}");
    let stopped = gateway.read("/jobs/1");
    assert_eq!(stopped["state"], "stopped");
    let done = stopped["changed"].as_u64().unwrap();
    assert!(usize::try_from(done).unwrap() < dead, "{done} of {dead}");
    assert_eq!(lane(&gateway, "slow")["purged"], done, "nothing goes on");
    assert!(gateway.run(&["jobs", "show", "1"]).printed().contains("stopped"));

    assert_eq!(gateway.api("POST", "/jobs/1/resume", &Value::Null).json()["state"], "running");
    let stopped = gateway.api("POST", "/jobs/1/stop", &Value::Null);
    assert_eq!((stopped.status, &stopped.json()["state"]), (200, &json!("stopped")), "{}", stopped.text());
    assert_eq!(gateway.run(&["jobs", "resume", "1"]).code, Some(0));
    let job = eventually("the job's end", || Some(gateway.read("/jobs/1")).filter(|job| job["state"] == "done"));
    assert_eq!((&job["changed"], &job["examined"]), (&json!(dead), &json!(dead)));
    // What a commit counted is shown a moment after it, and the job's end is in it.
    let purged = eventually("the last step in the ledger", || {
        Some(lane(&gateway, "slow")).filter(|lane| lane["purged"] == json!(dead))
    });
    assert_eq!((&purged["dead"], &purged["difference"]), (&json!(0), &json!(0)));
    gateway.run(&["jobs", "resume", "1"]).assert_failed(1, &["409", "done"]);
    assert_eq!(gateway.run(&["audit"]).code, Some(0));
}

#[test]
fn a_job_goes_on_after_a_kill() {
    let destination = Destination::start();
    let mut gateway = Gateway::start(&one_slow(&destination, "slow"));
    let dead = many_dead(&gateway, &destination, 3_000);
    let before = destination.arrived().len();
    let detached = gateway.run(&["dead-letters", "replay", "--all", "--detach", "--output", "json"]);
    assert_eq!(detached.json()["total"], dead);
    gateway.kill9();
    gateway.restart();
    let job = eventually("the job's end", || Some(gateway.read("/jobs/1")).filter(|job| job["state"] == "done"));
    assert_eq!(job["changed"], dead, "each once");
    gateway.wait_until_drained();
    assert!(destination.arrived().len() >= before + dead);
    let audit = gateway.run(&["audit", "--output", "json"]).json();
    assert_eq!((&audit["lanes"][0]["dead"], &audit["clean"]), (&json!(0), &json!(true)), "{audit}");
}
