//! A secret is rotated: one sees which is in use still, also after a deploy, and is never shown one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::fs;

use serde_json::{Value, json};
use support::metrics::samples;
use support::{Destination, Gateway, sign};

const DAY: i64 = 24 * 60 * 60 * 1000;
const VERIFICATIONS: &str = "hookswitch_verifications_total";
const LAST_USED: &str = "hookswitch_secret_last_used_timestamp_seconds";

fn routes(destination: &Destination, secrets: &[&str]) -> String {
    let mut routes = format!("destinations: {{ warehouse: {{ url: '{}' }} }}\nroutes:\n", destination.url("/"));
    for (index, secrets) in secrets.iter().enumerate() {
        routes.push_str(&format!(
            "  - {{ name: r{index}, path: /r{index}, provider: bspk, {secrets}, deliver: [{{ to: warehouse }}] }}\n"
        ));
    }
    routes
}

fn post(gateway: &Gateway, path: &str, secret: &str) -> u16 {
    let event = json!({ "event_name": "client.updated", "object": { "id": 1 } });
    gateway.post(path, &sign::bspk(secret), event.to_string().as_bytes()).status
}

/// What the API says of a secret.
fn of(gateway: &Gateway, route: &str, name: &str) -> Value {
    let answer = gateway.read(&format!("/secrets?route={route}"));
    let secrets = answer["secrets"].as_array().unwrap();
    secrets.iter().find(|secret| secret["secret"] == name).unwrap_or_else(|| panic!("no {name} in {answer}")).clone()
}

/// The secrets that have a series, as `route/secret`.
fn series(text: &str, metric: &str) -> Vec<String> {
    let label = |labels: &str, name: &str| {
        let rest = labels.split_once(&format!("{name}=\"")).unwrap_or_else(|| panic!("no {name} in {labels}")).1;
        rest.split('"').next().unwrap().to_owned()
    };
    let all = samples(text, metric).map(|(labels, _)| (label(labels, "route"), label(labels, "secret")));
    all.filter(|(_, secret)| !secret.is_empty()).map(|(route, secret)| format!("{route}/{secret}")).collect()
}

fn reload(gateway: &Gateway, routes: &str) {
    gateway.write_routes(routes);
    let response = gateway.admin("POST", "/-/reload");
    assert_eq!(response.status, 200, "{}", response.text());
}

fn stop_and_restart(gateway: &mut Gateway) {
    gateway.signal("TERM");
    assert!(gateway.wait_for_exit().success());
    gateway.restart();
}

/// Has every time that is noted have been so many days ago.
fn days_later(gateway: &Gateway, secret: &str, days: i64) {
    let path = gateway.path("data/uses");
    let mut noted: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let uses = noted["secrets"].as_array_mut().unwrap();
    let noted_use = uses.iter_mut().find(|noted| noted["secret"] == secret).unwrap();
    let last = noted_use["last_used"].as_i64().unwrap();
    noted_use["last_used"] = json!(last - days * DAY);
    fs::write(&path, noted.to_string()).unwrap();
}

#[test]
fn every_secret_has_its_series_from_the_start_and_none_once_it_is_gone() {
    let destination = Destination::start();
    let gateway = Gateway::start(&routes(&destination, &["secrets: { new: b, old: a }", "secret: c"]));
    let expected = ["r0/new", "r0/old", "r1/default"];
    let text = gateway.metrics();
    for metric in [VERIFICATIONS, LAST_USED] {
        assert_eq!(series(&text, metric), expected, "{metric}");
        assert!(samples(&text, metric).all(|(_, value)| value == 0.0), "{text}");
    }
    assert_eq!(post(&gateway, "/r0", "a"), 202);
    assert_eq!(post(&gateway, "/r1", "wrong"), 401);
    assert_eq!(gateway.metric(VERIFICATIONS, &[("route", "r0"), ("secret", "old")]), 1.0);
    assert!(gateway.metric(LAST_USED, &[("route", "r0"), ("secret", "old")]) > 1.0e9);

    reload(&gateway, &routes(&destination, &["secrets: { newer: c, new: b }"]));
    let text = gateway.metrics();
    for metric in [VERIFICATIONS, LAST_USED] {
        assert_eq!(series(&text, metric), ["r0/new", "r0/newer"], "{metric}");
    }
    assert!(
        !text.contains("r1\",secret") && !text.contains("route=\"r1\",result"),
        "what was refused there, too: {text}"
    );
}

#[test]
fn which_secret_verified_last_is_told_and_never_the_secret() {
    let destination = Destination::start();
    let gateway =
        Gateway::start(&routes(&destination, &["secrets: { new: a-new-s3cret, old: an-old-s3cret }", "auth: none"]));
    let all = gateway.read("/secrets");
    assert_eq!(all["secrets"].as_array().unwrap().len(), 2, "`auth: none` has no secret: {all}");
    let unused = of(&gateway, "r0", "old");
    assert_eq!(
        (&unused["advice"], &unused["last_used_at"], &unused["first"]),
        (&json!("unused"), &Value::Null, &json!(false))
    );

    assert_eq!(post(&gateway, "/r0", "an-old-s3cret"), 202);
    assert_eq!(post(&gateway, "/r0", "a-new-s3cret"), 202);
    // A duplicate and what no delivery wants are proof of a secret as well.
    assert_eq!(post(&gateway, "/r0", "a-new-s3cret"), 202);
    let (new, old) = (of(&gateway, "r0", "new"), of(&gateway, "r0", "old"));
    assert_eq!((&new["verifications"], &new["first"], &new["advice"]), (&json!(2), &json!(true), &json!("in_use")));
    assert_eq!(
        (&old["verifications"], &old["removable"], &old["advice"]),
        (&json!(1), &json!(false), &json!("in_use"))
    );
    assert!(old["last_used_at"].as_str() <= new["last_used_at"].as_str());

    let table = gateway.run(&["secrets", "--route", "r0"]);
    assert!(table.printed().contains("r0/old: last used"), "{table:?}");
    assert!(table.printed().lines().take(3).all(|line| line.chars().count() <= 100), "{table:?}");
    assert_eq!(gateway.run(&["secrets", "--output", "json"]).lines().len(), 2);
    assert_eq!(gateway.run(&["secrets", "--route", "nobody"]).stderr.trim(), "there are none");
    let noted = fs::read_to_string(gateway.path("data/uses")).unwrap_or_default();
    for text in [all.to_string(), table.stdout, noted, gateway.metrics(), gateway.log().join("\n")] {
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn the_last_use_outlives_a_restart_and_an_old_secret_may_go_days_later() {
    let destination = Destination::start();
    let mut gateway = Gateway::start(&routes(&destination, &["secrets: { new: b, old: a }"]));
    assert_eq!(post(&gateway, "/r0", "a"), 202);
    let before = of(&gateway, "r0", "old");
    stop_and_restart(&mut gateway);
    let after = of(&gateway, "r0", "old");
    assert_eq!((&after["last_used_at"], &after["known_since"]), (&before["last_used_at"], &before["known_since"]));
    assert_eq!(after["verifications"], 0, "that counts since the start");

    gateway.kill9();
    days_later(&gateway, "old", 9);
    gateway.restart();
    assert_eq!(post(&gateway, "/r0", "b"), 202);
    let old = of(&gateway, "r0", "old");
    assert_eq!(
        (&old["advice"], &old["removable"], &old["used_since"]),
        (&json!("idle"), &json!(true), &json!(["new"]))
    );
    let said = gateway.run(&["secrets"]);
    let expected = "old: last used 9 days ago, all traffic since verified with new: may be removed";
    assert!(said.printed().contains(expected), "{said:?}");
    assert_eq!(post(&gateway, "/r0", "a"), 202);
    assert_eq!(of(&gateway, "r0", "old")["advice"], "in_use", "somebody has it still");
}

#[test]
fn a_use_after_a_pause_is_not_forgotten_by_a_gateway_that_is_killed() {
    let destination = Destination::start();
    let mut gateway = Gateway::start(&routes(&destination, &["secrets: { new: b, old: a }"]));
    assert_eq!(post(&gateway, "/r0", "a"), 202);
    let last = of(&gateway, "r0", "old")["last_used_at"].clone();
    support::eventually("a note of the use", || {
        let noted: Value = serde_json::from_slice(&fs::read(gateway.path("data/uses")).ok()?).ok()?;
        noted["secrets"].as_array()?.iter().any(|one| one["last_used"].is_i64()).then_some(())
    });
    gateway.kill9();
    gateway.restart();
    assert_eq!(of(&gateway, "r0", "old")["last_used_at"], last);
}

#[test]
fn what_was_seen_belongs_to_the_secret_and_not_to_its_name() {
    let destination = Destination::start();
    let mut gateway = Gateway::start(&routes(&destination, &["secrets: { new: b, old: a }"]));
    assert_eq!(post(&gateway, "/r0", "b"), 202);
    let last = of(&gateway, "r0", "new")["last_used_at"].clone();
    assert!(last.is_string());
    // The next rotation: what was new is old, and nobody has seen the new one.
    let next = routes(&destination, &["secrets: { new: c, old: b }"]);
    reload(&gateway, &next);
    assert_eq!(
        (&of(&gateway, "r0", "new")["last_used_at"], &of(&gateway, "r0", "old")["last_used_at"]),
        (&Value::Null, &last)
    );
    // The same by a restart, and back: a deploy that was rolled back has forgotten nothing.
    stop_and_restart(&mut gateway);
    gateway.write_routes(&routes(&destination, &["secrets: { new: d, newer: b }"]));
    stop_and_restart(&mut gateway);
    assert_eq!(
        (&of(&gateway, "r0", "new")["last_used_at"], &of(&gateway, "r0", "newer")["last_used_at"]),
        (&Value::Null, &last)
    );
    reload(&gateway, &next);
    assert_eq!(of(&gateway, "r0", "old")["last_used_at"], last);
}
