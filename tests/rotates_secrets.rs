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
use support::{Destination, Gateway, http, sign};

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

/// A volume as the kubelet makes it: `NAME -> ..data/NAME`, and `..data -> the version in force`.
struct Volume<'g> {
    gateway: &'g Gateway,
    versions: std::cell::Cell<u32>,
}

/// What makes the files of such a volume before the gateway starts.
const MOUNT: &str = r#"
    mkdir -p volume/..0
    for name in secret token key; do printf "first-$name" > volume/..0/$name; ln -s ..data/$name volume/$name; done
    ln -s ..0 volume/..data
    exec "$@""#;

impl Volume<'_> {
    /// Swaps the whole volume, as the kubelet does it.
    fn swap(&self, files: &[(&str, &str)]) {
        self.versions.set(self.versions.get() + 1);
        let version = format!("..{}", self.versions.get());
        let volume = self.gateway.path("volume");
        let new = volume.join(&version);
        fs::create_dir(&new).unwrap();
        for entry in fs::read_dir(volume.join("..data")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), new.join(entry.file_name())).unwrap();
        }
        for (name, text) in files {
            fs::write(new.join(name), text).unwrap();
        }
        std::os::unix::fs::symlink(&version, volume.join("..data_tmp")).unwrap();
        fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    }
}

/// A gateway that takes an inbound secret, its admin token, and a destination's credential from a volume.
fn mounted(destination: &Destination) -> Gateway {
    let routes = format!(
        "
destinations:
  warehouse: {{ url: '{}', auth: {{ bearer: '${{file:volume/key}}' }} }}
routes:
  - {{ name: in, path: /in, provider: bspk, secret: '${{file:volume/secret}}', deliver: [{{ to: warehouse }}] }}
",
        destination.url("/")
    );
    Gateway::with(&routes).admin("listen: 127.0.0.1:0, token: '${file:volume/token}'").shell(MOUNT).start()
}

fn metrics(gateway: &Gateway, token: &str) -> (u16, String) {
    let response = http::send(gateway.admin_address(), "GET", "/metrics", &sign::bearer(token), b"");
    (response.status, response.text())
}

fn posted(gateway: &Gateway, secret: &str, id: u64) -> u16 {
    let event = json!({ "event_name": "client.updated", "object": { "id": id } });
    gateway.post("/in", &sign::bspk(secret), event.to_string().as_bytes()).status
}

#[test]
fn a_swapped_volume_is_in_force_within_seconds_without_a_signal() {
    let destination = Destination::start();
    let gateway = mounted(&destination);
    let volume = Volume { gateway: &gateway, versions: 0.into() };
    assert_eq!((posted(&gateway, "first-secret", 1), posted(&gateway, "second-secret", 1)), (202, 401));
    assert_eq!(destination.wait_for(1)[0].header("authorization"), Some("Bearer first-key"));

    volume.swap(&[("secret", "second-secret\n"), ("key", "second-key"), ("token", "second-token")]);
    support::eventually("the new secret", || (posted(&gateway, "second-secret", 2) == 202).then_some(()));
    assert_eq!(posted(&gateway, "first-secret", 3), 401);
    assert_eq!((metrics(&gateway, "first-token").0, metrics(&gateway, "second-token").0), (401, 200));
    let arrived = destination.wait_for(2);
    assert_eq!(arrived[1].header("authorization"), Some("Bearer second-key"));
    let line = gateway.wait_for_log(&["has changed", "volume/secret", "volume/key", "volume/token"]);
    assert!(line.contains("INFO"), "{line}");
    wait_for_reloads(&gateway, 1);
    for text in [gateway.log().join("\n"), metrics(&gateway, "second-token").1] {
        assert!(!text.contains("first-") && !text.contains("second-"), "{text}");
    }
}

fn reloads(gateway: &Gateway) -> usize {
    gateway.log().iter().filter(|line| line.contains("configuration reloaded")).count()
}

/// Waits until there were so many. One too many fails.
fn wait_for_reloads(gateway: &Gateway, count: usize) {
    support::eventually("a reload in the log", || (reloads(gateway) >= count).then_some(()));
    assert_eq!(reloads(gateway), count, "{:#?}", gateway.log());
}

#[test]
fn what_cannot_be_used_leaves_the_old_secret_in_force_and_the_next_content_is_taken() {
    let destination = Destination::start();
    let gateway = mounted(&destination);
    let volume = Volume { gateway: &gateway, versions: 0.into() };
    let successful =
        || support::metric(&metrics(&gateway, "first-token").1, "hookswitch_config_last_reload_successful", &[]);
    volume.swap(&[("secret", "")]);
    gateway.wait_for_log(&["the old one stays in force"]);
    gateway.wait_for_log(&["the secret `default` is empty"]);
    assert_eq!((posted(&gateway, "first-secret", 1), posted(&gateway, "", 1), successful()), (202, 401, 0.0));

    volume.swap(&[("secret", "third-secret")]);
    support::eventually("the next secret", || (posted(&gateway, "third-secret", 2) == 202).then_some(()));
    assert_eq!((posted(&gateway, "first-secret", 3), successful()), (401, 1.0));

    // Rewritten in place, by way of an empty file, and swapped for one that says the same.
    let path = gateway.path("volume/secret");
    fs::write(&path, "").unwrap();
    fs::write(&path, "fourth-secret").unwrap();
    support::eventually("the secret in place", || (posted(&gateway, "fourth-secret", 4) == 202).then_some(()));
    wait_for_reloads(&gateway, 2);
    volume.swap(&[("secret", "fourth-secret")]);
    volume.swap(&[("secret", "fifth-secret")]);
    support::eventually("the last secret", || (posted(&gateway, "fifth-secret", 5) == 202).then_some(()));
    wait_for_reloads(&gateway, 3);
}

#[test]
fn a_file_that_a_reload_brings_in_is_followed_and_one_that_it_drops_is_not() {
    let destination = Destination::start();
    let with = |secrets: &str| routes(&destination, &[secrets]);
    let gateway = Gateway::with(&with("secrets: { a: '${file:DIRECTORY/a}' }")).file("a", "a1").file("b", "b1").start();
    reload(&gateway, &with("secrets: { b: '${file:DIRECTORY/b}', c: c1 }"));
    wait_for_reloads(&gateway, 1);
    gateway.write_file("a", "a2");
    gateway.write_file("b", "b2");
    support::eventually("the new secret", || (post(&gateway, "/r0", "b2") == 202).then_some(()));
    let line = gateway.wait_for_log(&["has changed"]);
    assert!(line.contains("/b") && !line.contains("/a,"), "{line}");
    wait_for_reloads(&gateway, 2);
    assert_eq!(post(&gateway, "/r0", "c1"), 202);
    let last = |name: &str| of(&gateway, "r0", name)["last_used_at"].clone();
    assert!(last("b").is_string() && last("c").is_string());
    // Nobody has used what is in it now.
    gateway.write_file("b", "b3");
    wait_for_reloads(&gateway, 3);
    assert_eq!(last("b"), Value::Null);
    assert!(last("c").is_string());
}
